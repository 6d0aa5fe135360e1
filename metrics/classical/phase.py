"""Phase congruency and the maps that FSIM and FSIMc compare, computed once per image.

Phase congruency after Kovesi, Image features from phase congruency, Videre 1(3), 1999: energy of log-Gabor
responses along their mean phase, less the noise that the median response at the finest scale predicts, over
the sum of amplitudes. Four scales (wavelengths 6, 12, 24, 48 pixels), four orientations.

piq computes the same for both images in every call, and builds the filters anew each time. Here filters are
made once per image size and maps once per image, which matters where one reference has many outputs. Equal to
piq's FSIM to 1e-5 relative (tests), but for flat images that are not black: there piq's maps are quotients of rounding
errors, and its FSIM is off by up to a quarter.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from ..memory import recall
from .apply import each
from .gradients import SCHARR, alike, magnitude
from .planes import averaged, square, yiq

if TYPE_CHECKING:
    import torch
    from torch import Tensor

SCALES, ORIENTATIONS = 4, 4
SHORTEST, FACTOR = 6, 2
BANDWIDTH = 0.55
"""Ratio of the log-Gabor's spread in the frequency plane to its centre frequency."""
SPREAD = math.pi / (ORIENTATIONS * 1.2)
"""Standard deviation of the angular Gaussian, radians."""
CUTOFF, ORDER = 0.45, 15
"""Butterworth low-pass that keeps the corners of the frequency plane out."""
DEVIATIONS = 2.0
"""Noise threshold in standard deviations above the mean noise energy ..."""
OVERESTIMATE = 1.7
"""... divided by this, found empirically by Kovesi for these filters."""


class Maps(NamedTuple):
    """What FSIM compares, each (1,1,h,w) after averaging over squares."""

    phase: Tensor
    gradient: Tensor
    i: Tensor
    q: Tensor


class _Bank(NamedTuple):
    filters: Tensor  # (orientations, scales, h, w), frequency at the corners
    noise: Tensor  # (orientations,): threshold per root of the median squared response at the finest scale


def maps(image: Tensor) -> Maps:
    """Maps of one image (1,3,H,W) in [0,1]."""
    planes = averaged(yiq(image), square(image), "cut")
    luma = planes[:, :1]
    return Maps(phase_congruency(luma[0, 0])[None, None], magnitude(luma, SCHARR), planes[:, 1:2], planes[:, 2:])


def phase_congruency(luma: Tensor) -> Tensor:
    """(h,w) on 0-255 -> (h,w) in [0, 1]."""
    import torch

    height, width = luma.shape
    bank = _bank(height, width, luma.dtype, luma.device)
    tiny = torch.finfo(luma.dtype).eps
    # No filter passes the mean. Left in, its rounding errors would be all there is in a flat image, and their
    # quotient anything: without them that has congruency 1, as black has.
    spectrum = torch.fft.fft2(luma - luma.mean())
    energy = torch.zeros_like(luma)
    amplitude = torch.zeros_like(luma)
    for direction in range(ORIENTATIONS):
        response = torch.fft.ifft2(spectrum * bank.filters[direction])
        even, odd = response.real.contiguous(), response.imag.contiguous()
        squares = even.square().addcmul_(odd, odd)
        cosine, sine = even.sum(0), odd.sum(0)
        length = (cosine.square() + sine.square()).sqrt() + tiny
        cosine, sine = cosine / length, sine / length
        # Response along the mean phase, less what lies across it.
        across = (odd * cosine).addcmul_(even, sine, value=-1).abs_()
        own = (even * cosine).addcmul_(odd, sine).sub_(across).sum(0)
        energy += (own - bank.noise[direction] * _median(squares[0]).sqrt()).clamp_min(0)
        amplitude += squares.sqrt_().sum(0)
    return (energy + tiny) / (amplitude + tiny)


def _median(values: Tensor) -> Tensor:
    """The lower of the two middle values; numpy's selection is several times faster than torch's on a CPU."""
    import numpy as np

    if values.device.type != "cpu":
        return values.median()
    middle = (values.numel() - 1) // 2
    return values.new_tensor(np.partition(values.numpy().ravel(), middle)[middle])


@lru_cache(maxsize=8)
def _bank(height: int, width: int, dtype: torch.dtype, device: torch.device) -> _Bank:
    """Log-Gabor filters for one image size, and the noise each orientation lets through."""
    import torch

    def axis(n: int) -> Tensor:
        # Frequencies from the middle outwards; an odd side spans exactly [-1/2, 1/2].
        steps = torch.arange(n, dtype=dtype, device=device) - (n - 1) / 2 if n % 2 else None
        if steps is not None:
            return steps / (n - 1)
        return (torch.arange(n, dtype=dtype, device=device) - n / 2) / n

    down, across = torch.meshgrid(axis(height), axis(width), indexing="ij")
    shift = (-(height // 2), -(width // 2))
    radius = torch.roll((down.square() + across.square()).sqrt(), shift, (0, 1))
    angle = torch.roll(torch.atan2(-across, down), shift, (0, 1))
    low_pass = 1 / (1 + (radius / CUTOFF) ** (2 * ORDER))
    radius[0, 0] = 1  # its logarithm is not used
    bands = []
    for scale in range(SCALES):
        centre = 1 / (SHORTEST * FACTOR**scale)
        band = torch.exp(-((radius / centre).log() ** 2) / (2 * math.log(BANDWIDTH) ** 2)) * low_pass
        band[0, 0] = 0
        bands.append(band)
    radial = torch.stack(bands)
    filters, noise = [], []
    for direction in range(ORIENTATIONS):
        turn = angle - direction * math.pi / ORIENTATIONS
        distance = torch.atan2(turn.sin(), turn.cos()).abs()
        bank = radial * torch.exp(-(distance**2) / (2 * SPREAD**2))
        kernels = torch.fft.ifft2(bank).real * math.sqrt(height * width)
        squares = kernels.square().sum()
        products = (kernels.sum(0).square().sum() - squares) / 2
        # Power of the noise per unit of the median squared response: a chi-squared of two degrees.
        power = -1 / math.log(0.5) / bank[0].square().sum()
        rayleigh = ((2 * squares + 4 * products) * power / 2).sqrt()
        spread = math.sqrt(math.pi / 2) + DEVIATIONS * math.sqrt(2 - math.pi / 2)
        filters.append(bank)
        noise.append(rayleigh * spread / OVERESTIMATE)
    return _Bank(torch.stack(filters), torch.stack(noise))


def similarity(images: Tensor, references: Tensor, *, chroma: bool) -> Tensor:
    """FSIM (N,) of (N,3,H,W) pairs in [0,1]; with ``chroma`` FSIMc."""
    return each(lambda x, y: _similarity(recall(x, "fsim", maps), recall(y, "fsim", maps), chroma), images, references)


def _similarity(x: Maps, y: Maps, chroma: bool) -> Tensor:
    import torch

    weight = torch.maximum(x.phase, y.phase)
    score = alike(x.phase, y.phase, 0.85) * alike(x.gradient, y.gradient, 160) * weight
    if chroma:
        score = score * (alike(x.i, y.i, 200) * alike(x.q, y.q, 200)).abs() ** 0.03
    return score.sum() / weight.sum()
