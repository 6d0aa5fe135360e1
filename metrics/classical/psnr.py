"""Peak signal-to-noise ratio on RGB.

PSNR = 10 log10(1 / MSE) decibels, MSE over all pixels and channels of values in [0,1]. Range [0, inf),
higher is better, +inf for identical images.

Huynh-Thu, Ghanbari: Scope of validity of PSNR in image/video quality assessment. Electronics Letters
44(13), 2008. doi:10.1049/el:20080522

Protocol: RGB, no constant added to the error (some libraries add 1e-8 and print 80 dB for identical
images), float64. ``crop`` cuts that many pixels from each side first. A mean over images is the mean of
decibels.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, ClassVar

from ...bench.protocols import MetricInfo
from ..inputs import crop, pair

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class PSNR:
    """Peak signal-to-noise ratio in decibels, RGB."""

    crop: int = 0
    """Pixels cut from each side before comparing."""

    info: ClassVar[MetricInfo] = MetricInfo(
        "psnr",
        "PSNR",
        needs="pair",
        better="higher",
        bounds=(0.0, inf),
        dtype="float64",
        cite="Huynh-Thu and Ghanbari 2008, doi:10.1049/el:20080522",
        note="RGB, all channels alike; identical images give +inf, not a capped value.",
    )

    @property
    def least(self) -> int:
        return 1 + 2 * self.crop

    def __call__(self, images: Tensor, references: Tensor | None = None, /) -> Tensor:
        import torch

        images, references = pair("psnr", images, references, border=self.crop, dtype=torch.float64)
        images, references = (crop("psnr", batch, self.crop) for batch in (images, references))
        return -10 * (images - references).square().mean(dim=(1, 2, 3)).log10()
