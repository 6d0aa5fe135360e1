"""Confidence intervals that treat the reference, not the image, as the independent unit.

The images of one reference share its content, so intervals that resample images are far too short: at
nominal 95 % they cover 69-77 % where references have their own offsets. Populations:

* new references, same generators: ``bootstrap_t`` for the mean of per-group values, ``jackknife_t`` for
  pooled coefficients;
* new references and new generators: ``pigeonhole.pigeonhole``;
* independent images: ``fisher_z``, which is right only where every group holds a single image.

Functions that end in ``_estimate`` choose, and say in words why there is no interval where there is none.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from ..types import Estimate
from .agreement import Coefficient, Within, krocc, members, plcc, srocc
from .arrays import Floats, codes, fraction, pair, vector

Interval = tuple[float, float]
NONE: Interval = (float("nan"), float("nan"))
LEAST_GROUPS = 8
MOST_UNITS = 1000
"""More groups than this are bundled into so many units before the jackknife."""
CHUNK = 2_000_000

TOO_FEW = f"too few references for an interval (G < {LEAST_GROUPS})"


def bootstrap_t(values: ArrayLike, level: float = 0.95, resamples: int = 2000, *, rng: np.random.Generator) -> Interval:
    """Studentised bootstrap interval of a mean (Efron 1979; Hall 1988, doi:10.1214/aos/1176350933).

    Args:
        values: one value per independent group (G,).
        level: nominal coverage.
        resamples: number of resamples; about +-0.002 Monte-Carlo error of the ends at 2,000.
        rng: the resamples depend on it and on G alone, so equal streams give equal resamples to all metrics.

    Returns:
        (low, high), not clipped; nan where G < 2 or the values do not vary.
    """
    v = vector(values, finite=True)
    fraction(level, "level")
    g = len(v)
    if g < 2:
        return NONE
    mean, error = v.mean(), v.std(ddof=1) / np.sqrt(g)
    if error <= 1e-12 * max(1e-300, np.abs(v).max()):
        return NONE
    kept = []
    rows = max(1, CHUNK // g)
    for done in range(0, resamples, rows):
        draw = v[rng.integers(0, g, (min(rows, resamples - done), g))]
        errors = draw.std(axis=1, ddof=1) / np.sqrt(g)
        varied = errors > 1e-9 * error
        kept.append((draw.mean(axis=1)[varied] - mean) / errors[varied])
    low, high = np.quantile(np.concatenate(kept), [(1 + level) / 2, (1 - level) / 2])
    return float(mean - low * error), float(mean - high * error)


def percentile(replicates: ArrayLike, level: float = 0.95) -> Interval:
    """Middle ``level`` of bootstrap replicates; nan without any."""
    r = vector(replicates, "replicates", finite=True)
    fraction(level, "level")
    if not len(r):
        return NONE
    low, high = np.quantile(r, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def bca(replicates: ArrayLike, full: float, leave_out: ArrayLike, level: float = 0.95) -> Interval:
    """Bias-corrected and accelerated bootstrap interval (Efron 1987, doi:10.1080/01621459.1987.10478410).

    Args:
        replicates: statistic on each resample (of groups).
        full: statistic on all data.
        leave_out: statistic without each group in turn, for the acceleration.

    Returns:
        (low, high); nan where all replicates lie on one side of ``full`` or nothing varies.
    """
    r, left = vector(replicates, "replicates", finite=True), vector(leave_out, "leave_out", finite=True)
    fraction(level, "level")
    if not len(r) or not len(left):
        return NONE
    share = np.mean(r < full) + np.mean(r == full) / 2
    d = left.mean() - left
    cubes, squares = np.sum(d**3), np.sum(d**2)
    if not 0 < share < 1 or squares == 0:
        return NONE
    bias, acceleration = stats.norm.ppf(share), cubes / (6 * squares**1.5)
    z = bias + stats.norm.ppf([(1 - level) / 2, (1 + level) / 2])
    low, high = np.quantile(r, stats.norm.cdf(bias + z / (1 - acceleration * z)))
    return float(low), float(high)


def jackknife_t(leave_out: ArrayLike, full: float, level: float = 0.95) -> Interval:
    """Delete-one-group jackknife interval on Student's t with G - 1 degrees of freedom.

    Args:
        leave_out: statistic without each group in turn (G,).
        full: statistic on all data.

    Returns:
        (low, high), not clipped; nan where G < 2 or a value is undefined.
    """
    values = np.asarray(leave_out, dtype=float)
    fraction(level, "level")
    g = len(values)
    if g < 2 or not np.isfinite(values).all() or not np.isfinite(full):
        return NONE
    half = stats.t.ppf((1 + level) / 2, g - 1) * np.sqrt((g - 1) * values.var())
    return float(full - half), float(full + half)


def leave_one_out(coefficient: Coefficient, x: ArrayLike, y: ArrayLike, groups: ArrayLike) -> Floats:
    """The coefficient without each group in turn, in sorted order of the groups' names.

    More than 1,000 groups are dealt into 1,000 units, each left out as a whole.
    """
    a, b = pair(x, y)
    names, index = codes(groups, len(a), "groups")
    units = min(len(names), MOST_UNITS)
    keep = np.ones(len(a), dtype=bool)
    values = np.empty(units)
    for number, rows in enumerate(members(index % units if units else index, units)):
        keep[rows] = False
        values[number] = coefficient(a[keep], b[keep])
        keep[rows] = True
    return values


def fisher_z(
    r: float,
    n: int,
    kind: Literal["pearson", "bonett-wright", "fieller", "kendall"] = "pearson",
    level: float = 0.95,
) -> Interval:
    """Interval of a correlation of n INDEPENDENT images through Fisher's z.

    Variance of z: 1/(n-3) for Pearson's r; (1 + r^2/2)/(n-3) for Spearman's (Bonett and Wright 2000,
    doi:10.1007/BF02294183) or 1.06/(n-3) (Fieller, Hartley and Pearson 1957); 0.437/(n-4) for Kendall's.

    Returns:
        (low, high); nan where n is too small or the correlation is exactly +-1.
    """
    variances = {
        "pearson": (1.0, 3),
        "bonett-wright": (1 + r * r / 2, 3),
        "fieller": (1.06, 3),
        "kendall": (0.437, 4),
    }
    if kind not in variances:
        raise ValueError(f"unknown kind of interval {kind!r}; known are {', '.join(variances)}")
    if np.isnan(r) or abs(r) > 1:
        raise ValueError(f"a correlation lies in [-1, 1], got {r}")
    numerator, lost = variances[kind]
    half_level = stats.norm.ppf((1 + fraction(level, "level")) / 2)
    if n <= lost or abs(r) == 1:
        return NONE
    z, half = np.arctanh(r), half_level * np.sqrt(numerator / (n - lost))
    return float(np.tanh(z - half)), float(np.tanh(z + half))


def wilson(successes: float, n: int, level: float = 0.95) -> Interval:
    """Wilson's score interval of a share (1927, doi:10.1080/01621459.1927.10502953); nan where n = 0."""
    if not 0 <= successes <= n:
        raise ValueError(f"successes must lie between 0 and n = {n}, got {successes}")
    z = stats.norm.ppf((1 + fraction(level, "level")) / 2)
    if n == 0:
        return NONE
    p, weight = successes / n, z * z / n
    middle = (p + weight / 2) / (1 + weight)
    half = z * np.sqrt(p * (1 - p) / n + weight / (4 * n)) / (1 + weight)
    return float(max(0.0, middle - half)), float(min(1.0, middle + half))


