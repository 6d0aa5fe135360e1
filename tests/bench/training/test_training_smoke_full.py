"""Shipped recipes in full size: one step of every stage, the file, and its scores."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ganiq.bench.training.data import TrainingSet
from smoke_cases import begun, distilled, trained

FULL = ("ysgan", "slkd", "hintkd", "reviewkd", "akd", "cvrkd", "ckdn", "milo")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name == "akd")) for name in FULL]
)  # Swin takes crops of 224 and no others
def test_every_stage_begins(name: str, pictures: TrainingSet, unscored: Path, home: Path, tmp_path: Path) -> None:
    recipe = begun(name)
    found = trained(recipe, pictures, home, tmp_path, pool=unscored)
    assert [line["step"] for line in found.log] == [1] * len(recipe.stages)
    assert list(found.terms()) == [stage.name for stage in recipe.stages]
    assert distilled(found)
    scores = found.scores(2)
    assert np.isfinite(scores).all()
    assert scores[0] != scores[1]
