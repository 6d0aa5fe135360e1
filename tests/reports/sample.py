"""Random boards to render. Nothing in them was measured: items, scores and "metrics" are drawn from a seed.

The statistics are then really computed from the drawn numbers (simply: Student intervals over references,
uncorrected paired tests), so that tables, curves and figures belong together as in a real document.
"""

from __future__ import annotations

import csv
import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

METRICS = (
    "signal-ratio", "edge-overlap", "structure", "structure-ms", "visual-info", "phase-match", "gradient-dev",
    "wavelet-sim", "subband-sim", "chroma-dev", "saliency-sim", "spectral-res", "info-weighted", "patch-cosine",
    "deep-distance", "natural-stats",
)  # fmt: skip
CONTROLS = ("algorithm-identity", "file-size", "random", "contrast")
CLASSES = (
    ("c1", "Adversarial codec", "gan"),
    ("c2", "Adversarial upscaling", "gan"),
    ("c3", "Block codec", "traditional"),
)
MOS = {"kind": "MOS", "better": "higher", "low": 1.0, "high": 5.0, "comparable": "everywhere"}
POPULATION = (
    "within-reference correlation over {} references; intervals speak about new references with the same generators"
)
BANNER = "Random sample data: every number on this page was drawn by a random number generator."


@dataclass
class Options:
    """What kind of board to draw."""

    seed: int = 7
    generators: int = 10
    references: int = 8
    metrics: int = 16
    repeats: int = 1
    """Items of every generator per reference."""
    scored: bool = True
    kind: str = "MOS"
    """What the scores are; "severity" is an order by construction, for which nobody was asked."""
    timed: bool = True
    waiting: int = 1
    """How many of the metrics lack weights."""
    published: bool = True
    failures: int = 3
    classes: bool = True
    names: dict[str, str] = field(default_factory=dict)
    """Replacements for names of metrics, generators, keys (by their plain name)."""
    title: str = "Sample board"
    banner: str = BANNER
    extra: dict[str, Any] = field(default_factory=dict)
    """Merged into the document at the end."""


def write(folder: Path, options: Options | None = None) -> dict[str, Any]:
    """Draw a board and write ``leaderboard.json``, ``scores.csv`` and ``timing.json``; returns the document."""
    o = options or Options()
    folder.mkdir(parents=True, exist_ok=True)
    document, rows, header = draw(o)
    text = json.dumps(document, indent=1, ensure_ascii=True, allow_nan=False) + "\n"
    (folder / "leaderboard.json").write_text(text, encoding="utf-8")
    with (folder / "scores.csv").open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
    if o.timed:
        rng = np.random.default_rng(o.seed + 1)
        times = {m["name"]: float(f"{10 ** rng.uniform(-3.2, 0.4):.3g}") for m in document["metrics"] if m["n_used"]}
        timing = {
            "schema": 1,
            "machine": {"processor": "sample", "cores": "2"},
            "metrics": {n: {"seconds": s, "total": s * len(rows), "n": len(rows)} for n, s in times.items()},
        }
        (folder / "timing.json").write_text(json.dumps(timing), encoding="utf-8")
    return document


