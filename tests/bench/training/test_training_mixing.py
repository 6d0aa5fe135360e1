"""Batches of data set and pool, whose labels a term takes, and what recipes may say of both."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch
from ganiq.bench.errors import UsageError
from ganiq.bench.measure import measure
from ganiq.bench.training import objective, optim, samplers, seam
from ganiq.bench.training import recipe as recipes
from ganiq.bench.training.data import Sample
from ganiq.bench.training.parallel import World
from soft_label_cases import sample, watch
from training_cases import REG, SCORE, document


def both(own: int, references: int, each: int) -> tuple[list[Sample], list[bool]]:
    """Images of a data set without references, with those of a pool strewn among them."""
    mixed = [(sample(f"own{n}"), False) for n in range(own)]
    pool = [(sample(f"pool{r}-{n}", block=f"ref{r}"), True) for n in range(each) for r in range(references)]
    rows = [*mixed, *pool]
    rows = [rows[n] for n in np.random.default_rng(0).permutation(len(rows))]
    return [s for s, _ in rows], [flag for _, flag in rows]


# --- batches -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("share", "theirs"), [(0.5, 8), (0.25, 4), (0.75, 12)])
def test_every_batch_holds_both_in_the_same_proportion(share: float, theirs: int) -> None:
    samples, ready = both(50, 12, 6)
    batches = samplers.mixed(samples, ready, 16, share, 2, 0, "stage", 0)
    assert len(batches) == 50 // (16 - theirs)
    for batch in batches:
        assert [ready[n] for n in batch] == [False] * (16 - theirs) + [True] * theirs
        blocks = [samples[n].block for n in batch[16 - theirs :]]
        assert blocks[::2] == blocks[1::2]  # two of one reference beside each other
        assert len(set(blocks)) == theirs // 2
        assert len(set(batch)) == 16
    used = [n for batch in batches for n in batch if not ready[n]]
    assert len(used) == len(set(used)) == len(batches) * (16 - theirs)


def test_an_epoch_is_one_of_the_data_set() -> None:
    samples, ready = both(24, 40, 4)
    batches = samplers.mixed(samples, ready, 8, 0.5, 4, 0, "stage", 0)
    assert len(batches) == 6
    assert sorted(n for b in batches for n in b if not ready[n]) == [n for n in range(len(ready)) if not ready[n]]
    used = [n for b in batches for n in b if ready[n]]
    assert len(used) == len(set(used)) == 24  # of the pool's 160
    other = samplers.mixed(samples, ready, 8, 0.5, 4, 0, "stage", 1)
    assert {n for b in other for n in b if ready[n]} != set(used)


def test_a_small_pool_is_gone_through_again_and_again() -> None:
    samples, ready = both(48, 4, 4)
    batches = samplers.mixed(samples, ready, 8, 0.5, 4, 0, "stage", 0)
    assert len(batches) == 12
    times = Counter(n for b in batches for n in b if ready[n])
    assert set(times.values()) == {3}  # 12 batches of 4, of 16 images
    assert len(times) == 16
    rounds = [[n for b in batches[k : k + 4] for n in b if ready[n]] for k in (0, 4, 8)]
    assert len({tuple(r) for r in rounds}) == 3  # in another order each time


def test_without_groups_the_pool_comes_as_it_does() -> None:
    samples, ready = both(20, 7, 3)
    batches = samplers.mixed(samples, ready, 10, 0.5, 0, 0, "stage", 0)
    assert [sum(ready[n] for n in b) for b in batches] == [5] * 4
    first = [n for b in batches for n in b if ready[n]]
    assert len(set(first)) == 20  # 21 images, four batches of five


def test_batches_depend_on_seed_stage_and_epoch_alone() -> None:
    samples, ready = both(30, 6, 4)

    def made(*names: Any, seed: int = 0) -> list[list[int]]:
        return samplers.mixed(samples, ready, 8, 0.5, 2, seed, *names)

    assert made("a", 0) == made("a", 0)
    assert made("a", 0) != made("a", 1)
    assert made("a", 0) != made("b", 0)
    assert made("a", 0) != made("a", 0, seed=1)


@pytest.mark.timeout(3)
@pytest.mark.parametrize(("each", "per_reference"), [(1, 4), (0, 4), (4, 1)])
def test_a_pool_without_groups_is_refused(each: int, per_reference: int) -> None:
    """Else more of it would be asked for without end."""
    samples, ready = both(20, 6, each)
    with pytest.raises(UsageError, match="per_reference"):
        samplers.mixed(samples, ready, 8, 0.5, per_reference, 0, "stage", 0)


# --- recipes -------------------------------------------------------------------------------------------------

STAGE: dict[str, Any] = {"name": "a", "epochs": 1, "terms": [REG]}
ALL = {**STAGE, "data": "all"}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"stages": [{**STAGE, "share": 0.5}]}, "shares batches between data set and pool"),
        ({"stages": [{**STAGE, "data": "pool", "share": 0.5}], "pool": 8}, "write data = 'all'"),
        ({"stages": [{**ALL, "share": 0.02}], "pool": 8}, "shares batches"),
        ({"stages": [{**ALL, "share": 0.98}], "pool": 8}, "shares batches"),
        ({"stages": [{**ALL, "share": 1.0}], "pool": 8}, "share"),
        ({"stages": [{**ALL, "share": -0.5}], "pool": 8}, "share"),
        ({"stages": [{**ALL, "share": 0.5}]}, "pool = 10000"),
        ({"stages": [{**ALL, "labels": "teacher"}], "pool": 8, "teacher": None}, "learns a teacher's answers"),
        ({"stages": [{**ALL, "labels": "teacher"}], "pool": 8,
          "teacher": {"net": "student", "role": "NR"}}, "learns a teacher's answers"),
        ({"stages": [{**ALL, "labels": "teacher", "train": "teacher"}], "pool": 8}, "learns a teacher's answers"),
        ({"stages": [{**STAGE, "labels": "people"}]}, "labels"),
        ({"stages": [{**STAGE, "terms": [{**REG, "of": "everyone"}]}]}, "of"),
        ({"views": {"crop": 48, "patches": 2}, "crops": 0}, "crops = 10"),
        ({"views": {"crop": 48, "patches": 4}, "crops": 3}, "crops = 10"),
        ({"crops": 11}, "crops"),
        ({"crops": -1}, "crops"),
        ({"judged": -1}, "judged"),
        ({"judges": {"gmsd": "much"}}, "judges"),
    ],
)  # fmt: skip
def test_wrong_recipes_are_refused_in_one_sentence(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError) as caught:
        recipes.build(document(**changes))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_recipes_may_say() -> None:
    stage = {**ALL, "labels": "teacher", "share": 0.5, "batch": 32, "terms": [{**REG, "of": "people"}, SCORE]}
    recipe = recipes.build(document(stages=[stage], pool=8, crops=0, judges={"gmsd": 2, "dss": 0.5}, judged=3))
    assert recipe.crops == 0
    assert recipe.judges == {"gmsd": 2.0, "dss": 0.5}
    assert recipe.judged == 3
    assert [t.of for t in recipe.stages[0].terms] == ["people", "any"]
    assert recipes.build(recipe.document) == recipe
    plain = recipes.build(document())
    assert (plain.judges, plain.judged, plain.stages[0].share, plain.stages[0].terms[0].of) == ({}, 0, 0, "any")
    assert len({recipe.digest, plain.digest, recipes.build(document(judged=2)).digest}) == 3
    edge = {**ALL, "batch": 4, "share": 0.15}
    assert recipes.build(document(stages=[edge], pool=8)).stages[0].share == 0.15  # one of four


@pytest.mark.parametrize("name", ["kd-slkd", "kd-slkd-late", "kd-ysgan"])
def test_the_shipped_evaluators_name_what_there_is(name: str) -> None:
    recipe = recipes.load(name)
    assert recipe.teacher is not None
    student, teacher = (seam.network({**n.options, "pretrained": False}) for n in (recipe.student, recipe.teacher))
    assert teacher.trunk
    for stage in recipe.stages:
        network = teacher if stage.train == "teacher" else student
        names = [name for name, _ in network.named_parameters()]
        for begin in (*stage.freeze, *(g.match for g in stage.groups)):
            assert any(name.startswith(begin) for name in names), begin
        assert optim.learning(network, stage)
        for term in stage.terms:
            assert callable(seam.loss(term.loss, term.options))
        if stage.share and stage.per_reference:
            assert round(stage.share * stage.batch) % stage.per_reference == 0
    assert sum(recipe.judges.values()) == pytest.approx(1)
    for name in recipe.judges:
        assert measure(name).info.better in ("higher", "lower")


# --- whose labels --------------------------------------------------------------------------------------------

PEOPLE = [True, True, False, False, False]
LABELLED = [True, False, True, True, False]
IDS = [{"dataset": "d", "ref": r, "algo": "", "image": str(n)} for n, r in enumerate("aabbb")]


def views() -> Any:
    return seam.views(
        x=torch.zeros(5, 1, 3, 8, 8), y=torch.tensor([1.0, 0.0, 0.5, 0.25, 0.0]), y_std=torch.zeros(5),
        labelled=torch.tensor(LABELLED), ids=IDS, people=torch.tensor(PEOPLE),
    )  # fmt: skip


def asked(score: torch.Tensor, *terms: dict[str, Any]) -> tuple[torch.Tensor, dict[str, float]]:
    """Loss and values of a stage of these terms."""
    stage = recipes.build(document(teacher=None, stages=[{"name": "a", "epochs": 1, "terms": list(terms)}])).stages[0]
    made = objective.Objective.of(stage, None, None, None, None, World(), "cpu")
    return made(None, {"score": score}, views(), 0, 1)


@pytest.mark.parametrize(("of", "mask"), [("any", LABELLED), ("people", [1, 0, 0, 0, 0]), ("pseudo", [0, 0, 1, 1, 0])])
def test_a_term_takes_the_labels_it_names(of: Any, mask: list[int]) -> None:
    given = views()
    found = objective._of(recipes.Term.model_validate({"loss": "reg", "of": of}), given)
    assert found.labelled.tolist() == [bool(m) for m in mask]
    assert found.y is given.y
    assert given.labelled.tolist() == LABELLED  # what the other terms see is as it was
    assert found.x is given.x and found.people is given.people


def test_losses_are_means_over_the_labels_they_take() -> None:
    score = torch.zeros(5, requires_grad=True)
    reg = {"loss": "reg", "options": {"kind": "mse"}}
    loss, values = asked(score, {**reg, "of": "people"})
    assert loss.item() == pytest.approx(1.0)
    loss, _ = asked(score, {**reg, "of": "pseudo"})
    assert loss.item() == pytest.approx((0.25 + 0.0625) / 2)
    loss, _ = asked(score, reg)
    assert loss.item() == pytest.approx((1 + 0.25 + 0.0625) / 3)
    loss, values = asked(
        score, {**reg, "of": "people"}, {"loss": "difference", "of": "pseudo", "weight": 2, "options": {"beta": 0.1}}
    )
    assert values == {"reg": pytest.approx(1.0), "difference": pytest.approx(0.25 - 0.05)}
    assert loss.item() == pytest.approx(1 + 2 * 0.2)
    loss.backward()
    assert score.grad is not None
    assert score.grad.tolist() == pytest.approx([-2, 0, -2, 2, 0])


def test_a_term_that_finds_no_label_is_nothing() -> None:
    score = torch.zeros(5, requires_grad=True)
    for loss in ("difference", "rank", "plcc"):  # one of people's labels alone: there is no pair
        value, _ = asked(score, {"loss": loss, "of": "people"})
        assert value.item() == 0
        value.backward()
    only = views()._replace(people=torch.zeros(5, dtype=torch.bool))
    terms = [{"loss": "reg", "of": "people"}]
    stage = recipes.build(document(teacher=None, stages=[{**STAGE, "terms": terms}])).stages[0]
    made = objective.Objective.of(stage, None, None, None, None, World(), "cpu")
    value, _ = made(None, {"score": score}, only, 0, 1)
    value.backward()
    assert value.item() == 0
    assert score.grad is not None and score.grad.tolist() == [0.0] * 5


def test_terms_of_one_loss_are_told_apart_by_whose_labels_they_take() -> None:
    from soft_label_cases import SHOWN

    SHOWN.clear()
    asked(torch.zeros(5), watch("p", "people"), watch("q", "pseudo"), watch("r"))
    assert {s["name"]: s["labelled"] for s in SHOWN} == {
        "p": [True, False, False, False, False], "q": [False, False, True, True, False], "r": LABELLED,
    }  # fmt: skip
