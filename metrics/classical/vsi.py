"""Visual saliency induced index.

Similarity of saliency (SDSP) times (similarity of Scharr gradient)^.4 times (similarity of two chroma
channels)^.02, averaged with the larger saliency as weight. Range [0, 1], higher is better, 1 for identical
images.

Zhang, Shen, Li: VSI: a visual saliency-induced index for perceptual image quality assessment. IEEE
Transactions on Image Processing 23(10), 2014. doi:10.1109/TIP.2014.2346028

Protocol: RGB on 0-255 turned to LMN; saliency at 256x256 in CIELAB; averaged over squares of max(1,
round(shortest side / 256)) pixels. Undefined (NaN) on some artificial images without colour variation.
Computed by piq.
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
class VSI:
    """Visual saliency induced index."""

    info: ClassVar[MetricInfo] = MetricInfo(
        "vsi",
        "VSI",
        needs="pair",
        better="higher",
        bounds=(-0.0001, 1.0001),
        least=2,
        color="lmn",
        cite="Zhang et al. 2014, doi:10.1109/TIP.2014.2346028",
        note="Hardly leaves the interval .9 to 1 on natural images.",
    )

    def __call__(self, images: Tensor, references: Tensor | None = None, /) -> Tensor:
        images, references = pair("vsi", images, references, least=2)
        return apply("vsi", images, references, data_range=1.0)
