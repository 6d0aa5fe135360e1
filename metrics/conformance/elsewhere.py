"""The same metric in another process: a fresh interpreter, started once and kept for all metrics."""

from __future__ import annotations

import atexit
import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import state
from .case import Broken, Skipped, line, read

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    import numpy as np
    from torch import Tensor

NAME = "ganiq-check"
PATIENCE = 300.0
"""Seconds for one answer, with the imports of a fresh process."""


@dataclass(frozen=True)
class Job:
    """What the other process is asked to do."""

    metric: bytes
    """Pickled: the metric, or with ``build`` what builds it."""
    build: bool
    inputs: tuple[np.ndarray, ...]
    count: int | None
    threads: int


@dataclass(frozen=True)
class Reply:
    values: tuple[float, ...] = ()
    touched: tuple[str, ...] = ()
    """Random states that were changed."""
    error: str = ""


class _Other:
    """The process and the line to it."""

    def __init__(self) -> None:
        from multiprocessing import Pipe, get_context

        self.pipe, theirs = Pipe()
        self.process = get_context("spawn").Process(target=serve, args=(theirs,), daemon=True, name=NAME)
        self.process.start()
        theirs.close()
        try:
            self.pipe.recv()  # that it is ready
        except (EOFError, OSError):
            self.end()
            raise Skipped(
                f"a fresh process could not be started (exit code {self.code}); run this from a file, and a script "
                'under `if __name__ == "__main__":`'
            ) from None

    def ask(self, job: Job) -> Reply:
        try:
            self.pipe.send(job)
            if self.pipe.poll(PATIENCE):
                return self.pipe.recv()
        except (EOFError, OSError):
            self.end()
            return Reply(error=f"the process ended (exit code {self.code})")
        self.end()
        return Reply(error=f"there was no answer within {PATIENCE:g} seconds")

    def end(self) -> None:
        global _other
        self.pipe.close()
        self.process.join(1.0)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self.code = self.process.exitcode
        _other = None


_other: _Other | None = None


def ask(metric: bytes, *, build: bool, inputs: Sequence[Tensor], count: int | None) -> Reply:
    """Score in the other process, with as many threads as here.

    Raises:
        Broken: it could not.
        Skipped: there is no other process.
    """
    from multiprocessing import current_process

    import torch

    global _other
    if current_process().name == NAME:  # a script that is not guarded runs there, too
        raise Skipped("this is the fresh process already")
    if _other is None:
        _other = _Other()
        atexit.register(_other.end)
    arrays = tuple(batch.numpy() for batch in inputs)
    reply = _other.ask(Job(metric, build, arrays, count, torch.get_num_threads()))
    if reply.error:
        raise Broken(
            f"in a fresh process it failed ({reply.error}); "
            "import what it needs inside the module or the call, and keep nothing of this process in it"
        )
    return reply


def serve(pipe: Connection) -> None:
    """Main function of the other process: answer jobs until the line is closed."""
    pipe.send("ready")
    while True:
        try:
            job = pipe.recv()
        except (EOFError, OSError):
            return
        try:
            reply = work(job)
        except (Exception, SystemExit) as error:
            reply = Reply(error=line(error))
        pipe.send(reply)


def work(job: Job) -> Reply:
    """One job, in whichever process this is."""
    import torch

    if torch.get_num_threads() != job.threads:
        torch.set_num_threads(job.threads)
    with state.guarded([]), state.peculiar_random():
        before = state.random_states()
        metric = pickle.loads(job.metric)
        if job.build:
            metric = metric()
        inputs = [torch.from_numpy(array.copy()) for array in job.inputs]
        if job.count is None:
            answer = metric(*inputs)
        else:
            with torch.inference_mode():
                answer = metric(*inputs)
        touched = state.changed(before, state.random_states())
    return Reply(tuple(read(answer, job.count)), touched)
