"""Where crops are cut: from a fixed grid, or drawn from a stream that belongs to (seed, epoch, image).

Nothing depends on the order of images, on the batch or on the number of processes. A reference is cut where its image
is; a non-aligned or re-distorted picture has a stream of its own. Crops are flipped and turned by 90 degrees and
nothing else: resampling would change the quality that is to be judged. A network may also see images whole up to some
side; crops are then as large as the image where that is smaller, and a larger one is covered.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Side = int | tuple[int, int]
"""Of a crop: of a square, or height and width."""
SMALLEST = 64
"""Side below which an image that is seen whole is continued by reflection."""


class Crop(NamedTuple):
    """One crop: its corner, whether it is mirrored left to right, and quarter turns."""

    top: int
    left: int
    flip: bool = False
    turn: int = 0


def rng(seed: int, *names: object) -> np.random.Generator:
    """A stream for these names, the same in every process."""
    text = "\0".join([str(seed), *map(str, names)])
    return np.random.Generator(np.random.PCG64(int.from_bytes(hashlib.sha256(text.encode()).digest(), "big")))


def frame(size: Sequence[int], largest: int) -> tuple[int, int]:
    """Height and width of the crops of an image that is seen whole up to ``largest``."""
    height, width = (min(largest, max(n, SMALLEST)) for n in size)
    return height, width


def both(side: Side) -> tuple[int, int]:
    """Height and width."""
    return (side, side) if isinstance(side, int) else side


def padded(picture: npt.NDArray[np.uint8], side: Side) -> npt.NDArray[np.uint8]:
    """A picture smaller than the crop, continued by reflection to its size."""
    height, width = picture.shape[:2]
    missing = [max(0, wanted - n) for wanted, n in zip(both(side), (height, width))]
    if not any(missing):
        return picture
    low = [(n // 2, n - n // 2) for n in missing]
    return np.pad(picture, [*low, (0, 0)], mode="symmetric" if min(height, width) == 1 else "reflect")


def grid(height: int, width: int, side: Side, count: int = 5) -> list[Crop]:
    """The first ``count`` of ten fixed crops: the corners, the middle, and the mirror images of these five; a single
    one is the middle, and 0 stands for as many as cover the picture."""
    if not count:
        return cover(height, width, side)
    down, across = (max(0, n - wanted) for n, wanted in zip((height, width), both(side)))
    middle = Crop(down // 2, across // 2)
    if count == 1:
        return [middle]
    five = [Crop(0, 0), Crop(0, across), Crop(down, 0), Crop(down, across), middle]
    return [*five, *(crop._replace(flip=True) for crop in five)][:count]


def cover(height: int, width: int, side: Side) -> list[Crop]:
    """The fewest crops that leave no pixel out, evenly spread, row by row."""
    tops, lefts = (_spread(size, wanted) for size, wanted in zip((height, width), both(side)))
    return [Crop(top, left) for top in tops for left in lefts]


def _spread(size: int, side: int) -> list[int]:
    room = max(0, size - side)
    steps = -(-room // side)
    return [round(room * n / steps) for n in range(steps + 1)] if steps else [0]


def draw(
    stream: np.random.Generator, height: int, width: int, side: int, count: int, *, flips: bool, turns: bool
) -> list[Crop]:
    """Random crops of a picture of this size."""
    crops = []
    for _ in range(count):
        top = int(stream.integers(0, max(0, height - side) + 1))
        left = int(stream.integers(0, max(0, width - side) + 1))
        flip, turn = bool(stream.integers(2)), int(stream.integers(4))
        crops.append(Crop(top, left, flip and flips, turn if turns else 0))
    return crops


def cut(picture: npt.NDArray[np.uint8], crops: Sequence[Crop], side: Side) -> npt.NDArray[np.uint8]:
    """(m, side, side, 3) of one picture, or (m, height, width, 3)."""
    height, width = both(side)
    whole = padded(picture, side)
    pieces = []
    for crop in crops:
        piece = whole[crop.top : crop.top + height, crop.left : crop.left + width]
        if crop.flip:
            piece = piece[:, ::-1]
        pieces.append(np.rot90(piece, crop.turn))
    return np.ascontiguousarray(np.stack(pieces))
