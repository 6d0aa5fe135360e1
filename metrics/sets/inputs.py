"""What set metrics demand of two sets of features."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def sets(name: str, generated: Tensor, real: Tensor, least: int) -> tuple[Tensor, Tensor]:
    """Check (N,D) and (M,D); returned in float64.

    Raises:
        ValueError: other shapes, values that are not finite, or fewer than ``least`` rows in either.
    """
    import torch

    batches = []
    for rows, which in ((generated, "generated"), (real, "real")):
        if not isinstance(rows, torch.Tensor) or rows.ndim != 2:
            shape = tuple(rows.shape) if isinstance(rows, torch.Tensor) else type(rows).__name__
            raise ValueError(f"{name}: {which} features are {shape}; pass a tensor (N,D)")
        if rows.shape[0] < least:
            raise ValueError(
                f"{name}: {rows.shape[0]} {which} images, at least {least} are needed; use more images, or lower "
                "least_n if you can live with a biased number"
            )
        if not bool(rows.isfinite().all()):
            raise ValueError(f"{name}: {which} features hold values that are not finite; check the images")
        batches.append(rows.double())
    generated, real = batches
    if generated.shape[1] != real.shape[1]:
        raise ValueError(
            f"{name}: generated features have {generated.shape[1]} dimensions and real ones {real.shape[1]}; "
            "use one extractor for both"
        )
    return generated, real
