"""Squared maximum mean discrepancy under a polynomial kernel, unbiased.

Gretton, Borgwardt, Rasch, Schölkopf, Smola: A kernel two-sample test. Journal of Machine Learning Research
13, 2012 (equation 3: the U-statistic). Kernel of arXiv:1801.01401.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .inputs import sets

if TYPE_CHECKING:
    from torch import Tensor

ROWS = 1024
"""Rows of a kernel matrix in memory at once."""


FEWEST = 100
"""Default guard. The value is unbiased at every number of images and its noise is not: for two samples of one
distribution its standard deviation goes with 1 / N, and at 100 images it is 20 times what it is at 2,000."""


def check_subsets(name: str, subsets: int, size: int, least_n: int) -> None:
    """Raises ValueError for numbers that no drawing can satisfy."""
    if least_n < 2:
        raise ValueError(f"{name}: least_n={least_n}; there are no pairs among fewer than 2 images, give 2 or more")
    if subsets < 0 or size < 2:
        raise ValueError(
            f"{name}: subsets={subsets}, subset_size={size}; give subsets of at least 2 images, or subsets=0 for all"
        )


def polynomial_mmd(
    name: str,
    generated: Tensor,
    real: Tensor,
    subsets: int = 0,
    size: int = 1000,
    seed: int = 0,
    least_n: int = FEWEST,
) -> float:
    """Unbiased squared MMD of (N,D) and (M,D) features, k(x, y) = (x.y / D + 1)^3.

    Raises:
        ValueError: shapes that do not fit, or fewer images than ``least_n`` or than a subset.
    """
    import torch

    generated, real = sets(name, generated, real, least_n, "least_n" if least_n > 2 else "")
    if not subsets:
        return _u_statistic(generated, real)
    fewest = min(generated.shape[0], real.shape[0])
    if fewest < size:
        raise ValueError(
            f"{name}: subset_size={size} and only {fewest} images in one of the sets; lower it, or use subsets=0"
        )
    random = torch.Generator().manual_seed(seed)

    def some(rows: Tensor) -> Tensor:
        return rows[torch.randperm(rows.shape[0], generator=random)[:size].to(rows.device)]

    return sum(_u_statistic(some(generated), some(real)) for _ in range(subsets)) / subsets


def _u_statistic(x: Tensor, y: Tensor) -> float:
    n, m = x.shape[0], y.shape[0]
    within_x = (_sum(x, x) - float(_kernel(x, x).sum())) / (n * (n - 1))
    within_y = (_sum(y, y) - float(_kernel(y, y).sum())) / (m * (m - 1))
    return within_x + within_y - 2 * _sum(x, y) / (n * m)


def _kernel(x: Tensor, y: Tensor) -> Tensor:
    """Row by row."""
    return ((x * y).sum(dim=1) / x.shape[1] + 1) ** 3


def _sum(x: Tensor, y: Tensor) -> float:
    """Of the whole kernel matrix, in stripes."""
    return sum(float(((stripe @ y.T / x.shape[1] + 1) ** 3).sum()) for stripe in x.split(ROWS))
