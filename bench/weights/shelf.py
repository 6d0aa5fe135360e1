"""The weights folder: what is in it, putting files in by hand, and checking everything again."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..atomic import explained, write_text
from ..errors import ResourceError, UsageError
from .find import Found, folder, found, shelf_name, shelf_notes
from .load import LARGEST, arrays_from, check_hash, tensors_from
from .problems import BadWeights
from .table import Slot, slot_of, slots


def listing() -> list[dict[str, Any]]:
    """All slots in the order of the table, one row each: is it filled, from where, what is it. Reads no weights.

    Keys: ``slot``, ``title``, ``present``, ``origin`` (where it was found, else where it would come from),
    ``path`` (None if absent), ``own``, ``bytes`` (None if not known), ``licence``, ``licence_source``,
    ``trained_on``, ``used_by``, ``sha256`` (empty if not registered), ``hash_source``, ``command`` (what would
    fill the slot; empty if it is filled).
    """
    rows = []
    for name, slot in slots().items():
        place = found(name)
        size = place.path.stat().st_size if place else slot.bytes
        rows.append(
            {
                "slot": name,
                "title": slot.title,
                "present": place is not None,
                "origin": place.where if place else slot.origin.url or slot.origin.distribution or slot.origin.how,
                "path": str(place.path) if place else None,
                "own": bool(place and place.own),
                "bytes": size or None,
                "licence": slot.licence,
                "licence_source": slot.licence_source,
                "trained_on": list(slot.trained_on),
                "used_by": list(slot.used_by),
                "sha256": slot.sha256,
                "hash_source": slot.hash_source,
                "command": "" if place else slot.command,
            }
        )
    return rows


def verify() -> list[dict[str, str]]:
    """Hash every file that fills a slot again.

    One row per filled slot: ``slot``, ``status`` (``ok``; ``own`` = as the user declared it; ``differs``;
    ``unreadable``), ``path`` and ``problem`` (a sentence, empty where all is well).
    """
    rows = []
    for name in slots():
        if (place := found(name)) is None:
            continue
        status, problem = _examine(place)
        rows.append({"slot": name, "status": status, "path": str(place.path), "problem": problem})
    return rows


def stray() -> list[tuple[Path, str]]:
    """Files in the weights folder that no slot refers to, with what they seem to be."""
    where = folder()
    if not where.is_dir():
        return []
    known = {shelf_name(s, s.sha256) for s in slots().values() if s.sha256}
    known |= {shelf_name(slot_of(n), h) for n, h in shelf_notes(where).items() if n in slots()}
    answer = []
    for path in sorted(where.iterdir()):
        if path.name in known or path.name == "added.json" or not path.is_file():
            continue
        kind = "unfinished download" if path.suffix == ".part" else "not used by any slot"
        answer.append((path, kind))
    return answer


def add(slot: str, file: str | Path, *, say: Callable[[str], None] | None = None) -> Path:
    """Copy a file into the weights folder, after its hash was checked on the copy itself.

    For a slot whose hash is not registered, the digits of the publisher's file name are checked where
    there are any, the file is parsed as the loader will, and its hash is recorded: from then on the slot means
    these bytes, until another file is added.

    Args:
        slot: which.
        file: the file.
        say: told, in a sentence, of an earlier file whose place this one takes.

    Returns:
        The path in the weights folder.

    Raises:
        UsageError: unknown slot, or no such file.
        BadWeights: ``E-CKPT-HASH``, the file is not the registered one; ``-FORMAT``, ``-UNSAFE`` or ``-NAN``, it
            is none of the slot's kind. What filled the slot before still does.
        ResourceError: the disk is full, or the folder cannot be written (then UsageError).
    """
    entry, source = slot_of(slot), Path(file)
    if not source.is_file():
        raise UsageError(f"there is no file {source}; give the path of the file to add for {slot}", code="E-CFG")
    if source.stat().st_size > LARGEST:
        raise UsageError(f"{source} is larger than any file of weights; nothing was added", code="E-CFG")
    where = folder()
    with explained(where):
        where.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=where, prefix=".adding-")
    copy = Path(name)
    try:
        digest = hashlib.sha256()
        with explained(where), source.open("rb") as reader, os.fdopen(handle, "wb") as writer:
            while block := reader.read(2**20):
                digest.update(block)
                writer.write(block)
            writer.flush()
            os.fsync(writer.fileno())
        sha256 = digest.hexdigest()
        check_hash(slot, sha256, expected=entry.sha256, name=source.name)
        if not entry.sha256:
            parse(entry, copy.read_bytes())
        before = shelf_notes(where).get(slot, "") if not entry.sha256 else ""
        target = where / shelf_name(entry, sha256)
        with explained(target):
            copy.chmod(0o644)
            copy.replace(target)
        if not entry.sha256:
            note(where, slot, sha256)
        if before not in ("", sha256):
            _drop(where, entry, before)
            if say:
                say(f"it takes the place of the file with sha256 {before} that had been added for {slot}")
    finally:
        copy.unlink(missing_ok=True)
    return target


def parse(entry: Slot, data: bytes) -> None:
    """Try whether the content of a file is of a slot's kind, without running anything in it.

    Files of the kind ``ncnn`` have no form that could be tried.

    Raises:
        BadWeights: ``E-CKPT-FORMAT``, ``-UNSAFE`` or ``-NAN``.
    """
    from .onnx_file import graph_from

    try:
        if entry.format in ("pth", "safetensors"):
            content: object = tensors_from(data, entry.slot)
        elif entry.format == "npz":
            content = arrays_from(data, entry.slot)
        elif entry.format == "onnx":
            content = graph_from(data, entry.slot)[0]
        elif entry.format == "mat":
            content = _mat(data, entry.slot)
        else:
            content = data
        if not content:
            raise BadWeights("E-CKPT-FORMAT", entry.slot, "it holds nothing", "use the right file")
    except BadWeights as problem:
        problem.done = "not added"
        raise


def _mat(data: bytes, slot: str) -> dict[str, Any]:
    """The variables of a .mat file of version 7 or older: data, and nothing that could run."""
    import io

    from scipy.io import loadmat

    try:
        found = loadmat(io.BytesIO(data))
    except MemoryError:
        raise
    except NotImplementedError:
        raise BadWeights(
            "E-CKPT-FORMAT", slot, "it is a .mat file of version 7.3", "save it again with '-v7'"
        ) from None
    except Exception as error:  # damaged files fail in many ways inside the reader
        first = (str(error).strip().splitlines() or [type(error).__name__])[0][:120]
        raise BadWeights("E-CKPT-FORMAT", slot, f"it is no .mat file ({first})", "export the model again") from None
    return {name: value for name, value in found.items() if not name.startswith("__")}


def remove(slot: str) -> Path:
    """Take a slot's file out of the weights folder, whether it was added or downloaded.

    Returns:
        The path that is gone.

    Raises:
        UsageError: unknown slot, or the weights folder holds no file for it.
    """
    entry, where = slot_of(slot), folder()
    notes = shelf_notes(where)
    sha256 = entry.sha256 or notes.get(slot, "")
    target = where / shelf_name(entry, sha256)
    if not sha256 or not (target.is_file() or slot in notes):
        place = found(slot)
        found_at = f"; what fills the slot is {place.path} ({place.where})" if place else ""
        raise UsageError(f"the weights folder {where} holds no file for {slot}{found_at}", code="E-CFG")
    if slot in notes:
        _write(where, {name: value for name, value in notes.items() if name != slot})
    _drop(where, entry, sha256)
    return target


def note(where: Path, slot: str, sha256: str) -> None:
    """Record which bytes fill a slot whose hash the table does not know."""
    _write(where, {**shelf_notes(where), slot: sha256})


def _write(where: Path, notes: Mapping[str, str]) -> None:
    write_text(where / "added.json", json.dumps(notes, indent=1, sort_keys=True) + "\n")


def _drop(where: Path, entry: Slot, sha256: str) -> None:
    """Delete a slot's file unless another slot means the same one."""
    name, notes = shelf_name(entry, sha256), shelf_notes(where)
    others = [shelf_name(s, s.sha256 or notes.get(s.slot, "")) for s in slots().values() if s.slot != entry.slot]
    if name not in others:
        with explained(where):
            (where / name).unlink(missing_ok=True)


def room(where: Path, needed: int) -> None:
    """Check that a folder's disk can take so many bytes.

    Raises:
        ResourceError: it cannot.
    """
    free = shutil.disk_usage(where).free
    if needed > free:
        raise ResourceError(
            f"{where} has {free / 1e6:.0f} MB free and {needed / 1e6:.0f} MB are needed; free some space, or name "
            "another folder in GANIQ_WEIGHTS",
            code="E-IO-DISK",
        )


def _examine(place: Found) -> tuple[str, str]:
    try:
        with place.path.open("rb") as file:
            actual = hashlib.file_digest(file, "sha256").hexdigest()
        check_hash(place.slot, actual, expected=place.sha256, name=place.path.name)
    except BadWeights as problem:
        return "differs", str(problem)
    except OSError as error:
        return "unreadable", f"E-IO-READ {place.path.name}: {error.strerror}; not checked; repair or remove the file"
    return "own" if place.own else "ok", ""
