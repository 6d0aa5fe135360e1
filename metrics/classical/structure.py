"""The two maps of structural similarity, with what belongs to the reference computed once.

Luminance l = (2 mx my + C1) / (mx^2 + my^2 + C1) and contrast-structure c = (2 sxy + C2) / (sx^2 + sy^2 + C2),
with means m, variances s^2 and covariance sxy in a Gaussian window; SSIM is the mean of l c.

Wang, Bovik, Sheikh, Simoncelli 2004, doi:10.1109/TIP.2003.819861. Equal to piq's to 1e-5 relative, for blank images
to 5e-6 absolute: beside black only the darkest places of a reference count (tests).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..memory import recall, recall_pair
from .window import smooth

if TYPE_CHECKING:
    from torch import Tensor

WINDOW, SIGMA = 11, 1.5
K1, K2 = 0.01, 0.03


class Moments(NamedTuple):
    """Mean and variance in the window, each (1,C,h,w), of the planes less ``centre``, (1,C,1,1).

    Variances are differences of nearly equal numbers. Taken about each plane's own mean they keep more digits; about
    another plane's, a blank image (what a generator gives that has failed) would keep few.
    """

    centre: Tensor
    mean: Tensor
    variance: Tensor


class Maps(NamedTuple):
    """Contrast-structure, and its product with luminance, each (1,C,h,w)."""

    whole: Tensor
    contrast: Tensor


class Means(NamedTuple):
    """Of ``Maps`` over the image, each (C,)."""

    whole: Tensor
    contrast: Tensor


def moments(planes: Tensor, window: int = WINDOW, sigma: float = SIGMA) -> Moments:
    """Moments of (1,C,H,W)."""
    import torch

    centre = planes.mean((2, 3), keepdim=True)
    planes = planes - centre
    mean, square = smooth(torch.cat([planes, planes.square()], 1), window, sigma).chunk(2, 1)
    return Moments(centre, mean, square - mean.square())


def maps(
    image: Tensor, reference: Tensor, known: Moments, window: int = WINDOW, sigma: float = SIGMA, peak: float = 1.0
) -> Maps:
    """Compare (1,C,H,W) planes in [0,peak]; ``known`` are the moments of the reference."""
    import torch

    centre = image.mean((2, 3), keepdim=True)
    x, y = image - centre, reference - known.centre
    mean, square, cross = smooth(torch.cat([x, x.square(), x * y], 1), window, sigma).chunk(3, 1)
    c1, c2 = (K1 * peak) ** 2, (K2 * peak) ** 2
    contrast = (2 * (cross - mean * known.mean) + c2) / (square - mean.square() + known.variance + c2)
    mean, other = mean + centre, known.mean + known.centre
    return Maps((2 * mean * other + c1) / (mean.square() + other.square() + c1) * contrast, contrast)


def means(image: Tensor, reference: Tensor, window: int = WINDOW, sigma: float = SIGMA, peak: float = 1.0) -> Means:
    """Means of the maps per plane; remembered for the pair, the moments for the reference."""
    name = f"structure-{window}-{sigma}-{peak}"

    def compare(image: Tensor, reference: Tensor) -> Means:
        known = recall(reference, name, lambda planes: moments(planes, window, sigma))
        return Means(*(m.mean((2, 3))[0] for m in maps(image, reference, known, window, sigma, peak)))

    return recall_pair(image, reference, name, compare)
