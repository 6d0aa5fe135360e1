"""Shift-tolerant learned perceptual similarity, VGG16 trunk.

LPIPS with a trunk that answers little to shifts of a pixel (stride 1 and blurred subsampling), trunk and
linear layers trained on human judgements. Range [0, inf), lower is better, 0 for identical images.

Ghildyal, Liu: Shift-tolerant perceptual similarity metric. European Conference on Computer Vision, 2022.
arXiv:2207.13686

Protocol: RGB in [0,1] brought to [-1,1]; native size, no resizing and no crop; float32. One file holds the
whole network, which is written here from its description. **It is not LPIPS**: the values differ. Shortest
side 18.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, ClassVar

from ...bench.protocols import MetricInfo
from .shift_tolerant import distance

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class STLPIPSVGG:
    """ST-LPIPS, VGG16 trunk."""

    info: ClassVar[MetricInfo] = MetricInfo(
        "st-lpips-vgg",
        "ST-LPIPS (VGG16)",
        needs="pair",
        better="lower",
        bounds=(0.0, inf),
        least=18,
        weights=("stlpips/vgg",),
        trained_on=("BAPPS",),
        cite="Ghildyal and Liu 2022, arXiv:2207.13686",
        license="BSD-2-Clause by its package; source files beside the weights are CC BY-NC-SA 4.0",
        note="Not LPIPS: another trunk and other values. Slow on large images.",
    )

    def __call__(self, images: Tensor, references: Tensor | None = None, /) -> Tensor:
        return distance("st-lpips-vgg", "vgg", images, references, self.info.least)