def draw(o: Options) -> tuple[dict[str, Any], list[list[object]], list[str]]:
    """The document, and the rows and header of ``scores.csv``."""
    rng = np.random.default_rng(o.seed)
    call = lambda name: o.names.get(name, name)
    generators = [f"model-{n + 1:02d}" for n in range(o.generators)]
    references = [f"photo{n + 1:02d}" for n in range(o.references)]
    classes = [CLASSES[n % len(CLASSES)] for n in range(o.generators)]
    skill = rng.normal(0, 1, o.generators)
    g, r = (a.ravel().repeat(o.repeats) for a in np.meshgrid(range(o.generators), range(o.references), indexing="ij"))
    quality = skill[g] + rng.normal(0, 0.6, len(g))
    score = np.round(3 + quality + rng.normal(0, 0.25, len(g)), 3)
    keys = [call(f"{references[b]}/{generators[a]}.{n}") for n, (a, b) in enumerate(zip(g, r))]
    names = [METRICS[n] if n < len(METRICS) else f"metric-{n + 1:02d}" for n in range(o.metrics)]
    columns: dict[str, tuple[str, np.ndarray]] = {}
    for n, name in enumerate(names):
        lower = n % 4 == 3
        x = quality + rng.normal(0, 0.25 + 1.5 * rng.random(), len(g)) + rng.normal(0, 0.7, o.references)[r]
        x = 1 / (1 + np.exp(-x)) if n % 3 else 30 + 6 * x
        columns[name] = ("lower", 1.5 - x if n % 3 else 90 - x) if lower else ("higher", x)
    known = names[: max(0, o.metrics - o.waiting)] if o.scored or o.waiting else names
    rows = [_metric(call(n), columns[n], score, r, g, references, classes, o, n in known) for n in names]
    controls = []
    if o.scored:
        means = (
            np.array([[np.mean(score[(g == a) & (r != b)]) for b in range(o.references)] for a in range(o.generators)])
            if o.references > 1
            else None
        )
        guesses = {"file-size": rng.normal(0, 1, len(g)) + 0.3 * quality, "random": rng.random(len(g))}
        guesses["contrast"] = rng.random(len(g))
        if means is not None:
            guesses = {"algorithm-identity": means[g, r], **guesses}
        for name in CONTROLS:
            if name in guesses:
                row = _metric(name, ("higher", guesses[name]), score, r, g, references, classes, o, True)
                if name != "contrast":  # a statistic of the image: computed, and a control because of what it is
                    row |= {"source": "control", "badges": ["control"], "needs": "", "note": "never sees the image"}
                controls.append(row)
        _rank(rows)
        if len(rows) > 2:
            rows[1] = rows[1] | {"source": "imported", "badges": ["imported"]}
    document: dict[str, Any] = {
        "schema": 1,
        "kind": "ganiq-leaderboard",
        "title": call(o.title),
        "subtitle": f"{len(g)} images, {o.references} references, {o.generators} generators",
        "banner": o.banner,
        "dataset": {
            "name": "sample", "title": "Random sample", "digest": _sha("sample"), "license": "CC0-1.0",
            "source": "https://example.org/sample", "cite": "A. Author (2026), doi:10.5555/12345678.",
            "n_items": len(g), "n_outputs": len(g), "n_references": o.references, "n_generators": o.generators,
            "score": MOS | {"kind": o.kind} if o.scored else None,
            "notes": ["Numbers are drawn, not measured."],
            "gaps": [["photo01/model-99.0", "never existed"]],
            "shares": {"reference": 0.031, "generator": 0.642} if o.scored else {},
        },
        "settings": {
            "headline": "srocc_within", "preset": "", "level": 0.95, "resamples": 2000, "seed": 0,
            "gate": {"alpha": "refuse"},
            "population": POPULATION.format(o.references) if o.scored else "",
        },
        "classes": _class_columns(classes, g) if o.scored and o.classes else [],
        "metrics": rows,
        "controls": controls,
        "published": [],
        "published_checks": [],
        "ranking": {
            "method": "paired t, uncorrected (sample)", "n_groups": o.references,
            "names": [m["name"] for m in rows if m["tier"]],
            "p": [], "reason": "" if any(m["tier"] for m in rows) else "too few references for tiers",
        },
        "agreement": _agreement([call(n) for n in known], [columns[n] for n in known], score if o.scored else None),
        "generators": [],
        "generator_board": {
            "references": references, "note": "", "agreement": {},
            "interval": f"Student, over {o.references} references",
        },
        "disagreements": {},
        "failures": [
            {
                "key": keys[n % len(keys)], "metric": rows[0]["name"] if rows and n else "", "status": "failed",
                "code": "E-IMG-FORMAT",
                "detail": f"E-IMG-FORMAT {keys[n % len(keys)]}: not an image; not scored; run `file` on it",
            }
            for n in range(min(o.failures, 1000))
        ],
        "n_failures": o.failures,
        "provenance": {
            "ganiq": "0.1.0", "schema": 1, "packages": {"numpy": np.__version__}, "torchvision": "not loaded",
            "dataset_digest": _sha("sample"), "metric_digests": {m["name"]: m["digest"] for m in rows},
            "weights": {}, "plugins": [], "counts": {"ok": len(g) * len(known), "failed": o.failures}, "imports": [],
        },
    }  # fmt: skip
    if o.generators:
        _generators(document, generators, classes, g, r, score if o.scored else None, columns, known, o, call)
    if o.scored:
        for name in known:
            row = next(m for m in rows if m["name"] == call(name))
            document["disagreements"][row["name"]] = _disputes(
                row, columns[name], score, keys, r, g, references, [call(x) for x in generators]
            )
    if o.published and o.scored and rows:
        document["published"] = [
            rows[0] | {"name": f"{rows[0]['name']} (published)", "source": "published", "tier": None, "rank": None}
        ]
        document["published_checks"] = [
            {"metric": rows[0]["name"], "class": "c1", "n": 24, "largest": 0.0021, "median": 0.0004}
        ]
    header = ["key", "group", "block", "generator", "distortion", "family", "role", "score", *(call(n) for n in names)]
    table: list[list[object]] = [
        [
            keys[n], references[r[n]], references[r[n]], call(generators[g[n]]),
            classes[g[n]][0], classes[g[n]][2], "output",
            repr(float(score[n])) if o.scored else "",
            *(repr(float(columns[m][1][n])) if m in known else "" for m in names),
        ]
        for n in range(len(g))
    ]  # fmt: skip
    for row in [*document["metrics"], *document["controls"], *document["published"]]:
        row.pop("_each", None)
    document.update(o.extra)
    return document, table, header


