"""The plain student of ``slkd``, ``hintkd``, ``reviewkd`` and ``milo``: a small backbone and two linear layers.

Sang et al.: Image quality assessment based on self-supervised learning and knowledge distillation. Journal of Visual
Communication and Image Representation 90, 2023. doi:10.1016/j.jvcir.2022.103708. Sizes are this project's.

With ``bins`` the head gives a distribution over that many equal bins of [0,1], and the score is its mean. With
``moments`` it reads mean and deviation of every tap, at full and half size, and not the mean of the last tap alone.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .base_net import Evaluator, judged, levels
from .moments import SCALES, levelled, pooled
from .parts_net import regressor
from .trace import Trace
from .views import Views


class Plain(Evaluator):
    """Role ``NR``; the backbone is trained along unless ``frozen``."""

    def __init__(
        self,
        *,
        backbone: str,
        role: str = "NR",
        hidden: int = 128,
        bins: int = 0,
        dropout: float = 0.0,
        moments: bool = False,
        frozen: bool = False,
        pretrained: bool = True,
    ) -> None:
        if role != "NR":
            raise ValueError(f"the plain student sees one image: its role is NR, not {role!r}")
        super().__init__(backbone, role=role, pretrained=pretrained, frozen=frozen)
        self.bins, self.moments = bins, moments
        inputs = 2 * len(SCALES) * sum(self.source.channels) if moments else self.source.channels[-1]
        self.head = regressor(inputs, hidden, bins or 1, dropout)
        self.drop = nn.Dropout(dropout if moments else 0.0)
        self.widths["sem"] = self.source.channels[-1]

    def forward(self, views: Views) -> Trace:
        batch, _ = self.check(views)
        raw, pooled = self.maps(views.x, views.features)
        pooled_last = pooled[-1].mean(dim=(2, 3))
        answer = self.head(self.drop(self._moments(views, raw)) if self.moments else pooled_last)
        found = {**levels(raw), "sem": pooled_last}
        if not self.bins:
            return {**found, **judged(answer[:, 0], batch)}
        chances = answer.softmax(dim=1)
        centres = (torch.arange(self.bins, device=answer.device) + 0.5) / self.bins
        mean = chances.view(batch, -1, self.bins).mean(1)
        return {**found, "dist": mean, **judged(chances @ centres, batch)}

    def _moments(self, views: Views, raw: list[Tensor]) -> Tensor:
        """(B*m, D), each tap's means and deviations brought to one scale."""
        if views.x is None:
            raise ValueError("moments are taken of whole maps; use them without cached features")
        halves = self.source(self.backbone, F.avg_pool2d(views.x.flatten(0, 1), SCALES[1]))
        return levelled(pooled([*raw, *halves]), self.source.channels)
