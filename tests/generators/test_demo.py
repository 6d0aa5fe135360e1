"""The embedded demonstration set: what is in it, that it can be read, and that it is not made twice."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ganiq.bench.datasets import load
from ganiq.bench.errors import UsageError
from ganiq.bench.images import read, save_png
from ganiq.generators import BUILTIN, demo
from ganiq.generators.photographs import PHOTOGRAPHS

SIDE = 64


@pytest.fixture(scope="module")
def small_sides() -> Any:
    """Squares of 64 pixels: the same work on a tenth of the area."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demo, "QUICK_SIDE", SIDE)
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, small_sides: None) -> Path:
    return demo.build(tmp_path_factory.mktemp("demo") / "data", quick=True)


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "items.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_it_is_a_folder_that_the_adapter_reads(folder: Path) -> None:
    manifest = load(folder, "folder")
    assert manifest.name == "ganiq-demo"
    assert manifest.scale is not None
    assert (manifest.scale.kind, manifest.scale.better) == ("severity", "lower")
    assert manifest.scale.comparable == "within-block"
    assert len(manifest.groups) == 2
    assert any("nobody was asked" in note for note in manifest.notes)
    assert any("CC0" in note for note in manifest.notes)
    families = {c.code: c.family for c in manifest.classes}
    for item in manifest.items:
        pixels, _ = read(manifest.path(item.image))
        assert item.reference
        reference, _ = read(manifest.path(item.reference))
        assert pixels.shape == reference.shape == (SIDE, SIDE, 3)
        assert item.attrs["recipe"]
        assert families[item.distortion] == item.attrs["family"]


def test_ladders_have_five_steps_that_get_worse(folder: Path) -> None:
    manifest = load(folder, "folder")
    blocks: dict[str, dict[float, float]] = {}
    for item in manifest.items:
        if item.score is not None:
            assert item.generator == ""
            a, _ = read(manifest.path(item.image))
            b, _ = read(manifest.path(item.reference or ""))
            blocks.setdefault(item.block, {})[item.score] = float(np.mean((a.astype(float) - b) ** 2))
    ladders = [code for code in demo.LADDERS if any(b.endswith(f"/{code}") for b in blocks)]
    assert {"blur", "noise", "jpeg"} <= set(ladders)
    assert len(blocks) == 2 * len(ladders)
    for block, errors in blocks.items():
        assert sorted(errors) == [1, 2, 3, 4, 5], block
        ordered = [errors[level] for level in sorted(errors)]
        assert ordered == sorted(ordered), (block, ordered)


def test_restorations_are_crossed_and_have_no_score(folder: Path) -> None:
    manifest = load(folder, "folder")
    made: dict[str, set[str]] = {}
    for item in manifest.items:
        if item.score is None:
            made.setdefault(item.generator, set()).add(item.group)
    assert set(demo.ENLARGE) | set(demo.DENOISE) | {"noisy-input"} <= set(made)
    assert all(groups == set(manifest.groups) for groups in made.values())


def test_every_restoration_says_how_long_it_took(folder: Path) -> None:
    """Beside the items and not in them: the data set is the same on a slower computer."""
    times = json.loads((folder / "timing.json").read_text())
    restored = {i.image for i in load(folder, "folder").items if i.generator in demo.BUILTIN}
    assert set(times) == restored and restored
    assert all(isinstance(s, float) and s >= 0 for s in times.values())


def test_the_full_set_has_enough_of_everything() -> None:
    assert len({*demo.ENLARGE, *demo.NETWORKS, *demo.DENOISE, "noisy-input"}) >= 12
    assert {*demo.ENLARGE, *demo.NETWORKS, *demo.DENOISE} <= set(BUILTIN)
    assert len([p for p in PHOTOGRAPHS if p.module == "skimage"]) >= 6
    for code, (_, family, recipes) in demo.LADDERS.items():
        assert len(recipes) == demo.LEVELS, code
        assert family in ("gan", "traditional")


def test_every_photograph_that_is_installed_gives_its_square() -> None:
    installed = [photo for photo in PHOTOGRAPHS if photo.find()]
    assert len(installed) >= 6
    for photo in installed:
        square = photo.crop(demo.SIDE)
        assert square.shape == (demo.SIDE, demo.SIDE, 3)
        assert square.std() > 10
        assert "(" in photo.credit


