"""The trainer: it learns, it goes on after a kill as if nothing had happened, and two processes equal one."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from ganiq.bench.errors import UsageError
from ganiq.bench.training import export, splits, state, trainer
from ganiq.bench.training import recipe as recipes
from ganiq.bench.weights.load import tensors_from
from training_cases import HINT, REG, SCORE, document

HERE = Path(__file__).parent


def toml(path: Path, recipe: recipes.Recipe) -> Path:
    """A recipe as a file; TOML holds the same as this JSON, written as inline tables."""

    def value(v: Any) -> str:
        if isinstance(v, dict):
            return "{" + ", ".join(f"{k} = {value(x)}" for k, x in v.items() if x is not None) + "}"
        if isinstance(v, list):
            return "[" + ", ".join(map(value, v)) + "]"
        return json.dumps(v)

    path.write_text("\n".join(f"{k} = {value(v)}" for k, v in recipe.document.items() if v is not None) + "\n")
    assert recipes.load(path) == recipe
    return path


def same(first: Path, second: Path) -> bool:
    """Equal tensors, bit for bit, and equal headers but for the state of the source tree."""
    cards = [export.card(path) | {"revision": ""} for path in (first, second)]
    a, b = (tensors_from(path.read_bytes(), path.name) for path in (first, second))
    return cards[0] == cards[1] and a.keys() == b.keys() and all(bool((a[n] == b[n]).all()) for n in a)


def test_a_recipe_learns_and_leaves_its_results(given, tiny, home, tmp_path) -> None:
    stages = document()["stages"]
    for stage in stages:
        stage |= {"lr": 1e-2}
    split = splits.make(given)
    done = trainer.train(tiny(stages=stages), given, split, trainer.Settings(tmp_path, home))
    assert done.done
    log = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [e["stage"] for e in log] == ["teacher"] * 4 + ["student"] * 4
    assert log[3]["loss"] < 0.5 * log[0]["loss"]
    assert log[-1]["terms"].keys() == {"tiny_evaluators:regression", "tiny_evaluators:ScoreDistiller",
                                       "tiny_evaluators:HintDistiller"}  # fmt: skip
    assert log[-1]["levels"] == {"1.level": 1.0}
    assert (tmp_path / "curve.png").stat().st_size > 5000
    names = tensors_from((tmp_path / "student.safetensors").read_bytes(), "student").keys()
    assert names == done.student.state_dict().keys()
    assert not [n for n in names if "adapter" in n or "teacher" in n]


def test_the_same_command_trains_to_the_same_bytes(given, tiny, home, tmp_path) -> None:
    split = splits.make(given)
    recipe = tiny(student={"net": "tiny_evaluators:Tiny", "role": "NR", "dropout": 0.3})
    for name in "ab":
        trainer.train(recipe, given, split, trainer.Settings(tmp_path / name, home))
    assert same(*(tmp_path / n / "student.safetensors" for n in "ab"))


@pytest.mark.parametrize("keep", ["swa", "ema", "best", "last"])
def test_resume_after_a_stop_is_exact(given, tiny, home, tmp_path, keep) -> None:
    """Stopped at every saved state, and begun again, until done: the same weights as in one go."""
    stages = document()["stages"]
    for stage in stages:
        stage |= {"keep": keep, "epochs": 3}
    recipe = tiny(student={"net": "tiny_evaluators:Tiny", "role": "NR", "dropout": 0.3}, stages=stages)
    split = splits.make(given)
    whole = trainer.train(recipe, given, split, trainer.Settings(tmp_path / "whole", home))
    pieces = 0
    while True:
        settings = trainer.Settings(tmp_path / "pieces", home, save_every=2, minutes=0)
        done = trainer.train(recipe, given, split, settings)
        pieces += 1
        if done.done:
            break
    assert pieces > 8
    for name, value in whole.student.state_dict().items():
        assert (value == done.student.state_dict()[name]).all(), name
    texts = [(tmp_path / n / "log.jsonl").read_text().splitlines() for n in ("whole", "pieces")]
    rows = [[{**json.loads(line), "seconds": 0} for line in text] for text in texts]
    assert rows[0] == rows[1]


def program(recipe: Path, waves: Path, home: Path, out: Path, **environment: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, str(HERE / "tiny_evaluators.py"), *map(str, (recipe, waves, home, out))]
    return subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(HERE), **environment})


def test_resume_after_sigkill_is_exact(waves, given, tiny, home, tmp_path) -> None:
    """A process killed at a random moment and started again ends with the same file as one left alone."""
    stages = document()["stages"]
    stages[0] |= {"epochs": 5}
    stages[1] |= {"epochs": 40}
    recipe = tiny(stages=stages)
    file = toml(tmp_path / "r.toml", recipe)
    alone = trainer.train(recipe, given, splits.make(given), trainer.Settings(tmp_path / "alone", home))
    process = program(file, waves, home, tmp_path / "killed")
    mark = tmp_path / "killed" / state.FILE
    while not mark.is_file() and process.poll() is None:
        time.sleep(0.002)
    time.sleep(random.uniform(0, 0.3))
    assert process.poll() is None, "it was done before it could be killed"
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "killed" / "student.safetensors").is_file()
    again = program(file, waves, home, tmp_path / "killed")
    assert again.wait(120) == 0
    assert same(alone.checkpoint, tmp_path / "killed" / "student.safetensors")


def test_two_processes_equal_one_with_the_whole_batch(waves, given, tiny, home, tmp_path) -> None:
    """Losses with masks and losses that compare the whole batch, of one head and of two, a distiller with an adapter,
    clipping.

    The command is `torchrun`'s.
    """
    import torch

    terms = [REG, {"loss": "tiny_evaluators:correlation", "weight": 0.3}, SCORE, HINT]
    stages = document()["stages"]
    stages[1] |= {"terms": terms, "epochs": 3, "per_reference": 4}
    recipe = tiny(stages=stages, student={**document()["student"], "members": 2})
    file = toml(tmp_path / "r.toml", recipe)
    trainer.train(recipe, given, splits.make(given), trainer.Settings(tmp_path / "one", home))
    launched = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "ganiq"]
    asked = ["train", file, "--data", waves, "--out", tmp_path / "two", "--cache", home]
    done = subprocess.run(
        [*launched, *map(str, asked)], env={**os.environ, "PYTHONPATH": str(HERE)}, capture_output=True, text=True,
        timeout=200,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [str(tmp_path / "two" / "student.safetensors")]  # one of them speaks
    a, b = (torch.load(tmp_path / n / state.FILE, weights_only=True)["student"] for n in ("one", "two"))
    assert max(float((a[n] - b[n]).abs().max()) for n in a) < 1e-5
    logs = [[json.loads(x) for x in (tmp_path / n / "log.jsonl").read_text().splitlines()] for n in ("one", "two")]
    assert [e["valid"] for e in logs[0]] == pytest.approx([e["valid"] for e in logs[1]])
    assert [e["loss"] for e in logs[0]] == pytest.approx([e["loss"] for e in logs[1]], rel=0.2)


def test_a_folder_of_another_training_is_refused(given, tiny, home, tmp_path) -> None:
    split = splits.make(given)
    trainer.train(tiny(), given, split, trainer.Settings(tmp_path, home))
    with pytest.raises(UsageError, match="begun with another recipe"):
        trainer.train(tiny(seed=1), given, split, trainer.Settings(tmp_path, home))
    with pytest.raises(UsageError, match="begun with another split"):
        trainer.train(tiny(), given, splits.make(given, seed=1), trainer.Settings(tmp_path, home))


def test_two_trainings_do_not_share_a_folder(given, tiny, home, tmp_path) -> None:
    from filelock import FileLock

    split = splits.make(given)
    with FileLock(tmp_path / "training.lock"), pytest.raises(UsageError, match="another process is training"):
        trainer.train(tiny(), given, split, trainer.Settings(tmp_path, home))
    assert not (tmp_path / "log.jsonl").exists()
