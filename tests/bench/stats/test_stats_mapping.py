"""The monotone curve: golden, invariances, and data made to break a fit."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from ganiq.bench.stats import cross_validated, fit, fitted_plcc, leave_one_out, mapping, plcc

X = np.array([9, 14, 21, 28, 42, 57, 63, 70, 79.0])
Y = np.array([8.93, 10.8, 18.59, 22.33, 39.35, 56.11, 61.73, 64.62, 67.08])

SHAPES = {
    "ssim": lambda q: 1 - 0.6 * (1 - q) ** 2,
    "lpips": lambda q: 0.7 * (1 - q) ** 1.3,
    "psnr": lambda q: 18 + 20 * q,
    "niqe": lambda q: 2 + 10 * (1 - q) ** 2,
    "mse": lambda q: 10 + 2990 * (1 - q) ** 3,
    "fsim": lambda q: 1 - 0.1 * (1 - q) ** 4,
    "probability": lambda q: 1e-3 * q,
}


def sample(shape: str, seed: int, n: int = 400) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    q = rng.beta(2, 2, n)
    y = 900 + 950 * np.clip(q + 0.12 * rng.normal(size=n), 0, 1)
    return SHAPES[shape](np.clip(q + 0.10 * rng.normal(size=n), 0, 1)), y


def line_sse(x, y) -> float:
    u = x - x.mean()
    v = y - y.mean()
    return float(v @ v - (u @ v) ** 2 / (u @ u))


def test_rat42():
    """NIST StRD Rat42 with the four-parameter curve; published by two other solvers."""
    curve = fit(X, Y)
    assert curve.kind == "logistic"
    assert curve.b == pytest.approx((71.21231542, 2.64555435, 39.64728843, 13.59686002), rel=1e-6)
    assert curve.sse == pytest.approx(7.1635610771, rel=1e-9)
    assert np.sum((Y - curve(X)) ** 2) == pytest.approx(curve.sse, rel=1e-9)
    assert fitted_plcc(X, Y) == pytest.approx(0.99922911, abs=5e-9)
    assert plcc(X, Y) == pytest.approx(0.99184195, abs=5e-9)
    assert curve.free == 4
    assert not curve.at_bound


def test_falling_curve_has_negative_width():
    rising, falling = fit(X, Y), fit(-X, Y)
    assert rising.b[3] > 0 > falling.b[3]
    np.testing.assert_allclose(rising(X), falling(-X), atol=1e-4)


def test_recovers_a_logistic():
    x = np.linspace(-3, 5, 60)
    truth = (80.0, 20.0, 1.5, 0.7)
    y = truth[1] + (truth[0] - truth[1]) / (1 + np.exp(-(x - truth[2]) / truth[3]))
    assert fit(x, y).b == pytest.approx(truth, rel=1e-3)


@pytest.mark.parametrize("shape", SHAPES)
def test_invariance_and_line(shape):
    for seed in range(3):
        x, y = sample(shape, seed)
        value = fitted_plcc(x, y)
        assert fitted_plcc(3.7 * x - 11, 0.01 * y + 2) == pytest.approx(value, abs=1e-6)
        assert fitted_plcc(-x, y) == pytest.approx(value, abs=1e-6)
        assert fit(x, y).sse <= line_sse(x, y) * (1 + 1e-12)
        assert value >= abs(plcc(x, y)) - 1e-9
        assert 0.6 < value < 0.95


def test_straight_line_is_returned_as_such():
    x = np.linspace(0, 1, 50)
    curve = fit(x, 3 * x + 2)
    assert curve.kind == "linear"
    assert curve.b == pytest.approx((3, 2))
    np.testing.assert_allclose(curve(x), 3 * x + 2)


def test_undefined():
    short = fit([1, 2, 3, 4, 5, 6, 7], [1, 2, 3, 4, 5, 6, 8])
    assert short.kind == "undefined"
    assert "fewer than 8" in short.note
    assert np.isnan(short.sse)
    assert fitted_plcc([1, 2, 3, 4], [1, 2, 3, 5]) == pytest.approx(plcc([1, 2, 3, 4], [1, 2, 3, 5]))
    assert "metric" in fit(np.full(20, 0.1), np.arange(20)).note
    assert "human" in fit(np.arange(20), np.full(20, 0.1)).note
    assert np.isnan(fitted_plcc(np.full(20, 0.1), np.arange(20)))
    with pytest.raises(ValueError, match="infinite"):
        fit([np.inf, *range(9)], range(10))


def test_half_a_curve_is_flagged():
    curve = fit(*sample("fsim", 0))
    assert curve.at_bound
    assert "part of the curve" in curve.note


def test_thousand_random_data_sets():
    """No exception, never worse than a line, monotone, finite, whatever the data."""
    rng = np.random.default_rng(0)
    undefined = 0
    for number in range(1000):
        n = int(rng.integers(3, 60))
        x, y = rng.normal(size=n), rng.normal(size=n)
        y += x * rng.normal()
        match number % 10:
            case 1:
                x = np.exp(10 * x)
            case 2:
                x = np.round(x)
            case 3:
                y = np.round(y)
            case 4:
                x, y = x * 1e-150, y * 1e120
            case 5:
                x = 1e6 + 1e-3 * x
            case 6:
                x = np.where(rng.random(n) < 0.1, 1e9, x)
            case 7:
                y = np.sign(x)
            case 8:
                y = np.where(rng.random(n) < 0.1, -1e6, y)
            case 9:
                x = np.full(n, 0.1)
        curve = fit(x, y)
        if curve.kind == "undefined":
            undefined += 1
            continue
        grid = curve(np.linspace(x.min(), x.max(), 1000))
        step, slack = np.diff(grid), 1e-9 * np.ptp(y)
        assert np.isfinite(grid).all()
        assert (step >= -slack).all() or (step <= slack).all()
        unit = np.ptp(y)
        assert curve.sse / unit**2 <= line_sse(x / np.abs(x).max(), y / unit) * (1 + 1e-6) + 1e-12
        assert np.sum(((y - curve(x)) / unit) ** 2) == pytest.approx(curve.sse / unit**2, rel=1e-5, abs=1e-9)
    assert 100 <= undefined < 300


def test_extreme_units_do_not_raise():
    x, y = np.arange(20) * 1e-300, np.arange(20) ** 2 * 1e300
    assert fit(x, y).kind in {"logistic", "undefined"}
    assert fit(x * 1e300, y * 1e-300)(1e308 * np.ones(2)).shape == (2,)


@pytest.mark.parametrize("shape", ["ssim", "mse", "probability"])
def test_binned_search_equals_full_search(shape, monkeypatch):
    x, y = sample(shape, 9, 6001)
    quick = fit(x, y)
    monkeypatch.setattr(mapping, "BINNED_ABOVE", 10**9)
    full = fit(x, y)
    assert quick.sse == pytest.approx(full.sse, rel=1e-6)
    np.testing.assert_allclose(quick(x), full(x), atol=1e-3 * np.ptp(y))


@pytest.mark.parametrize("shape", ["lpips", "fsim"])
def test_warm_start_finds_the_same_curve(shape):
    x, y = sample(shape, 3)
    start = fit(x, y)
    groups = np.arange(400) // 50
    warm = leave_one_out(functools.partial(fitted_plcc, start=start), x, y, groups)
    np.testing.assert_allclose(warm, leave_one_out(fitted_plcc, x, y, groups), atol=1e-6)


def test_cross_validation():
    x, y = sample("ssim", 1, 200)
    groups = np.array([f"ref{i % 20}" for i in range(200)])
    honest = cross_validated(x, y, groups)
    assert honest < fitted_plcc(x, y)
    assert honest > 0.6
    order = np.random.default_rng(0).permutation(200)
    assert cross_validated(x[order], y[order], groups[order]) == pytest.approx(honest, abs=1e-9)
    assert np.isnan(cross_validated(x, y, ["one"] * 200))
    assert np.isnan(cross_validated(x[:8], y[:8], np.arange(8) // 4))


def test_cross_validation_exposes_overfitting():
    """On pure noise the in-sample correlation is positive by construction; across groups it is not."""
    rng = np.random.default_rng(5)
    inside, across = [], []
    for _ in range(20):
        x, y = rng.normal(size=(2, 40))
        inside.append(fitted_plcc(x, y))
        across.append(cross_validated(x, y, np.arange(40) % 10))
    assert np.mean(inside) > 0.15
    assert np.mean(across) < 0.05
