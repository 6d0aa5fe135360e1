"""From the bytes of a whole, inspected file to 8-bit RGB: one rule for every mode, none of them silent."""

from __future__ import annotations

import io
import os
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

# The plug-ins are imported by name: Pillow would otherwise import all forty of them to find one.
from PIL import (
    BmpImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,  # noqa: F401
    MpoImagePlugin,  # noqa: F401
    PngImagePlugin,
    TiffImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,  # noqa: F401
)

from .files import printable
from .headers import AGAIN, CONVERT, Fault, Header, Limit, corrupt, cut, inspect

if TYPE_CHECKING:
    from .gate import Gate

Pixels = npt.NDArray[np.uint8]

_lock = threading.RLock()


def _fresh_lock() -> None:
    """A process forked while another thread was decoding must not wait for that thread for ever."""
    global _lock
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_fresh_lock)


@contextmanager
def pillow() -> Iterator[None]:
    """Pillow with the settings the gate relies on, whatever other code has made of them meanwhile.

    They are global to the process, hence one decoding at a time. ``LOAD_TRUNCATED_IMAGES`` would turn half
    a file into a half-blank picture; the pixel limit is the gate's own and has been applied before; warnings
    must not decide (through somebody's filter) whether an image is scored.
    """
    settings: tuple[tuple[Any, str, Any], ...] = (
        (ImageFile, "LOAD_TRUNCATED_IMAGES", False),
        (Image, "MAX_IMAGE_PIXELS", None),
        (PngImagePlugin, "MAX_TEXT_CHUNK", 2**20),
        (PngImagePlugin, "MAX_TEXT_MEMORY", 2**26),
        (BmpImagePlugin, "USE_RAW_ALPHA", False),
        (TiffImagePlugin, "READ_LIBTIFF", False),
    )
    settings = tuple(setting for setting in settings if hasattr(*setting[:2]))  # they differ by version
    with _lock:
        before = [getattr(module, name) for module, name, _ in settings]
        try:
            for module, name, value in settings:
                setattr(module, name, value)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield
        finally:
            for (module, name, _), value in zip(settings, before, strict=True):
                setattr(module, name, value)


def decode(data: bytes, gate: Gate) -> tuple[Pixels, str, str, tuple[str, ...]]:
    """Decode under the rules of the gate.

    Returns:
        (H, W, 3) pixels, the file's format, its mode before conversion, and notes.

    Raises:
        Fault: the file is refused.
        Exception: whatever a decoder raises on a file that it cannot read; ``explain`` makes it a Fault.
    """

    def limit(width: int, height: int) -> None:
        if width * height > gate.max_pixels:
            raise Fault(
                "E-IMG-PIXELS",
                f"{width:,} x {height:,} pixels are over the limit of {gate.max_pixels:,}",
                "raise max_pixels in the [gate] of the sweep file if the image is meant to be this large",
            )

    header = inspect(data, limit, gate.frame or 0)
    _readable(header, gate)
    with pillow(), Image.open(io.BytesIO(data), formats=[header.format]) as image:
        frames = _one_frame(image, header, gate, limit)
        turn = _orientation(image, gate)
        notes = [f"frame:{gate.frame}"] if gate.frame and frames > 1 else []
        mode = f"{image.mode};16" if header.bits > 8 and ";16" not in image.mode else image.mode
        if header.bits > 8:
            rgb, alpha = _deep(data, image, header, limit)
            notes.append("depth:16")
        else:
            rgb, alpha = _shallow(image)
        if mode != "RGB":
            notes.append(f"mode:{mode}")
        profile = image.info.get("icc_profile")
        gray = image.mode in ("1", "L", "LA", "La") or image.mode.startswith("I;16")
        # Pillow itself turns a TIFF upright while it loads it.
        upright = header.format == "TIFF"
    if profile:
        rgb, note = _managed(rgb, bytes(profile), gray, gate)
        notes += note
    if alpha is not None and (alpha != 255).any():
        rgb = _flatten(rgb, alpha, gate)
        notes.append(f"alpha:{gate.alpha}")
    if turn != 1:
        notes.append(f"exif:{turn}")
        rgb = rgb if upright else _upright(rgb, turn)
    return np.ascontiguousarray(rgb), header.format, mode, tuple(notes)


