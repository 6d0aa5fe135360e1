"""``ridge-efflite0``: a ridge regression on features of a network that was never trained for quality. A control.

Means and deviations of four maps of EfficientNet-Lite0 (ImageNet), at full and half size, standardised; one linear map
to people's scores of the training images of BIQ2021. Range: the real line, about 0 to 1; higher is better. It is the
bar for learned evaluators: one that does not beat it has learnt nothing worth the trouble.

Tan, Le: EfficientNet: rethinking model scaling for convolutional neural networks. International Conference on Machine
Learning, 2019. arXiv:1905.11946. The regression is this project's: docs/evaluators.md.

Protocol: RGB in [0,1], whole image, float32; shortest side 64.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import inf
from typing import TYPE_CHECKING, Any, ClassVar

from ...bench.protocols import MetricInfo
from ..classical.apply import each
from ..evaluator.moments import LEAST, described
from ..inputs import single

if TYPE_CHECKING:
    from torch import Tensor

SLOT, TRUNK = "evaluator/ridge-efflite0", "efficientnet/lite0"


@dataclass(frozen=True)
class MomentsRidge:
    """Ridge regression on frozen features: a control, not a recommendation."""

    info: ClassVar[MetricInfo] = MetricInfo(
        "ridge-efflite0",
        "Ridge on frozen EfficientNet-Lite0 features",
        needs="image",
        better="higher",
        bounds=(-inf, inf),
        least=LEAST,
        weights=(SLOT, TRUNK),
        trained_on=("BIQ2021",),
        cite="features: Tan and Le 2019, arXiv:1905.11946; the fit is unpublished, docs/evaluators.md",
        license="Apache-2.0; see docs/evaluators.md for the data it learnt from",
        note="A control: how far frozen features and a linear map get. Trained evaluators have to beat it.",
        role="control",
    )

    def __call__(self, images: Tensor, references: Tensor | None = None, /) -> Tensor:
        import torch

        images = single("ridge-efflite0", images, references, least=LEAST, dtype=torch.float32)
        function = network(str(images.device))
        with torch.no_grad():
            return each(function, images).double()


@cache
def network(device: str = "cpu") -> Any:
    """The control as a function of a batch; built once per process and device.

    Raises:
        MissingWeights: a slot is empty.
        BadWeights: a tensor is missing or of another shape.
    """
    from ...bench.weights import BadWeights, tensors
    from ..evaluator.backbones import backbone

    source = backbone("lite0")
    module = source.build().eval().requires_grad_(False).to(device)
    values = tensors(SLOT)
    size = 4 * sum(source.channels)
    if set(values) != {"weights", "bias"} or values["weights"].shape != (size,):
        raise BadWeights("E-CKPT-KEYS", SLOT, f"it is no linear map of {size} numbers", "install the package again")
    weights, bias = values["weights"].to(device).float(), values["bias"].to(device).float()

    def score(images: Tensor) -> Tensor:
        return described(source, module, images) @ weights + bias

    return score
