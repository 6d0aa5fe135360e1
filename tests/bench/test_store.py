"""The store's rules: what is kept, what may be replaced, what is asked of it."""

from __future__ import annotations

import math
import os
import sqlite3
import sys
import tempfile
import time
from pathlib import Path

import pytest
from ganiq.bench.errors import GaniqError, IntegrityError, ResourceError, UsageError
from ganiq.bench.store import SetRow, Store, database
from ganiq.bench.store.results import outcome
from ganiq.bench.types import ItemResult, Score
from stores import (
    FR,
    IDENTITIES,
    MANIFEST,
    METRICS,
    NR,
    OTHER,
    begin,
    contents,
    expected,
    picture,
    result,
    score,
    sha,
    unit,
)


@pytest.fixture
def store(tmp_path: Path):
    with Store.open(tmp_path / "store.db") as opened:
        yield opened


@pytest.fixture
def run(store: Store) -> int:
    return begin(store)


def rows(store: Store) -> dict[tuple[str, str], tuple]:
    return {(row.key, row.metric): (row.value, row.status, row.detail) for row in store.table(MANIFEST, METRICS)}


class TestTable:
    def test_gives_back_what_was_recorded(self, store: Store, run: int) -> None:
        assert store.record(run, MANIFEST, [*unit(0), *unit(1), *unit(2)]) == 0
        assert contents(store) == expected(range(3))
        assert next(store.table(MANIFEST, [NR])).seconds == 0.01

    def test_order_is_by_key_and_then_as_asked(self, store: Store, run: int) -> None:
        store.record(run, MANIFEST, [*unit(2), *unit(0), *unit(1)])
        asked = [OTHER, FR]
        got = [(row.key, row.metric) for row in store.table(MANIFEST, asked)]
        assert got == [(key, metric) for key in sorted(f"item{i}" for i in range(12)) for metric in asked]

    def test_what_was_never_tried_has_no_row(self, store: Store, run: int) -> None:
        store.record(run, MANIFEST, [result("a", score("a", NR))])
        assert set(rows(store)) == {("a", NR)}
        assert list(store.table(MANIFEST, [])) == []
        assert list(store.table(sha("unknown"), METRICS)) == []
        assert list(store.table(MANIFEST, [sha("unknown")])) == []

    def test_two_items_may_be_one_image(self, store: Store, run: int) -> None:
        twin = ItemResult("b", picture("a"))
        store.record(run, MANIFEST, [result("a", score("a")), twin])
        assert rows(store) == {("a", NR): (0.5, "ok", ""), ("b", NR): (0.5, "ok", "")}

    def test_one_image_has_a_value_for_each_reference(self, store: Store, run: int) -> None:
        for name, against, number in [("x", "r1", 1.0), ("y", "r2", 2.0)]:
            found = score("same", FR, number, reference=against)
            store.record(run, MANIFEST, [ItemResult(name, picture("same"), picture(against), (found,))])
        assert rows(store) == {("x", FR): (1.0, "ok", ""), ("y", FR): (2.0, "ok", "")}

    def test_manifests_share_the_scores_of_a_shared_image(self, store: Store, run: int) -> None:
        store.record(run, MANIFEST, unit(0))
        second = sha("another manifest")
        other = begin(store, second)
        settled = store.settled(second, METRICS)
        assert settled.links == {}
        assert settled.missing(sha("item1"), sha("reference1")) == []
        store.link(other, second, [("mine", sha("item1"), sha("reference1"))])
        assert [row[2] for row in contents(store, second)] == [1.0, 1.125, 1.25]

    def test_a_no_reference_result_does_not_unlink_the_reference(self, store: Store, run: int) -> None:
        store.record(run, MANIFEST, [result("a", score("a", FR, 3.0, reference="r"), reference="r")])
        store.record(run, MANIFEST, [result("a", score("a", NR, 4.0))])
        assert rows(store) == {("a", FR): (3.0, "ok", ""), ("a", NR): (4.0, "ok", "")}
        assert store.links(MANIFEST) == {"a": (sha("a"), sha("r"))}

    def test_an_edited_image_is_another_image(self, store: Store, run: int) -> None:
        store.record(run, MANIFEST, [ItemResult("a", picture("old"), None, (score("old", value=1.0),))])
        store.record(run, MANIFEST, [ItemResult("a", picture("new"), None, (score("new", value=2.0),))])
        assert rows(store) == {("a", NR): (2.0, "ok", "")}
        assert store.conflicts() == []

    def test_scores_alone_are_enough_to_link(self, store: Store, run: int) -> None:
        store.record(run, MANIFEST, [ItemResult("a", None, None, (score("a", FR, 1.0, reference="r"),))])
        assert store.links(MANIFEST) == {"a": (sha("a"), sha("r"))}
        assert store.images() == []


