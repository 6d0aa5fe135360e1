"""Structural similarity in the complex wavelet domain.

Complex coefficients x and y of both images in 7x7 windows of one level of a steerable pyramid (steerable.py):
CW-SSIM = (2 |sum x conj(y)| + K) / (sum |x|^2 + sum |y|^2 + K), averaged over positions under a wide Gaussian and over
orientations. A small shift or rotation turns the phases of a window alike and changes little. Range [0, 1], higher is
better, 1 for identical images.

Sampat, Wang, Gupta, Bovik, Markey: Complex wavelet structural similarity: a new image similarity index.
IEEE Transactions on Image Processing 18(11), 2009. doi:10.1109/TIP.2009.2025923

Protocol: gray as MATLAB's rgb2gray (rounded, 0-255); level 4 (an eighth of the size), 8 orientations, K = 0, windows
wholly inside, weights a Gaussian centred on the map with the standard deviation of a quarter of the height at that
level: these settings give the official values. The pyramid is periodic at the borders. Level l needs a shortest side
of 2^(l+2), the limit of the authors' program.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ...bench.protocols import MetricInfo
from ..inputs import pair
from .matlab import gray as rgb2gray
from .prepared import compare
from .steerable import bands

if TYPE_CHECKING:
    from torch import Tensor

WINDOW = 7


@dataclass(frozen=True)
class CWSSIM:
    """Complex wavelet SSIM."""

    level: int = 4
    """Level of the pyramid that is compared, 1 the finest."""
    orientations: int = 8
    """Number of orientations."""
    k: float = 0.0
    """Constant added above and below the line, on the scale of squared coefficients of 0-255."""

    info: ClassVar[MetricInfo] = MetricInfo(
        "cw-ssim",
        "CW-SSIM",
        needs="pair",
        better="higher",
        bounds=(0.0, 1.0001),
        least=64,
        dtype="float64",
        color="gray (rgb2gray, rounded)",
        cite="Sampat et al. 2009, doi:10.1109/TIP.2009.2025923",
        note="Looks at details of about 8 to 32 pixels only; forgives small shifts.",
    )

    def __post_init__(self) -> None:
        if self.level < 1:
            raise ValueError(f"cw-ssim: level={self.level}; give 1 (the finest) or more")
        if self.orientations < 1:
            raise ValueError(f"cw-ssim: orientations={self.orientations}; give at least 1")
        if not self.k >= 0:
            raise ValueError(f"cw-ssim: k={self.k}; give 0 or a positive number")

    @property
    def least(self) -> int:
        return 2 ** (self.level + 2)

    def __call__(self, images: Tensor, references: Tensor | None = None, /) -> Tensor:
        images, references = pair("cw-ssim", images, references, least=self.least)
        spread = images.shape[2] / 2 ** (self.level - 1) / 4

        def prepare(one: Tensor) -> tuple[Tensor, Tensor]:
            values = bands(rgb2gray(one.double())[0, 0], self.level, self.orientations)
            return values, _means(values.real.square() + values.imag.square())

        def score(one: Tensor, y: tuple[Tensor, Tensor]) -> Tensor:
            x = prepare(one)
            product = x[0] * y[0].conj()
            shared = _means(product.real).hypot(_means(product.imag))
            ratio = (2 * shared + self.k) / (x[1] + y[1] + self.k)
            down, across = (_gaussian(side, spread, ratio) for side in ratio.shape[1:])
            return (ratio * down[:, None] * across).sum() / (ratio.shape[0] * down.sum() * across.sum())

        name = f"cw-ssim-{self.level}-{self.orientations}"
        return compare(images, references, name, prepare, score)


def _means(planes: Tensor) -> Tensor:
    """(K,H,W) -> means over windows, (K,H-6,W-6)."""
    from torch.nn import functional

    return functional.avg_pool2d(planes[None], WINDOW, 1)[0]


def _gaussian(side: int, spread: float, like: Tensor) -> Tensor:
    import torch

    offsets = torch.arange(side, dtype=like.dtype, device=like.device) - (side - 1) / 2
    return (-offsets.square() / (2 * spread**2)).exp()
