"""What the generator leaderboard shows: people's order, every metric's order, and where they disagree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from ..bench.document import Cell, GeneratorRow, Leaderboard, MetricRow
from . import charts
from .text import clean, decimals, lookalikes

HUMAN = "human"
"""Key of people's order in ``GeneratorRow.ranks``."""
_STRONG, _CLEAR = 0.5, 0.25  # shares of reversed pairs at which a mark darkens


@dataclass(frozen=True, slots=True)
class View:
    """One metric's opinion of one generator."""

    cell: Cell | None
    digits: int
    rank: int | None
    flip: int
    """0 = agrees with people; 1, 2, 3 = reverses some, a quarter, half of the pairs that people tell apart."""
    arrow: str
    hint: str


@dataclass(frozen=True, slots=True)
class Line:
    """One generator."""

    data: GeneratorRow
    bar: Markup
    digits: int
    rank: int | None
    views: list[View]
    twin: str


@dataclass(frozen=True, slots=True)
class Head:
    """One metric's column."""

    name: str
    title: str
    better: str
    agreement: Cell | None


@dataclass(frozen=True, slots=True)
class Contest:
    lines: list[Line]
    heads: list[Head]
    scale: Markup
    judged: bool
    """Whether people scored the generators."""
    told_apart: str
    """Which pairs of generators count as told apart by people."""


def build(board: Leaderboard, order: Sequence[MetricRow]) -> Contest:
    """Arrange the generator rows as the document orders them, and mark reversed orders.

    Args:
        board: the document.
        order: metrics, as their columns should follow each other.
    """
    rows = board["generators"]
    used = {name for row in rows for name in row["metrics"]}
    agreement = board["generator_board"]["agreement"]
    listed = {m["name"]: m for m in [*order, *board["controls"]]}
    heads = [
        Head(m["name"], m["title"], m["better"], agreement.get(m["name"])) for m in listed.values() if m["name"] in used
    ]
    heads += [Head(name, name, "higher", agreement.get(name)) for name in sorted(used - set(listed))]
    judged = any(row["human"]["value"] is not None for row in rows)
    axis = charts.bar_axis([row["human"] for row in rows], correlation=False)
    apart, how = _apart(rows) if judged else ([], "")
    twins = lookalikes(row["name"] for row in rows)
    places = {head.name: _digits([row["metrics"].get(head.name) for row in rows]) for head in heads}
    own = _digits([row["human"] for row in rows])
    lines = [
        Line(
            data=row,
            bar=charts.bar(row["human"], axis, "best" if row["human_tier"] == 1 else "rest"),
            digits=own,
            rank=row["ranks"].get(HUMAN),
            views=[_view(n, head, rows, apart, places[head.name]) for head in heads],
            twin=twins.get(row["name"], ""),
        )
        for n, row in enumerate(rows)
    ]
    return Contest(lines, heads, charts.bar_scale(axis), judged, how)


def _apart(rows: Sequence[GeneratorRow]) -> tuple[list[list[int]], str]:
    """For each generator, those that people tell apart from it, and by which rule."""
    n = len(rows)
    if all("human_apart" in row for row in rows):
        known = [set(row.get("human_apart", ())) for row in rows]
        test = [[row["name"] in others for row in rows] for others in known]
        how = "pairs that people's scores tell apart"
    elif any(row["human"]["low"] is not None for row in rows):
        ends = [(row["human"]["low"], row["human"]["high"]) for row in rows]
        test = [[_clear(a, b) for b in ends] for a in ends]
        how = "pairs whose intervals do not overlap"
    else:
        values = [row["human"]["value"] for row in rows]
        test = [[a is not None and b is not None and a != b for b in values] for a in values]
        how = "all pairs with different means"
    return [[j for j in range(n) if j != i and test[i][j]] for i in range(n)], how


def _clear(a: tuple[float | None, float | None], b: tuple[float | None, float | None]) -> bool:
    if a[0] is None or a[1] is None or b[0] is None or b[1] is None:
        return False
    return a[1] < b[0] or b[1] < a[0]


def _view(index: int, head: Head, rows: Sequence[GeneratorRow], apart: Sequence[Sequence[int]], digits: int) -> View:
    row = rows[index]
    cell, rank = row["metrics"].get(head.name), row["ranks"].get(head.name)
    human = row["ranks"].get(HUMAN)
    if not apart or rank is None or human is None:
        return View(cell, digits, rank, 0, "", "")
    pairs = reversed_ = 0
    for other in apart[index]:
        theirs: Mapping[str, int] = rows[other]["ranks"]
        if head.name in theirs and HUMAN in theirs:
            pairs += 1
            reversed_ += (theirs[head.name] - rank) * (theirs[HUMAN] - human) < 0
    if not reversed_:
        return View(cell, digits, rank, 0, "", "")
    share = reversed_ / pairs
    hint = (
        f"{clean(head.name, 60)} places it {rank}, people {human}; "
        f"it reverses {reversed_} of the {pairs} pairs that people tell apart"
    )
    arrow = "▲" if rank < human else "▼" if rank > human else "↕"
    return View(cell, digits, rank, 3 if share >= _STRONG else 2 if share >= _CLEAR else 1, arrow, hint)


def _digits(cells: Sequence[Cell | None]) -> int:
    """Decimals for a whole column: what the middle one of its cells deserves."""
    each = sorted(decimals(c["low"], c["high"], c["value"]) for c in cells if c is not None and c["value"] is not None)
    return each[len(each) // 2] if each else 2
