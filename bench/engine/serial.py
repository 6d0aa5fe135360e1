"""Work in this process: for debugging, for small jobs, and where processes cannot be started."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable

from . import Lost, R, U, failure, parts


class Serial:
    """One unit after the other. Cannot protect from work that hangs or kills its process."""

    def __init__(self, *, initializer: Callable[[], object] | None = None) -> None:
        """``initializer`` is called once before the first unit."""
        self.initializer = initializer

    def run(self, units: Iterable[U], work: Callable[[U], R], /) -> Generator[tuple[U, R | Lost], None, None]:
        """Yield every unit, or its parts if it raised, with its result. ``KeyboardInterrupt`` passes through."""
        if self.initializer is not None:
            self.initializer()
        for unit in units:
            waiting = deque([unit])
            while waiting:
                current = waiting.popleft()
                try:
                    outcome: R | Lost = work(current)
                except Exception as error:
                    outcome = failure(error)
                smaller = parts(current) if isinstance(outcome, Lost) else []
                if smaller:
                    waiting.extendleft(reversed(smaller))
                else:
                    yield current, outcome
