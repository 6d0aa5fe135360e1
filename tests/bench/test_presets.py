"""Named protocols: what they turn metrics into, and that two never share a board."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from ganiq.bench.datasets import load
from ganiq.bench.errors import UsageError
from ganiq.bench.measure import choose
from ganiq.bench.presets import PRESETS, announced, find, under
from ganiq.bench.run import run
from ganiq.bench.sweep import build
from PIL import Image


@pytest.mark.parametrize(
    ("preset", "asked", "made"),
    [
        ("pipal_rgb_nocrop", ["psnr", "ssim", "gmsd"], ["psnr", "ssim", "gmsd"]),
        ("pipal_rgb_nocrop", ["psnr", "ssim-gray"], ["psnr", "ssim-gray"]),
        ("sr_x4_y_crop4", ["psnr", "psnr-y", "gmsd"], ["psnr-y(crop=4)", "gmsd"]),
        ("sr_x2_y_crop2", ["ssim(window=7)"], ["ssim-y(crop=2,window=7)"]),
        ("sr_x4_y_crop4", ["ssim-gray", "niqe"], ["ssim-gray(crop=4)", "niqe(crop=4)"]),
        ("sr_x4_y_crop4", ["psnr(crop=4)"], ["psnr-y(crop=4)"]),
    ],
)
def test_what_a_preset_asks_for(preset: str, asked: list[str], made: list[str]) -> None:
    assert under(find(preset), asked) == made
    assert [m.column for m in choose(asked, preset=preset)] == made


def test_the_protocol_is_part_of_the_identity() -> None:
    digests = {p: choose(["psnr"], preset=p)[0].digest for p in PRESETS}
    assert len(set(digests.values())) == len(PRESETS)
    assert digests["pipal_rgb_nocrop"] == choose(["psnr"])[0].digest
    assert digests["sr_x4_y_crop4"] == choose(["psnr-y(crop=4)"])[0].digest


@pytest.mark.parametrize("preset", PRESETS)
def test_the_default_set_under_a_preset_has_one_border(preset: str) -> None:
    measures = choose(["default"], preset=preset)
    assert {m.spec.arguments["crop"] for m in measures if "crop" in m.spec.arguments} == {PRESETS[preset].crop}
    names = [m.spec.name for m in measures]
    assert ("psnr" in names, "psnr-y" in names) == (not PRESETS[preset].luma, PRESETS[preset].luma)


def test_a_metric_that_was_asked_for_never_vanishes_without_a_word() -> None:
    for asked in (["psnr-y", "psnr", "ssim-y"], ["default", "psnr-y"], ["ssim-y(window=7)"]):
        with pytest.raises(
            UsageError, match=r"-y.* compares luma and the preset pipal_rgb_nocrop RGB; ask for (ps|ss)"
        ):
            choose(asked, preset="pipal_rgb_nocrop")
    assert "psnr-y" not in [m.column for m in choose(["default"], preset="pipal_rgb_nocrop")]
    assert "psnr-y" not in [m.column for m in choose(["all"], preset="pipal_rgb_nocrop")]
    assert announced(["psnr", "psnr-y", "gmsd", "default"], "sr_x4_y_crop4") == [
        "note: under the preset sr_x4_y_crop4 the metric psnr is psnr-y(crop=4)"
    ]
    assert announced(["psnr", "ssim"], "pipal_rgb_nocrop") == []
    assert announced(["psnr", "no-such-metric"]) == []


def test_the_command_says_which_metric_a_preset_puts_in_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from ganiq.bench.cli import _finish

    random = np.random.default_rng(0)
    for name in ("r.png", "o.png"):
        Image.fromarray(random.integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(tmp_path / name)
    (tmp_path / "items.csv").write_text("image,reference\no.png,r.png\n")
    job = {"data": tmp_path, "out": tmp_path / "out", "metrics": ["psnr"], "preset": "sr_x4_y_crop4", "gallery": False}
    assert _finish(build(job | {"engine": {"kind": "serial"}}), load(tmp_path), quiet=True) == 0
    assert "the metric psnr is psnr-y(crop=4)" in capsys.readouterr().err


def test_mixed_protocols_are_refused() -> None:
    with pytest.raises(UsageError, match=r"psnr cuts 0 border pixels and ssim-y\(crop=4\) cuts 4"):
        choose(["psnr", "ssim-y(crop=4)"])
    with pytest.raises(UsageError, match=r"cuts 2 pixels and the preset sr_x4_y_crop4 4"):
        choose(["psnr(crop=2)"], preset="sr_x4_y_crop4")
    with pytest.raises(UsageError, match="there is no preset 'sr'; choose one of pipal_rgb_nocrop"):
        choose(["psnr"], preset="sr")


def test_a_board_says_its_protocol(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    lines = ["image,reference,generator"]
    for n in range(2):
        pixels = random.integers(0, 256, (48, 48, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"r{n}.png")
        pixels[:4] = 0  # only the border differs
        Image.fromarray(pixels).save(tmp_path / f"o{n}.png")
        lines.append(f"o{n}.png,r{n}.png,g")
    (tmp_path / "items.csv").write_text("\n".join(lines) + "\n")

    def go(preset: str) -> dict:
        job = {"data": tmp_path, "out": tmp_path / preset, "metrics": ["psnr"], "preset": preset, "gallery": False}
        return dict(run(build(job), load(tmp_path)).leaderboard)

    cut, whole = go("sr_x4_y_crop4"), go("pipal_rgb_nocrop")
    assert cut["settings"]["preset"] == "sr_x4_y_crop4"
    assert re.search("protocol sr_x4_y_crop4", cut["subtitle"])
    assert cut["metrics"][0]["n_nonfinite"] == 2, "without the border the images are identical"
    assert whole["metrics"][0]["n_nonfinite"] == 0
