"""Finding image files by name: any extension, any letter case, never by sort order."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

# Lossless formats first: of two files with one stem the less damaged one is taken.
EXTENSIONS = (".png", ".bmp", ".webp", ".tif", ".tiff", ".jpg", ".jpeg")


def fold(text: str) -> str:
    """One spelling for names that file systems may take for the same."""
    return unicodedata.normalize("NFC", text).casefold()


def stem(name: str) -> str:
    """Name without folders and without an image extension; other dots belong to the name."""
    name = name.rpartition("/")[2]
    base, ext = os.path.splitext(name)
    return base if ext.lower() in EXTENSIONS else name


def child(folder: Path, *names: str) -> Path | None:
    """The first of the named entries that a folder holds, in any letter case."""
    if not folder.is_dir():
        return None
    present = {}
    for entry in sorted(p.name for p in folder.iterdir()):
        present.setdefault(fold(entry), entry)
    for name in names:
        if (folder / name).exists():
            return folder / name
        if fold(name) in present:
            return folder / present[fold(name)]
    return None


def images(folder: Path) -> list[str]:
    """Names of the image files directly in a folder, sorted."""
    return sorted(p.name for p in folder.iterdir() if p.suffix.lower() in EXTENSIONS and p.is_file())


@dataclass
class Index:
    """Image files below a folder, by folded stem. Paths are relative to ``root``, POSIX."""

    root: Path
    files: dict[str, list[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, root: Path, folders: Iterable[str | Path] = ("",), depth: int = 3) -> Index:
        """List the given folders of ``root`` and what lies below, ``depth`` levels down; hidden ones are left out."""
        index = cls(root)
        for folder in folders:
            top = root / folder
            for place, inner, names in os.walk(top):
                level = len(Path(place).relative_to(top).parts)
                inner[:] = sorted(n for n in inner if not n.startswith(".")) if level < depth else []
                prefix = Path(place).relative_to(root).as_posix()
                for name in sorted(names):
                    if os.path.splitext(name)[1].lower() in EXTENSIONS and not name.startswith("."):
                        relative = name if prefix == "." else f"{prefix}/{name}"
                        index.files.setdefault(fold(stem(name)), []).append(relative)
        return index

    def find(self, name: str, under: str = "") -> str | None:
        """Path of the image with this name's stem.

        Among several, the one whose folder is ``under``, then the one of the very same name, then the first
        by extension (lossless formats first) and path.
        """
        found = self.files.get(fold(stem(name)))
        if not found:
            return None
        wanted = name.rpartition("/")[2]

        def rank(path: str) -> tuple[bool, bool, int, str]:
            folder, _, base = path.rpartition("/")
            extension = EXTENSIONS.index(os.path.splitext(base)[1].lower())
            return fold(folder) != fold(under), fold(base) != fold(wanted), extension, path

        return min(found, key=rank)

    def __len__(self) -> int:
        return sum(len(paths) for paths in self.files.values())
