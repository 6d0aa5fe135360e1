"""Exported files: complete, checkable, safe in a spreadsheet, and the same for the same results."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from pathlib import Path

import pandas
import pytest
from ganiq.bench import atomic
from ganiq.bench.cells import guard, unguard
from ganiq.bench.errors import ResourceError, UsageError
from ganiq.bench.store import Store
from ganiq.bench.types import ItemResult
from stores import FR, IDENTITIES, MANIFEST, METRICS, NR, begin, contents, picture, result, score, sha, unit


def read(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_bytes().decode(), newline="")))


@pytest.fixture
def store(tmp_path: Path):
    with Store.open(tmp_path / "s.db") as opened:
        run = begin(opened)
        opened.record(run, MANIFEST, [*unit(1), *unit(0), ItemResult("gone", refusal=("E-IO-GONE", "gone.png"))])
        opened.record(run, MANIFEST, [result("item1", score("item1", NR, 99.0))])
        opened.record_set(run, MANIFEST, "gan", FR, n=3, value=0.1 + 0.2, features="f")
        yield opened


def test_everything_is_there(store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "a" / "out"
    store.export(folder, MANIFEST)
    names = {metric: identity["name"] for metric, identity in IDENTITIES.items()}
    got = [
        (row["item"], row["metric_digest"], float(row["value"]) if row["value"] else None, row["status"], row["detail"])
        for row in read(folder / "scores.csv")
    ]
    assert got == contents(store, metrics=sorted(METRICS, key=lambda m: names[m]))
    first = read(folder / "scores.csv")[0]
    assert (first["image_sha256"], first["reference_sha256"], first["metric"]) == (sha("gone")[:0], "", "fr")
    assert read(folder / "scores.csv")[-1]["reference_sha256"] == sha("reference2")
    assert float(read(folder / "set_scores.csv")[0]["value"]) == 0.1 + 0.2
    assert read(folder / "refusals.csv") == [{"item": "gone", "code": "E-IO-GONE", "message": "gone.png"}]
    assert [row["second_value"] for row in read(folder / "conflicts.csv")] == ["99.0"]
    assert len(read(folder / "images.csv")) == 8 + 5
    assert json.loads((folder / "metrics.json").read_text()) == IDENTITIES
    assert json.loads((folder / "manifest.json").read_text()) == {"digest": MANIFEST, "name": "faces"}
    assert json.loads((folder / "runs.json").read_text())[0]["document"] == {"argv": ["ganiq", "run"]}


def test_sums_are_those_of_sha256sum(store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    store.export(folder, MANIFEST)
    lines = [line.split("  ") for line in (folder / "SHA256SUMS").read_text().splitlines()]
    sums = {name: digest for digest, name in lines}
    files = {path.name for path in folder.iterdir()} - {"SHA256SUMS"}
    assert set(sums) == files
    assert len(files) == 8
    for name, digest in sums.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest


def test_same_results_same_tables_whatever_the_order_of_work(store: Store, tmp_path: Path) -> None:
    store.export(tmp_path / "one", MANIFEST)
    with Store.open(tmp_path / "t.db") as other:
        run = begin(other)
        other.record_set(run, MANIFEST, "gan", FR, n=3, value=0.1 + 0.2, features="f")
        other.record(run, MANIFEST, [ItemResult("gone", refusal=("E-IO-GONE", "gone.png")), *unit(0)])
        other.record(begin(other), MANIFEST, unit(1))
        other.record(run, MANIFEST, [result("item1", score("item1", NR, 99.0))])
        other.export(tmp_path / "two", MANIFEST)
    for path in (tmp_path / "one").glob("*.csv"):
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes(), path.name


def test_export_again_replaces_the_old_one(store: Store, tmp_path: Path) -> None:
    store.export(tmp_path / "out", MANIFEST)
    before = (tmp_path / "out" / "scores.csv").read_bytes()
    store.record(begin(store), MANIFEST, unit(2))
    store.export(tmp_path / "out", MANIFEST)
    assert len((tmp_path / "out" / "scores.csv").read_bytes()) > len(before)


def test_refuses_a_folder_with_other_things(store: Store, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"'s\.db.*of its own"):
        store.export(tmp_path, MANIFEST)
    with pytest.raises(UsageError, match="no results of manifest"):
        store.export(tmp_path / "out", sha("unknown"))
    assert not (tmp_path / "out").exists()


def test_no_sums_unless_complete(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store.export(tmp_path / "out", MANIFEST)
    store.record(begin(store), MANIFEST, unit(2))
    real, left = atomic.os.fsync, iter(range(2))

    def full(descriptor: int) -> None:
        if next(left, None) is None:
            raise OSError(28, "No space left on device")
        real(descriptor)

    monkeypatch.setattr(atomic.os, "fsync", full)
    with pytest.raises(ResourceError, match="free space"):
        store.export(tmp_path / "out", MANIFEST)
    monkeypatch.undo()
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert "SHA256SUMS" not in names
    assert not [name for name in names if name.startswith(".ganiq")]


NASTY = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\tx",
    "\rx",
    "\nx",
    "'=1",
    'a"b',
    "a,b",
    "a\nb",
    "naïve 名",
    "<img src=x>",
    " lead",
]


@pytest.mark.parametrize("name", NASTY)
def test_no_cell_is_a_formula_and_all_come_back(name: str, tmp_path: Path) -> None:
    with Store.open(tmp_path / "s.db") as store:
        run = begin(store)
        store.record(run, MANIFEST, [ItemResult(name, picture("x"), None, (score("x", NR, -1.5),))])
        store.export(tmp_path / "out", MANIFEST)
    (row,) = read(tmp_path / "out" / "scores.csv")
    assert row["item"] == guard(name)
    assert unguard(row["item"]) == name
    assert row["value"] == "-1.5"
    frame = pandas.read_csv(tmp_path / "out" / "scores.csv", keep_default_na=False)
    assert list(frame["item"]) == [guard(name)]
    assert list(frame["value"]) == [-1.5]
