"""Features of the Inception network that FID and KID are defined on.

The network is torchvision's Inception v3 with the pooling blocks of pytorch-fid, which follow the
TensorFlow graph of 2015-12-05; its parameters come from the slot and from nowhere else (torchvision's own
Inception weights would give other numbers). The last pooling layer's 2048 values are the features.

Szegedy, Vanhoucke, Ioffe, Shlens, Wojna: Rethinking the Inception architecture for computer vision.
Conference on Computer Vision and Pattern Recognition, 2016. doi:10.1109/CVPR.2016.308

Protocol: RGB in [0,1], bilinear resize to 299x299 without antialiasing, brought to [-1,1], float32:
pytorch-fid's.
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

SLOT = "inception/fid-2015-12-05"


@dataclass(frozen=True)
class InceptionFID:
    """(N,3,H,W) in [0,1] -> (N,2048)."""

    info: ClassVar[ExtractorInfo] = ExtractorInfo(
        "inception-fid",
        "Inception v3 of FID",
        dimensions=2048,
        weights=(SLOT,),
        preprocessing="bilinear to 299x299 without antialiasing, [-1,1]",
        cite="Szegedy et al. 2016, doi:10.1109/CVPR.2016.308",
        license="Apache-2.0",
    )

    def __call__(self, images: Tensor, /) -> Tensor:
        import torch
        import torch.nn.functional as F

        images = single("inception-fid", images, dtype=torch.float32)
        module = network(str(images.device))
        with torch.no_grad():
            small = F.interpolate(images, size=(299, 299), mode="bilinear", align_corners=False)
            return module(small * 2 - 1).flatten(1)


@cache
def network(device: str = "cpu") -> Module:
    """Everything up to the last pooling, frozen; built once per process and device.

    Raises:
        MissingWeights: its slot is empty.
        BadWeights: a tensor is missing, unknown or of another shape.
    """
    import torch

    from ...bench.weights import load_strict, tensors

    values = tensors(SLOT)
    with torch.random.fork_rng(devices=[]):  # building draws random parameters
        whole = blueprint()
    load_strict(whole, values, name=SLOT)
    return trunk(whole).requires_grad_(False).eval().to(device)


def blueprint() -> Module:
    """The whole network of the published file, with parameters that are not yet any."""
    inception_v3 = load("torchvision.models").inception_v3
    blocks = load("pytorch_fid.inception")
    whole = inception_v3(weights=None, num_classes=1008, aux_logits=False, init_weights=False)
    whole.Mixed_5b = blocks.FIDInceptionA(192, pool_features=32)
    whole.Mixed_5c = blocks.FIDInceptionA(256, pool_features=64)
    whole.Mixed_5d = blocks.FIDInceptionA(288, pool_features=64)
    for name, width in (("Mixed_6b", 128), ("Mixed_6c", 160), ("Mixed_6d", 160), ("Mixed_6e", 192)):
        setattr(whole, name, blocks.FIDInceptionC(768, channels_7x7=width))
    whole.Mixed_7b = blocks.FIDInceptionE_1(1280)
    whole.Mixed_7c = blocks.FIDInceptionE_2(2048)
    return whole


def trunk(whole: Module) -> Module:
    """The layers in order, without dropout and classifier."""
    from torch import nn

    names = (
        "Conv2d_1a_3x3 Conv2d_2a_3x3 Conv2d_2b_3x3 maxpool1 Conv2d_3b_1x1 Conv2d_4a_3x3 maxpool2 "
        "Mixed_5b Mixed_5c Mixed_5d Mixed_6a Mixed_6b Mixed_6c Mixed_6d Mixed_6e "
        "Mixed_7a Mixed_7b Mixed_7c avgpool"
    )
    return nn.Sequential(*(whole.get_submodule(name) for name in names.split()))
