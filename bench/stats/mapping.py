"""The monotone curve from metric values to human scores, fitted the same way every time.

The curve is the four-parameter logistic of VQEG's FR-TV test (2000),
``f(x) = b2 + (b1 - b2) / (1 + exp(-(x - b3) / b4))`` with b1 >= b2; a negative b4 is a falling curve.
Given its place and slope the two asymptotes follow in closed form (variable projection: Golub and Pereyra
1973, doi:10.1137/0710036), so only two numbers are searched, from fixed starts: no random starts, no
divergence where the data cover half of the curve, and the result does not depend on the units of x or y.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize
from scipy.special import expit

from .agreement import plcc, srocc
from .arrays import Floats, codes, pair, vector

LEAST = 8
"""Items below which no curve is fitted."""
BINS, BINNED_ABOVE = 1000, 5000
LOG_SLOPES = np.log([0.15, 0.4, 1, 2, 4, 10])
PLACES = (0.02, 0.15, 0.35, 0.5, 0.65, 0.85, 0.98)
SLOPE_LIMITS = (np.log(0.05), np.log(50.0))
REACH = 4.0
"""How far outside the data, in standard deviations of x, the middle of the curve may lie."""


@dataclass(frozen=True, slots=True)
class Mapping:
    """A fitted curve. Call it with metric values (n,) for the human scores it predicts, (n,)."""

    kind: Literal["logistic", "linear", "undefined"]
    """``linear`` where the logistic is no better than its limit, the straight line."""
    b: tuple[float, ...]
    """(b1, b2, b3, b4) of the logistic in the units of the data, (slope, intercept) of the line, or ()."""
    sse: float
    """Sum of squared errors in squared units of y; nan where undefined."""
    n: int
    at_bound: bool = False
    """The search ended at a limit of place or slope: the data show only part of the curve."""
    note: str = ""

    def __call__(self, x: ArrayLike) -> Floats:
        """Predicted scores (n,); an undefined mapping returns the values unchanged."""
        values = vector(x, "x", finite=True)
        if self.kind == "undefined":
            return values
        if self.kind == "linear":
            slope, intercept = self.b
            return slope * values + intercept
        top, bottom, middle, width = self.b
        with np.errstate(over="ignore"):  # far outside the data the curve is at its end
            return bottom + (top - bottom) * expit((values - middle) / width)

    @property
    def free(self) -> int:
        """Number of fitted parameters, the ``d`` of ``rmse``."""
        return len(self.b)


class _Data(NamedTuple):
    """Standardised data; several items may be bundled into one row of weight w."""

    u: Floats
    v: Floats
    """Less its weighted mean."""
    w: Floats
    sign: float

    def wave(self, place: float | Floats, log_slope: float | Floats) -> Floats:
        """The unit curve at the data, less its mean; rows for several places and slopes."""
        h = expit(self.sign * np.exp(log_slope) * (self.u - place))
        return h - (h @ self.w / self.w.sum())[..., None]

    def height(self, wave: Floats) -> float:
        """Best height of the curve, not negative."""
        spread = (self.w * wave) @ wave
        return max(0.0, float((self.w * wave) @ self.v / spread)) if spread > 1e-14 else 0.0

    def gain(self, wave: Floats) -> Floats:
        """By how much the best height reduces the sum of squares, for each row of waves."""
        weighted = self.w * wave
        spread, overlap = np.sum(weighted * wave, axis=-1), np.maximum(0, weighted @ self.v)
        return np.where(spread > 1e-14, overlap**2 / np.maximum(spread, 1e-14), 0.0)

    def sse(self, place: float, log_slope: float) -> float:
        wave = self.wave(place, log_slope)
        r = self.v - self.height(wave) * wave
        return float((self.w * r) @ r)


def fit(x: ArrayLike, y: ArrayLike, start: Mapping | None = None) -> Mapping:
    """Least-squares logistic from metric values to human scores.

    Args:
        x: metric values (n,), finite, either direction.
        y: human scores (n,), finite.
        start: curve of nearly the same data (all but one group, say): searches from there alone, many times
            faster; ignored unless logistic.

    Returns:
        A monotone mapping, never worse than the straight line; ``undefined`` for constant input or fewer
        than 8 items.

    Raises:
        ValueError: NaN, infinities, or lengths that differ.
    """
    a, b = pair(x, y, finite=True)
    n = len(a)
    if n < LEAST:
        return Mapping("undefined", (), float("nan"), n, note=f"fewer than {LEAST} items: no curve was fitted")
    # Work on x / max|x| and y / max|y|: nothing below can then overflow.
    x_unit, y_unit = np.abs(a).max() or 1.0, np.abs(b).max() or 1.0
    xs, ys = a / x_unit, b / y_unit
    centre, spread, base, extent = xs.mean(), xs.std(), ys.min(), np.ptp(ys)
    if not (spread > 1e-12 and extent > 1e-12):
        side = "metric" if not spread > 1e-12 else "human"
        return Mapping("undefined", (), float("nan"), n, note=f"constant {side} values: no curve was fitted")
    # Centred twice: where the spread is tiny beside the mean, the mean's own rounding would show.
    centre += (xs - centre).mean()
    u, v = (xs - centre) / spread, (ys - base) / extent
    u = u - u.mean()
    near = None
    if start is not None and start.kind == "logistic":
        middle, width = start.b[2] / x_unit, start.b[3] / x_unit
        near = ((middle - centre) / spread, float(np.log(spread / abs(width))))
    place, log_slope, sse, data = _search(u, v, near)
    slope = float(u @ (v - v.mean()) / (u @ u))
    line = float(np.sum((v - v.mean() - slope * u) ** 2))
    kind: Literal["logistic", "linear"] = "logistic" if sse < line else "linear"
    edge, note = False, "a straight line fits as well"
    with np.errstate(over="ignore", invalid="ignore"):
        unit = extent * y_unit
        if kind == "logistic":
            height = data.height(data.wave(place, log_slope))
            mean = expit(data.sign * np.exp(log_slope) * (u - place)).mean()
            b2 = base * y_unit + unit * (v.mean() - height * mean)
            middle, width = (centre + spread * place) * x_unit, spread * x_unit / np.exp(log_slope)
            parameters: tuple[float, ...] = (b2 + unit * height, b2, middle, data.sign * width)
            limits = (*SLOPE_LIMITS, u.min() - REACH, u.max() + REACH)
            edge = bool(np.isclose([log_slope, log_slope, place, place], limits, rtol=0, atol=1e-3).any())
            note = "the data show only part of the curve: its parameters are not determined" if edge else ""
        else:
            gradient = slope * unit / spread / x_unit
            parameters = (gradient, base * y_unit + unit * (v.mean() - slope * centre / spread))
        error = min(sse, line) * np.square(np.float64(unit))
    if not np.isfinite(parameters).all():
        return Mapping("undefined", (), float("nan"), n, note="the units are too extreme: no curve was fitted")
    return Mapping(kind, tuple(map(float, parameters)), float(error), n, at_bound=edge, note=note)


def _search(u: Floats, v: Floats, near: tuple[float, float] | None) -> tuple[float, float, float, _Data]:
    """Place and log slope of the best curve, its SSE, and the data it was measured on."""
    data = _Data(u, v - v.mean(), np.ones(len(u)), -1.0 if srocc(u, v) < 0 else 1.0)
    low, high = np.array([u.min() - REACH, SLOPE_LIMITS[0]]), np.array([u.max() + REACH, SLOPE_LIMITS[1]])
    if near is None:
        near = _simplex(_binned(data) if len(u) > BINNED_ABOVE else data, low, high)
    point = _polished(data, np.clip(near, low, high), low, high)
    return float(point[0]), float(point[1]), data.sse(*point), data


def _simplex(data: _Data, low: Floats, high: Floats) -> tuple[float, float]:
    """Place and log slope of the best curve: a fixed grid, then Nelder-Mead from its best three."""
    u = data.u
    places = np.array([u.min() - 2, *np.quantile(u, PLACES), u.max() + 2])
    grid = np.array([(c, k) for c in places for k in LOG_SLOPES])
    gains = data.gain(data.wave(grid[:, :1], grid[:, 1:]))

    v, w, total = data.v, data.w, float(data.w.sum())
    (c_low, k_low), (c_high, k_high) = low.tolist(), high.tolist()

    def loss(p: Floats) -> float:
        c, k = p.tolist()
        steep = data.sign * math.exp(min(max(k, k_low), k_high))
        wave = expit(steep * (u - min(max(c, c_low), c_high)))
        wave -= (w @ wave) / total
        weighted = w * wave
        spread, overlap = weighted @ wave, weighted @ v
        return -(overlap * overlap) / spread if spread > 1e-14 and overlap > 0 else 0.0

    found = []
    for start in np.argsort(-gains, kind="stable")[:3]:
        # Rough tolerances: ``_polished`` does the rest.
        options = {"xatol": 1e-3, "fatol": 1e-6, "maxfev": 400}
        result = minimize(loss, grid[start], method="Nelder-Mead", options=options)
        found.append((float(result.fun), float(result.x[0]), float(result.x[1])))
    _, c, k = min(found)
    return c, k


def _polished(data: _Data, point: Floats, low: Floats, high: Floats) -> Floats:
    """Levenberg-Marquardt on place and log slope, with the derivative of Kaufman (1975)."""
    u, v, w, _ = data
    damping, current = 1e-3, data.sse(*point)
    for _ in range(60):
        wave = data.wave(*point)
        spread = (w * wave) @ wave
        if not spread > 1e-14 or current <= 1e-28 * (w @ v**2):
            break
        height = data.height(wave)
        steep = data.sign * np.exp(point[1])
        h = expit(steep * (u - point[0]))
        bend = height * steep * h * (1 - h)
        columns = np.stack([-bend, bend * (u - point[0])])
        columns -= (columns @ w / w.sum())[:, None]
        columns -= np.outer(columns @ (w * wave) / spread, wave)
        normal, slope = (columns * w) @ columns.T, columns @ (w * (v - height * wave))
        # A parameter at its limit that wants to go beyond stays there, and the other one moves alone.
        free = ~((point <= low) & (slope < 0) | (point >= high) & (slope > 0))
        normal = np.where(free[:, None] & free, normal, 0.0)
        # The ridge keeps the system regular where one of the two does not matter.
        normal += np.diag(damping * np.diag(normal) + 1e-15 * np.trace(normal) + 1e-30)
        trial = np.clip(point + np.linalg.solve(normal, np.where(free, slope, 0.0)), low, high)
        error = data.sse(*trial)
        if error < current:
            small = current - error <= 1e-13 * current
            point, current, damping = trial, error, max(damping / 10, 1e-9)
            if small:
                break
        else:
            damping *= 10
            if damping > 1e3:
                break
    return point


def _binned(data: _Data) -> _Data:
    """Bundles of neighbours in x, as many items in each: enough to find where the best curve lies."""
    order = np.argsort(data.u, kind="stable")
    edges = np.linspace(0, len(order), BINS + 1).astype(int)[:-1]
    count = np.diff(np.append(edges, len(order))).astype(float)
    return _Data(
        np.add.reduceat(data.u[order], edges) / count,
        np.add.reduceat(data.v[order], edges) / count,
        count,
        data.sign,
    )


def fitted_plcc(x: ArrayLike, y: ArrayLike, start: Mapping | None = None) -> float:
    """PLCC after the curve is fitted to these very items; raw Pearson where no curve can be fitted.

    ``functools.partial(fitted_plcc, start=fit(x, y))`` is the fast form for a jackknife.
    """
    return plcc(fit(x, y, start)(x), y)


def cross_validated(x: ArrayLike, y: ArrayLike, groups: ArrayLike, folds: int = 5) -> float:
    """PLCC of scores predicted by a curve that was fitted on other groups.

    Groups are dealt into folds by a hash of their names: no random numbers, no dependence on row order.

    Returns:
        Correlation over all items; nan where a training part is too small or constant, or for one group.
    """
    a, b = pair(x, y, finite=True)
    names, index = codes(groups, len(a), "groups")
    folds = min(folds, len(names))
    if folds < 2:
        return float("nan")
    order = sorted(range(len(names)), key=lambda i: hashlib.sha256(str(names[i]).encode()).digest())
    fold = np.empty(len(names), dtype=int)
    fold[order] = np.arange(len(names)) % folds
    predicted = np.empty(len(a))
    for number in range(folds):
        held = fold[index] == number
        mapping = fit(a[~held], b[~held])
        if mapping.kind == "undefined":
            return float("nan")
        predicted[held] = mapping(a[held])
    return plcc(predicted, b)
