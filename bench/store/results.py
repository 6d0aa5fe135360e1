"""The store itself: begin a run, record what was measured, ask what is there."""

from __future__ import annotations

import json
import math
import sqlite3
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from ..spec import canonical
from ..types import ItemResult, Picture, Score
from . import database
from .rows import Conflict, Merged, Outcome, Repaired, Row, Run, SetRow, Settled

Document = Mapping[str, Any]
"""Plain JSON."""

TOLERANCE = 1e-6
"""Two measurements of one thing may differ by this much, relative plus absolute, unless a metric says more."""

_INSERT_SCORE = (
    "INSERT INTO score (image, reference, metric, value, status, detail, run, seconds) VALUES (?,?,?,?,?,?,?,?) "
    "ON CONFLICT (image, reference, metric) DO NOTHING"
)
_UPDATE_SCORE = (
    "UPDATE score SET value = ?, status = ?, detail = ?, run = ?, seconds = ? "
    "WHERE image = ? AND reference = ? AND metric = ? AND status <> 'ok'"
)
_MEASURED = ("ok", "nonfinite")


def close(a: float, b: float, tolerance: float = TOLERANCE) -> bool:
    """Whether two values count as the same measurement."""
    return abs(a - b) <= tolerance * (1 + max(abs(a), abs(b)))


def outcome(value: float | None, status: str, detail: str) -> tuple[float | None, str, str]:
    """The form in which an outcome is stored: a finite number, or a status whose detail begins with a code.

    A metric's NaN or infinity is ``nonfinite``: the database would turn NaN into NULL, and JSON has neither.
    """
    if status == "ok":
        if value is None:
            return None, "failed", "E-METRIC-ERROR the metric gave no value"
        value = float(value)
        if math.isfinite(value):
            return value, "ok", detail
        status = "nonfinite"
        code = "E-VAL-NAN" if math.isnan(value) else "E-VAL-INF" if value > 0 else "E-VAL-NINF"
        return None, status, detail if detail.startswith("E-") else f"{code} {detail}".strip()
    if not detail.startswith("E-"):
        fallback = {"nonfinite": "E-VAL-NAN", "skipped": "E-SKIP-RULE"}.get(status, "E-METRIC-ERROR")
        detail = f"{fallback} {detail}".strip()
    return None, status, detail


def refusal_detail(code: str, message: str) -> str:
    """A refusal as the detail of every metric of the item: begins with the code, once."""
    return message if message.startswith(code) else f"{code} {message}".strip()


