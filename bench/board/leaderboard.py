"""Scores and statistics -> one versioned document (see ``document.Leaderboard``)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from .. import stats
from ..document import (
    SCHEMA,
    Agreement,
    Cell,
    ClassColumn,
    DatasetCard,
    Disagreement,
    Failure,
    Leaderboard,
    MetricRow,
    Provenance,
)
from ..imports import Imported
from ..manifest import Manifest, Published
from ..measure import Measure
from ..sets import SetScore
from ..spec import digest
from ..sweep import Statistics
from ..types import Estimate, Status
from . import agreement as judge
from .agreement import Frame, blank, cell, number
from .ceiling import ceiling
from .controls import controls, frame_of
from .generators import board as generator_board
from .generators import joined
from .overlap import Overlap
from .ranking import Ranked, rank
from .scores import Column, ScoreTable
from .scores import family as family_of

Source = Literal["computed", "imported", "published", "control"]

# A metric that lacks more than this share of the rows would shrink everybody's rows: it is not ranked instead.
LEAST_COVERAGE = 0.99
NOBODY = "nobody scored these images"


@dataclass
class Inputs:
    """Everything a board is made from."""

    table: ScoreTable
    """Columns of the computed metrics, by column name."""
    measures: Sequence[Measure]
    statistics: Statistics
    gate: Mapping[str, str]
    sizes: Mapping[str, int]
    """Bytes of every file at hand, by relative path."""
    provenance: Provenance
    failures: Sequence[Failure] = ()
    imported: Sequence[Imported] = ()
    title: str = ""
    preset: str = ""
    sets: Mapping[str, Mapping[str, SetScore]] = field(default_factory=dict)
    """Set metrics: column -> generator -> score."""
    seen: Mapping[str, Overlap] = field(default_factory=dict)
    """Column -> how much of these images the metric was trained on, for those whose files say so."""


def build(inputs: Inputs) -> Leaderboard:
    """The whole document. Deterministic: the same inputs give the same bytes."""
    manifest, table, settings = inputs.table.manifest, inputs.table, inputs.statistics
    families = {c.code: c.family or "" for c in manifest.classes}
    judged = _judged(manifest)
    for extra in inputs.imported:
        values = [extra.values.get(i.key, np.nan) for i in manifest.items]
        table.columns[f"{extra.name} (imported)"] = Column.of(extra.name, extra.better, values)
    headline = _headline(manifest, settings)
    document: Leaderboard = {
        "schema": SCHEMA,
        "kind": "ganiq-leaderboard",
        "title": inputs.title or manifest.title or manifest.name,
        "subtitle": "",
        "banner": _banner(manifest),
        "dataset": _card(manifest),
        "settings": {
            "headline": headline,
            "preset": inputs.preset,
            "level": settings.level,
            "resamples": settings.resamples,
            "seed": settings.seed,
            "gate": dict(inputs.gate),
            "population": "",
        },
        "classes": [],
        "metrics": [],
        "controls": [],
        "published": [],
        "published_checks": [],
        "ranking": {"method": "none", "n_groups": 0, "names": [], "p": [], "reason": NOBODY},
        "agreement": {"names": [], "srocc": []},
        "generators": [],
        "generator_board": {"references": [], "note": "", "interval": "", "agreement": {}},
        "disagreements": {},
        "failures": list(inputs.failures[:1000]),
        "n_failures": len(inputs.failures),
        "provenance": inputs.provenance,
    }
    described = [_described(m) for m in inputs.measures] + [_described_import(i, inputs) for i in inputs.imported]
    # Without human scores nothing is ranked, and a control is a column like any other.
    guarding = {m.column for m in inputs.measures if m.info.role == "control" and judged}
    rows = [row for row in described if row["needs"] != "set" and row["name"] not in guarding]
    trained = _trained(described, inputs)
    if judged:
        frame, index = frame_of(manifest, settings.level, settings.resamples, settings.seed)
        document["classes"] = _classes(manifest, index, families)
        document["settings"]["population"] = _population(frame, headline)
        if (limit := ceiling(manifest, frame, index)) is not None:
            document["ceiling"] = limit
        guards = controls(manifest, dict(inputs.sizes))
        for guard in guards:
            row = _row(guard.column.name, guard.title, "control", guard.column.better)
            row["note"] = guard.note
            document["controls"].append(row)
        columns = {g.column.name: g.column for g in guards}
        document["controls"] += [row for row in described if row["name"] in guarding]
        columns |= {name: table.columns[name] for name in guarding}
        _judge(document["controls"], columns, frame, index, document, families, manifest, trained, ranked=None)
        columns = {r["name"]: table.columns[r["name"]] for r in rows}
        ranked = _judge(rows, columns, frame, index, document, families, manifest, trained, headline)
        if ranked is not None:
            document["ranking"] = ranked.record
        _order(rows, headline)
        usable = [r for r in rows if r["status"] == "ok"]
        for r in usable:
            document["disagreements"][r["name"]] = _disagreements(r, table.columns[r["name"]], frame, index, manifest)
        document["agreement"] = _matrix(usable, table, frame, index, headline, manifest)
    else:
        everything = np.array([n for n, i in enumerate(manifest.items) if i.role == "output"], int)
        for r in rows:
            _coverage(r, table.columns[r["name"]], everything)
            if r["status"] == "ok":
                _undefine(r, NOBODY)
                r["status"] = "ok"
        document["agreement"] = _unscored_matrix(rows, table, everything)
    if manifest.published is not None:
        document["published"] = _published(manifest, manifest.published, settings)
        document["published_checks"] = _checks(table, manifest.published)
    shown = [r["name"] for r in rows if r["n_used"]]
    document["generators"], document["generator_board"] = generator_board(
        table, shown, families, settings.level, settings.resamples, settings.seed
    )
    _sets(document, inputs)
    whole = [row for row in described if row["needs"] == "set"]
    for row in whole:
        _cover_sets(row, inputs.sets.get(row["name"], {}))
    _tell(described, trained, inputs, judged)
    document["metrics"] = rows + whole
    document["subtitle"] = _subtitle(document)
    return document


def _judged(manifest: Manifest) -> bool:
    """Whether anybody scored these images: a scale may be declared before the first score is there."""
    return manifest.scale is not None and any(i.score is not None and i.role == "output" for i in manifest.items)


def _headline(manifest: Manifest, settings: Statistics) -> Literal["srocc_within", "srocc_pooled"]:
    if settings.headline == "srocc_within" or settings.headline == "srocc_pooled":
        return settings.headline
    within = manifest.scale is not None and manifest.scale.comparable == "within-block"
    return "srocc_within" if within else "srocc_pooled"


def _banner(manifest: Manifest) -> str:
    if not _judged(manifest):
        return "These images have no human scores: the page compares generators and metrics, not metrics with people."
    assert manifest.scale is not None
    if manifest.scale.kind == "severity":
        return (
            "No people were asked. Agreement on this page means agreement with the known order of severity of "
            "synthetic distortions; it does not say how well a metric predicts human judgement of GAN outputs."
        )
    return ""


def _card(manifest: Manifest) -> DatasetCard:
    outputs = [i for i in manifest.items if i.role == "output"]
    scale = manifest.scale if _judged(manifest) else None
    scored = [i for i in outputs if i.score is not None]
    contents = {i.group for i in outputs}
    alone = len(contents) == len(outputs) and not any(i.reference for i in outputs)
    shares: dict[str, float] = {}
    if scale is not None and scale.kind != "severity" and len(scored) > 2:
        y = np.array([i.score for i in scored], float)
        groups = np.array([i.group for i in scored])
        generators = np.array([i.generator for i in scored])
        kinds = len(set(groups.tolist()))
        if kinds > 1 and float(np.ptp(y)) > 0:
            names = {"groups": "reference", "generators": "generator"}
            found = stats.shares(y, groups, generators)
            if kinds == len(groups):  # all of the variance lies between them, whatever the scores
                del found["groups"]
            shares = {names[k]: float(f"{v:.6g}") for k, v in found.items() if np.isfinite(v)}
    return {
        "name": manifest.name,
        "title": manifest.title or manifest.name,
        "digest": manifest.digest,
        "license": manifest.license,
        "source": manifest.source,
        "cite": manifest.cite,
        "n_items": len(manifest.items),
        "n_outputs": len(outputs),
        "n_references": 0 if alone else len(contents),
        "n_generators": len({i.generator for i in outputs if i.generator}),
        "score": {
            "kind": scale.kind,
            "better": scale.better,
            "low": scale.low,
            "high": scale.high,
            "comparable": scale.comparable,
        }
        if scale
        else None,
        "notes": list(manifest.notes),
        "gaps": [list(gap) for gap in manifest.gaps],
        "shares": shares,
    }


def _classes(manifest: Manifest, index: np.ndarray, families: Mapping[str, str]) -> list[ClassColumn]:
    items = [manifest.items[n] for n in index]
    columns: list[ClassColumn] = []
    counts = {f: sum(family_of(i, families) == f for i in items) for f in ("gan", "traditional")}
    titles = {"gan": "GAN-based", "traditional": "Traditional"}
    if all(counts.values()):
        columns.extend({"code": f"family:{f}", "title": titles[f], "family": f, "n": n} for f, n in counts.items())
    for known in manifest.classes:
        n = sum(i.distortion == known.code for i in items)
        if n:
            columns.append({"code": known.code, "title": known.title, "family": known.family or "", "n": n})
    if len([c for c in columns if not c["code"].startswith("family:")]) < 2:
        return [c for c in columns if c["code"].startswith("family:")]
    return columns


def _population(frame: Frame, headline: str) -> str:
    groups = len(set(frame.groups.tolist()))
    if groups == len(frame.scores):
        return f"{groups} independent images; intervals speak about new images of this kind"
    what = "within-reference correlation" if headline == "srocc_within" else "pooled correlation"
    return (
        f"{what} over {groups} references; intervals speak about new references with the same generators, the "
        "two-way interval about new references and new generators"
    )


def _row(name: str, title: str, source: Source, better: str) -> MetricRow:
    none = blank("")
    return {
        "name": name, "title": title, "spec": name, "digest": "", "version": 1, "source": source, "status": "ok",
        "reason": "", "needs": "", "better": "higher" if better == "higher" else "lower", "cite": "", "note": "",
        "weights": {}, "badges": [], "n_used": 0, "n_expected": 0, "n_nonfinite": 0, "n_failed": 0, "n_skipped": 0,
        "srocc_within": none, "srocc_pooled": none, "krocc": none, "plcc_raw": none, "plcc_fit": none, "rmse": none,
        "two_way": none, "within": {"median": None, "p10": None, "worst": None, "worst_group": ""},
        "fit": {"kind": "undefined", "b": [], "note": ""}, "tier": None, "rank": None, "classes": {},
    }  # fmt: skip


def _described(m: Measure) -> MetricRow:
    row = _row(m.column, m.info.title, "computed", m.info.better)
    row["spec"], row["digest"], row["version"] = str(m.spec), m.digest, m.info.version
    row["needs"], row["cite"], row["note"] = m.info.needs, m.info.cite, m.info.note
    row["weights"] = dict(m.document.get("weights", {}))
    if m.origin != "ganiq":
        row["badges"].append(f"plug-in: {m.origin}")
    row["badges"] += [f"trained on {name}" for name in m.info.trained_on]
    if m.reason:
        row["status"], row["reason"] = "needs-weights", m.reason
    return row


def _described_import(extra: Imported, inputs: Inputs) -> MetricRow:
    row = _row(f"{extra.name} (imported)", extra.name, "imported", extra.better)
    row["badges"].append("imported")
    row["digest"] = digest({"imported": extra.name, "sha256": extra.sha256})
    row["note"] = f"imported from {extra.file}"
    if extra.unknown:
        row["note"] += f"; {extra.unknown} of its rows name no item of this set"
    return row


def _coverage(row: MetricRow, column: Column, rows: np.ndarray) -> None:
    wanted = rows.tolist()
    row["n_expected"] = len(wanted)
    row["n_used"] = int(np.isfinite(column.values[rows]).sum())
    row["n_nonfinite"] = column.count("nonfinite", wanted)
    row["n_failed"] = column.count("failed", wanted)
    row["n_skipped"] = column.count("skipped", wanted)
    if row["status"] != "ok" or row["n_used"]:
        return
    if row["n_failed"]:
        row["status"], row["reason"] = "failed", _first(column, "failed", wanted) or "no image could be scored"
    elif row["n_nonfinite"]:
        row["status"], row["reason"] = "undefined", _first(column, "nonfinite", wanted) or "no value is a finite number"
    elif row["n_skipped"]:
        reason = _first(column, "skipped", wanted) or "this metric does not apply to these images"
        row["status"], row["reason"] = "not-applicable", reason
    else:
        row["status"], row["reason"] = "failed", "no image could be scored"


def _first(column: Column, status: Status, rows: Sequence[int]) -> str:
    """The reason of the first of these rows that has the status."""
    return next((column.details[n] for n in rows if column.status[n] == status and column.details.get(n)), "")


def _judge(
    rows: Sequence[MetricRow],
    columns: Mapping[str, Column],
    frame: Frame,
    index: np.ndarray,
    document: Leaderboard,
    families: Mapping[str, str],
    manifest: Manifest,
    trained: Collection[str],
    ranked: str | None,
) -> Ranked | None:
    """Fill in every statistic of these rows, on the rows all of them share, and rank them if asked to.

    Those that were ``trained`` on these images are not ranked.
    """
    for row in rows:
        _coverage(row, columns[row["name"]], index)
    candidates = [r for r in rows if r["status"] == "ok"]
    shared = _common(candidates, columns, index)
    used = [r for r in candidates if r["status"] == "ok"]
    if not used:
        return None
    part = frame.rows(shared)
    items = [manifest.items[n] for n in index[shared]]
    family = np.array([family_of(i, families) for i in items])
    code = np.array([i.distortion for i in items])
    within: dict[str, stats.Within] = {}
    oriented: dict[str, np.ndarray] = {}
    for row in used:
        column = columns[row["name"]]
        x, values = column.oriented[index][shared], column.values[index][shared]
        row["n_used"] = len(x)
        for key, which in (("srocc_pooled", "srocc"), ("krocc", "krocc"), ("plcc_raw", "plcc")):
            row[key] = judge.pooled(part, x, which)  # type: ignore[literal-required]
        row["srocc_within"], row["within"], within[row["name"]] = judge.within(part, x)
        row["two_way"] = judge.two_way(part, x)
        agrees = (1 if row["better"] == "higher" else -1) * frame.sign
        row["plcc_fit"], row["rmse"], row["fit"] = judge.mapped(part, values, agrees)
        for known in document["classes"]:
            wanted = known["code"]
            mask = family == wanted[7:] if wanted.startswith("family:") else code == wanted
            row["classes"][wanted] = judge.in_class(part.rows(mask), x[mask])
        if row[ranked or "srocc_pooled"]["value"] is None:  # type: ignore[literal-required]
            row["status"] = "undefined"
            row["reason"] = row[ranked or "srocc_pooled"].get("reason", "")  # type: ignore[literal-required]
        elif row["name"] not in trained:
            oriented[row["name"]] = x
    if ranked is None:
        return None
    names = [r["name"] for r in used if r["name"] in oriented]
    found = rank(part, {n: oriented[n] for n in names}, {n: within[n] for n in names}, ranked)
    for row in used:
        if row["name"] in found.tiers:
            row["tier"], row["rank"] = found.tiers[row["name"]], list(found.ranks[row["name"]])
    return found


def _trained(rows: Sequence[MetricRow], inputs: Inputs) -> dict[str, str]:
    """Metrics that were trained on these images, by the name of the data set or by the pictures themselves, and why
    they have no rank for it."""
    manifest = inputs.table.manifest
    own = {_plain(manifest.name), _plain(manifest.title)}
    answer = {}
    for row in rows:
        for badge in row["badges"]:
            name = badge.removeprefix("trained on ")
            if name != badge and _plain(name) in own:
                answer[row["name"]] = (
                    f"it was trained on {name}, as this data set is called; its numbers are not zero-shot here, and it "
                    "has no rank"
                )
        overlap = inputs.seen.get(row["name"])
        if overlap is not None and overlap.disqualifies:
            answer[row["name"]] = overlap.sentence
    return answer


def _plain(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def _tell(rows: Sequence[MetricRow], trained: Mapping[str, str], inputs: Inputs, judged: bool) -> None:
    """Put into words, row by row, what of these images a metric was trained on."""
    for row in rows:
        overlap = inputs.seen.get(row["name"])
        sentence = trained.get(row["name"], overlap.sentence if overlap is not None else "")
        if overlap is not None and overlap.known and overlap.disqualifies:
            row["badges"].append("trained on these images")
        if judged and row["name"] in trained and row["status"] == "ok":
            row["reason"] = sentence
        elif sentence:  # a reason says why something is lacking, and here that is another one, or nothing is
            row["note"] = f"{row['note']} {sentence[0].upper()}{sentence[1:]}.".strip()


def _common(rows: Sequence[MetricRow], columns: Mapping[str, Column], index: np.ndarray) -> np.ndarray:
    """Mask of the items that every ranked metric has; metrics that lack too many are taken off first.

    Two correlations on different images cannot be compared. One metric with gaps must not take images away from
    all others either: below 99 % coverage it gets no numbers, and its row says what it lacks.
    """
    kept = {r["name"]: np.isfinite(columns[r["name"]].values[index]) for r in rows}
    by_name = {r["name"]: r for r in rows}
    while kept:
        union = np.any(list(kept.values()), axis=0)
        shared = np.all(list(kept.values()), axis=0)
        if shared.sum() >= LEAST_COVERAGE * union.sum():
            return shared
        worst = min(kept, key=lambda name: (int(kept[name].sum()), name))
        row = by_name[worst]
        _undefine(
            row,
            f"scored {int(kept[worst].sum())} of the {int(union.sum())} images the other metrics have; "
            "correlations on different images are not compared",
        )
        del kept[worst]
    return np.zeros(len(index), bool)


def _undefine(row: MetricRow, reason: str) -> None:
    row["status"], row["reason"] = "undefined", reason
    for key in ("srocc_within", "srocc_pooled", "krocc", "plcc_raw", "plcc_fit", "rmse", "two_way"):
        row[key] = blank(reason)


def _order(rows: list[MetricRow], headline: str) -> None:
    """Best first; rows without a number last, in the order they were asked for."""
    place = {id(row): n for n, row in enumerate(rows)}

    def key(row: MetricRow) -> tuple[int, float, int]:
        cell: Cell = row[headline]  # type: ignore[literal-required]
        value = cell["value"] if row["status"] == "ok" else None
        return (value is None, -(value or 0.0), place[id(row)])

    rows.sort(key=key)


def _disagreements(
    row: MetricRow, column: Column, frame: Frame, index: np.ndarray, manifest: Manifest, most: int = 3
) -> list[Disagreement]:
    x = column.oriented[index]
    good = np.isfinite(x)
    gaps = np.full(len(x), np.nan)
    blocks = frame.blocks if manifest.scale and manifest.scale.comparable == "within-block" else np.zeros(len(x))
    for name in np.unique(blocks[good]):
        rows = np.flatnonzero(good & (blocks == name))
        if len(rows) >= 3:
            gaps[rows] = _percentile(x[rows]) - _percentile(frame.oriented[rows])
    known = np.flatnonzero(np.isfinite(gaps))
    order = known[np.argsort(gaps[known], kind="stable")]
    picked = [int(n) for n in order[::-1][:most] if gaps[n] > 0.2] + [int(n) for n in order[:most] if gaps[n] < -0.2]
    curve = row["fit"]
    answer: list[Disagreement] = []
    for n in picked:
        item = manifest.items[index[n]]
        value = float(column.values[index[n]])
        answer.append(
            {
                "key": item.key,
                "group": item.group,
                "generator": item.generator,
                "score": number(item.score) or 0.0,
                "value": number(value) or 0.0,
                "expected": number(_curve(curve["kind"], curve["b"], value)),
                "gap": number(float(gaps[n]), 3) or 0.0,
            }
        )
    return answer


def _curve(kind: str, b: Sequence[float], x: float) -> float:
    if kind == "logistic":
        return float(b[1] + (b[0] - b[1]) / (1 + np.exp(np.clip(-(x - b[2]) / b[3], -700, 700))))
    if kind == "linear":
        return float(b[0] * x + b[1])
    return float("nan")


def _percentile(x: np.ndarray) -> np.ndarray:
    from scipy.stats import rankdata

    return (rankdata(x) - 0.5) / len(x)


def _matrix(
    rows: Sequence[MetricRow], table: ScoreTable, frame: Frame, index: np.ndarray, headline: str, manifest: Manifest
) -> Agreement:
    if not rows:
        return {"names": [], "srocc": []}
    assert manifest.scale is not None
    first = "severity" if manifest.scale.kind == "severity" else "human"
    columns = [frame.oriented] + [table.columns[r["name"]].oriented[index] for r in rows]
    return {
        "names": [first, *(r["name"] for r in rows)],
        "srocc": judge.spearman_matrix(columns, frame, headline == "srocc_within"),
    }


def _unscored_matrix(rows: Sequence[MetricRow], table: ScoreTable, index: np.ndarray) -> Agreement:
    """Metrics against each other where nobody scored the images."""
    usable = [r for r in rows if r["status"] == "ok" and r["n_used"] > 2]
    if len(usable) < 2:
        return {"names": [], "srocc": []}
    items = [table.manifest.items[n] for n in index]
    groups = np.array([i.group for i in items])
    frame = Frame(np.zeros(len(index)), 1, groups, groups, np.array([i.generator for i in items]), 0.95, 200, 0, False)
    columns = [table.columns[r["name"]].oriented[index] for r in usable]
    inside = len(set(groups.tolist())) < len(groups) / 4
    return {"names": [r["name"] for r in usable], "srocc": judge.spearman_matrix(columns, frame, inside)}


def _published(manifest: Manifest, published: Published, settings: Statistics) -> list[MetricRow]:
    """The authors' own metric values, judged on all rows that their table covers."""
    assert manifest.scale is not None
    frame = Frame(
        np.array(published.scores), manifest.scale.sign, np.array(published.groups), np.array(published.groups),
        np.array(published.generators), settings.level, settings.resamples, settings.seed, False,
    )  # fmt: skip
    rows = []
    for name, values in published.values.items():
        x = np.asarray(values, float)
        better = published.better.get(name, "higher")
        row = _row(f"{name} (published)", name, "published", better)
        row["note"] = f"values of {published.source}"
        row["n_expected"], row["n_used"] = len(x), int(np.isfinite(x).sum())
        if row["n_used"] < len(x):
            _undefine(row, f"the table has {row['n_used']} of {len(x)} values")
            rows.append(row)
            continue
        oriented = x if better == "higher" else -x
        for key, which in (("srocc_pooled", "srocc"), ("krocc", "krocc"), ("plcc_raw", "plcc")):
            row[key] = judge.pooled(frame, oriented, which)  # type: ignore[literal-required]
        row["srocc_within"], row["within"], _ = judge.within(frame, oriented)
        agrees = (1 if better == "higher" else -1) * manifest.scale.sign
        row["plcc_fit"], row["rmse"], row["fit"] = judge.mapped(frame, x, agrees)
        row["two_way"] = blank("not computed for published values")
        rows.append(row)
    _order(rows, "srocc_pooled")
    return rows


