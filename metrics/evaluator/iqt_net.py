"""``iqt``: image quality transformer, the comparison that ``ysgan`` builds on, in its published sizes.

Cheon et al.: Perceptual image quality assessment with transformers. CVPR Workshops 2021. arXiv:2104.14730

Six maps of Inception-ResNet-v2 side by side, 1x1 convolutions on reference and difference, encoder and decoder with
heads as wide as the tokens, head on the decoder's quality token. The decoder has no causal mask.
"""

from __future__ import annotations

import torch
from torch import nn

from .base_net import Evaluator, judged, levels
from .parts_net import fit
from .tokens_net import Comparator
from .trace import Trace
from .views import Views


class Iqt(Evaluator):
    """Role ``FR`` only."""

    def __init__(
        self,
        *,
        role: str = "FR",
        backbone: str = "irnv2-stub",
        side: int = 21,
        dim: int = 128,
        layers: int = 1,
        heads: int = 4,
        head_dim: int | None = None,
        ffn: int = 1024,
        hidden: int = 128,
        dropout: float = 0.1,
        pretrained: bool = True,
    ) -> None:
        if role != "FR":
            raise ValueError(f"iqt compares with a reference: its role is FR, not {role!r}")
        super().__init__(backbone, role=role, pretrained=pretrained, frozen=True, cap=side)
        width = sum(self.source.channels)
        self.side = side
        self.difference = nn.Conv2d(width, dim, 1)
        self.reference = nn.Conv2d(width, dim, 1)
        self.compare = Comparator(
            dim, side=side, ffn=ffn, heads=heads, head_dim=head_dim or dim, layers=layers, dropout=dropout, eps=1e-12
        )
        self.head = nn.Sequential(nn.Linear(dim, hidden, bias=False), nn.ReLU(), nn.Linear(hidden, 1, bias=False))
        self.widths |= {"tok.d": dim, "tok.r": dim, "enc": dim, "dec": dim}

    def forward(self, views: Views) -> Trace:
        batch, _ = self.check(views)
        raw, own = self.maps(views.x, views.features)
        _, other = self.maps(views.aux, views.aux_features)
        seen, pristine = (torch.cat([fit(m, self.side) for m in maps], dim=1) for maps in (own, other))
        d, r = self.difference(pristine - seen), self.reference(pristine)
        encoded, decoded = self.compare(d, r)
        return {
            **levels(raw),
            "tok.d": d.flatten(2).transpose(1, 2),
            "tok.r": r.flatten(2).transpose(1, 2),
            "enc": encoded,
            "dec": decoded,
            **judged(self.head(decoded[:, 0])[:, 0], batch),
        }
