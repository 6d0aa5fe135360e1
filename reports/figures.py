"""The figures as files, for papers: SVG and PNG with the same bytes for the same document.

Everything is set here and nothing is taken from the user's matplotlib configuration. Text is drawn as
outlines of the font that matplotlib brings, so that a figure looks the same wherever it is opened.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from ..bench.document import Cell, Leaderboard
from .board import Board
from .charts import cost_layout, predict
from .contest import Contest
from .inputs import Items
from .matrix import Matrix
from .points import Selection
from .price import Price
from .scales import span
from .text import clean

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, SOFT, HAIR = "#1d2025", "#646b75", "#d6dade"
BEST, REST, CONTROL = "#0072b2", "#4a4f57", "#9aa1a9"
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#a8578d", "#c78500", "#3a9bd1", "#5d636b")
"""Okabe and Ito's colours, the light ones darkened for white paper; the last is grey."""
MARKERS = ("o", "s", "^", "D", "P", "X", "v")
RASTER = 4_000
"""Above this many points, the points (only they) are a bitmap inside the SVG."""
NAMES = ("leaderboard", "scatter", "agreement", "cost", "generators")


@dataclass(frozen=True)
class Drawing:
    """A figure as bytes."""

    name: str
    svg: bytes
    png: bytes


def draw(
    document: Leaderboard,
    board: Board,
    contest: Contest,
    matrix: Matrix,
    prices: list[Price],
    selection: Selection,
    items: Items,
) -> Iterator[Drawing]:
    """All figures that the document has something for."""
    score = document["dataset"]["score"]
    label = f"{clean(score['kind'], 30)} ({score['better']} is better)" if score else ""
    if any(row.data[board.headline]["value"] is not None for row in board.rows):  # type: ignore[literal-required]
        yield _save("leaderboard", lambda: forest(board))
    if selection.metrics and selection.every:
        yield _save("scatter", lambda: scatter(selection, items, label))
    if len(matrix.names) > 1:
        yield _save("agreement", lambda: heatmap(matrix))
    if sum(p.agreement is not None for p in prices) > 1:
        yield _save("cost", lambda: cost(prices, board.headline_title))
    if contest.judged:
        yield _save("generators", lambda: generators(contest, label))


def forest(board: Board) -> Figure:
    """The headline statistic of every metric with its interval; tiers as bands, controls in grey."""
    rows = [r for r in board.rows if r.data[board.headline]["value"] is not None]  # type: ignore[literal-required]
    controls = [r for r in board.controls if r.data[board.headline]["value"] is not None]  # type: ignore[literal-required]
    lines = [(r.data["name"], r.data[board.headline], BEST if r.data["tier"] == 1 else REST) for r in rows]  # type: ignore[literal-required]
    lines += [(r.data["name"], r.data[board.headline], CONTROL) for r in controls]  # type: ignore[literal-required]
    figure, axes = _canvas(5.2, 0.9 + 0.22 * len(lines))
    start = 0
    for end in range(1, len(rows) + 1):
        if end == len(rows) or rows[end].data["tier"] != rows[start].data["tier"]:
            tier = rows[start].data["tier"]
            if tier is not None:
                axes.axhspan(start - 0.5, end - 0.5, color="#eef2f5" if tier % 2 else "#ffffff", lw=0, zorder=0)
                axes.annotate(
                    f"tier {tier}",
                    (1, (start + end - 1) / 2),
                    xycoords=("axes fraction", "data"),
                    xytext=(5, 0),
                    textcoords="offset points",
                    va="center",
                    color=SOFT,
                    fontsize=7,
                )
            start = end
    _intervals(axes, lines)
    if controls and rows:
        axes.axhline(len(rows) - 0.5, color=SOFT, lw=0.6, ls=(0, (4, 3)))
    axes.set_xlabel(board.headline_title)
    return figure


def generators(contest: Contest, label: str) -> Figure:
    """Mean human score of every generator, with its interval."""
    lines = [
        (line.data["name"], line.data["human"], BEST if line.data["human_tier"] == 1 else REST)
        for line in contest.lines
    ]
    figure, axes = _canvas(5.2, 0.9 + 0.22 * len(lines))
    _intervals(axes, lines)
    axes.set_xlabel(f"mean human score, {label}")
    return figure


