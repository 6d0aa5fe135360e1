"""Blur: by a lens out of focus, by motion, and by Gaussian kernels, round or not. Borders are mirrored."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ...bench.protocols import GeneratorInfo
from ..base import Pixels
from .base import Degradation, Floats, Random, card, filtered, rounded, within


@dataclass(frozen=True)
class Blur(Degradation):
    """Gaussian blur of each channel; ``sigma`` in pixels, kernel cut at 4 sigma."""

    sigma: float = 1.0
    info: ClassVar[GeneratorInfo] = card("blur", "Gaussian blur")

    def __post_init__(self) -> None:
        within(self.sigma, 0, 100, "sigma")

    def __call__(self, image: Pixels, random: Random, /) -> Pixels:
        from scipy.ndimage import gaussian_filter

        if self.sigma == 0:
            return image.copy()
        spread = (self.sigma, self.sigma, 0)
        return rounded(gaussian_filter(image.astype(np.float64), spread, mode="mirror", truncate=4.0))


@dataclass(frozen=True)
class AnisotropicBlur(Degradation):
    """Gaussian blur with one width along an axis and another across it; cut at 4 of the larger."""

    along: float = 3.0
    """Standard deviation along the axis, in pixels."""
    across: float = 1.0
    angle: float = 30.0
    """Of the axis, in degrees, counter-clockwise from the horizontal."""
    info: ClassVar[GeneratorInfo] = card(
        "anisotropic-blur", "Anisotropic Gaussian blur", "Before shrinking: a kernel other than the one assumed."
    )

    def __post_init__(self) -> None:
        within(self.along, 0.1, 50, "along")
        within(self.across, 0.1, 50, "across")
        within(self.angle, -360, 360, "angle")

    def __call__(self, image: Pixels, random: Random, /) -> Pixels:
        return filtered(image, self.kernel())

    def kernel(self) -> Floats:
        """Values at the pixel centres, sum 1."""
        reach = math.ceil(4 * max(self.along, self.across))
        y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(np.float64)
        turn = math.radians(self.angle)
        u = math.cos(turn) * x - math.sin(turn) * y  # rows grow downwards
        v = math.sin(turn) * x + math.cos(turn) * y
        values = np.exp(-(u**2) / (2 * self.along**2) - v**2 / (2 * self.across**2))
        return values / values.sum()


@dataclass(frozen=True)
class MotionBlur(Degradation):
    """Mean along a straight line of ``length`` pixels."""

    length: float = 9.0
    angle: float | None = None
    """In degrees, counter-clockwise from the horizontal; None draws one from 0 to 180."""
    info: ClassVar[GeneratorInfo] = card("motion-blur", "Motion blur")

    def __post_init__(self) -> None:
        within(self.length, 1, 200, "length")
        if self.angle is not None:
            within(self.angle, -360, 360, "angle")

    def __call__(self, image: Pixels, random: Random, /) -> Pixels:
        return filtered(image, self.kernel(random.uniform(0, 180) if self.angle is None else self.angle))

    def kernel(self, angle: float) -> Floats:
        """The line as many points, each shared between the four pixels around it; sum 1."""
        half = (self.length - 1) / 2
        reach = math.ceil(half) + 1
        place = np.linspace(-half, half, 64 * math.ceil(self.length) + 1)
        y, x = reach - place * math.sin(math.radians(angle)), reach + place * math.cos(math.radians(angle))
        top, left = np.floor(y).astype(int), np.floor(x).astype(int)
        down, right = y - top, x - left
        values = np.zeros((2 * reach + 2, 2 * reach + 2))
        np.add.at(values, (top, left), (1 - down) * (1 - right))
        np.add.at(values, (top, left + 1), (1 - down) * right)
        np.add.at(values, (top + 1, left), down * (1 - right))
        np.add.at(values, (top + 1, left + 1), down * right)
        return (values / values.sum())[:-1, :-1]


@dataclass(frozen=True)
class Defocus(Degradation):
    """Mean over a disk: a pixel's weight is the part of it that lies within ``radius`` of the centre."""

    radius: float = 3.0
    info: ClassVar[GeneratorInfo] = card("defocus", "Out of focus")

    def __post_init__(self) -> None:
        within(self.radius, 0.1, 100, "radius")

    def __call__(self, image: Pixels, random: Random, /) -> Pixels:
        return filtered(image, self.kernel())

    def kernel(self) -> Floats:
        """Sum 1; areas from 16 x 16 points a pixel."""
        reach, fine = math.ceil(self.radius), 16
        points = (np.arange((2 * reach + 1) * fine) + 0.5) / fine - reach - 0.5
        inside = (points[:, None] ** 2 + points[None, :] ** 2 <= self.radius**2).astype(np.float64)
        values = inside.reshape(2 * reach + 1, fine, 2 * reach + 1, fine).mean(axis=(1, 3))
        return values / values.sum()
