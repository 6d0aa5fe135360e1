"""Most apparent distortion.

Two indices, one for each way people are thought to look. High quality, they look for the distortion: H = 200 times the
root mean square, over positions, of (visibility of the error beyond the masking of the reference) x (local mean squared
error). Low quality, they look for the content: L = the same norm of a weighted sum over 20 log-Gabor subbands of
|difference of standard deviation| + 2 |of skewness| + |of kurtosis| in 16x16 blocks. MAD = H^a L^(1-a) with
a = 1 / (1 + b1 H^b2). Range [0, inf), lower is better, 0 for identical images.

Larson, Chandler: Most apparent distortion: full-reference image quality assessment and the role of strategy.
Journal of Electronic Imaging 19(1), 2010. doi:10.1117/1.3267105

Protocol: gray as MATLAB's rgb2gray (rounded, 0-255), luminance to the power 2.2/3, the authors' contrast sensitivity at
32 cycles per degree; blocks of 16 every 4 pixels, 16 pixels at every border left out: the authors' program of 2011.
H is 0, and with it MAD, where no error in gray is visible beyond masking: slight blur of a photograph may score 0 as
the original does. Shortest side 34. Widespread ports that average over red, green and blue, halve the masking and
weight orientations in place of scales give other numbers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import inf
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from ...bench.protocols import MetricInfo
from ..inputs import pair
from .matlab import gray as rgb2gray
from .prepared import compare

if TYPE_CHECKING:
    import torch
    from torch import Tensor

BLOCK, STEP = 16, 4
GAIN, GAMMA = 0.02874, 2.2 / 3
DARKEST = 0.5
"""Blocks darker than this, in perceived luminance, show no error."""
THRESHOLD = -5.0
"""Logarithm of the contrast below which an error cannot be seen, nor the reference mask one."""
SCALES, ORIENTATIONS = 5, 4
WEIGHTS = (0.5, 0.75, 1.0, 5.0, 6.0)
"""Of the scales, finest first; divided by their sum."""
BLEND = (2.55, 3.35)


class _Reference(NamedTuple):
    gray: Tensor
    seen: Tensor
    """Luminance behind the contrast sensitivity."""
    mean: Tensor
    threshold: Tensor
    """Logarithm of the contrast an error must exceed, one per block."""
    moments: Tensor


@dataclass(frozen=True)
class MAD:
    """Most apparent distortion."""

    info: ClassVar[MetricInfo] = MetricInfo(
        "mad",
        "MAD",
        needs="pair",
        better="lower",
        bounds=(0.0, inf),
        least=34,
        dtype="float64",
        color="gray (rgb2gray, rounded)",
        cite="Larson and Chandler 2010, doi:10.1117/1.3267105",
        note="Exactly 0 where no error in gray is visible beyond masking, as for slight blur or a change of colour.",
    )

    def __call__(self, images: Tensor, references: Tensor | None = None, /) -> Tensor:
        images, references = pair("mad", images, references, least=self.info.least)
        return compare(images, references, "mad", _prepare, _blend)


def _blend(image: Tensor, reference: _Reference) -> Tensor:
    high, low = indices(rgb2gray(image.double())[0, 0], reference)
    first, second = BLEND
    share = 1 / (1 + math.exp(-first / second) * high ** (1 / (math.log(10) * second)))
    return high**share * low ** (1 - share)


def indices(gray: Tensor, reference: _Reference) -> tuple[Tensor, Tensor]:
    """(H,W) on 0-255 -> the indices of high and of low quality."""
    return _detection(gray, reference), _appearance(moments(gray), reference.moments, gray.shape)


def _prepare(image: Tensor) -> _Reference:
    return prepare(rgb2gray(image.double())[0, 0])


def prepare(gray: Tensor) -> _Reference:
    """What both indices need of a reference (H,W) on 0-255."""
    seen = perceived(gray)
    mean, _ = _mean_and_deviation(seen, BLOCK)
    contrast = (_least_deviation(seen) / mean).log()
    return _Reference(gray, seen, mean, contrast.clamp_min(THRESHOLD), moments(gray))


# ------------------------------------------------------------------------------------ looking for the distortion


def _detection(gray: Tensor, reference: _Reference) -> Tensor:
    import torch
    from torch.nn import functional

    _, deviation = _mean_and_deviation(perceived(gray) - reference.seen, BLOCK)
    excess = (deviation / reference.mean).log() - reference.threshold
    visible = torch.where((reference.mean >= DARKEST) & (excess > 0), excess, 0)
    rows, columns = gray.shape
    # Windows reach from 7 pixels before to 8 behind.
    error = (gray - reference.gray).square()[BLOCK - 7 : rows - 9, BLOCK - 7 : columns - 9]
    error = functional.avg_pool2d(functional.avg_pool2d(error[None], (BLOCK, 1), 1), (1, BLOCK), 1)[0]
    return 200 * (_spread(visible, rows, columns) * error).square().mean().sqrt()


def perceived(gray: Tensor) -> Tensor:
    """Luminance, filtered by the sensitivity to contrast."""
    import torch

    spectrum = torch.fft.fft2(GAIN * gray**GAMMA)
    return torch.fft.ifft2(spectrum * _sensitivity(*gray.shape, gray.dtype, gray.device)).real


@lru_cache(maxsize=8)
def _sensitivity(rows: int, columns: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Frequency at the corner. The authors' grid has no zero where a side is even: it lies between two samples."""
    import torch

    def axis(side: int) -> Tensor:
        whole = torch.fft.fftfreq(side, 1 / side, dtype=dtype, device=device).round()
        return (whole + (0.5 if side % 2 == 0 else 0)) / columns * 64

    down, across = torch.meshgrid(axis(rows), axis(columns), indexing="ij")
    # 3 dB less along the diagonals.
    cycles = torch.hypot(down, across) / (0.15 * (4 * torch.atan2(down, across)).cos() + 0.85)
    band = 2.6 * (0.0192 + 0.114 * cycles) * (-((0.114 * cycles) ** 1.1)).exp()
    return torch.where(cycles < 7.8909, 0.9809, band)