def scatter(selection: Selection, items: Items, label: str) -> Figure:
    """Human score against every metric, small multiples on one vertical axis, with the fitted curves."""
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    across = min(4, len(selection.metrics))
    down = math.ceil(len(selection.metrics) / across)
    figure = Figure(figsize=(0.4 + 2.05 * across, 0.55 + 1.75 * down), layout="constrained")
    grid: list[Axes] = list(figure.subplots(down, across, sharey=True, squeeze=False).flat)
    ys = span([items.score[n] for n in selection.every], 0.06)
    many = len(selection.every) * len(selection.metrics) > RASTER
    size, alpha = (1.2, 0.25) if many else (7, 0.75)
    for axes, metric in zip(grid, selection.metrics, strict=False):
        values = items.values[metric["name"]]
        rows = [n for n in selection.every if math.isfinite(values[n])]
        xs = span(values[n] for n in rows)
        for kind in range(len(selection.kinds)):
            mine = [n for n in rows if selection.kind_of[n] == kind]
            axes.scatter(
                [values[n] for n in mine],
                [items.score[n] for n in mine],
                s=size,
                c=COLOURS[kind % len(COLOURS)],
                marker=MARKERS[kind % len(MARKERS)],
                alpha=alpha,
                linewidths=0,
                rasterized=many,
            )
        curve = [(x, predict(metric["fit"], x)) for x in (xs[0] + (xs[1] - xs[0]) * k / 80 for k in range(81))]
        curve = [(x, y) for x, y in curve if y is not None]
        if curve:
            axes.plot([x for x, _ in curve], [y for _, y in curve], color=INK, lw=1.0)
        axes.set_xlim(*xs)
        axes.set_ylim(*ys)
        axes.locator_params(nbins=4)
        arrow = "↑" if metric["better"] == "higher" else "↓"
        axes.set_title(f"{_plain(metric['name'], 24)} {arrow}", loc="left", fontsize=8)
        axes.grid(True)
    for axes in grid[len(selection.metrics) :]:
        axes.set_axis_off()
    figure.supylabel(label, fontsize=8, color=SOFT)
    if len(selection.kinds) > 1:
        handles = [
            Line2D([], [], ls="", marker=MARKERS[k % len(MARKERS)], ms=4, color=COLOURS[k % len(COLOURS)], mew=0)
            for k in range(len(selection.kinds))
        ]
        figure.legend(
            handles,
            [_plain(kind.title, 30) for kind in selection.kinds],
            loc="outside upper left",
            ncols=min(4, len(selection.kinds)),
            frameon=False,
            fontsize=8,
            handletextpad=0.2,
        )
    return figure


def heatmap(matrix: Matrix) -> Figure:
    """SROCC between all pairs of columns."""
    import numpy as np
    import seaborn
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.figure import Figure

    n = len(matrix.names)
    side = 1.4 + 0.3 * n
    figure = Figure(figsize=(side + 0.4, side), layout="constrained")
    axes = figure.subplots()
    values = np.array([[math.nan if v is None else v for v in row] for row in matrix.values], float)
    names = [_plain(name, 24) for name in matrix.names]
    seaborn.heatmap(
        values,
        ax=axes,
        mask=np.eye(n, dtype=bool) | np.isnan(values),
        vmin=-1,
        vmax=1,
        cmap=LinearSegmentedColormap.from_list("agreement", ["#c97a00", "#f6d9a3", "#ffffff", "#9cc9e6", "#0072b2"]),
        annot=n <= 24,
        fmt=".2f",
        annot_kws={"fontsize": 5.5},
        square=True,
        linewidths=0.4,
        linecolor="white",
        xticklabels=names,
        yticklabels=names,
        cbar_kws={"label": "SROCC", "shrink": 0.6},
    )
    axes.tick_params(axis="x", rotation=90, length=0)
    axes.tick_params(axis="y", rotation=0, length=0)
    return figure


