"""Scores from votes of the kind "A looks better than B".

All models are fitted by maximum likelihood with Newton's method; their log-likelihoods are concave, so the
answer does not depend on the start. Scores are on the natural log scale: a difference d means odds of e^d
(Thurstone's scale is its own). Standard errors treat votes as independent; where a few people gave most of
them, resample people instead.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse.csgraph import connected_components
from scipy.special import expit, log_expit, log_ndtr

from .arrays import Floats, matrix

JOD_SIGMA = 1.4826
"""Standard deviation of a difference that makes one unit (just objectionable difference) 75 % preference."""

Objective = Callable[[Floats], tuple[float, Floats, Floats]]
"""Log-likelihood, gradient (k,) and negative Hessian (k, k) at a parameter vector."""


def win_matrix(
    first: ArrayLike, second: ArrayLike, wins_first: ArrayLike, wins_second: ArrayLike, items: ArrayLike | None = None
) -> tuple[Floats, list[str]]:
    """Counts of wins from a list of comparisons.

    Args:
        first: label of one item of each comparison (n,).
        second: label of the other (n,).
        wins_first: votes for ``first`` (n,); several rows of one pair are added up.
        wins_second: votes for ``second`` (n,).
        items: labels in the order wanted; by default all that occur, sorted.

    Returns:
        ``(wins, items)``: ``wins[i, j]`` = votes for i against j.

    Raises:
        ValueError: unequal lengths, an item against itself, or a label that is not among ``items``.
    """
    a, b = np.asarray(first).astype(str), np.asarray(second).astype(str)
    u, v = np.asarray(wins_first, dtype=float), np.asarray(wins_second, dtype=float)
    if not (a.ndim == 1 and a.shape == b.shape == u.shape == v.shape):
        raise ValueError("first, second, wins_first and wins_second must be lists of one length")
    if (a == b).any():
        raise ValueError(f"{str(a[a == b][0])!r} is compared with itself")
    names = np.unique(np.concatenate([a, b])) if items is None else np.asarray(items).astype(str)
    place = {str(name): i for i, name in enumerate(names)}
    unknown = sorted({str(name) for name in np.concatenate([a, b])} - set(place))
    if unknown:
        raise ValueError(f"{unknown[0]!r} is compared but not among the items")
    wins = np.zeros((len(names), len(names)))
    i, j = np.array([place[str(s)] for s in a], dtype=int), np.array([place[str(s)] for s in b], dtype=int)
    np.add.at(wins, (i, j), u)
    np.add.at(wins, (j, i), v)
    return _counts(wins, "wins"), [str(name) for name in names]


def _counts(values: ArrayLike, name: str) -> Floats:
    counts = matrix(values, name)
    if counts.shape[0] != counts.shape[1] or not len(counts):
        raise ValueError(f"{name} must be a square matrix, got shape {counts.shape}")
    if (counts < 0).any() or np.diag(counts).any():
        raise ValueError(f"{name} must not be negative, and nobody is compared with itself (zero diagonal)")
    return counts


def _connected(reached: NDArray[np.bool_]) -> None:
    """Maximum likelihood exists only where every item can be reached from every other by wins."""
    parts, _ = connected_components(reached, directed=True, connection="strong")
    if parts > 1:
        raise ValueError(
            f"the win graph is not strongly connected ({parts} parts: some items never win, or never lose, "
            "against the rest), so their scores are infinite; collect more votes or give ridge > 0"
        )


def _newton(objective: Objective, start: Floats, limit: int = 100) -> tuple[Floats, Floats, bool]:
    """Maximiser of a concave function, the negative Hessian there, and whether it converged."""
    point = start
    value, slope, curve = objective(point)
    for _ in range(limit):
        step = np.linalg.solve(curve, slope)
        shrink = 1.0
        while True:
            trial = point + shrink * step
            found = objective(trial)
            if found[0] >= value - 1e-12 * abs(value) or shrink < 1e-8:
                break
            shrink /= 2
        point, (value, slope, curve) = trial, found
        if np.abs(shrink * step).max(initial=0) < 1e-10 * max(1.0, np.abs(point).max(initial=0)):
            return point, curve, True
    return point, curve, False


@dataclass(frozen=True, slots=True)
class BradleyTerry:
    """Scores theta (n,) on the natural log scale, P(i beats j) = 1 / (1 + exp(theta_j - theta_i))."""

    theta: Floats
    se: Floats
    """Standard error (n,): of the difference to the anchor, or, with a ridge, to the mean of all."""
    converged: bool
    covariance: Floats
    """(n, n) of ``theta`` in the same gauge; the variance of a difference is c_ii + c_jj - 2 c_ij."""

    @property
    def probability(self) -> Floats:
        """(n, n) fitted probability that row beats column."""
        return expit(self.theta[:, None] - self.theta[None, :])


def bradley_terry(wins: ArrayLike, ridge: float = 0.0, anchor: int = 0) -> BradleyTerry:
    """Bradley-Terry scores by maximum (penalised) likelihood (1952, doi:10.1093/biomet/39.3-4.324).

    Args:
        wins: (n, n) votes for row against column; a tie may be entered as half a vote for each.
        ridge: weight of the penalty ``ridge * sum(theta**2)`` on the log-likelihood. With it the scores have
            mean zero, exist for any votes, and are shrunk a little: say so where they are printed.
        anchor: item whose score is 0 where there is no ridge.

    Raises:
        ValueError: not counts, or, without ridge, a win graph that is not strongly connected.
    """
    counts = _counts(wins, "wins")
    n = len(counts)
    if not (np.isfinite(ridge) and ridge >= 0):
        raise ValueError(f"ridge must not be negative, got {ridge}")
    if not -n <= anchor < n:
        raise ValueError(f"anchor {anchor} is not one of the {n} items")
    if ridge == 0:
        _connected(counts > 0)
    both = counts + counts.T
    # The likelihood does not change when all scores move together; the gauge term keeps the system regular
    # and leaves the mean at zero.
    gauge = np.full((n, n), max(both.sum() / n**2, ridge, 1e-300) / n)

    def objective(theta: Floats) -> tuple[float, Floats, Floats]:
        p = expit(theta[:, None] - theta[None, :])
        value = np.sum(counts * log_expit(theta[:, None] - theta[None, :])) - ridge * theta @ theta
        slope = (counts - both * p).sum(axis=1) - 2 * ridge * theta
        weight = both * p * p.T
        return float(value), slope, np.diag(weight.sum(axis=1) + 2 * ridge) - weight + gauge

    theta, curve, converged = _newton(objective, np.zeros(n))
    covariance: Floats = np.asarray(np.linalg.inv(curve), dtype=np.float64)
    place: Floats = np.eye(n) - 1 / n
    if ridge == 0:
        place = np.eye(n)
        place[:, anchor] -= 1
    theta, covariance = place @ theta, place @ covariance @ place.T
    return BradleyTerry(theta, np.sqrt(np.maximum(np.diag(covariance), 0)), converged, covariance)


@dataclass(frozen=True, slots=True)
class TieModel:
    """Scores from votes that may be ties."""

    theta: Floats
    """(n,) on the natural log scale, the anchor at 0."""
    se: Floats
    tie: float
    """Davidson's nu (>= 0) or Rao and Kupper's kappa (>= 1): the larger, the more ties."""
    converged: bool


def _with_ties(wins: ArrayLike, ties: ArrayLike, anchor: int) -> tuple[Floats, Floats, int]:
    counts, draws = _counts(wins, "wins"), _counts(ties, "ties")
    n = len(counts)
    if draws.shape != counts.shape or not np.array_equal(draws, draws.T):
        raise ValueError("ties must be a symmetric matrix of the same shape as wins")
    if not -n <= anchor < n:
        raise ValueError(f"anchor {anchor} is not one of the {n} items")
    if not draws.any() or not counts.any():
        raise ValueError("a model of ties needs both ties and wins; without ties use bradley_terry")
    _connected((counts > 0) | (draws > 0))
    return counts, draws, anchor % n


def _tie_model(objective: Objective, n: int, anchor: int, start: float, tie: Callable[[float], float]) -> TieModel:
    """Maximise over all scores but the anchor's, and the tie parameter, which comes last."""
    free = np.delete(np.arange(n + 1), anchor)

    def reduced(point: Floats) -> tuple[float, Floats, Floats]:
        whole = np.zeros(n + 1)
        whole[free] = point
        value, slope, curve = objective(whole)
        return value, slope[free], curve[np.ix_(free, free)]

    point, curve, converged = _newton(reduced, np.append(np.zeros(n - 1), start))
    theta, variance = np.zeros(n + 1), np.zeros(n + 1)
    theta[free], variance[free] = point, np.diag(np.linalg.inv(curve))
    return TieModel(theta[:n], np.sqrt(np.maximum(variance[:n], 0)), tie(float(theta[n])), converged)


