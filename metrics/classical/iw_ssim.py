"""Information content weighted structural similarity.

SSIM on the bands of a five-level Laplacian pyramid; within a band each place counts by the information that
reference and image share there under a Gaussian scale mixture. Bands are combined with the weights of MS-
SSIM. Range [0, 1], higher is better, 1 for identical images. NaN where the reference is flat (the band's
covariance has no inverse).

Wang, Li: Information content weighting for perceptual image quality assessment. IEEE Transactions on Image
Processing 20(5), 2011. doi:10.1109/TIP.2010.2092435

Protocol: luma of YIQ on 0-255, not rounded; window 11, sigma 1.5, 3x3 blocks with parent band, noise
variance .4. The roles differ: exchanging image and reference changes the value. Shortest side 161. Computed
by piq.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ...bench.protocols import MetricInfo
from ..inputs import pair
from .apply import apply

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class IWSSIM:
    """Information content weighted SSIM."""

    info: ClassVar[MetricInfo] = MetricInfo(
        "iw-ssim",
        "IW-SSIM",
        needs="pair",
        better="higher",
        bounds=(-0.0001, 1.0001),
        least=161,
        color="luma YIQ",
        cite="Wang and Li 2011, doi:10.1109/TIP.2010.2092435",
        note="Undefined on flat references; images below 161 pixels are not scored.",
    )

    def __call__(self, images: Tensor, references: Tensor | None = None, /) -> Tensor:
        images, references = pair("iw-ssim", images, references, least=161)
        return apply("information_weighted_ssim", images, references, data_range=1.0)
