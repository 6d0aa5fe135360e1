"""The shipped evaluators as metrics: they answer as their files do, and say what they learnt from."""

from __future__ import annotations

import json

import pytest
import torch
from ganiq.bench import weights
from ganiq.bench.measure import choose, make, measure
from ganiq.metrics.evaluator.predictor import Predictor, metadata
from torch import Tensor

NAMES = ("kd-slkd", "kd-ysgan")
LARGEST = 16 * 2**20


def images(count: int, height: int, width: int, seed: int = 0) -> Tensor:
    """Noise on ramps, different in every image."""
    made_of = torch.Generator().manual_seed(seed)
    ramp = torch.linspace(0.1, 0.9, width).expand(count, 3, height, width)
    noise = torch.randn(count, 3, height, width, generator=made_of)
    return (ramp + noise * torch.linspace(0.02, 0.2, count).view(-1, 1, 1, 1)).clamp(0, 1)


def call(name: str, x: Tensor, reference: Tensor | None = None) -> Tensor:
    return make(measure(name).spec)(x, reference)


@pytest.mark.parametrize("name", NAMES)
def test_the_file_in_the_package_is_the_one_that_was_trained(name: str) -> None:
    data = weights.read(f"evaluator/{name}")
    head = metadata(data, name)
    assert len(data) < LARGEST
    assert json.loads(head["recipe"])["name"] == name
    network = json.loads(head["network"])
    assert (network["net"], network["role"]) == {"kd-slkd": ("slkd", "NR"), "kd-ysgan": ("ysgan", "FR")}[name]
    trained = json.loads(head["trained"])
    people = measure(name).info.trained_on
    assert people == {"kd-slkd": ("BIQ2021",), "kd-ysgan": ("pseudo-MOS",)}[name]  # what its badge says
    human = people != ("pseudo-MOS",)
    assert trained["labels"] == ("human scores" if human else "pseudo-MOS: never agreement with people")
    assert trained["contents"]  # whoever trains on can be held against it
    assert not any("gan-image" in text.lower() for text in trained["names"])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("height", "width"), [(288, 288), (100, 333), (400, 301)])
def test_metrics_answer_as_their_files(name: str, height: int, width: int) -> None:
    x, reference = images(2, height, width), images(1, height, width, seed=1)
    own = Predictor(weights.read(f"evaluator/{name}"))
    pair = measure(name).info.needs == "pair"
    wanted = own.score(x, reference.expand_as(x) if pair else None)
    found = call(name, x, reference.expand_as(x) if pair else None)
    assert found.dtype == torch.float64
    assert found.tolist() == pytest.approx(wanted.tolist(), abs=1e-5)
    assert found[0] != found[1]


def test_more_noise_is_worse() -> None:
    reference = images(1, 288, 288, seed=2)
    made_of = torch.Generator().manual_seed(5)
    noise = torch.randn(3, 288, 288, generator=made_of)
    worse = torch.stack([(reference[0] + s * noise).clamp(0, 1) for s in (0.0, 0.05, 0.15, 0.4)])
    found = call("kd-ysgan", worse, reference.expand_as(worse))
    assert found.diff().max() < 0
    same = call("kd-ysgan", reference, reference)
    assert float(same) > 0.8


def test_evaluators_are_on_every_board_without_being_asked_for() -> None:
    assert set(NAMES) <= {m.column for m in choose(["default"])}
