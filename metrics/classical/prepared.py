"""Comparing images with a reference whose part of the work is done once, however many images it is compared with."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from ..memory import recall
from .apply import each

if TYPE_CHECKING:
    from torch import Tensor

T = TypeVar("T")


def compare(
    images: Tensor, references: Tensor, name: str, prepare: Callable[[Tensor], T], score: Callable[[Tensor, T], Tensor]
) -> Tensor:
    """Score every image of a batch on its own -> (N,), NaN where the formula is undefined.

    Args:
        images: (N,3,H,W).
        references: (N,3,H,W); what is prepared from one is kept by the identity of the tensor handed in.
        name: of what is prepared, with every parameter it depends on.
        prepare: of a reference (1,3,H,W); pure.
        score: (image (1,3,H,W), prepared reference) -> a scalar.
    """
    return each(lambda image, reference: score(image, recall(reference, name, prepare)), images, references)
