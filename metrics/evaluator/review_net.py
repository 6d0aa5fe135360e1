"""Maps of several levels: knowledge review and attention transfer.

``review``: the student's deeper maps are fused upwards, so that each of its stages learns from the teacher's stage of
that depth with what all deeper stages know. Chen et al.: Distilling knowledge via knowledge review. CVPR 2021.
arXiv:2104.09044. ``attention``: Zagoruyko, Komodakis: Paying more attention to attention. ICLR 2017. arXiv:1612.03928.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .distillers_net import Distiller
from .parts_net import fit
from .trace import Trace, by_depth, grid, named, width
from .views import Views


def hcl(found: Tensor, goal: Tensor) -> Tensor:
    """Hierarchical context loss: squared error of the maps and of their averages on grids of 4, 2 and 1 cells."""
    total, weights, weight = F.mse_loss(found, goal), 1.0, 1.0
    for side in (4, 2, 1):
        if side >= found.shape[2]:
            continue
        weight /= 2
        weights += weight
        total = total + weight * F.mse_loss(F.adaptive_avg_pool2d(found, side), F.adaptive_avg_pool2d(goal, side))
    return total / weights


class Fusion(nn.Module):
    """Attention-based fusion of a level with what came from the deeper ones."""

    def __init__(self, inputs: int, middle: int, outputs: int, *, deepest: bool) -> None:
        super().__init__()
        self.reduce = nn.Sequential(nn.Conv2d(inputs, middle, 1, bias=False), nn.BatchNorm2d(middle))
        self.attend = None if deepest else nn.Conv2d(2 * middle, 2, 1)
        self.expand = nn.Sequential(nn.Conv2d(middle, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs))
        for layer in (self.reduce[0], self.expand[0]):
            nn.init.kaiming_uniform_(layer.weight, a=1)  # pyright: ignore[reportArgumentType]

    def forward(self, maps: Tensor, deeper: Tensor | None) -> tuple[Tensor, Tensor]:
        """-> (what is compared with the teacher, what is passed on)."""
        x = self.reduce(maps)
        if self.attend is not None and deeper is not None:
            deeper = F.interpolate(deeper, size=x.shape[2:], mode="nearest")
            own, theirs = self.attend(torch.cat([x, deeper], dim=1)).sigmoid().chunk(2, dim=1)
            x = own * x + theirs * deeper
        return self.expand(x), x


class Review(Distiller):
    """Sum over levels of the hierarchical context loss."""

    def __init__(self, teacher: Any, student: Any, *, middle: int = 64, difference: bool = False) -> None:
        """
        Args:
            teacher: network.
            student: network.
            middle: channels of the fused maps.
            difference: also compare with the teacher's difference tokens, which hold what it learned from the
                reference, at the student's third level.

        Raises:
            ValueError: a network shows no maps.
        """
        super().__init__(teacher, student)
        self.names = by_depth(teacher, student)
        self.levels = nn.ModuleList(
            Fusion(width(student, ours), middle, width(teacher, theirs), deepest=(theirs, ours) == self.names[-1])
            for theirs, ours in self.names
        )
        self.difference = nn.Conv2d(middle, width(teacher, "tok.d"), 3, padding=1) if difference else None

    def forward(self, teacher: Trace, student: Trace, views: Views) -> Tensor:
        total, deeper = named(student, "score").new_zeros(()), None
        for index in reversed(range(len(self.names))):
            theirs, ours = self.names[index]
            found, deeper = self.levels[index](named(student, ours), deeper)
            total = total + hcl(*_alike(found, named(teacher, theirs)))
            if self.difference is not None and index == 2:
                total = total + hcl(*_alike(self.difference(deeper), grid(teacher, "tok.d")))
        return total


class Attention(Distiller):
    """Squared distance of where the maps of equal depth are strong."""

    def __init__(self, teacher: Any, student: Any) -> None:
        super().__init__(teacher, student)
        self.names = by_depth(teacher, student)

    def forward(self, teacher: Trace, student: Trace, views: Views) -> Tensor:
        total = named(student, "score").new_zeros(())
        for theirs, ours in self.names:
            found, goal = (
                F.normalize(maps.square().mean(1).flatten(1), dim=1)
                for maps in _alike(named(student, ours), named(teacher, theirs))
            )
            total = total + (found - goal).square().sum(1).mean()
        return total


def _alike(found: Tensor, goal: Tensor) -> tuple[Tensor, Tensor]:
    """Both at the size of the smaller one."""
    side = min(found.shape[2], goal.shape[2])
    return fit(found, side), fit(goal, side)
