"""Intervals: closed cases, coverage of what they claim, and reproducibility."""

from __future__ import annotations

import functools
from typing import Literal

import numpy as np
import pytest
from ganiq.bench.stats import (
    bca,
    bootstrap_t,
    fisher_z,
    fitted_plcc,
    generator,
    jackknife_t,
    krocc,
    leave_one_out,
    percentile,
    pigeonhole,
    plcc,
    pooled_estimate,
    rmse,
    srocc,
    two_way_estimate,
    wilson,
    within,
    within_estimate,
)
from ganiq.bench.stats.agreement import Coefficient
from ganiq.bench.stats.pigeonhole import replicates
from scipy import stats


def clustered(rng: np.random.Generator, g: int, k: int = 40):
    """Zero-sum scores; a metric with its own offset and slope in each reference."""
    q = rng.normal(size=(g, k))
    y = q - q.mean(axis=1, keepdims=True)
    offset, slope = rng.normal(0, 0.6, (g, 1)), np.exp(rng.normal(0, 0.35, (g, 1)))
    x = offset + slope * y + rng.normal(0, 0.8, (g, k))
    return x.ravel(), y.ravel(), np.repeat(np.arange(g), k)


@pytest.mark.parametrize(
    ("r", "kind", "low", "high"),
    [
        (0.8, "pearson", 0.716107, 0.861108),
        (0.8, "bonett-wright", 0.701361, 0.868576),
        (0.8, "fieller", 0.713229, 0.862621),
        (0.6, "kendall", 0.508652, 0.677990),
    ],
)
def test_fisher_z(r, kind, low, high):
    assert fisher_z(r, 100, kind) == pytest.approx((low, high), abs=5e-7)
    assert fisher_z(-r, 100, kind) == pytest.approx((-high, -low), abs=5e-7)


def test_fisher_z_limits():
    assert np.isnan(fisher_z(1.0, 100)).all()
    assert np.isnan(fisher_z(0.5, 3)).all()
    with pytest.raises(ValueError, match="unknown kind"):
        fisher_z(0.5, 10, "spearman")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="correlation lies in"):
        fisher_z(1.5, 10)
    with pytest.raises(ValueError, match="level"):
        fisher_z(0.5, 10, level=95)


def test_wilson():
    # Published: 81 of 263 (Newcombe 1998, table I).
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(0, 20)[0] == 0
    assert wilson(20, 20)[1] == 1
    assert np.isnan(wilson(0, 0)).all()
    with pytest.raises(ValueError, match="successes"):
        wilson(5, 4)


def test_bootstrap_t_closed_cases():
    rng = np.random.default_rng(0)
    v = rng.normal(3, 2, 200)
    low, high = bootstrap_t(v, rng=generator(1, "t"))
    half = stats.t.ppf(0.975, 199) * v.std(ddof=1) / np.sqrt(200)
    assert (low, high) == pytest.approx((v.mean() - half, v.mean() + half), abs=0.05)
    # Equivariant under affine changes, exactly in the resamples.
    assert bootstrap_t(10 * v - 4, rng=generator(1, "t")) == pytest.approx((10 * low - 4, 10 * high - 4))
    wide = bootstrap_t(v, 0.99, rng=generator(1, "t"))
    assert wide[0] < low < high < wide[1]
    assert np.isnan(bootstrap_t([0.7] * 10, rng=rng)).all()
    assert np.isnan(bootstrap_t([0.7], rng=rng)).all()
    with pytest.raises(ValueError, match="NaN"):
        bootstrap_t([1, np.nan], rng=rng)


def test_bootstrap_t_leans_with_the_skew():
    v = 1 - np.random.default_rng(3).exponential(0.2, 15)
    low, high = bootstrap_t(v, rng=generator(0, "skew"))
    assert v.mean() - low > high - v.mean()


def test_jackknife_of_a_mean_is_the_t_interval():
    v = np.random.default_rng(1).normal(size=12)
    left = [np.delete(v, i).mean() for i in range(12)]
    half = stats.t.ppf(0.975, 11) * v.std(ddof=1) / np.sqrt(12)
    assert jackknife_t(left, v.mean()) == pytest.approx((v.mean() - half, v.mean() + half))
    assert np.isnan(jackknife_t([0.1, np.nan], 0.2)).all()
    assert np.isnan(jackknife_t([0.1], 0.2)).all()


def test_percentile_and_bca():
    rng = np.random.default_rng(2)
    v = rng.exponential(size=40)
    draws = v[rng.integers(0, 40, (4000, 40))].mean(axis=1)
    left = [np.delete(v, i).mean() for i in range(40)]
    assert percentile(range(101), 0.9) == pytest.approx((5, 95))
    low, high = bca(draws, v.mean(), left)
    expected = stats.bootstrap((v,), np.mean, n_resamples=9999, method="BCa", rng=rng).confidence_interval
    assert (low, high) == pytest.approx((expected.low, expected.high), abs=0.03)
    assert low > percentile(draws)[0]
    assert np.isnan(bca(draws, 99.0, left)).all()
    assert np.isnan(percentile([])).all()


