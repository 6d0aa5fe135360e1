"""What cannot be carried out is said in one sentence, before anything is trained; damaged files are named."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ganiq.bench import devices
from ganiq.bench.datasets import load as read_set
from ganiq.bench.errors import IntegrityError, UsageError
from ganiq.bench.progress import Silent
from ganiq.bench.training import cache, commands, journal, pool, protocol, pseudo, recipe, rehearsal, splits, trainer
from soft_label_cases import scores_of
from training_cases import REG, document

BLANK = ["teacher.pretrained=false", "student.pretrained=false", "views.crop=48"]
TINY = "tiny_evaluators:Tiny"


def ganiq(*arguments: object) -> list[str]:
    code = "import sys; sys.path.insert(0, sys.argv.pop(1)); from ganiq.bench.cli import main; main()"
    return [sys.executable, "-c", code, str(Path(__file__).parent), *map(str, arguments)]


def ran(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(ganiq(*arguments), capture_output=True, text=True, check=False)


def fast(rate: float = 1e-2) -> dict[str, Any]:
    stages = document()["stages"]
    for stage in stages:
        stage |= {"epochs": 2, "lr": rate}
    return document(stages=stages)


@pytest.fixture(scope="module")
def twin(given: Any, home: Path, tmp_path_factory: Any) -> Path:
    """Folder with two finished trainings, ``a`` and ``b``, which learnt next to nothing."""
    out = tmp_path_factory.mktemp("twin")
    for rate, name in ((1e-2, "a"), (1e-6, "b")):
        made = recipe.build(fast(rate))
        trainer.train(made, given, splits.make(given), trainer.Settings(out / name, home))
    return out


# --- recipes -------------------------------------------------------------------------------------------------

DISTIL = "stages.1.terms.0.distill="
WRONG = [
    ("slkd-lite", ["stages.1.terms.0.options.confidence=0.1"], "stage soft, score: confidence needs .* patches = 4"),
    ("slkd-lite", [DISTIL + "dist"], "stage soft, dist: .*the student gives none; write bins = 20"),
    ("slkd-lite", [DISTIL + "cond"], "stage soft, cond: the trace has no 'emb.aux'; it has .*; correct the recipe"),
    ("slkd-lite", [DISTIL + "relation", 'stages.1.terms.0.options={"of":"nope"}'], "no 'nope'; it has bb.l1"),
    ("slkd-lite", [DISTIL + "chain"], "stage soft, chain: chain compares blocks of mixers, and Ysgan has none"),
    ("slkd-lite", ["stages.2.terms.0.loss=xx"], "stage joint, xx: there is no loss 'xx'; choose"),
    ("slkd-lite", ['stages.2.terms.0.options={"beta":-1}'], "the loss reg: beta is -1; give 0 or more"),
    ("slkd-lite", ['stages.2.thaw=["nothing."]'], "begins with 'nothing.', which a stage wants to thaw"),
    (
        "slkd-lite",
        ['stages.2.groups=[{"match":"none.","lr":1}]'],
        "stage joint: no parameter's name begins with 'none.",
    ),
    ("slkd-lite", ["stages.2.cached=true"], "the trunk of Plain is not frozen"),
    ("ysgan-lite", ["stages.1.terms.1.distill=consistency"], "stage student, consistency: .* only cached features"),
    ("reviewkd-lite", ["student.hidden=-3"], "the network reviewkd: hidden is -3; give 0 or more"),
    ("reviewkd-lite", ["student.hidden=abc"], "the network reviewkd: hidden is 'abc'; give a whole number"),
    ("reviewkd-lite", ["student.hidden=true"], "hidden is True; give a whole number"),
    ("reviewkd-lite", ["student.hidden=0"], "hidden is 0; give 1 or more"),
    ("reviewkd-lite", ["teacher.heads=5"], "cannot be made|correct the recipe"),
]


@pytest.mark.parametrize(("name", "changes", "message"), WRONG)
def test_a_mistake_in_any_stage_is_one_sentence_before_the_first(name: str, changes: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message) as found:
        rehearsal.rehearse(recipe.load(name, [*BLANK, *changes]))
    assert found.value.code == "E-CFG"
    assert "\n" not in str(found.value)


@pytest.mark.parametrize("name", [n for n in recipe.names() if n.endswith("-lite") and "vit" not in n] + ["kd-slkd"])
def test_shipped_recipes_pass_their_rehearsal(name: str) -> None:
    import torch

    # On few pixels, which is what takes time; mixers see as many patches as they were built for.
    changes = ["student.pretrained=false", "views.crop=64"]
    own = recipe.load(name).teacher
    changes += [] if own is None or own.net == "student" else ["teacher.pretrained=false"]
    before = torch.get_rng_state()
    rehearsal.rehearse(recipe.load(name, changes))
    assert torch.equal(before, torch.get_rng_state())


def test_a_mistake_of_the_last_stage_costs_no_training(given, tiny, home, tmp_path) -> None:
    stages = document()["stages"]
    stages[1]["terms"] = [REG, {"loss": "xx"}]
    with pytest.raises(UsageError, match="stage student, xx: there is no loss 'xx'"):
        trainer.train(tiny(stages=stages), given, splits.make(given), trainer.Settings(tmp_path, home))
    assert not (tmp_path / "log.jsonl").exists()
    assert not (tmp_path / "state.pt").exists()


def test_only_the_stages_that_are_carried_out_are_rehearsed() -> None:
    stages = document()["stages"]
    stages[0]["terms"] = [{"loss": "xx"}]
    made = recipe.build(document(stages=stages))
    with pytest.raises(UsageError, match="stage teacher, xx"):
        rehearsal.rehearse(made)
    rehearsal.rehearse(made, taught=True)


@pytest.mark.parametrize(
    ("judges", "message"),
    [
        ('{"gmsd":-1,"dss":1}', "judges.gmsd: .*greater than or equal to 0"),
        ('{"gmsd":NaN,"dss":1}', "judges.gmsd: .*finite"),
        ('{"gmsd":0,"dss":0}', "no judge counts"),
        ('{"nosuch":1,"dss":1}', "there is no metric 'nosuch'"),
        ('{"fid":1}', "fid judges sets of images"),
    ],
)
def test_judges_are_metrics_with_weights(judges: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        recipe.load("milo-lite", [f"judges={judges}"])
    assert recipe.load("milo-lite", ['judges={"gmsd":0,"niqe":1}']).judges == {"gmsd": 0, "niqe": 1}


@pytest.mark.parametrize("place", ["stages.-1.epochs=1", "stages.-1=1", "stages.9.epochs=1", "stages.x.epochs=1"])
def test_stages_are_counted_from_the_first(place: str) -> None:
    with pytest.raises(UsageError, match="the recipe has no such place"):
        recipe.load("slkd-lite", [place])
    assert recipe.load("slkd-lite", ["stages.2.epochs=9"]).stages[2].epochs == 9


def test_no_recipe_declares_noise_that_no_stage_uses() -> None:
    for name in recipe.names():
        made = recipe.load(name)
        used = any(s.noise and not s.cached for s in made.stages if s.train == "student")
        assert made.views.noise is None or used, name


# --- commands ------------------------------------------------------------------------------------------------


def test_devices_are_words_and_auto_is_one(given, waves, home, tmp_path, monkeypatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(devices, "found", lambda word: asked.append(word) or "cpu")
    nowhere = tmp_path / "nowhere"
    with pytest.raises(UsageError, match="there is no device 'gpu'; write cpu, cuda, auto"):
        commands.train_command("slkd-lite", nowhere, tmp_path, Silent(), device="gpu")
    with pytest.raises(UsageError, match="there is no device 'gpu'"):
        commands.evaluate_command(["x.safetensors"], nowhere, tmp_path, Silent(), device="gpu")
    assert asked == []
    assert commands._settings(tmp_path, home, "auto", Silent(), None, None).device == "cpu"
    assert asked == ["auto"]


def test_an_evaluator_is_tested_on_the_device_that_auto_finds(twin, waves, home, tmp_path) -> None:
    found = commands.evaluate_command([str(twin / "a")], waves, tmp_path, Silent(), home=home, device="auto")
    assert found["evaluators"][0]["cost"]["device"] in ("cpu", "cuda")


@pytest.mark.parametrize(
    ("targets", "options", "message"),
    [
        (["slkd-lite"], {}, "slkd-lite is a recipe, .* add --splits 10 .* or --ablation"),
        (["my.toml"], {}, "my.toml is a recipe"),
        (["slkd-lite"], {"seeds": -1}, "--splits -1: name how many"),
        (["reviewkd-lite"], {"seeds": 2, "pool": Path("x")}, "no stage of reviewkd-lite learns from a pool"),
        (["{twin}/a"], {"changes": ["a=1"]}, "--set belong to recipes"),
        (["{twin}/a"], {"workers": 2}, "--workers belong to recipes"),
        (["{twin}/a"], {"seeds": 2}, "name one recipe, not evaluators"),
        (["{twin}"], {}, "holds no finished training"),
    ],
)
def test_options_that_would_be_swallowed_are_refused(twin, tmp_path, targets, options, message) -> None:
    """Before the data are looked for."""
    chosen = [target.format(twin=twin) for target in targets]
    with pytest.raises(UsageError, match=message):
        commands.evaluate_command(chosen, tmp_path / "nowhere", tmp_path, Silent(), **options)


def test_a_pool_that_no_stage_uses_is_refused(tmp_path) -> None:
    with pytest.raises(UsageError, match="no stage of reviewkd-lite learns from a pool; leave --pool out"):
        commands.train_command("reviewkd-lite", tmp_path / "nowhere", tmp_path, Silent(), pool=tmp_path)


@pytest.mark.parametrize(
    ("name", "file", "message"),
    [
        ("ysgan-lite", "none.safetensors", "none.safetensors"),
        ("ysgan-lite", "a/student.safetensors", "has role NR .* give a teacher that such a recipe trained"),
        ("milo-lite", "a/student.safetensors", "milo-lite has no teacher of its own to fill; leave --teacher out"),
    ],
)
def test_a_teacher_that_cannot_be_taken_is_refused_before_the_data_are_read(twin, tmp_path, name, file, message):
    none = tmp_path / "no data"
    with pytest.raises(UsageError, match=message):
        commands.train_command(name, none, tmp_path, Silent(), teacher=twin / file, changes=BLANK[1:])
    with pytest.raises(UsageError, match=message):
        commands.evaluate_command(
            [name], none, tmp_path, Silent(), ablation=True, teacher=twin / file, changes=BLANK[1:]
        )


@pytest.mark.parametrize(("command", "source"), [("export", "a"), ("export-model", "a/student.safetensors")])
def test_export_writes_an_evaluator_as_well_as_a_store(twin, tmp_path, command, source) -> None:
    out = tmp_path / "evaluator.safetensors"
    done = ran(command, twin / source, out)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, str(out), "")
    assert out.read_bytes() == (twin / "a" / "student.safetensors").read_bytes()


def test_export_of_what_is_neither_says_which_it_took_it_for(twin, tmp_path) -> None:
    (tmp_path / "begun").mkdir()
    (tmp_path / "begun" / "state.pt").touch()
    (tmp_path / "text.safetensors").write_text("text")
    for name, message in (("begun", "no finished training"), ("text.safetensors", "E-"), ("none", "there is no store")):
        done = ran("export", tmp_path / name, tmp_path / "out.safetensors")
        assert done.returncode in (2, 4), done.stdout
        assert message in done.stderr and done.stderr.count("\n") == 1, done.stderr
        assert not (tmp_path / "out.safetensors").exists()


def test_a_set_that_is_tested_whole_has_no_split(twin, make_set, home, tmp_path) -> None:
    far = make_set(references=3, levels=2, first=900, name="far")
    cases: list[tuple[dict[str, Any], str]] = [({"protocol_name": "reference"}, "--protocol"), ({"seed": 0}, "--seed")]
    for options, which in cases:
        with pytest.raises(UsageError, match=f"was not trained on far, which is .* whole .*; leave {which} out"):
            commands.evaluate_command([str(twin / "a")], far, tmp_path, Silent(), home=home, **options)


def test_splits_begin_with_the_seed(waves, home, tmp_path, monkeypatch) -> None:
    seen: list[list[int]] = []
    for name in ("repeated", "ablation"):
        monkeypatch.setattr(protocol, name, lambda *_, seeds, **__: seen.append(list(seeds)) or {"arms": {}})
    cases: list[dict[str, Any]] = [{"seeds": 2, "seed": 7}, {"seeds": 3}, {"ablation": True, "seed": 4}]
    for options in cases:
        commands.evaluate_command(["hintkd-lite"], waves, tmp_path, Silent(), home=home, changes=BLANK, **options)
    assert seen == [[7, 8], [0, 1, 2], [4]]


def test_rows_say_which_file_and_which_part(twin, make_set, home, tmp_path) -> None:
    far = make_set(references=10, levels=3, first=920, name="far")
    targets = [str(twin / "a"), str(twin / "b" / "student.safetensors"), str(twin / "b" / "teacher.safetensors")]
    found = commands.evaluate_command(targets, far, tmp_path, Silent(), home=home)
    assert [pair["files"][0] for pair in found["pairs"]] == [*["a/student.safetensors"] * 2, "b/student.safetensors"]
    for n, one in enumerate(found["evaluators"]):  # so small ones agree with each other on most references
        values = one["agreement"]["references_srocc"]
        assert len(values) == 10
        values |= {key: 0.9 - n * (0.1 + 0.01 * k) for k, key in enumerate(values)}
    found = protocol.compare(
        found["evaluators"], commands.named([*map(Path, (twin / "a" / "student.safetensors", *targets[1:]))])
    )
    table = commands.rows(found)
    assert [row["file"] for row in table[:3]] == ["a/student", "b/student", "b/teacher"]
    assert [row["part"] for row in table[:3]] == ["student", "student", "teacher"]
    assert [row["file"] for row in table[3:]] == [
        "a/student - b/student",
        "a/student - b/teacher",
        "b/student - b/teacher",
    ]
    for row, pair in zip(table[3:], found["pairs"]):
        cell = pair["difference"]
        assert cell["low"] < cell["value"] < cell["high"]
        assert row["srocc_within"] == f"{cell['value']:+.3f} [{cell['low']:+.3f}, {cell['high']:+.3f}]"
        assert pair["first"] == pair["second"] == "tiny"
    assert found["pairs"][1]["files"] == ["a/student.safetensors", "b/teacher.safetensors"]
    assert found["pairs"][1]["parts"] == ["student", "teacher"]
    found["pairs"][0]["difference"] |= {"low": None, "high": None, "reason": "too few"}
    assert commands.notes(found) == ["a/student - b/student: too few"]
    each = [np.mean(list(e["agreement"]["references_srocc"].values())) for e in found["evaluators"]]
    assert found["pairs"][1]["difference"]["value"] == pytest.approx(each[0] - each[2])


def test_parts_of_older_files_follow_from_their_tables() -> None:
    made = recipe.build(fast())
    assert made.teacher is not None
    for net, part in ((made.teacher, "teacher"), (made.student, "student")):
        card = {"part": "", "recipe": made.document, "network": net.options, "aux": net.shown}
        assert protocol.part_of(card) == part
    document = recipe.load("kd-slkd").document
    alike = recipe.build(document | {"teacher": document["student"], "stages": document["stages"][1:]})
    card = {"part": "", "recipe": alike.document, "network": alike.student.options, "aux": "none"}
    assert protocol.part_of(card) == ""


def test_a_set_without_scores_says_so(twin, make_set, home, tmp_path) -> None:
    bare = make_set(references=3, levels=2, first=940, scored=False, name="bare")
    found = commands.evaluate_command([str(twin / "a")], bare, tmp_path, Silent(), home=home)
    assert commands.notes(found) == ["student.safetensors: fewer than 3 images with a score"]


def test_recipes_are_listed_and_splits_are_counted_from_nought(tmp_path) -> None:
    listed = ran("list", "recipes", "--json")
    assert listed.returncode == 0, listed.stderr
    rows = {row["name"]: row for row in json.loads(listed.stdout)}
    assert list(rows) == recipe.names()
    assert rows["slkd"]["size"] == "full"
    assert rows["slkd-lite"]["size"] == "lite"
    assert "doi:10.1016" in rows["slkd-lite"]["cite"]
    assert rows["slkd-lite"]["title"]
    refused = ran("evaluate", "slkd-lite", "--data", tmp_path, "--out", tmp_path / "e", "--splits", "-1")
    assert refused.returncode == 2
    assert len(refused.stderr.strip().splitlines()) == 1, refused.stderr
    assert "--splits" in refused.stderr


@pytest.mark.skipif(os.name != "posix", reason="sends a signal")
def test_an_interrupted_training_says_how_to_go_on(waves, home, tmp_path) -> None:
    from test_training_loop import toml

    stages = document()["stages"]
    for stage in stages:
        stage["epochs"] = 4000
    file = toml(tmp_path / "r.toml", recipe.build(document(stages=stages)))
    asked = ganiq("train", file, "--data", waves, "--cache", home, "--out", tmp_path / "out", "-q")
    code = asked.index("-c") + 1
    asked[code] = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); " + asked[code]
    process = subprocess.Popen(asked, stderr=subprocess.PIPE, text=True)
    while not (tmp_path / "out" / "state.pt").is_file() and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (130, "ganiq: stopped; run the same command again to go on\n")


# --- the time ------------------------------------------------------------------------------------------------


def test_the_pool_stops_when_the_time_is_up_and_goes_on(given, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(pool, "CHUNK", 5)
    train = given.select(splits.make(given).train)
    whole = pool.build(train, tmp_path / "whole", 12, 3)
    for count in (5, 10):
        with pytest.raises(pool.Stopped, match="run the same command again"):
            pool.build(train, tmp_path / "parts", 12, 3, until=0.0)
        assert len(list((tmp_path / "parts").glob("*/images/*.png"))) == count
    done = pool.build(train, tmp_path / "parts", 12, 3, until=0.0)
    for name in ("items.csv", *(f"images/{n:06d}.png" for n in range(12))):
        assert (done / name).read_bytes() == (whole / name).read_bytes()


def test_minutes_count_from_the_beginning_of_the_command(waves, home, tmp_path, monkeypatch) -> None:
    begun = time.monotonic()
    found: list[Any] = []
    monkeypatch.setattr(commands, "train", lambda *given: found.append(given[3]))
    monkeypatch.setattr(commands, "load", lambda *_: time.sleep(0.2) or training_set(waves, home))
    commands.train_command("reviewkd-lite", waves, tmp_path, Silent(), home=home, minutes=3, changes=BLANK)
    (settings,) = found
    assert begun <= settings.begun < begun + 0.2
    assert settings.minutes == 3


def training_set(folder: Path, home: Path) -> Any:
    from ganiq.bench.training import data

    return data.load(read_set(folder), home)


def test_time_that_is_up_ends_at_the_first_saved_state(given, tiny, home, tmp_path) -> None:
    settings = trainer.Settings(tmp_path, home, save_every=2, minutes=5, begun=time.monotonic() - 301)
    assert not trainer.train(tiny(), given, splits.make(given), settings).done
    settings.begun = time.monotonic()
    assert trainer.train(tiny(), given, splits.make(given), settings).done


# --- scores of the pool --------------------------------------------------------------------------------------


def test_other_judges_have_their_own_scores(make_set, given, home) -> None:
    """Through the engine; the first ones stay where they are, and are used again."""
    folder = make_set(references=4, levels=2, first=960, scored=False, name="pool")
    stages = [{"name": "a", "data": "pool", "labels": "pseudo", "epochs": 1, "terms": [REG]}]

    def labels(judges: dict[str, float]) -> dict[str, float | None]:
        made = recipe.build(document(teacher=None, stages=stages, pool=1, judges=judges))
        found = commands.pool_of(made, given, splits.make(given), home, Silent(), 1, folder)
        assert found is not None
        return {s.key: s.score for s in found.samples}

    one = labels({"gmsd": 1, "dss": 1})
    table = (folder / "scores" / "scores.csv").read_bytes()
    two = labels({"gmsd": 1, "psnr": 1})
    assert sorted(p.name for p in folder.glob("scores*"))[0] == "scores"
    assert len(list(folder.glob("scores-*/scores.csv"))) == 1
    assert one != two
    assert labels({"dss": 1, "gmsd": 1}) == pytest.approx(one)
    assert labels({"gmsd": 1, "psnr": 1}) == two
    assert (folder / "scores" / "scores.csv").read_bytes() == table
    assert len(list(folder.glob("scores-*"))) == 1


def test_the_place_of_scores_follows_their_columns(make_set, load) -> None:
    folder = make_set(references=4, levels=1, first=980, scored=False, name="pool")
    data = load(folder)
    assert pseudo.place(folder, data, {"gmsd": 1}) == folder / "scores"
    scores_of(folder, {"gmsd": dict.fromkeys([s.key for s in data.samples], 0.1)})
    assert pseudo.place(folder, data, {"gmsd": 1}) == folder / "scores"
    assert pseudo.place(folder, data, {"gmsd": 1, "ms-ssim": 1}) == folder / "scores"  # too small for that one
    other = pseudo.place(folder, data, {"gmsd": 1, "dss": 1})
    assert other != folder / "scores"
    assert other == pseudo.place(folder, data, {"dss": 3, "gmsd": 1})
    assert other != pseudo.place(folder, data, {"gmsd": 1, "psnr": 1})


# --- damaged files -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "junk", [b"", b"junk", b"PK\x03\x04 no archive", b"\x80\x04}q\x00.", None, ["a list"], {"stage": 1}]
)
def test_a_damaged_state_is_named(given, tiny, home, tmp_path, junk) -> None:
    import torch

    if junk is None or not isinstance(junk, bytes):
        torch.save(junk, tmp_path / "state.pt")
    else:
        (tmp_path / "state.pt").write_bytes(junk)
    with pytest.raises(IntegrityError, match=r"E-STATE state\.pt in .* cannot be read .*; delete that folder"):
        trainer.train(tiny(), given, splits.make(given), trainer.Settings(tmp_path, home))


@pytest.mark.parametrize("damage", ["shorter", "gone", "note", "rows", "half"])
def test_damaged_features_are_named(given, tmp_path, damage) -> None:
    from ganiq.bench.training import seam

    network = seam.network({"net": TINY, "role": "NR"})
    numbers = sorted({s.image for s in given.samples})[:6]

    def stored() -> Any:
        return cache.features(network, given.pixels, numbers, 48, 5, tmp_path)

    assert stored().take([(numbers[0], [0])])[0].shape[:2] == (1, 1)
    (folder,) = tmp_path.glob("features-*")
    tap, note = folder / "tap0.f16", folder / "done.json"
    if damage == "shorter":
        os.truncate(tap, tap.stat().st_size - 2)
    elif damage == "gone":
        tap.unlink()
    elif damage == "note":
        note.write_text("{")
    elif damage == "rows":
        note.write_text(json.dumps(json.loads(note.read_text()) | {"rows": 99}))
    else:  # not done yet, and what was done is gone
        note.write_text(json.dumps(json.loads(note.read_text()) | {"rows": 3}))
        tap.unlink()
    with pytest.raises(IntegrityError, match=f"E-CACHE {folder.name} is not what its name says; delete that folder"):
        stored()


def test_damaged_pixels_are_named(make_set, tmp_path) -> None:
    folder = make_set(references=3, levels=1, first=990, name="px")
    training_set(folder, tmp_path)
    (index,) = tmp_path.glob("pixels-*/index.json")
    index.write_text("{")
    with pytest.raises(IntegrityError, match="E-CACHE"):
        training_set(folder, tmp_path)


def test_a_broken_line_of_the_log_stops_nobody(given, tiny, home, tmp_path) -> None:
    split = splits.make(given)
    settings = trainer.Settings(tmp_path, home, minutes=0)
    for _ in range(3):
        assert not trainer.train(tiny(), given, split, settings).done
    log = tmp_path / "log.jsonl"
    size = log.stat().st_size
    log.write_bytes(log.read_bytes()[:-20] + b"\xff" * 20)  # as long as the state says, and no JSON
    assert log.stat().st_size == size
    settings.minutes = 1e9
    assert trainer.train(tiny(), given, split, settings).done
    entries = journal.Journal(tmp_path).read()
    assert [e["epoch"] for e in entries if e["stage"] == "teacher"] == [0, 1, 3]
    assert [e["epoch"] for e in entries if e["stage"] == "student"] == [0, 1, 2, 3]
    assert np.isfinite([e["loss"] for e in entries]).all()
