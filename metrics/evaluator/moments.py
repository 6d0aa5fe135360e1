"""Mean and standard deviation of a backbone's maps, at full and half size: the plainest description of an image.

A ridge regression on it, without any training of the network, is the bar that a learned evaluator has to clear.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from .backbones import Backbone

SCALES = (1, 2)
"""Whole factors by which the image is shrunk, by averaging."""
LEAST = 64
"""Shortest side: the deepest map of the half-size image still has a pixel."""


def pooled(maps: Sequence[Tensor]) -> Tensor:
    """Maps (N,C,h,w) -> (N, 2 sum C): means and population standard deviations, tap by tap."""
    import torch

    parts = []
    for value in maps:
        flat = value.flatten(2)
        mean = flat.mean(2)
        # In two passes: a difference of squares would lose the deviations of nearly constant channels.
        parts += [mean, (flat - mean[..., None]).square().mean(2).clamp_min(1e-8).sqrt()]
    return torch.cat(parts, dim=1)


def channels_of(source: Backbone, deepest: int = 0) -> tuple[int, ...]:
    """Channels of the maps that ``described`` takes moments of, in order."""
    return (*source.channels[: deepest or None], *source.channels)


def described(source: Backbone, module: Any, images: Tensor, deepest: int = 0) -> Tensor:
    """Images (N,3,H,W) in [0,1] -> (N, 2 sum C), first the maps of full size, then those of half.

    Args:
        source: the backbone.
        module: its network.
        images: at least ``LEAST`` pixels each way.
        deepest: of the image in full size the maps up to this one, counted from 1; 0: all.
    """
    import torch.nn.functional as F

    full = source.early(module, images, deepest) if deepest else source(module, images)
    return pooled([*full, *source(module, F.avg_pool2d(images, SCALES[1]))])


def levelled(moments: Tensor, channels: Sequence[int]) -> Tensor:
    """Moments of maps of so many channels, each map's means and deviations brought to mean 0 and deviation 1."""
    import torch
    import torch.nn.functional as F

    parts = moments.split([c for c in channels for _ in ("means", "deviations")], dim=1)
    return torch.cat([F.layer_norm(part, part.shape[1:]) for part in parts], dim=1)