def _checks(table: ScoreTable, published: Published) -> list[dict[str, object]]:
    """Our value against the authors' on the same image, by distortion class."""
    place = {item.key: n for n, item in enumerate(table.manifest.items)}
    answer: list[dict[str, object]] = []
    for name, values in published.values.items():
        column = table.columns.get(name)
        if column is None:
            continue
        by_class: dict[str, list[float]] = {}
        for key, theirs in zip(published.keys, values, strict=True):
            n = place.get(key)
            if n is None or not np.isfinite(theirs) or not np.isfinite(column.values[n]) or theirs == 0:
                continue
            kind = table.manifest.items[n].distortion
            by_class.setdefault(kind, []).append(abs(float(column.values[n]) / theirs - 1))
        for kind, relative in sorted(by_class.items()):
            # Two digits: the size of a rounding error is a fact of the machine, its order of magnitude is not.
            answer.append(
                {
                    "metric": name,
                    "class": kind,
                    "n": len(relative),
                    "largest": number(max(relative), 2),
                    "median": number(float(np.median(relative)), 2),
                }
            )
    return answer


def _cover_sets(row: MetricRow, scores: Mapping[str, SetScore]) -> None:
    """Images that a set metric's numbers stand on, and for which generators it has none, and why."""
    row["n_expected"] = sum(s.listed for s in scores.values())
    if row["status"] != "ok":
        row["n_skipped"] = row["n_expected"]
        return
    row["n_used"] = sum(s.n for s in scores.values() if s.status == "ok")
    row["n_nonfinite"] = sum(s.listed for s in scores.values() if s.status == "nonfinite")
    row["n_skipped"] = sum(s.listed for s in scores.values() if s.status == "skipped")
    row["n_failed"] = row["n_expected"] - row["n_used"] - row["n_nonfinite"] - row["n_skipped"]
    lacking: dict[str, list[str]] = {}  # by reason, because one generator without a number seldom comes alone
    for name, score in sorted(scores.items()):
        if score.status != "ok":
            lacking.setdefault(score.estimate.reason, []).append(name)
    if not lacking:
        return
    if row["n_used"]:
        row["reason"] = "; ".join(f"no number for {', '.join(names)}: {why}" for why, names in lacking.items())
    else:
        row["status"] = "not-applicable" if row["n_skipped"] == row["n_expected"] else "failed"
        row["reason"] = "; ".join(lacking)


