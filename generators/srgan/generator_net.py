"""The generator: a residual network without batch normalisation, added to a bicubic enlargement.

All blocks work at the size of the input; two pixel shuffles make the image four times larger. What the
network adds is a correction of the bicubic enlargement (Keys' kernel, a = -1/2), so that it starts there.

Blocks: Lim et al. 2017, arXiv:1707.02921 (EDSR, without its scaling). Pixel shuffle: Shi et al. 2016,
arXiv:1609.05158. Enlargement by a GAN: Ledig et al. 2017, arXiv:1609.04802 (SRGAN).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

WIDTH, BLOCKS, TAIL = 48, 7, 24
"""Channels of the body, residual blocks, channels at twice the size."""
SCALE = 4
REACH = 2 * BLOCKS + 5
"""No output pixel depends on input farther away than this: one pixel for each convolution, and a margin."""


class Block(nn.Module):
    """x + conv(relu(conv(x)))."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(torch.relu(self.first(x)))


class Generator(nn.Module):
    """(N,3,h,w) in [0,1] -> (N,3,4h,4w), not clamped."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, WIDTH, 3, padding=1)
        self.body = nn.Sequential(*(Block(WIDTH) for _ in range(BLOCKS)))
        self.join = nn.Conv2d(WIDTH, 4 * TAIL, 3, padding=1)
        self.tail = nn.Conv2d(TAIL, TAIL, 3, padding=1)
        self.last = nn.Conv2d(TAIL, 4 * 3, 3, padding=1)
        with torch.no_grad():  # near to bicubic at first: small corrections from every block
            for block in self.body:
                block.second.weight.mul_(0.1)  # type: ignore[union-attr]
            self.last.weight.mul_(0.1)
            for layer in (self.join, self.last):  # the four pixels of a shuffle start alike: no checkerboard
                layer.weight.copy_(layer.weight[::4].repeat_interleave(4, 0))
                if layer.bias is not None:
                    layer.bias.copy_(layer.bias[::4].repeat_interleave(4, 0))

    def forward(self, image: Tensor) -> Tensor:
        x = self.head(image - 0.5)
        x = self.body(x)
        x = F.leaky_relu(F.pixel_shuffle(self.join(x), 2), 0.2)
        x = F.leaky_relu(self.tail(x), 0.2)
        x = F.pixel_shuffle(self.last(x), 2)
        with torch.autocast(image.device.type, enabled=False):
            return enlarged(image) + x.float()


def enlarged(image: Tensor) -> Tensor:
    """Bicubic with a = -1/2: torch has that kernel where ``antialias`` is on; without it a is -3/4."""
    return F.interpolate(image, scale_factor=SCALE, mode="bicubic", align_corners=False, antialias=True)
