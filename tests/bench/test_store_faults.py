"""Many writers, killed writers, a full disk, a damaged file: what was acknowledged is there, and nothing else."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
import stores
from ganiq.bench.errors import IntegrityError, UsageError
from ganiq.bench.store import Store, database
from stores import MANIFEST, SIZE, begin, contents, expected, unit

PROGRAM = str(stores.__file__)


def start(*arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, PROGRAM, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def sound(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


def only_whole_units(path: Path) -> set[int]:
    """Numbers of the units that are there; fails on a part of one or on a wrong value."""
    with Store.open(path) as store:
        rows = contents(store)
    numbers = {int(row[0].removeprefix("item")) // SIZE for row in rows}
    assert rows == expected(numbers)
    return numbers


@pytest.mark.parametrize(("writers", "units"), [(8, 200), pytest.param(8, 500, marks=pytest.mark.slow)])
def test_many_writers_share_one_file(writers: int, units: int, tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    processes = [start("write", path, units, seed) for seed in range(writers)]
    written: set[int] = set()
    for process in processes:
        out, err = process.communicate(timeout=250)
        assert (process.returncode, err) == (0, "")
        written |= set(map(int, out.split()))
    assert len(written) > units  # they did overlap without being equal
    assert only_whole_units(path) == written
    sound(path)
    with Store.open(path) as store:
        assert store.conflicts() == []
        assert [run.status for run in store.runs()] == ["done"] * writers


@pytest.mark.parametrize("kills", [25, pytest.param(100, marks=pytest.mark.slow)])
def test_killed_while_writing(kills: int, tmp_path: Path) -> None:
    path, units, chance = tmp_path / "s.db", 100_000, random.Random(20)
    acknowledged: set[int] = set()
    for kill in range(kills):
        log = tmp_path / f"{kill}.log"
        with log.open("wb") as file:
            process = subprocess.Popen([sys.executable, PROGRAM, "resume", path, str(units)], stdout=file, stderr=file)
        while kill % 5 and not log.stat().st_size:  # every fifth at any moment, also while it opens the file
            assert process.poll() is None
            time.sleep(0.005)
        time.sleep(chance.uniform(0, 0.1 if kill % 5 else 0.3))
        process.kill()
        assert process.wait() == -signal.SIGKILL
        new = {int(line) for line in log.read_text().splitlines()}
        assert not new & acknowledged, "an acknowledged unit was done again"
        acknowledged |= new
    assert len(acknowledged) > 3 * kills
    present = only_whole_units(path)
    assert present >= acknowledged, "lost"
    assert len(present - acknowledged) <= kills  # committed, and killed before it could say so
    sound(path)


def test_killed_and_resumed_to_the_end_gives_the_same_as_undisturbed(tmp_path: Path) -> None:
    units = 60
    for delay in (0.15, 0.2, 0.25):
        process = start("resume", tmp_path / "killed.db", units)
        time.sleep(delay)
        process.kill()
        process.communicate()
    for name in ("killed.db", "undisturbed.db"):
        out, err = start("resume", tmp_path / name, units).communicate(timeout=60)
        assert (out.split()[-1], err) == ("done", "")
    with Store.open(tmp_path / "killed.db") as a, Store.open(tmp_path / "undisturbed.db") as b:
        assert contents(a) == contents(b) == expected(range(units))


def test_disk_full(tmp_path: Path) -> None:
    """A dozen places at which no file may grow any more: clear message, exit code 5, nothing acknowledged lost."""
    stopped = 0
    for limit in [*range(4096, 60_000, 8192), 100_000, 300_000, 1_000_000, 3_000_001]:
        path = tmp_path / f"{limit}.db"
        out, err = start("fill", path, limit).communicate(timeout=120)
        assert err == ""
        *lines, message = out.splitlines()
        assert message.startswith("5 E-IO-FULL "), message
        assert "free space" in message
        acknowledged = {int(line) for line in lines}
        stopped += bool(acknowledged)
        assert not list(tmp_path.glob(".ganiq-*"))
        # With space again, the same file goes on.
        present = only_whole_units(path)
        assert present >= acknowledged
        assert len(present - acknowledged) <= 1
        with Store.open(path) as store:
            store.record(begin(store), MANIFEST, unit(1_000_000))
        assert only_whole_units(path) == present | {1_000_000}
        sound(path)
    assert stopped >= 4


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    path = tmp_path / "s.db"
    with Store.open(path) as store:
        run = begin(store)
        for number in range(40):
            store.record(run, MANIFEST, unit(number))
        store.finish(run, "done")
    return path


class TestDamage:
    """R08: integrity error, exit code 4, and the file stays as it is."""

    def refused(self, path: Path, match: str = "damaged|not a result store") -> str:
        before = path.read_bytes()
        with pytest.raises(IntegrityError, match=match) as caught:
            Store.open(path)
        assert caught.value.exit_code == 4
        assert path.read_bytes() == before
        assert str(path) in str(caught.value)
        return str(caught.value)

    @pytest.mark.parametrize("part", [0.5, 0.1, 0.9, 0.999])
    def test_truncated(self, part: float, filled: Path) -> None:
        os.truncate(filled, int(filled.stat().st_size * part))
        self.refused(filled, "damaged")

    @pytest.mark.parametrize("kind", ["random", "zero", "inverted"])
    def test_any_page_overwritten(self, kind: str, filled: Path) -> None:
        whole, chance = filled.read_bytes(), random.Random(8)
        for begin_ in range(0, len(whole), 4096):
            page = whole[begin_ : begin_ + 4096]
            new = {"random": chance.randbytes(4096), "zero": bytes(4096), "inverted": bytes(255 - b for b in page)}
            filled.write_bytes(whole[:begin_] + new[kind] + whole[begin_ + 4096 :])
            self.refused(filled)

    def test_message_says_what_is_recoverable(self, filled: Path) -> None:
        whole = bytearray(filled.read_bytes())
        root = self.page_of(filled, "sqlite_autoindex_image_1")
        whole[root * 4096 : (root + 1) * 4096] = bytes(4096)
        filled.write_bytes(whole)
        message = self.refused(filled, "damaged")
        assert "at least 480 scores are readable" in message
        assert "restore a copy, or repair it" in message

    @staticmethod
    def page_of(path: Path, name: str) -> int:
        with closing(sqlite3.connect(path)) as connection:
            return connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (name,)).fetchone()[0] - 1

    @pytest.mark.parametrize("text", [b"hello", b"version https://git-lfs.github.com/spec/v1\n" * 40, bytes(8192)])
    def test_not_a_database(self, text: bytes, tmp_path: Path) -> None:
        path = tmp_path / "s.db"
        path.write_bytes(text)
        self.refused(path)

    def test_of_another_program(self, tmp_path: Path) -> None:
        path = tmp_path / "s.db"
        with closing(sqlite3.connect(path)) as connection:
            connection.executescript("CREATE TABLE score (player TEXT); INSERT INTO score VALUES ('ann');")
        self.refused(path, "another program.*name another file")

    def test_newer(self, filled: Path) -> None:
        with closing(sqlite3.connect(filled)) as connection:
            connection.execute("PRAGMA user_version = 7")
        self.refused(filled, "newer version of ganiq .schema 7.*upgrade")

    def test_newer_and_only_in_the_log(self, filled: Path) -> None:
        with closing(sqlite3.connect(filled)) as connection:
            connection.execute("PRAGMA user_version = 7")
            self.refused(filled, "newer")

    def test_a_table_is_gone(self, filled: Path) -> None:
        with closing(sqlite3.connect(filled)) as connection:
            connection.execute("DROP TABLE conflict")
        self.refused(filled, "lacks conflict")

    def test_empty_file_is_a_new_store(self, tmp_path: Path) -> None:
        path = tmp_path / "s.db"
        path.touch()
        with Store.open(path) as store:
            assert contents(store) == []

    def test_check_can_be_left_out(self, filled: Path) -> None:
        whole = bytearray(filled.read_bytes())
        root = self.page_of(filled, "set_score")
        whole[root * 4096 : (root + 1) * 4096] = bytes(4096)
        filled.write_bytes(whole)
        self.refused(filled)
        with Store.open(filled, check=False) as store:
            assert len(contents(store)) == 480
            with pytest.raises(IntegrityError):
                store.set_scores(MANIFEST)

    def test_write_ahead_log_deleted_after_a_crash(self, tmp_path: Path) -> None:
        """SQLite cannot notice it. What is left is sound, holds whole units, and the rest is scored again."""
        path = tmp_path / "s.db"
        process = start("resume", path, 100_000)
        assert process.stdout is not None
        for _ in range(100):
            process.stdout.readline()
        process.kill()
        process.communicate()
        path.with_name("s.db-wal").unlink()
        only_whole_units(path)
        sound(path)
        out, err = start("resume", path, 150).communicate(timeout=60)
        assert (out.split()[-1], err) == ("done", "")
        assert only_whole_units(path) >= set(range(150))

    def test_a_crash_on_a_rollback_journal_is_rolled_back(self, filled: Path, tmp_path: Path) -> None:
        """As on a network file system: a half-written transaction, undone at the next opening."""
        with closing(sqlite3.connect(filled)) as connection:
            connection.execute("PRAGMA journal_mode = DELETE")
        code = (
            "import os, sqlite3, sys\n"
            "c = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
            "c.execute('PRAGMA cache_size = 1'); c.execute('BEGIN IMMEDIATE')\n"
            "c.execute('UPDATE score SET value = 0 WHERE value IS NOT NULL')\n"
            "c.execute('UPDATE image SET bytes = 0')\n"
            "os.kill(os.getpid(), 9)\n"
        )
        assert subprocess.run([sys.executable, "-c", code, filled], check=False).returncode == -9
        assert filled.with_name("s.db-journal").exists()
        assert only_whole_units(filled) == set(range(40))
        sound(filled)


class TestRepair:
    def test_saves_what_is_readable_and_keeps_the_damaged_file(self, filled: Path) -> None:
        whole, saved = filled.read_bytes(), []
        for begin_ in range(0, len(whole), 4096):
            damaged = whole[:begin_] + bytes(4096) + whole[begin_ + 4096 :]
            filled.write_bytes(damaged)
            with pytest.raises(IntegrityError):
                Store.open(filled)
            repaired = Store.repair(filled)
            aside = filled.with_name(repaired.aside)
            assert aside.read_bytes() == damaged
            aside.unlink()
            saved.append(repaired.scores)
            assert [path.name for path in filled.parent.iterdir()] == ["s.db"]
            sound(filled)
            with Store.open(filled) as store:
                assert set(contents(store)) <= set(expected(range(40)))
                run = begin(store)
                for number in range(40):
                    assert store.record(run, MANIFEST, unit(number)) == 0
                assert contents(store) == expected(range(40))
        assert saved.count(480) > 3  # the damage was elsewhere
        assert sum(300 < count < 480 for count in saved) > 3  # a leaf of the scores

    def test_hopeless_file_gives_an_empty_store(self, tmp_path: Path) -> None:
        path = tmp_path / "s.db"
        path.write_bytes(b"not a database" * 1000)
        assert Store.repair(path) == ("s.db.damaged-1", 0)
        path.write_bytes(b"not a database" * 2000)
        assert Store.repair(path) == ("s.db.damaged-2", 0)
        with Store.open(path) as store:
            assert contents(store) == []
        assert (tmp_path / "s.db.damaged-1").read_bytes() == b"not a database" * 1000

    def test_sound_store_keeps_everything(self, filled: Path) -> None:
        with Store.open(filled) as store:
            before, runs, images = contents(store), store.runs(), store.images()
        assert Store.repair(filled).scores == 480
        with Store.open(filled) as store:
            assert (contents(store), store.runs(), store.images()) == (before, runs, images)
            assert store.links(MANIFEST).keys() == {row[0] for row in before}
            assert begin(store) == 2

    def test_refuses_what_is_not_its_business(self, filled: Path, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="no such"):
            Store.repair(tmp_path / "nothing.db")
        with closing(sqlite3.connect(filled)) as connection:
            connection.execute("PRAGMA user_version = 7")
        with pytest.raises(IntegrityError, match="newer"):
            Store.repair(filled)
        foreign = tmp_path / "foreign.db"
        with closing(sqlite3.connect(foreign)) as connection:
            connection.executescript("CREATE TABLE t (x);")
        with pytest.raises(IntegrityError, match="another program"):
            Store.repair(foreign)


def test_errors_of_sqlite_are_sorted_by_what_the_user_can_do() -> None:
    def code(number: int) -> int | None:
        error = sqlite3.OperationalError("text")
        error.sqlite_errorcode = number
        shown = database.explain(error, Path("s.db"))
        return shown.exit_code if shown else None

    assert code(sqlite3.SQLITE_CORRUPT) == code(sqlite3.SQLITE_NOTADB) == code(sqlite3.SQLITE_IOERR_SHORT_READ) == 4
    assert code(sqlite3.SQLITE_FULL) == code(sqlite3.SQLITE_IOERR_WRITE) == code(sqlite3.SQLITE_BUSY) == 5
    assert code(sqlite3.SQLITE_NOMEM) == 5
    assert code(sqlite3.SQLITE_READONLY) == code(sqlite3.SQLITE_CANTOPEN) == 2
    assert code(sqlite3.SQLITE_ERROR) is code(sqlite3.SQLITE_CONSTRAINT) is None
