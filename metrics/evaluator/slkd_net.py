"""The plain student of ``slkd``, ``hintkd``, ``reviewkd`` and ``milo``: a small backbone and two linear layers.

Sang et al.: Image quality assessment based on self-supervised learning and knowledge distillation. Journal of Visual
Communication and Image Representation 90, 2023. doi:10.1016/j.jvcir.2022.103708. Sizes are this project's.

With ``bins`` the head gives a distribution over that many equal bins of [0,1], and the score is its mean. With
``moments`` it reads mean and deviation of every tap, at full and half size, and not the mean of the last tap alone; of
a frozen backbone they can be stored. With ``late`` the deep half of the backbone exists twice: as published, for the
image in full size, and one that learns, for the image in half size. Everything else never changes and can be stored.
"""

from __future__ import annotations

from copy import deepcopy
from itertools import groupby

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .base_net import Evaluator, judged, levels
from .moments import SCALES, described, levelled, pooled
from .parts_net import folded, regressor
from .trace import Trace
from .views import Views

WINDOW = 0.875
"""Of each side of a stored map: what is seen of it in training."""


class Plain(Evaluator):
    """Role ``NR``; the backbone is trained along unless ``frozen`` or ``late``."""

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
        largest: int = 0,
        frozen: bool = False,
        pretrained: bool = True,
    ) -> None:
        if role != "NR":
            raise ValueError(f"the plain student sees one image: its role is NR, not {role!r}")
        if late and (frozen or not moments):
            raise ValueError("late training wants moments = true and a backbone that is not frozen")
        super().__init__(backbone, role=role, pretrained=pretrained, frozen=frozen or late)
        self.bins, self.moments, self.late, self.largest = bins, moments, late, largest
        inputs = 2 * len(SCALES) * sum(self.source.channels) if moments else self.source.channels[-1]
        self.head = regressor(inputs, hidden, bins or 1, dropout)
        self.drop = nn.Dropout(dropout if moments else 0.0)
        self.widths["sem"] = self.source.channels[-1]
        if late:
            folded(self.backbone)
            self.tuned = nn.ModuleList(deepcopy(self.source.second_half(self.backbone))).requires_grad_(True)

    @property
    def trunk(self) -> str:
        """Where moments of a frozen backbone are read, of these."""
        if not self.moments or not super().trunk:
            return super().trunk
        return f"{self.source.name}:{self.weights}:{'late' if self.late else 'moments'}:{','.join(map(str, SCALES))}"

    def extract(self, images: Tensor) -> list[Tensor]:
        """With ``moments``: they, as (N,C,1,1). With ``late``: the second map at half size, then all moments but the
        last, which are learnt."""
        if not self.moments:
            return super().extract(images)
        if not self.late:
            return [described(self.source, self.backbone, images)[..., None, None]]
        half = self.source.early(self.backbone, F.avg_pool2d(images, SCALES[1]))
        known = torch.cat((pooled(self.source(self.backbone, images)), pooled(half)), dim=1)
        return [half[-1], known[..., None, None]]

    def forward(self, views: Views) -> Trace:
        batch, _ = self.check(views)
        if self.late or (self.moments and views.features is not None):
            found, read = self._from_stored(views)
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
        assert views.x is not None
        halves = self.source(self.backbone, F.avg_pool2d(views.x.flatten(0, 1), SCALES[1]))
        return levelled(pooled([*raw, *halves]), self.source.channels)

    def _from_stored(self, views: Views) -> tuple[Trace, Tensor]:
        """The same, of what the frozen part said."""
        if not self.trunk:
            raise ValueError("moments of a backbone that learns are taken of images; use it without cached features")
        if views.features is None:
            assert views.x is not None
            taps = [tap.unsqueeze(1) for tap in self.extract(views.x.flatten(0, 1))]
        else:
            taps = [*views.features]
        *maps, known = ([piece.flatten(0, 1) for piece in _alike(tap)] for tap in taps)
        read = torch.cat(known)[..., 0, 0]
        start = 2 * sum(self.source.channels[:-1])
        found = {"sem": read[:, start : start + self.source.channels[-1]]}
        if maps:
            pieces = [self._window(piece).contiguous(memory_format=torch.channels_last) for piece in maps[0]]
            deep = [self.source.late(self.tuned, piece) for piece in pieces]
            if len(deep) == 1:
                found |= {"bb.l3": deep[0][0], "bb.l4": deep[0][1]}
            read = torch.cat((read, torch.cat([pooled(two) for two in deep])), dim=1)
        return found, levelled(read, self.source.channels)

    def _window(self, maps: Tensor) -> Tensor:
        """In training a random window of most of the map, mirrored or not: what little variety stored maps allow."""
        if not self.training:
            return maps
        height, width = maps.shape[2:]
        high, wide = (max(1, round(WINDOW * n)) for n in (height, width))
        top, left = (int(torch.randint(n + 1, ())) for n in (height - high, width - wide))
        part = maps[:, :, top : top + high, left : left + wide]
        return part.flip(3) if torch.rand(()) < 0.5 else part


def _alike(tap: Tensor | list[Tensor]) -> list[Tensor]:
    """B times (m,C,h,w), neighbours of one size put together."""
    if isinstance(tap, Tensor):
        return [tap]
    return [torch.stack(list(run)) for _, run in groupby(tap, key=lambda one: one.shape)]
