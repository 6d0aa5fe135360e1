"""Colour planes that several metrics begin with, remembered per image.

Most metrics of the 2010s average an image over squares of max(1, round(shortest side / 256)) pixels first;
they differ in what they do at the right and lower border where the squares do not fit. Their programs are written in
MATLAB, whose ``round`` takes halves away from zero: 640 pixels give squares of 3. Python's takes halves to the even
number, 2, and so do packages that call it; at sides of 640, 1152, 1664 ... (an even number and a half times 256) their
values are of other squares than the published programs'.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..memory import recall
from .matlab import rounded

if TYPE_CHECKING:
    from torch import Tensor

YIQ = ((0.299, 0.587, 0.114), (0.5959, -0.2746, -0.3213), (0.2115, -0.5227, 0.3112))


def mix(image: Tensor, weights: tuple[tuple[float, ...], ...]) -> Tensor:
    """(1,3,H,W) -> (1,K,H,W): K weighted sums of the channels, weights (K,3)."""
    matrix = image.new_tensor(weights)
    return (matrix @ image.reshape(3, -1)).view(1, len(weights), *image.shape[2:])


def yiq(image: Tensor) -> Tensor:
    """(1,3,H,W) in [0,1] -> Y in [0,255], I and Q, as (1,3,H,W)."""
    return recall(image, "yiq", lambda rgb: mix(rgb * 255, YIQ))


def square(image: Tensor) -> int:
    """Side of the squares that a large image is averaged over: max(1, round(shortest side / 256)), halves upwards."""
    return max(1, rounded(min(image.shape[-2:]) / 256))


def averaged(planes: Tensor, side: int, border: str) -> Tensor:
    """Mean over squares.

    Args:
        planes: (1,C,H,W).
        side: of the squares; 1 returns the planes as they are.
        border: ``cut`` (incomplete squares are left out), ``zeros`` (zeros are added above and below, left and
            right, so that every pixel counts) or ``replicate`` (border pixels are repeated likewise).
    """
    import torch.nn.functional as F

    if side == 1:
        return planes
    before, after = (side - 1) // 2, side // 2
    if border == "zeros":
        planes = F.pad(planes, (before, after, before, after))
    elif border == "replicate":  # here the odd one goes in front
        planes = F.pad(planes, (after, before, after, before), mode="replicate")
    return F.avg_pool2d(planes, side)


def halved(planes: Tensor) -> Tensor:
    """Mean over 2x2 squares; one row and one column of zeros are added below and right if a side is odd."""
    import torch.nn.functional as F

    odd = max(side % 2 for side in planes.shape[-2:])
    return F.avg_pool2d(F.pad(planes, (0, odd, 0, odd)) if odd else planes, 2)
