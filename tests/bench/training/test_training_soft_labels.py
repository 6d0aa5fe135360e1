"""A teacher that knows only metrics teaches a student that also listens to people, who gave no references."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ganiq.bench import stats
from ganiq.bench.datasets import load as read_set
from ganiq.bench.errors import IntegrityError, UsageError
from ganiq.bench.progress import Silent
from ganiq.bench.training import cache, commands, data, export, labels, optim, seam, splits, trainer
from ganiq.bench.training import recipe as recipes
from ganiq.bench.training.beside import Beside, entries
from ganiq.bench.training.data import TrainingSet
from ganiq.bench.training.feeding import Feeding
from ganiq.bench.training.loader import Loader
from ganiq.bench.training.parallel import World
from ganiq.bench.training.predict import predict
from ganiq.bench.weights.load import tensors_from
from soft_label_cases import SHOWN, folder_of, people_of, pool_of, watch
from test_training_loop import toml
from training_cases import HINT, REG, document, worse

REFERENCES, LEVELS = 12, 6
TEACHER = {
    "name": "teacher", "train": "teacher", "data": "pool", "labels": "pseudo", "epochs": 12, "batch": 8,
    "per_reference": 4, "lr": 1e-2, "cached": True, "keep": "best",
    "terms": [{"loss": "reg", "options": {"kind": "mse"}}, {"loss": "difference", "weight": 0.5}, watch("teacher")],
}  # fmt: skip
STUDENT = {
    "name": "student", "data": "all", "labels": "teacher", "share": 0.5, "batch": 16, "per_reference": 4,
    "epochs": 24, "lr": 1e-2, "terms": [{"loss": "reg", "of": "people"}, {"loss": "difference", "of": "pseudo"},
                                        watch("student"), watch("people", "people")],
}  # fmt: skip


def described(**changes: Any) -> recipes.Recipe:
    base = document(
        stages=[TEACHER, STUDENT], pool=1, crops=0, judges={"gmsd": 1, "dss": 1},
        views={"crop": 48, "flips": False, "turns": False},
    )  # fmt: skip
    return recipes.build({**base, **changes})


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images without references, each of its own content: the noisier, the lower is its score of about 3000."""
    return people_of(tmp_path_factory.mktemp("people") / "people", 400)


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images with references, blurred: what people were never asked about. Scores of two metrics are there."""
    return pool_of(tmp_path_factory.mktemp("pool") / "pool", 500, REFERENCES, LEVELS)


class Ran:
    """One training with what its terms were shown and its stages validated on."""

    def __init__(self, done: trainer.Trained, out: Path) -> None:
        self.done, self.out = done, out
        self.shown = [dict(s) for s in SHOWN]
        self.card = export.card(done.checkpoint)
        self.log = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
        self.validated: list[list[Any]] = []

    def given(self, name: str) -> list[dict[str, Any]]:
        return [s for s in self.shown if s["name"] == name]

    def labels(self, name: str) -> dict[str, tuple[float, bool]]:
        """Label and whether it is people's, by image; the same in every batch."""
        found: dict[str, tuple[float, bool]] = {}
        for shown in self.given(name):
            for key, y, people in zip(shown["keys"], shown["y"], shown["people"]):
                assert found.setdefault(key, (y, people)) == (y, people)
        return found


def trained(recipe: recipes.Recipe, folder: Path, out: Path, home: Path, **options: Any) -> Ran:
    SHOWN.clear()
    validated = []
    with pytest.MonkeyPatch.context() as patch:
        plain = trainer.agreement
        patch.setattr(trainer, "agreement", lambda p, e, *rest: validated.append(list(e)) or plain(p, e, *rest))
        out.mkdir()
        file = toml(out / "recipe.toml", recipe)
        ran = Ran(commands.train_command(str(file), folder, out, Silent(), home=home, workers=1, **options), out)
    ran.validated = validated
    return ran


