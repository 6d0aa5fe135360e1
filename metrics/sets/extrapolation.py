"""Fréchet distance extrapolated to infinitely many generated images.

The distance of N images, FD_N, is biased upwards by about b / N. It is taken for 15 sizes of N on seeded random
subsets of the generated images, all against the same real ones, and a straight line FD_N = a + b / N is fitted by
least squares: the intercept a is the answer. The bias that comes from the number of **real** images stays.

Chong, Forsyth: Effectively unbiased FID and Inception Score and where to find them. Conference on Computer
Vision and Pattern Recognition, 2020. arXiv:1911.07023

Sizes are spread evenly over N, from a tenth of all images (but not below ``smallest``) to all of them, as in the
authors' code, which begins at 5,000 of 50,000. Which images a subset holds depends on the seed and on the
features, not on their order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..memory import recall
from .fid import FEWEST
from .frechet import gaussian, moments
from .inputs import check, drawn

if TYPE_CHECKING:
    from torch import Tensor

SIZES = 15


class Line(NamedTuple):
    """A fit of FD_N = value + slope / N."""

    value: float
    """The intercept: the distance at infinite N. It may be slightly negative."""
    se: float
    """Standard error of the intercept in this regression. The subsets share images, so it tells how well the points
    lie on a line and less than the whole uncertainty of the value."""
    slope: float
    sizes: tuple[int, ...]
    distances: tuple[float, ...]


def frechet_at_infinity(
    generated: Tensor, real: Tensor, *, smallest: int = FEWEST, seed: int = 0, name: str = "fid-inf"
) -> Line:
    """Extrapolate the Fréchet distance between (N,D) and (M,D) features to infinite N.

    Args:
        generated: features of generated images, at least twice ``smallest``.
        real: features of real images, likewise.
        smallest: fewest images of a subset; below the dimension D the covariance has no full rank.
        seed: of the subsets.
        name: for messages.

    Raises:
        ValueError: shapes that do not fit, values that are not finite, or too few images.
    """
    import torch

    check_smallest(name, smallest)
    check(name, generated, real, 2 * smallest, "smallest (half that number)")
    images = generated.shape[0]
    sizes = torch.linspace(max(smallest, images // 10), images, SIZES, dtype=torch.float64).round().int().tolist()
    random = torch.Generator().manual_seed(seed)
    target = recall(real, "gaussian", gaussian)
    distances = [target.distance(*moments(drawn(generated, size, random))) for size in sizes]
    return fit(sizes, distances)


def check_smallest(name: str, smallest: int) -> None:
    """Raises ValueError where the sizes could not differ."""
    if smallest < SIZES:
        raise ValueError(
            f"{name}: smallest={smallest}; {SIZES} subsets of different sizes need at least {SIZES} images"
        )


def fit(sizes: list[int], distances: list[float]) -> Line:
    """Least squares of distances against 1 / size.

    Raises:
        ValueError: fewer than three different sizes.
    """
    import numpy as np

    if len(set(sizes)) < 3:
        raise ValueError(f"{len(set(sizes))} different sizes; a line and its error need at least 3")
    (slope, value), covariance = np.polyfit([1 / size for size in sizes], distances, 1, cov=True)
    return Line(float(value), float(covariance[1, 1]) ** 0.5, float(slope), tuple(sizes), tuple(distances))
