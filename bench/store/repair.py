"""Saving what is readable of a damaged store."""

from __future__ import annotations

import os
import secrets
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

from ..atomic import explained, sync_folder
from ..errors import GaniqError, IntegrityError, UsageError
from . import database
from .rows import Repaired

_SIDES = ("", "-wal", "-shm", "-journal")
_REFERRING = ("item", "score")
_ORPHAN = "reference <> 0 AND reference NOT IN (SELECT id FROM image)"
"""A reference that is gone: 0 stands for none, so that no foreign key can say this."""


def repair(path: Path) -> Repaired:
    """Copy a damaged store aside, and put in its place a sound one with the rows that could be read.

    Rows that contradict the schema, or refer to something that is gone, are left out: the next run measures
    them again. A file that SQLite cannot open at all gives an empty store. A sound store stays as it is.

    Raises:
        UsageError: there is no such file, or it cannot be written.
        IntegrityError: a sound database that is newer or of another program: nothing to repair.
        ResourceError: disk full; the file is untouched.
    """
    if not path.is_file():
        raise UsageError(f"{path}: there is no such result store; name an existing one", code="E-CFG")
    database.preflight(path)
    _refuse_others(path)
    if (scores := _sound(path)) is not None:
        return Repaired("", scores)
    with explained(path):
        number = 1
        while (aside := path.with_name(f"{path.name}.damaged-{number}")).exists():
            number += 1
        for side in _SIDES:
            if Path(f"{path}{side}").exists():
                shutil.copy2(f"{path}{side}", f"{aside}{side}")
    fresh = path.with_name(f".ganiq-{secrets.token_hex(8)}.tmp")
    try:
        with database.translated(fresh), closing(database.connect(fresh)) as new:
            scores = _salvage(aside, new)
            new.execute("PRAGMA journal_mode = DELETE")  # one file, to be moved as one
        with explained(path):
            for side in _SIDES[1:]:
                Path(f"{path}{side}").unlink(missing_ok=True)
            os.replace(fresh, path)
            sync_folder(path.parent)
    finally:
        for side in _SIDES:
            with suppress(OSError):
                Path(f"{fresh}{side}").unlink(missing_ok=True)
    return Repaired(aside.name, scores)


def _refuse_others(path: Path) -> None:
    try:
        with closing(database.read_only(path, immutable=database.state(path) is not None)) as connection:
            application = connection.execute("PRAGMA application_id").fetchone()[0]
            newest = database.schema_version(database.migrations())
            if application == database.APPLICATION:
                if connection.execute("PRAGMA user_version").fetchone()[0] <= newest:
                    return
                raise IntegrityError(
                    f"{path}: was made by a newer version of ganiq; upgrade, then repair", code="E-STORE-NEWER"
                )
            if connection.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok":
                raise IntegrityError(
                    f"{path}: is a database of another program; name the result store", code="E-STORE-FOREIGN"
                )
    except sqlite3.Error:
        return  # too damaged to tell: it is copied aside, so nothing is lost


def _sound(path: Path) -> int | None:
    """How many scores a store holds that has nothing to repair; None for any other file."""
    try:
        if not database.examine(path, newest=database.schema_version(database.migrations()), check=True):
            return None  # an empty file
        with closing(database.read_only(path, immutable=database.state(path) is not None)) as connection:
            if connection.execute("PRAGMA integrity_check(1)").fetchone()[0] != "ok":
                return None
            if connection.execute("PRAGMA foreign_key_check").fetchone() is not None:
                return None
            for table in _REFERRING:
                if connection.execute(f"SELECT 1 FROM {table} WHERE {_ORPHAN} LIMIT 1").fetchone() is not None:
                    return None
            return connection.execute("SELECT count(*) FROM score").fetchone()[0]
    except (GaniqError, sqlite3.Error):
        return None


def _salvage(aside: Path, new: sqlite3.Connection) -> int:
    # Only a writer can roll back a journal that a crash has left; else the copy stays as it is.
    if Path(f"{aside}-journal").exists():
        reading = sqlite3.connect(aside, isolation_level=None)
    else:
        reading = database.read_only(aside, immutable=database.state(aside) is not None)
    with closing(reading) as old, database.transaction(new, aside):
        for table in database.TABLES:
            columns = [row[1] for row in new.execute(f"PRAGMA table_info({table})")]
            marks = ",".join("?" * len(columns))
            for row in _rows(old, table, columns):
                with suppress(sqlite3.IntegrityError, OverflowError):
                    new.execute(f"INSERT INTO {table} ({','.join(columns)}) VALUES ({marks})", row)
        for table in _REFERRING:
            new.execute(f"DELETE FROM {table} WHERE {_ORPHAN}")
        return new.execute("SELECT count(*) FROM score").fetchone()[0]


def _rows(old: sqlite3.Connection, table: str, columns: list[str]) -> Iterator[tuple]:
    """All rows that can be reached from the front, then all that can be reached from the back."""
    order = {"decoding": "image, pixels_sha256", "item": "manifest, key", "refusal": "manifest, key"}.get(table)
    if table == "score":
        order = "image, reference, metric"
    elif table == "set_score":
        order = "manifest, generator, metric, subset, replicate"
    elif order is None:
        order = "rowid"
    descending = ", ".join(f"{name.strip()} DESC" for name in order.split(","))
    old.text_factory = lambda data: data.decode("utf-8", "strict")
    for direction in (order, descending):
        try:
            yield from old.execute(f"SELECT {','.join(columns)} FROM {table} ORDER BY {direction}")
        except (sqlite3.Error, UnicodeDecodeError):
            continue
        return
