"""TID2013, KADID-10k, CSIQ, KonIQ-10k and BIQ2021, each in the layout its authors deliver."""

from __future__ import annotations

from pathlib import Path

import pytest
from ganiq.bench import datasets
from ganiq.bench.errors import UsageError


def test_tid2013_folds_the_case_of_names(tmp_path: Path, paint) -> None:
    (tmp_path / "mos_with_names.txt").write_text(
        "5.51429 I01_01_1.bmp\n5.2 I01_01_5.bmp\n0.24 i25_24_5.bmp\n3.1 I25_21_1.bmp\n"
    )
    paint(tmp_path / "distorted_images" / "i01_01_1.BMP")
    paint(tmp_path / "distorted_images" / "I25_24_5.bmp")
    paint(tmp_path / "reference_images" / "I01.BMP")
    paint(tmp_path / "reference_images" / "i25.bmp")
    manifest = datasets.load(tmp_path)
    item = manifest.by_key["i25_24_5"]
    assert (item.image, item.reference) == ("distorted_images/I25_24_5.bmp", "reference_images/i25.bmp")
    assert (item.group, item.block, item.generator, item.distortion, item.score) == ("i25", "i25", "24_5", "24", 0.24)
    assert manifest.by_key["i01_01_1"].image == "distorted_images/i01_01_1.BMP"
    assert manifest.by_key["i01_01_5"].image == "distorted_images/i01_01_5.bmp"  # missing stays an item
    assert [c.code for c in manifest.classes] == ["01", "21", "24"]
    assert manifest.classes[0].title == "additive Gaussian noise"
    assert {c.family for c in manifest.classes} == {"traditional"}
    assert manifest.scale is not None
    assert (manifest.scale.better, manifest.scale.low, manifest.scale.high) == ("higher", 0, 9)
    assert "A subset: 4 of 3,000 images." in manifest.notes


def test_tid2013_complete(tmp_path: Path) -> None:
    lines = [f"4.5 I{r:02d}_{t:02d}_{n}.bmp" for r in range(1, 26) for t in range(1, 25) for n in range(1, 6)]
    (tmp_path / "MOS_with_names.TXT").write_text("\n".join(lines))
    manifest = datasets.load(tmp_path)
    assert (len(manifest.items), len(manifest.groups), len(manifest.classes)) == (3000, 25, 24)
    assert len({i.generator for i in manifest.items}) == 120
    assert not any("subset" in note for note in manifest.notes)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("5.1", "expected a MOS and a name"),
        ("5.1 I01_25_1.bmp", "expected a MOS and a name"),
        ("x I01_02_1.bmp", "MOS 'x' is not a number"),
        ("5.1 i01_01_5.BMP", "i01_01_5 is already on line 1"),
    ],
)
def test_tid2013_malformed(tmp_path: Path, line: str, message: str) -> None:
    (tmp_path / "mos_with_names.txt").write_text(f"5.1 I01_01_5.bmp\n{line}\n")
    with pytest.raises(UsageError, match=f"mos_with_names.txt line 2: .*{message}"):
        datasets.load(tmp_path)


def test_kadid10k_is_a_mos_whatever_its_name(tmp_path: Path, paint) -> None:
    (tmp_path / "dmos.csv").write_text(
        "dist_img,ref_img,dmos,var\nI01_01_01.png,I01.png,4.57,0.496\nI81_25_05.png,I81.png,1.0,0.2\n"
    )
    for name in ("I01_01_01.png", "I01.png", "i81_25_05.webp"):
        paint(tmp_path / "images" / name)
    manifest = datasets.load(tmp_path)
    assert manifest.scale is not None
    assert (manifest.scale.kind, manifest.scale.better) == ("MOS", "higher")
    first, second = manifest.items
    assert (first.key, first.image, first.reference, first.score) == (
        "I01_01_01", "images/I01_01_01.png", "images/I01.png", 4.57,
    )  # fmt: skip
    assert (first.group, first.generator, first.distortion, first.attrs["var"]) == ("I01", "01_1", "01", "0.496")
    assert (second.image, second.generator) == ("images/i81_25_05.webp", "25_5")
    assert [c.title for c in manifest.classes] == ["Gaussian blur", "contrast change"]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("I01_26_01.png,I01.png,4,1", "line 2: dist_img 'I01_26_01.png'"),
        ("I01_01_01.png,I02.png,4,1", "line 2: I01_01_01 is listed with reference 'I02.png'"),
        ("I01_01_01.png,I01.png,,1", "line 2: dmos '' is not a number"),
    ],
)
def test_kadid10k_malformed(tmp_path: Path, row: str, message: str) -> None:
    (tmp_path / "dmos.csv").write_text(f"dist_img,ref_img,dmos,var\n{row}\n")
    with pytest.raises(UsageError, match=message):
        datasets.load(tmp_path)


