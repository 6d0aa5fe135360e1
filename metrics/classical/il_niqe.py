"""Integrated local natural image quality evaluator.

234 statistics of every 84x84 block at full and half size (NIQE's 18 of the normalised pixels; Weibull fits of gradient
magnitudes; mean and variance of logarithmic opponent colours; fits of gradients and of log-Gabor responses), reduced to
430 by principal components, f. With the mean m and covariance S of f over pristine photographs and the covariance C
over the image's own blocks, IL-NIQE is the mean over the blocks of sqrt((f - m)' pinv((S + C) / 2) (f - m)). Range
[0, inf), lower is better; good photographs score about 20.

Zhang, Zhang, Bovik: A feature-enriched completely blind image quality evaluator. IEEE Transactions on Image Processing
24(8), 2015. doi:10.1109/TIP.2015.2426416

Protocol: RGB as 8-bit, brought to 524x524 whatever its size and shape (antialiased bicubic, clipped), so that 36 blocks
always exist; Gaussian derivatives continued with zeros, other borders replicated; log-Gabor filters periodic; sample
variances; float64; what rounding leaves of nothing is 0, as in scenes.py. A block without some statistic takes the mean
of the others. The authors' template of pristine photographs, from the slot. Shortest side 192: smaller images would be
enlarged so much that all score as blurred. On five TID2013 images within 1.9 % of the official values.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import ceil, exp, inf, log, pi
from typing import TYPE_CHECKING, ClassVar

from ...bench.protocols import MetricInfo
from ..inputs import single
from .apply import each
from .matfile import check_finite, variables
from .matlab import resized
from .niqe import features
from .scenes import NOTHING, asymmetric_shape, gaussian, normalise, scales

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

SLOT = "il-niqe/template"
SIDE, BLOCK = 524, 84
OPPONENTS = ((0.3, 0.04, -0.35), (0.34, -0.6, 0.17), (0.06, 0.63, 0.27))
SCALES, ORIENTATIONS = 3, 4
STATISTICS, COMPONENTS = 468, 430


@dataclass(frozen=True)
class ILNIQE:
    """Integrated local natural image quality evaluator, with the authors' template."""

    info: ClassVar[MetricInfo] = MetricInfo(
        "il-niqe",
        "IL-NIQE",
        needs="image",
        better="lower",
        bounds=(0.0, inf),
        least=192,
        dtype="float64",
        weights=(SLOT,),
        cite="Zhang et al. 2015, doi:10.1109/TIP.2015.2426416",
        license="see the slot il-niqe/template",
        note="Every image is resized to 524x524 first, which changes what it measures on small and on long ones.",
    )

    def __call__(self, images: Tensor, references: Tensor | None = None, /) -> Tensor:
        import torch

        images = single("il-niqe", images, references, least=self.info.least, dtype=torch.float64)
        template = [torch.from_numpy(part).to(images) for part in model()]
        return each(lambda image: distance(statistics(image), *template), images)


def model() -> tuple[np.ndarray, ...]:
    """Mean (430,), covariance (430,430), mean of the statistics (468,), principal components (468,430).

    Raises:
        MissingWeights: its slot is empty.
        BadWeights: it is damaged or something else.
    """
    import numpy as np

    from ...bench.weights import BadWeights

    cells = np.asarray(variables(SLOT).get("templateModel", ()), dtype=object).ravel()
    sizes = [COMPONENTS, COMPONENTS**2, STATISTICS, STATISTICS * COMPONENTS]
    if [np.size(cell) for cell in cells] != sizes or any(np.asarray(cell).dtype.kind != "f" for cell in cells):
        raise BadWeights("E-CKPT-KEYS", SLOT, "it holds no templateModel of four arrays", "use the authors' file")
    shapes = ((COMPONENTS,), (COMPONENTS, COMPONENTS), (STATISTICS,), (STATISTICS, COMPONENTS))
    parts = tuple(np.asarray(cell, dtype=np.float64).reshape(shape) for cell, shape in zip(cells, shapes, strict=True))
    for part in parts:
        check_finite(SLOT, "templateModel", part)
    return parts


