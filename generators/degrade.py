"""Degradations that come out the same every time: named, with parameters, seeded by image and seed.

A recipe is a chain such as ``down(factor=4) | noise(sigma=5)``; ``apply`` carries it out. Images are (H, W, 3)
uint8 throughout, rounded half to even after every step. Randomness comes from the image's key, the seed and
the place in the chain, never from global state; two strengths of noise on one image share their pattern,
so that the stronger one is the weaker one made worse.

Shrinking uses Pillow's antialiased kernels. Away from the borders its bicubic kernel (Keys, a = -1/2,
widened by the factor) is that of MATLAB's ``imresize``, and agrees with it within one grey level (rarely
two, as bytes are rounded between the two passes); at the borders Pillow renormalises the kernel where MATLAB mirrors
the image.
"""

from __future__ import annotations

import hashlib
import inspect
import io
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, features

from ..bench.errors import UsageError
from ..bench.images import to_uint8
from ..bench.spec import Scalar, Spec
from .base import Pixels

_KERNELS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
    "area": Image.Resampling.BOX,
}
_CHROMA = ("4:4:4", "4:2:2", "4:2:0")

Random = np.random.Generator


def down(image: Pixels, random: Random, factor: float = 4.0, kernel: str = "bicubic") -> Pixels:
    """Shrink both sides by ``factor`` with an antialiased kernel; ``area`` is the mean over each cell."""
    height, width = image.shape[:2]
    _within(factor, 1, 64, "factor")
    return _resized(image, max(1, round(width / factor)), max(1, round(height / factor)), kernel)


def down_up(
    image: Pixels, random: Random, factor: float = 2.0, kernel: str = "bicubic", back: str = "bicubic"
) -> Pixels:
    """Shrink by ``factor`` with one kernel and enlarge to the old size with another."""
    height, width = image.shape[:2]
    return _resized(down(image, random, factor, kernel), width, height, back)


def blur(image: Pixels, random: Random, sigma: float = 1.0) -> Pixels:
    """Gaussian blur of each channel; ``sigma`` in pixels, borders mirrored, kernel cut at 4 sigma."""
    from scipy.ndimage import gaussian_filter

    _within(sigma, 0, 100, "sigma")
    if sigma == 0:
        return image.copy()
    return _rounded(gaussian_filter(image.astype(np.float64), (sigma, sigma, 0), mode="mirror", truncate=4.0))


def noise(image: Pixels, random: Random, sigma: float = 10.0) -> Pixels:
    """White Gaussian noise, independent in each channel; ``sigma`` on the scale 0 to 255, clipped at its ends."""
    _within(sigma, 0, 255, "sigma")
    return _rounded(image + sigma * random.standard_normal(image.shape))


def jpeg(image: Pixels, random: Random, quality: int = 75, chroma: str = "4:2:0") -> Pixels:
    """Through a JPEG file of this ``quality`` (1 to 95) and chroma subsampling."""
    _within(quality, 1, 95, "quality")
    if chroma not in _CHROMA:
        raise UsageError(f"chroma is one of {', '.join(_CHROMA)}, not {chroma!r}", code="E-CFG")
    return _through(image, "JPEG", quality=int(quality), subsampling=chroma)


def webp(image: Pixels, random: Random, quality: int = 75) -> Pixels:
    """Through a lossy WebP file of this ``quality`` (0 to 100).

    Raises:
        UsageError: this Pillow was built without WebP.
    """
    _within(quality, 0, 100, "quality")
    if not features.check("webp"):
        raise UsageError("this Pillow was built without WebP; install a build that has it", code="E-CFG")
    return _through(image, "WEBP", quality=int(quality), method=4)


BANK: dict[str, Callable[..., Pixels]] = {
    "down": down,
    "down-up": down_up,
    "blur": blur,
    "noise": noise,
    "jpeg": jpeg,
    "webp": webp,
}
"""Degradations by the name they have in recipes."""


def steps(recipe: str) -> list[Spec]:
    """A recipe with every parameter spelled out, step by step.

    Raises:
        UsageError: an unknown degradation or parameter.
    """
    answer = []
    for text in recipe.split("|"):
        given = Spec.parse(text)
        if given.name not in BANK:
            raise UsageError(f"there is no degradation {given.name!r}; there are {', '.join(BANK)}", code="E-CFG")
        answer.append(Spec.of(given.name, _parameters(given.name), given.arguments))
    return answer


def apply(recipe: str, image: Pixels, *, key: str, seed: int = 0) -> Pixels:
    """Degrade an image.

    Args:
        recipe: ``name(parameter=value) | ...``, carried out from left to right.
        image: (H, W, 3) uint8.
        key: identity of the image; equal keys and seeds give equal noise.
        seed: another seed gives other noise.

    Returns:
        A new (h, w, 3) uint8 array.

    Raises:
        UsageError: unknown degradation, unknown parameter, or a value out of its range.
        ValueError: another shape or type of image.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f"a degradation takes (H, W, 3) uint8, not {image.shape} {image.dtype}")
    for place, step in enumerate(steps(recipe)):
        image = BANK[step.name](image, _random(key, seed, place, step.name), **step.arguments)
    return image


def _parameters(name: str) -> Callable[..., Any]:
    """A callable with the degradation's own parameters as its signature, for ``Spec.of``."""

    def own(**given: Scalar) -> None: ...

    _, _, *parameters = inspect.signature(BANK[name]).parameters.values()
    own.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return own


def _random(key: str, seed: int, place: int, name: str) -> Random:
    text = "\0".join((key, str(int(seed)), str(place), name))
    return np.random.Generator(np.random.PCG64(int.from_bytes(hashlib.sha256(text.encode()).digest(), "big")))


def _within(value: float, low: float, high: float, name: str) -> None:
    if not low <= value <= high:
        raise UsageError(f"{name} must lie between {low} and {high}, not {value}", code="E-CFG")


def _rounded(values: npt.NDArray[np.float64]) -> Pixels:
    return to_uint8(values / 255.0)


def _resized(image: Pixels, width: int, height: int, kernel: str) -> Pixels:
    if kernel not in _KERNELS:
        raise UsageError(f"kernel is one of {', '.join(_KERNELS)}, not {kernel!r}", code="E-CFG")
    return np.array(Image.fromarray(image).resize((width, height), _KERNELS[kernel]))


def _through(image: Pixels, format: str, **options: Any) -> Pixels:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format, **options)
    return np.array(Image.open(buffer).convert("RGB"))
