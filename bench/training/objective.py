"""The loss of a stage: the weighted sum of its terms, each over the samples that it is defined for."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..types import Scale
from . import seam
from .labels import ELO, Scaler, is_elo
from .parallel import World
from .recipe import Stage, Term

if TYPE_CHECKING:
    from torch import Tensor

GATHERED: dict[str, tuple[str, ...]] = {
    "score": ("score", "score.std"),
    "dist": ("score", "score.std", "dist"),
    "relation": ("bb.l4", "score"),
}
"""Distillers that compare the images of a batch, or whose mask differs between processes: what they need of all."""
UNIT_ELO = 5.2918
"""Slope of the Elo loss on labels from 0 to 1 that are no Elo scores: that of PIPAL's span."""


def ramp(term: Term, step: int, steps: int) -> float:
    """The weight of a term at a step, counted from 0."""
    length = max(1, round(term.over * steps))
    done = min(1.0, step / length)
    if term.ramp == "linear":
        return term.weight * done
    if term.ramp == "step":
        return term.weight * float(done >= 1)
    if term.ramp == "cosine":
        return term.weight * (1 - math.cos(math.pi * done)) / 2
    return term.weight


@dataclass
class Objective:
    """The terms of one stage, with the modules that distillers train beside the student."""

    stage: Stage
    terms: list[Any]
    modules: Any
    """ModuleList of the distillers, in the order of their terms."""
    world: World

    @classmethod
    def of(
        cls,
        stage: Stage,
        teacher: Any,
        student: Any,
        scaler: Scaler | None,
        scale: Scale | None,
        world: World,
        device: str,
    ) -> Objective:
        """Build losses and distillers; ``scale``: of people's scores, None for pseudo-labels."""
        import torch

        made, modules = [], torch.nn.ModuleList()
        for term in stage.terms:
            if term.distill:
                module = seam.distiller(term.distill, teacher, student, term.options)
                modules.append(module)
                made.append(module)
            else:
                options = dict(term.options)
                if term.loss in ("rank", "elo"):  # what may be compared, and in which unit, follows from the data
                    options.setdefault("within", scale is not None and scale.comparable == "within-block")
                if scaler is not None and is_elo(scale):
                    unit, slope = scaler.unit, scaler.elo_slope
                else:
                    unit, slope = UNIT_ELO / ELO, UNIT_ELO
                if term.loss == "elo":
                    options.setdefault("k", slope)
                elif term.loss == "pair":
                    options.setdefault("unit", unit)
                made.append(seam.loss(term.loss, options))
        modules.to(device)
        return cls(stage, made, modules, world)

    def __call__(
        self, teacher: Any, student: Any, views: Any, step: int, steps: int
    ) -> tuple[Tensor, dict[str, float]]:
        """The loss with its gradient, and the value of every term for the log."""
        import torch

        total = torch.zeros((), device=student["score"].device)
        values: dict[str, float] = {}
        everyone = self._everyone(views)
        for term, made in zip(self.stage.terms, self.terms):
            weight = ramp(term, step, steps)
            if term.distill:
                value = self._distilled(term, made, teacher, student, views, everyone)
            else:
                trace = teacher if term.on == "teacher" else student
                asked = _of(term, everyone)
                value = self._against_labels(made, self._all(trace, ("score", "score.members", "dist", "pair")), asked)
            label = term.name if term.on == "student" else f"{term.name}@teacher"
            values[label] = values.get(label, 0.0) + float(value.detach())
            total = total + weight * value
        return total, values

    def effective(self) -> dict[str, float]:
        """Weights that distillers learn, by level."""
        import torch

        found: dict[str, float] = {}
        with torch.no_grad():
            for number, module in enumerate(self.modules):
                if callable(getattr(module, "effective", None)):
                    found |= {f"{number}.{name}": float(value) for name, value in module.effective().items()}
        return found

    def _distilled(self, term: Term, made: Any, teacher: Any, student: Any, views: Any, everyone: Any) -> Tensor:
        names = GATHERED.get(term.distill)
        if names is None or self.world.size == 1:
            return made(teacher, student, views)
        value = made(self._all(teacher, names), self._all(student, names), everyone)
        return self._own(value)

    def _against_labels(self, made: Any, trace: Any, views: Any) -> Tensor:
        """Of an ensemble every member answers for itself: held to their mean alone they would lean on each other."""
        members = trace.get("score.members")
        said = [trace] if members is None else [{**trace, "score": one} for one in members.unbind(1)]
        losses = [_mean(*made(one, views)) for one in said]
        return self._own(sum(losses[1:], losses[0]) / len(losses))

    def _own(self, value: Tensor) -> Tensor:
        """Of a loss over all processes' samples, only this process's share has a gradient here; averaging the
        gradients would divide it once too often."""
        return value if self.world.size == 1 else value * self.world.size - value.detach() * (self.world.size - 1)

    def _all(self, trace: Any, names: tuple[str, ...]) -> Any:
        if self.world.size == 1:
            return trace
        return {name: self.world.gather(trace[name]) for name in names if name in trace}

    def _everyone(self, views: Any) -> Any:
        """Labels and names of the whole batch, without its pixels."""
        if self.world.size == 1:
            return views
        return seam.views(
            x=None,
            y=self.world.gather(views.y),
            y_std=self.world.gather(views.y_std),
            labelled=self.world.gather(views.labelled),
            ids=self.world.objects(views.ids),
            people=self.world.gather(views.people),
        )


def _mean(values: Tensor, mask: Tensor | None) -> Tensor:
    """A scalar itself; of values per sample the mean over those that the mask names."""
    if mask is None:
        return values
    weight = mask.to(values.dtype)
    return (values * weight).sum() / weight.sum().clamp(min=1)


def _of(term: Term, views: Any) -> Any:
    """Views in which only the labels that a term takes count."""
    if term.of == "any":
        return views
    wanted = views.people if term.of == "people" else ~views.people
    return views._replace(labelled=views.labelled & wanted)
