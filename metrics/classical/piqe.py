"""Perception-based image quality evaluator.

The locally normalised image is cut into 16x16 blocks; those with variance v > .1 are active. An active block is
impaired if some six neighbouring pixels of an edge of the block have a standard deviation below .1, and noisy if its
deviation s exceeds twice |s - c| / max(s, c), c being the deviation of its two middle columns over that of the rest.
With D = the sum over active blocks of (1 - v) if impaired plus v if noisy, PIQE = 100 (D + 1) / (n + 1), n the number
of active blocks. Range [0, 100], lower is better; an image without active blocks scores 100.

Venkatanath, Praneeth, Maruthi, Channappayya, Medasani: Blind image quality evaluation using perception based
features. National Conference on Communications, 2015. doi:10.1109/NCC.2015.7084843. Thresholds, and which columns are
the middle, are those of MATLAB's function ``piqe``.

Protocol: gray, rounded (matlab.py), stretched so that the brightest pixel is 255, rounded again; right and lower
border mirrored up to a multiple of 16; 7x7 Gaussian window of deviation 7/6, borders replicated; sample deviations;
float64. The middle columns are the 8th and 9th, and the rest is all columns but the 8th and 10th, as the published
program has it. Clamped to [0, 100], which the sum can leave by a fraction. No parameters are learned. Shortest side
16. On five TID2013 images equal to the official values at their two decimals.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ...bench.protocols import MetricInfo
from ..inputs import single
from .apply import each
from .matlab import gray
from .scenes import gaussian, normalise

if TYPE_CHECKING:
    from torch import Tensor

BLOCK = 16
SEGMENT = 6
THRESHOLD = 0.1
"""Of the variance of active blocks, and of the deviation of impaired segments."""


@dataclass(frozen=True)
class PIQE:
    """Perception-based image quality evaluator."""

    info: ClassVar[MetricInfo] = MetricInfo(
        "piqe",
        "PIQE",
        needs="image",
        better="lower",
        bounds=(0.0, 100.0),
        least=BLOCK,
        dtype="float64",
        color="gray 0-255, rounded",
        cite="Venkatanath et al. 2015, doi:10.1109/NCC.2015.7084843",
        note="A little noise lowers it, by covering flat edges of blocks; without active blocks any image scores 100.",
    )

    def __call__(self, images: Tensor, references: Tensor | None = None, /) -> Tensor:
        import torch

        images = single("piqe", images, references, least=self.info.least, dtype=torch.float64)
        return each(lambda image: evaluate(gray(image)), images)


def evaluate(luma: Tensor) -> Tensor:
    """(1,1,H,W) on the 0-255 scale -> a scalar."""
    brightest = luma.max()
    if brightest > 0:
        luma = (255 * (luma / brightest) + 0.5).floor()
    plane = normalise(extended(luma), gaussian(7, 7 / 6), "replicate")[0, 0]
    blocks = plane.unfold(0, BLOCK, BLOCK).unfold(1, BLOCK, BLOCK).reshape(-1, BLOCK, BLOCK)
    variance = blocks.var(dim=(1, 2))
    active = variance > THRESHOLD
    if not active.any():
        return luma.new_tensor(100.0)
    blocks, variance = blocks[active], variance[active]
    damage = (1 - variance) * impaired(blocks) + variance * noisy(blocks, variance)
    return (100 * (damage.sum() + 1) / (len(blocks) + 1)).clamp(0, 100)


def extended(luma: Tensor) -> Tensor:
    """Mirrored at the right and lower border, the border pixel included, up to a multiple of the block."""
    import torch

    rows, columns = (-side % BLOCK for side in luma.shape[2:])
    luma = torch.cat([luma, luma[..., luma.shape[2] - rows :, :].flip(2)], dim=2)
    return torch.cat([luma, luma[..., luma.shape[3] - columns :].flip(3)], dim=3)


def impaired(blocks: Tensor) -> Tensor:
    """(B,16,16) -> (B,): whether a piece of an edge is flat."""
    import torch

    edges = torch.stack([blocks[:, 0], blocks[:, -1], blocks[:, :, 0], blocks[:, :, -1]], dim=1)
    return (edges.unfold(2, SEGMENT, 1).std(dim=3) < THRESHOLD).flatten(1).any(dim=1)


def noisy(blocks: Tensor, variance: Tensor) -> Tensor:
    """(B,16,16) and their variances (B,) -> (B,): whether middle and surround vary alike."""
    rest = [i for i in range(BLOCK) if i not in (7, 9)]
    surround = (blocks[:, :, 7:9].std(dim=(1, 2)) / blocks[:, :, rest].std(dim=(1, 2))).nan_to_num(nan=0.0)
    deviation = variance.sqrt()
    return deviation > 2 * (deviation - surround).abs() / deviation.maximum(surround)
