"""Mean squared error.

MSE = mean over pixels and channels of (x - y)^2.
Range [0, 1], lower is better, 0 for identical images.

Wang, Bovik: Mean squared error: love it or leave it? IEEE Signal Processing Magazine 26(1), 2009.
doi:10.1109/MSP.2008.930649

Protocol: RGB in [0,1] (not 0-255: multiply by 65025 for that), all channels alike, no crop, float64.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ...bench.protocols import MetricInfo
from ..inputs import pair

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class MSE:
    """Mean squared error of RGB values in [0,1]."""

    info: ClassVar[MetricInfo] = MetricInfo(
        "mse",
        "Mean squared error",
        needs="pair",
        better="lower",
        bounds=(0.0, 1.0),
        dtype="float64",
        cite="Wang and Bovik 2009, doi:10.1109/MSP.2008.930649",
        note="On RGB values in [0,1]; multiply by 65025 for the 0-255 scale.",
    )

    def __call__(self, images: Tensor, references: Tensor | None = None, /) -> Tensor:
        import torch

        images, references = pair("mse", images, references, dtype=torch.float64)
        return (images - references).square().mean(dim=(1, 2, 3))
