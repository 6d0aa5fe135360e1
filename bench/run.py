"""The main job: a manifest and metrics in, a folder with scores, leaderboard and report out.

The folder holds ``store.sqlite`` (every score, the ground truth), and what is derived from it:
``leaderboard.json``, ``timing.json``, ``scores.csv``, ``run.json``. Running the same command again computes
only what is missing and writes the same bytes.
"""

from __future__ import annotations

import json
import os
import signal
import statistics
from collections.abc import Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from . import __name__ as _package
from . import devices, gallery, imports, plan, provenance, registry, seen, threads
from .atomic import write_text
from .board import Inputs, ScoreTable, build
from .board.scores import Column
from .document import SCHEMA, Failure, Leaderboard, Provenance, Timing
from .engine import Lost
from .errors import INCOMPLETE, INTEGRITY, OK, SIGINT, SIGTERM, GaniqError, UsageError
from .images import Gate
from .manifest import Manifest
from .measure import Measure, choose, named
from .progress import Progress, Silent
from .scoring import lost, score
from .sets import SetScore, SetScores, score_sets
from .store import Store
from .sweep import Sweep
from .types import Item

AUTO = "auto"
"""The executor that nobody has chosen."""
CODES = {"died": "E-WORKER-DIED", "timeout": "E-TIMEOUT", "oom": "E-OOM", "error": "E-METRIC-ERROR"}


class Interrupted(BaseException):
    """The run was asked to stop. Everything acknowledged is in the store."""

    def __init__(self, exit_code: int) -> None:
        super().__init__()
        self.exit_code = exit_code


@dataclass(frozen=True)
class Outcome:
    """How a run ended."""

    folder: Path
    leaderboard: Leaderboard
    counts: Mapping[str, int]
    """Scores by status, and those of sets (``sets-ok`` ...); ``refused`` images, ``conflicts``, and numbers
    ``computed`` now: never more than ``ok``."""
    exit_code: int
    sets: Mapping[str, Mapping[str, SetScore]] = field(default_factory=dict)
    """What set metrics say: column -> generator -> score."""
    remarks: tuple[str, ...] = ()
    """What has to be said beside the board: which metrics were trained on these images."""

    @property
    def summary(self) -> str:
        """The last line a command prints."""
        c = self.counts
        text = f"{c['ok']:,} scores ({c['computed']:,} new)"
        for name in ("nonfinite", "failed", "skipped"):
            if c[name]:
                text += f", {c[name]:,} {name}"
        for name in ("ok", "nonfinite", "failed", "skipped"):
            if n := c[f"sets-{name}"]:
                text += f", {n:,} {'score' if n == 1 else 'scores'} of sets{'' if name == 'ok' else ' ' + name}"
        if c["refused"]:
            text += f", {c['refused']:,} {'image' if c['refused'] == 1 else 'images'} refused"
        if c["needs-weights"]:
            one = c["needs-weights"] == 1
            text += f", {c['needs-weights']} {'metric needs' if one else 'metrics need'} weights"
        if c["conflicts"]:
            text += f", {c['conflicts']:,} CONFLICTS"
        return text


