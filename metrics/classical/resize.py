"""Antialiased bicubic resizing of planes, as MATLAB's imresize does it (bench/images/resample.py)."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import Tensor


def resized(planes: Tensor, height: int, width: int, scale: float | None = None) -> Tensor:
    """(N,C,H,W) -> (N,C,height,width), rows first; ``scale`` where the size is a rounded one."""
    rows, columns = (
        _operator(size, target, scale, planes.dtype, planes.device)
        for size, target in zip(planes.shape[2:], (height, width), strict=True)
    )
    return rows @ planes @ columns.T


@lru_cache(maxsize=32)
def _operator(size: int, target: int, scale: float | None, dtype: torch.dtype, device: torch.device) -> Tensor:
    import torch

    from ...bench.images.resample import matrix

    return torch.tensor(matrix(size, target, scale=scale), dtype=dtype, device=device)
