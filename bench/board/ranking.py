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
        return Ranked(
            _record("none", groups, names, None, f"too few references for tiers ({groups}; 8 are needed)")
        )
    if headline == "srocc_within":
        common = set.intersection(*(set(within[n].groups) for n in names))
        if len(common) < 8:
            reason = f"only {len(common)} references have a value under every metric; 8 are needed"
            return Ranked(_record("none", groups, names, None, reason))
        order = sorted(common)
        matrix = np.column_stack([_pick(within[n], order) for n in names])
        found = stats.max_t(matrix, stats.generator(frame.seed, "max-t"))
        p, delta = found.p, found.delta
        method = "max-T sign-flip over references, all pairs"
    elif single:
        p, delta = stats.dependent_family([columns[n] for n in names], frame.oriented)
        method = "Meng-Rosenthal-Rubin for dependent correlations (independent images), Holm over all pairs"
    else:
        p, delta = stats.jackknife_family([columns[n] for n in names], frame.oriented, frame.groups)
        method = "delete-one-reference jackknife-t of the difference, Holm over all pairs"
    levels, intervals = stats.tiers(p, delta, 1 - frame.level)
    return Ranked(
        _record(method, groups, names, p, ""),
        dict(zip(names, (int(t) for t in levels), strict=True)),
        dict(zip(names, ((int(a), int(b)) for a, b in intervals), strict=True)),
    )


def _pick(per: stats.Within, order: Sequence[str]) -> np.ndarray:
    place = {name: n for n, name in enumerate(per.groups)}
    return np.array([per.values[place[name]] for name in order])


def _record(method: str, groups: int, names: list[str], p: np.ndarray | None, reason: str) -> Ranking:
    table = [[number(v, 4) for v in row] for row in p.tolist()] if p is not None else []
    return {"method": method, "n_groups": groups, "names": names, "p": table, "reason": reason}
