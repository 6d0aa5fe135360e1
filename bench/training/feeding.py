"""Which images a stage learns from, what goes beside them, and the stored features of frozen trunks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..progress import Progress
from .beside import Beside, Entry, entries
from .cache import Features, features
from .data import TrainingSet
from .labels import Scaler
from .loader import Loader
from .parallel import World
from .recipe import Recipe, Stage


@dataclass
class Feeding:
    """The images of one training."""

    recipe: Recipe
    train: TrainingSet
    valid: TrainingSet
    pool: TrainingSet | None
    scaler: Scaler
    beside: Beside
    home: Path
    device: str
    world: World
    progress: Progress | None = None

    def loaders(self, stage: Stage, student: Any, teacher: Any, *, distils: bool) -> tuple[Loader, Loader]:
        """Of what the stage learns from, and of the validation part.

        Raises:
            UsageError: the stage wants a pool that is not there, references that are lacking, or features of a trunk
                that is not frozen.
        """
        recipe = self.recipe
        if stage.data != "labelled" and self.pool is None:
            raise UsageError(f"stage {stage.name} wants the unlabelled pool, which was not given", code="E-CFG")
        pool = [] if self.pool is None or stage.data == "labelled" else [self.pool]
        chosen = entries(*([] if stage.data == "pool" else [self.train]), *pool)
        if stage.labels == "pseudo" or not distils:  # nothing could be learnt from the others
            chosen = [entry for entry in chosen if entry.sample.score is not None]
        if not chosen:
            raise UsageError(f"stage {stage.name} has no image to learn from; check scores and pool", code="E-DATA")
        valid = entries(self.valid)
        nets = {} if stage.train == "teacher" else {"student": recipe.student}
        if recipe.teacher is not None and (distils or stage.train == "teacher"):
            nets["teacher"] = recipe.teacher
        kinds = tuple(sorted({net.shown for net in nets.values()} - {"none"}))
        for kind in kinds:
            with self.world.turns():
                self.beside.prepare(kind, [*chosen, *valid], self.progress)
        stored: dict[tuple[str, str], dict[str, Features]] = {}
        if stage.cached:
            for which, net in nets.items():
                # A student that is its own teacher has one trunk, and looks under its own name.
                name, network = ("student", student) if recipe.shared or which == "student" else ("teacher", teacher)
                for kind in ("x", *({net.shown} - {"none"})):
                    stored[name, kind] = self._stored(network, kind, [*chosen, *valid])
        scaler = None if stage.labels == "pseudo" else self.scaler
        common = (recipe.views, scaler, self.beside, kinds, recipe.seed, self.device, stored, recipe.crops)
        return Loader(chosen, *common), Loader(valid, *common)

    def _stored(self, network: Any, kind: str, wanted: Sequence[Entry]) -> dict[str, Features]:
        numbers: dict[str, tuple[Any, set[int]]] = {}
        places = [
            (entry.data.pixels, entry.sample.image) if kind == "x" else self.beside.place(kind, entry)
            for entry in wanted
        ]
        for pixels, number in [*places, *(self.beside.pool if kind == "nar" else ())]:
            numbers.setdefault(pixels.digest, (pixels, set()))[1].add(number)
        side, crops = self.recipe.views.crop, self.recipe.crops
        with self.world.turns():
            return {
                name: features(
                    network, pixels, sorted(which), side, crops, self.home, device=self.device, progress=self.progress
                )
                for name, (pixels, which) in numbers.items()
            }
