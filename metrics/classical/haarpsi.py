"""Haar wavelet-based perceptual similarity index.

Similarity of Haar coefficients on two fine scales (and of I and Q), passed through a logistic function and
averaged with the coefficients of a third scale as weight. Range [0, 1], higher is better, 1 for identical
images.

Reisenhofer, Bosse, Kutyniok, Wiegand: A Haar wavelet-based perceptual similarity index for image quality
assessment. Signal Processing: Image Communication 61, 2018. doi:10.1016/j.image.2017.11.001

Protocol: YIQ on 0-255, not rounded, halved by 2x2 averages first; C = 30, alpha = 4.2, three scales.
Undefined (NaN) for black images. Shortest side 16. Equal to piq to 1e-5.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from ...bench.protocols import MetricInfo
from ..inputs import pair
from ..memory import recall
from .apply import each
from .gradients import alike
from .planes import halved, yiq

if TYPE_CHECKING:
    from torch import Tensor

C, ALPHA = 30.0, 4.2


@dataclass(frozen=True)
class HaarPSI:
    """Haar wavelet-based perceptual similarity index."""

    info: ClassVar[MetricInfo] = MetricInfo(
        "haarpsi",
        "HaarPSI",
        needs="pair",
        better="higher",
        bounds=(-0.0001, 1.0001),
        least=16,
        color="yiq",
        cite="Reisenhofer et al. 2018, doi:10.1016/j.image.2017.11.001",
        note="With the chromatic term.",
    )

    def __call__(self, images: Tensor, references: Tensor | None = None, /) -> Tensor:
        images, references = pair("haarpsi", images, references, least=16)
        return each(index, images, references)


class Maps(NamedTuple):
    """Haar responses of the luma by orientation, and mean chroma, as magnitudes."""

    fine: Tensor
    """(2 orientations, 2 scales, h, w)."""
    coarse: Tensor
    """(2 orientations, h, w): the weights."""
    chroma: Tensor
    """(2, h, w)."""


def maps(image: Tensor) -> Maps:
    """What HaarPSI compares, from (1,3,H,W) in [0,1]."""
    import torch
    import torch.nn.functional as F

    planes = halved(yiq(image))
    luma, responses = planes[:, :1], []
    for scale in range(3):
        side = 2 ** (scale + 1)
        step = luma.new_full((side, side), 1 / side)
        step[side // 2 :] *= -1
        around = (side // 2 - 1, side // 2) * 2
        responses.append(F.conv2d(F.pad(luma, around), torch.stack([step, step.T])[:, None])[0].abs())
    chroma = F.avg_pool2d(F.pad(planes[:, 1:], (0, 1, 0, 1)), 2, stride=1)[0].abs()
    return Maps(torch.stack(responses[:2], dim=1), responses[2], chroma)


def index(image: Tensor, reference: Tensor) -> Tensor:
    """HaarPSI of one pair (1,3,H,W) in [0,1]: a scalar."""
    import torch

    x, y = (recall(one, "haarpsi", maps) for one in (image, reference))
    weights = torch.maximum(x.coarse, y.coarse)
    weights = torch.cat([weights, weights.mean(0, keepdim=True)])
    similar = torch.cat([alike(x.fine, y.fine, C).mean(1), alike(x.chroma, y.chroma, C).mean(0, keepdim=True)])
    tiny = torch.finfo(similar.dtype).eps
    score = (((similar * ALPHA).sigmoid() * weights).sum() + tiny) / (weights.sum() + tiny)
    return (score.logit() / ALPHA).square()
