"""Recognising a layout, naming an adapter, and the card that every adapter shows."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import pytest
from ganiq.bench import datasets, registry
from ganiq.bench.datasets.base import DatasetInfo, find
from ganiq.bench.errors import UsageError
from ganiq.bench.types import Item

MARKS = {
    "pipal": ("Train_Label/A0001.txt", "A0001_00_00.bmp,1520.0648\n"),
    "gan-image-database": ("results/jdg.csv", "Pair\n"),
    "tid2013": ("mos_with_names.txt", "5.5 I01_01_1.bmp\n4.1 I01_01_5.bmp\n"),
    "kadid10k": ("dmos.csv", "dist_img,ref_img,dmos,var\n"),
    "csiq": ("src_imgs/dst_imgs", ""),
    "live": ("refnames_all.mat", ""),
    "koniq10k": ("koniq10k_distributions_sets.csv", "image_name,MOS,set\n"),
    "biq2021": ("Test (Images and MOS).csv", "Image Name,MOS\n"),
    "folder": ("items.csv", "image\na.png\n"),
}


def lay(folder: Path, name: str) -> Path:
    """The files that a layout is recognised by."""
    if name == "csiq":
        (folder / "src_imgs").mkdir(parents=True)
        (folder / "dst_imgs").mkdir()
        return folder
    file = folder / MARKS[name][0]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(MARKS[name][1])
    return folder


def test_names_and_order() -> None:
    assert list(datasets.BUILTIN) == list(MARKS)
    assert list(datasets.cards())[: len(MARKS)] == list(MARKS)


@pytest.mark.parametrize("name", MARKS)
def test_every_card_says_what_a_user_must_know(name: str) -> None:
    adapter = registry.datasets.get(name)
    info = adapter.info
    assert isinstance(info, DatasetInfo)
    assert info.name == name
    for field in ("title", "what", "n_images", "size", "license", "source", "layout", "mark", "kind"):
        assert getattr(info, field), field
    assert (info.better is None) == (info.scale is None) == (name == "folder")
    assert isinstance(adapter(), datasets.Dataset)
    assert all(p.default is not p.empty for p in inspect.signature(adapter).parameters.values())


def test_directions() -> None:
    better = {name: card.better for name, card in datasets.cards().items() if name in MARKS}
    assert {name for name, end in better.items() if end == "lower"} == {"csiq", "live"}


@pytest.mark.parametrize("name", MARKS)
def test_each_layout_is_recognised_by_its_own_adapter_only(name: str, tmp_path: Path) -> None:
    assert datasets.detect(lay(tmp_path, name)) == name


def test_a_folder_of_nothing_names_what_is_expected(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"items\.csv") as error:
        datasets.detect(tmp_path)
    assert all(name in str(error.value) for name in MARKS if name != "folder")
    assert "\n" not in str(error.value)
    assert str(tmp_path.parent) not in str(error.value)


def test_two_layouts_in_one_folder_must_be_told_apart(tmp_path: Path) -> None:
    lay(lay(tmp_path, "kadid10k"), "tid2013")
    with pytest.raises(UsageError, match="tid2013 and like kadid10k"):
        datasets.detect(tmp_path)
    lay(tmp_path, "folder")
    assert datasets.detect(tmp_path) == "folder"


def test_tid2008_is_not_taken_for_its_successor(tmp_path: Path) -> None:
    (tmp_path / "mos_with_names.txt").write_text("".join(f"5.1 I01_17_{n}.bmp\n" for n in range(1, 5)))
    with pytest.raises(UsageError, match="not recognised"):
        datasets.detect(tmp_path)


def test_load_refuses_what_is_not_there_or_not_known(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        datasets.load(tmp_path / "nothing")
    with pytest.raises(UsageError, match="did you mean pipal"):
        datasets.load(tmp_path, "pipall")
    lay(tmp_path, "folder")
    with pytest.raises(UsageError, match="its parameters are: none"):
        datasets.load(tmp_path, "folder(color=1)")


def test_options_in_the_name_or_beside_it(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("A0001_00_00.bmp,1500\nA0005_10_00.bmp,1300\n")
    assert [i.key for i in datasets.load(tmp_path).items] == ["A0001_00_00"]
    assert [i.key for i in datasets.load(tmp_path, "pipal(split='valid')").items] == ["A0005_10_00"]
    assert [i.key for i in datasets.load(tmp_path, split="valid").items] == ["A0005_10_00"]


def test_a_split_can_be_asked_of_any_set_that_has_one(tmp_path: Path) -> None:
    (tmp_path / "items.csv").write_text("image,split\na.png,train\nb.png,test\nc.png,test\n")
    assert [i.key for i in datasets.load(tmp_path, split="test").items] == ["b", "c"]
    with pytest.raises(UsageError, match="its splits are: test, train"):
        datasets.load(tmp_path, split="valid")


class _Plain:
    """What a third party writes: nothing is inherited."""

    info = DatasetInfo(
        "mine", "Mine", "w", "1", "1", "l", "s", "layout", "my.mark", "", "higher", "MOS", "within-block", 0, 1
    )

    @classmethod
    def recognises(cls, path: Path) -> bool:
        return (path / "my.mark").is_file()

    def load(self, path: Path):
        return self.info.manifest([Item("a", "a.png", score=0.5)], path, notes=("from a plug-in",))


class _Point:
    """Stands for an entry point of another distribution."""

    name, value, dist = "mine", "mine:Plain", None

    def __init__(self, broken: bool = False) -> None:
        self.broken = broken

    def load(self) -> type:
        if self.broken:
            raise ImportError("its own dependency is missing")
        return _Plain


def test_third_parties_take_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my.mark").touch()
    monkeypatch.setitem(registry.datasets.__dict__, "plugins", {"mine": _Point()})
    manifest = datasets.load(tmp_path)
    assert (manifest.name, manifest.notes) == ("mine", ("from a plug-in",))
    assert manifest.scale is not None
    assert (manifest.scale.better, manifest.scale.high, manifest.scale.comparable) == ("higher", 1, "within-block")


def test_a_broken_plug_in_hides_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.datasets.__dict__, "plugins", {"mine": _Point(broken=True)})
    assert datasets.detect(lay(tmp_path, "kadid10k")) == "kadid10k"
    with pytest.raises(UsageError, match="cannot be imported"):
        datasets.load(tmp_path, "mine")


def test_find_looks_under_the_name_first_then_everywhere(tmp_path: Path) -> None:
    home = {"GANIQ_DATA": str(tmp_path)}
    info = datasets.cards()["kadid10k"]
    assert find(info, {}) is None
    assert find(info, home) is None
    other = lay(tmp_path / "downloads", "kadid10k")
    assert find(info, home) == other
    named = lay(tmp_path / "kadid10k", "kadid10k")
    assert find(info, home) == named
    assert find(info, {"GANIQ_DATA": str(tmp_path / "absent")}) is None


def test_listing_loads_no_heavy_package() -> None:
    code = (
        "import sys; from ganiq.bench import datasets; datasets.cards();"
        "bad = {'torch', 'torchvision', 'piq', 'pandas', 'matplotlib', 'scipy', 'PIL'} & set(sys.modules);"
        "assert not bad, bad"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
