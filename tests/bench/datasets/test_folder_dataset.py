"""items.csv and items.toml: what is read, and one clear sentence for everything that is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from ganiq.bench.datasets import load
from ganiq.bench.datasets.folder import folders
from ganiq.bench.errors import UsageError

SCORE = '[score]\nkind = "MOS"\nbetter = "higher"\nlow = 1\nhigh = 5\n'


def write(folder: Path, table: str, settings: str | None = None) -> Path:
    (folder / "items.csv").write_text(table, encoding="utf-8")
    if settings is not None:
        (folder / "items.toml").write_text(settings, encoding="utf-8")
    return folder


def test_one_column_is_enough(tmp_path: Path) -> None:
    manifest = load(write(tmp_path, "image\nout/a.v2.png\nb.JPG\n"))
    assert [i.key for i in manifest.items] == ["out/a.v2", "b"]
    assert [i.group for i in manifest.items] == ["out/a.v2.png", "b.JPG"]
    assert manifest.scale is None
    assert manifest.name == tmp_path.name


def test_every_column_and_key_is_read(tmp_path: Path) -> None:
    digest = "ab" * 32
    table = (
        "\ufeffimage,reference,score,score_se,votes,generator,distortion,family,group,block,key,split,role,sha256,seed\n"
        f'"a,1.png",r.png,3.5,.1,20,SRGAN,sr,gan,g1,b1,k1,test,output,{digest.upper()},7\n'
        "\n"
        "r.png,r.png,4.9,,,original,,,g1,b1,k2,test,reference,,\n"
        "b.png,r.png,,,,JPEG,jpeg,traditional,,,,,,,\n"
    )
    settings = (
        'name = "mine"\ntitle = "My set"\nlicense = "CC0"\nsource = "here"\ncite = "me"\nnotes = ["small"]\n'
        'reference_generator = "original"\ngaps = {k9 = "lost"}\n' + SCORE + 'comparable = "within-block"\n'
        '[[classes]]\ncode = "sr"\ntitle = "super-resolution"\n'
    )
    manifest = load(write(tmp_path, table, settings))
    first, second, third = manifest.items
    assert (first.image, first.reference, first.score, first.score_se, first.votes) == (
        "a,1.png",
        "r.png",
        3.5,
        0.1,
        20,
    )
    assert (first.generator, first.distortion, first.group, first.block) == ("SRGAN", "sr", "g1", "b1")
    assert (first.key, first.split, first.role, first.sha256) == ("k1", "test", "output", digest)
    assert dict(first.attrs) == {"seed": "7", "family": "gan"}
    assert second.role == "reference"
    assert (third.key, third.score, third.group, third.block) == ("b", None, "r.png", "r.png")
    assert manifest.scale is not None
    assert (manifest.scale.kind, manifest.scale.better, manifest.scale.low, manifest.scale.high) == (
        "MOS",
        "higher",
        1,
        5,
    )
    assert manifest.scale.comparable == "within-block"
    assert [(c.code, c.title, c.family) for c in manifest.classes] == [
        ("sr", "super-resolution", "gan"),
        ("jpeg", "jpeg", "traditional"),
    ]
    assert (manifest.name, manifest.title, manifest.license, manifest.source, manifest.cite) == (
        "mine", "My set", "CC0", "here", "me",
    )  # fmt: skip
    assert manifest.notes == ("small",)
    assert manifest.gaps == (("k9", "lost"),)
    assert manifest.reference_generator == "original"


@pytest.mark.parametrize("name", ["faces.csv", "faces.toml"])
def test_another_name_than_items(tmp_path: Path, name: str) -> None:
    (tmp_path / "faces.csv").write_text("image,score\na.png,3\n")
    (tmp_path / "faces.toml").write_text(SCORE)
    manifest = load(tmp_path / name)
    assert (manifest.name, manifest.root, manifest.items[0].score) == ("faces", tmp_path, 3.0)


def test_a_class_with_two_families_has_none(tmp_path: Path) -> None:
    table = "image,distortion,family\na.png,sr,gan\nb.png,sr,traditional\n"
    manifest = load(write(tmp_path, table))
    assert [c.family for c in manifest.classes] == [None]
    assert [i.attrs["family"] for i in manifest.items] == ["gan", "traditional"]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("", "items.csv is empty"),
        ("image\n", "lists no image"),
        ("picture\na.png\n", "line 1: no column 'image' among picture"),
        ("Image\na.png\n", "line 1: column 'Image'; write it in lower case"),
        ("image;score\na.png;3\n", "line 1: the columns are separated by semicolons"),
        ("image\tscore\na.png\t3\n", "line 1: the columns are separated by tabs"),
        ("image,image\na.png,b.png\n", "line 1: column 'image' occurs twice"),
        ("image,,generator\na.png,x,y\n", "line 1: a column has no name"),
        ("image,generator\na.png\n", "line 2: 1 cells under 2 column names"),
        ("image\na.png,b\n", "line 2: 2 cells under 1 column names"),
        ('image\n"a.png\n', "not valid CSV"),
        ("image,generator\na.png,x\n,y\n", "line 3: the cell `image` is empty"),
        ("image\na.png\nb.png\na.png\n", "line 4: 'a' is already on line 2"),
        ("image\na.png\na.jpg\n", "line 3: 'a' is already on line 2; .* column `key`"),
        ("image\na.png\nA.png\n", "line 3: 'A.png' and 'a.png' of line 2 are one file"),
        ("image\n\u00e9.png\ne\u0301.png\n", "line 3: .* are one file on some computers"),
        ("image,score\na.png,good\n", "line 2: score 'good' is not a number"),
        ('image,score\na.png,"3,5"\n', "line 2: score '3,5' is not a number; write the decimal point as '.'"),
        ("image,score\na.png,nan\n", "line 2: score is 'nan'"),
        ("image,score\na.png,inf\n", "line 2: score is 'inf'"),
        ("image,votes\na.png,2.5\n", "line 2: votes '2.5' is not a count"),
        ("image,score_se\na.png,-1\n", "line 2: score_se '-1' is negative"),
        ("image,sha256\na.png,abc\n", "line 2: sha256 'abc' is not one"),
        ("image,split\na.png,dev\n", "line 2: split is 'dev'; write train or valid or test"),
        ("image,role\na.png,pristine\n", "line 2: role is 'pristine'"),
        ("image,family\na.png,GAN\n", "line 2: family is 'GAN'"),
        (
            "image,group,block\na.png,g1,b\nb.png,g2,b\n",
            "line 3: block 'b' is in group 'g2' here and in 'g1' on line 2",
        ),
    ],
)
def test_mistakes_in_the_table(tmp_path: Path, table: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as error:
        load(write(tmp_path, table, SCORE), "folder")
    assert error.value.exit_code == 2
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("column", ["image", "reference"])
@pytest.mark.parametrize(
    "path", ["../a.png", "x/../../a.png", "/etc/a.png", "C:\\a.png", "C:a.png", "//h/a.png", "x\\a.png"]
)
def test_paths_stay_below_the_folder(tmp_path: Path, path: str, column: str) -> None:
    row = {"image": "a.png", "reference": "r.png"} | {column: path}
    with pytest.raises(UsageError, match=r"E-PATH-ESCAPE items\.csv line 2"):
        load(write(tmp_path, f"image,reference\n{row['image']},{row['reference']}\n"))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (None, "does not say which end is good"),
        ('name = "x"\n', "does not say which end is good"),
        ('[score]\nkind = "MOS"\n', "score.better is None"),
        ('[score]\nbetter = "up"\n', "score.better is 'up'"),
        ('[score]\nbetter = "lower"\ncomparable = "maybe"\n', "score.comparable is 'maybe'"),
        ('[score]\nbetter = "lower"\nlow = "1"\n', "score.low is '1'"),
        ('[score]\nbetter = "lower"\nlow = 5\nhigh = 1\n', "score.low is not below score.high"),
        ('[score]\nbetter = "lower"\nscale = 5\n', "score.scale is not a key"),
        (SCORE + "[sore]\n", "sore is not a key"),
        ("name = \n", "not valid TOML"),
        ("title = 3\n" + SCORE, "title must be text"),
        ("classes = 3\n" + SCORE, "classes is not of the form"),
        (SCORE + '[[classes]]\ntitle = "x"\n', "has no code"),
        (SCORE + '[[classes]]\ncode = "x"\nfamily = "diffusion"\n', "family of class x is 'diffusion'"),
    ],
)
def test_mistakes_in_the_settings(tmp_path: Path, settings: str | None, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        load(write(tmp_path, "image,score\na.png,3\n", settings))


def test_latin_1_is_named(tmp_path: Path) -> None:
    (tmp_path / "items.csv").write_bytes("image\n\u00e9.png\n".encode("latin-1"))
    with pytest.raises(UsageError, match="not UTF-8"):
        load(tmp_path)


def test_the_digest_belongs_to_the_content_not_to_the_place(tmp_path: Path) -> None:
    settings = 'name = "s"\n' + SCORE
    for name in ("one", "two", "three"):
        (tmp_path / name).mkdir()
    one = load(write(tmp_path / "one", "image,score\na.png,3\nb.png,4\n", settings))
    two = load(write(tmp_path / "two", "score,image\n4,b.png\n3.0,a.png\n", settings))
    three = load(write(tmp_path / "three", "image,score\na.png,3\nb.png,4.5\n", settings))
    assert one.digest == two.digest != three.digest


def test_folders_are_paired_by_name(tmp_path: Path, paint) -> None:
    for name in ("a.png", "b.png", "c.png"):
        paint(tmp_path / "ref" / name)
    for name in ("B.JPG", "a.bmp", "z.png"):
        paint(tmp_path / "m1" / name)
    for name in ("a_M2.png", "b-x4.png", "c.png"):
        paint(tmp_path / "m2" / name)
    (tmp_path / "m1" / "notes.txt").write_text("not an image")
    manifest = folders({"M1": tmp_path / "m1", "M2": tmp_path / "m2"}, tmp_path / "ref")
    pairs = {i.key: (i.image, i.reference, i.generator, i.group, i.block) for i in manifest.items}
    assert pairs == {
        "M1/a": ("m1/a.bmp", "ref/a.png", "M1", "a", "a"),
        "M1/B": ("m1/B.JPG", "ref/b.png", "M1", "b", "b"),
        "M2/a_M2": ("m2/a_M2.png", "ref/a.png", "M2", "a", "a"),
        "M2/b-x4": ("m2/b-x4.png", "ref/b.png", "M2", "b", "b"),
        "M2/c": ("m2/c.png", "ref/c.png", "M2", "c", "c"),
    }
    assert manifest.root == tmp_path
    assert manifest.scale is None
    assert dict(manifest.gaps) == {
        "M1/z": "no reference has this name",
        "M1/c": "model M1 has no output for this reference",
    }


def test_ambiguous_names_are_gaps_not_guesses(tmp_path: Path, paint) -> None:
    for name in ("img.png", "img_1.png"):
        paint(tmp_path / "ref" / name)
    for name in ("img_1_x4.png", "img.png"):
        paint(tmp_path / "m" / name)
    manifest = folders({"M": tmp_path / "m"}, tmp_path / "ref")
    assert [i.key for i in manifest.items] == ["M/img"]
    assert "img.png and img_1.png" in dict(manifest.gaps)["M/img_1_x4"]


def test_folders_that_cannot_be_compared(tmp_path: Path, paint) -> None:
    paint(tmp_path / "ref" / "a.png")
    paint(tmp_path / "other" / "z.png")
    paint(tmp_path / "both" / "a_x2.png")
    paint(tmp_path / "both" / "a_x4.png")
    paint(tmp_path / "twins" / "a.png")
    paint(tmp_path / "twins" / "a.jpg")
    (tmp_path / "empty").mkdir()
    for models, message in [
        ({}, "no folder of outputs"),
        ({"M": tmp_path / "gone"}, "gone, does not exist"),
        ({"M": tmp_path / "empty"}, "holds no image"),
        ({"M": tmp_path / "other"}, r"z\.png against a\.png"),
        ({"M": tmp_path / "both"}, "two images for reference a.png"),
        ({"M": tmp_path / "twins"}, "differ in extension or letter case only"),
    ]:
        with pytest.raises(UsageError, match=message):
            folders(models, tmp_path / "ref")
