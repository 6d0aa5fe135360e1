"""Images to look at, and what they cost: each generator's worst and best, and seconds against quality."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from scipy.stats import rankdata

from .. import gallery
from ..atomic import explained
from ..board.agreement import number
from ..errors import Refusal
from ..types import Item
from .document import Cost, Extreme, Extremes, Price, View
from .inputs import Run
from .views import Judge

SHOWN = 12
"""Generators whose crops are shown: the upper and the lower half of this number."""


def extremes(
    run: Run, order: Sequence[str], found: Mapping[str, Judge], members: Sequence[str], vote: Sequence[int]
) -> Extremes:
    """The image of each generator that the panel places lowest and highest among all images of the contest.

    Every panel metric ranks all images; an image's place is the mean of its percentiles, votes weighing alike.
    A low mean needs metrics that agree: an image which one metric hates and another likes is not extreme.
    """
    if not members:
        return {"rows": [], "note": "no panel of metrics, so nobody to choose images"}
    rows = np.array([n for g in order for n in run.rows(g) if run.text["role"][n] != "reference"], int)
    values = np.array(
        [(1 if found[m].row["better"] == "higher" else -1) * run.limits[m][rows] for m in members]
    ).reshape(len(members), len(rows))
    rows, values = rows[~np.isnan(values).any(axis=0)], values[:, ~np.isnan(values).any(axis=0)]
    if len(rows) < 2:
        return {"rows": [], "note": "fewer than two images have a value under every metric of the panel"}
    places = (rankdata(values, axis=1) - 0.5) / len(rows)
    weight = np.array([1 / vote.count(v) for v in vote])
    mean = np.round(weight @ places / weight.sum(), 9)
    made: list[Extreme] = []
    for name in order:
        mine = [n for n, row in enumerate(rows) if run.text["generator"][row] == name]
        if len(mine) < 2:
            continue
        by_key = sorted(mine, key=lambda n: run.text["key"][rows[n]])
        for which, pick in (
            ("worst", min(by_key, key=lambda n: mean[n])),
            ("best", max(by_key, key=lambda n: mean[n])),
        ):
            made.append(
                {
                    "generator": name,
                    "which": which,  # type: ignore[typeddict-item]
                    "key": run.text["key"][rows[pick]],
                    "group": run.text["group"][rows[pick]],
                    "place": number(float(mean[pick]), 4) or 0.0,
                    "low": number(float(places[:, pick].min()), 4) or 0.0,
                    "high": number(float(places[:, pick].max()), 4) or 0.0,
                }
            )
    return {"rows": made, "note": "" if made else "no generator has two images of its own"}


def write_crops(folder: Path, run: Run, found: Extremes, order: Sequence[str], wanted: bool) -> None:
    """Crops of the extreme images, 1:1 and lossless, into ``folder``/arena; what an earlier arena left goes."""
    place = folder / "arena"
    if not wanted or run.manifest is None or not found["rows"]:
        gallery.clear(place)
        return
    half = SHOWN // 2
    shown = set(order if len(order) <= SHOWN else [*order[:half], *order[-half:]])
    with explained(place):
        place.mkdir(parents=True, exist_ok=True)
    crops = []
    for row in found["rows"]:
        item = run.manifest.by_key.get(row["key"])
        if row["generator"] in shown and item is not None and (crop := _crop(place, run, item)) is not None:
            crops.append(crop)
    gallery.save(place, crops)


def _crop(place: Path, run: Run, item: Item) -> gallery.Crop | None:
    """The window of an image that differs most from its reference; None where the image cannot be read."""
    assert run.manifest is not None
    try:
        image = gallery._read(run.manifest, item.image, run.gate)
        reference = gallery._read(run.manifest, item.reference, run.gate) if item.reference else None
    except Refusal:
        return None
    if reference is not None and reference.shape != image.shape:
        reference = None
    x, y = gallery.place(image, reference)
    h, w = min(gallery.SIDE, image.shape[0]), min(gallery.SIDE, image.shape[1])
    return {
        "key": item.key,
        "image": gallery._save(place, image[y : y + h, x : x + w]),
        "reference": gallery._save(place, reference[y : y + h, x : x + w]) if reference is not None else "",
        "place": [x, y, w, h],
    }


def cost(run: Run, order: Sequence[str], headline: View) -> Cost:
    """Seconds to make an image against the headline strength, where the items say how long each took."""
    if run.manifest is None:
        return {"rows": [], "note": f"the time to make an image is kept with the data set: {run.absent}"}
    keys = run.text["key"]
    rows: list[Price] = []
    made = _noted(run.manifest.root)
    for name in order:
        items = [run.manifest.by_key.get(keys[n]) for n in run.rows(name)]
        known = [
            s for i in items if i is not None and (s := _seconds(i.attrs.get("seconds") or made.get(i.image, ""))) > 0
        ]
        quality = headline["standings"][name]["strength"]["value"]
        if known and quality is not None:
            seconds = number(statistics.median(known)) or 0.0
            rows.append({"generator": name, "seconds": seconds, "n": len(known), "quality": quality, "front": False})
    if not rows:
        return {
            "rows": [],
            "note": "no item says how long it took to make: `ganiq generate` records it, or add a column `seconds` "
            "to items.csv",
        }
    rows.sort(key=lambda r: (r["seconds"], -r["quality"], r["generator"]))
    best = -math.inf
    for row in rows:
        row["front"] = row["quality"] > best
        best = max(best, row["quality"])
    lacking = [name for name in order if name not in {r["generator"] for r in rows}]
    return {"rows": rows, "note": f"without a time: {', '.join(lacking)}" if lacking else ""}


def _noted(folder: Path) -> dict[str, str]:
    """Image -> seconds, as ``ganiq generate`` notes them beside its items; times never enter the data set itself."""
    try:
        known = json.loads((folder / "timing.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(image): str(seconds) for image, seconds in known.items()} if isinstance(known, dict) else {}


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return math.nan
    return value if math.isfinite(value) else math.nan
