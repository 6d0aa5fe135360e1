"""Noise. Two strengths of one kind on one image share their pattern: the stronger one is the weaker made worse."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ...bench.protocols import GeneratorInfo
from ..base import Pixels
from .base import Degradation, Random, card, planes, rounded, within


@dataclass(frozen=True)
class Noise(Degradation):
    """White Gaussian noise, independent in each channel; ``sigma`` on the scale 0 to 255, clipped at its ends."""

    sigma: float = 10.0
    info: ClassVar[GeneratorInfo] = card("noise", "White Gaussian noise")

    def __post_init__(self) -> None:
        within(self.sigma, 0, 255, "sigma")

    def __call__(self, image: Pixels, random: Random, /) -> Pixels:
        return rounded(image + self.sigma * random.standard_normal(image.shape))


@dataclass(frozen=True)
class Poisson(Degradation):
    """Photon noise: each value becomes a Poisson count of mean value x ``peak``, divided by ``peak``."""

    peak: float = 100.0
    """Photons of a white pixel; fewer give more noise."""
    info: ClassVar[GeneratorInfo] = card("poisson", "Photon (Poisson) noise")

    def __post_init__(self) -> None:
        within(self.peak, 1, 1e6, "peak")

    def __call__(self, image: Pixels, random: Random, /) -> Pixels:
        return rounded(random.poisson(planes(image) * self.peak) / self.peak * 255.0)


@dataclass(frozen=True)
class Impulse(Degradation):
    """Salt and pepper: a share ``amount`` of all values becomes 0 or 255, each with probability one half."""

    amount: float = 0.01
    info: ClassVar[GeneratorInfo] = card("impulse", "Impulse noise")

    def __post_init__(self) -> None:
        within(self.amount, 0, 1, "amount")

    def __call__(self, image: Pixels, random: Random, /) -> Pixels:
        from skimage.util import random_noise

        return rounded(random_noise(planes(image), mode="s&p", amount=self.amount, rng=random) * 255.0)


@dataclass(frozen=True)
class CorrelatedNoise(Degradation):
    """White noise smoothed by a Gaussian of ``length`` pixels and scaled back to the standard deviation ``sigma``."""

    sigma: float = 10.0
    """On the scale 0 to 255."""
    length: float = 1.5
    info: ClassVar[GeneratorInfo] = card("correlated-noise", "Spatially correlated noise")

    def __post_init__(self) -> None:
        within(self.sigma, 0, 255, "sigma")
        within(self.length, 0.3, 50, "length")

    def __call__(self, image: Pixels, random: Random, /) -> Pixels:
        from scipy.ndimage import gaussian_filter, gaussian_filter1d

        reach = int(4 * self.length + 0.5)
        pulse = np.zeros(2 * reach + 1)
        pulse[reach] = 1.0
        loss = float(np.sum(gaussian_filter1d(pulse, self.length, mode="constant") ** 2))  # of variance, per axis
        white = random.standard_normal(image.shape)
        grain = gaussian_filter(white, (self.length, self.length, 0), mode="wrap") / loss
        return rounded(image + self.sigma * grain)


@dataclass(frozen=True)
class YCbCrNoise(Degradation):
    """White Gaussian noise of luma and of both colour differences, all on the scale of full range 0 to 255."""

    sigma: float = 5.0
    info: ClassVar[GeneratorInfo] = card("ycbcr-noise", "White noise in YCbCr")

    def __post_init__(self) -> None:
        within(self.sigma, 0, 255, "sigma")

    def __call__(self, image: Pixels, random: Random, /) -> Pixels:
        from skimage.color import rgb2ypbpr, ypbpr2rgb

        values = rgb2ypbpr(planes(image)) + self.sigma / 255.0 * random.standard_normal(image.shape)
        return rounded(ypbpr2rgb(values) * 255.0)


@dataclass(frozen=True)
class MultiplicativeNoise(Degradation):
    """Each value x becomes x (1 + n), n white Gaussian with standard deviation ``sigma``."""

    sigma: float = 0.1
    info: ClassVar[GeneratorInfo] = card("multiplicative-noise", "Multiplicative noise (speckle)")

    def __post_init__(self) -> None:
        within(self.sigma, 0, 2, "sigma")

    def __call__(self, image: Pixels, random: Random, /) -> Pixels:
        from skimage.util import random_noise

        return rounded(random_noise(planes(image), mode="speckle", var=self.sigma**2, rng=random) * 255.0)
