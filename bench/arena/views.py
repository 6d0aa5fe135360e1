"""Every judge's view of the generators: people, each metric, and a panel of metrics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .. import presets, registry
from ..board.agreement import blank, cell
from ..document import MetricRow
from ..errors import GaniqError
from ..spec import Spec
from ..types import Estimate
from . import wins
from .document import Panel, Standing, Trust, View
from .inputs import OBSERVERS, Run
from .wins import Dice, Tournament

LOGS = "Bradley–Terry strength of wins on references: natural log scale, mean zero"
LEAST_COVERAGE = 0.8
"""Share of the shared references that a metric must have a value on to sit on the panel: those that it lacks are lost
to the whole panel."""
TRUSTED_TIERS = (1, 2)
EVERYBODY = (
    "all quality metrics that have a value on the shared references; variants of one metric share a vote, related "
    "metrics of different names do not"
)
NOBODY = "the calibration lends trust to none of these metrics"
TRUSTED = (
    "metrics whose agreement with people on the calibration set has an interval above 0 and which stand in tier 1 or "
    "2 there; variants of one metric share a vote"
)
UNTIERED = (
    "metrics whose agreement with people on the calibration set has an interval above 0 (it has no tiers); variants "
    "of one metric share a vote"
)


@dataclass(frozen=True)
class Judge:
    """A metric and what it says about every generator on every reference."""

    row: MetricRow
    scores: np.ndarray
    """(references, generators) oriented; NaN where a cell has no number."""
    complete: np.ndarray
    """(references,) where all generators have one."""


def judges(run: Run, names: Sequence[str]) -> dict[str, Judge]:
    """The quality metrics of a run: those that only describe an image judge nobody."""
    found = {}
    for name, row in run.metrics.items():
        if name not in run.limits or not judges_quality(row):
            continue
        sign = 1 if row["better"] == "higher" else -1
        scores = sign * run.means(run.limits[name], names)
        found[name] = Judge(row, scores, np.logical_not(np.isnan(scores).any(axis=1)))
    return found


def judges_quality(row: MetricRow) -> bool:
    """Whether a metric judges (``role`` quality); imported and unknown ones are taken at their word."""
    try:
        spec = Spec.parse(row["spec"])
        if row["source"] == "computed" and spec.name in registry.metrics:
            return registry.metrics.get(spec.name).info.role != "control"
    except GaniqError:
        pass
    return True


def metric_view(judge: Judge, names: Sequence[str], total: int, dice: Dice) -> View:
    """One metric's tournament, over the references on which every generator has a value."""
    row = judge.row
    view = _view(row["name"], row["title"], "metric", row["better"], names)
    used = judge.scores[judge.complete]
    if not len(used):
        view["reason"] = _stopped(row) or "no reference has a value for every generator"
        return view
    view["scale"] = LOGS
    if len(used) < total:
        view["interval"] = f"{total - len(used)} of {total} references lack a value; "
    return _filled(view, names, wins.of_references(used, dice), len(used))


def set_view(run: Run, row: MetricRow, names: Sequence[str]) -> View | None:
    """A metric of whole sets: places as on the leaderboard, and nothing to count wins from."""
    rows = {g["name"]: g for g in run.board["generators"]}
    if not all(row["name"] in rows[name]["ranks"] for name in names):
        return None
    view = _view(row["name"], row["title"], "set", row["better"], names)
    why = "one number per generator: there are no wins on references to count"
    view["interval"] = view["tiers"] = f"none: {why}"
    for name in names:
        place = rows[name]["ranks"][row["name"]]
        view["standings"][name] = {
            "place": place, "tier": None, "rank": None, "strength": blank(why), "win_rate": blank(why),
        }  # fmt: skip
    return view


