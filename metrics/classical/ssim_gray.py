"""Structural similarity on gray images, as its authors compute it.

The formula is that of ``ssim``, on Y = 0.2989 R + 0.5870 G + 0.1140 B of 0-255 values, rounded.
Range [-1, 1], higher is better, 1 for identical images.

Wang, Bovik, Sheikh, Simoncelli: Image quality assessment: from error visibility to structural similarity.
IEEE Transactions on Image Processing 13(4), 2004. doi:10.1109/TIP.2003.819861

Protocol: full-range gray rounded to integers, data range 255; no downsampling unless asked for. Published
values of SSIM on colour images of rating data sets are mostly these. Equal to
piq to 1e-5.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ...bench.protocols import MetricInfo
from ..inputs import crop, pair
from ..memory import recall
from .luma import gray
from .ssim import check_window, structure

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class SSIMGray:
    """Structural similarity, rounded gray."""

    window: int = 11
    """Side of the Gaussian window in pixels; odd."""
    sigma: float = 1.5
    """Standard deviation of the window in pixels."""
    downsample: bool = False
    """Average large images down to a shortest side of about 256 first."""
    crop: int = 0
    """Pixels cut from each side before comparing."""

    info: ClassVar[MetricInfo] = MetricInfo(
        "ssim-gray",
        "SSIM (gray)",
        needs="pair",
        better="higher",
        bounds=(-1.0001, 1.0001),
        version=2,
        least=11,
        color="gray 0-255, rounded",
        cite="Wang et al. 2004, doi:10.1109/TIP.2003.819861",
        note="The original program's convention: rounded gray at full size.",
    )

    def __post_init__(self) -> None:
        check_window("ssim-gray", self.window, self.sigma, self.downsample)

    @property
    def least(self) -> int:
        return self.window + 2 * self.crop

    def __call__(self, images: Tensor, references: Tensor | None = None, /) -> Tensor:
        images, references = pair("ssim-gray", images, references, least=self.window, border=self.crop)

        def planes(image: Tensor) -> Tensor:
            return recall(image, f"gray-{self.crop}", lambda x: gray(crop("ssim-gray", x, self.crop, self.window)))

        return structure(images, references, self.window, self.sigma, self.downsample, planes, peak=255.0)
