"""Bad and odd image files: each is scored with a note, or refused with its own code; nothing else happens.

The numbers I01 to I21 name the kinds of fault. All files are made here.
"""

from __future__ import annotations

import hashlib
import io
import os
import random
import resource
import socket
import struct
import subprocess
import sys
import threading
import time
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from ganiq.bench.errors import Refusal
from ganiq.bench.images import Gate, hash_file, luma_bt601, read
from PIL import Image, ImageCms, ImageFile

FORMATS = ("PNG", "JPEG", "BMP", "WEBP", "TIFF")
LAX = Gate(alpha="white", depth="8", exif="apply", icc="convert", frame=0)


def scene(height: int = 48, width: int = 64) -> np.ndarray:
    """A picture with edges, gradients and a little noise: (H, W, 3) uint8."""
    y, x = np.mgrid[:height, :width]
    noise = np.random.default_rng(7).integers(0, 24, (height, width, 3))
    base = np.stack([x * 3 % 230, y * 4 % 230, (x // 8 + y // 8) % 2 * 180], axis=-1)
    return (base + noise).clip(0, 255).astype(np.uint8)


def encode(picture: np.ndarray | Image.Image, kind: str, **options: object) -> bytes:
    image = Image.fromarray(picture) if isinstance(picture, np.ndarray) else picture
    out = io.BytesIO()
    if kind == "WEBP":
        options = {"lossless": True, **options}
    image.save(out, kind, **options)
    return out.getvalue()


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def adler_of_zeros(length: int) -> int:
    return (length % 65521) << 16 | 1


def zeros(length: int) -> bytes:
    """A zlib stream of that many zero bytes, made without holding or compressing them all."""
    block = 2**20
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    one = packer.compress(bytes(block)) + packer.flush(zlib.Z_FULL_FLUSH)
    last = zlib.compressobj(9, zlib.DEFLATED, -15)
    rest = last.compress(bytes(length % block)) + last.flush()
    return b"\x78\xda" + one * (length // block) + rest + struct.pack(">I", adler_of_zeros(length))


def png(width: int, height: int, bits: int, color: int, stream: bytes, *before: bytes, interlace: int = 0) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, bits, color, 0, 0, interlace)
    chunks = [chunk(b"IHDR", header), *before, chunk(b"IDAT", stream), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def _filtered(rows: np.ndarray, step: int) -> bytes:
    """PNG scan lines, the five filters in turn: (H, bytes) uint8, ``step`` bytes per pixel."""
    out, above = [], np.zeros(rows.shape[1], np.int32)
    for number, row in enumerate(rows.astype(np.int32)):
        left = np.concatenate([np.zeros(step, np.int32), row[:-step]])
        corner = np.concatenate([np.zeros(step, np.int32), above[:-step]])
        guess = left + above - corner
        far = np.abs(np.stack([guess - left, guess - above, guess - corner]))
        paeth = np.choose(far.argmin(axis=0), [left, above, corner])
        predicted = (np.zeros_like(row), left, above, (left + above) // 2, paeth)[number % 5]
        out.append(bytes([number % 5]) + ((row - predicted) % 256).astype(np.uint8).tobytes())
        above = row
    return b"".join(out)


def png16(wide: np.ndarray, *before: bytes, interlace: bool = False) -> bytes:
    """A 16-bit PNG of (H, W, 1 to 4) uint16."""
    height, width, channels = wide.shape
    color = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    parts = [wide]
    if interlace:  # the seven passes of Adam7: first row and column, and steps
        passes = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
        parts = [part for y, x, dy, dx in passes if (part := wide[y::dy, x::dx]).size]
    lines = b"".join(
        _filtered(np.ascontiguousarray(p.astype(">u2")).view(np.uint8).reshape(len(p), -1), 2 * channels) for p in parts
    )
    return png(width, height, 16, color, zlib.compress(lines), *before, interlace=int(interlace))


def tiff16(wide: np.ndarray, order: str = "<", packed: bool = False, **changed: int) -> bytes:
    """A chunky 16-bit TIFF of (H, W, channels) uint16 in one strip; ``changed`` overrides single tags."""
    height, width, channels = wide.shape
    body = wide.astype(order + "u2").tobytes()
    if packed:
        body = zlib.compress(body)
    tags = {
        256: (3, [width]),
        257: (3, [height]),
        258: (3, [16] * channels),
        259: (3, [8 if packed else 1]),
        262: (3, [changed.get("photometric", 2 if channels > 2 else 1)]),
        273: (4, [0]),
        277: (3, [channels]),
        278: (3, [height]),
        279: (4, [len(body)]),
        284: (3, [changed.get("planar", 1)]),
        339: (3, [changed.get("format", 1)] * channels),
    }
    if channels in (2, 4):
        tags[338] = (3, [changed.get("extra", 2)])
    directory = 2 + 12 * len(tags) + 4
    beyond, where = b"", 8 + directory
    tags[273] = (4, [where + sum(2 * len(v) for k, v in tags.values() if k == 3 and len(v) > 2)])
    entries = b""
    for tag in sorted(tags):
        kind, values = tags[tag]
        packed_values = struct.pack(f"{order}{len(values)}{'H' if kind == 3 else 'I'}", *values)
        if len(packed_values) > 4:
            beyond, packed_values = beyond + packed_values, struct.pack(order + "I", where + len(beyond))
        entries += struct.pack(order + "HHI", tag, kind, len(values)) + packed_values.ljust(4, b"\0")
    mark = b"II" if order == "<" else b"MM"
    start = mark + struct.pack(order + "HI", 42, 8) + struct.pack(order + "H", len(tags))
    return start + entries + struct.pack(order + "I", 0) + beyond + body


def refusal(path: Path, data: bytes | None = None, **options: object) -> Refusal:
    """The refusal that the file is met with; checks the form of its message."""
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(Refusal) as caught:
        read(path, **options)  # type: ignore[arg-type]
    message = str(caught.value)
    assert message.startswith(f"{caught.value.code} {caught.value.path}: ")
    assert message.count("; ") >= 2
    assert "\n" not in message
    assert str(path.parent) not in message
    return caught.value


# I01: no images at all


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "empty"),
        (bytes(range(20)), "20 bytes"),
        (encode(scene(), "PNG")[:20], "20 bytes"),
        (b"The quick brown fox jumps over the lazy dog.\n" * 50, "text"),
        ("Größe: 3 Äpfel, 日本語 ".encode() * 100, "text"),
        (b"<!DOCTYPE html><html><title>404 Not Found</title></html>", "HTML"),
        (b"\n  <!-- x --><HTML><body>no</body></HTML>", "HTML"),
        (b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n", "git lfs pull"),
        (bytes(range(128, 144)) + bytes(500), "no PNG, JPEG"),
        (b"PK\x03\x04" + bytes(100), "ZIP"),
        (b"\0\0\0\x1cftypavif" + bytes(100), "AVIF"),
    ],
    ids=["empty", "20", "20-of-a-png", "text", "utf8", "html", "html2", "svg", "lfs", "noise", "zip", "avif"],
)
def test_i01_what_is_no_image_is_named(tmp_path: Path, data: bytes, said: str) -> None:
    found = refusal(tmp_path / "a.png", data)
    assert found.code == "E-IMG-FORMAT"
    assert said in str(found)


def test_i01_a_still_gif_is_no_accepted_format(tmp_path: Path) -> None:
    found = refusal(tmp_path / "a.gif", encode(scene(), "GIF"))
    assert (found.code, "GIF" in found.found, "PNG" in found.advice) == ("E-IMG-FORMAT", True, True)


# I02, I03, I04, I05: damage in transit


@pytest.fixture(params=[False, True], ids=["", "load-truncated"])
def truncated_allowed(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Pillow as it is, and as many a repository leaves it behind."""
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", request.param)
    return request.param


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_i02_cut_files(tmp_path: Path, kind: str, share: float, truncated_allowed: bool) -> None:
    data = encode(scene(), kind)
    path = tmp_path / f"a.{kind.lower()}"
    assert refusal(path, data[: int(len(data) * share)]).code == "E-IMG-TRUNC"
    assert ImageFile.LOAD_TRUNCATED_IMAGES is truncated_allowed


@pytest.mark.parametrize("coding", ["tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"])
def test_i02_cut_compressed_tiff(tmp_path: Path, coding: str) -> None:
    data = encode(scene(), "TIFF", compression=coding)
    assert read(_write(tmp_path / "whole.tif", data))[1].width == 64
    assert refusal(tmp_path / "a.tif", data[: len(data) // 2]).code == "E-IMG-TRUNC"


def test_i02_progressive_jpeg_cut_between_scans(tmp_path: Path) -> None:
    data = encode(scene(), "JPEG", progressive=True)
    scans = [at for at in range(len(data) - 1) if data[at : at + 2] == b"\xff\xda"]
    assert len(scans) > 3
    assert refusal(tmp_path / "a.jpg", data[: scans[2]]).code == "E-IMG-TRUNC"


def test_i02_tiff_without_its_last_strips(tmp_path: Path) -> None:
    """Pillow by itself leaves what no strip covers black."""
    data = bytearray(encode(scene(), "TIFF"))
    (offset,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, offset)
    where = next(at for n in range(count) if struct.unpack_from("<H", data, at := offset + 2 + 12 * n)[0] == 278)
    struct.pack_into("<H", data, where + 8, 24)  # two strips of 24 rows, one of them listed
    assert np.asarray(Image.open(io.BytesIO(data)))[30:].max() == 0
    assert refusal(tmp_path / "a.tif", bytes(data)).code == "E-IMG-CORRUPT"


@pytest.mark.parametrize("kind", FORMATS)
def test_i03_last_byte_missing(tmp_path: Path, kind: str) -> None:
    data = encode(scene(), kind)
    path = tmp_path / f"a.{kind.lower()}"
    whole = hashlib.sha256(data).hexdigest()
    assert refusal(path, data[:-1], sha256=whole).code == "E-IMG-HASH"
    assert refusal(path).code == "E-IMG-TRUNC"  # seen without a declared hash, too


def test_i04_flipped_bit_in_a_jpeg_is_seen_by_the_declared_hash(tmp_path: Path) -> None:
    data = bytearray(encode(scene(), "JPEG", quality=90))
    whole = hashlib.sha256(data).hexdigest()
    original, _ = read(_write(tmp_path / "whole.jpg", bytes(data)), sha256=whole.upper())
    data[len(data) * 2 // 3] ^= 0x10
    path = _write(tmp_path / "a.jpg", bytes(data))
    found = refusal(path, sha256=whole)
    assert found.code == "E-IMG-HASH"
    assert whole[:12] in found.found
    # The documented limit: without the hash the file is a valid JPEG with other pixels.
    changed, picture = read(path)
    assert changed.shape == original.shape
    assert (changed != original).any()
    assert picture.sha256 == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("where", ["pixels", "header", "end", "text"])
def test_i05_flipped_bit_in_a_png(tmp_path: Path, where: str, truncated_allowed: bool) -> None:
    text = chunk(b"tEXt", b"Comment\0hello")
    data = bytearray(png(64, 48, 8, 2, zlib.compress(_filtered(scene().reshape(48, -1), 3)), text))
    place = {"pixels": data.index(b"IDAT") + 200, "header": 20, "end": len(data) - 1, "text": data.index(b"hello")}
    data[place[where]] ^= 0x04
    assert refusal(tmp_path / "a.png", bytes(data)).code == "E-IMG-CORRUPT"


def test_i05_broken_stream_under_right_checksums(tmp_path: Path, truncated_allowed: bool) -> None:
    stream = bytearray(zlib.compress(_filtered(scene().reshape(48, -1), 3)))
    stream[len(stream) // 2 : len(stream) // 2 + 40] = bytes(40)
    found = refusal(tmp_path / "a.png", png(64, 48, 8, 2, bytes(stream)))
    assert found.code in ("E-IMG-CORRUPT", "E-IMG-TRUNC")


def test_declared_hash_comes_before_every_other_fault(tmp_path: Path) -> None:
    for n, data in enumerate((b"", b"<html></html>", encode(scene(), "PNG")[:60], encode(scene(), "GIF"))):
        assert refusal(tmp_path / f"{n}.png", data, sha256="0" * 64).code == "E-IMG-HASH"
        assert refusal(tmp_path / f"{n}.png", sha256=hashlib.sha256(data).hexdigest()).code != "E-IMG-HASH"


# I06, I07: bombs


def bomb(width: int, height: int) -> bytes:
    return png(width, height, 8, 2, zeros(height * (1 + 3 * width)))


def test_i06_bombs_cost_nothing(tmp_path: Path) -> None:
    """Measured in a process of its own, so that the peak is the gate's."""
    files = {"120mp": bomb(12_000, 10_000), "400mp": bomb(20_000, 20_000)}
    assert len(files["120mp"]) < 500_000
    for side in (60_000, 8_000):
        files[f"lie{side}"] = png(side, side, 8, 2, b"")
    lie = bytearray(encode(scene(), "BMP"))
    struct.pack_into("<ii", lie, 18, 60_000, 60_000)
    files["bmp"] = bytes(lie)
    jpeg = bytearray(encode(scene(), "JPEG"))
    struct.pack_into(">HH", jpeg, jpeg.index(b"\xff\xc0") + 5, 60_000, 60_000)
    files["jpeg"] = bytes(jpeg)
    webp = bytearray(encode(scene(), "WEBP"))
    struct.pack_into("<I", webp, 21, 0x3FFF | 0x3FFF << 14)
    files["webp"] = bytes(webp)
    tiff = tiff16(np.zeros((4, 4, 3), np.uint16))
    files["tiff"] = tiff.replace(struct.pack("<HHI", 256, 3, 1) + b"\4\0", struct.pack("<HHIH", 256, 3, 1, 60_000))
    files["tiff"] = files["tiff"].replace(
        struct.pack("<HHI", 257, 3, 1) + b"\4\0", struct.pack("<HHIH", 257, 3, 1, 60_000)
    )
    for name, data in files.items():
        _write(tmp_path / name, data)
    program = """
import resource, sys, time
from pathlib import Path
from ganiq.bench.errors import Refusal
from ganiq.bench.images import read
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
before = peak()
for name in sys.argv[2:]:
    start = time.perf_counter()
    try:
        read(Path(sys.argv[1], name))
        code = "read"
    except Refusal as refusal:
        code = refusal.code
    print(name, code, time.perf_counter() - start)
print("rss", peak() - before)
"""
    out = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path), *files], capture_output=True, text=True, check=True, timeout=60
    )
    *lines, (_, rise) = (line.split() for line in out.stdout.splitlines())
    assert [(name, code) for name, code, _ in lines] == [(name, "E-IMG-PIXELS") for name in files]
    assert max(float(seconds) for *_, seconds in lines) < 1.0  # about 1 ms; slack for a busy machine
    assert int(rise) < 50 * 1024


def test_i06_the_limit_is_the_gates_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _write(tmp_path / "a.png", encode(scene(), "PNG"))
    assert refusal(path, gate=Gate(max_pixels=64 * 48 - 1)).code == "E-IMG-PIXELS"
    assert read(path, gate=Gate(max_pixels=64 * 48))[1].width == 64
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)  # Pillow's own would refuse, or warn
    assert read(path)[1].width == 64
    assert Image.MAX_IMAGE_PIXELS == 10


