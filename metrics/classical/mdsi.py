"""Mean deviation similarity index.

Mean absolute deviation, to the power 1/4, of the fourth root of .6 gradient similarity + .4 chromaticity
similarity. Range [0, 1.25], lower is better, 0 for identical images.

Ziaei Nafchi, Shahkolaei, Hedjam, Cheriet: Mean deviation similarity index: efficient and reliable full-
reference image quality evaluator. IEEE Access 4, 2016. doi:10.1109/ACCESS.2016.2604042

Protocol: luma and two chroma channels on 0-255, not rounded; averaged over squares of max(1, round(shortest
side / 256)) pixels first; summation form, C1, C2, C3 = 140, 55, 550. Equal to piq to 1e-5, but for shortest sides of
640, 1152, 1664 ... pixels, where piq takes other squares (planes.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import pi
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from ...bench.protocols import MetricInfo
from ..inputs import pair
from ..memory import recall
from .apply import each
from .gradients import PREWITT, alike, magnitude
from .planes import averaged, mix, square

if TYPE_CHECKING:
    from torch import Tensor

LHM = ((0.2989, 0.587, 0.114), (0.3, 0.04, -0.35), (0.34, -0.6, 0.17))


@dataclass(frozen=True)
class MDSI:
    """Mean deviation similarity index."""

    info: ClassVar[MetricInfo] = MetricInfo(
        "mdsi",
        "MDSI",
        needs="pair",
        better="lower",
        bounds=(0.0, 1.25),
        version=2,
        least=3,
        color="lhm",
        cite="Ziaei Nafchi et al. 2016, doi:10.1109/ACCESS.2016.2604042",
        note="A deviation: uniform loss over the whole image counts little.",
    )

    def __call__(self, images: Tensor, references: Tensor | None = None, /) -> Tensor:
        images, references = pair("mdsi", images, references, least=3)
        return each(deviation, images, references)


class Maps(NamedTuple):
    """Luma, its Prewitt gradient, and two chroma planes."""

    luma: Tensor
    gradient: Tensor
    chroma: Tensor


def maps(image: Tensor) -> Maps:
    """What MDSI compares, from (1,3,H,W) in [0,1]."""
    planes = mix(averaged(image * 255, square(image), "zeros"), LHM)
    return Maps(planes[:, :1], magnitude(planes[:, :1], PREWITT), planes[:, 1:])


def deviation(image: Tensor, reference: Tensor) -> Tensor:
    """MDSI of one pair (1,3,H,W) in [0,1]: a scalar."""
    x, y = (recall(one, "mdsi", maps) for one in (image, reference))
    fused = magnitude((x.luma + y.luma) / 2, PREWITT)
    gradients = alike(x.gradient, y.gradient, 140) + alike(x.gradient, fused, 55) - alike(y.gradient, fused, 55)
    product, squares = (x.chroma * y.chroma).sum(1, True), (x.chroma.square() + y.chroma.square()).sum(1, True)
    combined = 0.6 * gradients + 0.4 * (2 * product + 550) / (squares + 550)
    # Negative similarities have complex fourth roots; modulus and argument are carried separately, as published.
    modulus, argument = combined.abs() ** 0.25, (combined < 0).to(combined) * (pi / 4)
    real, imaginary = modulus * argument.cos(), modulus * argument.sin()
    distance = ((real - real.mean()).square() + (imaginary - imaginary.mean()).square()).sqrt()
    return distance.mean() ** 0.25
