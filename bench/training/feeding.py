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
from .crops import rng
from .data import TrainingSet
from .labels import Scaler
from .loader import ALIGNED, Loader
from .parallel import World
from .recipe import Net, Recipe, Stage


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

    def loaders(
        self, stage: Stage, student: Any, teacher: Any, *, distils: bool, pool: TrainingSet | None = None
    ) -> tuple[Loader, Loader]:
        """Of what the stage learns from, and of the validation part.

        Where the learner compares with references and the data set has none, it is validated on a tenth of the
        pool's references, which no stage that trains it learns from.

        Args:
            stage: of the recipe.
            student: network.
            teacher: network.
            distils: whether the teacher is asked in every step.
            pool: with other labels than it was given.

        Raises:
            UsageError: the stage wants a pool that is not there, references that are lacking, or features of a trunk
                that is not frozen.
        """
        recipe = self.recipe
        pool = pool or self.pool
        if stage.data != "labelled" and pool is None:
            raise UsageError(f"stage {stage.name} wants the unlabelled pool, which was not given", code="E-CFG")
        net = recipe.teacher if stage.train == "teacher" else recipe.student
        valid = entries(self.valid)
        if pool is not None and net is not None and net.shown in ALIGNED and not self.train.paired:
            held = held_out(pool, recipe.seed)
            valid = [entry for entry in entries(pool) if entry.sample.group in held]
            pool = pool.select([s.key for s in pool.samples if s.group not in held])
        chosen = entries(
            *([] if stage.data == "pool" else [self.train]),
            *([] if pool is None or stage.data == "labelled" else [pool]),
        )
        if stage.labels != "human" or not distils:  # nothing could be learnt from the others
            chosen = [entry for entry in chosen if entry.sample.score is not None]
        if not chosen:
            raise UsageError(f"stage {stage.name} has no image to learn from; check scores and pool", code="E-DATA")
        nets = {} if stage.train == "teacher" else {"student": recipe.student}
        if recipe.teacher is not None and (distils or stage.train == "teacher"):
            nets["teacher"] = recipe.teacher
        kinds = tuple(sorted({net.shown for net in nets.values()} - {"none"}))
        learner = teacher if stage.train == "teacher" else student
        largest = seen_whole(learner)
        if largest and (len(nets) > 1 or kinds or not stage.cached):
            raise UsageError(
                f"stage {stage.name}: a network that sees images whole learns alone, on stored features; write "
                "cached = true and labels = 'teacher'",
                code="E-CFG",
            )
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
        common = (self.scaler, self.beside, kinds, recipe.seed, self.device, stored, recipe.crops, largest)
        drawn = recipe.views.model_copy(update={"crop": stage.crop or recipe.views.crop})
        return Loader(chosen, drawn, *common), Loader(valid, recipe.views, *common)

    def fixed(self, wanted: Sequence[Entry], teacher: Any, net: Net) -> Loader:
        """Of these images as the teacher sees them at test, on stored features where a stage trained it on such."""
        recipe = self.recipe
        kinds = () if net.shown == "none" else (net.shown,)
        for kind in kinds:
            with self.world.turns():
                self.beside.prepare(kind, wanted, self.progress)
        stored = {}
        if any(s.cached for s in recipe.stages if s.train == "teacher"):
            stored = {("teacher", kind): self._stored(teacher, kind, wanted) for kind in ("x", *kinds)}
        return Loader(
            wanted, recipe.views, None, self.beside, kinds, recipe.seed, self.device, stored, recipe.crops,
            seen_whole(teacher),
        )  # fmt: skip

    def _stored(self, network: Any, kind: str, wanted: Sequence[Entry]) -> dict[str, Features]:
        numbers: dict[str, tuple[Any, set[int]]] = {}
        places = [
            (entry.data.pixels, entry.sample.image) if kind == "x" else self.beside.place(kind, entry)
            for entry in wanted
        ]
        for pixels, number in [*places, *(self.beside.pool if kind == "nar" else ())]:
            numbers.setdefault(pixels.digest, (pixels, set()))[1].add(number)
        side, crops, largest = self.recipe.views.crop, self.recipe.crops, seen_whole(network)
        common = {"device": self.device, "progress": self.progress}
        with self.world.turns():
            return {
                name: features(
                    network,
                    pixels,
                    sorted(which),
                    pixels.frame(largest) if largest else side,
                    crops,
                    self.home,
                    **common,
                )
                for name, (pixels, which) in numbers.items()
            }


def seen_whole(network: Any) -> int:
    """Side up to which a network sees images whole; 0 where it sees crops."""
    return int(getattr(network, "largest", 0))


def held_out(pool: TrainingSet, seed: int) -> set[str]:
    """A tenth of the pool's references."""
    judged = {s.group for s in pool.samples if s.score is not None}
    groups = sorted(judged or {s.group for s in pool.samples})
    order = rng(seed, "held out of the pool").permutation(len(groups))
    return {groups[n] for n in order[: max(1, round(0.1 * len(groups)))]}