@pytest.fixture(scope="module")
def whole(people: Path, pool: Path, home: Path, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    return trained(described(), people, tmp_path_factory.mktemp("whole") / "out", home, pool=pool)


def predicted(network: Any, role: str, given: TrainingSet) -> np.ndarray:
    """On the learned scale, on as many crops as cover the image."""
    net = recipes.Net(net="x", role=role)  # type: ignore[arg-type]
    kinds = () if role == "NR" else ("ref",)
    loader = Loader(entries(given), recipes.Cut(crop=48), None, Beside(), kinds, 0, crops=0)
    return predict(network.eval(), net, loader, which="student" if role == "NR" else "teacher")


def within(values: np.ndarray, given: TrainingSet, good: dict[str, float]) -> float:
    """Rank agreement inside the references of the pool."""
    return stats.within(values, [good[s.key] for s in given.samples], [s.block for s in given.samples]).mean


LEVEL = {f"r{r:02d}-{n}": -float(n) for r in range(REFERENCES) for n in range(1, LEVELS + 1)}


# --- both stages ---------------------------------------------------------------------------------------------


def test_the_teacher_learns_from_the_pool_and_never_sees_what_it_is_validated_on(whole: Ran, pool: Path, load) -> None:
    seen = {ref for s in whole.given("teacher") for ref in s["refs"]}
    valid = {e.sample.block for entries_ in whole.validated[: TEACHER["epochs"]] for e in entries_}
    everyone = {f"r{r}" for r in range(REFERENCES)}
    assert seen | valid == everyone
    assert not seen & valid
    assert len(valid) == 1  # a tenth
    assert {n for s in whole.given("teacher") for n in s["people"]} == {False}
    rows = [row for row in whole.log if row["stage"] == "teacher"]
    assert len(rows) == TEACHER["epochs"]
    assert max(row["valid"] for row in rows) == pytest.approx(1)
    assert rows[-1]["loss"] < 0.5 * rows[0]["loss"]
    given = load(pool)
    assert within(predicted(whole.done.teacher, "FR", given), given, LEVEL) > 0.9


def test_the_student_is_validated_on_people(whole: Ran) -> None:
    later = whole.validated[TEACHER["epochs"] :]
    assert len(later) == STUDENT["epochs"]
    assert {e.sample.dataset for wanted in later for e in wanted} == {"people"}
    assert len({e.sample.key for wanted in later for e in wanted}) == 8


def test_pseudo_labels_are_what_the_judges_say(whole: Ran) -> None:
    found = {key: y for key, (y, _) in whole.labels("teacher").items()}
    assert len(found) == (REFERENCES - 1) * LEVELS
    assert min(found.values()) >= 0
    assert max(found.values()) <= 1
    assert all(found[k] > found[k[:-1] + str(int(k[-1]) + 1)] for k in found if int(k[-1]) < LEVELS)


def test_scores_of_people_are_scaled_and_answers_of_the_teacher_are_not(
    whole: Ran, people: Path, pool: Path, load
) -> None:
    given = load(people)
    split = splits.make(given)
    train = given.select(split.train)
    known = [s.score or 0.0 for s in train.samples]
    scaler = whole.done.scaler
    assert (scaler.kind, scaler.offset, scaler.unit) == ("min-max", min(known), max(known) - min(known))
    found = whole.labels("student")
    own = {key: y for key, (y, of_people) in found.items() if of_people}
    wanted = {s.key: float(scaler(s.score or 0.0)) for s in train.samples}
    assert own == {key: pytest.approx(value, abs=1e-6) for key, value in wanted.items()}
    assert (min(own.values()), max(own.values())) == (0, 1)
    theirs = {key: y for key, (y, of_people) in found.items() if not of_people}
    images = load(pool)
    answers = dict(zip((s.key for s in images.samples), predicted(whole.done.teacher, "FR", images).tolist()))
    assert theirs == {key: pytest.approx(answers[key], abs=5e-3) for key in answers}  # the teacher was rounded since
    assert len(theirs) == REFERENCES * LEVELS  # also of the references it was validated on


def test_every_batch_of_the_student_holds_both(whole: Ran) -> None:
    batches = whole.given("student")
    assert len(batches) == STUDENT["epochs"] * 3  # 24 images, eight at a time
    for shown, own in zip(batches, whole.given("people")):
        assert shown["people"] == [True] * 8 + [False] * 8
        assert all(shown["labelled"])
        assert own["labelled"] == shown["people"]
        assert shown["refs"][8:] == [shown["refs"][8]] * 4 + [shown["refs"][12]] * 4


def test_the_student_learns_from_both(whole: Ran, people: Path, pool: Path, home: Path, load, tmp_path) -> None:
    """People judged noise, the teacher blur; a student of people alone takes blur for the absence of noise."""
    given, images = load(people), load(pool)
    test = given.select(splits.make(given).test)
    scores = [s.score or 0.0 for s in test.samples]
    assert stats.srocc(predicted(whole.done.student, "NR", test), scores) > 0.6
    assert within(predicted(whole.done.student, "NR", images), images, LEVEL) > 0.8
    alone = {
        **STUDENT,
        "data": "labelled",
        "labels": "human",
        "share": 0,
        "batch": 8,
        "per_reference": 0,
        "terms": [REG],
    }
    recipe = described(teacher=None, stages=[alone])
    other = trainer.train(recipe, given, splits.make(given), trainer.Settings(tmp_path, home))
    assert stats.srocc(predicted(other.student, "NR", test), scores) > 0.6
    assert within(predicted(other.student, "NR", images), images, LEVEL) < 0.5
    whole_rows = [row for row in whole.log if row["stage"] == "student"]
    assert whole_rows[-1]["terms"]["reg"] < 0.5 * whole_rows[0]["terms"]["reg"]
    assert whole_rows[-1]["terms"]["difference"] < 0.5 * whole_rows[0]["terms"]["difference"]


def test_files_say_what_was_learnt_from(whole: Ran, people: Path, load) -> None:
    assert whole.card["label"]["kind"] == "min-max"
    assert whole.card["trained"]["labels"] == "human scores"
    assert whole.card["trained"]["names"] == ["people", "pool"]
    assert whole.card["crops"] == 0
    teacher = export.card(whole.out / "teacher.safetensors")
    assert teacher["label"]["kind"] == "pseudo"
    assert "pseudo-MOS" in teacher["trained"]["labels"]
    given = load(people)
    from ganiq.bench.training import protocol

    split = splits.make(given)
    tested = protocol.evaluate(whole.done.checkpoint, given.select(split.test), split=split)
    assert tested["cost"]["crops"] == 4
    assert 2900 < np.mean(list(tested["scores"].values())) < 3500  # in units of the labels


def test_a_stored_teacher_gives_the_same_answers(whole: Ran, people: Path, pool: Path, home: Path, tmp_path) -> None:
    short = described(stages=[TEACHER, {**STUDENT, "epochs": 4}])
    ran = trained(
        short, people, tmp_path / "out", home, pool=pool, teacher=whole.out / "teacher.safetensors"
    )  # fmt: skip
    assert {row["stage"] for row in ran.log} == {"student"}
    assert not ran.given("teacher")
    first, second = whole.labels("student"), ran.labels("student")
    assert {k: v for k, v in first.items() if v[1]} == {k: v for k, v in second.items() if v[1]}
    assert len(second) > 24 + 50
    assert second == {key: (pytest.approx(first[key][0], abs=5e-3), first[key][1]) for key in second}


def test_a_teacher_of_other_data_is_taken_at_its_word(
    whole: Ran, people: Path, pool: Path, home: Path, load, tmp_path
) -> None:
    """One that learnt pseudo-labels where nobody was asked: its answers are not Elo points, nor MOS."""
    alone = described(stages=[TEACHER], student={"net": "tiny_evaluators:Tiny", "role": "NR"})
    ran = trained(alone, people, tmp_path / "teacher", home, pool=pool)
    file = tmp_path / "teacher" / "teacher.safetensors"
    assert export.card(file)["label"]["kind"] == "pseudo"
    second = trained(
        described(stages=[TEACHER, {**STUDENT, "epochs": 1}]), people, tmp_path / "out", home, pool=pool, teacher=file
    )
    answers = {key: y for key, (y, of_people) in second.labels("student").items() if not of_people}
    images = load(pool)
    wanted = dict(zip((s.key for s in images.samples), predicted(ran.done.teacher, "FR", images).tolist()))
    assert answers == {key: pytest.approx(wanted[key], abs=5e-3) for key in answers}
    assert max(answers.values()) - min(answers.values()) > 0.5


# --- what does not fit ---------------------------------------------------------------------------------------


def test_answers_need_a_pool(people: Path, load, home: Path, tmp_path) -> None:
    given = load(people)
    settings = trainer.Settings(tmp_path, home)
    recipe = described(stages=[{**STUDENT, "data": "labelled", "share": 0}])
    with pytest.raises(UsageError, match="give --pool"):
        trainer.train(recipe, given, splits.make(given), settings)
    with pytest.raises(UsageError, match="pool, which was not given"):
        trainer.train(described(stages=[TEACHER]), given, splits.make(given), settings)


def test_a_teacher_that_compares_cannot_learn_where_there_are_no_references(
    people: Path, pool: Path, load, home: Path, tmp_path
) -> None:
    given = load(people)
    plain = {k: v for k, v in TEACHER.items() if k not in ("data", "labels", "cached")} | {"terms": [REG]}
    recipe = described(stages=[plain])
    with pytest.raises(UsageError, match="has no reference"):
        trainer.train(recipe, given, splits.make(given), trainer.Settings(tmp_path, home), load(pool))


def test_a_pool_that_shows_what_is_tested_is_refused(people: Path, load, home: Path, tmp_path) -> None:
    given = load(people)
    split = splits.make(given)
    tested = np.array(given.pixels[given.samples[given.by_key[split.test[0]]].image])
    rows = [("r", tested, {"role": "reference"})]
    rows += [(f"r-{n}", worse(tested, "blur", n, 0), {"reference": "r.png"}) for n in (1, 2)]
    folder = folder_of(tmp_path / "bad", rows)
    with pytest.raises(IntegrityError, match="E-LEAK"):
        trainer.train(described(), given, split, trainer.Settings(tmp_path / "out", home), load(folder))


def test_a_set_with_references_is_what_its_teacher_is_validated_on(given: TrainingSet, pool: Path, load, home) -> None:
    """Only where the data set has none is a part of the pool held out."""
    split = splits.make(given)
    images = load(pool).relabelled(LEVEL, labels_scale())
    stage = recipes.Stage.model_validate({**TEACHER, "cached": False})
    for paired in (True, False):
        parts = [given.select(split.train), given.select(split.valid)]
        if not paired:
            parts = [bare(part) for part in parts]
        feeding = Feeding(
            described(), parts[0], parts[1], images, labels.Scaler("pseudo", 0.0, 1.0, 1, ""), Beside(), home, "cpu",
            World(),
        )  # fmt: skip
        learnt, valid = feeding.loaders(stage, None, None, distils=False)
        assert len(learnt.entries) == (REFERENCES - (not paired)) * LEVELS
        assert {e.sample.dataset for e in valid.entries} == {"waves" if paired else "pool"}
        assert not {e.sample.key for e in learnt.entries} & {e.sample.key for e in valid.entries}


def labels_scale() -> Any:
    from ganiq.bench.training.pseudo import SCALE

    return SCALE


def bare(part: TrainingSet) -> TrainingSet:
    """The same images without their references."""
    from dataclasses import replace

    return replace(part, samples=tuple(replace(s, reference=None) for s in part.samples))


def test_a_teacher_is_validated_on_references_that_are_judged(people: Path, pool: Path, load, home: Path) -> None:
    """Where few references have labels, those held out are of these."""
    few = {key: v for key, v in LEVEL.items() if key[:3] in ("r01", "r04", "r07")}
    images = load(pool).relabelled(few, labels_scale())
    given = load(people)
    split = splits.make(given)
    for seed in range(5):
        feeding = Feeding(
            described(seed=seed), given.select(split.train), given.select(split.valid), images,
            labels.Scaler("pseudo", 0.0, 1.0, 1, ""), Beside(), home, "cpu", World(),
        )  # fmt: skip
        stage = recipes.Stage.model_validate({**TEACHER, "cached": False})
        learnt, valid = feeding.loaders(stage, None, None, distils=False)
        assert learnt.entries
        assert any(e.sample.score is not None for e in valid.entries), seed


def test_share_tells_pool_from_data_set_also_without_labels(
    people: Path, pool: Path, load, home: Path, tmp_path
) -> None:
    """A pool that only a distiller learns from has no labels, and is the pool nonetheless."""
    given = load(people)
    told = {**STUDENT, "labels": "human", "epochs": 1, "per_reference": 0,
            "terms": [HINT, {"loss": "reg"}, watch("told")]}  # fmt: skip
    recipe = described(stages=[told], teacher={"net": "tiny_evaluators:Tiny", "role": "NR"})
    SHOWN.clear()
    trainer.train(recipe, given, splits.make(given), trainer.Settings(tmp_path, home), load(pool))
    assert len(SHOWN) == 3
    for shown in SHOWN:
        assert shown["labelled"] == [True] * 8 + [False] * 8


def test_scores_that_compare_within_references_only_do_so_beside_answers_too(
    make_set: Any, pool: Path, load, home: Path, tmp_path, monkeypatch
) -> None:
    """What people's scores allow does not depend on where the labels of the pool come from."""
    given = load(make_set(references=5, levels=2, first=600, comparable="within-block", name="inside"))
    asked: dict[str, list[Any]] = {"human": [], "teacher": []}
    for names, kind in ((asked["human"], "human"), (asked["teacher"], "teacher")):
        plain = seam.loss
        monkeypatch.setattr(seam, "loss", lambda n, o, names=names, plain=plain: names.append(o) or plain(n, o))
        terms = [{"loss": name, "of": "people"} for name in ("rank", "elo")]
        stage = {**STUDENT, "labels": kind, "steps": 1, "epochs": 0, "terms": terms}
        stage |= {"data": "labelled", "share": 0} if kind == "human" else {}
        recipe = described(stages=[stage])
        settings = trainer.Settings(tmp_path / kind, home, rehearsed=True)
        trainer.train(recipe, given, splits.make(given), settings, load(pool) if kind == "teacher" else None)
        monkeypatch.undo()
    assert [o["within"] for o in asked["human"]] == [True, True]
    assert asked["teacher"] == asked["human"]


# --- labels of both scales -----------------------------------------------------------------------------------


def test_the_scaler_is_for_people_alone(people: Path, pool: Path, load) -> None:
    given, images = load(people), load(pool)
    assert not given.learned
    assert not images.learned
    answers = images.relabelled({"r00-1": 0.75, "r00-2": 0.25}, labels_scale())
    assert answers.learned
    assert answers.select(["r00-1"]).learned
    assert {s.key for s in answers.samples if s.score is None} == LEVEL.keys() - {"r00-1", "r00-2"}
    scaler = labels.Scaler("min-max", -3000.0, 1000.0, -1, "")
    from dataclasses import replace

    own = replace(given, samples=tuple(replace(s, score_se=50.0) for s in given.samples[:2]))
    found = [*entries(own), *entries(answers)[:3]]
    loader = Loader(found, recipes.Cut(crop=48), scaler, Beside(), (), 0)
    batch = loader.random(range(5), "stage", 0)
    wanted = [(3000 - (s.score or 0)) / 1000 for s in own.samples]
    assert batch.y.tolist() == pytest.approx([*wanted, 0.75, 0.25, 0.0])
    assert batch.y_std.tolist() == pytest.approx([0.05, 0.05, 0, 0, 0])
    assert batch.people.tolist() == [True, True, False, False, False]
    assert batch.labelled.tolist() == [True] * 4 + [False]
    assert batch.views("student", recipes.Net(net="x")).people is batch.people
    bare_of_scale = Loader(found, recipes.Cut(crop=48), None, Beside(), (), 0).fixed([0, 2], [0])
    assert bare_of_scale.y.tolist() == pytest.approx([own.samples[0].score or 0, 0.75])


# --- parameters that a stage leaves alone --------------------------------------------------------------------


def loose() -> Any:
    return seam.network({"net": "tiny_evaluators:Tiny", "role": "NR", "frozen": False})


def test_held_parameters_need_no_gradient_until_the_end() -> None:
    network = loose()
    for names, still in (
        (("backbone.",), {"head.0.weight", "head.0.bias", "head.3.weight", "head.3.bias"}),
        (("backbone.", "head.0."), {"head.3.weight", "head.3.bias"}),
        ((), {name for name, _ in network.named_parameters()}),
        (("nothing.",), {name for name, _ in network.named_parameters()}),
    ):
        with optim.held(network, names):
            assert {n for n, p in network.named_parameters() if p.requires_grad} == still
        assert all(p.requires_grad for p in network.parameters())


def test_held_parameters_are_given_back_after_a_mishap() -> None:
    network = loose()
    seen = []

    def broken() -> None:
        with optim.held(network, ("backbone.",)):
            seen.append(network.backbone.weight.requires_grad)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        broken()
    assert seen == [False]
    assert network.backbone.weight.requires_grad


def test_what_was_frozen_before_stays_frozen() -> None:
    network = seam.network({"net": "tiny_evaluators:Tiny", "role": "NR"})
    with optim.held(network, ("backbone.", "head.0.")):
        assert not network.head[0].weight.requires_grad
    assert not network.backbone.weight.requires_grad
    assert network.head[0].weight.requires_grad


def watched_gradients(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, bool]]:
    """(role, whether the trunk learns) of every step, filled while training."""
    import tiny_evaluators as nets

    seen: list[tuple[str, bool]] = []
    forward = nets.Tiny.forward

    def watching(self: Any, views: Any) -> Any:
        if torch.is_grad_enabled() and not torch.is_inference_mode_enabled():
            seen.append((self.role, self.backbone.weight.requires_grad))
        return forward(self, views)

    monkeypatch.setattr(nets.Tiny, "forward", watching)
    return seen


