"""k-nearest-neighbour balls around two sets of features: the common ground of precision, recall, density, coverage.

The ball of a feature reaches to its k-th nearest neighbour **within its own set, itself not counted**. (Code
that finds neighbours by sorting a whole row of distances counts the feature itself, at distance 0, and takes
entry k + 1: the same radius.) A feature of the other set lies inside a ball at a distance up to and including
the radius for precision and recall, as their paper writes it, and strictly below the radius for density and
coverage, as the authors' code has it. The two differ only where distances are equal, above all when images of
one set are copies of those in the other: two identical sets have density exactly 1 with the strict rule.

Kynkäänniemi, Karras, Laine, Lehtinen, Aila: Improved precision and recall metric for assessing generative
models. Advances in Neural Information Processing Systems 32, 2019. arXiv:1904.06991

Naeem, Oh, Uh, Choi, Yoo: Reliable fidelity and diversity metrics for generative models. International
Conference on Machine Learning, 2020. arXiv:2002.09797

Squared Euclidean distances are computed in float64, tile by tile, in three passes (within either set, and
across), once for all four metrics: the answer for a pair of sets is remembered (memory.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from ..memory import recall, recall_pair
from .inputs import check, drawn

if TYPE_CHECKING:
    from torch import Tensor

USUAL = (3, 5)
"""Values of k that are counted in one go: those of the two papers."""
FEWEST = 100
"""Default guard: below it one image moves a share by more than a percent."""
TILE = 2048
"""Rows and columns of a matrix of distances in memory at once."""
EQUAL = 1e-12
"""Squared distances below this part of the squared lengths are rounding errors: the features are equal."""


class Counts(NamedTuple):
    """What the balls of radius k hold."""

    precision: float
    """Share of generated features inside the ball of any real one."""
    recall: float
    """Share of real features inside the ball of any generated one."""
    density: float
    """Real balls around a generated feature on average, divided by k."""
    coverage: float
    """Share of real balls that hold any generated feature."""


def check_neighbours(name: str, k: int, n: int, least_n: int) -> None:
    """Raises ValueError for parameters that no sets can satisfy."""
    if k < 1 or least_n <= k or (n and n < least_n):
        raise ValueError(
            f"{name}: k={k}, n={n}, least_n={least_n}; give k of at least 1, least_n above k, and n of at least "
            "least_n (or 0 for all images)"
        )


def neighbours(name: str, generated: Tensor, real: Tensor, k: int, n: int, seed: int, least_n: int) -> Counts:
    """Precision, recall, density and coverage at ``k``.

    Args:
        name: of the metric, for messages.
        generated: (N,D) features of generated images.
        real: (M,D) features of real images.
        k: neighbours that set the radius.
        n: images to draw from either set; 0 takes all, and then there must be as many of one as of the other.
        seed: of the draws, one from either set, which have nothing to do with each other.
        least_n: fewest images per set.

    Raises:
        ValueError: shapes that do not fit, fewer than ``least_n`` or ``n`` images, or unequal sizes.
    """
    import torch

    check(name, generated, real, max(least_n, n), "" if n > least_n else "least_n")
    sizes = generated.shape[0], real.shape[0]
    if not n and sizes[0] != sizes[1]:
        raise ValueError(
            f"{name}: {sizes[0]} generated and {sizes[1]} real images, and the value depends on both numbers; "
            f"give n={min(sizes)} to draw as many from either set"
        )
    wanted = USUAL if k in USUAL and max(USUAL) < (n or sizes[0]) else (k,)
    what = f"balls n={n} seed={seed} k={wanted}"

    def balls(rows: Tensor, stream: int) -> tuple[Tensor, Tensor]:
        # Each set has random numbers of its own: with the same, the same places of both would be drawn.
        chosen = drawn(rows, n, torch.Generator().manual_seed(2 * seed + stream)) if n else rows
        return chosen, radii(chosen, wanted)

    def counted(generated: Tensor, real: Tensor) -> dict[int, Counts]:
        # The real set is that of every generator in turn.
        return _counts(*balls(generated, 0), *recall(real, what, lambda rows: balls(rows, 1)), wanted)

    return recall_pair(generated, real, what, counted)[k]


def _counts(
    generated: Tensor, around_generated: Tensor, real: Tensor, around_real: Tensor, wanted: tuple[int, ...]
) -> dict[int, Counts]:
    import torch

    rows, columns = real.shape[0], generated.shape[0]
    nearest = torch.full((rows,), torch.inf, dtype=torch.float64, device=real.device)
    within_any = {k: torch.zeros(columns, dtype=torch.bool, device=real.device) for k in wanted}
    covered = {k: torch.zeros(rows, dtype=torch.bool, device=real.device) for k in wanted}
    around = dict.fromkeys(wanted, 0)
    for i, j, distances in _tiles(real, generated):
        nearest[i] = torch.minimum(nearest[i], distances.amin(dim=1))
        for n, k in enumerate(wanted):
            radius = around_real[i, n, None]
            within_any[k][j] |= (distances <= radius).any(dim=0)
            around[k] += int((distances < radius).sum())
            covered[k][i] |= (distances <= around_generated[None, j, n]).any(dim=1)
    return {
        k: Counts(
            precision=int(within_any[k].sum()) / columns,
            recall=int(covered[k].sum()) / rows,
            density=around[k] / (k * columns),
            coverage=int((nearest < around_real[:, n]).sum()) / rows,
        )
        for n, k in enumerate(wanted)
    }


def radii(rows: Tensor, wanted: tuple[int, ...]) -> Tensor:
    """(N,len(wanted)) squared distances to the k-th nearest other row."""
    import torch

    most = max(wanted)
    near = torch.full((rows.shape[0], most), torch.inf, dtype=torch.float64, device=rows.device)
    for i, j, distances in _tiles(rows, rows):
        if i == j:
            distances.fill_diagonal_(torch.inf)
        known = torch.cat([near[i], distances], dim=1)
        near[i] = known.topk(most, dim=1, largest=False, sorted=True).values
    return near[:, [k - 1 for k in wanted]]


def _tiles(x: Tensor, y: Tensor) -> Iterator[tuple[slice, slice, Tensor]]:
    """Squared distances between rows of ``x`` and of ``y``, a part at a time, with where the part lies.

    Real features come first in every pass, so that a copy of a set has the very distances of the set.
    """
    for top in range(0, x.shape[0], TILE):
        i = slice(top, min(top + TILE, x.shape[0]))
        a = x[i].double()
        length_a = a.square().sum(dim=1)[:, None]
        for left in range(0, y.shape[0], TILE):
            j = slice(left, min(left + TILE, y.shape[0]))
            b = y[j].double()
            lengths = length_a + b.square().sum(dim=1)
            distances = lengths - 2 * (a @ b.T)
            distances[distances < EQUAL * lengths] = 0
            yield i, j, distances
