"""What can go wrong, as types: each carries a machine-readable code and one sentence for a person.

Exit codes are part of the interface of the command line:

====  =======================================================================
0     all done
1     finished, but some items failed or were skipped (counts on the last line)
2     usage or configuration error; nothing was scored
4     integrity problem: something does not match what was recorded
5     resource exhausted (disk, memory) or not to be had (network); then run the same command again
130   interrupted by SIGINT; 143 by SIGTERM; the message says how to resume
====  =======================================================================
"""

from __future__ import annotations

OK, INCOMPLETE, USAGE, INTEGRITY, RESOURCE, SIGINT, SIGTERM = 0, 1, 2, 4, 5, 130, 143


class GaniqError(Exception):
    """Stops a command: one clear sentence, and the exit code that goes with it."""

    exit_code = INCOMPLETE

    def __init__(self, message: str, *, code: str = "") -> None:
        super().__init__(f"{code} {message}".strip())
        self.code = code


class UsageError(GaniqError):
    """The request cannot be carried out as written; nothing was scored."""

    exit_code = USAGE


class IntegrityError(GaniqError):
    """Something does not match what was recorded; nothing is published."""

    exit_code = INTEGRITY


class ResourceError(GaniqError):
    """Disk, memory or a device is exhausted, or the network cannot be reached; what was done is kept."""

    exit_code = RESOURCE


class Refusal(Exception):
    """One item (or one cell) cannot be scored; the rest of the run goes on.

    ``str()`` gives the suite's message form:
    ``E-XXX <relative path>: <what was found>; <what was done>; <what to do>``.
    """

    def __init__(self, code: str, path: str, found: str, advice: str, *, done: str = "not scored") -> None:
        super().__init__(code, path, found, advice, done)
        self.code, self.path, self.found, self.advice, self.done = code, path, found, advice, done

    def __reduce__(self) -> tuple[object, ...]:
        # Exceptions are rebuilt from their positional arguments, and may cross a process boundary.
        return _rebuilt, (type(self), self.args, self.__dict__)

    def __str__(self) -> str:
        return f"{self.code} {self.path}: {self.found}; {self.done}; {self.advice}"


def _rebuilt(kind: type[Refusal], arguments: tuple[object, ...], state: dict[str, object]) -> Refusal:
    error = kind.__new__(kind, *arguments)
    error.__dict__.update(state)
    return error
