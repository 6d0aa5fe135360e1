"""Resizing with antialiasing, as set metrics are defined with: Pillow's bicubic filter.

Shrinking without antialiasing (bilinear interpolation between the four nearest pixels) turns fine texture into
false patterns, and distances between sets then measure the resizer. Pillow widens the filter by the factor of
reduction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def float_bicubic(images: Tensor, side: int) -> Tensor:
    """(N,3,H,W) in [0,1] -> (N,3,side,side) in [0,255], each channel resized in float32, clipped and not rounded."""
    import numpy as np
    import torch
    from PIL import Image

    planes = (images.detach().double() * 255).float().cpu().numpy()
    answer = np.empty((*planes.shape[:2], side, side), dtype=np.float32)
    for n, image in enumerate(planes):
        for c, plane in enumerate(image):
            answer[n, c] = np.asarray(Image.fromarray(plane).resize((side, side), Image.Resampling.BICUBIC))
    return torch.from_numpy(answer).clamp_(0, 255).to(images.device)


def byte_bicubic(images: Tensor, side: int) -> Tensor:
    """(N,3,H,W) in [0,1] -> (N,3,side,side) in [0,1], resized as 8-bit RGB images: the result is rounded to bytes."""
    import numpy as np
    import torch
    from PIL import Image

    pixels = (images.detach().double() * 255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
    answer = np.empty((len(pixels), side, side, 3), dtype=np.uint8)
    for n, image in enumerate(pixels):
        small = Image.fromarray(np.ascontiguousarray(image)).resize((side, side), Image.Resampling.BICUBIC)
        answer[n] = np.asarray(small)
    return (torch.from_numpy(answer).permute(0, 3, 1, 2).float() / 255).to(images.device)
