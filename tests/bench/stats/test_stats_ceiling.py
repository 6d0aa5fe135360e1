"""Noise ceilings and control predictions."""

from __future__ import annotations

import numpy as np
import pytest
from ganiq.bench.stats import (
    bradley_terry_ceiling,
    elo_ceiling,
    error_ceiling,
    generator,
    leave_one_out_means,
    plcc,
    rater_band,
    spearman_brown,
    split_half,
)


def ratings(seed: int = 0, raters: int = 24, items: int = 200, noise: float = 2.0):
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=items)
    return truth, truth + noise * rng.normal(size=(raters, items))


def test_spearman_brown():
    assert spearman_brown(0.6) == pytest.approx(0.75)
    assert spearman_brown(0.75, 0.5) == pytest.approx(0.6)
    assert np.isnan(spearman_brown(-1))


def test_split_half_estimates_the_reliability():
    truth, votes = ratings()
    found = split_half(24, lambda who: votes[who].mean(axis=0), 20, rng=generator(0, "s"), coefficient=plcc)
    # Reliability of a mean of 24 raters with noise variance 4: 1 / (1 + 4/24) = .857; of 12: .75.
    assert found.mean == pytest.approx(0.75, abs=0.05)
    assert found.reliability == pytest.approx(0.857, abs=0.04)
    assert len(found.values) == 20
    assert plcc(votes.mean(axis=0), truth) == pytest.approx(np.sqrt(found.reliability), abs=0.03)
    again = split_half(24, lambda who: votes[who].mean(axis=0), 20, rng=generator(0, "s"), coefficient=plcc)
    assert again.values.tobytes() == found.values.tobytes()
    with pytest.raises(ValueError, match="at least 2 people"):
        split_half(1, lambda who: votes[who].mean(axis=0), rng=generator(0, "s"))


def test_split_half_halves_are_disjoint_and_equal():
    seen = []
    split_half(7, lambda who: seen.append(who) or [1, 2, 3], 5, rng=generator(0, "s"))
    for first, second in zip(seen[::2], seen[1::2]):
        assert len(first) == len(second) == 3
        assert not set(first) & set(second)


def test_error_ceiling():
    truth, votes = ratings()
    mos, se = votes.mean(axis=0), votes.std(axis=0, ddof=1) / np.sqrt(24)
    assert error_ceiling(mos, se) == pytest.approx(np.sqrt(1 / (1 + 4 / 24)), abs=0.02)
    assert plcc(mos, truth) == pytest.approx(error_ceiling(mos, se), abs=0.03)
    assert error_ceiling([1, 2, 3], [0, 0, 0]) == 1
    assert error_ceiling([1, 2, 3], [9, 9, 9]) == 0
    assert np.isnan(error_ceiling([1, 1, 1], [0, 0, 0]))
    with pytest.raises(ValueError, match="standard errors"):
        error_ceiling([1, 2, 3], [1, 2])


def test_rater_band():
    _, votes = ratings()
    lower, upper = rater_band(votes)
    assert 0.3 < lower < upper < 0.6
    assert rater_band([[1, 2, 3], [1, 2, 3]]) == pytest.approx((1, 1))
    with pytest.raises(ValueError, match="at least 2 raters"):
        rater_band([[1, 2, 3]])


def test_bradley_terry_ceiling_grows_with_votes(ends):
    rng = np.random.default_rng(0)
    theta = rng.normal(size=20)
    chance = 1 / (1 + np.exp(theta[None, :] - theta[:, None]))
    values = []
    for votes in (4, 100):
        wins = np.triu(rng.binomial(votes, chance), 1).astype(float)
        wins += np.tril(votes - wins.T, -1)
        found = bradley_terry_ceiling(wins, 30, rng=generator(0, "c"))
        low, value, high = ends(found)
        assert low <= value <= high <= 1
        grouped = bradley_terry_ceiling(wins, 30, rng=generator(0, "c"), groups=np.arange(20) // 10)
        assert ends(grouped)[1] < value + 0.05
        values.append(value)
    assert values[0] < values[1]
    assert values[1] > 0.97
    lonely = bradley_terry_ceiling(wins, 3, rng=generator(0, "c"), groups=np.arange(20))
    assert lonely.value is None


def test_elo_ceiling_of_simulated_pipal():
    """4,520 votes per reference on 116 images, K = 16; an independent simulation gave .92, .94 and .95."""
    found = [elo_ceiling(s, 116, 4520, 6, rng=generator(0, "elo")).mean() for s in (120, 140, 160)]
    np.testing.assert_allclose(found, [0.92, 0.94, 0.95], atol=0.015)
    with pytest.raises(ValueError, match="at least 3 items"):
        elo_ceiling(100, 2, 10, rng=generator(0, "elo"))


def test_leave_one_out_means():
    y = [1, 2, 3, 4, 5, 6, 7.0]
    groups = ["r", "r", "s", "s", "t", "t", "t"]
    labels = ["a", "b", "a", "c", "a", "b", "b"]
    found = leave_one_out_means(y, groups, labels)
    np.testing.assert_allclose(found, [4, 6.5, 3, np.nan, 2, 2, 2])
    assert leave_one_out_means([], [], []).shape == (0,)
    with pytest.raises(ValueError, match="NaN"):
        leave_one_out_means([np.nan], ["r"], ["a"])


def test_leave_one_out_means_by_definition():
    rng = np.random.default_rng(1)
    y, groups, labels = 1e6 + rng.normal(size=300), rng.integers(0, 9, 300), rng.integers(0, 7, 300)
    expected = [y[(labels == label) & (groups != group)].mean() for group, label in zip(groups, labels)]
    np.testing.assert_allclose(leave_one_out_means(y, groups, labels) - 1e6, np.array(expected) - 1e6, atol=1e-8)
