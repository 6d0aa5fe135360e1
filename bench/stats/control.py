"""Predictions without looking at the image: what a metric must beat to have seen anything."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .arrays import Floats, codes, vector


def leave_one_out_means(y: ArrayLike, groups: ArrayLike, labels: ArrayLike) -> Floats:
    """For each item the mean human score of its label over the OTHER groups.

    With the generator as label it is the score of "knowing which model made it"; on PIPAL's training labels
    that alone reaches an SROCC of .77. Do not put it through ``agreement.residual``: leaving an item out moves
    its prediction against the item's own score, so the residuals mirror each other and give -1.

    Args:
        y: human scores (n,).
        groups: reference of each item.
        labels: generator or distortion class of each item.

    Returns:
        Predictions (n,); nan where the label occurs in no other group.
    """
    values = vector(y, "y", finite=True)
    _, group = codes(groups, len(values), "groups")
    kinds, label = codes(labels, len(values), "labels")
    if not len(values):
        return np.empty(0)
    cells, cell = np.unique(group * len(kinds) + label, return_inverse=True)
    # Deviations from the overall mean: sums of large scores would lose digits in the subtraction.
    centre = values.mean()
    deviation = values - centre
    total = np.bincount(label, deviation, len(kinds))[label] - np.bincount(cell, deviation, len(cells))[cell]
    count = np.bincount(label, minlength=len(kinds))[label] - np.bincount(cell, minlength=len(cells))[cell]
    return np.where(count > 0, centre + total / np.maximum(count, 1), np.nan)
