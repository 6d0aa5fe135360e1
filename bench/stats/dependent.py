"""The classical tests of two correlations that share a variable, for comparison with published tables.

Every result here ASSUMES INDEPENDENT IMAGES. Where several images share a reference these tests call about
40 % of equal metrics different at a nominal 5 %; use ``compare`` for claims.

Notation: ``jk`` and ``jh`` are the correlations of the human scores j with metrics k and h, ``kh`` is the
correlation between the metrics, n the number of images.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from .arrays import fraction, pair
from .interval import Interval, fisher_z

ASSUMES = "assumes independent images"


@dataclass(frozen=True, slots=True)
class Test:
    """One test statistic; nan where a correlation is exactly +-1 or the three cannot occur together."""

    name: str
    statistic: float
    p: float
    """Two-sided."""
    df: float | None = None
    low: float | None = None
    high: float | None = None
    """Interval, where the test has one; of z(jk) - z(jh) for Meng, Rosenthal and Rubin."""
    assumes: str = ASSUMES

    # Keeps pytest from collecting the class when a test module imports it.
    __test__ = False


def _check(n: float, least: int, *correlations: float) -> bool:
    """Whether the statistic is defined."""
    if not all(-1 <= r <= 1 for r in correlations):
        raise ValueError(f"correlations lie in [-1, 1], got {correlations}")
    if n < least:
        raise ValueError(f"at least {least} images are needed, got {n}")
    return all(abs(r) < 1 for r in correlations)


def _determinant(jk: float, jh: float, kh: float) -> float:
    return 1 + 2 * jk * jh * kh - jk**2 - jh**2 - kh**2


def _normal(name: str, z: float) -> Test:
    return Test(name, float(z), float(2 * stats.norm.sf(abs(z))))


def _nothing(name: str) -> Test:
    return Test(name, float("nan"), float("nan"))


def fisher(r1: float, r2: float, n1: int, n2: int) -> Test:
    """Fisher's z for correlations from two DIFFERENT sets of images; almost no power on shared images."""
    name = "Fisher"
    if not _check(min(n1, n2), 4, r1, r2):
        return _nothing(name)
    return _normal(name, (np.arctanh(r1) - np.arctanh(r2)) / np.sqrt(1 / (n1 - 3) + 1 / (n2 - 3)))


def williams(jk: float, jh: float, kh: float, n: int) -> Test:
    """Williams' t with n - 3 degrees of freedom (1959, in the form of Steiger 1980)."""
    name = "Williams"
    determinant = _determinant(jk, jh, kh)
    if not _check(n, 4, jk, jh, kh) or determinant < 0:
        return _nothing(name)
    mean = (jk + jh) / 2
    below = 2 * (n - 1) / (n - 3) * determinant + mean**2 * (1 - kh) ** 3
    if below <= 0:
        return _nothing(name)
    t = (jk - jh) * np.sqrt((n - 1) * (1 + kh) / below)
    return Test(name, float(t), float(2 * stats.t.sf(abs(t), n - 3)), df=n - 3)


def _z_difference(name: str, jk: float, jh: float, n: int, c: float) -> Test:
    if not c < 1:
        return _nothing(name)
    return _normal(name, np.sqrt(n - 3) * (np.arctanh(jk) - np.arctanh(jh)) / np.sqrt(2 - 2 * c))


def _pooled_covariance(mean: float, kh: float) -> float:
    square = mean**2
    return (kh * (1 - 2 * square) - square * (1 - 2 * square - kh**2) / 2) / (1 - square) ** 2


def steiger(jk: float, jh: float, kh: float, n: int) -> Test:
    """Steiger's z with the pooled correlation (1980, doi:10.1037/0033-2909.87.2.245)."""
    name = "Steiger"
    if not _check(n, 4, jk, jh, kh):
        return _nothing(name)
    return _z_difference(name, jk, jh, n, _pooled_covariance((jk + jh) / 2, kh))


def hittner(jk: float, jh: float, kh: float, n: int) -> Test:
    """Steiger's z with the pooled correlation averaged as Fisher's z (Hittner, May and Silver 2003)."""
    name = "Hittner-May-Silver"
    if not _check(n, 4, jk, jh, kh):
        return _nothing(name)
    return _z_difference(name, jk, jh, n, _pooled_covariance(np.tanh((np.arctanh(jk) + np.arctanh(jh)) / 2), kh))


def dunn_clark(jk: float, jh: float, kh: float, n: int) -> Test:
    """Dunn and Clark's z (1969, doi:10.1080/01621459.1969.10500981)."""
    name = "Dunn-Clark"
    if not _check(n, 4, jk, jh, kh):
        return _nothing(name)
    squares = jk**2 + jh**2
    c = kh * (1 - squares) - jk * jh * (1 - squares - kh**2) / 2
    return _z_difference(name, jk, jh, n, c / ((1 - jk**2) * (1 - jh**2)))


