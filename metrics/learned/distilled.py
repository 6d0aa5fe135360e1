"""The shipped evaluators as metrics: loading and asking them. Imports no torch by itself."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from ..inputs import pair, single

if TYPE_CHECKING:
    from torch import Tensor

    from ..evaluator.predictor import Predictor


@cache
def predictor(slot: str, device: str = "cpu") -> Predictor:
    """The evaluator of a slot; read once per process and device.

    Raises:
        MissingWeights: its slot is empty.
        BadWeights: the file is not the one the slot stands for, or no evaluator.
    """
    from ...bench.weights import read
    from ..evaluator.predictor import Predictor

    return Predictor(read(slot), device)


def judged(name: str, slot: str, images: Tensor, references: Tensor | None, *, compares: bool) -> Tensor:
    """Scores (N,) of (N,3,H,W) in [0,1], in double precision; references only where the evaluator compares.

    Raises:
        TypeError, ValueError: not such images; references lacking or of another shape.
    """
    import torch

    if compares:
        images, references = pair(name, images, references, dtype=torch.float32)
    else:
        images, references = single(name, images, references, dtype=torch.float32), None
    return predictor(slot, str(images.device)).score(images, references).double()
