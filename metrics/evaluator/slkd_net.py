"""The plain student of ``slkd``, ``hintkd``, ``reviewkd`` and ``milo``: a small backbone and two linear layers.

Sang et al.: Image quality assessment based on self-supervised learning and knowledge distillation. Journal of Visual
Communication and Image Representation 90, 2023. doi:10.1016/j.jvcir.2022.103708. Sizes are this project's.

With ``bins`` the head gives a distribution over that many equal bins of [0,1], and the score is its mean. With
``members`` there are so many heads, each with its own start and dropout; each is held to the labels by itself, and the
score is their mean (Hansen, Salamon: Neural network ensembles. IEEE TPAMI 12(10), 1990. doi:10.1109/34.58871). With
``moments`` it reads mean and deviation of every tap, at full and half size, and not the mean of the last tap alone; of
a frozen backbone they can be stored. With ``late`` the deep half of the backbone exists twice: as published, for the
image in full size, and one that learns, for the image in half size. Everything else never changes and can be stored.
With ``deepest`` the image in full size is read up to that map, counted from 1: what follows sees coarse things, which
the half-size image shows as well, and the last blocks are a third of the work. What a stage of training leaves as it is
(``freeze = ["tuned"]``) can be stored there, too.
"""

from __future__ import annotations

import hashlib
from copy import deepcopy
from itertools import groupby

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .base_net import Evaluator, judged, levels
from .moments import SCALES, channels_of, described, levelled, pooled
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
        members: int = 1,
        dropout: float = 0.0,
        moments: bool = False,
        late: bool = False,
        deepest: int = 0,
        largest: int = 0,
        frozen: bool = False,
        pretrained: bool = True,
    ) -> None:
        if role != "NR":
            raise ValueError(f"the plain student sees one image: its role is NR, not {role!r}")
        if late and (frozen or not moments):
            raise ValueError("late training wants moments = true and a backbone that is not frozen")
        if deepest and not (moments and (frozen or late)):
            raise ValueError("deepest wants moments = true, and frozen = true or late = true")
        if members < 1:
            raise ValueError(f"members is {members}; give 1 or more")
        if bins and members > 1:
            raise ValueError("several members give one score each and no distribution; leave bins or members out")
        super().__init__(backbone, role=role, pretrained=pretrained, frozen=frozen or late)
        if not 0 <= deepest <= len(self.source.channels):
            raise ValueError(f"deepest is {deepest}; the backbone has maps 1 to {len(self.source.channels)}")
        if deepest:
            self.source.check_halves()
        self.bins, self.moments, self.late, self.deepest, self.largest = bins, moments, late, deepest, largest
        self.read = channels_of(self.source, deepest)
        inputs = 2 * sum(self.read) if moments else self.source.channels[-1]
        heads = [regressor(inputs, hidden, bins or 1, dropout) for _ in range(members)]
        self.head = heads[0] if members == 1 else nn.ModuleList(heads)
        self.drop = nn.Dropout(dropout if moments else 0.0)
        self.widths["sem"] = self.source.channels[-1]
        if late:
            folded(self.backbone)
            self.tuned = nn.ModuleList(deepcopy(self.source.second_half(self.backbone))).requires_grad_(True)
            self.source.end(self.backbone, max(2, deepest or len(self.source.channels)))

    @property
    def trunk(self) -> str:
        """Where moments of a frozen backbone are read, of these."""
        if not self.moments or not super().trunk:
            return super().trunk
        kind = "late" if self.late else "moments"
        if self._rests:
            kind += f"({_digest_of(self.tuned)[:16]})"
        if self.deepest:
            kind += f"({self.deepest})"
        return f"{self.source.name}:{self.weights}:{kind}:{','.join(map(str, SCALES))}"

    @property
    def _rests(self) -> bool:
        """Whether there is a deep half that learns, and all of it is held."""
        return self.late and all(f"tuned.{name}" in self.held for name, _ in self.tuned.named_parameters())

    def extract(self, images: Tensor) -> list[Tensor]:
        """With ``moments``: they, as (N,C,1,1). With ``late``, unless the deep half is held: the second map at half
        size, then all moments but the last, which are learnt."""
        if not self.moments:
            return super().extract(images)
        if not self.late:
            return [described(self.source, self.backbone, images, self.deepest)[..., None, None]]
        full = self.source.early(self.backbone, images, self.deepest or len(self.source.channels))
        half = self.source.early(self.backbone, F.avg_pool2d(images, SCALES[1]))
        if self._rests:
            return [pooled([*full, *half, *self.source.late(self.tuned, half[-1])])[..., None, None]]
        return [half[-1], pooled([*full, *half])[..., None, None]]

    def forward(self, views: Views) -> Trace:
        batch, _ = self.check(views)
        if self.late or self.deepest or (self.moments and views.features is not None):
            found, read = self._from_stored(views)
        else:
            raw, small = self.maps(views.x, views.features)
            found = {**levels(raw), "sem": small[-1].mean(dim=(2, 3))}
            read = self._moments(views, raw) if self.moments else found["sem"]
        if isinstance(self.head, nn.ModuleList):
            each = torch.cat([head(self.drop(read)) for head in self.head], dim=1)
            found["score.members"] = each.view(batch, -1, len(self.head)).mean(1)
            return {**found, **judged(each.mean(1), batch)}
        answer = self.head(self.drop(read))
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
        return levelled(pooled([*raw, *halves]), self.read)

    def _from_stored(self, views: Views) -> tuple[Trace, Tensor]:
        """The same, of what the frozen part said, kept or of these images."""
        if not super().trunk:
            raise ValueError("moments of a backbone that learns are taken of images; use it without cached features")
        if views.features is None:
            assert views.x is not None
            taps = [tap.unsqueeze(1) for tap in self.extract(views.x.flatten(0, 1))]
        else:
            taps = [*views.features]
        *maps, known = ([piece.flatten(0, 1) for piece in _alike(tap)] for tap in taps)
        moments = torch.cat(known)[..., 0, 0]
        found: Trace = {}
        if maps:
            pieces = [self._window(piece).contiguous(memory_format=torch.channels_last) for piece in maps[0]]
            deep = [self.source.late(self.tuned, piece) for piece in pieces]
            if len(deep) == 1:
                found |= {"bb.l3": deep[0][0], "bb.l4": deep[0][1]}
            moments = torch.cat((moments, torch.cat([pooled(two) for two in deep])), dim=1)
        # The means of the deepest map: of the image in full size where that is read, of half size elsewhere.
        last = len(self.read) - 1 if self.deepest else len(self.source.channels) - 1
        start = 2 * sum(self.read[:last])
        found["sem"] = moments[:, start : start + self.read[last]]
        return found, levelled(moments, self.read)

    def _window(self, maps: Tensor) -> Tensor:
        """In training a random window of most of the map, mirrored or not: what little variety stored maps allow."""
        if not self.training:
            return maps
        height, width = maps.shape[2:]
        high, wide = (max(1, round(WINDOW * n)) for n in (height, width))
        top, left = (int(torch.randint(n + 1, ())) for n in (height - high, width - wide))
        part = maps[:, :, top : top + high, left : left + wide]
        return part.flip(3) if torch.rand(()) < 0.5 else part


def _digest_of(module: nn.Module) -> str:
    """sha256 of the parameters, in order."""
    found = hashlib.sha256()
    for parameter in module.parameters():
        found.update(parameter.detach().float().cpu().numpy().tobytes())
    return found.hexdigest()


def _alike(tap: Tensor | list[Tensor]) -> list[Tensor]:
    """B times (m,C,h,w), neighbours of one size put together."""
    if isinstance(tap, Tensor):
        return [tap]
    return [torch.stack(list(run)) for _, run in groupby(tap, key=lambda one: one.shape)]
