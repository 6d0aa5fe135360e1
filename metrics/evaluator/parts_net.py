"""Small layers that several networks share."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from ...bench.vision import load


def shrink(maps: Tensor, cap: int) -> Tensor:
    """Average to at most ``cap`` x ``cap``; smaller maps stay as they are."""
    if max(maps.shape[2:]) <= cap:
        return maps
    return F.adaptive_avg_pool2d(maps, (min(cap, maps.shape[2]), min(cap, maps.shape[3])))


def deviation(maps: Tensor, cap: int) -> Tensor:
    """(N,C,h,w) -> standard deviations in the cells that ``shrink`` averages; of 3 x 3 neighbours where it does not."""
    if max(maps.shape[2:]) > cap:
        mean, power = shrink(maps, cap), shrink(maps.square(), cap)
    else:
        around = {"kernel_size": 3, "stride": 1, "padding": 1, "count_include_pad": False}
        mean, power = F.avg_pool2d(maps, **around), F.avg_pool2d(maps.square(), **around)
    return (power - mean.square()).clamp_min(1e-8).sqrt()


def fit(maps: Tensor, side: int) -> Tensor:
    """To ``side`` x ``side``: averaged where they are larger, bilinear where they are smaller."""
    if tuple(maps.shape[2:]) == (side, side):
        return maps
    if min(maps.shape[2:]) >= side:
        return F.adaptive_avg_pool2d(maps, side)
    return F.interpolate(maps, size=(side, side), mode="bilinear", align_corners=False)


def separable(inputs: int, outputs: int) -> nn.Sequential:
    """Depth-wise separable convolution: 3x3 per channel, then 1x1 across channels."""
    return nn.Sequential(
        nn.Conv2d(inputs, inputs, 3, padding=1, groups=inputs, bias=False),
        nn.BatchNorm2d(inputs),
        nn.GELU(),
        nn.Conv2d(inputs, outputs, 1, bias=False),
        nn.BatchNorm2d(outputs),
    )


def folded(network: nn.Module) -> nn.Module:
    """The same function with every batch normalisation, as it stands, folded into the convolution before it.

    Nothing is left that depends on the batch; training is 1.4 times faster on processors. The convolutions get biases,
    so the state has other names.
    """
    conv = None
    for name, child in list(network.named_children()):
        if isinstance(child, nn.BatchNorm2d):  # timm's holds the activation that follows
            if conv is None:
                raise ValueError(f"the batch normalisation {name} follows no convolution, so it cannot be folded")
            setattr(network, conv, fuse_conv_bn_eval(getattr(network, conv).eval(), child.eval()))
            setattr(network, name, getattr(child, "act", nn.Identity()))
            conv = None
        elif isinstance(child, nn.Conv2d):
            conv = name
        else:
            folded(child)
    return network


def hasten(network: Any) -> Any:
    """An evaluator that says the same from now on, to five digits, in less time, and is not trained or saved any more.

    Normalisation of its backbone is folded, and channels lie last, which suits processors, too.
    """
    folded(network.backbone)
    return network.requires_grad_(False).eval().to(memory_format=torch.channels_last)


class WindowedCGA(nn.Module):
    """x + cascaded group attention of x in windows; the identity before training.

    Each head attends on its own group of channels plus the output of the head before it, so that information runs
    from the first group to the last. Attention by timm. Liu et al.: EfficientViT. CVPR 2023. arXiv:2305.07027
    """

    def __init__(
        self, dim: int, *, heads: int, key: int, window: int, side: int, kernels: tuple[int, ...] | None = None
    ) -> None:
        super().__init__()
        kernels = kernels or (5,) * heads
        if len(kernels) != heads:
            raise ValueError(f"{heads} heads need {heads} kernels, and {len(kernels)} are given")
        if dim % (key * heads) or side % window:
            raise ValueError(
                f"attention of {heads} heads with {key} keys in windows of {window} does not divide "
                f"{dim} channels of {side}x{side}"
            )
        self.side = side
        self.attend = load("timm.models.efficientvit_msra").LocalWindowAttention(
            dim, key, heads, attn_ratio=dim // (key * heads), resolution=side, window_resolution=window, kernels=kernels
        )

    def forward(self, x: Tensor) -> Tensor:
        if tuple(x.shape[2:]) != (self.side, self.side):  # timm would pad, and attend to the padding
            raise ValueError(f"attention is built for {self.side}x{self.side}, and the map has {tuple(x.shape[2:])}")
        if not self.training:
            self.attend.attn.attention_bias_cache = {}  # else weights loaded in between would be ignored
        return x + self.attend(x)


def regressor(inputs: int, hidden: int, outputs: int = 1, dropout: float = 0.0) -> nn.Sequential:
    """Linear, GELU, linear.

    Raises:
        ValueError: nothing between them.
    """
    if hidden < 1:
        raise ValueError(f"hidden is {hidden}; give 1 or more")
    layers = [nn.Linear(inputs, hidden), nn.GELU(), *([nn.Dropout(dropout)] if dropout else [])]
    return nn.Sequential(*layers, nn.Linear(hidden, outputs))
