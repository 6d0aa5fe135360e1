"""Pooled features of EfficientNet-Lite0, trained on ImageNet.

A small network whose weights come as an ordinary package; for set metrics where Inception's cannot be had.

Tan, Le: EfficientNet: rethinking model scaling for convolutional neural networks. International Conference
on Machine Learning, 2019. arXiv:1905.11946 (the Lite variants drop squeeze-and-excitation and use ReLU6).

Protocol: RGB in [0,1], antialiased bicubic resize to 224x224 (aspect ratio not kept, as with Inception),
clipped to [0,1], mean and deviation .5 (not ImageNet's usual ones), 1280 values after global average
pooling, float32. Network by timm.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, ClassVar

from ...bench.protocols import ExtractorInfo
from ...bench.vision import load
from ..inputs import single

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

SLOT = "efficientnet/lite0"


@dataclass(frozen=True)
class EfficientNetLite0:
    """(N,3,H,W) in [0,1] -> (N,1280)."""

    info: ClassVar[ExtractorInfo] = ExtractorInfo(
        "efficientnet-lite0",
        "EfficientNet-Lite0, pooled",
        dimensions=1280,
        weights=(SLOT,),
        preprocessing="antialiased bicubic to 224x224, clipped, mean and deviation 0.5",
        cite="Tan and Le 2019, arXiv:1905.11946",
        license="Apache-2.0",
    )

    def __call__(self, images: Tensor, /) -> Tensor:
        import torch
        import torch.nn.functional as F

        images = single("efficientnet-lite0", images, dtype=torch.float32)
        module = network(str(images.device))
        with torch.no_grad():
            small = F.interpolate(images, size=(224, 224), mode="bicubic", align_corners=False, antialias=True)
            return module(small.clamp(0, 1) * 2 - 1)


@cache
def network(device: str = "cpu") -> Module:
    """The network without its classifier, frozen; built once per process and device.

    Raises:
        MissingWeights: its slot is empty.
        BadWeights: a tensor is missing, unknown or of another shape.
    """
    import torch

    from ...bench.weights import in_order, load_strict, tensors

    values = tensors(SLOT)
    with torch.random.fork_rng(devices=[]):  # building draws random parameters
        module = load("timm").create_model("tf_efficientnet_lite0", pretrained=False)
    load_strict(module, in_order(values, module, SLOT), name=SLOT)
    module.reset_classifier(0)
    return module.requires_grad_(False).eval().to(device)
