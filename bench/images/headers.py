"""What an image file says about itself, read from its own bytes before any decoder touches it.

Decoders answer too late (a bomb is unpacked by then) or not at all: Pillow opens a 16-bit PNG as 8-bit
RGB, and takes a TIFF with missing strips for a partly black picture. So the size, the bit depth, the
number of frames and the completeness of the file are established here.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

CONVERT = "convert it to an 8-bit RGB PNG"
AGAIN = "get the file again from its source"


class Fault(Exception):
    """Why a file is refused, without its name: a code, what was found, and what to do."""

    def __init__(self, code: str, found: str, advice: str) -> None:
        super().__init__(code, found, advice)
        self.code, self.found, self.advice = code, found, advice


@dataclass(frozen=True, slots=True)
class Header:
    """Facts of one image file; ``width`` and ``height`` as stored, before any orientation is applied."""

    format: str
    width: int
    height: int
    bits: int
    """Bits per sample, the largest where samples differ."""
    frames: int = 1
    """Frames or pages; where counting is left to the decoder, 1."""
    numeric: bool = False
    """Samples are floating-point or signed numbers, not shades from black to white."""
    interlaced: bool = False
    plain: bool = True
    """16-bit samples lie in the common way (chunky, not premultiplied, black is zero)."""
    key: tuple[int, ...] = ()
    """Transparent color of a PNG, at the depth of the file."""
    data: tuple[tuple[int, int], ...] = ()
    """(begin, end) of the compressed pixels of a PNG."""


Limit = Callable[[int, int], None]
"""Refuses a picture of this width and height; called as soon as they are known."""

_OTHERS: tuple[tuple[int, bytes, str], ...] = (
    (0, b"GIF8", "GIF"),  # one frame; more are told apart before this table is asked
    (4, b"ftypavi", "AVIF"),
    (4, b"ftyphei", "HEIC"),
    (4, b"ftypmif1", "HEIF"),
    (4, b"jP  \r\n\x87\n", "JPEG 2000"),
    (0, b"\xff\x4f\xff\x51", "JPEG 2000"),
    (0, b"\xff\x0a", "JPEG XL"),
    (4, b"JXL \r\n\x87\n", "JPEG XL"),
    (0, b"8BPS", "Photoshop"),
    (0, b"v/1\x01", "OpenEXR"),
    (0, b"#?RADIANCE", "Radiance HDR"),
    (0, b"DDS ", "DDS"),
    (0, b"qoif", "QOI"),
    (0, b"%PDF", "PDF"),
    (0, b"PK\x03\x04", "ZIP archive"),
    (0, b"\x1f\x8b", "gzip archive"),
    (0, b"\x93NUMPY", "NumPy array"),
)
_SHORTEST = 26  # no complete file of the accepted formats is shorter
_CHUNKS = 200_000
_JUNK = 2**16
_SCANS = 500
_PAGES = 1_000
_TAGS = 1_024
_PIECES = 2**22


def sniff(data: bytes) -> str:
    """The accepted format that the bytes begin like, or a Fault that says what they are instead."""
    if not data:
        raise Fault("E-IMG-FORMAT", "the file is empty (0 bytes)", AGAIN)
    head = data[:1024]
    if head.startswith(b"version https://git-lfs.github.com/spec/"):
        raise Fault(
            "E-IMG-FORMAT",
            "is a Git-LFS pointer, not the image itself",
            "run 'git lfs pull' in the repository it came from",
        )
    found = ""
    if len(data) < _SHORTEST:
        found = f"has only {len(data)} bytes, too few for any image"
    elif data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    elif data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    elif data.startswith(b"BM"):
        return "BMP"
    elif data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "WEBP"
    elif data[:4] in _TIFF:
        return "TIFF"
    elif data.startswith(b"GIF8") and _moving_gif(data):
        raise Fault("E-IMG-FRAMES", "is an animated GIF", "save the frame that is meant as a PNG")
    else:
        for offset, magic, name in _OTHERS:
            if head[offset:].startswith(magic):
                advice = "convert it to PNG" if name[-7:] != "archive" else "unpack it"
                raise Fault("E-IMG-FORMAT", f"is of the kind {name}, which is not accepted", advice)
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype html", b"<html")) or b"<html" in text:
        found = "is a web page (HTML), often an error page saved under the image's name"
    elif text.startswith((b"<?xml", b"<svg")):
        found = "is XML or SVG text, not an accepted image"
    elif not found and _is_text(head):
        found = "is a text file, not an image"
    raise Fault("E-IMG-FORMAT", found or "is no PNG, JPEG, BMP, WebP or TIFF image", AGAIN)


def _is_text(head: bytes) -> bool:
    try:
        text = head.decode()
    except UnicodeDecodeError as error:
        if error.start < len(head) - 4:  # else only the last character was cut
            return False
        text = head[: error.start].decode()
    return all(c.isprintable() or c in "\t\r\n\f" for c in text)


def _moving_gif(data: bytes) -> bool:
    """Whether a second image follows the first (GIF89a, block by block)."""

    def table(flags: int) -> int:
        return 3 << (flags & 7) + 1 if flags & 0x80 else 0

    try:
        position, images = 13 + table(data[10]), 0
        while images < 2 and data[position] in (0x21, 0x2C):
            if data[position] == 0x2C:
                images += 1
                position += 11 + table(data[position + 9])
            else:
                position += 2
            while size := data[position]:
                position += size + 1
            position += 1
    except IndexError:
        return False
    return images > 1


def inspect(data: bytes, limit: Limit, frame: int = 0) -> Header:
    """Read the header (of a TIFF: of the page ``frame``) and check that the file is whole.

    Raises:
        Fault: ``E-IMG-FORMAT``, ``-TRUNC``, ``-CORRUPT``, or what ``limit`` raises.
    """
    kind = sniff(data)
    try:
        return _tiff(data, limit, frame) if kind == "TIFF" else _PARSERS[kind](data, limit)
    except (struct.error, IndexError):
        raise cut(kind, "the file ends inside its header") from None


def cut(kind: str, found: str) -> Fault:
    return Fault("E-IMG-TRUNC", f"incomplete {kind}: {found}", AGAIN)


def corrupt(kind: str, found: str) -> Fault:
    return Fault("E-IMG-CORRUPT", f"damaged {kind}: {found}", AGAIN)


def _sides(kind: str, width: int, height: int, limit: Limit) -> None:
    if width <= 0 or height <= 0:
        raise corrupt(kind, f"its header says {width} x {height} pixels")
    limit(width, height)


def _png(data: bytes, limit: Limit) -> Header:
    """Every chunk with its checksum, in order, to the end (ISO/IEC 15948; APNG: PNG third edition)."""
    length, name = struct.unpack_from(">I4s", data, 8)
    if (length, name) != (13, b"IHDR"):
        raise corrupt("PNG", "it does not begin with an IHDR chunk")
    width, height, bits, _, _, _, interlace, sum_ = struct.unpack_from(">IIBBBBBI", data, 16)
    if zlib.crc32(data[12:29]) != sum_:
        raise corrupt("PNG", "the checksum of its header is wrong")
    _sides("PNG", width, height, limit)
    view, position, frames = memoryview(data), 33, 1
    key: tuple[int, ...] = ()
    pixels: list[tuple[int, int]] = []
    for _ in range(_CHUNKS):
        if position + 8 > len(data):
            raise cut("PNG", "the file ends before its IEND chunk")
        length, name = struct.unpack_from(">I4s", data, position)
        begin, end = position + 8, position + 8 + length
        if length >= 2**31 or not name.isalpha():
            raise corrupt("PNG", "a chunk has an impossible name or length")
        if end + 4 > len(data):
            raise cut("PNG", f"the file ends inside a chunk {name.decode()}")
        if zlib.crc32(view[position + 4 : end]) != int.from_bytes(data[end : end + 4], "big"):
            raise corrupt("PNG", f"the checksum of a chunk {name.decode()} is wrong")
        if name == b"IDAT":
            pixels.append((begin, end))
        elif name == b"acTL":
            frames = max(frames, struct.unpack_from(">I", data, begin)[0] if length >= 4 else 0)
        elif name == b"tRNS" and length in (2, 6):
            key = struct.unpack_from(f">{length // 2}H", data, begin)
        elif name == b"IEND":
            break
        position = end + 4
    else:
        raise corrupt("PNG", f"it has more than {_CHUNKS:,} chunks")
    if not pixels:
        raise corrupt("PNG", "it has no pixel data (no IDAT chunk)")
    return Header("PNG", width, height, bits, frames, interlaced=interlace == 1, key=key, data=tuple(pixels))


def _jpeg(data: bytes, limit: Limit) -> Header:
    """Markers up to the first scan (ITU-T T.81), then only whether there is an end."""
    position, junk, header = 2, 0, None
    while True:
        start = data.find(b"\xff", position)
        if start < 0:
            raise cut("JPEG", "the file ends before its pixels")
        after = start
        while data[after] == 0xFF:
            after += 1
            if after - start > _JUNK:
                raise corrupt("JPEG", "it is filled with padding")
        junk += after - position
        if junk > _JUNK:
            raise corrupt("JPEG", "it has too many segments, or other data between them")
        marker, position = data[after], after + 1
        if marker in (0x00, 0x01) or 0xD0 <= marker <= 0xD7:
            continue
        if marker == 0xD9:
            raise corrupt("JPEG", "it ends before its pixels begin")
        (length,) = struct.unpack_from(">H", data, position)
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            bits, height, width = struct.unpack_from(">BHH", data, position + 2)
            _sides("JPEG", width, height, limit)
            header = Header("JPEG", width, height, bits)
        if marker == 0xDA:
            break
        if length < 2:
            raise corrupt("JPEG", "a segment has an impossible length")
        position += length
    if header is None:
        raise corrupt("JPEG", "it has no frame header")
    if data.rfind(b"\xff\xd9", position) < 0:
        raise cut("JPEG", "the end-of-image marker is missing")
    if data.count(b"\xff\xda", position) > _SCANS:
        raise corrupt("JPEG", f"it has more than {_SCANS} scans")
    return header


def _bmp(data: bytes, limit: Limit) -> Header:
    """File and bitmap header; the pixels of every kind but run-length coding have a known size."""
    offset, size = struct.unpack_from("<II", data, 10)
    if size == 12:
        width, height, _, depth = struct.unpack_from("<HHHH", data, 18)
        coding = 0
    else:
        width, height, _, depth, coding = struct.unpack_from("<iiHHI", data, 18)
    height = abs(height)  # negative: rows run from top to bottom
    _sides("BMP", width, height, limit)
    if coding in (0, 3, 6):
        needed = (width * depth + 31) // 32 * 4 * height
        if offset + needed > len(data):
            missing = offset + needed - len(data)
            raise cut("BMP", f"{missing:,} of {needed:,} bytes of pixels are missing")
    return Header("BMP", width, height, min(depth, 8))


def _webp(data: bytes, limit: Limit) -> Header:
    """RIFF container (RFC 9649)."""
    (declared,) = struct.unpack_from("<I", data, 4)
    name = data[12:16]
    if name == b"VP8X":
        width, height = (int.from_bytes(data[at : at + 3], "little") + 1 for at in (24, 27))
    elif name == b"VP8L":
        (packed,) = struct.unpack_from("<I", data, 21)
        width, height = (packed & 0x3FFF) + 1, (packed >> 14 & 0x3FFF) + 1
    elif name == b"VP8 ":
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", data, 26))
    else:
        raise corrupt("WebP", "its first chunk is of no known kind")
    _sides("WebP", width, height, limit)
    if declared + 8 > len(data):
        raise cut("WebP", f"it says {declared + 8:,} bytes and has {len(data):,}")
    position, frames = 12, 0
    for _ in range(_CHUNKS):
        if position + 8 > min(declared + 8, len(data)):
            break
        name, length = struct.unpack_from("<4sI", data, position)
        frames += name == b"ANMF"
        position += 8 + length + length % 2
    else:
        raise corrupt("WebP", f"it has more than {_CHUNKS:,} chunks")
    return Header("WEBP", width, height, 8, max(frames, 1))


_TIFF = {
    b"II\x2a\x00": ("<", False),
    b"MM\x00\x2a": (">", False),
    b"II\x2b\x00": ("<", True),
    b"MM\x00\x2b": (">", True),
}
_TIFF_TYPES = {1: "u1", 3: "u2", 4: "u4", 16: "u8"}
_NO_EXTRA = 999


class _Directory:
    """The unsigned integers of one TIFF directory (TIFF 6.0, and BigTIFF)."""

    def __init__(self, data: bytes, order: str, big: bool, offset: int) -> None:
        self._data, self._order, self._big = data, order, big
        head, entry, tail = ("Q", 20, 8) if big else ("H", 12, 4)
        if offset < 8 or offset + struct.calcsize(head) > len(data):
            raise cut("TIFF", "its directory lies beyond the end of the file")
        (count,) = struct.unpack_from(order + head, data, offset)
        first = offset + struct.calcsize(head)
        end = first + count * entry
        if end > len(data):
            raise cut("TIFF", "the file ends inside its directory")
        if count > _TAGS:
            raise corrupt("TIFF", "its directory has an impossible length")
        # The link to the next directory may be missing at the very end of a file.
        link = data[end : end + tail]
        self.next = int.from_bytes(link, "little" if order == "<" else "big") if len(link) == tail else 0
        self._where: dict[int, tuple[int, int, int]] = {}
        for position in range(first, end, entry):
            tag, kind, number = struct.unpack_from(order + ("HHQ" if big else "HHI"), data, position)
            self._where.setdefault(tag, (kind, number, position + (12 if big else 8)))

    def __getitem__(self, tag: int) -> np.ndarray:
        """Values of a tag, as int64; empty where it is absent or no list of unsigned integers."""
        kind, number, position = self._where.get(tag, (0, 0, 0))
        if kind not in _TIFF_TYPES or not number:
            return np.empty(0, np.int64)
        dtype = np.dtype(self._order + _TIFF_TYPES[kind])
        if number * dtype.itemsize > (8 if self._big else 4):
            (position,) = struct.unpack_from(self._order + ("Q" if self._big else "I"), self._data, position)
        if position + number * dtype.itemsize > len(self._data):
            raise cut("TIFF", f"the values of tag {tag} lie beyond the end of the file")
        if number > _PIECES:
            raise corrupt("TIFF", f"tag {tag} has more than {_PIECES:,} values")
        # A value over 2**61 is no offset or size in any file: clipped, it is still beyond every end.
        values = np.frombuffer(self._data, dtype, number, position)
        return np.minimum(values, 2**61).astype(np.int64) if kind == 16 else values.astype(np.int64)

    def one(self, tag: int, default: int) -> int:
        values = self[tag]
        return int(values[0]) if len(values) else default


def _tiff(data: bytes, limit: Limit, frame: int) -> Header:
    """One page in full, and how many there are."""
    order, big = _TIFF[data[:4]]
    (offset,) = struct.unpack_from(order + ("Q" if big else "I"), data, 8 if big else 4)
    pages: dict[int, _Directory] = {}
    while offset:
        if offset in pages or len(pages) >= _PAGES:
            raise corrupt("TIFF", "its list of pages has no end")
        pages[offset] = page = _Directory(data, order, big, offset)
        offset = page.next
    if not pages:
        raise corrupt("TIFF", "it has no page")
    chosen = list(pages.values())[min(frame, len(pages) - 1)]
    return _page(data, chosen, limit, len(pages))


def _page(data: bytes, page: _Directory, limit: Limit, frames: int) -> Header:
    """Size, layout and completeness of one page."""
    width, height = page.one(256, 0), page.one(257, 0)
    _sides("TIFF", width, height, limit)
    depth, samples = page[258], page.one(277, 1)
    bits = int(depth.max(initial=1))
    layers = samples if page.one(284, 1) == 2 else 1
    tiled = len(page[322]) > 0
    across, down = page.one(322, width), page.one(323 if tiled else 278, height)
    if across <= 0 or down <= 0 or samples <= 0:
        raise corrupt("TIFF", "its strips, tiles or pixels have no size")
    limit(across, min(down, height) if not tiled else down)
    starts, sizes = (page[324], page[325]) if tiled else (page[273], page[279])
    down = min(down, height) if not tiled else down
    pieces = -(-width // across) * -(-height // down) * layers
    if len(starts) < pieces:
        raise corrupt("TIFF", f"{pieces} strips or tiles of pixels are needed and {len(starts)} listed")
    if len(sizes) and (starts[: len(sizes)] + sizes[: len(starts)] > len(data)).any():
        raise cut("TIFF", "pixels lie beyond the end of the file")
    if page.one(259, 1) == 1 and page.one(262, 1) != 6 and len(sizes):  # not compressed: the size is known
        per_pixel = int(depth.sum()) if len(depth) == samples else bits * samples
        row = -(-across * (per_pixel // layers) // 8)
        # Only whole rows of the picture must be there: the last strip may be shorter.
        needed = row * (height * layers if not tiled else down * pieces)
        if int(sizes.sum()) < needed:
            raise cut("TIFF", f"{needed:,} bytes of pixels are needed and {int(sizes.sum()):,} listed")
    formats = page[339]
    extra = page.one(338, _NO_EXTRA)
    return Header(
        "TIFF",
        width,
        height,
        bits,
        frames,
        numeric=bool(len(formats)) and bool((formats != 1).any()),
        plain=page.one(262, 1) in (1, 2)
        and layers == 1
        and page.one(266, 1) == 1
        and extra in (0, 2, _NO_EXTRA)
        and bool((depth == 16).all()),
    )


_PARSERS: dict[str, Callable[[bytes, Limit], Header]] = {
    "PNG": _png,
    "JPEG": _jpeg,
    "BMP": _bmp,
    "WEBP": _webp,
}