def davidson(wins: ArrayLike, ties: ArrayLike, anchor: int = 0) -> TieModel:
    """Bradley-Terry with ties after Davidson (1970, doi:10.1080/01621459.1970.10481082).

    P(tie) = nu sqrt(p_i p_j) / (p_i + p_j + nu sqrt(p_i p_j)), p = exp(theta).

    Args:
        wins: (n, n) votes for row against column.
        ties: (n, n) symmetric, undecided votes.
        anchor: item whose score is 0.
    """
    counts, draws, anchor = _with_ties(wins, ties, anchor)
    n = len(counts)
    first, second = np.triu_indices(n, 1)
    seen = np.stack([counts[first, second], counts[second, first], draws[first, second]])
    kept = seen.sum(axis=0) > 0
    first, second, seen = first[kept], second[kept], seen[:, kept]
    total = seen.sum(axis=0)
    # A logit model of three outcomes per pair, linear in the parameters (theta, log nu).
    features = np.zeros((3, len(first), n + 1))
    row = np.arange(len(first))
    features[0, row, first] = features[1, row, second] = 1
    features[2, row, first] = features[2, row, second] = 0.5
    features[2, :, n] = 1

    def objective(point: Floats) -> tuple[float, Floats, Floats]:
        logits = features @ point
        logits -= logits.max(axis=0)
        log_p = logits - np.log(np.exp(logits).sum(axis=0))
        p = np.exp(log_p)
        mean = np.einsum("op,opk->pk", p, features)
        slope = np.einsum("op,opk->k", seen - total * p, features)
        second_moment = np.einsum("op,opk,opl->kl", total * p, features, features, optimize=True)
        return float(np.sum(seen * log_p)), slope, second_moment - (mean * total[:, None]).T @ mean

    return _tie_model(objective, n, anchor, 0.0, lambda log_nu: float(np.exp(log_nu)))


