"""Pictures made worse in known ways, and recipes for tiny networks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageFilter

Make = Callable[..., Path]
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


def worse(pixels: np.ndarray, kind: str, level: int, seed: int) -> np.ndarray:
    if kind == "blur":
        return np.array(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(0.4 * level)))
    noisy = pixels + np.random.default_rng([seed, level]).normal(0, 6 * level, pixels.shape)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


REG = {"loss": "tiny_evaluators:regression"}
SCORE = {"distill": "tiny_evaluators:ScoreDistiller", "weight": 0.5}
HINT = {"distill": "tiny_evaluators:HintDistiller"}


def document(**changes: Any) -> dict[str, Any]:
    """A recipe: a full-reference teacher, then a student that distils from it."""
    base: dict[str, Any] = {
        "name": "tiny",
        "views": {"crop": 48, "patches": 1},
        "teacher": {"net": "tiny_evaluators:Tiny", "role": "FR"},
        "student": {"net": "tiny_evaluators:Tiny", "role": "NR"},
        "stages": [
            {"name": "teacher", "train": "teacher", "epochs": 4, "batch": 8, "lr": 3e-3, "terms": [REG]},
            {"name": "student", "epochs": 4, "batch": 8, "lr": 3e-3, "terms": [REG, SCORE, HINT]},
        ],
    }
    return base | changes