def _sets(document: Leaderboard, inputs: Inputs) -> None:
    """Put set metrics on the generator board: one number per generator, no per-image agreement.

    They depend on the number of images, so generators are placed by them only where all that have a number have it
    from as many.
    """
    rows = document["generators"]
    uneven = False
    shown = [m for m in inputs.measures if m.info.needs == "set" and m.column in inputs.sets]
    for m in shown:
        values = {generator: score.estimate for generator, score in inputs.sets[m.column].items()}
        for row in rows:
            row["metrics"][m.column] = cell(values.get(row["name"], Estimate(None, reason="not computed")))
        scores = [s for row in rows if (s := inputs.sets[m.column].get(row["name"])) and s.status == "ok"]
        if len({s.n for s in scores}) > 1:
            uneven = True
        else:
            sign = 1 if m.info.better == "higher" else -1
            views = {
                r["name"]: sign * v for r in rows if r["name"] in values and (v := values[r["name"]].value) is not None
            }
            for row in rows:
                if row["name"] in views:
                    row["ranks"][m.column] = 1 + sum(other > views[row["name"]] for other in views.values())
    if uneven:
        board = document["generator_board"]
        warning = "set metrics place nobody, because the generators have different numbers of images"
        board["note"] = joined(board["note"], warning)


def _subtitle(document: Leaderboard) -> str:
    card = document["dataset"]
    kind = card["score"]["kind"] if card["score"] else "no"
    parts = [_counted(card["n_outputs"], "image")]
    if card["n_references"]:
        parts.append(_counted(card["n_references"], "reference"))
    if card["n_generators"]:
        parts.append(_counted(card["n_generators"], "generator"))
    computed = _counted(sum(1 for r in document["metrics"] if r["status"] == "ok"), "metric")
    preset = document["settings"]["preset"]
    protocol = f"; protocol {preset}" if preset else ""
    return f"{', '.join(parts)}; {kind} scores; {computed}{protocol}"


def _counted(n: int, noun: str) -> str:
    return f"{n:,} {noun}{'' if n == 1 else 's'}"
