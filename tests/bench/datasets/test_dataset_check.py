"""What `ganiq check` finds: every kind of mistake, once each, and nothing in a sound set."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from ganiq.bench.datasets import load
from ganiq.bench.datasets.check import Finding, check

HEAD = "image,reference,score\n"
TOML = '[score]\nkind = "MOS"\nbetter = "%s"\nlow = 0\nhigh = 100\n'


def sound(folder: Path, paint, groups: int = 8, better: str = "higher", flip: bool = False) -> list[str]:
    """Noise ladders of five steps whose score falls with noise (``flip``: rises)."""
    lines = []
    for g in range(groups):
        paint(folder / f"ref/r{g}.png", g)
        for n in range(1, 6):
            paint(folder / f"out/r{g}_{n}.png", g, noise=4.0 * n)
            lines.append(f"out/r{g}_{n}.png,ref/r{g}.png,{10 * n + g if flip else 90 - 10 * n - g}\n")
    (folder / "items.csv").write_text(HEAD + "".join(lines))
    (folder / "items.toml").write_text(TOML % better)
    return lines


def examine(folder: Path, **options) -> list[Finding]:
    return check(load(folder), **options)


def codes(findings: list[Finding]) -> dict[str, str]:
    return {f.code: f.level for f in findings}


def test_a_sound_set_has_no_findings(tmp_path: Path, paint) -> None:
    sound(tmp_path, paint)
    assert examine(tmp_path) == []


@pytest.mark.parametrize(
    ("better", "flip", "wrong"), [("higher", True, True), ("lower", False, True), ("lower", True, False)]
)
def test_direction_against_psnr(tmp_path: Path, paint, better: str, flip: bool, wrong: bool) -> None:
    sound(tmp_path, paint, better=better, flip=flip)
    found = [f for f in examine(tmp_path) if f.code == "W-DIRECTION"]
    assert bool(found) == wrong
    if wrong:
        assert found[0].level == "warning"
        assert f"declares that {better} scores are better" in found[0].message
        assert f"PSNR correlates {'-' if flip else '+'}1.00" in found[0].message


def test_missing_files(tmp_path: Path, paint) -> None:
    sound(tmp_path, paint)
    (tmp_path / "out/r0_1.png").unlink()
    (tmp_path / "ref/r1.png").unlink()
    found = {f.path: f for f in examine(tmp_path)}
    assert set(found) == {"out/r0_1.png", "ref/r1.png"}
    assert all((f.level, f.code) == ("error", "E-IO-MISSING") for f in found.values())
    assert "5 items" in found["ref/r1.png"].message


def test_nothing_at_hand_is_one_finding(tmp_path: Path, paint) -> None:
    sound(tmp_path, paint)
    shutil.rmtree(tmp_path / "out")
    assert [(f.level, f.path) for f in examine(tmp_path)] == [("error", "")]


def test_unreadable_and_mismatched_files(tmp_path: Path, paint) -> None:
    lines = sound(tmp_path, paint)
    (tmp_path / "out/r0_1.png").write_text("version https://git-lfs.github.com/spec/v1\n")
    paint(tmp_path / "out/r1_1.png", 1, size=(20, 12))
    digest = "0" * 64
    table = "image,reference,score,sha256\n" + "".join(
        line.rstrip() + (f",{digest}\n" if "r2_1" in line else ",\n") for line in lines
    )
    (tmp_path / "items.csv").write_text(table)
    found = {f.path: f for f in examine(tmp_path)}
    assert {path: (f.level, f.code) for path, f in found.items()} == {
        "out/r0_1.png": ("error", "E-IMG-FORMAT"),
        "out/r1_1.png": ("error", "E-PAIR-SIZE"),
        "out/r2_1.png": ("error", "E-IMG-HASH"),
    }
    assert "has 20x12 pixels but its reference ref/r1.png has 16x12" in found["out/r1_1.png"].message
    assert "LFS" in found["out/r0_1.png"].message


def test_duplicate_pixels(tmp_path: Path, paint) -> None:
    sound(tmp_path, paint)
    shutil.copy(tmp_path / "out/r0_1.png", tmp_path / "out/r0_2.png")
    shutil.copy(tmp_path / "ref/r1.png", tmp_path / "out/r1_1.png")
    shutil.copy(tmp_path / "ref/r2.png", tmp_path / "ref/r3.png")
    found = {f.path: f for f in examine(tmp_path)}
    assert {path: f.code for path, f in found.items()} == {
        "out/r0_2.png": "W-DUPLICATE",
        "out/r1_1.png": "W-IS-REFERENCE",
        "ref/r3.png": "W-DUPLICATE",
    }
    assert "with scores 70 and 80" in found["out/r0_2.png"].message


def test_a_reference_shown_as_a_condition_is_no_duplicate(tmp_path: Path, paint) -> None:
    lines = sound(tmp_path, paint)
    table = ["image,reference,score,role\n", "ref/r0.png,ref/r0.png,99,reference\n"]
    (tmp_path / "items.csv").write_text("".join(table + [line.rstrip() + ",\n" for line in lines]))
    assert examine(tmp_path) == []
    (tmp_path / "items.csv").write_text(HEAD + "ref/r0.png,ref/r0.png,99\n" + "".join(lines))
    assert [(f.code, f.path) for f in examine(tmp_path)] == [("W-IS-REFERENCE", "ref/r0.png")]


def test_scores_that_say_nothing(tmp_path: Path, paint) -> None:
    lines = sound(tmp_path, paint)
    constant = [line.rpartition(",")[0] + ",50\n" for line in lines]
    (tmp_path / "items.csv").write_text(HEAD + "".join(constant[:5] + lines[5:]))
    assert codes(examine(tmp_path)) == {"W-SCORE-CONSTANT": "warning"}
    (tmp_path / "items.csv").write_text(HEAD + "".join(constant))
    assert codes(examine(tmp_path)) == {"E-SCORE-CONSTANT": "error"}
    (tmp_path / "items.csv").write_text(HEAD + "".join(line.rpartition(",")[0] + ",\n" for line in lines))
    assert codes(examine(tmp_path)) == {"W-NO-SCORES": "warning"}
    (tmp_path / "items.csv").write_text(HEAD + "".join([lines[0].rpartition(",")[0] + ",101\n", *lines[1:]]))
    (found,) = examine(tmp_path)
    assert (found.level, found.code, found.path) == ("error", "E-SCORE-RANGE", "out/r0_1")


def test_small_sets(tmp_path: Path, paint) -> None:
    lines = sound(tmp_path, paint, groups=7)
    assert codes(examine(tmp_path)) == {"N-FEW-GROUPS": "note"}
    (tmp_path / "items.csv").write_text(HEAD + "".join(lines[:-1]))
    found = examine(tmp_path)
    assert codes(found) == {"N-FEW-GROUPS": "note", "N-SMALL-GROUPS": "note"}
    assert "1 of 7 groups" in found[1].message


def test_items_without_reference(tmp_path: Path, paint) -> None:
    lines = sound(tmp_path, paint)
    paint(tmp_path / "alone.png", 99)
    (tmp_path / "items.csv").write_text(HEAD + "".join(lines) + "alone.png,,50\n")
    found = examine(tmp_path)
    assert ("W-NO-REFERENCE", "alone") in [(f.code, f.path) for f in found]
    bare = "".join(f"{line.split(',')[0]},{n}\n" for n, line in enumerate(lines))
    (tmp_path / "items.csv").write_text("image,score\n" + bare)
    assert codes(examine(tmp_path)) == {"N-NO-REFERENCE": "note"}


def test_names_that_some_file_systems_take_for_one(tmp_path: Path, paint) -> None:
    lines = sound(tmp_path, paint)
    paint(tmp_path / "ref/R0.png", 50)
    lines[0] = lines[0].replace("ref/r0.png", "ref/R0.png")
    (tmp_path / "items.csv").write_text("image,reference,score,group\n" + "".join(f"{x.rstrip()},\n" for x in lines))
    assert "E-NAME-TWIN" in codes(examine(tmp_path))
    (tmp_path / "items.csv").write_text(
        "image,reference,score,key\n" + f"{lines[1].rstrip()},k\n{lines[1].rstrip()},K\n"
    )
    assert {"W-FILE-TWICE", "W-KEY-TWIN"} <= set(codes(examine(tmp_path)))


def test_a_sample_reads_no_more_than_it_says(tmp_path: Path, paint) -> None:
    sound(tmp_path, paint)
    for path in (tmp_path / "out").iterdir():
        path.write_bytes(b"broken")
    seen: list[int] = []
    found = examine(tmp_path, sample=4, tick=seen.append)
    assert len(seen) == 4
    assert sum(f.code == "E-IMG-FORMAT" for f in found) == 4
    assert any("4 of 40 images" in f.message for f in found if f.code == "N-SAMPLE")
    assert codes(examine(tmp_path, sample=0)) == {"N-SAMPLE": "note"}


def test_notes_of_the_gate_are_counted(tmp_path: Path, paint) -> None:
    sound(tmp_path, paint)
    for n in (1, 2):
        paint(tmp_path / "x.bmp", 0, noise=4.0 * n)
        (tmp_path / "x.bmp").rename(tmp_path / f"out/r0_{n}.png")
    (found,) = examine(tmp_path)
    assert (found.level, found.code) == ("note", "N-FILE")
    assert "another format" in found.message
    assert "2 files" in found.message


def test_errors_come_first(tmp_path: Path, paint) -> None:
    sound(tmp_path, paint, groups=2, flip=True)
    (tmp_path / "out/r0_1.png").unlink()
    levels = [f.level for f in examine(tmp_path)]
    assert levels == sorted(levels, key=["error", "warning", "note"].index)
    assert len(set(levels)) == 3
