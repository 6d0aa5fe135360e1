"""Classical tests of dependent correlations against published examples."""

from __future__ import annotations

import numpy as np
import pytest
from ganiq.bench.stats.dependent import (
    ASSUMES,
    dunn_clark,
    fisher,
    hittner,
    meng_rosenthal_rubin,
    pitman_morgan,
    residual_f,
    steiger,
    williams,
    zou,
    zou_independent,
)
from scipy import stats

SHARED = (steiger, williams, meng_rosenthal_rubin, dunn_clark, hittner)


def test_published_statistics():
    assert steiger(0.4, 0.5, 0.1, 103).statistic == pytest.approx(-0.8887184699558731, rel=1e-12)
    assert steiger(0.3, 0.4, 0.5, 100).statistic == pytest.approx(-1.0718168701836315, rel=1e-12)
    assert steiger(0.3, 0.4, 0.5, 100).p == pytest.approx(0.283802, abs=5e-7)
    assert dunn_clark(0.5, 0.6, 0.7, 100).statistic == pytest.approx(-1.5838851122896263, rel=1e-12)
    assert dunn_clark(0.5, 0.6, 0.7, 100).p == pytest.approx(0.1132198658986789, rel=1e-12)
    assert hittner(0.3, 0.4, 0.5, 100).statistic == pytest.approx(-1.0715150016585162, rel=1e-12)
    found = williams(0.3, 0.4, 0.5, 100)
    assert found.statistic == pytest.approx(-1.0767356378373487, rel=1e-12)
    assert found.p == pytest.approx(0.28426904700319955, rel=1e-12)
    assert found.df == 97


def test_published_meng_rosenthal_rubin():
    found = meng_rosenthal_rubin(0.63, -0.03, -0.19, 15)
    assert found.statistic == pytest.approx(1.6793854, abs=5e-8)
    assert found.p / 2 == pytest.approx(0.0465, abs=5e-5)
    assert (found.low, found.high) == pytest.approx((-0.128884, 1.671734), abs=1e-6)
    for arguments, z in (
        ((0.3, 0.4, 0.5, 100), -1.0707406),
        ((0.5, 0.2, 0.5, 50), 2.2450957),
        ((0.7, 0.4, 0.8, 50), 4.0497498),
    ):
        assert meng_rosenthal_rubin(*arguments).statistic == pytest.approx(z, abs=5e-8)


def test_published_zou():
    assert zou(0.396, 0.179, 0.088, 66) == pytest.approx((-0.0929019, 0.5167600), abs=5e-8)
    assert zou_independent(0.49, 0.36, 145, 87) == pytest.approx((-0.0871820, 0.3591677), abs=5e-8)


def test_published_fisher():
    found = fisher(0.4, 0.5, 100, 100)
    assert (found.statistic, found.p) == pytest.approx((-0.8751012342, 0.3815188256), abs=5e-11)
    assert fisher(0.657, 0.43, 62, 143).statistic == pytest.approx(2.1107365434, abs=5e-11)


def test_two_metrics_on_a_thousand_images():
    arguments = (0.80, 0.78, 0.90, 1000)
    assert steiger(*arguments).statistic == pytest.approx(2.406798, abs=5e-7)
    assert williams(*arguments).statistic == pytest.approx(2.412186, abs=5e-7)
    assert meng_rosenthal_rubin(*arguments).statistic == pytest.approx(2.406524, abs=5e-7)
    assert zou(*arguments) == pytest.approx((0.0037265, 0.0367958), abs=5e-8)
    assert fisher(0.80, 0.78, 1000, 1000).statistic == pytest.approx(1.188734, abs=5e-7)


@pytest.mark.parametrize("test", SHARED)
def test_antisymmetric_labelled_and_careful(test):
    forward, backward = test(0.6, 0.45, 0.5, 80), test(0.45, 0.6, 0.5, 80)
    assert forward.statistic == pytest.approx(-backward.statistic)
    assert forward.p == pytest.approx(backward.p)
    assert forward.assumes == ASSUMES == "assumes independent images"
    assert test(0.5, 0.5, 0.3, 80).p == 1
    assert np.isnan(test(1.0, 0.5, 0.5, 80).p)
    with pytest.raises(ValueError, match="correlations lie"):
        test(1.2, 0.5, 0.5, 80)
    with pytest.raises(ValueError, match="correlations lie"):
        test(np.nan, 0.5, 0.5, 80)
    with pytest.raises(ValueError, match="at least 4"):
        test(0.6, 0.5, 0.5, 3)


@pytest.mark.parametrize("test", SHARED)
def test_valid_on_independent_images(test):
    """Share of p <= .05 for two equally good metrics on independent images, 1,000 studies of 100."""
    rng = np.random.default_rng(0)
    y = rng.normal(size=(1000, 100))
    common = rng.normal(size=y.shape)
    a, b = (y + 0.5 * common + 0.6 * rng.normal(size=y.shape) for _ in range(2))

    def r(u, v):
        return np.array([np.corrcoef(a, b)[0, 1] for a, b in zip(u, v)])

    p = [test(*row, 100).p for row in zip(r(y, a), r(y, b), r(a, b))]
    assert 0.03 <= np.mean(np.array(p) <= 0.05) <= 0.075


def test_pitman_morgan():
    e1, e2 = [0.5, -1.2, 0.3, 0.8, -0.4, 1.1, -0.9, 0.2], [0.3, -0.6, 0.1, 0.5, -0.1, 0.7, -0.5, 0.4]
    found = pitman_morgan(e1, e2)
    assert found.f == pytest.approx(3.0, abs=0.005)
    assert found.r == pytest.approx(0.9326655, abs=5e-8)
    assert found.t == pytest.approx(6.3329279, abs=5e-8)
    assert found.p == pytest.approx(0.0007252, abs=5e-8)
    assert pitman_morgan(e2, e1).r == pytest.approx(-found.r)
    assert np.isnan(pitman_morgan(e1, [1] * 8).p)
    assert np.isnan(pitman_morgan(e1, e1).p)
    with pytest.raises(ValueError, match="at least 3"):
        pitman_morgan([1, 2], [2, 1])


def test_residual_f():
    found = residual_f(10, 12, 100, 4)
    assert found.statistic == pytest.approx(1.44)
    assert found.p == pytest.approx(stats.f.sf(1.44, 96, 96))
    assert residual_f(12, 10, 100, 4) == found
    assert np.isnan(residual_f(0, 10, 100).p)
    with pytest.raises(ValueError, match="more images"):
        residual_f(1, 2, 4, 4)
