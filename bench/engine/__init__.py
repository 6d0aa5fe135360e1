"""Executors: where the work is done. One method, so that a third party can add a cluster.

An executor promises that every unit comes back, as itself or as its parts, with a result or with the reason
why there is none, whatever the work does: raise, hang, exhaust memory or kill its process.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar, runtime_checkable

BUILTIN = {"process": "bench.engine.process:Process", "serial": "bench.engine.serial:Serial"}
"""Names of the executors that come with the suite."""


@runtime_checkable
class Unit(Protocol):
    """A piece of work that can be pickled."""

    @property
    def key(self) -> str:
        """For messages."""
        ...

    def split(self) -> list[Any]:
        """Smaller units that together are this one; ``[]`` or ``[self]`` if there are none."""
        ...


_NO_MEMORY = ("out of memory", "not enough memory", "allocate memory", "status_alloc_failed")

U = TypeVar("U", bound=Unit)
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Lost:
    """Stands for the result of a unit that gave none."""

    reason: Literal["died", "timeout", "error", "oom"]
    """``died``: its process ended, twice, or can go on no more. ``error``: the work raised, or its result cannot be
    pickled.

    Work may return a ``Lost`` itself: that counts as a failure of the unit like any other.
    """
    detail: str


class Executor(Protocol):
    """Does ``work`` on each of ``units`` and yields what comes of it, in any order.

    A unit that fails is split and its parts are tried one by one; what is yielded then are the parts. Units
    are taken from the iterable as they are needed. Close the iterator (``contextlib.closing``) to stop early.
    """

    def run(self, units: Iterable[U], work: Callable[[U], R], /) -> Generator[tuple[U, R | Lost], None, None]: ...


def parts(unit: U) -> list[U]:
    """The smaller units of a unit, or nothing if it is atomic."""
    found = list(unit.split())
    return found if len(found) > 1 else []


def failure(error: BaseException) -> Lost:
    """What is reported of an exception: its type and message, and whether memory or a broken device was the matter."""
    name = type(error).__name__
    text = " ".join(str(error).split())
    # torch has a class of its own on devices, and on the CPU a bare RuntimeError.
    short = isinstance(error, MemoryError) or name == "OutOfMemoryError"
    short |= isinstance(error, RuntimeError) and any(words in text.lower() for words in _NO_MEMORY)
    # After such an error (an illegal address, say) a graphics card refuses whatever else this process asks of it.
    broken = name == "AcceleratorError" and not short
    return Lost("oom" if short else "died" if broken else "error", f"{name}: {text}" if text else name)
