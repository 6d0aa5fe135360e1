"""Tiny images, made on the spot."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

Paint = Callable[..., Path]


@pytest.fixture
def paint() -> Paint:
    """``paint(path, seed=0, noise=0.0, size=(16, 12))``: a smooth picture with noise; same seed, same picture."""

    def make(path: Path, seed: int = 0, noise: float = 0.0, size: tuple[int, int] = (16, 12)) -> Path:
        width, height = size
        rng = np.random.default_rng(seed)
        slope = rng.uniform(-4, 4, (2, 3))
        y, x = np.mgrid[:height, :width]
        pixels = 128 + slope[0] * x[..., None] + slope[1] * y[..., None]
        pixels = pixels + noise * np.random.default_rng([seed, int(noise * 10)]).standard_normal(pixels.shape)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.clip(np.rint(pixels), 0, 255).astype(np.uint8)).save(path)
        return path

    return make
