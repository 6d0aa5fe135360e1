"""Pixels and patches out of place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ...bench.protocols import GeneratorInfo
from ..base import Pixels
from .base import Degradation, Random, card, moved, rounded, whole, within


@dataclass(frozen=True)
class Jitter(Degradation):
    """Five times, every pixel is taken from a place nearby: Gaussian, ``amount`` pixels each way, bilinear."""

    amount: float = 0.2
    info: ClassVar[GeneratorInfo] = card("jitter", "Pixels jittered")

    def __post_init__(self) -> None:
        within(self.amount, 0, 20, "amount")

    def __call__(self, image: Pixels, random: Random, /) -> Pixels:
        values = image.astype(np.float64)
        for _ in range(5):
            dy, dx = self.amount * random.standard_normal((2, *image.shape[:2]))
            values = moved(values, dy, dx, order=1)
        return rounded(values)


@dataclass(frozen=True)
class PatchShift(Degradation):
    """``count`` patches of 16 x 16 pixels, each copied up to 8 pixels away from where it was."""

    count: int = 60
    info: ClassVar[GeneratorInfo] = card("patch-shift", "Patches displaced")

    def __post_init__(self) -> None:
        whole(self.count, 0, 100_000, "count")

    def __call__(self, image: Pixels, random: Random, /) -> Pixels:
        done = image.copy()
        height, width = (min(16, side) for side in image.shape[:2])
        places = random.random((self.count, 4))
        for y, x, dy, dx in places:
            top, left = round(y * (image.shape[0] - height)), round(x * (image.shape[1] - width))
            to_top = int(np.clip(top + round(16 * dy - 8), 0, image.shape[0] - height))
            to_left = int(np.clip(left + round(16 * dx - 8), 0, image.shape[1] - width))
            patch = done[top : top + height, left : left + width].copy()
            done[to_top : to_top + height, to_left : to_left + width] = patch
        return done


@dataclass(frozen=True)
class ColorBlocks(Degradation):
    """``count`` squares of 32 x 32 pixels painted over in one random colour each."""

    count: int = 4
    info: ClassVar[GeneratorInfo] = card("color-blocks", "Blocks painted over")

    def __post_init__(self) -> None:
        whole(self.count, 0, 100_000, "count")

    def __call__(self, image: Pixels, random: Random, /) -> Pixels:
        done = image.copy()
        for y, x, *color in random.random((self.count, 5)):
            top, left = int(y * max(image.shape[0] - 32, 0)), int(x * max(image.shape[1] - 32, 0))
            done[top : top + 32, left : left + 32] = np.rint(255 * np.array(color)).astype(np.uint8)
        return done
