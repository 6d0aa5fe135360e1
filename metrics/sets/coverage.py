"""Coverage of a generator: how many real images it comes near to.

Share of real features whose ball holds at least one generated feature; the ball's radius is the distance to the
k-th nearest real neighbour. Range [0, 1], higher is better. For two samples of N images of one distribution it is
1 - (N-1)...(N-k) / ((2N-1)...(2N-k)) in expectation, about 1 - 2^-k = .97 for k = 5 and large N, whatever the
distribution. Unlike ``recall`` it is not raised by outliers among the generated images.

Naeem, Oh, Uh, Choi, Yoo: Reliable fidelity and diversity metrics for generative models. International
Conference on Machine Learning, 2020. arXiv:2002.09797

Protocol: extractor ``inception-fid``, float64, Euclidean distances, k = 5, a feature is not its own neighbour, a
distance equal to the radius is outside, as in the authors' code (neighbours.py). The value depends on the numbers
of images, which must be equal; ``n`` draws that many of either set by ``seed`` alone. Refused below 100 images;
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
class Coverage:
    """Coverage of (N,D) generated against (N,D) real features."""

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
        "coverage",
        "Coverage (Inception, k-NN)",
        needs="set",
        better="higher",
        bounds=(0.0, 1.0),
        version=2,
        cite="Naeem et al. 2020, arXiv:2002.09797",
        note="Variety; about 0.97 for real images against real ones at k = 5; only values of equal n compare.",
    )

    def __post_init__(self) -> None:
        check_neighbours(self.info.name, self.k, self.n, self.least_n)

    def __call__(self, generated: Tensor, real: Tensor, /) -> float:
        found = neighbours(self.info.name, generated, real, self.k, self.n, self.seed, self.least_n)
        return found.coverage
