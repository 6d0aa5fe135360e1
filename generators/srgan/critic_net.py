"""The critic: says of each patch of an image how natural it looks.

Convolutions with stride 2 and leaky rectifiers, every weight divided by its largest singular value, which
bounds how fast the critic's answer can change. No normalisation over the batch.

Patches: Isola et al. 2017, arXiv:1611.07004. Spectral normalisation: Miyato et al. 2018, arXiv:1802.05957.
"""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

CHANNELS = (3, 32, 64, 128)


class Critic(nn.Module):
    """(N,3,H,W) in [0,1] -> (N,1,H/8-2,W/8-2), one answer for each patch of 54 pixels."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in pairwise(CHANNELS):
            layers += [spectral_norm(nn.Conv2d(before, after, 4, stride=2, padding=1)), nn.LeakyReLU(0.2)]
        layers += [
            spectral_norm(nn.Conv2d(CHANNELS[-1], CHANNELS[-1], 3, padding=1)),
            nn.LeakyReLU(0.2),
            spectral_norm(nn.Conv2d(CHANNELS[-1], 1, 3)),
        ]
        self.layers = nn.Sequential(*layers)

    def forward(self, image: Tensor) -> Tensor:
        return self.layers(image * 2 - 1)
