"""Comparing images with a reference whose part of the work is done once, however many images it is compared with."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from ..memory import recall

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
    import torch

    values = []
    for n in range(images.shape[0]):
        # The whole batch of one is the harness's own tensor, which it hands over again with the next image.
        one, other = (b if b.shape[0] == 1 else b[n : n + 1] for b in (images, references))
        values.append(score(one, recall(other, name, prepare)).reshape(()))
    if not values:
        return images.new_zeros(0)
    answer = torch.stack(values)
    return torch.where(answer.isfinite(), answer, torch.nan)
