"""Running a network over an image piece by piece, to bound memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def tiled(
    model: Callable[[Tensor], Tensor],
    image: Tensor,
    *,
    scale: int,
    tile: int | tuple[int, int],
    overlap: int,
    least: int | tuple[int, int] = 1,
) -> Tensor:
    """An enlarged image, made of pieces that are computed with some of their surroundings.

    Where the network looks no further than ``overlap`` pixels, the result is that in one piece, up to rounding.

    Args:
        model: (1, 3, h, w) -> (1, 3, h*scale, w*scale), for any size.
        image: (1, 3, h, w).
        scale: output side divided by input side.
        tile: side of a piece in input pixels, or its height and width; 0 = the whole image at once.
        overlap: input pixels of its surroundings that each piece is computed with, on each side.
        least: side, or height and width, that a piece with its surroundings must have; it gets more of them where it
            would be smaller. The image must be as large.

    Returns:
        (1, 3, h*scale, w*scale).
    """
    height, width = image.shape[2:]
    tall, wide = (tile, tile) if isinstance(tile, int) else tile
    low, narrow = (least, least) if isinstance(least, int) else least
    if not tall or not wide or (height <= max(tall, low) and width <= max(wide, narrow)):
        return model(image)
    out = image.new_empty(1, 3, height * scale, width * scale)
    for top, bottom in _cuts(height, tall):
        y, y_end = _around(top, bottom, overlap, low, height)
        for left, right in _cuts(width, wide):
            x, x_end = _around(left, right, overlap, narrow, width)
            piece = model(image[:, :, y:y_end, x:x_end])
            out[:, :, top * scale : bottom * scale, left * scale : right * scale] = piece[
                :, :, (top - y) * scale : (bottom - y) * scale, (left - x) * scale : (right - x) * scale
            ]
    return out


def _cuts(length: int, tile: int) -> list[tuple[int, int]]:
    return [(start, min(start + tile, length)) for start in range(0, length, tile)]


def _around(start: int, end: int, overlap: int, least: int, length: int) -> tuple[int, int]:
    """A piece with its surroundings, inside the image and not shorter than ``least``."""
    first, last = max(start - overlap, 0), min(end + overlap, length)
    last = min(max(last, first + least), length)
    return min(first, max(last - least, 0)), last