class Store:
    """One result file. Only one thread of one process may use an instance; files may be shared.

    Every method raises ``ResourceError`` when the disk is full or another process keeps the file locked for
    half a minute, and ``IntegrityError`` when the file turns out to be damaged; what was recorded by calls
    that returned is kept.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection: sqlite3.Connection | None = connection
        self._images: dict[str, int] = {}
        self._metrics: dict[str, int] = {}
        self._manifests: dict[str, int] = {}
        self._decoded: set[tuple[str, str]] = set()
        self._running: set[int] = set()

    @classmethod
    def open(cls, path: Path | str, *, durable: bool = False, check: bool = True) -> Store:
        """Open a store, or create it.

        Args:
            path: the file; its folder is created if need be.
            durable: also survive a power cut without losing the last commits (slower). A killed process
                loses nothing either way, and neither way does a power cut damage the file.
            check: look for damage first; reads the whole file (a second for some million scores).

        Raises:
            UsageError: the place cannot be written, or Python's SQLite is older than 3.37.
            IntegrityError: damaged, made by a newer version, or not a result store; the file is untouched.
            ResourceError: disk full.
        """
        path = Path(path)
        return cls(path, database.connect(path, durable=durable, check=check))

    def close(self) -> None:
        """Close the file. Runs begun here and not finished are marked ``interrupted``."""
        if self._connection is None:
            return
        try:
            for run in sorted(self._running):
                self.finish(run, "interrupted")
        finally:
            connection, self._connection = self._connection, None
            connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.close()
        except Exception:
            if error is None:  # else the first error is the one to show
                raise

    # --- writing -----------------------------------------------------------------------------------------

    def begin(
        self,
        manifest_document: Mapping[str, Any],
        metrics: Mapping[str, Document],
        document: Mapping[str, Any],
    ) -> int:
        """Start a run: register its manifest and metrics, and note who asks.

        Args:
            manifest_document: JSON document with at least ``digest`` and ``name``.
            metrics: digest -> identity document of each metric (its ``name`` is kept for listings).
            document: provenance of the run: arguments, versions, machine ...

        Returns:
            The run's number in this file.
        """
        with self._write() as connection:
            manifest = self._register_manifest(connection, manifest_document)
            self._register_metrics(connection, metrics)
            run = connection.execute(
                "INSERT INTO run (uuid, manifest, started, status, document) VALUES (?, ?, ?, 'running', ?)",
                (str(uuid.uuid4()), manifest, _now(), canonical(document)),
            ).lastrowid
        assert run is not None
        self._running.add(run)
        return run

    def register(self, metrics: Mapping[str, Document]) -> None:
        """Make more metrics known, as ``begin`` does."""
        with self._write() as connection:
            self._register_metrics(connection, metrics)

    def finish(self, run: int, status: Literal["done", "failed", "interrupted"]) -> None:
        """Note how a run ended."""
        with self._write() as connection:
            connection.execute("UPDATE run SET status = ?, finished = ? WHERE id = ?", (status, _now(), run))
        self._running.discard(run)

    def record(
        self,
        run: int,
        manifest_digest: str,
        results: Sequence[ItemResult],
        *,
        tolerances: Mapping[str, float] | None = None,
    ) -> int:
        """Write results in one transaction: all of them or none.

        A score that is not ``ok`` is replaced by the new outcome, except that a failure does not replace a
        ``nonfinite`` measurement. A score that is ``ok`` stays: an equal second value is ignored, a different
        one goes to the conflicts. An item without a refusal loses the refusal it had.

        Args:
            run: number given by ``begin``.
            manifest_digest: of the manifest whose items these are.
            results: any number of items.
            tolerances: metric digest -> allowed difference (relative plus absolute) where not ``TOLERANCE``.

        Returns:
            How many outcomes differ from the stored ones (``E-NONDET``).

        Raises:
            KeyError: manifest or metric that ``begin`` was not told of.
        """
        conflicts = 0
        with self._write() as connection:
            manifest = self._manifest(connection, manifest_digest)
            scores: list[tuple[Any, ...]] = []
            digests: list[Score] = []
            for result in results:
                image = self._picture(connection, result.image)
                reference = self._picture(connection, result.reference)
                for score in result.scores:
                    pictured = self._image(connection, score.image)
                    against = self._image(connection, score.reference) if score.reference else 0
                    metric = self._metric(connection, score.metric)
                    value, status, detail = outcome(score.value, score.status, score.detail)
                    scores.append((pictured, against, metric, value, status, detail, run, score.seconds))
                    digests.append(score)
                    image, reference = image or pictured, reference or against
                if image:
                    self._link(connection, run, manifest, result.key, image, reference)
                if result.refusal is not None:
                    connection.execute(
                        "INSERT INTO refusal (manifest, key, code, message, run) VALUES (?,?,?,?,?) "
                        "ON CONFLICT (manifest, key) DO UPDATE SET code = excluded.code, "
                        "message = excluded.message, run = excluded.run",
                        (manifest, result.key, *result.refusal, run),
                    )
                else:
                    connection.execute("DELETE FROM refusal WHERE manifest = ? AND key = ?", (manifest, result.key))
            before = connection.total_changes
            connection.executemany(_INSERT_SCORE, scores)
            if connection.total_changes - before < len(scores):
                for row, score in zip(scores, digests, strict=True):
                    limit = (tolerances or {}).get(score.metric, TOLERANCE)
                    conflicts += self._meet(connection, row, score, limit)
        return conflicts

    def link(self, run: int, manifest_digest: str, links: Iterable[tuple[str, str, str]]) -> None:
        """Note which files items are, without scores: ``(key, image sha256, reference sha256 or "")``.

        For items whose scores are in the store already, from another manifest that shares the files.
        Like a result without a refusal, it removes the refusal an item had.
        """
        with self._write() as connection:
            manifest = self._manifest(connection, manifest_digest)
            for key, image, reference in links:
                against = self._image(connection, reference) if reference else 0
                self._link(connection, run, manifest, key, self._image(connection, image), against)
                connection.execute("DELETE FROM refusal WHERE manifest = ? AND key = ?", (manifest, key))

    def record_set(
        self,
        run: int,
        manifest_digest: str,
        generator: str,
        metric_digest: str,
        *,
        n: int,
        value: float | None,
        status: str = "ok",
        detail: str = "",
        subset: str = "",
        replicate: int = 0,
        features: str = "",
        tolerance: float = TOLERANCE,
    ) -> int:
        """Write one outcome of a set metric (a transaction of its own; see ``record_sets`` for many).

        Args:
            run: number given by ``begin``.
            manifest_digest: the set of images.
            generator: whose images of the manifest.
            metric_digest: which metric.
            n: images used.
            value: the number, where there is one.
            status: as for a score.
            detail: begins with a code unless ``ok``.
            subset: name of a part of the images, where not all were used.
            replicate: 0 for the value, 1... for resamples.
            features: identity of what it was computed from (say, a digest of the images' sha256). The same
                key with other features is a new measurement and replaces the old one.
            tolerance: allowed difference to a stored value of the same features.

        Returns:
            1 if it differs from the stored one (``E-NONDET``), else 0.
        """
        row = SetRow(generator, metric_digest, subset, replicate, n, value, status, detail, features)  # type: ignore[arg-type]
        return self.record_sets(run, manifest_digest, [row], tolerance=tolerance)

    def record_sets(
        self, run: int, manifest_digest: str, rows: Iterable[SetRow], *, tolerance: float = TOLERANCE
    ) -> int:
        """Write many outcomes of set metrics in one transaction; see ``record_set``."""
        conflicts = 0
        with self._write() as connection:
            manifest = self._manifest(connection, manifest_digest)
            for row in rows:
                key = (manifest, row.generator, self._metric(connection, row.metric), row.subset, row.replicate)
                value, status, detail = outcome(row.value, row.status, row.detail)
                stored = connection.execute(
                    "SELECT value, status, detail, run, features FROM set_score WHERE manifest = ? "
                    "AND generator = ? AND metric = ? AND subset = ? AND replicate = ?",
                    key,
                ).fetchone()
                new = Outcome(value, status, detail, run)
                if stored is not None and stored[4] == row.features:
                    old = Outcome(*stored[:4])
                    if differ(old, new, tolerance):
                        subject = canonical([manifest_digest, row.generator, row.subset, row.replicate])
                        first, second = (new, old) if stands(new, old) else (old, new)
                        note_conflict(connection, "set", "", "", row.metric, subject, first, second)
                        conflicts += 1
                    if not stands(new, old):
                        continue
                connection.execute(
                    "INSERT INTO set_score (manifest, generator, metric, subset, replicate, features, n, value, "
                    "status, detail, run) VALUES (?,?,?,?,?,?,?,?,?,?,?) "
                    "ON CONFLICT (manifest, generator, metric, subset, replicate) DO UPDATE SET "
                    "features = excluded.features, n = excluded.n, value = excluded.value, "
                    "status = excluded.status, detail = excluded.detail, run = excluded.run",
                    (*key, row.features, row.n, value, status, detail, run),
                )
        return conflicts

    # --- asking ------------------------------------------------------------------------------------------

    def settled(self, manifest_digest: str, metric_digests: Sequence[str]) -> Settled:
        """What need not be measured again. Ask once per run: it reads all scores of these metrics."""
        with self._read() as connection:
            links = {
                key: (image, reference or "")
                for key, image, reference in connection.execute(
                    "SELECT i.key, a.sha256, b.sha256 FROM manifest m JOIN item i ON i.manifest = m.id "
                    "JOIN image a ON a.id = i.image LEFT JOIN image b ON b.id = i.reference WHERE m.digest = ?",
                    (manifest_digest,),
                )
            }
            known = self._known_metrics(connection, metric_digests)
            bits = {number: 1 << list(metric_digests).index(digest) for number, digest in known.items()}
            done: dict[tuple[str, str], int] = {}
            if known:
                names = {0: ""} | dict(connection.execute("SELECT id, sha256 FROM image").fetchall())
                marks = ",".join(str(number) for number in known)
                for image, reference, metric in connection.execute(
                    f"SELECT image, reference, metric FROM score WHERE metric IN ({marks}) "
                    "AND status IN ('ok', 'nonfinite')"
                ):
                    key = (names[image], names[reference])
                    done[key] = done.get(key, 0) | bits[metric]
        return Settled(metric_digests, links, done)

    def table(self, manifest_digest: str, metric_digests: Sequence[str]) -> Iterator[Row]:
        """All outcomes of a manifest's items, by key and then in the order of ``metric_digests``.

        An item that was refused has a ``failed`` row for every metric. What was never tried has no row.
        """
        order = {digest: n for n, digest in enumerate(metric_digests)}
        refused = self.refusals(manifest_digest)
        waiting = sorted(refused, reverse=True)

        def refuse(key: str) -> Iterator[Row]:
            detail = refusal_detail(*refused[key])
            return (Row(key, metric, None, "failed", detail, None) for metric in metric_digests)

        with self._read() as connection:
            known = self._known_metrics(connection, metric_digests)
            marks = ",".join(str(number) for number in known) or "NULL"
            # CROSS JOIN keeps SQLite from starting at the scores, whatever it thinks of the sizes.
            rows = connection.execute(
                "SELECT i.key, s.metric, s.value, s.status, s.detail, s.seconds "
                "FROM manifest m CROSS JOIN item i ON i.manifest = m.id "
                "CROSS JOIN score s ON s.image = i.image AND s.reference IN (0, i.reference) "
                f"AND s.metric IN ({marks}) WHERE m.digest = ? ORDER BY i.key",
                (manifest_digest,),
            )
            batch: list[Row] = []
            current: str | None = None
            for key, metric, *rest in rows:
                if key != current:
                    yield from sorted(batch, key=lambda row: order[row.metric])
                    batch, current = [], key
                    while waiting and waiting[-1] <= key:
                        yield from refuse(waiting.pop())
                if key not in refused:
                    batch.append(Row(key, known[metric], *rest))
            yield from sorted(batch, key=lambda row: order[row.metric])
        while waiting:
            yield from refuse(waiting.pop())

    def set_scores(self, manifest_digest: str, metric_digests: Sequence[str] | None = None) -> list[SetRow]:
        """Outcomes of set metrics, by generator, metric, subset and replicate."""
        with self._read() as connection:
            rows = connection.execute(
                "SELECT s.generator, t.digest, s.subset, s.replicate, s.n, s.value, s.status, s.detail, s.features "
                "FROM manifest m JOIN set_score s ON s.manifest = m.id JOIN metric t ON t.id = s.metric "
                "WHERE m.digest = ? ORDER BY s.generator, t.digest, s.subset, s.replicate",
                (manifest_digest,),
            ).fetchall()
        return [SetRow(*row) for row in rows if metric_digests is None or row[1] in metric_digests]

    def refusals(self, manifest_digest: str) -> dict[str, tuple[str, str]]:
        """Item key -> (code, message) of the items that the image gate or the pairing refused."""
        with self._read() as connection:
            return {
                key: (code, message)
                for key, code, message in connection.execute(
                    "SELECT r.key, r.code, r.message FROM manifest m JOIN refusal r ON r.manifest = m.id "
                    "WHERE m.digest = ? ORDER BY r.key",
                    (manifest_digest,),
                )
            }

    def links(self, manifest_digest: str) -> dict[str, tuple[str, str]]:
        """Item key -> (image sha256, reference sha256 or ""), as last seen."""
        return dict(self.settled(manifest_digest, ()).links)

    def conflicts(self) -> list[Conflict]:
        """Everything that was measured twice with different outcomes, oldest first."""
        with self._read() as connection:
            return [
                Conflict._make((*row[:6], Outcome(*row[6:10]), Outcome(*row[10:])))
                for row in connection.execute(
                    "SELECT sequence, kind, image, reference, metric, subject, first_value, first_status, "
                    "first_detail, first_run, second_value, second_status, second_detail, second_run "
                    "FROM conflict ORDER BY sequence"
                )
            ]

    def counts(self, manifest_digest: str, metric_digests: Sequence[str]) -> dict[str, int]:
        """How many outcomes of each status ``table`` gives, and ``refused`` items and ``conflicts`` in the file."""
        result: dict[str, int] = dict.fromkeys(("ok", "nonfinite", "failed", "skipped"), 0)
        for row in self.table(manifest_digest, metric_digests):
            result[row.status] += 1
        with self._read() as connection:
            result["refused"] = len(self.refusals(manifest_digest))
            result["conflicts"] = connection.execute("SELECT count(*) FROM conflict").fetchone()[0]
        return result

    def images(self, manifest_digest: str | None = None) -> list[Picture]:
        """What is known of the image files, outputs and references, of one manifest or of all.

        A file has two entries if it was once decoded to other pixels (another decoder, other gate options).
        """
        where = (
            "WHERE a.id IN (SELECT i.image FROM item i JOIN manifest m ON m.id = i.manifest WHERE m.digest = :m "
            "UNION SELECT i.reference FROM item i JOIN manifest m ON m.id = i.manifest WHERE m.digest = :m) "
            if manifest_digest is not None
            else ""
        )
        with self._read() as connection:
            return [
                Picture(sha256, pixels, width, height, mode, size or 0, tuple(json.loads(notes)))
                for sha256, pixels, width, height, mode, size, notes in connection.execute(
                    "SELECT a.sha256, d.pixels_sha256, d.width, d.height, d.mode, a.bytes, d.notes "
                    f"FROM image a JOIN decoding d ON d.image = a.id {where} ORDER BY a.sha256, d.pixels_sha256",
                    {"m": manifest_digest},
                )
            ]

    def runs(self, manifest_digest: str | None = None) -> list[Run]:
        """The runs that wrote into this file, in the order in which they began."""
        with self._read() as connection:
            rows = connection.execute(
                "SELECT r.id, r.uuid, m.digest, r.started, r.finished, r.status, r.document "
                "FROM run r JOIN manifest m ON m.id = r.manifest ORDER BY r.id"
            ).fetchall()
        return [Run._make((*row[:6], json.loads(row[6]))) for row in rows if manifest_digest in (None, row[2])]

    def manifests(self) -> dict[str, dict]:
        """Manifest digest -> the document it was registered with."""
        return self._documents("manifest")

    def metrics(self) -> dict[str, dict]:
        """Metric digest -> the identity document it was registered with."""
        return self._documents("metric")

    # --- whole files -------------------------------------------------------------------------------------

    def export(self, folder: Path | str, manifest_digest: str) -> None:
        """Write a manifest's results as CSV and JSON, with ``SHA256SUMS``; see ``export.export``."""
        from .export import export

        export(self, Path(folder), manifest_digest)

    def merge(self, other: Path | str, *, tolerances: Mapping[str, float] | None = None) -> Merged:
        """Take in everything of another store; see ``merge.merge``."""
        from .merge import merge

        self._forget()
        with self._read() as connection:
            return merge(connection, self.path, Path(other), tolerances or {})

    @staticmethod
    def repair(path: Path | str) -> Repaired:
        """Copy a damaged store aside and carry over what is readable; see ``repair.repair``."""
        from .repair import repair

        return repair(Path(path))

    # --- inside ------------------------------------------------------------------------------------------

    @contextmanager
    def _read(self) -> Iterator[sqlite3.Connection]:
        if self._connection is None:
            raise ValueError("the store is closed")
        with database.translated(self.path):
            yield self._connection

    @contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        if self._connection is None:
            raise ValueError("the store is closed")
        try:
            with database.transaction(self._connection, self.path) as connection:
                yield connection
        except BaseException:
            self._forget()  # numbers given out in a transaction that did not happen
            raise

    def _forget(self) -> None:
        for known in (self._images, self._metrics, self._manifests, self._decoded):
            known.clear()

    def _documents(self, table: Literal["manifest", "metric"]) -> dict[str, dict]:
        with self._read() as connection:
            rows = connection.execute(f"SELECT digest, document FROM {table} ORDER BY digest").fetchall()
        return {digest: json.loads(document) for digest, document in rows}

    def _register_manifest(self, connection: sqlite3.Connection, document: Document) -> int:
        connection.execute(
            "INSERT INTO manifest (digest, name, document) VALUES (?, ?, ?) ON CONFLICT (digest) DO NOTHING",
            (document["digest"], document["name"], canonical(document)),
        )
        return self._manifest(connection, document["digest"])

    def _register_metrics(self, connection: sqlite3.Connection, metrics: Mapping[str, Document]) -> None:
        connection.executemany(
            "INSERT INTO metric (digest, name, document) VALUES (?, ?, ?) ON CONFLICT (digest) DO NOTHING",
            [(digest, str(identity.get("name", "")), canonical(identity)) for digest, identity in metrics.items()],
        )

    def _manifest(self, connection: sqlite3.Connection, digest: str) -> int:
        return _number(connection, "manifest", digest, self._manifests)

    def _metric(self, connection: sqlite3.Connection, digest: str) -> int:
        return _number(connection, "metric", digest, self._metrics)

    def _known_metrics(self, connection: sqlite3.Connection, digests: Iterable[str]) -> dict[int, str]:
        wanted = set(digests)
        return {n: d for n, d in connection.execute("SELECT id, digest FROM metric ORDER BY id") if d in wanted}

    def _image(self, connection: sqlite3.Connection, sha256: str) -> int:
        number = self._images.get(sha256)
        if number is None:
            connection.execute("INSERT INTO image (sha256) VALUES (?) ON CONFLICT (sha256) DO NOTHING", (sha256,))
            number = connection.execute("SELECT id FROM image WHERE sha256 = ?", (sha256,)).fetchone()[0]
            self._images[sha256] = number
        return number

    def _picture(self, connection: sqlite3.Connection, picture: Picture | None) -> int:
        if picture is None:
            return 0
        number = self._image(connection, picture.sha256)
        seen = (picture.sha256, picture.pixels_sha256)
        if seen not in self._decoded:
            connection.execute("UPDATE image SET bytes = ? WHERE id = ? AND bytes IS NULL", (picture.bytes, number))
            connection.execute(
                "INSERT INTO decoding (image, pixels_sha256, width, height, mode, notes) VALUES (?,?,?,?,?,?) "
                "ON CONFLICT (image, pixels_sha256) DO NOTHING",
                (number, picture.pixels_sha256, picture.width, picture.height, picture.mode, canonical(picture.notes)),
            )
            self._decoded.add(seen)
        return number

    def _link(
        self, connection: sqlite3.Connection, run: int, manifest: int, key: str, image: int, reference: int
    ) -> None:
        # A result of no-reference metrics alone does not know the reference and must not unlink it.
        connection.execute(
            "INSERT INTO item (manifest, key, image, reference, run) VALUES (?,?,?,?,?) "
            "ON CONFLICT (manifest, key) DO UPDATE SET image = excluded.image, "
            "reference = CASE WHEN excluded.reference = 0 THEN reference ELSE excluded.reference END, "
            "run = excluded.run WHERE image <> excluded.image "
            "OR (excluded.reference <> 0 AND reference <> excluded.reference)",
            (manifest, key, image, reference, run),
        )

    def _meet(self, connection: sqlite3.Connection, row: tuple[Any, ...], score: Score, tolerance: float) -> int:
        """Bring a new outcome together with the stored one; 1 if they differ."""
        key, new, seconds = row[:3], Outcome(*row[3:7]), row[7]
        old = Outcome(
            *connection.execute(
                "SELECT value, status, detail, run FROM score WHERE image = ? AND reference = ? AND metric = ?", key
            ).fetchone()
        )
        if new == old:
            return 0
        conflict = differ(old, new, tolerance)
        if conflict:
            first, second = (new, old) if stands(new, old) else (old, new)
            note_conflict(connection, "score", score.image, score.reference, score.metric, "", first, second)
        if stands(new, old):
            connection.execute(_UPDATE_SCORE, (*new, seconds, *key))
        return int(conflict)


def stands(new: Outcome, old: Outcome) -> bool:
    """Whether a new outcome takes the place of the old: never that of a number, and no failure that of a NaN."""
    if old.status == "ok":
        return False
    return old.status != "nonfinite" or new.status == "ok"


def differ(a: Outcome, b: Outcome, tolerance: float) -> bool:
    """Whether two outcomes contradict each other. A failure contradicts nothing: it measured nothing."""
    if a.status not in _MEASURED or b.status not in _MEASURED:
        return False
    if a.value is not None and b.value is not None:
        return not close(a.value, b.value, tolerance)
    # By their codes: what follows a code is for people.
    return a.status != b.status or a.detail.split(" ")[0] != b.detail.split(" ")[0]


def note_conflict(
    connection: sqlite3.Connection,
    kind: str,
    image: str,
    reference: str,
    metric: str,
    subject: str,
    first: Outcome,
    second: Outcome,
) -> None:
    """Add a conflict unless this very one is there."""
    what = (kind, image, reference, metric, subject)
    found = connection.execute(
        "SELECT 1 FROM conflict WHERE kind = ? AND image = ? AND reference = ? AND metric = ? AND subject = ? "
        "AND first_value IS ? AND first_status = ? AND first_detail = ? "
        "AND second_value IS ? AND second_status = ? AND second_detail = ?",
        (*what, *first[:3], *second[:3]),
    ).fetchone()
    if found is None:
        connection.execute(
            "INSERT INTO conflict (kind, image, reference, metric, subject, first_value, first_status, "
            "first_detail, first_run, second_value, second_status, second_detail, second_run) "
            "VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)",
            (*what, *first, *second),
        )


def _number(connection: sqlite3.Connection, table: str, digest: str, known: dict[str, int]) -> int:
    if digest not in known:
        row = connection.execute(f"SELECT id FROM {table} WHERE digest = ?", (digest,)).fetchone()
        if row is None:
            raise KeyError(f"{table} {digest!r} is not registered in the store; begin a run with it")
        known[digest] = row[0]
    return known[digest]


def _now() -> str:
    """For people only: order is by row number."""
    return datetime.now(UTC).isoformat(timespec="seconds")
