"""Normalised Laplacian pyramid distance.

A Laplacian pyramid of six levels; each value is divided by a constant plus a weighted sum of its neighbours'
magnitudes, as the early visual system adapts to local contrast. NLPD = mean over levels of the root mean squared
difference. Range [0, inf), lower is better, 0 for identical images.

Laparra, Balle, Berardino, Simoncelli: Perceptual image quality assessment using a normalized Laplacian pyramid.
Human Vision and Electronic Imaging, 2016. doi:10.2352/ISSN.2470-1173.2016.16.HVEI-103

Protocol: gray as MATLAB's rgb2gray (rounded), divided by 255; the authors' constants, learned by them on photographs
without human scores. Burt and Adelson's filter .05 .25 .4 .25 .05; borders mirrored with the edge repeated on the way
down, replicated on the way up, zero in the sums of neighbours. Below a shortest side of 32 the coarsest levels would be
single pixels: smaller images are refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from ...bench.protocols import MetricInfo
from ..inputs import pair
from .matlab import gray as rgb2gray
from .prepared import compare

if TYPE_CHECKING:
    from torch import Tensor


class _Level(NamedTuple):
    constant: float
    below: float
    right: float
    left: float
    above: float
    second: float = 0.0
    """Weight of the second pixel to the left."""


LEVELS = (
    _Level(0.0248, 0.1011, 0.1493, 0.1460, 0.1015, 0.0072),
    _Level(0.0185, 0.0757, 0.1986, 0.1846, 0.0837),
    _Level(0.0179, 0.0477, 0.2138, 0.2243, 0.0467),
    _Level(0.0191, 0.0, 0.2503, 0.2616, 0.0),
    _Level(0.0220, 0.0, 0.2598, 0.2552, 0.0),
    _Level(0.2782, 0.0, 0.2215, 0.0717, 0.0),
)


@dataclass(frozen=True)
class NLPD:
    """Normalised Laplacian pyramid distance."""

    info: ClassVar[MetricInfo] = MetricInfo(
        "nlpd",
        "NLPD",
        needs="pair",
        better="lower",
        bounds=(0.0, inf),
        least=32,
        dtype="float64",
        color="gray (rgb2gray, rounded)",
        cite="Laparra et al. 2016, doi:10.2352/ISSN.2470-1173.2016.16.HVEI-103",
        note="Gray only: a change of hue or saturation at equal luma costs nothing.",
    )

    def __call__(self, images: Tensor, references: Tensor | None = None, /) -> Tensor:
        images, references = pair("nlpd", images, references, least=self.info.least)
        return compare(images, references, "nlpd", _prepare, _distance)


def _prepare(image: Tensor) -> list[Tensor]:
    return normalised(rgb2gray(image.double())[0, 0] / 255)


def _distance(image: Tensor, reference: list[Tensor]) -> Tensor:
    import torch

    pairs = zip(_prepare(image), reference, strict=True)
    return torch.stack([(x - y).square().mean().sqrt() for x, y in pairs]).mean()


def normalised(plane: Tensor) -> list[Tensor]:
    """(H,W) in [0,1] -> the normalised pyramid, finest level first; the last is the low-pass residue."""
    pyramid = []
    for _ in LEVELS[1:]:
        lower = reduce(reduce(plane).T).T
        pyramid.append(plane - expand(expand(lower, plane.shape[0]).T, plane.shape[1]).T)
        plane = lower
    pyramid.append(plane)
    return [_divide(values, level) for values, level in zip(pyramid, LEVELS, strict=True)]


def reduce(plane: Tensor) -> Tensor:
    """Low-pass along the first axis and keep every other row, the first among them."""
    import torch

    rows = plane.shape[0]
    places = torch.arange(-2, rows + 2, device=plane.device) % (2 * rows)
    padded = plane[torch.minimum(places, 2 * rows - 1 - places)]
    span = 2 * ((rows + 1) // 2) - 1
    a, b, c, d, e = (padded[shift : shift + span : 2] for shift in range(5))
    return 0.05 * (a + e) + 0.25 * (b + d) + 0.4 * c


def expand(plane: Tensor, rows: int) -> Tensor:
    """Double the rows with the same filter, to ``rows``."""
    import torch

    before, after = torch.cat([plane[:1], plane[:-1]]), torch.cat([plane[1:], plane[-1:]])
    even, odd = 0.1 * (before + after) + 0.8 * plane, 0.5 * (plane + after)
    return torch.stack([even, odd], dim=1).flatten(0, 1)[:rows]


def _divide(values: Tensor, level: _Level) -> Tensor:
    from torch.nn import functional

    height, width = values.shape
    around = functional.pad(values.abs(), (2, 2, 1, 1))
    total = level.constant + level.right * around[1:-1, 3 : 3 + width] + level.left * around[1:-1, 1 : 1 + width]
    if level.below or level.above:
        total = total + level.below * around[2:, 2 : 2 + width] + level.above * around[:height, 2 : 2 + width]
    if level.second:
        total = total + level.second * around[1:-1, :width]
    return values / total
