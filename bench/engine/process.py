"""Work in processes of their own, which may hang, crash or run out of memory without harm to the rest."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing import connection, resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from multiprocessing.reduction import ForkingPickler
from typing import Any, Generic, Literal

from ..errors import GaniqError, ResourceError, UsageError
from . import Lost, R, U, parts
from .worker import serve

_SMALL = 16 * 1024
"""Bytes that fit into the buffer of a pipe: such a message can be sent to a worker that is busy."""
_AHEAD = 2
"""Units a worker has at hand: the one in progress and the next, so that it never waits for the parent."""
_DEATHS = 2
"""So many workers may an atomic unit kill."""
_STARTS = 3
"""So many workers in a row may fail to start."""
_START_TIME = 240.0
"""Seconds a worker may take to import and initialize, besides the grace."""


@dataclass(eq=False)
class _Task(Generic[U]):
    unit: U
    message: bytes = b""
    deaths: int = 0


@dataclass(eq=False)
class _Worker(Generic[U]):
    process: BaseProcess
    pipe: Connection
    ready: bool = False
    fresh: bool = True
    """Has not finished a unit yet."""
    deadline: float | None = None
    tasks: deque[_Task[U]] = field(default_factory=deque)
    """Sent and not answered; the first is the one in progress."""


class Process:
    """A few long-lived worker processes.

    Every worker has a pipe of its own, so one that dies in the middle of a message harms no other. A unit
    whose worker died or timed out, or that raised, is split and its parts are tried one by one; an atomic
    unit is ``Lost`` after it has killed two workers, or after one time-out or exception. Results come as they
    are finished.
    """

    def __init__(
        self,
        workers: int = 2,
        *,
        timeout: float | None = None,
        initializer: Callable[[], object] | None = None,
        memory: int | None = None,
        grace: float = 60.0,
    ) -> None:
        """Nothing is started before ``run``.

        Args:
            workers: number of processes, at least 1.
            timeout: seconds for an atomic unit; one that splits into n parts may take n times as long.
            initializer: called first in every worker, e.g. to set the number of threads; must be picklable.
            memory: bytes of address space a worker may use. Allocations beyond fail with ``MemoryError``.
            grace: seconds added to the time-out of a worker's first unit, in which it loads what it needs.

        Raises:
            UsageError: a number that makes no sense.
        """
        if workers < 1:
            raise UsageError(f"{workers} workers cannot do anything; ask for at least 1", code="E-CFG")
        if timeout is not None and not timeout > 0:
            raise UsageError(f"a time limit of {timeout} seconds leaves no time; ask for more than 0", code="E-CFG")
        self.workers = workers
        self.timeout = timeout
        self.initializer = initializer
        self.memory = memory
        self.grace = grace

    def run(self, units: Iterable[U], work: Callable[[U], R], /) -> Generator[tuple[U, R | Lost], None, None]:
        """Yield every unit, or its parts if it failed, with its result or the reason why there is none.

        At most a few units per worker are taken from ``units`` in advance. However the iteration ends (to the
        end, by ``close()``, by an exception such as ``KeyboardInterrupt``), no worker is left behind.

        Raises:
            UsageError: ``work``, the initializer or a unit cannot be sent to another process.
            ResourceError: processes cannot be started.
            GaniqError: workers end before they are ready, or their initializer raised.
        """
        pool: _Pool[U] = _Pool(self, iter(units), work)
        try:
            yield from pool.results()
        except BaseException:
            pool.stop(at_once=True)
            raise
        finally:
            pool.stop(at_once=False)


class _Pool(Generic[U]):
    """The state of one ``run``."""

    def __init__(self, settings: Process, units: Iterator[U], work: Callable[[U], Any]) -> None:
        self.settings = settings
        self.units = units
        self.exhausted = False
        self.work = work
        self.context = multiprocessing.get_context("spawn")
        self.workers: list[_Worker[U]] = []
        self.waiting: deque[_Task[U]] = deque()
        self.false_starts = 0

    # --- the loop ----------------------------------------------------------------------------------------

    def results(self) -> Iterator[tuple[U, Any]]:
        while True:
            self.hand_out()
            if not self.waiting and not any(worker.tasks for worker in self.workers):
                return
            yield from self.collect()

    def hand_out(self) -> None:
        """Give every worker something to do, starting workers while there is work for them."""
        self.feed(1)
        starting = sum(1 for worker in self.workers if not worker.ready)
        while len(self.workers) < self.settings.workers and self.fill(starting + 1):
            self.start()
            starting += 1
        self.feed(_AHEAD)

    def feed(self, depth: int) -> None:
        """Fill the hands of the workers that are ready with up to ``depth`` units each."""
        for worker in self.workers:
            while worker.ready and len(worker.tasks) < depth and self.fill(1):
                if worker.tasks and len(self.waiting[0].message) > _SMALL:
                    break  # sending it would block us until the worker reads again
                self.send(worker, self.waiting.popleft())

    def fill(self, count: int) -> bool:
        """Take in units until ``count`` are waiting; False if there are not so many."""
        while len(self.waiting) < count and not self.exhausted:
            try:
                unit = next(self.units)
            except StopIteration:
                self.exhausted = True
            else:
                self.waiting.append(_Task(unit, self.pickled(unit)))
        return len(self.waiting) >= count

    def collect(self) -> Iterator[tuple[U, Any]]:
        """Wait for something to happen and deal with it: first what arrived, then deaths, then time-outs."""
        handles: list[Any] = []
        for worker in self.workers:
            handles += [worker.pipe, worker.process.sentinel]
        deadlines = [worker.deadline for worker in self.workers if worker.deadline is not None]
        patience = max(0.0, min(deadlines) - time.monotonic()) if deadlines else None
        happened = set(connection.wait(handles, patience))
        for worker in list(self.workers):
            dead = worker.process.sentinel in happened
            if worker.pipe in happened or dead:
                yield from self.receive(worker, drain=dead)
            if dead and worker in self.workers:
                yield from self.bury(worker)
        now = time.monotonic()
        for worker in list(self.workers):
            if worker.deadline is not None and now >= worker.deadline:
                # A result may have come while the consumer was busy with the last one.
                yield from self.receive(worker, drain=True)
                if worker in self.workers and worker.deadline is not None and now >= worker.deadline:
                    yield from self.overdue(worker)

    # --- one worker --------------------------------------------------------------------------------------

    def start(self) -> None:
        ours, theirs = multiprocessing.Pipe()
        settings = self.settings
        arguments = (theirs, self.work, settings.initializer, settings.memory, os.getpid())
        process = self.context.Process(target=serve, args=arguments, daemon=True, name="ganiq-worker")
        try:
            with _interrupts_blocked():
                process.start()
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            ours.close()
            raise UsageError(
                f"the work cannot be sent to another process ({error}); use functions of a module, "
                "or the serial executor",
                code="E-CFG",
            ) from error
        except OSError as error:
            ours.close()
            raise ResourceError(
                f"a worker process cannot be started ({error}); free memory or ask for fewer workers", code="E-IO-FORK"
            ) from error
        finally:
            theirs.close()
        allowed = _START_TIME + settings.grace
        self.workers.append(_Worker(process, ours, deadline=time.monotonic() + allowed))

    def send(self, worker: _Worker[U], task: _Task[U]) -> None:
        worker.tasks.append(task)
        if len(worker.tasks) == 1:
            self.set_deadline(worker)
        with suppress(OSError):  # it has just died: its sentinel will tell, and the task is among its tasks
            worker.pipe.send_bytes(task.message)

    def set_deadline(self, worker: _Worker[U]) -> None:
        """Start the clock for the unit in progress."""
        worker.deadline = None
        if worker.tasks and self.settings.timeout is not None:
            size = len(parts(worker.tasks[0].unit)) or 1
            grace = self.settings.grace if worker.fresh else 0.0
            worker.deadline = time.monotonic() + self.settings.timeout * size + grace

    def receive(self, worker: _Worker[U], *, drain: bool) -> Iterator[tuple[U, Any]]:
        """Take what the worker has sent: one message, or all there are."""
        while worker in self.workers:
            try:
                if not worker.pipe.poll():
                    return
                message = worker.pipe.recv_bytes()
            except (EOFError, OSError):
                # Nothing more will come. A worker that closed its pipe without ending is of no use either.
                if not drain:
                    yield from self.bury(worker)
                return
            kind, value = self.unpickled(message)
            if kind == "failed":
                raise GaniqError(f"a worker process could not be prepared: {value}", code="E-WORKER-START")
            if kind == "ready":
                worker.ready, worker.deadline, self.false_starts = True, None, 0
            else:
                task = worker.tasks.popleft()
                worker.fresh = False
                self.set_deadline(worker)
                lost = isinstance(value, Lost)
                if lost and value.reason in ("oom", "died"):
                    # Its memory is in pieces, or its device out of reach: the next unit would suffer for it.
                    self.dismiss(worker)
                yield from self.give_up(task, value) if lost else iter([(task.unit, value)])
            if not drain:
                return

    def bury(self, worker: _Worker[U]) -> Iterator[tuple[U, Any]]:
        """A worker has ended without being asked to."""
        worker.process.join(1.0)  # its pipes close a moment before the system has its exit status
        code = worker.process.exitcode
        ready, task = worker.ready, worker.tasks[0] if worker.tasks else None
        if task is not None:
            worker.tasks.popleft()
        self.dismiss(worker)
        if not ready:
            self.false_starts += 1
            if self.false_starts >= _STARTS:
                raise GaniqError(
                    f"{self.false_starts} worker processes in a row ended while starting ({_ending(code)}); a script "
                    'that starts them needs `if __name__ == "__main__":`; or use the serial executor',
                    code="E-WORKER-START",
                )
        elif task is not None:
            task.deaths += 1
            if parts(task.unit) or task.deaths >= _DEATHS:
                yield from self.give_up(task, Lost("died", f"its process ended: {_ending(code)}"))
            else:
                self.waiting.appendleft(task)

    def overdue(self, worker: _Worker[U]) -> Iterator[tuple[U, Any]]:
        """A worker has used up its time: end it, whatever it is doing."""
        if not worker.ready:
            raise GaniqError(
                f"a worker process was not ready after {_START_TIME + self.settings.grace:.0f} seconds; "
                "use the serial executor to see why",
                code="E-WORKER-START",
            )
        task = worker.tasks.popleft()
        self.dismiss(worker)
        limit = (self.settings.timeout or 0.0) * (len(parts(task.unit)) or 1)
        yield from self.give_up(task, Lost("timeout", f"no result within {limit:g} seconds"))

    def give_up(self, task: _Task[U], lost: Lost) -> Iterator[tuple[U, Any]]:
        """A unit failed: its parts go to the head of the queue; an atomic one is lost."""
        smaller = parts(task.unit)
        if not smaller:
            yield task.unit, lost
        self.waiting.extendleft(reversed([_Task(unit, self.pickled(unit)) for unit in smaller]))

    def dismiss(self, worker: _Worker[U]) -> None:
        """End a worker; what it had not begun goes back to the head of the queue."""
        self.workers.remove(worker)
        worker.pipe.close()
        worker.process.kill()
        worker.process.join()
        worker.process.close()
        self.waiting.extendleft(reversed(worker.tasks))

    # --- messages ----------------------------------------------------------------------------------------

    def pickled(self, unit: U) -> bytes:
        try:
            return bytes(ForkingPickler.dumps(unit))
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise UsageError(
                f"unit {unit.key!r} cannot be sent to another process ({error}); use the serial executor", code="E-CFG"
            ) from error

    def unpickled(self, message: bytes) -> tuple[Literal["ready", "failed", "done"], Any]:
        try:
            return pickle.loads(message)
        except Exception as error:  # e.g. an exception class that cannot be rebuilt
            return "done", Lost("error", f"result cannot be read: {type(error).__name__}: {error}")

    # --- the end -----------------------------------------------------------------------------------------

    def stop(self, *, at_once: bool) -> None:
        """End all workers: idle ones by closing their pipes, the others, or all in a hurry, by force."""
        workers, self.workers = self.workers, []
        for worker in workers:
            with suppress(OSError):
                worker.pipe.close()
            if at_once or worker.tasks:
                worker.process.kill()
        deadline = time.monotonic() + 1.0
        for worker in workers:
            worker.process.join(max(0.0, deadline - time.monotonic()))
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()
            worker.process.close()


@contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """Start a process such that Ctrl-C cannot hit it before it is set up to ignore it.

    The mask is inherited; an interrupt meant for us comes when it is lifted.
    """
    resource_tracker.ensure_running()  # else it would be started inside, and inherit the mask for good
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _ending(code: int | None) -> str:
    if code is None:
        return "it closed its pipe"
    if code < 0:
        with suppress(ValueError):
            name = signal.Signals(-code).name
            return f"{name}, perhaps for want of memory" if name == "SIGKILL" else name
        return f"signal {-code}"
    return f"exit code {code}"
