"""Adjustment of p-values for many comparisons. Each function keeps the order of its input."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .arrays import Floats, vector


def _checked(p: ArrayLike) -> Floats:
    values = vector(p, "p")
    if ((values < 0) | (values > 1)).any():
        raise ValueError("p-values must lie in [0, 1]")
    return values


def bonferroni(p: ArrayLike) -> Floats:
    """Family-wise: p times their number, at most 1."""
    values = _checked(p)
    return np.minimum(1, values * len(values))


def holm(p: ArrayLike) -> Floats:
    """Family-wise, step-down, any dependence (Holm 1979)."""
    values = _checked(p)
    m, order = len(values), np.argsort(values, kind="stable")
    adjusted = np.empty(m)
    adjusted[order] = np.minimum(1, np.maximum.accumulate(values[order] * np.arange(m, 0, -1)))
    return adjusted


def benjamini_hochberg(p: ArrayLike) -> Floats:
    """False discovery rate, step-up, independence or positive dependence (Benjamini and Hochberg 1995)."""
    return _step_up(_checked(p), 1.0)


def benjamini_yekutieli(p: ArrayLike) -> Floats:
    """False discovery rate under any dependence (Benjamini and Yekutieli 2001, doi:10.1214/aos/1013699998)."""
    values = _checked(p)
    return _step_up(values, float(np.sum(1 / np.arange(1, len(values) + 1))))


def _step_up(values: Floats, factor: float) -> Floats:
    m, order = len(values), np.argsort(values, kind="stable")[::-1]
    adjusted = np.empty(m)
    scaled = values[order] * factor * m / np.arange(m, 0, -1)
    adjusted[order] = np.minimum(1, np.minimum.accumulate(scaled))
    return adjusted
