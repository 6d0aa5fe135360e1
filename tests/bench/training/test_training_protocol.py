"""Cached features, pseudo-labels, the pool, honest evaluation, the ablation, export, and the four commands."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ganiq.bench.errors import IntegrityError, UsageError
from ganiq.bench.training import cache, commands, export, labels, optim, pool, protocol, pseudo, seam, splits, trainer
from ganiq.bench.training import recipe as recipes
from ganiq.bench.training.beside import Beside, entries
from ganiq.bench.training.loader import Loader
from ganiq.bench.training.predict import predict
from training_cases import HINT, REG, SCORE, document


@pytest.fixture(scope="module")
def trained(given, home, tmp_path_factory) -> Path:
    """Folder of a finished training on split 0."""
    out = tmp_path_factory.mktemp("trained")
    stages = document()["stages"]
    for stage in stages:
        stage |= {"epochs": 25, "lr": 1e-2}
    recipe = recipes.build(document(stages=stages, views={"crop": 64}))
    trainer.train(recipe, given, splits.make(given), trainer.Settings(out, home))
    return out


# --- features ------------------------------------------------------------------------------------------------


def test_features_are_extracted_once_and_go_on_after_a_kill(given, tmp_path, monkeypatch) -> None:
    import torch

    network = seam.network({"net": "tiny_evaluators:Tiny", "role": "NR"})
    numbers = [s.image for s in given.samples]
    monkeypatch.setattr(cache, "SAVE", 6)
    whole = cache.features(network, given.pixels, numbers, 48, 5, tmp_path / "a")
    calls = 0
    extract = network.extract

    def dying(images: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 8:
            raise KeyboardInterrupt
        return extract(images)

    network.extract = dying
    with pytest.raises(KeyboardInterrupt):
        cache.features(network, given.pixels, numbers, 48, 5, tmp_path / "b")
    calls = 100
    again = cache.features(network, given.pixels, numbers, 48, 5, tmp_path / "b")
    assert 100 < calls < 100 + -(-len(numbers) // 3)
    pairs = [(n, [4, 0, 2]) for n in numbers]
    for a, b in zip(whole.take(pairs), again.take(pairs)):
        assert torch.equal(a, b)
        assert a.shape[:2] == (len(numbers), 3)
    before = calls
    cache.features(network, given.pixels, numbers, 48, 5, tmp_path / "b")
    assert calls == before


def test_stored_features_give_the_scores_of_the_pixels(given, home) -> None:
    recipe = recipes.build(document())
    finder = Beside()
    found = entries(given)[:12]
    assert recipe.teacher is not None
    for which, net in (("student", recipe.student), ("teacher", recipe.teacher)):
        network = seam.network(net.options)
        kinds = () if net.shown == "none" else (net.shown,)
        stored = {}
        for kind in ("x", *kinds):
            numbers = [e.sample.image if kind == "x" else e.sample.reference or 0 for e in found]
            made = cache.features(network, given.pixels, numbers, 48, 5, home)
            stored[which, kind] = {given.pixels.digest: made}
        plain = Loader(found, recipe.views, None, finder, kinds, 0)
        held = Loader(found, recipe.views, None, finder, kinds, 0, "cpu", stored)
        a, b = predict(network, net, plain, which=which), predict(network, net, held, which=which)
        assert a == pytest.approx(b, abs=2e-3)
        assert np.std(a) > 1e-3


def test_a_cached_training_learns_and_needs_a_frozen_trunk(given, tiny, home, tmp_path) -> None:
    stages = document()["stages"]
    for stage in stages:
        stage |= {"cached": True, "epochs": 6, "lr": 1e-2}
    split = splits.make(given)
    trainer.train(tiny(stages=stages), given, split, trainer.Settings(tmp_path / "a", home))
    log = [json.loads(line) for line in (tmp_path / "a" / "log.jsonl").read_text().splitlines()]
    assert log[5]["loss"] < 0.5 * log[0]["loss"]
    loose = tiny(stages=stages, student={"net": "tiny_evaluators:Tiny", "role": "NR", "frozen": False})
    with pytest.raises(UsageError, match="cached = false"):
        trainer.train(loose, given, split, trainer.Settings(tmp_path / "b", home))


# --- the networks' modes -------------------------------------------------------------------------------------


def test_batch_normalisation_is_frozen_in_small_batches() -> None:
    network = seam.network({"net": "tiny_evaluators:Tiny", "role": "NR", "norm": True})
    for batch, frozen in ((16, True), (31, True), (32, False), (64, False)):
        optim.settle(network, batch)
        norm = network.head[1]
        assert norm.training is not frozen
        assert network.head[0].training
        assert not network.backbone.training


def test_thawed_parameters_learn_and_others_do_not(given, tiny, home, tmp_path) -> None:
    import torch

    start = seam.network({"net": "tiny_evaluators:Tiny", "role": "NR"}).backbone.weight.half().float()  # as exported
    stages = [
        {"name": "head", "epochs": 1, "terms": [REG]},
        {"name": "all", "epochs": 1, "thaw": ["backbone."], "freeze": ["head.0."], "terms": [REG]},
    ]
    split = splits.make(given)
    done = trainer.train(tiny(teacher=None, stages=stages[:1]), given, split, trainer.Settings(tmp_path / "a", home))
    assert torch.equal(done.student.backbone.weight, start)
    both = trainer.train(tiny(teacher=None, stages=stages), given, split, trainer.Settings(tmp_path / "b", home))
    assert not torch.equal(both.student.backbone.weight, start)
    assert torch.equal(both.student.head[0].weight, done.student.head[0].weight)
    wrong = tiny(teacher=None, stages=[{"name": "x", "epochs": 1, "thaw": ["nothing."], "terms": [REG]}])
    with pytest.raises(UsageError, match="thaw"):
        trainer.train(wrong, given, split, trainer.Settings(tmp_path / "c", home))


def test_the_teacher_is_never_in_training(given, tiny, home, tmp_path, monkeypatch) -> None:
    import tiny_evaluators as nets

    seen: list[bool] = []
    forward = nets.Tiny.forward

    def watched(self: Any, views: Any) -> Any:
        if self.role == "FR":
            seen.append(self.training or any(m.training for m in self.modules()))
        return forward(self, views)

    split = splits.make(given)
    recipe = tiny(teacher={"net": "tiny_evaluators:Tiny", "role": "FR", "dropout": 0.5})
    trainer.train(recipe, given, split, trainer.Settings(tmp_path / "t", home))
    monkeypatch.setattr(nets.Tiny, "forward", watched)
    settings = trainer.Settings(tmp_path / "s", home, teacher=tmp_path / "t" / "teacher.safetensors")
    trainer.train(recipe, given, split, settings)
    assert len(seen) > 10
    assert not any(seen)


# --- export --------------------------------------------------------------------------------------------------


def test_an_exported_student_predicts_as_before_and_holds_nothing_else(given, trained, home) -> None:
    import torch

    card = export.card(trained / "student.safetensors")
    assert card["network"]["role"] == "NR"
    assert card["trained"]["licenses"] == ["made by the tests"]
    assert len(card["trained"]["contents"]) == 4
    state = torch.load(trained / "state.pt", weights_only=True)
    network = seam.network(card["network"])
    network.load_state_dict(state["student"])
    back = export.fill(seam.network(card["network"]), trained / "student.safetensors")
    assert {n.split(".")[0] for n in back.state_dict()} == {"backbone", "head"}
    loader = Loader(entries(given), recipes.Cut(crop=64), None, Beside(), (), 0)
    net = recipes.Net(net="x", role="NR")
    a, b = predict(network, net, loader), predict(back, net, loader)
    assert a == pytest.approx(b, abs=5e-3)  # half precision
    assert np.ptp(a) > 0.3
    out = trained / "again.safetensors"
    commands.export_command(trained, out)
    assert out.read_bytes() == (trained / "student.safetensors").read_bytes()


def test_files_that_are_no_evaluator_are_refused(trained, tmp_path) -> None:
    from safetensors.torch import save_file
    from torch import zeros

    save_file({"a": zeros(2)}, tmp_path / "x.safetensors")
    with pytest.raises(UsageError, match="no evaluator"):
        export.card(tmp_path / "x.safetensors")
    with pytest.raises(UsageError, match="cannot be read"):
        export.card(tmp_path / "y.safetensors")
    with pytest.raises(UsageError, match="finished training"):
        commands.export_command(tmp_path, tmp_path / "z.safetensors")
    with pytest.raises(UsageError, match=r"\.onnx"):
        commands.export_command(trained, tmp_path / "z.bin")


# --- evaluation ----------------------------------------------------------------------------------------------


def test_evaluation_on_the_own_test_split_and_on_another_set(given, trained, make_set, load) -> None:
    split = splits.make(given)
    part, test = given.select(split.train), given.select(split.test)
    found = protocol.evaluate(trained / "student.safetensors", test, train_part=part, split=split)
    assert found["agreement"]["n"] == 16
    assert found["agreement"]["srocc"]["value"] > 0.8
    assert found["agreement"]["srocc"]["low"] is None  # two references
    assert found["agreement"]["prior"]["srocc_within"] == pytest.approx(1, abs=0.02)
    assert set(found["agreement"]["classes"]) == {"blur", "noise"}
    assert found["cost"]["macs"] > 0 < found["cost"]["ms_per_image"]
    assert found["cost"]["learnt_parameters"] == 12 * 32 + 32 + 32 + 1
    assert found["scores"].keys() == {s.key for s in test.samples}
    assert 900 < np.mean(list(found["scores"].values())) < 1600  # in units of the labels
    other = load(make_set(references=9, levels=2, first=20, better="lower", name="far"))
    cross = protocol.evaluate(trained / "student.safetensors", other)
    assert cross["protocol"] == "cross-dataset"
    assert cross["better"] == "lower"
    assert cross["agreement"]["srocc"]["value"] > 0.5
    low, high = (cross["agreement"]["srocc"][end] for end in ("low", "high"))
    assert low < cross["agreement"]["srocc"]["value"] < high
    json.dumps([found, cross], allow_nan=False)


def test_evaluation_refuses_what_was_trained_on(given, trained, make_set, load) -> None:
    split = splits.make(given)
    with pytest.raises(IntegrityError, match="E-LEAK"):
        protocol.evaluate(trained / "student.safetensors", given)
    moved = splits.make(given, seed=1)
    with pytest.raises(UsageError, match="another split"):
        protocol.evaluate(trained / "student.safetensors", given.select(moved.test), split=moved)
    renamed = load(make_set(references=8, levels=1, name="renamed"))
    with pytest.raises(IntegrityError, match="perceptual hashes"):
        protocol.evaluate(trained / "student.safetensors", renamed)
    protocol.evaluate(trained / "student.safetensors", given.select(split.test), split=split)


def test_a_teacher_that_saw_the_test_references_is_refused(given, trained, tiny, home, tmp_path) -> None:
    stages, views = document()["stages"], {"crop": 64}
    settings = trainer.Settings(tmp_path, home, teacher=trained / "teacher.safetensors")
    with pytest.raises(IntegrityError, match=r"share .* references"):
        trainer.train(tiny(stages=stages, views=views), given, splits.make(given, seed=1), settings)
    done = trainer.train(tiny(stages=stages, views=views), given, splits.make(given), settings)
    log = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert done.done
    assert {e["stage"] for e in log} == {"student"}


def test_numbers_of_a_known_vector(given) -> None:
    y = np.array([s.score for s in given.samples])
    found = protocol.measure(y**3, given.samples, 1, within=True, train=given)
    for name in ("srocc", "srocc_within", "krocc"):
        assert found[name]["value"] == pytest.approx(1)
    assert found["plcc_raw"]["value"] < found["plcc_poly3"]["value"] <= 1
    assert found["main_score"] == pytest.approx(1 + found["plcc_raw"]["value"])
    assert found["headline"] == "srocc_within"
    by_generator = {g: i for i, g in enumerate(sorted({s.generator for s in given.samples}))}
    blind = protocol.measure(
        [by_generator[s.generator] for s in given.samples], given.samples, 1, within=True, train=given
    )
    assert blind["residual"] is None  # nothing is left once the algorithm is known


def test_repeated_splits_and_comparison(given, tiny, home, tmp_path) -> None:
    stages = [{"name": "s", "epochs": 6, "batch": 8, "lr": 1e-2, "terms": [REG]}]
    recipe = tiny(teacher=None, stages=stages)
    found = protocol.repeated(recipe, given, trainer.Settings(tmp_path, home), seeds=(0, 1, 2))
    assert found["summary"]["waves"]["srocc"]["splits"] == 3
    assert len({run["split"] for run in found["runs"]}) == 3
    each = [run["tests"]["waves"]["agreement"]["srocc"]["value"] for run in found["runs"]]
    assert found["summary"]["waves"]["srocc"]["median"] == pytest.approx(np.median(each))


def test_two_evaluators_are_compared_over_the_same_references(make_set, load, trained) -> None:
    far = load(make_set(references=10, levels=3, first=100, name="far"))
    one = protocol.evaluate(trained / "student.safetensors", far)
    two = json.loads(json.dumps(one))
    values = two["agreement"]["references_srocc"]
    two["agreement"]["references_srocc"] = {k: v - 0.1 - 0.01 * n for n, (k, v) in enumerate(sorted(values.items()))}
    (pair,) = protocol.compare([one, two])["pairs"]
    assert pair["difference"]["low"] > 0.1
    assert pair["p_holm"] < 0.01


def test_ablation_shuffled_teachers_teach_nothing(given, tiny, home, tmp_path) -> None:
    """The student sees few labels' worth of steps; the teacher's score carries it, a shuffled one does not."""
    stages = [
        {"name": "teacher", "train": "teacher", "epochs": 25, "batch": 8, "lr": 1e-2, "terms": [REG]},
        {"name": "soft", "epochs": 12, "batch": 8, "lr": 1e-2, "terms": [{**SCORE, "weight": 1.0}, HINT]},
        {"name": "labels", "epochs": 1, "batch": 8, "lr": 1e-4, "terms": [REG]},
    ]
    found = protocol.ablation(tiny(stages=stages), given, trainer.Settings(tmp_path, home), seeds=(0,))
    assert set(found["arms"]) == {"none", "labels-equal-steps", "shuffled-teacher", "full"}
    assert found["left_out"]["score"] == "the same as none"  # the distillers here have names of their own
    gains = found["tests"]["waves"]
    assert gains["gain"] > 0.2
    assert gains["shuffled_gain"] < 0.5 * gains["gain"]
    assert gains["recovery"].keys() == {"full", "shuffled-teacher"}
    assert {p["larger_than_seed_spread"] for p in found["pairs"]} == {"one seed only"}
    steps = [
        json.loads(x) for x in (tmp_path / "split-0" / "labels-equal-steps" / "log.jsonl").read_text().splitlines()
    ]
    full = [json.loads(x) for x in (tmp_path / "split-0" / "full" / "log.jsonl").read_text().splitlines()]
    per_stage = {e["stage"]: e["step"] for e in full}
    assert steps[-1]["step"] == per_stage["soft"] + per_stage["labels"]
    assert protocol.recovery(0.8, 0.6, 0.9) == pytest.approx(2 / 3)
    assert protocol.recovery(0.8, 0.6, 0.5) is None


# --- without people ------------------------------------------------------------------------------------------


def test_ensemble_weights_and_size_floor() -> None:
    wanted = [0.106, 0.116, 0.097, 0.114, 0.112, 0.114, 0.114, 0.104, 0.122]
    assert list(pseudo.weights(pseudo.members(288)).values()) == pytest.approx(wanted, abs=6e-4)
    assert set(pseudo.SRCC) - set(pseudo.members(96)) == {"ms-ssim", "iw-ssim"}
    assert sum(pseudo.weights(pseudo.members(96)).values()) == pytest.approx(1)
    assert set(pseudo.weights(pseudo.members(96), blind=True).values()) == {1 / 7}


def test_ensemble_is_monotone_directed_and_bound_to_its_split() -> None:
    quality = np.linspace(0, 1, 60)
    scores = {"dss": np.sqrt(quality), "gmsd": 0.4 - 0.3 * quality, "vifp": quality**2}
    fitted = pseudo.Ensemble.fit(scores, "split a")
    values = fitted(scores, "split a")
    assert (np.diff(values) > 0).all()
    assert 0 <= values.min() < 0.2 < 0.8 < values.max() <= 1
    with pytest.raises(IntegrityError, match="split"):
        fitted(scores, "split b")
    with pytest.raises(UsageError, match="calibrated"):
        pseudo.Ensemble.fit({"dss": np.ones(20)}, "s")


def test_the_pool_is_deterministic_and_knows_only_the_training_part(given, tmp_path, load) -> None:
    split = splits.make(given)
    train = given.select(split.train)
    folders = [pool.build(train, tmp_path / n, 12, 3) for n in "ab"]
    for name in ("items.csv", *(f"images/{n:06d}.png" for n in range(12))):
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes()
    made = load(folders[0])
    assert len(made.samples) == 12
    assert {s.group for s in made.samples} == {s.group for s in train.samples}
    splits.guard({"pool": made, "test": given.select(split.test)})
    with pytest.raises(IntegrityError, match="share"):
        splits.guard({"pool": made, "train": train})
    chains = [pool.draw(0, f"image {n}") for n in range(400)]
    assert 5 <= sum(not chain for chain in chains) <= 40
    assert {len(chain) for chain in chains} == {0, 1, 2, 3, 4}
    levels = np.bincount([level for chain in chains for _, level in chain], minlength=6)
    assert levels[1] > levels[3] > levels[5] > 0


def test_label_free_training_end_to_end(given, home, tmp_path) -> None:
    """From references alone to a student, through the scoring workers; nothing claims agreement with people."""
    stages = [
        {"name": "pseudo", "data": "pool", "labels": "pseudo", "epochs": 20, "batch": 8, "lr": 1e-2, "terms": [REG]}
    ]
    recipe = recipes.build(document(teacher=None, stages=stages, pool=16, views={"crop": 64}))
    split = splits.make(given)
    from ganiq.bench.progress import Silent

    made = commands.pool_of(recipe, given, split, tmp_path / "home", Silent(), workers=1)
    assert made is not None
    scores = [s.score for s in made.samples]
    assert 0 <= min(s for s in scores if s is not None) < max(s for s in scores if s is not None) <= 1
    done = trainer.train(recipe, given, split, trainer.Settings(tmp_path / "out", home), made)
    card = export.card(done.checkpoint)
    assert card["label"] == labels.Scaler("pseudo", 0.0, 1.0, 1, split.digest).document()
    assert "pseudo-MOS" in card["trained"]["labels"]
    log = [json.loads(line) for line in (tmp_path / "out" / "log.jsonl").read_text().splitlines()]
    assert log[-1]["loss"] < 0.6 * log[0]["loss"]


# --- commands ------------------------------------------------------------------------------------------------


def test_the_commands(waves, home, tmp_path) -> None:
    from test_training_loop import toml

    recipe = toml(tmp_path / "r.toml", recipes.build(document(views={"crop": 64})))

    def ganiq(*arguments: object) -> subprocess.CompletedProcess[str]:
        code = "import sys; sys.path.insert(0, sys.argv.pop(1)); from ganiq.bench.cli import main; main()"
        command = [sys.executable, "-c", code, str(Path(__file__).parent), *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True)

    common = ("--data", waves, "--cache", home, "-q")
    done = ganiq("train", recipe, *common, "--out", tmp_path / "t", "--set", "stages.0.epochs=2")
    assert done.returncode == 0, done.stderr
    file = tmp_path / "t" / "student.safetensors"
    assert done.stdout.strip() == str(file)
    done = ganiq("evaluate", file, *common, "--out", tmp_path / "e")
    assert done.returncode == 0, done.stderr
    assert "algorithm prior" in done.stdout
    assert json.loads((tmp_path / "e" / "evaluation.json").read_text())["evaluators"][0]["protocol"] == "reference"
    wrong = ganiq("distill", recipe, *common, "--out", tmp_path / "d", "--teacher", file)
    assert wrong.returncode != 0
    assert len(wrong.stderr.strip().splitlines()) == 1, wrong.stderr
