"""What the extractors on DINOv2 vision transformers share: preprocessing, network, position embedding.

The feature is the class token after the last normalisation. At 224x224 pixels the network sees 16x16 patches
and was published with positions for 37x37: they are interpolated as the published code does, bicubic without
antialiasing (timm's own interpolation has it), and by DINOv2's code with a scale of 16.1 / 37.

Oquab et al.: DINOv2: learning robust visual features without supervision. Transactions on Machine Learning
Research, 2024. arXiv:2304.07193
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ...bench.vision import load
from .resize import byte_bicubic

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

SIDE = 224
PATCH = 14
OFFSET = 0.1
"""What DINOv2's own code adds to the number of patches before it divides it by that of the published positions."""
PREPROCESSING = "Pillow bicubic to 224x224 in 8 bits, ImageNet mean and deviation, class token after normalisation"


def prepared(images: Tensor) -> Tensor:
    """(N,3,H,W) in [0,1] -> (N,3,224,224), normalised with ImageNet's mean and deviation."""
    import torch

    small = byte_bicubic(images, SIDE)
    mean, deviation = (
        torch.tensor(values, device=small.device).view(3, 1, 1)
        for values in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    )
    return (small - mean) / deviation


def build(model: str, values: Mapping[str, Tensor], slot: str, offset: float = OFFSET) -> Module:
    """A timm model of that name with these parameters, frozen, for images of 224x224.

    Raises:
        BadWeights: a tensor is missing, unknown or of another shape.
    """
    import torch

    from ...bench.weights import load_strict

    with torch.random.fork_rng(devices=[]):  # building draws random parameters
        module = load("timm").create_model(model, pretrained=False, num_classes=0, img_size=SIDE)
    values = dict(values)
    if "pos_embed" in values:
        values["pos_embed"] = positions(values["pos_embed"], SIDE // PATCH, offset)
    load_strict(module, values, name=slot)
    return module.requires_grad_(False).eval()


def positions(embedding: Tensor, side: int, offset: float = OFFSET) -> Tensor:
    """(1,1+S*S,D) for SxS patches -> (1,1+side*side,D); the class token's own position is kept."""
    import torch
    import torch.nn.functional as F

    if embedding.ndim != 3:
        return embedding  # refused when it is loaded
    old = round((embedding.shape[1] - 1) ** 0.5)
    if old * old != embedding.shape[1] - 1 or old == side:
        return embedding
    grid = embedding[:, 1:].float().reshape(1, old, old, -1).permute(0, 3, 1, 2)
    if offset:
        scale = (side + offset) / old
        grid = F.interpolate(grid, scale_factor=(scale, scale), mode="bicubic", antialias=False)
    else:
        grid = F.interpolate(grid, size=(side, side), mode="bicubic", antialias=False)
    return torch.cat([embedding[:, :1].float(), grid.flatten(2).transpose(1, 2)], dim=1)
