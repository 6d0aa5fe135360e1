"""SRGAN-lite with the weights that are shipped: one trained for PSNR, three stages of a GAN that began from it.

The same network on the same photographs: what differs between ``srgan-lite-psnr`` and ``srgan-lite`` is what it
was trained to make small, so that the two show how a metric takes the texture that a GAN invents. Float32.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar

from ...bench.protocols import GeneratorInfo
from ...bench.weights import digest_of, load_strict, tensors
from ..base import check
from ..running import check_device, quiet, torch_device
from ..tiles import tiled

if TYPE_CHECKING:
    from torch import Tensor

_TRAINED_ON = ("BSD100 (80 of 100 photographs)", "Kodak (20 of 24 photographs)")


@lru_cache(maxsize=4)
def _network(slot: str, digest: str, device: str) -> Any:
    """The network, ready to run on a device; kept for the process."""
    import torch

    from .generator_net import Generator

    values = tensors(slot)
    with torch.random.fork_rng(devices=[]):  # building draws random parameters
        model: Any = Generator()
    load_strict(model, {key: value.float() for key, value in values.items()}, name=slot)
    return model.requires_grad_(False).eval().to(device, memory_format=torch.channels_last)


@dataclass(frozen=True)
class _SRGANLite:
    """(3, h, w) in [0, 1] -> (3, 4h, 4w), clamped."""

    tile: int = 256
    """Side in input pixels of the tiles a larger image is cut into, to bound memory; 0 = in one piece. Results differ
    from those in one piece by rounding only."""
    device: str = "cpu"
    """``cpu``, ``cuda``, or ``auto``: cuda if there is one. Numbers differ a little between the two."""
    info: ClassVar[GeneratorInfo]

    def __post_init__(self) -> None:
        if type(self.tile) is not int or (self.tile and self.tile < 32):
            raise ValueError(f"tile must be 0 or at least 32 pixels, not {self.tile!r}")
        check_device(self.device)

    @property
    def identity(self) -> dict[str, str]:
        """What decides its pixels beside weights and parameters."""
        return {"device": torch_device(self.device, self.info.name)}

    def __call__(self, image: Tensor, /) -> Tensor:
        import torch

        from .generator_net import REACH

        check(image)
        (slot,) = self.info.weights
        device = torch_device(self.device, self.info.name)
        model = _network(slot, digest_of(slot), device)
        with quiet(device), torch.inference_mode():
            done = tiled(
                model,
                image[None].to(device, torch.float32),
                scale=self.info.scale,
                tile=self.tile,
                overlap=REACH,
            )[0]
        return done.clamp(0, 1).to(image)


def _info(name: str, title: str, slot: str, family: Any, cite: str, note: str) -> GeneratorInfo:
    return GeneratorInfo(
        name,
        title,
        kind="restorer",
        family=family,
        scale=4,
        weights=(slot,),
        license="Apache-2.0; photographs trained on: BSD100 (non-commercial research and education), Kodak",
        trained_on=_TRAINED_ON,
        cite=cite,
        note=note,
    )


_GAN = "Ledig et al. 2017, doi 10.1109/CVPR.2017.19"
_PSNR = "Lim et al. 2017, doi 10.1109/CVPRW.2017.151"


class SRGANLite(_SRGANLite):
    """The end of the GAN stage."""

    info: ClassVar[GeneratorInfo] = _info(
        "srgan-lite", "SRGAN-lite", "srgan-lite/final", "gan", _GAN,
        "A small network, trained briefly: a GAN to compare with, not a rival of large ones.",
    )  # fmt: skip


class SRGANLitePSNR(_SRGANLite):
    """The end of the PSNR stage, from which the GAN began."""

    info: ClassVar[GeneratorInfo] = _info(
        "srgan-lite-psnr", "SRGAN-lite, trained for PSNR", "srgan-lite/psnr", "psnr", _PSNR,
        "Faithful and smooth: texture that cannot be known is averaged away.",
    )  # fmt: skip


class SRGANLiteEarly(_SRGANLite):
    """After a tenth of the GAN stage."""

    info: ClassVar[GeneratorInfo] = _info(
        "srgan-lite-early", "SRGAN-lite after 10 % of the GAN stage", "srgan-lite/early", "gan", _GAN,
        "A step of the ladder between srgan-lite-psnr and srgan-lite.",
    )  # fmt: skip


class SRGANLiteMid(_SRGANLite):
    """After three tenths of the GAN stage."""

    info: ClassVar[GeneratorInfo] = _info(
        "srgan-lite-mid", "SRGAN-lite after 30 % of the GAN stage", "srgan-lite/mid", "gan", _GAN,
        "A step of the ladder between srgan-lite-psnr and srgan-lite.",
    )  # fmt: skip