def csiq(folder: Path, table: str, name: str = "csiq.DMOS.csv") -> Path:
    for place in ("src_imgs", "dst_imgs"):
        (folder / place).mkdir(exist_ok=True)
    (folder / name).write_text(table)
    return folder


def test_csiq_export_of_the_sheet(tmp_path: Path, paint) -> None:
    table = (
        ",,,,,,,,\nCSIQ,,,,,,,,\n,,,image,dst_idx,dst_type,dst_lev,dmos_std,dmos\n"
        ",,,1600,1,noise,1,0.0,0.062\n,,,1600.0,5,jpeg 2000,5,0.1,0.85\n,,,snow_leaves,3,contrast,3,0.1,0.4\n,,,,,,,,\n"
    )
    paint(csiq(tmp_path, table) / "dst_imgs" / "awgn" / "1600.AWGN.1.png")
    paint(tmp_path / "dst_imgs" / "jpeg2000" / "1600.jpeg2000.5.png")
    paint(tmp_path / "src_imgs" / "1600.png")
    manifest = datasets.load(tmp_path)
    noise, waves, contrast = manifest.items
    assert (noise.key, noise.image, noise.reference) == (
        "1600.AWGN.1", "dst_imgs/awgn/1600.AWGN.1.png", "src_imgs/1600.png",
    )  # fmt: skip
    assert (noise.score, noise.distortion, noise.generator, noise.group) == (0.062, "awgn", "awgn_1", "1600")
    assert (waves.image, waves.distortion) == ("dst_imgs/jpeg2000/1600.jpeg2000.5.png", "jpeg2000")
    assert contrast.image == "dst_imgs/contrast/snow_leaves.contrast.3.png"
    assert manifest.scale is not None
    assert (manifest.scale.better, manifest.scale.low, manifest.scale.high) == ("lower", 0, 1)


def test_csiq_malformed(tmp_path: Path) -> None:
    (csiq(tmp_path, "") / "csiq.DMOS.csv").unlink()
    with pytest.raises(UsageError, match=r"a \.csv with the columns image, dst_type, dst_lev, dmos is not there"):
        datasets.load(tmp_path)
    (tmp_path / "csiq.DMOS.xlsx").touch()
    with pytest.raises(UsageError, match="save its sheet all_by_image"):
        datasets.load(tmp_path)
    head = "image,dst_type,dst_lev,dmos\n"
    for row, message in [
        ("1600,rain,1,0.1\n", "line 2: dst_type 'rain'"),
        ("1600,blur,1.5,0.1\n", "line 2: image '1600' at level '1.5'"),
        ("1600,blur,1,high\n", "line 2: dmos 'high' is not a number"),
        ("1600,blur,1,0.1\n1600,BLUR,1,0.2\n", "line 3: 1600.BLUR.1 is already on line 2"),
    ]:
        csiq(tmp_path, head + row)
        with pytest.raises(UsageError, match=message):
            datasets.load(tmp_path)


def test_koniq10k_scores_and_official_split(tmp_path: Path, paint) -> None:
    (tmp_path / "koniq10k_scores_and_distributions.csv").write_text(
        '"image_name","c1","c2","c3","c4","c5","c_total","MOS","SD","MOS_zscore"\n'
        "10004473376.jpg,0,0,25,73,7,100,3.8,0.5,77.3\n10007357496.jpg,0,3,45,47,1,96,3.4,0.6,63.1\n"
    )
    (tmp_path / "koniq10k_distributions_sets.csv").write_text(
        "image_name,c1,c2,c3,c4,c5,c_total,MOS,SD,set\n10004473376.jpg,0,0,25,73,7,105,77.3,.5,training\n"
        "10007357496.jpg,0,3,45,47,1,96,63.1,.6,validation\n"
    )
    for size in ("1024x768", "512x384"):
        paint(tmp_path / size / "10004473376.jpg")
    manifest = datasets.load(tmp_path)
    first, second = manifest.items
    assert (first.key, first.image, first.reference) == ("10004473376", "1024x768/10004473376.jpg", None)
    assert (first.score, first.score_se, first.votes, first.split) == (3.8, pytest.approx(0.05), 100, "train")
    assert second.split == "valid"
    assert (first.group, first.distortion) == ("10004473376", "")
    assert manifest.classes == ()
    assert manifest.scale is not None
    assert (manifest.scale.low, manifest.scale.high) == (1, 5)
    small = datasets.load(tmp_path, size="512x384")
    assert small.items[0].image == "512x384/10004473376.jpg"
    assert small.digest != manifest.digest
    with pytest.raises(UsageError, match="no size '300x300'"):
        datasets.load(tmp_path, size="300x300")


