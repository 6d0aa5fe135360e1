"""Perceptual image-error assessment through pairwise preference.

A network rates the difference of every 64x64 patch to the reference's and how much the patch matters; the
score is the weighted mean. Real line, lower is better, about 0 for identical images (slightly negative
values occur).

Prashnani, Cai, Mostofi, Sen: PieAPP: perceptual image-error assessment through pairwise preference.
Conference on Computer Vision and Pattern Recognition, 2018. doi:10.1109/CVPR.2018.00194

Protocol: RGB on 0-255, native size, patches every ``stride`` pixels (27 is the authors' sparse sampling),
float32. Network by piq, its weights from the slot. Shortest side 64.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import inf
from typing import TYPE_CHECKING, Any, ClassVar

from ...bench.protocols import MetricInfo
from ...bench.vision import load
from ..classical.apply import each
from ..inputs import pair

if TYPE_CHECKING:
    from torch import Tensor

PATCH = 64
TOGETHER = 64
"""Patches that go through the network at once: bounds the memory on large images."""


@dataclass(frozen=True)
class PieAPP:
    """PieAPP v0.1."""

    stride: int = 27
    """Pixels between patches."""

    info: ClassVar[MetricInfo] = MetricInfo(
        "pieapp",
        "PieAPP",
        needs="pair",
        better="lower",
        bounds=(-inf, inf),
        least=PATCH,
        weights=("pieapp/v0.1",),
        trained_on=("PieAPP",),
        cite="Prashnani et al. 2018, doi:10.1109/CVPR.2018.00194",
        license="not stated with the weights",
        note="Slow on large images; its value depends on the stride of the patches.",
    )

    def __post_init__(self) -> None:
        if self.stride < 1:
            raise ValueError(f"pieapp: stride={self.stride}; give a positive number of pixels")

    def __call__(self, images: Tensor, references: Tensor | None = None, /) -> Tensor:
        import torch

        images, references = pair("pieapp", images, references, least=PATCH, dtype=torch.float32)
        module = network(self.stride, str(images.device))
        with torch.no_grad():
            return each(module, images, references)


@cache
def network(stride: int, device: str = "cpu") -> Any:
    """PieAPP as a function of two batches; built once per process, stride and device.

    Raises:
        MissingWeights: its slot is empty.
        BadWeights: a tensor is missing, unknown or of another shape.
    """
    import torch

    from ...bench.weights import load_strict, tensors

    values = dict(tensors("pieapp/v0.1"))
    subtract = values.get("ref_score_subtract.weight")
    if subtract is not None and subtract.ndim == 1:  # the published file lacks one dimension
        values["ref_score_subtract.weight"] = subtract.unsqueeze(1)
    piq = load("piq.pieapp")
    with torch.device("meta"):  # no storage and no random values: all are loaded below
        model = piq.PieAPPModel()
    model.to_empty(device="cpu")
    load_strict(model, values, name="pieapp/v0.1")

    class Filled(piq.PieAPP):  # type: ignore[name-defined]
        """piq's PieAPP without its constructor, which fetches weights."""

        def __init__(self) -> None:
            torch.nn.Module.__init__(self)
            self.model = model.requires_grad_(False)
            self.data_range, self.reduction, self.stride, self.enable_grad = 1.0, "none", stride, False

        def get_features(self, x: Tensor) -> tuple[Tensor, Tensor]:
            patches = load("piq.functional").crop_patches(x * 255, size=PATCH, stride=self.stride)
            parts = [self.model(some) for some in patches.split(TOGETHER)]
            features, weights = (torch.cat(column) for column in zip(*parts, strict=True))
            return features, weights

    return Filled().eval().to(device)
