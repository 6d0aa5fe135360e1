"""Fréchet inception distance with antialiased resizing, known as clean-FID.

As ``fid`` (fid.py): only the resizing differs, and values of the two do not compare. Range [0, inf), lower is
better.

Parmar, Zhang, Zhu: On aliased resizing and surprising subtleties in GAN evaluation. Conference on Computer
Vision and Pattern Recognition, 2022. arXiv:2104.11222

Protocol: extractor ``inception-fid-clean`` (Pillow's bicubic filter in float32 to 299x299, not rounded);
everything else as in ``fid``, including the refusal below 2048 images.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from ...bench.protocols import MetricInfo
from .fid import FID


@dataclass(frozen=True)
class FIDClean(FID):
    """Fréchet inception distance between (N,2048) and (M,2048) features of cleanly resized images."""

    features: ClassVar[str] = "inception-fid-clean"

    info: ClassVar[MetricInfo] = replace(
        FID.info,
        name="fid-clean",
        title="FID, clean resizing (Pillow bicubic)",
        cite="Parmar et al. 2022, arXiv:2104.11222; Heusel et al. 2017, arXiv:1706.08500",
        note="Resized with antialiasing, so not comparable with FID; biased upwards at small N.",
    )
