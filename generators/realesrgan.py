"""Restoration networks for fourfold enlargement: RealSR and three of Real-ESRGAN, all trained as GANs.

Their weights come inside installed data packages as ncnn files. The numbers are named here as torch modules
name them, and spandrel builds the network from the names. Everything runs in float32.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar

from ..bench.protocols import GeneratorInfo
from ..bench.vision import load as load_with_torchvision
from ..bench.weights import BadWeights, digest_of
from . import ncnn
from .base import check
from .running import check_device, quiet, torch_device
from .tiles import tiled

if TYPE_CHECKING:
    from torch import Tensor

    from .ncnn import Layer, Values

_TAIL = ("conv_body", "conv_up1", "conv_up2", "conv_hr", "conv_last")
_OVERLAP = 16  # input pixels that neighbouring tiles share on each side


def rrdb_names(blocks: int) -> list[str]:
    """Names of all convolutions of a residual-in-residual dense network, in the order of its layers.

    15 convolutions a block, 6 around them: 351 in all for 23 blocks, 96 for 6.
    """
    body = [f"body.{b}.rdb{r}.conv{c}" for b in range(blocks) for r in (1, 2, 3) for c in (1, 2, 3, 4, 5)]
    return ["conv_first", *body, *_TAIL]


def rrdb_state(layers: Sequence[Layer], name: str) -> dict[str, Values]:
    """State dict of a network whose layers are convolutions only, each with a bias.

    Raises:
        BadWeights: ``E-CKPT-KEYS``, another number or kind of layers.
    """
    blocks, over = divmod(len(layers) - 6, 15)
    if blocks < 1 or over or any(layer.kind != "Convolution" or layer.bias is None for layer in layers):
        raise _unlike(name, f"{len(layers)} layers are not 15 convolutions a block and 6 around them")
    state: dict[str, Values] = {}
    for key, layer in zip(rrdb_names(blocks), layers):
        state[f"{key}.weight"] = layer.weight
        if layer.bias is not None:
            state[f"{key}.bias"] = layer.bias
    return state


def compact_state(layers: Sequence[Layer], name: str) -> dict[str, Values]:
    """State dict of a network in which convolutions and PReLUs alternate: entry i is ``body.i``.

    Raises:
        BadWeights: ``E-CKPT-KEYS``, they do not alternate.
    """
    state: dict[str, Values] = {}
    for number, layer in enumerate(layers):
        if layer.kind != ("PReLU" if number % 2 else "Convolution"):
            raise _unlike(name, f"layer {layer.name} breaks the alternation of convolutions and PReLUs")
        state[f"body.{number}.weight"] = layer.weight
        if layer.bias is not None:
            state[f"body.{number}.bias"] = layer.bias
    if len(layers) < 3 or len(layers) % 2 == 0:
        raise _unlike(name, f"{len(layers)} layers do not begin and end with a convolution")
    return state


def _unlike(name: str, found: str) -> BadWeights:
    return BadWeights("E-CKPT-KEYS", name, found, "use the model files that belong to this network")


_NAMING: dict[str, Callable[[Sequence[Layer], str], dict[str, Values]]] = {
    "rrdb": rrdb_state,
    "compact": compact_state,
}


@lru_cache(maxsize=2)
def _network(weights: str, graph: str, naming: str, digest: str, device: str) -> Any:
    """The network, ready to run on a device; kept for the process, as it takes longer to build than to apply."""
    import torch

    state = _NAMING[naming](ncnn.load(weights, graph), weights)
    spandrel = load_with_torchvision("spandrel")
    try:
        model = spandrel.ModelLoader(device="cpu").load_from_state_dict(
            {key: torch.from_numpy(value) for key, value in state.items()}
        )
    except spandrel.UnsupportedModelError as error:
        raise _unlike(weights, f"no network is known that has these tensors ({error})") from None
    if model.scale != 4 or model.input_channels != 3 or model.output_channels != 3:
        raise _unlike(weights, f"the network enlarges {model.scale} times, 4 was expected")
    # With the channels of a pixel side by side a quarter faster than plane by plane.
    model.float().eval().to(device).model.to(memory_format=torch.channels_last)
    return model


@dataclass(frozen=True)
class _Network:
    """(3, h, w) in [0, 1] -> (3, 4h, 4w), clamped; sides of at least 2 pixels."""

    tile: int = 0
    """Side in input pixels of the tiles an image is cut into, to bound memory; 0 = in one piece. Tiles share 16
    pixels; at their seams results differ a little from those in one piece."""
    device: str = "cpu"
    """``cpu``, ``cuda``, or ``auto``: cuda if there is one. Numbers differ a little between the two."""
    info: ClassVar[GeneratorInfo]
    naming: ClassVar[str] = "rrdb"

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

        check(image)
        if min(image.shape[1:]) < 2:
            raise ValueError(f"{self.info.name} needs sides of at least 2 pixels, not {tuple(image.shape[1:])}")
        weights, graph = self.info.weights
        device = torch_device(self.device, self.info.name)
        model = _network(weights, graph, self.naming, digest_of(weights), device)
        with quiet(device), torch.inference_mode():
            planes = image[None].to(device, torch.float32)
            done = tiled(model, planes, scale=self.info.scale, tile=self.tile, overlap=_OVERLAP)[0]
        return done.clamp(0, 1).to(image)


def _info(name: str, title: str, slot: str, license: str, cite: str, note: str, *data: str) -> GeneratorInfo:
    return GeneratorInfo(
        name,
        title,
        kind="restorer",
        family="gan",
        scale=4,
        weights=(slot, f"{slot}-graph"),
        license=license,
        trained_on=data,
        cite=cite,
        note=note,
        modules=("spandrel",),
    )


_ESRGAN = "Wang et al. 2021, doi 10.1109/ICCVW54120.2021.00217"


class RealSR(_Network):
    """RealSR for clean input (ESRGAN generator with 23 blocks, trained on DF2K)."""

    info: ClassVar[GeneratorInfo] = _info(
        "realsr-df2k", "RealSR (DF2K)", "realsr/df2k-x4", "MIT (package); Apache-2.0 upstream, unverified",
        "Ji et al. 2020, doi 10.1109/CVPRW50498.2020.00241",
        "Crisp and natural on clean input; amplifies noise.", "DIV2K", "Flickr2K",
    )  # fmt: skip


class RealESRGAN(_Network):
    """Real-ESRGAN x4plus (23 blocks), trained on synthetic degradations of photographs."""

    info: ClassVar[GeneratorInfo] = _info(
        "realesrgan-x4plus", "Real-ESRGAN x4plus", "realesrgan/x4plus",
        "MIT (package); BSD-3-Clause upstream, unverified", _ESRGAN,
        "Made for degraded input; smooths faces and fine texture.", "DIV2K", "Flickr2K", "OutdoorSceneTraining",
    )  # fmt: skip


class RealESRGANAnime(_Network):
    """Real-ESRGAN x4plus anime (6 blocks), trained on drawings."""

    info: ClassVar[GeneratorInfo] = _info(
        "realesrgan-x4plus-anime", "Real-ESRGAN x4plus anime", "realesrgan/x4plus-anime",
        "MIT (package); BSD-3-Clause upstream, unverified", _ESRGAN,
        "Trained on drawings: gives photographs outlines like a cartoon's.",
    )  # fmt: skip


class RealESRGANVideo(_Network):
    """Real-ESRGAN animevideov3 (compact network of 18 convolutions), trained on animated films."""

    info: ClassVar[GeneratorInfo] = _info(
        "realesr-animevideov3", "Real-ESRGAN animevideov3", "realesrgan/animevideov3",
        "MIT (package); BSD-3-Clause upstream, unverified", _ESRGAN,
        "Small and fast; trained on animated films, washes texture out.",
    )  # fmt: skip
    naming: ClassVar[str] = "compact"
