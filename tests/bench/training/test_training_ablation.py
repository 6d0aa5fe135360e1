"""The ablation of recipes whose student learns a teacher's stored answers beside people's scores."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ganiq.bench.cli import app
from ganiq.bench.errors import IntegrityError, UsageError
from ganiq.bench.progress import Silent
from ganiq.bench.training import commands, export, feeding, protocol, splits, trainer
from ganiq.bench.training import recipe as recipes
from pictures import picture
from soft_label_cases import SHOWN, folder_of, people_of, pool_of, watch
from test_training_loop import toml
from training_cases import HINT, REG, SCORE, document, worse
from typer.testing import CliRunner

REFERENCES, LEVELS, JUDGED = 14, 6, 12
SEEDS = 2
TEACHER = {
    "name": "teacher", "train": "teacher", "data": "pool", "labels": "pseudo", "epochs": 14, "batch": 8,
    "per_reference": 4, "lr": 2e-2, "cached": True,
    "terms": [{"loss": "reg", "options": {"kind": "mse"}}, {"loss": "difference"}, watch("teacher")],
}  # fmt: skip
STUDENT = {
    "name": "student", "data": "all", "labels": "teacher", "share": 0.5, "batch": 16, "per_reference": 4,
    "epochs": 12, "lr": 1e-2,
    "terms": [{"loss": "reg", "of": "people"}, {"loss": "difference", "of": "pseudo"}, watch("student")],
}  # fmt: skip


def described(**changes: Any) -> recipes.Recipe:
    base = document(
        stages=[TEACHER, STUDENT], pool=1, crops=1, judges={"gmsd": 1, "dss": 1}, judged=JUDGED,
        views={"crop": 48, "flips": False, "turns": False},
    )  # fmt: skip
    return recipes.build({**base, **changes})


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images without references, each of its own content: people judged noise."""
    return people_of(tmp_path_factory.mktemp("people") / "people", 800)


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images with references, blurred; metrics have judged them."""
    return pool_of(tmp_path_factory.mktemp("pool") / "pool", 900, REFERENCES, LEVELS)


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Blurred images of other references, which people judged within these."""
    rows = []
    for r in range(9):
        pixels = picture(1000 + r)
        rows.append((f"r{r}", pixels, {"role": "reference"}))
        for level in range(1, LEVELS + 1):
            row = {"reference": f"r{r}.png", "group": f"r{r}", "score": 60 - 10 * level + r, "generator": f"g{level}"}
            rows.append((f"r{r}-{level}", worse(pixels, "blur", 2 * level, r), row))
    folder = folder_of(tmp_path_factory.mktemp("far") / "far", rows, better="higher")
    with (folder / "items.toml").open("a") as file:
        file.write('comparable = "within-block"\n')
    return folder


@pytest.fixture(scope="module", autouse=True)
def _quick() -> Iterator[None]:
    """Without curves, which take longer than the trainings, and with few resamples."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer.journal, "draw", lambda *_: None)
        patch.setattr(protocol, "RESAMPLES", 100)
        yield


class Ran:
    """An ablation through its command, with what each arm was shown."""

    def __init__(self, recipe: recipes.Recipe, out: Path, *arguments: object) -> None:
        self.out, self.shown = out, {}
        plain = trainer._Training.run

        def run(training: trainer._Training) -> trainer.Trained:
            SHOWN.clear()
            done = plain(training)
            self.shown["/".join(training.settings.out.parts[-2:])] = [dict(s) for s in SHOWN]
            return done

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(trainer._Training, "run", run)
            out.mkdir()
            file = toml(out / "recipe.toml", recipe)
            given = ["evaluate", file, "--out", out, "--workers", 1, "--ablation", "--quiet", *arguments]
            done = CliRunner().invoke(app, [*map(str, given)], catch_exceptions=False)
        assert done.exit_code == 0
        self.said = done.stdout
        self.document = json.loads((out / "evaluation.json").read_text())

    def batches(self, arm: str, seed: int = 0, name: str = "student") -> list[dict[str, Any]]:
        return [s for s in self.shown[f"split-{seed}/{arm}"] if s["name"] == name]

    def pseudo(self, arm: str, seed: int = 0) -> dict[str, float]:
        """Labels that are not people's, by image; the same in every batch."""
        found: dict[str, float] = {}
        for shown in self.batches(arm, seed):
            for key, y, own in zip(shown["keys"], shown["y"], shown["people"]):
                assert own or found.setdefault(key, y) == y
        return found


