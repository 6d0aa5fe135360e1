"""One trainer for all recipes: the stages in order, resumable at any step, the same on one process or several."""

from __future__ import annotations

import contextlib
import math
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..atomic import explained, write_text
from ..errors import UsageError
from ..progress import Progress, Silent
from . import export, journal, optim, pseudo, samplers, seam, state
from .beside import Beside, entries
from .crops import rng
from .data import TrainingSet
from .feeding import Feeding
from .labels import Scaler, is_elo
from .loader import Loader
from .objective import Objective
from .parallel import World
from .predict import agreement, predict
from .recipe import Recipe, Stage
from .rehearsal import rehearse
from .splits import Split, guard
from .teaching import Teaching


@dataclass
class Settings:
    """Where and how; nothing here changes what is learnt, but for ``shuffle``."""

    out: Path
    home: Path
    """Folder of decoded pixels and features, shared between trainings."""
    device: str = "cpu"
    teacher: Path | None = None
    """A trained teacher; its stages are then left out."""
    save_every: int = 200
    """Steps between saved states; the end of an epoch is always saved."""
    minutes: float = math.inf
    """Stop at the next saved state after this time; the same command goes on."""
    begun: float | None = None
    """When the time began, on the monotonic clock; None: with the training itself."""
    rehearsed: bool = False
    """Whether it was tried that the stages of the recipe can be carried out."""
    compile: bool = False
    """Compile the student on CUDA."""
    shuffle: bool = False
    """Give every image the teacher's answer to another one, asked on the way or stored: a control, whose gain must
    vanish."""
    progress: Progress | None = None


@dataclass
class Trained:
    """A finished training, or one that was stopped."""

    student: Any
    teacher: Any
    scaler: Scaler
    done: bool
    checkpoint: Path


def train(
    recipe: Recipe, data: TrainingSet, split: Split, settings: Settings, pool: TrainingSet | None = None
) -> Trained:
    """Carry out a recipe, or go on with it.

    Args:
        recipe: what to do.
        data: a data set with human scores, or without where no stage wants them.
        split: of this set; networks see its training part, choices are made on its validation part.
        settings: where and how.
        pool: unlabelled or pseudo-labelled images made from the training part's references.

    Raises:
        UsageError: the recipe does not fit the data, or the folder holds another training.
        IntegrityError: content is shared between what is learnt from and what is tested on.
    """
    return _Training(recipe, data, split, settings, pool).run()