@pytest.mark.parametrize("frozen", [False, True])
def test_a_stage_holds_what_it_freezes(given: TrainingSet, home: Path, tmp_path, monkeypatch, frozen: bool) -> None:
    """Also what was frozen from the start and an earlier stage has thawed."""
    seen = watched_gradients(monkeypatch)
    stage = {"steps": 1, "batch": 2, "terms": [REG]}
    stages = [
        {**stage, "name": "all", "thaw": ["backbone."] * frozen},
        {**stage, "name": "head", "freeze": ["backbone."]},
        {**stage, "name": "again"},
    ]
    student = {"net": "tiny_evaluators:Tiny", "role": "NR", "frozen": frozen}
    recipe = recipes.build(document(teacher=None, student=student, stages=stages))
    done = trainer.train(recipe, given, splits.make(given), trainer.Settings(tmp_path, home))
    assert seen == [("NR", True), ("NR", False), ("NR", True)]
    assert all(p.requires_grad for p in done.student.parameters())


def test_a_stage_that_fails_gives_parameters_back(given: TrainingSet, home: Path, tmp_path) -> None:
    stages = [{"name": "a", "steps": 1, "freeze": ["backbone."], "groups": [{"match": "no.", "lr": 1}], "terms": [REG]}]
    student = {"net": "tiny_evaluators:Tiny", "role": "NR", "frozen": False}
    recipe = recipes.build(document(teacher=None, student=student, stages=stages))
    training = trainer._Training(recipe, given, splits.make(given), trainer.Settings(tmp_path, home), None)
    with pytest.raises(UsageError, match=r"begins with 'no\.'"):
        training.run()
    assert training.student.backbone.weight.requires_grad


