"""From pairwise tests to ranks: what the data leave open is printed as a range, not as a number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from .arrays import Floats, fraction, matrix


class Tiers(NamedTuple):
    """Tier and rank interval of each metric, in the order of the input."""

    tier: list[int]
    rank: list[tuple[int, int]]
    apart: list[list[int]]
    """For each, the others that beat it or that it beats. Members of different tiers need not be among them: a tier
    says that somebody above beats each of its members, not that everybody does."""


def tiers(p: ArrayLike, delta: ArrayLike, alpha: float = 0.05) -> Tiers:
    """Tiers and rank intervals from adjusted pairwise p-values.

    Row i beats column j where ``p[i, j] <= alpha`` and ``delta[i, j] > 0``. The rank interval is
    [1 + number that beat it, M - number that it beats]. Tier 1 holds the metrics that nobody beats; they
    are taken away and the next tier holds those that nobody left beats, and so on. Hence tier 1 is exactly
    the set whose interval begins at 1, and whoever beats a metric stands in a tier above it. A tier is not
    a claim of equality: two of its members may stand apart by less than the data can show.

    Args:
        p: (M, M) symmetric adjusted p-values (``compare.max_t``).
        delta: (M, M) mean of row less mean of column, higher = better.
        alpha: family-wise error rate.

    Raises:
        ValueError: shapes differ, or the differences contradict each other (a beats b beats a).
    """
    probability, difference = matrix(p, "p"), matrix(delta, "delta")
    m = len(probability)
    if probability.shape != (m, m) or difference.shape != (m, m):
        raise ValueError(f"p and delta must be square and alike, got {probability.shape} and {difference.shape}")
    beats = (probability <= fraction(alpha, "alpha")) & (difference > 0)
    rank = [(1 + int(beats[:, i].sum()), m - int(beats[i].sum())) for i in range(m)]
    tier = np.zeros(m, dtype=int)
    left = np.ones(m, dtype=bool)
    number = 0
    while left.any():
        number += 1
        top = left & ~beats[left].any(axis=0)
        if not top.any():
            raise ValueError("the differences contradict each other: some metrics beat each other in a circle")
        tier[top] = number
        left &= ~top
    either = beats | beats.T
    return Tiers([int(t) for t in tier], rank, [[int(j) for j in np.flatnonzero(row)] for row in either])


@dataclass(frozen=True, slots=True)
class Friedman:
    """Are k metrics alike over N blocks?"""

    chi2: float
    p_chi2: float
    f: float
    """Iman and Davenport's F, with (k - 1, (k - 1)(N - 1)) degrees of freedom; inf for identical orders."""
    p_f: float
    mean_ranks: tuple[float, ...]
    n: int


def friedman(ranks: ArrayLike, n: int | None = None) -> Friedman:
    """Friedman's test on ranks (Demsar 2006, jmlr.org/papers/v7/demsar06a.html); no correction for ties.

    Args:
        ranks: (N, k) ranks inside each block (1 = best), or the k mean ranks together with ``n``. Give ranks,
            not scores: scores that were rounded for print have ties which the experiment had not.
        n: number of blocks, for mean ranks only.
    """
    mean, blocks = _mean_ranks(ranks, n)
    k = len(mean)
    chi2 = 12 * blocks / (k * (k + 1)) * (np.sum(mean**2) - k * (k + 1) ** 2 / 4)
    rest = blocks * (k - 1) - chi2
    f = (blocks - 1) * chi2 / rest if rest > 1e-9 else np.inf
    return Friedman(
        float(chi2),
        float(stats.chi2.sf(chi2, k - 1)),
        float(f),
        float(stats.f.sf(f, k - 1, (k - 1) * (blocks - 1))),
        tuple(map(float, mean)),
        blocks,
    )


@dataclass(frozen=True, slots=True)
class Nemenyi:
    """Critical-difference diagram: two metrics differ where their mean ranks differ by more than ``cd``."""

    cd: float
    q: float
    mean_ranks: tuple[float, ...]
    groups: tuple[tuple[int, ...], ...]
    """Longest runs of metrics (numbers, by ascending mean rank) without a difference: the bars to draw."""


def nemenyi(ranks: ArrayLike, alpha: float = 0.05, n: int | None = None) -> Nemenyi:
    """Nemenyi's critical difference; arguments as for ``friedman``.

    What it says of two metrics depends on which others are on the board (Benavoli 2016): draw it for the
    familiar picture and take claims from ``compare.max_t``.
    """
    mean, blocks = _mean_ranks(ranks, n)
    k = len(mean)
    q = stats.studentized_range.ppf(1 - fraction(alpha, "alpha"), k, np.inf) / np.sqrt(2)
    cd = q * np.sqrt(k * (k + 1) / (6 * blocks))
    order = np.argsort(mean, kind="stable")
    runs: list[tuple[int, ...]] = []
    reached = 0
    for start in range(k):
        end = int(np.searchsorted(mean[order], mean[order[start]] + cd, side="right"))
        if end > reached and end - start > 1:
            runs.append(tuple(int(i) for i in order[start:end]))
        reached = max(reached, end)
    return Nemenyi(float(cd), float(q), tuple(map(float, mean)), tuple(runs))


def _mean_ranks(ranks: ArrayLike, n: int | None) -> tuple[Floats, int]:
    array = np.asarray(ranks, dtype=float)
    if array.ndim == 1:
        if n is None:
            raise ValueError("mean ranks need the number of blocks n")
        mean, blocks = array, n
    else:
        array = matrix(array, "ranks")
        mean, blocks = (array.mean(axis=0) if len(array) else array.sum(axis=0)), len(array)
        if n is not None and n != blocks:
            raise ValueError(f"n = {n} was given for {blocks} rows of ranks")
    k = len(mean)
    if k < 2 or blocks < 2 or not np.isfinite(mean).all():
        raise ValueError(f"at least 2 metrics and 2 blocks are needed, got {k} and {blocks}")
    # Rounded mean ranks (3.143, 2.000, ...) still sum to k(k+1)/2 within their last digit.
    if abs(mean.sum() - k * (k + 1) / 2) > 0.01 * k:
        raise ValueError("these are not ranks: those of one block must be 1 to k, ties averaged")
    return mean, blocks
