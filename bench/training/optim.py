"""Optimiser groups, learning-rate schedules, weight averages, and the rule for frozen batch normalisation."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ..errors import UsageError
from .recipe import Stage

if TYPE_CHECKING:
    from torch import Tensor

SMALL = 32
"""Batches below this do not move the statistics of batch normalisation."""


def learning(network: Any, stage: Stage) -> dict[str, Tensor]:
    """Parameters that the stage moves, by name."""
    chosen = {}
    for name, parameter in network.named_parameters():
        if parameter.requires_grad and not name.startswith(stage.freeze or ("\0",)):
            chosen[name] = parameter
    if not chosen:
        raise UsageError(f"stage {stage.name} freezes every parameter; thaw some", code="E-CFG")
    return chosen


@contextlib.contextmanager
def held(network: Any, names: tuple[str, ...]) -> Iterator[None]:
    """Parameters that a stage leaves as they are need no gradient in it; the network has their names in ``held``."""
    found = {n: p for n, p in network.named_parameters() if p.requires_grad and n.startswith(names or ("\0",))}
    for parameter in found.values():
        parameter.requires_grad_(False)
    network.held = frozenset(found)
    try:
        yield
    finally:
        network.held = frozenset()
        for parameter in found.values():
            parameter.requires_grad_(True)


def thaw(network: Any, names: tuple[str, ...]) -> None:
    """Let frozen parameters learn.

    Raises:
        UsageError: no parameter has such a name.
    """
    for begin in names:
        found = [p for name, p in network.named_parameters() if name.startswith(begin)]
        if not found:
            raise UsageError(f"no parameter's name begins with {begin!r}, which a stage wants to thaw", code="E-CFG")
        for parameter in found:
            parameter.requires_grad_(True)


def optimizer(network: Any, modules: Any, stage: Stage) -> Any:
    """With one group per learning rate and decay; what distillers learn is in it, level weights without decay."""
    import torch

    known = [f"distill.{n}" for n, _ in modules.named_parameters()]
    named = learning(network, stage) | dict(zip(known, modules.parameters()))
    unused = [g.match for g in stage.groups if g.match and not any(n.startswith(g.match) for n in named)]
    if unused:
        raise UsageError(
            f"stage {stage.name}: no parameter's name begins with {unused[0]!r}; they begin with "
            f"{', '.join(sorted({n.split('.')[0] for n in named}))}",
            code="E-CFG",
        )
    groups: dict[tuple[float, float], list[Tensor]] = {}
    for name, parameter in named.items():
        fitting = [g for g in stage.groups if name.startswith(g.match)]
        rate = max(fitting, key=lambda g: len(g.match)).lr if fitting else stage.lr
        plain = name.startswith("distill.") and parameter.ndim <= 1
        groups.setdefault((rate, 0.0 if plain else stage.weight_decay), []).append(parameter)
    kind = torch.optim.AdamW if stage.optimizer == "adamw" else torch.optim.Adam
    return kind([{"params": p, "lr": rate, "base": rate, "weight_decay": decay} for (rate, decay), p in groups.items()])


def factor(stage: Stage, step: int, steps: int, per_epoch: int) -> float:
    """What learning rates are multiplied by at a step, counted from 0."""
    warm = round(stage.warmup * steps)
    rise = min(1.0, (step + 1) / warm) if warm else 1.0
    if stage.schedule == "cosine":
        return rise * (1 + math.cos(math.pi * step / max(1, steps))) / 2
    if stage.schedule == "step":
        return rise * stage.step_factor ** (step // (stage.step_every * per_epoch))
    if stage.schedule == "one-cycle":  # up over 30 % of the steps, down to nothing after them; both along a cosine
        top = max(1, round(0.3 * steps))
        if step < top:
            return 0.04 + 0.96 * (1 - math.cos(math.pi * step / top)) / 2
        return 1e-4 + (1 - 1e-4) * (1 + math.cos(math.pi * (step - top) / max(1, steps - top))) / 2
    if stage.schedule == "legacy-cos50":  # period of 100 steps, as published code runs it
        return rise * (1 + math.cos(math.pi * step / 50)) / 2
    return rise


def set_rates(optimizer: Any, value: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = group["base"] * value


def settle(network: Any, batch: int) -> None:
    """To training, but for frozen parts and, in small batches, batch normalisation."""
    import torch

    network.train()
    for module in network.modules():
        norm = isinstance(module, torch.nn.modules.batchnorm._BatchNorm)
        own = list(module.parameters())
        frozen = bool(own) and not any(p.requires_grad for p in own)
        if frozen or (norm and batch < SMALL):
            module.eval()


class Average:
    """Mean of a network's state over the last third of a stage; ``swa``: equal weights at the ends of epochs;
    ``ema``: exponential, at every step."""

    def __init__(self, kind: str, decay: float) -> None:
        self.kind, self.decay = kind, decay
        self.count = 0
        self.values: dict[str, Tensor] = {}

    def step(self, network: Any, *, late: bool, epoch_end: bool) -> None:
        """Take the present state in, where it is time."""
        if not late or not (self.kind == "ema" or (self.kind == "swa" and epoch_end)):
            return
        self.count += 1
        share = 1 / self.count if self.kind == "swa" else 1 - min(self.decay, self.count / (self.count + 9))
        for name, value in network.state_dict().items():
            if name not in self.values or not value.is_floating_point():
                self.values[name] = value.detach().clone()
            else:
                self.values[name].lerp_(value.detach(), share)

    def state(self) -> dict[str, Any]:
        return {"count": self.count, "values": self.values}

    def restore(self, state: dict[str, Any]) -> None:
        self.count, self.values = state["count"], state["values"]