def test_features_of_a_trunk_that_once_learnt_are_not_stored(given: TrainingSet, home: Path, tmp_path) -> None:
    """Held for a stage, it is none of those whose name the features would carry."""
    stages = [
        {"name": "all", "steps": 1, "batch": 2, "terms": [{"loss": "reg"}]},
        {"name": "head", "steps": 1, "batch": 2, "freeze": ["backbone."], "cached": True, "terms": [{"loss": "reg"}]},
    ]
    recipe = recipes.build(document(teacher=None, student={"net": "slkd", "pretrained": False}, stages=stages))
    few = given.select([s.key for s in given.samples if s.key.endswith("1")])
    with pytest.raises(UsageError, match="cached = false"):
        trainer.train(recipe, few, splits.make(few), trainer.Settings(tmp_path, home))


# --- export --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "table",
    [
        {"net": "ysgan", "role": "NR", "jnd": "none", "spread": True},
        {"net": "slkd", "role": "NR", "moments": True, "hidden": 16},
    ],
)
def test_files_hold_half_precision_and_the_network_what_the_file_holds(
    table: dict[str, Any], given: TrainingSet, load, home: Path, tmp_path
) -> None:
    from ganiq.metrics.evaluator.predictor import Predictor

    stages = [{"name": "a", "epochs": 1, "terms": [REG]}]
    student = {**table, "pretrained": False}
    recipe = recipes.build(document(teacher=None, student=student, crops=0, views={"crop": 64}, stages=stages))
    torch.manual_seed(0)
    network = seam.network(recipe.student.options)
    with torch.no_grad():
        for p in network.parameters():
            p += 1e-5 * torch.randn_like(p)  # nothing fits half precision by chance
    before = {name: value.clone() for name, value in network.state_dict().items()}
    scaler = labels.Scaler("min-max", 900.0, 500.0, 1, "")
    path = tmp_path / "x.safetensors"
    export.write(path, network, recipe, recipe.student, scaler, splits.make(given), [given])
    stored = tensors_from(path.read_bytes(), path.name)
    assert stored.keys() == before.keys()
    assert any(name.startswith("backbone.") for name in stored)
    for name, value in stored.items():
        assert value.dtype == (torch.float16 if before[name].is_floating_point() else torch.int64), name
        assert torch.equal(value, before[name].to(value.dtype)), name
    after = network.state_dict()
    assert any(not torch.equal(after[name], value) for name, value in before.items())
    for name, value in after.items():
        assert value.dtype == before[name].dtype
        assert torch.equal(value, stored[name].to(value.dtype)), name
    few = given.select([s.key for s in given.samples[:3]])
    loader = Loader(entries(few), recipe.views, None, Beside(), (), 0, crops=0)
    ours = scaler.people(predict(network, recipe.student, loader))
    images = np.stack([few.pixels[s.image] for s in few.samples])
    theirs = Predictor(path).score(torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255)
    assert theirs.tolist() == pytest.approx(ours.tolist(), rel=1e-5, abs=1e-3)
    back = export.fill(seam.network(recipe.student.options), path)
    assert predict(back, recipe.student, loader) == pytest.approx(predict(network, recipe.student, loader), abs=1e-7)


