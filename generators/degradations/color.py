"""Changes of colour that leave most of the structure alone. CIELAB and HSV are scikit-image's (D65, sRGB)."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ...bench.protocols import GeneratorInfo
from ..base import Pixels
from .base import Degradation, Floats, Random, card, planes, rounded, within


def to_lab(image: Pixels) -> Floats:
    """(H, W, 3) CIELAB, L from 0 to 100."""
    from skimage.color import rgb2lab

    return rgb2lab(planes(image))


def from_lab(lab: Floats) -> Pixels:
    """Back to bytes; colours outside sRGB are clipped channel by channel."""
    from skimage.color import lab2rgb

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*negative Z values.*")  # clipped by lab2rgb itself
        return rounded(lab2rgb(lab) * 255.0)


@dataclass(frozen=True)
class ColorDiffusion(Degradation):
    """a and b of CIELAB blurred with sigma = 1.5 ``amount`` + 2 pixels and multiplied by ``amount``."""

    amount: float = 1.0
    info: ClassVar[GeneratorInfo] = card("color-diffusion", "Colour bleeds and saturates")

    def __post_init__(self) -> None:
        within(self.amount, 0, 30, "amount")

    def __call__(self, image: Pixels, random: Random, /) -> Pixels:
        from scipy.ndimage import gaussian_filter

        lab, sigma = to_lab(image), 1.5 * self.amount + 2
        lab[..., 1:] = self.amount * gaussian_filter(lab[..., 1:], (sigma, sigma, 0), mode="nearest", truncate=2.0)
        return from_lab(lab)


@dataclass(frozen=True)
class ColorShift(Degradation):
    """The green channel moved by ``amount`` pixels in a random direction, where there are edges.

    The moved channel is blended in by the gradient magnitude of the luma, smoothed with sigma = 4 pixels and
    stretched so that its 1st and 99th percentile become 0 and 1.
    """

    amount: float = 3.0
    info: ClassVar[GeneratorInfo] = card("color-shift", "Green channel displaced at edges")

    def __post_init__(self) -> None:
        within(self.amount, 0, 100, "amount")

    def __call__(self, image: Pixels, random: Random, /) -> Pixels:
        from scipy.ndimage import gaussian_filter, sobel
        from skimage.color import rgb2gray

        turn = random.uniform(0, 2 * math.pi)
        dy, dx = (round(self.amount * part) for part in (math.sin(turn), math.cos(turn)))
        height, width = image.shape[:2]
        rows, columns = np.arange(height) + dy, np.arange(width) + dx
        green = image[np.clip(rows, 0, height - 1)[:, None], np.clip(columns, 0, width - 1), 1].astype(np.float64)
        luma = rgb2gray(planes(image))
        edges = gaussian_filter(np.hypot(sobel(luma, 0), sobel(luma, 1)), 4.0, mode="nearest", truncate=2.0)
        low, high = np.percentile(edges, [1, 99])
        blend = np.clip((edges - low) / (high - low), 0, 1) if high > low else np.zeros_like(edges)
        values = image.astype(np.float64)
        values[..., 1] += blend * (green - values[..., 1])
        return rounded(values)


@dataclass(frozen=True)
class SaturateHSV(Degradation):
    """Saturation of HSV multiplied by ``factor``; below 0, towards the complementary colour."""

    factor: float = 0.4
    info: ClassVar[GeneratorInfo] = card("saturate-hsv", "Saturation changed (HSV)")

    def __post_init__(self) -> None:
        within(self.factor, -2, 10, "factor")

    def __call__(self, image: Pixels, random: Random, /) -> Pixels:
        # With saturation s every channel is V (1 - s w), w from the hue alone: it follows without a detour.
        values = image.astype(np.float64)
        top = values.max(axis=-1, keepdims=True)
        return rounded(top - self.factor * (top - values))


@dataclass(frozen=True)
class SaturateLab(Degradation):
    """a and b of CIELAB multiplied by ``factor``."""

    factor: float = 2.0
    info: ClassVar[GeneratorInfo] = card("saturate-lab", "Saturation changed (CIELAB)")

    def __post_init__(self) -> None:
        within(self.factor, 0, 30, "factor")

    def __call__(self, image: Pixels, random: Random, /) -> Pixels:
        lab = to_lab(image)
        lab[..., 1:] *= self.factor
        return from_lab(lab)
