"""Haar wavelet-based perceptual similarity index.

Similarity of Haar coefficients on two fine scales (and of I and Q), passed through a logistic function and
averaged with the coefficients of a third scale as weight. Range [0, 1], higher is better, 1 for identical
images.

Reisenhofer, Bosse, Kutyniok, Wiegand: A Haar wavelet-based perceptual similarity index for image quality
assessment. Signal Processing: Image Communication 61, 2018. doi:10.1016/j.image.2017.11.001

Protocol: YIQ on 0-255, not rounded, halved by 2x2 averages first; C = 30, alpha = 4.2, three scales.
Undefined (NaN) for black images. Shortest side 16. Computed by piq.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ...bench.protocols import MetricInfo
from ..inputs import pair
from .apply import apply

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class HaarPSI:
    """Haar wavelet-based perceptual similarity index."""

    info: ClassVar[MetricInfo] = MetricInfo(
        "haarpsi",
        "HaarPSI",
        needs="pair",
        better="higher",
        bounds=(-0.0001, 1.0001),
        least=16,
        color="yiq",
        cite="Reisenhofer et al. 2018, doi:10.1016/j.image.2017.11.001",
        note="With the chromatic term.",
    )

    def __call__(self, images: Tensor, references: Tensor | None = None, /) -> Tensor:
        images, references = pair("haarpsi", images, references, least=16)
        return apply("haarpsi", images, references, data_range=1.0, scales=3, subsample=True, c=30.0, alpha=4.2)
