"""Kernel distance on EfficientNet-Lite0 features.

The unbiased squared maximum mean discrepancy of ``kid``, on 1280 pooled features of EfficientNet-Lite0.
Real line, lower is better, 0 in expectation for one distribution; may be negative. **It is not KID**: the
network and the values differ. It runs where the Inception weights cannot be had.

Distance: Bińkowski et al. 2018, arXiv:1801.01401. Network: Tan, Le 2019, arXiv:1905.11946

Protocol: extractor ``efficientnet-lite0``, float64; parameters as in ``kid``.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, ClassVar

from ...bench.protocols import MetricInfo
from .mmd import check_subsets, polynomial_mmd

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class KDEfficientNetLite0:
    """Kernel distance between (N,1280) and (M,1280) features."""

    subsets: int = 0
    """Random subsets to average over; 0 takes all pairs once."""
    subset_size: int = 1000
    """Images per subset."""
    seed: int = 0
    """Of the subsets."""

    features: ClassVar[str] = "efficientnet-lite0"

    info: ClassVar[MetricInfo] = MetricInfo(
        "kd-efflite0",
        "KD (EfficientNet-Lite0)",
        needs="set",
        better="lower",
        bounds=(-inf, inf),
        cite="Bińkowski et al. 2018, arXiv:1801.01401; Tan and Le 2019, arXiv:1905.11946",
        note="Not KID: another network, other values; unbiased, so it may be negative.",
    )

    def __post_init__(self) -> None:
        check_subsets("kd-efflite0", self.subsets, self.subset_size)

    def __call__(self, generated: Tensor, real: Tensor, /) -> float:
        return polynomial_mmd("kd-efflite0", generated, real, self.subsets, self.subset_size, self.seed)
