"""How well a metric agrees with people: correlation, error, and where the agreement comes from.

Signs are kept: multiply a "lower is better" metric by -1 first, so that a metric that points the wrong way
shows as negative. Undefined results (constant input, fewer than 3 items) are nan, never 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from .arrays import Codes, Floats, codes, pair, vector

Coefficient = Callable[[Floats, Floats], float]


def srocc(x: ArrayLike, y: ArrayLike) -> float:
    """Spearman's rank correlation (Pearson on mid-ranks), in [-1, 1]; infinities rank at the ends."""
    a, b = pair(x, y)
    if len(a) < 3:
        return float("nan")
    return _pearson(stats.rankdata(a), stats.rankdata(b))


def krocc(x: ArrayLike, y: ArrayLike) -> float:
    """Kendall's tau-b, in [-1, 1]; infinities rank at the ends."""
    a, b = pair(x, y)
    if len(a) < 3 or a.min() == a.max() or b.min() == b.max():
        return float("nan")
    # The p-value is not used; "asymptotic" keeps its cost negligible.
    return float(np.asarray(stats.kendalltau(a, b, variant="b", method="asymptotic"))[0])


def plcc(x: ArrayLike, y: ArrayLike) -> float:
    """Pearson's linear correlation, in [-1, 1], of the values as they are (map them first if wanted)."""
    a, b = pair(x, y, finite=True)
    return _pearson(a, b) if len(a) >= 3 else float("nan")


def _pearson(a: Floats, b: Floats) -> float:
    if a.min() == a.max() or b.min() == b.max():
        return float("nan")
    a, b = _unit(a), _unit(b)
    return float(np.clip(a @ b / np.sqrt((a @ a) * (b @ b)), -1, 1))


def _unit(a: Floats) -> Floats:
    """Deviations from the mean scaled to at most 1, so that squares neither overflow nor vanish."""
    a = a / np.abs(a).max()
    a = a - a.mean()
    return a / np.abs(a).max()


def rmse(y: ArrayLike, fitted: ArrayLike, d: int = 0) -> float:
    """Root mean square error in units of ``y``, with ``n - d`` degrees of freedom (ITU-T P.1401, 7-29).

    Args:
        y: human scores (n,).
        fitted: mapped metric values (n,).
        d: free parameters of the mapping; 0 gives the plain root mean square.
    """
    a, b = pair(y, fitted, finite=True)
    return _root_mean(a - b, d)


def rmse_star(y: ArrayLike, fitted: ArrayLike, ci95: ArrayLike, d: int = 0) -> float:
    """RMSE of what exceeds each item's own 95 % half-width ``ci95`` (ITU-T P.1401, 7-27 and 7-29)."""
    a, b = pair(y, fitted, finite=True)
    return _root_mean(np.maximum(0, np.abs(a - b) - _half_width(ci95, len(a))), d)


def outlier_ratio(y: ArrayLike, fitted: ArrayLike, ci95: ArrayLike) -> float:
    """Share of items whose error exceeds their own 95 % half-width, in [0, 1].

    Its standard error is ``sqrt(p * (1 - p) / n)``; ``interval.wilson`` gives an interval.
    """
    a, b = pair(y, fitted, finite=True)
    width = _half_width(ci95, len(a))
    return float(np.mean(np.abs(a - b) > width)) if len(a) else float("nan")


def _half_width(ci95: ArrayLike, n: int) -> Floats:
    width = vector(ci95, "ci95", finite=True)
    if len(width) != n or (width < 0).any():
        raise ValueError(f"ci95 must be {n} half-widths that are not negative")
    return width


def _root_mean(error: Floats, d: int) -> float:
    freedom = len(error) - d
    return float(np.sqrt(error @ error / freedom)) if freedom > 0 else float("nan")


@dataclass(frozen=True, slots=True)
class Within:
    """One coefficient per group (reference), the raw material of the headline statistic."""

    groups: tuple[str, ...]
    """Groups that have a value, sorted by name."""
    values: Floats
    """Coefficient of each of ``groups``."""
    n: int
    """Items in the blocks that were used."""

    @property
    def mean(self) -> float:
        """The headline: mean over groups; nan without any."""
        return float(self.values.mean()) if len(self.values) else float("nan")


