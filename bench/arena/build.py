"""The arena of a finished run: one document from scores that are already there. No image is scored, no torch."""

from __future__ import annotations

import importlib
from pathlib import Path

from .. import threads
from ..atomic import explained, write_text
from ..board.agreement import blank
from ..document import MetricRow
from ..errors import UsageError
from ..run import dump
from . import calibration as calibrations
from . import evidence, flips, inputs, views
from .document import KIND, SCHEMA, Arena, Contestant, Pair, Panel, Prediction, Referee, Trust, View
from .inputs import Run
from .views import Judge
from .wins import RIDGE, Dice

UNCALIBRATED = "no calibration: name a finished run on a human-rated set with --calibrate"


def make(folder: Path, calibrate: Path | None = None, out: Path | None = None, gallery: bool | None = None) -> Arena:
    """Build the arena of a run and write ``arena.json`` (and crops, below ``arena/``).

    Args:
        folder: of a finished run.
        calibrate: of a finished run on a human-rated set: trust in metrics, predicted scores, choice of the panel.
        out: where to write; the run's own folder by default.
        gallery: whether to show crops; as the run did by default.

    Raises:
        UsageError: the run is not finished, has no contest, or the calibration has no human scores.
        IntegrityError: a file of a run is damaged.
    """
    run = inputs.read(folder)
    inputs.contest(run)
    rated = inputs.read(calibrate) if calibrate is not None else None
    out = run.folder if out is None else Path(out)
    with explained(out):
        out.mkdir(parents=True, exist_ok=True)
    with threads.single():
        document = build(run, rated)
    wanted = run.gallery if gallery is None else gallery
    evidence.write_crops(out, run, document["extremes"], [g["name"] for g in document["generators"]], wanted)
    write_text(out / "arena.json", dump(document))
    return document


def build(run: Run, rated: Run | None) -> Arena:
    """The whole document. Deterministic: the same runs give the same bytes, in whatever order their rows stand."""
    board = run.board
    settings = board["settings"]
    dice = Dice(settings["level"], settings["resamples"], settings["seed"])
    names = sorted(run.names)
    total = len(run.references)
    found = views.judges(run, names)
    card = calibrations.describe(rated, run) if rated is not None else None
    trust = calibrations.trusted(rated, run, list(found)) if rated is not None else None
    tiered = rated is not None and any(row["tier"] is not None for row in rated.board["metrics"])
    panel, members, vote, shared = views.empanel(found, trust, tiered, total)
    people = views.people(run, names, dice)
    jury = views.panel_view(found, members, vote, shared, names, dice)
    headline = people or jury
    if headline["reason"]:
        why = "; ".join(f"{name}: {reason}" for name, reason in list(panel["left_out"].items())[:3])
        raise UsageError(
            f"{run.folder}: nobody scored these images and there is no panel of metrics ({headline['reason']}"
            f"{'; ' + why if why else ''}); score them by more metrics, and mend what `ganiq run` reported as failed",
            code="E-CFG",
        )
    judged = [views.metric_view(judge, names, total, dice) for judge in found.values()]
    sets = [
        views.set_view(run, row, names) for row in board["metrics"] if row["needs"] == "set" and row["status"] == "ok"
    ]
    every = [*judged, *(view for view in sets if view is not None)]
    order = sorted(names, key=lambda n: (headline["standings"][n]["place"], _minus(headline, n), n))
    pairs = flips.pairs(order, headline, every, found, names, dice)
    predictions, why = _predictions(rated, run, found, order, dice)
    extremes = evidence.extremes(run, order, found, members, vote)
    own = _own(run) if rated is None else ""
    trusts = trust or _trust(run, own)
    by_name = {view["name"]: view for view in every}
    judge = "people" if people is not None else "the panel"
    untested = flips.testable(len(pairs), total, dice)
    document: Arena = {
        "schema": SCHEMA,
        "kind": KIND,
        "title": board["title"],
        "subtitle": _subtitle(len(names), total, len(every), people is not None),
        "headline": "people" if people is not None else "panel",
        "score": board["dataset"]["score"] if people is not None else None,
        "references": sorted(run.references),
        "notes": _notes(run, people, panel),
        "settings": {
            "level": settings["level"], "resamples": settings["resamples"], "seed": settings["seed"], "ridge": RIDGE,
        },
        "generators": [_contestant(run, name, pairs, judge, not untested) for name in order],
        "views": [_ordered(view, names, order) for view in ([people] if people else []) + [jury, *every]],
        "panel": panel,
        "pairs": pairs,
        "flips_note": untested,
        "metrics": [
            _referee(row, run, headline, by_name[row["name"]], members, pairs, trusts.get(row["name"]))
            for row in board["metrics"]
            if row["name"] in by_name
        ],
        "trust": card["title"] if card else own,
        "calibration": card,
        "predictions": predictions,
        "predictions_note": why,
        "extremes": extremes,
        "cost": evidence.cost(run, order, headline),
        "provenance": {
            "ganiq": _version(),
            "schema": SCHEMA,
            "run": run.source,
            "calibration": rated.source if rated is not None else None,
        },
    }  # fmt: skip
    return document


