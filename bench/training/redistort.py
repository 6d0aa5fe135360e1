"""A fixed floor of quality: every image through one chain of nine steps, always the same for the same image.

Gaussian blur of radius 2, motion blur of length 24 (horizontal or vertical), JPEG of quality 24, Gaussian noise of
variance 0.05, impulse noise at 2 % of the pixels, reduction to an eighth and back (bicubic), the same bilinear, a fifth
and back (nearest), and pixels of 0.95 - 0.2^0.6 of the size. All that is random in it is drawn from the image's key.
The chain of BoHu90/DR-IQA at level index 3. PSNR to the image is about 19 dB for photographs, more for smooth ones.

Radius means the standard deviation of the blur, as Pillow uses the word.
"""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from ..images import to_uint8
from .crops import rng

VERSION = 1
_Picture = npt.NDArray[np.uint8]


def redistort(picture: _Picture, key: str) -> _Picture:
    """The picture at the floor; (H, W, 3) uint8 in and out, of the same size."""
    from scipy.ndimage import uniform_filter1d

    stream = rng(VERSION, "redistort", key)
    height, width, _ = picture.shape
    image = np.asarray(Image.fromarray(picture).filter(ImageFilter.GaussianBlur(2)))
    image = to_uint8(uniform_filter1d(image / 255.0, 24, axis=int(stream.integers(2)), mode="nearest"))
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=24)
    values = np.asarray(Image.open(buffer).convert("RGB")) / 255.0
    image = to_uint8(values + np.sqrt(0.05) * stream.standard_normal(values.shape))
    struck = stream.random((height, width)) < 0.02
    image = np.where(struck[..., None], np.where(stream.random((height, width, 1)) < 0.5, 0, 255), image)
    small = image.astype(np.uint8)
    kinds = Image.Resampling
    for factor, kernel in ((8.0, kinds.BICUBIC), (8.0, kinds.BILINEAR), (5.0, kinds.NEAREST)):
        small = _through(small, 1 / factor, kernel)
    return _through(small, 0.95 - 0.2**0.6, kinds.NEAREST)


def degraded(picture: _Picture, key: str) -> _Picture:
    """The picture reduced to a quarter and back, bicubic: the degraded reference of a restoration by 4."""
    return _through(picture, 0.25, Image.Resampling.BICUBIC)


def _through(image: _Picture, scale: float, kernel: Image.Resampling) -> _Picture:
    height, width, _ = image.shape
    size = (max(1, int(width * scale)), max(1, int(height * scale)))
    return np.array(Image.fromarray(image).resize(size, kernel).resize((width, height), kernel))
