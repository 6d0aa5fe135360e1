"""Where an image draws the eye, as two metrics estimate it.

* Spectral residual: what the logarithm of the amplitude spectrum of a small copy has beyond its local mean.
  Hou, Zhang: Saliency detection: a spectral residual approach. Conference on Computer Vision and Pattern
  Recognition, 2007. doi:10.1109/CVPR.2007.383267
* SDSP: a band-pass response in CIELAB, times a preference for the middle, times one for warm colours.
  Zhang, Gu, Li: SDSP: a novel saliency detection method by combining simple priors. International Conference
  on Image Processing, 2013. doi:10.1109/ICIP.2013.6738036

Both with the parameters that the metrics' authors chose; equal to piq's (tests of SR-SIM and VSI).
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from .planes import mix
from .resize import resized
from .window import gaussian

if TYPE_CHECKING:
    import torch
    from torch import Tensor


SIDE = 256
"""SDSP looks at a copy of this size."""
ONE_COLOUR = 1e-9
"""Range of a* or b* below which all of it is rounding."""
XYZ = ((0.4124564, 0.3575761, 0.1804375), (0.2126729, 0.7151522, 0.0721750), (0.0193339, 0.1191920, 0.9503041))
D50 = (0.9642119944211994, 1.0, 0.8251882845188288)


def spectral_residual(luma: Tensor) -> Tensor:
    """(1,1,H,W) on 0-255 -> saliency in [0,1] of the same shape, scaled by its extremes."""
    import torch
    import torch.nn.functional as F

    height, width = luma.shape[2:]
    # In double precision, which costs nothing at this size: phases of weak frequencies lose digits first.
    small = resized(luma.double(), -(-height // 4), -(-width // 4), 0.25)
    spectrum = torch.fft.fft2(small)
    amplitude = (_modulus(spectrum) + torch.finfo(luma.dtype).eps).log()
    residual = amplitude - F.avg_pool2d(F.pad(amplitude, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    phase = spectrum.angle()
    back = torch.fft.ifft2(torch.polar(residual.exp(), phase))
    energy = back.real.square() + back.imag.square()
    line = gaussian(10, 3.8, energy.dtype, energy.device)
    # A window of even side: its middle is taken as the pixel to the lower right of it.
    padded = F.pad(energy, (4, 5, 4, 5))
    blurred = F.conv2d(F.conv2d(padded, line.view(1, 1, 1, -1)), line.view(1, 1, -1, 1))
    return resized(_stretched(blurred).to(luma), height, width)


def frequency_colour_place(image: Tensor) -> Tensor:
    """SDSP of (1,3,H,W) in [0,1] -> saliency in [0,1], (1,1,H,W), scaled by its extremes."""
    import torch
    import torch.nn.functional as F

    # In double precision, which costs little at this size: warmth is scaled by the range of a* and b*, and in an image
    # of one colour rounding is the whole of it.
    lab = _cielab(F.interpolate(image.double(), size=(SIDE, SIDE), mode="bilinear", align_corners=False))
    band, place = _priors(lab.dtype, image.device)
    frequency = torch.fft.irfft2(torch.fft.rfft2(lab) * band, s=(SIDE, SIDE)).square().sum(1, True).sqrt()
    low, high = lab[:, 1:].amin((2, 3), keepdim=True), lab[:, 1:].amax((2, 3), keepdim=True)
    span = high - low
    span = torch.where(span < ONE_COLOUR, torch.inf, span + torch.finfo(image.dtype).eps)
    warmth = ((lab[:, 1:] - low) / span).square().sum(1, True)
    colour = 1 - (-warmth / 0.001**2).exp()
    small = (frequency * place * colour).to(image)
    return _stretched(F.interpolate(small, image.shape[2:], mode="bilinear", align_corners=True))


def _stretched(plane: Tensor) -> Tensor:
    import torch

    low, high = plane.aminmax()
    return (plane - low) / (high - low + torch.finfo(plane.dtype).eps)


def _modulus(values: Tensor) -> Tensor:
    """|z|, without the care for overflow that makes ``abs`` slow."""
    return (values.real.square() + values.imag.square()).sqrt()


def _cielab(image: Tensor) -> Tensor:
    """sRGB (1,3,H,W) in [0,1] -> CIELAB under D50."""
    import torch

    linear = torch.where(image > 0.04045, ((image + 0.055) / 1.055) ** 2.4, image / 12.92)
    ratio = mix(linear, XYZ) / image.new_tensor(D50).view(1, 3, 1, 1)
    x, y, z = torch.where(ratio > 0.008856, ratio ** (1 / 3), (903.3 * ratio + 16) / 116).unbind(1)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], dim=1)


@lru_cache(maxsize=4)
def _priors(dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
    """Log-Gabor band of a half spectrum, (SIDE, SIDE/2+1), and the preference for the middle, (SIDE, SIDE)."""
    import torch

    axis = torch.fft.fftfreq(SIDE, dtype=torch.float64)
    radius = (axis[:, None].square() + axis[: SIDE // 2 + 1].square()).sqrt()
    band = (-(radius.clamp_min(1e-9) / 0.021).log().square() / (2 * 1.34**2)).exp()
    band = torch.where(radius <= 0.5, band, 0)
    band[0, 0] = 0
    steps = torch.arange(SIDE, dtype=torch.float64) - SIDE / 2 + 1
    place = (-(steps[:, None].square() + steps.square()) / 145**2).exp()
    return band.to(device, dtype), place.to(device, dtype)