def statistics(image: Tensor) -> Tensor:
    """(1,3,H,W) in [0,1] -> (36 blocks, 468)."""
    import torch

    colour = resized((image * 255).round(), SIDE, SIDE).clamp(0, 255)
    whole = SIDE // BLOCK * BLOCK
    colour = colour[..., :whole, :whole]
    opponent = torch.einsum("ok,nkhw->nohw", colour.new_tensor(OPPONENTS), colour)
    parts = []
    for scale in (1, 2):
        if scale == 2:
            colour, opponent = halved(colour), halved(opponent)
        parts.append(at_scale(colour, opponent, scale))
    return torch.cat(parts, dim=1).clamp_max(10000)


def at_scale(colour: Tensor, opponent: Tensor, scale: int) -> Tensor:
    """The 234 statistics of each block at one scale: (36, 234)."""
    import torch

    side = BLOCK // scale
    third = opponent[:, 2:]
    sigma = 1.66 / scale**0.28
    bands = torch.fft.ifft2(torch.fft.fft2(third) * gabors(third.shape[-1], 2.4 / scale**0.87).to(third.device))[0]
    responses = torch.view_as_real(bands).movedim(-1, 1).flatten(0, 1)  # real and imaginary part of each band
    # Plane by plane: small enough for the processor's cache.
    slopes, edges = zip(*(sloped(plane, sigma, side) for plane in opponent[0]), strict=True)
    values = [both_sides(cut(plane[None], side)) for plane in responses]
    response_slopes, response_edges = zip(*(sloped(plane, sigma, side) for plane in responses), strict=True)

    logs = (colour + 0.00001).log()
    logs = logs - logs.mean(dim=(2, 3), keepdim=True)
    red, green, blue = logs.unbind(1)
    tones = torch.stack([(red + green + blue) / 3**0.5, (red + green - 2 * blue) / 6**0.5, (red - green) / 2**0.5], 1)

    pixels = cut(normalise(third, gaussian(5, 5 / 6), "replicate")[0], side)[:, 0]
    tones = cut(tones[0], side).flatten(2)
    moments = torch.stack([tones.mean(dim=2), tones.var(dim=2)], dim=2).flatten(1)
    return torch.cat(
        [features(pixels), *edges, moments, *slopes, *values, *response_slopes, *response_edges],
        dim=1,
    )


def sloped(plane: Tensor, sigma: float, side: int) -> tuple[Tensor, Tensor]:
    """Statistics of the two derivatives of (H,W) in each block, and of their magnitude: (B,4) and (B,2)."""
    import torch

    slopes = derivatives(plane, sigma)
    edges = slopes.square().sum(dim=0, keepdim=True).sqrt() + torch.finfo(slopes.dtype).eps
    return both_sides(cut(slopes, side)), weibull(cut(edges, side))


def cut(planes: Tensor, side: int) -> Tensor:
    """(C,H,W) -> (blocks,C,side,side)."""
    return planes.unfold(1, side, side).unfold(2, side, side).permute(1, 2, 0, 3, 4).flatten(0, 1)


def derivatives(plane: Tensor, sigma: float) -> Tensor:
    """Gaussian derivatives along x and y, up to sign, zeros beyond the border: (H,W) -> (2,H,W)."""
    import torch
    import torch.nn.functional as F

    half = ceil(3 * sigma)
    height, width = plane.shape
    bell = [exp(-(i**2) / (2 * sigma**2)) for i in range(half + 1)]

    def smooth(around: Tensor, dim: int, size: int) -> Tensor:
        answer = around.narrow(dim, half, size) * bell[0]
        for i in range(1, half + 1):
            answer += (around.narrow(dim, half - i, size) + around.narrow(dim, half + i, size)) * bell[i]
        return answer

    def slope(around: Tensor, dim: int, size: int) -> Tensor:
        answer = torch.zeros_like(around.narrow(dim, half, size))
        for i in range(1, half + 1):
            answer += (around.narrow(dim, half + i, size) - around.narrow(dim, half - i, size)) * (i * bell[i])
        return answer

    around = F.pad(plane, (half,) * 4)
    across = slope(smooth(around, 0, height), 1, width)
    return torch.stack([across, slope(smooth(around, 1, width), 0, height)])


