"""How the losses of several levels are added up, where the weights are learned along.

Weights that are trained to minimise the weighted sum alone flow to the level that is easy already: for softmax(w)
the gradient of w_i is s_i (L_i - sum s_j L_j). Hence the default: ``uncertainty``, by Kendall et al.: Multi-task
learning using uncertainty to weigh losses. CVPR 2018. arXiv:1705.07115. Under every rule the parameters are held where
no weight exceeds ``LIMIT`` of the sum.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

RULES = ("fixed", "softmax", "softplus", "uncertainty", "normed")
LIMIT = 0.9
"""Largest part of the sum that one level may weigh, where there are at least two."""

LEAST = -4.0
"""Smallest parameter of ``softplus``."""


class Weighting(nn.Module):
    """(J,) losses of levels -> their weighted sum.

    ======================  ==============================================
    ``fixed``               sum w_i L_i
    ``softmax``             c sum softmax(w)_i L_i
    ``softplus``            c sum softplus(w)_i L_i / sum softplus(w)_j
    ``uncertainty``         sum exp(-s_i) L_i / 2 + s_i / 2
    ``normed``              c mean of L_i / running mean of L_i
    ======================  ==============================================
    """

    def __init__(
        self, levels: int, rule: str = "uncertainty", *, start: Sequence[float] | None = None, scale: float = 1.0
    ) -> None:
        """
        Args:
            levels: J.
            rule: of the table.
            start: w (or s) at the beginning; default 1 for ``fixed`` and 0 else.
            scale: c.

        Raises:
            ValueError: an unknown rule, or a start of another length.
        """
        super().__init__()
        if rule not in RULES:
            raise ValueError(f"there is no weighting rule {rule!r}; choose one of {', '.join(RULES)}")
        values = torch.full((levels,), float(rule == "fixed")) if start is None else torch.tensor(start).float()
        if len(values) != levels:
            raise ValueError(f"{levels} levels are weighted, and start has {len(values)} values")
        self.rule, self.scale = rule, scale
        self.values = nn.Parameter(values, requires_grad=rule in ("softmax", "softplus", "uncertainty"))
        self.register_buffer("mean", torch.zeros(levels))
        self.register_buffer("steps", torch.zeros(()))
        others = max(levels - 1, 1)
        self.span = math.log(LIMIT / (1 - LIMIT) * others)
        """Largest distance of two log weights that keeps each below the limit."""

    mean: Tensor
    steps: Tensor

    def forward(self, losses: Tensor) -> Tensor:
        if self.training:
            self._hold(losses.detach())
        if self.rule == "uncertainty":
            return (losses * (-self.values).exp() / 2 + self.values / 2).sum()
        return (losses * self._weights()).sum()

    def effective(self) -> dict[str, float]:
        """Part of the sum that each level weighs now."""
        weights = (-self.values).exp() if self.rule == "uncertainty" else self._weights()
        weights = weights.detach() / weights.detach().sum()
        return {f"level{index}": float(value) for index, value in enumerate(weights, 1)}

    def _weights(self) -> Tensor:
        if self.rule == "softmax":
            return self.scale * self.values.softmax(0)
        if self.rule == "softplus":
            positive = F.softplus(self.values)
            return self.scale * positive / positive.sum()
        if self.rule == "normed":
            inverse = 1 / self.mean.clamp_min(self.mean.max() * math.exp(-self.span)).clamp_min(1e-12)
            return self.scale * inverse / len(inverse)
        return self.scale * self.values

    def _hold(self, losses: Tensor) -> None:
        """Bring the parameters back to where no level outweighs all others; keep the running mean."""
        with torch.no_grad():
            if self.rule == "normed":
                self.steps += 1
                self.mean += (losses - self.mean) / self.steps.clamp_max(100)
            elif self.rule == "softmax":
                self.values.clamp_(max=float(self.values.min()) + self.span)
            elif self.rule == "uncertainty":
                self.values.clamp_(min=float(self.values.max()) - self.span)
            elif self.rule == "softplus":
                self.values.clamp_(min=LEAST)  # all of them can sink together, until nothing is left
                least = float(F.softplus(self.values.min())) * math.exp(self.span)
                self.values.clamp_(max=least + math.log(-math.expm1(-least)))  # inverse of softplus
