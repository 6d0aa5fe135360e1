"""Metrics that share work and remember references equal the library, and what is remembered belongs to its tensor.

The library is compared in double precision: in single precision some of its variances lose so many digits
that it is further from its own formula than these metrics are (last column of ``LIBRARY``).
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from ganiq.bench import registry, vision
from ganiq.bench.images.resample import matrix
from ganiq.metrics import memory
from torch import Tensor

LIBRARY: dict[str, tuple[str, dict[str, Any], float, float]] = {
    # name: piq's function, its options, promise in single precision, promise in double precision
    "ssim": ("ssim", {}, 1e-5, 1e-10),
    "ms-ssim": ("multi_scale_ssim", {}, 1e-5, 1e-10),
    "iw-ssim": ("information_weighted_ssim", {}, 5e-4, 1e-8),
    "vifp": ("vif_p", {}, 2e-5, 1e-10),
    "fsim": ("fsim", {"chromatic": False}, 1e-5, 1e-10),
    "fsimc": ("fsim", {"chromatic": True}, 1e-5, 1e-10),
    "sr-sim": ("srsim", {}, 1e-5, 2e-6),  # the library resizes in single precision
    "gmsd": ("gmsd", {}, 1e-5, 1e-10),
    "ms-gmsd": ("multi_scale_gmsd", {}, 1e-5, 1e-10),
    "ms-gmsdc": ("multi_scale_gmsd", {"chromatic": True}, 1e-5, 1e-10),
    "vsi": ("vsi", {}, 1e-5, 1e-8),
    "dss": ("dss", {}, 1e-5, 2e-6),  # the library sums its bands in single precision
    "haarpsi": ("haarpsi", {}, 1e-5, 1e-10),
    "mdsi": ("mdsi", {}, 1e-5, 1e-10),
}
SIZES = [(288, 288), (163, 205), (390, 401), (523, 400)]


def waves(height: int, width: int, seed: int) -> tuple[Tensor, Tensor]:
    """A smooth texture, and the same with noise, quantised to 8 bits."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width] / 40
    base = 0.5 + 0.4 * np.stack([np.sin(x * (1 + c) + y * (2 - c)) for c in range(3)])
    noisy = (base + rng.normal(0, 0.08, base.shape)).clip(0, 1)
    image, reference = (torch.from_numpy(np.rint(a * 255) / 255)[None] for a in (noisy, base))
    return image, reference


def noise(height: int, width: int, seed: int) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(seed)
    image, reference = torch.rand(2, 1, 3, height, width, generator=random, dtype=torch.float64).unbind()
    return image, reference


def library(name: str, image: Tensor, reference: Tensor) -> float:
    function, options, _, _ = LIBRARY[name]
    return float(getattr(vision.load("piq"), function)(image, reference, data_range=1.0, **options))


def own(name: str, image: Tensor, reference: Tensor) -> float:
    return float(registry.metrics.get(name)()(image, reference))


@pytest.mark.parametrize("size", SIZES, ids=lambda s: f"{s[0]}x{s[1]}")
@pytest.mark.parametrize("make", [waves, noise])
@pytest.mark.parametrize("name", list(LIBRARY))
def test_equal_to_the_library(name: str, make: Callable[..., tuple[Tensor, Tensor]], size: tuple[int, int]) -> None:
    image, reference = make(*size, seed=1)
    expected = library(name, image, reference)
    assert own(name, image, reference) == pytest.approx(expected, rel=LIBRARY[name][3])
    assert own(name, image.float(), reference.float()) == pytest.approx(expected, rel=LIBRARY[name][2])


@pytest.mark.parametrize("name", list(LIBRARY))
def test_equal_to_the_library_on_real_distortions(name: str, pairs: tuple[Tensor, Tensor]) -> None:
    for image, reference in zip(*(batch.split(1) for batch in pairs), strict=True):
        expected = library(name, image, reference)
        assert own(name, image, reference) == pytest.approx(expected, rel=LIBRARY[name][3])
        assert own(name, image.float(), reference.float()) == pytest.approx(expected, rel=LIBRARY[name][2])