@lru_cache(maxsize=4)
def gabors(side: int, wavelength: float) -> Tensor:
    """Log-Gabor filters in the frequency domain, scales outermost: (1,12,side,side)."""
    import torch

    line = torch.fft.fftfreq(side, dtype=torch.float64)
    y, x = torch.meshgrid(line, line, indexing="ij")
    radius, angle = (x.square() + y.square()).sqrt(), torch.atan2(-y, x)
    radius[0, 0] = 1
    filters = []
    for scale in range(SCALES):
        ring = (-(radius * wavelength * 1.31**scale).log().square() / (2 * log(0.55) ** 2)).exp()
        ring[0, 0] = 0
        for number in range(ORIENTATIONS):
            turn = angle - number * pi / ORIENTATIONS
            turn = torch.atan2(turn.sin(), turn.cos()).abs()
            filters.append(ring * (-turn.square() / (2 * (pi / ORIENTATIONS / 1.1) ** 2)).exp())
    return torch.stack(filters)[None]


def both_sides(blocks: Tensor) -> Tensor:
    """Shape and mean scale of an asymmetric generalised Gaussian fit: (B,C,h,w) -> (B,2C)."""
    import torch

    flat = blocks.flatten(0, 1)
    shape, left, right = asymmetric_shape(flat.masked_fill(flat.abs() < NOTHING, 0))
    _, low, high = scales(shape, left, right)
    return torch.stack([shape, (low + high) / 2], dim=1).view(len(blocks), -1)


def weibull(blocks: Tensor) -> Tensor:
    """Scale and shape of a Weibull fit by maximum likelihood: (B,C,h,w), positive -> (B,2C)."""
    import torch

    logs = blocks.flatten(2).log()
    top = logs.amax(dim=2, keepdim=True)
    logs = logs - top  # so that powers neither overflow nor vanish
    middle = logs.mean(dim=2)
    shape = 1.2 / logs.std(dim=2)
    for _ in range(30):
        powers = (shape[..., None] * logs).exp()
        total = powers.sum(dim=2)
        weighted = powers * logs
        first, second = weighted.sum(dim=2) / total, (weighted * logs).sum(dim=2) / total
        step = (first - middle - 1 / shape) / (second - first.square() + 1 / shape.square())
        shape = torch.where(step < shape, shape - step, shape / 2)
        if not bool((step.abs() > 1e-10 * shape).any()):
            break
    scale = ((shape[..., None] * logs).exp().mean(dim=2).log() / shape + top[..., 0]).exp()
    return torch.stack([scale, shape], dim=2).flatten(1)


def halved(planes: Tensor) -> Tensor:
    """Every second pixel of (1,C,H,W) after a 6x6 Gaussian of deviation .9, borders replicated."""
    import torch.nn.functional as F

    around = F.pad(planes, (2, 3, 2, 3), mode="replicate").transpose(0, 1)
    return F.conv2d(around, gaussian(6, 0.9).to(planes)[None, None], stride=2).transpose(0, 1)


def distance(rows: Tensor, mean: Tensor, covariance: Tensor, centre: Tensor, components: Tensor) -> Tensor:
    """Mean distance of the blocks (36,468) from the template: a scalar."""
    import torch

    reduced = (rows - centre) @ components
    complete = reduced[reduced.isfinite().all(dim=1)]
    if complete.shape[0] < 2:
        return rows.new_tensor(torch.nan)
    reduced = torch.where(reduced.isfinite(), reduced, complete.mean(dim=0)) - mean
    inverse = torch.linalg.pinv((torch.cov(complete.T) + covariance) / 2, hermitian=True)
    return ((reduced @ inverse) * reduced).sum(dim=1).clamp_min(0).sqrt().mean()
