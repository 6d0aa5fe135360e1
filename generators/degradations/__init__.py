"""What makes an image worse, each a frozen dataclass whose fields are its parameters.

Called with (H, W, 3) uint8 and a random generator, a degradation gives a new (h, w, 3) uint8 array, rounded half to
even once. ``..degrade`` chains them by recipe and seeds the generator by image. This package imports NumPy and Pillow
only; what needs SciPy or scikit-image imports it when called.
"""

from __future__ import annotations

from .base import Degradation, Random
from .blur import AnisotropicBlur, Blur, Defocus, MotionBlur
from .codec import JPEG, JPEG2000, WebP
from .color import ColorDiffusion, ColorShift, SaturateHSV, SaturateLab
from .gan_like import Checkerboard, KernelMismatch, Oversmooth, Resample, Texture, Warp
from .ladder import LADDERS, Ladder
from .noise import CorrelatedNoise, Impulse, MultiplicativeNoise, Noise, Poisson, YCbCrNoise
from .scale import Down, DownUp, Imresize, Pixelate
from .spatial import ColorBlocks, Jitter, PatchShift
from .tone import Brighten, ContrastCurve, ContrastRange, Darken, MeanShift, Quantize, Sharpen

ALL: tuple[type[Degradation], ...] = (
    Down, DownUp, Imresize, Pixelate,
    Blur, AnisotropicBlur, MotionBlur, Defocus,
    Noise, Poisson, Impulse, CorrelatedNoise, YCbCrNoise, MultiplicativeNoise,
    JPEG, WebP, JPEG2000,
    ColorDiffusion, ColorShift, SaturateHSV, SaturateLab,
    Brighten, Darken, MeanShift, ContrastCurve, ContrastRange, Quantize, Sharpen,
    Jitter, PatchShift, ColorBlocks,
    Resample, Texture, Checkerboard, KernelMismatch, Oversmooth, Warp,
    Ladder,
)  # fmt: skip

__all__ = ["ALL", "LADDERS", "Degradation", "Random"]