class TestOutcomes:
    @pytest.mark.parametrize(
        ("given", "kept"),
        [
            ((0.25, "ok", ""), (0.25, "ok", "")),
            ((7, "ok", ""), (7.0, "ok", "")),
            ((sys.float_info.max, "ok", ""), (sys.float_info.max, "ok", "")),
            ((-5e-324, "ok", ""), (-5e-324, "ok", "")),
            ((math.nan, "ok", ""), (None, "nonfinite", "E-VAL-NAN")),
            ((math.inf, "ok", ""), (None, "nonfinite", "E-VAL-INF")),
            ((-math.inf, "ok", ""), (None, "nonfinite", "E-VAL-NINF")),
            ((math.inf, "nonfinite", "E-VAL-INF"), (None, "nonfinite", "E-VAL-INF")),
            ((None, "failed", "E-OOM at batch 1"), (None, "failed", "E-OOM at batch 1")),
            ((3.0, "failed", "E-TIMEOUT"), (None, "failed", "E-TIMEOUT")),
            ((None, "failed", "oops"), (None, "failed", "E-METRIC-ERROR oops")),
            ((None, "skipped", "E-IMG-SMALL"), (None, "skipped", "E-IMG-SMALL")),
            ((None, "ok", ""), (None, "failed", "E-METRIC-ERROR the metric gave no value")),
        ],
    )
    def test_a_number_or_a_reason(self, given: tuple, kept: tuple, store: Store, run: int) -> None:
        assert outcome(*given) == kept
        store.record(run, MANIFEST, [result("a", score("a", NR, *given))])
        assert rows(store)["a", NR] == kept

    @pytest.mark.parametrize(
        "change",
        [
            "value = NULL",
            "status = 'failed'",
            "status = 'good'",
            "status = 'failed', value = NULL",
            "status = 'failed', value = NULL, detail = 'no code'",
            "value = 9e999",
            "value = 'text'",
            "metric = 99",
            "image = 99",
            "run = 99",
        ],
    )
    def test_the_schema_itself_refuses_what_is_neither(self, change: str, store: Store, run: int) -> None:
        store.record(run, MANIFEST, [result("a", score("a"))])
        with pytest.raises(sqlite3.IntegrityError), store._write() as connection:
            connection.execute(f"UPDATE score SET {change}")
        assert rows(store) == {("a", NR): (0.5, "ok", "")}


