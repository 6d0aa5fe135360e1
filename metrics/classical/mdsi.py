"""Mean deviation similarity index.

Mean absolute deviation, to the power 1/4, of the fourth root of .6 gradient similarity + .4 chromaticity
similarity. Range [0, 1.25], lower is better, 0 for identical images.

Ziaei Nafchi, Shahkolaei, Hedjam, Cheriet: Mean deviation similarity index: efficient and reliable full-
reference image quality evaluator. IEEE Access 4, 2016. doi:10.1109/ACCESS.2016.2604042

Protocol: luma and two chroma channels on 0-255, not rounded; averaged over squares of max(1, round(shortest
side / 256)) pixels first; summation form, C1, C2, C3 = 140, 55, 550. Computed by piq.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ...bench.protocols import MetricInfo
from ..inputs import pair
from .apply import apply

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class MDSI:
    """Mean deviation similarity index."""

    info: ClassVar[MetricInfo] = MetricInfo(
        "mdsi",
        "MDSI",
        needs="pair",
        better="lower",
        bounds=(0.0, 1.25),
        least=3,
        color="lhm",
        cite="Ziaei Nafchi et al. 2016, doi:10.1109/ACCESS.2016.2604042",
        note="A deviation: uniform loss over the whole image counts little.",
    )

    def __call__(self, images: Tensor, references: Tensor | None = None, /) -> Tensor:
        images, references = pair("mdsi", images, references, least=3)
        return apply("mdsi", images, references, data_range=1.0, combination="sum")
