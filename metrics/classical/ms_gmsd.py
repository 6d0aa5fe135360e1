"""Multi-scale gradient magnitude similarity deviation, luma only.

Root of the weighted mean square of GMSD, with masking, at four scales (weights .096, .596, .289, .019).
Range [0, .5], lower is better, 0 for identical images.

Zhang, Sander, Bermak: Gradient magnitude similarity deviation on multiple scales for color image quality
assessment. IEEE International Conference on Acoustics, Speech and Signal Processing, 2017.
doi:10.1109/ICASSP.2017.7952357

Protocol: luma of YIQ on 0-255, not rounded; masking .5, T = 170. Shortest side 17. Computed by piq.
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
class MSGMSD:
    """Multi-scale GMSD on luma."""

    info: ClassVar[MetricInfo] = MetricInfo(
        "ms-gmsd",
        "MS-GMSD",
        needs="pair",
        better="lower",
        bounds=(0.0, 0.5001),
        least=17,
        color="luma YIQ",
        cite="Zhang et al. 2017, doi:10.1109/ICASSP.2017.7952357",
        note="Luma only; ms-gmsdc is the colour form.",
    )

    def __call__(self, images: Tensor, references: Tensor | None = None, /) -> Tensor:
        images, references = pair("ms-gmsd", images, references, least=17)
        return apply("multi_scale_gmsd", images, references, data_range=1.0, chromatic=False)