def explain(error: Exception, data: bytes) -> Fault:
    """What an exception of a decoder says about the file."""
    kind = _name(data)
    text = str(error) or type(error).__name__
    if isinstance(error, UnidentifiedImageError):
        return Fault("E-IMG-CORRUPT", f"damaged or unusual {kind}: its header makes no sense", f"{AGAIN}, or {CONVERT}")
    if "truncated" in text.lower() or "not enough image data" in text:
        return cut(kind, "the pixels end too early")
    if "Decompressed data too large" in text or "Too much memory used in text chunks" in text:
        return corrupt(kind, "its text or color profile unpacks to an absurd size")
    return corrupt(kind, f"the decoder gave up ({printable(text)[:120]})")


def _name(data: bytes) -> str:
    for magic, name in ((b"\x89PNG", "PNG"), (b"\xff\xd8", "JPEG"), (b"BM", "BMP"), (b"RIFF", "WebP")):
        if data.startswith(magic):
            return name
    return "TIFF"


def _readable(header: Header, gate: Gate) -> None:
    """Refuse by header alone what must not be decoded."""
    kind, bits = header.format, header.bits
    if header.numeric:
        raise Fault(
            "E-IMG-MODE",
            f"the {kind} holds floating-point or signed numbers, whose range is not known",
            f"decide what is black and white, and {CONVERT}",
        )
    if bits > 8:
        able = bits == 16 and (kind == "PNG" or (kind == "TIFF" and header.plain))
        if gate.depth == "refuse" or not able:
            advice = "use --depth 8 to round it to 8 bits" if able else CONVERT
            raise Fault("E-IMG-DEPTH", f"the {kind} has {bits} bits per sample", advice)
    if header.frames > 1 and gate.frame is None:
        what = "pages" if kind == "TIFF" else "frames"
        raise Fault(
            "E-IMG-FRAMES",
            f"the {kind} has {header.frames} {what}",
            "save the one that is meant as a PNG, or use --frame 0",
        )


def _one_frame(image: Image.Image, header: Header, gate: Gate, limit: Limit) -> int:
    """Go to the frame that the gate names, or make sure that there is only one; how many there are."""
    frames = header.frames
    if header.format != "TIFF":  # whose pages have been counted
        frames = int(getattr(image, "n_frames", 1))
    if frames > 1 and gate.frame is None:
        raise Fault(
            "E-IMG-FRAMES",
            f"the file holds {frames} images",
            "save the one that is meant as a PNG, or use --frame 0",
        )
    if gate.frame:
        if gate.frame >= frames:
            raise Fault("E-IMG-FRAMES", f"frame {gate.frame} of {frames} was asked for", "count from 0")
        if header.bits > 8:
            raise Fault("E-IMG-DEPTH", "a later frame has 16 bits per sample", CONVERT)
        image.seek(gate.frame)
    limit(*image.size)
    return frames


def _orientation(image: Image.Image, gate: Gate) -> int:
    """EXIF orientation, 1 (upright) to 8; refused unless it is 1 or to be applied."""
    if image.format != "TIFF":  # which forgets its orientation when it is loaded, while PNG may learn it then
        image.load()
    try:
        value = image.getexif().get(0x0112, 1)
    except MemoryError:
        raise
    except Exception as error:
        found = "its EXIF data cannot be read, so which side is up is not known"
        raise Fault("E-IMG-EXIF", found, "save it again without metadata") from error
    if value not in range(2, 9):
        return 1
    if gate.exif == "refuse":
        raise Fault(
            "E-IMG-EXIF",
            f"EXIF orientation {value} says that the stored picture is not upright",
            "store it upright, or use --exif apply",
        )
    return int(value)