def run(sweep: Sweep, manifest: Manifest, argv: Sequence[str] = (), progress: Progress | None = None) -> Outcome:
    """Score what is missing and write the leaderboard.

    Args:
        sweep: what to do.
        manifest: the loaded data set.
        argv: the command, for the record.
        progress: told how far it is.

    Raises:
        UsageError: the output folder cannot be written, a metric is unknown, there is no such device; nothing was
            scored.
        IntegrityError: the store is damaged or from another program.
        ResourceError: the disk is full; what was done is kept.
        Interrupted: SIGINT or SIGTERM.
    """
    say = progress or Silent()
    gate, device = Gate(**sweep.gate.model_dump()), devices.found(sweep.engine.device)
    if sweep.engine.kind != AUTO:
        registry.executors.get(sweep.engine.kind)  # before files are hashed
    measures = _applicable(choose(sweep.metrics, gate.identity(), sweep.preset), manifest, sweep)
    imported = [i for path in sweep.imports for i in imports.read(path, manifest)]
    _writable(sweep.out)
    say.stage("hashing files", _files(manifest))
    found = plan.survey(manifest, gate, say.advance)
    with Store.open(sweep.store or sweep.out / "store.sqlite", durable=sweep.engine.durable) as store:
        record = {
            "argv": list(argv),
            "revision": provenance.revision(),
            "packages": provenance.versions(),
            "codecs": provenance.codecs(),
            "machine": provenance.machine() | devices.described(device),
            "sweep": json.loads(sweep.model_dump_json()),
        }
        identity = {"digest": manifest.digest, "name": manifest.name, "title": manifest.title}
        number = store.begin(identity, {m.digest: dict(m.document) for m in measures}, record)
        with interruptible():
            try:
                computed = _score(store, number, sweep, manifest, measures, found, gate, say, device)
                # Before the table is read: they refuse the images that no other metric has looked at.
                sets = _sets(store, number, manifest, measures, found, gate, say, device)
                table, failures, refused = _table(store, manifest, measures)
                overlaps = seen.overlaps(table, measures, found, gate, store.path.parent, say)
            except Interrupted:
                store.finish(number, "interrupted")
                raise
            except BaseException:
                store.finish(number, "failed")
                raise
        # All there are, not only this run's: a rerun must not publish what an earlier one could not decide.
        known = {m.digest for m in measures}
        conflicts = sum(1 for c in store.conflicts() if c.metric in known)
        failures += _set_failures(sets)
        counts = _counts(table, measures, refused, computed, conflicts, sets)
        say.stage("statistics")
        inputs = Inputs(
            table=table,
            measures=measures,
            statistics=sweep.statistics,
            gate=gate.identity(),
            sizes=found.sizes,
            provenance=_provenance(manifest, measures, table, imported),
            failures=failures,
            imported=imported,
            title=sweep.title,
            preset=sweep.preset,
            sets=sets.scores,
            seen=overlaps,
        )
        with threads.single():
            board = build(inputs)
        store.finish(number, "done")
    if conflicts:
        raise NotDeterministic(conflicts)
    families = {c.code: c.family or "" for c in manifest.classes}
    write_text(sweep.out / "scores.csv", table.csv(families))
    write_text(sweep.out / "leaderboard.json", dump(board))
    write_text(sweep.out / "timing.json", dump(_timing(table, measures, device)))
    write_text(sweep.out / "run.json", dump(record))
    if sweep.gallery:
        gallery.write(sweep.out, board, manifest, gate)
    else:
        gallery.clear(sweep.out)
    lacking = ("failed", "skipped", "sets-failed", "sets-skipped", "refused", "needs-weights")
    incomplete = sum(counts[name] for name in lacking)
    remarks = tuple(f"{column}: {overlap.sentence}" for column, overlap in overlaps.items() if overlap.sentence)
    return Outcome(sweep.out, board, counts, INCOMPLETE if incomplete else OK, sets.scores, remarks)


class NotDeterministic(GaniqError):
    """A metric gave two values for the same pixels."""

    exit_code = INTEGRITY

    def __init__(self, count: int) -> None:
        super().__init__(
            f"{count} scores differ from the stored ones for the same image and metric; both are kept in the "
            "store's conflict table and nothing is published; find out why the metric is not deterministic",
            code="E-NONDET",
        )


def dump(document: Any) -> str:
    """JSON with one spelling: sorted nowhere (order has meaning), no NaN, a line feed at the end."""
    text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    return text.encode("utf-8", "backslashreplace").decode()  # file names may hold bytes that are no text


def _applicable(measures: list[Measure], manifest: Manifest, sweep: Sweep) -> list[Measure]:
    """Under ``default``, leave out what cannot apply: references it lacks, weights it lacks, set metrics."""
    if "default" not in sweep.metrics:
        return measures
    explicit = named(sweep.metrics, sweep.preset)
    references = any(i.reference for i in manifest.items)
    return [
        m
        for m in measures
        if m.column in explicit or (m.info.needs != "set" and (references or m.info.needs != "pair"))
    ]