def test_koniq10k_second_table_alone_is_stretched(tmp_path: Path) -> None:
    (tmp_path / "koniq10k_distributions_sets.csv").write_text(
        "image_name,c_total,MOS,SD,set\n1.jpg,105,77.3,.5,training\n2.jpg,96,3.1,.6,test\n"
    )
    manifest = datasets.load(tmp_path)
    assert manifest.scale is not None
    assert (manifest.scale.low, manifest.scale.high) == (0, 100)
    assert [i.score_se for i in manifest.items] == [None, None]
    assert [i.split for i in manifest.items] == ["train", "test"]
    (tmp_path / "koniq10k_distributions_sets.csv").write_text("image_name,MOS,set\n1.jpg,3,dev\n")
    with pytest.raises(UsageError, match="line 2: set 'dev'"):
        datasets.load(tmp_path)


def test_biq2021_blanks_brackets_case_and_empty_columns(tmp_path: Path, paint) -> None:
    (tmp_path / "Train (Images and MOS).csv").write_text(
        "Image Name,MOS,,\nss01 (1).jpg,0.71,,\nss02 (1014).jpg,0.2,,\n,,,\n"
    )
    (tmp_path / "Test (Images and MOS).csv").write_text("Image Name,MOS\nss03 (7).jpg,0.55\n")
    paint(tmp_path / "Images" / "ss01 (1).jpg")
    paint(tmp_path / "Images" / "ss02 (1014).JPG")
    manifest = datasets.load(tmp_path)
    assert [(i.key, i.image, i.split, i.score) for i in manifest.items] == [
        ("ss01 (1)", "Images/ss01 (1).jpg", "train", 0.71),
        ("ss02 (1014)", "Images/ss02 (1014).JPG", "train", 0.2),
        ("ss03 (7)", "Images/ss03 (7).jpg", "test", 0.55),
    ]
    assert all(i.reference is None and i.group == i.block == i.key for i in manifest.items)
    assert [i.attrs["subset"] for i in manifest.items] == ["ss01", "ss02", "ss03"]
    assert manifest.scale is not None
    assert (manifest.scale.better, manifest.scale.low, manifest.scale.high) == ("higher", 0, 1)
    assert [i.key for i in datasets.load(tmp_path, split="test").items] == ["ss03 (7)"]


def test_biq2021_an_image_in_both_halves(tmp_path: Path) -> None:
    (tmp_path / "Train (Images and MOS).csv").write_text("Image Name,MOS\nss01 (1).jpg,0.71\n")
    (tmp_path / "Test (Images and MOS).csv").write_text("Image Name,MOS\nSS01 (1).JPG,0.71\n")
    with pytest.raises(UsageError, match=r"is already in Train \(Images and MOS\)\.csv line 2"):
        datasets.load(tmp_path)


def test_one_stem_in_two_formats_takes_the_listed_one_then_the_lossless(tmp_path: Path, paint) -> None:
    (tmp_path / "dmos.csv").write_text(
        "dist_img,ref_img,dmos,var\nI01_01_01.jpg,I01.jpg,4,1\nI01_01_02.tif,I01.jpg,4,1\n"
    )
    for name in ("I01_01_01.png", "I01_01_01.jpg", "I01_01_02.jpg", "I01_01_02.bmp", "I01.png"):
        paint(tmp_path / "images" / name)
    first, second = datasets.load(tmp_path).items
    assert first.image == "images/I01_01_01.jpg"
    assert second.image == "images/I01_01_02.bmp"
