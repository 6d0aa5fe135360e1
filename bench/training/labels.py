"""Human scores on the scale that networks learn: fitted on the training split alone, kept with the weights.

``learned = (sign * score - offset) / unit``; higher is better. ``min-max`` maps the training scores to [0,1],
``z-score`` to mean 0 and (population) deviation 1. ``ckdn`` is (Elo - 900) / 1000 where all training scores are Elo
points between 900 and 1900; on all others it is ``min-max``, as the network it is for answers between 0 and 1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import IntegrityError, UsageError
from ..types import Scale

ELO = math.log(10) / 400
"""Slope of the logistic curve of Elo scores, per point."""


def is_elo(scale: Scale | None) -> bool:
    """Whether scores are Elo points."""
    return scale is not None and scale.kind.casefold() == "elo"


@dataclass(frozen=True, slots=True)
class Scaler:
    """One scale, and the split it was fitted on."""

    kind: str
    offset: float
    unit: float
    sign: int
    split: str

    @classmethod
    def fit(cls, kind: str, scores: Sequence[float], sign: int, split: str, *, elo: bool = False) -> Scaler:
        """Fit on training scores as the data set has them; ``elo``: they are Elo points.

        Raises:
            UsageError: no scores, or all alike.
        """
        values = sign * np.asarray(scores, dtype=np.float64)
        if not len(values):
            raise UsageError("the training split has no human score; choose data with scores", code="E-CFG")
        if kind == "ckdn" and elo and values.min() >= 900 and values.max() <= 1900:
            return cls(kind, 900.0, 1000.0, sign, split)
        kind = "z-score" if kind == "z-score" else "min-max"
        offset = float(values.min() if kind == "min-max" else values.mean())
        unit = float(np.ptp(values) if kind == "min-max" else values.std())
        if not unit > 0:
            raise UsageError("all human scores of the training split are equal; nothing can be learnt", code="E-CFG")
        return cls(kind, offset, unit, sign, split)

    def __call__(self, scores: ArrayLike) -> NDArray[np.float64]:
        """Scores of the data set to the learned scale."""
        return (self.sign * np.asarray(scores, dtype=np.float64) - self.offset) / self.unit

    def people(self, learned: ArrayLike) -> NDArray[np.float64]:
        """Learned values to the units of the data set, still with higher = better."""
        return np.asarray(learned, dtype=np.float64) * self.unit + self.offset

    @property
    def elo_slope(self) -> float:
        """k of the Elo loss for these labels: 200 Elo points are a probability of 0.76 on any scale."""
        return ELO * self.unit

    def document(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def read(cls, document: dict[str, Any], split: str = "") -> Scaler:
        """Back from ``document``.

        Raises:
            IntegrityError: it was fitted on another split than ``split``.
        """
        scaler = cls(**document)
        if split and scaler.split != split:
            raise IntegrityError(
                f"the label scale was fitted on split {scaler.split[:12]}, and this is split {split[:12]}; "
                "use the split the checkpoint was trained with",
                code="E-SPLIT",
            )
        return scaler
