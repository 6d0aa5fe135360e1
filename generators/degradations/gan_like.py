"""Imitations of what restoration networks do to an image, without a network. They keep its size.

They are no outputs of a GAN, and are not counted as such.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ...bench.protocols import GeneratorInfo
from ..base import Pixels
from .base import Degradation, Floats, Random, card, moved, one_of, planes, rounded, within
from .blur import AnisotropicBlur
from .noise import Noise
from .scale import KERNELS, DownUp


@dataclass(frozen=True)
class Resample(Degradation):
    """Detail lost: shrunk by ``factor`` and enlarged again."""

    factor: float = 4.0
    kernel: str = "bicubic"
    back: str = "lanczos"
    info: ClassVar[GeneratorInfo] = card("gan-resample", "GAN-like: detail lost")

    def __post_init__(self) -> None:
        within(self.factor, 1, 64, "factor")
        one_of(self.kernel, [*KERNELS], "kernel")
        one_of(self.back, [*KERNELS], "back")

    def __call__(self, image: Pixels, random: Random, /) -> Pixels:
        return DownUp(self.factor, self.kernel, self.back)(image, random)


@dataclass(frozen=True)
class Texture(Degradation):
    """Detail invented: shrunk and enlarged, then given texture of the right spectrum in the wrong place.

    The texture is the image's own high band (minus a Gaussian blur of 2 pixels) with the phases of white noise. It is
    added where the image is textured: where the local standard deviation over 9 x 9 pixels exceeds ``threshold``.
    """

    strength: float = 0.5
    threshold: float = 8.0
    """On the scale 0 to 255."""
    factor: float = 4.0
    info: ClassVar[GeneratorInfo] = card("gan-texture", "GAN-like: texture invented")

    def __post_init__(self) -> None:
        within(self.strength, 0, 4, "strength")
        within(self.threshold, 0, 255, "threshold")
        within(self.factor, 1, 64, "factor")

    def __call__(self, image: Pixels, random: Random, /) -> Pixels:
        from scipy.ndimage import gaussian_filter, uniform_filter

        values = image.astype(np.float64)
        high = values - gaussian_filter(values, (2.0, 2.0, 0), mode="mirror")
        noise = np.fft.rfft2(random.standard_normal(image.shape[:2]))
        phase = np.exp(1j * np.angle(noise))[..., None]
        texture = np.fft.irfft2(np.abs(np.fft.rfft2(high, axes=(0, 1))) * phase, s=image.shape[:2], axes=(0, 1))
        luma = values.mean(axis=2)
        spread = np.sqrt(np.maximum(uniform_filter(luma**2, 9) - uniform_filter(luma, 9) ** 2, 0.0))
        where = gaussian_filter((spread > self.threshold).astype(np.float64), 2.0)[..., None]
        base = DownUp(self.factor)(image, random).astype(np.float64)
        return rounded(np.round(base + self.strength * where * texture, 6))


@dataclass(frozen=True)
class Checkerboard(Degradation):
    """The chequered pattern of transposed convolutions: values times 1 + ``amount`` and 1 - ``amount`` in turn."""

    amount: float = 0.03
    period: int = 2
    """Pixels after which the pattern repeats: 2 or 4."""
    info: ClassVar[GeneratorInfo] = card(
        "gan-checkerboard", "GAN-like: chequered", cite="Odena et al. 2016, doi 10.23915/distill.00003"
    )

    def __post_init__(self) -> None:
        within(self.amount, 0, 1, "amount")
        one_of(str(self.period), ("2", "4"), "period")

    def __call__(self, image: Pixels, random: Random, /) -> Pixels:
        y, x = (np.arange(side) // (self.period // 2) for side in image.shape[:2])
        sign = 1.0 - 2.0 * ((y[:, None] + x[None, :]) % 2)
        return rounded(image * (1.0 + self.amount * sign[..., None]))


@dataclass(frozen=True)
class KernelMismatch(Degradation):
    """A network that assumed the wrong kernel: anisotropic blur, then shrunk and enlarged by 4.

    Widths and angle that are None are drawn: 0.5 to 4 pixels, 0 to 180 degrees.
    """

    along: float | None = None
    across: float | None = None
    angle: float | None = None
    factor: float = 4.0
    info: ClassVar[GeneratorInfo] = card("gan-kernel-mismatch", "GAN-like: wrong blur kernel")

    def __post_init__(self) -> None:
        self._blur(1.0, 1.0, 0.0)
        within(self.factor, 1, 64, "factor")

    def _blur(self, along: float, across: float, angle: float) -> AnisotropicBlur:
        return AnisotropicBlur(
            along if self.along is None else self.along,
            across if self.across is None else self.across,
            angle if self.angle is None else self.angle,
        )

    def __call__(self, image: Pixels, random: Random, /) -> Pixels:
        along, across = random.uniform(0.5, 4.0, 2)
        blurred = self._blur(along, across, random.uniform(0, 180))(image, random)
        return DownUp(self.factor)(blurred, random)


@dataclass(frozen=True)
class Oversmooth(Degradation):
    """Waxy surfaces: white noise of ``sigma`` (0 to 255), and a denoiser that knows its strength."""

    sigma: float = 25.0
    method: str = "nlm"
    """``nlm`` (non-local means) or ``bilateral``."""
    info: ClassVar[GeneratorInfo] = card("gan-oversmooth", "GAN-like: oversmoothed")

    def __post_init__(self) -> None:
        within(self.sigma, 1, 255, "sigma")
        one_of(self.method, ("nlm", "bilateral"), "method")

    def __call__(self, image: Pixels, random: Random, /) -> Pixels:
        from ..base import restore
        from ..denoise import Bilateral, NonLocalMeans

        if self.method == "nlm" and min(image.shape[:2]) < 2:
            raise ValueError(f"non-local means need sides of at least 2 pixels, not {image.shape[:2]}")
        denoiser: Any = NonLocalMeans if self.method == "nlm" else Bilateral
        return restore(denoiser(float(self.sigma)), Noise(self.sigma)(image, random))


@dataclass(frozen=True)
class Warp(Degradation):
    """Edges slightly out of place: a smooth random displacement of ``sigma`` pixels, harsh for PSNR and mild for eyes.

    White noise smoothed with a Gaussian of ``length`` pixels and scaled to the standard deviation ``sigma``; the image
    is sampled by cubic splines.
    """

    sigma: float = 0.5
    length: float = 8.0
    info: ClassVar[GeneratorInfo] = card("gan-warp", "GAN-like: locally warped")

    def __post_init__(self) -> None:
        within(self.sigma, 0, 20, "sigma")
        within(self.length, 1, 100, "length")

    def __call__(self, image: Pixels, random: Random, /) -> Pixels:
        from scipy.ndimage import gaussian_filter

        def field() -> Floats:
            smooth = gaussian_filter(random.standard_normal(image.shape[:2]), self.length, mode="wrap")
            spread = float(smooth.std())
            return self.sigma * smooth / spread if spread > 0 else np.zeros_like(smooth)

        return rounded(255.0 * moved(planes(image), field(), field(), order=3))