def test_file_size_limit(tmp_path: Path) -> None:
    data = encode(scene(), "PNG")
    path = _write(tmp_path / "a.png", data)
    assert refusal(path, gate=Gate(max_bytes=len(data) - 1)).code == "E-IMG-BYTES"
    assert read(path, gate=Gate(max_bytes=len(data)))[1].bytes == len(data)
    with pytest.raises(Refusal, match="E-IMG-BYTES"):
        hash_file(path, max_bytes=len(data) - 1)
    with open(tmp_path / "huge.png", "wb") as file:
        file.truncate(2**40)  # a hole: takes no room
    assert refusal(tmp_path / "huge.png").code == "E-IMG-BYTES"


@pytest.mark.parametrize("name", [b"zTXt", b"iCCP", b"iTXt"])
@pytest.mark.parametrize("late", [False, True], ids=["before", "after"])
def test_i07_metadata_bombs(tmp_path: Path, name: bytes, late: bool) -> None:
    start = {b"zTXt": b"Comment\0\0", b"iCCP": b"profile\0\0", b"iTXt": b"Comment\0\1\0\0\0"}[name]
    extra = chunk(name, start + zeros(80 * 2**20))
    data = encode(scene(), "PNG")
    at = len(data) - 12 if late else 33
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert refusal(tmp_path / "a.png", data[:at] + extra + data[at:]).code == "E-IMG-CORRUPT"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50 * 1024


