"""Kernel distance on features of DINOv2 ViT-L/14.

As ``kid`` (kid.py), on the class tokens of DINOv2 ViT-L/14. Real line, lower is better, 0 in expectation for
one distribution. Proposed because it follows people's judgement of realism more closely than Inception does.

Stein et al.: Exposing flaws of generative model evaluation metrics and their unfair treatment of diffusion
models. Advances in Neural Information Processing Systems 36, 2023. arXiv:2306.04675

Protocol: extractor ``dinov2-vitl14`` (Pillow's bicubic filter to 224x224 in 8 bits); everything else as in
``kid``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from ...bench.protocols import MetricInfo
from .kid import KID


@dataclass(frozen=True)
class KDDINOv2(KID):
    """Kernel distance between (N,1024) and (M,1024) features."""

    features: ClassVar[str] = "dinov2-vitl14"

    info: ClassVar[MetricInfo] = replace(
        KID.info,
        name="kd-dinov2",
        title="KD (DINOv2 ViT-L/14)",
        cite="Bińkowski et al. 2018, arXiv:1801.01401; Stein et al. 2023, arXiv:2306.04675",
        note="DINOv2 ViT-L/14 at 224 pixels; published values use 50,000 images; unbiased, so it may be negative.",
    )