@pytest.mark.parametrize("name", ["fsim", "fsimc", "gmsd", "mdsi", "haarpsi", "dss", "vsi"])
@pytest.mark.parametrize("size", [(96, 97), (61, 80), (33, 41)], ids=lambda s: f"{s[0]}x{s[1]}")
def test_equal_to_the_library_on_small_images(name: str, size: tuple[int, int]) -> None:
    image, reference = waves(*size, seed=2)
    expected = library(name, image, reference)
    assert own(name, image.float(), reference.float()) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("name", [*LIBRARY, "ssim-y", "ssim-gray"])
def test_nothing_leaks_between_images(name: str) -> None:
    """Scores with everything remembered equal scores of fresh tensors, whatever was scored in between."""
    metric = registry.metrics.get(name)()
    _, reference = waves(180, 190, 0)
    images = [waves(180, 190, seed)[0].float() for seed in range(4)]
    reference = reference.float()
    fresh = [float(metric(image.clone(), reference.clone())) for image in images]
    memory._kept.clear()
    for _ in range(2):
        assert [float(metric(image, reference)) for image in images] == fresh
    with torch.inference_mode():
        assert [float(metric(image, reference)) for image in reversed(images)] == fresh[::-1]
    assert float(metric(reference, images[0])) == float(metric(reference.clone(), images[0].clone()))


@pytest.mark.parametrize("name", LIBRARY)
def test_images_changed_in_place_are_looked_at_again(name: str) -> None:
    metric = registry.metrics.get(name)()
    image, reference = (x.float() for x in waves(180, 190, 0))
    before = float(metric(image, reference))
    image.mul_(0.5)
    after = float(metric(image, reference))
    assert after != before
    assert after == float(metric(image.clone(), reference.clone()))


@pytest.mark.parametrize(("size", "scale"), [((97, 61), 0.5), ((80, 81), 0.25), ((40, 50), 3.0), ((33, 35), 1 / 3)])
def test_resampling_equals_the_library(size: tuple[int, int], scale: float) -> None:
    image = torch.rand(1, 1, *size, dtype=torch.float64, generator=torch.Generator().manual_seed(4))
    expected = vision.load("piq.functional").imresize(image, scale=scale)[0, 0].numpy()
    down, across = (matrix(n, m, scale=scale) for n, m in zip(size, expected.shape, strict=True))
    assert np.abs(down @ image[0, 0].numpy() @ across.T - expected).max() < 5e-6


# --------------------------------------------------------------------------------- memory


def test_a_value_is_made_once_per_tensor() -> None:
    image, calls = torch.rand(1, 3, 8, 8), []

    def make(tensor: Tensor) -> Any:
        calls.append(1)
        return tensor.shape

    for _ in range(3):
        memory.recall(image, "size", make)
    assert len(calls) == 1
    memory.recall(image.clone(), "size", make)
    assert len(calls) == 2, "an equal tensor is another one"


def test_a_pair_is_its_own_key() -> None:
    x, y, z = torch.rand(3, 1, 3, 4, 4).split(1)
    difference = partial(memory.recall_pair, name="difference", make=lambda a, b: float((a - b).sum()))
    assert difference(x, y) == -difference(y, x)
    assert difference(x, y) != difference(x, z)


def test_a_new_tensor_at_an_old_address_starts_afresh() -> None:
    for n in range(200):
        value = memory.recall(torch.full((1, 3, 4, 4), float(n)), "mean", lambda t: float(t.mean()))
        assert value == n


def test_only_the_last_few_are_kept() -> None:
    held = [torch.rand(1, 3, 4, 4) for _ in range(20)]
    for tensor in held:
        memory.recall(tensor, "sum", lambda t: t.sum())
        half = memory.recall(tensor, "half", lambda t: t / 2)
        memory.recall(half, "sum", lambda t: t.sum())
    assert len(memory._kept) <= 2 * memory.MOST
    assert len(memory._made) <= 3 * memory.MOST


def test_nothing_outlives_its_tensor() -> None:
    memory._kept.clear()
    tensor = torch.rand(1, 3, 4, 4)
    half = memory.recall(tensor, "half", lambda t: t / 2)
    memory.recall(half, "sum", lambda t: t.sum())
    del tensor, half
    gc.collect()
    assert not memory._kept
