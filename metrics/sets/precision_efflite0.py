"""Precision on EfficientNet-Lite0 features.

As ``precision`` (precision.py): share of generated features inside the ball of any real feature.
Range [0, 1], higher is better. Not comparable with published values, which are taken on VGG16 or
Inception features; it runs where those weights cannot be had.

Measure: Kynkäänniemi et al. 2019, arXiv:1904.06991. Network: Tan, Le 2019, arXiv:1905.11946

Protocol: extractor ``efficientnet-lite0``; everything else as in ``precision``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from ...bench.protocols import MetricInfo
from .precision import Precision


@dataclass(frozen=True)
class PrecisionEfficientNetLite0(Precision):
    """Precision of (N,1280) generated against (N,1280) real features."""

    features: ClassVar[str] = "efficientnet-lite0"

    info: ClassVar[MetricInfo] = replace(
        Precision.info,
        name="precision-efflite0",
        title="Precision (EfficientNet-Lite0, k-NN)",
        cite="Kynkäänniemi et al. 2019, arXiv:1904.06991; Tan and Le 2019, arXiv:1905.11946",
    )
