"""Kernel distance on EfficientNet-Lite0 features.

The unbiased squared maximum mean discrepancy of ``kid``, on 1280 pooled features of EfficientNet-Lite0.
Real line, lower is better, 0 in expectation for one distribution; may be negative. **It is not KID**: the
network and the values differ. It runs where the Inception weights cannot be had.

Distance: Bińkowski et al. 2018, arXiv:1801.01401. Network: Tan, Le 2019, arXiv:1905.11946

Protocol: extractor ``efficientnet-lite0``, float64; parameters as in ``kid``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from ...bench.protocols import MetricInfo
from .kid import KID


@dataclass(frozen=True)
class KDEfficientNetLite0(KID):
    """Kernel distance between (N,1280) and (M,1280) features."""

    features: ClassVar[str] = "efficientnet-lite0"

    info: ClassVar[MetricInfo] = replace(
        KID.info,
        name="kd-efflite0",
        title="KD (EfficientNet-Lite0)",
        cite="Bińkowski et al. 2018, arXiv:1801.01401; Tan and Le 2019, arXiv:1905.11946",
        note="Not KID: another network, other values; unbiased, so it may be negative.",
    )
