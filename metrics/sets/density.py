"""Density of a generator: how deep inside the real images what it makes lies.

Number of real balls that hold a generated feature, on average over generated features and divided by k; a
ball's radius is the distance of a real feature to its k-th nearest real neighbour. Range [0, inf), higher is
better, 1 in expectation for two samples of one distribution. It counts balls where ``precision`` asks for one,
so that a single real outlier with a huge ball weighs little. Values above 1 mean that the generator prefers
crowded places, and are no merit beyond 1.

Naeem, Oh, Uh, Choi, Yoo: Reliable fidelity and diversity metrics for generative models. International
Conference on Machine Learning, 2020. arXiv:2002.09797

Protocol: extractor ``inception-fid``, float64, Euclidean distances, k = 5, a feature is not its own neighbour, a
distance equal to the radius is outside, as in the authors' code (neighbours.py). As many generated as real
images are demanded; ``n`` draws that many of either set by ``seed`` alone. Refused below 100 images; ``least_n``
lowers that guard. Values of different k or extractors do not compare.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, ClassVar

from ...bench.protocols import MetricInfo
from .neighbours import FEWEST, check_neighbours, neighbours

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Density:
    """Density of (N,D) generated against (N,D) real features."""

    k: int = 5
    """Neighbours that set the radius of a ball."""
    n: int = 0
    """Images drawn from either set; 0 takes all, and there must then be as many generated as real ones."""
    seed: int = 0
    """Of the draws, one from either set."""
    least_n: int = FEWEST
    """Fewest images per set; below 100 one image moves the value by more than a percent."""

    features: ClassVar[str] = "inception-fid"

    info: ClassVar[MetricInfo] = MetricInfo(
        "density",
        "Density (Inception, k-NN)",
        needs="set",
        better="higher",
        bounds=(0.0, inf),
        version=2,
        cite="Naeem et al. 2020, arXiv:2002.09797",
        note="Quality without variety; 1 is what real images reach on average, and values above it are no merit.",
    )

    def __post_init__(self) -> None:
        check_neighbours(self.info.name, self.k, self.n, self.least_n)

    def __call__(self, generated: Tensor, real: Tensor, /) -> float:
        found = neighbours(self.info.name, generated, real, self.k, self.n, self.seed, self.least_n)
        return found.density
