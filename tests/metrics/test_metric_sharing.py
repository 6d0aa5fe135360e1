"""Values shared between metrics equal what the library computes, and belong to one tensor only."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from ganiq.bench import vision
from ganiq.metrics import memory
from ganiq.metrics.classical.fsim import FSIM
from ganiq.metrics.classical.fsimc import FSIMc


def pairs(height: int, width: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width] / 40
    base = 0.5 + 0.4 * np.stack([np.sin(x * (1 + c) + y * (2 - c)) for c in range(3)])
    noisy = (base + rng.normal(0, 0.08, base.shape)).clip(0, 1)
    return torch.from_numpy(noisy).float()[None], torch.from_numpy(base).float()[None]


@pytest.mark.parametrize(("height", "width"), [(288, 288), (96, 97), (61, 80), (21, 33), (6, 9), (523, 400)])
@pytest.mark.parametrize("chroma", [False, True])
def test_fsim_equals_the_library(height: int, width: int, chroma: bool) -> None:
    piq = vision.load("piq")
    for seed in range(3):
        image, reference = pairs(height, width, seed)
        expected = float(piq.fsim(image, reference, data_range=1.0, chromatic=chroma))
        found = float((FSIMc() if chroma else FSIM())(image, reference))
        assert found == pytest.approx(expected, rel=1e-5)
    image, reference = torch.rand(2, 1, 3, height, width, generator=torch.Generator().manual_seed(1)).unbind()
    expected = float(piq.fsim(image, reference, data_range=1.0, chromatic=chroma))
    assert float((FSIMc() if chroma else FSIM())(image, reference)) == pytest.approx(expected, rel=1e-5)


def test_a_value_is_made_once_per_tensor() -> None:
    image = torch.rand(1, 3, 8, 8)
    calls = []
    for _ in range(3):
        memory.recall(image, "size", lambda t: calls.append(1) or t.shape)
    assert len(calls) == 1
    memory.recall(image.clone(), "size", lambda t: calls.append(1) or t.shape)
    assert len(calls) == 2, "an equal tensor is another one"


def test_a_new_tensor_at_an_old_address_starts_afresh() -> None:
    for n in range(200):
        value = memory.recall(torch.full((1, 3, 4, 4), float(n)), "mean", lambda t: float(t.mean()))
        assert value == n


def test_only_the_last_few_are_kept() -> None:
    held = [torch.rand(1, 3, 4, 4) for _ in range(20)]
    for tensor in held:
        memory.recall(tensor, "sum", lambda t: t.sum())
    assert len(memory._kept) <= memory.MOST
