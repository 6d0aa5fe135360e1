"""The arena's page: ``arena.html`` from ``arena.json``, under the same rules as the report.

One file that needs nothing but itself: no network, no server, and no script for reading it. Its bytes depend on
the document and the crops beside it alone.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from markupsafe import Markup

from ..bench import arena as documents
from ..bench.atomic import write_text
from ..bench.document import Cell, Leaderboard
from ..bench.errors import IntegrityError, UsageError
from . import charts, crops, page, text
from .contract import check
from .text import clean, decimals, fixed, listed, lookalikes

MOST_DETAILED = 30
"""Generators up to which every view has its own table of wins on the page."""
FAR = (1, 2, 3)
"""Places off the headline order at which a cell darkens."""


@dataclass(frozen=True, slots=True)
class Line:
    """One generator in the headline order."""

    data: documents.Contestant
    standing: documents.Standing
    panel: documents.Standing | None
    rank: str
    bar: Markup
    twin: str


@dataclass(frozen=True, slots=True)
class Place:
    """One view's opinion of one generator."""

    standing: documents.Standing | None
    far: int
    """0 = the headline's place; 1, 2, 3 = so many places off, or more."""
    arrow: str
    hint: str


@dataclass(frozen=True, slots=True)
class Told:
    """One metric on one pair."""

    verdict: documents.Verdict | None
    shade: str
    hint: str


def render(folder: Path) -> Path:
    """Write ``arena.html`` of a folder that holds ``arena.json`` (and crops below ``arena/``).

    Raises:
        UsageError: there is no arena, or it is of another version.
        IntegrityError: a file is damaged.
        ResourceError: the disk is full; what was there before is untouched.
    """
    folder = Path(folder)
    document = read(folder)
    details = crops.read(folder / "arena")
    write_text(folder / "arena.html", html(document, details, (folder / "index.html").is_file()))
    return folder / "arena.html"


