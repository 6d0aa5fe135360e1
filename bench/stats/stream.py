"""Random streams that depend on names, never on positions.

Key a stream by (table, statistic) and all metrics of the table share its resamples and sign vectors:
their differences are then exact, and adding a metric changes no other row.
"""

from __future__ import annotations

import hashlib

import numpy as np


def generator(root: int, *names: str) -> np.random.Generator:
    """Independent PCG64 stream for a root seed and a path of names.

    Args:
        root: seed of the whole run, not negative.
        names: e.g. ``"kadid", "srocc_within", "bootstrap"``; ``("ab", "c")`` and ``("a", "bc")`` differ.

    Raises:
        ValueError: negative root.
    """
    if root < 0:
        raise ValueError(f"the seed must not be negative, got {root}")
    digest = hashlib.sha256()
    for name in names:
        data = name.encode()
        digest.update(len(data).to_bytes(8, "big"))
        digest.update(data)
    key = np.frombuffer(digest.digest(), dtype=">u4")
    sequence = np.random.SeedSequence(root, spawn_key=tuple(int(word) for word in key))
    return np.random.Generator(np.random.PCG64(sequence))


def signs(n: int, size: int, rng: np.random.Generator | None) -> tuple[np.ndarray, bool]:
    """Sign vectors for a sign-flip test over ``size`` groups, and whether they are all there are.

    All ``2**size`` vectors where size <= 13, else ``n`` random ones.

    Returns:
        ``(vectors, exact)``; vectors is int8 of shape (flips, size).

    Raises:
        ValueError: more than 13 groups and no random generator.
    """
    if size <= 13:
        numbers = np.arange(2**size)[:, None]
        return (1 - 2 * ((numbers >> np.arange(size)) & 1)).astype(np.int8), True
    if rng is None:
        raise ValueError(f"{size} groups are too many for exact enumeration; give a random generator")
    return (1 - 2 * rng.integers(0, 2, (n, size), dtype=np.int8)).astype(np.int8), False
