"""The complex steerable pyramid, one level at a time.

Portilla, Simoncelli: A parametric texture model based on joint statistics of complex wavelet coefficients.
International Journal of Computer Vision 40(1), 2000. doi:10.1023/A:1026553619983

In polar coordinates of the frequency plane, with t = log2 of the frequency over Nyquist (t = 0 at half a cycle per
pixel), a raised cosine over one octave divides low from high, low^2 + high^2 = 1. Band b of K of level l >= 1 is

    low(t + l) high(t + l + 1) cos(angle - pi b / K)^(K-1)   where |angle - pi b / K| < pi/2, else 0,

times a constant. One half plane only: coefficients are complex, their real part is the ordinary steerable pyramid,
whose gains have squares that sum to 1 with those of the top and the residue, and their magnitude is the local
amplitude. A level is computed from the middle of the spectrum at once, without the ones above it.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import Tensor


def bands(plane: Tensor, level: int, orientations: int) -> Tensor:
    """(H,W) -> (K, H / 2^(level-1), W / 2^(level-1)) complex, sides rounded up at every halving."""
    import torch

    height, width = plane.shape
    filters = _filters(height, width, level, orientations, plane.dtype, plane.device)
    rows, columns = (_kept(side, level) for side in (height, width))
    spectrum = torch.fft.fft2(plane)[rows.to(plane.device)][:, columns.to(plane.device)]
    # An inverse transform of a smaller plane divides by fewer samples: keep the amplitude of the full size.
    scale = rows.numel() * columns.numel() / (height * width)
    return torch.fft.ifft2(spectrum * filters) * scale


def low(octaves: Tensor) -> Tensor:
    """1 below 0, 0 above 1, and a quarter of a cosine between."""
    return (octaves.clamp(0, 1) * (math.pi / 2)).cos()


def high(octaves: Tensor) -> Tensor:
    """0 below 0, 1 above 1; its square and that of ``low`` sum to 1."""
    return (octaves.clamp(0, 1) * (math.pi / 2)).sin()


def polar(rows: Tensor, columns: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Octaves above Nyquist and angle of whole frequencies, on their grid."""
    import torch

    down, across = torch.meshgrid(rows / (height / 2), columns / (width / 2), indexing="ij")
    return torch.hypot(down, across).log2(), torch.atan2(down, across)


def frequencies(side: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Whole numbers of cycles per side, in the order of the discrete Fourier transform."""
    import torch

    return torch.fft.fftfreq(side, 1 / side, dtype=dtype, device=device).round()


def _kept(side: int, level: int) -> Tensor:
    """Places in the spectrum of the frequencies that a level's smaller plane can hold."""
    import torch

    small = -(-side // 2 ** (level - 1))
    # Frequencies 0, 1, ... come first; the negative ones are at the end.
    return torch.cat([torch.arange((small + 1) // 2), torch.arange(side - small // 2, side)])


@lru_cache(maxsize=8)
def _filters(
    height: int, width: int, level: int, orientations: int, dtype: torch.dtype, device: torch.device
) -> Tensor:
    import torch

    rows, columns = (frequencies(side, dtype, device)[_kept(side, level).to(device)] for side in (height, width))
    octaves, angle = polar(rows, columns, height, width)
    radial = low(octaves + level) * high(octaves + level + 1)
    order = orientations - 1
    gain = 2 ** (2 * order + 2) * math.factorial(order) ** 2 / (orientations * math.factorial(2 * order))
    filters = []
    for band in range(orientations):
        turn = angle - math.pi * band / orientations
        forward = turn.cos().clamp_min(0)
        lobe = forward**order if order else (forward > 0).to(dtype)
        filters.append(radial * lobe * math.sqrt(gain))
    return torch.stack(filters)
