"""What set metrics demand of two sets of features."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import Tensor


def sets(name: str, generated: Tensor, real: Tensor, least: int, lower: str = "") -> tuple[Tensor, Tensor]:
    """Check (N,D) and (M,D); returned in float64.

    Args:
        name: of the metric, for messages.
        generated: features of generated images.
        real: features of real images.
        least: fewest rows in either.
        lower: parameter of the metric that lowers this guard, where it has one.

    Raises:
        ValueError: other shapes, values that are not finite, or fewer than ``least`` rows in either.
    """
    check(name, generated, real, least, lower)
    return generated.double(), real.double()


def check(name: str, generated: Tensor, real: Tensor, least: int, lower: str = "") -> None:
    """As ``sets``, and nothing is converted: for whoever works stripe by stripe.

    Raises:
        ValueError: as ``sets``.
    """
    import torch

    for rows, which in ((generated, "generated"), (real, "real")):
        if not isinstance(rows, torch.Tensor) or rows.ndim != 2:
            shape = tuple(rows.shape) if isinstance(rows, torch.Tensor) else type(rows).__name__
            raise ValueError(f"{name}: {which} features are {shape}; pass a tensor (N,D)")
        if rows.shape[0] < least:
            hint = f", or lower {lower} if you can live with a biased or noisy number" if lower else ""
            raise ValueError(
                f"{name}: {rows.shape[0]} {which} images, at least {least} are needed; use more images{hint}"
            )
        if not bool(rows.isfinite().all()):
            raise ValueError(f"{name}: {which} features hold values that are not finite; check the images")
    if generated.shape[1] != real.shape[1]:
        raise ValueError(
            f"{name}: generated features have {generated.shape[1]} dimensions and real ones {real.shape[1]}; "
            "use one extractor for both"
        )


def drawn(rows: Tensor, count: int, random: torch.Generator) -> Tensor:
    """``count`` random rows without repetition; which ones depends on their values, not on their order."""
    import torch

    order = rows.double().sum(dim=1).argsort(stable=True)
    chosen = torch.randperm(rows.shape[0], generator=random)[:count]
    return rows[order[chosen.to(order.device)]]
