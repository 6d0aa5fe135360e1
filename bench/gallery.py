"""Evidence for the drill-down: crops of the images that metrics and people see most differently.

Lossless and 1:1: a quality report that shows rescaled or recompressed images has changed its evidence. The
place is chosen by rule, not by hand: the window that differs most from the reference, the middle where there
is none.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypedDict

import numpy as np

from .atomic import explained, write_bytes, write_text
from .document import Leaderboard
from .errors import Refusal
from .images import Gate, read
from .manifest import Manifest

SIDE = 144
MOST = 24
_FILE = re.compile(r"images/[0-9a-f]{20}\.png")


class Crop(TypedDict):
    """One pair of crops; paths are relative to the report's folder."""

    key: str
    image: str
    reference: str
    """Empty where the item has none."""
    place: list[int]
    """x, y, width, height in the original, pixels."""


def chosen(board: Leaderboard, most: int = MOST) -> list[str]:
    """Keys of the items to show: each metric's first cases in turn, best metrics first, until there are enough."""
    names = [row["name"] for row in board["metrics"] if row["name"] in board["disagreements"]]
    keys: list[str] = []
    for depth in range(6):
        for name in names:
            found = board["disagreements"][name]
            if depth < len(found) and found[depth]["key"] not in keys and len(keys) < most:
                keys.append(found[depth]["key"])
    return keys


def write(folder: Path, board: Leaderboard, manifest: Manifest, gate: Gate) -> None:
    """Write ``images/*.png`` (content-addressed) and ``gallery.json``; unreadable images are left out.

    Crops of an earlier gallery that this one does not show are deleted.
    """
    crops: list[Crop] = []
    for key in chosen(board):
        item = manifest.by_key[key]
        try:
            image = _read(manifest, item.image, gate)
            reference = _read(manifest, item.reference, gate) if item.reference else None
        except Refusal:
            continue
        if reference is not None and reference.shape != image.shape:
            reference = None
        x, y = place(image, reference)
        h, w = min(SIDE, image.shape[0]), min(SIDE, image.shape[1])
        crops.append(
            {
                "key": key,
                "image": _save(folder, image[y : y + h, x : x + w]),
                "reference": _save(folder, reference[y : y + h, x : x + w]) if reference is not None else "",
                "place": [x, y, w, h],
            }
        )
    save(folder, crops)


def save(folder: Path, crops: Sequence[Crop]) -> None:
    """Write ``gallery.json`` of these crops, whose files are there, and delete the crops that it does not name."""
    before = _named(folder)
    write_text(folder / "gallery.json", json.dumps({"schema": 1, "crops": crops}, indent=1, ensure_ascii=False) + "\n")
    _prune(folder, before, {name for crop in crops for name in (crop["image"], crop["reference"])})


def clear(folder: Path) -> None:
    """Take all crops off a folder: whoever switches the gallery off may not be allowed to publish them.

    Raises:
        UsageError, ResourceError: a file cannot be deleted, see ``atomic.explained``.
    """
    before = _named(folder)
    with explained(folder / "gallery.json"):
        (folder / "gallery.json").unlink(missing_ok=True)
    _prune(folder, before, ())
    with suppress(OSError):  # something of the user's is in it
        (folder / "images").rmdir()


def _named(folder: Path) -> set[str]:
    """Files that the folder's gallery names; none where there is no gallery, or a damaged one."""
    try:
        crops = json.loads((folder / "gallery.json").read_bytes())["crops"]
        return {str(crop[which]) for crop in crops for which in ("image", "reference")}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return set()


def _prune(folder: Path, named: Collection[str], kept: Collection[str]) -> None:
    """Delete what ``named`` has and ``kept`` has not, and crops that an interrupted command has left behind.

    Somebody's own picture in the folder stays, even under a name like ours: a crop is called by its pixels.
    """
    for path in (folder / "images").glob("*.png"):
        name = f"images/{path.name}"
        if name not in kept and _FILE.fullmatch(name) and (name in named or _is_crop(path)):
            with explained(path):
                path.unlink(missing_ok=True)


def _is_crop(path: Path) -> bool:
    from PIL import Image

    try:
        with Image.open(path) as image:
            return max(image.size) <= SIDE and image.mode == "RGB" and _name(np.asarray(image)) == path.stem
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return False


def place(image: np.ndarray, reference: np.ndarray | None) -> tuple[int, int]:
    """(x, y) of the window with the largest mean absolute difference; the first of equal ones."""
    height, width = image.shape[:2]
    h, w = min(SIDE, height), min(SIDE, width)
    if reference is None:
        return (width - w) // 2, (height - h) // 2
    error = np.abs(image.astype(np.int64) - reference).sum(axis=2)
    total = np.zeros((height + 1, width + 1), np.int64)
    total[1:, 1:] = error.cumsum(0).cumsum(1)
    window = total[h:, w:] - total[:-h, w:] - total[h:, :-w] + total[:-h, :-w]
    y, x = np.unravel_index(int(np.argmax(window)), window.shape)
    return int(x), int(y)


def _read(manifest: Manifest, relative: str, gate: Gate) -> np.ndarray:
    return read(manifest.path(relative), shown=relative, gate=gate, root=manifest.root)[0]


def _save(folder: Path, pixels: np.ndarray) -> str:
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(out, "PNG", optimize=True)
    name = f"images/{_name(pixels)}.png"
    path = folder / name
    if not path.is_file():
        path.parent.mkdir(exist_ok=True)
        write_bytes(path, out.getvalue())
    return name


def _name(pixels: np.ndarray) -> str:
    return hashlib.sha256(pixels.tobytes() + str(pixels.shape).encode()).hexdigest()[:20]
