"""What a training and its files are bound to: pixels, labels of the pool, the scale of scores, the teacher's role."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ganiq.bench.errors import IntegrityError, UsageError
from ganiq.bench.progress import Silent
from ganiq.bench.training import commands, export, labels, pseudo, recipe, splits, state, teaching, trainer
from ganiq.bench.types import Scale
from PIL import Image, ImageOps
from training_cases import REG, document


def rescaled(folder: Path, points: Any, kind: str, better: str = "higher", ends: str = "") -> Path:
    """The scores of a folder in another unit; ``points``: from the Elo points that were there."""
    import csv

    table = folder / "items.csv"
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row["score"] = points(float(row["score"]))
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    (folder / "items.toml").write_text(f'name = "{kind}"\n[score]\nkind = "{kind}"\nbetter = "{better}"\n{ends}')
    return folder


def change(folder: Path, pattern: str) -> None:
    """Other pixels under the same names."""
    for path in folder.glob(pattern):
        ImageOps.invert(Image.open(path).convert("RGB")).save(path)


def fast() -> dict[str, Any]:
    stages = document()["stages"]
    for stage in stages:
        stage |= {"epochs": 2, "lr": 1e-2}
    return document(stages=stages)


# --- pixels and labels ---------------------------------------------------------------------------------------


def test_images_that_changed_between_two_commands_are_noticed(make_set, load, home, tmp_path) -> None:
    folder = make_set(references=5, levels=2, first=700, name="shift")
    given, made = load(folder), recipe.build(fast())
    assert not trainer.train(made, given, splits.make(given), trainer.Settings(tmp_path, home, minutes=0)).done
    for path in folder.glob("*.png"):  # the same pixels in other files are the same images
        Image.open(path).save(path, compress_level=1)
    again = load(folder)
    assert (again.pixels.digest, again.images) != (given.pixels.digest, "")
    assert again.images == given.images
    assert not trainer.train(made, again, splits.make(again), trainer.Settings(tmp_path, home, minutes=0)).done
    change(folder, "r700_blur*.png")
    other = load(folder)
    assert other.digest == given.digest  # names and scores are as they were
    assert other.images != given.images
    with pytest.raises(UsageError, match="begun with another set of images; repeat"):
        trainer.train(made, other, splits.make(other), trainer.Settings(tmp_path, home))


def test_a_pool_that_changed_is_noticed(given, make_set, load, home, tmp_path) -> None:
    folder = make_set(references=4, levels=2, first=720, scored=False, name="pool")
    stages = [{"name": "a", "data": "pool", "labels": "pseudo", "epochs": 3, "batch": 4, "terms": [REG]}]
    made, split = recipe.build(document(teacher=None, stages=stages, pool=1)), splits.make(given)

    def train(shift: float = 0.0) -> trainer.Trained:
        pool = load(folder)
        values = {s.key: 0.1 + 0.01 * n + shift * (n == 3) for n, s in enumerate(pool.samples)}
        pool = pool.relabelled(values, pseudo.SCALE)
        return trainer.train(made, given, split, trainer.Settings(tmp_path, home, minutes=0), pool)

    assert not train().done
    assert not train(1e-12).done  # the last bits of a fit
    with pytest.raises(UsageError, match="begun with another labelling of the pool"):
        train(1e-3)
    change(folder, "r720_*.png")
    with pytest.raises(UsageError, match="begun with another set of pool images"):
        train()


def test_a_state_from_before_these_were_kept_goes_on(given, tiny, home, tmp_path) -> None:
    import torch

    split = splits.make(given)
    trainer.train(tiny(), given, split, trainer.Settings(tmp_path, home, minutes=0))
    old = torch.load(tmp_path / state.FILE, weights_only=True)
    for name in ("set of images", "set of pool images", "labelling of the pool"):
        del old["identity"][name]
    torch.save(old, tmp_path / state.FILE)
    assert trainer.train(tiny(), given, split, trainer.Settings(tmp_path, home)).done


@pytest.fixture(scope="module")
def own(make_set: Any, home: Path, tmp_path_factory: Any) -> tuple[Path, Path]:
    """A data folder that may be changed, and a training on it."""
    folder, out = make_set(references=5, levels=2, first=740, name="own"), tmp_path_factory.mktemp("own")
    given = training_set(folder, home)
    trainer.train(recipe.build(fast()), given, splits.make(given), trainer.Settings(out, home))
    return folder, out


def training_set(folder: Path, home: Path) -> Any:
    from ganiq.bench.datasets import load as manifest
    from ganiq.bench.training import data

    return data.load(manifest(folder), home)


def test_an_evaluator_knows_the_images_it_was_trained_on(own, home, tmp_path) -> None:
    folder, out = own
    file = out / "student.safetensors"
    given = training_set(folder, home)
    assert export.card(file)["split"]["images"] == given.images
    old = without(file, tmp_path / "old.safetensors", "split", "images")
    found = commands.evaluate_command([str(file), str(old)], folder, tmp_path / "a", Silent(), home=home)
    assert [e["protocol"] for e in found["evaluators"]] == ["reference", "reference"]
    kept = {path: path.read_bytes() for path in folder.glob("*.png")}
    try:
        change(folder, "r74?_noise*.png")
        with pytest.raises(IntegrityError, match="trained on own with other images under the same names"):
            commands.evaluate_command([str(file)], folder, tmp_path / "b", Silent(), home=home)
        found = commands.evaluate_command([str(old)], folder, tmp_path / "c", Silent(), home=home)
        assert found["evaluators"][0]["protocol"] == "reference"  # which says no more than it did
    finally:
        for path, data in kept.items():
            path.write_bytes(data)


def without(file: Path, out: Path, *names: str) -> Path:
    """An evaluator's file as it was before a part of its header was written."""
    data = file.read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    about = header["__metadata__"]
    if len(names) == 1:
        del about[names[0]]
    else:
        inner = json.loads(about[names[0]])
        del inner[names[1]]
        about[names[0]] = json.dumps(inner)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    out.write_bytes(len(text).to_bytes(8, "little") + text + data[8 + length :])
    return out


