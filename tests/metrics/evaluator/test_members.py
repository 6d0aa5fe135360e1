"""The ensemble of heads of the plain student: one score, members that are taught one by one."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from evaluator_cases import made, seen
from ganiq.bench.training import objective, recipe
from ganiq.bench.training.parallel import World
from ganiq.metrics.evaluator.views import Views

FROZEN: dict[str, Any] = {"net": "slkd", "moments": True, "frozen": True, "dropout": 0.5}


@pytest.mark.parametrize("spec", [FROZEN, {"net": "slkd"}, {**FROZEN, "frozen": False, "late": True}])
def test_the_score_is_the_mean_of_the_members(spec: dict[str, Any]) -> None:
    model = made(**spec, members=3).eval()
    views = seen(2, 1, 64, aux=False)
    with torch.no_grad():
        trace = model(views)
    assert trace["score.members"].shape == (2, 3)
    assert torch.allclose(trace["score"], trace["score.members"].mean(1), atol=1e-6)
    assert (trace["score.members"].std(1) > 0).all()  # each has its own start


def test_patches_are_averaged_by_member() -> None:
    model = made(**FROZEN, members=3).eval()
    views = seen(2, 4, 64, aux=False)
    assert views.x is not None
    with torch.no_grad():
        trace = model(views)
        alone = [model(views._replace(x=views.x[:, n : n + 1]))["score.members"] for n in range(4)]
    assert torch.allclose(trace["score.members"], torch.stack(alone).mean(0), atol=1e-5)
    assert torch.allclose(trace["score"], trace["score.members"].mean(1), atol=1e-6)


def test_one_member_is_the_plain_head() -> None:
    one, plain = made(**FROZEN, members=1).eval(), made(**FROZEN).eval()
    assert [name for name, _ in one.named_parameters()] == [name for name, _ in plain.named_parameters()]
    trace = one(seen(2, 1, 64, aux=False))
    assert "score.members" not in trace


def test_members_differ_in_what_is_dropped() -> None:
    model = made(**FROZEN, members=2)
    model.head[1].load_state_dict(model.head[0].state_dict())
    for training, alike in ((False, True), (True, False)):
        model.train(training)
        said = model(seen(4, 1, 64, aux=False))["score.members"]
        assert torch.allclose(said[:, 0], said[:, 1]) == alike


@pytest.mark.parametrize(
    ("options", "message"),
    [({"members": 0}, "members is 0; give 1 or more"), ({"members": 2, "bins": 5}, "leave bins or members out")],
)
def test_what_makes_no_ensemble_is_refused(options: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        made(**FROZEN, **options)


# --- training ------------------------------------------------------------------------------------------------


def loss(members: torch.Tensor, *terms: dict[str, Any]) -> torch.Tensor:
    stage = recipe.Stage.model_validate({"name": "a", "epochs": 1, "terms": terms})
    made_of = objective.Objective.of(stage, None, None, None, None, World(), "cpu")
    ids = [{"dataset": "pool", "ref": "one"}] * 3
    views = Views(y=torch.tensor([0.2, 0.9, 0.4]), labelled=torch.tensor([True] * 3), ids=ids)
    return made_of(None, {"score": members.mean(1), "score.members": members}, views, 0, 1)[0]


@pytest.mark.parametrize("name", ["reg", "plcc", "difference"])
def test_every_member_learns_as_if_it_were_alone(name: str) -> None:
    said = torch.tensor([[0.1, 0.7], [0.3, 0.6], [0.8, 0.2]])
    together = said.clone().requires_grad_(True)
    loss(together, {"loss": name}).backward()
    assert together.grad is not None
    for n in range(2):
        alone = said[:, n : n + 1].clone().requires_grad_(True)
        loss(alone, {"loss": name}).backward()
        assert alone.grad is not None and alone.grad.abs().sum() > 0
        assert torch.allclose(together.grad[:, n] * 2, alone.grad[:, 0], atol=1e-6)


def test_members_that_are_right_only_together_are_wrong() -> None:
    y = torch.tensor([0.2, 0.9, 0.4])
    apart = torch.stack([y + 0.3, y - 0.3], dim=1)
    assert float(loss(apart, {"loss": "reg"})) > 0.1
    assert float(loss(torch.stack([y, y], dim=1), {"loss": "reg"})) == pytest.approx(0, abs=1e-7)
