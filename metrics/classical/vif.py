"""Visual information fidelity, wavelet domain.

Subbands of the reference are modelled as Gaussian scale mixtures of 3x3 blocks, the distortion as a local gain g and
additive noise of variance v, and the eye as noise of variance n = 0.4. VIF = sum of log2(1 + g^2 s l / (v + n)) over
sum of log2(1 + s l / n), over blocks of variance field s, eigenvalues l of the blocks' covariance and subbands: the
information that the image keeps about the reference, over what the reference holds. Range [0, inf): 1 for identical
images, above 1 where contrast is enhanced; higher is better.

Sheikh, Bovik: Image information and visual quality. IEEE Transactions on Image Processing 15(2), 2006.
doi:10.1109/TIP.2005.859378. Filters: the six-orientation steerable pyramid of Simoncelli and Freeman, The steerable
pyramid, ICIP 1995. doi:10.1109/ICIP.1995.537667

Protocol: gray as MATLAB's rgb2gray (rounded, 0-255); four levels, of six orientations the two along the axes; windows
of 17, 9, 5 and 3 from the finest level to the coarsest; borders mirrored, and blocks that a border reaches left out:
the authors' program. The roles differ. A shortest side of 65 leaves one block at the coarsest level. ``vifp`` is the
authors' simpler form in the pixel domain and gives other numbers. NaN for a flat reference, which holds no information.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import inf
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from ...bench.protocols import MetricInfo
from ..inputs import pair
from .matlab import gray as rgb2gray
from .prepared import compare

if TYPE_CHECKING:
    import torch
    from torch import Tensor

LEVELS = 4
BLOCK = 3
NOISE = 0.4
TINY = 1e-15
"""A sum of squared deviations below this counts as zero."""

# Quarters of the filters from the corner to the middle; the rest follows by symmetry.
FIRST = (
    (0.00341614, -0.01551246, -0.03848215),
    (-0.01551246, 0.05586982, 0.15925570),
    (-0.03848215, 0.15925570, 0.40304148),
)
LOW = (
    (0.00170808, -0.00489834, -0.00775624, -0.01888864, -0.01924108),
    (-0.00489834, -0.01046562, -0.01322234, 0.00821200, 0.02005976),
    (-0.00775624, -0.01322234, 0.02793492, 0.06554076, 0.07962786),
    (-0.01888864, 0.00821200, 0.06554076, 0.12852666, 0.16339236),
    (-0.01924108, 0.02005976, 0.07962786, 0.16339236, 0.20193080),
)
BAND = (
    (0.00277643, 0.00496194, 0.01026699, 0.01455399),
    (-0.00986904, -0.00893064, 0.01189859, 0.02755155),
    (-0.01021852, -0.03075356, -0.08226445, -0.11732297),
    (0.0, 0.0, 0.0, 0.0),
)
"""Odd from top to bottom, even from left to right; turned, it is the other band."""


class _Source(NamedTuple):
    """One subband of the reference: all that does not depend on the image it is compared with."""

    values: Tensor
    window: int
    mean: Tensor
    variance: Tensor
    """Of the window around every block."""
    powers: Tensor
    """s l, (9, blocks down, blocks across)."""
    information: Tensor


@dataclass(frozen=True)
class VIF:
    """Visual information fidelity in the wavelet domain."""

    info: ClassVar[MetricInfo] = MetricInfo(
        "vif",
        "VIF",
        needs="pair",
        better="higher",
        bounds=(0.0, inf),
        least=65,
        dtype="float64",
        color="gray (rgb2gray, rounded)",
        cite="Sheikh and Bovik 2006, doi:10.1109/TIP.2005.859378",
        note="Wavelet-domain VIF as in the paper; vifp is the pixel-domain form.",
    )

    def __call__(self, images: Tensor, references: Tensor | None = None, /) -> Tensor:
        images, references = pair("vif", images, references, least=self.info.least)
        return compare(images, references, "vif", sources, _fidelity)


def _fidelity(image: Tensor, reference: list[_Source]) -> Tensor:
    import torch

    kept = [_kept(values, source) for values, source in zip(subbands(rgb2gray(image.double())), reference, strict=True)]
    return torch.stack(kept).sum() / torch.stack([source.information for source in reference]).sum()


def sources(image: Tensor) -> list[_Source]:
    """Model of one reference (1,3,H,W), subband by subband."""
    import torch

    found = []
    for number, values in enumerate(subbands(rgb2gray(image.double()))):
        window = 2 ** (LEVELS - number // 2) + 1
        rows, columns = values.shape
        vectors = values.unfold(0, BLOCK, 1).unfold(1, BLOCK, 1).reshape(-1, BLOCK * BLOCK)
        covariance = torch.cov(vectors.T, correction=0)
        eigenvalues, axes = torch.linalg.eigh(covariance)
        # Directions without variance beyond rounding errors (flat images) hold no information.
        real = eigenvalues > eigenvalues[-1] * (BLOCK * BLOCK * torch.finfo(values.dtype).eps)
        inverse = torch.where(real, 1 / eigenvalues, 0)
        eigenvalues = torch.where(real, eigenvalues, 0)
        blocks = values.reshape(rows // BLOCK, BLOCK, columns // BLOCK, BLOCK).transpose(1, 2).flatten(2)
        field = ((blocks @ axes).square() * inverse).sum(2) / (BLOCK * BLOCK)
        powers = _inside(field, window) * eigenvalues[:, None, None]
        mean = local_means(values, window)
        variance = (local_means(values.square(), window) - mean.square()).clamp_min(0)
        information = torch.log2(1 + powers / NOISE).sum()
        found.append(_Source(values, window, mean, variance, powers, information))
    return found


def _kept(values: Tensor, source: _Source) -> Tensor:
    """Information about one subband of the reference that reaches the eye through the image."""
    import torch

    window, tiny = source.window, TINY / source.window**2
    mean = local_means(values, window)
    variance = (local_means(values.square(), window) - mean.square()).clamp_min(0)
    covariance = local_means(values * source.values, window) - mean * source.mean
    # Where the reference or the image is flat, or the image falls as the reference rises, all is noise: no gain.
    some = (source.variance >= tiny) & (variance >= tiny)
    gain = torch.where(some, covariance / torch.where(some, source.variance, 1), 0).clamp_min(0)
    noise = (variance - gain * covariance).clamp_min(TINY)
    gain, noise = _inside(gain, window), _inside(noise, window)
    return torch.log2(1 + gain.square() * source.powers / (noise + NOISE)).sum()


def _inside(blocks: Tensor, window: int) -> Tensor:
    """Without the blocks whose window reaches over the border."""
    border = -(-(window // 2) // BLOCK)
    return blocks[border:-border, border:-border]


def local_means(values: Tensor, window: int) -> Tensor:
    """Means over square windows centred on the middle of every block."""
    from torch.nn import functional

    reach = window // 2
    padded = functional.pad(values[None, None], (reach,) * 4, mode="reflect")[..., 1:, 1:]
    rows = functional.avg_pool2d(padded, (window, 1), (BLOCK, 1))
    return functional.avg_pool2d(rows, (1, window), (1, BLOCK))[0, 0]


def subbands(plane: Tensor) -> list[Tensor]:
    """(1,1,H,W) -> the two subbands of every level, cut to whole blocks, the finest level first."""
    first, low, oriented = _filters(plane.dtype, plane.device)
    plane = _filtered(plane, first)
    found = []
    for level in range(LEVELS):
        if level:
            plane = _filtered(plane, low, stride=2)
        pair_of_bands = _filtered(plane, oriented)[0]
        rows, columns = (side - side % BLOCK for side in pair_of_bands.shape[1:])
        found += list(pair_of_bands[:, :rows, :columns])
    return found


def _filtered(plane: Tensor, filters: Tensor, stride: int = 1) -> Tensor:
    from torch.nn import functional

    reach = filters.shape[-1] // 2
    return functional.conv2d(functional.pad(plane, (reach,) * 4, mode="reflect"), filters, stride=stride)


@lru_cache(maxsize=4)
def _filters(dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """The pyramid's first low-pass, the one between levels and the two oriented filters."""
    import torch

    def whole(quarter: tuple[tuple[float, ...], ...], sign: int) -> Tensor:
        left = torch.tensor(quarter, dtype=dtype, device=device)
        upper = torch.cat([left, left[:, :-1].flip(1)], dim=1)
        return torch.cat([upper, sign * upper[:-1].flip(0)])

    band = whole(BAND, -1)
    return whole(FIRST, 1)[None, None], whole(LOW, 1)[None, None], torch.stack([band, band.T])[:, None]
