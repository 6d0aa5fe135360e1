"""Means in a sliding Gaussian window, as two one-dimensional convolutions over all planes at once."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import Tensor


def smooth(planes: Tensor, side: int, sigma: float) -> Tensor:
    """Weighted means over windows that lie wholly inside: (1,C,H,W) -> (1,C,H-side+1,W-side+1).

    Args:
        planes: any number of planes; together they cost little more than one.
        side: of the window, in pixels.
        sigma: its standard deviation, in pixels.
    """
    import torch
    import torch.nn.functional as F

    count = planes.shape[1]
    line = gaussian(side, sigma, planes.dtype, planes.device)
    across = line.expand(count, 1, 1, side).contiguous()
    down = across.transpose(2, 3).contiguous()
    # Depth-wise convolution is several times faster when a pixel's planes lie side by side in memory.
    planes = planes.contiguous(memory_format=torch.channels_last)
    return F.conv2d(F.conv2d(planes, across, groups=count), down, groups=count).contiguous()


@lru_cache(maxsize=32)
def gaussian(side: int, sigma: float, dtype: torch.dtype, device: torch.device) -> Tensor:
    """(side,) Gaussian with sum 1; its outer product with itself is the usual square window."""
    import torch

    place = torch.arange(side, dtype=torch.float64) - (side - 1) / 2
    line = (-place.square() / (2 * sigma**2)).exp()
    return (line / line.sum()).to(device, dtype)
