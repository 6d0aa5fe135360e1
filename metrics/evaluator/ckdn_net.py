"""``ckdn``: quality of a restored image, judged against the degraded image it was restored from.

Zheng et al.: Learning conditional knowledge distillation for degraded-reference image quality assessment. ICCV 2021.
arXiv:2108.07948

The restored image and its degraded source are embedded by two networks of one form; quality is read from the
difference. In training the pristine image takes the place of the degraded one as well, and the embedding of the
degraded image is drawn to its embedding. A second path, left out when judging, tells which of two restorations of one
image is the better one. Scores are between 0 and 1.

Full size: first convolution and first stage of ResNet-50 (no normalisation or activation between), its second stage
on the difference. Lite: the first stages of EfficientNet-Lite0, 24 channels at stride 4, and the next, 40 at stride 8.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from .backbones import backbone
from .base_net import AUXILIARY
from .trace import Trace
from .views import Views


class Ckdn(nn.Module):
    """Role ``DR``. Everything is trained, nothing can be cached."""

    patches = None
    largest = 0
    trunk = ""
    borrowed: ClassVar[dict[str, str]] = {}

    def __init__(
        self, *, size: str, role: str = "DR", hidden: Sequence[int] = (2048, 2048), dropout: float = 0.5,
        pretrained: bool = True,
    ) -> None:  # fmt: skip
        super().__init__()
        if role != "DR":
            raise ValueError(f"ckdn compares with the degraded image: its role is DR, not {role!r}")
        self.role = role
        self.source = backbone("resnet50" if size == "full" else "lite0")
        cut = _resnet if size == "full" else _lite
        width = 512 if size == "full" else 40
        parts = [cut(self.source.build(pretrained=pretrained)) for _ in range(2)]
        self.backbone = nn.ModuleDict(
            {
                "restored": parts[0][0],
                "degraded": parts[1][0],
                "quality": parts[0][1],
                "pair": parts[1][1],
            }
        )
        self.head = _layers(width, hidden, dropout)
        self.pair_head = _layers(width, hidden, dropout)
        self.widths: dict[str, int] = {"emb.aux": 256 if size == "full" else 24}

    @property
    def needs_aux(self) -> bool:
        return True

    def extract(self, images: Tensor) -> list[Tensor]:
        raise ValueError("ckdn trains its backbone from the pixels on; nothing of it can be cached")

    def forward(self, views: Views) -> Trace:
        if views.aux is None:
            raise ValueError(f"Ckdn in the role DR compares with {AUXILIARY['DR']}, and none was given; pass it as aux")
        if views.x is None:
            raise ValueError("Ckdn was given no images; it cannot read cached features")
        batch = views.x.shape[0]
        restored = self.backbone["restored"](self.source.normalise(views.x.flatten(0, 1)))
        against = self.backbone["degraded"](self.source.normalise(views.aux.flatten(0, 1)))
        quality = self.backbone["quality"](restored - against).mean(dim=(2, 3))
        score = self.head(quality)[:, 0].sigmoid().view(batch, -1).mean(1)
        found: Trace = {"emb.aux": against, "sem": quality, "score": score}
        if self.training and views.ids is not None:
            back = torch.tensor(places_back(views.ids), device=restored.device)
            embedded = restored.unflatten(0, (batch, -1))
            before = embedded[torch.arange(batch, device=restored.device) - back]
            difference = (before - embedded).flatten(0, 1)
            chance = self.pair_head(self.backbone["pair"](difference).mean(dim=(2, 3)))[:, 0].sigmoid()
            found["pair"] = torch.stack([chance.view(batch, -1).mean(1), back.to(chance)], dim=1)
        return found


def places_back(ids: Sequence[Mapping[str, str]]) -> list[int]:
    """How many places before each sample the last one of the same reference is; 0 where there is none."""
    last: dict[tuple[str | None, str], int] = {}
    found = []
    for index, entry in enumerate(ids):
        key = (entry.get("dataset"), entry["ref"])
        found.append(index - last.get(key, index))
        last[key] = index
    return found


def _resnet(net: Any) -> tuple[nn.Module, nn.Module]:
    return nn.Sequential(net.conv1, net.maxpool, net.layer1), net.layer2


def _lite(net: Any) -> tuple[nn.Module, nn.Module]:
    return nn.Sequential(net.conv_stem, net.bn1, net.blocks[0], net.blocks[1]), net.blocks[2]


def _layers(inputs: int, hidden: Sequence[int], dropout: float) -> nn.Sequential:
    layers: list[nn.Module] = []
    for width in hidden:
        layers += [nn.Linear(inputs, width), nn.ReLU(), nn.Dropout(dropout)]
        inputs = width
    return nn.Sequential(*layers, nn.Linear(inputs, 1))
