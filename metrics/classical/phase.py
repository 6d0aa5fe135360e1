"""Phase congruency and the maps that FSIM and FSIMc compare, computed once per image.

Phase congruency after Kovesi, Image features from phase congruency, Videre 1(3), 1999: energy of log-Gabor
responses along their mean phase, less the noise that the median response at the finest scale predicts, over
the sum of amplitudes. Four scales (wavelengths 6, 12, 24, 48 pixels), four orientations.

piq computes the same for both images in every call, and builds the filters anew each time. Here filters are
made once per image size and maps once per image, which matters where one reference has many outputs. Equal to
piq's FSIM to 1e-5 relative (tests).
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

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
YIQ = ((0.299, 0.587, 0.114), (0.5959, -0.2746, -0.3213), (0.2115, -0.5227, 0.3112))


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
    import torch
    from torch.nn import functional

    pixels = image * 255
    size = max(1, round(min(image.shape[-2:]) / 256))
    if size > 1:
        pixels = functional.avg_pool2d(pixels, size)
    weights = torch.tensor(YIQ, dtype=image.dtype, device=image.device)
    yiq = torch.einsum("oc,nchw->nohw", weights, pixels)
    luma = yiq[:, :1]
    step = torch.tensor([[-3.0, 0, 3], [-10, 0, 10], [-3, 0, 3]], dtype=image.dtype, device=image.device) / 16
    gradient = functional.conv2d(luma, torch.stack([step, step.T])[:, None], padding=1).square().sum(1, True).sqrt()
    return Maps(phase_congruency(luma[0, 0])[None, None], gradient, yiq[:, 1:2], yiq[:, 2:])


def phase_congruency(luma: Tensor) -> Tensor:
    """(h,w) on 0-255 -> (h,w) in [0, 1]."""
    import torch

    height, width = luma.shape
    bank = _bank(height, width, luma.dtype, luma.device)
    tiny = torch.finfo(luma.dtype).eps
    spectrum = torch.fft.fft2(luma)
    energy = torch.zeros_like(luma)
    amplitude = torch.zeros_like(luma)
    for direction in range(ORIENTATIONS):
        response = torch.fft.ifft2(spectrum * bank.filters[direction])
        strength = response.abs()
        total = response.sum(0)
        mean = total / (total.abs() + tiny)
        turned = response * mean.conj()
        own = (turned.real - turned.imag.abs()).sum(0)
        threshold = bank.noise[direction] * strength[0].square().median().sqrt()
        energy += (own - threshold).clamp_min(0)
        amplitude += strength.sum(0)
    return (energy + tiny) / (amplitude + tiny)


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
    import torch

    from ..memory import recall

    values = []
    for n in range(images.shape[0]):
        # The whole batch of one is the harness's own tensor, which it hands to the next metric as well.
        one = images if images.shape[0] == 1 else images[n : n + 1]
        other = references if references.shape[0] == 1 else references[n : n + 1]
        x, y = recall(one, "fsim-maps", maps), recall(other, "fsim-maps", maps)
        weight = torch.maximum(x.phase, y.phase)
        score = _alike(x.phase, y.phase, 0.85) * _alike(x.gradient, y.gradient, 160) * weight
        if chroma:
            score = score * (_alike(x.i, y.i, 200) * _alike(x.q, y.q, 200)).abs() ** 0.03
        values.append(score.sum() / weight.sum())
    if not values:
        return images.new_zeros(0)
    answer = torch.stack(values)
    return torch.where(answer.isfinite(), answer, torch.nan)


def _alike(a: Tensor, b: Tensor, constant: float) -> Tensor:
    return (2 * a * b + constant) / (a.square() + b.square() + constant)
