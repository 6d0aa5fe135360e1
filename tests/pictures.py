"""Pictures of different contents, made here."""

from __future__ import annotations

import numpy as np

SIDE = 72


def picture(seed: int, side: int = SIDE) -> np.ndarray:
    """Waves and patches: another content for every seed."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side] / side
    pixels = np.zeros((side, side, 3))
    for _ in range(5):
        fy, fx, phase = rng.uniform(-9, 9), rng.uniform(-9, 9), rng.uniform(0, 6)
        pixels += np.sin(2 * np.pi * (fy * y + fx * x) + phase)[..., None] * rng.uniform(-1, 1, 3)
    for _ in range(7):
        top, left = rng.integers(0, side - 12, 2)
        pixels[top : top + rng.integers(5, 30), left : left + rng.integers(5, 30)] += rng.uniform(-3, 3, 3)
    pixels += rng.normal(0, 0.25, pixels.shape)
    low, high = pixels.min(), pixels.max()
    return np.rint(255 * (pixels - low) / (high - low)).astype(np.uint8)
