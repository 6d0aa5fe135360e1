"""The one way by which an image file becomes pixels: under declared rules, or not at all."""

from __future__ import annotations

import os
from dataclasses import dataclass
from hashlib import sha256 as hasher
from pathlib import Path
from typing import Literal, get_args, get_type_hints

import numpy as np
import numpy.typing as npt

from ..errors import Refusal, UsageError
from ..types import Picture
from . import files
from .decode import decode, explain
from .headers import Fault

_EXTENSIONS = {
    "PNG": (".png", ".apng"),
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"),
    "BMP": (".bmp", ".dib"),
    "WEBP": (".webp",),
    "TIFF": (".tif", ".tiff"),
}


@dataclass(frozen=True, slots=True)
class Gate:
    """What to do with files that could be read in more than one way. By default they are refused."""

    alpha: Literal["refuse", "white", "black", "drop"] = "refuse"
    """Pixels that are not opaque: put on white, on black, or taken as if they were opaque."""
    depth: Literal["refuse", "8"] = "refuse"
    """16 bits per sample: rounded to 8."""
    exif: Literal["refuse", "apply"] = "refuse"
    """An EXIF orientation other than upright: applied."""
    icc: Literal["note", "convert"] = "note"
    """An embedded color profile other than sRGB: noted, or converted to sRGB (relative colorimetric
    intent with black point compensation)."""
    frame: int | None = None
    """Which frame or page, from 0, of files with several; ``None`` refuses these."""
    max_pixels: int = 50_000_000
    """Width times height, checked before anything is decoded."""
    max_bytes: int = files.MAX_BYTES
    """Size of the file."""

    def __post_init__(self) -> None:
        hints = get_type_hints(type(self))
        for name in ("alpha", "depth", "exif", "icc"):
            value, known = getattr(self, name), get_args(hints[name])
            if value not in known:
                raise UsageError(f"--{name} {value!r} is not known; use one of {', '.join(known)}", code="E-CFG")
        if self.frame is not None and self.frame < 0:
            raise UsageError(f"--frame {self.frame} is not known; frames count from 0", code="E-CFG")
        if self.max_pixels < 1 or self.max_bytes < 1:
            raise UsageError("the limits of pixels and bytes must be at least 1", code="E-CFG")

    def identity(self) -> dict[str, str]:
        """The options that change pixels, for the digest of what was computed from them."""
        frame = "refuse" if self.frame is None else str(self.frame)
        return {"alpha": self.alpha, "depth": self.depth, "exif": self.exif, "frame": frame, "icc": self.icc}


DEFAULT = Gate()


def read(
    path: Path,
    *,
    shown: str | None = None,
    sha256: str | None = None,
    gate: Gate = DEFAULT,
    root: Path | None = None,
) -> tuple[npt.NDArray[np.uint8], Picture]:
    """Read one image: once from the disk, so that the hash and the pixels are of the same bytes.

    Args:
        path: a PNG, JPEG, BMP, WebP or TIFF file, told by its content and not by its name.
        shown: how messages name the file; without it, relative to ``root`` or the last part of ``path``.
        sha256: hash that the file's bytes must have, as 64 hexadecimal digits.
        gate: the rules.
        root: folder that the file, symbolic links followed, must lie in.

    Returns:
        (H, W, 3) uint8 RGB, C-contiguous and writable, and the facts about the file.

    Raises:
        Refusal: ``E-IO-MISSING``, ``-TYPE``, ``-PERMISSION``, ``-READ``; ``E-PATH-ESCAPE``;
            ``E-IMG-BYTES``, ``-HASH``, ``-FORMAT``, ``-TRUNC``, ``-CORRUPT``, ``-PIXELS``, ``-ALPHA``,
            ``-DEPTH``, ``-MODE``, ``-EXIF``, ``-FRAMES``; ``E-OOM``. No other exception leaves this function
            because of what a file contains.

    A flipped bit inside a JPEG or a lossy WebP usually decodes to other pixels and can be seen by the hash
    only: declare one for data that must not change.
    """
    name = files.label(path, shown, root)
    data = files.load(path, name, root, gate.max_bytes)
    digest = hasher(data).hexdigest()
    if sha256 is not None and digest != sha256.strip().lower():
        raise Refusal(
            "E-IMG-HASH",
            name,
            f"its bytes have sha256 {digest[:12]}..., and {sha256.strip()[:12]}... is declared",
            "restore the declared file, or declare the new one",
        )
    try:
        pixels, kind, mode, notes = decode(data, gate)
    except Fault as fault:
        raise Refusal(fault.code, name, fault.found, fault.advice) from fault.__cause__
    except MemoryError:
        raise Refusal("E-OOM", name, "there is not enough memory to decode it", "free memory and run again") from None
    except Exception as error:  # decoders raise whatever they like on damaged files
        cause = explain(error, data)
        raise Refusal(cause.code, name, cause.found, cause.advice) from error
    extension = os.path.splitext(os.fspath(shown or path))[1].lower()
    if extension and extension not in _EXTENSIONS[kind]:
        notes = ("ext_mismatch", *notes)
    height, width, _ = pixels.shape
    return pixels, Picture(
        sha256=digest,
        pixels_sha256=hasher(pixels.data).hexdigest(),
        width=width,
        height=height,
        mode=mode,
        bytes=len(data),
        notes=notes,
    )
