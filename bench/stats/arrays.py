"""What every statistic asks of its input: one-dimensional numbers without NaN, and labels of equal length."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]
Flags = NDArray[np.bool_]


def vector(values: ArrayLike, name: str = "values", *, finite: bool = False) -> Floats:
    """1-D float64 array.

    Raises:
        ValueError: not one-dimensional, NaN inside, or (with ``finite``) an infinity inside.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1:
        raise ValueError(f"{name} must be one-dimensional, got shape {array.shape}")
    if np.isnan(array).any():
        raise ValueError(f"{name} holds {int(np.isnan(array).sum())} NaN; remove those items first")
    if finite and not np.isfinite(array).all():
        raise ValueError(f"{name} holds infinite values; remove those items first")
    return array


def pair(x: ArrayLike, y: ArrayLike, *, finite: bool = False) -> tuple[Floats, Floats]:
    """Two vectors of one length."""
    a, b = vector(x, "x", finite=finite), vector(y, "y", finite=finite)
    if len(a) != len(b):
        raise ValueError(f"x has {len(a)} values and y has {len(b)}; both must describe the same items")
    return a, b


def codes(labels: ArrayLike, n: int, name: str) -> tuple[NDArray[np.str_], Codes]:
    """Distinct labels in sorted order, and for each item the number of its label.

    Sorted, so that nothing depends on the order of the rows.
    """
    array = np.asarray(labels)
    if array.shape != (n,):
        raise ValueError(f"{name} must be {n} labels, one per item, got shape {array.shape}")
    names, index = np.unique(array.astype(str), return_inverse=True)
    return names, index


def matrix(values: ArrayLike, name: str = "values") -> Floats:
    """2-D finite float64 array."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 2:
        raise ValueError(f"{name} must be two-dimensional, got shape {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} holds NaN or infinite values; keep only the rows that all columns have")
    return array


def fraction(value: float, name: str) -> float:
    """A number strictly between 0 and 1, such as a confidence level."""
    if not 0 < value < 1:
        raise ValueError(f"{name} must lie strictly between 0 and 1, got {value}")
    return float(value)
