"""Peak signal-to-noise ratio on BT.601 luma, as papers on super-resolution report it.

PSNR = 10 log10(255^2 / MSE) decibels, MSE over luma Y = 65.481 R + 128.553 G + 24.966 B + 16. Range [1.32,
inf) because Y spans 219 of the 255 levels; higher is better, +inf for identical images.

Huynh-Thu, Ghanbari: Scope of validity of PSNR in image/video quality assessment. Electronics Letters
44(13), 2008. doi:10.1049/el:20080522. Luma: Recommendation ITU-R BT.601.

Protocol: studio range 16-235, not rounded, peak 255, float64. Such papers also cut ``crop`` pixels from
each side, as many as the scale factor: ``psnr-y(crop=4)`` for x4.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, ClassVar

from ...bench.protocols import MetricInfo
from ..inputs import crop, pair
from .luma import studio

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class PSNRLuma:
    """Peak signal-to-noise ratio in decibels, BT.601 luma."""

    crop: int = 0
    """Pixels cut from each side before comparing."""

    info: ClassVar[MetricInfo] = MetricInfo(
        "psnr-y",
        "PSNR (luma)",
        needs="pair",
        better="higher",
        bounds=(0.0, inf),
        dtype="float64",
        color="luma BT.601 16-235",
        cite="Huynh-Thu and Ghanbari 2008, doi:10.1049/el:20080522",
        note="Luma of studio range against a peak of 255: about 1.3 dB above a full-range luma.",
    )

    @property
    def least(self) -> int:
        return 1 + 2 * self.crop

    def __call__(self, images: Tensor, references: Tensor | None = None, /) -> Tensor:
        import torch

        images, references = pair("psnr-y", images, references, border=self.crop, dtype=torch.float64)
        images, references = (studio(crop("psnr-y", batch, self.crop)) for batch in (images, references))
        return 10 * (255**2 / (images - references).square().mean(dim=(1, 2, 3))).log10()
