"""Making an image smaller, or smaller and larger again.

``down`` uses Pillow's antialiased kernels. Away from the borders its bicubic kernel (Keys, a = -1/2, widened by the
factor) is that of MATLAB's ``imresize`` and agrees with it within one grey level, rarely up to four, as Pillow rounds
and clips to bytes between its two passes; at the borders Pillow renormalises the kernel where MATLAB mirrors the
image (up to 19 levels). ``imresize`` is MATLAB's, mirrored borders included and rounded once, and is what papers on
super-resolution mean by "bicubic".
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from PIL import Image

from ...bench.images.resample import SUPPORT, matrix
from ...bench.protocols import GeneratorInfo
from ..base import Pixels
from .base import Degradation, Random, card, one_of, rounded, within

KERNELS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
    "area": Image.Resampling.BOX,
}


def resized(image: Pixels, width: int, height: int, kernel: str) -> Pixels:
    """The image at another size, by one of ``KERNELS``."""
    return np.array(Image.fromarray(image).resize((width, height), KERNELS[kernel]))


@dataclass(frozen=True)
class Down(Degradation):
    """Shrink both sides by ``factor`` with an antialiased kernel; ``area`` is the mean over each cell."""

    factor: float = 4.0
    kernel: str = "bicubic"
    info: ClassVar[GeneratorInfo] = card("down", "Shrunk (Pillow)", "Sides are rounded to whole pixels.", scale=0)
    aliases: ClassVar[dict[str, str]] = {"scale": "factor"}

    def __post_init__(self) -> None:
        within(self.factor, 1, 64, "factor")
        one_of(self.kernel, [*KERNELS], "kernel")

    @property
    def shrink(self) -> float:
        return self.factor

    def __call__(self, image: Pixels, random: Random, /) -> Pixels:
        height, width = image.shape[:2]
        return resized(image, max(1, round(width / self.factor)), max(1, round(height / self.factor)), self.kernel)


@dataclass(frozen=True)
class DownUp(Degradation):
    """Shrink by ``factor`` with one kernel and enlarge to the old size with another."""

    factor: float = 2.0
    kernel: str = "bicubic"
    back: str = "bicubic"
    info: ClassVar[GeneratorInfo] = card("down-up", "Shrunk and enlarged again (Pillow)")
    aliases: ClassVar[dict[str, str]] = {"scale": "factor"}

    def __post_init__(self) -> None:
        Down(self.factor, self.kernel)
        one_of(self.back, [*KERNELS], "back")

    def __call__(self, image: Pixels, random: Random, /) -> Pixels:
        height, width = image.shape[:2]
        return resized(Down(self.factor, self.kernel)(image, random), width, height, self.back)


@dataclass(frozen=True)
class Imresize(Degradation):
    """Shrink both sides by ``scale`` as MATLAB's ``imresize(image, 1/scale, kernel)`` does with floating-point input.

    Sides are rounded up; crop them to a multiple of the scale first, as is usual.
    """

    scale: float = 4.0
    kernel: str = "bicubic"
    antialias: bool = True
    """Widen the kernel by the scale; off as ``'Antialiasing', false``."""
    info: ClassVar[GeneratorInfo] = card(
        "imresize",
        "Shrunk as by MATLAB's imresize",
        "The bicubic of the literature on super-resolution.",
        "Keys 1981, doi 10.1109/TASSP.1981.1163711",
        scale=0,
    )
    aliases: ClassVar[dict[str, str]] = {"factor": "scale"}

    def __post_init__(self) -> None:
        within(self.scale, 1, 64, "scale")
        one_of(self.kernel, [*SUPPORT], "kernel")

    @property
    def shrink(self) -> float:
        return self.scale

    def __call__(self, image: Pixels, random: Random, /) -> Pixels:
        values = image.astype(np.float64)
        for axis in (0, 1):
            size = values.shape[axis]
            # 1e-9: a side of 9 by the scale 3 must not become 4 because a third has no finite binary form.
            target = max(1, math.ceil(size / self.scale - 1e-9))
            rows = matrix(size, target, scale=1 / self.scale, kernel=self.kernel, antialias=self.antialias)
            values = np.moveaxis(np.tensordot(rows, values, (1, axis)), 0, axis)
        return rounded(values)


@dataclass(frozen=True)
class Pixelate(Degradation):
    """Shrink to 0.95 - strength^0.6 of the sides by nearest neighbour, and back the same way."""

    strength: float = 0.1
    info: ClassVar[GeneratorInfo] = card("pixelate", "Pixelated")

    def __post_init__(self) -> None:
        within(self.strength, 0, 0.85, "strength")

    def __call__(self, image: Pixels, random: Random, /) -> Pixels:
        height, width = image.shape[:2]
        share = 0.95 - self.strength**0.6
        small = resized(image, max(1, int(width * share)), max(1, int(height * share)), "nearest")
        return resized(small, width, height, "nearest")