def read(folder: Path) -> documents.Arena:
    """Load ``arena.json``; see ``render`` for what may be wrong with it."""
    path = folder / "arena.json"
    if not path.is_file():
        raise UsageError(f"{folder} holds no arena.json; run `ganiq arena` there first", code="E-CFG")
    try:
        found = json.loads(path.read_bytes().decode("utf-8"), parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise IntegrityError(f"{path.name} is not valid JSON ({error}); write it again with `ganiq arena`") from None
    if not isinstance(found, dict) or found.get("kind") != documents.KIND:
        raise IntegrityError(f"{path.name} is not an arena document; write it again with `ganiq arena`")
    if found.get("schema") != documents.SCHEMA:
        raise UsageError(
            f"{path.name} has schema {found.get('schema')!r}, this version reads {documents.SCHEMA}; "
            "write it again with `ganiq arena`",
            code="E-CFG",
        )
    check(found, documents.Arena, path.name)
    return cast(documents.Arena, found)


def html(document: documents.Arena, details: Sequence[crops.Crop], report: bool) -> str:
    """The page as text.

    Args:
        document: the arena.
        details: crops of the worst and best images.
        report: whether the metric leaderboard's page lies beside it.
    """
    style = (page._HERE / "static" / "style.css").read_text(encoding="utf-8")
    script = (page._HERE / "static" / "app.js").read_text(encoding="utf-8")
    # The same script saves another document here.
    for ours, theirs in (("leaderboard-data", "arena-data"), ('"leaderboard.json"', '"arena.json"')):
        assert script.count(ours) == 1, ours
        script = script.replace(ours, theirs)
    views = document["views"]
    names = [g["name"] for g in document["generators"]]
    headline = views[0]
    jury = next((v for v in views if v["kind"] == "panel" and not v["reason"]), None)
    axis = charts.bar_axis([s["strength"] for s in headline["standings"].values()], correlation=False)
    twins = lookalikes(names)
    lines = []
    for row in document["generators"]:
        standing = headline["standings"][row["name"]]
        kind = "best" if standing["tier"] == 1 else "rest"
        panel = jury["standings"].get(row["name"]) if jury is not None and jury is not headline else None
        bar = charts.bar(standing["strength"], axis, kind)
        lines.append(Line(row, standing, panel, _rank(standing), bar, twins.get(row["name"], "")))
    shown = [v for v in views if not v["reason"]]
    priced = document["cost"]["rows"]
    accepted = [p for p in document["predictions"] if p["status"] == "ok"]
    context: dict[str, Any] = {
        "policy": page._policy(style, script),
        "style": Markup(style),
        "script": Markup(script),
        "data": text.island(document),
        "doc": document,
        "figures": frozenset(),
        "level": f"{document['settings']['level'] * 100:g}%",
        "headline": headline,
        "judge": "people" if headline["kind"] == "people" else "the panel",
        "sentence": sentence(document),
        "lines": lines,
        "scale": charts.bar_scale(axis),
        "names": names,
        "digits": max(2, _digits([s["strength"] for s in headline["standings"].values()])),
        "human_digits": _digits([g["human"] for g in document["generators"]]),
        "counted": headline["kind"] == "people" and headline["interval"].startswith("votes") is False,
        "has_panel": jury is not None and jury is not headline,
        "jury": next((v for v in views if v["kind"] == "panel"), None),
        "views": shown,
        "missing": [v for v in views if v["reason"] and v["kind"] != "panel"],
        "places": [[_place(v, name, headline) for v in shown] for name in names],
        "judges": [v for v in shown if v["kind"] in ("metric", "set")],
        "told": [[_told(p, v["name"]) for p in document["pairs"]] for v in shown if v["kind"] in ("metric", "set")],
        "detailed": shown if len(names) <= MOST_DETAILED else [],
        "predictions": accepted,
        "predicted_digits": {
            p["metric"]: decimals(0, 10 * p["error"], None, 4)
            if p["error"]
            else _digits([p["predicted"][n] for n in names if n in p["predicted"]])
            for p in accepted
        },
        "unsure": next(
            (c.get("reason", "") for p in accepted for c in p["predicted"].values() if c["value"] is not None), ""
        ),
        "refused": [p for p in document["predictions"] if p["status"] != "ok"],
        "errors": {p["metric"]: p for p in document["predictions"]},
        "cost_chart": charts.cost(
            [(p["generator"], p["seconds"], p["quality"], p["front"]) for p in priced],
            f"Quality of {len(priced)} generators against seconds per image; the table below has the numbers",
        )
        if len(priced) > 1
        else None,
        "prices": priced,
        "extremes": _extremes(document, details),
        "report": report,
        "tinted": lambda share: page.boards.tint(2 * share - 1),
        "contents": _contents(),
    }
    environment = page._environment(cast(Leaderboard, {"classes": []}))
    return environment.get_template("arena.html.j2").render(context)


def sentence(document: documents.Arena) -> list[tuple[str, bool]]:
    """The result in words, as (text, emphasised) pieces."""
    headline = document["views"][0]
    people = headline["kind"] == "people"
    who = "people" if people else "the panel of metrics"
    standings = headline["standings"]
    best = [str(clean(name, 40)) for name, s in standings.items() if s["tier"] == 1]
    out: list[tuple[str, bool]] = []
    if best:
        named = best if len(best) <= 8 else [*best[:7], f"{len(best) - 7} more"]
        tiers = max(s["tier"] or 0 for s in standings.values())
        out += [("Best tier: ", False), (listed(named), True)]
        out.append((f", of {tiers} tier{'s' * (tiers != 1)} in the order of {who}. ", False))
    else:
        first = [str(clean(name, 40)) for name, s in standings.items() if s["place"] == 1]
        out += [("First: ", False), (listed(first), True)]
        out.append((f" in the order of {who}; no tiers: {headline['tiers'].removeprefix('none: ')}. ", False))
    pairs = [p for p in document["pairs"] if not p["level"]]
    flipped = [p for p in pairs if any(v["order"] == "flip" for v in p["verdicts"].values())]
    if document["metrics"] and len(pairs) == 1:
        verdicts = pairs[0]["verdicts"].values()
        count = sum(v["order"] == "flip" for v in verdicts)
        out.append((f"{count or 'None'} of {len(verdicts)} metrics reverse{'s' * (count == 1)} this order.", False))
    elif document["metrics"] and pairs:
        out.append((f"{len(flipped)} of {len(pairs)} pairs of neighbours flip under at least one metric", False))
        apart = max(r["apart"] for r in document["metrics"])
        if apart:
            judged = [r for r in document["metrics"] if r["apart"]]
            fewest = min(r["reversed"] for r in judged)
            near = [str(clean(r["name"], 40)) for r in judged if r["reversed"] == fewest]
            near = near if len(near) <= 5 else [*near[:4], f"{len(near) - 4} more"]
            out.append((f"; of the {apart} pairs that {'they tell' if people else 'it tells'} apart, ", False))
            out.append((listed(near), True))
            verb = "reverses" if len(near) == 1 else "reverse"
            out.append((f" {verb} {'none' if not fewest else f'the fewest ({fewest})'}", False))
        out.append((".", False))
    return out


def _rank(standing: documents.Standing) -> str:
    rank = standing["rank"]
    if not rank or rank[0] == rank[-1]:
        return str(standing["place"])
    return f"{rank[0]}–{rank[-1]}"


def _place(view: documents.View, name: str, headline: documents.View) -> Place:
    standing = view["standings"].get(name)
    if standing is None:
        return Place(None, 0, "", "")
    ours, theirs = standing["place"], headline["standings"][name]["place"]
    gap = abs(ours - theirs)
    cell = standing["strength"]
    parts = []
    if cell["value"] is not None:
        parts.append(f"strength {fixed(cell['value'], 2)}")
        if cell["low"] is not None and cell["high"] is not None:
            parts[-1] += f" [{fixed(cell['low'], 2)}, {fixed(cell['high'], 2)}]"
    if standing["tier"] is not None:
        parts.append(f"tier {standing['tier']}")
    parts.append(f"place {ours}, headline {theirs}")
    arrow = "" if not gap else "▲" if ours < theirs else "▼"
    return Place(standing, sum(gap >= limit for limit in FAR), arrow, "; ".join(parts))


def _told(pair: documents.Pair, metric: str) -> Told:
    verdict = pair["verdicts"].get(metric)
    if verdict is None:
        return Told(None, "0", "")
    words = {"same": "the headline's order", "flip": "the other way round", "tie": "no difference"}[verdict["order"]]
    if verdict["share"] is not None:
        words += f"; the upper one is better on {verdict['share']:.0%} of the references"
    if verdict["p"] is not None:
        words += f"; p {verdict['p']:.3g}"
    if verdict["order"] == "flip":
        return Told(verdict, "flip" + (" sure" if verdict["significant"] else ""), words)
    return Told(verdict, verdict["order"] + (" sure" if verdict["significant"] else ""), words)


def _extremes(document: documents.Arena, details: Sequence[crops.Crop]) -> list[dict[str, Any]]:
    """Rows of worst and best images by generator, each with its crop where there is one."""
    by_key = {crop.key: crop for crop in details}
    out: list[dict[str, Any]] = []
    for row in document["extremes"]["rows"]:
        crop = by_key.get(row["key"])
        shown = None
        if crop is not None:
            shown = (crop, Markup(crop.image), Markup(crop.reference))
        out.append({"row": row, "crop": shown})
    return out


def _digits(cells: Sequence[Cell]) -> int:
    """Decimals for a whole column: what the middle one of its cells deserves."""
    each = sorted(decimals(c["low"], c["high"], c["value"], 4) for c in cells if c["value"] is not None)
    return max(1, min(3, each[len(each) // 2])) if each else 2


def _refuse(literal: str) -> float:
    raise ValueError(f"{literal} is not JSON")


def _contents() -> list[tuple[str, str]]:
    return [
        ("standings", "Standings"),
        ("views", "Every view"),
        ("flips", "Flips"),
        ("trust", "Trust"),
        ("predictions", "Predicted scores"),
        ("images", "Worst and best images"),
        ("cost", "Cost"),
        ("wins", "Who beats whom"),
        ("reading", "How to read this"),
        ("provenance", "Provenance"),
    ]
