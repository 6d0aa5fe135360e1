"""What metrics are tried on: photographs made worse in known ways, and content that formulas stumble over.

The photographs ship with scikit-image and are found without importing its code. Everything is made from fixed
seeds of its own, once per process, and in float64; who hands it to a metric hands over a copy.
"""

from __future__ import annotations

import io
from functools import cache
from importlib.util import find_spec
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

CENTRES = {"astronaut": (224, 118), "chelsea": (214, 128), "coffee": (304, 188)}
"""Photographs, and the pixel (x, y) around which they are cut: something with edges and texture."""
KINDS = ("blur", "noise", "jpeg")
LEVELS = (1, 2, 3)
"""Growing strength; the weakest is plain to see on a small crop."""


@cache
def _whole(name: str) -> Image:
    from PIL import Image

    spec = find_spec("skimage")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("the test photographs come with scikit-image, which is not installed; install it")
    with Image.open(Path(spec.origin).parent / "data" / f"{name}.png") as file:
        return file.convert("RGB")


@cache
def crops(height: int, width: int) -> tuple[Image, ...]:
    """The photographs around their centres; enlarged first where a metric asks for more than they have."""
    from PIL.Image import Resampling

    answer = []
    for name, (x, y) in CENTRES.items():
        image = _whole(name)
        scale = max(1, ceil(max(height / image.height, width / image.width)))
        if scale > 1:
            image = image.resize((image.width * scale, image.height * scale), Resampling.BICUBIC)
        left = min(max(0, x * scale - width // 2), image.width - width)
        top = min(max(0, y * scale - height // 2), image.height - height)
        answer.append(image.crop((left, top, left + width, top + height)))
    return tuple(answer)


def degrade(image: Image, kind: str, level: int) -> Image:
    """Blur, noise or JPEG compression of level 1, 2 or 3; 8 bits in, 8 bits out."""
    import numpy as np
    from PIL import Image, ImageFilter

    if kind == "blur":
        return image.filter(ImageFilter.GaussianBlur((0.8, 1.8, 4.0)[level - 1]))
    if kind == "noise":
        pixels = np.asarray(image, dtype=float)
        added = np.random.default_rng(level).normal(0, (8, 20, 50)[level - 1], pixels.shape)
        return Image.fromarray(np.clip(np.rint(pixels + added), 0, 255).astype(np.uint8))
    if kind == "jpeg":
        file = io.BytesIO()
        image.save(file, "JPEG", quality=(25, 10, 4)[level - 1])
        with Image.open(file) as opened:
            return opened.convert("RGB")
    raise ValueError(f"{kind!r} is no degradation; choose one of {', '.join(KINDS)}")


def tensor(image: Image) -> Tensor:
    """(1,3,H,W) in [0,1], float64."""
    import numpy as np
    import torch

    return torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1)[None].double() / 255


@cache
def photographs(height: int, width: int) -> Tensor:
    """(3,3,H,W): one crop of each photograph."""
    import torch

    return torch.cat([tensor(image) for image in crops(height, width)]).contiguous()


@cache
def degraded(kind: str, level: int, height: int, width: int) -> Tensor:
    """(3,3,H,W): the same crops, all made worse in one way."""
    import torch

    return torch.cat([tensor(degrade(image, kind, level)) for image in crops(height, width)]).contiguous()


@cache
def mixed(height: int, width: int) -> Tensor:
    """(3,3,H,W): the same crops, each made worse in another way."""
    import torch

    return torch.stack([degraded(kind, 2, height, width)[i] for i, kind in enumerate(KINDS)])


@cache
def texture(height: int, width: int, seed: int) -> tuple[Tensor, Tensor]:
    """A random texture (1,3,H,W) with noise upon it, and without."""
    import torch

    random = torch.Generator().manual_seed(seed)
    grain = torch.rand(1, 3, height + 2, width + 2, generator=random, dtype=torch.float64)
    reference = torch.nn.functional.avg_pool2d(grain, 3, 1)
    noise = torch.randn(reference.shape, generator=random, dtype=torch.float64)
    return (reference + 0.1 * noise).clamp(0, 1), reference


@cache
def noise(height: int, width: int) -> Tensor:
    """(1,3,H,W): every value drawn for itself."""
    import torch

    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(3), dtype=torch.float64)


def flat(level: float, height: int, width: int) -> Tensor:
    """(1,3,H,W) of one value: black, gray or white."""
    import torch

    return torch.full((1, 3, height, width), level, dtype=torch.float64)


def gray(images: Tensor) -> Tensor:
    """The mean of the channels, three times."""
    return images.mean(dim=1, keepdim=True).repeat(1, 3, 1, 1)


@cache
def features(count: int, dimensions: int, seed: int) -> Tensor:
    """(N,D) float32, normally distributed: what set metrics are handed by the harness."""
    import torch

    return torch.randn(count, dimensions, generator=torch.Generator().manual_seed(seed))