# --- scales of scores ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("old", [False, True])
def test_a_teacher_of_another_scale_keeps_its_own_zero_and_one(make_set, own, home, tmp_path, old) -> None:
    """Teacher: Elo, higher better; data: DMOS from 0 to 100, lower better."""
    teacher = own[1] / "teacher.safetensors"
    assert export.card(teacher)["scale"] == {"kind": "elo", "better": "higher", "low": None, "high": None}
    if old:
        teacher = without(teacher, tmp_path / "teacher.safetensors", "scale")
    folder = make_set(references=5, levels=2, first=760, name="dmos")
    given = training_set(rescaled(folder, lambda elo: (1500 - elo) / 5, "DMOS", "lower"), home)
    split = splits.make(given)
    made = trainer._Training(
        recipe.build(fast()), given, split, trainer.Settings(tmp_path, home, teacher=teacher), None
    )
    assert made.scaler.sign == -1
    assert made.teaching.line == (1.0, 0.0)


def test_a_teacher_of_the_same_scale_is_converted(own, make_set, home, tmp_path) -> None:
    folder, out = own
    given = training_set(folder, home)
    half = filled(given, out / "teacher.safetensors", labels.Scaler("min-max", 1000.0, 250.0, 1, ""))
    theirs = labels.Scaler.read(export.card(out / "teacher.safetensors")["label"])
    low, high = (half.line[0] * v + half.line[1] for v in (0.0, 1.0))
    assert (1000 + 250 * low, 1000 + 250 * high) == pytest.approx((theirs.offset, theirs.offset + theirs.unit))


def filled(given: Any, teacher: Path, scaler: labels.Scaler) -> teaching.Teaching:
    from ganiq.bench.training import seam

    made = recipe.build(fast())
    assert made.teacher is not None
    found = teaching.Teaching(made, None, seam.network(made.teacher.options))
    found.load(teacher, scaler, given, {})
    return found


def test_scores_are_comparable_by_kind_direction_and_declared_range(given) -> None:
    from dataclasses import replace

    def asked(ours: Scale | None, theirs: Scale | None, digest: str = "other") -> bool:
        card = {"trained": {"data": [digest]}, "scale": export.scale_of(replace(given, scale=theirs))}
        return teaching.comparable(card, replace(given, scale=ours))

    mos = Scale("MOS", "higher", 1, 5)
    assert asked(mos, Scale("mos", "higher", 1.0, 5.0))
    assert not asked(mos, Scale("MOS", "higher", 0, 100))
    assert not asked(mos, Scale("MOS", "lower", 1, 5))
    assert not asked(mos, Scale("DMOS", "higher", 1, 5))
    assert not asked(Scale("MOS", "higher"), Scale("MOS", "higher"))  # 1 to 5, or 0 to 100?
    assert not asked(mos, None)
    assert not asked(None, None)
    assert asked(Scale("MOS", "higher"), None, given.digest)


def test_z_scores_of_another_scale_are_refused(own, make_set, load) -> None:
    other = load(make_set(references=3, levels=1, first=780, name="else"))
    with pytest.raises(UsageError, match=r'learnt scores of another scale, as min-max, .* write label = "min-max"'):
        filled(other, own[1] / "teacher.safetensors", labels.Scaler("z-score", 3.0, 1.0, 1, ""))


def test_a_teacher_of_another_role_is_refused(own, given, tiny, home, tmp_path) -> None:
    settings = trainer.Settings(tmp_path, home, teacher=own[1] / "student.safetensors")
    with pytest.raises(UsageError, match=r"student.safetensors has role NR and is shown none, and the teacher of tiny"):
        trainer.train(tiny(), given, splits.make(given), settings)


