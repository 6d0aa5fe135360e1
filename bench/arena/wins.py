"""Wins on references, and what follows from them: win rates, Bradley-Terry strengths, intervals, tiers.

All generators meet on all references, so every pair is compared equally often. The likelihood of Bradley and
Terry (1952, doi:10.1093/biomet/39.3-4.324) then depends on each generator's number of wins alone (Ford 1957,
doi:10.2307/2308513): the order by strength is the order by win rate, and a resample is fitted from G numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats as distributions
from scipy.special import expit

from .. import stats
from ..board.generators import MOST_TESTED
from ..stats.interval import LEAST_GROUPS
from ..types import Estimate

RIDGE = 0.01
"""Penalty on the squared strengths, as for the votes of data sets: who wins or loses everywhere stays finite."""
TIE = 1e-12
"""Relative difference below which two scores are one."""
MOST_FITTED = 40
"""Above this many generators, at most ``FEWER`` resamples are fitted: the cost grows with their cube."""
FEWER = 400
CHUNK = 60_000
"""Numbers of one stack of matrices: what stays in the processor's cache."""
UNVARIED = "the same on every reference: resampling them shows no spread"


def duels(scores: np.ndarray) -> np.ndarray:
    """Who beats whom on each reference.

    Args:
        scores: (R, G) oriented, higher = better; infinite values are ordinary ones.

    Returns:
        (R, G, G): 1 where the row is better than the column, 0.5 where they are equal, 0 else and on the diagonal.
    """
    a, b = scores[:, :, None], scores[:, None, :]
    with np.errstate(invalid="ignore"):
        margin = TIE * np.maximum(np.abs(a), np.abs(b))
        gap = np.where(a == b, 0.0, a - b)
        equal = (a == b) | (np.isfinite(margin) & (np.abs(gap) <= margin))
    won = np.where(equal, 0.5, (gap > 0).astype(float))
    won[:, np.arange(scores.shape[1]), np.arange(scores.shape[1])] = 0
    return won


def rates(won: np.ndarray) -> np.ndarray:
    """(R, G) share of its opponents that each generator beats on each reference."""
    return won.sum(axis=-1) / (won.shape[-1] - 1)


