"""Feature similarity with colour.

FSIM's product of similarities times (similarity of I * similarity of Q)^.03, with I and Q of YIQ. Range [0,
1], higher is better, 1 for identical images.

Zhang, Zhang, Mou, Zhang: FSIM: a feature similarity index for image quality assessment. IEEE Transactions
on Image Processing 20(8), 2011. doi:10.1109/TIP.2011.2109730

Protocol: YIQ on 0-255, not rounded; averaged over squares of max(1, round(shortest side / 256)) pixels
first. The power is taken of the absolute value, so that opposite chroma does not yield a complex number.
Shortest side 6, the shortest wavelength of the filters. Equal to piq's to 1e-5 relative, but
for shortest sides of 640, 1152, 1664 ... pixels, where piq takes other squares (planes.py), and for flat images
(phase.py). The maps of each image are computed once and shared with ``fsim``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ...bench.protocols import MetricInfo
from ..inputs import pair
from .phase import similarity

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class FSIMc:
    """Feature similarity with chroma."""

    info: ClassVar[MetricInfo] = MetricInfo(
        "fsimc",
        "FSIMc",
        needs="pair",
        better="higher",
        bounds=(-0.0001, 1.0001),
        version=2,
        least=6,
        color="yiq",
        cite="Zhang et al. 2011, doi:10.1109/TIP.2011.2109730",
        note="FSIM with the chromatic term.",
    )

    def __call__(self, images: Tensor, references: Tensor | None = None, /) -> Tensor:
        images, references = pair("fsimc", images, references, least=6)
        return similarity(images, references, chroma=True)
