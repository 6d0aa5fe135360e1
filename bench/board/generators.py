"""The generator leaderboard: people's and every metric's view of each generator on shared references."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .. import stats
from ..document import Cell, GeneratorBoard, GeneratorRow
from ..manifest import Manifest
from ..types import Estimate
from .agreement import blank, cell, number
from .scores import ScoreTable, family

# Above this many generators the pairwise family of tests costs more than it tells.
MOST_TESTED = 150
NAMED = 6
"""Images that a note names; it counts the others."""


def board(
    table: ScoreTable, names: list[str], families: Mapping[str, str], level: float, resamples: int, seed: int
) -> tuple[list[GeneratorRow], GeneratorBoard]:
    """Rank generators over the references that all of them share.

    Means over different references must not be compared: generators that lack a reference restrict the ranking
    to the references they have, and the note says so. An image without a value of any metric (damaged, refused) is as
    good as missing.

    Args:
        table: scores.
        names: columns to show, in the order of the metric board.
        families: distortion code -> family.
        level: of the intervals.
        resamples: of the bootstrap.
        seed: root of all random streams.
    """
    manifest = table.manifest
    cells: dict[str, dict[str, list[int]]] = {}
    lost = _lost(table, names)
    gone = {(manifest.items[n].generator, manifest.items[n].group) for n in lost}
    for n, item in enumerate(manifest.items):
        if item.generator:
            by = cells.setdefault(item.generator, {})
            if (item.generator, item.group) not in gone:
                by.setdefault(item.group, []).append(n)
    none = [name for name, by in cells.items() if not by]
    cells = {name: by for name, by in cells.items() if by}
    empty: GeneratorBoard = {"references": [], "note": "", "interval": "", "agreement": {}}
    unscored = _told(manifest, lost, none)
    if len(cells) < 2:
        return [], {**empty, "note": joined(unscored, "fewer than two generators are named")}
    shared, kept, note = _shared({g: set(by) for g, by in cells.items()})
    note = joined(note, unscored)
    if not shared:
        rows_, board_ = _unpaired(table, names, families, cells, level, resamples, seed)
        return rows_, {**board_, "note": joined(board_["note"], unscored)}
    tasks = {manifest.items[rows[0]].attrs.get("task", "") for g in kept for rows in cells[g].values()} - {""}
    if len(tasks) > 1:
        warning = f"different tasks stand on one table ({', '.join(sorted(tasks))}); compare generators of one task"
        note = joined(note, warning)
    order = sorted(shared)
    human = _human(manifest)
    scored = human is not None and all(np.isfinite(_means(human, cells[g], order)).all() for g in kept)
    rows = {name: _row(manifest, name, cells[name], families, len(order)) for name in kept}
    agreement: dict[str, Cell] = {}
    interval = f"bootstrap-t over the {len(order)} shared references"
    if len(order) < 8:
        interval = f"none for means over {len(order)} references (8 are needed)"
    people: np.ndarray | None = None
    if scored:
        assert human is not None and manifest.scale is not None
        matrix = np.column_stack([_means(human, cells[g], order) for g in kept])
        people = np.asarray(manifest.scale.sign * matrix.mean(axis=0))
        if manifest.draws is not None:
            interval = "human scores: resampled observers; metrics: " + interval
            _observers(manifest, cells, order, kept, rows, level)
        else:
            for k, name in enumerate(kept):
                rows[name]["human"] = _mean(matrix[:, k], level, resamples, seed)
            if len(order) >= 8 and len(kept) <= MOST_TESTED:
                found = stats.max_t(manifest.scale.sign * matrix, stats.generator(seed, "generators"))
                _tier(rows, kept, found.p, found.delta, level)
        _ranks(rows, kept, "human", people)
    for metric in names:
        column = table.columns[metric]
        matrix = np.column_stack([_means(column.values, cells[g], order) for g in kept])
        for k, name in enumerate(kept):
            rows[name]["metrics"][metric] = _mean(matrix[:, k], level, resamples, seed)
        # Infinite values have no mean to print, and a place all the same: a perfect copy has the best PSNR.
        means = np.array([_means(column.limits, cells[g], order).mean() for g in kept])
        view = means if column.better == "higher" else -means
        _ranks(rows, kept, metric, view)
        if people is not None:
            both = ~np.isnan(view)
            value = stats.srocc(view[both], people[both]) if both.sum() >= 3 else float("nan")
            agreement[metric] = {"value": number(value), "low": None, "high": None}
            if not np.isfinite(value):
                agreement[metric]["reason"] = "fewer than 3 generators with a value"
    ordered = sorted(rows.values(), key=lambda r: (r["ranks"].get("human", 0), r["name"]))
    return ordered, {"references": order, "note": note, "interval": interval, "agreement": agreement}


def _lost(table: ScoreTable, names: list[str]) -> list[int]:
    """Items of generators for which no metric has a value, where any metric has one at all."""
    known = np.zeros(len(table.manifest.items), bool)
    for name in names:
        known |= ~np.isnan(table.columns[name].limits)
    return [n for n, item in enumerate(table.manifest.items) if item.generator and not known[n]] if known.any() else []


def _told(manifest: Manifest, lost: list[int], none: list[str]) -> str:
    """Which images no metric has a value for, in words; generators that have no other ones by their name."""
    single = [manifest.items[n].key for n in lost if manifest.items[n].generator not in none]
    parts = [f"{name} (none of its images)" for name in sorted(none)]
    parts += single[:NAMED] + ([f"{len(single) - NAMED} more"] if len(single) > NAMED else [])
    return f"without a score of any metric, and treated as missing: {', '.join(parts)}" if parts else ""


def joined(*notes: str) -> str:
    """Notes as one, without the empty ones."""
    return "; ".join(note for note in notes if note)


def _row(
    manifest: Manifest, name: str, by_group: dict[str, list[int]], families: Mapping[str, str], n: int
) -> GeneratorRow:
    first = manifest.items[next(iter(by_group.values()))[0]]
    return {
        "name": name,
        "title": name,
        "distortion": first.distortion,
        "family": family(first, families),
        "n": n,
        "human": blank("not scored by people"),
        "human_tier": None,
        "metrics": {},
        "ranks": {},
    }


def _unpaired(
    table: ScoreTable,
    names: list[str],
    families: Mapping[str, str],
    cells: dict[str, dict[str, list[int]]],
    level: float,
    resamples: int,
    seed: int,
) -> tuple[list[GeneratorRow], GeneratorBoard]:
    """Generators that share no reference: independent samples, as set metrics compare them.

    Images without references (samplers) may be averaged, each generator over its own; means over different
    references may not, and there only the set metrics speak.
    """
    manifest = table.manifest
    picks = {name: [n for rows in by.values() for n in rows] for name, by in sorted(cells.items())}
    free = all(manifest.items[n].reference is None for pick in picks.values() for n in pick)
    rows = {name: _row(manifest, name, cells[name], families, len(pick)) for name, pick in picks.items()}
    why = "means over different references do not compare"
    for metric in names if free else ():
        column = table.columns[metric]
        for name, pick in picks.items():
            rows[name]["metrics"][metric] = _mean(column.values[pick], level, resamples, seed, "images")
        means = np.array([column.limits[pick].mean() for pick in picks.values()])
        _ranks(rows, list(picks), metric, means if column.better == "higher" else -means)
    if not free:
        for row in rows.values():
            row["metrics"] = {metric: blank(why) for metric in names}
    note = "the generators share no reference: " + (
        "each mean is over the generator's own images" if free else f"{why}; give every model the same inputs"
    )
    interval = "bootstrap-t over each generator's own images" if free else ""
    ordered = [rows[name] for name in picks]
    return ordered, {"references": [], "note": note, "interval": interval, "agreement": {}}


def _shared(cells: dict[str, set[str]]) -> tuple[set[str], list[str], str]:
    """References for the ranking and the generators in it.

    Generators on fewer than half of the references (a single photograph, a degenerate folder) are left out
    rather than allowed to shrink the ranking to what they have.
    """
    everything = set.union(*cells.values())
    kept = sorted(g for g, has in cells.items() if len(has) >= len(everything) / 2)
    if len(kept) < 2:
        return set(), [], ""
    shared = set.intersection(*(cells[g] for g in kept))
    notes = []
    if shared != everything:
        short = ", ".join(f"{g} ({len(cells[g])})" for g in kept if cells[g] != everything)
        notes.append(f"ranked on the {len(shared)} of {len(everything)} references that all share; not on all: {short}")
    dropped = sorted(set(cells) - set(kept))
    if dropped:
        notes.append(f"left out, on fewer than half of the references: {', '.join(dropped)}")
    return shared, kept, "; ".join(notes)


def _human(manifest: Manifest) -> np.ndarray | None:
    if manifest.scale is None or manifest.scale.kind == "severity":
        return None
    return np.array([np.nan if i.score is None else i.score for i in manifest.items])


def _means(values: np.ndarray, by_group: dict[str, list[int]], order: list[str]) -> np.ndarray:
    """Mean of a generator's items per shared reference; NaN where any of them has no number."""
    return np.array([np.mean(values[by_group[g]]) for g in order])


