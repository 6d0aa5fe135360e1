"""DCGAN for faces: a small, real generator, for trying metrics that compare sets.

Its weights lie inside the package gan-face-generate, which is located and never imported. They were trained on
DigiFace-1M, whose terms are non-commercial: use what it makes for tests and research only.

Radford, Metz and Chintala: Unsupervised representation learning with deep convolutional generative adversarial
networks. ICLR 2016. arXiv:1511.06434
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ...bench.errors import UsageError
from ...bench.protocols import GeneratorInfo
from ...bench.weights import digest_of, load_strict, tensors

if TYPE_CHECKING:
    from torch import Tensor

_SLOT = "dcgan/faces"


@lru_cache(maxsize=1)
def _network(digest: str) -> Any:
    """The network, ready to run; kept for the process. Statistics are those of its training, not of a batch."""
    import torch

    from .dcgan_net import Generator

    with torch.random.fork_rng(devices=[]):  # building draws random parameters
        model = Generator()
    return load_strict(model, tensors(_SLOT), name=_SLOT).requires_grad_(False).eval()


@dataclass(frozen=True)
class DCGANFaces:
    """A face of 64 x 64 pixels for every seed; there are no labels."""

    spread: float = 1.0
    """Standard deviation of the 100 random values; 1 as in training, less gives more alike faces."""
    info: ClassVar[GeneratorInfo] = GeneratorInfo(
        "dcgan-faces",
        "DCGAN, faces of 64x64",
        kind="sampler",
        family="gan",
        weights=(_SLOT,),
        license="MIT (package); training data non-commercial",
        trained_on=("DigiFace-1M",),
        cite="Radford et al. 2016, arXiv 1511.06434",
        note="For tests and research only: DigiFace-1M may not be used commercially.",
    )

    def __post_init__(self) -> None:
        if not 0 <= self.spread <= 10:
            raise UsageError(f"spread must lie between 0 and 10, not {self.spread!r}", code="E-CFG")

    def __call__(self, seed: int, label: int | None = None, /) -> Tensor:
        import torch

        if label is not None:
            raise UsageError("dcgan-faces has no classes; leave out `labels`", code="E-CFG")
        model = _network(digest_of(_SLOT))
        noise = self.spread * np.random.Generator(np.random.PCG64(seed)).standard_normal((1, 100, 1, 1))
        with torch.inference_mode():
            return (model(torch.from_numpy(noise).float())[0] * 0.5 + 0.5).clamp(0, 1)
