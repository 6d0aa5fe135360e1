"""FID extrapolated to infinitely many generated images.

Intercept of a straight line through FID_N against 1 / N (extrapolation.py), so that generators of different
numbers of images compare. Lower is better; real line, because the intercept may fall slightly below 0. The bias
by the number of real images remains. ``frechet_at_infinity`` gives the line itself and the standard error of its
intercept. That error makes no interval: the subsets share images, and on normal features (2,000 to 10,000 of them,
16 and 64 dimensions) the intercept of new images varied 2 to 3 times as much, so that 95 % intervals of it covered
the true distance in about half of the cases.

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
from ...bench.types import Estimate
from .extrapolation import Line, check_smallest, frechet_at_infinity
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
        return self._line(generated, real).value

    def estimate(self, generated: Tensor, real: Tensor, /) -> Estimate:
        """The value, and the error of the line as the reason why there is no interval."""
        line = self._line(generated, real)
        reason = (
            f"no interval: the standard error of the fitted line, {line.se:.2g}, is less than the whole uncertainty"
        )
        return Estimate(line.value, n=generated.shape[0], method="straight line through 15 sizes", reason=reason)

    def _line(self, generated: Tensor, real: Tensor) -> Line:
        return frechet_at_infinity(generated, real, smallest=self.smallest, seed=self.seed, name=self.info.name)
