"""Learned perceptual image patch similarity, SqueezeNet trunk.

Features of seven layers are scaled to unit length per place; their squared differences, weighted by linear
layers that were trained on human judgements, are averaged over the image and summed. Range [0, inf), lower
is better, 0 for identical images.

Zhang, Isola, Efros, Shechtman, Wang: The unreasonable effectiveness of deep features as a perceptual
metric. Conference on Computer Vision and Pattern Recognition, 2018. doi:10.1109/CVPR.2018.00068

Protocol: version 0.1; RGB in [0,1] brought to [-1,1]; native size, no resizing and no crop; float32.
Network and linear layers of the lpips package, trunk of torchvision (squeezenet1_1-b8a52dc0.pth). Shortest
side 17.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, ClassVar

from ...bench.protocols import MetricInfo
from .perceptual import lpips

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class LPIPSSqueeze:
    """LPIPS v0.1, SqueezeNet trunk."""

    info: ClassVar[MetricInfo] = MetricInfo(
        "lpips-squeeze",
        "LPIPS (SqueezeNet)",
        needs="pair",
        better="lower",
        bounds=(0.0, inf),
        least=17,
        weights=("trunk/squeezenet1_1-torchvision", "lpips/squeeze"),
        trained_on=("BAPPS",),
        cite="Zhang et al. 2018, doi:10.1109/CVPR.2018.00068",
        license="BSD-2-Clause (linear layers), BSD-3-Clause (torchvision trunk)",
        note="The smallest trunk; values of other trunks do not compare.",
    )

    def __call__(self, images: Tensor, references: Tensor | None = None, /) -> Tensor:
        return lpips("lpips-squeeze", "squeeze", images, references, self.info.least)
