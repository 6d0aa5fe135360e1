"""Axes: where to put ticks, and which numbers of a column an axis spans."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from .text import fixed


@dataclass(frozen=True, slots=True)
class Axis:
    """A linear map from data to drawing units."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def ticks(self, about: int = 4) -> list[tuple[float, str]]:
        """(position, label) of round numbers inside the axis."""
        step = nice_step(self.high - self.low, about)
        digits = max(0, -math.floor(math.log10(step) + 1e-9))
        if digits and round(step * 10**digits, 6) != round(step * 10**digits):
            digits += 1
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [(self(n * step), fixed(n * step, min(digits, 8))) for n in range(first, last + 1)]


def nice_step(span: float, about: int) -> float:
    """1, 2 or 5 times a power of ten, so that about this many steps fit."""
    raw = span / max(1, about)
    power = 10.0 ** math.floor(math.log10(raw))
    return min((m * power for m in (1, 2, 5, 10)), key=lambda step: abs(math.log(step / raw)))


def span(values: Iterable[float | None], pad: float = 0.04) -> tuple[float, float]:
    """Lowest and highest finite value with a little air; (0, 1) where there is none."""
    known = [v for v in values if v is not None and math.isfinite(v)]
    if not known:
        return 0.0, 1.0
    low, high = min(known), max(known)
    if high - low <= 1e-9 * max(abs(low), abs(high), 1e-300):
        width = abs(low) * 0.05 or 0.5
        return low - width, high + width
    return low - pad * (high - low), high + pad * (high - low)
