"""What the metric leaderboard shows: rows in order, columns, and the result in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

from ..bench.document import Ceiling, Cell, ClassCell, Leaderboard, MetricRow
from . import charts
from .scales import Axis
from .text import clean, fixed, grouped, listed, lookalikes

HEADLINES = {
    "srocc_within": "SROCC within references",
    "srocc_pooled": "SROCC over all images",
}
_SHORT = {"srocc_within": "SROCC within", "srocc_pooled": "SROCC pooled"}
_NEEDS = {"pair": "full-reference", "image": "no-reference", "set": "set of images"}
FAMILIES = ("gan", "traditional")
FAMILY_TITLES = {"gan": "GAN-based", "traditional": "Traditional"}


@dataclass(frozen=True, slots=True)
class Column:
    """One statistic of the leaderboard."""

    key: str
    title: str
    group: str
    better: str = "higher"
    hint: str = ""


@dataclass(slots=True)
class Row:
    """One line: the document's row and what the page adds to it."""

    data: MetricRow
    anchor: str
    rank: str
    badges: list[str]
    bar: Markup
    missing: str
    """What became of the images that were not used."""
    tint: Sequence[int | None] = field(default_factory=list)
    """Shade of every class cell, None where it is undefined."""


@dataclass(frozen=True, slots=True)
class ClassHead:
    """One column of the per-class table."""

    code: str
    title: str
    n: int
    spread: float | None
    is_family: bool


@dataclass(frozen=True, slots=True)
class Board:
    """The metric leaderboard and everything that hangs on its rows."""

    headline: str
    headline_title: str
    other: Column
    columns: list[Column]
    rows: list[Row]
    sets: list[Row]
    """Metrics of whole sets: no value per image, hence no agreement; their numbers are on the generator board."""
    controls: list[Row]
    published: list[Row]
    ceiling: tuple[Ceiling, Markup] | None
    """What a metric could reach, and its mark on the axis."""
    axis: Axis
    scale: Markup
    classes: list[ClassHead]
    sentence: list[tuple[str, bool]]
    has_two_way: bool


def build(board: Leaderboard) -> Board:
    """Arrange the metric rows: ranked ones by tier and value, then the others, controls apart."""
    key = board["settings"]["headline"]
    metrics = sorted((m for m in board["metrics"] if m["needs"] != "set"), key=lambda row: _order(row, key))
    sets = [m for m in board["metrics"] if m["needs"] == "set"]
    every = [*metrics, *board["controls"]]
    limit = board.get("ceiling")
    above = [limit[key]] if limit is not None else []  # type: ignore[literal-required]
    axis = charts.bar_axis([*(row[key] for row in every), *above], correlation=True)
    names = [*every, *sets]
    twins = lookalikes(row["name"] for row in names) | lookalikes(row["title"] for row in names)
    classes = _classes(board, every)
    rows = [_row(row, key, axis, f"metric-{n}", twins, classes) for n, row in enumerate(metrics, 1)]
    controls = [
        _row(row, key, axis, f"control-{n}", twins, classes, True) for n, row in enumerate(board["controls"], 1)
    ]
    published = [_row(row, key, axis, f"published-{n}", {}, classes) for n, row in enumerate(board["published"], 1)]
    other_key = "srocc_pooled" if key == "srocc_within" else "srocc_within"
    other = Column(other_key, _SHORT[other_key], "g-corr", "higher", HEADLINES[other_key])
    rank_columns = [
        other,
        Column("krocc", "KROCC", "g-corr", "higher", "Kendall's rank correlation"),
        Column("plcc_raw", "PLCC raw", "g-corr", "higher", "Pearson's correlation of the values as they are"),
        Column("plcc_fit", "PLCC fitted", "g-fit", "higher", "Pearson's correlation after the monotone fit"),
        Column("rmse", "RMSE", "g-fit", "lower", "Root mean squared error after the monotone fit"),
    ]
    return Board(
        headline=key,
        headline_title=HEADLINES[key],
        other=other,
        columns=rank_columns,
        rows=rows,
        sets=[_row(row, key, axis, f"set-{n}", twins, classes) for n, row in enumerate(sets, 1)],
        controls=controls,
        published=published,
        ceiling=(limit, charts.bar(above[0], axis, "ctl")) if limit is not None else None,
        axis=axis,
        scale=charts.bar_scale(axis),
        classes=classes,
        sentence=sentence(board, metrics),
        has_two_way=any(row["two_way"]["value"] is not None for row in every),
    )


def sentence(board: Leaderboard, metrics: Sequence[MetricRow]) -> list[tuple[str, bool]]:
    """The result in words, as (text, emphasised) pieces."""
    settings, ranking = board["settings"], board["ranking"]
    if board["dataset"]["score"] is None:
        return [("Nobody has scored these images, so no metric can be compared with people.", False)]
    valued = [row for row in metrics if row[settings["headline"]]["value"] is not None]
    if not valued:
        return [("No metric has a value yet; the rows below say why.", False), *_waiting(metrics)]
    out: list[tuple[str, bool]] = []
    tiered = [row for row in metrics if row["tier"] is not None]
    best = [str(clean(row["name"], 40)) for row in tiered if row["tier"] == 1]
    if best:
        shown = best if len(best) <= 8 else [*best[:7], f"{len(best) - 7} more"]
        out += [("Best tier: ", False), (listed(shown), True)]
        out.append((". No metric is significantly better than " + ("it. " if len(best) == 1 else "these. "), False))
    else:
        first = max(valued, key=lambda row: row[settings["headline"]]["value"] or 0.0)
        value = fixed(first[settings["headline"]]["value"])
        out += [("Highest value: ", False), (f"{clean(first['name'], 40)} ({value})", True)]
        out.append((f"; no tiers: {clean(ranking['reason'] or 'the metrics were not tested', 300)}. ", False))
    said = f"{_count(len(valued), 'metric')} compared by {HEADLINES[settings['headline']]}"
    if any(row[settings["headline"]]["low"] is not None for row in valued):
        groups = ranking["n_groups"] or board["dataset"]["n_references"] or board["dataset"]["n_outputs"]
        unit = "reference" if groups < board["dataset"]["n_outputs"] else "independent image"
        said += f"; {settings['level']:.0%} intervals over {_count(groups, unit)}"
    else:
        why = next((r[settings["headline"]].get("reason", "") for r in valued), "")
        said += f"; no intervals{': ' + clean(why, 300) if why else ''}"
    out.append((said + ".", False))
    return out + _blind(board, valued) + _limited(board) + _waiting(metrics)


