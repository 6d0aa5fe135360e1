"""Block by block: mixers that learn from the blocks of a deeper or equally deep one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from .distillers_net import Distiller
from .trace import Trace, named
from .views import Views
from .weighting_net import Weighting

STEPS = {"k": 1, "2k": 2}


class Chain(Distiller):
    """Sum over blocks k of the squared error against the teacher's block k or 2k, for every level."""

    def __init__(self, teacher: Any, student: Any, *, map: str = "k") -> None:
        """
        Args:
            teacher: network.
            student: network.
            map: ``k``, or ``2k`` where the teacher has twice as many blocks.

        Raises:
            ValueError: an unknown map, a network without blocks, or depths that do not fit the map.
        """
        super().__init__(teacher, student)
        if map not in STEPS:
            raise ValueError(f"there is no depth map {map!r}; choose k or 2k")
        for network in (teacher, student):
            if not hasattr(network, "depth") or not hasattr(network, "mixer_levels"):
                raise ValueError(f"chain compares blocks of mixers, and {type(network).__name__} has none")
        if teacher.depth != STEPS[map] * student.depth or teacher.mixer_levels != student.mixer_levels:
            raise ValueError(
                f"the depth map {map} pairs {student.depth} blocks with {STEPS[map] * student.depth}, and the teacher "
                f"has {teacher.depth} (levels: {student.mixer_levels} and {teacher.mixer_levels})"
            )
        self.pairs = [(STEPS[map] * k, k) for k in range(1, student.depth + 1)]
        """(block of the teacher, block of the student)."""
        self.count = student.mixer_levels

    def levels(self, teacher: Trace, student: Trace) -> Tensor:
        """(J,) losses of the levels."""
        return torch.stack(
            [
                torch.stack(
                    [
                        F.mse_loss(named(student, f"mix.d.{level}.{ours}"), named(teacher, f"mix.d.{level}.{theirs}"))
                        for theirs, ours in self.pairs
                    ]
                ).sum()
                for level in range(1, self.count + 1)
            ]
        )

    def forward(self, teacher: Trace, student: Trace, views: Views) -> Tensor:
        return self.levels(teacher, student).sum()


class Adaptive(Distiller):
    """``chain`` with levels weighted by a rule (weighting_net.py)."""

    def __init__(
        self,
        teacher: Any,
        student: Any,
        *,
        of: str = "chain",
        rule: str = "uncertainty",
        start: Sequence[float] | None = None,
        scale: float = 1.0,
        map: str = "2k",
    ) -> None:
        super().__init__(teacher, student)
        if of not in ("chain", "chain.d"):
            raise ValueError(f"adaptive weighs the levels of chain, not of {of!r}")
        self.chain = Chain(teacher, student, map=map)
        self.weighting = Weighting(self.chain.count, rule, start=start, scale=scale)

    def forward(self, teacher: Trace, student: Trace, views: Views) -> Tensor:
        return self.weighting(self.chain.levels(teacher, student))

    def effective(self) -> dict[str, float]:
        """Part of the sum that each level weighs now, for the log."""
        return self.weighting.effective()
