"""The generator of DCGAN for 64 x 64 pixels: 100 values, five transposed convolutions, tanh."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

if TYPE_CHECKING:
    from torch import Tensor

WIDTHS = (512, 256, 128, 64)


class Generator(nn.Module):
    """(N, 100, 1, 1) -> (N, 3, 64, 64) in [-1, 1]. Parameters are named ``main.0.weight`` and so on."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 100
        for number, width in enumerate(WIDTHS):
            stride, padding = (2, 1) if number else (1, 0)
            layers.append(nn.ConvTranspose2d(before, width, 4, stride, padding, bias=False))
            layers += [nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
            before = width
        layers += [nn.ConvTranspose2d(before, 3, 4, 2, 1, bias=False), nn.Tanh()]
        self.main = nn.Sequential(*layers)

    def forward(self, noise: Tensor) -> Tensor:
        return self.main(noise)