def _upright(rgb: Pixels, turn: int) -> Pixels:
    """Undo an EXIF orientation (CIPA DC-008, tag 274)."""
    if turn >= 5:
        rgb = rgb.transpose(1, 0, 2)
    if turn in (3, 4, 7, 8):
        rgb = rgb[::-1]
    if turn in (2, 3, 6, 7):
        rgb = rgb[:, ::-1]
    return rgb


def _shallow(image: Image.Image) -> tuple[Pixels, Pixels | None]:
    """RGB and, where the file has any, alpha of a picture of at most 8 bits per sample."""
    if image.mode not in ("1", "L", "P", "RGB", "RGBA", "LA", "La", "PA"):
        raise Fault("E-IMG-MODE", f"its color mode is {image.mode}, not gray, palette or RGB", CONVERT)
    image.load()
    if image.mode in ("RGBA", "LA", "La", "PA") or "transparency" in image.info:
        # Pillow knows no direct way from La.
        full = image.convert("LA").convert("RGBA") if image.mode == "La" else image.convert("RGBA")
        rgba = np.asarray(full)
        return np.array(rgba[..., :3]), np.array(rgba[..., 3])
    return np.array(image if image.mode == "RGB" else image.convert("RGB")), None


def _deep(data: bytes, image: Image.Image, header: Header, limit: Limit) -> tuple[Pixels, Pixels | None]:
    """RGB and alpha of a picture of 16 bits per sample: v / 257, rounded to nearest (a tie cannot occur)."""
    wide = _wide_png(data, image.size, header) if header.format == "PNG" else _wide_tiff(data, image)
    limit(wide.shape[1], wide.shape[0])
    channels = wide.shape[2]
    color, alpha = (wide[..., :-1], wide[..., -1]) if channels in (2, 4) else (wide, None)
    if header.key and len(header.key) == channels:
        alpha = np.where((wide == np.array(header.key, np.uint16)).all(axis=2), np.uint16(0), np.uint16(65535))
    rgb = np.repeat(_to_8(color), 3, axis=2) if color.shape[2] == 1 else _to_8(color)
    return rgb, None if alpha is None else _to_8(alpha)