def cell(value: float | None, low: float | None = None, high: float | None = None, reason: str = "") -> dict[str, Any]:
    tidy = lambda v: None if v is None or not np.isfinite(v) else float(f"{v:.6g}")
    return {"value": tidy(value), "low": tidy(low), "high": tidy(high)} | ({"reason": reason} if reason else {})


def _metric(name, column, score, r, g, references, classes, o, known) -> dict[str, Any]:
    better, x = column
    view = x if better == "higher" else -x
    row: dict[str, Any] = {
        "name": name, "title": name.replace("-", " ").capitalize(), "spec": f"{name}(window=11)",
        "digest": _sha(name), "version": 1,
        "source": "computed", "status": "ok", "reason": "", "needs": "pair", "better": better,
        "cite": "B. Author (2020), https://doi.org/10.5555/87654321", "note": "", "weights": {}, "badges": [],
        "n_used": len(x), "n_expected": len(x), "n_nonfinite": 0, "n_failed": 0, "n_skipped": 0,
        "within": {"median": None, "p10": None, "worst": None, "worst_group": ""},
        "fit": {"kind": "undefined", "b": [], "note": ""}, "tier": None, "rank": None, "classes": {},
    }  # fmt: skip
    blank = cell(None, reason="nobody scored these images" if not o.scored else "no weights")
    row |= dict.fromkeys(("srocc_within", "srocc_pooled", "krocc", "plcc_raw", "plcc_fit", "rmse", "two_way"), blank)
    if not known:
        command = f"needs weights: `ganiq weights get {name}`"
        return row | {"status": "needs-weights", "reason": command, "badges": ["needs weights"], "n_used": 0}
    if not o.scored or len(x) < 3:
        return row
    each = np.array([_rho(view[r == b], score[r == b]) for b in range(o.references)])
    good = each[np.isfinite(each)]
    if len(good):
        worst = int(np.nanargmin(each))
        row["within"] = {
            "median": cell(np.median(good))["value"], "p10": cell(np.quantile(good, 0.1))["value"],
            "worst": cell(each[worst])["value"], "worst_group": references[worst],
        }  # fmt: skip
        row["srocc_within"] = _student(good)
    else:
        row["srocc_within"] = cell(None, reason="no reference holds 5 or more items")
    row["srocc_pooled"] = _fisher(_rho(view, score), o.references)
    row["krocc"] = _fisher(stats.kendalltau(view, score)[0], o.references)
    row["plcc_raw"] = _fisher(np.corrcoef(view, score)[0, 1], o.references)
    b = np.polyfit(x, score, 1)
    fitted = np.polyval(b, x)
    row["fit"] = {"kind": "linear", "b": [float(v) for v in b], "note": ""}
    if len(x) >= 8:
        row["fit"] = _logistic(x, score, better) or row["fit"]
        if row["fit"]["kind"] == "logistic":
            p = row["fit"]["b"]
            fitted = p[1] + (p[0] - p[1]) / (1 + np.exp(np.clip(-(x - p[2]) / p[3], -99, 99)))
    row["plcc_fit"] = _fisher(np.corrcoef(fitted, score)[0, 1], o.references)
    row["rmse"] = cell(float(np.sqrt(np.mean((score - fitted) ** 2))))
    low, high = row["srocc_within"]["low"], row["srocc_within"]["high"]
    row["two_way"] = (
        cell(row["srocc_within"]["value"], low - 0.06, min(1, high + 0.03))
        if low is not None
        else cell(None, reason="generators are not crossed")
    )
    row["_each"] = each
    if o.classes:
        family = np.array([c[2] for c in classes])[g]
        kind = np.array([c[0] for c in classes])[g]
        for code, rows in [(f"family:{f}", family == f) for f in ("gan", "traditional")] + [
            (c[0], kind == c[0]) for c in CLASSES
        ]:
            n = int(rows.sum())
            if n:
                value = (
                    _fisher(_rho(view[rows], score[rows]), o.references)
                    if n >= 5
                    else cell(None, reason="fewer than 5 items")
                )
                row["classes"][code] = {
                    "srocc": value,
                    "n": n,
                    "n_groups": len(set(r[rows])),
                    "spread": float(np.std(score[rows])),
                }
    return row


