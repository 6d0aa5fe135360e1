"""What the teacher says of a batch: on the clean view, on the student's scale of labels, never in training."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UsageError
from . import export
from .crops import rng
from .data import TrainingSet
from .labels import Scaler
from .loader import Batch
from .recipe import Recipe

if TYPE_CHECKING:
    from torch import Tensor


@dataclass
class Teaching:
    """A teacher that is frozen, or the student itself, shown something else."""

    recipe: Recipe
    student: Any
    network: Any
    """None where the student is its own teacher, or there is none."""
    shuffle: bool = False
    line: tuple[float, float] = (1.0, 0.0)
    """From the teacher's scale of labels to the student's."""

    def load(self, path: Path, scaler: Scaler, data: TrainingSet, apart: dict[str, TrainingSet]) -> None:
        """Take over a trained teacher, which must have seen nothing that the student is tested on.

        Its answers are brought from its unit of people's scores to the student's where both learnt from scores of one
        meaning (``comparable``). Elsewhere a unit of one says nothing about the other, and the answers are taken as
        they are, from 0 (worst) to 1 (best) of what the teacher saw.

        Raises:
            UsageError: the file does not fit the recipe (``suitable``), is another network, or its labels are scaled in
                another way and cannot be converted.
            IntegrityError: shared content.
        """
        card = suitable(self.recipe, path)
        for name, part in apart.items():
            export.unseen(card, name, part)
        export.fill(self.network, path)
        theirs = Scaler.read(card["label"])
        if "pseudo" in (theirs.kind, scaler.kind):  # metrics' labels have no unit of people's
            return
        if comparable(card, data):
            self.line = (theirs.unit / scaler.unit, (theirs.offset - scaler.offset) / scaler.unit)
        elif "z-score" in (theirs.kind, scaler.kind) and theirs.kind != scaler.kind:
            raise UsageError(
                f"{path.name} learnt scores of another scale, as {theirs.kind}, and {self.recipe.name} learns "
                f'{scaler.kind}; write label = "{theirs.kind}" in the recipe',
                code="E-CFG",
            )

    def __call__(self, batch: Batch, *names: object) -> dict[str, Tensor]:
        """The trace; ``names`` (stage, step, process) decide how a shuffled teacher is shuffled."""
        import torch

        assert self.recipe.teacher is not None
        if self.recipe.shared:
            return dict(self.student(batch.views("student", self.recipe.teacher)))
        self.network.eval()
        with torch.inference_mode():
            trace = dict(self.network(batch.views("teacher", self.recipe.teacher)))
        trace = {name: value.clone() for name, value in trace.items()}  # usable outside of inference mode
        if self.line != (1.0, 0.0):
            trace["score"] = trace["score"] * self.line[0] + self.line[1]
            if "score.std" in trace:
                trace["score.std"] = trace["score.std"] * self.line[0]
        if self.shuffle:
            n = len(trace["score"])
            order = torch.from_numpy(rng(self.recipe.seed, "shuffle", *names).permutation(n))
            trace = {name: _permuted(value, order) for name, value in trace.items()}
        return trace


def suitable(recipe: Recipe, path: Path) -> dict[str, Any]:
    """Card of a trained teacher, as far as it can be refused without any data.

    Raises:
        UsageError: there is no such file, the recipe has no teacher of its own, or the file is one of another role.
        IntegrityError: a damaged file.
    """
    wanted = recipe.teacher
    if wanted is None or recipe.shared:
        raise UsageError(f"{recipe.name} has no teacher of its own to fill; leave --teacher out", code="E-CFG")
    card = export.card(path)
    role, shown = card["network"].get("role", "NR"), card["aux"]
    if (role, shown) != (wanted.role, wanted.shown):
        raise UsageError(
            f"{path.name} has role {role} and is shown {shown}, and the teacher of {recipe.name} has role "
            f"{wanted.role} and is shown {wanted.shown}; give a teacher that such a recipe trained",
            code="E-CFG",
        )
    return card


def comparable(card: dict[str, Any], data: TrainingSet) -> bool:
    """Whether a unit of the scores that an evaluator learnt is one of these data: it learnt from them, or both data
    sets declare one kind, direction and range."""
    if data.digest in card["trained"]["data"]:
        return True
    theirs, ours = card["scale"], export.scale_of(data)
    return ours is not None and theirs == ours and None not in (ours["low"], ours["high"])


def _permuted(value: Tensor, order: Tensor) -> Tensor:
    """Rows in another order of images, the patches of an image kept together."""
    n = len(order)
    if len(value) % n:
        return value
    return value.unflatten(0, (n, -1))[order.to(value.device)].flatten(0, 1)
