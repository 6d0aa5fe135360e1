"""Multi-scale gradient magnitude similarity deviation with colour.

MS-GMSD mixed with .01 times the root mean square error of I and Q (YIQ on 0-255); the smaller the
structural loss, the more the colour error counts. Range [0, inf), lower is better, 0 for identical images.

Zhang, Sander, Bermak: Gradient magnitude similarity deviation on multiple scales for color image quality
assessment. IEEE International Conference on Acoustics, Speech and Signal Processing, 2017.
doi:10.1109/ICASSP.2017.7952357

Protocol: YIQ on 0-255, not rounded; masking .5, T = 170, colour constants .01, .32, 15. Shortest side 17.
Equal to piq to 1e-5.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, ClassVar

from ...bench.protocols import MetricInfo
from ..inputs import pair
from ..memory import recall_pair
from .apply import each
from .ms_gmsd import WEIGHTS, multiscale
from .planes import halved, yiq

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
        return each(chromatic, images, references)


def chromatic(image: Tensor, reference: Tensor) -> Tensor:
    """MS-GMSDc of one pair (1,3,H,W) in [0,1]: a scalar."""
    luma = recall_pair(image, reference, "ms-gmsd", multiscale)
    a, b = (coarsest(yiq(x)[:, 1:]) for x in (image, reference))
    chroma = (a - b).square().mean((2, 3)).sum().sqrt()
    share = 2 / (1 + 0.32 * (-15 * luma).exp()) - 1
    return share * luma + (1 - share) * 0.01 * chroma


def coarsest(planes: Tensor) -> Tensor:
    """The last scale of MS-GMSD's pyramid, at which chroma is compared."""
    for _ in WEIGHTS[1:]:
        planes = halved(planes)
    return planes
