"""Decoded images in one file, mapped into memory: every picture is decoded once, whatever the number of epochs.

The name of the file is a digest of the files' hashes and of the image gate's rules, so that it can be shared and never
goes stale. It appears whole or not at all.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..atomic import explained, sync_folder, write_text
from ..errors import IntegrityError
from ..progress import Progress, Silent
from ..spec import digest
from .crops import frame
from .likeness import phash

Picture = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Pixels:
    """Pictures by number, read from the map."""

    folder: Path
    rows: tuple[dict[str, Any], ...]
    """``start``, ``height``, ``width``, ``sha256`` of the pixels and ``phash`` of each picture."""
    digest: str

    @cached_property
    def _map(self) -> npt.NDArray[np.uint8]:
        return np.memmap(self.folder / "pixels.bin", np.uint8, "r")

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, number: int) -> Picture:
        """(H, W, 3), read-only."""
        row = self.rows[number]
        size = row["height"] * row["width"] * 3
        return self._map[row["start"] : row["start"] + size].reshape(row["height"], row["width"], 3)

    def size(self, number: int) -> tuple[int, int]:
        """Height and width."""
        return self.rows[number]["height"], self.rows[number]["width"]

    def frame(self, largest: int) -> tuple[int, int]:
        """Height and width of the crops in which all of these are seen whole up to ``largest``."""
        return frame(self._extent, largest)

    @cached_property
    def _extent(self) -> tuple[int, int]:
        """Of the tallest and of the widest picture; asked for with every image that is read."""
        return max(row["height"] for row in self.rows), max(row["width"] for row in self.rows)

    def phash(self, number: int) -> int:
        return int(self.rows[number]["phash"], 16)


def store(
    home: Path,
    identity: object,
    pictures: Callable[[], Iterable[Picture]],
    count: int,
    progress: Progress | None = None,
    what: str = "decoding images",
) -> Pixels:
    """The pictures that ``identity`` names, made if they are not there yet.

    Args:
        home: folder of all such stores.
        identity: everything the pixels depend on; JSON.
        pictures: makes them, in order.
        count: how many there are.
        progress: told how far it is.
        what: name of this step.
    """
    name = digest(identity)
    folder = home / f"pixels-{name[:32]}"
    if not (folder / "index.json").is_file():
        _write(folder, name, pictures, count, progress or Silent(), what)
    rows: list[dict[str, Any]] = []
    try:
        document = json.loads((folder / "index.json").read_text(encoding="utf-8"))
        rows = document["rows"]
        last = rows[-1] if rows else {"start": 0, "height": 0, "width": 0}
        wanted = last["start"] + last["height"] * last["width"] * 3
        found = (folder / "pixels.bin").stat().st_size if (folder / "pixels.bin").is_file() else -1
        sound = document["digest"] == name and found == wanted and len(rows) == count
    except (ValueError, KeyError, TypeError):
        sound = False
    if not sound:
        raise IntegrityError(f"{folder.name} is not what its name says; delete that folder and repeat", code="E-CACHE")
    return Pixels(folder, tuple(rows), name)


def _write(
    folder: Path, name: str, pictures: Callable[[], Iterable[Picture]], count: int, say: Progress, what: str
) -> None:
    from hashlib import sha256

    rows: list[dict[str, Any]] = []
    start = 0
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
        temporary = folder / f".ganiq-{secrets.token_hex(8)}.tmp"
        try:
            with temporary.open("xb") as file:
                say.stage(what, count)
                for picture in pictures():
                    data = np.ascontiguousarray(picture)
                    height, width, _ = data.shape
                    rows.append(
                        {
                            "start": start,
                            "height": height,
                            "width": width,
                            "sha256": sha256(data.data).hexdigest(),
                            "phash": f"{phash(data):016x}",
                        }
                    )
                    file.write(data.data)
                    start += data.size
                    say.advance()
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, folder / "pixels.bin")
        finally:
            temporary.unlink(missing_ok=True)
        sync_folder(folder)
    # Last: a folder without an index is unfinished work.
    write_text(folder / "index.json", json.dumps({"digest": name, "rows": rows}) + "\n")


def derived(
    source: Pixels,
    numbers: Sequence[int],
    keys: Sequence[str],
    recipe: str,
    make: Callable[[Picture, str], Picture],
    progress: Progress | None = None,
) -> Pixels:
    """``make(picture, key)`` of some pictures, stored; ``recipe`` names what ``make`` does and its version."""
    identity = {"of": source.digest, "numbers": list(numbers), "keys": list(keys), "recipe": recipe}
    return store(
        source.folder.parent,
        identity,
        lambda: (make(np.array(source[n]), key) for n, key in zip(numbers, keys)),
        len(numbers),
        progress,
        recipe,
    )
