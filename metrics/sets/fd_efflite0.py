"""Fréchet distance on EfficientNet-Lite0 features.

Squared Fréchet distance (frechet.py) between Gaussians fitted to 1280 pooled features of generated and of
real images. Range [0, inf), lower is better. **It is not FID**: the network, its size and the values
differ; the name FID is kept for the published Inception weights. It runs where those weights cannot be had.

Distance: Heusel et al. 2017, arXiv:1706.08500. Network: Tan, Le: EfficientNet: rethinking model scaling for
convolutional neural networks. International Conference on Machine Learning, 2019. arXiv:1905.11946

Protocol: extractor ``efficientnet-lite0``, unbiased covariances, float64; refused below 2048 images like
FID (fewer than about 1300 have no covariance of full rank); ``least_n`` lowers that guard.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from ...bench.protocols import MetricInfo
from .fid import FID


@dataclass(frozen=True)
class FDEfficientNetLite0(FID):
    """Fréchet distance between (N,1280) and (M,1280) features."""

    features: ClassVar[str] = "efficientnet-lite0"

    info: ClassVar[MetricInfo] = replace(
        FID.info,
        name="fd-efflite0",
        title="FD (EfficientNet-Lite0)",
        cite="Heusel et al. 2017, arXiv:1706.08500; Tan and Le 2019, arXiv:1905.11946",
        note="Not FID: another network, other values; biased upwards at small N.",
    )
