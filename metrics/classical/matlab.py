"""What MATLAB's image functions compute, where the numbers of published programs depend on it.

Three details decide how near one comes to values that other programs published:

* *Gray* is not .2989 R + .5870 G + .1140 B but the first row of the inverse of MATLAB's YIQ matrix, whose further
  digits move a few pixels in a thousand by one level; of 8-bit images it is rounded, halves upwards.
* *Half size* is antialiased bicubic in double precision. The weights are multiples of 1/256, so that whole numbers
  stay exact.
* *Halves* are rounded upwards, here in the side of the squares that large images are averaged over (planes.py) and in
  the number of blocks that DSS looks at; packages that call Python's ``round`` differ there.
"""

from __future__ import annotations

from math import floor
from typing import TYPE_CHECKING

from .resize import resized

if TYPE_CHECKING:
    from torch import Tensor

GRAY = (0.298936021293775, 0.587043074451121, 0.114020904255103)


def gray(images: Tensor) -> Tensor:
    """(N,3,H,W) in [0,1], taken as 8-bit images -> (N,1,H,W) whole numbers in [0,255]."""
    red, green, blue = (images * 255).round().unbind(1)
    return (GRAY[0] * red + GRAY[1] * green + GRAY[2] * blue + 0.5).floor().unsqueeze(1)


def rounded(value: float) -> int:
    """MATLAB's ``round`` of a number of at least 0: halves upwards. Python's gives the even number, 2 for 2.5."""
    return floor(value + 0.5)


def half(plane: Tensor) -> Tensor:
    """(N,C,H,W) at half size; odd sides are rounded up."""
    height, width = plane.shape[2:]
    return resized(plane, -(-height // 2), -(-width // 2), 0.5)
