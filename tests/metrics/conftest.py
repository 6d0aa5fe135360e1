"""Photographs, degradations of growing strength, and stand-ins for weights that are not at hand."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from ganiq.bench import registry, weights
from ganiq.bench.vision import load, load_torchvision
from PIL import Image, ImageFilter
from torch import Tensor

LEVELS = (1, 2, 3)


def tensor(image: Image.Image) -> Tensor:
    return torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1)[None].double() / 255


@pytest.fixture(scope="session", autouse=True)
def _torchvision() -> None:
    """piq and lpips import torchvision; only ganiq's own way of doing so works everywhere."""
    load_torchvision()


@pytest.fixture(scope="session")
def photographs() -> list[Image.Image]:
    """Three crops of 208x196 pixels from the sample photographs inside scikit-image."""
    spec = find_spec("skimage")
    assert spec is not None
    assert spec.origin is not None
    folder = Path(spec.origin).parent / "data"
    corners = {"astronaut": (120, 20), "chelsea": (110, 30), "coffee": (200, 90)}
    return [
        Image.open(folder / f"{name}.png").convert("RGB").crop((x, y, x + 208, y + 196))
        for name, (x, y) in corners.items()
    ]


@pytest.fixture(scope="session")
def ladder(photographs: list[Image.Image]) -> dict[str, list[tuple[Tensor, Tensor]]]:
    """Kind -> for each of three levels (degraded, reference), each (3,3,196,208), quantised to 8 bits."""
    references = torch.cat([tensor(p) for p in photographs])

    def blur(image: Image.Image, level: int) -> Image.Image:
        return image.filter(ImageFilter.GaussianBlur((0.8, 1.8, 4.0)[level - 1]))

    def noise(image: Image.Image, level: int) -> Image.Image:
        pixels = np.asarray(image, dtype=float)
        added = np.random.default_rng(level).normal(0, (8, 20, 50)[level - 1], pixels.shape)
        return Image.fromarray(np.clip(np.rint(pixels + added), 0, 255).astype(np.uint8))

    def jpeg(image: Image.Image, level: int) -> Image.Image:
        file = io.BytesIO()
        image.save(file, "JPEG", quality=(25, 10, 4)[level - 1])
        return Image.open(file)

    return {
        make.__name__: [(torch.cat([tensor(make(p, level)) for p in photographs]), references) for level in LEVELS]
        for make in (blur, noise, jpeg)
    }


@pytest.fixture(scope="session")
def pairs(ladder: dict[str, list[tuple[Tensor, Tensor]]]) -> tuple[Tensor, Tensor]:
    """(3,3,196,208) degraded in three ways, and their references."""
    parts = [ladder[kind][1] for kind in ("blur", "noise", "jpeg")]
    return (
        torch.stack([degraded[i] for i, (degraded, _) in enumerate(parts)]),
        torch.stack([reference[i] for i, (_, reference) in enumerate(parts)]),
    )


def random_values(like: Tensor) -> Tensor:
    """As networks are usually initialised: weights by their fan-in, biases small."""
    return torch.randn(like.shape) * ((2 / like[0].numel()) ** 0.5 if like.ndim > 1 else 0.05)


def stand_in(slot: str) -> dict[str, Tensor]:
    """Tensors of the right names and shapes with seeded random values: for plumbing, never for numbers."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(20261121)
        if slot.startswith("trunk/"):
            make = getattr(load("torchvision.models"), slot.removeprefix("trunk/").removesuffix("-torchvision"))
            with torch.device("meta"):
                features = make(weights=None).features
            values = {f"features.{k}": random_values(v) for k, v in features.state_dict().items()}
            return {**values, "classifier.1.weight": torch.zeros(1)}  # there is one, and nobody uses it
        if slot == "inception/fid-2015-12-05":
            return load("ganiq.metrics.sets.inception").blueprint().state_dict()
        if slot == "pieapp/v0.1":
            with torch.device("meta"):
                model = load("piq.pieapp").PieAPPModel()
            values = {k: random_values(v) for k, v in model.state_dict().items()}
            values["ref_score_subtract.weight"] = values["ref_score_subtract.weight"].squeeze(1)
            return values
        if slot == "dists/alpha-beta":
            return {name: torch.rand(1, 1475, 1, 1) for name in ("alpha", "beta")}
        if slot.startswith("stlpips/"):
            net = load("ganiq.metrics.learned.shift_tolerant_net").ShiftTolerant(slot.split("/")[1])
            for name, value in net.named_parameters():
                if name.startswith("lin"):
                    value.data.abs_()  # published linear layers have no negative weights
            return net.state_dict()
        if slot == "efficientnet/lite0":
            return load("timm").create_model("tf_efficientnet_lite0", pretrained=False).state_dict()
    raise KeyError(slot)


_kept: dict[str, dict[str, Tensor]] = {}


def kept(slot: str) -> dict[str, Tensor]:
    if slot not in _kept:
        _kept[slot] = stand_in(slot)
    return dict(_kept[slot])


def forget() -> None:
    """Networks are built once per process; a test that changes weights must have them built anew."""
    from ganiq.metrics.learned import dists, perceptual, pieapp, shift_tolerant
    from ganiq.metrics.sets import efficientnet, inception

    for module in (dists, perceptual, pieapp, shift_tolerant, efficientnet, inception):
        module.network.cache_clear()


@pytest.fixture(scope="session")
def build_anew() -> Callable[[], None]:
    """Throws the networks of this process away."""
    return forget


@pytest.fixture(scope="module")
def random_weights() -> Iterator[Callable[[str], dict[str, Tensor]]]:
    """Within a module: seeded random values in place of weights that are not on this computer."""
    real = weights.tensors
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(weights, "tensors", lambda slot: real(slot) if weights.present(slot) else kept(slot))
        forget()
        yield kept
    forget()


def item_metrics() -> list[str]:
    return [n for n in registry.metrics.builtin if registry.metrics.get(n).info.needs != "set"]


def set_metrics() -> list[str]:
    return [n for n in registry.metrics.builtin if registry.metrics.get(n).info.needs == "set"]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """``name``: every built-in per-image metric; ``set_name``: every built-in set metric."""
    if "item_name" in metafunc.fixturenames:
        metafunc.parametrize("item_name", item_metrics())
    if "set_name" in metafunc.fixturenames:
        metafunc.parametrize("set_name", set_metrics())
    if "any_name" in metafunc.fixturenames:
        metafunc.parametrize("any_name", list(registry.metrics.builtin))
