"""The report of one folder: ``index.html`` and the files beside it.

The page needs nothing but itself: no network, no server, and no script for reading it. Its bytes, and those
of every other file, depend on the inputs alone.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from ..bench.atomic import explained, write_bytes, write_text
from ..bench.document import Cell, Disagreement, Leaderboard, MetricRow
from . import board as boards
from . import charts, contest, crops, figures, matrix, points, price, tables, text
from .inputs import Inputs, Items, read
from .scales import span

_HERE = Path(__file__).resolve().parent
SHOWN_FAILURES = 200
_STEPS = 10


@dataclass(frozen=True, slots=True)
class Panel:
    """One scatter plot."""

    metric: MetricRow
    value: float | None
    svg: Markup


@dataclass(frozen=True, slots=True)
class Disputed:
    """The images on which one metric and people differ most."""

    name: str
    fitted: bool
    over: list[Disagreement]
    under: list[Disagreement]


def render(folder: Path) -> list[Path]:
    """Write the report of a folder that holds ``leaderboard.json`` (and ``scores.csv``, ``timing.json``).

    Args:
        folder: read, and written to: ``index.html``, ``metrics.csv``, ``generators.csv`` and, in ``figures/``,
            each figure as SVG and PNG. The page is written last.

    Returns:
        The files written, the page first.

    Raises:
        UsageError: there is no leaderboard, it is of another version, or the folder cannot be written.
        IntegrityError: a file is damaged.
        ResourceError: the disk is full; what was there before is untouched.
    """
    folder = Path(folder)
    inputs = read(folder)
    parts = Parts(inputs)
    drawings = list(
        figures.draw(
            inputs.board, parts.board, parts.contest, parts.matrix, parts.prices, parts.selection, inputs.items
        )
    )
    page = html(inputs, parts, [d.name for d in drawings])
    written = [folder / "index.html"]
    for name, content in (
        ("metrics.csv", tables.metrics_csv(inputs.board)),
        ("generators.csv", tables.generators_csv(inputs.board)),
    ):
        write_text(folder / name, content)
        written.append(folder / name)
    place = folder / "figures"
    with explained(place):
        place.mkdir(exist_ok=True)
    for drawing in drawings:
        for ending, data in (("svg", drawing.svg), ("png", drawing.png)):
            write_bytes(place / f"{drawing.name}.{ending}", data)
            written.append(place / f"{drawing.name}.{ending}")
    for name in set(figures.NAMES) - {d.name for d in drawings}:  # of an earlier report with more to show
        for ending in ("svg", "png"):
            (place / f"{name}.{ending}").unlink(missing_ok=True)
    write_text(folder / "index.html", page)
    return written


class Parts:
    """What page and figures share."""

    def __init__(self, inputs: Inputs) -> None:
        self.board = boards.build(inputs.board)
        self.contest = contest.build(inputs.board, [row.data for row in (*self.board.rows, *self.board.sets)])
        self.matrix = matrix.build(inputs.board["agreement"])
        self.prices = price.build(inputs.board, inputs.timing)
        self.selection = points.select(inputs.board, inputs.items, [row.data for row in self.board.rows])


def html(inputs: Inputs, parts: Parts, drawn: Sequence[str]) -> str:
    """The page as text."""
    document = inputs.board
    style = (_HERE / "static" / "style.css").read_text(encoding="utf-8")
    script = (_HERE / "static" / "app.js").read_text(encoding="utf-8")
    board = parts.board
    panels = _panels(document, board, parts.selection, inputs.items)
    disputed = _disputed(document, [row.data["name"] for row in board.rows])
    details = crops.read(inputs.folder)
    known = [p for p in parts.prices if p.agreement is not None]
    context: dict[str, Any] = {
        "policy": _policy(style, script),
        "style": Markup(style),
        "script": Markup(script),
        "data": text.island(document),
        "doc": document,
        "card": document["dataset"],
        "prov": document["provenance"],
        "scored": document["dataset"]["score"] is not None,
        "known_order": _known_order(document),
        "level": f"{document['settings']['level'] * 100:g}%",
        "shares": [(n, f"{v:.1%}") for n, v in document["dataset"]["shares"].items()],
        "board": board,
        "width": 5 + len(board.columns) + board.has_two_way + 4,
        "contest": parts.contest,
        "matrix": parts.matrix,
        "prices": parts.prices,
        "machine": list(inputs.timing["machine"].items()) if inputs.timing else [],
        "cost_chart": charts.cost(
            [(p.name, p.seconds, p.agreement or 0.0, p.front) for p in known],
            f"Agreement of {len(known)} metrics against seconds per image; the table below has the numbers",
        )
        if len(known) > 1
        else None,
        "selection": parts.selection,
        "legend": [(charts.key_mark(n), kind) for n, kind in enumerate(parts.selection.kinds)],
        "panels": panels,
        "disagreements": disputed,
        "crops": [(crop, Markup(crop.image), Markup(crop.reference)) for crop in details],
        "crop_of": {crop.key: n for n, crop in enumerate(details, 1)},
        "failures": document["failures"][:SHOWN_FAILURES],
        "check_columns": list(dict.fromkeys(name for check in document["published_checks"] for name in check)),
        "figures": frozenset(drawn),
        "downloads": _downloads(inputs),
        "contents": _contents(document, parts, bool(panels), bool(disputed)),
    }
    return _environment(document).get_template("page.html.j2").render(context)


def _environment(document: Leaderboard) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE / "templates"),
        autoescape=True,  # for every template, whatever it is called
        undefined=jinja2.StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    titles = {c["code"]: c["title"] for c in document["classes"]}
    environment.filters |= {
        "prose": text.prose,
        "code": text.code,
        "linked": text.linked,
        "short": lambda value, cap: text.clean(value, cap),
        "fixed": text.fixed,
        "significant": text.significant,
        "grouped": text.grouped,
        "brief": text.brief,
        "sentence": lambda value: value[:1].upper() + value[1:],
        "bare": _bare,
        "tint": boards.tint,
        "shade": lambda value: f"n{-value}" if value < 0 else str(value),
        "needs": boards.needs,
        "class_title": lambda code: text.clean(titles.get(code) or code, 80),
    }
    return environment


def _finalize(value: object) -> object:
    """Every string that a template prints passes here: none is forgotten."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return text.clean(value)
    return value


