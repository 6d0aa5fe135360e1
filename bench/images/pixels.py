"""Arithmetic on pixels that must be the same everywhere, and writing them without loss."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from ..errors import ResourceError

_LUMA = np.array([65.481, 128.553, 24.966])


def to_uint8(values: npt.ArrayLike) -> npt.NDArray[np.uint8]:
    """The suite's only step from floating point to bytes: clip to [0, 1], times 255, round half to even.

    Args:
        values: floating-point values of any shape; 0 is black and 1 is white.

    Returns:
        Array of the same shape.

    Raises:
        ValueError: integers (already bytes, or on a scale that is not known), or NaN.
    """
    array = np.asarray(values)
    if not np.issubdtype(array.dtype, np.floating):
        raise ValueError(f"to_uint8 takes floating-point values in [0, 1], not {array.dtype}")
    if np.isnan(array).any():
        raise ValueError("to_uint8 was given NaN, which is no shade of anything; find out where it came from")
    # Rounding is done in float64, so that a half is a half whatever the input's precision.
    return np.rint(np.clip(array.astype(np.float64), 0.0, 1.0) * 255.0).astype(np.uint8)


def luma_bt601(rgb: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """Luma in studio range after ITU-R BT.601: 16 (black) to 235 (white), not rounded.

    Args:
        rgb: (..., 3) uint8, gamma-encoded RGB.

    Returns:
        (...) float64: 16 + (65.481 R + 128.553 G + 24.966 B) / 255.

    Raises:
        ValueError: another type, or another number of channels.
    """
    rgb = np.asarray(rgb)
    if rgb.dtype != np.uint8 or rgb.ndim < 1 or rgb.shape[-1] != 3:
        raise ValueError(f"luma_bt601 takes (..., 3) uint8, not {rgb.shape} {rgb.dtype}")
    return rgb.astype(np.float64) @ (_LUMA / 255.0) + 16.0


def save_png(path: Path | str, array: npt.NDArray[np.uint8]) -> None:
    """Write an image without loss, whole or not at all: another process never sees half a file.

    Args:
        path: where to; an existing file is replaced in one step.
        array: (H, W, 3) RGB or (H, W) gray, uint8. Quantise floating point with ``to_uint8`` first.

    Raises:
        ValueError: another shape or type.
        ResourceError: the disk is full or over quota.
        OSError: the folder cannot be written to.
    """
    array = np.asarray(array)
    if array.dtype != np.uint8 or not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] == 3)):
        raise ValueError(f"save_png takes (H, W, 3) or (H, W) uint8, not {array.shape} {array.dtype}")
    if 0 in array.shape:
        raise ValueError(f"save_png cannot write an image without pixels, {array.shape}")
    path = Path(path)
    temporary = path.parent / f".ganiq-{secrets.token_hex(8)}.tmp"  # short, whatever the name's length
    try:
        with open(temporary, "xb") as file:
            Image.fromarray(np.ascontiguousarray(array)).save(file, "PNG", compress_level=6)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            reason = os.strerror(error.errno)
            raise ResourceError(f"{path.name} could not be written ({reason}); free space and run again") from error
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)  # the new name itself must survive a power cut
    finally:
        os.close(folder)