def _mean_and_deviation(plane: Tensor, block: int) -> tuple[Tensor, Tensor]:
    """Of every block, in steps of 4; n - 1 below the line."""
    pixels, (mean, second) = _grown(_cells(plane[None], 2), block // STEP)
    return mean[0], (second[0] / (pixels - 1)).sqrt()


def _least_deviation(plane: Tensor) -> Tensor:
    """Least deviation of the 8x8 blocks at a 16x16 block's corner and one step to the right, below and both."""
    from torch.nn import functional

    rows, columns = plane.shape
    down, across = ((side - BLOCK) // STEP + 1 for side in (rows, columns))
    _, own = _mean_and_deviation(plane, 8)
    own = own[:down, :across]
    others = own.clone()
    # The authors' program does not look at the last row or column of blocks where they touch the border.
    if (rows - BLOCK) % STEP == 0:
        others[-1] = inf
    if (columns - BLOCK) % STEP == 0:
        others[:, -1] = inf
    others = functional.pad(others, (0, 1, 0, 1), value=inf)
    least = -functional.max_pool2d(-others[None], 2, 1)[0]
    return own.minimum(least)


# ------------------------------------------------------------------------------------ looking for the content


def _appearance(image: Tensor, reference: Tensor, shape: torch.Size) -> Tensor:
    difference = (image - reference).abs()
    each = difference[0] + 2 * difference[1] + difference[2]
    weights = each.new_tensor(WEIGHTS) / sum(WEIGHTS)
    total = (each.unflatten(0, (SCALES, ORIENTATIONS)).sum(1) * weights[:, None, None]).sum(0)
    return _spread(total, *shape).square().mean().sqrt()


def moments(gray: Tensor) -> Tensor:
    """Standard deviation, skewness and kurtosis of the log-Gabor amplitudes in every block, (3, 20, down, across)."""
    import torch

    spectrum = torch.fft.fft2(gray)
    parts = []
    for filters in _gabors(*gray.shape, gray.dtype, gray.device):  # scale by scale: stays in the processor's cache
        response = torch.fft.ifft2(spectrum * filters)
        amplitude = (response.real.square() + response.imag.square()).sqrt()
        parts.append(_cells(amplitude, 4))
    pixels, (_, second, third, fourth) = _grown([torch.cat(p) for p in zip(*parts, strict=True)], BLOCK // STEP)
    variance = second / pixels
    some = variance > 0
    variance = torch.where(some, variance, 1)
    skewness = torch.where(some, third / pixels / variance**1.5, 0)
    kurtosis = torch.where(some, fourth / pixels / variance.square(), 0)
    return torch.stack([(second / (pixels - 1)).sqrt(), skewness, kurtosis])


@lru_cache(maxsize=4)
def _gabors(rows: int, columns: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """(5, 4, H, W), frequency at the corner. The authors' grid is half a sample off where a side is odd."""
    import torch

    def axis(side: int) -> Tensor:
        whole = torch.fft.fftfreq(side, 1 / side, dtype=dtype, device=device).round()
        if side % 2:
            whole = (whole + 0.5) - side * (whole == side // 2)
        return whole / (side / 2)

    down, across = torch.meshgrid(axis(rows), axis(columns), indexing="ij")
    radius, angle = torch.hypot(down, across), torch.atan2(-down, across)
    radius[0, 0] = 1  # its logarithm is not used
    lobes = []
    for direction in range(ORIENTATIONS):
        turn = angle - direction * math.pi / ORIENTATIONS
        distance = torch.atan2(turn.sin(), turn.cos())
        lobes.append((-(distance**2) / (2 * (math.pi / ORIENTATIONS / 1.5) ** 2)).exp())
    bands = []
    for scale in range(SCALES):
        band = (-((radius * 3 ** (scale + 1) / 2).log() ** 2) / (2 * math.log(0.55) ** 2)).exp()
        band[0, 0] = 0
        bands.append(band)
    return torch.stack(bands)[:, None] * torch.stack(lobes)


# ------------------------------------------------------------------------------------ blocks


def _cells(planes: Tensor, order: int) -> tuple[Tensor, ...]:
    """(K,H,W) -> mean, and sums of the powers 2 ... ``order`` of deviations from it, of every 4x4 cell."""
    down, across = (side // STEP for side in planes.shape[1:])
    cells = planes[:, : down * STEP, : across * STEP].unflatten(1, (down, STEP)).unflatten(3, (across, STEP))
    mean = cells.mean((2, 4), keepdim=True)
    deviation = cells - mean
    power, sums = deviation, [mean[:, :, 0, :, 0]]
    for _ in range(order - 1):
        power = power * deviation
        sums.append(power.sum((2, 4)))
    return tuple(sums)


def _grown(cells: Sequence[Tensor], side: int) -> tuple[int, list[Tensor]]:
    """Join ``side`` x ``side`` neighbouring cells -> pixels in each block; mean and sums of powers as in ``_cells``.

    Moments about the common mean follow from those about each cell's own: no powers of large numbers are
    subtracted, which matters where a block is nearly flat.
    """
    import torch

    pixels, parts = STEP * STEP, list(cells)
    for axis in (1, 2):
        width = parts[0].shape[axis] - side + 1
        runs = [[part.narrow(axis, k, width) for part in parts] for k in range(side)]
        middle = torch.stack([run[0] for run in runs]).mean(0)
        grown: list[Tensor] = []
        for mean, *sums in runs:
            shift = mean - middle
            square = shift.square() * pixels
            own = [sums[0] + square]
            if len(sums) == 3:
                second, third, fourth = sums
                own.append(third + shift * (3 * second + square))
                own.append(fourth + shift * (4 * third + shift * (6 * second + square)))
            grown = [a + b for a, b in zip(grown, own, strict=True)] if grown else own
        parts = [middle, *grown]
        pixels *= side
    return pixels, parts


def _spread(blocks: Tensor, rows: int, columns: int) -> Tensor:
    """One value per block -> one per pixel, on the 4x4 pixels at its corner; without 16 pixels at every border."""
    import torch

    down, across = (torch.arange(BLOCK, side - BLOCK - 1, device=blocks.device) // STEP for side in (rows, columns))
    return blocks[down][:, across]
