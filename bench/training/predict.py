"""Scores of images by a network: fixed crops, their mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..progress import Progress, Silent
from .beside import Entry
from .loader import Loader
from .recipe import Net

BATCH = 16


def passes(network: Any, crops: int) -> list[list[int]]:
    """Which of the fixed crops the network sees at once: each by itself and then the mean, or, where it judges several
    together, the first so many."""
    together = getattr(network, "patches", None)
    return [list(range(together))] if together else [[n] for n in range(crops)]


def predict(
    network: Any,
    net: Net,
    loader: Loader,
    places: Sequence[int] | None = None,
    *,
    which: str = "student",
    progress: Progress | None = None,
) -> npt.NDArray[np.float64]:
    """Scores on the learned scale, one per entry.

    The network is left in the mode it was found in, module by module.
    """
    import torch

    say = progress or Silent()
    chosen = list(range(len(loader.entries))) if places is None else list(places)
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    answer = np.zeros(len(chosen))
    size = BATCH if loader.crops else 1  # as many crops as cover an image differ from image to image
    try:
        for start in range(0, len(chosen), size):
            part = chosen[start : start + size]
            looks = passes(network, loader.count(loader.entries[part[0]]))
            with torch.inference_mode():
                for look in looks:
                    views = loader.fixed(part, look).views(which, net)
                    scores = network(views)["score"].float().cpu().numpy().astype(np.float64)
                    answer[start : start + len(part)] += scores / len(looks)
            say.advance(len(part))
    finally:
        for module, training in modes:
            module.training = training
    return answer


def agreement(
    predicted: Sequence[float] | np.ndarray, wanted: Sequence[Entry], sign: int, within: bool
) -> float | None:
    """Rank agreement with people: mean within references where scores may only be compared there; None if undefined."""
    from ..stats import srocc
    from ..stats import within as inside

    rows = [n for n, (_, s) in enumerate(wanted) if s.score is not None]
    y = np.array([sign * (wanted[n].sample.score or 0.0) for n in rows])
    x = np.asarray(predicted)[rows]
    if not np.isfinite(x).all():
        return None
    value = inside(x, y, [wanted[n].sample.block for n in rows]).mean if within else srocc(x, y)
    return float(value) if np.isfinite(value) else None
