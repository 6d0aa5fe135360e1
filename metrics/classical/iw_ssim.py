"""Information content weighted structural similarity.

SSIM on the bands of a five-level Laplacian pyramid; within a band each place counts by the information that
reference and image share there under a Gaussian scale mixture. Bands are combined with the weights of MS-
SSIM. Range [0, 1], higher is better, 1 for identical images. NaN where the reference is flat (the band's
covariance has no inverse).

Wang, Li: Information content weighting for perceptual image quality assessment. IEEE Transactions on Image
Processing 20(5), 2011. doi:10.1109/TIP.2010.2092435

Protocol: luma of YIQ on 0-255, not rounded; window 11, sigma 1.5, 3x3 blocks with parent band, noise
variance .4. The roles differ: exchanging image and reference changes the value. Shortest side 161. Equal to piq
up to rounding: where a reference is flat, the weights hang on the last digits of single precision (1.2e-3).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log, sqrt
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from ...bench.protocols import MetricInfo
from ..inputs import pair
from ..memory import recall
from .apply import each
from .planes import yiq
from .structure import Moments, maps, moments

if TYPE_CHECKING:
    from torch import Tensor

WEIGHTS = tuple(w / 1.0001 for w in (0.0448, 0.2856, 0.3001, 0.2363, 0.1333))
"""Of the scales, fine to coarse; the published numbers sum to 1.0001."""
NOISE = 0.4
"""Variance of the visual noise."""


@dataclass(frozen=True)
class IWSSIM:
    """Information content weighted SSIM."""

    info: ClassVar[MetricInfo] = MetricInfo(
        "iw-ssim",
        "IW-SSIM",
        needs="pair",
        better="higher",
        bounds=(-0.0001, 1.0001),
        version=2,
        least=161,
        color="luma YIQ",
        cite="Wang and Li 2011, doi:10.1109/TIP.2010.2092435",
        note="Undefined on flat references; images below 161 pixels are not scored.",
    )

    def __call__(self, images: Tensor, references: Tensor | None = None, /) -> Tensor:
        images, references = pair("iw-ssim", images, references, least=161)
        return each(index, images, references)


class Band(NamedTuple):
    """One scale of a reference, and what its information weights need."""

    plane: Tensor
    window: Moments
    """In SSIM's window."""
    block: Moments | None
    """In 3x3 blocks, about zero; none at the coarsest scale, which is not weighted."""
    strength: Tensor | None
    """(1,1,h-2,w-2): squared length of each neighbourhood, whitened, per dimension."""
    eigenvalues: Tensor | None
    """Of the neighbourhoods' covariance."""


def index(image: Tensor, reference: Tensor) -> Tensor:
    """IW-SSIM of one pair (1,3,H,W) in [0,1]: a scalar."""
    import torch

    terms = []
    for level, (plane, band) in enumerate(zip(laplacian(yiq(image)[:, :1]), recall(reference, "iw-ssim", bands))):
        compared = maps(plane, band.plane, band.window, peak=255.0)
        if band.block is None:
            term = compared.whole.mean()
        else:
            weights = information(plane, band)[..., 4:-4, 4:-4]  # where SSIM's window lies inside
            term = (compared.contrast * weights).sum() / weights.sum()
        terms.append(term.abs() ** WEIGHTS[level])
    return torch.stack(terms).prod()


def bands(reference: Tensor) -> list[Band]:
    """The five scales of a reference (1,3,H,W) in [0,1]."""
    planes, made = laplacian(yiq(reference)[:, :1]), []
    for level, plane in enumerate(planes):
        if level == len(planes) - 1:
            made.append(Band(plane, moments(plane), None, None, None))
            continue
        parent = planes[level + 1] if level < len(planes) - 2 else None
        mean = blocks(plane)
        block = Moments(plane.new_zeros(()), mean, (blocks(plane.square()) - mean.square()).relu())
        made.append(Band(plane, moments(plane), block, *neighbourhoods(plane, parent)))
    return made


