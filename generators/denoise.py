"""Classical denoisers for white Gaussian noise of known strength. ``scale`` is 1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt

from ..bench.protocols import GeneratorInfo
from .base import Planes, on_array

if TYPE_CHECKING:
    from torch import Tensor

_SPLINE = np.array([1.0, 4.0, 6.0, 4.0, 1.0]) / 16.0


def _info(name: str, title: str, cite: str, note: str = "") -> GeneratorInfo:
    return GeneratorInfo(
        name, title, kind="restorer", family="classical", scale=1, license="Apache-2.0", cite=cite, note=note
    )


@dataclass(frozen=True)
class _Denoiser:
    """(3, h, w) in [0, 1] -> the same shape, clamped."""

    sigma: float = 25.0
    """Standard deviation of the noise, on the scale 0 to 255."""

    def __post_init__(self) -> None:
        if not 0 < self.sigma <= 255:
            raise ValueError(f"sigma is the strength of the noise on the scale 0 to 255, not {self.sigma}")

    def __call__(self, image: Tensor, /) -> Tensor:
        return on_array(image, self._denoise)

    def _denoise(self, planes: Planes) -> npt.NDArray[np.floating]:
        raise NotImplementedError


class NonLocalMeans(_Denoiser):
    """Averages pixels whose surroundings look alike (5x5 patches, search radius 6, h = 0.55 sigma)."""

    info: ClassVar[GeneratorInfo] = _info("nlm", "Non-local means", "Buades et al. 2005, doi 10.1109/CVPR.2005.38")

    def _denoise(self, planes: Planes) -> npt.NDArray[np.floating]:
        from skimage.restoration import denoise_nl_means

        sigma = self.sigma / 255.0
        return denoise_nl_means(
            planes, patch_size=5, patch_distance=6, h=0.55 * sigma, sigma=sigma, fast_mode=True, channel_axis=-1
        )


class TotalVariation(_Denoiser):
    """Least total variation near the input, by Chambolle's dual projection; weight 0.65 sigma."""

    info: ClassVar[GeneratorInfo] = _info(
        "tv-chambolle", "Total variation", "Chambolle 2004, doi 10.1023/B:JMIV.0000011325.36760.1e"
    )

    def _denoise(self, planes: Planes) -> npt.NDArray[np.floating]:
        from skimage.restoration import denoise_tv_chambolle

        return denoise_tv_chambolle(planes, weight=0.65 * self.sigma / 255.0, channel_axis=-1)


@dataclass(frozen=True)
class Wavelet(_Denoiser):
    """Soft thresholds in the undecimated B3-spline wavelet transform, chosen per scale as by BayesShrink.

    A plane is split into details w_j = c_j - c_(j+1), each c_(j+1) being c_j smoothed with the 1-4-6-4-1 kernel
    spread by 2^j. White noise of unit strength has a known strength in every w_j (the norm of the
    transform of a single pixel). The threshold is (noise variance) / (standard deviation of the signal in w_j).
    """

    levels: int = 4
    info: ClassVar[GeneratorInfo] = _info(
        "wavelet",
        "Undecimated wavelet, BayesShrink",
        "Starck et al. 2007, doi 10.1109/TIP.2006.887733; Chang et al. 2000, doi 10.1109/83.862633",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if type(self.levels) is not int or not 1 <= self.levels <= 8:
            raise ValueError(f"levels must be a whole number from 1 to 8, not {self.levels!r}")

    def _denoise(self, planes: Planes) -> npt.NDArray[np.floating]:
        strengths = _unit_noise(self.levels)
        done = [self._plane(planes[..., c].astype(np.float64), strengths) for c in range(planes.shape[-1])]
        return np.stack(done, axis=-1)

    def _plane(self, plane: npt.NDArray[np.float64], strengths: list[float]) -> npt.NDArray[np.float64]:
        *details, rest = starlet(plane, self.levels)
        for detail, strength in zip(details, strengths):
            noise = (strength * self.sigma / 255.0) ** 2
            signal = np.sqrt(max(float(np.mean(detail**2)) - noise, 0.0))
            threshold = noise / signal if signal > 0 else np.inf
            rest = rest + np.sign(detail) * np.maximum(np.abs(detail) - threshold, 0.0)
        return rest


def starlet(plane: npt.NDArray[np.float64], levels: int) -> list[npt.NDArray[np.float64]]:
    """Details of each scale, finest first, then the smooth rest; their sum is the plane."""
    from scipy.ndimage import convolve1d

    parts = []
    for level in range(levels):
        kernel = np.zeros(4 * 2**level + 1)
        kernel[:: 2**level] = _SPLINE
        smooth = convolve1d(convolve1d(plane, kernel, axis=0, mode="mirror"), kernel, axis=1, mode="mirror")
        parts.append(plane - smooth)
        plane = smooth
    return [*parts, plane]


def _unit_noise(levels: int) -> list[float]:
    side = 2 ** (levels + 3) + 1
    pixel = np.zeros((side, side))
    pixel[side // 2, side // 2] = 1.0
    return [float(np.linalg.norm(part)) for part in starlet(pixel, levels)[:-1]]


class Bilateral(_Denoiser):
    """Averages neighbours that are near and of similar colour.

    Weights exp(-d^2 / (2 s^2)) exp(-c^2 / (2 r^2)) with d the distance in pixels (up to 4 along each axis), s = 1.5,
    c the Euclidean distance of the colours and r = 4 sigma; borders are mirrored.
    """

    info: ClassVar[GeneratorInfo] = _info(
        "bilateral", "Bilateral filter", "Tomasi and Manduchi 1998, doi 10.1109/ICCV.1998.710815"
    )

    def _denoise(self, planes: Planes) -> npt.NDArray[np.floating]:
        reach, spread, tolerance = 4, 1.5, 4.0 * self.sigma / 255.0
        height, width = planes.shape[:2]
        padded = np.pad(planes, ((reach, reach), (reach, reach), (0, 0)), mode="symmetric")
        total, weights = np.zeros_like(planes), np.zeros((height, width, 1), np.float32)
        for y in range(2 * reach + 1):
            for x in range(2 * reach + 1):
                shifted = padded[y : y + height, x : x + width]
                near = ((y - reach) ** 2 + (x - reach) ** 2) / (2 * spread**2)
                alike = ((shifted - planes) ** 2).sum(-1, keepdims=True) / (2 * tolerance**2)
                weight = np.exp(-near - alike)
                total += weight * shifted
                weights += weight
        return total / weights
