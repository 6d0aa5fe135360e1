"""Sets of known content, folders without references, and a loss that remembers what it was shown."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ganiq.bench.training.data import Sample, TrainingSet
from ganiq.bench.training.pixels import Pixels
from pictures import picture
from PIL import Image
from training_cases import worse

SHOWN: list[dict[str, Any]] = []
"""Of every call of ``watched``: keys, references, labels, whose they are, and which count."""
MODULE = __name__


def watched(name: str) -> Any:
    """A loss of nothing that writes down what it was given, under a name."""

    def loss(trace: dict[str, Any], views: Any) -> tuple[Any, Any]:
        if views.ids[0]["dataset"]:  # not in the rehearsal, whose images are made up
            SHOWN.append({
                "name": name,
                "keys": [i["image"] for i in views.ids],
                "refs": [i["ref"] for i in views.ids],
                "y": views.y.tolist(),
                "people": views.people.tolist(),
                "labelled": views.labelled.tolist(),
            })  # fmt: skip
        return trace["score"] * 0, views.labelled

    return loss


def watch(name: str, of: str = "any") -> dict[str, Any]:
    """That loss as a term of a recipe."""
    return {"loss": f"{MODULE}:watched", "of": of, "options": {"name": name}}


def sample(key: str, image: int = 0, block: str = "", split: str = "", score: float | None = None) -> Sample:
    return Sample(key, image, None, score, None, "sketch", block or key, block or key, "", "", split)


def sketch(*pictures: tuple[str, int] | tuple[str, int, str], groups: Sequence[str] = ()) -> TrainingSet:
    """Pictures of which only (key, perceptual hash, official part) are known.

    ``groups``: in the same order; by default every picture is its own.
    """
    samples, rows = [], []
    for n, (key, value, *part) in enumerate(pictures):
        samples.append(sample(key, n, groups[n] if groups else key, part[0] if part else ""))
        rows.append({"start": 0, "height": 8, "width": 8, "sha256": f"of {key}", "phash": f"{value:016x}"})
    return TrainingSet("sketch", tuple(samples), Pixels(Path(), tuple(rows), "pixels"), None, "sketch " + str(pictures))


def content(number: int) -> int:
    """A hash that is far from those of other numbers."""
    return int(np.random.default_rng([7, number]).integers(0, 2**64, dtype=np.uint64))


def turned(value: int, *bits: int) -> int:
    """A hash with some of its bits changed."""
    for bit in bits:
        value ^= 1 << bit
    return value


def folder_of(folder: Path, images: Sequence[tuple[str, np.ndarray, dict[str, Any]]], better: str = "") -> Path:
    """A data folder of (name, pixels, columns); ``better``: which end of the column ``score`` is good."""
    folder.mkdir(parents=True, exist_ok=True)
    names = list(dict.fromkeys(["image", *(column for *_, row in images for column in row)]))
    with (folder / "items.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        for name, pixels, row in images:
            Image.fromarray(pixels).save(folder / f"{name}.png")
            writer.writerow({"image": f"{name}.png", **row})
    text = f'name = "{folder.name}"\n'
    if better:
        text += f'[score]\nkind = "MOS"\nbetter = "{better}"\n'
    (folder / "items.toml").write_text(text)
    return folder


def scores_of(folder: Path, columns: dict[str, dict[str, float | str]]) -> Path:
    """``scores.csv`` of a folder, from values by metric and key."""
    keys = list(dict.fromkeys(key for values in columns.values() for key in values))
    (folder / "scores").mkdir(exist_ok=True)
    path = folder / "scores" / "scores.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["key", *columns])
        writer.writerows([key, *(values.get(key, "") for values in columns.values())] for key in keys)
    return path


def people_of(folder: Path, first: int) -> Path:
    """40 images without references, each of its own content: the noisier, the lower is its score of about 3000."""
    rows = []
    for n in range(40):
        level = 1 + n % 4
        noisy = worse(picture(first + n), "noise", level, n)
        rows.append((f"i{n:02d}", noisy, {"score": 3400 - 100 * level + n % 7}))
    return folder_of(folder, rows, better="higher")


def pool_of(folder: Path, first: int, references: int, levels: int) -> Path:
    """Images with references, blurred: what people were never asked about. Scores of two metrics are there."""
    rows, gmsd = [], {}
    for r in range(references):
        pixels = picture(first + r)
        rows.append((f"r{r:02d}", pixels, {"role": "reference"}))
        for level in range(1, levels + 1):
            key = f"r{r:02d}-{level}"
            rows.append((key, worse(pixels, "blur", 2 * level, r), {"reference": f"r{r:02d}.png", "group": f"r{r}"}))
            gmsd[key] = 0.05 * level + 0.001 * r
    folder_of(folder, rows)
    scores_of(folder, {"gmsd": gmsd, "dss": {key: 1 - 2 * value for key, value in gmsd.items()}})  # type: ignore[arg-type]
    return folder
