"""Progress for people: a bar on a terminal, one plain line a minute in a log."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Protocol, TextIO


class Progress(Protocol):
    """Told how much there is and how much is done; the time left follows from the two."""

    def stage(self, name: str, total: int | None = None) -> None: ...
    def advance(self, n: int = 1) -> None: ...
    def note(self, text: str) -> None: ...
    def __enter__(self) -> Progress: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...


class Silent:
    """Says nothing."""

    def stage(self, name: str, total: int | None = None) -> None: ...
    def advance(self, n: int = 1) -> None: ...
    def note(self, text: str) -> None: ...
    def __enter__(self) -> Silent:
        return self

    def __exit__(self, *error: object) -> None: ...


class Lines(Silent):
    """Plain lines for logs and pipes: the start and end of a stage, and one a minute between."""

    def __init__(self, stream: TextIO | None = None, every: float = 60.0) -> None:
        self.stream, self.every = stream or sys.stderr, every
        self._name, self._total, self._done = "", 0, 0
        self._started = self._said = time.monotonic()

    def _say(self, text: str) -> None:
        print(text, file=self.stream, flush=True)

    def stage(self, name: str, total: int | None = None) -> None:
        self._close()
        self._name, self._total, self._done = name, total or 0, 0
        self._started = self._said = time.monotonic()
        self._say(f"{name}: {total:,}" if total else name)

    def advance(self, n: int = 1) -> None:
        self._done += n
        now = time.monotonic()
        if now - self._said >= self.every and self._total:
            self._said = now
            left = (now - self._started) / max(self._done, 1) * (self._total - self._done)
            self._say(f"{self._name}: {self._done:,} of {self._total:,}, about {duration(left)} left")

    def note(self, text: str) -> None:
        self._say(text)

    def _close(self) -> None:
        if self._name and self._total:
            spent = duration(time.monotonic() - self._started)
            self._say(f"{self._name}: {self._done:,} of {self._total:,} in {spent}")
        self._name = ""

    def __exit__(self, *error: object) -> None:
        self._close()


class Bar:
    """A rich progress bar with rate and time left."""

    def __init__(self) -> None:
        from rich import progress
        from rich.console import Console

        self._bar = progress.Progress(
            progress.TextColumn("{task.description}"),
            progress.BarColumn(),
            progress.MofNCompleteColumn(),
            progress.TimeElapsedColumn(),
            progress.TextColumn("left"),
            progress.TimeRemainingColumn(elapsed_when_finished=False),
            console=Console(stderr=True),
        )
        self._task: progress.TaskID | None = None

    def stage(self, name: str, total: int | None = None) -> None:
        self._task = self._bar.add_task(name, total=total)

    def advance(self, n: int = 1) -> None:
        if self._task is not None:
            self._bar.advance(self._task, n)

    def note(self, text: str) -> None:
        self._bar.console.print(text, highlight=False, markup=False)

    def __enter__(self) -> Bar:
        self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.stop()


def suited(stream: TextIO | None = None) -> Progress:
    """A bar where somebody can see it move, lines elsewhere."""
    return Bar() if (stream or sys.stderr).isatty() else Lines(stream)


def duration(seconds: float) -> str:
    """12 s, 3 min 20 s, 2 h 5 min."""
    whole = round(max(0.0, seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
