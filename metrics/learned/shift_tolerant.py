"""The ST-LPIPS networks: building, loading and running them. Imports no torch by itself."""

from __future__ import annotations

from functools import cache
from itertools import count
from typing import TYPE_CHECKING, Any

from ..classical.apply import each
from ..inputs import pair
from ..memory import recall

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module


_serial = count()
"""Features that are remembered belong to one network; a number is never given twice."""


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
        module: Any = ShiftTolerant(net)
    load_strict(module, values, name=slot)
    module.check_filters(slot)
    module.serial = next(_serial)
    return module.requires_grad_(False).eval().to(device)


def distance(name: str, net: str, images: Tensor, references: Tensor | None, least: int) -> Tensor:
    """ST-LPIPS distance of (N,3,H,W) batches in [0,1] -> (N,)."""
    import torch

    images, references = pair(name, images, references, least=least, dtype=torch.float32)
    module: Any = network(net, str(images.device))

    def distance(image: Tensor, reference: Tensor) -> Tensor:
        known = recall(reference, f"st-lpips-{net}-{module.serial}", lambda one: module.features(one * 2 - 1))
        return module.compare(module.features(image * 2 - 1), known)

    with torch.no_grad():
        return each(distance, images, references)
