"""Training pairs: photographs, the same made four times smaller, and random patches of both.

The small image is made as MATLAB's imresize does (bicubic, antialiased) and rounded to bytes, as a file would
be. Every fifth file of a folder, by name, is held out and never trained on. A batch depends on the seed and the
step alone, so that training goes on after an interruption as if there had been none.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ...bench.errors import UsageError
from ...bench.images import read, to_uint8
from ...bench.images.resample import matrix
from ..base import Pixels

SCALE = 4
_EVERY = 5
_SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})

Batch = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]
"""(N, 3, s, s) and (N, 3, 4s, 4s), RGB in [0, 1]."""


@dataclass(frozen=True, eq=False)
class Pair:
    """A photograph and its small version."""

    name: str
    high: Pixels
    low: Pixels


def files(folders: Iterable[Path | str], *, held_out: bool) -> list[Path]:
    """The image files of some folders: those to train on, or those held out.

    Raises:
        UsageError: a folder without images.
    """
    answer = []
    for folder in map(Path, folders):
        found = sorted(p for p in folder.glob("*") if p.suffix.lower() in _SUFFIXES and p.is_file())
        if not found:
            raise UsageError(f"{folder} holds no image files; name a folder of photographs", code="E-CFG")
        answer += [path for place, path in enumerate(found) if (place % _EVERY == _EVERY - 1) == held_out]
    return answer


def pair(path: Path) -> Pair:
    """A file, cut to sides that four divides, with its small version."""
    pixels, _ = read(path, shown=path.name)
    height, width = (side - side % SCALE for side in pixels.shape[:2])
    high = np.ascontiguousarray(pixels[:height, :width])
    return Pair(path.stem, high, shrunk(high))


def shrunk(high: Pixels) -> Pixels:
    """A quarter of the sides, antialiased bicubic, rounded to bytes."""
    rows, columns = (matrix(side, side // SCALE) for side in high.shape[:2])
    return to_uint8(np.einsum("ih,hwc,jw->ijc", rows, high / 255.0, columns, optimize=True))


def batch(pairs: Sequence[Pair], *, seed: int, step: int, side: int, count: int) -> Batch:
    """Patches of random photographs (by their area) at random places, flipped and turned at random.

    Args:
        pairs: what to choose from.
        seed: of the whole training.
        step: of which this is the batch.
        side: of the small patch.
        count: number of patches.

    Raises:
        UsageError: a photograph is smaller than a patch.
    """
    for one in pairs:
        if min(one.low.shape[:2]) < side:
            raise UsageError(
                f"{one.name} has {one.high.shape[1]}x{one.high.shape[0]} pixels, too few for patches of "
                f"{SCALE * side}; leave it out",
                code="E-CFG",
            )
    random = np.random.default_rng((seed, step))
    areas = np.array([one.low.shape[0] * one.low.shape[1] for one in pairs], float)
    lows, highs = [], []
    for place in random.choice(len(pairs), count, p=areas / areas.sum()):
        chosen = pairs[place]
        top, left = (int(random.integers(length - side + 1)) for length in chosen.low.shape[:2])
        turns, mirrored = int(random.integers(4)), bool(random.integers(2))
        for out, image, s in ((lows, chosen.low, 1), (highs, chosen.high, SCALE)):
            patch = np.rot90(image[s * top : s * (top + side), s * left : s * (left + side)], turns)
            out.append((patch[:, ::-1] if mirrored else patch).transpose(2, 0, 1))
    low, high = (np.stack(part).astype(np.float32) / np.float32(255) for part in (lows, highs))
    return low, high
