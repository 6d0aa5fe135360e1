"""What has been made: one line of JSON per image, appended as soon as the image is on the disk.

A line that a crash has cut short is left out when the file is read, and its image made again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO

from ..atomic import explained, write_text
from ..spec import canonical

NAME, TIMES = "made.jsonl", "timing.json"
Entry = dict[str, str]
_FIELDS = ("path", "identity", "sha256", "recipe", "with", "height", "width")


class Journal:
    """The lines of a folder by path. As a context it appends; at its end it writes them anew, sorted."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.entries = folder, _entries(folder / NAME)
        self.used: set[str] = set()
        """Paths that belong to what was asked for this time."""
        self.times: dict[str, float] = _times(folder / TIMES)
        """Seconds that each image took to make: of this computer, and so in a file of their own."""
        self._file: IO[str] | None = None

    def __enter__(self) -> Journal:
        path = self.folder / NAME
        with explained(path):
            self._file = path.open("a", encoding="utf-8")
            if self._file.tell() and not path.read_bytes().endswith(b"\n"):
                self._file.write("\n")  # after a line that a crash has cut
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):
            if self._file:
                self._file.close()
        with suppress(OSError):
            write_text(self.folder / TIMES, json.dumps(self.times, sort_keys=True, indent=0) + "\n")
        if kind is None:
            lines = (canonical(self.entries[path]) for path in sorted(self.entries))
            write_text(self.folder / NAME, "".join(f"{line}\n" for line in lines))

    def holds(self, path: str, identity: str) -> str | None:
        """sha256 of the file at ``path``, if it was made under this identity and has not changed since."""
        self.used.add(path)
        entry = self.entries.get(path)
        if entry is None or entry.get("identity") != identity:
            return None
        try:
            sha256 = file_hash(self.folder / path)
        except OSError:
            return None
        return sha256 if sha256 == entry.get("sha256") else None

    def add(self, path: str, entry: Mapping[str, str]) -> None:
        """Note an image that has just been written."""
        self.entries[path] = {"path": path, **entry}
        with explained(self.folder / NAME):
            assert self._file is not None
            self._file.write(canonical(self.entries[path]) + "\n")
            self._file.flush()


def _times(path: Path) -> dict[str, float]:
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {k: v for k, v in known.items() if isinstance(v, int | float)} if isinstance(known, dict) else {}


def file_hash(path: Path) -> str:
    """sha256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _entries(path: Path) -> dict[str, Entry]:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return {}
    answer: dict[str, Entry] = {}
    for line in lines:
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if not isinstance(entry, dict) or not all(isinstance(entry.get(name), str) for name in _FIELDS):
            continue
        if entry["height"].isdecimal() and entry["width"].isdecimal():
            answer[entry["path"]] = entry
    return answer
