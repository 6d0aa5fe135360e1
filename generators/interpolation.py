"""Enlarging without learning: four interpolation kernels, and iterative back-projection.

The kernels are Pillow's, applied to floating-point planes, so that nothing is rounded on the way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt
from PIL import Image

from ..bench.protocols import GeneratorInfo
from .base import Planes, on_array

if TYPE_CHECKING:
    from torch import Tensor

Kernel = Image.Resampling


def resize(planes: npt.NDArray[np.floating], width: int, height: int, kernel: Kernel) -> Planes:
    """Resize (H, W, C) floating-point planes; when shrinking, the kernel is widened (antialiasing).

    Values may leave the input's range by over- and undershoot; nothing is clipped here.
    """
    done = [
        np.asarray(Image.fromarray(np.ascontiguousarray(plane, np.float32)).resize((width, height), kernel))
        for plane in np.moveaxis(np.asarray(planes), -1, 0)
    ]
    return np.stack(done, axis=-1)


def _info(name: str, title: str, cite: str = "", note: str = "") -> GeneratorInfo:
    return GeneratorInfo(
        name, title, kind="restorer", family="classical", scale=4, license="Apache-2.0", cite=cite, note=note
    )


@dataclass(frozen=True)
class _Interpolation:
    """(3, h, w) in [0, 1] -> (3, h*scale, w*scale), clamped."""

    scale: int = 4
    """Output side divided by input side."""
    kernel: ClassVar[Kernel]

    def __post_init__(self) -> None:
        if type(self.scale) is not int or not 1 <= self.scale <= 16:
            raise ValueError(f"scale must be a whole number from 1 to 16, not {self.scale!r}")

    def __call__(self, image: Tensor, /) -> Tensor:
        return on_array(image, self._enlarge)

    def _enlarge(self, planes: Planes) -> Planes:
        height, width = planes.shape[:2]
        return resize(planes, width * self.scale, height * self.scale, self.kernel)


class Nearest(_Interpolation):
    """Every pixel repeated."""

    info: ClassVar[GeneratorInfo] = _info("nearest", "Nearest neighbour")
    kernel = Kernel.NEAREST


class Bilinear(_Interpolation):
    """Triangle kernel."""

    info: ClassVar[GeneratorInfo] = _info("bilinear", "Bilinear interpolation")
    kernel = Kernel.BILINEAR


class Bicubic(_Interpolation):
    """Keys' cubic kernel with a = -1/2."""

    info: ClassVar[GeneratorInfo] = _info(
        "bicubic", "Bicubic interpolation", cite="Keys 1981, doi 10.1109/TASSP.1981.1163711"
    )
    kernel = Kernel.BICUBIC


class Lanczos(_Interpolation):
    """Windowed sinc with three lobes."""

    info: ClassVar[GeneratorInfo] = _info("lanczos", "Lanczos interpolation (3 lobes)")
    kernel = Kernel.LANCZOS


@dataclass(frozen=True)
class BackProjection(_Interpolation):
    """Bicubic enlargement, corrected until it shrinks back to the input.

    x <- x + up(y - down(x)), with antialiased bicubic shrinking: sharper than bicubic alone, with ringing.
    """

    iterations: int = 10
    info: ClassVar[GeneratorInfo] = _info(
        "back-projection",
        "Iterative back-projection",
        cite="Irani and Peleg 1991, doi 10.1016/1049-9652(91)90045-L",
        note="Assumes that the input was made by antialiased bicubic shrinking.",
    )
    kernel = Kernel.BICUBIC

    def __post_init__(self) -> None:
        super().__post_init__()
        if type(self.iterations) is not int or not 0 <= self.iterations <= 1000:
            raise ValueError(f"iterations must be a whole number from 0 to 1000, not {self.iterations!r}")

    def _enlarge(self, planes: Planes) -> Planes:
        height, width = planes.shape[:2]
        estimate = super()._enlarge(planes)
        for _ in range(self.iterations):
            residual = planes - resize(estimate, width, height, self.kernel)
            estimate = estimate + super()._enlarge(residual)
        return estimate
