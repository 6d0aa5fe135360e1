"""Fréchet inception distance.

Squared Fréchet distance (frechet.py) between Gaussians fitted to the 2048 pooled Inception features of
generated and of real images. Range [0, inf), lower is better, 0 for equal moments.

Heusel, Ramsauer, Unterthiner, Nessler, Hochreiter: GANs trained by a two time-scale update rule converge to
a local Nash equilibrium. Advances in Neural Information Processing Systems 30, 2017. arXiv:1706.08500

Protocol: extractor ``inception-fid`` (the published TensorFlow weights; bilinear resize to 299x299 without
antialiasing, as pytorch-fid does), unbiased covariances, float64. The value is biased upwards by about
(D(D+1)/2 + 2D)/N for Gaussian features, so it is refused below 2048 images, where the covariance has no
full rank either; ``least_n`` lowers that guard. Values of different N, resizers or file formats do not
compare.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, ClassVar

from ...bench.protocols import MetricInfo
from ..memory import recall
from .frechet import gaussian, moments
from .inputs import check

if TYPE_CHECKING:
    from torch import Tensor

FEWEST = 2048


@dataclass(frozen=True)
class FID:
    """Fréchet inception distance between (N,2048) and (M,2048) features."""

    least_n: int = FEWEST
    """Fewest images per set; below 2048 the number is strongly biased and must not be published as FID."""

    features: ClassVar[str] = "inception-fid"

    info: ClassVar[MetricInfo] = MetricInfo(
        "fid",
        "FID",
        needs="set",
        better="lower",
        bounds=(0.0, inf),
        cite="Heusel et al. 2017, arXiv:1706.08500",
        note="Biased upwards at small N; only values of equal N and one resizer compare.",
    )

    def __post_init__(self) -> None:
        check_least(self.info.name, self.least_n)

    def __call__(self, generated: Tensor, real: Tensor, /) -> float:
        check(self.info.name, generated, real, self.least_n, "least_n")
        # The real images are those of every generator in turn: their moments are taken once.
        return recall(real, "gaussian", gaussian).distance(*moments(generated))


def check_least(name: str, least_n: int) -> None:
    """Raises ValueError where no covariance could exist."""
    if least_n < 2:
        raise ValueError(f"{name}: least_n={least_n}; a covariance needs at least 2 images")
