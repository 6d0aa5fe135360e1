"""How far one column agrees with people: every statistic of a board's row, with its interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from .. import stats
from ..document import Cell, ClassCell, Fit, WithinSpread
from ..types import Estimate

# Decimals kept in the document: far below the Monte-Carlo error of the intervals, and the same text on
# machines whose last digits differ.
DIGITS = 6

# References times images up to which the mapping is fitted anew for every left-out reference. Above, one
# curve is held: it has four parameters against tens of thousands of images.
MOST_REFITTED = 500_000


@dataclass(frozen=True)
class Frame:
    """The rows a board is made from: human scores with their direction removed, and who belongs together."""

    scores: np.ndarray
    """As given by the data set."""
    sign: int
    groups: np.ndarray
    blocks: np.ndarray
    generators: np.ndarray
    level: float
    resamples: int
    seed: int
    crossed: bool
    """Whether generators are crossed with references, so that claims about new generators can be made."""

    @property
    def oriented(self) -> np.ndarray:
        return self.sign * self.scores

    def rows(self, chosen: np.ndarray) -> Frame:
        """The same frame with some of its rows."""
        return Frame(
            self.scores[chosen], self.sign, self.groups[chosen], self.blocks[chosen], self.generators[chosen],
            self.level, self.resamples, self.seed, self.crossed,
        )  # fmt: skip


def cell(estimate: Estimate) -> Cell:
    """An estimate as plain JSON."""
    answer: Cell = {"value": number(estimate.value), "low": number(estimate.low), "high": number(estimate.high)}
    if estimate.reason:
        answer["reason"] = estimate.reason.removeprefix("undefined: ")  # which a cell without a value says already
    return answer


def blank(reason: str) -> Cell:
    return {"value": None, "low": None, "high": None, "reason": reason}


def number(value: float | None, digits: int = DIGITS) -> float | None:
    """A finite float with a bounded number of significant digits, or None."""
    if value is None or not np.isfinite(value):
        return None
    return float(f"{float(value):.{digits}g}")


def pooled(frame: Frame, x: np.ndarray, which: str) -> Cell:
    """A coefficient over all rows, interval by delete-one-group jackknife."""
    coefficient = {"srocc": stats.srocc, "krocc": stats.krocc, "plcc": stats.plcc}[which]
    return cell(stats.pooled_estimate(coefficient, x, frame.oriented, frame.groups, frame.level))


def within(frame: Frame, x: np.ndarray) -> tuple[Cell, WithinSpread, stats.Within]:
    """The mean of the groups' own SROCC, interval by bootstrap-t over groups."""
    per = stats.within(x, frame.oriented, frame.groups, frame.blocks)
    if not len(per.values):
        reason = "no group holds 5 or more items with distinct scores"
        return blank(reason), {"median": None, "p10": None, "worst": None, "worst_group": ""}, per
    # Keyed by the statistic alone: every metric sees the same resamples, and adding one changes no other.
    rng = stats.generator(frame.seed, "within-srocc")
    estimate = stats.within_estimate(per, frame.level, frame.resamples, rng=rng)
    worst = int(np.argmin(per.values))
    spread: WithinSpread = {
        "median": number(float(np.median(per.values))),
        "p10": number(float(np.quantile(per.values, 0.1))),
        "worst": number(float(per.values[worst])),
        "worst_group": per.groups[worst],
    }
    return cell(estimate), spread, per


def two_way(frame: Frame, x: np.ndarray) -> Cell:
    """Within-SROCC with the interval for new references and new generators."""
    if not frame.crossed:
        return blank("generators are not crossed with references")
    rng = stats.generator(frame.seed, "two-way")
    return cell(
        stats.two_way_estimate(
            x,
            frame.oriented,
            frame.groups,
            frame.generators,
            frame.level,
            frame.resamples,
            rng=rng,
            blocks=frame.blocks,
        )
    )


