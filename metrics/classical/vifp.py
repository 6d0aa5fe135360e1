"""Visual information fidelity, pixel domain.

Mutual information between reference and image as a noisy visual channel would pass it, divided by that of
the reference with itself, summed over four scales with Gaussian windows of 17, 9, 5 and 3. Range [0, inf):
1 for identical images, above 1 where contrast is enhanced; higher is better.

Sheikh, Bovik: Image information and visual quality. IEEE Transactions on Image Processing 15(2), 2006.
doi:10.1109/TIP.2005.859378. The pixel-domain form is the authors' later, simpler program, not the wavelet
form of the paper: their values differ.

Protocol: luma .299 R + .587 G + .114 B on 0-255, not rounded; noise variance 2. The roles differ. Shortest
side 41. Equal to piq to 1e-5.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, log
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from ...bench.protocols import MetricInfo
from ..inputs import pair
from ..memory import recall
from .apply import each
from .planes import yiq
from .window import smooth

if TYPE_CHECKING:
    from torch import Tensor

NOISE = 2.0
"""Variance of the visual noise."""
TINY = 1e-8
LOG10 = log(10)


@dataclass(frozen=True)
class VIFp:
    """Visual information fidelity in the pixel domain."""

    info: ClassVar[MetricInfo] = MetricInfo(
        "vifp",
        "VIFp",
        needs="pair",
        better="higher",
        bounds=(0.0, inf),
        least=41,
        color="luma YIQ",
        cite="Sheikh and Bovik 2006, doi:10.1109/TIP.2005.859378",
        note="Pixel-domain VIF; published VIF values are usually of the wavelet form and differ.",
    )

    def __call__(self, images: Tensor, references: Tensor | None = None, /) -> Tensor:
        images, references = pair("vifp", images, references, least=41)
        return each(fidelity, images, references)


class Scale(NamedTuple):
    """One scale of a reference: its luma, moments, and the information it holds (nats)."""

    luma: Tensor
    centre: Tensor
    """Mean of the reference's luma; every plane is taken less it, which changes no variance and saves digits."""
    mean: Tensor
    variance: Tensor
    information: Tensor


def fidelity(image: Tensor, reference: Tensor) -> Tensor:
    """VIFp of one pair (1,3,H,W) in [0,1]: a scalar."""
    import torch

    pyramid = recall(reference, "vifp", scales)
    luma = yiq(image)[:, :1] - pyramid[0].centre
    kept = luma.new_zeros(())
    for level, known in enumerate(pyramid):
        side, sigma = window(level)
        luma = smooth(luma, side, sigma)[..., ::2, ::2] if level else luma
        mean, square, cross = smooth(torch.cat([luma, luma.square(), luma * known.luma], 1), side, sigma).chunk(3, 1)
        variance = (square - mean.square()).relu()
        covariance = cross - mean * known.mean
        # The channel is gain g and additive noise v; where one of the two is flat, all of the image is noise.
        gain = covariance / (known.variance + TINY)
        noise = variance - gain * covariance
        structured = (known.variance >= TINY) & (variance >= TINY)
        gain = torch.where(structured, gain, 0)
        noise = torch.where(structured & (gain >= 0), noise, variance).clamp_min(TINY)
        kept = kept + (gain.relu().square() * known.variance / (noise + NOISE)).log1p().sum()
    whole = sum((known.information for known in pyramid), luma.new_zeros(()))
    return (kept / LOG10 + TINY) / (whole / LOG10 + TINY)


def scales(reference: Tensor) -> list[Scale]:
    """The four scales of a reference (1,3,H,W) in [0,1]."""
    import torch

    luma, made = yiq(reference)[:, :1], []
    centre = luma.mean()
    luma = luma - centre
    for level in range(4):
        side, sigma = window(level)
        luma = smooth(luma, side, sigma)[..., ::2, ::2] if level else luma
        mean, square = smooth(torch.cat([luma, luma.square()], 1), side, sigma).chunk(2, 1)
        variance = (square - mean.square()).relu()
        variance = variance * (variance >= TINY)
        made.append(Scale(luma, centre, mean, variance, (variance / NOISE).log1p().sum()))
    return made


def window(level: int) -> tuple[int, float]:
    """Side and standard deviation of the window at a scale: 17, 9, 5, 3 pixels."""
    side = 2 ** (4 - level) + 1
    return side, side / 5
