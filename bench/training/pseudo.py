"""Labels without people: several full-reference metrics, brought to one scale and averaged.

Each metric's scores are mapped by a logistic curve to their ranks (0 worst, 1 best) among the images of the training
split; the pseudo-MOS is the mean of the mapped scores, weighted by how well the metric ranks PIPAL (published SRCC), or
equally in a run that must know nothing of PIPAL. The curves are fitted on the training split alone and carry its
digest.

What was learnt from these labels agrees with metrics; it is never reported as agreement with people.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from .. import stats
from ..errors import IntegrityError, UsageError
from ..manifest import Manifest
from ..measure import measure
from ..progress import Progress
from ..spec import digest
from ..stats.mapping import Mapping as Curve
from ..types import Scale
from .crops import rng
from .data import TrainingSet

SRCC: dict[str, float] = {
    "ms-ssim": 0.55,
    "iw-ssim": 0.60,
    "vifp": 0.50,
    "fsimc": 0.59,
    "gmsd": 0.58,
    "mdsi": 0.59,
    "haarpsi": 0.59,
    "vsi": 0.54,
    "dss": 0.63,
}
"""Published rank correlation with PIPAL, in absolute value (package metadata of piq 0.8; FSIMc taken as FSIM)."""
LARGE = frozenset({"ms-ssim", "iw-ssim"})
"""Metrics that need at least ``LEAST`` pixels per side."""
LEAST = 161
SCALE = Scale("pseudo-MOS", "higher", 0.0, 1.0)


def members(shortest: int, judges: Mapping[str, float] = SRCC) -> tuple[str, ...]:
    """Metrics of the ensemble for images whose shortest side is this long."""
    return tuple(name for name in judges if shortest >= LEAST or name not in LARGE)


def weights(names: Sequence[str], blind: bool = False, judges: Mapping[str, float] = SRCC) -> dict[str, float]:
    """Weights that sum to 1; ``blind``: equal ones."""
    raw = {name: 1.0 if blind else judges[name] for name in names}
    return {name: value / sum(raw.values()) for name, value in raw.items()}


@dataclass(frozen=True)
class Ensemble:
    """Fitted curves with their weights."""

    curves: Mapping[str, Curve]
    weights: Mapping[str, float]
    split: str

    @classmethod
    def fit(
        cls, scores: Mapping[str, npt.ArrayLike], split: str, blind: bool = False, judges: Mapping[str, float] = SRCC
    ) -> Ensemble:
        """Calibrate on images of the training split.

        Args:
            scores: raw values by metric, the same images in the same order.
            split: digest of the split they belong to.
            blind: equal weights.
            judges: weights by metric.

        Raises:
            UsageError: fewer than 8 images, or a metric that says the same of all.
        """
        from scipy.stats import rankdata

        curves: dict[str, Curve] = {}
        for name, raw in scores.items():
            values = np.asarray(raw, dtype=np.float64)
            good = values if measure(name).info.better == "higher" else -values
            ranks = (rankdata(good) - 0.5) / max(1, len(good))
            curve = stats.fit(values, ranks)
            if curve.kind == "undefined":
                raise UsageError(f"{name} cannot be calibrated ({curve.note}); use more images", code="E-PSEUDO")
            curves[name] = curve
        return cls(curves, weights(list(curves), blind, judges), split)

    def __call__(self, scores: Mapping[str, npt.ArrayLike], split: str) -> npt.NDArray[np.float64]:
        """Pseudo-MOS in [0, 1].

        Raises:
            IntegrityError: calibrated on another split.
        """
        if split != self.split:
            raise IntegrityError(
                f"the ensemble was calibrated on split {self.split[:12]}, and this is split {split[:12]}; "
                "calibrate it again",
                code="E-SPLIT",
            )
        parts = [
            self.weights[name] * np.clip(curve(np.asarray(scores[name], dtype=np.float64)), 0, 1)
            for name, curve in self.curves.items()
        ]
        return np.sum(parts, axis=0)


def label(
    pool: TrainingSet,
    manifest: Manifest,
    folder: Path,
    split: str,
    *,
    blind: bool = False,
    judges: Mapping[str, float] | None = None,
    judged: int = 0,
    seed: int = 0,
    workers: int = 0,
    progress: Progress | None = None,
) -> TrainingSet:
    """The pool with pseudo-MOS, from ``scores.csv`` of its folder where `ganiq run` has made it, else scored now.

    Args:
        pool: images with references.
        manifest: of the same images.
        folder: for the scores; what is there is not computed again.
        split: digest of the split that the pool's references are the training part of.
        blind: equal weights.
        judges: weights by metric; by default those of ``SRCC``.
        judged: references whose images are labelled and kept. 0: all.
        seed: chooses them.
        workers: processes that score; 0: one per core; 1: this one.
        progress: told how far it is.
    """
    judges = judges or SRCC
    names = members(_shortest(pool), judges)
    table = folder / "scores.csv"
    raw = read(table, names) if table.is_file() else {}
    groups = sorted({s.group for s in pool.samples})
    if judged:
        groups = [groups[n] for n in rng(seed, "judged").permutation(len(groups))[:judged]]
    wanted = {s.key for s in pool.samples if s.group in set(groups)}
    if not wanted <= raw.keys():
        only = replace(manifest, items=tuple(i for i in manifest.items if i.key in wanted or i.role == "reference"))
        _score(only, folder, names, workers, progress)
        raw = read(table, names)
    keys = [s.key for s in pool.samples if s.key in raw and s.key in wanted]
    scores = {name: [raw[key][n] for key in keys] for n, name in enumerate(names)}
    ensemble = Ensemble.fit(scores, split, blind, judges)
    labels = dict(zip(keys, ensemble(scores, split).tolist()))
    return (pool.select(list(wanted)) if judged else pool).relabelled(labels, SCALE)


def place(folder: Path, pool: TrainingSet, judges: Mapping[str, float] | None = None) -> Path:
    """Folder of a pool's scores: ``scores``, unless there are such by other metrics; then one of these judges' own."""
    names = members(_shortest(pool), judges or SRCC)
    table = folder / "scores" / "scores.csv"
    if table.is_file():
        with table.open(encoding="utf-8", newline="") as file:
            columns = next(csv.reader(file), [])
        if columns and not set(names) <= set(columns):
            return folder / f"scores-{digest(sorted(names))[:12]}"
    return table.parent


def _shortest(pool: TrainingSet) -> int:
    return min(min(pool.pixels.size(s.image)) for s in pool.samples)


def read(table: Path, names: Sequence[str]) -> dict[str, list[float]]:
    """Finite scores by key from a ``scores.csv``; images that lack one of the metrics are left out.

    Raises:
        UsageError: a metric has no column.
    """
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    lacking = [name for name in names if rows and name not in rows[0]]
    if lacking:
        raise UsageError(
            f"{table}: it has no column {lacking[0]}; run `ganiq run --metrics {','.join(names)}` on the pool",
            code="E-PSEUDO",
        )
    return {row["key"]: [float(row[n]) for n in names] for row in rows if all(row[n] for n in names)}


def _score(manifest: Manifest, folder: Path, names: Sequence[str], workers: int, progress: Progress | None) -> None:
    from ..run import run
    from ..sweep import build

    document = {
        "data": manifest.root, "out": folder, "metrics": list(names), "gallery": False,
        "engine": {"workers": workers, "kind": "serial" if workers == 1 else "auto"}, "statistics": {"resamples": 200},
    }  # fmt: skip
    run(build(document), manifest, ["ganiq", "train"], progress)
