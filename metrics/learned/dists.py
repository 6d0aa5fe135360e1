"""Deep image structure and texture similarity.

1 minus a weighted sum, over the image and five layers of VGG16, of two similarities per channel: of the
means (texture) and of the correlation (structure); the 2 x 1475 weights sum to 1. Range [0, 2] (in practice
[0, 1]), lower is better, 0 for identical images.

Ding, Ma, Wang, Simoncelli: Image quality assessment: unifying structure and texture similarity. IEEE
Transactions on Pattern Analysis and Machine Intelligence 44(5), 2022. doi:10.1109/TPAMI.2020.3045810

Protocol: RGB in [0,1], ImageNet mean and deviation; with ``resize`` images whose shortest side exceeds 256
are first brought to 256 (bilinear, without antialiasing, as piq does it), without it they are taken at
their native size: the resize is part of the metric and moves its agreement with people much. Pooling by a
Hann window, float32. Layers by piq, weights of torchvision's VGG16 and of the authors. Shortest side 16.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

from ...bench.protocols import MetricInfo
from ...bench.vision import load
from ..classical.apply import each
from ..inputs import pair

if TYPE_CHECKING:
    from torch import Tensor

CHANNELS = (3, 64, 128, 256, 512, 512)
"""Of the image and of the layers."""
LAYERS = ("3", "8", "15", "22", "29")
"""Indices of relu1_2, relu2_2, relu3_3, relu4_3 and relu5_3 in torchvision's ``features``."""


@dataclass(frozen=True)
class DISTS:
    """Deep image structure and texture similarity."""

    resize: bool = True
    """Bring the shortest side down to 256 first."""

    info: ClassVar[MetricInfo] = MetricInfo(
        "dists",
        "DISTS",
        needs="pair",
        better="lower",
        bounds=(-0.0001, 2.0001),
        least=16,
        weights=("trunk/vgg16-torchvision", "dists/alpha-beta"),
        trained_on=("KADID-10k",),
        cite="Ding et al. 2022, doi:10.1109/TPAMI.2020.3045810",
        license="MIT (alpha and beta), BSD-3-Clause (torchvision trunk)",
        note="Tolerates exchanged texture; its resize to 256 pixels is part of the metric.",
    )

    def __call__(self, images: Tensor, references: Tensor | None = None, /) -> Tensor:
        import torch

        images, references = pair("dists", images, references, least=self.info.least, dtype=torch.float32)
        module = network(self.resize, str(images.device))
        with torch.no_grad():
            return each(module, images, references)


@cache
def network(resize: bool, device: str = "cpu") -> Any:
    """DISTS as a function of two batches; built once per process and device.

    Raises:
        MissingWeights: one of its slots is empty.
        BadWeights: a tensor is missing, unknown or of another shape.
    """
    import torch

    from ...bench.weights import BadWeights, load_strict, tensors

    trunk, sums = tensors("trunk/vgg16-torchvision"), tensors("dists/alpha-beta")
    if set(sums) != {"alpha", "beta"} or any(v.numel() != sum(CHANNELS) for v in sums.values()):
        raise BadWeights(
            "E-CKPT-KEYS",
            "dists/alpha-beta",
            f"it holds {', '.join(f'{k} {tuple(v.shape)}' for k, v in sums.items())} and not alpha and beta "
            f"of {sum(CHANNELS)} values each",
            "use the file of the dists-pytorch package",
        )
    vgg16 = load("torchvision.models").vgg16
    with torch.device("meta"):  # no storage and no random values: all are loaded below
        features = vgg16(weights=None, init_weights=False).features
    features.to_empty(device="cpu")
    kept = {k.removeprefix("features."): v for k, v in trunk.items() if k.startswith("features.")}
    load_strict(features, kept, name="trunk/vgg16-torchvision")

    piq = load("piq.perceptual")

    class Filled(piq.DISTS):  # type: ignore[name-defined]
        """piq's DISTS without its constructor, which fetches weights."""

        def __init__(self) -> None:
            whole = sums["alpha"].double().sum() + sums["beta"].double().sum()
            weights = [
                (part / whole).float().view(1, -1, 1, 1)
                for key in ("alpha", "beta")
                for part in torch.split(sums[key].flatten().double(), list(CHANNELS))
            ]
            piq.ContentLoss.__init__(
                self,
                feature_extractor=features,
                layers=LAYERS,
                weights=weights,
                replace_pooling=True,
                reduction="none",
                allow_layers_weights_mismatch=True,
            )

        def forward(self, x: Tensor, y: Tensor) -> Tensor:
            return super().forward(x, y) if resize else 1 - piq.ContentLoss.forward(self, x, y)

    return Filled().eval().to(device)
