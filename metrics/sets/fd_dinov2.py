"""Fréchet distance on features of DINOv2 ViT-L/14.

As ``fid`` (fid.py), on the class tokens of DINOv2 ViT-L/14. Range [0, inf), lower is better. Proposed because
it follows people's judgement of realism more closely than Inception does.

Stein et al.: Exposing flaws of generative model evaluation metrics and their unfair treatment of diffusion
models. Advances in Neural Information Processing Systems 36, 2023. arXiv:2306.04675

Protocol: extractor ``dinov2-vitl14`` (Pillow's bicubic filter to 224x224 in 8 bits); everything else as in
``fid``, including the refusal below 2048 images.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from ...bench.protocols import MetricInfo
from .fid import FID


@dataclass(frozen=True)
class FDDINOv2(FID):
    """Fréchet distance between (N,1024) and (M,1024) features."""

    features: ClassVar[str] = "dinov2-vitl14"

    info: ClassVar[MetricInfo] = replace(
        FID.info,
        name="fd-dinov2",
        title="FD (DINOv2 ViT-L/14)",
        cite="Heusel et al. 2017, arXiv:1706.08500; Stein et al. 2023, arXiv:2306.04675",
        note="DINOv2 ViT-L/14 at 224 pixels; published values use 50,000 images; biased upwards at small N.",
    )
