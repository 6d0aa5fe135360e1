"""LPIPS networks: the lpips package's code, filled from slots of trained parameters and from nowhere else.

``lpips.LPIPS()`` would fetch its trunk from a web site; asked not to, it gives well-behaved numbers from a
random trunk. Here every parameter is replaced and checked by name and shape, or there is no network at all.
"""

from __future__ import annotations

import re
import warnings
from functools import cache
from itertools import count
from typing import TYPE_CHECKING, Any

from ...bench.vision import load
from ..classical.apply import each
from ..inputs import pair
from ..memory import recall

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

_serial = count()
"""Features that are remembered belong to one network; a number is never given twice."""
TRUNKS = {"alex": "alexnet-torchvision", "vgg": "vgg16-torchvision", "squeeze": "squeezenet1_1-torchvision"}


@cache
def network(net: str, device: str = "cpu") -> Module:
    """The LPIPS v0.1 network for ``alex``, ``vgg`` or ``squeeze``, frozen; built once per process and device.

    Raises:
        MissingWeights: its trunk is not on this computer.
        BadWeights: a tensor is missing, unknown or of another shape.
    """
    import torch

    from ...bench.weights import load_strict, tensors

    trunk, heads = tensors(f"trunk/{TRUNKS[net]}"), tensors(f"lpips/{net}")
    lpips = load("lpips")
    with torch.device("meta"), warnings.catch_warnings():  # no storage and no random values: all are loaded below
        warnings.filterwarnings("ignore", "(The parameter 'pretrained'|Arguments other than)", UserWarning)
        module = lpips.LPIPS(net=net, pretrained=False, pnet_rand=True, verbose=False)
    module.to_empty(device="cpu")
    module.scaling_layer = type(module.scaling_layer)()  # its constants come from the code, not from a file
    load_strict(module, _renamed(module, trunk, heads), name=f"trunk/{TRUNKS[net]}")
    module.serial = next(_serial)
    return module.requires_grad_(False).eval().to(device)


def _renamed(module: Module, trunk: dict[str, Tensor], heads: dict[str, Tensor]) -> dict[str, Tensor]:
    """Tensors under the names of the lpips package, which cuts torchvision's ``features`` into slices."""
    own = module.state_dict()
    slices = {m[2]: m[1] for key in own if (m := re.match(r"net\.(slice\d+)\.(\d+)\.", key))}
    values = {key: own[key] for key in own if key.startswith("scaling_layer.")}
    for key, value in trunk.items():
        part, _, rest = key.partition(".")
        if part == "features":
            index, _, rest = rest.partition(".")
            values[f"net.{slices.get(index, 'unknown')}.{index}.{rest}"] = value
        # The rest is the classifier, which LPIPS does not use.
    for key, value in heads.items():
        values[key] = value
        values[re.sub(r"^lin(\d+)\.", r"lins.\1.", key)] = value  # the package lists each layer twice
    return values


def lpips(name: str, net: str, images: Tensor, references: Tensor | None, least: int) -> Tensor:
    """LPIPS distance of (N,3,H,W) batches in [0,1] -> (N,)."""
    import torch

    images, references = pair(name, images, references, least=least, dtype=torch.float32)
    module: Any = network(net, str(images.device))

    def features(image: Tensor) -> tuple[Tensor, ...]:
        """Of the five slices, unit vectors at each place."""
        slices = module.net.forward(module.scaling_layer(image * 2 - 1))
        return tuple(normalize(part) for part in slices)

    def distance(image: Tensor, reference: Tensor) -> Tensor:
        known = recall(reference, f"lpips-{net}-{module.serial}", features)
        parts = zip(module.lins, features(image), known)
        return torch.stack([head((x - y).square()).mean() for head, x, y in parts]).sum()

    normalize = load("lpips").normalize_tensor
    with torch.no_grad():
        return each(distance, images, references)
