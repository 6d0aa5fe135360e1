"""Scores from votes: published fits, ties, and what cannot be fitted."""

from __future__ import annotations

import numpy as np
import pytest
from ganiq.bench.stats import bradley_terry, davidson, generator, rao_kupper, thurstone, win_matrix

BASEBALL = np.array(
    [
        [0, 7, 9, 7, 7, 9, 11],
        [6, 0, 7, 5, 11, 9, 9],
        [4, 6, 0, 7, 7, 8, 12],
        [6, 8, 6, 0, 6, 7, 10],
        [6, 2, 6, 7, 0, 7, 12],
        [4, 4, 5, 6, 6, 0, 6],
        [2, 4, 1, 3, 1, 7, 0],
    ]
)


def test_agresti_baseball():
    found = bradley_terry(BASEBALL, anchor=6)
    assert found.converged
    np.testing.assert_allclose(found.theta, [1.5814, 1.4364, 1.2945, 1.2476, 1.1077, 0.6839, 0], atol=5.1e-5)
    np.testing.assert_allclose(found.se, [0.3433, 0.3396, 0.3367, 0.3359, 0.3339, 0.3319, 0], atol=5.1e-5)


def test_stigler_journals():
    rows = [
        ("Biometrika", "CommStat", 730, 33),
        ("Biometrika", "JASA", 498, 320),
        ("Biometrika", "JRSSB", 221, 284),
        ("CommStat", "JASA", 68, 813),
        ("CommStat", "JRSSB", 17, 276),
        ("JASA", "JRSSB", 142, 325),
    ]
    wins, items = win_matrix(*zip(*rows))
    assert items == ["Biometrika", "CommStat", "JASA", "JRSSB"]
    found = bradley_terry(wins)
    np.testing.assert_allclose(found.theta, [0, -2.94907, -0.47957, 0.26895], atol=5.1e-6)
    np.testing.assert_allclose(found.se, [0, 0.10255, 0.06059, 0.07083], atol=5.1e-6)


def test_four_by_four():
    found = bradley_terry([[0, 3, 2, 7], [1, 0, 6, 3], [4, 3, 0, 0], [1, 2, 5, 0]])
    p = np.exp(found.theta) / np.exp(found.theta).sum()
    np.testing.assert_allclose(p, [0.39092801, 0.25280436, 0.14667577, 0.20959186], atol=5.1e-9)


def test_fit_reproduces_the_wins():
    """At the maximum every item's expected wins equal its wins."""
    found = bradley_terry(BASEBALL)
    expected = (found.probability * (BASEBALL + BASEBALL.T)).sum(axis=1)
    np.testing.assert_allclose(expected, BASEBALL.sum(axis=1), rtol=1e-9)


def test_gauges_agree():
    first, last = bradley_terry(BASEBALL), bradley_terry(BASEBALL, anchor=-1)
    np.testing.assert_allclose(first.theta - first.theta[6], last.theta, atol=1e-9)
    variance = np.diag(first.covariance)[:, None] + np.diag(first.covariance) - 2 * first.covariance
    np.testing.assert_allclose(np.sqrt(np.maximum(variance[6], 0)), last.se, atol=1e-9)


def test_ridge_centres_shrinks_and_always_exists():
    plain, weak, strong = (bradley_terry(BASEBALL, ridge=r) for r in (0, 1e-9, 5))
    np.testing.assert_allclose(weak.theta, plain.theta - plain.theta.mean(), atol=1e-6)
    assert weak.theta.mean() == pytest.approx(0, abs=1e-12)
    assert np.std(strong.theta) < 0.8 * np.std(plain.theta)
    assert (strong.se < weak.se).all()
    lone = bradley_terry([[0, 5, 0], [0, 0, 0], [0, 0, 0]], ridge=0.01)
    assert lone.converged
    assert lone.theta[0] > 2 > -2 > lone.theta[1]
    assert lone.theta[2] == pytest.approx(0, abs=1e-9)


