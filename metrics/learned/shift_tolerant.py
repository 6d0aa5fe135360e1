"""The ST-LPIPS networks: building, loading and running them. Imports no torch by itself."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from ..classical.apply import each
from ..inputs import pair

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module


@cache
def network(net: str, device: str = "cpu") -> Module:
    """ST-LPIPS for ``alex`` or ``vgg``, frozen; built once per process and device.

    Raises:
        MissingWeights: its slot is empty.
        BadWeights: the file is not this network, or its blur filters are not 1-2-1.
    """
    import torch

    from ...bench.weights import load_strict, tensors
    from .shift_tolerant_net import ShiftTolerant

    slot = f"stlpips/{net}"
    values = tensors(slot)
    with torch.random.fork_rng(devices=[]):  # building draws random parameters
        module = ShiftTolerant(net)
    load_strict(module, values, name=slot)
    module.check_filters(slot)
    return module.requires_grad_(False).eval().to(device)


def distance(name: str, net: str, images: Tensor, references: Tensor | None, least: int) -> Tensor:
    """ST-LPIPS distance of (N,3,H,W) batches in [0,1] -> (N,)."""
    import torch

    images, references = pair(name, images, references, least=least, dtype=torch.float32)
    module = network(net, str(images.device))
    with torch.no_grad():
        return each(module, images * 2 - 1, references * 2 - 1)
