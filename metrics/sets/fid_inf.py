"""FID extrapolated to infinitely many generated images.

Intercept of a straight line through FID_N against 1 / N (extrapolation.py), so that generators of different
numbers of images compare. Lower is better; real line, because the intercept may fall slightly below 0. The bias
by the number of real images remains. ``frechet_at_infinity`` gives the line itself and the standard error of its
intercept.

Chong, Forsyth: Effectively unbiased FID and Inception Score and where to find them. Conference on Computer
Vision and Pattern Recognition, 2020. arXiv:1911.07023

Protocol: extractor ``inception-fid`` and distance as for ``fid``; 15 sizes spread evenly from a tenth of the
images, but at least ``smallest``, to all of them; subsets drawn by ``seed`` alone. At least twice ``smallest``
images are needed in either set. Values of different ``smallest``, seeds or real sets do not compare exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, ClassVar

from ...bench.protocols import MetricInfo
from .extrapolation import check_smallest, frechet_at_infinity
from .fid import FEWEST

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class FIDInfinity:
    """Extrapolated Fréchet inception distance between (N,2048) and (M,2048) features."""

    smallest: int = FEWEST
    """Fewest images of a subset; either set must hold twice as many."""
    seed: int = 0
    """Of the subsets."""

    features: ClassVar[str] = "inception-fid"

    info: ClassVar[MetricInfo] = MetricInfo(
        "fid-inf",
        "FID extrapolated to infinite N",
        needs="set",
        better="lower",
        bounds=(-inf, inf),
        cite="Chong and Forsyth 2020, arXiv:1911.07023",
        note="Free of the bias by the number of generated images, not of that by the number of real ones.",
    )

    def __post_init__(self) -> None:
        check_smallest(self.info.name, self.smallest)

    def __call__(self, generated: Tensor, real: Tensor, /) -> float:
        name = self.info.name
        return frechet_at_infinity(generated, real, smallest=self.smallest, seed=self.seed, name=name).value