def test_ridge_is_the_whole_sum_of_squares():
    """The penalty is ridge * sum(theta^2): stationarity of two items, 3 wins to 1."""
    theta = bradley_terry([[0, 3], [1, 0]], ridge=0.5).theta
    gap = theta[0] - theta[1]
    assert 3 - 4 / (1 + np.exp(-gap)) == pytest.approx(2 * 0.5 * theta[0], abs=1e-9)


@pytest.mark.parametrize(
    "wins",
    [
        [[0, 3, 3], [0, 0, 2], [0, 1, 0]],  # the first never loses
        [[0, 2, 0, 0], [1, 0, 0, 0], [0, 0, 0, 2], [0, 0, 1, 0]],  # two islands
        [[0, 1, 0], [1, 0, 0], [0, 0, 0]],  # one was never compared
    ],
)
def test_unconnected_votes_are_refused(wins):
    with pytest.raises(ValueError, match="not strongly connected"):
        bradley_terry(wins)
    with pytest.raises(ValueError, match="not strongly connected"):
        thurstone(wins)
    assert bradley_terry(wins, ridge=0.1).converged


def test_bad_counts_are_refused():
    for wins in ([[0, -1], [1, 0]], [[1, 1], [1, 0]]):
        with pytest.raises(ValueError, match="negative"):
            bradley_terry(wins)
    with pytest.raises(ValueError, match="square"):
        bradley_terry([[0, 1, 2], [1, 0, 2]])
    with pytest.raises(ValueError, match="anchor 7"):
        bradley_terry(BASEBALL, anchor=7)
    with pytest.raises(ValueError, match="ridge"):
        bradley_terry(BASEBALL, ridge=-1)


def test_standard_errors_cover():
    """200 simulated tournaments: 95 % of the intervals of a difference hold it."""
    rng = np.random.default_rng(0)
    truth = np.array([0, 0.5, -0.5, 1.0, -1.0])
    upper = np.triu_indices(5, 1)
    chance = 1 / (1 + np.exp(truth[upper[1]] - truth[upper[0]]))
    inside = 0
    for _ in range(200):
        wins = np.zeros((5, 5))
        wins[upper] = rng.binomial(30, chance)
        wins.T[upper] = 30 - wins[upper]
        found = bradley_terry(wins)
        inside += abs(found.theta[3] - truth[3]) <= 1.96 * found.se[3]
    assert 0.91 <= inside / 200 <= 0.985


def test_lopsided_votes_converge():
    wins = np.array([[0, 10_000, 10_000], [1, 0, 10_000], [0, 1, 0]])
    found = bradley_terry(wins)
    assert found.converged
    expected = (found.probability * (wins + wins.T)).sum(axis=1)
    np.testing.assert_allclose(expected, wins.sum(axis=1), rtol=1e-9)


def test_ties_two_items():
    """10 wins, 5 losses, 5 ties: closed forms."""
    wins, ties = [[0, 10], [5, 0]], [[0, 5], [5, 0]]
    one = davidson(wins, ties, anchor=1)
    assert one.theta[0] == pytest.approx(np.log(2), rel=1e-9)
    assert one.tie == pytest.approx(5 / np.sqrt(50), rel=1e-9)
    two = rao_kupper(wins, ties, anchor=1)
    assert two.theta[0] == pytest.approx(np.log(3) / 2, rel=1e-9)
    assert two.tie == pytest.approx(np.sqrt(3), rel=1e-9)
    half = bradley_terry(np.array(wins) + np.array(ties) / 2, anchor=1)
    assert half.theta[0] == pytest.approx(np.log(12.5 / 7.5), rel=1e-9)
    assert half.theta[0] == pytest.approx(0.510826, abs=5e-7)


