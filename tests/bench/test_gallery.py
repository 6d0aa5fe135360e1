"""Crops on a report: what is switched off is gone, from the page and from the folder, and nothing else is."""

from __future__ import annotations

import json
from pathlib import Path

import arenas
import pytest
from ganiq.bench import gallery
from ganiq.bench.arena import build as arena
from ganiq.bench.arena.age import remark
from ganiq.bench.errors import GaniqError
from ganiq.reports import page
from PIL import Image
from test_run import go, make_folder


def crops(folder: Path) -> set[str]:
    """Paths of the PNG files in ``images`` of a folder, relative to it."""
    return {path.relative_to(folder).as_posix() for path in (folder / "images").glob("*.png")}


def named(folder: Path) -> set[str]:
    found = json.loads((folder / "gallery.json").read_text())["crops"]
    return {crop[which] for crop in found for which in ("image", "reference")} - {""}


def shown(folder: Path) -> str:
    page.render(folder)
    return (folder / "index.html").read_text()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # Noise on the human scores, so that metrics and people differ and there is something to show.
    return make_folder(tmp_path_factory.mktemp("gallery") / "data", noise=2.0)


def test_switched_off_no_crop_is_left_on_the_page_or_in_the_folder(data: Path, tmp_path: Path) -> None:
    go(data, tmp_path, ("psnr",))
    before = shown(tmp_path)
    assert "data:image/png" in before
    assert crops(tmp_path) == named(tmp_path) != set()
    go(data, tmp_path, ("psnr",), gallery=False)
    assert not (tmp_path / "gallery.json").exists()
    assert not (tmp_path / "images").exists()
    assert "data:image/png" not in shown(tmp_path)
    go(data, tmp_path, ("psnr",))
    assert shown(tmp_path) == before


def test_a_repeat_keeps_only_the_crops_that_it_shows(data: Path, tmp_path: Path) -> None:
    go(data, tmp_path, ("psnr", "tv"))
    before = crops(tmp_path)
    go(data, tmp_path, ("tv",))
    assert crops(tmp_path) == named(tmp_path)
    assert before - crops(tmp_path)


def test_what_is_not_a_crop_of_ours_stays(data: Path, tmp_path: Path) -> None:
    go(data, tmp_path, ("psnr",))
    mine = [tmp_path / "images" / name for name in ("holiday.png", "0123456789abcdef0123.png")]
    for path in mine:
        Image.new("RGB", (20, 20), (1, 2, 3)).save(path)
    go(data, tmp_path, ("psnr",), gallery=False)
    assert sorted((tmp_path / "images").iterdir()) == sorted(mine)


def test_crops_that_a_stopped_command_left_behind_go_too(data: Path, tmp_path: Path) -> None:
    go(data, tmp_path, ("psnr",))
    (tmp_path / "gallery.json").unlink()
    assert crops(tmp_path)
    gallery.clear(tmp_path)
    assert not (tmp_path / "images").exists()


@pytest.mark.parametrize("text", ["", "[]", '{"crops": 3}', '{"crops": [{"image": "../../data/items.csv"}]}'])
def test_a_damaged_gallery_is_cleared_and_reaches_no_other_file(data: Path, tmp_path: Path, text: str) -> None:
    go(data, tmp_path, ("psnr",))
    (tmp_path / "gallery.json").write_text(text)
    gallery.clear(tmp_path)
    assert not (tmp_path / "gallery.json").exists()
    assert not (tmp_path / "images").exists()
    assert (data / "items.csv").is_file()


def test_crops_that_cannot_be_deleted_stop_the_command(tmp_path: Path) -> None:
    (tmp_path / "gallery.json").mkdir()
    with pytest.raises(GaniqError, match=r"gallery\.json"):
        gallery.clear(tmp_path)


def test_an_arena_without_a_gallery_keeps_no_crop(tmp_path: Path) -> None:
    run = arenas.with_images(tmp_path / "data", tmp_path / "run")
    arena.make(run)
    place = run / "arena"
    assert crops(place) == named(place) != set()
    arena.make(run, gallery=False)
    assert not (place / "gallery.json").exists()
    assert crops(place) == set()


def test_a_run_says_when_the_arena_beside_it_lags_behind(data: Path, tmp_path: Path) -> None:
    go(data, tmp_path, ("psnr", "gmsd"))
    assert remark(tmp_path) == ""
    arena.make(tmp_path)
    assert remark(tmp_path) == ""
    go(data, tmp_path, ("psnr", "gmsd"), gallery=False)
    assert "still shows crops" in remark(tmp_path)
    arena.make(tmp_path)
    assert remark(tmp_path) == ""
    go(data, tmp_path, ("psnr", "gmsd", "mse"))
    assert "is of an earlier run" in remark(tmp_path)
    assert f"`ganiq arena {tmp_path}`" in remark(tmp_path)
    (tmp_path / "arena.json").write_text("{")
    assert remark(tmp_path) == ""
