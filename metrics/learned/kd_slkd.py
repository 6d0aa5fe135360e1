"""``kd-slkd``: the shipped evaluator without a reference, taught by people and by ``kd-ysgan``, which sees references.

Means and deviations of four maps of EfficientNet-Lite0, at full and half size, go through two linear layers, eight
times over, and the eight answers are averaged. They learnt people's scores of photographs (BIQ2021), and by how much
``kd-ysgan`` finds one restoration of a picture better than another, on 6,441 restorations and distortions that nobody
scored. Range: the real line, not clipped; about 0 (worst) to 1 (best), as the scores it learnt were scaled. Higher is
better.

Sang et al.: Image quality assessment based on self-supervised learning and knowledge distillation. Journal of Visual
Communication and Image Representation 90, 2023. doi:10.1016/j.jvcir.2022.103708. Sizes, data and schedule are this
project's: docs/evaluators.md.

Protocol: RGB in [0,1], native size, whole up to 512 pixels a side; of larger images as many crops as cover them,
mean of their scores; float32. Sides below 64 pixels are extended by reflection.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, ClassVar

from ...bench.protocols import MetricInfo
from .distilled import judged

if TYPE_CHECKING:
    from torch import Tensor

SLOT = "evaluator/kd-slkd"


@dataclass(frozen=True)
class KDSLKD:
    """The shipped no-reference evaluator."""

    info: ClassVar[MetricInfo] = MetricInfo(
        "kd-slkd",
        "Distilled evaluator, no reference",
        needs="image",
        better="higher",
        bounds=(-inf, inf),
        weights=(SLOT,),
        trained_on=("BIQ2021",),
        cite="after Sang et al. 2023, doi:10.1016/j.jvcir.2022.103708; docs/evaluators.md",
        license="Apache-2.0; see docs/evaluators.md for the data it learnt from",
        note="Learnt from people's scores of photographs, and from kd-ysgan how restorations compare.",
    )

    def __call__(self, images: Tensor, references: Tensor | None = None, /) -> Tensor:
        return judged("kd-slkd", SLOT, images, references, compares=False)
