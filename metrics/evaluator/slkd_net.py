"""The plain student of ``slkd``, ``hintkd``, ``reviewkd`` and ``milo``: a small backbone and two linear layers.

Sang et al.: Image quality assessment based on self-supervised learning and knowledge distillation. Journal of Visual
Communication and Image Representation 90, 2023. doi:10.1016/j.jvcir.2022.103708. Sizes are this project's.

With ``bins`` the head gives a distribution over that many equal bins of [0,1], and the score is its mean. With
``moments`` it reads mean and deviation of every tap, at full and half size, and not the mean of the last tap alone.
With ``late`` only the second half of the backbone learns: what the first half says of an image never changes, and can
be stored.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .base_net import Evaluator, judged, levels
from .moments import SCALES, levelled, pooled
from .parts_net import folded, regressor
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
        late: bool = False,
        frozen: bool = False,
        pretrained: bool = True,
    ) -> None:
        if role != "NR":
            raise ValueError(f"the plain student sees one image: its role is NR, not {role!r}")
        if late and (frozen or not moments):
            raise ValueError("late training wants moments = true and a backbone that is not frozen")
        super().__init__(backbone, role=role, pretrained=pretrained, frozen=frozen)
        self.bins, self.moments, self.late = bins, moments, late
        if late:
            self._hold_early()
        inputs = 2 * len(SCALES) * sum(self.source.channels) if moments else self.source.channels[-1]
        self.head = regressor(inputs, hidden, bins or 1, dropout)
        self.drop = nn.Dropout(dropout if moments else 0.0)
        self.widths["sem"] = self.source.channels[-1]

    def _hold_early(self) -> None:
        learns = self.source.second_half(self.backbone)
        folded(self.backbone).requires_grad_(False)
        for block in learns:
            block.requires_grad_(True)

    @property
    def trunk(self) -> str:
        """With ``late``, of the half that never learns."""
        if not self.late:
            return super().trunk
        return f"{self.source.name}:{self.published}:early:{','.join(map(str, SCALES))}"

    def extract(self, images: Tensor) -> list[Tensor]:
        """With ``late``: the second map at full and half size, and (N,C,1,1) moments of the first two, size by size."""
        if not self.late:
            return super().extract(images)
        halves = [self.source.early(self.backbone, _shrunk(images, factor)) for factor in SCALES]
        shallow = torch.cat([pooled(maps) for maps in halves], dim=1)
        return [*(maps[-1] for maps in halves), shallow[..., None, None]]

    def forward(self, views: Views) -> Trace:
        batch, _ = self.check(views)
        if self.late:
            found, read = self._in_halves(views)
        else:
            raw, small = self.maps(views.x, views.features)
            found = {**levels(raw), "sem": small[-1].mean(dim=(2, 3))}
            read = self._moments(views, raw) if self.moments else found["sem"]
        answer = self.head(self.drop(read) if self.moments else read)
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
        halves = self.source(self.backbone, _shrunk(views.x.flatten(0, 1), SCALES[1]))
        return levelled(pooled([*raw, *halves]), self.source.channels)

    def _in_halves(self, views: Views) -> tuple[Trace, Tensor]:
        """The same moments (B*m, D), the first half of the network from the store if there is one."""
        if views.features is None:
            assert views.x is not None
            stored = self.extract(views.x.flatten(0, 1))
        else:
            stored = [tap.flatten(0, 1).contiguous(memory_format=torch.channels_last) for tap in views.features]
        *seconds, shallow = stored
        deep = [self.source.late(self.backbone, second) for second in seconds]
        parts = shallow[..., 0, 0].chunk(len(SCALES), dim=1)
        read = torch.cat([part for known, maps in zip(parts, deep) for part in (known, pooled(maps))], dim=1)
        found = {f"bb.l{index}": value for index, value in enumerate((seconds[0], *deep[0]), 2)}
        return {**found, "sem": deep[0][-1].mean(dim=(2, 3))}, levelled(read, self.source.channels)


def _shrunk(images: Tensor, factor: int) -> Tensor:
    return images if factor == 1 else F.avg_pool2d(images, factor)
