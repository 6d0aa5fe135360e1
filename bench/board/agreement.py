"""How far one column agrees with people: every statistic of a board's row, with its interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

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
        answer["reason"] = estimate.reason
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
    """SROCC between all pairs of columns: mean over groups within blocks, or pooled."""
    size = len(columns)
    matrix: list[list[float | None]] = [[None] * size for _ in range(size)]
    for a in range(size):
        matrix[a][a] = 1.0
        for b in range(a):
            both = np.isfinite(columns[a]) & np.isfinite(columns[b])
            x, y = columns[a][both], columns[b][both]
            if inside:
                per = stats.within(x, y, frame.groups[both], frame.blocks[both]).values
                value = float(per.mean()) if len(per) else float("nan")
            else:
                value = stats.srocc(x, y)
            matrix[a][b] = matrix[b][a] = number(value)
    return matrix