class TestSecondOutcome:
    """What happens when a key is recorded again."""

    FAILED = (None, "failed", "E-OOM")
    SKIPPED = (None, "skipped", "E-IMG-SMALL")
    NAN = (None, "nonfinite", "E-VAL-NAN")
    INF = (None, "nonfinite", "E-VAL-INF")

    @pytest.mark.parametrize(
        ("first", "second", "kept", "conflicts"),
        [
            ((0.5, "ok", ""), (0.5, "ok", ""), 1, 0),
            ((0.5, "ok", ""), (0.5 + 1e-7, "ok", ""), 1, 0),
            ((1e9, "ok", ""), (1e9 + 100, "ok", ""), 1, 0),
            ((0.5, "ok", ""), (0.51, "ok", ""), 1, 1),
            ((0.5, "ok", ""), NAN, 1, 1),
            ((0.5, "ok", ""), FAILED, 1, 0),
            ((0.5, "ok", ""), SKIPPED, 1, 0),
            (FAILED, (0.5, "ok", ""), 2, 0),
            (SKIPPED, (0.5, "ok", ""), 2, 0),
            (FAILED, (None, "failed", "E-TIMEOUT"), 2, 0),
            (FAILED, NAN, 2, 0),
            (NAN, NAN, 1, 0),
            (NAN, (None, "nonfinite", "E-VAL-NAN at 3"), 1, 0),
            (NAN, INF, 1, 1),
            (NAN, FAILED, 1, 0),
            (NAN, (0.5, "ok", ""), 2, 1),
        ],
    )
    def test_what_stands(self, first: tuple, second: tuple, kept: int, conflicts: int, store: Store, run: int) -> None:
        store.record(run, MANIFEST, [result("a", score("a", NR, *first))])
        later = begin(store)
        assert store.record(later, MANIFEST, [result("a", score("a", NR, *second))]) == conflicts
        stands, other = ((run, first), (later, second))[:: 1 if kept == 1 else -1]
        assert rows(store)["a", NR] == stands[1]
        noted = store.conflicts()
        assert len(noted) == conflicts
        if noted:
            assert (noted[0].kind, noted[0].image, noted[0].reference, noted[0].metric) == ("score", sha("a"), "", NR)
            assert tuple(noted[0].first) == (*stands[1], stands[0])
            assert tuple(noted[0].second) == (*other[1], other[0])

    def test_the_same_conflict_is_reported_again_but_noted_once(self, store: Store, run: int) -> None:
        for wrong, count in [(0.5, 0), (0.7, 1), (0.7, 1), (0.9, 1)]:
            assert store.record(run, MANIFEST, [result("a", score("a", value=wrong))]) == count
        assert [c.second.value for c in store.conflicts()] == [0.7, 0.9]
        assert rows(store)["a", NR][0] == 0.5

    def test_tolerance_is_the_metrics_own_where_given(self, store: Store, run: int) -> None:
        store.record(run, MANIFEST, [result("a", score("a", NR, 10.0), score("a", OTHER, 10.0))])
        again = [result("a", score("a", NR, 10.01), score("a", OTHER, 10.01))]
        assert store.record(run, MANIFEST, again, tolerances={NR: 1e-2}) == 1
        assert [c.metric for c in store.conflicts()] == [OTHER]
        assert store.record(run, MANIFEST, again, tolerances={NR: 1e-2, OTHER: 1e-2}) == 0

    def test_twice_in_one_call(self, store: Store, run: int) -> None:
        assert (
            store.record(run, MANIFEST, [result("a", score("a", value=0.1)), result("a", score("a", value=0.2))]) == 1
        )
        assert rows(store)["a", NR][0] == 0.1

    def test_new_scores_in_the_same_call_are_kept(self, store: Store, run: int) -> None:
        store.record(run, MANIFEST, unit(0))
        assert store.record(run, MANIFEST, [*unit(0), *unit(1)]) == 0
        assert contents(store) == expected(range(2))


class TestRefusals:
    WHY = ("E-IMG-TRUNC", "E-IMG-TRUNC a.png: cut short; not scored; restore the file")

    def test_stands_for_every_metric(self, store: Store, run: int) -> None:
        store.record(
            run, MANIFEST, [ItemResult("b", refusal=self.WHY), ItemResult("z", refusal=("E-IO", "gone")), *unit(0)]
        )
        got = rows(store)
        for metric in METRICS:
            assert got["b", metric] == (None, "failed", self.WHY[1])
            assert got["z", metric] == (None, "failed", "E-IO gone")
        assert store.refusals(MANIFEST) == {"b": self.WHY, "z": ("E-IO", "gone")}
        keys = [row.key for row in store.table(MANIFEST, METRICS)]
        assert keys == sorted(keys)
        assert len(keys) == 3 * 6
        assert store.counts(MANIFEST, METRICS) == {
            "ok": 11, "nonfinite": 1, "failed": 6, "skipped": 0, "refused": 2, "conflicts": 0,
        }  # fmt: skip

    def test_goes_when_the_item_succeeds(self, store: Store, run: int) -> None:
        store.record(run, MANIFEST, [ItemResult("a", refusal=self.WHY)])
        store.record(run, MANIFEST, [result("a", score("a"))])
        assert rows(store) == {("a", NR): (0.5, "ok", "")}
        assert store.refusals(MANIFEST) == {}

    def test_hides_the_scores_an_item_once_had(self, store: Store, run: int) -> None:
        store.record(run, MANIFEST, [result("a", score("a"))])
        store.record(run, MANIFEST, [result("a", refusal=self.WHY, reference="r")])
        assert {row[1] for row in rows(store).values()} == {"failed"}
        store.link(run, MANIFEST, [("a", sha("a"), "")])
        assert rows(store) == {("a", NR): (0.5, "ok", "")}

    def test_belongs_to_its_manifest(self, store: Store, run: int) -> None:
        store.record(run, MANIFEST, [ItemResult("a", refusal=self.WHY)])
        other = sha("another manifest")
        begin(store, other)
        assert store.refusals(other) == {}


