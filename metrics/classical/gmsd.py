"""Gradient magnitude similarity deviation.

Standard deviation over the image of (2 gx gy + T) / (gx^2 + gy^2 + T), where g is the Prewitt gradient
magnitude and T = 170 on the 0-255 scale. Range [0, .5], lower is better, 0 for identical images.

Xue, Zhang, Mou, Bovik: Gradient magnitude similarity deviation: a highly efficient perceptual image quality
index. IEEE Transactions on Image Processing 23(2), 2014. doi:10.1109/TIP.2013.2293423

Protocol: luma of YIQ, not rounded, halved by 2x2 averages first (odd sides are padded with a zero row and
column). Equal to piq to 1e-5.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ...bench.protocols import MetricInfo
from ..inputs import pair
from ..memory import recall
from .apply import each
from .gradients import PREWITT, alike, magnitude
from .planes import halved, yiq

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class GMSD:
    """Gradient magnitude similarity deviation."""

    info: ClassVar[MetricInfo] = MetricInfo(
        "gmsd",
        "GMSD",
        needs="pair",
        better="lower",
        bounds=(0.0, 0.5001),
        least=4,
        color="luma YIQ",
        cite="Xue et al. 2014, doi:10.1109/TIP.2013.2293423",
        note="A deviation, not a mean: the same loss everywhere, e.g. one grey level shift, scores 0.",
    )

    def __call__(self, images: Tensor, references: Tensor | None = None, /) -> Tensor:
        images, references = pair("gmsd", images, references, least=4)
        return each(
            lambda x, y: deviation(recall(x, "gmsd", gradient), recall(y, "gmsd", gradient)), images, references
        )


def gradient(image: Tensor) -> Tensor:
    """Prewitt gradient of the halved luma of (1,3,H,W)."""
    return magnitude(halved(yiq(image)[:, :1]), PREWITT)


def deviation(gradient: Tensor, other: Tensor, masking: float = 0.0) -> Tensor:
    """Standard deviation of the similarity of two gradient maps on the 0-255 scale: a scalar."""
    return alike(gradient, other, 170, masking).std(correction=0)
