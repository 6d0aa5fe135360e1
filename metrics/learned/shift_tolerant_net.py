"""The ST-LPIPS networks themselves, written from their description; imports torch, so only on demand.

Names of parameters follow the published files: ``net.slice<k>.<layer>.*`` and ``lin<k>.model.1.weight``.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...bench.weights import BadWeights

POOL = "pool"
"""A max pooling of stride 1 followed by a blur that halves the size."""

# Slices of layers: a number is a 3x3 convolution to so many channels and a ReLU.
_VGG16 = ((64, 64), (POOL, 128, 128), (POOL, 256, 256, 256), (POOL, 512, 512, 512), (POOL, 512, 512, 512))


class BlurDown(nn.Module):
    """Binomial 3x3 blur of every channel, then every second pixel; two reflected pixels at each border."""

    filt: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        line = torch.tensor([1.0, 2.0, 1.0])
        kernel = torch.outer(line, line) / 16
        self.register_buffer("filt", kernel.repeat(channels, 1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(F.pad(x, (2, 2, 2, 2), mode="reflect"), self.filt, stride=2, groups=x.shape[1])


class Scaling(nn.Module):
    """The channel statistics that LPIPS uses, for input in [-1,1]."""

    shift: Tensor
    scale: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("shift", torch.tensor([-0.030, -0.088, -0.188]).view(1, 3, 1, 1))
        self.register_buffer("scale", torch.tensor([0.458, 0.448, 0.450]).view(1, 3, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.shift) / self.scale


class Head(nn.Module):
    """One weight per channel; layer 0 was dropout, which exists in training only."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.model = nn.Sequential(nn.Identity(), nn.Conv2d(channels, 1, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x)


def _alexnet() -> list[list[nn.Module]]:
    return [
        [nn.Conv2d(3, 64, 11, padding=2), BlurDown(64), nn.ReLU()],
        [nn.MaxPool2d(3, 1), BlurDown(64), nn.Conv2d(64, 192, 5, padding=2), nn.ReLU()],
        [nn.MaxPool2d(3, 1), BlurDown(192), nn.Conv2d(192, 384, 3, padding=1), nn.ReLU()],
        [nn.Conv2d(384, 256, 3, padding=1), nn.ReLU()],
        [nn.Conv2d(256, 256, 3, padding=1), nn.ReLU()],
    ]


def _vgg16() -> list[list[nn.Module]]:
    slices: list[list[nn.Module]] = []
    channels = 3
    for plan in _VGG16:
        layers: list[nn.Module] = []
        for step in plan:
            if isinstance(step, int):
                layers += [nn.Conv2d(channels, step, 3, padding=1), nn.ReLU()]
                channels = step
            else:
                layers += [nn.MaxPool2d(2, 1), BlurDown(channels)]
        slices.append(layers)
    return slices


class ShiftTolerant(nn.Module):
    """(N,3,H,W) twice, in [-1,1] -> (N,1,1,1)."""

    def __init__(self, net: str) -> None:
        super().__init__()
        slices, channels = {
            "alex": (_alexnet, (64, 192, 384, 256, 256)),
            "vgg": (_vgg16, (64, 128, 256, 512, 512)),
        }[net]
        self.scaling_layer = Scaling()
        self.net = nn.Module()
        index = 0
        for k, layers in enumerate(slices(), 1):
            part = nn.Sequential()
            for layer in layers:  # layers are counted through all slices
                part.add_module(str(index), layer)
                index += 1
            self.net.add_module(f"slice{k}", part)
        for k, count in enumerate(channels):
            self.add_module(f"lin{k}", Head(count))

    def forward(self, images: Tensor, references: Tensor) -> Tensor:
        return self.compare(self.features(images), self.features(references))

    def features(self, images: Tensor) -> list[Tensor]:
        """Of the five slices, unit vectors at each place."""
        x, made = self.scaling_layer(images), []
        for part in self.net.children():
            x = part(x)
            made.append(_unit(x))
        return made

    def compare(self, features: list[Tensor], others: list[Tensor]) -> Tensor:
        """Distance of two images' features, (N,1,1,1)."""
        parts = [
            self.get_submodule(f"lin{k}")((x - y).square()).mean(dim=(2, 3), keepdim=True)
            for k, (x, y) in enumerate(zip(features, others))
        ]
        return torch.stack(parts).sum(0)

    def check_filters(self, slot: str) -> None:
        """Raises BadWeights unless every stored blur is the binomial one and the scaling is LPIPS's."""
        for name, module in self.named_modules():
            fresh: nn.Module
            if isinstance(module, BlurDown):
                fresh = BlurDown(module.filt.shape[0])
            elif isinstance(module, Scaling):
                fresh = Scaling()
            else:
                continue
            for key, value in fresh.state_dict().items():
                if not torch.allclose(module.state_dict()[key], value, atol=1e-6):
                    raise BadWeights(
                        "E-CKPT-FORMAT",
                        slot,
                        f"{name}.{key} is not the constant that the network is defined with",
                        "use the checkpoint that belongs to this network",
                    )


def _unit(x: Tensor) -> Tensor:
    """Scale the channel vector of each place to length 1."""
    return x / (x.square().sum(dim=1, keepdim=True).sqrt() + 1e-10)
