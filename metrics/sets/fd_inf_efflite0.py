"""Fréchet distance on EfficientNet-Lite0 features, extrapolated to infinitely many generated images.

As ``fid-inf`` (fid_inf.py) on the features of ``fd-efflite0``. Real line, lower is better. **It is not FID.**

Extrapolation: Chong, Forsyth 2020, arXiv:1911.07023. Network: Tan, Le 2019, arXiv:1905.11946

Protocol: extractor ``efficientnet-lite0``; everything else as in ``fid-inf``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from ...bench.protocols import MetricInfo
from .fid_inf import FIDInfinity


@dataclass(frozen=True)
class FDInfinityEfficientNetLite0(FIDInfinity):
    """Extrapolated Fréchet distance between (N,1280) and (M,1280) features."""

    features: ClassVar[str] = "efficientnet-lite0"

    info: ClassVar[MetricInfo] = replace(
        FIDInfinity.info,
        name="fd-inf-efflite0",
        title="FD (EfficientNet-Lite0) extrapolated to infinite N",
        cite="Chong and Forsyth 2020, arXiv:1911.07023; Tan and Le 2019, arXiv:1905.11946",
        note="Not FID: another network; free of the bias by the number of generated images, not of real ones.",
    )
