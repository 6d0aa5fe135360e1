"""A small data set of procedural pictures, and recipes for tiny networks."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import smoke_cases
from ganiq.bench.training import data as training_data
from ganiq.bench.training import recipe as recipes
from pictures import SIDE, picture
from PIL import Image
from training_cases import Make, document, worse


@pytest.fixture(scope="session")
def make_set(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """``make_set(references=8, levels=4, ...)``: a data folder with blur and noise at so many levels."""

    def make(
        references: int = 8, levels: int = 4, first: int = 0, better: str = "higher", scored: bool = True,
        comparable: str = "everywhere", name: str = "waves", side: int = SIDE,
    ) -> Path:  # fmt: skip
        folder = tmp_path_factory.mktemp("set")
        rows: list[dict[str, Any]] = []
        for r in range(first, first + references):
            pixels = picture(r, side)
            Image.fromarray(pixels).save(folder / f"r{r}.png")
            for kind in ("blur", "noise"):
                for level in range(1, levels + 1):
                    file = f"r{r}_{kind}{level}.png"
                    Image.fromarray(worse(pixels, kind, level, r)).save(folder / file)
                    quality = 1500 - 100 * level - (40 if kind == "noise" else 0) + 3 * (r % 5)
                    row: dict[str, Any] = {
                        "image": file,
                        "reference": f"r{r}.png",
                        "group": f"r{r}",
                        "distortion": kind,
                    }
                    row |= {"generator": f"{kind}{level}"}
                    if scored:
                        row["score"] = quality if better == "higher" else 2000 - quality
                    rows.append(row)
        with (folder / "items.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, rows[0].keys())
            writer.writeheader()
            writer.writerows(rows)
        text = f'name = "{name}"\nlicense = "made by the tests"\n'
        if scored:
            text += f'[score]\nkind = "Elo"\nbetter = "{better}"\ncomparable = "{comparable}"\n'
        (folder / "items.toml").write_text(text)
        return folder

    return make


@pytest.fixture(scope="session")
def waves(make_set: Make) -> Path:
    """The data folder that most tests share; nothing is written into it."""
    return make_set()


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of decoded pixels."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="session")
def load(home: Path) -> Callable[[Path], training_data.TrainingSet]:
    from ganiq.bench.datasets import load as manifest

    return lambda folder: training_data.load(manifest(folder), home)


@pytest.fixture(scope="session")
def given(waves: Path, load: Callable[[Path], training_data.TrainingSet]) -> training_data.TrainingSet:
    return load(waves)


@pytest.fixture
def tiny() -> Callable[..., recipes.Recipe]:
    """``tiny(stages=[...])``: that recipe with changes."""
    return lambda **changes: recipes.build(document(**changes))


@pytest.fixture(scope="session")
def pictures(make_set: Make, load: Callable[[Path], training_data.TrainingSet]) -> training_data.TrainingSet:
    """For shipped recipes: 64 images of 8 references to learn, and those of 2 others."""
    return load(make_set(references=10, levels=4, side=smoke_cases.SIDE, first=200))


@pytest.fixture(scope="session")
def unscored(make_set: Make) -> Path:
    """A pool for them: 64 images that nobody scored."""
    return make_set(references=8, levels=4, side=smoke_cases.SIDE, first=400, scored=False)