def _writable(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".ganiq-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        reason = error.strerror or str(error)
        raise UsageError(f"{folder}: cannot be written ({reason}); choose another --out", code="E-IO") from None


def _files(manifest: Manifest) -> int:
    return len({i.image for i in manifest.items} | {i.reference for i in manifest.items if i.reference})


@contextmanager
def interruptible() -> Any:
    """SIGINT and SIGTERM become ``Interrupted``; the second one is left to the system."""

    def stop(signum: int, frame: object) -> None:
        signal.signal(signum, signal.SIG_DFL)
        raise Interrupted(SIGINT if signum == signal.SIGINT else SIGTERM)

    try:
        before = {s: signal.signal(s, stop) for s in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:  # not the main thread: whoever called us handles signals
        yield
        return
    try:
        yield
    finally:
        for s, handler in before.items():
            signal.signal(s, handler)


def _score(
    store: Store,
    number: int,
    sweep: Sweep,
    manifest: Manifest,
    measures: Sequence[Measure],
    found: plan.Survey,
    gate: Gate,
    say: Progress,
    device: str,
) -> int:
    """Run what is missing; returns how many numbers came out of it."""
    usable = [m for m in measures if m.info.needs != "set" and not m.reason]
    settled = store.settled(manifest.digest, [m.digest for m in usable])
    store.link(number, manifest.digest, found.links(manifest))
    if found.refused:
        store.record(number, manifest.digest, found.refused)
    work = list(plan.units(manifest, usable, found, settled, gate, device=device))
    total = sum(unit.size for unit in work)
    if not work:
        return 0
    say.stage("scoring", total)
    computed = 0
    with closing(_executor(sweep, len(work), device).run(work, score)) as answers:
        for unit, answer in answers:
            if isinstance(answer, Lost):
                results = lost(unit, CODES[answer.reason], answer.detail)
            else:
                results = answer
                computed += sum(s.status == "ok" for r in answer for s in r.scores)
            store.record(number, manifest.digest, results)
            say.advance(unit.size)
    return computed


def _executor(sweep: Sweep, units: int, device: str) -> Any:
    # Several processes would only wait for one another at a graphics card, and each needs its own memory there.
    workers = sweep.engine.workers or (threads.cores() if device == "cpu" else 1)
    kind = sweep.engine.kind
    if kind == AUTO:
        # A pool costs seconds to start (each worker imports torch) and protects from dying metrics.
        kind = "process"
    factory = registry.executors.get(kind)
    if kind == "serial":
        return factory()
    workers = max(1, min(workers, units))
    return factory(workers=workers, timeout=sweep.engine.timeout, initializer=partial(threads.share, workers))


def _table(
    store: Store, manifest: Manifest, measures: Sequence[Measure]
) -> tuple[ScoreTable, list[Failure], frozenset[str]]:
    """Columns of all item measures from the store, every row that has no number, and the refused items."""
    digests = [m.digest for m in measures if m.info.needs != "set"]
    rows = {(row.key, row.metric): row for row in store.table(manifest.digest, digests)}
    refused = store.refusals(manifest.digest)
    table = ScoreTable(manifest)
    failures: list[Failure] = [
        _failure(key, "", "failed", message) for key, (_, message) in sorted(refused.items()) if key in manifest.by_key
    ]
    if len(failures) == len(manifest.items) and all(f["code"] == "E-IO-MISSING" for f in failures):
        message = (
            f"E-IO-MISSING {manifest.name}: none of its {len(failures):,} images is at hand; only labels and "
            "controls are shown; put the images where the layout expects them"
        )
        failures = [_failure("", "", "failed", message)]
        refused = dict.fromkeys(refused, ("E-IO-MISSING", message))
    for m in measures:
        if m.info.needs == "set":
            continue
        column = Column(m.column, m.info.better, np.full(len(manifest.items), np.nan), [None] * len(manifest.items))
        for n, item in enumerate(manifest.items):
            if item.key in refused:
                column.status[n], column.details[n] = "failed", refused[item.key][1]
                continue
            if m.info.needs == "pair" and item.reference is None:
                column.status[n] = "skipped"
                column.details[n] = "E-SKIP-REFERENCE needs a reference, and this item has none"
                continue
            row = rows.get((item.key, m.digest))
            if row is None:
                continue
            column.status[n] = row.status
            if row.status == "ok":
                column.values[n] = row.value
            else:
                column.details[n] = detail = _told(row.detail, item, m)
                if row.detail.startswith(("E-VAL-INF", "E-VAL-NINF")):
                    column.infinite[n] = np.inf if row.detail.startswith("E-VAL-INF") else -np.inf
                failures.append(_failure(item.key, m.column, row.status, detail))
            if row.seconds is not None:
                column.seconds.append(row.seconds)
        table.columns[m.column] = column
    return table, failures, frozenset(refused)


def _told(detail: str, item: Item, m: Measure) -> str:
    """The reason for a gap, in words: of a value that is no finite number, the store holds the code alone."""
    found = {
        "E-VAL-NAN": "is not a number (NaN)",
        "E-VAL-INF": "is infinite",
        "E-VAL-NINF": "is minus infinity",
    }.get(detail)
    if found is None:
        return detail
    if detail == "E-VAL-INF" and m.info.needs == "pair":
        found += " (are image and reference equal?)"
    return f"{detail} {item.image}: {m.column} {found}; it counts in no mean and no correlation"


def _failure(key: str, metric: str, status: str, message: str) -> Failure:
    code = message.split(" ", 1)[0]
    return {"key": key, "metric": metric, "status": status, "code": code, "detail": message}


def _sets(
    store: Store,
    number: int,
    manifest: Manifest,
    measures: Sequence[Measure],
    found: plan.Survey,
    gate: Gate,
    say: Progress,
    device: str,
) -> SetScores:
    wanted = [m for m in measures if m.info.needs == "set"]
    if not wanted:
        return SetScores()
    return score_sets(store, number, manifest, wanted, found, gate, say, device)


def _set_failures(sets: SetScores) -> list[Failure]:
    """Pristine images that were left out, and every generator without a number."""
    failures = [_failure(path, "", "failed", str(error)) for path, error in sets.references.items()]
    for column, by_generator in sets.scores.items():
        for generator, told in sorted(by_generator.items()):
            if told.status != "ok" and not told.estimate.reason.startswith("E-SKIP-WEIGHTS"):
                failures.append(_failure(generator, column, told.status, told.estimate.reason))
    return failures


def _counts(
    table: ScoreTable,
    measures: Sequence[Measure],
    refused: frozenset[str],
    computed: int,
    conflicts: int,
    sets: SetScores,
) -> dict[str, int]:
    counts = dict.fromkeys(("ok", "nonfinite", "failed", "skipped"), 0)
    seen = [n for n, item in enumerate(table.manifest.items) if item.key not in refused]
    blocked = {m.column for m in measures if m.reason}
    for column in table.columns.values():
        if column.name in blocked:
            continue
        for n in seen:
            status = column.status[n]
            if status in counts and not column.details.get(n, "").startswith("E-SKIP-REFERENCE"):
                counts[status] += 1
    # Items without a reference in a set that has references elsewhere (pristine conditions) are no failure;
    # a full-reference metric on a set without any is one line, not one per image.
    told = [s.status for column, scores in sets.scores.items() if column not in blocked for s in scores.values()]
    return {
        **counts,
        **{f"sets-{status}": told.count(status) for status in counts},
        "refused": len(refused) + len(sets.references),
        "computed": computed,
        "conflicts": conflicts,
        "needs-weights": len(blocked),
    }


def _provenance(
    manifest: Manifest, measures: Sequence[Measure], table: ScoreTable, imported: Sequence[imports.Imported]
) -> Provenance:
    from .. import __version__  # pyright: ignore[reportMissingImports]

    statuses = [s for c in table.columns.values() for s in c.status if s]
    weights = {slot: sha for m in measures for slot, sha in m.document.get("weights", {}).items() if sha}
    packages = provenance.versions()
    return {
        "ganiq": __version__,
        "schema": SCHEMA,
        "packages": packages,
        "torchvision": packages["torchvision"],
        "dataset_digest": manifest.digest,
        "metric_digests": {m.column: m.digest for m in measures},
        "weights": dict(sorted(weights.items())),
        "plugins": sorted({m.origin for m in measures if m.origin != _package.split(".")[0]}),
        "counts": {s: statuses.count(s) for s in ("ok", "nonfinite", "failed", "skipped")},
        "imports": [dict(t) for t in sorted({(("file", i.file), ("sha256", i.sha256)) for i in imported})],
    }


def _timing(table: ScoreTable, measures: Sequence[Measure], device: str) -> Timing:
    rows = {}
    for m in measures:
        seconds = table.columns[m.column].seconds if m.column in table.columns else []
        if seconds:
            rows[m.column] = {
                "seconds": statistics.median(seconds),
                "total": sum(seconds),
                "n": len(seconds),
            }
    machine = provenance.machine() | devices.described(device)
    return {"schema": SCHEMA, "machine": machine, "metrics": rows}  # type: ignore[typeddict-item]


def resume_hint(argv: Sequence[str]) -> str:
    """The sentence an interrupted run ends with."""
    import shlex

    command = shlex.join(argv) if argv else "the same command"
    return f"stopped; nothing that was computed is lost. To go on: {command}"


__all__ = ["Interrupted", "Outcome", "resume_hint", "run"]
