"""Is one metric better than another on the same items? Tests whose unit is the reference.

The sign of a whole reference's difference is what chance may flip; flipping images, or the classical tests
of dependent correlations, call 33-44 % of equal metrics different at a nominal 5 %.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from ..types import Estimate
from .adjust import holm
from .agreement import Within
from .arrays import Flags, Floats, matrix, vector
from .interval import LEAST_GROUPS, TOO_FEW, bootstrap_t, estimate, wilson
from .stream import signs

SLACK = 1e-6
"""Relative: flips that reproduce the observed value must count although they are summed in another order."""
FLOOR = 1e-9
"""Smallest variance of a difference, relative to its mean square, that studentising may divide by."""


def sign_flip(d: ArrayLike, n: int = 9999, *, rng: np.random.Generator | None = None) -> float:
    """Two-sided sign-flip permutation p-value of the mean of paired differences.

    Args:
        d: difference of each group (G,).
        n: random flips where G > 13; otherwise all 2^G are enumerated.
        rng: needed where G > 13.

    Returns:
        (1 + count) / (1 + n), or count / 2^G when enumerated; nan without groups.
    """
    values = vector(d, "d", finite=True)
    if not len(values):
        return float("nan")
    flips, exact = signs(n, len(values), rng)
    observed = abs(values.sum())
    count = int(np.sum(np.abs(flips @ values) >= observed * (1 - SLACK) - 1e-300))
    return count / len(flips) if exact else (1 + count) / (1 + len(flips))


@dataclass(frozen=True, slots=True)
class MaxT:
    """All pairs of metrics compared at once."""

    p: Floats
    """(M, M) symmetric, adjusted for all pairs; 1 on the diagonal."""
    delta: Floats
    """(M, M) mean of row metric minus column metric."""
    groups: int
    flips: int


def max_t(values: ArrayLike, rng: np.random.Generator | None = None, n: int = 9999) -> MaxT:
    """Max-T sign-flip test of all pairs (Westfall and Young 1993).

    One sign vector over groups flips every pair's differences together, so the correlation of the pairs is
    used; the adjusted p of a pair is the share of flips whose largest studentised difference over all pairs
    reaches the pair's own. Controls the chance of any false claim on the board.

    Args:
        values: (G, M) one coefficient per group and metric; all groups must have all metrics.
        rng: needed where G > 13; fewer groups are enumerated.
        n: random flips.
    """
    v = matrix(values)
    g, m = v.shape
    p, delta = np.ones((m, m)), np.zeros((m, m))
    if g == 0 or m < 2:
        return MaxT(p, delta, g, 0)
    flips, exact = signs(n, g, rng)
    scale = np.abs(v).max() or 1.0
    v = (v - v.mean(axis=1, keepdims=True)) / scale
    first, second = np.triu_indices(m, 1)
    square = np.concatenate([np.mean((v[:, [i]] - v[:, i + 1 :]) ** 2, axis=0) for i in range(m - 1)])
    alive = square > 1e-24  # columns that differ by rounding alone are equal
    means = v.mean(axis=0)
    observed = _studentised(means[None, first] - means[None, second], square, alive, g)[0]
    count = np.zeros(len(first), dtype=np.int64)
    ranked = np.sort(observed) * (1 - SLACK)
    for start in range(0, len(flips), 256):
        a = flips[start : start + 256] @ v / g
        largest = _studentised(a[:, first] - a[:, second], square, alive, g).max(axis=1)
        # Counts, for each pair, the flips whose largest value reaches it.
        reached = np.bincount(np.searchsorted(ranked, largest, side="right"), minlength=len(ranked) + 1)
        count += reached[::-1].cumsum()[::-1][1:]
    counts = np.empty_like(count)
    counts[np.argsort(observed, kind="stable")] = count
    adjusted = counts / len(flips) if exact else (1 + counts) / (1 + len(flips))
    adjusted = np.where(alive, adjusted, 1.0)
    p[first, second] = p[second, first] = adjusted
    difference = (means[first] - means[second]) * scale
    delta[first, second], delta[second, first] = difference, -difference
    return MaxT(p, delta, g, len(flips))


def _studentised(mean: Floats, square: Floats, alive: Flags, g: int) -> Floats:
    """|t| of flipped differences (flips, pairs); the sum of squares does not change under flips."""
    t = np.zeros_like(mean)
    s, d = square[alive], mean[:, alive]
    t[:, alive] = np.abs(d) * np.sqrt((g - 1) / np.maximum(s - d * d, FLOOR * s))
    return t


@dataclass(frozen=True, slots=True)
class Differences:
    """All pairs of metrics compared by the jackknife."""

    p: Floats
    """(M, M) symmetric, Holm-adjusted; 1 on the diagonal."""
    delta: Floats
    """(M, M) coefficient of row metric minus column metric."""
    se: Floats
    """(M, M) standard error of ``delta``."""


def jackknife_differences(leave_out: ArrayLike, full: ArrayLike) -> Differences:
    """Pairwise differences of pooled coefficients: delete-one-group jackknife, t with G - 1, Holm.

    Args:
        leave_out: (G, M) coefficient of each metric without each group (``interval.leave_one_out``).
        full: (M,) coefficient on all items.
    """
    left, whole = matrix(leave_out, "leave_out"), vector(full, "full", finite=True)
    g, m = left.shape
    if len(whole) != m:
        raise ValueError(f"leave_out has {m} metrics and full has {len(whole)}")
    if g < 2:
        raise ValueError(f"a jackknife needs at least 2 groups, got {g}")
    delta = whole[:, None] - whole[None, :]
    se = np.zeros((m, m))
    for i in range(m):
        se[i] = np.sqrt((g - 1) * (left[:, [i]] - left).var(axis=0))
    first, second = np.triu_indices(m, 1)
    d, s = np.abs(delta[first, second]), se[first, second]
    # Without spread: metrics that are equal get p = 1, others are told apart by every group.
    t = np.where(d <= 1e-12, 0.0, d / np.maximum(s, 1e-300))
    p = np.ones((m, m))
    p[first, second] = p[second, first] = holm(2 * stats.t.sf(t, g - 1))
    return Differences(p, delta, se)


@dataclass(frozen=True, slots=True)
class Paired:
    """Two metrics side by side."""

    delta: Estimate
    """Mean difference (first minus second) with its bootstrap-t interval."""
    p: float
    """Sign-flip over groups, not adjusted; nan without shared groups."""
    won: Estimate
    """Share of groups where the first is better (ties count half) with Wilson's interval."""


def paired(
    first: Within,
    second: Within,
    level: float = 0.95,
    resamples: int = 2000,
    *,
    rng: np.random.Generator,
    n: int = 9999,
) -> Paired:
    """Compare the per-group coefficients of two metrics on the groups that both have."""
    other = dict(zip(second.groups, second.values))
    d = np.array([value - other[name] for name, value in zip(first.groups, first.values) if name in other])
    g = len(d)
    if not g:
        nothing = Estimate(None, reason="undefined: the metrics share no group")
        return Paired(nothing, float("nan"), nothing)
    mean = float(d.mean())
    if g < LEAST_GROUPS:
        delta = Estimate(mean, n=g, reason=TOO_FEW)
    else:
        ends = bootstrap_t(d, level, resamples, rng=rng)
        delta = estimate(mean, ends, g, "bootstrap-t over references", (-2.0, 2.0))
    wins = float(np.sum(d > 0) + np.sum(d == 0) / 2)
    low, high = wilson(wins, g, level)
    return Paired(delta, sign_flip(d, n, rng=rng), Estimate(wins / g, low, high, g, "Wilson"))
