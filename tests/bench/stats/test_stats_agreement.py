"""Coefficients, errors and the decomposition of agreement."""

from __future__ import annotations

import numpy as np
import pytest
from ganiq.bench.stats import (
    centred,
    krocc,
    outlier_ratio,
    partial,
    plcc,
    residual,
    rmse,
    rmse_star,
    shares,
    srocc,
    within,
)
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats


def test_published_coefficients():
    assert krocc([12, 2, 1, 12, 2], [1, 4, 7, 1, 0]) == pytest.approx(-0.47140452079103173, rel=1e-12)
    assert srocc([1, 2, 3, 4, 5], [5, 6, 7, 8, 7]) == pytest.approx(0.8207826816681233, rel=1e-12)
    assert plcc([1, 2, 3, 4, 5, 6, 7], [10, 9, 2.5, 6, 4, 3, 2]) == pytest.approx(-0.828503883588428, rel=1e-12)
    assert plcc([1, 2, 3, 4], [1, 2, 3, 5]) == pytest.approx(0.98270762982399085, rel=1e-12)
    assert rmse([1, 2, 3, 4], [1, 2, 3, 5]) == pytest.approx(0.5, rel=1e-12)
    assert srocc([1, 2, 3, 4], [1, 2, 5, 3]) == pytest.approx(0.8, rel=1e-12)
    assert krocc([1, 2, 3, 4], [1, 2, 5, 3]) == pytest.approx(2 / 3, rel=1e-12)


values = st.lists(st.integers(-5, 5), min_size=3, max_size=40)


@given(values, st.randoms(use_true_random=False))
def test_agrees_with_scipy_on_ties(x, random):
    y = [v + random.randint(-3, 3) for v in x]
    if len(set(x)) < 2 or len(set(y)) < 2:
        assert all(np.isnan(f(x, y)) for f in (srocc, krocc, plcc))
        return
    assert srocc(x, y) == pytest.approx(stats.spearmanr(x, y)[0], abs=1e-12)
    assert krocc(x, y) == pytest.approx(stats.kendalltau(x, y)[0], abs=1e-12)
    assert plcc(x, y) == pytest.approx(stats.pearsonr(x, y)[0], abs=1e-12)


@pytest.mark.parametrize("coefficient", [srocc, krocc, plcc])
def test_sign_is_kept_and_symmetric(coefficient):
    rng = np.random.default_rng(0)
    x = rng.normal(size=50)
    y = x + rng.normal(size=50)
    assert coefficient(x, y) > 0.3
    assert coefficient(-x, y) == pytest.approx(-coefficient(x, y), abs=1e-14)
    assert coefficient(y, x) == pytest.approx(coefficient(x, y), abs=1e-14)


@pytest.mark.parametrize("coefficient", [srocc, krocc, plcc])
def test_undefined_is_nan_and_nan_is_refused(coefficient):
    assert np.isnan(coefficient([0.1, 0.1, 0.1], [1, 2, 3]))
    assert np.isnan(coefficient([1, 2, 3], [0.1, 0.1, 0.1]))
    assert np.isnan(coefficient([1, 2], [1, 2]))
    assert np.isnan(coefficient([], []))
    with pytest.raises(ValueError, match="1 NaN"):
        coefficient([1, 2, np.nan], [1, 2, 3])
    with pytest.raises(ValueError, match="x has 3 values and y has 2"):
        coefficient([1, 2, 3], [1, 2])
    with pytest.raises(ValueError, match="one-dimensional"):
        coefficient([[1, 2, 3]], [[1, 2, 3]])


def test_infinities_rank_but_have_no_linear_correlation():
    assert srocc([1, 2, np.inf], [1, 2, 3]) == 1
    assert krocc([-np.inf, 2, 3], [1, 2, 3]) == 1
    with pytest.raises(ValueError, match="infinite"):
        plcc([1, 2, np.inf], [1, 2, 3])


@pytest.mark.parametrize("factor", [1e-300, 1e-12, 1.0, 1e12, 1e300])
def test_linear_correlation_survives_extreme_units(factor):
    x, y = np.array([1, 2, 4, 3.0]), np.array([1, 2, 3, 5.0])
    assert plcc(x * factor, y) == pytest.approx(plcc(x, y), abs=1e-12)


def test_error_measures():
    y, fitted, width = np.array([1.0, 2, 3, 4]), np.array([1.5, 2, 1, 4.25]), np.array([0.25, 1, 0.5, 0.5])
    assert rmse(y, fitted) == pytest.approx(np.sqrt((0.25 + 4 + 0.0625) / 4))
    assert rmse(y, fitted, d=2) == pytest.approx(np.sqrt((0.25 + 4 + 0.0625) / 2))
    assert np.isnan(rmse(y, fitted, d=4))
    # Squares are summed, not the sum squared: (.25 + 1.5)^2 would give .875.
    assert rmse_star(y, fitted, width) == pytest.approx(np.sqrt((0.25**2 + 1.5**2) / 4))
    assert rmse_star(y, fitted, np.zeros(4)) == pytest.approx(rmse(y, fitted))
    assert outlier_ratio(y, fitted, width) == 0.5
    with pytest.raises(ValueError, match="half-widths"):
        outlier_ratio(y, fitted, -width)


