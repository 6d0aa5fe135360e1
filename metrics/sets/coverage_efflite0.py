"""Coverage on EfficientNet-Lite0 features.

As ``coverage`` (coverage.py): share of real balls that hold a generated feature.
Range [0, 1], higher is better. Not comparable with published values, which are taken on VGG16 or
Inception features; it runs where those weights cannot be had.

Measure: Naeem et al. 2020, arXiv:2002.09797. Network: Tan, Le 2019, arXiv:1905.11946

Protocol: extractor ``efficientnet-lite0``; everything else as in ``coverage``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from ...bench.protocols import MetricInfo
from .coverage import Coverage


@dataclass(frozen=True)
class CoverageEfficientNetLite0(Coverage):
    """Coverage of (N,1280) generated against (N,1280) real features."""

    features: ClassVar[str] = "efficientnet-lite0"

    info: ClassVar[MetricInfo] = replace(
        Coverage.info,
        name="coverage-efflite0",
        title="Coverage (EfficientNet-Lite0, k-NN)",
        cite="Naeem et al. 2020, arXiv:2002.09797; Tan and Le 2019, arXiv:1905.11946",
    )