def people(run: Run, names: Sequence[str], dice: Dice) -> View | None:
    """People's tournament; None where nobody scored these generators.

    Scores that were fitted to votes have their own intervals: refits on resampled observers, and the leaderboard's
    means and tiers, which come from them, stand. Other scores are counted like a metric's.
    """
    rows = {g["name"]: g for g in run.board["generators"]}
    score = run.board["dataset"]["score"]
    if score is None or any(rows[name]["human"]["value"] is None for name in names):
        return None
    sign = 1 if score["better"] == "higher" else -1
    scores = sign * run.means(run.score, names)
    if np.isnan(scores).any():
        return None
    view = _view("people", f"People ({score['kind']})", "people", score["better"], names)
    if not run.board["generator_board"]["interval"].startswith(OBSERVERS):
        view["scale"] = LOGS
        return _filled(view, names, wins.of_references(scores, dice), len(scores))
    won = wins.duels(scores)
    drawn = _observers(run, names, sign)
    if drawn is None:
        rates = [Estimate(float(v), reason=f"no interval: {run.absent}") for v in wins.rates(won).mean(axis=0)]
    else:
        again = np.stack([wins.rates(wins.duels(one)).mean(axis=0) for one in drawn])
        alike = "the same for every resample of observers"
        rates = [
            wins.percentile(float(v), again[:, g], dice.level, alike)
            for g, v in enumerate(wins.rates(won).mean(axis=0))
        ]
    view["scale"] = f"mean {score['kind']} score of the votes over the references"
    view["n_references"] = len(scores)
    view["interval"] = "votes of resampled observers, fitted anew"
    view["tiers"] = "largest studentised deviation of any pair over the same refits, all pairs"
    view["wins"] = _shares(won.mean(axis=0))
    if all("human_apart" in rows[name] for name in names):
        view["apart"] = {name: rows[name].get("human_apart", []) for name in names}
    tiers = [rows[name]["human_tier"] for name in names]
    for name, rate, tier in zip(names, rates, tiers, strict=True):
        view["standings"][name] = {
            "place": rows[name]["ranks"]["human"],
            "tier": tier,
            "rank": None,
            "strength": rows[name]["human"],
            "win_rate": cell(rate),
        }
    return view


def _observers(run: Run, names: Sequence[str], sign: int) -> np.ndarray | None:
    """(draws, references, generators) oriented cell means of the refitted scores."""
    if run.manifest is None or run.manifest.draws is None:
        return None
    place = {item.key: n for n, item in enumerate(run.manifest.items)}
    keys = run.text["key"]
    drawn = run.manifest.draws
    cells = [
        np.stack([drawn[:, [place[keys[n]] for n in run.cells[g][r]]].mean(axis=1) for g in names], axis=1)
        for r in run.references
    ]
    return sign * np.stack(cells, axis=1)


def empanel(
    found: dict[str, Judge], trust: dict[str, Trust] | None, tiered: bool, total: int
) -> tuple[Panel, list[str], list[int], np.ndarray]:
    """Who sits on the panel.

    Args:
        found: the metrics.
        trust: what a calibration says about each; None where there is none.
        tiered: whether that calibration has tiers.
        total: number of shared references.

    Returns:
        The panel's record; its metrics; the vote each belongs to; the references they share.
    """
    incomplete: dict[str, str] = {}
    for name, judge in found.items():
        covered = int(judge.complete.sum())
        if covered < LEAST_COVERAGE * total:
            lacking = f"has a value for every generator on {covered} of {total} references"
            incomplete[name] = _stopped(judge.row) or lacking
    doubted = {}
    if trust is not None:
        doubted = {name: why for name in found if (why := _distrusted(trust.get(name), tiered))}
    left_out = doubted | incomplete
    members = [name for name in found if name not in left_out]
    rule = EVERYBODY
    if trust is not None:
        rule = TRUSTED if tiered else UNTIERED
        if not members:
            left_out = incomplete
            members = [name for name in found if name not in left_out]
            rule = f"{NOBODY}, so {EVERYBODY}"
    votes: dict[str, list[str]] = {}
    for name in members:
        votes.setdefault(_make(found[name].row), []).append(name)
    order = list(votes.values())
    vote = [next(v for v, names in enumerate(order) if name in names) for name in members]
    shared = np.all([found[name].complete for name in members], axis=0) if members else np.zeros(total, bool)
    return {"votes": order, "left_out": left_out, "rule": rule}, members, vote, shared