def _bare(value: float) -> str:
    """.87 for 0.87: in a matrix the leading zero only takes room."""
    return text.fixed(value, 2).replace("0.", ".", 1) if abs(value) < 0.995 else text.fixed(value, 2)


def _policy(style: str, script: str) -> str:
    def sha(content: str) -> str:
        return "'sha256-" + base64.b64encode(hashlib.sha256(content.encode()).digest()).decode() + "'"

    rules: Mapping[str, str] = {
        "default-src": "'none'",
        "img-src": "data:",
        "style-src": sha(style),
        "script-src": sha(script),
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    # Nothing here comes from a document; long, so it must not be capped like a name.
    return Markup("; ".join(f"{k} {v}" for k, v in rules.items()).replace("'", "&#39;"))


def _known_order(document: Leaderboard) -> bool:
    """Whether the scores are an order known by construction, which no person was asked for."""
    score = document["dataset"]["score"]
    return score is not None and score["kind"] == "severity"


def _panels(document: Leaderboard, board: boards.Board, selection: points.Selection, items: Items) -> list[Panel]:
    score = document["dataset"]["score"]
    if score is None or not selection.shown:
        return []
    ys = span([items.score[n] for n in selection.every], 0.05)
    order = "known order" if _known_order(document) else "human score"
    keys, generators = items.text["key"], items.text["generator"]
    out = []
    for metric in selection.metrics:
        values = items.values[metric["name"]]
        xs = span(values[n] for n in selection.every)
        dots = []
        for kind in range(len(selection.kinds)):
            mine = [n for n in selection.shown if selection.kind_of[n] == kind and values[n] == values[n]]
            titles = None
            if selection.titled:
                titles = [
                    f"{text.clean(keys[n], 120)} · {text.clean(generators[n], 80)} · {score['kind']} "
                    f"{text.significant(items.score[n])} · {text.significant(values[n])}"
                    for n in mine
                ]
            dots.append(charts.Dots(kind, [values[n] for n in mine], [items.score[n] for n in mine], titles))
        cell: Cell = metric[board.headline]  # type: ignore[literal-required]
        label = f"{text.clean(metric['name'], 100)} against {order}, {sum(len(d.x) for d in dots)} points"
        fit = metric["fit"] if metric["fit"]["kind"] != "undefined" else None
        out.append(Panel(metric, cell["value"], charts.scatter(dots, fit, xs, ys, label)))
    return out


def _disputed(document: Leaderboard, order: Sequence[str]) -> list[Disputed]:
    fits = {m["name"]: m["fit"]["kind"] for m in [*document["metrics"], *document["controls"]]}
    return [
        Disputed(
            name,
            fits.get(name, "undefined") != "undefined",
            sorted((r for r in rows if r["gap"] > 0), key=lambda r: -r["gap"]),
            sorted((r for r in rows if r["gap"] < 0), key=lambda r: r["gap"]),
        )
        for name in [*order, *(n for n in document["disagreements"] if n not in order)]
        if (rows := document["disagreements"].get(name))
    ]


def _downloads(inputs: Inputs) -> list[str]:
    """Plain file names, all in this folder."""
    optional = [name for name in ("scores.csv", "timing.json") if (inputs.folder / name).is_file()]
    return ["leaderboard.json", *optional, "metrics.csv", "generators.csv"]


def _contents(document: Leaderboard, parts: Parts, panels: bool, disputed: bool) -> list[tuple[str, str]]:
    entries = (
        ("set", "Set", True),
        ("board", "Metrics", True),
        ("classes", "Classes", bool(parts.board.classes)),
        ("scatter", "Scatter plots", panels),
        ("agreement", "Agreement", len(parts.matrix.names) > 1),
        ("cost", "Cost", bool(parts.prices)),
        ("generators", "Generators", True),
        ("disagreements", "Disagreements", disputed),
        ("published", "Published values", bool(document["published"] or document["published_checks"])),
        ("failures", "Failures", True),
        ("reading", "How to read this", True),
        ("provenance", "Provenance", True),
    )
    return [(key, title) for key, title, there in entries if there]