def test_a_second_call_makes_only_what_is_missing_or_changed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in folder.rglob("*") if p.is_file()}
    gone, damaged = folder / "blur" / "astronaut_1.png", folder / "noise" / "chelsea_2.png"
    gone.unlink()
    save_png(damaged, np.zeros((SIDE, SIDE, 3), np.uint8))
    written: list[str] = []
    monkeypatch.setattr(demo, "save_png", lambda path, pixels: (written.append(path.name), save_png(path, pixels)))
    demo.build(folder, quick=True)
    assert sorted(written) == ["astronaut_1.png", "chelsea_2.png"]
    for path, (changed, content) in before.items():
        assert path.read_bytes() == content, path
        if path not in (gone, damaged):
            assert path.stat().st_mtime_ns == changed, path
    written.clear()
    demo.build(folder, quick=True)
    assert written == []
    demo.build(folder, quick=True, seed=5)
    assert any(name.startswith("chelsea_") for name in written)
    assert not any(p.name.endswith(".tmp") for p in folder.rglob("*"))


def test_what_was_made_before_an_interruption_is_kept(
    tmp_path: Path, small_sides: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "_available", lambda wanted: (["bicubic"], [], []))
    monkeypatch.setattr(demo, "DENOISE", ())

    class Stop:
        left = 10

        def stage(self, name: str, total: int | None = None) -> None: ...
        def advance(self, n: int = 1) -> None:
            self.left -= 1
            if not self.left:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        demo.build(tmp_path, quick=True, progress=Stop())  # type: ignore[arg-type]
    assert len(json.loads((tmp_path / "made.json").read_text())) == 10
    assert not (tmp_path / "items.csv").exists()
    written: list[str] = []
    monkeypatch.setattr(demo, "save_png", lambda path, pixels: (written.append(path.name), save_png(path, pixels)))
    demo.build(tmp_path, quick=True)
    assert len(written) == len(rows(tmp_path)) + 2 - 10
    (tmp_path / "made.json").write_text("damaged")
    demo.build(tmp_path, quick=True)
    assert len(load(tmp_path, "folder").items) == len(rows(tmp_path))


def test_without_the_networks_it_says_so(tmp_path: Path, small_sides: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ganiq.bench.weights.find.package_folder", lambda module: None)
    monkeypatch.setenv("GANIQ_WEIGHTS", str(tmp_path / "none"))
    own = tmp_path / "mine.png"
    save_png(own, np.random.default_rng(0).integers(0, 256, (80, 100, 3), dtype=np.uint8))
    folder = demo.build(tmp_path / "data", photos=[own], quick=True)
    manifest = load(folder, "folder")
    assert any("realsr-df2k" in note and "left out" in note for note in manifest.notes)
    assert manifest.groups == ("mine",)
    assert not {i.generator for i in manifest.items} & set(demo.NETWORKS)
    made = {i.generator: i.distortion for i in manifest.items if i.generator in demo.SHIPPED}
    assert made == {"srgan-lite-psnr": "sr-psnr", "srgan-lite": "sr-network"}, "our own pair needs no package"
    ladder = [i for i in manifest.items if i.distortion == "gan"]
    assert len(ladder) == demo.LEVELS
    assert all(i.attrs["recipe"].endswith("| srgan-lite") for i in ladder)
    monkeypatch.setattr("ganiq.generators.photographs.package_folder", lambda module: None)
    with pytest.raises(UsageError, match="no photograph is at hand"):
        demo.build(tmp_path / "empty", quick=True)


def test_mistakes_are_told(tmp_path: Path) -> None:
    tiny = tmp_path / "tiny.png"
    save_png(tiny, np.zeros((20, 20, 3), np.uint8))
    for photos, message in (
        (["no-such-photo"], "no photograph 'no-such-photo'"),
        ([tiny], "too few"),
        ([], "no photograph is at hand"),
        (["chelsea", "chelsea"], "two photographs"),
    ):
        with pytest.raises(UsageError, match=message):
            demo.build(tmp_path / "data", photos=photos)
    with pytest.raises(UsageError, match="cannot be written"):
        demo.build(tiny / "below", photos=["chelsea"])
