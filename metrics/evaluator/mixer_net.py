"""MLP mixers on the tokens of several patches, and the two evaluators made of them: ``akd`` and ``cvrkd``.

Tolstikhin et al.: MLP-Mixer: an all-MLP architecture for vision. NeurIPS 2021. arXiv:2105.01601. Blocks by timm.

Maps of every level go through a 1x1 convolution and are averaged to a small grid; the patches of an image lie side by
side in the channels, so that one token sees the same place of the grid in all patches.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...bench.vision import load
from .base_net import Evaluator, levels
from .trace import Trace
from .views import Views


class Mixer(nn.Module):
    """Tokens (B,T,C) -> tokens (B,T,dim) after normalisation, and the output of every block."""

    def __init__(self, inputs: int, dim: int, tokens: int, depth: int) -> None:
        super().__init__()
        block = load("timm.models.mlp_mixer").MixerBlock
        self.embed = nn.Linear(inputs, dim)
        self.blocks = nn.ModuleList(block(dim, tokens, mlp_ratio=(4 * tokens / dim, 4)) for _ in range(depth))
        self.norm = nn.LayerNorm(dim)

    def forward(self, tokens: Tensor) -> tuple[Tensor, list[Tensor]]:
        x, found = self.embed(tokens), []
        for block in self.blocks:
            x = block(x)
            found.append(x)
        return self.norm(x), found


class Levels(nn.Module):
    """Maps (B*m,C,h,w) of each level -> tokens (B, side*side, m*width) of each level."""

    def __init__(self, channels: Sequence[int], width: int, side: int) -> None:
        super().__init__()
        self.side = side
        self.reduce = nn.ModuleList(nn.Conv2d(c, width, 1) for c in channels)

    def forward(self, maps: Sequence[Tensor], batch: int) -> list[Tensor]:
        pooled = (F.adaptive_avg_pool2d(layer(value), self.side) for layer, value in zip(self.reduce, maps))
        return [value.reshape(batch, -1, self.side**2).transpose(1, 2) for value in pooled]


def shrink_weights(module: nn.Module, factor: float = 0.1) -> None:
    """Linear layers and convolutions: Kaiming's normal values by fan-in, times ``factor``; biases 0."""
    for part in module.modules():
        if isinstance(part, nn.Linear | nn.Conv2d):
            nn.init.kaiming_normal_(part.weight)
            part.weight.data.mul_(factor)
            if part.bias is not None:
                nn.init.zeros_(part.bias)


class MixerEvaluator(Evaluator):
    """What ``akd`` and ``cvrkd`` share: both images as tokens per level."""

    def __init__(
        self,
        *,
        backbone: str,
        role: str,
        roles: tuple[str, ...],
        width: int,
        side: int,
        depth: int,
        patches: int,
        cap: int,
        frozen: bool,
        pretrained: bool,
    ) -> None:
        if role not in roles:
            raise ValueError(f"{type(self).__name__.lower()} has the roles {' and '.join(roles)}, not {role!r}")
        super().__init__(backbone, role=role, pretrained=pretrained, frozen=frozen, cap=cap, patches=patches)
        self.depth = depth
        """Blocks of the mixer on differences, whose outputs are ``mix.d.{level}.{k}``."""
        self.levels = Levels(self.source.channels, width, side)

    def both(self, views: Views) -> tuple[list[Tensor], list[Tensor], Trace]:
        """Tokens per level of the image and of what it is compared with."""
        batch, _ = self.check(views)
        raw, own = self.maps(views.x, views.features)
        _, other = self.maps(views.aux, views.aux_features)
        return self.levels(own, batch), self.levels(other, batch), levels(raw)


class Akd(MixerEvaluator):
    """Inter-level adaptive distillation: ``FR`` teacher; ``PR`` student, which compares with its own re-distortion.

    Hu et al.: No-reference image quality assessment via inter-level adaptive knowledge distillation. IEEE Transactions
    on Broadcasting, 2025. One mixer on differences and one on the image, each shared by all levels; attention with the
    differences as query; a linear layer on the mean token.
    """

    mixer_levels = 4

    def __init__(
        self,
        *,
        backbone: str,
        role: str,
        depth: tuple[int, int],
        dim: int,
        width: int,
        side: int,
        patches: int,
        cap: int,
        heads: int = 8,
        frozen: bool = True,
        pretrained: bool = True,
    ) -> None:
        super().__init__(
            backbone=backbone, role=role, roles=("FR", "PR"), width=width, side=side, depth=depth[0], patches=patches,
            cap=cap, frozen=frozen, pretrained=pretrained,
        )  # fmt: skip
        whole = dim * len(self.source.channels)
        self.heads = heads
        self.discrepancy = Mixer(width * patches, dim, side * side, depth[0])
        self.content = Mixer(width * patches, dim, side * side, depth[1])
        self.key_value = nn.Linear(whole, 2 * whole, bias=False)
        self.out = nn.Linear(whole, whole)
        self.head = nn.Linear(whole, 1)
        for part in (self.levels, self.discrepancy, self.content, self.key_value, self.out, self.head):
            shrink_weights(part)

    def forward(self, views: Views) -> Trace:
        own, other, trace = self.both(views)
        differences, contents = [], []
        for index, (seen, against) in enumerate(zip(own, other), 1):
            difference, found = self.discrepancy(seen - against)
            trace |= {f"mix.d.{index}.{k}": value for k, value in enumerate(found, 1)}
            differences.append(difference)
            contents.append(self.content(seen)[0])
        query, (key, value) = torch.cat(differences, -1), self.key_value(torch.cat(contents, -1)).chunk(2, dim=-1)
        q, k, v = (x.unflatten(-1, (self.heads, -1)).transpose(1, 2) for x in (query, key, value))
        mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        return {**trace, "score": self.head(self.out(mixed).mean(1))[:, 0]}


class Cvrkd(MixerEvaluator):
    """Content-variant references: ``FR`` teacher; ``NAR`` student, which is shown a pristine image of something else.

    Yin et al.: Content-variant reference image quality assessment via knowledge distillation. AAAI 2022.
    arXiv:2202.13123. All levels in one token; one mixer on the differences and one on the image.
    """

    mixer_levels = 1

    def __init__(
        self,
        *,
        backbone: str,
        role: str,
        depth: tuple[int, int],
        dim: int,
        width: int,
        side: int,
        patches: int,
        cap: int,
        frozen: bool = True,
        pretrained: bool = True,
    ) -> None:
        super().__init__(
            backbone=backbone, role=role, roles=("FR", "NAR"), width=width, side=side, depth=depth[0], patches=patches,
            cap=cap, frozen=frozen, pretrained=pretrained,
        )  # fmt: skip
        inputs = width * patches * len(self.source.channels)
        self.discrepancy = Mixer(inputs, dim, side * side, depth[0])
        self.content = Mixer(inputs, dim, side * side, depth[1])
        self.head = nn.Sequential(nn.Linear(2 * dim, dim), nn.Linear(dim, 1))

    def forward(self, views: Views) -> Trace:
        own, other, trace = self.both(views)
        seen, against = torch.cat(own, -1), torch.cat(other, -1)
        difference, found = self.discrepancy(against - seen)
        trace |= {f"mix.d.1.{k}": value for k, value in enumerate(found, 1)}
        content, _ = self.content(seen)
        return {**trace, "score": self.head(torch.cat([difference.mean(1), content.mean(1)], dim=1))[:, 0]}
