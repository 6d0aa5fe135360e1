"""Taking one store into another, so that the order of merging does not matter.

Whatever two stores say about one thing, the outcome depends on the two statements alone and not on which
file they came from: a number stands before ``nonfinite``, that before a failure, a failure before
``skipped``; of two numbers the smaller stands. If two measurements differ beyond tolerance, both are kept in
the conflicts. Merging twice changes nothing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from ..errors import IntegrityError, ResourceError, UsageError
from ..spec import canonical
from . import database
from .results import TOLERANCE, differ, note_conflict
from .rows import Merged, Outcome

_RANK = "CASE {0}.status WHEN 'ok' THEN 0 WHEN 'nonfinite' THEN 1 WHEN 'failed' THEN 2 ELSE 3 END"
_NEW, _OLD = _RANK.format("excluded"), _RANK.format("{0}")


def _beats(table: str) -> str:
    """SQL: does the incoming row stand before the one that is there?"""
    old = _OLD.format(table)
    return (
        f"({_NEW} < {old} OR ({_NEW} = {old} AND CASE WHEN excluded.status = 'ok' "
        f"THEN excluded.value < {table}.value ELSE excluded.detail < {table}.detail END))"
    )


def merge(connection: sqlite3.Connection, path: Path, other: Path, tolerances: Mapping[str, float]) -> Merged:
    """Take everything of ``other`` into the store open at ``connection``, in one transaction.

    Args:
        connection: of the store that grows.
        path: its file, for messages.
        other: the file to read; not changed.
        tolerances: metric digest -> allowed difference where not the default.

    Returns:
        What was added, what was there, and how many conflicts the grown store records.

    Raises:
        UsageError: ``other`` is not there, is this very file, or has an older schema.
        IntegrityError: ``other`` is damaged, foreign or newer.
        ResourceError: another process wrote into ``other`` meanwhile.
    """
    _check(path, other)
    before = database.state(other)
    with _attached(connection, other, immutable=before is not None), database.transaction(connection, path):
        _number(connection)
        _catalogue(connection)
        _items(connection)
        added, equal = _scores(connection, tolerances)
        _sets(connection, tolerances)
        _conflicts(connection)
        conflicts = connection.execute("SELECT count(*) FROM conflict").fetchone()[0]
        if before is not None and database.state(other) != before:
            raise ResourceError(
                f"{other}: was written to while it was being merged; nothing was taken in; "
                "merge again when that run has finished",
                code="E-IO-BUSY",
            )
    return Merged(added, equal, conflicts)


def _check(path: Path, other: Path) -> None:
    if not other.is_file():
        raise UsageError(f"{other}: there is no such result store; name an existing one", code="E-CFG")
    if path.exists() and other.samefile(path):
        raise UsageError(f"{other}: cannot be merged into itself; name another store", code="E-CFG")
    newest = database.schema_version(database.migrations())
    version = database.examine(other, newest=newest, check=True)
    if version == 0:
        raise IntegrityError(f"{other}: is empty, not a result store; name another file", code="E-STORE-FOREIGN")
    if version < newest:
        raise UsageError(
            f"{other}: has an older schema ({version}, newest {newest}); open it once with this version, then merge",
            code="E-CFG",
        )


@contextmanager
def _attached(connection: sqlite3.Connection, other: Path, *, immutable: bool) -> Iterator[None]:
    how = "mode=ro&immutable=1" if immutable else "mode=ro"
    with database.translated(other):
        connection.execute("ATTACH ? AS other", (f"{other.absolute().as_uri()}?{how}",))
    try:
        yield
    finally:
        for name in ("image", "metric", "manifest", "run", "score"):
            connection.execute(f"DROP TABLE IF EXISTS temp.{name}_map")
        connection.execute("DETACH other")


def _number(connection: sqlite3.Connection) -> None:
    """Copy what the other rows refer to, and note which number it has here."""
    run = connection.execute
    run(
        "INSERT INTO image (sha256, bytes) SELECT sha256, bytes FROM other.image WHERE true ORDER BY id "
        "ON CONFLICT (sha256) DO UPDATE SET bytes = excluded.bytes WHERE bytes IS NULL"
    )
    for table in ("metric", "manifest"):
        run(
            f"INSERT INTO {table} (digest, name, document) SELECT digest, name, document FROM other.{table} "
            "WHERE true ORDER BY id ON CONFLICT (digest) DO NOTHING"
        )
        _map(connection, table, "digest")
    _map(connection, "image", "sha256")
    run("INSERT INTO temp.image_map VALUES (0, 0)")
    run(
        "INSERT INTO run (uuid, manifest, started, finished, status, document) "
        "SELECT r.uuid, m.here, r.started, r.finished, r.status, r.document "
        "FROM other.run r JOIN temp.manifest_map m ON m.there = r.manifest WHERE true ORDER BY r.id "
        "ON CONFLICT (uuid) DO UPDATE SET status = excluded.status, finished = excluded.finished "
        "WHERE status = 'running' AND excluded.status <> 'running'"
    )
    _map(connection, "run", "uuid")


def _map(connection: sqlite3.Connection, table: str, name: str) -> None:
    connection.execute(f"CREATE TEMP TABLE {table}_map (there INTEGER PRIMARY KEY, here INTEGER NOT NULL)")
    connection.execute(
        f"INSERT INTO temp.{table}_map SELECT b.id, a.id FROM other.{table} b JOIN main.{table} a USING ({name})"
    )


def _catalogue(connection: sqlite3.Connection) -> None:
    connection.execute(
        "INSERT INTO decoding (image, pixels_sha256, width, height, mode, notes) "
        "SELECT i.here, d.pixels_sha256, d.width, d.height, d.mode, d.notes "
        "FROM other.decoding d JOIN temp.image_map i ON i.there = d.image WHERE true "
        "ON CONFLICT (image, pixels_sha256) DO NOTHING"
    )


def _items(connection: sqlite3.Connection) -> None:
    """Items and refusals. An item that was accepted anywhere is accepted; its files must be the same."""
    links, refusals = (
        "SELECT m.digest, i.key, a.sha256, coalesce(b.sha256, ''), {run} FROM {0}.item i "
        "JOIN {0}.manifest m ON m.id = i.manifest JOIN {0}.image a ON a.id = i.image "
        "LEFT JOIN {0}.image b ON b.id = i.reference {join}",
        "SELECT m.digest, r.key, r.code, r.message, {run} FROM {0}.refusal r "
        "JOIN {0}.manifest m ON m.id = r.manifest {join}",
    )
    here = {"run": "{row}.run", "join": ""}
    there = {"run": "t.here", "join": "JOIN temp.run_map t ON t.there = {row}.run"}

    def read(query: str, schema: str, row: str, how: Mapping[str, str]) -> dict[tuple[str, str], tuple]:
        text = query.format(schema, **{name: part.format(row=row) for name, part in how.items()})
        return {(digest, key): tuple(rest) for digest, key, *rest in connection.execute(text)}

    linked, refused = read(links, "main", "i", here), read(refusals, "main", "r", here)
    manifests = dict(connection.execute("SELECT digest, id FROM manifest").fetchall())
    images = dict(connection.execute("SELECT sha256, id FROM image").fetchall()) | {"": 0}
    in_links, in_refusals = read(links, "other", "i", there), read(refusals, "other", "r", there)
    for what, new in in_links.items():
        old, accepted, was = linked.get(what), what not in in_refusals, what not in refused
        chosen = new if old is None else _choose(old, new, was=was, accepted=accepted)
        if old is not None and was and accepted and _other_files(old, new):
            first, second = sorted((old, new), key=lambda link: link is not chosen)
            note_conflict(connection, "item", "", "", "", canonical(what), _as_outcome(first), _as_outcome(second))
        if chosen != old:
            connection.execute(
                "INSERT INTO item (manifest, key, image, reference, run) VALUES (?,?,?,?,?) "
                "ON CONFLICT (manifest, key) DO UPDATE SET image = excluded.image, "
                "reference = excluded.reference, run = excluded.run",
                (manifests[what[0]], what[1], images[chosen[0]], images[chosen[1]], chosen[2]),
            )
        if accepted and not was:
            connection.execute("DELETE FROM refusal WHERE manifest = ? AND key = ?", (manifests[what[0]], what[1]))
    for what, new in in_refusals.items():
        old = refused.get(what)
        if (old is None and what in linked) or (old is not None and old[:2] <= new[:2]):
            continue  # accepted here, or refused here for what comes first in the alphabet
        connection.execute(
            "INSERT INTO refusal (manifest, key, code, message, run) VALUES (?,?,?,?,?) "
            "ON CONFLICT (manifest, key) DO UPDATE SET code = excluded.code, message = excluded.message, "
            "run = excluded.run",
            (manifests[what[0]], what[1], *new),
        )


def _choose(old: tuple, new: tuple, *, was: bool, accepted: bool) -> tuple:
    """Of two (image, reference, run): the accepted one; else the fuller; else the first in the alphabet."""
    if was != accepted:
        return new if accepted else old
    if old[0] == new[0] and "" in (old[1], new[1]):
        return new if old[1] == "" and new[1] else old
    return new if new[:2] < old[:2] else old


def _other_files(old: tuple, new: tuple) -> bool:
    return old[0] != new[0] or (old[1] != new[1] and bool(old[1]) and bool(new[1]))


def _as_outcome(link: tuple) -> Outcome:
    return Outcome(None, "ok", f"{link[0]} {link[1]}".strip(), link[2])


def _scores(connection: sqlite3.Connection, tolerances: Mapping[str, float]) -> tuple[int, int]:
    run = connection.execute
    # Numbers translated once; everything after is by primary key.
    run(
        "CREATE TEMP TABLE score_map AS SELECT i.here AS image, r.here AS reference, t.here AS metric, s.value, "
        "s.status, s.detail, u.here AS run, s.seconds FROM other.score s "
        "CROSS JOIN temp.image_map i ON i.there = s.image CROSS JOIN temp.image_map r ON r.there = s.reference "
        "CROSS JOIN temp.metric_map t ON t.there = s.metric CROSS JOIN temp.run_map u ON u.there = s.run"
    )
    both = (
        "FROM temp.score_map s CROSS JOIN main.score o "
        "ON o.image = s.image AND o.reference = s.reference AND o.metric = s.metric"
    )
    differing = run(
        "SELECT a.sha256, coalesce(b.sha256, ''), t.digest, o.value, o.status, o.detail, o.run, "
        f"s.value, s.status, s.detail, s.run {both} JOIN image a ON a.id = s.image "
        "LEFT JOIN image b ON b.id = s.reference JOIN metric t ON t.id = s.metric "
        "WHERE (o.value IS NOT s.value OR o.status <> s.status OR o.detail <> s.detail) "
        "AND o.status IN ('ok', 'nonfinite') AND s.status IN ('ok', 'nonfinite')"
    ).fetchall()
    for image, reference, metric, *rest in differing:
        _note(connection, "score", (image, reference, metric, ""), rest, tolerances.get(metric, TOLERANCE))
    total, common = (
        run("SELECT count(*) FROM temp.score_map").fetchone()[0],
        run(f"SELECT count(*) {both}").fetchone()[0],
    )
    better = run(f"SELECT count(*) {both} WHERE {_RANK.format('s')} < {_RANK.format('o')}").fetchone()[0]
    run(
        "INSERT INTO score (image, reference, metric, value, status, detail, run, seconds) "
        "SELECT image, reference, metric, value, status, detail, run, seconds FROM temp.score_map WHERE true "
        "ON CONFLICT (image, reference, metric) DO UPDATE SET value = excluded.value, status = excluded.status, "
        f"detail = excluded.detail, run = excluded.run, seconds = excluded.seconds WHERE {_beats('score')}"
    )
    return total - common + better, common - better


def _sets(connection: sqlite3.Connection, tolerances: Mapping[str, float]) -> None:
    run = connection.execute
    incoming = (
        "SELECT m.here AS manifest, s.generator, t.here AS metric, s.subset, s.replicate, s.features, s.n, s.value, "
        "s.status, s.detail, u.here AS run FROM other.set_score s JOIN temp.manifest_map m ON m.there = s.manifest "
        "JOIN temp.metric_map t ON t.there = s.metric JOIN temp.run_map u ON u.there = s.run"
    )
    differing = run(
        "SELECT a.digest, s.generator, s.subset, s.replicate, t.digest, o.value, o.status, o.detail, o.run, "
        f"s.value, s.status, s.detail, s.run FROM ({incoming}) s JOIN set_score o "
        "USING (manifest, generator, metric, subset, replicate, features) JOIN manifest a ON a.id = s.manifest "
        "JOIN metric t ON t.id = s.metric"
    ).fetchall()
    for manifest, generator, subset, replicate, metric, *rest in differing:
        subject = canonical([manifest, generator, subset, replicate])
        _note(connection, "set", ("", "", metric, subject), rest, tolerances.get(metric, TOLERANCE))
    # Values from different images cannot be compared: which one stands is settled by the name of the features.
    rank, old = _RANK.format("excluded"), _RANK.format("set_score")
    run(
        f"INSERT INTO set_score (manifest, generator, metric, subset, replicate, features, n, value, status, detail, "
        f"run) SELECT * FROM ({incoming}) WHERE true "
        "ON CONFLICT (manifest, generator, metric, subset, replicate) DO UPDATE SET features = excluded.features, "
        "n = excluded.n, value = excluded.value, status = excluded.status, detail = excluded.detail, "
        f"run = excluded.run WHERE CASE WHEN excluded.features = set_score.features THEN {_beats('set_score')} "
        f"WHEN {rank} <> {old} THEN {rank} < {old} ELSE excluded.features < set_score.features END"
    )


def _note(
    connection: sqlite3.Connection, kind: str, what: tuple[str, str, str, str], rest: list, tolerance: float
) -> None:
    old, new = Outcome(*rest[:4]), Outcome(*rest[4:])
    if differ(old, new, tolerance):
        note_conflict(connection, kind, *what, *sorted((old, new), key=_order))


def _order(outcome: Outcome) -> tuple:
    return outcome.status != "ok", outcome.value or 0.0, outcome.detail


def _conflicts(connection: sqlite3.Connection) -> None:
    """Those that the other store had noted itself."""
    rows = connection.execute(
        "SELECT c.kind, c.image, c.reference, c.metric, c.subject, c.first_value, c.first_status, c.first_detail, "
        "a.here, c.second_value, c.second_status, c.second_detail, b.here FROM other.conflict c "
        "JOIN temp.run_map a ON a.there = c.first_run JOIN temp.run_map b ON b.there = c.second_run ORDER BY c.sequence"
    ).fetchall()
    for kind, image, reference, metric, subject, *rest in rows:
        first, second = Outcome(*rest[:4]), Outcome(*rest[4:])
        note_conflict(connection, kind, image, reference, metric, subject, first, second)
