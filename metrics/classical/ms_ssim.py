"""Multi-scale structural similarity on RGB.

The contrast-structure term of SSIM at five scales (each half the one before) and the luminance term at the
coarsest, raised to the weights .0448, .2856, .3001, .2363, .1333 and multiplied; negative means are set to
0. Range [0, 1], higher is better, 1 for identical images.

Wang, Simoncelli, Bovik: Multi-scale structural similarity for image quality assessment. Asilomar Conference
on Signals, Systems and Computers, 2003. doi:10.1109/ACSSC.2003.1292216

Protocol: mean of the three colour channels in [0,1] (the paper compares gray images), Gaussian window 11
with sigma 1.5, halving by 2x2 averages. Five scales with a window of 11 need a shortest side of 161.
Computed by piq.
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
class MSSSIM:
    """Multi-scale structural similarity, mean over RGB."""

    info: ClassVar[MetricInfo] = MetricInfo(
        "ms-ssim",
        "MS-SSIM",
        needs="pair",
        better="higher",
        bounds=(-0.0001, 1.0001),
        least=161,
        color="rgb",
        cite="Wang et al. 2003, doi:10.1109/ACSSC.2003.1292216",
        note="Per RGB channel, averaged; images below 161 pixels are not scored.",
    )

    def __call__(self, images: Tensor, references: Tensor | None = None, /) -> Tensor:
        images, references = pair("ms-ssim", images, references, least=161)
        return apply(
            "multi_scale_ssim",
            images,
            references,
            kernel_size=11,
            kernel_sigma=1.5,
            data_range=1.0,
            k1=0.01,
            k2=0.03,
        )
