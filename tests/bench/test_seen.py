"""Metrics that were trained on the pictures of a board have no rank there, whatever the data set is called."""

from __future__ import annotations

import csv
import hashlib
import json
import math
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from ganiq.bench import registry, seen, weights
from ganiq.bench import run as runs
from ganiq.bench.board.overlap import Overlap
from ganiq.bench.datasets import load
from ganiq.bench.protocols import MetricInfo
from ganiq.bench.sweep import build
from ganiq.bench.training.likeness import phash
from pictures import SIDE, picture
from PIL import Image

REFERENCES, LEVELS = 9, 3
SLOT = "evaluator/kd-slkd"
METRICS = ("psnr", "gmsd", "learnt")


PICTURES = [picture(n) for n in range(REFERENCES)]


def make_folder(root: Path, scored: bool = True, name: str = "holidays", paired: bool = True) -> Path:
    """Pictures with noise at so many levels, re-saved as JPEG files of quality 90."""
    root.mkdir(parents=True)
    rows = []
    for r, pixels in enumerate(PICTURES):
        Image.fromarray(pixels).save(root / f"good{r}.jpg", quality=90)
        for level in range(LEVELS):
            noise = np.random.default_rng([r, level]).normal(0, 4 + 5 * level, pixels.shape)
            made = np.clip(np.rint(pixels + noise), 0, 255).astype(np.uint8)
            Image.fromarray(made).save(root / f"p{r}_{level}.jpg", quality=90)
            row = {"image": f"p{r}_{level}.jpg", "generator": f"noise{level}"}
            row |= {"reference": f"good{r}.jpg"} if paired else {}
            rows.append(row | ({"score": f"{5 - level + 0.1 * math.sin(7 * r + level):.3f}"} if scored else {}))
    with (root / "items.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    text = f'name = "{name}"\n' + ('[score]\nkind = "MOS"\nbetter = "higher"\n' if scored else "")
    (root / "items.toml").write_text(text)
    return root


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_folder(tmp_path_factory.mktemp("set") / "data")


def evaluator(path: Path, hashes: list[int] | str, labels: str = "human scores", kind: str = "evaluator/1") -> Path:
    """The head of an evaluator's file, and no tensors; ``hashes`` as text: what it says of its training, as it is."""
    trained: Any = {"names": ["elsewhere"], "labels": labels, "data": [], "licenses": []}
    if not isinstance(hashes, str):
        trained["contents"] = [["elsewhere", f"c{n}", f"{value:016x}"] for n, value in enumerate(hashes)]
        hashes = json.dumps(trained)
    head = json.dumps({"__metadata__": {"ganiq": kind, "trained": hashes}}).encode()
    path.write_bytes(struct.pack("<Q", len(head)) + head)
    return path


@dataclass(frozen=True)
class Learnt:
    """A metric of a third party that asks an evaluator of the user's."""

    evaluator: str = ""
    info: ClassVar = MetricInfo("learnt", "Learnt", needs="image", better="lower", bounds=(0.0, 1.0))

    def __call__(self, images: Any, references: Any = None, /) -> Any:
        return (images[..., 1:] - images[..., :-1]).abs().mean(dim=(1, 2, 3))


@dataclass(frozen=True)
class Slotted(Learnt):
    """One whose evaluator fills a slot."""

    info: ClassVar = MetricInfo("slotted", "Slotted", needs="image", better="lower", bounds=(0.0, 1.0), weights=(SLOT,))


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The two are installed for a test."""
    own, find, origin = {"learnt": Learnt, "slotted": Slotted}, registry.metrics.get, registry.metrics.origin
    monkeypatch.setattr(registry.metrics, "get", lambda name: own.get(name) or find(name))
    monkeypatch.setattr(registry.metrics, "origin", lambda name: "theirs 1" if name in own else origin(name))
    yield
    weights.configure(None)


Go = Callable[..., runs.Outcome]


@pytest.fixture
def go(tmp_path: Path, folder: Path) -> Go:
    """Run on hashes that an evaluator has seen."""

    def start(hashes: list[int] | str, data: Path = folder, out: str = "out", **more: Any) -> runs.Outcome:
        file = evaluator(tmp_path / "net.safetensors", hashes, **more)
        metrics = ["psnr", "gmsd", f"learnt(evaluator='{file}')"]
        asked = {"data": data, "out": tmp_path / out, "metrics": metrics, "engine": {"kind": "serial"}}
        return runs.run(build(asked | {"statistics": {"resamples": 200}, "gallery": False}), load(data))

    return start


def row(outcome: runs.Outcome, name: str = "learnt") -> dict[str, Any]:
    board: Any = outcome.leaderboard
    return next(r for kind in ("metrics", "controls") for r in board[kind] if r["name"].partition("(")[0] == name)


def seen_of(count: int) -> list[int]:
    """Hashes of the first pictures as they were before they were re-saved, and of others."""
    return [phash(p) for p in PICTURES[:count]] + [phash(picture(n)) for n in range(100, 120)]


# --- boards --------------------------------------------------------------------------------------------------


def test_a_renamed_copy_has_no_rank(go: Go) -> None:
    outcome = go(seen_of(REFERENCES))
    learnt = row(outcome)
    assert (learnt["tier"], learnt["rank"], learnt["status"]) == (None, None, "ok")
    assert learnt["srocc_pooled"]["value"] is not None  # it has its numbers, as one that is known by name
    assert "trained on these images" in learnt["badges"]
    assert "27 of 27 images (100%), of 9 contents, show pictures that it was trained on" in learnt["reason"]
    assert learnt["reason"].endswith("its numbers are not zero-shot here, and it has no rank")
    assert all(not name.startswith("learnt") for name in outcome.leaderboard["ranking"]["names"])
    for name in ("psnr", "gmsd"):
        other = row(outcome, name)
        assert other["tier"] is not None and other["badges"] == [] and other["reason"] == ""
    assert [r.partition(": ")[2] for r in outcome.remarks] == [learnt["reason"]]


def test_images_are_found_without_their_references(go: Go, tmp_path: Path) -> None:
    learnt = row(go(seen_of(2), make_folder(tmp_path / "data", paired=False)))
    assert "6 of 27 images (22%), of 6 contents" in learnt["reason"]
    assert learnt["tier"] is None


def test_a_set_without_overlap_is_not_accused(go: Go) -> None:
    outcome = go(seen_of(0))
    learnt = row(outcome)
    assert learnt["tier"] is not None and learnt["rank"] is not None
    assert (learnt["badges"], learnt["reason"], learnt["note"]) == (["plug-in: theirs 1"], "", "")
    assert outcome.remarks == ()


def test_a_handful_is_a_note(go: Go) -> None:
    """One content may be chance, whatever the share of its images."""
    outcome = go(seen_of(1))
    learnt = row(outcome)
    assert learnt["tier"] is not None
    assert "trained on these images" not in learnt["badges"]
    assert learnt["reason"] == ""
    assert learnt["note"].startswith("3 of 27 images, of 1 content, show pictures that it was trained on")
    assert learnt["note"].endswith("too few to cost it its rank.")
    assert len(outcome.remarks) == 1


def test_images_that_nobody_scored_hide_nothing(go: Go, tmp_path: Path) -> None:
    data = make_folder(tmp_path / "data")
    lines = (data / "items.csv").read_text().splitlines()
    cut = 1 + 2 * LEVELS
    bare = [line.rpartition(",")[0] + "," for line in lines[cut:]]
    (data / "items.csv").write_text("\n".join([*lines[:cut], *bare]))
    assert "6 of 6 images (100%)" in row(go(seen_of(2), data))["reason"]


def test_scores_of_programs_are_not_called_people_s(go: Go) -> None:
    learnt = row(go(seen_of(3), labels="pseudo-MOS: never agreement with people"))
    assert "trained on, though on nobody's scores" in learnt["reason"]
    assert learnt["tier"] is None


@pytest.mark.parametrize("told", ["8568 images", "{}", '{"contents": [["a", "b", "no number"]], "labels": ""}', "[1]"])
def test_a_file_that_does_not_say_what_it_has_seen_has_no_rank(go: Go, told: str) -> None:
    learnt = row(go(told))
    assert learnt["tier"] is None
    assert "does not say which pictures it was trained on" in learnt["reason"]


def test_without_people_s_scores_it_is_a_note(go: Go, tmp_path: Path) -> None:
    learnt = row(go(seen_of(4), make_folder(tmp_path / "data", scored=False)))
    assert "trained on these images" in learnt["badges"]
    assert learnt["note"].startswith("12 of 27 images (44%), of 4 contents")
    assert learnt["reason"] == "nobody scored these images"


def test_a_name_says_why_as_well(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = MetricInfo("learnt", "Learnt", "image", "lower", (0.0, 1.0), trained_on=("HOLI-DAYS",))
    monkeypatch.setattr(Learnt, "info", info)
    asked = {"data": folder, "out": tmp_path, "metrics": list(METRICS), "engine": {"kind": "serial"}}
    learnt = row(runs.run(build(asked | {"statistics": {"resamples": 200}, "gallery": False}), load(folder)))
    assert learnt["badges"] == ["plug-in: theirs 1", "trained on HOLI-DAYS"]
    assert learnt["reason"].startswith("it was trained on HOLI-DAYS, as this data set is called")
    assert learnt["tier"] is None
    assert not (tmp_path / "features").exists()  # no metric says which pictures it has seen


def test_the_terminal_says_it(go: Go, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from ganiq.bench import cli

    outcome = go(seen_of(REFERENCES))
    monkeypatch.setattr(runs, "run", lambda *_: outcome)
    monkeypatch.setattr(cli, "_render", lambda folder: folder)
    cli._finish(build({"data": outcome.folder, "out": outcome.folder}), None, quiet=True)
    assert "27 of 27 images (100%)" in capsys.readouterr().err


# --- the evaluator's file ------------------------------------------------------------------------------------


def test_evaluators_of_slots_are_asked(folder: Path, tmp_path: Path) -> None:
    file = evaluator(tmp_path / "net.safetensors", seen_of(REFERENCES))
    weights.configure({SLOT: {"path": str(file), "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}})
    asked = {"data": folder, "out": tmp_path / "out", "metrics": ["psnr", "gmsd", "slotted"]}
    asked |= {"engine": {"kind": "serial"}, "statistics": {"resamples": 200}, "gallery": False}
    assert "27 of 27 images" in row(runs.run(build(asked), load(folder)), "slotted")["reason"]


def test_shipped_evaluators_say_what_they_have_seen() -> None:
    from ganiq.bench.measure import measure

    for name, people in (("kd-slkd", True), ("kd-ysgan", False)):
        told = seen._known(measure(name))
        assert told is not None and told.hashes is not None
        assert len(told.hashes) > 40
        assert told.people is people
    for name in ("psnr", "lpips-alex", "ridge-efflite0", "fid"):
        assert seen._known(measure(name)) is None


def test_heads_of_files(tmp_path: Path) -> None:
    file = evaluator(tmp_path / "net.safetensors", [7])
    assert weights.header(file)["ganiq"] == "evaluator/1"
    whole = file.read_bytes()
    for bad in (b"", b"{", whole[:8], whole[:40], b"PK\x03\x04" + whole, struct.pack("<Q", 2**40) + whole[8:]):
        file.write_bytes(bad)
        assert weights.header(file) == {}
    assert weights.header(tmp_path / "none") == {} == weights.header(tmp_path)


# --- hashes --------------------------------------------------------------------------------------------------


def test_every_picture_is_hashed_once(go: Go, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = go(seen_of(REFERENCES)).folder / "leaderboard.json"
    first = before.read_bytes()
    (kept,) = (tmp_path / "out" / "features").glob("phash-*.json")
    assert len(json.loads(kept.read_text())) == REFERENCES * (LEVELS + 1)
    with monkeypatch.context() as patch:
        patch.setattr(seen, "read", lambda *_, **__: pytest.fail("decoded again"))
        go(seen_of(REFERENCES))
    assert before.read_bytes() == first
    for damaged in ("", "[]", '{"a": "xyz"}', '{"a": "-1"}', '{"a": 7}'):
        kept.write_text(damaged)
        go(seen_of(REFERENCES))
        assert before.read_bytes() == first
        assert len(json.loads(kept.read_text())) == REFERENCES * (LEVELS + 1)


def test_a_run_from_before_is_looked_at_as_well(go: Go, tmp_path: Path) -> None:
    """Its store holds every score, and no hash."""
    fresh = go(seen_of(REFERENCES)).folder / "leaderboard.json"
    new = fresh.read_bytes()
    for file in (tmp_path / "out" / "features").iterdir():
        file.unlink()
    again = go(seen_of(REFERENCES))
    assert again.counts["computed"] == 0
    assert fresh.read_bytes() == new


def test_nothing_is_decoded_where_no_metric_was_trained(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seen, "read", lambda *_, **__: pytest.fail("decoded for nothing"))
    asked = {"data": folder, "out": tmp_path, "metrics": ["psnr", "learnt"], "engine": {"kind": "serial"}}
    runs.run(build(asked | {"statistics": {"resamples": 200}, "gallery": False}), load(folder))


def test_images_without_a_score_are_not_decoded(go: Go, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What ended a worker must not end the run."""
    data = make_folder(tmp_path / "data")
    (data / "p0_0.jpg").write_bytes(b"no image")
    opened: list[str] = []
    true = seen.read
    monkeypatch.setattr(seen, "read", lambda *a, **k: (opened.append(k["shown"]), true(*a, **k))[1])
    learnt = row(go(seen_of(REFERENCES), data))
    assert "26 of 26 images (100%)" in learnt["reason"]
    assert "p0_0.jpg" not in opened and "p0_1.jpg" in opened


def test_blank_pictures_are_alike_and_nobody_s(go: Go, tmp_path: Path) -> None:
    data = make_folder(tmp_path / "data", paired=False)
    blank, ramp = np.full((SIDE, SIDE, 3), 90, np.uint8), np.zeros((SIDE, SIDE, 3), np.uint8)
    ramp[:] = np.linspace(0, 255, SIDE).astype(np.uint8)[:, None]
    for n, pixels in enumerate((blank, ramp, blank + 9)):
        Image.fromarray(pixels).save(data / f"p{n}_0.jpg", quality=90)
    learnt = row(go([phash(blank), phash(ramp)], data))
    assert (learnt["note"], learnt["reason"]) == ("", "")


# --- the rule ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("images", "of", "contents", "contents_of", "lost"),
    [
        (0, 500, 0, 500, False),
        (5, 500, 5, 500, False),  # a hundredth
        (6, 500, 6, 500, True),
        (9, 77, 1, 8, False),  # a single content
        (18, 77, 2, 8, True),
        (30, 30, 1, 1, True),  # all there is
        (0, 0, 0, 0, False),
    ],
)
def test_what_costs_a_rank(images: int, of: int, contents: int, contents_of: int, lost: bool) -> None:
    found = Overlap(images, of, contents, contents_of)
    assert found.disqualifies is lost
    assert bool(found.sentence) is bool(images)


def test_pictures_of_other_sets_are_not_accused(shared_data: Path) -> None:
    """What the shipped evaluators saw, against photographs that they did not see."""
    from ganiq.bench.images import read
    from ganiq.bench.measure import measure

    files = sorted((shared_data / "live-subset" / "reference").iterdir())
    files += sorted((shared_data / "gan-image-database" / "images").rglob("*.png"))[:12]
    hashes = {path.name: phash(read(path)[0]) for path in files}
    for name in ("kd-slkd", "kd-ysgan"):
        told = seen._known(measure(name))
        assert told is not None
        assert seen._near(hashes, told.hashes) == set()
