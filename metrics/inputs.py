"""What every metric demands of its input, checked in one place.

The harness delivers decoded, paired images; these checks are for people who call a metric from Python, and
for images on the 0-255 scale, which most formulas would score without complaint.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import Tensor


def single(
    name: str,
    images: Tensor,
    references: Tensor | None = None,
    *,
    least: int = 1,
    border: int = 0,
    dtype: torch.dtype | None = None,
) -> Tensor:
    """Check the input of a no-reference metric; a reference is ignored, so that all are called alike.

    Args:
        name: of the metric, for messages.
        images: (N,3,H,W) in [0,1].
        references: not used.
        least: shortest side the metric can score, in pixels.
        border: pixels that it will cut from each side first, and that must be there beyond ``least``.
        dtype: what to compute in; ``None`` keeps float32 and float64 and lifts half precision to float32.

    Raises:
        TypeError: not a floating-point tensor.
        ValueError: wrong shape, range or size, or a negative border.
    """
    del references
    return _check(name, images, "images", least, border, dtype)


def pair(
    name: str,
    images: Tensor,
    references: Tensor | None,
    *,
    least: int = 1,
    border: int = 0,
    dtype: torch.dtype | None = None,
) -> tuple[Tensor, Tensor]:
    """Check the input of a full-reference metric; see ``single``.

    Raises:
        TypeError: not floating-point tensors.
        ValueError: no references, two shapes, or a wrong shape, range or size, or a negative border.
    """
    if references is None:
        raise ValueError(f"{name} compares images with references, and none were given; pass both")
    images = _check(name, images, "images", least, border, dtype)
    references = _check(name, references, "references", least, border, dtype)
    if images.shape != references.shape:
        raise ValueError(
            f"{name}: images are {tuple(images.shape)} and references {tuple(references.shape)}; "
            "pass batches of one shape"
        )
    return images, references.to(images.dtype)


def _check(name: str, batch: Tensor, which: str, least: int, border: int, dtype: torch.dtype | None) -> Tensor:
    import torch

    if not isinstance(batch, torch.Tensor) or not batch.is_floating_point():
        found = batch.dtype if isinstance(batch, torch.Tensor) else type(batch).__name__
        raise TypeError(f"{name}: {which} are {found}; pass a floating-point tensor with values in [0,1]")
    if batch.ndim != 4 or batch.shape[1] != 3:
        raise ValueError(f"{name}: {which} have shape {tuple(batch.shape)}; pass (N,3,H,W), RGB")
    _check_size(name, batch, which, least, border)
    if batch.numel():
        low, high = (float(v) for v in batch.aminmax())
        if not (low >= 0 and high <= 1):  # NaN fails both
            raise ValueError(f"{name}: {which} span [{low:g}, {high:g}]; scale them to [0,1]")
    if dtype is None:
        dtype = batch.dtype if batch.dtype in (torch.float32, torch.float64) else torch.float32
    return batch.to(dtype)


def _check_size(name: str, batch: Tensor, which: str, least: int, border: int) -> None:
    if border < 0:
        raise ValueError(f"{name}: crop={border} is negative; give the number of pixels to cut from each side")
    height, width = batch.shape[2:]
    if min(height, width) >= least + 2 * border:
        return
    if border:
        raise ValueError(
            f"{name}: {width}x{height} pixels leave too little after crop={border}; "
            f"the shortest side must be at least {least + 2 * border}"
        )
    raise ValueError(
        f"{name}: {which} have {width}x{height} pixels and the shortest side must be at least {least}; "
        "use larger images"
    )


def crop(name: str, batch: Tensor, border: int, least: int = 1) -> Tensor:
    """Cut ``border`` pixels from each side, as papers on super-resolution do before they compare.

    Raises:
        ValueError: a negative border, or fewer than ``least`` pixels left.
    """
    _check_size(name, batch, "images", least, border)
    if border == 0:
        return batch
    height, width = batch.shape[2:]
    return batch[..., border : height - border, border : width - border]
