"""Work for the executors' tests. A module of its own, so that worker processes need not import pytest."""

from __future__ import annotations

import itertools
import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Batch:
    """Some orders, given to ``obey`` together; splits into single ones."""

    orders: tuple[str, ...]
    folder: str = ""
    padding: bytes = b""

    @property
    def key(self) -> str:
        return ",".join(self.orders)

    def split(self) -> list[Batch]:
        return [Batch((order,), self.folder, self.padding) for order in self.orders]


class Unpicklable:
    def __reduce__(self) -> tuple:
        raise TypeError("not me")


def obey(batch: Batch) -> list[object]:
    """Do what the orders say; a number is answered with its square."""
    if batch.folder:
        Path(batch.folder, f"pid-{os.getpid()}").touch()
    return [_obey(order, batch) for order in batch.orders]


def _obey(order: str, batch: Batch) -> object:
    verb, _, rest = order.partition(":")
    if verb == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif verb == "exit":
        os._exit(3)
    elif verb == "kill-once":
        marker = Path(batch.folder, f"once-{rest}")
        if not marker.exists():
            marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return "survived"
    elif verb == "spin":
        sum(itertools.repeat(1))  # compiled code that never lets go of the interpreter
    elif verb == "raise":
        raise ValueError(f"cannot do {rest}")
    elif verb == "quit":
        sys.exit(7)
    elif verb == "memory":
        raise MemoryError
    elif verb == "allocate":
        return len(bytearray(int(rest)))
    elif verb == "unpicklable":
        return Unpicklable()
    elif verb == "sleep":
        time.sleep(float(rest))
    elif verb == "big":
        return bytes(int(rest))
    elif verb == "pid":
        return os.getpid()
    elif verb == "environment":
        return os.environ.get(rest)
    else:
        return int(verb) ** 2
    return None


def prepare() -> None:
    os.environ["PREPARED"] = "yes"


def refuse_to_start() -> None:
    raise RuntimeError("no such device")


def die_at_start() -> None:
    os._exit(9)
