"""Losses on labels and weights of levels, against their formulas."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from ganiq.metrics.evaluator.build import loss
from ganiq.metrics.evaluator.losses import ELO, chance
from ganiq.metrics.evaluator.views import Views
from ganiq.metrics.evaluator.weighting_net import RULES, Weighting

IDS = [{"dataset": "d", "ref": r, "algo": "a", "image": str(i)} for i, r in enumerate("aabb")]


def views(y: list[float], labelled: list[bool] | None = None) -> Views:
    mask = None if labelled is None else torch.tensor(labelled)
    return Views(x=torch.zeros(len(y), 1, 3, 8, 8), y=torch.tensor(y), labelled=mask, ids=IDS[: len(y)])


def test_elo_chance() -> None:
    assert float(chance(torch.tensor(1600.0), torch.tensor(1400.0))) == pytest.approx(0.759747, abs=1e-6)


@pytest.mark.parametrize(
    ("scale", "points"), [("minmax", 1835.9856 - 916.7136), ("zscore", 121.5325), ("ckdn", 1000.0)]
)
def test_slopes_of_the_label_scales(scale: str, points: float) -> None:
    assert ELO[scale] == pytest.approx(math.log(10) / 400 * points, rel=2e-5)


def test_elo_loss_compares_within_references_only() -> None:
    score = torch.tensor([0.9, 0.1, 0.3, 0.2], requires_grad=True)
    value, mask = loss("elo", k=5.0)({"score": score}, views([0.2, 0.8, 0.5, 0.4]))
    assert mask is None
    expected = 0.0
    for i, j in ((0, 1), (2, 3)):
        y, s = [0.2, 0.8, 0.5, 0.4], score.detach().tolist()
        p, q = (1 / (1 + math.exp(-5 * (v[i] - v[j]))) for v in (y, s))
        expected += (1 - math.sqrt(p * q) - math.sqrt((1 - p) * (1 - q))) / 2
    assert value.item() == pytest.approx(expected, rel=1e-5)
    value.backward()
    assert score.grad is not None
    assert score.grad[0] > 0 > score.grad[1]
    assert loss("elo", k=5.0)({"score": torch.tensor([0.2, 0.8, 0.5, 0.4])}, views([0.2, 0.8, 0.5, 0.4]))[0] < 1e-6


def test_elo_loss_has_a_gradient_however_wrong_the_scores_are() -> None:
    score = torch.tensor([500.0, -500.0], requires_grad=True)
    value, _ = loss("elo")({"score": score}, views([0.0, 1.0]))
    value.backward()
    assert value.isfinite() and score.grad is not None and score.grad.isfinite().all()


def test_rank_counts_the_wrong_order() -> None:
    score = torch.tensor([0.1, 0.4, 0.2, 0.9])
    y = [1.0, 0.0, 0.0, 1.0]
    inside, _ = loss("rank")({"score": score}, views(y))
    assert inside.item() == pytest.approx(0.3 / 2)
    everywhere, _ = loss("rank", within=False)({"score": score}, views(y))
    assert everywhere.item() == pytest.approx((0.3 + 0.1) / 6)
    with pytest.raises(ValueError, match="give ids"):
        loss("rank")({"score": score}, views(y)._replace(ids=None))


def test_plcc_is_that_of_scipy() -> None:
    score, y = torch.tensor([0.1, 0.7, 0.2, 0.4]), [0.3, 0.9, 0.1, 0.8]
    value, _ = loss("plcc")({"score": score}, views(y))
    assert value.item() == pytest.approx((1 - np.corrcoef(score.numpy(), y)[0, 1]) / 2, abs=1e-6)
    assert loss("plcc")({"score": score}, views([0.5] * 4))[0] == 0


def test_regression_skips_samples_without_a_label() -> None:
    score = torch.tensor([0.5, 0.5, 0.5], requires_grad=True)
    values, mask = loss("reg", kind="l1")({"score": score}, views([0.0, math.nan, 1.0]))
    assert mask is not None
    assert mask.tolist() == [True, False, True]
    assert values.tolist() == pytest.approx([0.5, 0.0, 0.5])
    values.sum().backward()
    assert score.grad is not None and score.grad.tolist() == [1.0, 0.0, -1.0]
    values, mask = loss("reg", kind="mse")({"score": score}, views([0.0, 1.0, 2.0], [False, True, True]))
    assert values.tolist() == pytest.approx([0, 0.25, 2.25])
    smooth, _ = loss("reg")({"score": torch.tensor([0.05, 1.0])}, views([0.0, 0.0]))
    assert smooth.tolist() == pytest.approx([0.05**2 / 0.2, 1 - 0.05])
    with pytest.raises(ValueError, match="the samples have none"):
        loss("reg")({"score": score}, Views(x=torch.zeros(3, 1, 3, 8, 8)))


def test_pair_loss_knows_which_image_wins() -> None:
    better_second = views([0.2, 0.6])
    wanted = 1 / (1 + 10 ** (-0.4 * 1000 / 400))
    pair = torch.tensor([[0.3, 0.0], [0.7, 1.0]])
    value, _ = loss("pair")({"score": torch.zeros(2), "pair": pair}, better_second)
    assert value.item() == pytest.approx((0.7 - wanted) ** 2 / 2)
    assert loss("pair")({"score": torch.zeros(2)}, better_second)[0] == 0


def test_losses_without_any_pair_are_zero_with_a_gradient() -> None:
    score = torch.tensor([0.5], requires_grad=True)
    for name in ("rank", "elo", "plcc"):
        value, _ = loss(name)({"score": score}, views([1.0]))
        value.backward()
        assert value == 0
    assert score.grad is not None and score.grad.tolist() == [0.0]


@pytest.mark.parametrize(
    ("name", "options"), [("sad", {}), ("reg", {"kind": "huber"}), ("elo", {"k": "mos"}), ("reg", {"gamma": 1})]
)
def test_unknown_losses_and_options(name: str, options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"there is no|has no option"):
        loss(name, **options)


def trained(rule: str, sizes: list[float], steps: int = 800, rate: float = 0.05) -> Weighting:
    """A rule after minimising the weighted sum of losses that stay as they are: what pulls its weights alone."""
    weighting = Weighting(len(sizes), rule)
    values = torch.tensor(sizes)
    if weighting.values.requires_grad:
        optimiser = torch.optim.Adam([weighting.values], lr=rate)
        for _ in range(steps):
            optimiser.zero_grad()
            weighting(values).backward()
            optimiser.step()
    for _ in range(3):
        weighting(values)
    return weighting


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("sizes", [[1.0, 0.5, 0.2, 0.1], [1.0, 0.001, 0.9, 0.8], [10.0, 0.01]])
def test_no_rule_gives_one_level_all_the_weight(rule: str, sizes: list[float]) -> None:
    found = trained(rule, sizes).effective()
    assert sum(found.values()) == pytest.approx(1)
    assert max(found.values()) < 0.97


def test_softmax_would_collapse_without_its_limit() -> None:
    weighting = Weighting(4, "softmax")
    weighting.span = math.inf
    optimiser = torch.optim.Adam([weighting.values], lr=0.05)
    for _ in range(800):
        optimiser.zero_grad()
        weighting(torch.tensor([1.0, 0.5, 0.2, 0.1])).backward()
        optimiser.step()
    assert max(weighting.effective().values()) > 0.97


def test_uncertainty_settles_where_weighted_losses_are_equal() -> None:
    sizes = [1.0, 0.5, 0.25]
    weighting = trained("uncertainty", sizes)
    assert weighting.values.detach().exp().tolist() == pytest.approx(sizes, rel=0.02)
    s = torch.tensor([0.3, -0.2])
    other = Weighting(2, start=s.tolist())
    losses = torch.tensor([2.0, 3.0])
    assert other(losses).item() == pytest.approx(float((0.5 * (-s).exp() * losses + 0.5 * s).sum()))


def test_other_rules_follow_their_formulas() -> None:
    losses = torch.tensor([2.0, 3.0])
    assert Weighting(2, "fixed", start=[1.0, 0.5])(losses).item() == 3.5
    assert Weighting(2, "softmax", scale=3)(losses).item() == pytest.approx(7.5)
    assert Weighting(2, "softplus")(losses).item() == pytest.approx(2.5)
    assert Weighting(2, "normed")(losses).item() == pytest.approx(1)
    with pytest.raises(ValueError, match="choose one of fixed"):
        Weighting(2, "sum")
    with pytest.raises(ValueError, match="start has 3"):
        Weighting(2, start=[1.0, 2.0, 3.0])
