"""Two luma conventions that the literature uses, and that must not be mixed.

* *Studio range*, BT.601: Y = 65.481 R + 128.553 G + 24.966 B + 16 with R, G, B in [0,1]; from 16 to 235.
  Papers on super-resolution compare this one.
* *Gray*: Y = 0.2989 R + 0.5870 G + 0.1140 B on 0-255, rounded to integers, which is what MATLAB's rgb2gray
  makes of an 8-bit image and what most reference programs of the 2000s compare.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def studio(images: Tensor) -> Tensor:
    """(N,3,H,W) in [0,1] -> (N,1,H,W) in [16,235], not rounded."""
    red, green, blue = images.unbind(1)
    return (65.481 * red + 128.553 * green + 24.966 * blue + 16).unsqueeze(1)


def gray(images: Tensor) -> Tensor:
    """(N,3,H,W) in [0,1] -> (N,1,H,W) whole numbers in [0,255]; halves go to the even neighbour."""
    red, green, blue = images.unbind(1)
    return ((0.2989 * red + 0.5870 * green + 0.1140 * blue) * 255).round().unsqueeze(1)
