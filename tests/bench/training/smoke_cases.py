"""Shipped recipes, made small: trained, exported and asked in seconds, on pictures made here."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ganiq.bench import stats
from ganiq.bench.progress import Silent
from ganiq.bench.training import commands, recipe, splits, trainer
from ganiq.bench.training.beside import Beside, entries
from ganiq.bench.training.data import TrainingSet
from ganiq.metrics.evaluator.predictor import Predictor

SIDE, CROP = 64, 60
FULL_CROP = 96
JUDGES = {"gmsd": 1.0, "dss": 1.0}
"""Two quick ones; all of them are tried elsewhere."""


@dataclass(frozen=True)
class Evaluator:
    """What a training left behind."""

    recipe: recipe.Recipe
    data: TrainingSet
    """What the student learnt from: the training part, or the pool where it has no labels of people."""
    train: TrainingSet
    folder: Path
    log: tuple[dict[str, Any], ...]

    def terms(self) -> dict[str, dict[str, float]]:
        """What every stage's loss came to at last, by term."""
        return {line["stage"]: line["terms"] for line in self.log}

    def scores(self, most: int | None = None) -> np.ndarray:
        """What the exported file says of what it was trained on, or of so many images of it, to one who has only it."""
        file = commands.export_command(self.folder, self.folder / "evaluator.safetensors")
        predictor = Predictor(file)
        found, shown = entries(self.data)[:most], self.recipe.student.shown
        images = _stacked(*(entry.data.pixels[entry.sample.image] for entry in found))
        if shown == "none":
            return predictor.score(images).numpy()
        finder = Beside.of(self.train, 0)
        finder.prepare(shown, found)
        places = [finder.place(shown, entry) for entry in found]
        return predictor.score(images, _stacked(*(p.pixels[p.number] for p in places))).numpy()

    def agreement(self) -> float:
        """SROCC of these scores with the labels."""
        assert len(self.data.samples) == 64
        found = stats.srocc(self.scores(), [s.score or 0.0 for s in self.data.samples])
        print(f"{self.recipe.name}: {found:.4f}")
        return found


def distilled(evaluator: Evaluator) -> bool:
    """Whether every distiller of the recipe said something in its stage."""
    terms = evaluator.terms()
    asked = [(s.name, t.name) for s in evaluator.recipe.stages for t in s.terms if t.distill]
    return all(math.isfinite(terms[stage][name]) and terms[stage][name] != 0 for stage, name in asked)


def small(
    name: str,
    epochs: dict[str, int],
    *,
    rate: float = 0.0,
    deep: float = 2e-4,
    mixed: dict[str, Any] | None = None,
    **changes: Any,
) -> recipe.Recipe:
    """A shipped recipe on the trunk whose weights are at hand, at a size and rates for seconds.

    Noise, mirror images and dropout are left out: they keep a network from learning 64 images by heart, which is the
    question here. Attention sees fewer tokens and mixers have fewer layers than the recipes say, which takes most time.

    Args:
        name: of a recipe.
        epochs: by the names of its stages.
        rate: of learning; 0: the recipe's rates.
        deep: that of a backbone which learns with the rest.
        mixed: changes to stages whose batches come partly from the pool.
        changes: to every stage.
    """
    document = recipe.load(name).document
    document["views"] |= {"crop": SIDE if document["views"]["patches"] == 1 else CROP, "noise": None}
    document["views"] |= {"flips": False, "turns": False}
    document["crops"] = document["crops"] and document["views"]["patches"]
    document["judges"] = JUDGES
    document["judged"] = 0
    document["pool"] = 32 if document["pool"] else 0
    for which in ("teacher", "student"):
        net = document.get(which)
        if net is None or net["net"] == "student":
            continue
        if net["net"] != "ckdn":
            net["backbone"] = "lite0"
        if net["net"] == "ysgan":
            net |= {"jnd": "none", "side": 6, "ffn": 128}  # what cannot be seen takes longest to compute
        if net["net"] in ("akd", "cvrkd"):
            net["depth"] = [4, 2] if (net["net"], which) == ("akd", "teacher") else [2, 1]
        else:
            net["dropout"] = 0.0
    for stage in document["stages"]:
        stage |= {"epochs": epochs[stage["name"]], "steps": 0, "batch": 8, "warmup": 0.1, "keep": "last"}
        stage["noise"] = False
        if rate:
            stage |= {"lr": rate, "groups": []}
            if stage["train"] == "student" and not stage["cached"]:
                stage["groups"] = [{"match": "backbone.", "lr": deep}]
        stage |= changes | ((mixed or {}) if stage["share"] else {})
    return recipe.build(document)


def split_of(given: TrainingSet) -> splits.Split:
    """Eight references to learn, one to validate, the rest to test."""
    groups = sorted({s.group for s in given.samples})
    keys = [[s.key for s in given.samples if s.group in part] for part in (groups[:8], groups[8:9], groups[9:])]
    return splits.Split("reference", 0, given.digest, *map(tuple, keys))


def trained(
    chosen: recipe.Recipe, given: TrainingSet, home: Path, out: Path, *, teacher: Path | None = None,
    pool: Path | None = None,
) -> Evaluator:  # fmt: skip
    """A recipe carried out as `ganiq train` does."""
    split = split_of(given)
    images = commands.pool_of(chosen, given, split, home, Silent(), workers=1, given=pool)
    done = trainer.train(chosen, given, split, trainer.Settings(out, home, teacher=teacher), images)
    assert done.done
    train = given.select(split.train)
    human = any(s.labels != "pseudo" for s in chosen.stages)
    log = tuple(json.loads(line) for line in (out / "log.jsonl").read_text().splitlines())
    return Evaluator(chosen, train if human or images is None else images, train, out, log)


def _stacked(*pictures: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 255


def begun(name: str) -> recipe.Recipe:
    """A shipped recipe in full size, one step of each stage; the backbones as they are drawn.

    Less is only what costs nothing but time: the pool, the crop (where the network takes any), patches of an image.
    """
    document = recipe.load(name).document
    takes_any = document["student"]["net"] != "akd"
    document["views"] |= {"patches": 1, "crop": FULL_CROP if takes_any else document["views"]["crop"]}
    document["crops"] = 1
    document["judges"] = JUDGES
    document["pool"] = 16 if document["pool"] else 0
    for which in ("teacher", "student"):
        net = document.get(which)
        if net and net["net"] != "student":
            net["pretrained"] = False
            if net["net"] in ("akd", "cvrkd"):
                net["patches"] = 1
    for stage in document["stages"]:
        stage |= {"epochs": 0, "steps": 1, "batch": 2, "keep": "last", "per_reference": min(2, stage["per_reference"])}
    return recipe.build(document)