def within(
    x: ArrayLike,
    y: ArrayLike,
    groups: ArrayLike,
    blocks: ArrayLike | None = None,
    least: int = 5,
    coefficient: Coefficient = srocc,
) -> Within:
    """Agreement inside each group, where scores may be compared.

    Args:
        x: metric values (n,), higher = better.
        y: human scores (n,), higher = better.
        groups: label of each item's group, the independent unit of the study (the reference).
        blocks: label of each item's block, inside which scores are comparable; by default the group.
            A group's value is the mean over its blocks.
        least: a block counts if it has at least this many items and two distinct values on each side.
        coefficient: ``srocc``, ``krocc``, ``plcc`` or any function of two arrays.

    Raises:
        ValueError: NaN, lengths that differ, or a block that spans several groups.
    """
    a, b = pair(x, y)
    names, group = codes(groups, len(a), "groups")
    block_names, block = (names, group) if blocks is None else codes(blocks, len(a), "blocks")
    owner = owners(block, group, block_names)
    found: list[list[float]] = [[] for _ in names]
    n = 0
    for number, rows in enumerate(members(block, len(block_names))):
        u, v = a[rows], b[rows]
        if len(rows) < max(least, 2) or u.min() == u.max() or v.min() == v.max():
            continue
        value = coefficient(u, v)
        if np.isfinite(value):
            found[owner[number]].append(value)
            n += len(rows)
    kept = [(str(name), float(np.mean(values))) for name, values in zip(names, found) if values]
    return Within(tuple(name for name, _ in kept), np.array([value for _, value in kept], dtype=float), n)


def members(index: Codes, n: int) -> list[Codes]:
    """For each of ``n`` codes the rows that carry it, in ascending order."""
    order = np.argsort(index, kind="stable")
    return np.split(order, np.cumsum(np.bincount(index, minlength=n))[:-1])


def owners(block: Codes, group: Codes, block_names: np.ndarray) -> Codes:
    """The one group that each block belongs to."""
    owner = np.zeros(len(block_names), dtype=np.intp)
    owner[block] = group
    strays = np.flatnonzero(owner[block] != group)
    if len(strays):
        name = block_names[block[strays[0]]]
        raise ValueError(f"block {str(name)!r} has items of several groups; a block must lie inside one group")
    return owner


def centred(values: ArrayLike, labels: ArrayLike) -> Floats:
    """``values`` (n,) less the mean of all items with the same label.

    Rounded to 1e-12 of the largest deviation, so that equal values stay ties after the subtraction.
    """
    a = vector(values, finite=True)
    names, index = codes(labels, len(a), "labels")
    count = np.bincount(index, minlength=len(names))
    rest = a - (np.bincount(index, a, len(names)) / np.maximum(count, 1))[index]
    scale = np.abs(a).max(initial=0)
    return np.round(rest / scale, 12) * scale if scale > 0 else rest


def partial(x: ArrayLike, y: ArrayLike, blocks: ArrayLike) -> float:
    """SROCC after the block means are subtracted from both sides: for blocks too small for ``within``.

    Items that are alone in their block say nothing and are left out.
    """
    a, b = pair(x, y, finite=True)
    names, index = codes(blocks, len(a), "blocks")
    shared = np.bincount(index, minlength=len(names))[index] > 1
    return srocc(centred(a, index)[shared], centred(b, index)[shared])


def residual(x: ArrayLike, y: ArrayLike, groups: ArrayLike, generators: ArrayLike, least: int = 5) -> float:
    """Does the metric see anything beyond which generator made the image?

    The mean over all items of a generator is subtracted from both sides, then SROCC is taken inside each
    group (of at least ``least`` items) and averaged. A metric that only knows the generator gets about 0
    or nan. Generators with a single item are left out.
    """
    a, b = pair(x, y, finite=True)
    names, index = codes(generators, len(a), "generators")
    shared = np.bincount(index, minlength=len(names))[index] > 1
    labels = np.asarray(groups)
    if labels.shape != a.shape:
        raise ValueError(f"groups must be {len(a)} labels, one per item, got shape {labels.shape}")
    return within(centred(a, index)[shared], centred(b, index)[shared], labels[shared], least=least).mean


def shares(y: ArrayLike, groups: ArrayLike, generators: ArrayLike) -> dict[str, float]:
    """Where the variance of the human scores lies.

    Returns:
        ``groups``: share of the total sum of squares that lies between group means;
        ``generators``: share of the rest (inside groups) that lies between generator means. In [0, 1];
        nan where there is no variance to share.
    """
    a = vector(y, "y", finite=True)
    inside = centred(a, groups)
    beyond = centred(inside, generators)
    spread = a - a.mean() if len(a) else a
    total, rest = float(spread @ spread), float(inside @ inside)
    nan = float("nan")
    return {
        "groups": 1 - rest / total if total > 0 else nan,
        "generators": 1 - float(beyond @ beyond) / rest if rest > 0 else nan,
    }
