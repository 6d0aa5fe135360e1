"""What all degradations share: their card, checks of parameters, and the steps to floats and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from ...bench.errors import UsageError
from ...bench.images import to_uint8
from ...bench.protocols import GeneratorInfo
from ..base import Pixels

Random = np.random.Generator
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Degradation:
    """(H, W, 3) uint8 -> (h, w, 3) uint8; the input is not changed."""

    info: ClassVar[GeneratorInfo]
    aliases: ClassVar[dict[str, str]] = {}
    """Other names that recipes may use for a parameter."""

    @property
    def shrink(self) -> float:
        """Input side divided by output side."""
        return 1.0

    def __call__(self, image: Pixels, random: Random, /) -> Pixels:
        raise NotImplementedError


def card(name: str, title: str, note: str = "", cite: str = "", scale: int = 1) -> GeneratorInfo:
    """The description of a degradation; ``scale`` is 0 where it depends on the parameters."""
    return GeneratorInfo(name, title, kind="degradation", scale=scale, license="Apache-2.0", cite=cite, note=note)


def within(value: object, low: float, high: float, name: str) -> None:
    """Raises UsageError unless ``value`` is a number from ``low`` to ``high``."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise UsageError(f"{name} must lie between {low} and {high}, not {value!r}", code="E-CFG")


def whole(value: object, low: int, high: int, name: str) -> None:
    """Raises UsageError unless ``value`` is a whole number from ``low`` to ``high``."""
    within(value, low, high, name)
    if value != int(value):  # type: ignore[call-overload]
        raise UsageError(f"{name} must be a whole number between {low} and {high}, not {value!r}", code="E-CFG")


def one_of(value: object, names: Sequence[str], name: str) -> None:
    """Raises UsageError unless ``value`` is one of ``names``."""
    if value not in names:
        raise UsageError(f"{name} is one of {', '.join(names)}, not {value!r}", code="E-CFG")


def planes(image: Pixels) -> Floats:
    """The image as (H, W, 3) float64 in [0, 1]."""
    return image.astype(np.float64) / 255.0


def rounded(values: npt.NDArray[np.floating]) -> Pixels:
    """Values on the scale 0 to 255 as bytes: clipped, rounded half to even."""
    return to_uint8(values / 255.0)


def filtered(image: Pixels, kernel: Floats) -> Pixels:
    """Every channel correlated with a kernel of odd sides whose values sum to 1; borders are mirrored.

    Done by Fourier transform, as kernels are large. Its rounding errors (1e-12) must not decide which way a half is
    rounded, hence six decimals are kept before bytes are made.
    """
    from scipy.signal import oaconvolve

    y, x = kernel.shape[0] // 2, kernel.shape[1] // 2
    padded = np.pad(image.astype(np.float64), ((y, y), (x, x), (0, 0)), mode="symmetric")
    done = oaconvolve(padded, kernel[::-1, ::-1, None], mode="valid", axes=(0, 1))
    return rounded(np.round(done, 6))


def moved(image: Floats, dy: Floats, dx: Floats, order: int) -> Floats:
    """Every output pixel taken from (y + dy, x + dx) of the image by splines of ``order``; borders are repeated."""
    from scipy.ndimage import map_coordinates

    y, x = np.mgrid[: image.shape[0], : image.shape[1]].astype(np.float64)
    places = np.stack([y + dy, x + dx])
    done = [map_coordinates(image[..., c], places, order=order, mode="nearest") for c in range(image.shape[2])]
    return np.stack(done, axis=-1)
