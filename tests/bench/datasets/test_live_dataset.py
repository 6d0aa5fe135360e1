"""LIVE release 2: MATLAB files of 982 rows, names that repeat in every folder, and the plain table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ganiq.bench import datasets
from ganiq.bench.datasets.check import check
from ganiq.bench.errors import UsageError
from scipy.io import savemat

FOLDERS = {"jp2k": 227, "jpeg": 233, "wn": 174, "gblur": 174, "fastfading": 174}
REFERENCES = {"jp2k": 58, "jpeg": 58, "wn": 29, "gblur": 29, "fastfading": 29}
TOTAL = sum(FOLDERS.values())


def build(folder: Path, *, orgs: bool = True, name: str = "dmos_new", rows: int = TOTAL) -> dict[str, float]:
    """The two MATLAB files; the last rows of every folder are references with DMOS 0."""
    names, scores, pristine = [], [], []
    expected = {}
    for kind, count in FOLDERS.items():
        for number in range(1, count + 1):
            original = number > count - REFERENCES[kind]
            value = 0.0 if original else 10 + number / 7
            names.append(f"ref{number % 3}.bmp")
            scores.append(value)
            pristine.append(original)
            if not original:
                expected[f"{kind}/img{number}"] = value
    cells = np.empty((1, TOTAL), object)
    cells[0, :] = names
    document = {name: np.array([scores[:rows]]), "dmos_std": np.full((1, TOTAL), 2.5)}
    if orgs:
        document["orgs"] = np.array([pristine[:rows]], np.uint8)
    savemat(folder / "dmos_realigned.mat", document)
    savemat(folder / "refnames_all.mat", {"refnames_all": cells})
    return expected


@pytest.mark.parametrize(("orgs", "name"), [(True, "dmos_new"), (False, "dmos_new"), (True, "dmos")])
def test_references_are_left_out(tmp_path: Path, orgs: bool, name: str) -> None:
    expected = build(tmp_path, orgs=orgs, name=name)
    manifest = datasets.load(tmp_path)
    assert len(manifest.items) == 779
    assert {i.key: i.score for i in manifest.items} == pytest.approx(expected)
    counts = {kind: sum(i.distortion == kind for i in manifest.items) for kind in FOLDERS}
    assert counts == {"jp2k": 169, "jpeg": 175, "wn": 145, "gblur": 145, "fastfading": 145}
    assert len(manifest.groups) == 3
    assert manifest.scale is not None
    assert (manifest.scale.kind, manifest.scale.better, manifest.scale.comparable) == ("DMOS", "lower", "everywhere")
    assert {c.family for c in manifest.classes} == {"traditional"}
    assert not any("subset" in note for note in manifest.notes)


def test_files_are_found_in_their_own_folder(tmp_path: Path, paint) -> None:
    build(tmp_path)
    paint(tmp_path / "jpeg" / "IMG2.webp")
    paint(tmp_path / "refimgs" / "Ref2.PNG")
    manifest = datasets.load(tmp_path)
    item = manifest.by_key["jpeg/img2"]
    assert (item.image, item.reference, item.group, item.generator) == (
        "jpeg/IMG2.webp",
        "refimgs/Ref2.PNG",
        "ref2",
        "jpeg",
    )
    assert manifest.by_key["wn/img2"].image == "wn/img2.bmp"  # not the JPEG of the same number
    assert item.attrs["dmos_std"] == "2.5"


def test_info_txt_gives_the_setting_and_a_cross_check(tmp_path: Path) -> None:
    build(tmp_path)
    (tmp_path / "jp2k").mkdir()
    (tmp_path / "jp2k" / "info.txt").write_text("ref1.bmp img1.bmp 0.2\nother.bmp img2.bmp 1.1\n\n")
    manifest = datasets.load(tmp_path)
    assert manifest.by_key["jp2k/img1"].attrs["setting"] == "0.2"
    assert "setting" not in manifest.by_key["jpeg/img1"].attrs
    assert any("different references for 1 images" in note for note in manifest.notes)


def test_files_that_do_not_belong_together(tmp_path: Path) -> None:
    build(tmp_path, rows=981)
    with pytest.raises(UsageError, match=r"has 981 scores and .* 982 names, 982 each were expected"):
        datasets.load(tmp_path)
    (tmp_path / "dmos_realigned.mat").write_bytes(b"not a MATLAB file at all, but long enough to look like one" * 9)
    with pytest.raises(UsageError, match="cannot be read as a MATLAB file"):
        datasets.load(tmp_path)
    (tmp_path / "dmos_realigned.mat").unlink()
    with pytest.raises(UsageError, match=r"dmos_realigned\.mat is not there; .*live\.ece"):
        datasets.load(tmp_path)


def test_plain_table(tmp_path: Path) -> None:
    (tmp_path / "scores.csv").write_text(
        "image,reference,distortion,dmos,dmos_std,live_image\n"
        "d/a_2.webp,r/a.webp,wnoise,73.5,2.8,img67.bmp\n"
        "d/a_3.webp,r/a.webp,jpeg,12.5,,\n"
    )
    manifest = datasets.load(tmp_path)
    assert manifest.name == "live"
    first, second = manifest.items
    assert (first.key, first.image, first.reference, first.score) == ("wn/img67", "d/a_2.webp", "r/a.webp", 73.5)
    assert (first.distortion, first.group, first.attrs["dmos_std"]) == ("wn", "a", "2.8")
    assert (second.key, dict(second.attrs)) == ("a_3", {})
    assert any(note.startswith("A subset: 2 of the 779") for note in manifest.notes)


def test_plain_table_with_another_type(tmp_path: Path) -> None:
    (tmp_path / "scores.csv").write_text("image,reference,distortion,dmos\na.png,r.png,gan,3\n")
    with pytest.raises(UsageError, match="line 2: distortion 'gan'; the types of LIVE are jp2k"):
        datasets.load(tmp_path)


def test_real_subset(shared_data: Path) -> None:
    manifest = datasets.load(shared_data / "live-subset")
    assert len(manifest.items) == 133
    assert len(manifest.groups) == 7
    counts = {kind: sum(i.distortion == kind for i in manifest.items) for kind in FOLDERS}
    assert counts == {"jp2k": 0, "jpeg": 43, "wn": 31, "gblur": 31, "fastfading": 28}
    scores = [i.score for i in manifest.items if i.score is not None]
    assert (min(scores), max(scores)) == (pytest.approx(-2.64, abs=0.005), pytest.approx(105.36, abs=0.005))
    findings = check(manifest.select([i.key for i in manifest.items if i.group in ("buildings", "dancers")]))
    assert not [f for f in findings if f.level == "error"]
    assert {f.code for f in findings if f.level == "warning"} == {"W-DUPLICATE"}  # the direction is right
    assert "distorted/jpeg/dancers_46.webp" in {f.path for f in findings if f.code == "W-DUPLICATE"}
