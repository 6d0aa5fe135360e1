"""Control rows: how far does a score get without looking at the image?"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from .. import stats
from ..manifest import Manifest
from .agreement import Frame
from .scores import Column


@dataclass(frozen=True, slots=True)
class Control:
    """A predictor that cannot see quality, and why it is on the board."""

    column: Column
    title: str
    note: str


def controls(manifest: Manifest, sizes: dict[str, int]) -> list[Control]:
    """The control rows that make sense for a manifest.

    Args:
        manifest: its items, with human scores.
        sizes: file size in bytes by relative path, for images at hand.
    """
    items = manifest.items
    assert manifest.scale is not None
    scores = np.array([np.nan if i.score is None or i.role != "output" else i.score for i in items])
    groups = np.array([i.group for i in items])
    made: list[Control] = []
    partitions: list[tuple[int, ...]] = []
    for name, title, labels, note in (
        (
            "algorithm-identity",
            "Algorithm identity",
            np.array([i.generator for i in items]),
            "mean score of the same generator on the other references; never sees the image",
        ),
        (
            "class-identity",
            "Class identity",
            np.array([i.distortion for i in items]),
            "mean score of the same distortion class on the other references; never sees the image",
        ),
    ):
        known = (labels != "") & np.isfinite(scores)
        if len(set(labels[known].tolist())) < 2 or len(set(groups[known].tolist())) < 2:
            continue
        if max(np.unique(labels[known], return_counts=True)[1]) < 2:
            continue
        partition = tuple(np.unique(labels, return_inverse=True)[1].tolist())
        if partition in partitions:  # classes that are the generators again
            continue
        partitions.append(partition)
        guess = np.full(len(items), np.nan)
        guess[known] = stats.leave_one_out_means(scores[known], groups[known], labels[known])
        made.append(Control(Column.of(name, manifest.scale.better, guess), title, note))
    bytes_ = np.array([sizes.get(i.image, np.nan) for i in items], float)
    if np.isfinite(bytes_).any():
        note = "size of the image file; never sees a pixel"
        made.append(Control(Column.of("file-size", "higher", bytes_), "File size", note))
    made.append(
        Control(
            Column.of("random", "higher", [_uniform(i.key) for i in items]),
            "Random",
            "a number drawn from the item's name",
        )
    )
    return made


def frame_of(manifest: Manifest, level: float, resamples: int, seed: int) -> tuple[Frame, np.ndarray]:
    """The frame of all scored outputs, and their indices among the manifest's items."""
    assert manifest.scale is not None
    rows = np.array([n for n, i in enumerate(manifest.items) if i.role == "output" and i.score is not None], int)
    items = [manifest.items[n] for n in rows]
    generators = np.array([i.generator for i in items])
    groups = np.array([i.group for i in items])
    frame = Frame(
        np.array([i.score for i in items], float),
        manifest.scale.sign,
        groups,
        np.array([i.block or i.group for i in items]),
        generators,
        level,
        resamples,
        seed,
        crossed(groups, generators),
    )
    return frame, rows


def crossed(groups: np.ndarray, generators: np.ndarray) -> bool:
    """Whether most generators meet most references, so that both can be resampled."""
    names, size = set(generators.tolist()), len(groups)
    count = len(set(groups.tolist()))
    return "" not in names and len(names) >= 3 and count >= 2 and size >= 0.8 * len(names) * count


def _uniform(key: str) -> float:
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") / 2**64