def _blind(board: Leaderboard, valued: Sequence[MetricRow]) -> list[tuple[str, bool]]:
    """A warning where knowing which generator made an image predicts people better than any metric does."""
    key = board["settings"]["headline"]
    control = next((row for row in board["controls"] if row["name"] == "algorithm-identity"), None)
    bar = control[key]["value"] if control else None
    if bar is None or max(row[key]["value"] or 0.0 for row in valued) >= bar:
        return []
    text = f" None of them reaches the control that knows only which generator made the image ({fixed(bar)})."
    return [(text, False)]


def _limited(board: Leaderboard) -> list[tuple[str, bool]]:
    """How far a perfect metric would get, where the set says how sure its scores are."""
    limit = board.get("ceiling")
    value = limit[board["settings"]["headline"]]["value"] if limit is not None else None  # type: ignore[literal-required]
    if limit is None or value is None:
        return []
    return [(f" A metric that knew what people think would reach about {fixed(value, 2)}.", False)]


def _waiting(metrics: Sequence[MetricRow]) -> list[tuple[str, bool]]:
    count = sum(row["status"] == "needs-weights" for row in metrics)
    return [(f" {_count(count, 'metric')} wait{'s' * (count == 1)} for weights.", False)] if count else []


def tint(value: float | None, steps: int = 10) -> int | None:
    """Shade of a correlation: 0 (none) ... 10 (perfect); negative ones get -1 ... -10."""
    return None if value is None else max(-steps, min(steps, round(value * steps)))


def _order(row: MetricRow, key: str) -> tuple[bool, int, float, str]:
    value = row[key]["value"]  # type: ignore[literal-required]
    return row["tier"] is None, row["tier"] or 0, -(value if value is not None else -9.0), row["name"]


def _row(
    row: MetricRow,
    key: str,
    axis: Axis,
    anchor: str,
    twins: Mapping[str, str],
    classes: Sequence[ClassHead],
    control: bool = False,
) -> Row:
    # Statistics of the image (entropy, contrast) are computed as metrics are, and controls all the same.
    badges = [*row["badges"], *(["control"] if control and "control" not in row["badges"] else [])]
    if row["source"] != "computed" and row["source"] not in badges:
        badges.append(row["source"])
    if row["status"] not in ("ok", "undefined"):
        badges.append(row["status"].replace("-", " "))
    badges = list(dict.fromkeys(b.replace("needs-weights", "needs weights") for b in badges))
    twin = twins.get(row["name"]) or twins.get(row["title"])
    if twin is not None:
        badges.append(f"looks like another name: {clean(twin, 60)}")
    rank = row["rank"] or []
    kind = "ctl" if control else "best" if row["tier"] == 1 else "rest"
    cell: Cell = row[key]  # type: ignore[literal-required]
    empty: Cell = {"value": None, "low": None, "high": None}
    return Row(
        data=row,
        anchor=anchor,
        rank="" if not rank else str(rank[0]) if rank[0] == rank[-1] else f"{rank[0]}–{rank[-1]}",
        badges=badges,
        bar=charts.bar(cell, axis, kind),
        missing=", ".join(
            f"{grouped(row[name])} {word}"  # type: ignore[literal-required]
            for name, word in (("n_failed", "failed"), ("n_nonfinite", "not finite"), ("n_skipped", "skipped"))
            if row[name]  # type: ignore[literal-required]
        ),
        tint=[tint(row["classes"].get(c.code, {"srocc": empty})["srocc"]["value"]) for c in classes],
    )


def _classes(board: Leaderboard, rows: Sequence[MetricRow]) -> list[ClassHead]:
    """Families first, then classes in the data set's order; only those that any row has a cell for."""
    known = {column["code"]: column for column in board["classes"]}
    used = dict.fromkeys(code for row in rows for code in row["classes"])
    codes = [c for f in FAMILIES for c in (f"family:{f}", f) if c in used]
    codes += [c for c in known if c in used and c not in codes]
    codes += [c for c in used if c not in codes]
    heads = []
    for code in codes:
        cells: list[ClassCell] = [row["classes"][code] for row in rows if code in row["classes"]]
        fullest = max(cells, key=lambda c: c["n"])
        column = known.get(code)
        family = code.removeprefix("family:")
        title = column["title"] if column else FAMILY_TITLES.get(family, code)
        n = column["n"] if column else fullest["n"]
        heads.append(
            ClassHead(
                code, title or code, n, fullest["spread"], (family in FAMILIES and family != code) or code in FAMILIES
            )
        )
    return heads


def needs(row: MetricRow) -> str:
    """What a metric looks at, in the field's words."""
    return _NEEDS.get(row["needs"], row["needs"])


def _count(n: int, noun: str) -> str:
    return f"{grouped(n)} {noun}{'s' * (n != 1)}"
