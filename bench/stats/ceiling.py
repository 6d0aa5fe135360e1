"""How well a perfect metric could do, given how noisy the human scores are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit

from ..types import Estimate
from .agreement import Coefficient, plcc, srocc, within
from .arrays import Codes, Floats, matrix, vector
from .interval import percentile
from .pairwise import bradley_terry


def spearman_brown(r: float, factor: float = 2.0) -> float:
    """Reliability of a test ``factor`` times as long as the one with reliability r; nan at r = -1/(factor-1)."""
    below = 1 + (factor - 1) * r
    return factor * r / below if below != 0 else float("nan")


@dataclass(frozen=True, slots=True)
class SplitHalf:
    """Agreement of the scores from two halves of the people."""

    mean: float
    """Mean correlation between halves over the splits."""
    values: Floats
    """Correlation of each split."""
    reliability: float
    """Spearman-Brown's estimate for the scores from all people."""


def split_half(
    people: int,
    score: Callable[[Codes], ArrayLike],
    splits: int = 10,
    *,
    rng: np.random.Generator,
    coefficient: Coefficient = srocc,
) -> SplitHalf:
    """Split-half reliability of scores that are computed from people's votes.

    Args:
        people: number of observers.
        score: scores (n,) from the votes of the observers with the given numbers; the same items each time.
        splits: random splits into halves (an odd person is left out).
        coefficient: agreement of two sets of scores.

    Raises:
        ValueError: fewer than 2 people, or fewer than 1 split.
    """
    if people < 2 or splits < 1:
        raise ValueError(f"at least 2 people and 1 split are needed, got {people} and {splits}")
    values = np.empty(splits)
    half = people // 2
    for number in range(splits):
        order = rng.permutation(people)
        first, second = np.sort(order[:half]), np.sort(order[half : 2 * half])
        values[number] = coefficient(np.asarray(score(first), float), np.asarray(score(second), float))
    mean = float(values.mean())
    return SplitHalf(mean, values, spearman_brown(mean))


def error_ceiling(scores: ArrayLike, errors: ArrayLike) -> float:
    """Largest PLCC a metric without error can expect: sqrt(1 - mean(se^2) / var(scores)).

    Args:
        scores: mean opinion scores (n,).
        errors: their standard errors (n,).

    Returns:
        In [0, 1]; 0 where the errors exceed the spread; nan for constant scores or fewer than 3.
    """
    mos, se = vector(scores, "scores", finite=True), vector(errors, "errors", finite=True)
    if len(mos) != len(se) or (se < 0).any():
        raise ValueError(f"errors must be {len(mos)} standard errors that are not negative")
    if len(mos) < 3 or mos.min() == mos.max():
        return float("nan")
    return float(np.sqrt(max(0.0, 1 - np.mean(se**2) / mos.var(ddof=1))))


def rater_band(ratings: ArrayLike, coefficient: Coefficient = plcc) -> tuple[float, float]:
    """Where one person stands against the others: (lower, upper) noise ceiling.

    Lower: mean agreement of each rater with the mean of the others; upper: with the mean of all.

    Args:
        ratings: (raters, items), complete, at least 2 raters.
    """
    table = matrix(ratings, "ratings")
    raters = len(table)
    if raters < 2:
        raise ValueError(f"at least 2 raters are needed, got {raters}")
    total = table.sum(axis=0)
    lower = [coefficient(row, (total - row) / (raters - 1)) for row in table]
    upper = [coefficient(row, total / raters) for row in table]
    return float(np.mean(lower)), float(np.mean(upper))


