"""What a student learns from its teacher: modules (trace of the teacher, trace of the student, views) -> scalar.

Layers that a comparison needs belong to the distiller and are never part of the student. ``review`` and ``attention``
on maps are in review_net.py, comparisons of mixer blocks in chain_net.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .losses import BETA
from .parts_net import fit
from .trace import Trace, by_depth, grid, named, width
from .views import Views


class Distiller(nn.Module):
    """Built for two networks, of which it needs what their traces hold; neither becomes a part of it."""

    def __init__(self, teacher: Any, student: Any) -> None:
        super().__init__()

    def forward(self, teacher: Trace, student: Trace, views: Views) -> Tensor:
        raise NotImplementedError


class Score(Distiller):
    """SmoothL1 of the scores, both in the student's label scale.

    With ``confidence`` a sample counts by exp(-(s / confidence)^2), s being the deviation of the teacher's score
    over patches. That needs several patches of an image, each scored by itself.
    """

    def __init__(self, teacher: Any, student: Any, *, beta: float = BETA, confidence: float = 0.0) -> None:
        super().__init__(teacher, student)
        self.beta, self.confidence = beta, confidence

    def forward(self, teacher: Trace, student: Trace, views: Views) -> Tensor:
        found = named(student, "score")
        values = F.smooth_l1_loss(found, named(teacher, "score").to(found), beta=self.beta, reduction="none")
        if self.confidence:
            if "score.std" not in teacher:
                raise ValueError(
                    "confidence needs the deviation of the teacher's score over several patches, each scored by "
                    "itself; write patches = 4 in [views], or leave confidence out"
                )
            values = values * (-((named(teacher, "score.std") / self.confidence) ** 2)).exp()
        return values.mean()


class Dist(Distiller):
    """Divergence of the student's distribution over bins of [0,1] from a bell around the teacher's score."""

    def __init__(self, teacher: Any, student: Any, *, temperature: float = 2.0, least: float = 0.05) -> None:
        super().__init__(teacher, student)
        self.temperature, self.least = temperature, least

    def forward(self, teacher: Trace, student: Trace, views: Views) -> Tensor:
        if "dist" not in student:
            raise ValueError("dist compares distributions, and the student gives none; write bins = 20 in [student]")
        chances = named(student, "dist")
        score = named(teacher, "score").to(chances)
        spread = teacher["score.std"].to(chances) if "score.std" in teacher else torch.zeros_like(score)
        spread = spread.clamp_min(self.least)
        centres = (torch.arange(chances.shape[1], device=chances.device) + 0.5) / chances.shape[1]
        wanted = -((centres - score[:, None]) ** 2) / (2 * spread[:, None] ** 2)
        goal = (wanted.log_softmax(1) / self.temperature).log_softmax(1)
        found = (chances.clamp_min(1e-8).log() / self.temperature).log_softmax(1)
        return self.temperature**2 * F.kl_div(found, goal, reduction="batchmean", log_target=True)


class Hint(Distiller):
    """Distance of maps or tokens, in pairs of names.

    Romero et al.: FitNets: hints for thin deep nets. ICLR 2015. arXiv:1412.6550. Maps of a student go through a 1x1
    convolution and are averaged to the teacher's size.
    """

    def __init__(
        self,
        teacher: Any,
        student: Any,
        *,
        pairs: Sequence[Sequence[Any]] | None = None,
        norm: str = "standard",
        adapt: bool = True,
        batch_norm: bool = True,
    ) -> None:
        """
        Args:
            teacher: network.
            student: network.
            pairs: [teacher's name, student's name, weight (1)] each; default the backbones' maps by depth.
            norm: ``none``; ``layer``, both over channels; ``standard``, the teacher's channels by their running mean
                and deviation (scale carries quality, and differs by level); ``cosine``, 1 - cosine over channels.
            adapt: whether the student's maps go through a convolution; without it the widths must agree.
            batch_norm: after that convolution.

        Raises:
            ValueError: an unknown norm, a name that a network does not have, or widths that differ.
        """
        super().__init__(teacher, student)
        if norm not in ("none", "layer", "standard", "cosine"):
            raise ValueError(f"there is no norm {norm!r} of hints; choose none, layer, standard or cosine")
        if pairs is None:
            pairs = by_depth(teacher, student)
        self.pairs = [(str(t), str(s), float(w[0]) if w else 1.0) for t, s, *w in pairs]
        self.norm = norm
        self.adapters, self.standards = nn.ModuleList(), nn.ModuleList()
        for theirs, ours, _ in self.pairs:
            wide, thin = width(teacher, theirs), width(student, ours)
            if not adapt and wide != thin:
                raise ValueError(f"{theirs} has {wide} channels and {ours} {thin}; set adapt = true")
            layers = [nn.Conv2d(thin, wide, 1, bias=False), *([nn.BatchNorm2d(wide)] if batch_norm else [])]
            self.adapters.append(nn.Sequential(*layers) if adapt else nn.Identity())
            self.standards.append(Standard(wide) if norm == "standard" else nn.Identity())

    def forward(self, teacher: Trace, student: Trace, views: Views) -> Tensor:
        total = named(student, "score").new_zeros(())
        for (theirs, ours, weight), adapter, standard in zip(self.pairs, self.adapters, self.standards):
            goal, found = standard(grid(teacher, theirs)), adapter(grid(student, ours))
            if goal.shape[2:] != found.shape[2:]:
                side = min(goal.shape[2], found.shape[2])
                goal, found = fit(goal, side), fit(found, side)
            if self.norm == "cosine":
                total = total + weight * (1 - F.cosine_similarity(found, goal, dim=1)).mean()
                continue
            if self.norm == "layer":
                goal, found = (F.layer_norm(v.movedim(1, -1), v.shape[1:2]) for v in (goal, found))
            total = total + weight * F.mse_loss(found, goal)
        return total


class Token(Distiller):
    """Distance of encoder and decoder tokens; the quality tokens directly, the others on the coarser of both grids."""

    def __init__(self, teacher: Any, student: Any, *, names: Sequence[str] = ("enc", "dec")) -> None:
        super().__init__(teacher, student)
        self.names = tuple(names)
        for name in self.names:
            if width(teacher, name) != width(student, name):
                raise ValueError(
                    f"tokens {name} have {width(teacher, name)} channels in the teacher and {width(student, name)} in "
                    "the student; they must agree"
                )

    def forward(self, teacher: Trace, student: Trace, views: Views) -> Tensor:
        total = named(student, "score").new_zeros(())
        for name in self.names:
            goal, found = grid(teacher, name), grid(student, name)
            side = min(goal.shape[2], found.shape[2])
            goal = torch.cat([teacher[name][:, :1], fit(goal, side).flatten(2).transpose(1, 2)], dim=1)
            found = torch.cat([student[name][:, :1], fit(found, side).flatten(2).transpose(1, 2)], dim=1)
            total = total + F.mse_loss(found, goal)
        return total


class Relation(Distiller):
    """Distances and angles between the samples of a batch, by what each network says about them.

    Park et al.: Relational knowledge distillation. CVPR 2019. arXiv:1904.05068. As published: distances over their
    mean, through which the student learns, too; means over all pairs in both orders, a sample with itself among them.
    """

    def __init__(
        self, teacher: Any, student: Any, *, of: str = "bb.l4", distance: float = 1.0, angle: float = 2.0
    ) -> None:
        super().__init__(teacher, student)
        self.of, self.weights = of, (distance, angle)

    def forward(self, teacher: Trace, student: Trace, views: Views) -> Tensor:
        goal, found = (_points(trace, self.of) for trace in (teacher, student))
        parts = [F.smooth_l1_loss(measure(found), measure(goal.to(found))) for measure in (_distances, _angles)]
        return self.weights[0] * parts[0] + self.weights[1] * parts[1]


class Cond(Distiller):
    """Embedding of the degraded image against that of the pristine one, which the teacher's trace was given."""

    def __init__(self, teacher: Any, student: Any, *, weight: float = 30.0) -> None:
        super().__init__(teacher, student)
        self.weight = weight

    def forward(self, teacher: Trace, student: Trace, views: Views) -> Tensor:
        return self.weight * F.mse_loss(named(student, "emb.aux"), named(teacher, "emb.aux"))