def test_features_of_a_file_are_not_taken_for_those_of_the_published_weights(given: TrainingSet, tmp_path) -> None:
    """The file rounds them; a store of features made of both would hold neither."""
    student = {"net": "slkd", "role": "NR", "moments": True, "frozen": True, "hidden": 16, "pretrained": False}
    recipe = recipes.build(
        document(teacher=None, student=student, stages=[{"name": "a", "epochs": 1, "terms": [REG]}])
    )  # fmt: skip
    network = seam.network(recipe.student.options)
    names = [cache.trunk_of(network)]
    path = tmp_path / "x.safetensors"
    export.write(
        path, network, recipe, recipe.student, labels.Scaler("min-max", 1.0, 0.0, 1, ""), splits.make(given), [given]
    )
    names += [cache.trunk_of(export.fill(seam.network(recipe.student.options), path)) for _ in range(2)]
    assert names[0] != names[1] == names[2]
    assert names[0] == cache.trunk_of(seam.network(recipe.student.options))


def test_what_half_precision_cannot_hold_is_refused() -> None:
    network = seam.network({"net": "tiny_evaluators:Tiny", "role": "NR"})
    assert not network.backbone.weight.requires_grad
    assert {v.dtype for v in export.rounded(network).values()} == {torch.float16}
    for value in (7e4, float("nan")):
        network.backbone.weight.data[0, 0, 0, 0] = value
        with pytest.raises(IntegrityError, match=r"backbone\.weight"):
            export.rounded(network)


def test_a_set_knows_whether_its_scores_are_learned(waves: Path, home: Path) -> None:
    assert not data.load(read_set(waves), home).learned


def test_people_are_scaled_beside_pseudo_labels_too(people: Path, pool: Path, home: Path, tmp_path: Path) -> None:
    stage = {**STUDENT, "labels": "pseudo", "epochs": 1}
    ran = trained(described(stages=[stage], teacher=None), people, tmp_path / "out", home, pool=pool)
    assert ran.card["label"]["kind"] == "min-max"
    found = ran.labels("student")
    assert {flag for _, flag in found.values()} == {True, False}
    for wanted in (True, False):
        values = [y for y, flag in found.values() if flag is wanted]
        assert 0 <= min(values) < 0.3 < 0.7 < max(values) <= 1  # people's scores are about 3000
