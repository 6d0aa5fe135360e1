"""Metrics that share work and remember references: what is remembered belongs to its tensor.

That these metrics equal the library is held by test_parity_card.py.
"""

from __future__ import annotations

import gc
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from ganiq.bench import registry, vision
from ganiq.bench.images.resample import matrix
from ganiq.metrics import memory
from parity.cases import waves
from torch import Tensor

NAMES = ("ssim", "ssim-y", "ssim-gray", "ms-ssim", "iw-ssim", "vifp", "fsim", "fsimc", "sr-sim", "gmsd", "ms-gmsd")
NAMES += ("ms-gmsdc", "vsi", "dss", "haarpsi", "mdsi")


@pytest.mark.parametrize("name", NAMES)
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


@pytest.mark.parametrize("name", NAMES)
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
