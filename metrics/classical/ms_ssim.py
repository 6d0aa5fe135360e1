"""Multi-scale structural similarity on RGB.

The contrast-structure term of SSIM at five scales (each half the one before) and the luminance term at the
coarsest, raised to the weights .0448, .2856, .3001, .2363, .1333 and multiplied; negative means are set to
0. Range [0, 1], higher is better, 1 for identical images.

Wang, Simoncelli, Bovik: Multi-scale structural similarity for image quality assessment. Asilomar Conference
on Signals, Systems and Computers, 2003. doi:10.1109/ACSSC.2003.1292216

Protocol: mean of the three colour channels in [0,1] (the paper compares gray images), Gaussian window 11
with sigma 1.5, halving by 2x2 averages. Five scales with a window of 11 need a shortest side of 161.
Equal to piq to 1e-5.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ...bench.protocols import MetricInfo
from ..inputs import pair
from ..memory import recall
from .apply import each
from .structure import means

if TYPE_CHECKING:
    from torch import Tensor

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)


@dataclass(frozen=True)
class MSSSIM:
    """Multi-scale structural similarity, mean over RGB."""

    info: ClassVar[MetricInfo] = MetricInfo(
        "ms-ssim",
        "MS-SSIM",
        needs="pair",
        better="higher",
        bounds=(-0.0001, 1.0001),
        version=2,
        least=161,
        color="rgb",
        cite="Wang et al. 2003, doi:10.1109/ACSSC.2003.1292216",
        note="Per RGB channel, averaged; images below 161 pixels are not scored.",
    )

    def __call__(self, images: Tensor, references: Tensor | None = None, /) -> Tensor:
        images, references = pair("ms-ssim", images, references, least=161)
        return each(index, images, references)


def index(image: Tensor, reference: Tensor) -> Tensor:
    """MS-SSIM of one pair (1,3,H,W) in [0,1]: a scalar."""
    import torch

    terms = []
    for scale, weight in enumerate(WEIGHTS):
        if scale:
            image, reference = (recall(x, "halved", halve) for x in (image, reference))
        both = means(image, reference)
        term = both.whole if scale == len(WEIGHTS) - 1 else both.contrast
        terms.append(term.clamp_min(0) ** weight)
    return torch.stack(terms).prod(0).mean()


def halve(planes: Tensor) -> Tensor:
    """Mean over 2x2 squares; if a side is odd, the first row and column are repeated."""
    import torch.nn.functional as F

    odd = max(side % 2 for side in planes.shape[-2:])
    return F.avg_pool2d(F.pad(planes, (odd, 0, odd, 0), mode="replicate") if odd else planes, 2)
