"""Kernel inception distance with antialiased resizing.

As ``kid`` (kid.py): only the resizing differs, and values of the two do not compare. Real line, lower is better,
0 in expectation for two samples of one distribution.

Parmar, Zhang, Zhu: On aliased resizing and surprising subtleties in GAN evaluation. Conference on Computer
Vision and Pattern Recognition, 2022. arXiv:2104.11222

Protocol: extractor ``inception-fid-clean`` (Pillow's bicubic filter in float32 to 299x299, not rounded);
everything else as in ``kid``. (clean-fid itself prints the mean over 100 subsets of 1000: ``subsets=100``.)
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from ...bench.protocols import MetricInfo
from .kid import KID


@dataclass(frozen=True)
class KIDClean(KID):
    """Kernel inception distance between (N,2048) and (M,2048) features of cleanly resized images."""

    features: ClassVar[str] = "inception-fid-clean"

    info: ClassVar[MetricInfo] = replace(
        KID.info,
        name="kid-clean",
        title="KID, clean resizing (Pillow bicubic)",
        cite="Parmar et al. 2022, arXiv:2104.11222; Bińkowski et al. 2018, arXiv:1801.01401",
        note="Resized with antialiasing, so not comparable with KID; unbiased, so it may be negative.",
    )
