"""Sharpness as the variance of the Laplacian.

The variance over the image of up + down + left + right - 4 times the middle. Range [0, inf), 0 for flat images and
even slopes; declared as higher is better. **Not a quality metric**: it was made to focus a microscope; noise raises
it far above any photograph, and so does ringing.

Pech-Pacheco, Cristobal, Chamorro-Martinez, Fernandez-Valdivia: Diatom autofocusing in brightfield microscopy: a
comparative study. International Conference on Pattern Recognition, 2000. doi:10.1109/ICPR.2000.903548

Protocol: gray 0-255, rounded, as MATLAB has it (matlab.py); the Laplacian wherever its four neighbours exist;
population variance; float64; shortest side 3. A control: how far a score gets without judging quality.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, ClassVar

from ...bench.protocols import MetricInfo
from ..inputs import single
from .apply import each
from .matlab import gray

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Sharpness:
    """Variance of the Laplacian: a control, not a quality metric."""

    info: ClassVar[MetricInfo] = MetricInfo(
        "sharpness",
        "Variance of the Laplacian",
        needs="image",
        better="higher",
        bounds=(0.0, inf),
        least=3,
        dtype="float64",
        color="gray 0-255, rounded",
        cite="Pech-Pacheco et al. 2000, doi:10.1109/ICPR.2000.903548",
        note="A control, not a quality metric: blur lowers it and noise raises it far above any photograph.",
        role="control",
    )

    def __call__(self, images: Tensor, references: Tensor | None = None, /) -> Tensor:
        import torch

        images = single("sharpness", images, references, least=self.info.least, dtype=torch.float64)
        return each(lambda image: laplacian(gray(image)).var(correction=0), images)


def laplacian(luma: Tensor) -> Tensor:
    """(1,1,H,W) -> (1,1,H-2,W-2)."""
    around = luma[..., :-2, 1:-1] + luma[..., 2:, 1:-1] + luma[..., 1:-1, :-2] + luma[..., 1:-1, 2:]
    return around - 4 * luma[..., 1:-1, 1:-1]