def _to_8(wide: npt.NDArray[np.uint16]) -> Pixels:
    return ((wide.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _wide_png(data: bytes, size: tuple[int, int], header: Header) -> npt.NDArray[np.uint16]:
    """(H, W, channels) uint16 of a PNG, which Pillow would cut to 8 bits.

    Its decoder is handed the compressed pixels under the name of an 8-bit layout with as many bytes per
    pixel, or (for 6 and 8 bytes) twice: once for the high bytes, once for the low.
    """
    stream = b"".join(data[begin:end] for begin, end in header.data)
    color = data[25]

    def unpack(mode: str, raw: str) -> npt.NDArray[np.uint8]:
        return np.asarray(Image.frombytes(mode, size, stream, "zip", raw, int(header.interlaced)))

    if color in (0, 4):
        mode = "LA" if color == 0 else "RGBA"
        return np.ascontiguousarray(unpack(mode, mode)).view(">u2").astype(np.uint16)
    mode = "RGB" if color == 2 else "RGBA"
    high, low = unpack(mode, f"{mode};16B"), unpack(mode, f"{mode};16L")
    return _joined(high, low)


def _joined(high: Pixels, low: Pixels) -> npt.NDArray[np.uint16]:
    wide = high.astype(np.uint16)
    wide <<= 8
    wide |= low
    return wide


def _wide_tiff(data: bytes, image: Image.Image) -> npt.NDArray[np.uint16]:
    """(H, W, channels) uint16 of a TIFF: Pillow keeps the high bytes of color; the low ones are asked for."""
    if image.mode.startswith("I;16"):
        return np.asarray(image).astype(np.uint16)[..., None]
    swap = {"B": "L", "L": "B", "N": "B" if sys.byteorder == "little" else "L"}
    high = np.asarray(image)
    with Image.open(io.BytesIO(data), formats=["TIFF"]) as other:
        assert isinstance(other, ImageFile.ImageFile)
        tiles = []
        for tile in other.tile:
            raw, *rest = tile.args if isinstance(tile.args, tuple) else (tile.args,)
            if not (isinstance(raw, str) and raw[-4:-1] == ";16" and raw[-1] in swap):
                raise Fault("E-IMG-DEPTH", "the TIFF stores its 16-bit samples in an unusual way", CONVERT)
            tiles.append(tile._replace(args=(raw[:-1] + swap[raw[-1]], *rest)))
        other.tile = tiles
        low = np.asarray(other)
    return _joined(high, low)


def _flatten(rgb: Pixels, alpha: Pixels, gate: Gate) -> Pixels:
    """Do with transparency as the gate says."""
    if gate.alpha == "refuse":
        share = float((alpha != 255).mean())
        raise Fault(
            "E-IMG-ALPHA",
            f"{share:.1%} of its pixels are not opaque",
            "use --alpha white, black or drop to say what lies behind them",
        )
    if gate.alpha == "drop":
        return rgb
    behind = 255 if gate.alpha == "white" else 0
    a = alpha.astype(np.uint32)[..., None]
    # Rounded to nearest in integers; 255 is odd, so no sum lies half-way.
    return ((rgb.astype(np.uint32) * a + behind * (255 - a) + 127) // 255).astype(np.uint8)


_CLOSE = 2
"""A profile that moves no color by more than this many of 255 steps is sRGB under another name."""


@lru_cache(maxsize=16)
def _profile(icc: bytes, gray: bool) -> tuple[Any, bool]:
    """Transform of a profile to sRGB (None: it cannot be used), and whether it changes nothing to speak of."""
    from PIL import ImageCms

    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        facts: Any = source.profile
        space = facts.xcolor_space.strip()
        if space not in ({"RGB", "GRAY"} if gray else {"RGB"}):
            return None, False
        mode = "L" if space == "GRAY" else "RGB"
        transform = ImageCms.buildTransform(
            source,
            ImageCms.createProfile("sRGB"),
            mode,
            "RGB",
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            # Little CMS's shortcuts for 8 bits are off by up to 10 steps in the shadows of a steep curve.
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION | ImageCms.Flags.NOOPTIMIZE,
        )
        steps = np.linspace(0, 255, 16).round().astype(np.uint8)
        if mode == "L":
            probe = steps[None, :]
            wanted = np.repeat(probe[..., None], 3, axis=2)
        else:
            probe = wanted = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(16, -1, 3)
        moved = ImageCms.applyTransform(Image.fromarray(np.ascontiguousarray(probe)), transform)
        assert moved is not None
        far = np.abs(np.asarray(moved).astype(int) - wanted.astype(int)).max()
        return (transform, mode), bool(far <= _CLOSE)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None, False


def _managed(rgb: Pixels, icc: bytes, gray: bool, gate: Gate) -> tuple[Pixels, list[str]]:
    """Note an embedded profile that is not sRGB, or convert by it."""
    with _lock:
        usable, same = _profile(icc, gray)
        if same:
            return rgb, []
        note = [f"icc:{sha256(icc).hexdigest()[:12]}"]
        if gate.icc == "note":
            return rgb, note
        if usable is None:
            raise Fault(
                "E-IMG-CORRUPT",
                "its color profile cannot be read or does not fit the picture",
                "save it again in sRGB, or use --icc note",
            )
        from PIL import ImageCms

        transform, mode = usable
        before = Image.fromarray(rgb if mode == "RGB" else np.ascontiguousarray(rgb[..., 0]))
        after = ImageCms.applyTransform(before, transform)
        return np.array(after), [*note, "icc:converted"]
