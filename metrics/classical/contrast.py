"""Contrast as the standard deviation of luma.

RMS contrast = sqrt(mean((L - mean L)^2)), L gray in [0,1]. Range [0, 1/2]; declared as higher is better, because haze
and fading lower it. **Not a quality metric**: an image in black and white alone has the most, and where the pixels
are does not matter.

Peli: Contrast in complex images. Journal of the Optical Society of America A 7(10), 1990.
doi:10.1364/JOSAA.7.002032

Protocol: gray, rounded, as MATLAB has it (matlab.py), divided by 255, no linearisation; population deviation;
float64. A control: how far a score gets without judging quality.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ...bench.protocols import MetricInfo
from ..inputs import single
from .apply import each
from .matlab import gray

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Contrast:
    """RMS contrast: a control, not a quality metric."""

    info: ClassVar[MetricInfo] = MetricInfo(
        "contrast",
        "RMS contrast",
        needs="image",
        better="higher",
        bounds=(0.0, 0.5),
        dtype="float64",
        color="gray 0-255, rounded",
        cite="Peli 1990, doi:10.1364/JOSAA.7.002032",
        note="A control, not a quality metric: it does not matter where the pixels are; a hard threshold has the most.",
        role="control",
    )

    def __call__(self, images: Tensor, references: Tensor | None = None, /) -> Tensor:
        import torch

        images = single("contrast", images, references, dtype=torch.float64)
        return each(lambda image: (gray(image) / 255).std(correction=0), images)