def cost(prices: list[Price], title: str) -> Figure:
    """Agreement against seconds per image, placed as on the page."""
    from matplotlib.figure import Figure

    rows = [(p.name, p.seconds, p.agreement, p.front) for p in prices if p.agreement is not None]
    plan = cost_layout(rows)
    left, top, right, bottom = plan.box
    figure = Figure(figsize=(7.8, 3.3))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(-20, 760)
    axes.set_ylim(330, 0)
    axes.set_axis_off()
    for y, text in plan.y_ticks:
        axes.plot([left, right], [y, y], color=HAIR, lw=0.5)
        axes.text(left - 6, y, text, ha="right", va="center", color=SOFT)
    for x, text in plan.x_ticks:
        axes.plot([x, x], [top, bottom], color=HAIR, lw=0.5)
        axes.text(x, bottom + 6, text, ha="center", va="top", color=SOFT)
    axes.plot([left, left, right], [top, bottom, bottom], color="#b9bfc7", lw=0.7)
    axes.text((left + right) / 2, bottom + 22, "seconds per image", ha="center", va="top", color=SOFT)
    axes.text(-14, (top + bottom) / 2, title, rotation=90, ha="left", va="center", color=SOFT)
    axes.plot([x for x, _ in plan.front], [y for _, y in plan.front], color=BEST, lw=0.9, alpha=0.6)
    sides = {"start": "left", "middle": "center", "end": "right"}
    for (x, y), row, label in zip(plan.places, rows, plan.labels, strict=True):
        colour = BEST if row[3] else CONTROL
        axes.plot(x, y, "o", ms=5.5 if row[3] else 4.2, mew=0, color=colour)
        if label is not None:
            colour = INK if row[3] else SOFT
            axes.text(label[0], label[1], _plain(label[3], 24), ha=sides[label[2]], va="baseline", color=colour)
    return figure


def _canvas(width: float, height: float) -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots()


def _intervals(axes: Axes, lines: list[tuple[str, Cell, str]]) -> None:
    for place, (_, cell, colour) in enumerate(lines):
        if cell["value"] is None:
            continue
        if cell["low"] is not None and cell["high"] is not None:
            axes.plot([cell["low"], cell["high"]], [place, place], color=colour, lw=1.3, solid_capstyle="butt")
        axes.plot(cell["value"], place, "o", ms=4, mew=0, color=colour)
    axes.set_yticks(range(len(lines)), [_plain(name, 36) for name, _, _ in lines])
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(lines) - 0.4, -0.6)
    axes.grid(True, axis="x")
    axes.spines["left"].set_visible(False)


def _save(name: str, make: Callable[[], Figure]) -> Drawing:
    with _settings():
        svg, png = io.BytesIO(), io.BytesIO()
        figure = make()
        figure.savefig(svg, format="svg", dpi=200, metadata={"Date": None, "Creator": None})
        figure.set_layout_engine("none")  # both files have the layout that was found for the first
        figure.savefig(png, format="png", dpi=200, metadata={"Software": None})
    return Drawing(name, svg.getvalue(), png.getvalue())


@contextmanager
def _settings() -> Iterator[None]:
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(
            {
                "svg.fonttype": "path",
                "svg.hashsalt": "ganiq",
                "text.parse_math": False,
                "font.family": ["DejaVu Sans"],
                "font.size": 8,
                "text.color": INK,
                "axes.edgecolor": HAIR,
                "axes.labelcolor": SOFT,
                "axes.labelsize": 8,
                "axes.spines.top": False,
                "axes.spines.right": False,
                "axes.axisbelow": True,
                "axes.linewidth": 0.7,
                "axes.formatter.useoffset": False,
                "grid.color": HAIR,
                "grid.linewidth": 0.4,
                "xtick.color": SOFT,
                "ytick.color": SOFT,
                "xtick.labelcolor": SOFT,
                "ytick.labelcolor": INK,
                "xtick.labelsize": 7,
                "ytick.labelsize": 7,
                "xtick.major.width": 0.5,
                "ytick.major.width": 0.5,
            }
        )
        yield


@cache
def _glyphs() -> frozenset[int]:
    from matplotlib import font_manager
    from matplotlib.ft2font import FT2Font

    return frozenset(FT2Font(font_manager.findfont("DejaVu Sans")).get_charmap())


def _plain(text: str, cap: int) -> str:
    """A label the font can draw; what it cannot becomes a box."""
    return "".join(c if ord(c) in _glyphs() else "□" for c in clean(text, cap))
