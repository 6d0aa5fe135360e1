"""Small networks, losses and distillers that recipes of the tests name as a third party would.

Also a program that trains one, to be killed:

python tiny_evaluators.py RECIPE DATA HOME OUT [CHANGE ...]
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn


class Tiny(nn.Module):
    """A frozen bank of random filters, and a small head on the mean and spread of what they say."""

    def __init__(
        self,
        role: str = "NR",
        width: int = 12,
        dropout: float = 0.0,
        frozen: bool = True,
        norm: bool = False,
        members: int = 1,
    ):
        super().__init__()
        self.role, self.frozen = role, frozen
        generator = torch.Generator().manual_seed(5)
        self.backbone = nn.Conv2d(3, width, 5, stride=2, bias=False)
        with torch.no_grad():
            kernel = torch.randn(width, 3, 5, 5, generator=generator)
            self.backbone.weight.copy_(kernel - kernel.mean(dim=(2, 3), keepdim=True))
        self.backbone.requires_grad_(not frozen)
        layers: list[nn.Module] = [nn.Linear(width * (2 if role != "NR" else 1), 32)]
        layers += [nn.BatchNorm1d(32)] if norm else []
        self.head = nn.Sequential(*layers, nn.GELU(), nn.Dropout(dropout), nn.Linear(32, members))

    @property
    def trunk(self) -> str:
        return f"tiny-{self.backbone.out_channels}" if self.frozen else ""

    def extract(self, images: Tensor) -> list[Tensor]:
        return [nn.functional.adaptive_avg_pool2d(self.backbone(images).abs(), 4)]

    def _said(self, images: Tensor | None, features: Any) -> Tensor:
        if features is not None:
            maps = features[0].flatten(0, 1).float()
        else:
            assert images is not None
            maps = self.extract(images.flatten(0, 1))[0]
        return maps.clamp(min=1e-4).log().mean(dim=(2, 3))

    def forward(self, views: Any) -> dict[str, Tensor]:
        own = self._said(views.x, views.features)
        batch = len(views.x if views.features is None else views.features[0])
        inner = own
        if self.role != "NR":
            if views.aux is None and views.aux_features is None:
                raise ValueError(f"the role {self.role} compares with something, and nothing was given")
            inner = torch.cat([own, self._said(views.aux, views.aux_features) - own], dim=1)
        scores = self.head(inner).unflatten(0, (batch, -1)).mean(1)
        several = {"score.members": scores} if scores.shape[1] > 1 else {}
        return {"score": scores.mean(1), "sem": own, **several}


class ScoreDistiller(nn.Module):
    """The teacher's score as the student's target."""

    def __init__(self, teacher: nn.Module, student: nn.Module) -> None:
        super().__init__()

    def forward(self, told: dict[str, Tensor], said: dict[str, Tensor], views: Any) -> Tensor:
        return nn.functional.smooth_l1_loss(said["score"], told["score"], beta=0.1)


class HintDistiller(nn.Module):
    """What the teacher's filters say, through an adapter; remembers how often the teacher was in training."""

    def __init__(self, teacher: nn.Module, student: nn.Module, width: int = 12) -> None:
        super().__init__()
        self.adapter = nn.Linear(width, width)
        self.level = nn.Parameter(torch.zeros(1))

    def effective(self) -> dict[str, float]:
        return {"level": float(self.level.detach().exp())}

    def forward(self, told: dict[str, Tensor], said: dict[str, Tensor], views: Any) -> Tensor:
        return nn.functional.mse_loss(self.adapter(said["sem"]), told["sem"]) + 0 * self.level.sum()


def regression() -> Any:
    def loss(trace: dict[str, Tensor], views: Any) -> tuple[Tensor, Tensor]:
        return (trace["score"] - views.y) ** 2, views.labelled

    return loss


def correlation() -> Any:
    """Compares all images of the batch."""

    def loss(trace: dict[str, Tensor], views: Any) -> tuple[Tensor, None]:
        x, y = trace["score"] - trace["score"].mean(), views.y - views.y.mean()
        return (1 - (x * y).sum() / (x.norm() * y.norm() + 1e-8)) / 2, None

    return loss


def main(recipe: str, data: str, home: str, out: str, *changes: str) -> None:
    from ganiq.bench.datasets import load as manifest
    from ganiq.bench.training import data as training_data
    from ganiq.bench.training import recipe as recipes
    from ganiq.bench.training import splits, trainer

    torch.set_num_threads(1)
    torch.set_deterministic_debug_mode("error")
    given = training_data.load(manifest(Path(data)), Path(home))
    settings = trainer.Settings(Path(out), Path(home), save_every=3)
    trainer.train(recipes.load(recipe, changes), given, splits.make(given), settings)


if __name__ == "__main__":
    main(*sys.argv[1:])
