"""Merging: the order does not matter, twice is once, and nothing that contradicts is hidden."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

import pytest
from ganiq.bench.errors import IntegrityError, UsageError
from ganiq.bench.store import Merged, SetRow, Store
from ganiq.bench.types import ItemResult
from hypothesis import given, settings
from hypothesis import strategies as st
from stores import FR, MANIFEST, METRICS, NR, OTHER, begin, contents, expected, picture, result, score, sha, unit

NAMES = ["a", "b", "c"]
OUTCOMES = st.sampled_from(
    [
        (1.0, "ok", ""),
        (2.0, "ok", ""),
        (1.0 + 1e-9, "ok", ""),
        (None, "nonfinite", "E-VAL-NAN"),
        (None, "nonfinite", "E-VAL-INF"),
        (None, "failed", "E-OOM"),
        (None, "failed", "E-TIMEOUT"),
        (None, "skipped", "E-IMG-SMALL"),
    ]
)
SCORES = st.tuples(st.sampled_from(NAMES), st.sampled_from(METRICS), OUTCOMES)
REFUSALS = st.tuples(st.sampled_from(NAMES), st.sampled_from([("E-IMG-TRUNC", "cut"), ("E-IO-GONE", "gone")]))
FILES = st.tuples(st.sampled_from(NAMES), st.sampled_from(["", " edited"]), st.sampled_from(["", "r", "s"]))
SETS = st.tuples(st.sampled_from(["g", "h"]), st.sampled_from(["f1", "f2"]), OUTCOMES)
ACTION = st.one_of(SCORES, REFUSALS, FILES.map(lambda f: ("file", f)), SETS.map(lambda s: ("set", s)))
ACTIONS = st.lists(ACTION, max_size=8)

MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
"""Many small stores are made below: where there is no disk to wait for, if possible."""


def build(path: Path, actions: list) -> None:
    with Store.open(path) as store:
        run = begin(store)
        for action in actions:
            if action[0] == "set":
                generator, features, (value, status, detail) = action[1]
                store.record_set(
                    run, MANIFEST, generator, FR, n=2, value=value, status=status, detail=detail, features=features
                )
            elif action[0] == "file":
                name, edit, reference = action[1]
                pictures = picture(name + edit), picture(reference) if reference else None
                store.record(run, MANIFEST, [ItemResult(name, *pictures)])
            elif len(action) == 2:
                store.record(run, MANIFEST, [ItemResult(action[0], refusal=action[1])])
            else:
                name, metric, (value, status, detail) = action
                reference = "r" if metric == FR else None
                found = score(name, metric, value, status, detail, reference)
                store.record(run, MANIFEST, [result(name, found, reference=reference)])
        store.finish(run, "done")


def merged(*paths: Path) -> tuple[dict, list[Merged]]:
    with Store.open(paths[0]) as store:
        done = [store.merge(path) for path in paths[1:]]
        return everything(store), done


def everything(store: Store) -> dict:
    """All that a store says, without the numbers of its own and the clock."""
    with store._read() as connection:
        scores = connection.execute(
            "SELECT i.sha256, r.sha256, m.digest, s.value, s.status, s.detail "
            "FROM score s JOIN image i ON i.id = s.image "
            "LEFT JOIN image r ON r.id = s.reference JOIN metric m ON m.id = s.metric"
        ).fetchall()
    return {
        "scores": set(scores),
        "table": contents(store),
        "links": store.links(MANIFEST),
        "refusals": store.refusals(MANIFEST),
        "sets": store.set_scores(MANIFEST),
        "images": store.images(),
        "runs": {(run.uuid, run.status) for run in store.runs()},
        "conflicts": {
            (c.kind, c.image, c.reference, c.metric, c.subject, tuple(c.first[:3]), tuple(c.second[:3]))
            for c in store.conflicts()
        },
    }


@settings(max_examples=60, deadline=None)
@given(ACTIONS, ACTIONS)
def test_order_does_not_matter_and_twice_is_once(first: list, second: list) -> None:
    with tempfile.TemporaryDirectory(dir=MEMORY) as name:
        a, b, x, y = (Path(name, n) for n in "abxy")
        build(a, first)
        build(b, second)
        x.write_bytes(a.read_bytes())
        y.write_bytes(b.read_bytes())
        ab, _ = merged(x, b)
        ba, _ = merged(y, a)
        assert ab == ba
        again, (report,) = merged(x, b)
        assert again == ab
        assert report.added == 0
        other_way, (report,) = merged(x, y)
        assert other_way == ab
        assert report.added == 0
        with closing(sqlite3.connect(x)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        assert sorted(path.name for path in Path(name).iterdir()) == ["a", "b", "x", "y"]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(SCORES, max_size=6), min_size=3, max_size=3))
def test_three_shards_in_any_order(parts: list) -> None:
    with tempfile.TemporaryDirectory(dir=MEMORY) as name:
        outcomes = []
        for order in [(0, 1, 2), (2, 1, 0), (1, 0, 2)]:
            paths = [Path(name, f"{order}-{n}") for n in range(3)]
            for path, actions in zip(paths, parts, strict=True):
                build(path, actions)
            outcomes.append(merged(*(paths[n] for n in order))[0]["table"])
        assert [clean(rows) for rows in outcomes] == [clean(outcomes[0])] * 3


def clean(rows: list[tuple]) -> list[tuple]:
    """1.0 and 1.0 + 1e-9 are one measurement."""
    return [(*row[:2], row[2] and round(row[2], 6), *row[3:]) for row in rows]


def shard(path: Path, numbers: range) -> Path:
    with Store.open(path) as store:
        run = begin(store)
        for number in numbers:
            store.record(run, MANIFEST, unit(number))
        store.finish(run, "done")
    return path


def test_shards_make_the_whole(tmp_path: Path) -> None:
    shards = [shard(tmp_path / f"{n}.db", range(n, 30, 3)) for n in range(3)]
    shard(tmp_path / "overlap.db", range(10, 20))
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with Store.open(tmp_path / "all.db") as store:
        assert [store.merge(path) for path in shards] == [Merged(120, 0, 0)] * 3
        assert store.merge(str(tmp_path / "overlap.db")) == Merged(0, 120, 0)
        assert contents(store) == expected(range(30))
        assert len(store.runs()) == 4
        # and it goes on working as a store
        assert store.record(begin(store), MANIFEST, [*unit(0), *unit(30)]) == 0
        assert contents(store) == expected(range(31))
    assert {path: path.read_bytes() for path in before} == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0.db", "1.db", "2.db", "all.db", "overlap.db"]


def test_a_store_that_was_killed_or_is_in_use_can_be_taken_in(tmp_path: Path) -> None:
    with Store.open(tmp_path / "busy.db") as busy, Store.open(tmp_path / "all.db") as store:
        run = begin(busy)
        busy.record(run, MANIFEST, unit(0))  # still in the log
        assert (tmp_path / "busy.db-wal").stat().st_size > 0
        assert store.merge(busy.path) == Merged(12, 0, 0)
        assert contents(store) == expected([0])
        assert [r.status for r in store.runs()] == ["running"]
        busy.finish(run, "done")
        store.merge(busy.path)
        assert [r.status for r in store.runs()] == ["done"]


def test_conflict_keeps_both_and_says_whose(tmp_path: Path) -> None:
    for name, value in [("a", 0.7), ("b", 0.5)]:
        with Store.open(tmp_path / name) as store:
            store.record(begin(store), MANIFEST, [result("x", score("x", NR, value), score("x", OTHER, 1.0))])
    with Store.open(tmp_path / "a") as store:
        assert store.merge(tmp_path / "b") == Merged(0, 2, 1)
        assert store.merge(tmp_path / "b") == Merged(0, 2, 1), "still there, so still told"
        (conflict,) = store.conflicts()
        assert (conflict.first.value, conflict.second.value) == (0.5, 0.7)
        uuids = {run.id: run.uuid for run in store.runs()}
        with Store.open(tmp_path / "b") as other:
            assert uuids[conflict.first.run] == other.runs()[0].uuid
        assert uuids[conflict.second.run] != uuids[conflict.first.run]


def test_tolerance_of_the_metric_counts(tmp_path: Path) -> None:
    for name, value in [("a", 10.0), ("b", 10.01)]:
        with Store.open(tmp_path / name) as store:
            store.record(begin(store), MANIFEST, [result("x", score("x", NR, value))])
    with Store.open(tmp_path / "a") as store:
        assert store.merge(tmp_path / "b", tolerances={NR: 0.01}).conflicts == 0
        assert store.merge(tmp_path / "b").conflicts == 1


def test_a_failure_mended_elsewhere(tmp_path: Path) -> None:
    with Store.open(tmp_path / "a") as store:
        failed = result("x", score("x", NR, None, "failed", "E-OOM"))
        refused = ItemResult("y", refusal=("E-IO-GONE", "gone"))
        store.record(begin(store), MANIFEST, [failed, refused])
    with Store.open(tmp_path / "b") as store:
        store.record(begin(store), MANIFEST, [result("x", score("x")), result("y", score("y"))])
    with Store.open(tmp_path / "a") as store:
        assert store.merge(tmp_path / "b") == Merged(2, 0, 0)
        assert contents(store) == [("x", NR, 0.5, "ok", ""), ("y", NR, 0.5, "ok", "")]
        assert store.refusals(MANIFEST) == {}


def test_one_item_that_was_two_files_is_a_conflict(tmp_path: Path) -> None:
    for name, file in [("a", "old"), ("b", "new")]:
        with Store.open(tmp_path / name) as store:
            store.record(begin(store), MANIFEST, [ItemResult("x", picture(file), None, (score(file),))])
    with Store.open(tmp_path / "a") as store:
        assert store.merge(tmp_path / "b") == Merged(1, 0, 1)
        (conflict,) = store.conflicts()
        assert conflict.kind == "item"
        assert {conflict.first.detail, conflict.second.detail} == {sha("old"), sha("new")}
        assert store.links(MANIFEST)["x"][0] == conflict.first.detail == min(sha("old"), sha("new"))


def test_replicates_of_set_scores(tmp_path: Path) -> None:
    rows = [SetRow("gan", FR, "", n, 100, float(n), "ok", "", "f") for n in range(5)]
    for name, part in [("a", rows[:3]), ("b", rows[2:])]:
        with Store.open(tmp_path / name) as store:
            store.record_sets(begin(store), MANIFEST, part)
    with Store.open(tmp_path / "a") as store:
        assert store.merge(tmp_path / "b").conflicts == 0
        assert store.set_scores(MANIFEST) == rows


def test_refusals(tmp_path: Path) -> None:
    path = shard(tmp_path / "s.db", range(1))
    with Store.open(path) as store:
        with pytest.raises(UsageError, match="no such"):
            store.merge(tmp_path / "nothing.db")
        with pytest.raises(UsageError, match="itself"):
            store.merge(path)
        (tmp_path / "link.db").symlink_to(path)
        with pytest.raises(UsageError, match="itself"):
            store.merge(tmp_path / "link.db")
        (tmp_path / "text.db").write_text("text " * 1000)
        with pytest.raises(IntegrityError, match="damaged"):
            store.merge(tmp_path / "text.db")
        (tmp_path / "empty.db").touch()
        with pytest.raises(IntegrityError, match="empty"):
            store.merge(tmp_path / "empty.db")
        newer = shard(tmp_path / "newer.db", range(1))
        with closing(sqlite3.connect(newer)) as connection:
            connection.execute("PRAGMA user_version = 9")
        with pytest.raises(IntegrityError, match="newer"):
            store.merge(newer)
        assert contents(store) == expected([0])
        assert store.merge(shard(tmp_path / "fine.db", range(1, 2))).added == 12
