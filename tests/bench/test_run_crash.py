"""Kills, signals, dying and hanging metrics during real runs of the command."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ganiq.bench import run as runs
from ganiq.bench.datasets import load
from ganiq.bench.sweep import build

METRICS = "psnr,gmsd,ssim"


def make_folder(root: Path, references: int, levels: int, side: int) -> Path:
    """Noise patterns on gradients: enough files that a run takes a while."""
    import csv

    import numpy as np
    from PIL import Image

    root.mkdir(parents=True)
    rng = np.random.default_rng(3)
    with (root / "items.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "reference", "score", "generator"])
        for r in range(references):
            base = np.add.outer(np.arange(side), np.arange(side))[..., None] * np.array([1.0, 0.7, 0.4]) + 3 * r
            Image.fromarray((base % 256).astype(np.uint8)).save(root / f"ref{r}.png")
            for level in range(levels):
                noisy = (base % 256 + rng.normal(0, 4 + 5 * level, base.shape)).clip(0, 255)
                Image.fromarray(noisy.astype(np.uint8)).save(root / f"{r}_{level}.png")
                writer.writerow([f"{r}_{level}.png", f"ref{r}.png", 5 - level + 0.01 * r, f"g{level}"])
    (root / "items.toml").write_text('[score]\nkind = "MOS"\nbetter = "higher"\n')
    return root


def command(data: Path, out: Path, *more: str) -> list[str]:
    return [
        sys.executable, "-m", "ganiq", "run", "--data", str(data), "--out", str(out), "--metrics", METRICS,
        "--resamples", "200", "--quiet", *more,
    ]  # fmt: skip


def count(store: Path) -> int:
    if not store.exists():
        return 0
    with sqlite3.connect(f"file:{store}?mode=ro", uri=True) as connection:
        try:
            return connection.execute("SELECT count(*) FROM score WHERE status = 'ok'").fetchone()[0]
        except sqlite3.OperationalError:
            return 0


def kills(folder: Path, times: int, latest: float) -> None:
    """SIGKILL a run ``times`` times at random moments, resume each time, compare with an undisturbed run."""
    data = make_folder(folder / "data", references=10, levels=8, side=96)
    calm, out = folder / "calm", folder / "out"
    done = subprocess.run(command(data, calm), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    dice = random.Random(20)
    acknowledged, killed = 0, 0
    while killed < times:
        process = subprocess.Popen(
            command(data, out, "--executor", "serial"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            process.wait(dice.uniform(0.1, latest))
        except subprocess.TimeoutExpired:
            process.kill()
        killed += 1
        process.wait()
        now = count(out / "store.sqlite")
        assert now >= acknowledged, f"{acknowledged - now} acknowledged scores lost after kill {killed}"
        acknowledged = now
        if process.returncode == 0:  # it was faster than the dice; start over so that kills hit work
            for path in out.glob("store.sqlite*"):
                path.unlink()
            acknowledged = 0
    done = subprocess.run(command(data, out), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    for name in ("leaderboard.json", "scores.csv", "metrics.csv", "generators.csv"):
        assert (out / name).read_bytes() == (calm / name).read_bytes(), name
    with sqlite3.connect(out / "store.sqlite") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        rows, distinct = connection.execute(
            "SELECT count(*), count(DISTINCT image || '-' || reference || '-' || metric) FROM score"
        ).fetchone()
    assert rows == distinct == 10 * 8 * 3


@pytest.mark.timeout(600)
def test_kills_lose_nothing(tmp_path: Path) -> None:
    kills(tmp_path, 8, latest=5.0)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_hundred_kills_lose_nothing(tmp_path: Path) -> None:
    kills(tmp_path, 100, latest=6.0)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_the_run_and_says_how_to_go_on(tmp_path: Path, number: int, code: int) -> None:
    data = make_folder(tmp_path / "data", references=10, levels=20, side=256)
    out = tmp_path / "out"
    arguments = [a if a != METRICS else "psnr,fsim,vsi,ssim" for a in command(data, out)]
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while count(out / "store.sqlite") == 0 and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.05)
    assert process.poll() is None, process.communicate()
    process.send_signal(number)
    started = time.monotonic()
    _, error = process.communicate(timeout=60)
    assert process.returncode == code, error
    assert time.monotonic() - started < 5
    assert "To go on: ganiq run" in error
    assert "Traceback" not in error
    assert not (out / "leaderboard.json").exists()
    assert count(out / "store.sqlite") > 0


PLUGIN = """
import os, time
from dataclasses import dataclass
from typing import ClassVar
import torch
from ganiq.bench.protocols import MetricInfo