@pytest.fixture(scope="module")
def ran(people: Path, pool: Path, far: Path, home: Path, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    out = tmp_path_factory.mktemp("ablation") / "out"
    sets = ["--data", people, "--pool", pool, "--also", far]
    return Ran(described(), out, *sets, "--cache", home, "--splits", SEEDS)


# --- what the arms learn -------------------------------------------------------------------------------------


def test_arms_are_those_that_differ(ran: Ran) -> None:
    assert list(ran.document["arms"]) == ["none", "labels-equal-steps", "pseudo", "shuffled-teacher", "full"]
    assert ran.document["left_out"].keys() == {"score"}
    assert "same as full" in ran.document["left_out"]["score"]
    assert ran.document["what"].keys() == ran.document["arms"].keys()
    assert set(ran.shown) == {f"split-{n}/{arm}" for n in range(SEEDS) for arm in ran.document["arms"]}


@pytest.mark.parametrize("seed", range(SEEDS))
def test_arms_without_a_teacher_see_people_alone_and_as_much(ran: Ran, seed: int) -> None:
    full, none, many = (ran.batches(arm, seed) for arm in ("full", "none", "labels-equal-steps"))
    assert len(full) == len(none) == len(many) == 12 * 3  # 24 images, eight at a time
    assert all(shown["people"] == [True] * 8 + [False] * 8 for shown in full)
    assert all(shown["people"] == [True] * 8 for shown in none)
    assert all(shown["people"] == [True] * 16 for shown in many)
    own = [Counter(k for s in shown for k, p in zip(s["keys"], s["people"]) if p) for shown in (full, none)]
    assert own[0] == own[1]
    for arm in ("none", "labels-equal-steps"):
        folder = ran.out / "runs" / f"split-{seed}" / arm
        assert export.card(folder / "student.safetensors")["trained"]["names"] == ["people"]
        assert not (folder / "teacher.safetensors").exists()
        assert not ran.batches(arm, seed, "teacher")


def test_the_shuffled_teacher_says_of_every_image_what_it_thinks_of_another(ran: Ran) -> None:
    true, other = ran.pseudo("full"), ran.pseudo("shuffled-teacher")
    assert len(true) > 0.8 * JUDGED * LEVELS
    shared = sorted(true.keys() & other.keys())
    a, b = (np.array([found[key] for key in shared]) for found in (true, other))
    assert np.corrcoef(a, b)[0, 1] < 0.5
    assert np.ptp(b) > 0.2
    answers = np.array(sorted(true.values()))  # of the very teacher; it was rounded since
    assert np.abs(b[:, None] - answers).min(axis=1).max() < 0.05
    assert ran.pseudo("shuffled-teacher", 1) != other


def test_exchanged_answers_are_the_same_ones_and_nobody_keeps_his(
    ran: Ran, people: Path, pool: Path, load: Any, home: Path, tmp_path: Path
) -> None:
    given = load(people)
    split = splits.make(given)
    teacher = ran.out / "runs" / "split-0" / "full" / "teacher.safetensors"
    settings = trainer.Settings(tmp_path, home, teacher=teacher)
    shuffled = replace(settings, shuffle=True)
    plain, first, second = (
        trainer._Training(described(), given, split, where, load(pool))._answers()
        for where in (settings, shuffled, shuffled)
    )
    true, other, again = ({s.key: s.score or 0.0 for s in told.samples} for told in (plain, first, second))
    assert other == again
    assert sorted(other.values()) == sorted(true.values())
    assert len(set(true.values())) == len(true) == REFERENCES * LEVELS
    assert not any(other[key] == true[key] for key in true)
    assert first.learned


def test_without_its_teacher_the_student_learns_what_the_teacher_learnt(ran: Ran, pool: Path, load: Any) -> None:
    found = ran.pseudo("pseudo")
    assert {key[:3] for key in found} <= {key[:3] for key in ran.pseudo("full")}
    assert len({key[:3] for key in found}) == JUDGED
    assert min(found.values()) >= 0
    assert max(found.values()) <= 1
    teacher = {k: y for s in ran.batches("full", 0, "teacher") for k, y in zip(s["keys"], s["y"])}
    assert len(teacher) == (JUDGED - 1) * LEVELS
    assert {k: y for k, y in found.items() if k in teacher} == pytest.approx(teacher)
    for shown in ran.batches("pseudo"):
        assert shown["people"] == [True] * 8 + [False] * 8
        assert max(y for y, own in zip(shown["y"], shown["people"]) if own) <= 1  # scores of 3000 were scaled
    card = export.card(ran.out / "runs" / "split-0" / "pseudo" / "student.safetensors")
    assert card["label"]["kind"] == "min-max"


# --- what the document says ----------------------------------------------------------------------------------


def test_distillation_gains_where_the_teacher_knows_more_and_a_shuffled_one_does_not(ran: Ran) -> None:
    """Of people alone the student takes blur for the absence of noise; a shuffled teacher leaves it without an idea."""
    about = ran.document["tests"]["far"]
    assert (about["agreement_with"], about["statistic"]) == ("people", "srocc_within")
    assert ran.document["arms"]["none"]["far"]["srocc_within"]["median"] < -0.5
    assert ran.document["arms"]["full"]["far"]["srocc_within"]["median"] > 0.8
    assert about["shuffled_gain"] < about["gain"] - 0.5
    (pair,) = [p for p in ran.document["pairs"] if (p["test"], p["first"], p["second"]) == ("far", "full", "none")]
    assert pair["gain"] == about["gain"] == pytest.approx(np.mean(pair["gains"]))
    assert pair["interval"]["value"] == pytest.approx(pair["gain"])
    assert pair["within_references"]["p_holm"] < 0.1
    assert about["recovery"].keys() == {"pseudo", "full", "shuffled-teacher"}
    wanted = {("full", a) for a in ran.document["arms"] if a != "full"} | {("shuffled-teacher", "none")}
    for test in ("people", "far"):
        assert {(p["first"], p["second"]) for p in ran.document["pairs"] if p["test"] == test} == wanted


def test_every_arm_has_its_values_by_seed_and_their_spread(ran: Ran) -> None:
    for tests in ran.document["arms"].values():
        assert list(tests) == ["people", "far"]
        for name, found in tests.items():
            cell = found[ran.document["tests"][name]["statistic"]]
            assert len(cell["values"]) == SEEDS
            assert cell["median"] == pytest.approx(np.median(cell["values"]))
            assert cell["sd"] == pytest.approx(np.std(cell["values"], ddof=1))
            assert cell["q1"] <= cell["median"] <= cell["q3"]
    for pair in ran.document["pairs"]:
        key = pair["statistic"]
        spread = max(ran.document["arms"][pair[n]][pair["test"]][key]["sd"] for n in ("first", "second"))
        assert pair["seed_spread"] == pytest.approx(spread)
        assert pair["larger_than_seed_spread"] == ("yes" if pair["gain"] > spread else "no")
    seeds = [json.loads((ran.out / "runs" / f"split-{n}" / "full" / "recipe.json").read_text())["seed"] for n in (0, 1)]
    assert seeds == [0, 1]


def test_a_set_without_references_has_intervals_over_its_images(ran: Ran) -> None:
    pairs = [p for p in ran.document["pairs"] if p["test"] == "people"]
    for pair in pairs:
        assert pair["statistic"] == "srocc"
        assert pair["interval"]["value"] == pytest.approx(pair["gain"])
        assert pair["interval"]["low"] <= pair["gain"] <= pair["interval"]["high"]
        assert pair["within_references"]["value"] is None
        assert pair["within_references"]["reason"]
    assert ran.document["tests"]["people"]["references"] == [0] * SEEDS


def test_the_teacher_is_tested_where_there_are_references(
    ran: Ran, people: Path, pool: Path, load: Any, home: Path
) -> None:
    found = ran.document["teacher"]
    assert found.keys() == {"people", "far", protocol.HELD}
    assert "compares with references" in found["people"]["reason"]
    assert len(found["far"]["srocc_within"]["values"]) == SEEDS
    held = ran.document["tests"][protocol.HELD]
    assert held["agreement_with"] == "pseudo-MOS"
    assert held["images"] == [LEVELS] * SEEDS
    assert found[protocol.HELD]["srocc"]["median"] > 0.8
    assert not any(protocol.HELD in tests for tests in ran.document["arms"].values())
    given = load(people)
    for seed in range(SEEDS):
        split = splits.make(given, seed=seed)
        labelled = commands.pool_of(described(), given, split, home, Silent(), 1, pool)
        assert labelled is not None
        groups = {s.group for s in protocol._held(labelled, seed).samples}
        assert groups == feeding.held_out(labelled, seed)
        assert not groups & {r for s in ran.batches("full", seed, "teacher") for r in s["refs"]}


def test_the_table_fits_100_columns(ran: Ran) -> None:
    table = commands.rows(ran.document)
    assert len(table) == 6 + 6 + 1
    names = commands.columns(table)
    wide = [max(len(name), *(len(str(row.get(name) or "-")) for row in table)) for name in names]
    assert sum(wide) + 3 * (len(names) - 1) + 2 <= 100
    by = {(row["test set"], row["arm"]): row for row in table}
    assert by["people", "teacher"]["srocc"] == "-"
    assert by["far, within", "none"]["full ahead by"].startswith("+")
    assert re.fullmatch(r"\d\.\d{3}±\d\.\d{3}", by["far, within", "full"]["srocc"])
    assert by[protocol.HELD, "teacher"]["srocc"] != "-"
    assert max(map(len, ran.said.rstrip().splitlines()[:16])) <= 100
    said = commands.notes(ran.document)
    assert all(line in ran.said for line in said)
    assert any("score left out" in line for line in said)
    assert any("not with people" in line for line in said)
    assert any(line.startswith("teacher on people: it compares") for line in said)


def evaluated(values: list[float]) -> list[dict[str, Any]]:
    return [{"agreement": {"srocc": {"value": v}}} for v in values]


def test_a_gain_is_held_against_the_spread_of_seeds(people: Path, load: Any) -> None:
    given = [load(people)] * 3

    def said(full: list[float], none: list[float]) -> tuple[Any, Any]:
        (pair,) = protocol._gains("t", {"full": evaluated(full), "none": evaluated(none)}, given, "srocc")
        return pair["seed_spread"], pair["larger_than_seed_spread"]

    assert said([0.8, 0.81, 0.82], [0.7, 0.72, 0.74]) == (pytest.approx(0.02), "yes")
    assert said([0.8, 0.81, 0.82], [0.7, 0.8, 0.9]) == (pytest.approx(0.1), "no")
    assert said([0.7, 0.71, 0.72], [0.8, 0.81, 0.82]) == (pytest.approx(0.01), "no")
    assert said([0.8], [0.7]) == (None, "one seed only")


# --- other recipes -------------------------------------------------------------------------------------------


def counted(recipe: recipes.Recipe, given: Any, pool: Any) -> tuple[dict[str, recipes.Recipe], dict[str, str]]:
    part = given.select(splits.make(given).train)
    return protocol._arms(recipe, protocol._counter(recipe, part, pool))


def test_without_shares_people_still_count_alike(people: Path, pool: Path, load: Any) -> None:
    """24 images of people beside 84 others: 16 of a batch are 4 and 12."""
    told = {"name": "student", "data": "all", "batch": 16, "epochs": 7, "terms": [REG, SCORE, HINT]}
    for labels, extra in (("human", {}), ("teacher", {"terms": [{**REG, "of": "people"}, HINT]})):
        recipe = described(stages=[TEACHER, {**told, "labels": labels, **extra}])
        made, _ = counted(recipe, load(people), load(pool))
        steps = 7 * (108 // 16)
        for name, batch in (("none", 4), ("labels-equal-steps", 16)):
            (stage,) = made[name].stages
            assert (stage.data, stage.labels, stage.steps, stage.epochs) == ("labelled", "human", steps, 0)
            assert stage.batch == batch
            assert [t.name for t in stage.terms] == [REG["loss"]]


def test_arms_that_cannot_be_told_apart_are_trained_once(given: Any, tiny: Any) -> None:
    stages = [{**document()["stages"][0]}, {"name": "s", "epochs": 1, "terms": [REG, {"distill": "score"}]}]
    made, left_out = counted(tiny(stages=stages), given, None)
    assert list(made) == ["full", "none", "shuffled-teacher"]
    assert left_out["labels-equal-steps"] == "the same as none"
    assert "scores from its teacher" in left_out["score"]
    assert "pseudo-labels" in left_out["pseudo"]


def test_a_student_that_is_its_own_teacher_has_no_shuffled_one(given: Any, tiny: Any) -> None:
    stage = {"name": "s", "epochs": 1, "terms": [REG, {**REG, "on": "teacher"}, HINT]}
    recipe = tiny(teacher={"net": "student", "role": "PR"}, student={"net": "ckdn", "role": "DR"}, stages=[stage])
    made, left_out = counted(recipe, given, None)
    assert "its own" in left_out["shuffled-teacher"]
    assert [len(s.terms) for s in made["none"].stages] == [1]


def test_a_recipe_without_a_teacher_has_nothing_to_leave_out(given: Any, tiny: Any, home: Path, tmp_path: Path) -> None:
    recipe = tiny(teacher=None, stages=[{"name": "s", "epochs": 1, "terms": [REG]}])
    with pytest.raises(UsageError, match="distils nothing"):
        protocol.ablation(recipe, given, trainer.Settings(tmp_path, home))
    alone = described(stages=[TEACHER, {**STUDENT, "data": "pool", "share": 0, "terms": [{"loss": "reg"}]}])
    with pytest.raises(UsageError, match="from its teacher alone"):
        counted(alone, given, given)


def test_a_trained_teacher_and_some_arms_alone(
    ran: Ran, people: Path, pool: Path, far: Path, home: Path, tmp_path: Path
) -> None:
    """Without a teacher of its own and without pseudo-labels, and so with all of the pool, judged or not."""
    taught = ran.out / "runs" / "split-0" / "full" / "teacher.safetensors"
    sets = ["--data", people, "--pool", pool, "--also", far]
    some = Ran(described(), tmp_path / "out", *sets, "--cache", home, "--teacher", taught, "--arm", "shuffled-teacher")
    assert list(some.document["arms"]) == ["none", "shuffled-teacher", "full"]
    assert {n for n, why in some.document["left_out"].items() if why == "not asked for"} == {
        "labels-equal-steps", "pseudo", "score",
    }  # fmt: skip
    assert set(some.shown) == {f"split-0/{name}" for name in some.document["arms"]}
    assert not some.batches("full", name="teacher")
    assert not (some.out / "runs" / "split-0" / "full" / "teacher.safetensors").exists()
    assert len(ran.pseudo("full")) <= JUDGED * LEVELS < len(some.pseudo("full"))
    whole, part = (found.document["arms"]["none"]["far"]["srocc_within"]["values"] for found in (ran, some))
    assert part == whole[:1]
    assert "far" in some.document["teacher"]
    assert protocol.HELD not in some.document["tests"]  # whose part that teacher may have learnt from


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"arms": ["nothing"], "ablation": True}, "no such arm; there are none, labels-equal-steps"),
        ({"arms": ["none"]}, "--arm and --teacher belong to --ablation"),
        ({"teacher": Path("teacher.safetensors")}, "--arm and --teacher belong to --ablation"),
    ],
)
def test_arms_and_teachers_that_fit_nothing(
    people: Path, home: Path, tmp_path: Path, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        plain(people, tmp_path / "out", home, **options)


# --- further test sets ---------------------------------------------------------------------------------------


def plain(people: Path, out: Path, home: Path, **options: Any) -> dict[str, Any]:
    stage = {"name": "s", "epochs": 1, "lr": 1e-2, "terms": [REG]}
    out.mkdir(exist_ok=True)
    file = toml(out / "recipe.toml", recipes.build(document(teacher=None, stages=[stage])))
    return commands.evaluate_command([str(file)], people, out, Silent(), home=home, **{"seeds": 2, **options})


def test_further_sets_are_tested_on_every_split(people: Path, far: Path, home: Path, tmp_path: Path) -> None:
    found = plain(people, tmp_path / "a", home, also=[far])
    assert found["summary"].keys() == {"people", "far"}
    assert len(found["summary"]["far"]["srocc_within"]["values"]) == 2
    assert found["runs"][0]["tests"]["far"]["protocol"] == "cross-dataset"
    assert not commands.notes(found)


def test_a_student_that_compares_is_not_tested_without_references(
    people: Path, far: Path, home: Path, tmp_path: Path, load: Any
) -> None:
    stage = {"name": "s", "epochs": 1, "terms": [REG]}
    student = {"net": "tiny_evaluators:Tiny", "role": "FR"}
    recipe = recipes.build(document(teacher=None, student=student, stages=[stage]))
    found = protocol.repeated(
        recipe, load(far), trainer.Settings(tmp_path, home), seeds=(0,), others=[load(people)]
    )  # fmt: skip
    assert found["summary"]["people"] == {}
    assert found["summary"]["far"]
    (line,) = commands.notes(found)
    assert line.startswith("people: it compares with references, which 40 of 40 images")
    assert len(commands.rows(found)) == 2


@pytest.mark.parametrize("ablation", [False, True])
def test_a_further_set_that_shows_what_is_learnt_is_refused_before_training(
    people: Path, pool: Path, home: Path, load: Any, tmp_path: Path, ablation: bool
) -> None:
    given = load(people)
    split = splits.make(given)
    for name, key in (("train", split.train[0]), ("valid", split.valid[0])):
        pixels = np.array(given.pixels[given.samples[given.by_key[key]].image])
        leak = folder_of(tmp_path / f"leak-{name}", [("x", pixels, {"score": 1})], better="higher")
        with pytest.raises(IntegrityError, match="E-LEAK"):
            plain(people, tmp_path / "out", home, also=[leak], seeds=1, ablation=ablation)
    leak = folder_of(tmp_path / "leak-pool", [("x", worse(picture(903), "blur", 1, 0), {"score": 1})], better="higher")
    file = toml(tmp_path / "recipe.toml", described(judged=0))
    with pytest.raises(IntegrityError, match="the pool"):
        commands.evaluate_command(
            [str(file)], people, tmp_path / "out", Silent(), home=home, workers=1, pool=pool, also=[leak], seeds=1,
            ablation=ablation,
        )  # fmt: skip
    assert not (tmp_path / "out" / "runs").exists()


def test_further_sets_need_scores_and_a_name_of_their_own(
    people: Path, far: Path, make_set: Any, home: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="two test sets have the name 'far'"):
        plain(people, tmp_path / "a", home, also=[far, make_set(references=3, first=1100, name="far")])
    with pytest.raises(UsageError, match="no human scores"):
        plain(people, tmp_path / "a", home, also=[make_set(references=3, first=1100, name="mute", scored=False)])
    with pytest.raises(UsageError, match="belong to recipes"):
        plain(people, tmp_path / "a", home, also=[far], seeds=0)


def test_an_evaluator_that_compares_says_so_where_there_are_no_references(
    ran: Ran, people: Path, far: Path, home: Path, tmp_path: Path
) -> None:
    folder = ran.out / "runs" / "split-0" / "full"
    files = [str(folder / "student.safetensors"), str(folder / "teacher.safetensors")]
    with pytest.raises(UsageError, match=r"^E-DATA teacher\.safetensors: it compares with .* 40 of 40 .* people lack"):
        commands.evaluate_command(files, people, tmp_path, Silent(), home=home)
    assert not (tmp_path / "evaluation.json").exists()
    found = commands.evaluate_command(files, far, tmp_path, Silent(), home=home)
    assert len(found["evaluators"]) == 2


def test_pictures_beside_the_image_must_be_there(people: Path, far: Path, load: Any) -> None:
    net = recipes.Net(net="x", role="NAR")
    assert "fewer than 2 references" in protocol.lacking(net, load(people))
    assert not protocol.lacking(net, load(far))
    assert not protocol.lacking(net, load(people), load(far))
    assert not protocol.lacking(recipes.Net(net="x"), load(people))