@pytest.mark.parametrize("kind", ["padding", "segments", "scans", "chunks", "pages", "png-chunks"])
def test_files_made_to_waste_time(tmp_path: Path, kind: str) -> None:
    jpeg = encode(scene(), "JPEG")
    data = {
        "padding": jpeg[:2] + b"\xff" * 10**7 + jpeg[2:],
        "segments": jpeg[:2] + b"\xff\xfe\0\2" * 10**6 + jpeg[2:],
        "scans": jpeg[:-2] + b"\xff\xda\0\x0c" * 1000 + jpeg[-2:],
        "chunks": _riff(encode(scene(), "WEBP")[12:] + b"JUNK\0\0\0\0" * 10**6),
        "pages": b"II\x2a\0\x08\0\0\0" + b"\0\0\x08\0\0\0" + bytes(99),  # a directory that is its own successor
        "png-chunks": encode(scene(), "PNG")[:33] + chunk(b"teSt", b"") * 10**6 + encode(scene(), "PNG")[33:],
    }[kind]
    start = time.perf_counter()
    assert refusal(tmp_path / "a.bin", data).code == "E-IMG-CORRUPT"
    assert time.perf_counter() - start < 5


# I08, I09: scored with a note


@pytest.mark.parametrize("kind", FORMATS)
def test_i08_the_content_decides_and_the_name_is_noted(tmp_path: Path, kind: str) -> None:
    name = "a.jpg" if kind != "JPEG" else "a.PNG"
    pixels, picture = read(_write(tmp_path / name, encode(scene(), kind)))
    assert picture.notes == ("ext_mismatch",)
    if kind != "JPEG":
        np.testing.assert_array_equal(pixels, scene())
    for name in (f"b.{kind}", "without"):
        assert read(_write(tmp_path / name, encode(scene(), kind)))[1].notes == ()


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF"])
@pytest.mark.parametrize("mode", ["L", "1", "P"])
def test_i09_gray_bilevel_and_palette(tmp_path: Path, mode: str, kind: str) -> None:
    image = Image.fromarray(scene()).convert(mode)
    pixels, picture = read(_write(tmp_path / "a", encode(image, kind)))
    assert picture.mode == mode
    assert picture.notes == (f"mode:{mode}",)
    np.testing.assert_array_equal(pixels, np.asarray(image.convert("RGB")))
    assert len(np.unique(pixels)) > (1 if mode == "1" else 3)


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_i09_few_bits_are_stretched_to_the_whole_range(tmp_path: Path, bits: int) -> None:
    values = np.arange(2**bits, dtype=np.uint8)
    packed = np.packbits((values[:, None] >> np.arange(bits)[::-1] & 1).astype(np.uint8).ravel())
    data = png(2**bits, 1, bits, 0, zlib.compress(b"\0" + packed.tobytes()))
    pixels, _ = read(_write(tmp_path / "a.png", data))
    np.testing.assert_array_equal(pixels[0, :, 0], values * (255 // (2**bits - 1)))


def test_i09_gray_jpeg(tmp_path: Path) -> None:
    pixels, picture = read(_write(tmp_path / "a.jpg", encode(Image.fromarray(scene()).convert("L"), "JPEG")))
    assert picture.notes == ("mode:L",)
    assert (pixels == pixels[..., :1]).all()


# I10: transparency


def transparent(kind: str, opaque: bool) -> bytes:
    """Pictures whose left half is transparent in the several ways there are, or opaque all over."""
    rgba = np.dstack([scene(), np.full((48, 64), 255, np.uint8)])
    if not opaque:
        rgba[:, :32, 3] = 0
    if kind == "half":
        rgba[:, :32, 3] = 255 if opaque else 128
    image = Image.fromarray(rgba)
    if kind == "LA":
        return encode(image.convert("LA"), "PNG")
    if kind == "P":
        paletted = np.where(np.arange(64) < 32, 0, 1)[None].repeat(48, 0).astype(np.uint8)
        small = Image.fromarray(paletted)
        small = small.convert("P")
        small.putpalette([200, 10, 20, 5, 100, 50])
        return encode(small, "PNG", transparency=bytes([255 if opaque else 0, 255]))
    if kind == "key":  # a color of its own that counts as transparent; opaque if no pixel has it
        rgb = scene() | 1
        if not opaque:
            rgb[:, :32] = (8, 16, 24)
        return encode(rgb, "PNG", transparency=(8, 16, 24))
    if kind == "gray-key":
        gray = scene()[..., 0] | 1
        if not opaque:
            gray[:, :32] = 8
        return encode(gray, "PNG", transparency=8)
    if kind == "BMP":  # alpha takes a version-4 header with masks; the fourth byte of a plain BMP is unused
        masks = (0xFF0000, 0xFF00, 0xFF, 0xFF000000)
        header = struct.pack("<IiiHHIIiiII4I", 108, 64, -48, 1, 32, 3, 0, 0, 0, 0, 0, *masks).ljust(108, b"\0")
        start = struct.pack("<2sIHHI", b"BM", 122 + 64 * 48 * 4, 0, 0, 122)
        return start + header + rgba[..., [2, 1, 0, 3]].tobytes()
    return encode(image, kind if kind in FORMATS else "PNG")


def test_i10_the_unused_byte_of_a_bmp_is_no_alpha(tmp_path: Path) -> None:
    rgba = np.dstack([scene(), np.zeros((48, 64), np.uint8)])
    data = encode(Image.fromarray(rgba), "BMP")
    assert struct.unpack_from("<H", data, 28) == (32,)
    np.testing.assert_array_equal(read(_write(tmp_path / "a.bmp", data))[0], scene())


KINDS_OF_ALPHA = ["PNG", "WEBP", "TIFF", "BMP", "half", "LA", "P", "key", "gray-key"]


@pytest.mark.parametrize("kind", KINDS_OF_ALPHA)
def test_i10_transparency_is_refused(tmp_path: Path, kind: str) -> None:
    found = refusal(tmp_path / "a.png", transparent(kind, opaque=False))
    assert found.code == "E-IMG-ALPHA"
    assert "50.0%" in found.found


@pytest.mark.parametrize("kind", KINDS_OF_ALPHA)
def test_i10_opaque_alpha_is_accepted(tmp_path: Path, kind: str) -> None:
    data = transparent(kind, opaque=True)
    pixels, picture = read(_write(tmp_path / "a.png", data))
    expected = np.asarray(Image.open(io.BytesIO(data)).convert("RGBA"))
    assert (expected[..., 3] == 255).all()
    np.testing.assert_array_equal(pixels, expected[..., :3])
    assert not any(note.startswith("alpha") for note in picture.notes)


@pytest.mark.parametrize("kind", KINDS_OF_ALPHA)
def test_i10_transparency_by_flag(tmp_path: Path, kind: str) -> None:
    path = _write(tmp_path / "a.png", transparent(kind, opaque=False))
    behind = np.asarray(Image.open(path).convert("RGBA"))
    color, share = behind[..., :3].astype(float), behind[..., 3:] / 255
    for option, expected in (
        ("white", color * share + 255 * (1 - share)),
        ("black", color * share),
        ("drop", color),
    ):
        pixels, picture = read(path, gate=Gate(alpha=option))  # type: ignore[arg-type]
        np.testing.assert_array_equal(pixels, np.rint(expected).astype(np.uint8))
        assert f"alpha:{option}" in picture.notes


def test_i10_premultiplied_tiff(tmp_path: Path) -> None:
    for extra, code in ((2, "E-IMG-ALPHA"), (1, "E-IMG-ALPHA")):
        data = bytearray(transparent("TIFF", opaque=False))
        at = data.index(struct.pack("<HHIH", 338, 3, 1, 2))
        struct.pack_into("<H", data, at + 8, extra)
        assert refusal(tmp_path / "a.tif", bytes(data)).code == code


# I11: bit depth


def deep(channels: int) -> np.ndarray:
    wide = np.random.default_rng(3).integers(0, 65536, (13, 17, channels), dtype=np.uint16)
    wide[0, 0], wide[0, 1], wide[0, 2] = 0, 65535, 128
    if channels in (2, 4):
        wide[..., -1] = 65535
    return wide


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("interlace", [False, True], ids=["", "adam7"])
def test_i11_sixteen_bit_png(tmp_path: Path, channels: int, interlace: bool) -> None:
    wide = deep(channels)
    found = refusal(tmp_path / "a.png", png16(wide, interlace=interlace))
    assert (found.code, "16" in found.found, "--depth 8" in found.advice) == ("E-IMG-DEPTH", True, True)
    pixels, picture = read(tmp_path / "a.png", gate=Gate(depth="8"))
    expected = np.rint(wide / 257).astype(np.uint8)[..., : 1 if channels < 3 else 3]
    np.testing.assert_array_equal(pixels, np.broadcast_to(expected, pixels.shape))
    assert "depth:16" in picture.notes
    assert "16" in picture.mode


@pytest.mark.parametrize("channels", [2, 4])
def test_i11_sixteen_bit_alpha(tmp_path: Path, channels: int) -> None:
    wide = deep(channels)
    wide[5:, :, -1] = 20_000
    path = _write(tmp_path / "a.png", png16(wide))
    assert refusal(path, gate=Gate(depth="8")).code == "E-IMG-ALPHA"
    pixels, _ = read(path, gate=Gate(depth="8", alpha="black"))
    alpha = np.rint(wide[..., -1:] / 257)
    expected = np.rint(np.rint(wide[..., :-1] / 257) * alpha / 255)
    np.testing.assert_array_equal(pixels, np.broadcast_to(expected, pixels.shape))


@pytest.mark.parametrize("channels", [1, 3])
def test_i11_sixteen_bit_color_key(tmp_path: Path, channels: int) -> None:
    wide = deep(channels)
    key = chunk(b"tRNS", struct.pack(f">{channels}H", *wide[4, 4]))
    assert refusal(tmp_path / "a.png", png16(wide, key), gate=Gate(depth="8")).code == "E-IMG-ALPHA"
    elsewhere = chunk(b"tRNS", struct.pack(f">{channels}H", *wide[4, 4] ^ 1))  # differs in the last bit only
    assert read(_write(tmp_path / "b.png", png16(wide, elsewhere)), gate=Gate(depth="8"))[1].width == 17


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("packed", [False, True], ids=["raw", "deflate"])
def test_i11_sixteen_bit_tiff(tmp_path: Path, channels: int, order: str, packed: bool) -> None:
    wide = deep(channels)
    found = refusal(tmp_path / "a.tif", tiff16(wide, order, packed))
    assert found.code == "E-IMG-DEPTH"
    pixels, picture = read(tmp_path / "a.tif", gate=Gate(depth="8"))
    expected = np.rint(wide / 257).astype(np.uint8)[..., : 1 if channels < 3 else 3]
    np.testing.assert_array_equal(pixels, np.broadcast_to(expected, pixels.shape))
    assert "depth:16" in picture.notes


@pytest.mark.parametrize("changed", [{"photometric": 0}, {"planar": 2}, {"extra": 1}])
def test_i11_unusual_sixteen_bit_tiff_is_refused_whatever_the_gate(tmp_path: Path, changed: dict[str, int]) -> None:
    channels = 1 if "photometric" in changed else 4 if "extra" in changed else 3
    found = refusal(tmp_path / "a.tif", tiff16(deep(channels), "<", False, **changed), gate=LAX)
    # Planar layout with one strip lacks the strips of the other colors.
    assert found.code == ("E-IMG-CORRUPT" if "planar" in changed else "E-IMG-DEPTH")


def test_i11_twelve_bit_jpeg(tmp_path: Path) -> None:
    data = bytearray(encode(scene(), "JPEG"))
    data[data.index(b"\xff\xc0") + 4] = 12
    for gate in (Gate(), LAX):
        assert refusal(tmp_path / "a.jpg", bytes(data), gate=gate).code == "E-IMG-DEPTH"


# I12: color modes


def test_i12_modes_that_are_no_rgb(tmp_path: Path) -> None:
    image = Image.fromarray(scene())
    cmyk = image.convert("CMYK")
    lab = ImageCms.profileToProfile(
        image, ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
    )
    assert lab is not None
    values = scene()[..., 0] / 255.0
    values[3, 3] = np.nan
    for n, data in enumerate(
        (
            encode(cmyk, "JPEG"),
            encode(cmyk, "TIFF"),
            encode(lab, "TIFF"),
            encode(Image.fromarray(values.astype(np.float32)), "TIFF"),
            encode(Image.fromarray(scene()[..., 0].astype(np.float32)), "TIFF"),
            encode(image.convert("YCbCr"), "TIFF"),
            tiff16(deep(1), format=2),
        )
    ):
        for gate in (Gate(), LAX):
            assert refusal(tmp_path / f"{n}.tif", data, gate=gate).code == "E-IMG-MODE"
    integers = encode(Image.fromarray(scene()[..., 0].astype(np.uint32).astype(np.int32)), "TIFF")
    assert refusal(tmp_path / "i.tif", integers).code in ("E-IMG-MODE", "E-IMG-DEPTH")


# I13, I14: orientation and color profile


TURNS = {
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: np.rot90(a, 1),
}


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("turn", range(2, 9))
def test_i13_orientation(tmp_path: Path, kind: str, turn: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = turn
    options = {"quality": 95, "subsampling": 0} if kind == "JPEG" else {}
    plain, _ = read(_write(tmp_path / "plain", encode(scene(), kind, **options)))
    path = _write(tmp_path / "a", encode(scene(), kind, exif=exif, **options))
    found = refusal(path)
    assert (found.code, str(turn) in found.found) == ("E-IMG-EXIF", True)
    pixels, picture = read(path, gate=Gate(exif="apply"))
    np.testing.assert_array_equal(pixels, TURNS[turn](plain))
    assert pixels.flags.c_contiguous
    assert (picture.height, picture.width) == pixels.shape[:2]
    assert f"exif:{turn}" in picture.notes


@pytest.mark.parametrize("value", [0, 1, 9])
def test_i13_orientations_that_say_nothing(tmp_path: Path, value: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = value
    assert read(_write(tmp_path / "a.png", encode(scene(), "PNG", exif=exif)))[1].notes == ()


def test_i13_orientation_after_the_pixels(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encode(scene(), "PNG")
    late = data[:-12] + chunk(b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0")) + data[-12:]
    assert refusal(tmp_path / "a.png", late).code == "E-IMG-EXIF"


def test_i13_orientation_in_xmp_only(tmp_path: Path) -> None:
    packet = b'<x:xmpmeta><rdf:Description tiff:Orientation="3"/></x:xmpmeta>'
    assert refusal(tmp_path / "a.webp", encode(scene(), "WEBP", xmp=packet)).code == "E-IMG-EXIF"


def wide_gamut() -> bytes:
    """An ICC profile that is sRGB but for its red and green, which lie further out (as in Display P3)."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    (count,) = struct.unpack_from(">I", profile, 128)
    wanted = {b"rXYZ": (0.515102, 0.241196, -0.001053), b"gXYZ": (0.291965, 0.692236, 0.041885)}
    wanted[b"bXYZ"] = (0.157153, 0.066568, 0.784088)
    for n in range(count):
        name, offset, _ = struct.unpack_from(">4sII", profile, 132 + 12 * n)
        if name in wanted:
            struct.pack_into(">3i", profile, offset + 8, *(round(v * 65536) for v in wanted[name]))
    return bytes(profile)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_i14_profile_is_noted_and_converted_by_flag(tmp_path: Path, kind: str) -> None:
    icc = wide_gamut()
    flat = np.zeros((16, 16, 3), np.uint8)
    flat[:] = (180, 120, 60)
    path = _write(tmp_path / "a", encode(flat, kind, icc_profile=icc))
    pixels, picture = read(path)
    note = f"icc:{hashlib.sha256(icc).hexdigest()[:12]}"
    assert picture.notes == (note,)
    assert np.abs(pixels.astype(int) - flat).max() <= 2
    converted, picture = read(path, gate=Gate(icc="convert"))
    assert picture.notes == (note, "icc:converted")
    # By the definitions of the two spaces: linear light, Display P3 to XYZ to sRGB.
    matrix = np.array([[1.2249, -0.2247, 0], [-0.0420, 1.0419, 0], [-0.0197, -0.0786, 1.0979]])
    linear = np.where(
        flat[0, 0] / 255 <= 0.04045, flat[0, 0] / 255 / 12.92, ((flat[0, 0] / 255 + 0.055) / 1.055) ** 2.4
    )
    moved = (matrix @ linear).clip(0, 1)
    expected = 255 * np.where(moved <= 0.0031308, moved * 12.92, 1.055 * moved ** (1 / 2.4) - 0.055)
    assert np.abs(converted - expected).max() <= 3
    assert np.abs(converted.astype(int) - pixels).max() > 5


def test_i14_srgb_by_any_name_needs_no_note(tmp_path: Path) -> None:
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    path = _write(tmp_path / "a.png", encode(scene(), "PNG", icc_profile=icc))
    for gate in (Gate(), Gate(icc="convert")):
        pixels, picture = read(path, gate=gate)
        assert picture.notes == ()
        np.testing.assert_array_equal(pixels, scene())


def linear_gray() -> bytes:
    """An ICC profile of gray values that are proportional to light."""
    text = b"text\0\0\0\0none\0".ljust(16, b"\0")
    white = b"XYZ \0\0\0\0" + struct.pack(">3i", 63190, 65536, 54061)  # D50
    curve = b"curv\0\0\0\0" + struct.pack(">IHH", 1, 256, 0)
    bodies = {b"cprt": text, b"wtpt": white, b"kTRC": curve}
    table, at = struct.pack(">I", len(bodies)), 128 + 4 + 12 * len(bodies)
    for name, body in bodies.items():
        table += struct.pack(">4sII", name, at, len(body))
        at += len(body)
    header = struct.pack(">I4sI4s4s4s", at, b"lcms", 0x02100000, b"mntr", b"GRAY", b"XYZ ")
    header += struct.pack(">6H4s", 2026, 1, 1, 0, 0, 0, b"acsp") + bytes(28) + struct.pack(">3i", 63190, 65536, 54061)
    return header.ljust(128, b"\0") + table + b"".join(bodies.values())


@pytest.mark.parametrize("mode", ["L", "LA"])
def test_i14_gray_profile(tmp_path: Path, mode: str) -> None:
    ramp = Image.fromarray(np.arange(256, dtype=np.uint8).reshape(8, 32)).convert(mode)
    path = _write(tmp_path / "a.png", encode(ramp, "PNG", icc_profile=linear_gray()))
    pixels, picture = read(path)
    assert [note[:5] for note in picture.notes] == ["mode:", "icc:" + picture.notes[1][4]]
    assert pixels[4, 0, 0] == 128
    light = np.arange(256).reshape(8, 32) / 255
    expected = 255 * np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    converted, _ = read(path, gate=Gate(icc="convert"))
    assert np.abs(converted - expected[..., None]).max() <= 1.5


def test_i14_profile_of_another_kind_of_picture(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.png", encode(scene(), "PNG", icc_profile=linear_gray()))
    assert [note[:4] for note in read(path)[1].notes] == ["icc:"]
    assert refusal(path, gate=Gate(icc="convert")).code == "E-IMG-CORRUPT"


@pytest.mark.parametrize("icc", [b"no profile", wide_gamut()[:300]], ids=["text", "cut"])
def test_i14_broken_profile(tmp_path: Path, icc: bytes) -> None:
    path = _write(tmp_path / "a.png", encode(scene(), "PNG", icc_profile=icc))
    pixels, picture = read(path)
    assert picture.notes == (f"icc:{hashlib.sha256(icc).hexdigest()[:12]}",)
    np.testing.assert_array_equal(pixels, scene())
    assert refusal(path, gate=Gate(icc="convert")).code == "E-IMG-CORRUPT"


# I15: more than one picture


def moving(kind: str) -> bytes:
    frames = [Image.fromarray(np.roll(scene(), 9 * n, axis=1)) for n in range(3)]
    return encode(frames[0], kind, save_all=True, append_images=frames[1:])


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF", "MPO"])
def test_i15_animations_and_pages(tmp_path: Path, kind: str) -> None:
    path = _write(tmp_path / "a", moving(kind))
    assert refusal(path).code == "E-IMG-FRAMES"
    if kind == "GIF":
        assert refusal(path, gate=LAX).code == "E-IMG-FRAMES"
        return
    for frame in range(3):
        pixels, picture = read(path, gate=Gate(frame=frame, alpha="drop"))
        assert pixels.shape == (48, 64, 3)
        if kind != "MPO":  # lossy
            np.testing.assert_array_equal(pixels, np.roll(scene(), 9 * frame, axis=1))
        assert (f"frame:{frame}" in picture.notes) == (frame > 0)
    assert refusal(path, gate=Gate(frame=3)).code == "E-IMG-FRAMES"


def test_i15_a_later_page_is_checked_like_the_first(tmp_path: Path) -> None:
    """Two pages glued together: the second has 16 bits, or too many pixels."""
    first = encode(scene(), "TIFF")
    (start,) = struct.unpack_from("<I", first, 4)
    (count,) = struct.unpack_from("<H", first, start)
    link = start + 2 + 12 * count
    deep_page = tiff16(deep(3))
    shifted = bytearray(deep_page)
    for n in range(struct.unpack_from("<H", deep_page, 8)[0]):
        at = 10 + 12 * n
        tag, kind, number = struct.unpack_from("<HHI", deep_page, at)
        if tag == 273 or (kind == 3 and number > 2):
            struct.pack_into("<I", shifted, at + 8, struct.unpack_from("<I", deep_page, at + 8)[0] + len(first))
    data = first[:link] + struct.pack("<I", len(first) + 8) + first[link + 4 :] + bytes(shifted)
    path = _write(tmp_path / "a.tif", data)
    np.testing.assert_array_equal(read(path, gate=Gate(frame=0))[0], scene())
    assert refusal(path, gate=Gate(frame=1)).code == "E-IMG-DEPTH"
    assert refusal(path, gate=Gate(frame=1, depth="8")).code == "E-IMG-DEPTH"


def test_i15_one_frame_needs_no_flag_and_allows_frame_0(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.png", encode(scene(), "PNG"))
    assert read(path, gate=Gate(frame=0))[1].notes == ()
    assert refusal(path, gate=Gate(frame=1)).code == "E-IMG-FRAMES"


# I16, I20: size and content do not matter here


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("shape", [(1, 1), (7, 7), (4000, 10), (10, 4000)])
def test_i16_small_and_long_images_are_read(tmp_path: Path, shape: tuple[int, int], kind: str) -> None:
    pixels, picture = read(_write(tmp_path / "a", encode(scene(*shape), kind)))
    assert pixels.shape == (*shape, 3)
    assert (picture.height, picture.width) == shape
    if kind != "JPEG":
        np.testing.assert_array_equal(pixels, scene(*shape))


@pytest.mark.parametrize("value", [0, 77, 255])
def test_i20_constant_images(tmp_path: Path, value: int) -> None:
    flat = np.full((9, 9, 3), value, np.uint8)
    for kind in FORMATS:
        pixels, _ = read(_write(tmp_path / kind, encode(flat, kind)))
        np.testing.assert_array_equal(pixels, flat)
    assert np.isfinite(luma_bt601(flat)).all()


# I18: what is no file


@pytest.fixture
def soon():  # type: ignore[no-untyped-def]
    """Fails a test whose answer took longer than two seconds."""
    start = time.perf_counter()
    yield
    assert time.perf_counter() - start < 2


@pytest.mark.parametrize("ask", [read, hash_file], ids=["read", "hash_file"])
@pytest.mark.usefixtures("soon")
class TestI18:
    def code(self, ask, path: Path, **options: object) -> str:  # type: ignore[no-untyped-def]
        with pytest.raises(Refusal) as caught:
            ask(path, **options)
        assert str(path.parent) not in str(caught.value)
        return caught.value.code

    def test_named_pipe(self, tmp_path: Path, ask) -> None:  # type: ignore[no-untyped-def]
        os.mkfifo(tmp_path / "a.png")
        assert self.code(ask, tmp_path / "a.png") == "E-IO-TYPE"

    def test_directory(self, tmp_path: Path, ask) -> None:  # type: ignore[no-untyped-def]
        (tmp_path / "a.png").mkdir()
        assert self.code(ask, tmp_path / "a.png") == "E-IO-TYPE"

    @pytest.mark.parametrize("device", ["/dev/zero", "/dev/null", "/dev/tty"])
    def test_device(self, ask, device: str) -> None:  # type: ignore[no-untyped-def]
        if not os.path.exists(device):
            pytest.skip(f"no {device} here")
        assert self.code(ask, Path(device)) == "E-IO-TYPE"

    def test_socket(self, tmp_path: Path, ask) -> None:  # type: ignore[no-untyped-def]
        with socket.socket(socket.AF_UNIX) as server:
            before = os.getcwd()
            os.chdir(tmp_path)  # the name of a socket has at most 108 bytes
            try:
                server.bind("a.png")
            finally:
                os.chdir(before)
            assert self.code(ask, tmp_path / "a.png") == "E-IO-TYPE"

    def test_missing_and_broken_links(self, tmp_path: Path, ask) -> None:  # type: ignore[no-untyped-def]
        (tmp_path / "a.png").symlink_to("nowhere.png")
        (tmp_path / "b.png").symlink_to("b.png")
        (tmp_path / "file").write_bytes(b"")
        for name in ("a.png", "b.png", "c.png", "no/d.png", "file/e.png"):
            for root in (None, tmp_path):
                assert self.code(ask, tmp_path / name, root=root) == "E-IO-MISSING", name

    def test_link_out_of_the_root(self, tmp_path: Path, ask) -> None:  # type: ignore[no-untyped-def]
        root = tmp_path / "set"
        root.mkdir()
        _write(tmp_path / "secret.png", encode(scene(), "PNG"))
        (root / "a.png").symlink_to("../secret.png")
        (root / "up").symlink_to("..")
        for path in (root / "a.png", root / "up" / "secret.png", tmp_path / "secret.png", root):
            assert self.code(ask, path, root=root) == "E-PATH-ESCAPE"
        (root / "inside.png").symlink_to("real.png")
        _write(root / "real.png", encode(scene(), "PNG"))
        (tmp_path / "link").symlink_to("set")
        assert ask(tmp_path / "link" / "inside.png", root=tmp_path / "link")
        assert ask(root / "a.png")  # named by the user himself, without a root

    def test_no_permission(self, tmp_path: Path, ask) -> None:  # type: ignore[no-untyped-def]
        if os.geteuid() == 0:
            pytest.skip("the superuser may read everything")
        _write(tmp_path / "a.png", b"x").chmod(0)
        assert self.code(ask, tmp_path / "a.png") == "E-IO-PERMISSION"

    def test_errors_of_the_disk(self, tmp_path: Path, ask, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
        path = _write(tmp_path / "a.png", b"x" * 100)
        for error, code in ((5, "E-IO-READ"), (13, "E-IO-PERMISSION"), (116, "E-IO-READ"), (6, "E-IO-TYPE")):

            def fail(*_: object, error: int = error) -> int:
                raise OSError(error, os.strerror(error))

            with monkeypatch.context() as patch:
                patch.setattr(os, "open", fail)
                assert self.code(ask, path) == code

    def test_names_that_cannot_be(self, tmp_path: Path, ask) -> None:  # type: ignore[no-untyped-def]
        assert self.code(ask, tmp_path / ("x" * 300)) == "E-IO-READ"
        assert self.code(ask, tmp_path / "a\0.png") == "E-PATH-ESCAPE"


def test_i18_exchanged_for_a_pipe_after_the_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The type is checked again on what was really opened, and opening never waits."""
    path = _write(tmp_path / "a.png", encode(scene(), "PNG"))
    honest = os.open

    def exchange(name: str, flags: int, *rest: int) -> int:
        os.unlink(path)
        os.mkfifo(path)
        return honest(name, flags, *rest)

    monkeypatch.setattr(os, "open", exchange)
    start = time.perf_counter()
    assert refusal(path).code == "E-IO-TYPE"
    assert time.perf_counter() - start < 2


def test_i18_changed_during_the_run(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.png", encode(scene(), "PNG"))
    declared, size = hash_file(path)
    assert read(path, sha256=declared)[1].bytes == size
    path.write_bytes(encode(scene() // 2, "PNG"))
    assert refusal(path, sha256=declared).code == "E-IMG-HASH"
    path.unlink()
    assert refusal(path, sha256=declared).code == "E-IO-MISSING"


# I19: names


@pytest.mark.parametrize(
    "name",
    [
        "new\nline.png",
        "-rf.png",
        "quo\"te's.png",
        "😀.png",
        "\u202egnp.exe.png",
        "tab\there.png",
        "CON.png",
        "<img src=x onerror=alert(1)>.png",
        "e\u0301.png",
        " .png",
        "%2e.png",
        "x" * 251 + ".png",
        os.fsdecode(b"latin\xe9.png"),
    ],
    ids=range(13),
)
def test_i19_any_name_is_read_and_shown_safely(tmp_path: Path, name: str) -> None:
    try:
        path = _write(tmp_path / name, encode(scene(), "PNG"))
    except OSError:
        pytest.skip("this file system does not take the name")
    assert read(path, shown=name, root=tmp_path)[1].notes == ()
    path.write_bytes(b"")
    found = refusal(path, shown=name, root=tmp_path)
    assert found.code == "E-IMG-FORMAT"
    assert str(found).isprintable()
    str(found).encode()  # no stray surrogates either


# Exceptions of all kinds


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (MemoryError(), "E-OOM"),
        (ValueError("bad"), "E-IMG-CORRUPT"),
        (Image.DecompressionBombError("big"), "E-IMG-CORRUPT"),
        (RecursionError(), "E-IMG-CORRUPT"),
        (OSError("image file is truncated (3 bytes not processed)"), "E-IMG-TRUNC"),
        (AssertionError(), "E-IMG-CORRUPT"),
        (KeyError("x"), "E-IMG-CORRUPT"),
    ],
)
def test_whatever_a_decoder_raises_becomes_a_refusal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, code: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(Image, "open", fail)
    assert refusal(tmp_path / "a.png", encode(scene(), "PNG")).code == code


def test_settings_of_other_code_are_put_back_and_never_obeyed(tmp_path: Path) -> None:
    """Several threads, one of which keeps asking Pillow to fill up truncated files."""
    whole = _write(tmp_path / "a.png", encode(scene(), "PNG"))
    stream = zlib.compress(_filtered(scene().reshape(48, -1), 3))
    short = _write(tmp_path / "b.png", png(64, 48, 8, 2, stream[: len(stream) // 2]))
    before = ImageFile.LOAD_TRUNCATED_IMAGES
    ImageFile.LOAD_TRUNCATED_IMAGES = True
    wrong: list[object] = []

    def work() -> None:
        for _ in range(25):
            if not np.array_equal(read(whole)[0], scene()):
                wrong.append("pixels")
            try:
                read(short)
                wrong.append("short")
            except Refusal as found:
                if found.code != "E-IMG-TRUNC":
                    wrong.append(found)

    try:
        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert ImageFile.LOAD_TRUNCATED_IMAGES is True
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = before
    assert wrong == []


def test_warnings_of_the_decoder_do_not_decide(tmp_path: Path) -> None:
    data = encode(scene(), "TIFF", exif=Image.Exif())
    path = _write(tmp_path / "a.tif", data)
    for action in ("error", "ignore"):
        with warnings.catch_warnings():
            warnings.simplefilter(action)  # type: ignore[arg-type]
            Image.MAX_IMAGE_PIXELS, before = 2_000, Image.MAX_IMAGE_PIXELS
            try:
                assert read(path)[1].width == 64
            finally:
                Image.MAX_IMAGE_PIXELS = before


# I21: mutations


def seeds() -> list[bytes]:
    """Twenty small files: every format, mode and feature that the gate knows."""
    picture = scene(24, 32)
    image = Image.fromarray(picture)
    exif = Image.Exif()
    exif[0x0112] = 6
    rgba = np.dstack([picture, picture[..., 0]])
    moved = [Image.fromarray(np.roll(picture, n, axis=0)) for n in (3, 6)]
    wide = np.random.default_rng(5).integers(0, 65536, (24, 32, 3), dtype=np.uint16)
    return [
        encode(picture, "PNG"),
        encode(image.quantize(16), "PNG"),
        encode(image.convert("L"), "PNG", exif=exif),
        encode(rgba, "PNG", icc_profile=wide_gamut()),
        png16(wide),
        png16(wide[..., :1], interlace=True),
        encode(image, "PNG", save_all=True, append_images=moved),
        encode(picture, "JPEG", quality=90),
        encode(picture, "JPEG", progressive=True, exif=exif),
        encode(image.convert("L"), "JPEG", restart_marker_blocks=2),
        encode(image.convert("CMYK"), "JPEG"),
        encode(picture, "BMP"),
        encode(image.quantize(16), "BMP"),
        encode(picture, "WEBP"),
        encode(picture, "WEBP", lossless=False, exif=exif),
        encode(Image.fromarray(rgba), "WEBP", save_all=True, append_images=moved),
        encode(picture, "TIFF"),
        encode(picture, "TIFF", compression="tiff_lzw"),
        encode(image, "TIFF", compression="jpeg", save_all=True, append_images=moved),
        tiff16(wide, ">"),
    ]


def mutate(data: bytes, chance: random.Random) -> bytes:
    """One to four changes of the kinds that storage, transfer and malice make."""
    out = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        # Half of all changes hit the first bytes, where the structure is.
        size = min(len(out), 120) if chance.random() < 0.5 else len(out)
        at, length = chance.randrange(max(size, 1)), chance.randint(1, 64)
        kind = chance.randrange(9)
        if not out:
            break
        if kind == 0:
            out[at] ^= 1 << chance.randrange(8)
        elif kind == 1:
            out[at] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)))
        elif kind == 2:
            width = chance.choice((2, 4))
            value = chance.choice((0, 1, 2**15, 2**31 - 1, 2**31, 2**32 - 1, chance.randrange(2**32)))
            out[at : at + width] = (value % 2 ** (8 * width)).to_bytes(width, chance.choice(("big", "little")))
        elif kind == 3:
            del out[at : at + length]
        elif kind == 4:
            out[at:at] = chance.randbytes(length)
        elif kind == 5:
            out[at:at] = out[at : at + length] * chance.randint(1, 8)
        elif kind == 6:
            del out[at + 1 :]
        elif kind == 7:
            other = chance.randrange(len(out))
            out[at : at + length], out[other : other + length] = out[other : other + length], out[at : at + length]
        else:
            out[at : at + length] = bytes(len(out[at : at + length]))
    return bytes(out)


def mended(data: bytes) -> bytes:
    """A mutated PNG with its checksums set right, so that what they would stop goes further in."""
    out, at = bytearray(data), 8
    while at + 12 <= len(out):
        (length,) = struct.unpack_from(">I", out, at)
        end = at + 8 + length
        if end + 4 > len(out):
            break
        struct.pack_into(">I", out, end, zlib.crc32(out[at + 4 : end]))
        at = end + 4
    return bytes(out)


def storm(folder: Path, count: int) -> dict[str, int]:
    """Read so many mutated files; every one must end in pixels or in a refusal."""
    chance, files = random.Random(21), seeds()
    assert len(files) == 20
    path, outcomes = folder / "a.png", {"read": 0}
    for number in range(count):
        data = mutate(files[number % 20], chance)
        if data.startswith(b"\x89PNG") and chance.random() < 0.7:
            data = mended(data)
        path.write_bytes(data)
        gate = LAX if chance.random() < 0.7 else Gate()
        start = time.perf_counter()
        try:
            pixels, picture = read(path, gate=gate)
        except Refusal as found:
            outcomes[found.code] = outcomes.get(found.code, 0) + 1
            if not (found.code.startswith("E-IMG-") and str(found).isprintable()):
                raise AssertionError(f"mutation {number}: {found!r}") from found
        else:
            outcomes["read"] += 1
            assert pixels.dtype == np.uint8
            assert pixels.shape == (picture.height, picture.width, 3)
            assert picture.height * picture.width <= gate.max_pixels
            assert picture.sha256 == hashlib.sha256(data).hexdigest()
        assert time.perf_counter() - start < 10, f"mutation {number} took too long"
    return outcomes


def test_i21_the_seeds_themselves_are_read(tmp_path: Path) -> None:
    refused = []
    for number, data in enumerate(seeds()):
        try:
            read(_write(tmp_path / str(number), data), gate=LAX)
        except Refusal as found:
            refused.append(found.code)
    assert refused == ["E-IMG-MODE"]  # CMYK


def test_i21_a_thousand_mutations(tmp_path: Path) -> None:
    outcomes = storm(tmp_path, 1_000)
    assert sum(outcomes.values()) == 1_000
    assert outcomes["read"] > 50
    assert len(outcomes) >= 8, outcomes


@pytest.mark.slow
def test_i21_ten_thousand_mutations(tmp_path: Path) -> None:
    outcomes = storm(tmp_path, 10_000)
    assert sum(outcomes.values()) == 10_000


def _write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def _riff(body: bytes) -> bytes:
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body
