"""Gradient magnitudes, and the ratio by which most metrics compare two maps."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import Tensor

SCHARR = ((-3 / 16, 0.0, 3 / 16), (-10 / 16, 0.0, 10 / 16), (-3 / 16, 0.0, 3 / 16))
PREWITT = ((-1 / 3, 0.0, 1 / 3),) * 3


def magnitude(plane: Tensor, operator: tuple[tuple[float, ...], ...]) -> Tensor:
    """Length of the gradient of (1,1,H,W), zeros beyond the border."""
    import torch.nn.functional as F

    return F.conv2d(plane, _both(operator, plane.dtype, plane.device), padding=1).square().sum(1, True).sqrt()


@lru_cache(maxsize=16)
def _both(operator: tuple[tuple[float, ...], ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    import torch

    across = torch.tensor(operator, dtype=dtype, device=device)
    return torch.stack([across, across.T])[:, None]


def alike(a: Tensor, b: Tensor, constant: float, masking: float = 0.0) -> Tensor:
    """((2 - k) a b + c) / (a^2 + b^2 - k a b + c), 1 where the maps agree; k is the masking coefficient."""
    product = a * b
    return ((2 - masking) * product + constant) / (a.square() + b.square() - masking * product + constant)