@pytest.mark.parametrize("model", [davidson, rao_kupper])
def test_ties_recover_the_truth(model):
    """Expected counts of a known tournament: the fit must return its parameters."""
    theta, tie, n = np.array([0, 0.8, -0.6, 1.5]), 1.4, 1000
    p = np.exp(theta)[:, None]
    if model is davidson:
        draw = tie * np.sqrt(p * p.T)
        win, ties = p / (p + p.T + draw), draw / (p + p.T + draw)
    else:
        win = p / (p + tie * p.T)
        ties = 1 - win - win.T
    off = 1 - np.eye(4)
    found = model(n * win * off, n * (ties + ties.T) / 2 * off)
    np.testing.assert_allclose(found.theta, theta, atol=1e-7)
    assert found.tie == pytest.approx(tie, rel=1e-7)
    assert found.converged
    assert found.se[0] == 0
    assert (found.se[1:] > 0.01).all()


@pytest.mark.parametrize("model", [davidson, rao_kupper])
def test_ties_refuse(model):
    with pytest.raises(ValueError, match="both ties and wins"):
        model([[0, 3], [1, 0]], np.zeros((2, 2)))
    with pytest.raises(ValueError, match="symmetric"):
        model([[0, 3], [1, 0]], [[0, 1], [2, 0]])
    with pytest.raises(ValueError, match="not strongly connected"):
        model([[0, 3, 1], [1, 0, 1], [0, 0, 0]], [[0, 1, 0], [1, 0, 0], [0, 0, 0]])


def test_thurstone():
    found = thurstone([[0, 75], [25, 0]], anchor=1)
    assert found.scores == pytest.approx([1, 0], abs=1e-4)
    # Delta method for one proportion: se = sigma * sqrt(p(1-p)/n) / density.
    density = np.exp(-((0.6744898) ** 2) / 2) / np.sqrt(2 * np.pi)
    assert found.se[0] == pytest.approx(1.4826 * np.sqrt(0.75 * 0.25 / 100) / density, rel=0.01)
    many = thurstone(BASEBALL, anchor=6)
    assert many.converged
    assert (np.diff(many.scores) < 0).all()


def test_win_matrix():
    wins, items = win_matrix(["b", "a", "b"], ["a", "b", "c"], [3, 1, 2], [0, 4, 5])
    assert items == ["a", "b", "c"]
    assert wins.tolist() == [[0, 1, 0], [7, 0, 2], [0, 5, 0]]
    other, order = win_matrix(["b"], ["a"], [3], [1], items=["c", "b", "a"])
    assert order == ["c", "b", "a"]
    assert other.tolist() == [[0, 0, 0], [0, 0, 3], [0, 1, 0]]
    with pytest.raises(ValueError, match="'a' is compared with itself"):
        win_matrix(["a"], ["a"], [1], [1])
    with pytest.raises(ValueError, match="'a' is compared but not among"):
        win_matrix(["a"], ["b"], [1], [1], items=["b"])
    with pytest.raises(ValueError, match="one length"):
        win_matrix(["a"], ["b"], [1, 2], [1])
    with pytest.raises(ValueError, match="negative"):
        win_matrix(["a"], ["b"], [-1], [1])


def test_many_refits_are_quick():
    """104 items, as in the largest vote set at hand: 20 refits of resampled votes all converge."""
    rng = generator(0, "refits")
    theta = rng.normal(0, 1.5, 104)
    upper = np.triu_indices(104, 1)
    votes = rng.multinomial(14_000, np.full(len(upper[0]), 1 / len(upper[0])))
    chance = 1 / (1 + np.exp(theta[upper[1]] - theta[upper[0]]))
    for _ in range(20):
        wins = np.zeros((104, 104))
        wins[upper] = rng.binomial(votes, chance)
        wins.T[upper] = votes - wins[upper]
        found = bradley_terry(wins, 0.01)
        assert found.converged
        assert np.corrcoef(found.theta, theta)[0, 1] > 0.97
