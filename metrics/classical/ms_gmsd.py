"""Multi-scale gradient magnitude similarity deviation, luma only.

Root of the weighted mean square of GMSD, with masking, at four scales (weights .096, .596, .289, .019).
Range [0, .5], lower is better, 0 for identical images.

Zhang, Sander, Bermak: Gradient magnitude similarity deviation on multiple scales for color image quality
assessment. IEEE International Conference on Acoustics, Speech and Signal Processing, 2017.
doi:10.1109/ICASSP.2017.7952357

Protocol: luma of YIQ on 0-255, not rounded; masking .5, T = 170. Shortest side 17. Equal to
piq to 1e-5.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ...bench.protocols import MetricInfo
from ..inputs import pair
from ..memory import recall, recall_pair
from .apply import each
from .gmsd import deviation
from .gradients import PREWITT, magnitude
from .planes import halved, yiq

if TYPE_CHECKING:
    from torch import Tensor

WEIGHTS = (0.096, 0.596, 0.289, 0.019)
MASKING = 0.5


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
        return each(lambda x, y: recall_pair(x, y, "ms-gmsd", multiscale), images, references)


def multiscale(image: Tensor, reference: Tensor) -> Tensor:
    """MS-GMSD of one pair (1,3,H,W) in [0,1]: a scalar."""
    import torch

    levels = zip(*(recall(x, "gradient-pyramid", gradients) for x in (image, reference)))
    squares = torch.stack([deviation(a, b, MASKING).square() for a, b in levels])
    return (squares * squares.new_tensor(WEIGHTS)).sum().sqrt()


def gradients(image: Tensor) -> list[Tensor]:
    """Prewitt gradients of the luma of (1,3,H,W) at four scales, each half the one before."""
    luma, made = yiq(image)[:, :1], []
    for _ in WEIGHTS:
        made.append(magnitude(luma, PREWITT))
        luma = halved(luma)
    return made