def laplacian(luma: Tensor) -> list[Tensor]:
    """Laplacian pyramid of (1,1,H,W): four differences and the rest."""
    made = []
    for _ in WEIGHTS[1:]:
        coarse = binomial(binomial(luma, 3)[..., ::2], 2)[..., ::2, :]
        back = coarse
        for axis in (3, 2):
            back = binomial(spread(back, axis), axis).narrow(axis, 0, luma.shape[axis])
        made.append(luma - back)
        luma = coarse
    return [*made, luma]


def binomial(plane: Tensor, axis: int) -> Tensor:
    """[1 4 6 4 1] / 16 times the root of two along one axis, mirrored at the border without repeating it."""
    import torch.nn.functional as F

    line = plane.new_tensor([1, 4, 6, 4, 1]) * (sqrt(2) / 16)
    around = (2, 2, 0, 0) if axis == 3 else (0, 0, 2, 2)
    shape = (1, 1, 1, 5) if axis == 3 else (1, 1, 5, 1)
    return F.conv2d(F.pad(plane, around, mode="reflect"), line.view(shape))


def spread(plane: Tensor, axis: int) -> Tensor:
    """Zeros after every row or column."""
    import torch

    return torch.stack([plane, torch.zeros_like(plane)], dim=axis + 1).flatten(axis, axis + 1)


def blocks(plane: Tensor) -> Tensor:
    """Mean over the 3x3 blocks that lie inside."""
    import torch.nn.functional as F

    return F.avg_pool2d(plane, 3, stride=1)


def neighbourhoods(plane: Tensor, parent: Tensor | None) -> tuple[Tensor, Tensor]:
    """How much each 3x3 neighbourhood (and its parent) of a reference stands out, and the eigenvalues.

    Raises:
        LinAlgError: no neighbourhood differs from another; the covariance cannot be inverted.
    """
    import torch

    height, width = (side - 2 for side in plane.shape[2:])
    columns = [plane[0, 0, y : y + height, x : x + width] for y in range(3) for x in range(3)]
    if parent is not None:
        columns.append(enlarged(parent)[0, 0, 1 : height + 1, 1 : width + 1])
    vectors = torch.stack([c.reshape(-1) for c in columns], dim=1).double()
    values, directions = torch.linalg.eigh(vectors.T @ vectors / len(vectors))
    positive = values.clamp_min(0)
    total = positive.sum()
    values = positive * values.sum() / (total + (total == 0))
    inverse = torch.linalg.inv(directions @ values.diag() @ directions.T)
    strength = (vectors @ inverse * vectors).sum(1) / len(columns)
    return strength.view(1, 1, height, width).to(plane), values.to(plane)


def information(plane: Tensor, band: Band) -> Tensor:
    """Bits that the two images share about the scene, per place: (1,1,h-2,w-2)."""
    import torch

    assert band.block is not None and band.strength is not None and band.eigenvalues is not None
    tiny = torch.finfo(plane.dtype).eps
    mean = blocks(plane)
    variance = (blocks(plane.square()) - mean.square()).relu()
    known = band.block.variance
    covariance = blocks(plane * band.plane) - mean * band.block.mean
    gain = covariance / (known + tiny)
    noise = variance - gain * covariance
    gain, noise = gain.where(known >= tiny, 0), noise.where(known >= tiny, variance)
    gain, noise = gain.where(variance >= tiny, 0), noise.where(variance >= tiny, 0)
    signal = (noise + (1 + gain.square()) * NOISE) * band.strength
    bits = torch.zeros_like(signal)
    floor = NOISE * noise / NOISE**2
    for value in band.eigenvalues:
        bits += (signal * (value / NOISE**2) + floor).log1p()
    bits = bits / log(2)
    return bits.where(bits >= tiny, 0)


def enlarged(plane: Tensor) -> Tensor:
    """Twice the size as the authors do it: bilinear to 4n - 3, one row extrapolated on every side, every other kept."""
    import torch
    import torch.nn.functional as F

    height, width = plane.shape[2:]
    inner = F.interpolate(plane, size=(4 * height - 3, 4 * width - 3), mode="bilinear", align_corners=False)
    for axis in (2, 3):
        last = inner.shape[axis] - 1
        first, end = (2 * inner.narrow(axis, a, 1) - inner.narrow(axis, b, 1) for a, b in ((0, 1), (last, last - 1)))
        inner = torch.cat([first, inner, end], dim=axis)
    return inner[..., ::2, ::2]