class Consistency(Distiller):
    """Difference of the student's scores for an image and its mirror image; it asks the student a second time."""

    def __init__(self, teacher: Any, student: Any) -> None:
        super().__init__(teacher, student)
        self._student = (student,)  # in a tuple, so as not to become a part of this module

    def forward(self, teacher: Trace, student: Trace, views: Views) -> Tensor:
        if views.x is None or views.features is not None:
            raise ValueError("consistency mirrors the images, and only cached features were given; train from images")
        aux = None if views.aux is None else views.aux.flip(-1)
        mirrored = self._student[0](views._replace(x=views.x.flip(-1), aux=aux))
        return (named(student, "score") - mirrored["score"]).abs().mean()


class Standard(nn.Module):
    """Channels by their mean and deviation over everything seen in training."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("count", torch.zeros(()))
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("square", torch.ones(channels))

    count: Tensor
    mean: Tensor
    square: Tensor

    def forward(self, maps: Tensor) -> Tensor:
        if self.training:
            with torch.no_grad():
                self.count += 1
                self.mean += (maps.mean(dim=(0, 2, 3)) - self.mean) / self.count
                self.square += (maps.square().mean(dim=(0, 2, 3)) - self.square) / self.count
        deviation = (self.square - self.mean**2).clamp_min(1e-6).sqrt()
        return (maps - self.mean[:, None, None]) / deviation[:, None, None]


def _points(trace: Trace, name: str) -> Tensor:
    value = named(trace, name)
    return value.mean(dim=(2, 3)) if value.ndim == 4 else value.reshape(len(value), -1)


def _distances(points: Tensor) -> Tensor:
    """(N,N), over the mean of those that are not on the diagonal."""
    # The root's slope is infinite where two points coincide, as each does with itself: 0 there instead.
    squares = (points[:, None] - points[None]).square().sum(2)
    apart = ~torch.eye(len(points), dtype=torch.bool, device=points.device)
    found = torch.where(apart, squares.clamp_min(1e-12).sqrt(), 0)
    return found / (found.sum() / apart.sum().clamp_min(1)).clamp_min(1e-12)


def _angles(points: Tensor) -> Tensor:
    directions = F.normalize(points[None] - points[:, None], dim=2)
    return torch.bmm(directions, directions.transpose(1, 2))