def mapped(frame: Frame, values: np.ndarray, agrees: int) -> tuple[Cell, Cell, Fit]:
    """PLCC and RMSE after the monotone fit of metric values to human scores, and the fit itself.

    Args:
        frame: the rows.
        values: the metric as printed (direction kept).
        agrees: +1 if a rising metric should go with a rising human score, else -1. A curve that goes the other
            way gives a negative PLCC: a sign is never hidden.
    """
    fit = stats.fit(values, frame.scores)
    parameters: Fit = {"kind": fit.kind, "b": [float(f"{b:.10g}") for b in fit.b], "note": fit.note}
    fitted = fit(values)
    way = stats.srocc(values, frame.scores)
    sign = -1 if way * agrees < 0 else 1
    if fit.kind == "undefined":
        reason = fit.note or "the fit is undefined"
        return blank(reason), blank(reason), parameters
    groups = len(set(frame.groups.tolist()))
    if groups * len(values) <= MOST_REFITTED and groups < len(values):
        # The curve is fitted anew without each reference, so that the interval knows of its freedom.
        def refitted(x: np.ndarray, y: np.ndarray) -> float:
            return sign * stats.fitted_plcc(x, y, start=fit)

        plcc = cell(stats.pooled_estimate(refitted, values, frame.scores, frame.groups, frame.level))
    else:
        plcc = cell(stats.pooled_estimate(stats.plcc, sign * fitted, frame.scores, frame.groups, frame.level))
    rmse: Cell = {
        "value": number(stats.rmse(frame.scores, fitted, fit.free)),
        "low": None,
        "high": None,
    }
    return plcc, rmse, parameters


def in_class(frame: Frame, x: np.ndarray) -> ClassCell:
    """Agreement inside one class: within blocks where they hold enough of it, else with block offsets removed."""
    n = len(x)
    answer: ClassCell = {
        "srocc": blank("fewer than 5 items"),
        "n": n,
        "n_groups": len(set(frame.groups.tolist())),
        "spread": number(float(np.std(frame.scores))) if n else None,
    }
    if n < 5:
        return answer
    found, _, per = within(frame, x)
    if per.n >= n / 2:
        answer["srocc"] = found
    elif len(set(frame.blocks.tolist())) == n:
        answer["srocc"] = pooled(frame, x, "srocc")
    else:
        answer["srocc"] = cell(
            stats.pooled_estimate(
                stats.srocc,
                stats.centred(x, frame.blocks),
                stats.centred(frame.oriented, frame.blocks),
                frame.groups,
                frame.level,
            )
        )
    return answer


def spearman_matrix(columns: Sequence[np.ndarray], frame: Frame, inside: bool) -> list[list[float | None]]:
    """SROCC between all pairs of columns on the rows where all have a value.

    Args:
        columns: oriented values, NaN where there is none.
        frame: who belongs together.
        inside: mean over groups of the coefficients within blocks of at least 5, else one pooled coefficient.
    """
    rows = np.flatnonzero(np.isfinite(np.column_stack(columns)).all(axis=1))
    table = np.column_stack(columns)[rows]
    if not inside:
        return [[number(v) for v in line] for line in _spearman(table)]
    by_group: dict[str, list[np.ndarray]] = {}
    for block in np.unique(frame.blocks[rows]):
        members = np.flatnonzero(frame.blocks[rows] == block)
        if len(members) >= 5:
            by_group.setdefault(str(frame.groups[rows][members[0]]), []).append(_spearman(table[members]))
    if not by_group:
        return [[1.0 if a == b else None for b in range(len(columns))] for a in range(len(columns))]
    means = [_mean(matrices) for matrices in by_group.values()]
    return [[number(v) for v in line] for line in _mean(means)]


def _spearman(table: np.ndarray) -> np.ndarray:
    """(n, k) -> (k, k); NaN where a column is constant."""
    ranks = rankdata(table, axis=0)
    ranks -= ranks.mean(axis=0)
    size = np.sqrt((ranks**2).sum(axis=0))
    ranks /= np.where(size > 0, size, np.nan)
    found = np.clip(ranks.T @ ranks, -1, 1)
    np.fill_diagonal(found, 1.0)
    return found


def _mean(matrices: Sequence[np.ndarray]) -> np.ndarray:
    """Mean over matrices, cell by cell, of those that have a value."""
    stack = np.stack(matrices)
    known = np.isfinite(stack)
    total = np.where(known, stack, 0).sum(axis=0)
    return np.where(known.any(axis=0), total / np.maximum(known.sum(axis=0), 1), np.nan)
