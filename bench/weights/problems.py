"""What can be wrong with weights: they are not here, or they are not what they should be.

Both are refusals of one cell (a run goes on without the metric) and errors of a command at the same time.
"""

from __future__ import annotations

from ..errors import IntegrityError, Refusal, UsageError


class MissingWeights(Refusal, UsageError):
    """A slot is empty. ``slot`` names it, ``command`` is what would fill it."""

    def __init__(self, slot: str, command: str) -> None:
        Exception.__init__(self, slot, command)
        self.slot, self.command = slot, command
        self.code, self.path, self.done = "E-SKIP-WEIGHTS", slot, "not scored"
        self.found = "these weights are not on this computer"
        self.advice = f"run `{command}`"


class BadWeights(Refusal, IntegrityError):
    """A file is there and cannot be used.

    ``code`` is one of ``E-CKPT-HASH`` (other bytes than registered), ``E-CKPT-UNSAFE`` (could run code),
    ``E-CKPT-FORMAT`` (damaged or malformed), ``E-CKPT-KEYS`` (names or shapes differ from the network's)
    and ``E-CKPT-NAN`` (values that are not finite).
    """

    def __init__(self, code: str, slot: str, found: str, advice: str, done: str = "not loaded") -> None:
        Exception.__init__(self, code, slot, found, advice, done)
        self.code, self.path, self.found, self.advice, self.done = code, slot, found, advice, done
        self.slot = slot