def _logistic(x, y, better) -> dict[str, Any] | None:
    from scipy.optimize import least_squares

    scale = float(np.std(x)) * (1 if better == "higher" else -1)
    curve = lambda b: b[1] + (b[0] - b[1]) / (1 + np.exp(-np.clip((x - b[2]) / b[3], -50, 50)))
    found = least_squares(lambda b: curve(b) - y, [y.max(), y.min(), float(np.mean(x)), scale], max_nfev=200)
    b = [float(v) for v in found.x]
    sane = found.success and max(map(abs, b[:2])) < 50 and abs(b[3]) > 1e-3 and np.all(np.isfinite(b))
    return {"kind": "logistic", "b": b, "note": ""} if sane else None


def _rank(rows: list[dict[str, Any]]) -> None:
    ranked = [m for m in rows if m["srocc_within"]["low"] is not None]
    ranked.sort(key=lambda m: -m["srocc_within"]["value"])
    worse = lambda a, b: bool(stats.ttest_rel(a["_each"], b["_each"]).pvalue < 0.01)
    tier, first = 1, ranked[0] if ranked else None
    for m in ranked:
        if m is not first and worse(first, m):
            tier, first = tier + 1, m
        m["tier"] = tier
        m["rank"] = [
            1 + sum(worse(m, o) for o in ranked[: ranked.index(m)]),
            len(ranked) - sum(worse(m, o) for o in ranked[ranked.index(m) + 1 :]),
        ]
    rows.sort(key=lambda m: (m["tier"] is None, m["tier"] or 0))


