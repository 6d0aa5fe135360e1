"""Where a slot's file lies on this computer.

Order: the user's configuration, the weights folder, the file shipped with this package or inside an
installed data package. Never the caches of other libraries, never the working folder: a file left there under
the right name is neither checked nor reproducible.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from ..errors import UsageError
from .problems import MissingWeights
from .table import Slot, slot_of

FOLDER = "GANIQ_WEIGHTS"
CONFIG = "GANIQ_WEIGHTS_CONFIG"
_HEX = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Found:
    """A file that fills a slot, before its bytes have been looked at."""

    slot: str
    path: Path
    sha256: str
    """What the bytes must hash to; empty only where neither the table nor the user says it."""
    where: Literal["configuration", "weights folder", "shipped", "package"]
    own: bool = False
    """A weight of the user's own, in place of the registered one: never shares a row with it."""


_configured: dict[str, tuple[Path, str]] = {}


def configure(mapping: Mapping[str, Any] | None) -> None:
    """Set the user's own paths: slot -> path, or slot -> {"path": ..., "sha256": ...}. ``None`` forgets them.

    Holds for this process only; worker processes read the file named by ``GANIQ_WEIGHTS_CONFIG``.

    Raises:
        UsageError: unknown slot, or an entry of another form.
    """
    checked = _checked(mapping or {}, Path.cwd(), "the configuration")
    _configured.clear()
    _configured.update(checked)


def folder() -> Path:
    """The weights folder: ``GANIQ_WEIGHTS``, else a folder of the user's data directory."""
    if named := os.environ.get(FOLDER):
        return Path(named)
    import platformdirs

    return Path(platformdirs.user_data_dir("ganiq", appauthor=False)) / "weights"


def found(slot: str) -> Found | None:
    """Look for a slot's file without reading it; ``None`` if there is none.

    Raises:
        UsageError: unknown slot, or a configured path that does not exist.
    """
    entry = slot_of(slot)
    if (configured := _configuration().get(slot)) is not None:
        path, declared = configured
        if not path.is_file():
            raise UsageError(
                f"the configuration gives {path} for the weights {slot}, and there is no such file; "
                "correct the path or remove the line",
                code="E-CFG",
            )
        own = bool(declared) and declared != entry.sha256
        return Found(slot, path, declared or entry.sha256, "configuration", own)
    if (shelved := _shelved(entry)) is not None:
        return shelved
    path = _installed(entry)
    if path is None:
        return None
    return Found(slot, path, entry.sha256, "shipped" if entry.origin.how == "shipped" else "package")


def path_of(slot: str) -> Path:
    """Path of a slot's file. The bytes are not checked here: use ``read`` or ``tensors`` to load them.

    Raises:
        MissingWeights: the slot is empty.
        UsageError: unknown slot.
    """
    place = found(slot)
    if place is None:
        raise MissingWeights(slot, slot_of(slot).command)
    return place.path


def present(slot: str) -> bool:
    """Whether a file for the slot is on this computer (not whether its bytes are right)."""
    return found(slot) is not None


def is_own(slot: str) -> bool:
    """Whether the slot is filled by a weight of the user's own instead of the registered one."""
    place = found(slot)
    return place is not None and place.own


def digest_of(slot: str) -> str:
    """sha256 that identifies the slot's weights in a metric's identity.

    The hash that the loader will insist on: of the user's own file where one is declared, else the
    registered one. Where neither is known the file itself is hashed; empty if there is no file either.
    """
    place = found(slot)
    if place is None:
        return slot_of(slot).sha256
    return place.sha256 or hash_of(place.path)


def hash_of(path: Path) -> str:
    """sha256 of a file, kept as long as its size and time stamps stay the same."""
    facts = path.stat()
    return _hashed(path, facts.st_size, facts.st_mtime_ns, facts.st_ino)


@lru_cache(maxsize=64)
def _hashed(path: Path, size: int, changed: int, inode: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def shelf_name(slot: Slot, sha256: str) -> str:
    """Name of a file in the weights folder: its hash, with the suffix of its format."""
    return sha256 + Path(slot.file).suffix


def shelf_notes(where: Path) -> dict[str, str]:
    """Slots whose hash the table does not know, as recorded when their files were added: slot -> sha256."""
    try:
        notes = json.loads((where / "added.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError):
        notes = None
    if not isinstance(notes, dict) or not all(isinstance(v, str) and _HEX.fullmatch(v) for v in notes.values()):
        raise UsageError(
            f"{where / 'added.json'} cannot be read as a list of hashes; delete it and add the files again",
            code="E-CFG",
        )
    return notes


def _shelved(slot: Slot) -> Found | None:
    where = folder()
    sha256 = slot.sha256 or shelf_notes(where).get(slot.slot, "")
    if not sha256:
        return None
    path = where / shelf_name(slot, sha256)
    return Found(slot.slot, path, sha256, "weights folder") if path.is_file() else None


def _installed(slot: Slot) -> Path | None:
    origin = slot.origin
    if origin.how == "shipped":
        path = Path(str(files(__name__.rpartition(".")[0]).joinpath(origin.path)))
    elif origin.how == "package":
        home = package_folder(origin.module)
        if home is None:
            return None
        path = home / origin.path
    else:
        return None
    return path if path.is_file() else None


def package_folder(module: str) -> Path | None:
    """Folder of an installed top-level package, found without running any of its code.

    ``None`` if it is not installed, or has no folder (a zipped or frozen installation).
    """
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        return None
    if spec is None or not spec.origin:
        return None
    home = Path(spec.origin).parent
    return home if home.is_dir() else None


def _configuration() -> Mapping[str, tuple[Path, str]]:
    named = os.environ.get(CONFIG)
    return {**(_from_file(Path(named)) if named else {}), **_configured}


def _from_file(path: Path) -> dict[str, tuple[Path, str]]:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{CONFIG} names {path}, which cannot be read as TOML ({error})", code="E-CFG") from None
    table = document.get("weights", {})
    if not isinstance(table, dict):
        raise UsageError(f"{path}: [weights] must be a table of slot = path", code="E-CFG")
    return _checked(table, path.parent, str(path))


def _checked(mapping: Mapping[str, Any], base: Path, source: str) -> dict[str, tuple[Path, str]]:
    answer = {}
    for name, value in mapping.items():
        slot_of(name)
        entry = {"path": value} if isinstance(value, str | os.PathLike) else value
        if not isinstance(entry, Mapping) or not set(entry) <= {"path", "sha256"} or "path" not in entry:
            raise UsageError(
                f'{source}: give the weights {name} as a path, or as {{ path = "...", sha256 = "..." }}',
                code="E-CFG",
            )
        sha256 = str(entry.get("sha256", "")).lower()
        if sha256 and not _HEX.fullmatch(sha256):
            raise UsageError(f"{source}: the sha256 of {name} must be 64 hexadecimal digits", code="E-CFG")
        answer[name] = (base / Path(entry["path"]).expanduser(), sha256)
    return answer
