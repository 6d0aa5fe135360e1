"""Every kind of bad file in one folder: each gets a status, and the rest is scored as if they were not there."""

from __future__ import annotations

import csv
import io
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ganiq.bench import run as runs
from ganiq.bench.datasets import load
from ganiq.bench.sweep import build
from PIL import Image, PngImagePlugin

SIDE = 40
rng = np.random.default_rng(11)
BASE = rng.integers(0, 255, (8, 8, 3), dtype=np.uint8).repeat(5, 0).repeat(5, 1)


def encoded(pixels: np.ndarray, form: str = "PNG", **more: Any) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, form, **more)
    return out.getvalue()


def noisy(level: int) -> np.ndarray:
    made = BASE + np.random.default_rng(level).normal(0, 3 + 4 * level, BASE.shape)
    return made.round().clip(0, 255).astype(np.uint8)


def png_bomb(width: int, height: int) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    body = zlib.compress(b"\0" * 10_000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def text_bomb() -> bytes:
    info = PngImagePlugin.PngInfo()
    info.add_text("note", "x" * 80_000_000, zip=True)
    return encoded(noisy(1), pnginfo=info)


def flipped(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :]


def pages(form: str) -> bytes:
    out = io.BytesIO()
    frames = [Image.fromarray(noisy(n)) for n in (1, 2)]
    frames[0].save(out, form, save_all=True, append_images=frames[1:])
    return out.getvalue()


def mode(target: str, form: str = "PNG") -> bytes:
    out = io.BytesIO()
    Image.fromarray(noisy(1)).convert(target).save(out, form)
    return out.getvalue()


def transparent(target: str = "RGBA") -> bytes:
    image = Image.fromarray(noisy(1)).convert(target)
    image.putalpha(128)
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def sixteen() -> bytes:
    out = io.BytesIO()
    Image.fromarray((noisy(1)[..., 0].astype(np.uint16)) * 257).save(out, "PNG")
    return out.getvalue()


def rotated() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return encoded(noisy(1), "JPEG", exif=exif)


REFUSED: dict[str, tuple[str, Callable[[], bytes]]] = {
    "empty.png": ("E-IMG-FORMAT", lambda: b""),
    "short.png": ("E-IMG-FORMAT", lambda: b"\x89PNG\r\n\x1a\n" + b"\0" * 12),
    "text.png": ("E-IMG-FORMAT", lambda: b"this is not an image at all, sorry\n" * 9),
    "page.png": ("E-IMG-FORMAT", lambda: b"<!DOCTYPE html><html><body>404 not found</body></html>"),
    "pointer.png": ("E-IMG-FORMAT", lambda: b"version https://git-lfs.github.com/spec/v1\noid sha256:12\nsize 9\n"),
    "cut.png": ("E-IMG-TRUNC", lambda: (d := encoded(noisy(1)))[: len(d) // 2]),
    "cut.jpg": ("E-IMG-TRUNC", lambda: (d := encoded(noisy(1), "JPEG"))[: len(d) // 2]),
    "cut.bmp": ("E-IMG-TRUNC", lambda: (d := encoded(noisy(1), "BMP"))[: len(d) // 2]),
    "idat.png": ("E-IMG-CORRUPT", lambda: flipped(d := encoded(noisy(1)), len(d) // 2)),
    "header.png": ("E-IMG-CORRUPT", lambda: flipped(encoded(noisy(1)), 30)),
    "bomb.png": ("E-IMG-PIXELS", lambda: png_bomb(60_000, 60_000)),
    "lie.png": ("E-IMG-PIXELS", lambda: png_bomb(8_000, 8_000)),
    "ztxt.png": ("E-IMG-CORRUPT", text_bomb),
    "alpha.png": ("E-IMG-ALPHA", transparent),
    "sixteen.png": ("E-IMG-DEPTH", sixteen),
    "cmyk.jpg": ("E-IMG-MODE", lambda: mode("CMYK", "JPEG")),
    "float.tif": ("E-IMG-MODE", lambda: mode("F", "TIFF")),
    "rotated.jpg": ("E-IMG-EXIF", rotated),
    "moving.gif": ("E-IMG-FRAMES", lambda: pages("GIF")),
    "moving.webp": ("E-IMG-FRAMES", lambda: pages("WEBP")),
    "pages.tif": ("E-IMG-FRAMES", lambda: pages("TIFF")),
}
SCORED: dict[str, Callable[[], bytes]] = {
    "really_a_jpeg.png": lambda: encoded(noisy(1), "JPEG"),
    "grey.png": lambda: mode("L"),
    "palette.png": lambda: mode("P"),
    "one_bit.png": lambda: mode("1"),
    "emoji \U0001f600.png": lambda: encoded(noisy(2)),
    "-leading-dash.png": lambda: encoded(noisy(3)),
    "quote\"s'.png": lambda: encoded(noisy(4)),
    "<img src=x onerror=alert(1)>.png": lambda: encoded(noisy(2)),
    "rtl_\u202egnp.png": lambda: encoded(noisy(3)),
    "identical.png": lambda: encoded(BASE),
    "black.png": lambda: encoded(np.zeros_like(BASE)),
}
METRICS = ("psnr", "gmsd", "tv", "ssim")


def write(root: Path, hostile: bool) -> Path:
    root.mkdir()
    (root / "ref.png").write_bytes(encoded(BASE))
    rows = []
    for n in range(12):
        (root / f"good{n}.png").write_bytes(encoded(noisy(n)))
        rows.append([f"good{n}.png", "ref.png", f"{12 - n}"])
    if hostile:
        for n, (name, (_, make)) in enumerate(REFUSED.items()):
            (root / name).write_bytes(make())
            rows.append([name, "ref.png", f"{n}"])
        for n, (name, make) in enumerate(SCORED.items()):
            (root / name).write_bytes(make())
            rows.append([name, "ref.png", f"{n + 0.5}"])
        Image.new("RGB", (7, 7)).save(root / "tiny.png")
        rows.append(["tiny.png", "", "1"])
        Image.new("RGB", (SIDE + 1, SIDE)).save(root / "wrong_size.png")
        rows.append(["wrong_size.png", "ref.png", "1"])
        rows.append(["vanished.png", "ref.png", "1"])
        (root / "folder.png").mkdir()
        rows.append(["folder.png", "ref.png", "1"])
        os.mkfifo(root / "pipe.png")
        rows.append(["pipe.png", "ref.png", "1"])
        (root / "broken_link.png").symlink_to("nowhere.png")
        rows.append(["broken_link.png", "ref.png", "1"])
        outside = root.parent / "outside.png"
        outside.write_bytes(encoded(noisy(1)))
        (root / "escape.png").symlink_to(outside)
        rows.append(["escape.png", "ref.png", "1"])
    with (root / "items.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "reference", "score", "key"])
        writer.writerows([*row, row[0]] for row in rows)
    (root / "items.toml").write_text('[score]\nkind = "MOS"\nbetter = "higher"\n')
    return root


@pytest.fixture(scope="module")
def boards(tmp_path_factory: pytest.TempPathFactory) -> tuple[runs.Outcome, runs.Outcome]:
    """(run with the hostile files, run without them)."""
    folder = tmp_path_factory.mktemp("faults")
    outcomes = []
    for name, hostile in (("hostile", True), ("clean", False)):
        data = write(folder / name, hostile)
        sweep = build(
            {
                "data": data,
                "out": folder / f"{name}-out",
                "metrics": METRICS,
                "engine": {"kind": "process", "workers": 2},
            }
        )
        outcomes.append(runs.run(sweep, load(data)))
    return outcomes[0], outcomes[1]


def table(outcome: runs.Outcome) -> dict[str, dict[str, str]]:
    with (outcome.folder / "scores.csv").open(newline="", encoding="utf-8") as file:
        return {row["key"].removeprefix("'"): row for row in csv.DictReader(file)}


def codes(outcome: runs.Outcome) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for failure in outcome.leaderboard["failures"]:
        found.setdefault(failure["key"], set()).add(failure["code"])
    return found


@pytest.mark.parametrize("name", REFUSED)
def test_each_bad_file_has_its_code_and_no_number(boards: tuple[runs.Outcome, runs.Outcome], name: str) -> None:
    outcome, _ = boards
    assert codes(outcome)[name] == {REFUSED[name][0]}
    assert [table(outcome)[name][m] for m in METRICS] == [""] * 4


@pytest.mark.parametrize("name", SCORED)
def test_odd_but_sound_files_are_scored(boards: tuple[runs.Outcome, runs.Outcome], name: str) -> None:
    outcome, _ = boards
    row = table(outcome)[name]
    if name == "identical.png":
        assert codes(outcome)[name] == {"E-VAL-INF"}
        assert row["psnr"] == ""
    else:
        assert float(row["psnr"]) > 0
    assert row["tv"] != ""


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("vanished.png", "E-IO-MISSING"),
        ("folder.png", "E-IO-TYPE"),
        ("pipe.png", "E-IO-TYPE"),
        ("broken_link.png", "E-IO-MISSING"),
        ("escape.png", "E-PATH-ESCAPE"),
    ],
)
def test_files_that_are_none(boards: tuple[runs.Outcome, runs.Outcome], name: str, code: str) -> None:
    assert codes(boards[0])[name] == {code}


def test_wrong_size_fails_pairs_and_tiny_is_skipped(boards: tuple[runs.Outcome, runs.Outcome]) -> None:
    outcome, _ = boards
    assert codes(outcome)["wrong_size.png"] == {"E-PAIR-SIZE"}
    assert table(outcome)["wrong_size.png"]["tv"] != ""
    assert table(outcome)["tiny.png"]["tv"] != ""


def test_every_item_has_a_row_and_the_rest_is_bit_equal(boards: tuple[runs.Outcome, runs.Outcome]) -> None:
    hostile, clean = boards
    rows, before = table(hostile), table(clean)
    assert len(rows) == 12 + len(REFUSED) + len(SCORED) + 7
    for key, row in before.items():
        assert {m: rows[key][m] for m in METRICS} == {m: row[m] for m in METRICS}
    assert hostile.exit_code == 1
    assert hostile.counts["refused"] == len(REFUSED) + 5


def test_the_message_form(boards: tuple[runs.Outcome, runs.Outcome]) -> None:
    for failure in boards[0].leaderboard["failures"]:
        if failure["metric"]:
            continue
        code, rest = failure["detail"].split(" ", 1)
        assert code.startswith("E-")
        assert rest.count(";") >= 2, failure["detail"]
        assert "/" not in rest.split(":")[0], "no absolute paths"
