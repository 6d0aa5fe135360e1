"""What a run on a human-rated set says about metrics: how far to trust each, and which score its values mean."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .. import stats
from ..board.agreement import blank, number
from ..document import Cell, Leaderboard, MetricRow
from ..errors import UsageError
from ..stats.interval import LEAST_GROUPS
from .document import Calibration, Prediction, Trust
from .inputs import Run
from .views import Judge
from .wins import Dice

MOST_OUTSIDE = 0.10
"""Share of this run's images that may lie beyond the range a curve was fitted on."""
FEWEST = 3
"""Generators of the calibration set that an error needs."""
STATISTICS = {"srocc_within": "SROCC within references, whole set", "srocc_pooled": "SROCC pooled, whole set"}
GAN = "SROCC on GAN outputs"


def describe(rated: Run, run: Run) -> Calibration:
    """The card of a calibration run.

    Raises:
        UsageError: no people scored its images.
    """
    board = rated.board
    score = board["dataset"]["score"]
    if score is None or score["kind"] == "severity":
        raise UsageError(
            f"{rated.folder}: no people scored these images; calibrate with a run on a human-rated set", code="E-CFG"
        )
    card = board["dataset"]
    return {
        "title": board["title"],
        "dataset": card["name"],
        "digest": card["digest"],
        "score": score,
        "n_references": card["n_references"],
        "n_generators": card["n_generators"],
        "same_images": card["digest"] == run.board["dataset"]["digest"],
    }


def trusted(rated: Run, run: Run, names: Sequence[str]) -> dict[str, Trust]:
    """How far each metric agrees with people: on GAN outputs, else by the headline of the whole set."""
    theirs = rated.metrics
    found: dict[str, Trust] = {}
    for name in names:
        row = theirs.get(name)
        if row is None:
            found[name] = {"srocc": blank("not on the calibration run's board"), "what": "", "tier": None}
        elif row["digest"] != run.metrics[name]["digest"]:
            found[name] = {"srocc": blank(_differs(rated)), "what": "", "tier": None}
        else:
            found[name] = trust(row, rated.board)
    return found


def trust(row: MetricRow, board: Leaderboard) -> Trust:
    """Of one row of a metric leaderboard."""
    headline = board["settings"]["headline"]
    gan = row["classes"].get("family:gan")
    usable = gan is not None and gan["srocc"]["value"] is not None and gan["srocc"]["low"] is not None
    whole: Cell = row[headline]
    if gan is not None and usable:
        return {"srocc": gan["srocc"], "what": GAN, "tier": row["tier"]}
    if whole["value"] is None and row["reason"] and "reason" not in whole:
        whole = blank(row["reason"])
    return {"srocc": whole, "what": STATISTICS[headline], "tier": row["tier"]}


def predict(
    rated: Run, run: Run, names: Sequence[str], generators: Sequence[str], found: dict[str, Judge], dice: Dice
) -> list[Prediction]:
    """Human scores of this run's generators, one prediction per metric or the reason why there is none."""
    return [_predict(rated, run, name, generators, found[name], dice) for name in names]