def test_within_is_the_mean_of_the_groups():
    rng = np.random.default_rng(1)
    groups = np.repeat(["a", "b", "c", "few"], [7, 9, 5, 4])
    x = rng.normal(size=25)
    y = x + rng.normal(size=25)
    result = within(x, y, groups)
    assert result.groups == ("a", "b", "c")
    assert result.n == 21
    for name, value in zip(result.groups, result.values):
        assert value == srocc(x[groups == name], y[groups == name])
    assert result.mean == pytest.approx(np.mean(result.values))
    assert within(x, y, groups, least=4).groups == ("a", "b", "c", "few")


def test_within_ignores_offsets_order_and_constant_groups():
    rng = np.random.default_rng(2)
    groups = np.repeat(np.arange(12), 8)
    x = rng.normal(size=96)
    y = x + rng.normal(size=96)
    expected = within(x, y, groups)
    shifted = within(x + 100 * groups, y - 7 * groups, groups)
    np.testing.assert_allclose(shifted.values, expected.values, atol=1e-12)
    order = rng.permutation(96)
    shuffled = within(x[order], y[order], groups[order])
    assert shuffled.groups == expected.groups
    np.testing.assert_allclose(shuffled.values, expected.values, atol=1e-12)
    x[groups == 3] = 0.1
    assert "3" not in within(x, y, groups).groups
    nothing = within(np.zeros(96), y, groups)
    assert nothing.groups == ()
    assert nothing.n == 0
    assert np.isnan(nothing.mean)
    assert within([], [], []).groups == ()


def test_blocks_are_averaged_inside_their_group():
    rng = np.random.default_rng(3)
    groups, blocks = np.repeat(["g", "h"], [12, 6]), np.repeat(["p", "q", "r"], 6)
    x, y = rng.normal(size=18), rng.normal(size=18)
    one = {b: srocc(x[blocks == b], y[blocks == b]) for b in "pqr"}
    result = within(x, y, groups, blocks)
    np.testing.assert_allclose(result.values, [(one["p"] + one["q"]) / 2, one["r"]])
    with pytest.raises(ValueError, match="block 'p' has items of several groups"):
        within(x, y, np.tile(["g", "h"], 9), blocks)


def test_pooled_identity_of_zero_sum_scores():
    """Without between-group variance in y, pooled r = within r * sqrt(s2_within(x) / s2_total(x))."""
    rng = np.random.default_rng(4)
    groups = np.repeat(np.arange(20), 30)
    y = centred(rng.normal(size=600), groups)
    x = y + rng.normal(size=600) + 2 * rng.normal(size=20)[groups]
    inside = centred(x, groups)
    assert plcc(x, y) == pytest.approx(plcc(inside, y) * inside.std() / x.std(), abs=1e-12)


def test_partial_removes_offsets_and_lone_items():
    rng = np.random.default_rng(5)
    blocks = np.repeat(np.arange(40), 3)
    y = rng.normal(size=120)
    x = y + rng.normal(scale=0.3, size=120)
    high = partial(x, y, blocks)
    offset = 50 * rng.normal(size=40)[blocks]
    assert high > 0.9
    assert partial(x + offset, y, blocks) == pytest.approx(high, abs=1e-9)
    assert abs(srocc(x + offset, y)) < 0.4
    alone = partial(np.append(x, 9), np.append(y, -9), np.append(blocks, 99))
    assert alone == pytest.approx(high, abs=1e-12)


def test_centring_keeps_ties():
    values = np.array([0.1, 0.1, 0.7, 0.1, 0.3, 0.1]) + 1 / 3
    rest = centred(values, ["a"] * 6)
    assert len(np.unique(rest)) == 3
    assert rest.sum() == pytest.approx(0, abs=1e-10)


def test_residual_sees_only_what_is_beyond_the_generator():
    rng = np.random.default_rng(6)
    groups, generators = np.repeat(np.arange(30), 12), np.tile(np.arange(12), 30)
    skill = rng.normal(size=12)[generators]
    own = rng.normal(size=360)
    y = 3 * skill + own
    assert np.isnan(residual(skill, y, groups, generators))
    assert abs(residual(skill + 0.1 * rng.normal(size=360), y, groups, generators)) < 0.15
    assert residual(own + 0.1 * rng.normal(size=360), y, groups, generators) > 0.9


def test_shares_of_variance():
    rng = np.random.default_rng(7)
    groups, generators = np.repeat(np.arange(200), 50), np.tile(np.arange(50), 200)
    y = 2 * rng.normal(size=200)[groups] + rng.normal(size=50)[generators] + rng.normal(size=10_000)
    found = shares(y, groups, generators)
    assert found["groups"] == pytest.approx(4 / 6, abs=0.07)
    assert found["generators"] == pytest.approx(1 / 2, abs=0.12)
    only = shares(np.arange(50.0)[generators], groups, generators)
    assert only == pytest.approx({"groups": 0, "generators": 1})
    assert all(np.isnan(v) for v in shares([1, 1, 1], [1, 2, 3], [1, 1, 1]).values())
