"""Resizing as two matrix products, with the conventions of MATLAB's imresize.

Output pixel i lies at u = (i + 1/2) / scale - 1/2 of the input. Each output is a weighted mean of inputs with
a kernel that is stretched by 1 / scale when it shrinks the image (antialiasing); outside the image the pixels
are mirrored, the border pixel included. The bicubic kernel is Keys' with a = -1/2.

Keys: Cubic convolution interpolation for digital image processing. IEEE Transactions on Acoustics, Speech and
Signal Processing 29(6), 1981. doi:10.1109/TASSP.1981.1163711
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

SUPPORT = {"nearest": 1, "bilinear": 2, "bicubic": 4, "lanczos2": 4, "lanczos3": 6}
"""Kernels, and how many input pixels one output looks at when nothing is shrunk."""


@lru_cache(maxsize=64)
def matrix(
    size: int, target: int, *, scale: float | None = None, kernel: str = "bicubic", antialias: bool = True
) -> np.ndarray:
    """The operator that turns ``size`` samples into ``target``: (target, size), rows sum to 1, read-only.

    Args:
        size: length of the input, in pixels.
        target: length of the output.
        scale: output pixels per input pixel; ``target / size`` unless given (MATLAB keeps the scale that was asked
            for when it rounds the size up, and then the two differ).
        kernel: one of ``SUPPORT``.
        antialias: stretch the kernel when shrinking.

    Raises:
        ValueError: an unknown kernel, or lengths below 1.
    """
    if kernel not in SUPPORT:
        raise ValueError(f"kernel={kernel!r}; choose one of {', '.join(SUPPORT)}")
    if size < 1 or target < 1:
        raise ValueError(f"{size} pixels cannot become {target}; give lengths of at least 1")
    ratio = target / size if scale is None else scale
    stretch = ratio if antialias and ratio < 1 and kernel != "nearest" else 1.0
    width = SUPPORT[kernel] / stretch
    place = (np.arange(target) + 0.5) / ratio - 0.5
    first = np.floor(place - width / 2).astype(np.int64) + 1
    taps = first[:, None] + np.arange(math.ceil(width) + 1)[None]
    weights = _kernel(kernel, (place[:, None] - taps) * stretch)
    weights /= weights.sum(axis=1, keepdims=True)
    mirrored = taps % (2 * size)
    mirrored = np.where(mirrored < size, mirrored, 2 * size - 1 - mirrored)
    operator = np.zeros((target, size))
    np.add.at(operator, (np.arange(target)[:, None], mirrored), weights)
    operator.flags.writeable = False
    return operator


def _kernel(name: str, x: np.ndarray) -> np.ndarray:
    distance = np.abs(x)
    if name == "nearest":
        return ((x >= -0.5) & (x < 0.5)).astype(float)
    if name == "bilinear":
        return np.clip(1 - distance, 0, None)
    if name == "bicubic":
        near = 1.5 * distance**3 - 2.5 * distance**2 + 1
        far = -0.5 * distance**3 + 2.5 * distance**2 - 4 * distance + 2
        return np.where(distance <= 1, near, np.where(distance < 2, far, 0.0))
    lobes = int(name[-1])
    return np.where(distance < lobes, np.sinc(x) * np.sinc(x / lobes), 0.0)
