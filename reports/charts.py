"""Charts inside the page: SVG drawn with classes only, so that the style sheet colours them for light and dark.

Coordinates and numbers come from here; every piece of text goes through ``text.clean`` and is escaped.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup, escape

from ..bench.document import Cell, Fit
from .scales import Axis, span
from .text import clean

BAR_WIDTH, BAR_HEIGHT = 170.0, 44.0
PANEL = (240.0, 196.0)
SHAPES = 7
"""Number of marker shapes and of colours; the class of a marker is ``k0`` ... ``k6``."""


@dataclass(frozen=True, slots=True)
class Dots:
    """The points of one class in a scatter panel."""

    kind: int
    x: Sequence[float]
    y: Sequence[float]
    titles: Sequence[str] | None
    """One per point, or None where there are too many points for a title each."""


def bar_axis(cells: Sequence[Cell], *, correlation: bool) -> Axis:
    """One axis for all interval bars of a column."""
    low, high = span([c[k] for c in cells for k in ("low", "value", "high")], 0.06)  # type: ignore[literal-required]
    if correlation:
        low, high = max(low, -1.02), min(high, 1.02)
    return Axis(low, high, 4, BAR_WIDTH - 4)


def bar(cell: Cell, axis: Axis, kind: str) -> Markup:
    """An interval as a line with a dot; the numbers stand beside it in the table, so it is hidden from readers."""
    parts = [_grid(axis, BAR_HEIGHT)]
    middle = BAR_HEIGHT / 2
    if cell["value"] is not None:
        if cell["low"] is not None and cell["high"] is not None:
            low, high = (min(max(axis(v), 0), BAR_WIDTH) for v in (cell["low"], cell["high"]))
            parts.append(Markup('<path class="iv" d="M{} {}H{}"/>').format(_n(low), _n(middle), _n(high)))
        parts.append(Markup('<circle class="pt" cx="{}" cy="{}" r="3.6"/>').format(_n(axis(cell["value"])), _n(middle)))
    return Markup('<svg class="fb {}" viewBox="0 0 {} {}" aria-hidden="true">{}</svg>').format(
        kind, _n(BAR_WIDTH), _n(BAR_HEIGHT), Markup("").join(parts)
    )


def bar_scale(axis: Axis) -> Markup:
    """The tick labels above a column of bars."""
    ticks = axis.ticks(4)
    labels = Markup("").join(
        Markup('<text x="{}" y="9" text-anchor="{}">{}</text>').format(
            _n(x), "start" if x < 12 else "end" if x > BAR_WIDTH - 12 else "middle", label
        )
        for x, label in ticks
    )
    return Markup('<svg class="fs" viewBox="0 0 {} 12" aria-hidden="true">{}</svg>').format(_n(BAR_WIDTH), labels)


def scatter(
    dots: Sequence[Dots], fit: Fit | None, xs: tuple[float, float], ys: tuple[float, float], label: str
) -> Markup:
    """Human score against one metric, with the fitted curve."""
    width, height = PANEL
    left, right, top, bottom = 34.0, width - 4, 4.0, height - 18
    x_axis, y_axis = Axis(*xs, left, right), Axis(*ys, bottom, top)
    parts = [Markup('<path class="ax" d="M{} {}V{}H{}"/>').format(_n(left), _n(top), _n(bottom), _n(right))]
    for y, text in y_axis.ticks(4):
        parts.append(Markup('<path class="gr" d="M{} {}H{}"/>').format(_n(left), _n(y), _n(right)))
        parts.append(Markup('<text x="{}" y="{}" text-anchor="end">{}</text>').format(_n(left - 4), _n(y + 3), text))
    for x, text in x_axis.ticks(4):
        anchor = "end" if x > right - 10 else "middle"
        parts.append(Markup('<path class="gr" d="M{} {}V{}"/>').format(_n(x), _n(top), _n(bottom)))
        parts.append(
            Markup('<text x="{}" y="{}" text-anchor="{}">{}</text>').format(_n(x), _n(height - 5), anchor, text)
        )
    for group in dots:
        places = [(x_axis(a), y_axis(b)) for a, b in zip(group.x, group.y, strict=True)]
        if group.titles is None:
            path = "".join(speck(group.kind, x, y) for x, y in places)
            parts.append(Markup('<path class="many k{}" d="{}"/>').format(group.kind, path))
        else:
            parts.append(Markup('<g class="mk k{}">').format(group.kind))
            shape = marker(group.kind, 0, 0, 2.9).removeprefix("M0 0")
            # Not Markup.format, which is slow for thousands of points: every part is a number or escaped here.
            parts.extend(
                Markup(f'<path d="M{_n(x)} {_n(y)}{shape}"><title>{escape(clean(title, 400))}</title></path>')
                for (x, y), title in zip(places, group.titles, strict=True)
            )
            parts.append(Markup("</g>"))
    if fit is not None and (curve := fitted(fit, xs, ys)):
        path = "M" + "L".join(f"{_n(x_axis(a))} {_n(y_axis(b))}" for a, b in curve)
        parts.append(Markup('<path class="fit" d="{}"/>').format(path))
    return Markup('<svg class="sc" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        _n(width), _n(height), clean(label, 400), Markup("").join(parts)
    )


def fitted(fit: Fit, xs: tuple[float, float], ys: tuple[float, float], points: int = 61) -> list[tuple[float, float]]:
    """The fitted curve inside the panel: (metric value, human score) pairs."""
    out = []
    for step in range(points):
        x = xs[0] + (xs[1] - xs[0]) * step / (points - 1)
        y = predict(fit, x)
        if y is not None and ys[0] <= y <= ys[1]:
            out.append((x, y))
    return out if len(out) > 1 else []


def predict(fit: Fit, x: float) -> float | None:
    """Human score that the mapping gives for one metric value."""
    b = fit["b"]
    if fit["kind"] == "linear" and len(b) == 2:
        return b[0] * x + b[1]
    if fit["kind"] == "logistic" and len(b) == 4 and b[3]:
        z = -(x - b[2]) / b[3]
        return b[1] + (b[0] - b[1]) / (1 + math.exp(min(z, 700)))
    return None


@dataclass(frozen=True, slots=True)
class CostLayout:
    """Where everything in the chart of cost and agreement stands, in drawing units (downwards)."""

    box: tuple[float, float, float, float]
    """Left, top, right, bottom of the plot."""
    x_ticks: list[tuple[float, str]]
    y_ticks: list[tuple[float, str]]
    places: list[tuple[float, float]]
    front: list[tuple[float, float]]
    """Corners of the staircase through the Pareto front."""
    labels: list[tuple[float, float, str, str] | None]
    """(x, y, anchor, name) of each point, None where no room was left."""


def cost_layout(rows: Sequence[tuple[str, float, float, bool]]) -> CostLayout:
    """Place points, staircase and names.

    Args:
        rows: (name, seconds, agreement, whether on the Pareto front).
    """
    left, top, right, bottom = 40.0, 10.0, 740.0, 296.0
    x_axis = Axis(*span([math.log10(r[1]) for r in rows], 0.09), left, right)
    y_axis = Axis(*span([r[2] for r in rows], 0.1), bottom, top)
    places = [(x_axis(math.log10(r[1])), y_axis(r[2])) for r in rows]
    steps = sorted(p for p, r in zip(places, rows, strict=True) if r[3])
    front = steps[:1]
    for x, y in steps[1:]:
        front += [(x, front[-1][1]), (x, y)]
    if front:
        front.append((right, front[-1][1]))
    box = (left, top, right, bottom)
    labels = _labels(places, rows, front, box)
    return CostLayout(box, log_ticks(x_axis), y_axis.ticks(5), places, front, labels)


def cost(rows: Sequence[tuple[str, float, float, bool]], label: str) -> Markup:
    """Agreement against seconds per image (logarithmic), the Pareto front joined.

    Args:
        rows: (name, seconds, agreement, whether on the front).
        label: for readers who cannot see it.
    """
    plan = cost_layout(rows)
    left, top, right, bottom = plan.box
    parts = [Markup('<path class="ax" d="M{} {}V{}H{}"/>').format(_n(left), _n(top), _n(bottom), _n(right))]
    for y, text in plan.y_ticks:
        parts.append(Markup('<path class="gr" d="M{} {}H{}"/>').format(_n(left), _n(y), _n(right)))
        parts.append(Markup('<text x="{}" y="{}" text-anchor="end">{}</text>').format(_n(left - 6), _n(y + 4), text))
    for x, text in plan.x_ticks:
        parts.append(Markup('<path class="gr" d="M{} {}V{}"/>').format(_n(x), _n(top), _n(bottom)))
        parts.append(Markup('<text x="{}" y="{}" text-anchor="middle">{}</text>').format(_n(x), _n(bottom + 17), text))
    parts.append(
        Markup('<text x="{}" y="{}" text-anchor="end">seconds per image</text>').format(_n(right), _n(bottom + 32))
    )
    if plan.front:
        path = "L".join(f"{_n(x)} {_n(y)}" for x, y in plan.front)
        parts.append(Markup('<path class="front" d="M{}"/>').format(path))
    for (x, y), row, place in zip(plan.places, rows, plan.labels, strict=True):
        name = Markup("")
        if place is not None:
            name = Markup('<text x="{}" y="{}" text-anchor="{}">{}</text>').format(
                _n(place[0]), _n(place[1]), place[2], place[3]
            )
        parts.append(
            Markup('<g class="cp {}"><circle cx="{}" cy="{}" r="{}"><title>{}</title></circle>{}</g>').format(
                "on" if row[3] else "off", _n(x), _n(y), 4.5 if row[3] else 3.6, clean(row[0], 120), name
            )
        )
    return Markup('<svg class="co" viewBox="0 0 760 336" role="img" aria-label="{}">{}</svg>').format(
        clean(label, 400), Markup("").join(parts)
    )


_BESIDE = (
    (8, 4, "start"), (-8, 4, "end"), (0, -9, "middle"), (0, 17, "middle"),
    (7, 15, "start"), (-7, -6, "end"), (7, -6, "start"), (-7, 15, "end"),
)  # fmt: skip
"""Where a name may stand beside its point."""


def log_ticks(axis: Axis) -> list[tuple[float, str]]:
    """Decades, and their 2s and 5s where the axis is short, of an axis in log10 seconds."""
    steps = (1,) if axis.high - axis.low > 2.2 else (1, 2, 5)
    out = []
    for decade in range(math.floor(axis.low) - 1, math.ceil(axis.high) + 1):
        for step in steps:
            place = decade + math.log10(step)
            if axis.low <= place <= axis.high:
                out.append((axis(place), f"{step * 10.0**decade:.{max(0, -decade)}f}"))
    return out


def _labels(
    places: Sequence[tuple[float, float]],
    rows: Sequence[tuple[str, float, float, bool]],
    front: Sequence[tuple[float, float]],
    box: tuple[float, float, float, float],
) -> list[tuple[float, float, str, str] | None]:
    """A name beside each point where one fits without covering anything; points of the front first."""
    taken = [(x - 5, y - 5, x + 5, y + 5) for x, y in places]
    for (x0, y0), (x1, y1) in pairwise(front):
        taken.append((min(x0, x1) - 1, min(y0, y1) - 1, max(x0, x1) + 1, max(y0, y1) + 1))
    out: list[tuple[float, float, str, str] | None] = [None] * len(rows)
    for index in sorted(range(len(rows)), key=lambda i: (not rows[i][3], -rows[i][2], rows[i][0])):
        x, y = places[index]
        name = clean(rows[index][0], 22)
        wide = 6.6 * len(name)
        for dx, dy, anchor in _BESIDE:
            start = x + dx - (wide if anchor == "end" else wide / 2 if anchor == "middle" else 0)
            mine = (start, y + dy - 10, start + wide, y + dy + 3)
            if mine[0] < box[0] or mine[2] > box[2] + 18 or mine[1] < box[1] - 8 or mine[3] > box[3]:
                continue
            if any(
                mine[0] < b[2] and b[0] < mine[2] and mine[1] < b[3] and b[1] < mine[3]
                for other, b in enumerate(taken)
                if other != index
            ):
                continue
            taken.append(mine)
            out[index] = (x + dx, y + dy, anchor, name)
            break
    return out


def marker(kind: int, x: float, y: float, r: float) -> str:
    """Path of one marker: circle, square, triangle, diamond, cross, saltire, triangle down."""
    at = f"M{_n(x)} {_n(y)}"
    d, u, v = 2 * r, _n(1.2 * r), _n(1.35 * r)
    return (
        at
        + (
            f"m{_n(-r)} 0a{_n(r)} {_n(r)} 0 1 0 {_n(d)} 0a{_n(r)} {_n(r)} 0 1 0 {_n(-d)} 0z",
            f"m{_n(-0.9 * r)} {_n(-0.9 * r)}h{_n(1.8 * r)}v{_n(1.8 * r)}h{_n(-1.8 * r)}z",
            f"m0 {_n(-1.2 * r)}l{_n(1.15 * r)} {_n(2 * r)}h{_n(-2.3 * r)}z",
            f"m0 -{v}l{u} {v}l-{u} {v}l-{u} -{v}z",
            f"m{_n(-1.3 * r)} 0h{_n(2.6 * r)}m{_n(-1.3 * r)} {_n(-1.3 * r)}v{_n(2.6 * r)}",
            f"m{_n(-r)} {_n(-r)}l{_n(d)} {_n(d)}m0 {_n(-d)}l{_n(-d)} {_n(d)}",
            f"m0 {_n(1.2 * r)}l{_n(1.15 * r)} {_n(-2 * r)}h{_n(-2.3 * r)}z",
        )[kind % SHAPES]
    )


def speck(kind: int, x: float, y: float) -> str:
    """A marker where there are very many: for the two first kinds a line of no length, drawn by its cap."""
    return f"M{_n(x)} {_n(y)}h0" if kind < 2 else marker(kind, x, y, 1.7)


def key_mark(kind: int) -> Markup:
    """A marker alone, for the legend."""
    return Markup(
        '<svg class="lg" viewBox="0 0 14 14" aria-hidden="true"><g class="mk k{}"><path d="{}"/></g></svg>'
    ).format(kind, marker(kind, 7, 7, 3.6))


def _grid(axis: Axis, height: float) -> Markup:
    path = "".join(f"M{_n(x)} 0V{_n(height)}" for x, _ in axis.ticks(4))
    return Markup('<path class="gr" d="{}"/>').format(path)


def _n(value: float) -> str:
    """A coordinate with at most one decimal."""
    text = f"{value:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text
