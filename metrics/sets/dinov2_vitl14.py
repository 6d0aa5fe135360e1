"""Features of DINOv2 ViT-L/14, on which FD-DINOv2 is defined.

Stein et al.: Exposing flaws of generative model evaluation metrics and their unfair treatment of diffusion
models. Advances in Neural Information Processing Systems 36, 2023. arXiv:2306.04675

Protocol: RGB in [0,1] rounded to bytes, resized to 224x224 by Pillow's bicubic filter (aspect ratio not kept), rounded
to bytes, ImageNet mean and deviation, class token of 1024 values, float32. Network by timm, parameters in timm's
safetensors file; position embedding interpolated as DINOv2's own code does (dinov2.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, ClassVar

from ...bench.protocols import ExtractorInfo
from ..inputs import single
from .dinov2 import PREPROCESSING, build, prepared

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

SLOT = "dinov2/vitl14-timm"


@dataclass(frozen=True)
class DINOv2Large:
    """(N,3,H,W) in [0,1] -> (N,1024)."""

    info: ClassVar[ExtractorInfo] = ExtractorInfo(
        "dinov2-vitl14",
        "DINOv2 ViT-L/14",
        dimensions=1024,
        weights=(SLOT,),
        preprocessing=PREPROCESSING,
        cite="Oquab et al. 2024, arXiv:2304.07193",
        license="Apache-2.0",
    )

    def __call__(self, images: Tensor, /) -> Tensor:
        import torch

        images = single("dinov2-vitl14", images, dtype=torch.float32)
        module = network(str(images.device))
        with torch.no_grad():
            return module(prepared(images))


@cache
def network(device: str = "cpu") -> Module:
    """The network, frozen; built once per process and device.

    Raises:
        MissingWeights: its slot is empty.
        BadWeights: a tensor is missing, unknown or of another shape.
    """
    from ...bench.weights import tensors

    return build("vit_large_patch14_dinov2", tensors(SLOT), SLOT).to(device)