def _version() -> str:
    return importlib.import_module(__name__.split(".")[0]).__version__


def _minus(view: View, name: str) -> float:
    return -(view["standings"][name]["strength"]["value"] or 0.0)


def _predictions(
    rated: Run | None, run: Run, found: dict[str, Judge], order: list[str], dice: Dice
) -> tuple[list[Prediction], str]:
    if rated is None:
        return [], UNCALIBRATED
    return calibrations.predict(rated, run, list(found), order, found, dice), ""


def _own(run: Run) -> str:
    """Title of the run itself where its own metric leaderboard says how far to trust metrics."""
    score = run.board["dataset"]["score"]
    return run.board["title"] if score is not None and score["kind"] != "severity" else ""


def _trust(run: Run, own: str) -> dict[str, Trust]:
    return {name: calibrations.trust(row, run.board) for name, row in run.metrics.items()} if own else {}


def _contestant(run: Run, name: str, pairs: list[Pair], judge: str, tested: bool) -> Contestant:
    row = next(g for g in run.board["generators"] if g["name"] == name)
    below = next((p for p in pairs if p["above"] == name), None)
    return {
        "name": name,
        "distortion": row["distortion"],
        "family": row["family"],
        "n_images": len(run.rows(name)),
        "human": row["human"],
        "metrics": row["metrics"],
        "sentence": flips.sentence(below, judge, tested) if below else "",
    }


def _referee(
    row: MetricRow,
    run: Run,
    headline: View,
    view: View,
    members: list[str],
    pairs: list[Pair],
    trust: Trust | None,
) -> Referee:
    name = row["name"]
    verdicts = [p["verdicts"][name] for p in pairs if name in p["verdicts"]]
    agreement = run.board["generator_board"]["agreement"].get(name)
    apart, wrong = flips.reversals(headline, view)
    return {
        "name": name,
        "title": row["title"],
        "better": row["better"],
        "needs": row["needs"],
        "cite": row["cite"],
        "digest": row["digest"],
        "in_panel": name in members,
        "trust": trust or {"srocc": blank(_untrusted(row)), "what": "", "tier": None},
        "agreement": agreement or blank("people did not score these generators"),
        "flips": sum(v["order"] == "flip" for v in verdicts),
        "significant": sum(v["order"] == "flip" and v["significant"] for v in verdicts),
        "apart": apart,
        "reversed": wrong,
    }


def _untrusted(row: MetricRow) -> str:
    if row["needs"] == "set":
        return "one number per generator: no agreement per image"
    return "no human-rated set to compare with; use --calibrate"


def _ordered(view: View, names: list[str], order: list[str]) -> View:
    """The view with its generators in the headline order."""
    place = [names.index(name) for name in order]
    standings = {name: view["standings"][name] for name in order if name in view["standings"]}
    ordered = view.copy()
    ordered["standings"], ordered["wins"] = standings, [[view["wins"][a][b] for b in place] for a in place]
    return ordered


def _notes(run: Run, people: View | None, panel: Panel) -> list[str]:
    board = run.board
    notes = [board["banner"]] if board["banner"] and people is None else []
    if board["generator_board"]["note"]:
        notes.append(board["generator_board"]["note"])
    if panel["rule"].startswith(views.NOBODY):
        notes.append(f"{views.NOBODY}: the panel is all of them")
    return notes


def _subtitle(generators: int, references: int, metrics: int, people: bool) -> str:
    judge = "people's order" if people else "the order of a panel of metrics, not people"
    noun = "reference" if references == 1 else "references"
    return f"{generators:,} generators on {references:,} shared {noun}, {metrics:,} metrics; {judge}"


__all__ = ["build", "make"]
