"""Natural scene statistics: what NIQE and BRISQUE measure on an image.

Photographs, normalised locally, have nearly Gaussian pixels, and products of neighbours follow a skewed
bell curve; distortions change the shape of both. The two metrics differ in what they make of the shapes.

*Nothing stays nothing*: on flat ground and on even slopes a pixel equals the mean of its window, and normalised it is
0. Computed in floating point it is 0 or about 1e-14 of either sign, as the rounding of the filter happens to fall on
this or that processor, and statistics that count the pixels on each side of zero take that for a side: where a third
of an image is flat, BRISQUE differs by 8 units between two orders of summation. What rounding leaves is set to 0 here,
as exact arithmetic has it.

Sources: Mittal, Moorthy, Bovik 2012, doi:10.1109/TIP.2012.2214050 (normalisation and fits, equations 1-16);
Sharifi, Leon-Garcia 1995, doi:10.1109/76.370124 (generalised Gaussian by moments); Lasmar, Stitou,
Berthoumieu 2009, doi:10.1109/ICIP.2009.5414404 (its asymmetric form). The shape parameter is looked up on
the grid 0.2, 0.201, ..., 10 that the authors use, so that values compare with published ones.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

NEIGHBOURS = ((0, 1), (1, 0), (1, 1), (1, -1))
"""Offsets (rows, columns) of the four neighbours that pixels are multiplied with."""
NOTHING = 1e-9
"""Rounding leaves 1e-13 at most; whole numbers and a Gaussian window make nothing between."""


@cache
def _grid() -> tuple[Tensor, Tensor]:
    """Shapes from .2 to 10, and (E|x|)^2 / E[x^2] of a generalised Gaussian of each; both increase."""
    import torch

    shape = torch.arange(200, 10001, dtype=torch.float64) / 1000
    log_ratio = 2 * torch.lgamma(2 / shape) - torch.lgamma(1 / shape) - torch.lgamma(3 / shape)
    return shape, log_ratio.exp()


def _look_up(shapes: Tensor, table: Tensor, wanted: Tensor) -> Tensor:
    """The shape whose entry in an increasing table is nearest; for NaN some shape, to be masked by the caller."""
    import torch

    shapes, table = shapes.to(wanted), table.to(wanted)
    right = torch.searchsorted(table, wanted.contiguous()).clamp(1, table.numel() - 1)
    left = right - 1
    return shapes[torch.where(wanted - table[left] <= table[right] - wanted, left, right)]


def normalise(luma: Tensor, window: Tensor, padding: str) -> Tensor:
    """Mean-subtracted, contrast-normalised pixels: (x - m) / (s + 1), m and s in a Gaussian window.

    Args:
        luma: (N,1,H,W) on the 0-255 scale, float64.
        window: (k,k), k odd, sum 1.
        padding: how the border is continued: ``replicate`` or ``constant`` (zeros).
    """
    import torch.nn.functional as F

    half = window.shape[-1] // 2
    kernel = window[None, None].to(luma)

    def mean(x: Tensor) -> Tensor:
        return F.conv2d(F.pad(x, (half, half, half, half), mode=padding), kernel)

    middle = mean(luma)
    spread = (mean(luma.square()) - middle.square()).abs().sqrt()
    done = (luma - middle) / (spread + 1)
    return done.masked_fill(done.abs() < NOTHING, 0)


def gaussian(side: int, sigma: float) -> Tensor:
    """(side,side) Gaussian window with sum 1, float64."""
    import torch

    x = torch.arange(side, dtype=torch.float64) - (side - 1) / 2
    line = (-x.square() / (2 * sigma**2)).exp()
    window = line[:, None] * line[None, :]
    return window / window.sum()


def products(blocks: Tensor) -> list[Tensor]:
    """(B,h,w) -> four tensors (B,h,w): each pixel times one of its neighbours, wrapping at the borders."""
    return [blocks * blocks.roll(offset, dims=(1, 2)) for offset in NEIGHBOURS]


def symmetric_shape(blocks: Tensor) -> tuple[Tensor, Tensor]:
    """Fit a generalised Gaussian to each of (B,...): shape (B,) and variance (B,)."""
    flat = blocks.flatten(1)
    variance = flat.square().mean(1)
    shapes, table = _grid()
    # Nearest in E[x^2]/(E|x|)^2, the reciprocal of the table, as the authors search.
    wanted = variance / flat.abs().mean(1).square()
    return _look_up(shapes.flip(0), (1 / table).flip(0), wanted), variance


def asymmetric_shape(blocks: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Fit an asymmetric generalised Gaussian to each of (B,...): shape, left and right deviation, each (B,).

    NaN where a block has no values on one side of zero.
    """
    import torch

    flat = blocks.flatten(1)
    squares = flat.square()
    below, above = flat < 0, flat > 0
    left = ((squares * below).sum(1) / below.sum(1)).sqrt()
    right = ((squares * above).sum(1) / above.sum(1)).sqrt()
    skew = left / right
    ratio = flat.abs().mean(1).square() / squares.mean(1)
    wanted = ratio * (skew**3 + 1) * (skew + 1) / (skew.square() + 1).square()
    shape = _look_up(*_grid(), wanted)
    return torch.where(wanted.isfinite(), shape, torch.nan), left, right


def scales(shape: Tensor, left: Tensor, right: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean and the two scale parameters of an asymmetric generalised Gaussian, each (B,)."""
    import torch

    to_scale = ((torch.lgamma(1 / shape) - torch.lgamma(3 / shape)) / 2).exp()
    low, high = left * to_scale, right * to_scale
    mean = (high - low) * (torch.lgamma(2 / shape) - torch.lgamma(1 / shape)).exp()
    return mean, low, high