def rao_kupper(wins: ArrayLike, ties: ArrayLike, anchor: int = 0) -> TieModel:
    """Bradley-Terry with a threshold for ties after Rao and Kupper (1967, doi:10.1080/01621459.1967.10482901).

    P(i beats j) = p_i / (p_i + kappa p_j), p = exp(theta). Arguments as for ``davidson``.
    """
    counts, draws, anchor = _with_ties(wins, ties, anchor)
    n = len(counts)
    half, undecided = counts + draws, draws.sum() / 2  # a tie counts once on each side

    def objective(point: Floats) -> tuple[float, Floats, Floats]:
        theta, eta = point[:n], point[n]  # eta = log kappa; jointly concave in both
        if eta <= 0:
            return -np.inf, np.zeros(n + 1), np.eye(n + 1)
        margin = theta[:, None] - theta[None, :] - eta
        rest = half * expit(-margin)
        weight = rest * expit(margin)
        value = np.sum(half * log_expit(margin)) + undecided * np.log(np.expm1(2 * eta))
        by_eta = -2 * undecided / np.expm1(-2 * eta) - rest.sum()
        both = weight + weight.T
        curve = np.zeros((n + 1, n + 1))
        curve[:n, :n] = np.diag(both.sum(axis=1)) - both
        curve[:n, n] = curve[n, :n] = weight.sum(axis=0) - weight.sum(axis=1)
        curve[n, n] = weight.sum() + 4 * undecided * np.exp(-2 * eta) / np.expm1(-2 * eta) ** 2
        return float(value), np.append(rest.sum(axis=1) - rest.sum(axis=0), by_eta), curve

    return _tie_model(objective, n, anchor, 0.5, lambda eta: float(np.exp(eta)))


@dataclass(frozen=True, slots=True)
class Thurstone:
    """Scores (n,) in units where a difference of ``sigma`` is 84 % preference; the anchor at 0."""

    scores: Floats
    se: Floats
    """Standard error of the difference to the anchor."""
    converged: bool


def thurstone(wins: ArrayLike, anchor: int = 0, sigma: float = JOD_SIGMA) -> Thurstone:
    """Thurstone's Case V by maximum likelihood (1927, doi:10.1037/h0070288): P = Phi((s_i - s_j) / sigma).

    Args:
        wins: (n, n) votes for row against column.
        anchor: item whose score is 0.
        sigma: standard deviation of a difference; by default one unit (JOD) is 75 % preference.

    Raises:
        ValueError: not counts, or a win graph that is not strongly connected.
    """
    counts = _counts(wins, "wins")
    n = len(counts)
    if not -n <= anchor < n:
        raise ValueError(f"anchor {anchor} is not one of the {n} items")
    _connected(counts > 0)
    gauge = np.full((n, n), max(counts.sum() / n**2, 1e-300) / n)

    def objective(s: Floats) -> tuple[float, Floats, Floats]:
        z = s[:, None] - s[None, :]
        log_p = log_ndtr(z)
        ratio = np.exp(-z * z / 2 - log_p) / np.sqrt(2 * np.pi)
        push, weight = counts * ratio, counts * ratio * (ratio + z)
        both = weight + weight.T
        slope = push.sum(axis=1) - push.sum(axis=0)
        return float(np.sum(counts * log_p)), slope, np.diag(both.sum(axis=1)) - both + gauge

    s, curve, converged = _newton(objective, np.zeros(n))
    place = np.eye(n)
    place[:, anchor] -= 1
    variance = np.diag(place @ np.linalg.inv(curve) @ place.T)
    return Thurstone(sigma * (place @ s), sigma * np.sqrt(np.maximum(variance, 0)), converged)