def strengths(
    totals: np.ndarray, meetings: np.ndarray, ridge: float = RIDGE, start: np.ndarray | None = None
) -> np.ndarray:
    """Bradley-Terry strengths of many balanced tournaments at once: ``stats.bradley_terry`` with a ridge, stacked.

    Args:
        totals: (B, G) wins of each generator over all others, ties half.
        meetings: (B,) how often each pair met.
        ridge: penalty on the squared strengths.
        start: (G,) strengths near which the answers lie; it decides how soon they are found, not what they are.

    Returns:
        (B, G) with mean zero in each row.
    """
    size = totals.shape[1]
    theta = np.zeros_like(totals, dtype=float) if start is None else np.tile(start, (len(totals), 1))
    rows = max(1, CHUNK // size**2)
    for done in range(0, len(totals), rows):
        part = slice(done, done + rows)
        theta[part] = _ascended(theta[part], totals[part], meetings[part], ridge)
    return theta


def _ascended(theta: np.ndarray, totals: np.ndarray, meetings: np.ndarray, ridge: float) -> np.ndarray:
    """Newton's method on a stack of concave likelihoods."""
    diagonal = np.arange(theta.shape[1])
    for _ in range(200):
        p = expit(theta[:, :, None] - theta[:, None, :])
        slope = totals - meetings[:, None] * (p.sum(axis=2) - 0.5) - 2 * ridge * theta
        curve = p
        curve *= 1 - p
        curve *= -meetings[:, None, None]
        curve[:, diagonal, diagonal] = 0
        curve[:, diagonal, diagonal] = 2 * ridge - curve.sum(axis=2)
        step = np.linalg.solve(curve, slope[:, :, None])[:, :, 0]
        # Concave, but the plain step overshoots where somebody wins everything.
        theta = theta + np.clip(step, -1.5, 1.5)
        theta -= theta.mean(axis=1, keepdims=True)
        if np.abs(step).max(initial=0) < 1e-7:  # quadratic: the step just taken leaves far less
            break
    return theta


@dataclass(frozen=True)
class Tournament:
    """Everything that follows from one view's wins."""

    wins: np.ndarray
    """(G, G) share of references on which the row is better."""
    strength: list[Estimate]
    win_rate: list[Estimate]
    tier: list[int] | None
    rank: list[tuple[int, int]] | None
    apart: list[list[int]] | None
    """For each generator, those that the tests tell apart from it."""
    interval: str
    tiers: str


@dataclass(frozen=True)
class Dice:
    """Level and seeds, and one set of resamples for all views: their differences are then exact."""

    level: float
    resamples: int
    seed: int

    def count(self, generators: int) -> int:
        return self.resamples if generators <= MOST_FITTED else min(self.resamples, FEWER)

    def draws(self, name: str, size: int, generators: int) -> np.ndarray:
        """(B, size) how often each of ``size`` units was drawn in each resample."""
        rng = stats.generator(self.seed, "arena", name)
        drawn = rng.integers(0, size, (self.count(generators), size))
        return np.stack([np.bincount(row, minlength=size) for row in drawn]).astype(float)


def of_references(scores: np.ndarray, dice: Dice) -> Tournament:
    """The tournament of one judge, with intervals and tiers over references.

    Whole references are resampled, all their pairs together. Tiers: max-T sign flips of the references' win
    rates (all pairs of generators in one family), as for metrics on the leaderboard.

    Args:
        scores: (R, G) oriented values of all generators on all references.
        dice: settings.
    """
    won = duels(scores)
    per = rates(won)
    count, size = per.shape
    theta = stats.bradley_terry(won.sum(axis=0), ridge=RIDGE).theta
    mean = per.mean(axis=0)
    if count < LEAST_GROUPS:
        few = f"too few references ({count}; {LEAST_GROUPS} are needed)"
        return _plain(won.mean(axis=0), theta, mean, few)
    drawn = dice.draws("references", count, size)
    fitted = strengths(drawn @ per * (size - 1), drawn.sum(axis=1), start=theta)
    wide = expanded(dice.level, count)
    strength = [percentile(float(t), fitted[:, g], wide, UNVARIED) for g, t in enumerate(theta)]
    win_rate = [_rate(per[:, g], dice) for g in range(size)]
    interval = f"bootstrap over the {count} references, whole references with all their pairs"
    if size > MOST_TESTED:
        return Tournament(won.mean(0), strength, win_rate, None, None, None, interval, _crowded(size))
    found = stats.max_t(per, stats.generator(dice.seed, "arena", "max-t"))
    tiers = stats.tiers(found.p, found.delta, 1 - dice.level)
    how = f"max-T sign flips of the win rates of {count} references, all pairs"
    return Tournament(won.mean(0), strength, win_rate, *tiers, interval, how)


def of_panel(scores: list[np.ndarray], vote: list[int], dice: Dice) -> Tournament:
    """The tournament of several judges: every judge's order on every reference is one round.

    Intervals and tiers are for new references and new judges: both are drawn anew, independently (pigeonhole
    bootstrap, Owen 2007, doi:10.1214/07-AOAS122), judges by their votes. Tiers come from the same draws: the
    largest studentised deviation of any pair.

    Args:
        scores: one (R, G) oriented matrix per judge, on the same references.
        vote: which vote each judge belongs to, 0, 1, ...; judges of one vote share its weight.
        dice: settings.
    """
    units = max(vote) + 1
    count, size = scores[0].shape
    per, flat = np.zeros((units, count, size)), np.zeros((size, size))
    for matrix, unit in zip(scores, vote, strict=True):
        won = duels(matrix)
        per[unit] += rates(won) / vote.count(unit)
        flat += won.mean(axis=0) / vote.count(unit) / units
    theta = stats.bradley_terry(flat * units * count, ridge=RIDGE).theta
    mean = per.mean(axis=(0, 1))
    if count < LEAST_GROUPS:
        few = f"too few references ({count}; {LEAST_GROUPS} are needed)"
        return _plain(flat, theta, mean, few)
    if units < LEAST_GROUPS:
        few = f"too few votes on the panel ({units}; {LEAST_GROUPS} are needed to speak about new metrics)"
        return _plain(flat, theta, mean, few)
    references = dice.draws("panel references", count, size)
    judges = dice.draws("panel votes", units, size)
    drawn = np.einsum("bm,br,mrg->bg", judges, references, per, optimize=True)
    fitted = strengths(drawn * (size - 1), np.full(len(drawn), float(units * count)), start=theta)
    drawn /= units * count
    strength = [percentile(float(t), fitted[:, g], dice.level, UNVARIED) for g, t in enumerate(theta)]
    win_rate = [percentile(float(m), drawn[:, g], dice.level, UNVARIED) for g, m in enumerate(mean)]
    interval = f"two-way bootstrap over the {count} references and the panel's {units} votes"
    if size > MOST_TESTED:
        return Tournament(flat, strength, win_rate, None, None, None, interval, _crowded(size))
    p, delta = simultaneous(mean, drawn)
    tiers = stats.tiers(p, delta, 1 - dice.level)
    how = "largest studentised deviation of any pair in the same two-way draws, all pairs"
    return Tournament(flat, strength, win_rate, *tiers, interval, how)


def simultaneous(value: np.ndarray, drawn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Adjusted p-values and differences of all pairs from joint resamples.

    Args:
        value: (G,) statistic, higher = better.
        drawn: (B, G) the same on each resample.
    """
    delta = value[:, None] - value[None, :]
    moved = drawn[:, :, None] - drawn[:, None, :]
    error = moved.std(axis=0, ddof=1)
    safe = np.where(error > 1e-12, error, np.inf)
    largest = np.abs((moved - delta) / safe).max(axis=(1, 2))
    observed = np.where((error <= 1e-12) & (np.abs(delta) > 1e-12), np.inf, np.abs(delta / safe))
    p = (1 + (largest[:, None, None] >= observed[None]).sum(axis=0)) / (1 + len(drawn))
    np.fill_diagonal(p, 1.0)
    return p, delta


def expanded(level: float, count: int) -> float:
    """Level at which percentiles are taken so that few units do not make an interval too short.

    What a bootstrap lacks against Student's t and the divisor n - 1 (Hesterberg 2015,
    doi:10.1080/00031305.2015.1089789, expanded percentile interval).
    """
    reach = np.sqrt(count / (count - 1)) * distributions.t.ppf((1 + level) / 2, count - 1)
    return float(2 * distributions.norm.cdf(reach) - 1)


def percentile(value: float, drawn: np.ndarray, level: float, unvaried: str) -> Estimate:
    """A value with the middle of its resamples, or the reason why they say nothing."""
    low, high = stats.percentile(drawn, level)
    if high - low <= 1e-9 * max(1.0, abs(value)):
        return Estimate(value, n=len(drawn), reason=unvaried)
    return Estimate(value, low, high, len(drawn))


def _rate(per: np.ndarray, dice: Dice) -> Estimate:
    mean = float(per.mean())
    rng = stats.generator(dice.seed, "arena", "win-rate")
    low, high = stats.bootstrap_t(per, dice.level, dice.resamples, rng=rng)
    if not np.isfinite(low):
        return Estimate(mean, n=len(per), reason=UNVARIED)
    return Estimate(mean, max(low, 0.0), min(high, 1.0), len(per))


def _plain(wins: np.ndarray, theta: np.ndarray, mean: np.ndarray, why: str) -> Tournament:
    return Tournament(
        wins,
        [Estimate(float(t), reason=why) for t in theta],
        [Estimate(float(m), reason=why) for m in mean],
        None,
        None,
        None,
        f"none: {why}",
        f"none: {why}",
    )


def _crowded(size: int) -> str:
    return f"none: {size} generators are more than are tested in pairs ({MOST_TESTED})"
