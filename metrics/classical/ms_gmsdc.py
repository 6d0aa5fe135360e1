"""Multi-scale gradient magnitude similarity deviation with colour.

MS-GMSD mixed with .01 times the root mean square error of I and Q (YIQ on 0-255); the smaller the
structural loss, the more the colour error counts. Range [0, inf), lower is better, 0 for identical images.

Zhang, Sander, Bermak: Gradient magnitude similarity deviation on multiple scales for color image quality
assessment. IEEE International Conference on Acoustics, Speech and Signal Processing, 2017.
doi:10.1109/ICASSP.2017.7952357

Protocol: YIQ on 0-255, not rounded; masking .5, T = 170, colour constants .01, .32, 15. Shortest side 17.
Computed by piq.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, ClassVar

from ...bench.protocols import MetricInfo
from ..inputs import pair
from .apply import apply

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class MSGMSDc:
    """Multi-scale GMSD with chroma."""

    info: ClassVar[MetricInfo] = MetricInfo(
        "ms-gmsdc",
        "MS-GMSDc",
        needs="pair",
        better="lower",
        bounds=(0.0, inf),
        least=17,
        color="yiq",
        cite="Zhang et al. 2017, doi:10.1109/ICASSP.2017.7952357",
        note="MS-GMSD with the chromatic term.",
    )

    def __call__(self, images: Tensor, references: Tensor | None = None, /) -> Tensor:
        images, references = pair("ms-gmsdc", images, references, least=17)
        return apply("multi_scale_gmsd", images, references, data_range=1.0, chromatic=True)
