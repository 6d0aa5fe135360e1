"""The tables of a generated folder, as the data set adapter ``folder`` reads them."""

from __future__ import annotations

import csv
import io
import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import provenance
from ..atomic import explained, write_text
from .journal import Journal
from .parts import NONE, Degrade, Maker, Photograph
from .sweep import Generation

if TYPE_CHECKING:
    from .make import Made

COLUMNS = (
    "key", "image", "reference", "generator", "distortion", "family", "group", "block", "role", "sha256", "task",
    "recipe", "input", "seed", "label", "licence",
)  # fmt: skip
TABLES = ("items.csv", "items.toml", "generation.json")
Row = dict[str, str]


def restored(key: str, maker: Maker, one: Degrade, photo: Photograph, reference: Made, source: Made, done: Made) -> Row:
    """The line of a restoration."""
    return {
        "key": key,
        "image": done.path,
        "reference": reference.path,
        "generator": maker.title,
        "distortion": one.name,
        "family": maker.family,
        "group": photo.key,
        "block": f"{photo.key}/{one.name}",
        "sha256": done.sha256,
        "task": maker.task,
        "recipe": one.recipe if done is source else f"{one.recipe} | {maker.spec}",
        "input": source.path,
        "licence": maker.licence,
    }


def sampled(key: str, maker: Maker, seed: int, label: int | None, recipe: str, done: Made) -> Row:
    """The line of a sample."""
    return {
        "key": key,
        "image": done.path,
        "generator": maker.title,
        "family": maker.family,
        "sha256": done.sha256,
        "recipe": recipe,
        "seed": str(seed),
        "label": "" if label is None else str(label),
        "licence": maker.licence,
        "reference": "",
    }


def real(references: Mapping[str, Made]) -> list[Row]:
    """Photographs as the real images of a set of samples."""
    return [
        {
            "key": f"reference/{key}", "image": made.path, "role": "reference", "sha256": made.sha256, "group": key,
            "reference": "",
        }
        for key, made in references.items()
    ]  # fmt: skip


def withdraw(out: Path) -> bool:
    """Take the tables away; whether there were any.

    They describe a sweep that was carried out. As soon as the folder is another's, or holds something else, a run must
    not score it by them. Images and what is known about them stay, and the next sweep finds them.
    """
    there = [path for path in (out / name for name in TABLES) if os.path.lexists(path)]
    for path in there:
        with explained(path):
            path.unlink(missing_ok=True)
    return bool(there)


def describes(out: Path, sweep: Generation) -> bool:
    """Whether the tables are those of this very sweep; so are none at all."""
    record = out / "generation.json"
    if not any(os.path.lexists(out / name) for name in TABLES):
        return True
    try:
        document = json.loads(record.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(document, dict) and document.get("sweep") == _asked(sweep)


def _asked(sweep: Generation) -> dict[str, Any]:
    """The sweep as the record holds it."""
    return json.loads(sweep.model_dump_json(by_alias=True, exclude={"base"}))


def write(
    sweep: Generation,
    chosen: Sequence[Degrade],
    makers: Sequence[Maker],
    rows: Sequence[Row],
    failed: Mapping[str, str],
    journal: Journal,
    argv: list[str],
) -> None:
    """items.csv, items.toml and generation.json; the same bytes where nothing has changed."""
    for path in [p for p in journal.entries if p not in journal.used]:
        # Images of an earlier sweep stay where they are; they are no part of this set.
        if not (journal.folder / path).is_file():
            del journal.entries[path]
    write_text(journal.folder / "items.csv", _table(rows))
    write_text(journal.folder / "items.toml", _settings(sweep, chosen, makers, failed))
    write_text(journal.folder / "generation.json", _record(sweep, chosen, makers, rows, failed, journal, argv))


def _table(rows: Sequence[Row]) -> str:
    text = io.StringIO()
    writer: csv.DictWriter[str] = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(sorted(rows, key=lambda row: row["key"]))
    return text.getvalue()


def _settings(sweep: Generation, chosen: Sequence[Degrade], makers: Sequence[Maker], failed: Mapping[str, str]) -> str:
    notes = ["Nobody has scored these images: generators are ranked by the metrics alone."]
    for maker in makers:
        told = [f"{slot} (sha256 {sha256[:12]}...)" for slot, sha256 in maker.weights.items()]
        told += [f"{name} {value[:12]}..." if len(value) == 64 else f"{name} {value}"
                 for name, value in maker.files.items()]  # fmt: skip
        text = f"{maker.title}: {'the degraded image as it is' if maker.spec == NONE else maker.spec}"
        text += f"; weights: {', '.join(told)}" if told else ""
        text += f"; licence: {maker.licence}" if maker.licence else ""
        notes.append(text + ".")
        if maker.info and maker.info.trained_on:
            notes.append(f"{maker.title} was trained on {', '.join(maker.info.trained_on)}.")
    licences = list(dict.fromkeys(maker.licence for maker in makers if maker.licence))
    lines = [
        f"name = {_text(sweep.out.resolve().name or 'generated')}",
        f"title = {_text(sweep.title or 'Images made by ganiq generate')}",
        f"license = {_text('photographs: yours to know; generators: ' + '; '.join(licences or ['none stated']))}",
        'source = "ganiq generate"',
        f"notes = [\n{''.join(f'  {_text(note)},{chr(10)}' for note in notes)}]",
        "",
    ]
    if failed:
        lines += ["[gaps]", *(f"{_text(key)} = {_text(reason)}" for key, reason in sorted(failed.items())), ""]
    for one in chosen:
        lines += ["[[classes]]", f"code = {_text(one.name)}", f"title = {_text(one.title)}", ""]
    return "\n".join(lines)


def _text(value: str) -> str:
    """A basic string of TOML: JSON's escapes are among TOML's, but for DEL and halves of surrogate pairs."""
    whole = value.encode("utf-8", "backslashreplace").decode()
    return json.dumps(whole, ensure_ascii=False).replace("\x7f", "\\u007f")


def _record(
    sweep: Generation,
    chosen: Sequence[Degrade],
    makers: Sequence[Maker],
    rows: Sequence[Row],
    failed: Mapping[str, str],
    journal: Journal,
    argv: list[str],
) -> str:
    from ... import __version__  # pyright: ignore[reportMissingImports]

    every: list[dict[str, Any]] = [
        {
            "name": maker.name,
            "title": maker.title,
            "kind": maker.info.kind if maker.info else "",
            "spec": maker.spec,
            "weights": dict(maker.weights),
            "files": dict(maker.files),
            "licence": maker.licence,
            "trained_on": list(maker.info.trained_on) if maker.info else [],
            "cite": maker.info.cite if maker.info else "",
            "degradations": [one.name for one in maker.degradations],
        }
        for maker in makers
    ]
    document = {
        "schema": 1,
        "ganiq": __version__,
        "packages": provenance.versions(),
        "codecs": provenance.codecs(),
        "machine": provenance.machine(),
        "argv": argv,
        "sweep": _asked(sweep),
        "degradations": [{"name": d.name, "recipe": d.recipe, "shrink": d.shrink} for d in chosen],
        "generators": every,
        "items": len(rows),
        "failed": dict(sorted(failed.items())),
        "made_with": dict(sorted(Counter(journal.entries[p].get("with", "") for p in journal.used
                                         if p in journal.entries).items())),
    }  # fmt: skip
    text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    return text.encode("utf-8", "backslashreplace").decode()
