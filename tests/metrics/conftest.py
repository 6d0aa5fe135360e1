"""Photographs, degradations of growing strength, and stand-ins for weights that are not at hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
import stand_ins
import torch
from ganiq.bench import registry
from ganiq.bench.vision import load_torchvision
from ganiq.metrics.conformance import subjects
from PIL import Image
from torch import Tensor


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
    references = torch.cat([subjects.tensor(p) for p in photographs])
    return {
        kind: [
            (torch.cat([subjects.tensor(subjects.degrade(p, kind, level)) for p in photographs]), references)
            for level in subjects.LEVELS
        ]
        for kind in subjects.KINDS
    }


@pytest.fixture(scope="session")
def pairs(ladder: dict[str, list[tuple[Tensor, Tensor]]]) -> tuple[Tensor, Tensor]:
    """(3,3,196,208) degraded in three ways, and their references."""
    parts = [ladder[kind][1] for kind in ("blur", "noise", "jpeg")]
    return (
        torch.stack([degraded[i] for i, (degraded, _) in enumerate(parts)]),
        torch.stack([reference[i] for i, (_, reference) in enumerate(parts)]),
    )


@pytest.fixture(scope="session")
def build_anew() -> Callable[[], None]:
    """Throws the networks of this process away."""
    return stand_ins.forget


@pytest.fixture(scope="module")
def random_weights() -> Iterator[Callable[[str], dict[str, Tensor]]]:
    """Within a module: seeded random values in place of weights that are not on this computer."""
    with stand_ins.instead() as kept:
        yield kept


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
