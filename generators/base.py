"""What all restorers share: checking the input, and calling one on a uint8 image."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..bench.images import to_uint8

if TYPE_CHECKING:
    from torch import Tensor

    from ..bench.protocols import Restorer

Pixels = npt.NDArray[np.uint8]
"""(H, W, 3) RGB."""
Planes = npt.NDArray[np.float32]
"""(H, W, 3) RGB in [0, 1]."""


def on_array(image: Tensor, work: Callable[[Planes], npt.NDArray[np.floating]]) -> Tensor:
    """Run a NumPy restoration on a tensor.

    Args:
        image: (3, h, w) in [0, 1].
        work: (h, w, 3) float32 -> (H, W, 3) of any float type.

    Returns:
        (3, H, W) of the input's type, clamped to [0, 1].

    Raises:
        ValueError: the input has another shape or type.
    """
    import torch

    check(image)
    planes = np.ascontiguousarray(image.detach().to("cpu", torch.float32).permute(1, 2, 0).numpy())
    done = np.clip(np.asarray(work(planes), np.float32), 0.0, 1.0)
    return torch.from_numpy(np.ascontiguousarray(done.transpose(2, 0, 1))).to(image)


def check(image: Tensor) -> None:
    """Raises ValueError unless the image is a (3, h, w) floating-point tensor with at least one pixel."""
    if image.ndim != 3 or image.shape[0] != 3 or not image.is_floating_point() or image.numel() == 0:
        raise ValueError(f"a restorer takes a (3, h, w) tensor in [0, 1], not {tuple(image.shape)} {image.dtype}")


def restore(restorer: Restorer, image: Pixels) -> Pixels:
    """A restorer on bytes: (h, w, 3) RGB or (h, w) grey uint8 in, (H, W, 3) uint8 out, rounded once at the end.

    Raises:
        ValueError: another shape or type.
    """
    import torch

    if image.dtype != np.uint8 or image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] != 3):
        raise ValueError(f"a restorer on bytes takes (h, w, 3) or (h, w) uint8, not {image.shape} {image.dtype}")
    if image.ndim == 2:
        image = np.repeat(image[:, :, None], 3, axis=2)
    planes = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1))).to(torch.float32) / 255.0
    with torch.inference_mode():
        answer = restorer(planes)
    return to_uint8(answer.permute(1, 2, 0).numpy())
