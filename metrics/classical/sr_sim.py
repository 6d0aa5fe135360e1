"""Spectral residual based similarity.

Similarity of spectral-residual saliency times (similarity of Scharr gradient magnitude)^.5, averaged with
the larger saliency as weight. Range about [0, 1], higher is better, 1 for identical images.

Zhang, Li: SR-SIM: a fast and high performance IQA index based on spectral residual. IEEE International
Conference on Image Processing, 2012, pages 1473-1476. doi:10.1109/ICIP.2012.6467149

Protocol: luma of YIQ on 0-255, not rounded; averaged over squares of max(1, round(shortest side / 256))
pixels first; saliency at a quarter of that size, scaled by its own extremes. piq takes these extremes over
a whole batch; here every image is scored alone. Equal to piq to 1e-5, but for shortest sides of 640, 1152, 1664 ...
pixels, where piq takes other squares (planes.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from ...bench.protocols import MetricInfo
from ..inputs import pair
from ..memory import recall
from .apply import each
from .gradients import SCHARR, alike, magnitude
from .planes import averaged, square, yiq
from .saliency import spectral_residual

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class SRSIM:
    """Spectral residual based similarity."""

    info: ClassVar[MetricInfo] = MetricInfo(
        "sr-sim",
        "SR-SIM",
        needs="pair",
        better="higher",
        bounds=(-0.01, 1.01),
        least=40,
        color="luma YIQ",
        version=2,
        cite="Zhang and Li 2012, doi:10.1109/ICIP.2012.6467149",
        note="Scored image by image, because the saliency is scaled by its extremes.",
    )

    def __call__(self, images: Tensor, references: Tensor | None = None, /) -> Tensor:
        images, references = pair("sr-sim", images, references, least=40)
        return each(index, images, references)


class Maps(NamedTuple):
    """Saliency in [0,1] and Scharr gradient, (1,1,h,w) each."""

    saliency: Tensor
    gradient: Tensor


def maps(image: Tensor) -> Maps:
    """What SR-SIM compares, from (1,3,H,W) in [0,1]."""
    luma = averaged(yiq(image)[:, :1], square(image), "zeros")
    return Maps(spectral_residual(luma), magnitude(luma, SCHARR))


def index(image: Tensor, reference: Tensor) -> Tensor:
    """SR-SIM of one pair (1,3,H,W) in [0,1]: a scalar."""
    import torch

    x, y = (recall(one, "sr-sim", maps) for one in (image, reference))
    weight = torch.maximum(x.saliency, y.saliency)
    score = alike(x.saliency, y.saliency, 0.4) * alike(x.gradient, y.gradient, 225).sqrt() * weight
    return score.sum() / (weight.sum() + torch.finfo(score.dtype).eps)
