"""Entropy of the gray histogram.

H = - sum p log2 p over the 256 gray levels, p being the share of pixels of each. Range [0, 8] bits; declared as
higher is better, because flat and faded images have few levels. **Not a quality metric**: noise and any stretch of
contrast raise it, it knows nothing of where the pixels are, and a shuffled image scores as the original.

Shannon: A mathematical theory of communication. Bell System Technical Journal 27, 1948.
doi:10.1002/j.1538-7305.1948.tb01338.x

Protocol: gray, rounded, as MATLAB has it (matlab.py); float64. A control: how far a score gets without judging
quality. Computed by scikit-image. Equal to official values of five TID2013 images at their four decimals.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ...bench.protocols import MetricInfo
from ..inputs import single
from .apply import each
from .matlab import gray

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Entropy:
    """Entropy of the gray histogram: a control, not a quality metric."""

    info: ClassVar[MetricInfo] = MetricInfo(
        "entropy",
        "Entropy",
        needs="image",
        better="higher",
        bounds=(0.0, 8.0),
        dtype="float64",
        color="gray 0-255, rounded",
        cite="Shannon 1948, doi:10.1002/j.1538-7305.1948.tb01338.x",
        note="A control, not a quality metric: a shuffled image scores as the original, and noise raises it.",
        role="control",
    )

    def __call__(self, images: Tensor, references: Tensor | None = None, /) -> Tensor:
        import torch
        from skimage.measure import shannon_entropy

        images = single("entropy", images, references, dtype=torch.float64)
        # Adding 0 turns the -0 of a flat image into 0.
        return each(lambda one: one.new_tensor(float(shannon_entropy(gray(one).cpu().numpy())) + 0.0), images)