def test_leave_one_out():
    rng = np.random.default_rng(4)
    x, y, groups = clustered(rng, 9, 6)
    found = leave_one_out(srocc, x, y, groups)
    np.testing.assert_allclose(found, [srocc(x[groups != g], y[groups != g]) for g in range(9)])
    u, v = rng.normal(size=(2, 2500))
    many = leave_one_out(plcc, u, v, np.arange(2500))
    assert len(many) == 1000


def test_bundled_jackknife_has_the_right_width():
    rng = np.random.default_rng(5)
    x = rng.normal(size=3000)
    y = x + rng.normal(size=3000)
    bundled = jackknife_t(leave_one_out(plcc, x, y, np.arange(3000)), plcc(x, y))
    assert bundled == pytest.approx(fisher_z(plcc(x, y), 3000), abs=0.004)


def test_within_estimate_reasons(ends):
    x, y, groups = clustered(np.random.default_rng(6), 10)
    good = within_estimate(within(x, y, groups), rng=generator(0, "w"))
    low, value, high = ends(good)
    assert -1 <= low < value < high <= 1
    assert good.method == "bootstrap-t over references"
    few = groups < 7
    short = within_estimate(within(x[few], y[few], groups[few]), rng=generator(0, "w"))
    assert short.value is not None
    assert short.low is short.high is None
    assert short.reason == "too few references for an interval (G < 8)"
    none = within_estimate(within(np.zeros(len(y)), y, groups), rng=generator(0, "w"))
    assert none.value is None
    assert none.reason.startswith("undefined")
    perfect = within_estimate(within(y, y, groups), rng=generator(0, "w"))
    assert (perfect.value, perfect.low) == (1, None)
    assert perfect.reason.startswith("degenerate")


