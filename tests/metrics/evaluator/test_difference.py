"""The loss on differences: by how much one image of a content is better than another, and nothing else."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import pytest
import torch
from ganiq.metrics.evaluator.build import loss
from ganiq.metrics.evaluator.losses import BETA, LOSSES
from ganiq.metrics.evaluator.views import Views

IDS = [{"dataset": "d", "ref": r, "algo": "a", "image": str(i)} for i, r in enumerate("aabbb")]
SCORE = [0.9, 0.1, 0.3, 0.25, 0.5]
LABEL = [0.2, 0.8, 0.5, 0.4, 0.45]


def views(y: list[float] = LABEL, labelled: list[bool] | None = None, ids: Any = IDS) -> Views:
    mask = None if labelled is None else torch.tensor(labelled)
    return Views(x=torch.zeros(len(y), 1, 3, 8, 8), y=torch.tensor(y), labelled=mask, ids=ids and ids[: len(y)])


def smooth(error: float, beta: float) -> float:
    return error**2 / (2 * beta) if abs(error) < beta else abs(error) - beta / 2


def by_hand(pairs: Any, gain: float = 1.0, beta: float = BETA) -> float:
    errors = [SCORE[i] - SCORE[j] - gain * (LABEL[i] - LABEL[j]) for i, j in pairs]
    return sum(smooth(e, beta) for e in errors) / len(errors)


def value(score: list[float] = SCORE, given: Views | None = None, **options: Any) -> float:
    found, mask = loss("difference", **options)({"score": torch.tensor(score)}, given or views())
    assert mask is None
    assert found.shape == ()
    return float(found)


INSIDE = [(0, 1), (2, 3), (2, 4), (3, 4)]


def test_values_of_one_pair() -> None:
    two = views([0.5, 0.25])
    assert value([0.75, 0.5], two) == 0
    assert value([0.75, 0.45], two) == pytest.approx(0.05**2 / 0.2)
    assert value([1.0, 0.0], two) == pytest.approx(0.75 - 0.05)
    assert value([0.0, 1.0], two) == pytest.approx(1.25 - 0.05)
    assert value([1.0, 0.0], two, beta=1.0) == pytest.approx(0.75**2 / 2)


@pytest.mark.parametrize("options", [{}, {"gain": 0.6}, {"gain": 0.0}, {"beta": 0.5}, {"gain": 2.0, "beta": 0.02}])
def test_values_over_pairs_of_one_reference(options: dict[str, Any]) -> None:
    assert value(**options) == pytest.approx(by_hand(INSIDE, **options), rel=1e-5)


def test_all_pairs_where_references_compare() -> None:
    assert value(within=False) == pytest.approx(by_hand(combinations(range(5), 2)), rel=1e-5)
    assert value(within=False, given=views(ids=None)) == value(within=False)
    with pytest.raises(ValueError, match="give ids"):
        value(given=views(ids=None))


def test_references_of_two_sets_are_two() -> None:
    ids = [{**entry, "ref": "a", "dataset": name} for entry, name in zip(IDS, "ddeee")]
    assert value(given=views(ids=ids)) == value()


def test_images_without_a_label_are_in_no_pair() -> None:
    mask = [True, True, True, False, True]
    assert value(given=views(labelled=mask)) == pytest.approx(by_hand([(0, 1), (2, 4)]), rel=1e-5)
    holes = [y if known else float("nan") for y, known in zip(LABEL, mask)]
    assert value(given=views(holes)) == pytest.approx(by_hand([(0, 1), (2, 4)]), rel=1e-5)


def test_where_the_zero_lies_means_nothing_and_where_the_unit_is_the_gain() -> None:
    for shift in (-3.0, 0.5):
        per_reference = [y + shift * (1 + (i > 1)) for i, y in enumerate(LABEL)]
        assert value(given=views(per_reference)) == pytest.approx(value(), abs=1e-5)
    stretched = [5 * y for y in LABEL]
    assert value(given=views(stretched), gain=0.2) == pytest.approx(value(), rel=1e-5)
    exact = [7 + 0.6 * y for y in LABEL]
    assert value(exact, gain=0.6) == pytest.approx(0, abs=1e-9)


def test_gradients_pull_a_pair_apart_and_leave_its_mean() -> None:
    score = torch.tensor([0.5, 0.5, 0.0, 0.0, 0.0], requires_grad=True)
    found, _ = loss("difference")({"score": score}, views([1.0, 0.0, 0.3, 0.3, 0.3]))
    found.backward()
    assert score.grad is not None
    assert score.grad.tolist() == pytest.approx([-0.25, 0.25, 0, 0, 0])


@pytest.mark.parametrize(
    "given",
    [
        views([1.0]),
        views([1.0, 0.0, 0.5], ids=[IDS[0], IDS[2], {**IDS[0], "ref": "c"}]),
        views([1.0, 0.0, 0.5], labelled=[True, False, True]),
        views([1.0, 0.0], labelled=[False, False]),
    ],
)
def test_no_pair_is_no_loss_and_still_has_a_gradient(given: Views) -> None:
    assert given.y is not None
    score = torch.full((len(given.y),), 0.5, requires_grad=True)
    found, mask = loss("difference")({"score": score}, given)
    assert mask is None
    assert found == 0
    found.backward()
    assert score.grad is not None
    assert score.grad.tolist() == [0.0] * len(score)


def test_it_is_known_by_name_and_its_options_are_checked() -> None:
    assert "difference" in LOSSES
    with pytest.raises(ValueError, match="has no option 'kind'"):
        loss("difference", kind="mse")
