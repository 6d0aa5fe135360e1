"""Tiers instead of ranks: one family of tests over all pairs of metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from .. import stats
from ..document import Ranking
from .agreement import Frame, number


@dataclass
class Ranked:
    """Tier and rank interval by metric name, and the record of how they were found."""

    record: Ranking
    tiers: dict[str, int] = field(default_factory=dict)
    ranks: dict[str, tuple[int, int]] = field(default_factory=dict)


def rank(
    frame: Frame,
    columns: Mapping[str, np.ndarray],
    within: Mapping[str, stats.Within],
    headline: str,
) -> Ranked:
    """Rank metrics by their headline statistic.

    Args:
        frame: the rows all columns share.
        columns: oriented values by metric name.
        within: per-group SROCC by metric name.
        headline: ``srocc_within`` or ``srocc_pooled``.
    """
    names = list(columns)
    groups = len(set(frame.groups.tolist()))
    if len(names) < 2:
        return Ranked(_record("none", groups, names, None, "a single metric cannot be ranked"))
    single = groups == len(frame.groups)
    if groups < 8:
        return Ranked(_record("none", groups, names, None, f"too few references for tiers ({groups}; 8 are needed)"))
    if headline == "srocc_within":
        common = set.intersection(*(set(within[n].groups) for n in names))
        if len(common) < 8:
            reason = f"only {len(common)} references have a value under every metric; 8 are needed"
            return Ranked(_record("none", groups, names, None, reason))
        order = sorted(common)
        matrix = np.column_stack([_pick(within[n], order) for n in names])
        family = stats.max_t(matrix, stats.generator(frame.seed, "max-t"))
        p, delta = family.p, family.delta
        method = "max-T sign-flip over references, all pairs"
    elif single:
        p, delta = _dependent([columns[n] for n in names], frame.oriented)
        method = "Meng-Rosenthal-Rubin for dependent correlations (independent images), Holm over all pairs"
    else:
        full = [stats.srocc(columns[n], frame.oriented) for n in names]
        left = [stats.leave_one_out(stats.srocc, columns[n], frame.oriented, frame.groups) for n in names]
        differences = stats.jackknife_differences(np.column_stack(left), full)
        p, delta = differences.p, differences.delta
        method = "delete-one-reference jackknife-t of the difference, Holm over all pairs"
    try:
        found = stats.tiers(p, delta, 1 - frame.level)
    except ValueError as error:  # pairwise tests, unlike max-T, may contradict each other
        return Ranked(_record(method, groups, names, p, str(error)))
    return Ranked(
        _record(method, groups, names, p, ""),
        dict(zip(names, found.tier, strict=True)),
        dict(zip(names, found.rank, strict=True)),
    )


def _dependent(columns: Sequence[np.ndarray], human: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Adjusted p and differences of all pairs where every image is independent of every other."""
    size = len(columns)
    own = [stats.srocc(c, human) for c in columns]
    p, delta = np.ones((size, size)), np.zeros((size, size))
    pairs = [(a, b) for a in range(size) for b in range(a)]
    raw = []
    for a, b in pairs:
        delta[a, b] = own[a] - own[b]
        delta[b, a] = -delta[a, b]
        both = stats.srocc(columns[a], columns[b])
        test = stats.dependent.meng_rosenthal_rubin(own[a], own[b], min(both, 1 - 1e-12), len(human))
        raw.append(test.p if np.isfinite(test.p) else 1.0)
    for (a, b), value in zip(pairs, stats.holm(raw), strict=True):
        p[a, b] = p[b, a] = value
    return p, delta


def _pick(per: stats.Within, order: Sequence[str]) -> np.ndarray:
    place = {name: n for n, name in enumerate(per.groups)}
    return np.array([per.values[place[name]] for name in order])


def _record(method: str, groups: int, names: list[str], p: np.ndarray | None, reason: str) -> Ranking:
    table = [[number(v, 4) for v in row] for row in p.tolist()] if p is not None else []
    return {"method": method, "n_groups": groups, "names": names, "p": table, "reason": reason}
