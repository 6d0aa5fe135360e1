"""Natural image quality evaluator.

36 statistics of locally normalised luma (scenes.py: 18 at full and 18 at half size) of every 96x96 block
give a Gaussian (m, S) of the image, compared with that of 125 pristine photographs (p, P): NIQE = sqrt((m -
p)' pinv((S + P) / 2) (m - p)). Range [0, inf), lower is better; good photographs score 2 to 5.

Mittal, Soundararajan, Bovik: Making a "completely blind" image quality analyzer. IEEE Signal Processing
Letters 20(3), 2013. doi:10.1109/LSP.2012.2227726

Protocol: BT.601 luma 16-235, rounded, as papers on super-resolution compute it (``luma="gray"``: full-range
gray, rounded, the authors' own program); rows and columns beyond a multiple of 96 are cut off; borders are
replicated; half size by antialiased bicubic interpolation, exact on whole numbers (matlab.py); every block
counts, sharp or not; float64; what rounding leaves on flat ground is 0 (scenes.py). The authors' pristine
model. Blocks without contrast are left out; NaN where fewer than two remain. A shortest side of 192 makes
four blocks: values of small images are coarse and higher. Version 1 halved with piq, in float32, and let the
rounding on flat ground decide about signs.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, ClassVar

from ...bench.protocols import MetricInfo
from ..inputs import crop, single
from .apply import each
from .luma import gray, studio
from .matlab import half
from .scenes import asymmetric_shape, normalise, products, scales

if TYPE_CHECKING:
    from torch import Tensor

BLOCK = 96


@dataclass(frozen=True)
class NIQE:
    """Natural image quality evaluator, with the authors' model of pristine photographs."""

    luma: str = "studio"
    """``studio``: BT.601, 16 to 235; ``gray``: full range, as in the authors' program."""
    crop: int = 0
    """Pixels cut from each side first."""

    info: ClassVar[MetricInfo] = MetricInfo(
        "niqe",
        "NIQE",
        needs="image",
        better="lower",
        bounds=(0.0, inf),
        least=2 * BLOCK,
        dtype="float64",
        weights=("niqe/pristine-live",),
        color="luma BT.601 16-235",
        cite="Mittal et al. 2013, doi:10.1109/LSP.2012.2227726",
        license="see the slot niqe/pristine-live",
        version=2,
        note="Tends to prefer the crisp outputs of GANs even to originals; coarse below 400 pixels.",
    )

    def __post_init__(self) -> None:
        if self.luma not in ("studio", "gray"):
            raise ValueError(f"niqe: luma={self.luma!r}; choose studio or gray")

    @property
    def least(self) -> int:
        return 2 * BLOCK + 2 * self.crop

    def __call__(self, images: Tensor, references: Tensor | None = None, /) -> Tensor:
        import torch

        from ...bench.weights import arrays

        images = single("niqe", images, references, least=2 * BLOCK, border=self.crop, dtype=torch.float64)
        model = {key: torch.from_numpy(value).to(images) for key, value in arrays("niqe/pristine-live").items()}
        images = crop("niqe", images, self.crop, 2 * BLOCK)
        plane = gray(images) if self.luma == "gray" else studio(images).round()
        return each(lambda one: distance(statistics(one, model["window"]), model["mu"], model["cov"]), plane)


def statistics(luma: Tensor, window: Tensor) -> Tensor:
    """(1,1,H,W) on the 0-255 scale -> (blocks, 36)."""
    import torch

    rows, columns = (side // BLOCK for side in luma.shape[2:])
    luma = luma[..., : rows * BLOCK, : columns * BLOCK]
    parts = []
    for side in (BLOCK, BLOCK // 2):
        if side != BLOCK:
            luma = half(luma)
        plane = normalise(luma, window, "replicate")[0, 0]
        blocks = plane.unfold(0, side, side).unfold(1, side, side).reshape(-1, side, side)
        parts.append(features(blocks))
    return torch.cat(parts, dim=1)


def features(blocks: Tensor) -> Tensor:
    """(B,h,w) of normalised pixels -> (B,18): the statistics of one scale; NaN where a block has no contrast."""
    import torch

    shape, left, right = asymmetric_shape(blocks)
    _, low, high = scales(shape, left, right)
    parts = [shape, (low + high) / 2]
    for product in products(blocks):
        shape, left, right = asymmetric_shape(product)
        parts += [shape, *scales(shape, left, right)]
    return torch.stack(parts, dim=1)


def distance(rows: Tensor, mean: Tensor, covariance: Tensor) -> Tensor:
    """Distance of the Gaussian of (blocks,36) from the model (36,), (36,36): a scalar."""
    import torch

    whole = rows[rows.isfinite().all(dim=1)]
    if whole.shape[0] < 2:
        return rows.new_tensor(torch.nan)
    difference = whole.mean(dim=0) - mean.flatten()
    pooled = (torch.cov(whole.T) + covariance) / 2
    return (difference @ torch.linalg.pinv(pooled, hermitian=True) @ difference).clamp_min(0).sqrt()