class TestSettled:
    def test_numbers_and_infinities_are_failures_are_not(self, store: Store, run: int) -> None:
        store.record(
            run,
            MANIFEST,
            [
                result(
                    "a",
                    score("a", FR, 1.0, reference="r"),
                    score("a", NR, None, "nonfinite", "E-VAL-INF"),
                    score("a", OTHER, None, "failed", "E-OOM"),
                ),
                result("b", score("b", NR, None, "skipped", "E-IMG-SMALL")),
            ],
        )
        settled = store.settled(MANIFEST, METRICS)
        assert set(settled) == {(sha("a"), sha("r"), FR), (sha("a"), "", NR)}
        assert len(settled) == 2
        assert (sha("a"), sha("r"), FR) in settled
        assert (sha("a"), "", FR) not in settled
        assert (sha("a"), "", OTHER) not in settled
        assert settled.missing(sha("a"), sha("r")) == [OTHER]
        assert settled.missing(sha("a")) == [FR, OTHER]
        assert settled.missing(sha("b"), sha("r")) == METRICS
        assert settled.links == {"a": (sha("a"), sha("r")), "b": (sha("b"), "")}

    def test_only_the_metrics_asked_for(self, store: Store, run: int) -> None:
        store.record(run, MANIFEST, unit(0))
        settled = store.settled(MANIFEST, [NR, sha("unknown")])
        assert {metric for _, _, metric in settled} == {NR}
        assert settled.missing(sha("item0"), sha("reference0")) == [sha("unknown")]


class TestSets:
    def test_replicates_are_kept(self, store: Store, run: int) -> None:
        found = [SetRow("gan", FR, "", r, 100, 10.0 + r, "ok", "", "f") for r in range(3)]
        assert store.record_sets(run, MANIFEST, found) == 0
        store.record_set(run, MANIFEST, "gan", OTHER, n=3, value=math.nan)
        nan = SetRow("gan", OTHER, "", 0, 3, None, "nonfinite", "E-VAL-NAN", "")
        assert sorted(store.set_scores(MANIFEST)) == sorted([nan, *found])
        assert store.set_scores(MANIFEST, [OTHER]) == [nan]
        assert store.set_scores(sha("unknown")) == []

    def test_same_features_same_value(self, store: Store, run: int) -> None:
        def record(value: float | None, features: str, status: str = "ok", detail: str = "") -> int:
            return store.record_set(
                run, MANIFEST, "gan", FR, n=9, value=value, features=features, status=status, detail=detail
            )

        assert [record(None, "f", "failed", "E-OOM"), record(3.0, "f"), record(3.0, "f")] == [0, 0, 0]
        assert record(4.0, "f") == 1
        assert store.set_scores(MANIFEST)[0].value == 3.0
        assert record(None, "f", "failed", "E-OOM") == 0
        assert store.set_scores(MANIFEST)[0].value == 3.0
        (conflict,) = store.conflicts()
        assert (conflict.kind, conflict.metric, conflict.first.value, conflict.second.value) == ("set", FR, 3.0, 4.0)
        assert record(5.0, "other images") == 0
        assert store.set_scores(MANIFEST)[0].value == 5.0


