"""Colourfulness.

With rg = R - G and yb = (R + G) / 2 - B on 0-255: M = sqrt(var rg + var yb) + .3 sqrt(mean(rg)^2 + mean(yb)^2).
Range [0, inf), 0 for gray images; people call about 15 slightly, 33 moderately and 82 highly colourful. Declared as
higher is better. **Not a quality metric**: coloured noise and oversaturation raise it.

Hasler, Suesstrunk: Measuring colorfulness in natural images. Human Vision and Electronic Imaging VIII, SPIE 5007,
2003. doi:10.1117/12.477378

Protocol: RGB as stored, no linearisation; population variance; float64. A control: how far a score gets without
judging quality.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, ClassVar

from ...bench.protocols import MetricInfo
from ..inputs import single
from .apply import each

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Colorfulness:
    """Colourfulness: a control, not a quality metric."""

    info: ClassVar[MetricInfo] = MetricInfo(
        "colorfulness",
        "Colourfulness",
        needs="image",
        better="higher",
        bounds=(0.0, inf),
        dtype="float64",
        cite="Hasler and Suesstrunk 2003, doi:10.1117/12.477378",
        note="A control, not a quality metric: coloured noise and oversaturation raise it, gray photographs score 0.",
        role="control",
    )

    def __call__(self, images: Tensor, references: Tensor | None = None, /) -> Tensor:
        import torch

        return each(colorfulness, single("colorfulness", images, references, dtype=torch.float64))


def colorfulness(image: Tensor) -> Tensor:
    """(1,3,H,W) in [0,1] -> a scalar."""
    import torch

    red, green, blue = (255 * image[0]).unbind(0)
    opponents = torch.stack([red - green, (red + green) / 2 - blue]).flatten(1)
    spread, middle = opponents.var(dim=1, correction=0), opponents.mean(dim=1)
    return spread.sum().sqrt() + 0.3 * middle.square().sum().sqrt()