def bradley_terry_ceiling(
    wins: ArrayLike,
    resamples: int = 200,
    ridge: float = 0.01,
    level: float = 0.95,
    *,
    rng: np.random.Generator,
    groups: ArrayLike | None = None,
    least: int = 5,
) -> Estimate:
    """SROCC that a metric would reach if it knew the true scores: parametric bootstrap of the votes.

    The fitted scores are taken as the truth, the same comparisons are voted on again, scores are fitted to
    the new votes and compared with the truth. Fitted scores spread more than true ones, so this ceiling is a
    little too high.

    Args:
        wins: (n, n) votes for row against column.
        ridge: as for ``pairwise.bradley_terry``, in all fits.
        groups: label of each item; with them the mean SROCC inside groups, otherwise over all items.
        least: items a group must have.

    Returns:
        Mean over simulations; low and high enclose ``level`` of them.
    """
    counts = matrix(wins, "wins")
    truth = bradley_terry(counts, ridge)
    n = len(counts)
    upper = np.triu_indices(n, 1)
    votes = np.rint((counts + counts.T)[upper]).astype(np.int64)
    chance = truth.probability[upper]
    values = []
    for _ in range(resamples):
        won = rng.binomial(votes, chance)
        again = np.zeros((n, n))
        again[upper] = won
        again.T[upper] = votes - won
        theta = bradley_terry(again, ridge).theta
        value = srocc(truth.theta, theta) if groups is None else within(truth.theta, theta, groups, least=least).mean
        if np.isfinite(value):
            values.append(value)
    if not values:
        return Estimate(None, n=n, reason="undefined: no simulation gave a correlation")
    low, high = percentile(values, level)
    return Estimate(float(np.mean(values)), low, high, n, "parametric bootstrap of the votes")


def elo_ceiling(
    spread: float,
    items: int,
    votes: int,
    repetitions: int = 12,
    *,
    rng: np.random.Generator,
    step: float = 16.0,
    scale: float = 400.0,
) -> Floats:
    """SROCC between true strengths and Elo scores after one pass of votes, simulated.

    For data that publish Elo scores but no votes. The constants of the rating are assumptions: print them.

    Args:
        spread: standard deviation of the true strengths in Elo points.
        items: images that compete inside one reference.
        votes: votes per reference, on pairs drawn at random.
        repetitions: references to simulate.
        step: Elo's K.
        scale: points that make odds of 10 to 1.

    Returns:
        One SROCC per repetition.
    """
    truth, rating = elo_votes(spread, items, votes, repetitions, rng=rng, step=step, scale=scale)
    return np.array([srocc(a, b) for a, b in zip(truth, rating)])


def elo_spread(
    observed: float,
    items: int,
    votes: int,
    repetitions: int = 12,
    *,
    seed: int,
    step: float = 16.0,
    scale: float = 400.0,
) -> float:
    """The spread of true strengths whose ratings, simulated, spread as much as the published ones do.

    One pass of votes leaves ratings short of the truth, so the published spread is too small a guess. Bisection, with
    the same random numbers at every step.

    Args:
        observed: standard deviation of the published scores inside a reference, in Elo points.
        items, votes, repetitions, step, scale: as for ``elo_ceiling``.
        seed: of the simulation.

    Returns:
        In Elo points; nan where no strength up to 20 times as large explains so much spread.
    """

    def simulated(spread: float) -> float:
        rng = np.random.default_rng(seed)
        _, rating = elo_votes(spread, items, votes, repetitions, rng=rng, step=step, scale=scale)
        return float(rating.std(axis=1, ddof=1).mean())

    low, high = 0.0, 20.0 * observed
    if not observed > 0 or simulated(high) < observed:
        return float("nan")
    while high - low > 0.005 * observed:
        middle = (low + high) / 2
        low, high = (middle, high) if simulated(middle) < observed else (low, middle)
    return (low + high) / 2


def elo_votes(
    spread: float, items: int, votes: int, repetitions: int, *, rng: np.random.Generator, step: float, scale: float
) -> tuple[Floats, Floats]:
    """(truth, ratings), each (repetitions, items), after one pass of votes; arguments as for ``elo_ceiling``."""
    if items < 3 or votes < 1 or repetitions < 1:
        raise ValueError("at least 3 items, 1 vote and 1 repetition are needed")
    truth = rng.normal(0, spread, (repetitions, items))
    rating = np.zeros((repetitions, items))
    row, steepness = np.arange(repetitions), np.log(10) / scale
    for _ in range(votes):
        i = rng.integers(0, items, repetitions)
        j = (i + rng.integers(1, items, repetitions)) % items
        won = rng.random(repetitions) < expit(steepness * (truth[row, i] - truth[row, j]))
        change = step * (won - expit(steepness * (rating[row, i] - rating[row, j])))
        rating[row, i] += change
        rating[row, j] -= change
    return truth, rating
