"""Kernel inception distance.

Squared maximum mean discrepancy between generated and real Inception features under the kernel k(x, y) =
(x.y / D + 1)^3, by the unbiased U-statistic over all pairs (mmd.py). Real line, lower is better, 0 in
expectation for two samples of one distribution; slightly negative values are legitimate and are not cut
off.

Bińkowski, Sutherland, Arbel, Gretton: Demystifying MMD GANs. International Conference on Learning
Representations, 2018. arXiv:1801.01401

Protocol: extractor ``inception-fid``, float64, all images by default. With ``subsets`` the mean over that
many random subsets of ``subset_size`` images, as other tools print it (their standard deviation is no
standard error); drawn from ``seed`` alone. The value is not multiplied by 1000 or 100. Refused below 100 images:
it is unbiased there, too, but for two samples of one distribution its standard deviation goes with 1 / N (mmd.py);
``least_n`` lowers that guard.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, ClassVar

from ...bench.protocols import MetricInfo
from .mmd import FEWEST, check_subsets, polynomial_mmd

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class KID:
    """Kernel inception distance between (N,2048) and (M,2048) features."""

    subsets: int = 0
    """Random subsets to average over; 0 takes all pairs once, which has the least variance."""
    subset_size: int = 1000
    """Images per subset."""
    seed: int = 0
    """Of the subsets."""
    least_n: int = FEWEST
    """Fewest images per set; with fewer it is unbiased, too, but noisy: 20 times what it is at 20 times as many."""

    features: ClassVar[str] = "inception-fid"

    info: ClassVar[MetricInfo] = MetricInfo(
        "kid",
        "KID",
        needs="set",
        better="lower",
        bounds=(-inf, inf),
        cite="Bińkowski et al. 2018, arXiv:1801.01401",
        note="Unbiased, so it may be negative; usable at smaller N than FID, from 100 images on.",
    )

    def __post_init__(self) -> None:
        check_subsets(self.info.name, self.subsets, self.subset_size, self.least_n)

    def __call__(self, generated: Tensor, real: Tensor, /) -> float:
        name, least_n = self.info.name, self.least_n
        return polynomial_mmd(name, generated, real, self.subsets, self.subset_size, self.seed, least_n)