def test_pooled_estimate_chooses(ends):
    rng = np.random.default_rng(7)
    x, y, groups = clustered(rng, 10)
    grouped = pooled_estimate(srocc, x, y, groups)
    assert grouped.method == "delete-one-reference jackknife-t"
    low, value, high = ends(grouped)
    naive = fisher_z(value, len(x), "bonett-wright")
    assert high - low > 1.5 * (naive[1] - naive[0])
    alone = np.arange(len(x))
    kinds: list[tuple[Coefficient, Literal["bonett-wright", "kendall", "pearson"]]]
    kinds = [(srocc, "bonett-wright"), (krocc, "kendall"), (plcc, "pearson")]
    for coefficient, kind in kinds:
        single = pooled_estimate(coefficient, x, y, alone)
        low, value, high = ends(single)
        assert (low, high) == fisher_z(value, len(x), kind)
        assert kind in single.method
    few = pooled_estimate(srocc, x, y, groups // 2)
    assert few.low is None
    assert few.reason.startswith("too few references")
    assert pooled_estimate(srocc, np.ones(len(x)), y, groups).reason == "undefined: all metric values are equal"
    assert pooled_estimate(srocc, x[:2], y[:2], [0, 1]).reason == "undefined: 2 items, at least 3 are needed"


def test_pooled_estimate_of_other_statistics(ends):
    x, y, groups = clustered(np.random.default_rng(8), 12, 20)
    low, value, high = ends(pooled_estimate(rmse, x, y, groups, bounds=(0, np.inf)))
    assert 0 < low < value < high
    low, value, high = ends(pooled_estimate(fitted_plcc, x, y, groups))
    assert low < value < high < 1
    low, value, high = ends(pooled_estimate(srocc, y + 0.01 * x, y, groups))
    assert low < value < high <= 1


def test_coverage_of_the_headline_interval():
    """200 simulated studies of 15 references: the 95 % interval must hold the truth in 91-98 %.

    Per-reference values follow a skewed law (Fisher z normal), as correlations do.
    """
    rng = np.random.default_rng(9)

    def law(size):
        return np.tanh(rng.normal(1.1, 0.35, size))

    truth = law(2_000_000).mean()
    inside = 0
    for number in range(200):
        low, high = bootstrap_t(law(15), resamples=1000, rng=generator(number, "coverage"))
        inside += low <= truth <= high
    assert 0.91 <= inside / 200 <= 0.98


def test_coverage_of_the_pooled_interval(ends):
    """The jackknife over references holds the truth; the interval for independent images does not."""
    rng = np.random.default_rng(10)
    big = clustered(rng, 20_000, 20)
    truth = srocc(big[0], big[1])
    grouped = naive = 0
    for _ in range(200):
        x, y, groups = clustered(rng, 15, 20)
        low, value, high = ends(pooled_estimate(srocc, x, y, groups))
        grouped += low <= truth <= high
        low, high = fisher_z(value, len(x), "bonett-wright")
        naive += low <= truth <= high
    assert 0.91 <= grouped / 200 <= 0.985
    assert naive / 200 < 0.88


def two_way(rng: np.random.Generator, g: int = 25, a: int = 40):
    q = rng.normal(0, 0.75, a) + rng.normal(0, 0.66, (g, a))
    y = q - q.mean(axis=1, keepdims=True)
    x = y + rng.normal(0, 0.5, a) + rng.normal(0, 0.5, (g, a))
    return x.ravel(), y.ravel(), np.repeat(np.arange(g), a), np.tile(np.arange(a), g)


def test_pigeonhole_speaks_of_new_generators():
    """Truth for new references and new generators: .788. Resampling references alone misses it."""
    rng = np.random.default_rng(11)
    truth = 0.788  # of 3,000 studies with 40 references and 40 generators
    assert np.mean([within(*two_way(rng)[:3]).mean for _ in range(60)]) == pytest.approx(truth, abs=0.02)
    both = references = 0
    for number in range(40):
        x, y, groups, generators = two_way(rng)
        low, high = pigeonhole(x, y, groups, generators, resamples=200, rng=generator(number, "two"))
        both += low <= truth <= high
        low, high = bootstrap_t(within(x, y, groups).values, resamples=300, rng=generator(number, "one"))
        references += low <= truth <= high
    assert both >= 36
    assert references <= 30


def test_pigeonhole_replicates_equal_a_plain_resample():
    """The look-up of ranks in running sums against resampling rows and ranking them, on ragged data with ties."""
    rng = np.random.default_rng(12)
    x, y, groups, generators = two_way(rng, 9, 11)
    x, y = np.round(x, 1), np.round(y, 1)
    kept = rng.random(len(x)) < 0.8
    x, y, groups, generators = x[kept], y[kept], groups[kept], generators[kept]
    x, y = np.append(x, x[:4] + 1), np.append(y, y[:4])  # cells with two items
    groups, generators = np.append(groups, groups[:4]), np.append(generators, generators[:4])
    found = replicates(x, y, groups, generators, 50, rng=generator(3, "same"))

    draws = generator(3, "same")
    names, makers = np.unique(groups.astype(str)), np.unique(generators.astype(str))
    expected = []
    for _ in range(50):
        chosen = draws.integers(0, len(names), len(names))
        columns = draws.integers(0, len(makers), len(makers))
        values = []
        for name in names[chosen]:
            rows = np.concatenate(
                [np.flatnonzero((groups.astype(str) == name) & (generators.astype(str) == m)) for m in makers[columns]]
            )
            value = srocc(x[rows], y[rows]) if len(rows) >= 5 else np.nan
            if np.isfinite(value):
                values.append(value)
        expected.append(np.mean(values))
    np.testing.assert_allclose(found, expected, atol=1e-10)


def test_two_way_estimate_reasons(ends):
    x, y, groups, generators = two_way(np.random.default_rng(13), 10, 12)
    good = two_way_estimate(x, y, groups, generators, resamples=300, rng=generator(0, "x"))
    alone = within_estimate(within(x, y, groups), rng=generator(0, "x"))
    assert good.value == alone.value
    assert ends(good)[2] - ends(good)[0] > ends(alone)[2] - ends(alone)[0]
    assert (
        "too few generators"
        in two_way_estimate(x, y, groups, np.zeros(len(x)), resamples=9, rng=generator(0, "x")).reason
    )
    assert (
        "too few references"
        in two_way_estimate(x, y, groups // 5, generators, resamples=9, rng=generator(0, "x")).reason
    )
    lonely = two_way_estimate(x, y, np.arange(len(x)), generators, resamples=9, rng=generator(0, "x"))
    assert lonely.value is None
    assert np.isnan(pigeonhole(x, y, np.arange(len(x)), generators, resamples=9, rng=generator(0, "x"))).all()


def test_same_seed_same_bytes_and_a_new_metric_changes_nothing():
    rng = np.random.default_rng(14)
    x, y, groups = clustered(rng, 20)
    metrics = {"a": x, "b": x + rng.normal(size=len(x)), "c": rng.normal(size=len(x))}

    def board(names):
        rows = {}
        for name in names:
            stream = generator(7, "table", "srocc_within")
            rows[name] = repr(within_estimate(within(metrics[name], y, groups), rng=stream))
            rows[name] += repr(pooled_estimate(functools.partial(srocc), metrics[name], y, groups))
        return rows

    small, large = board(["b"]), board(["a", "b", "c"])
    assert large["b"] == small["b"]
    assert board(["a", "b", "c"]) == large
