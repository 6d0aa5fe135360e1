"""What the generator and the critic are trained to make small.

Pixels: mean absolute difference. Features: the same on the first stages of EfficientNet-Lite0, frozen, each
relative to the size of the original's features, so that the stages count alike. Adversarial: the relativistic
average loss, which asks whether an original looks more natural than the restored images on average, and the
reverse, instead of judging each alone. Lattice: a generator that makes 4x4 pixels of one can feign texture by
lighting always the same of the sixteen; in photographs detail falls on all sixteen alike.

Features: Johnson et al. 2016, arXiv:1603.08155. Relativistic: Jolicoeur-Martineau 2018, arXiv:1807.00734; with
enlargement: Wang et al. 2018, arXiv:1809.00219 (ESRGAN). Network: Tan and Le 2019, arXiv:1905.11946.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...bench.vision import load
from ...bench.weights import in_order, load_strict, tensors

if TYPE_CHECKING:
    from torch import Tensor

SLOT = "efficientnet/lite0"
STAGES = 3
"""Stages of the network that are compared: strides 2, 4 and 8; 16, 24 and 40 channels."""


@dataclass(frozen=True, eq=False)
class FeatureLoss:
    """Relative distance of features; 0 for equal images, about 1 for unrelated ones."""

    trunk: Any

    @classmethod
    def trained(cls) -> FeatureLoss:
        """With the published weights.

        Raises:
            MissingWeights: their package is not installed.
            BadWeights: the file does not fit.
        """
        import torch

        with torch.random.fork_rng(devices=[]):  # building draws random parameters
            model = load("timm").create_model("tf_efficientnet_lite0", pretrained=False)
        load_strict(model, in_order(tensors(SLOT), model, SLOT), name=SLOT)
        return cls(model.requires_grad_(False).eval().to(memory_format=torch.channels_last))

    def __call__(self, restored: Tensor, original: Tensor) -> Tensor:
        import torch

        with torch.no_grad():
            wanted = list(self._features(original))
        parts = [
            (found - goal).abs().mean() / goal.abs().mean() for found, goal in zip(self._features(restored), wanted)
        ]
        return torch.stack(parts).mean()

    def _features(self, images: Tensor) -> Iterator[Tensor]:
        x = self.trunk.bn1(self.trunk.conv_stem(images * 2 - 1))
        for stage in self.trunk.blocks[:STAGES]:
            x = stage(x)
            yield x.float()


def lattice_loss(images: Tensor, period: int = 4) -> Tensor:
    """How unevenly fine detail is spread over the places of a lattice: mean deviation over mean, 0 if evenly.

    Fine detail is a pixel's difference from the mean of its four neighbours.
    """
    inner = images[:, :, 1:-1, 1:-1]
    around = images[:, :, :-2, 1:-1] + images[:, :, 2:, 1:-1] + images[:, :, 1:-1, :-2] + images[:, :, 1:-1, 2:]
    detail = (inner - around / 4).abs().mean(dim=1)
    rows, columns = (length // period for length in detail.shape[1:])
    cells = detail[:, : rows * period, : columns * period].unflatten(2, (columns, period)).unflatten(1, (rows, period))
    energy = cells.mean(dim=(1, 3))  # one value for each image and place
    typical = energy.mean(dim=(1, 2), keepdim=True)
    return ((energy - typical).abs() / (typical + 1e-3)).mean()


def critic_loss(real: Tensor, fake: Tensor) -> Tensor:
    """Small where originals get higher answers than restored images."""
    import torch.nn.functional as F

    return (F.softplus(-(real - fake.mean())).mean() + F.softplus(fake - real.mean()).mean()) / 2


def adversarial_loss(real: Tensor, fake: Tensor) -> Tensor:
    """Small where restored images get higher answers than originals; log 2 where they cannot be told apart."""
    return critic_loss(fake, real)
