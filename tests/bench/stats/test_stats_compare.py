"""Paired tests, multiplicity, tiers and ranks."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from ganiq.bench.stats import (
    Within,
    benjamini_hochberg,
    benjamini_yekutieli,
    bonferroni,
    friedman,
    generator,
    holm,
    jackknife_differences,
    leave_one_out,
    max_t,
    nemenyi,
    paired,
    sign_flip,
    srocc,
    tiers,
)
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats


def test_adjustments():
    p = [0.01, 0.04, 0.03, 0.005]
    np.testing.assert_allclose(holm(p), [0.03, 0.06, 0.06, 0.02])
    np.testing.assert_allclose(benjamini_hochberg(p), [0.02, 0.04, 0.04, 0.02])
    np.testing.assert_allclose(benjamini_yekutieli(p), [0.0416667, 0.0833333, 0.0833333, 0.0416667], atol=5e-8)
    np.testing.assert_allclose(bonferroni(p), [0.04, 0.16, 0.12, 0.02])
    np.testing.assert_allclose(holm([0.9, 0.8]), [1, 1])
    for adjust in (holm, benjamini_hochberg, benjamini_yekutieli, bonferroni):
        assert len(adjust([])) == 0
        with pytest.raises(ValueError, match=r"\[0, 1\]"):
            adjust([0.1, 1.1])
        with pytest.raises(ValueError, match="NaN"):
            adjust([0.1, np.nan])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_adjusted_p_keep_order_and_bounds(p):
    first, second = np.array(p)[:, None], np.array(p)[None, :]
    for adjust in (holm, benjamini_hochberg, benjamini_yekutieli, bonferroni):
        adjusted = adjust(p)
        assert (adjusted >= np.array(p) - 1e-15).all()
        assert (adjusted <= 1).all()
        assert (adjusted[:, None] <= adjusted[None, :])[first < second].all()
    assert (benjamini_hochberg(p) <= holm(p) + 1e-15).all()
    assert (holm(p) <= bonferroni(p) + 1e-15).all()


def test_sign_flip_enumerates():
    d = np.array([0.3, -0.1, 0.25, 0.4, 0.05])
    flips = np.array(list(itertools.product([-1, 1], repeat=5)))
    assert sign_flip(d) == np.mean(np.abs(flips @ d) >= abs(d.sum()) - 1e-12)
    assert sign_flip(np.ones(6)) == 2 / 64
    assert sign_flip(-np.ones(6)) == 2 / 64
    assert sign_flip(np.zeros(6)) == 1
    assert sign_flip([0.4]) == 1
    assert np.isnan(sign_flip([]))


def test_sign_flip_samples():
    d = np.random.default_rng(0).normal(0.4, 1, 40)
    p = sign_flip(d, rng=generator(0, "s"))
    assert p == pytest.approx(stats.ttest_1samp(d, 0)[1], abs=0.01)
    assert p == sign_flip(d, rng=generator(0, "s"))
    assert sign_flip(np.ones(40), n=999, rng=generator(0, "s")) == 1 / 1000
    with pytest.raises(ValueError, match="random generator"):
        sign_flip(d)


def test_sign_flip_is_valid():
    """Share of p <= .05 without a difference, over 400 studies of 20 groups."""
    rng = np.random.default_rng(1)
    p = [sign_flip(rng.normal(size=20), 499, rng=rng) for _ in range(400)]
    assert 0.02 <= np.mean(np.array(p) <= 0.05) <= 0.08


def test_max_t_of_two_is_the_sign_flip():
    v = np.random.default_rng(2).normal(size=(10, 2))
    found = max_t(v)
    assert found.p[0, 1] == sign_flip(v[:, 0] - v[:, 1])
    assert found.delta[0, 1] == pytest.approx(v[:, 0].mean() - v[:, 1].mean())
    assert (found.groups, found.flips) == (10, 1024)


def test_max_t_by_definition():
    rng = np.random.default_rng(3)
    v = rng.normal(size=(9, 4)) * 0.1 + rng.normal(size=(9, 1)) + [0, 0.05, 0.1, 0.3]
    found = max_t(v)
    pairs = list(itertools.combinations(range(4), 2))
    d = np.stack([v[:, i] - v[:, j] for i, j in pairs], axis=1)

    def t(values):
        return np.abs(values.mean(axis=0)) / (values.std(axis=0, ddof=1) / 3)

    largest = np.array([t(d * np.array(s)[:, None]).max() for s in itertools.product([-1, 1], repeat=9)])
    for (i, j), observed in zip(pairs, t(d)):
        assert found.p[i, j] == found.p[j, i] == np.mean(largest >= observed - 1e-9)
        assert found.delta[i, j] == -found.delta[j, i] == pytest.approx(d.mean(axis=0)[pairs.index((i, j))])
    np.testing.assert_array_equal(np.diag(found.p), 1)


def test_max_t_degenerate_columns():
    rng = np.random.default_rng(4)
    v = rng.normal(size=(10, 1))
    equal = max_t(np.hstack([v, v, v + 1e-15]))
    np.testing.assert_array_equal(equal.p, 1)
    np.testing.assert_allclose(equal.delta, 0, atol=1e-12)
    constant = max_t(np.hstack([v, v + 0.25]))
    assert constant.p[0, 1] == 2 / 1024
    assert constant.delta[1, 0] == pytest.approx(0.25)
    mixed = max_t(np.hstack([v, v, v + 0.25, rng.normal(size=(10, 1))]))
    assert np.isfinite(mixed.p).all()
    assert mixed.p[0, 1] == 1
    assert mixed.p[0, 2] == 2 / 1024
    assert max_t(v).p.shape == (1, 1)
    assert max_t(np.empty((0, 3))).p.tolist() == np.ones((3, 3)).tolist()
    np.testing.assert_array_equal(max_t(rng.normal(size=(1, 3))).p, 1)
    with pytest.raises(ValueError, match="NaN"):
        max_t([[0.1, np.nan], [0.2, 0.3]])


def test_max_t_is_reproducible_and_indifferent_to_order_and_scale():
    rng = np.random.default_rng(5)
    v = rng.normal(size=(25, 6)) + np.linspace(0, 1.5, 6)
    first = max_t(v, generator(1, "t", "max"), 999)
    again = max_t(v, generator(1, "t", "max"), 999)
    assert first.p.tobytes() == again.p.tobytes()
    order = rng.permutation(6)
    shuffled = max_t(v[:, order], generator(1, "t", "max"), 999)
    np.testing.assert_allclose(shuffled.p, first.p[np.ix_(order, order)])
    np.testing.assert_allclose(max_t(1e6 * v, generator(1, "t", "max"), 999).p, first.p)
    # More metrics mean more comparisons: p can only grow.
    wider = max_t(np.hstack([v, rng.normal(size=(25, 4))]), generator(1, "t", "max"), 999)
    assert (wider.p[:6, :6] >= first.p - 1e-12).all()
    assert first.p[0, 5] <= 0.05


def test_equal_board_has_few_false_claims():
    """Ten equally good metrics, 25 references: boards with any false claim, nominally 5 %, over 100 boards."""
    rng = np.random.default_rng(6)
    false = unadjusted = 0
    off = ~np.eye(10, dtype=bool)
    for number in range(100):
        v = rng.normal(0, 0.1, (25, 1)) + rng.normal(0, 0.1, (25, 10))
        board = max_t(v, rng, 499)
        false += (board.p <= 0.05).any()
        plain = np.asarray(stats.ttest_1samp(v[:, :, None] - v[:, None, :], 0, axis=0))[1] if number < 20 else None
        unadjusted += plain is not None and (plain[off] <= 0.05).any()
        assert (board.p <= 0.05).any() or set(tiers(board.p, board.delta).tier) == {1}
    assert false < 11
    assert unadjusted >= 8


def test_jackknife_differences():
    rng = np.random.default_rng(7)
    groups = np.repeat(np.arange(15), 20)
    y = rng.normal(size=300)
    metrics = [y + s * rng.normal(size=300) for s in (0.3, 0.32, 2)]
    left = np.stack([leave_one_out(srocc, x, y, groups) for x in metrics], axis=1)
    full = [srocc(x, y) for x in metrics]
    found = jackknife_differences(left, full)
    d = left[:, 0] - left[:, 2]
    assert found.se[0, 2] == pytest.approx(np.sqrt(14 / 15 * np.sum((d - d.mean()) ** 2)))
    raw = [2 * stats.t.sf(abs(found.delta[i, j]) / found.se[i, j], 14) for i, j in itertools.combinations(range(3), 2)]
    np.testing.assert_allclose(found.p[np.triu_indices(3, 1)], holm(raw))
    assert found.p[0, 2] < 0.001
    assert found.p[0, 1] > found.p[0, 2]
    twin = jackknife_differences(left[:, [0, 0]], [full[0], full[0]])
    np.testing.assert_array_equal(twin.p, 1)
    with pytest.raises(ValueError, match="at least 2 groups"):
        jackknife_differences(left[:1], full)
    with pytest.raises(ValueError, match="3 metrics"):
        jackknife_differences(left, full[:2])


def test_paired(ends):
    rng = np.random.default_rng(8)
    names = tuple(f"r{i:02}" for i in range(20))
    base = rng.normal(0.6, 0.1, 20)
    first = Within(names, base + 0.05 + 0.02 * rng.normal(size=20), 800)
    second = Within((*names[1:], "z"), np.append(base[1:], 0.9), 800)
    found = paired(first, second, rng=generator(0, "p"))
    assert found.delta.n == 19
    low, value, high = ends(found.delta)
    assert 0 < low < value < high
    assert found.p < 0.01
    low, value, high = ends(found.won)
    assert low < value <= high <= 1
    few = paired(Within(names[:5], base[:5], 9), Within(names[:5], base[:5] - 0.1, 9), rng=generator(0, "p"))
    assert few.delta.low is None
    assert few.p == 2 / 32
    assert few.won.value == 1
    same = paired(first, first, rng=generator(0, "p"))
    assert (same.p, same.won.value) == (1, 0.5)
    none = paired(first, Within((), np.empty(0), 0), rng=generator(0, "p"))
    assert none.delta.value is None
    assert np.isnan(none.p)


def test_tiers_worked_example():
    """a beats c and d, b beats d; nothing else is decided."""
    delta = np.subtract.outer([4.0, 3, 2, 1], [4.0, 3, 2, 1])
    p = np.ones((4, 4))
    for i, j in ((0, 2), (0, 3), (1, 3)):
        p[i, j] = p[j, i] = 0.01
    found = tiers(p, delta)
    assert found.tier == [1, 1, 2, 2]
    assert found.rank == [(1, 2), (1, 3), (2, 4), (3, 4)]
    assert found.apart == [[2, 3], [3], [0], [0, 1]]  # b and c stand in different tiers and are not told apart
    assert tiers(np.ones((3, 3)), np.zeros((3, 3))) == ([1, 1, 1], [(1, 3)] * 3, [[], [], []])
    assert tiers(np.empty((0, 0)), np.empty((0, 0))) == ([], [], [])


@given(st.integers(1, 9), st.integers(0, 10_000))
def test_tiers_are_consistent(m, seed):
    rng = np.random.default_rng(seed)
    mean = rng.normal(size=m)
    p = np.triu(rng.random((m, m)) ** 3, 1)
    p = p + p.T + np.eye(m)
    delta = mean[:, None] - mean
    tier, rank, apart = tiers(p, delta)
    beats = (p <= 0.05) & (delta > 0)
    place = (-mean).argsort().argsort() + 1
    assert set(tier) == set(range(1, max(tier) + 1))
    for i in range(m):
        assert (tier[i] == 1) == (rank[i][0] == 1) == (not beats[:, i].any())
        assert rank[i][0] <= place[i] <= rank[i][1]
        for j in range(m):
            assert (j in apart[i]) == bool(beats[i, j] or beats[j, i])
            if beats[i, j]:
                assert tier[i] < tier[j]


def test_tiers_refuse_nonsense():
    circle = np.array([[0, 1, -1], [-1, 0, 1], [1, -1, 0.0]])
    with pytest.raises(ValueError, match="in a circle"):
        tiers(np.zeros((3, 3)), circle)
    with pytest.raises(ValueError, match="square"):
        tiers(np.zeros((3, 2)), np.zeros((3, 2)))


DEMSAR = [3.143, 2.000, 2.893, 1.964]


def test_friedman_and_nemenyi_published():
    """Demsar 2006, table 6: 4 classifiers on 14 data sets."""
    found = friedman(DEMSAR, n=14)
    assert found.chi2 == pytest.approx(9.28, abs=0.01)
    assert found.f == pytest.approx(3.69, abs=0.01)
    five, ten = nemenyi(DEMSAR, 0.05, n=14), nemenyi(DEMSAR, 0.10, n=14)
    assert (five.q, ten.q) == pytest.approx((2.569032, 2.291341), abs=2e-6)
    assert (five.cd, ten.cd) == pytest.approx((1.2536, 1.1181), abs=5e-5)
    # Best to worst: 4th, 2nd, 3rd, 1st. Only the ends differ at 10 %: 3.143 - 1.964 and 3.143 - 2.
    assert five.groups == ((3, 1, 2, 0),)
    assert ten.groups == ((3, 1, 2), (2, 0))


def test_friedman_on_ranks_agrees_with_scipy():
    rng = np.random.default_rng(9)
    scores = rng.normal(size=(12, 5)) + np.arange(5)
    ranks = stats.rankdata(-scores, axis=1)
    found, expected = friedman(ranks), stats.friedmanchisquare(*scores.T)
    assert found.chi2 == pytest.approx(expected.statistic)
    assert found.p_chi2 == pytest.approx(expected.pvalue)
    same = friedman(np.tile([1, 2, 3], (6, 1)))
    assert (same.f, same.p_f) == (np.inf, 0)


def test_friedman_wants_ranks():
    with pytest.raises(ValueError, match="not ranks"):
        friedman([[0.91, 0.92, 0.95]] * 5)
    with pytest.raises(ValueError, match="number of blocks"):
        friedman(DEMSAR)
    with pytest.raises(ValueError, match="at least 2"):
        nemenyi([[1.0]] * 5)
