"""PIPAL: official folders, flat copies, lists of scores; two pools that are never mixed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from ganiq.bench import datasets
from ganiq.bench.datasets.check import check
from ganiq.bench.datasets.pipal import TEST, VALIDATION, expected, split_of
from ganiq.bench.errors import UsageError


def labels(folder: Path, references: tuple[int, ...] = (1, 2)) -> dict[str, float]:
    """Train_Label as delivered, some lines with a blank after the comma."""
    (folder / "Train_Label").mkdir(parents=True)
    scores = {}
    for number in references:
        lines = []
        for n, code in enumerate(("00_00", "03_11", "06_26")):
            name = f"A{number:04d}_{code}"
            scores[name] = 1400.5 + 10 * n + number
            lines.append(f"{name}.bmp,{' ' * n}{scores[name]}\n")
        (folder / "Train_Label" / f"A{number:04d}.txt").write_text("".join(lines))
    return scores


def test_official_folders(tmp_path: Path, paint) -> None:
    scores = labels(tmp_path, (1, 60, 121, 185))
    for name in scores:
        image, reference = expected(name)
        paint(tmp_path / image)
        paint(tmp_path / reference)
    manifest = datasets.load(tmp_path)
    assert manifest.name == "pipal"
    assert {i.key: i.score for i in manifest.items} == scores
    assert all(manifest.path(i.image).is_file() and manifest.path(str(i.reference)).is_file() for i in manifest.items)
    item = manifest.by_key["A0121_03_11"]
    assert (item.image, item.reference) == ("Distortion_3/A0121_03_11.bmp", "Train_Ref/A0121.bmp")
    assert (item.group, item.block, item.generator, item.distortion, item.split) == (
        "A0121",
        "A0121",
        "03_11",
        "03",
        "train",
    )
    assert not any("Labels only" in note or "at hand" in note for note in manifest.notes)
    assert manifest.scale is not None
    assert (manifest.scale.kind, manifest.scale.better, manifest.scale.comparable) == ("Elo", "higher", "within-block")


def test_flat_copy_in_another_format(tmp_path: Path, paint) -> None:
    for name in labels(tmp_path):
        paint(tmp_path / "all" / f"{name.lower()}.PNG")
    paint(tmp_path / "all" / "A0001.webp")
    manifest = datasets.load(tmp_path)
    item = manifest.by_key["A0001_00_00"]
    assert (item.image, item.reference) == ("all/a0001_00_00.PNG", "all/A0001.webp")
    assert manifest.by_key["A0002_00_00"].reference == "Train_Ref/A0002.bmp"  # absent: the gate will say so


def test_missing_images_stay_items(tmp_path: Path, paint) -> None:
    labels(tmp_path)
    paint(tmp_path / "Distortion_1" / "A0001_00_00.bmp")
    manifest = datasets.load(tmp_path)
    assert len(manifest.items) == 6
    assert manifest.gaps == ()
    assert "1 of 6 images are at hand." in manifest.notes


def test_list_alone_as_file_or_folder(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("A0001_00_00.bmp, 1520.0648\nA0001_03_00.bmp, 1437.0798\n")
    for path in (tmp_path, tmp_path / "x.txt"):
        manifest = datasets.load(path)
        assert [i.score for i in manifest.items] == [1520.0648, 1437.0798]
        assert any(note.startswith("Labels only") for note in manifest.notes)
        assert [(c.code, c.family) for c in manifest.classes] == [("00", "traditional"), ("03", "gan")]


def test_the_two_pools_are_never_mixed(tmp_path: Path) -> None:
    (tmp_path / "all.csv").write_text("image,elo\nA0001_00_00.bmp,1500\nA0005_10_07.bmp,1300\n")
    assert [i.key for i in datasets.load(tmp_path).items] == ["A0001_00_00"]
    valid = datasets.load(tmp_path, split="valid")
    assert [(i.key, i.split, i.distortion) for i in valid.items] == [("A0005_10_07", "valid", "10")]
    assert any("never pool" in note for note in valid.notes)
    assert [c.family for c in valid.classes] == [None]
    with pytest.raises(UsageError, match="test scores were never given out"):
        datasets.load(tmp_path, split="test")
    with pytest.raises(UsageError, match="no split 'dev'"):
        datasets.load(tmp_path, split="dev")


def test_a_split_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "v.csv").write_text("image,elo\nA0005_10_07.bmp,1300\n")
    with pytest.raises(UsageError, match=r"only of valid; ask for that with pipal\(split='valid'\)"):
        datasets.load(tmp_path)


def test_the_same_list_twice_is_harmless_two_values_are_not(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("A0001_00_00.bmp,1500\n")
    (tmp_path / "b.txt").write_text("A0001_00_00.bmp,1500.0\n")
    assert len(datasets.load(tmp_path).items) == 1
    (tmp_path / "b.txt").write_text("A0001_00_00.bmp,1501\n")
    with pytest.raises(UsageError, match="A0001_00_00 has Elo 1501, but 1500 in"):
        datasets.load(tmp_path)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("A0001_00_01.bmp,high", "Elo 'high' is not a number"),
        ("A0001_00_01.bmp,nan", "Elo is 'nan'"),
        ("oops", "expected a name"),
    ],
)
def test_malformed_lines(tmp_path: Path, line: str, message: str) -> None:
    (tmp_path / "a.txt").write_text(f"A0001_00_00.bmp,1500\n{line}\n")
    with pytest.raises(UsageError, match=f"a.txt line 2: .*{message}"):
        datasets.load(tmp_path)


def test_class_names_can_be_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    labels(tmp_path)
    own = tmp_path / "own.csv"
    own.write_text("code,title,family\n3,my GANs,gan\n06,my codecs,\n")
    by_option = datasets.load(tmp_path, classes=str(own))
    monkeypatch.setenv("GANIQ_PIPAL_CLASSES", str(own))
    by_environment = datasets.load(tmp_path)
    for manifest in (by_option, by_environment):
        assert [(c.code, c.title, c.family) for c in manifest.classes] == [
            ("03", "my GANs", "gan"),
            ("06", "my codecs", None),
            ("00", "class 00", None),
        ]
    own.write_text("code,title,family\n03,x,GAN\n")
    with pytest.raises(UsageError, match="line 2: family is 'GAN'"):
        datasets.load(tmp_path)


def test_references_of_the_challenge_sets() -> None:
    assert len(VALIDATION) == len(TEST) == 25
    assert not VALIDATION & TEST
    assert split_of("A0005_10_00") == "valid"
    assert split_of("A0004_10_00") == "test"
    assert split_of("A0001_06_26") == "train"


def test_released_training_scores(shared_data: Path) -> None:
    manifest = datasets.load(shared_data / "labels")
    assert len(manifest.items) == 23200
    assert len(manifest.groups) == 200
    assert not {int(g[1:]) for g in manifest.groups} & (VALIDATION | TEST)
    assert {int(g[1:]) for g in manifest.groups} | VALIDATION | TEST == set(range(250))
    assert set(Counter(i.generator for i in manifest.items).values()) == {200}
    assert set(Counter(i.group for i in manifest.items).values()) == {116}
    variants = Counter(g.split("_")[0] for g in {i.generator for i in manifest.items})
    assert variants == {"00": 12, "01": 16, "02": 10, "03": 24, "04": 13, "05": 14, "06": 27}
    scores = np.array([i.score for i in manifest.items])
    assert scores.min() == pytest.approx(916.71, abs=0.01)
    assert scores.max() == pytest.approx(1835.99, abs=0.01)
    assert scores.mean() == pytest.approx(1448.96, abs=0.01)
    codes = np.array([i.distortion for i in manifest.items])
    means = {"00": 1462.5, "01": 1472.2, "02": 1498.6, "03": 1441.2, "04": 1480.5, "05": 1361.8, "06": 1447.7}
    for code, mean in means.items():
        assert scores[codes == code].mean() == pytest.approx(mean, abs=0.06)
    assert [c.code for c in manifest.classes if c.family == "gan"] == ["03"]
    assert [f.code for f in check(manifest) if f.level == "error"] == ["E-IO-MISSING"]


def test_validation_scores(shared_data: Path) -> None:
    manifest = datasets.load(shared_data / "labels", split="valid")
    assert len(manifest.items) == 1000
    assert {int(g[1:]) for g in manifest.groups} == VALIDATION
    assert set(Counter(i.group for i in manifest.items).values()) == {40}
    scores = [i.score for i in manifest.items if i.score is not None]
    assert (min(scores), max(scores)) == (pytest.approx(868.30, abs=0.01), pytest.approx(1857.00, abs=0.01))
