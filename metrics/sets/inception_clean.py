"""Inception features after resizing with antialiasing: those of clean-FID.

The network and the parameters of ``inception-fid`` (inception.py); only what is done to the image before
differs, and with it the numbers.

Parmar, Zhang, Zhu: On aliased resizing and surprising subtleties in GAN evaluation. Conference on Computer
Vision and Pattern Recognition, 2022. arXiv:2104.11222

Protocol: RGB in [0,1] times 255, each channel as float32 resized to 299x299 by Pillow's bicubic filter (with
antialiasing), clipped to [0,255] and not rounded, then (x - 128) / 128 as in the TensorFlow graph, float32.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ...bench.protocols import ExtractorInfo
from ..inputs import single
from .inception import SLOT, network
from .resize import float_bicubic

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class InceptionFIDClean:
    """(N,3,H,W) in [0,1] -> (N,2048)."""

    info: ClassVar[ExtractorInfo] = ExtractorInfo(
        "inception-fid-clean",
        "Inception v3 of FID, clean resizing",
        dimensions=2048,
        weights=(SLOT,),
        preprocessing="Pillow bicubic to 299x299 per channel in float32, clipped, not rounded, (x - 128) / 128",
        cite="Parmar et al. 2022, arXiv:2104.11222",
        license="Apache-2.0",
    )

    def __call__(self, images: Tensor, /) -> Tensor:
        import torch

        images = single("inception-fid-clean", images, dtype=torch.float32)
        module = network(str(images.device))
        with torch.no_grad():
            return module((float_bicubic(images, 299) - 128) / 128).flatten(1)
