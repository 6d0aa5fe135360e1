"""The unlabelled pool: references of the training split, distorted by chance, as an ordinary data folder.

Every image is a chain of one to four distortions of different groups, weak ones more often than strong ones (levels
follow half a normal curve of deviation 2.5); one in twenty is left pristine. The groups are those of the 24 distortions
at five levels, and one of flaws that look like those of GANs. Nothing says how bad an image is: levels are no labels.
"""

from __future__ import annotations

import csv
import io
import json
import math
import time
from pathlib import Path

import numpy as np

from ..atomic import explained, write_text
from ..errors import GaniqError, UsageError
from ..images import save_png
from ..progress import Progress, Silent
from ..spec import digest
from . import seam
from .crops import rng
from .data import TrainingSet
from .pixels import Picture

VERSION = 1
CHUNK = 100
PRISTINE = 0.05
SPREAD = 2.5
_GAN = "gan-like"
_FLAWS = ("gan-resample", "gan-texture", "gan-checkerboard", "gan-kernel-mismatch", "gan-oversmooth", "gan-warp")


class Stopped(GaniqError):
    """The time was up; what was made is kept."""


def build(
    train: TrainingSet, out: Path, count: int, seed: int, progress: Progress | None = None, until: float = math.inf
) -> Path:
    """Write the pool of a training split; a folder that is complete is used as it is.

    Args:
        train: the training part; only its references are used, or its images where it has none.
        out: folder of all pools.
        count: images.
        seed: of the recipe.
        progress: told how far it is.
        until: on the monotonic clock; looked at after every ``CHUNK`` images that were made.

    Returns:
        The folder, with ``items.csv``.

    Raises:
        Stopped: the time was up.
        UsageError: the split is empty.
    """
    sources: dict[str, int] = {}
    for sample in train.samples:
        sources.setdefault(sample.group, sample.image if sample.reference is None else sample.reference)
    if not sources:
        raise UsageError(f"{train.name}: its training split is empty, so there is nothing to distort", code="E-DATA")
    names = sorted(sources)
    identity = {
        "pixels": train.pixels.digest, "sources": sorted(sources.items()), "count": count, "seed": seed,
        "version": VERSION,
    }  # fmt: skip
    folder = out / f"pool-{digest(identity)[:32]}"
    table = folder / "items.csv"
    if table.is_file():
        return folder
    say = progress or Silent()
    with explained(folder):
        (folder / "references").mkdir(parents=True, exist_ok=True)
        (folder / "images").mkdir(exist_ok=True)
    say.stage("unlabelled pool", count)
    for number, name in enumerate(names):
        place = folder / "references" / f"{number:05d}.png"
        if not place.is_file():
            save_png(place, np.array(train.pixels[sources[name]]))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["image", "reference", "key", "group", "generator", "distortion"])
    made = 0
    for number in range(count):
        which = number % len(names)
        key = f"pool/{number:06d}"
        chain = draw(seed, key)
        place = folder / "images" / f"{number:06d}.png"
        if not place.is_file():  # images appear whole or not at all, so those that are there are right
            save_png(place, distorted(train.pixels[sources[names[which]]], chain, seed, key))
            made += 1
            if made % CHUNK == 0 and number + 1 < count and time.monotonic() > until:
                raise Stopped("stopped; run the same command again to go on")
        kinds = "+".join(kind for kind, _ in chain) or "pristine"
        writer.writerow([f"images/{place.name}", f"references/{which:05d}.png", key, names[which], "", kinds])
        say.advance()
    write_text(folder / "items.toml", f'name = {json.dumps(train.samples[0].dataset)}\ntitle = "Unlabelled pool"\n')
    write_text(table, text.getvalue())
    return folder


def draw(seed: int, key: str) -> list[tuple[str, int]]:
    """The distortions of an image and their levels from 1 to 5, in order; empty for a pristine one."""
    ladders = seam.own("generators.degradations:LADDERS")
    stream = rng(seed, "pool", VERSION, key)
    if stream.random() < PRISTINE:
        return []
    groups: dict[str, list[str]] = {}
    for name, rungs in ladders.items():
        groups.setdefault(rungs.group, []).append(name)
    groups[_GAN] = list(_FLAWS)
    weights = np.exp(-((np.arange(5) / SPREAD) ** 2) / 2)
    chosen = stream.permutation(sorted(groups))[: int(stream.integers(1, 5))]
    return [
        (str(stream.choice(groups[str(group)])), 1 + int(stream.choice(5, p=weights / weights.sum())))
        for group in chosen
    ]


def distorted(picture: Picture, chain: list[tuple[str, int]], seed: int, key: str) -> Picture:
    """The picture through a chain; of the picture's own size."""
    home = seam.own("generators.degradations")
    flaws = {kind.info.name: kind for kind in home.ALL}
    ladder = flaws["ladder"]
    image = np.array(picture)
    for place, (name, level) in enumerate(chain):
        stream = rng(seed, "pool", VERSION, key, place)
        image = (flaws[name]() if name in _FLAWS else ladder(name, level))(image, stream)
    return image
