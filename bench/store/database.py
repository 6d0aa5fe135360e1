"""Opening the SQLite file: is it ours, is it whole, and how is it written safely on this file system?"""

from __future__ import annotations

import errno
import os
import re
import secrets
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from importlib.resources import files
from pathlib import Path

from ..atomic import explained
from ..errors import GaniqError, IntegrityError, ResourceError, UsageError

APPLICATION = int.from_bytes(b"GNIQ", "big")
OLDEST_SQLITE = (3, 37, 0)
_PACKAGE = __name__.rpartition(".")[0]
PATIENCE = 30.0
"""Seconds to wait for another process to finish its transaction."""

# On these WAL is not safe: its shared memory does not reach the other machine.
NETWORK = frozenset(
    {
        "9p",
        "afs",
        "beegfs",
        "ceph",
        "cifs",
        "coda",
        "fhgfs",
        "fuse.ceph",
        "fuse.glusterfs",
        "fuse.s3fs",
        "fuse.sshfs",
        "gfs",
        "gfs2",
        "glusterfs",
        "gpfs",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs4",
        "ocfs2",
        "orangefs",
        "panfs",
        "pvfs2",
        "smb3",
        "smbfs",
        "virtiofs",
    }
)
TABLES = ("image", "decoding", "manifest", "metric", "run", "item", "refusal", "score", "set_score", "conflict")
"""In an order in which every row finds what it refers to."""


def statements(script: str) -> Iterator[str]:
    """The statements of an SQL script, one by one (``executescript`` would commit on its own)."""
    pending = ""
    for line in script.splitlines():
        pending += line + "\n"
        if sqlite3.complete_statement(pending):
            yield pending
            pending = ""


def migrations() -> Mapping[int, str]:
    """Schema number -> script that leads to it from the one before."""
    found = {}
    for entry in files(_PACKAGE).iterdir():
        match = re.fullmatch(r"(\d{4})_\w+\.sql", entry.name)
        if match:
            found[int(match[1])] = entry.read_text(encoding="utf-8")
    return dict(sorted(found.items()))


def schema_version(steps: Mapping[int, str]) -> int:
    """The number of the newest schema: 1 is the script itself, each migration adds one."""
    return max(steps, default=1)


def filesystem(path: Path, mounts: str) -> str:
    """Type of the file system that holds ``path``, from the text of ``/proc/mounts``; "" if unknown."""
    target = os.path.realpath(path)
    best, kind = -1, ""
    for line in mounts.splitlines():
        fields = line.split()
        if len(fields) < 3:
            continue
        point = re.sub(r"\\([0-7]{3})", lambda m: chr(int(m[1], 8)), fields[1])
        inside = target == point or target.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= best:  # the later of two mounts on one point hides the earlier
            best, kind = len(point), fields[2]
    return kind


def is_network(path: Path) -> bool:
    """Whether ``path`` is known to lie on a network file system."""
    try:
        mounts = Path("/proc/mounts").read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return False  # no such list on this system: SQLite's own checks must do
    return filesystem(path, mounts) in NETWORK


def explain(error: sqlite3.Error, path: Path) -> GaniqError | None:
    """The error to show for one of SQLite's, or None for a mistake of ours that must not be dressed up."""
    extended = getattr(error, "sqlite_errorcode", None) or 0
    primary = extended & 0xFF
    if primary in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB) or extended == sqlite3.SQLITE_IOERR_SHORT_READ:
        return IntegrityError(f"{path}: the result store is damaged ({error}); {_advice()}", code="E-STORE-CORRUPT")
    if primary in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
        return ResourceError(
            f"{path}: the disk is full or cannot be written ({error}); what was recorded before is kept; "
            "free space and run the same command again",
            code="E-IO-FULL",
        )
    if primary == sqlite3.SQLITE_NOMEM:
        return ResourceError(f"{path}: out of memory in the result store; run again with more", code="E-OOM")
    if primary in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return ResourceError(
            f"{path}: another process has kept the result store locked for {PATIENCE:.0f} seconds; "
            "let it finish or stop it, then run the same command again",
            code="E-IO-BUSY",
        )
    if primary in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
        return UsageError(
            f"{path}: the result store cannot be written ({error}); choose another place or change its permissions",
            code="E-IO-DENIED",
        )
    return None


