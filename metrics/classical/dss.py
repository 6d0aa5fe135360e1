"""DCT subband similarity.

Similarity of local variance (for the mean band also of structure) in the bands of an 8x8 block DCT; the
worst five per cent of each band are averaged, bands are weighted towards low frequencies. Range [-1, 1],
higher is better, 1 for identical images.

Balanov, Schwartz, Moshe, Peleg: Image quality assessment based on DCT subband similarity. IEEE
International Conference on Image Processing, 2015, pages 2105-2109. The authors' program: https://www.mathworks.com/matlabcentral/fileexchange/53708

Protocol: luma of YIQ on 0-255, not rounded; rows and columns beyond a multiple of 8 are cut off. Below 32
pixels five per cent of the blocks round to none. Halves are rounded as MATLAB does, upwards; piq takes them to the
even number, and differs where the blocks are 10 times an odd number that is 1 above a multiple of 4 (50, 90, 130 ...).
Otherwise equal to piq to 1e-5.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from ...bench.protocols import MetricInfo
from ..inputs import pair
from ..memory import recall
from .apply import each
from .matlab import rounded
from .planes import yiq
from .window import smooth

if TYPE_CHECKING:
    import torch
    from torch import Tensor

BLOCK = 8
SPREAD = 1.55
"""Standard deviation of the weights over frequencies; bands of less than a hundredth are left out."""


@dataclass(frozen=True)
class DSS:
    """DCT subband similarity."""

    info: ClassVar[MetricInfo] = MetricInfo(
        "dss",
        "DSS",
        needs="pair",
        better="higher",
        bounds=(-1.001, 1.001),
        least=32,
        color="luma YIQ",
        version=2,
        cite="Balanov et al., ICIP 2015, pages 2105-2109; https://www.mathworks.com/matlabcentral/fileexchange/53708",
        note="Looks at the worst five per cent of the blocks only.",
    )

    def __call__(self, images: Tensor, references: Tensor | None = None, /) -> Tensor:
        images, references = pair("dss", images, references, least=32)
        return each(index, images, references)


class Bands(NamedTuple):
    """DCT subbands of a luma plane, those of weight, and their local moments: (1,K,h,w) each."""

    values: Tensor
    mean: Tensor
    variance: Tensor


def bands(image: Tensor) -> Bands:
    """Subbands of (1,3,H,W) in [0,1], in the order of ``_weights``."""
    import torch

    luma = yiq(image)[0, 0]
    high, wide = (side // BLOCK for side in luma.shape)
    blocks = luma[: high * BLOCK, : wide * BLOCK].reshape(high, BLOCK, wide, BLOCK)
    transform = _transform(luma.dtype, luma.device)
    coefficients = torch.einsum("uy,hywx,vx->uvhw", transform, blocks, transform).reshape(BLOCK**2, high, wide)
    index, _ = _weights(luma.dtype, luma.device)
    values = coefficients[index][None].double()  # small planes of large numbers, whose variances are wanted
    mean, square = _local(torch.cat([values, values.square()], 1)).chunk(2, 1)
    return Bands(values, mean, (square - mean.square()).clamp_min(0))


def index(image: Tensor, reference: Tensor) -> Tensor:
    """DSS of one pair (1,3,H,W) in [0,1]: a scalar."""
    import torch

    x, y = (recall(one, "dss", bands) for one in (image, reference))
    _, weights = _weights(x.values.dtype, x.values.device)
    constants = x.values.new_full((len(weights), 1, 1), 300)
    constants[0] = 1000
    spread = (x.variance * y.variance).sqrt()[0]
    similar = (2 * spread + constants) / (x.variance[0] + y.variance[0] + constants)
    worst = rounded(0.05 * similar[0].numel())
    score = _worst(similar, worst)
    # The lowest band is also compared in structure.
    covariance = _local(x.values[:, :1] * y.values[:, :1])[0, 0] - (x.mean[0, 0] * y.mean[0, 0])
    structure = (covariance + 1000) / (spread[0] + 1000)
    first = score[0] * _worst(structure[None], worst)[0]
    return (torch.cat([first[None], score[1:]]) * weights).sum()


def _worst(values: Tensor, count: int) -> Tensor:
    """Mean of the smallest values of each (K,h,w) -> (K,)."""
    return values.flatten(1).topk(count, largest=False).values.mean(1)


def _local(planes: Tensor) -> Tensor:
    """Gaussian mean over 3x3 blocks, zeros beyond the border."""
    import torch.nn.functional as F

    return smooth(F.pad(planes, (1, 1, 1, 1)), 3, 1.5)


@lru_cache(maxsize=8)
def _transform(dtype: torch.dtype, device: torch.device) -> Tensor:
    """Orthonormal DCT-II, (8,8)."""
    import numpy as np
    import torch
    from scipy.fft import dct

    return torch.as_tensor(dct(np.eye(BLOCK), axis=0, norm="ortho"), dtype=dtype, device=device)


@lru_cache(maxsize=8)
def _weights(dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
    """Indices of the subbands that count, in the flattened 8x8, and their weights."""
    import torch

    axis = torch.arange(BLOCK, dtype=dtype) + 0.5
    weights = (-(axis[:, None].square() + axis.square()) / (2 * SPREAD**2)).exp().flatten()
    index = (weights >= 0.01).nonzero().flatten()
    kept = weights[index]
    return index.to(device), (kept / kept.sum() + torch.finfo(dtype).eps).to(device)
