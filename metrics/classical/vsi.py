"""Visual saliency induced index.

Similarity of saliency (SDSP) times (similarity of Scharr gradient)^.4 times (similarity of two chroma
channels)^.02, averaged with the larger saliency as weight. Range [0, 1], higher is better, 1 for identical
images.

Zhang, Shen, Li: VSI: a visual saliency-induced index for perceptual image quality assessment. IEEE
Transactions on Image Processing 23(10), 2014. doi:10.1109/TIP.2014.2346028

Protocol: RGB on 0-255 turned to LMN; saliency at 256x256 in CIELAB; averaged over squares of max(1,
round(shortest side / 256)) pixels. Undefined (NaN) on some artificial images without colour variation.
Equal to piq to 1e-5, but for shortest sides of 640, 1152, 1664 ... pixels, where piq takes other squares (planes.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, pi
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from ...bench.protocols import MetricInfo
from ..inputs import pair
from ..memory import recall
from .apply import each
from .gradients import SCHARR, alike, magnitude
from .planes import averaged, mix, square
from .saliency import frequency_colour_place

if TYPE_CHECKING:
    from torch import Tensor

LMN = ((0.06, 0.63, 0.27), (0.30, 0.04, -0.35), (0.34, -0.60, 0.17))


@dataclass(frozen=True)
class VSI:
    """Visual saliency induced index."""

    info: ClassVar[MetricInfo] = MetricInfo(
        "vsi",
        "VSI",
        needs="pair",
        better="higher",
        bounds=(-0.0001, 1.0001),
        version=2,
        least=2,
        color="lmn",
        cite="Zhang et al. 2014, doi:10.1109/TIP.2014.2346028",
        note="Hardly leaves the interval .9 to 1 on natural images.",
    )

    def __call__(self, images: Tensor, references: Tensor | None = None, /) -> Tensor:
        images, references = pair("vsi", images, references, least=2)
        return each(index, images, references)


class Maps(NamedTuple):
    """Saliency in [0,1], Scharr gradient of L, and the chroma planes M and N."""

    saliency: Tensor
    gradient: Tensor
    chroma: Tensor


def maps(image: Tensor) -> Maps:
    """What VSI compares, from (1,3,H,W) in [0,1]."""
    side = square(image)
    saliency = averaged(frequency_colour_place(image), side, "replicate")
    planes = averaged(mix(image * 255, LMN), side, "replicate")
    return Maps(saliency, magnitude(planes[:, :1], SCHARR), planes[:, 1:])


def index(image: Tensor, reference: Tensor) -> Tensor:
    """VSI of one pair (1,3,H,W) in [0,1]: a scalar."""
    import torch

    x, y = (recall(one, "vsi", maps) for one in (image, reference))
    weight = torch.maximum(x.saliency, y.saliency)
    chroma = alike(x.chroma, y.chroma, 130).prod(1, keepdim=True)
    # A negative product of similarities has a complex power; its real part is taken, as published.
    chroma = chroma.abs() ** 0.02 * torch.where(chroma < 0, cos(0.02 * pi), 1.0)
    score = alike(x.saliency, y.saliency, 1.27) * alike(x.gradient, y.gradient, 386) ** 0.4 * chroma
    tiny = torch.finfo(score.dtype).eps
    return ((score * weight).sum() + tiny) / (weight.sum() + tiny)