def meng_rosenthal_rubin(jk: float, jh: float, kh: float, n: int, level: float = 0.95) -> Test:
    """Meng, Rosenthal and Rubin's z with its interval for z(jk) - z(jh) (1992, doi:10.1037/0033-2909.111.1.172)."""
    name = "Meng-Rosenthal-Rubin"
    if not _check(n, 4, jk, jh, kh):
        return _nothing(name)
    square = (jk**2 + jh**2) / 2
    f = min(1.0, (1 - kh) / (2 * (1 - square)))
    h = (1 - f * square) / (1 - square)
    error = np.sqrt(2 * (1 - kh) * h / (n - 3))
    difference = np.arctanh(jk) - np.arctanh(jh)
    half = stats.norm.ppf((1 + fraction(level, "level")) / 2) * error
    test = _normal(name, difference / error)
    return Test(name, test.statistic, test.p, low=float(difference - half), high=float(difference + half))


def zou(jk: float, jh: float, kh: float, n: int, level: float = 0.95) -> Interval:
    """Zou's interval of jk - jh for correlations that share j (2007, doi:10.1037/1082-989X.12.4.399).

    nan where a correlation is exactly +-1.
    """
    if not _check(n, 4, jk, jh, kh):
        return float("nan"), float("nan")
    squares = jk**2 + jh**2
    c = ((kh - jk * jh / 2) * (1 - squares - kh**2) + kh**3) / ((1 - jk**2) * (1 - jh**2))
    return _zou(jk, jh, fisher_z(jk, n, level=level), fisher_z(jh, n, level=level), c)


def zou_independent(r1: float, r2: float, n1: int, n2: int, level: float = 0.95) -> Interval:
    """Zou's interval of r1 - r2 from two different sets of images."""
    if not _check(min(n1, n2), 4, r1, r2):
        return float("nan"), float("nan")
    return _zou(r1, r2, fisher_z(r1, n1, level=level), fisher_z(r2, n2, level=level), 0.0)


def _zou(r1: float, r2: float, first: Interval, second: Interval, c: float) -> Interval:
    (l1, u1), (l2, u2) = first, second
    down = (r1 - l1) ** 2 + (u2 - r2) ** 2 - 2 * c * (r1 - l1) * (u2 - r2)
    up = (u1 - r1) ** 2 + (r2 - l2) ** 2 - 2 * c * (u1 - r1) * (r2 - l2)
    return float(r1 - r2 - np.sqrt(max(0.0, down))), float(r1 - r2 + np.sqrt(max(0.0, up)))


@dataclass(frozen=True, slots=True)
class VarianceTest:
    """Comparison of the error variances of two metrics on the same images."""

    f: float
    """Larger over smaller sum of squared deviations."""
    r: float
    """Correlation of the errors' difference and sum; negative where the first errors are smaller."""
    t: float
    p: float
    """Two-sided, n - 2 degrees of freedom."""
    assumes: str = ASSUMES


def pitman_morgan(e1: ArrayLike, e2: ArrayLike) -> VarianceTest:
    """Pitman-Morgan test of equal variances of two paired errors (n,) (1939); nan for constant input."""
    a, b = pair(e1, e2, finite=True)
    n = len(a)
    if n < 3:
        raise ValueError(f"at least 3 images are needed, got {n}")
    first, second = np.var(a), np.var(b)
    total, difference = a + b, a - b
    scale = np.std(total) * np.std(difference)
    if min(first, second) == 0 or scale == 0:
        nan = float("nan")
        return VarianceTest(nan, nan, nan, nan)
    r = float(np.clip(np.mean((difference - difference.mean()) * (total - total.mean())) / scale, -1, 1))
    t = r * np.sqrt((n - 2) / (1 - r * r)) if abs(r) < 1 else np.copysign(np.inf, r)
    return VarianceTest(
        float(max(first, second) / min(first, second)), r, float(t), float(2 * stats.t.sf(abs(t), n - 2))
    )


def residual_f(rmse1: float, rmse2: float, n: int, d: int = 0) -> Test:
    """F-test of two RMSE with n - d degrees of freedom each (ITU-T P.1401, 7.6.4); one-sided p.

    It also assumes that the two errors are independent of each other, which errors on shared images are not:
    ``pitman_morgan`` does not.
    """
    low, high = sorted((float(rmse1), float(rmse2)))
    if not (low >= 0 and np.isfinite(high)) or n - d < 1:
        raise ValueError("two finite RMSE and more images than parameters are needed")
    if low == 0:
        return _nothing("F")
    f = (high / low) ** 2
    return Test("F", f, float(stats.f.sf(f, n - d, n - d)), df=n - d)
