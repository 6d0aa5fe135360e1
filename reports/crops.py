"""Crops of disputed images, where a run has made them: ``gallery.json`` and the files it names."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..bench.errors import IntegrityError

_NAME = re.compile(r"images/[0-9A-Za-z_-]+\.png")
_PNG = b"\x89PNG\r\n\x1a\n"
LARGEST = 300_000
"""Bytes of one crop at most; a crop is a detail, not the image."""
IN_ALL = 4_000_000
"""Bytes of all crops that one page carries."""


@dataclass(frozen=True, slots=True)
class Crop:
    """One detail of an image, pixel for pixel, and the same place of its reference."""

    key: str
    image: str
    """As a ``data:`` address."""
    reference: str
    """Likewise; empty where the item has no reference."""
    width: int
    height: int
    place: tuple[int, int]
    """Left and top in the original, pixels."""


def read(folder: Path) -> list[Crop]:
    """The crops of a report's folder; none where there is no gallery. Later ones are left out beyond ``IN_ALL``.

    Raises:
        IntegrityError: the gallery names a file outside ``images``, or one that is missing or no PNG.
    """
    path = folder / "gallery.json"
    if not path.is_file():
        return []
    try:
        entries: list[dict[str, Any]] = json.loads(path.read_bytes())["crops"]
        wanted = [(str(e["key"]), str(e["image"]), str(e["reference"]), [int(v) for v in e["place"]]) for e in entries]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise IntegrityError(f"gallery.json is damaged ({error}); write it again with `ganiq run --gallery`") from None
    out, used = [], 0
    for key, image, reference, place in wanted:
        if len(place) != 4 or not all(0 <= v < 10**6 for v in place):
            raise IntegrityError(f"gallery.json gives {place} as a place; write it again with `ganiq run --gallery`")
        files = [_load(folder, name) if name else b"" for name in (image, reference)]
        used += sum(map(len, files))
        if used > IN_ALL:
            break
        x, y, width, height = place
        out.append(Crop(key, _address(files[0]), _address(files[1]), width, height, (x, y)))
    return out


def _load(folder: Path, name: str) -> bytes:
    path = folder / name
    if not _NAME.fullmatch(name) or not path.is_file() or not path.resolve().is_relative_to(folder.resolve()):
        raise IntegrityError(f"gallery.json names {name[:80]!r}, which is no crop; run again with --gallery")
    if path.stat().st_size > LARGEST:
        raise IntegrityError(f"{name} is larger than a crop can be ({LARGEST:,} bytes); run again with --gallery")
    data = path.read_bytes()
    if not data.startswith(_PNG):
        raise IntegrityError(f"{name} is not a PNG file; run again with --gallery")
    return data


def _address(data: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(data).decode() if data else ""
