"""A 64-bit perceptual hash: pictures of one content lie within a few bits of each other, others about 32 apart.

The luma is reduced to 32x32, its discrete cosine transform taken, and each of the 64 lowest frequencies compared with
their median (without the mean of the picture). Two hashes that differ in at most ``NEAR`` bits are taken for the same
content; enlargement, mild noise or a JPEG file move fewer.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

from ..images import luma_bt601

NEAR = 6


def phash(pixels: npt.NDArray[np.uint8]) -> int:
    """Hash of (H, W, 3) uint8 RGB."""
    from scipy.fft import dctn

    gray = Image.fromarray(luma_bt601(pixels).astype(np.float32))
    small = np.asarray(gray.resize((32, 32), Image.Resampling.BOX), dtype=np.float64)
    low = np.asarray(dctn(small, norm="ortho"))[:8, :8].ravel()
    bits = low > np.median(low[1:])
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def near(first: Sequence[int], second: Sequence[int], most: int = NEAR) -> tuple[int, int] | None:
    """Places of the first pair, one from each side, that differ in at most ``most`` bits."""
    if not first or not second:
        return None
    b = np.asarray(second, dtype=np.uint64)
    for place, value in enumerate(first):
        apart = np.bitwise_count(b ^ np.uint64(value))
        hit = np.flatnonzero(apart <= most)
        if len(hit):
            return place, int(hit[0])
    return None


def alike(values: Sequence[int], names: Sequence[str], most: int = NEAR) -> npt.NDArray[np.intp]:
    """A number per picture: equal for pictures of one name, for near-duplicates, and for what a chain of them joins."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    known = np.asarray(values, dtype=np.uint64)
    _, name = np.unique(np.asarray(names, dtype=str), return_inverse=True)
    pairs = [np.column_stack((np.arange(len(known)), len(known) + name))]  # names are points of the graph as well
    for place, value in enumerate(known):
        later = np.flatnonzero(np.bitwise_count(known[place + 1 :] ^ value) <= most) + place + 1
        pairs.append(np.column_stack((np.full(len(later), place), later)))
    rows, columns = np.concatenate(pairs).T
    size = 2 * len(known)
    graph = coo_array((np.ones(len(rows)), (rows, columns)), shape=(size, size))
    return connected_components(graph, directed=False)[1][: len(known)]