# --- ckdn ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("points", "kind", "better"),
    [
        (lambda elo: 1 + (elo - 1000) / 125, "MOS", "higher"),
        (lambda elo: (1500 - elo) / 5, "DMOS", "lower"),
        (lambda elo: elo - 1500, "Elo", "higher"),  # points around another zero
    ],
)
def test_targets_of_ckdn_lie_where_it_can_answer(make_set, home, tmp_path, points, kind, better) -> None:
    """Its answers are between 0 and 1, and so must labels be, whatever the data set's unit."""
    folder = make_set(references=5, levels=2, first=800, name="unit")
    given = training_set(rescaled(folder, points, kind, better), home)
    made = recipe.load("ckdn-lite", ["student.pretrained=false", "views.crop=48"])
    found = trainer._Training(made, given, splits.make(given), trainer.Settings(tmp_path, home), None)
    loader, _ = found.feeding.loaders(made.stages[1], found.student, None, distils=False)
    y = loader.random(range(len(loader.entries)), "epoch").y.numpy()
    assert y.min() == pytest.approx(0, abs=1e-6)
    assert y.max() == pytest.approx(1, abs=1e-6)
    assert found.scaler.kind == "min-max"
    raw = np.array([given.sign * (s.score or 0.0) for s in found.train.samples])
    assert found.scaler.people(y) == pytest.approx(raw, rel=1e-4, abs=1e-3)


def test_ckdn_keeps_its_scale_on_elo_points(given) -> None:
    scores = [s.score for s in given.samples if s.score is not None]
    found = labels.Scaler.fit("ckdn", scores, 1, "s", elo=labels.is_elo(given.scale))
    assert (found.kind, found.offset, found.unit) == ("ckdn", 900.0, 1000.0)
    assert found(1400.0) == pytest.approx(0.5)


def test_the_pair_loss_knows_the_unit_of_elo_points() -> None:
    import torch
    from ganiq.bench.training.objective import UNIT_ELO, Objective
    from ganiq.bench.training.parallel import World
    from ganiq.metrics.evaluator.losses import chance
    from ganiq.metrics.evaluator.views import Views

    views = Views(y=torch.tensor([0.2, 0.9]), labelled=torch.tensor([True, True]))
    trace = {"score": torch.zeros(2), "pair": torch.tensor([[0.0, 0.0], [0.0, 1.0]])}
    stage = recipe.build(document(stages=[{"name": "a", "epochs": 1, "terms": [{"loss": "pair"}]}])).stages[0]
    elo = Scale("Elo", "higher")
    for scaler, scale, unit in (
        (labels.Scaler("ckdn", 900.0, 1000.0, 1, ""), elo, 1000.0),
        (labels.Scaler("min-max", 1200.0, 500.0, 1, ""), elo, 500.0),
        (labels.Scaler("min-max", 1.0, 4.0, 1, ""), Scale("MOS", "higher"), UNIT_ELO / labels.ELO),
    ):
        loss = Objective.of(stage, None, None, scaler, scale, World(), "cpu")
        wanted = chance(torch.tensor(0.9), torch.tensor(0.2), unit)
        assert float(loss(None, trace, views, 0, 1)[0]) == pytest.approx(float(wanted) ** 2 / 2, rel=1e-5)


# --- boards --------------------------------------------------------------------------------------------------


def test_the_shipped_evaluator_that_metrics_taught_says_so_and_is_ranked(make_set, tmp_path) -> None:
    from ganiq.bench.datasets import load as read_set
    from ganiq.bench.run import run
    from ganiq.bench.sweep import build

    folder = make_set(references=8, levels=2, first=840, name="board")
    asked = {
        "data": folder, "out": tmp_path, "metrics": ["psnr", "kd-ysgan"], "gallery": False,
        "engine": {"workers": 1, "kind": "serial"}, "statistics": {"resamples": 200},
    }  # fmt: skip
    board = run(build(asked), read_set(folder), ["ganiq"], Silent()).leaderboard
    rows = {row["name"]: row for row in board["metrics"]}
    assert rows["kd-ysgan"]["badges"] == ["trained on pseudo-MOS"]
    assert rows["psnr"]["badges"] == []
    assert rows["kd-ysgan"]["tier"] is not None
    assert rows["kd-ysgan"]["rank"] is not None


def test_files_are_called_by_as_much_of_their_paths_as_tells_them_apart() -> None:
    def named(*paths: str) -> list[str]:
        return commands.named([Path(p) for p in paths])

    assert named("r/a/student.safetensors") == ["student.safetensors"]
    assert named("r/a/s", "r/b/t") == ["s", "t"]
    assert named("r/a/s", "r/b/s") == ["a/s", "b/s"]
    assert named("x/a/s", "y/a/s", "y/b/t") == ["x/a/s", "y/a/s", "y/b/t"]
    assert named("x/s", "x/s") == ["x/s", "x/s"]
    assert named() == []