def _stopped(row: MetricRow) -> str:
    """Why a metric could not run at all; empty where it did."""
    return row["reason"] if row["status"] in ("needs-weights", "not-applicable", "failed") else ""


def _distrusted(trust: Trust | None, tiered: bool) -> str:
    """Why a metric may not sit on a calibrated panel; empty if it may."""
    if trust is None or trust["srocc"]["value"] is None:
        reason = trust["srocc"].get("reason", "") if trust else ""
        return reason or "not on the calibration run's board"
    if trust["srocc"]["low"] is None:
        return f"its agreement with people there has no interval: {trust['srocc'].get('reason', 'not computed')}"
    if trust["srocc"]["low"] <= 0:
        return "its agreement with people there may be nil: the interval does not lie above 0"
    if not tiered:
        return ""
    if trust["tier"] is None:
        return "it stands in no tier there"
    if trust["tier"] not in TRUSTED_TIERS:
        return f"it stands in tier {trust['tier']} there"
    return ""


def _make(row: MetricRow) -> str:
    """What variants of one metric have in common: the name without parameters, luma or not."""
    try:
        name = Spec.parse(row["spec"]).name
    except GaniqError:
        return row["name"]
    if row["source"] != "computed":
        return row["name"]
    return next((rgb for rgb, luma in presets.LUMA.items() if luma == name), name)


def panel_view(
    found: dict[str, Judge],
    members: list[str],
    vote: list[int],
    shared: np.ndarray,
    names: Sequence[str],
    dice: Dice,
) -> View:
    """All members' tournaments as one."""
    view = _view("panel", "Panel of metrics, not people", "panel", "higher", names)
    if not members or not shared.any():
        view["reason"] = "no metric may sit on it" if not members else "its metrics share no complete reference"
        return view
    view["scale"] = "Bradley–Terry strength of wins on references under metrics: natural log scale, mean zero"
    tournament = wins.of_panel([found[name].scores[shared] for name in members], vote, dice)
    return _filled(view, names, tournament, int(shared.sum()))


def _view(name: str, title: str, kind: str, better: str, names: Sequence[str]) -> View:
    return {
        "name": name, "title": title, "kind": kind, "better": better, "scale": "", "n_references": 0, "interval": "",
        "tiers": "", "reason": "", "standings": {}, "apart": None, "wins": [[None] * len(names) for _ in names],
    }  # type: ignore[typeddict-item]  # fmt: skip


def _filled(view: View, names: Sequence[str], found: Tournament, references: int) -> View:
    view["n_references"] = references
    view["interval"] += found.interval
    view["tiers"] = found.tiers
    view["wins"] = _shares(found.wins)
    if found.apart is not None and view["kind"] != "metric":
        view["apart"] = {name: [names[k] for k in others] for name, others in zip(names, found.apart, strict=True)}
    values = np.array([e.value for e in found.win_rate], float)
    for g, name in enumerate(names):
        standing: Standing = {
            "place": 1 + int((values > values[g] + 1e-9).sum()),
            "tier": found.tier[g] if found.tier else None,
            "rank": list(found.rank[g]) if found.rank else None,
            "strength": cell(found.strength[g]),
            "win_rate": cell(found.win_rate[g]),
        }
        view["standings"][name] = standing
    return view


def _shares(share: np.ndarray) -> list[list[float | None]]:
    return [[None if i == j else float(f"{v:.6g}") for j, v in enumerate(row)] for i, row in enumerate(share.tolist())]


__all__ = ["Judge", "empanel", "judges", "metric_view", "panel_view", "people", "set_view"]