def _generators(document, generators, classes, g, r, score, columns, known, o, call) -> None:
    # Items run through generators, then references, then repeats (see ``draw``).
    grid = lambda v: v.reshape(o.generators, o.references, o.repeats).mean(axis=2)
    means = {n: grid(columns[n][1]) for n in known}
    place = lambda v, better: stats.rankdata(-v if better == "higher" else v, method="min").astype(int)
    ranks = {call(n): place(means[n].mean(axis=1), columns[n][0]) for n in known}
    people = None
    if score is not None:
        people = grid(score)
        ranks["human"] = place(people.mean(axis=1), "higher")
        for n in known:
            view = means[n].mean(axis=1) * (1 if columns[n][0] == "higher" else -1)
            document["generator_board"]["agreement"][call(n)] = cell(_rho(view, people.mean(axis=1)))
    lines, judged = [], people is not None and o.references >= 8
    for a, name in enumerate(generators):
        code, _, family = classes[a]
        lines.append({
            "name": call(name), "title": call(name), "distortion": code, "family": family, "n": o.references,
            "human": _student(people[a]) if people is not None else cell(None, reason="not scored by people"),
            "human_tier": int(1 + 3 * (ranks["human"][a] - 1) // o.generators) if judged else None,
            "metrics": {call(n): _student(means[n][a]) for n in known},
            "ranks": {n: int(v[a]) for n, v in ranks.items()},
        })  # fmt: skip
    document["generators"] = sorted(lines, key=lambda line: line["ranks"].get("human", 0))


def _disputes(row, column, score, keys, r, g, references, generators) -> list[dict[str, Any]]:
    better, x = column
    rank = lambda v: (stats.rankdata(v) - 0.5) / len(v)
    gap = rank(x if better == "higher" else -x) - rank(score)
    order = np.argsort(gap, kind="stable")
    b = row["fit"]["b"]
    curve = (
        (lambda v: b[0] * v + b[1])
        if row["fit"]["kind"] == "linear"
        else (lambda v: b[1] + (b[0] - b[1]) / (1 + np.exp(np.clip(-(v - b[2]) / b[3], -99, 99))))
    )
    return [
        {
            "key": keys[n], "group": references[r[n]], "generator": generators[g[n]], "score": float(score[n]),
            "value": float(x[n]), "expected": float(curve(x[n])) if b else 0.0, "gap": round(float(gap[n]), 3),
        }
        for n in [*order[::-1][:3], *order[:3]]
    ]  # fmt: skip


def _agreement(names, columns, score) -> dict[str, Any]:
    views = [x if better == "higher" else -x for better, x in columns]
    if score is not None:
        names, views = ["human", *names], [score, *views]
    return {"names": names, "srocc": [[cell(_rho(a, b))["value"] for b in views] for a in views]}


def _class_columns(classes, g) -> list[dict[str, Any]]:
    family, kind = np.array([c[2] for c in classes])[g], np.array([c[0] for c in classes])[g]
    out = [
        {"code": f"family:{f}", "title": t, "family": f, "n": int((family == f).sum())}
        for f, t in (("gan", "GAN-based"), ("traditional", "Traditional"))
    ]
    return out + [
        {"code": c, "title": t, "family": f, "n": int((kind == c).sum())} for c, t, f in CLASSES if (kind == c).any()
    ]


def _rho(a, b) -> float:
    if len(a) < 3 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return float("nan")
    return float(np.corrcoef(stats.rankdata(a), stats.rankdata(b))[0, 1])


def _student(values) -> dict[str, Any]:
    if len(values) < 8:
        return cell(np.mean(values), reason="too few references for an interval")
    half = stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values))
    return cell(np.mean(values), np.mean(values) - half, np.mean(values) + half)


def _fisher(value, n) -> dict[str, Any]:
    if not np.isfinite(value):
        return cell(None, reason="one side is constant")
    if n < 8:
        return cell(value, reason="too few references for an interval")
    z, half = np.arctanh(np.clip(value, -0.999, 0.999)), 1.96 / np.sqrt(8 * n)
    return cell(value, np.tanh(z - half), np.tanh(z + half))


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()
