"""Structural similarity on BT.601 luma, as papers on super-resolution report it.

The formula is that of ``ssim``, on Y = 65.481 R + 128.553 G + 24.966 B + 16 with a data range of 255.
Range [-1, 1], higher is better, 1 for identical images.

Wang, Bovik, Sheikh, Simoncelli: Image quality assessment: from error visibility to structural similarity.
IEEE Transactions on Image Processing 13(4), 2004. doi:10.1109/TIP.2003.819861

Protocol: studio range 16-235, not rounded; no downsampling unless asked for; such papers also cut ``crop``
pixels from each side, as many as the scale factor: ``ssim-y(crop=4)`` for x4. Equal to
piq to 1e-5.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ...bench.protocols import MetricInfo
from ..inputs import crop, pair
from ..memory import recall
from .luma import studio
from .ssim import check_window, structure

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class SSIMLuma:
    """Structural similarity, BT.601 luma."""

    window: int = 11
    """Side of the Gaussian window in pixels; odd."""
    sigma: float = 1.5
    """Standard deviation of the window in pixels."""
    downsample: bool = False
    """Average large images down to a shortest side of about 256 first."""
    crop: int = 0
    """Pixels cut from each side before comparing."""

    info: ClassVar[MetricInfo] = MetricInfo(
        "ssim-y",
        "SSIM (luma)",
        needs="pair",
        better="higher",
        bounds=(-1.0001, 1.0001),
        version=2,
        least=11,
        color="luma BT.601 16-235",
        cite="Wang et al. 2004, doi:10.1109/TIP.2003.819861",
        note="The super-resolution convention: studio-range luma at full size.",
    )

    def __post_init__(self) -> None:
        check_window("ssim-y", self.window, self.sigma, self.downsample)

    @property
    def least(self) -> int:
        return self.window + 2 * self.crop

    def __call__(self, images: Tensor, references: Tensor | None = None, /) -> Tensor:
        images, references = pair("ssim-y", images, references, least=self.window, border=self.crop)

        def planes(image: Tensor) -> Tensor:
            return recall(image, f"studio-{self.crop}", lambda x: studio(crop("ssim-y", x, self.crop, self.window)))

        return structure(images, references, self.window, self.sigma, self.downsample, planes, peak=255.0)