def _advice() -> str:
    return "it was not changed; restore a copy, or repair it (that keeps the damaged file and saves what is readable)"


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """SQLite's errors as the suite's."""
    try:
        yield
    except sqlite3.Error as error:
        shown = explain(error, path)
        if shown is None:
            raise
        raise shown from error


@contextmanager
def transaction(connection: sqlite3.Connection, path: Path) -> Iterator[sqlite3.Connection]:
    """All or nothing; takes the write lock at once, so that it cannot fail half-way for want of it."""
    with translated(path):
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:  # SQLite has already rolled back after some errors
                connection.execute("ROLLBACK")
            raise


def require_sqlite(version: tuple[int, ...] = sqlite3.sqlite_version_info) -> None:
    """Refuse an SQLite that lacks ``STRICT`` tables.

    Raises:
        UsageError: older than 3.37.
    """
    if version < OLDEST_SQLITE:
        raise UsageError(
            f"this Python comes with SQLite {'.'.join(map(str, version))}, and the result store needs 3.37 or newer; "
            "use a newer Python",
            code="E-CFG",
        )


def preflight(path: Path) -> None:
    """Make sure that ``path`` can be written before anything is computed; creates its folder.

    Raises:
        UsageError: no permission, read-only, or not a regular file.
        ResourceError: no space for even a small file.
    """
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and not path.is_file():
            raise UsageError(f"{path}: is not a regular file; name a file for the result store", code="E-CFG")
        # The journal lies beside the store, so the folder must be writable too; only trying tells.
        probe = path.parent / f".ganiq-{secrets.token_hex(8)}.tmp"
        descriptor = os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.write(descriptor, b"x")
        finally:
            os.close(descriptor)
            os.unlink(probe)
        # Not by opening: closing the file would drop the locks of another connection of this process.
        effective = os.access in os.supports_effective_ids
        if path.exists() and not os.access(path, os.R_OK | os.W_OK, effective_ids=effective):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def read_only(path: Path, *, immutable: bool = False) -> sqlite3.Connection:
    """A connection that cannot change the file.

    ``immutable``: take no locks and leave no trace beside the file either (else SQLite puts two files of its
    own there, if the store was closed cleanly). For a file that nobody writes to, see ``is_quiet``.
    """
    uri = f"{path.absolute().as_uri()}?mode=ro{'&immutable=1' if immutable else ''}"
    connection = sqlite3.connect(uri, uri=True, timeout=PATIENCE, isolation_level=None)
    connection.execute(f"PRAGMA busy_timeout = {PATIENCE * 1000:.0f}")
    return connection


def state(path: Path) -> tuple[int, ...] | None:
    """Something that changes when the file does; None while a log or journal lies beside it."""
    if any(Path(f"{path}{side}").exists() for side in ("-wal", "-journal")):
        return None
    facts = path.stat()
    return facts.st_ino, facts.st_size, facts.st_mtime_ns


def examine(path: Path, *, newest: int, check: bool) -> int:
    """``inspect`` a file without leaving a trace of it, if that can be done.

    Raises:
        IntegrityError: not a store of ours, made by a newer version, or damaged.
    """
    before = state(path)
    if before is not None:
        try:
            with translated(path), closing(read_only(path, immutable=True)) as connection:
                return inspect(connection, path, newest=newest, check=check)
        except GaniqError:
            if state(path) == before:
                raise
            # Somebody was writing meanwhile, so what was seen may be neither the old nor the new file.
    with translated(path), closing(read_only(path)) as connection:
        return inspect(connection, path, newest=newest, check=check)


def is_new(connection: sqlite3.Connection) -> bool:
    """Whether nobody has put anything into the database yet."""
    numbers = [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")]
    return not any(numbers) and connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0] == 0


