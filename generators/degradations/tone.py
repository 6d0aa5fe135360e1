"""Changes of tone, pixel by pixel (``sharpen`` alone looks at the neighbours). Curves act on each channel in [0, 1]."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ...bench.protocols import GeneratorInfo
from ..base import Pixels
from .base import Degradation, Floats, Random, card, planes, rounded, whole, within
from .color import from_lab, to_lab


def _bent(values: Floats, lift: float) -> Floats:
    """The parabola through (0, 0), (1/2, 1/2 + lift) and (1, 1)."""
    return values + 4 * lift * values * (1 - values)


@dataclass(frozen=True)
class Brighten(Degradation):
    """Tone curve through (1/2, 1/2 + ``amount``/2), the ends fixed."""

    amount: float = 0.2
    info: ClassVar[GeneratorInfo] = card("brighten", "Brightened")

    def __post_init__(self) -> None:
        within(self.amount, 0, 2, "amount")

    def __call__(self, image: Pixels, random: Random, /) -> Pixels:
        return rounded(255.0 * _bent(planes(image), self.amount / 2))


@dataclass(frozen=True)
class Darken(Degradation):
    """Tone curve through (1/2, 1/2 - ``amount``/2), the ends fixed."""

    amount: float = 0.2
    info: ClassVar[GeneratorInfo] = card("darken", "Darkened")

    def __post_init__(self) -> None:
        within(self.amount, 0, 2, "amount")

    def __call__(self, image: Pixels, random: Random, /) -> Pixels:
        return rounded(255.0 * _bent(planes(image), -self.amount / 2))


@dataclass(frozen=True)
class MeanShift(Degradation):
    """``amount`` (of 1) added to every value."""

    amount: float = 0.08
    info: ClassVar[GeneratorInfo] = card("mean-shift", "Mean shifted")

    def __post_init__(self) -> None:
        within(self.amount, -1, 1, "amount")

    def __call__(self, image: Pixels, random: Random, /) -> Pixels:
        return rounded(image + 255.0 * self.amount)


@dataclass(frozen=True)
class ContrastCurve(Degradation):
    """Cubic spline through (0, 0), (.3, 1/4 - ``amount``/4), (1/2, 1/2), (.7, 3/4 + ``amount``/4), (1, 1).

    Positive amounts raise the contrast; so does 0 a little, as the curve then passes through (.3, .25).
    """

    amount: float = 0.15
    info: ClassVar[GeneratorInfo] = card("contrast-curve", "Contrast changed by a curve")

    def __post_init__(self) -> None:
        within(self.amount, -1, 1, "amount")

    def __call__(self, image: Pixels, random: Random, /) -> Pixels:
        from scipy.interpolate import CubicSpline

        a = self.amount / 4
        curve = CubicSpline([0, 0.3, 0.5, 0.7, 1], [0, 0.25 - a, 0.5, 0.75 + a, 1])
        return rounded(255.0 * curve(planes(image)))


@dataclass(frozen=True)
class ContrastRange(Degradation):
    """All values squeezed into 1/2 - ``half`` to 1/2 + ``half``."""

    half: float = 0.3
    info: ClassVar[GeneratorInfo] = card("contrast-range", "Contrast squeezed")

    def __post_init__(self) -> None:
        within(self.half, 0, 0.5, "half")

    def __call__(self, image: Pixels, random: Random, /) -> Pixels:
        return rounded(255.0 * (0.5 + 2 * self.half * (planes(image) - 0.5)))


@dataclass(frozen=True)
class Quantize(Degradation):
    """Each channel rounded to ``levels`` evenly spaced values, black and white among them."""

    levels: int = 10
    info: ClassVar[GeneratorInfo] = card("quantize", "Few levels")

    def __post_init__(self) -> None:
        whole(self.levels, 2, 256, "levels")

    def __call__(self, image: Pixels, random: Random, /) -> Pixels:
        steps = self.levels - 1
        return rounded(255.0 * np.rint(planes(image) * steps) / steps)


@dataclass(frozen=True)
class Sharpen(Degradation):
    """Unsharp masking of L of CIELAB: L + ``amount`` (L - L blurred with sigma = ``radius`` pixels)."""

    amount: float = 2.0
    radius: float = 6.0
    info: ClassVar[GeneratorInfo] = card("sharpen", "Sharpened too much")

    def __post_init__(self) -> None:
        within(self.amount, 0, 50, "amount")
        within(self.radius, 0.1, 50, "radius")

    def __call__(self, image: Pixels, random: Random, /) -> Pixels:
        from skimage.filters import unsharp_mask

        lab = to_lab(image)
        sharp = unsharp_mask(lab[..., 0], radius=self.radius, amount=self.amount, preserve_range=True)
        lab[..., 0] = np.clip(sharp, 0, 100)
        return from_lab(lab)
