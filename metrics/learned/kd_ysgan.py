"""``kd-ysgan``: the shipped full-reference evaluator, distilled from eleven metrics.

Maps of a frozen EfficientNet-Lite0, of image and reference -> cascaded group attention -> difference -> encoder and
decoder of a transformer -> score (metrics/evaluator/ysgan_net.py). Its labels were no person's: the mean of eleven
metrics, half of it structure, three tenths learnt perception of differences, and a fifth ``ridge-efflite0``, which sees
the image alone and learnt what people say of photographs. Range: the real line, not clipped; about 0 (worst)
to 1 (best), as its labels were scaled. Higher is better.

Yan, Si: GAN image quality assessment method based on knowledge distillation. Printing and Digital Media Technology
Study, 2024 (1). Sizes, data and schedule are this project's: docs/evaluators.md.

Protocol: RGB in [0,1], native size, as many crops of 320 pixels as cover the image, mean of their scores; smaller
images are extended by reflection; float32.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, ClassVar

from ...bench.protocols import MetricInfo
from .distilled import judged

if TYPE_CHECKING:
    from torch import Tensor

SLOT = "evaluator/kd-ysgan"


@dataclass(frozen=True)
class KDYSGAN:
    """The shipped full-reference evaluator."""

    info: ClassVar[MetricInfo] = MetricInfo(
        "kd-ysgan",
        "Distilled evaluator, full reference",
        needs="pair",
        better="higher",
        bounds=(-inf, inf),
        weights=(SLOT,),
        # No data set and no person: a badge that says so, and keeps it from no ranking.
        trained_on=("pseudo-MOS",),
        cite="after Yan and Si 2024 (see docs/evaluators.md) and Cheon et al. 2021, arXiv:2104.14730",
        license="Apache-2.0; see docs/evaluators.md for the data it learnt from",
        note="Learnt the mean of eleven metrics (pseudo-MOS) on restorations and distortions, not people's scores.",
    )

    def __call__(self, images: Tensor, references: Tensor | None = None, /) -> Tensor:
        return judged("kd-ysgan", SLOT, images, references, compares=True)
