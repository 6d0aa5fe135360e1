"""Recipes: the shipped ones are valid and buildable, wrong ones are refused in one sentence."""

from __future__ import annotations

import pytest
from ganiq.bench.errors import UsageError
from ganiq.bench.training import recipe as recipes
from ganiq.bench.training import seam
from ganiq.bench.training.objective import ramp
from training_cases import REG, SCORE, document

FAMILIES = ("ysgan", "slkd", "hintkd", "reviewkd", "akd", "cvrkd", "ckdn", "milo")


def test_every_family_ships_in_both_sizes() -> None:
    families = {f"{name}{size}" for name in FAMILIES for size in ("", "-lite")}
    assert set(recipes.names()) == families | {"kd-slkd", "kd-slkd-late", "kd-ysgan", "ysgan-vit-lite"}


@pytest.mark.parametrize(
    "name", [*(f"{family}{size}" for family in FAMILIES for size in ("", "-lite")), "ysgan-vit-lite"]
)
def test_shipped_recipes_name_losses_and_distillers_that_exist(name: str) -> None:
    recipe = recipes.load(name)
    assert recipe.name == name
    assert recipes.build(recipe.document) == recipe
    losses = {t.loss: t.options for s in recipe.stages for t in s.terms if t.loss}
    for loss, options in losses.items():
        assert callable(seam.loss(loss, options))


@pytest.mark.parametrize("name", [*(f"{family}-lite" for family in FAMILIES), "ysgan-vit-lite"])
def test_lite_recipes_build_their_networks_and_adapters(name: str) -> None:
    recipe = recipes.load(name)
    student = seam.network({**recipe.student.options, "pretrained": False})
    teacher = student
    if recipe.teacher is not None and not recipe.shared:
        teacher = seam.network({**recipe.teacher.options, "pretrained": False})
    for stage in recipe.stages:
        for term in stage.terms:
            if term.distill:
                assert seam.distiller(term.distill, teacher, student, term.options) is not None
    for network in (student, teacher):
        patches = getattr(network, "patches", None)
        assert patches is None or patches == recipe.views.patches
    for stage in recipe.stages:
        if stage.cached:
            assert (teacher if stage.train == "teacher" else student).trunk


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"stages": []}, "stages"),
        ({"student": {"net": "x", "role": "FR", "aux": "nar"}}, "aux is ref"),
        ({"teacher": None}, "needs a teacher"),
        ({"stages": [{"name": "a", "epochs": 1, "terms": [{"loss": "reg", "distill": "score"}]}]}, "either a loss"),
        ({"stages": [{"name": "a", "epochs": 1, "steps": 4, "terms": [REG]}]}, "either epochs or steps"),
        ({"stages": [{"name": "a", "terms": [REG]}]}, "either epochs or steps"),
        ({"stages": [{"name": "a", "epochs": 1, "train": "teacher", "terms": [SCORE]}]}, "cannot distil"),
        ({"stages": [{"name": "a", "epochs": 1, "data": "pool", "terms": [REG]}]}, "pool = 10000"),
        ({"stages": [{"name": "a", "epochs": 1, "batch": 6, "per_reference": 4, "terms": [REG]}]}, "multiple"),
        ({"stages": [{"name": "a", "epochs": 1, "terms": [{**REG, "on": "teacher"}]}]}, "does not learn"),
        ({"views": {"crop": 48, "noise": {"erase": 0.5}},
          "stages": [{"name": "a", "epochs": 1, "cached": True, "terms": [REG]}]}, "noise = false"),
        ({"stages": [{"name": "a", "epochs": 1, "terms": [REG]}] * 2}, "same name"),
        ({"views": {"crop": 48, "patches": 6}}, "crops = 10"),
        ({"label": "mean"}, "label"),
        ({"colour": 3}, "colour"),
    ],
)  # fmt: skip
def test_wrong_recipes_are_refused_in_one_sentence(changes, words) -> None:
    with pytest.raises(UsageError) as caught:
        recipes.build(document(**changes))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_changes_on_the_command_line() -> None:
    changed = recipes.load("slkd-lite", ["stages.0.epochs=2", "pool=8", "views.crop=96", "student.backbone=lite1"])
    assert (changed.stages[0].epochs, changed.pool, changed.views.crop) == (2, 8, 96)
    assert changed.student.options["backbone"] == "lite1"
    assert changed.digest != recipes.load("slkd-lite").digest
    for wrong in ("stages.9.epochs=2", "stages.x=1", "nothing"):
        with pytest.raises(UsageError, match="place"):
            recipes.load("slkd-lite", [wrong])


def test_unknown_names_are_refused() -> None:
    with pytest.raises(UsageError, match="ysgan-lite"):
        recipes.load("ysgan-light")
    with pytest.raises(UsageError, match="no network 'vgg'"):
        seam.network({"net": "vgg"})
    with pytest.raises(UsageError, match="no option"):
        seam.loss("reg", {"gamma": 2})
    with pytest.raises(UsageError, match="cannot be imported"):
        seam.network({"net": "nowhere:Net"})


def test_ramps() -> None:
    term = recipes.Term(loss="reg", weight=2.0, ramp="linear", over=0.2)
    assert [ramp(term, step, 100) for step in (0, 5, 10, 20, 99)] == pytest.approx([0, 0.5, 1, 2, 2])
    assert ramp(term.model_copy(update={"ramp": "step"}), 19, 100) == 0
    assert ramp(term.model_copy(update={"ramp": "cosine"}), 10, 100) == pytest.approx(1)
    assert ramp(term.model_copy(update={"ramp": "constant"}), 0, 100) == 2