class _Training:
    def __init__(
        self, recipe: Recipe, data: TrainingSet, split: Split, settings: Settings, pool: TrainingSet | None
    ) -> None:
        import torch

        self.recipe, self.settings = recipe, settings
        self.world = World.join(settings.device)
        self.progress = settings.progress if self.world.first else None
        self.say = self.progress or Silent()
        self.begun = time.monotonic() if settings.begun is None else settings.begun
        self.data, self.split, self.pool = data, split, pool
        self.answers: TrainingSet | None = None
        """The pool with the teacher's answers for labels."""
        self.train, self.valid, test = (data.select(part) for part in (split.train, split.valid, split.test))
        if pool is not None:
            guard({"the pool": pool, "validation": self.valid, "test": test})
        human = any(s.labels == "human" or s.data != "pool" for s in recipe.stages)
        known = [s.score for s in self.train.samples if s.score is not None]
        asked = [t for s in recipe.stages for t in s.terms if s.labels == "human" or t.of == "people"]
        if human and any(t.loss for t in asked) and not known:
            raise UsageError(f"{data.name} has no human scores, which {recipe.name} learns from", code="E-DATA")
        self.scaler = (
            Scaler.fit(recipe.label, known, data.sign, split.digest, elo=is_elo(data.scale))
            if known and human
            else Scaler("pseudo", 0.0, 1.0, 1, split.digest)
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed)
            self.student = seam.network(recipe.student.options)
            self.teacher = None
            if recipe.teacher is not None and not recipe.shared:
                self.teacher = seam.network(recipe.teacher.options)
        self.teaching = Teaching(recipe, self.student, self.teacher, settings.shuffle)
        if settings.teacher is not None:
            self.teaching.load(settings.teacher, self.scaler, data, {"validation": self.valid, "test": test})
        for network in (self.student, self.teacher):
            if network is not None:
                network.to(settings.device).to(memory_format=torch.channels_last)  # a third faster, on processors too
        if settings.compile and settings.device.startswith("cuda"):
            self.student.compile()
        shown = {net.shown for net in (recipe.student, recipe.teacher) if net is not None}
        beside = Beside.of(self.train, recipe.seed, [self.valid, test] if "nar" in shown else [])
        self.feeding = Feeding(
            recipe, self.train, self.valid, pool, self.scaler, beside, settings.home, settings.device, self.world,
            self.progress,
        )  # fmt: skip

    def run(self) -> Trained:
        """
        Raises:
            UsageError: another process is at work in the same folder.
        """
        from filelock import FileLock, Timeout

        out = self.settings.out
        with explained(out):
            out.mkdir(parents=True, exist_ok=True)
        if not self.world.first:
            return self._run(out)
        try:
            with FileLock(out / "training.lock", timeout=0):
                return self._run(out)
        except Timeout:
            raise UsageError(
                f"another process is training in {out}; wait for it, or choose another --out", code="E-CFG"
            ) from None

    def _run(self, out: Path) -> Trained:
        import torch

        identity = {
            "recipe": self.recipe.digest,
            "split": self.split.digest,
            "set of images": self.data.images,
            "pool": self.pool.digest if self.pool else "",
            "set of pool images": self.pool.images if self.pool else "",
            "labelling of the pool": self.pool.labels if self.pool else "",
            "teacher": export.digest_of(self.settings.teacher) if self.settings.teacher else "",
            "control": str(self.settings.shuffle),
        }
        for network in (self.student, self.teacher):  # what no state holds must be the same again
            identity |= {f"file of {slot}": digest for slot, digest in export.borrowed(network).items()}
        found = state.load(out, identity)
        if found is None and not self.settings.rehearsed:
            rehearse(self.recipe, taught=self.settings.teacher is not None)
        log = journal.Journal(out)
        self.log = log
        self.saved: dict[str, Any] = found or {"identity": identity, "stage": 0, "inside": None, "log": 0}
        if found:
            self.student.load_state_dict(found["student"])
            if self.teacher is not None:
                self.teacher.load_state_dict(found["teacher"])
        if self.world.first:
            log.cut(self.saved["log"])
            write_text(out / "recipe.json", export.text(self.recipe.document))
        self.world.wait()
        done = True
        for number in range(self.saved["stage"], len(self.recipe.stages)):
            stage = self.recipe.stages[number]
            if stage.train == "teacher" and self.settings.teacher is not None:
                continue
            inside = self.saved["inside"] if number == self.saved["stage"] else None
            with contextlib.ExitStack() as stack:
                done = self._stage(number, stage, inside, stack)
            if not done:
                break
            self._save(number + 1, None)
        path = out / "student.safetensors"
        if done and self.world.first:
            seen = [self.train, *([self.pool] if self.pool else [])]
            split = replace(self.split, images=self.data.images)
            export.write(
                path, self.student, self.recipe, self.recipe.student, self.scaler, split, seen, "student", self.data
            )
            if self.teacher is not None and self.settings.teacher is None:
                asked = any(s.train == "teacher" and s.labels == "human" for s in self.recipe.stages)
                scaler = self.scaler if asked else Scaler("pseudo", 0.0, 1.0, 1, self.split.digest)
                export.write(
                    out / "teacher.safetensors",
                    self.teacher, self.recipe, self.recipe.teacher, scaler, split, seen if asked else seen[1:],
                    "teacher", self.data,
                )  # fmt: skip
            journal.draw(log.read(), out / "curve.png", self.recipe.title or self.recipe.name)
        self.world.wait()
        torch.manual_seed(self.recipe.seed)
        return Trained(self.student.eval(), self.teacher, self.scaler, done, path)

    def _answers(self) -> TrainingSet:
        """What the teacher says of the pool's fixed crops."""
        if self.answers is None:
            recipe = self.recipe
            if self.pool is None or self.teacher is None or recipe.teacher is None:
                raise UsageError(f"{recipe.name} learns a teacher's answers to a pool; give --pool", code="E-CFG")
            loader = self.feeding.fixed(entries(self.pool), self.teacher, recipe.teacher)
            self.say.stage("the teacher's answers", len(loader.entries))
            said = predict(self.teacher, recipe.teacher, loader, which="teacher", progress=self.progress)
            said = said * self.teaching.line[0] + self.teaching.line[1]
            if self.settings.shuffle:  # no image keeps its own
                order = rng(recipe.seed, "shuffle", "answers").permutation(len(said))
                said[order] = said[np.roll(order, 1)]
            keys = [e.sample.key for e in loader.entries]
            self.answers = self.pool.relabelled(dict(zip(keys, said.tolist())), pseudo.SCALE)
        return self.answers

    def _stage(self, number: int, stage: Stage, inside: dict[str, Any] | None, stack: contextlib.ExitStack) -> bool:
        """Train one stage; False where the time was up. What ends with it is put on the stack."""
        import torch

        settings, world, device = self.settings, self.world, self.settings.device
        learner = self.teacher if stage.train == "teacher" else self.student
        net = self.recipe.teacher if stage.train == "teacher" else self.recipe.student
        assert learner is not None and net is not None
        for earlier in self.recipe.stages[: number + 1]:
            if earlier.train == stage.train:
                optim.thaw(learner, earlier.thaw)
        distils = any(t.distill or t.on == "teacher" for t in stage.terms)
        torch.manual_seed(self.recipe.seed + 7919 * (number + 1))  # adapters are the same in all processes
        answers = self._answers() if stage.labels == "teacher" else None
        stack.enter_context(optim.held(learner, stage.freeze))  # first: what is held can be stored
        loader, valid = self.feeding.loaders(stage, self.student, self.teacher, distils=distils, pool=answers)
        scale = None if stage.labels == "pseudo" and stage.data == "pool" else self.train.scale
        objective = Objective.of(stage, self.teacher or self.student, self.student, self.scaler, scale, world, device)
        steps_of = optim.optimizer(learner, objective.modules, stage)
        average = optim.Average(stage.keep, stage.decay)
        moving = [p for group in steps_of.param_groups for p in group["params"]]
        best: dict[str, Any] = {"value": -math.inf, "values": {}}
        epoch = place = step = 0
        sums: dict[str, float] = {}
        torch.manual_seed(self.recipe.seed + 7919 * (number + 1) + 104_729 * world.rank)
        if inside:
            steps_of.load_state_dict(inside["optimizer"])
            objective.modules.load_state_dict(inside["modules"])
            average.restore(inside["average"])
            best, sums = inside["best"], inside["sums"]
            epoch, place, step = inside["epoch"], inside["place"], inside["step"]
            torch.set_rng_state(inside["rng"][world.rank])
        per_epoch = len(self._order(loader, stage, 0))
        if not per_epoch:
            raise UsageError(
                f"stage {stage.name} finds no {stage.per_reference} images of one reference; lower per_reference",
                code="E-DATA",
            )
        steps = stage.steps or stage.epochs * per_epoch
        noisy = stage.train == "student" and stage.noise
        self.say.stage(f"{self.recipe.name}: {stage.name}", steps)
        self.say.advance(step)
        while step < steps:
            batches = self._order(loader, stage, epoch)
            optim.settle(learner, stage.batch // world.size)
            parts = [world.part(b) for b in batches[place : place + steps - step]]
            for batch in loader.ahead(parts, stage.name, epoch, noise=noisy):
                optim.set_rates(steps_of, optim.factor(stage, step, steps, per_epoch))
                with self._precision():
                    trace = learner(batch.views(stage.train, net, noise=noisy))
                    told = self.teaching(batch, number, step, world.rank) if distils else None
                    views = batch.views(stage.train, net)
                    loss, values = objective(told, trace, views, step, steps)
                if not bool(torch.isfinite(loss)):
                    raise UsageError(
                        f"stage {stage.name}: the loss is not finite at step {step}; lower the learning rate",
                        code="E-TRAIN",
                    )
                steps_of.zero_grad(set_to_none=True)
                loss.backward()
                world.average(moving)
                torch.nn.utils.clip_grad_norm_(moving, stage.clip)
                steps_of.step()
                step, place = step + 1, place + 1
                for name, value in ({"loss": float(loss.detach())} | values).items():
                    sums[name] = sums.get(name, 0.0) + value
                ends = place == len(batches) or step == steps
                average.step(learner, late=step > steps - max(1, round(steps / 3)), epoch_end=ends)
                self.say.advance()
                due = not ends and step % settings.save_every == 0
                if due and self._keep(number, epoch, place, step, steps_of, objective, average, best, sums):
                    return False
            value = self._value(learner, net, stage, valid)
            if stage.keep == "best" and value is not None and value > best["value"]:
                best = {"value": value, "values": {n: v.detach().clone() for n, v in learner.state_dict().items()}}
            if world.first:
                means = {name: total / max(1, place) for name, total in sums.items()}
                self.log.write({
                    "stage": stage.name, "epoch": epoch, "step": step, "loss": means.pop("loss"), "terms": means,
                    "lr": max(g["lr"] for g in steps_of.param_groups), "valid": value,
                    "levels": objective.effective(), "seconds": round(time.monotonic() - self.begun, 1),
                })  # fmt: skip
            epoch, place, sums = epoch + 1, 0, {}
            if step < steps and self._keep(number, epoch, place, step, steps_of, objective, average, best, sums):
                return False
        kept = best["values"] if stage.keep == "best" else average.values
        if kept:
            learner.load_state_dict(kept)
        return True

    def _order(self, loader: Loader, stage: Stage, epoch: int) -> list[list[int]]:
        samples, seed = [e.sample for e in loader.entries], self.recipe.seed
        if not stage.share:
            return samplers.epoch(samples, stage.batch, stage.per_reference, seed, stage.name, epoch)
        ready = [e.data is not self.train for e in loader.entries]
        return samplers.mixed(samples, ready, stage.batch, stage.share, stage.per_reference, seed, stage.name, epoch)

    def _value(self, learner: Any, net: Any, stage: Stage, valid: Loader) -> float | None:
        """Agreement on the validation part; the same in all processes, as each computes it."""
        if not valid.entries or not any(e.sample.score is not None for e in valid.entries):
            return None
        predicted = predict(learner, net, valid, which=stage.train)
        of = valid.entries[0].data
        return agreement(predicted, valid.entries, of.sign, of.within)

    def _keep(self, number: int, epoch: int, place: int, step: int, optimizer: Any, objective: Objective,
              average: optim.Average, best: dict[str, Any], sums: dict[str, float]) -> bool:  # fmt: skip
        """Save where the stage stands; True where the time is up."""
        import torch

        inside = {
            "epoch": epoch, "place": place, "step": step, "sums": dict(sums), "best": best,
            "optimizer": optimizer.state_dict(), "modules": objective.modules.state_dict(),
            "average": average.state(), "rng": self.world.objects([torch.get_rng_state()]),
        }  # fmt: skip
        self._save(number, inside)
        over = (time.monotonic() - self.begun) / 60 > self.settings.minutes
        return bool(self.world.objects([over])[0])  # one clock decides for all processes

    def _save(self, number: int, inside: dict[str, Any] | None) -> None:
        self.saved |= {"stage": number, "inside": inside, "log": self.log.position}
        self.saved["student"] = self.student.state_dict()
        self.saved["teacher"] = self.teacher.state_dict() if self.teacher is not None else {}
        if self.world.first:
            state.save(self.settings.out, self.saved)

    def _precision(self) -> Any:
        import torch

        if self.settings.device.startswith("cuda"):
            return torch.autocast("cuda", torch.bfloat16)
        return contextlib.nullcontext()