class TestRuns:
    def test_a_run_is_described(self, store: Store, run: int) -> None:
        store.finish(run, "done")
        second = begin(store)
        first, other = store.runs()
        assert (first.id, first.status, first.manifest, first.document) == (
            run,
            "done",
            MANIFEST,
            {"argv": ["ganiq", "run"]},
        )
        assert first.finished is not None
        assert (other.id, other.status, other.finished) == (second, "running", None)
        assert first.uuid != other.uuid
        assert store.runs(sha("unknown")) == []
        assert store.manifests() == {MANIFEST: {"digest": MANIFEST, "name": "faces"}}
        assert store.metrics() == IDENTITIES

    def test_order_does_not_follow_the_clock(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        from ganiq.bench.store import results

        stamps = iter(["2038-01-19T03:14:08+00:00", "1999-01-01T00:00:00+00:00", "2026-01-01T00:00:00+00:00"])
        monkeypatch.setattr(results, "_now", lambda: next(stamps))
        ids = [begin(store) for _ in range(3)]
        assert [r.id for r in store.runs()] == ids == sorted(ids)
        store._running.clear()

    def test_closing_marks_what_was_not_finished(self, tmp_path: Path) -> None:
        def stopped() -> None:
            with Store.open(tmp_path / "s.db") as store:
                store.finish(begin(store), "done")
                begin(store)
                raise LookupError("stop")

        with pytest.raises(LookupError):
            stopped()
        with Store.open(tmp_path / "s.db") as store:
            assert [r.status for r in store.runs()] == ["done", "interrupted"]

    def test_unknown_manifest_or_metric_is_a_mistake_of_the_caller(self, store: Store, run: int) -> None:
        with pytest.raises(KeyError, match="not registered"):
            store.record(run, sha("unknown"), unit(0))
        unregistered = Score(sha("unknown"), sha("a"), "", 1.0)
        with pytest.raises(KeyError, match="not registered"):
            store.record(run, MANIFEST, [*unit(0), ItemResult("a", picture("a"), None, (unregistered,))])
        assert contents(store) == []  # all or nothing
        store.register({sha("unknown"): {"name": "late"}})
        assert store.record(run, MANIFEST, [*unit(0), ItemResult("a", picture("a"), None, (unregistered,))]) == 0
        assert contents(store) == expected([0])
        assert [row.value for row in store.table(MANIFEST, [sha("unknown")])] == [1.0]


class TestImages:
    def test_facts_are_kept(self, store: Store, run: int) -> None:
        store.record(run, MANIFEST, [result("a", score("a"), reference="r")])
        assert store.images() == sorted([picture("a"), picture("r")], key=lambda p: p.sha256)
        assert store.images(MANIFEST) == store.images()
        assert store.images(sha("unknown")) == []

    def test_another_decoding_of_the_same_file_shows(self, store: Store, run: int) -> None:
        for pixels in ("", " by another decoder", ""):
            store.record(run, MANIFEST, [ItemResult("a", picture("a", pixels))])
        assert len({p.pixels_sha256 for p in store.images()}) == len(store.images()) == 2


class TestTransactions:
    def test_a_failed_transaction_leaves_nothing_and_the_store_goes_on(self, store: Store, run: int) -> None:
        class Broken:
            def __iter__(self):
                yield from unit(0)
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            store.record(run, MANIFEST, Broken())  # type: ignore[arg-type]
        assert contents(store) == []
        assert store.images() == []
        store.record(run, MANIFEST, unit(0))
        assert contents(store) == expected([0])

    def test_another_writer_that_never_ends_is_reported(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(database, "PATIENCE", 0.2)
        with Store.open(tmp_path / "s.db") as store:
            run = begin(store)
            other = sqlite3.connect(tmp_path / "s.db", isolation_level=None)
            other.execute("BEGIN IMMEDIATE")
            started = time.monotonic()
            with pytest.raises(ResourceError, match="another process") as caught:
                store.record(run, MANIFEST, unit(0))
            assert 0.1 < time.monotonic() - started < 5
            assert caught.value.exit_code == 5
            other.execute("ROLLBACK")
            other.close()
            store.record(run, MANIFEST, unit(0))
            assert contents(store) == expected([0])

    def test_a_reader_is_not_disturbed_by_a_writer(self, store: Store, run: int) -> None:
        store.record(run, MANIFEST, [*unit(0), *unit(1)])
        reading = store.table(MANIFEST, METRICS)
        seen = [next(reading)]
        with Store.open(store.path) as second:
            second.record(begin(second), MANIFEST, [*unit(2), *unit(3)])
        seen += list(reading)
        assert [tuple(row[:5]) for row in seen] == expected(range(2))
        assert contents(store) == expected(range(4))

    def test_closed_means_closed(self, tmp_path: Path) -> None:
        store = Store.open(tmp_path / "s.db")
        store.close()
        store.close()
        with pytest.raises(ValueError, match="closed"):
            store.conflicts()

    def test_speed_of_a_unit_and_of_many(self, store: Store) -> None:
        """Loose limits, for a busy machine: what must not come back is a quadratic plan."""
        metrics = [sha(f"metric {n}") for n in range(20)]
        run = store.begin({"digest": MANIFEST, "name": "many"}, {m: {"name": "m"} for m in metrics}, {})
        items = [
            ItemResult(
                f"{i:05d}", picture(f"i{i}"), picture(f"r{i % 50}"),
                tuple(score(f"i{i}", m, float(i), reference=f"r{i % 50}") for m in metrics),
            )
            for i in range(4000)
        ]  # fmt: skip
        started = time.process_time()
        for first in range(0, 400, 8):
            store.record(run, MANIFEST, items[first : first + 8])
        assert (time.process_time() - started) / 50 < 0.05
        started = time.process_time()
        store.record(run, MANIFEST, items)
        assert sum(1 for _ in store.table(MANIFEST, metrics)) == 80_000
        assert len(store.settled(MANIFEST, metrics)) == 80_000
        assert time.process_time() - started < 15


class TestOpening:
    def test_schema_one_is_frozen(self, store: Store) -> None:
        """Never edit this test: another schema needs another number, and a migration to it."""
        with store._read() as connection:
            assert connection.execute("PRAGMA user_version").fetchone()[0] == 1
            assert connection.execute("PRAGMA application_id").fetchone()[0] == 1196312913
            columns = {
                table: " ".join(row[1] for row in connection.execute(f"PRAGMA table_info({table})"))
                for (table,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
                if not table.startswith("sqlite_")
            }
        assert columns == {
            "image": "id sha256 bytes",
            "decoding": "image pixels_sha256 width height mode notes",
            "manifest": "id digest name document",
            "metric": "id digest name document",
            "run": "id uuid manifest started finished status document",
            "item": "manifest key image reference run",
            "refusal": "manifest key code message run",
            "score": "image reference metric value status detail run seconds",
            "set_score": "manifest generator metric subset replicate features n value status detail run",
            "conflict": "sequence kind image reference metric subject first_value first_status first_detail first_run "
            "second_value second_status second_detail second_run",
        }
        assert set(columns) == set(database.TABLES)

    def test_how_it_writes(self, tmp_path: Path) -> None:
        for durable, level in [(False, 1), (True, 2)]:
            with Store.open(tmp_path / "s.db", durable=durable) as store, store._read() as connection:
                assert connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
                assert connection.execute("PRAGMA synchronous").fetchone()[0] == level
                assert connection.execute("PRAGMA busy_timeout").fetchone()[0] == 30_000
                assert connection.execute("PRAGMA foreign_keys").fetchone()[0] == 1

    def test_a_closed_store_is_one_file(self, tmp_path: Path) -> None:
        for _ in range(2):
            with Store.open(tmp_path / "s.db") as store:
                store.record(begin(store), MANIFEST, unit(0))
        assert [path.name for path in tmp_path.iterdir()] == ["s.db"]

    def test_makes_its_folder(self, tmp_path: Path) -> None:
        with Store.open(str(tmp_path / "a" / "b" / "s.db")) as store:
            assert store.path.exists()

    @pytest.mark.parametrize("name", ["100% #1?.db", "naïve 名.db", "'quoted'.db", "x" * 240])
    def test_any_file_name(self, name: str, tmp_path: Path) -> None:
        for _ in range(2):
            with Store.open(tmp_path / name) as store:
                begin(store)
        assert [path.name for path in tmp_path.iterdir()] == [name]

    def test_relative_path(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        for _ in range(2):
            Store.open("s.db").close()
        assert [path.name for path in tmp_path.iterdir()] == ["s.db"]

    def test_old_sqlite_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with pytest.raises(UsageError, match=r"3\.36\.0.*3\.37"):
            database.require_sqlite((3, 36, 0))
        database.require_sqlite((3, 37, 0))

    def test_a_folder_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="not a regular file"):
            Store.open(tmp_path)

    def test_a_file_in_the_way_of_the_folder(self, tmp_path: Path) -> None:
        (tmp_path / "f").write_text("")
        with pytest.raises(GaniqError) as caught:
            Store.open(tmp_path / "f" / "s.db")
        assert caught.value.exit_code in (2, 5)

    @pytest.mark.parametrize("what", ["folder", "file"])
    def test_no_permission_is_found_before_anything_is_scored(self, what: str) -> None:
        root = os.geteuid() == 0  # root may do anything: act as somebody else
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            store = folder / "s.db"
            Store.open(store).close()
            before = store.read_bytes()
            store.chmod(0o444 if what == "file" else 0o666)
            folder.chmod(0o777 if what == "file" else 0o555)
            try:
                if root:
                    os.seteuid(65534)
                with pytest.raises(UsageError, match="permission") as caught:
                    Store.open(store)
            finally:
                if root:
                    os.seteuid(0)
                folder.chmod(0o755)
            assert caught.value.exit_code == 2
            assert store.read_bytes() == before
            assert [path.name for path in folder.iterdir()] == ["s.db"]


class TestMigrations:
    def test_an_older_store_is_brought_up_and_the_older_program_refuses_it(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "s.db"
        with Store.open(path) as store:
            store.record(begin(store), MANIFEST, unit(0))
        steps = {
            2: "CREATE TABLE author (id INTEGER PRIMARY KEY) STRICT;\nALTER TABLE run ADD COLUMN author INTEGER;\n",
            3: "-- a comment; with a semicolon\nINSERT INTO author VALUES (7);\n",
        }
        with monkeypatch.context() as patch:
            patch.setattr(database, "migrations", lambda: steps)
            for _ in range(2):
                with Store.open(path) as store, store._read() as connection:
                    assert connection.execute("PRAGMA user_version").fetchone()[0] == 3
                    assert connection.execute("SELECT id FROM author").fetchall() == [(7,)]
                    assert contents(store) == expected([0])
        before = path.read_bytes()
        with pytest.raises(IntegrityError, match=r"newer version of ganiq \(schema 3, this one knows 1\).*upgrade"):
            Store.open(path)
        assert path.read_bytes() == before

    def test_a_step_that_fails_changes_nothing(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = tmp_path / "s.db"
        Store.open(path).close()
        with monkeypatch.context() as patch:
            patch.setattr(database, "migrations", lambda: {2: "CREATE TABLE half (id) ;\nDROP TABLE nothing;\n"})
            with pytest.raises(sqlite3.OperationalError, match="nothing"):
                Store.open(path)
        with Store.open(path) as store, store._read() as connection:
            assert connection.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'half'").fetchone()[0] == 0

    def test_files_are_found_by_their_number(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for name, text in [("0003_c.sql", "three"), ("0002_b.sql", "two"), ("schema.sql", "one"), ("2_x.sql", "no")]:
            (tmp_path / name).write_text(text)
        monkeypatch.setattr(database, "files", lambda package: tmp_path)
        assert list(database.migrations().items()) == [(2, "two"), (3, "three")]
        assert database.schema_version(database.migrations()) == 3


class TestFileSystems:
    MOUNTS = (
        "/dev/sda1 / ext4 rw 0 0\n"
        "server:/home /home nfs4 rw 0 0\n"
        "/dev/sdb1 /home/ann/scratch xfs rw 0 0\n"
        "//nas/data /mnt/my\\040data cifs rw 0 0\n"
        "tmpfs /stack tmpfs rw 0 0\n"
        "host:/x /stack nfs rw 0 0\n"
        "rubbish\n"
    )

    @pytest.mark.parametrize(
        ("path", "kind"),
        [
            ("/data/s.db", "ext4"),
            ("/home/ann/s.db", "nfs4"),
            ("/home", "nfs4"),
            ("/homestead/s.db", "ext4"),
            ("/home/ann/scratch/s.db", "xfs"),
            ("/mnt/my data/s.db", "cifs"),
            ("/stack/s.db", "nfs"),
        ],
    )
    def test_longest_and_latest_mount_counts(self, path: str, kind: str) -> None:
        assert database.filesystem(Path(path), self.MOUNTS) == kind
        assert (kind in database.NETWORK) == (kind in ("nfs", "nfs4", "cifs"))

    def test_unknown_where_nothing_is_listed(self) -> None:
        assert database.filesystem(Path("/data/s.db"), "") == ""

    def test_on_a_network_a_rollback_journal_is_used(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = tmp_path / "s.db"
        Store.open(path).close()  # made on a local disk, and carried to a network
        monkeypatch.setattr(database, "is_network", lambda path: True)
        for name in ("s.db", "new.db"):
            with Store.open(tmp_path / name) as store, store._read() as connection:
                assert connection.execute("PRAGMA journal_mode").fetchone()[0] == "delete"
                store.record(begin(store), MANIFEST, unit(0))
                assert not path.with_name(f"{name}-wal").exists()
                assert contents(store) == expected([0])
