"""Total variation.

TV = sum over pixels and channels of |right neighbour - pixel| + |lower neighbour - pixel|, divided by the
number of values, so that images of different sizes compare. Range [0, 2], 0 for flat images.

Rudin, Osher, Fatemi: Nonlinear total variation based noise removal algorithms. Physica D 60, 1992.
doi:10.1016/0167-2789(92)90242-F

Protocol: RGB in [0,1], anisotropic (l1). **Not a quality metric**: noise raises it and blur lowers it.
Declared as lower-is-better because restoration methods minimise it; it serves as a baseline that a real
metric must beat. Computed by piq.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ...bench.protocols import MetricInfo
from ..inputs import single
from .apply import apply

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class TotalVariation:
    """Total variation per value: a baseline, not a quality metric."""

    info: ClassVar[MetricInfo] = MetricInfo(
        "tv",
        "Total variation",
        needs="image",
        better="lower",
        bounds=(0.0, 2.0),
        least=2,
        cite="Rudin et al. 1992, doi:10.1016/0167-2789(92)90242-F",
        note="A baseline, not a quality metric: noise raises it and blur lowers it.",
        role="control",
    )

    def __call__(self, images: Tensor, references: Tensor | None = None, /) -> Tensor:
        images = single("tv", images, references, least=2)
        return apply("total_variation", images, norm_type="l1") / images.shape[1:].numel()
