"""Density on EfficientNet-Lite0 features.

As ``density`` (density.py): real balls around a generated feature, on average and divided by k.
Range [0, inf), higher is better. Not comparable with published values, which are taken on VGG16 or
Inception features; it runs where those weights cannot be had.

Measure: Naeem et al. 2020, arXiv:2002.09797. Network: Tan, Le 2019, arXiv:1905.11946

Protocol: extractor ``efficientnet-lite0``; everything else as in ``density``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from ...bench.protocols import MetricInfo
from .density import Density


@dataclass(frozen=True)
class DensityEfficientNetLite0(Density):
    """Density of (N,1280) generated against (N,1280) real features."""

    features: ClassVar[str] = "efficientnet-lite0"

    info: ClassVar[MetricInfo] = replace(
        Density.info,
        name="density-efflite0",
        title="Density (EfficientNet-Lite0, k-NN)",
        cite="Naeem et al. 2020, arXiv:2002.09797; Tan and Le 2019, arXiv:1905.11946",
    )
