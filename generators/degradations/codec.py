"""Through the file of a lossy format and back, by Pillow. Another version of its codecs may give other pixels."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from PIL import Image, features

from ...bench.errors import UsageError
from ...bench.protocols import GeneratorInfo
from ..base import Pixels
from .base import Degradation, Random, card, one_of, within

CHROMA = ("4:4:4", "4:2:2", "4:2:0")


def _through(image: Pixels, format: str, **options: Any) -> Pixels:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format, **options)
    return np.array(Image.open(buffer).convert("RGB"))


def _needs(feature: str, name: str) -> None:
    if not features.check(feature):
        raise UsageError(f"this Pillow was built without {name}; install a build that has it", code="E-CFG")


@dataclass(frozen=True)
class JPEG(Degradation):
    """Through a JPEG file of this ``quality`` (1 to 95) and chroma subsampling."""

    quality: int = 75
    chroma: str = "4:2:0"
    info: ClassVar[GeneratorInfo] = card("jpeg", "JPEG")

    def __post_init__(self) -> None:
        within(self.quality, 1, 95, "quality")
        one_of(self.chroma, CHROMA, "chroma")

    def __call__(self, image: Pixels, random: Random, /) -> Pixels:
        return _through(image, "JPEG", quality=int(self.quality), subsampling=self.chroma)


@dataclass(frozen=True)
class WebP(Degradation):
    """Through a lossy WebP file of this ``quality`` (0 to 100)."""

    quality: int = 75
    info: ClassVar[GeneratorInfo] = card("webp", "WebP")

    def __post_init__(self) -> None:
        within(self.quality, 0, 100, "quality")
        _needs("webp", "WebP")

    def __call__(self, image: Pixels, random: Random, /) -> Pixels:
        return _through(image, "WEBP", quality=int(self.quality), method=4)


@dataclass(frozen=True)
class JPEG2000(Degradation):
    """Through a lossy JPEG 2000 file ``ratio`` times smaller than the pixels; 9/7 wavelet."""

    ratio: float = 40.0
    info: ClassVar[GeneratorInfo] = card(
        "jpeg2000", "JPEG 2000", "On images of a few thousand pixels the file's own header outweighs high ratios."
    )

    def __post_init__(self) -> None:
        within(self.ratio, 1, 1000, "ratio")
        _needs("jpg_2000", "JPEG 2000")

    def __call__(self, image: Pixels, random: Random, /) -> Pixels:
        # The format has at least one pixel on its coarsest level; 8 levels at most are of use.
        levels = max(1, min(8, min(image.shape[:2]).bit_length()))
        return _through(
            image, "JPEG2000", irreversible=True, quality_mode="rates", quality_layers=[self.ratio],
            num_resolutions=levels,
        )  # fmt: skip