def within_estimate(
    within: Within, level: float = 0.95, resamples: int = 2000, *, rng: np.random.Generator
) -> Estimate:
    """Mean of the per-group coefficients with a bootstrap-t interval over groups, clipped to [-1, 1]."""
    if not len(within.values):
        return Estimate(None, n=within.n, reason="undefined: no group has enough items with distinct values")
    if len(within.values) < LEAST_GROUPS:
        return Estimate(within.mean, n=within.n, reason=TOO_FEW)
    low, high = bootstrap_t(within.values, level, resamples, rng=rng)
    return estimate(within.mean, (low, high), within.n, "bootstrap-t over references")


def pooled_estimate(
    coefficient: Coefficient,
    x: ArrayLike,
    y: ArrayLike,
    groups: ArrayLike,
    level: float = 0.95,
    bounds: Interval = (-1.0, 1.0),
) -> Estimate:
    """A coefficient over all items together, with the interval that its groups allow.

    Delete-one-group jackknife-t; where every group is a single image, the asymptotic interval that goes with
    ``srocc`` (Bonett-Wright), ``krocc`` or ``plcc``, and the jackknife for any other function.

    Args:
        coefficient: function of two arrays, e.g. ``srocc`` or ``mapping.fitted_plcc``.
        groups: label of each item's independent unit.
        bounds: range of the coefficient, to which the interval is clipped.
    """
    a, b = pair(x, y)
    names, _ = codes(groups, len(a), "groups")
    fraction(level, "level")
    value = coefficient(a, b)
    if not np.isfinite(value):
        return Estimate(None, n=len(a), reason=undefined(a, b))
    if len(names) < LEAST_GROUPS:
        return Estimate(float(value), n=len(a), reason=TOO_FEW)
    kind: Literal["pearson", "bonett-wright", "kendall"] | None
    kind = "bonett-wright" if coefficient is srocc else "kendall" if coefficient is krocc else None
    kind = "pearson" if coefficient is plcc else kind
    if kind and len(names) == len(a):
        method = f"Fisher z ({kind}), independent images"
        return estimate(value, fisher_z(value, len(a), kind, level), len(a), method, bounds)
    ends = jackknife_t(leave_one_out(coefficient, a, b, groups), value, level)
    return estimate(value, ends, len(a), "delete-one-reference jackknife-t", bounds)


def estimate(value: float, ends: Interval, n: int, method: str, bounds: Interval = (-1.0, 1.0)) -> Estimate:
    """A value with its ends clipped to ``bounds``, or with the reason why the ends are degenerate."""
    low, high = ends
    if not (np.isfinite(low) and np.isfinite(high)) or low == high:
        return Estimate(
            float(value), n=n, reason="degenerate: the statistic does not vary, or is undefined, between resamples"
        )
    return Estimate(float(value), max(low, bounds[0]), min(high, bounds[1]), n, method)


def undefined(x: Floats, y: Floats) -> str:
    """Why a coefficient of these values is undefined, in words."""
    if len(x) < 3:
        return f"undefined: {len(x)} items, at least 3 are needed"
    for values, side in ((x, "metric"), (y, "human")):
        if values.min() == values.max():
            return f"undefined: all {side} values are equal"
    return "undefined for these values"