def _predict(rated: Run, run: Run, name: str, generators: Sequence[str], judge: Judge, dice: Dice) -> Prediction:
    made: Prediction = {
        "metric": name, "status": "refused", "reason": "", "kind": "", "error": None, "n_generators": 0,
        "outside": None, "predicted": {},
    }  # fmt: skip
    row = rated.metrics.get(name)
    if row is None or name not in rated.values:
        return _refused(made, "the calibration run did not score this metric; add it there")
    if row["digest"] != judge.row["digest"]:
        return _refused(made, _differs(rated))
    if row["fit"]["kind"] == "undefined":
        note = row["fit"]["note"] or row["reason"] or "no curve was fitted"
        return _refused(made, f"no calibration curve: {note}")
    curve = stats.Mapping(row["fit"]["kind"], tuple(row["fit"]["b"]), float("nan"), row["n_used"])
    made["kind"] = curve.kind
    values = rated.values[name]
    fitted = np.array([role != "reference" for role in rated.text["role"]]) & np.isfinite(rated.score)
    fitted &= np.isfinite(values)
    if not fitted.any():
        return _refused(made, "scores.csv of the calibration run has no value of this metric")
    low, high = float(values[fitted].min()), float(values[fitted].max())
    ours = run.limits[name]
    with np.errstate(invalid="ignore"):
        beyond = ~((ours >= low) & (ours <= high))
    outputs = [n for g in generators for n in run.rows(g) if run.text["role"][n] != "reference"]
    outside = float(beyond[outputs].mean()) if outputs else 1.0
    made["outside"] = number(outside)
    if outside > MOST_OUTSIDE:
        return _refused(
            made,
            f"{outside:.0%} of the images lie beyond the calibrated range ({low:.4g} to {high:.4g}); the curve says "
            "nothing there",
        )
    residuals = _residuals(rated, values, fitted, curve)
    if len(residuals) >= FEWEST:
        made["error"], made["n_generators"] = number(_error(residuals)), len(residuals)
    made["status"] = "ok"
    score = np.full(len(ours), np.nan)
    finite = np.isfinite(ours)
    score[finite] = curve(ours[finite])
    per = run.means(score, generators)
    for g, generator in enumerate(generators):
        mine = beyond[run.rows(generator)]
        if mine.mean() > 0.5:
            made["predicted"][generator] = blank("most of its images lie beyond the calibrated range")
        else:
            made["predicted"][generator] = _interval(per[:, g], residuals, dice)
    return made


def _refused(made: Prediction, reason: str) -> Prediction:
    made["reason"] = reason
    return made


def _residuals(rated: Run, values: np.ndarray, fitted: np.ndarray, curve: stats.Mapping) -> np.ndarray:
    """(mean predicted - mean human) of each generator of the calibration set, over the same images.

    The curve was fitted on all of them and nothing is left out or taken off: with few generators the spread is
    a little too small.
    """
    maker = np.array(rated.text["generator"])
    return np.array(
        [
            float(np.mean(curve(values[mine]) - rated.score[mine]))
            for g in sorted(set(maker[fitted].tolist()) - {""})
            if (mine := fitted & (maker == g)).any()
        ]
    )


def _error(residuals: np.ndarray) -> float:
    """Root mean square about zero, not about their mean: an offset shared by all generators is an error as well."""
    return float(np.sqrt(np.sum(residuals**2) / (len(residuals) - 1)))


def _interval(per: np.ndarray, residuals: np.ndarray, dice: Dice) -> Cell:
    """Mean predicted score with an interval from both sources of error.

    Student's t with one degree of freedom less than there are generators in the calibration, times the root of
    (mean square of their residuals + variance of the mean over resampled references of this run).
    """
    from scipy.stats import t

    if not np.isfinite(per).all():
        lacking = int((~np.isfinite(per)).sum())
        return blank(f"no finite value on {lacking} of {len(per)} references")
    made: Cell = {"value": number(float(per.mean())), "low": None, "high": None}
    if len(residuals) < FEWEST:
        made["reason"] = f"no interval: the calibration has {len(residuals)} generators, an error needs {FEWEST}"
        return made
    if len(per) < LEAST_GROUPS:
        made["reason"] = f"too few references for an interval ({len(per)}; {LEAST_GROUPS} are needed)"
        return made
    drawn = dice.draws("references", len(per), 1) @ per / len(per)
    spread = float(np.sqrt(_error(residuals) ** 2 + np.var(drawn, ddof=1)))
    half = float(t.ppf((1 + dice.level) / 2, len(residuals) - 1)) * spread
    made["low"], made["high"] = number(float(per.mean()) - half), number(float(per.mean()) + half)
    return made


def _differs(rated: Run) -> str:
    return (
        f"measured otherwise on {rated.board['dataset']['name']}: other parameters, weights, version or image gate "
        "(the identities differ); run both with the same"
    )