def _mean(values: np.ndarray, level: float, resamples: int, seed: int, over: str = "references") -> Cell:
    if not np.isfinite(values).all():
        lacking = int((~np.isfinite(values)).sum())
        return blank(f"no finite value on {lacking} of {len(values)} {over}")
    mean = float(values.mean())
    if len(values) < 8:
        estimate = Estimate(mean, n=len(values), reason=f"too few {over} for an interval (G < 8)")
    elif float(np.ptp(values)) == 0:
        estimate = Estimate(mean, mean, mean, len(values))
    else:
        low, high = stats.bootstrap_t(values, level, resamples, rng=stats.generator(seed, "generator-mean"))
        estimate = Estimate(mean, low, high, len(values))
    return cell(estimate)


def _observers(
    manifest: Manifest,
    cells: dict[str, dict[str, list[int]]],
    order: list[str],
    kept: list[str],
    rows: dict[str, GeneratorRow],
    level: float,
) -> None:
    """Intervals and tiers from scores refitted on resampled observers."""
    assert manifest.draws is not None and manifest.scale is not None
    human = _human(manifest)
    assert human is not None
    mean = np.array([_means(human, cells[g], order).mean() for g in kept])
    picks = [[n for g in order for n in cells[name][g]] for name in kept]
    draws = np.column_stack([manifest.draws[:, pick].mean(axis=1) for pick in picks])
    tail = (1 - level) / 2
    low, high = np.quantile(draws, [tail, 1 - tail], axis=0)
    for k, name in enumerate(kept):
        rows[name]["human"] = cell(Estimate(float(mean[k]), float(low[k]), float(high[k]), len(draws)))
    # Simultaneous over all pairs: the largest studentised deviation of any pair in each draw.
    sign = manifest.scale.sign
    delta = sign * (mean[:, None] - mean[None, :])
    spread = sign * (draws[:, :, None] - draws[:, None, :])
    error = spread.std(axis=0, ddof=1)
    safe = np.where(error > 0, error, np.inf)
    largest = np.abs((spread - delta) / safe).max(axis=(1, 2))
    observed = np.abs(delta / safe)
    p = (1 + (largest[:, None, None] >= observed[None]).sum(axis=0)) / (1 + len(draws))
    np.fill_diagonal(p, 1.0)
    _tier(rows, kept, p, delta, level)


def _tier(rows: dict[str, GeneratorRow], kept: list[str], p: np.ndarray, delta: np.ndarray, level: float) -> None:
    found = stats.tiers(p, delta, 1 - level)
    for name, tier, others in zip(kept, found.tier, found.apart, strict=True):
        rows[name]["human_tier"] = tier
        rows[name]["human_apart"] = [kept[k] for k in others]


def _ranks(rows: dict[str, GeneratorRow], kept: list[str], view: str, values: np.ndarray) -> None:
    """1 = best; equal values share the better place; a generator without value has no place."""
    for k, name in enumerate(kept):
        if not np.isnan(values[k]):
            margin = 1e-12 * abs(values[k]) if np.isfinite(values[k]) else 0.0
            rows[name]["ranks"][view] = 1 + int((values > values[k] + margin).sum())
