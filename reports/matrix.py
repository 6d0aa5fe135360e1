"""The order of the metric-agreement matrix: metrics that order images alike stand together."""

from __future__ import annotations

from dataclasses import dataclass

from ..bench.document import Agreement

PEOPLE = ("human", "severity")
"""What the document calls the scores that metrics are compared with."""


@dataclass(frozen=True, slots=True)
class Matrix:
    names: list[str]
    """People first, where they are in it; then metrics by average-linkage clustering on 1 - |SROCC|."""
    values: list[list[float | None]]


def build(agreement: Agreement) -> Matrix:
    """Reorder the document's matrix; the order depends on its values alone."""
    names, values = agreement["names"], agreement["srocc"]
    first = [n for n, name in enumerate(names) if name in PEOPLE]
    rest = _clustered([n for n, name in enumerate(names) if name not in PEOPLE], names, values)
    order = first + rest
    return Matrix([names[n] for n in order], [[values[a][b] for b in order] for a in order])


def _clustered(index: list[int], names: list[str], values: list[list[float | None]]) -> list[int]:
    if len(index) < 3:
        return index
    import numpy as np
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import squareform

    index = sorted(index, key=lambda n: names[n])
    # Rounded, so that the last digit of a coefficient decides no tie.
    distance = np.array([[1 - abs(values[a][b] or 0.0) for b in index] for a in index]).round(6)
    distance = np.maximum((distance + distance.T) / 2, 0)
    np.fill_diagonal(distance, 0)
    tree = linkage(squareform(distance, checks=False), method="average", optimal_ordering=len(index) <= 60)
    leaves = [index[n] for n in leaves_list(tree)]
    return leaves if names[leaves[0]] <= names[leaves[-1]] else leaves[::-1]
