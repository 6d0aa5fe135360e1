"""Natural image quality evaluator, as its authors' own program computes it.

The formula is that of ``niqe``: 36 statistics of every 96x96 block give a Gaussian of the image, whose distance from
that of 125 pristine photographs is the score. Range [0, inf), lower is better; good photographs score 2 to 5.

Mittal, Soundararajan, Bovik: Making a "completely blind" image quality analyzer. IEEE Signal Processing Letters 20(3),
2013. doi:10.1109/LSP.2012.2227726

Protocol: gray, rows and columns beyond a multiple of 96 cut off, borders replicated, half size by antialiased bicubic
interpolation, every block counts, sharp or not; details of MATLAB's functions as in matlab.py; float64; the authors'
pristine model. Blocks without contrast have no deviations: as in the release, each statistic is averaged over the
blocks that have it, and only complete blocks enter the covariance; NaN where fewer than two are complete. ``niqe``
differs in luma (16-235, as papers on super-resolution have it). Shortest side 192, which makes four blocks: values
of small images are coarse and higher. On five TID2013 images with values of the release: equal to 13 digits where
nothing is flat, within 0.6 % where up to 30 % of the pixels are.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, ClassVar

from ...bench.protocols import MetricInfo
from ..inputs import single
from . import niqe
from .apply import each
from .matlab import gray
from .niqe import BLOCK
from .scenes import gaussian

if TYPE_CHECKING:
    from torch import Tensor

SHAPES = (0, 2, 6, 10, 14, 18, 20, 24, 28, 32)
"""Which of the 36 statistics are shape parameters: of two scales with 18 each."""


@dataclass(frozen=True)
class NIQERelease:
    """NIQE with protocol and model of the authors' release."""

    info: ClassVar[MetricInfo] = MetricInfo(
        "niqe-release",
        "NIQE (authors' release)",
        needs="image",
        better="lower",
        bounds=(0.0, inf),
        least=2 * BLOCK,
        dtype="float64",
        weights=("niqe/pristine-live",),
        color="gray 0-255, rounded",
        cite="Mittal et al. 2013, doi:10.1109/LSP.2012.2227726",
        license="see the slot niqe/pristine-live",
        note="Tends to prefer the crisp outputs of GANs even to originals; coarse below 400 pixels.",
    )

    def __call__(self, images: Tensor, references: Tensor | None = None, /) -> Tensor:
        import torch

        from ...bench.weights import arrays

        images = single(self.info.name, images, references, least=self.info.least, dtype=torch.float64)
        model = arrays("niqe/pristine-live")
        mean, covariance = (torch.as_tensor(model[key]).to(images) for key in ("mu", "cov"))
        return each(lambda one: distance(statistics(gray(one)), mean, covariance), images)


def statistics(luma: Tensor) -> Tensor:
    """(1,1,H,W) on the 0-255 scale -> (blocks, 36)."""
    rows = niqe.statistics(luma, gaussian(7, 7 / 6))
    # A search for the nearest shape that finds none ends at the first of the grid.
    rows[:, SHAPES] = rows[:, SHAPES].nan_to_num(nan=0.2)
    return rows


def distance(rows: Tensor, mean: Tensor, covariance: Tensor) -> Tensor:
    """Distance of the Gaussian of (blocks,36) from the model (36,), (36,36): a scalar."""
    import torch

    complete = rows[rows.isfinite().all(dim=1)]
    if complete.shape[0] < 2:
        return rows.new_tensor(torch.nan)
    difference = rows.nanmean(dim=0) - mean.flatten()
    pooled = (torch.cov(complete.T) + covariance) / 2
    return (difference @ torch.linalg.pinv(pooled, hermitian=True) @ difference).clamp_min(0).sqrt()