def inspect(connection: sqlite3.Connection, path: Path, *, newest: int, check: bool) -> int:
    """Schema number of a store; 0 for an empty file.

    Raises:
        IntegrityError: not a store of ours, made by a newer version, or damaged.
    """
    with translated(path):
        if is_new(connection):
            return 0
        if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION:
            raise IntegrityError(
                f"{path}: is a database of another program, not a result store; it was not changed; name another file",
                code="E-STORE-FOREIGN",
            )
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > newest:
            raise IntegrityError(
                f"{path}: was made by a newer version of ganiq (schema {version}, this one knows {newest}); "
                "it was not changed; upgrade ganiq",
                code="E-STORE-NEWER",
            )
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
        if version < 1 or not tables >= set(TABLES):
            lacking = ", ".join(sorted(set(TABLES) - tables)) or "its schema number"
            raise IntegrityError(f"{path}: the result store lacks {lacking}; {_advice()}", code="E-STORE-CORRUPT")
        if check:
            verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            if verdict != "ok":
                first = verdict.strip().splitlines()[-1]
                raise IntegrityError(
                    f"{path}: the result store is damaged ({first}){_readable(connection)}; {_advice()}",
                    code="E-STORE-CORRUPT",
                )
        return version


def _readable(connection: sqlite3.Connection) -> str:
    """How many scores a damaged file still gives, for the message."""
    count = 0
    try:
        for _ in connection.execute("SELECT status FROM score"):
            count += 1
    except sqlite3.Error:
        pass
    return f"; at least {count} scores are readable"


def migrate(connection: sqlite3.Connection, path: Path, steps: Mapping[int, str]) -> None:
    """Bring an older schema to the newest, each step in a transaction of its own."""
    for number, script in sorted(steps.items()):
        with transaction(connection, path):
            if connection.execute("PRAGMA user_version").fetchone()[0] >= number:
                continue  # another process was faster
            for statement in statements(script):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {number:d}")


def create(connection: sqlite3.Connection, path: Path) -> None:
    """Put the schema into an empty database, unless another process has just done so."""
    script = files(_PACKAGE).joinpath("schema.sql").read_text(encoding="utf-8")
    with transaction(connection, path):
        if is_new(connection):
            for statement in statements(script):
                connection.execute(statement)


def _journal(connection: sqlite3.Connection, wanted: str) -> str:
    """Switch the journal, waiting for others: SQLite does not always do so itself for this statement."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return connection.execute(f"PRAGMA journal_mode = {wanted}").fetchone()[0]
        except sqlite3.OperationalError as error:
            busy = (getattr(error, "sqlite_errorcode", 0) & 0xFF) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
            if not busy or time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def connect(path: Path, *, durable: bool = False, check: bool = True) -> sqlite3.Connection:
    """Open a store for reading and writing; create it if there is none.

    A file that is not a sound store of ours is looked at through a read-only connection and left as it is.

    Args:
        path: the file. Its folder is created.
        durable: sync at every commit, so that a power cut cannot take back the last ones.
        check: look for damage first (reads the whole file).

    Raises:
        UsageError: SQLite too old, or the place cannot be written.
        IntegrityError: foreign, newer or damaged file.
        ResourceError: disk full.
    """
    require_sqlite()
    preflight(path)
    steps = migrations()
    newest = schema_version(steps)
    if path.exists() and path.stat().st_size:
        try:
            examine(path, newest=newest, check=check)
        except UsageError as error:
            # An interrupted run on a rollback journal: only a writer can roll it back.
            if not isinstance(error.__cause__, sqlite3.Error) or not _has_journal(path):
                raise
    with translated(path):
        # As an address, so that another store can be attached read-only.
        connection = sqlite3.connect(path.absolute().as_uri(), uri=True, timeout=PATIENCE, isolation_level=None)
        try:
            connection.execute(f"PRAGMA busy_timeout = {PATIENCE * 1000:.0f}")
            connection.execute("PRAGMA foreign_keys = ON")
            # Schema first: its numbers then stand in the file itself and not only in a log beside it.
            if is_new(connection):
                create(connection, path)
            inspect(connection, path, newest=newest, check=check and _has_journal(path))
            if _journal(connection, "DELETE" if is_network(path) else "WAL") != "wal":
                _journal(connection, "DELETE")
            connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            migrate(connection, path, steps)
        except BaseException:
            connection.close()
            raise
    return connection


def _has_journal(path: Path) -> bool:
    return Path(f"{path}-journal").exists()
