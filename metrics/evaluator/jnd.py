"""Just-noticeable difference: by how many grey levels a pixel may change before an eye sees it.

``pattern``: Wu et al.: Enhanced just noticeable difference model for images with pattern complexity. IEEE Transactions
on Image Processing 26(6), 2017. doi:10.1109/TIP.2017.2685682. ``namm``: Yang et al.: Just noticeable distortion model
and its applications in video coding. Signal Processing: Image Communication 20(7), 2005.
doi:10.1016/j.image.2005.04.001. Both join a threshold of luminance L and one of masking M as L + M - .3 min(L, M).

Luminance: 17 (1 - sqrt(B/127)) + 3 for a background B below 127, 3/128 (B - 127) + 3 from there on. ``pattern``
weighs it by .7 and lifts dark backgrounds first; its masking is the larger one of luminance contrast (deviation in a
5x5 window) and of contrast times the number of distinct gradient orientations nearby. In ``namm`` masking follows the
strongest of four directional gradients.

Protocol: BT.601 grey rounded to 0-255; borders replicated (not zero: that would darken them); orientations modulo
180 degrees in 15 bins of 12 degrees and one for pixels without gradient. Nothing here has a gradient for training.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from torch import Tensor

Model = Literal["pattern", "namm"]
KAPPA = 0.7
"""Part of the just-noticeable difference that is taken away or added."""

_BACKGROUND = ((1, 1, 1, 1, 1), (1, 2, 2, 2, 1), (1, 2, 0, 2, 1), (1, 2, 2, 2, 1), (1, 1, 1, 1, 1))
_FLAT = ((0, 0, 0, 0, 0), (1, 3, 8, 3, 1), (0, 0, 0, 0, 0), (-1, -3, -8, -3, -1), (0, 0, 0, 0, 0))
_SLANT = ((0, 0, 1, 0, 0), (0, 8, 3, 0, 0), (1, 3, 0, -3, -1), (0, 0, -3, -8, 0), (0, 0, -1, 0, 0))
_MIRROR = tuple(row[::-1] for row in _SLANT)
_UPRIGHT = tuple(zip(*_FLAT))
_BINS = 15
_UPRIGHT_BIN = 8


def jnd(images: Tensor, model: Model = "pattern", *, edges: bool = True, logarithmic: bool = False) -> Tensor:
    """(N,3,H,W) in [0,1] -> (N,1,H,W) in grey levels of 0-255.

    Args:
        images: RGB.
        model: which of the two.
        edges: ``pattern`` only: no masking by patterns beside long edges, where the eye looks closely (Canny).
        logarithmic: ``pattern`` only: contrast as log2(1 + c) in the masking by patterns, as printed in the paper.

    Raises:
        ValueError: an unknown model.
    """
    import torch

    if model not in ("pattern", "namm"):
        raise ValueError(f"there is no JND model {model!r}; choose pattern or namm")
    with torch.no_grad(), torch.autocast(images.device.type, enabled=False):  # sums of grey levels need all digits
        weights = torch.tensor((0.299, 0.587, 0.114), device=images.device).view(3, 1, 1)
        grey = ((images.float() * weights).sum(1, keepdim=True) * 255).round()
        luminance, masking = _namm(grey) if model == "namm" else _pattern(grey, edges=edges, logarithmic=logarithmic)
        return luminance + masking - 0.3 * torch.minimum(luminance, masking)


def visible(images: Tensor, threshold: Tensor, kappa: float = KAPPA) -> Tensor:
    """The image with the least detail that stays within the just-noticeable difference of it.

    Every pixel moves towards a slight blur of the image (5x5 Gaussian, sigma 1) by up to ``kappa`` thresholds.
    """
    return towards(images, _filtered(images, _gaussian(5, 1.0)), threshold, kappa)


def towards(images: Tensor, goal: Tensor, threshold: Tensor, kappa: float = KAPPA) -> Tensor:
    """Images whose difference from ``goal`` lost what cannot be seen: up to ``kappa`` thresholds of it."""
    difference = images - goal
    return goal + difference.sign() * (difference.abs() - kappa * threshold.to(images) / 255).clamp_min(0)


def inject(images: Tensor, threshold: Tensor, signs: Tensor, kappa: float = KAPPA) -> Tensor:
    """Noise just below what can be seen; ``signs`` are -1 and 1, drawn by the caller."""
    return (images + kappa * signs * threshold.to(images) / 255).clamp(0, 1)


def _pattern(grey: Tensor, *, edges: bool, logarithmic: bool) -> tuple[Tensor, Tensor]:
    import torch

    background = (_filtered(grey, _BACKGROUND) / 32).floor()
    lifted = torch.where(background <= 127, (32 + background * (95 / 127)).round(), background)
    contrast = _contrast(grey)
    by_contrast = 0.115 * 16 * contrast**2.4 / (contrast**2 + 26**2)
    complexity = _filtered(_orientations(grey), _gaussian(3, 1.0))
    strength = torch.log2(1 + contrast) if logarithmic else contrast
    by_pattern = strength * 0.3 * complexity**2.7 / (complexity**2 + 1)
    if edges:
        by_pattern = by_pattern * _protected(grey)
    return 0.7 * _luminance(lifted), torch.maximum(by_contrast, by_pattern)


def _namm(grey: Tensor) -> tuple[Tensor, Tensor]:
    background = (_filtered(grey, _BACKGROUND) / 32).floor()
    gradient = _edge_height(grey)
    return _luminance(background), gradient * (0.0001 * background + 0.115) + (0.5 - 0.01 * background)


def _luminance(background: Tensor) -> Tensor:
    import torch

    dark = 17 * (1 - (background.clamp(max=127) / 127).sqrt()) + 3
    return torch.where(background < 127, dark, 3 / 128 * (background - 127) + 3)


def _contrast(grey: Tensor) -> Tensor:
    """Deviation in a 5x5 window, 0 where the window would leave the image."""
    import torch.nn.functional as F

    if min(grey.shape[2:]) < 5:
        return grey.new_zeros(grey.shape)
    mean = F.avg_pool2d(grey, 5, stride=1)
    # Sums of squares of whole numbers up to 255 are exact in float32: no negative variances. Not by a pool with another
    # divisor, which an ONNX graph forgets.
    (height, width), nothing = grey.shape[2:], grey.new_zeros(())
    rows = sum(((grey**2)[..., n : height - 4 + n, :] for n in range(5)), nothing)
    squares = sum((rows[..., n : width - 4 + n] for n in range(5)), nothing)
    variance = (squares / 25 - mean**2).clamp_min(0)
    return F.pad(variance.sqrt(), (2, 2, 2, 2))


def _orientations(grey: Tensor) -> Tensor:
    """How many distinct orientations lie in the 3x3 neighbourhood; 1 without a gradient and on the border."""
    import torch
    import torch.nn.functional as F

    if min(grey.shape[2:]) < 3:
        return torch.ones_like(grey)
    kernel = grey.new_tensor((1.0, 0.0, -1.0)).expand(3, 3)
    # Sums of whole numbers are exact, and doubles leave no direction on the wrong side of a bin. In an ONNX graph they
    # have no arc tangent.
    exact = torch.float32 if torch.compiler.is_exporting() else torch.float64
    across, down = _filtered(grey, kernel).to(exact), _filtered(grey, kernel.T).to(exact)
    valid = across**2 + down**2 >= (3 * 5) ** 2
    bins = torch.where(valid, _direction(across, down), _BINS)
    seen = torch.ones_like(bins).bitwise_left_shift(bins)  # one bit per bin: a union is a bitwise or
    seen = seen[..., :-2] | seen[..., 1:-1] | seen[..., 2:]
    seen = seen[..., :-2, :] | seen[..., 1:-1, :] | seen[..., 2:, :]
    for shift, mask in ((1, 0x5555), (2, 0x3333), (4, 0x0F0F), (8, 0x00FF)):  # number of bits that are set
        seen = (seen & mask) + (seen.bitwise_right_shift(shift) & mask)
    return torch.where(valid, F.pad(seen.to(grey), (1, 1, 1, 1), value=1.0), 1.0)


def _direction(across: Tensor, down: Tensor) -> Tensor:
    """Which of 15 bins of 12 degrees a direction is in, up or down; 90 degrees, between two, in the upper one."""
    import torch

    angle = torch.rad2deg(torch.atan2(down, across)) % 180
    return torch.where(across == 0, _UPRIGHT_BIN, (angle / 12).round().int() % _BINS)


def _edge_height(grey: Tensor) -> Tensor:
    import torch

    responses = [_filtered(grey, kernel).abs() for kernel in (_FLAT, _SLANT, _MIRROR, _UPRIGHT)]
    return torch.stack(responses).amax(0) / 16


def _protected(grey: Tensor) -> Tensor:
    """1 far from edges, 0 on them."""
    import numpy as np
    import torch
    from skimage.feature import canny
    from skimage.morphology import dilation, disk

    heights = _edge_height(grey).amax(dim=(1, 2, 3)).tolist()
    planes = grey[:, 0].byte().cpu().numpy()
    free = np.ones(planes.shape, np.float32)
    for index, (plane, height) in enumerate(zip(planes, heights)):
        if height == 0:
            continue
        high = min(0.8, 60 / height) * 255
        found = canny(plane, sigma=2**0.5, low_threshold=0.4 * high, high_threshold=high)
        free[index] = ~dilation(found, disk(3))
    return _filtered(torch.from_numpy(free)[:, None].to(grey), _gaussian(5, 0.8))


def _gaussian(size: int, sigma: float) -> Tensor:
    import torch

    line = torch.exp(-((torch.arange(size) - size // 2) ** 2) / (2 * sigma**2))
    plane = line[:, None] * line
    return plane / plane.sum()


def _filtered(images: Tensor, kernel: object) -> Tensor:
    """Correlation of every channel with one kernel; borders replicated."""
    import torch
    import torch.nn.functional as F

    weights = torch.as_tensor(kernel, dtype=images.dtype, device=images.device)
    half = weights.shape[0] // 2
    channels = images.shape[1]
    padded = F.pad(images, (half,) * 4, mode="replicate")
    with torch.autocast(images.device.type, enabled=False):
        return F.conv2d(padded, weights.expand(channels, 1, *weights.shape), groups=channels)
