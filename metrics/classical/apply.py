"""Scoring one image at a time, so that an answer depends on one image only and always is a number or NaN."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ...bench.vision import load

if TYPE_CHECKING:
    from torch import Tensor


def apply(function: str, images: Tensor, references: Tensor | None = None, **options: Any) -> Tensor:
    """Run ``piq.<function>`` on one image at a time.

    One at a time, because some of piq's metrics look at the whole batch (SR-SIM scales its saliency by the
    batch's extremes), and a score must not depend on its neighbours.

    Args:
        function: name of a function of piq that takes ``reduction``.
        images: (N,C,H,W).
        references: (N,C,H,W), or None for a no-reference metric.
        options: handed on.

    Returns:
        (N,), NaN where the formula is undefined (flat images make several divide by zero or invert a
        singular matrix).
    """
    return each(getattr(load("piq"), function), images, references, **options, reduction="none")


def each(function: Callable[..., Tensor], images: Tensor, references: Tensor | None = None, **options: Any) -> Tensor:
    """Run a function of (1,C,H,W) batches on every image of a batch; see ``apply``.

    A batch of one is handed on as it is: what is remembered about that very tensor (memory.py) serves the
    next metric too.
    """
    import torch

    values = []
    for i in range(images.shape[0]):
        batch = (images,) if references is None else (images, references)
        if images.shape[0] > 1:
            batch = tuple(whole[i : i + 1] for whole in batch)
        try:
            values.append(function(*batch, **options).reshape(()))
        except torch.linalg.LinAlgError:  # pyright: ignore[reportPrivateImportUsage]
            values.append(images.new_tensor(torch.nan))
    if not values:
        return images.new_zeros(0)
    answer = torch.stack(values)
    return torch.where(answer.isfinite(), answer, torch.nan)
