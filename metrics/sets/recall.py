"""Recall of a generator: how much of what is real it can make.

Share of real features that lie inside the ball of at least one generated feature, whose radius is the distance
to its k-th nearest generated neighbour. Range [0, 1], higher is better. The balls grow with the spread of the
generated features, so that a few wild outliers raise it; ``coverage`` does not have that weakness.

Kynkäänniemi, Karras, Laine, Lehtinen, Aila: Improved precision and recall metric for assessing generative
models. Advances in Neural Information Processing Systems 32, 2019. arXiv:1904.06991

Protocol: extractor ``inception-fid`` (the paper has VGG16), float64, Euclidean distances, k = 3, a feature is not
its own neighbour, a distance equal to the radius is inside (neighbours.py). The value depends on the numbers of
images, which must be equal; ``n`` draws that many of either set by ``seed`` alone. Refused below 100 images;
``least_n`` lowers that guard. Values of different k, n or extractors do not compare.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ...bench.protocols import MetricInfo
from .neighbours import FEWEST, check_neighbours, neighbours

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Recall:
    """Recall of (N,D) generated against (N,D) real features."""

    k: int = 3
    """Neighbours that set the radius of a ball."""
    n: int = 0
    """Images drawn from either set; 0 takes all, and there must then be as many generated as real ones."""
    seed: int = 0
    """Of the draws, one from either set."""
    least_n: int = FEWEST
    """Fewest images per set; below 100 one image moves the value by more than a percent."""

    features: ClassVar[str] = "inception-fid"

    info: ClassVar[MetricInfo] = MetricInfo(
        "recall",
        "Recall (Inception, k-NN)",
        needs="set",
        better="higher",
        bounds=(0.0, 1.0),
        version=2,
        cite="Kynkäänniemi et al. 2019, arXiv:1904.06991",
        note="Variety; depends on k and on the number of images, so only values of equal n compare.",
    )

    def __post_init__(self) -> None:
        check_neighbours(self.info.name, self.k, self.n, self.least_n)

    def __call__(self, generated: Tensor, real: Tensor, /) -> float:
        found = neighbours(self.info.name, generated, real, self.k, self.n, self.seed, self.least_n)
        return found.recall