@dataclass(frozen=True)
class Trouble:
    info: ClassVar = MetricInfo("trouble", "Trouble", needs="image", better="higher", bounds=(0.0, 1e9))
    what: str = "die"

    def __call__(self, images, references=None, /):
        if images[0, 0, 0, 0] > 0.99:  # the marked image
            if self.what == "die":
                os.kill(os.getpid(), 9)
            if self.what == "hang":
                time.sleep(1000)
            if self.what == "raise":
                raise ValueError("no such pixel")
            if self.what == "nan":
                return torch.tensor([float("nan")])
            if self.what == "shape":
                return torch.zeros(3)
            if self.what == "text":
                return "good"
            if self.what == "large":
                return torch.tensor([1e30])
            if self.what == "memory":
                raise MemoryError("no more")
        return images.mean(dim=(1, 2, 3))
"""


@pytest.mark.parametrize(
    ("what", "status", "code"),
    [
        ("die", "failed", "E-WORKER-DIED"),
        ("hang", "failed", "E-TIMEOUT"),
        ("raise", "failed", "E-METRIC-ERROR"),
        ("nan", "nonfinite", "E-VAL-NAN"),
        ("shape", "failed", "E-METRIC-ERROR"),
        ("text", "failed", "E-METRIC-ERROR"),
        ("large", "failed", "E-METRIC-ERROR"),
        ("memory", "failed", "E-OOM"),
    ],
)
def test_a_troublesome_metric_costs_one_cell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str, status: str, code: str
) -> None:
    import numpy as np
    from ganiq.bench import registry
    from PIL import Image

    (tmp_path / "trouble_plugin.py").write_text(PLUGIN)
    site = tmp_path / "trouble_plugin-1.0.dist-info"
    site.mkdir()
    (site / "METADATA").write_text("Metadata-Version: 2.1\nName: trouble-plugin\nVersion: 1.0\n")
    (site / "entry_points.txt").write_text("[ganiq.metrics]\ntrouble = trouble_plugin:Trouble\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))  # spawned workers import it as well
    registry.metrics.__dict__.pop("plugins", None)
    data = make_folder(tmp_path / "data", references=3, levels=5, side=32)
    marked = np.asarray(Image.open(data / "1_2.png")).copy()
    marked[0, 0] = 255
    Image.fromarray(marked).save(data / "1_2.png")
    for path in data.glob("*.png"):
        if path.name != "1_2.png":
            pixels = np.asarray(Image.open(path)).copy()
            pixels[0, 0] = 0
            Image.fromarray(pixels).save(path)
    engine = {"kind": "process", "workers": 2, "timeout": 2}
    sweep = build(
        {"data": data, "out": tmp_path / "out", "metrics": ["psnr", f"trouble(what={what!r})"], "engine": engine}
    )
    outcome = runs.run(sweep, load(data))
    registry.metrics.__dict__.pop("plugins", None)
    failures = [f for f in outcome.leaderboard["failures"] if f["key"] == "1_2"]
    assert [(f["status"], f["code"]) for f in failures] == [(status, code)]
    assert outcome.exit_code == (0 if status == "nonfinite" else 1)
    assert outcome.counts["ok"] == 15 + 14
    row = next(r for r in outcome.leaderboard["metrics"] if r["name"] == "psnr")
    assert row["n_expected"] == 15
    assert os.environ["PYTHONPATH"]
