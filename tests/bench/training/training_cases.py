"""Pictures made worse in known ways, and recipes for tiny networks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageFilter

Make = Callable[..., Path]


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
