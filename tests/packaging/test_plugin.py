"""A third party's metric, in a package of its own, on the list and on the board without touching the project."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

METRIC = '''"""Mean absolute error: the whole of a third party's metric."""
from dataclasses import dataclass
from typing import ClassVar
from ganiq.bench.protocols import MetricInfo

@dataclass(frozen=True)
class MeanError:
    """Mean absolute error of RGB in [0,1]; lower is better."""
    info: ClassVar = MetricInfo("mean-error", "Mean error", needs="pair", better="lower", bounds=(0.0, 1.0))

    def __call__(self, images, references=None, /):
        return (images - references).abs().mean(dim=(1, 2, 3))
'''
PROJECT = """[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
[project]
name = "their-metrics"
version = "1.2"
[project.entry-points."ganiq.metrics"]
mean-error = "their_metric:MeanError"
psnr = "their_metric:MeanError"
broken = "their_missing_module:Metric"
[tool.setuptools]
py-modules = ["their_metric"]
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The package, really built and installed, into a folder of its own."""
    source, site = tmp_path_factory.mktemp("theirs"), tmp_path_factory.mktemp("site")
    (source / "their_metric.py").write_text(METRIC)
    (source / "pyproject.toml").write_text(PROJECT)
    done = subprocess.run(
        [
            sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation",
            "--disable-pip-version-check", "--target", str(site), str(source),
        ],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return {**os.environ, "PYTHONPATH": str(site)}


def _ganiq(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ganiq", *arguments], env=environment, capture_output=True, text=True, check=False
    )


def test_it_is_fifteen_lines() -> None:
    assert len(METRIC.splitlines()) <= 15


def test_it_is_listed_with_its_origin(environment: dict[str, str]) -> None:
    done = _ganiq(environment, "list", "metrics", "--json")
    assert done.returncode == 0, done.stderr
    rows = {row["name"]: row for row in json.loads(done.stdout)}
    assert rows["mean-error"]["available"] is True
    assert rows["mean-error"]["origin"] == "their-metrics 1.2"
    assert rows["psnr"]["origin"] == "ganiq", "a plug-in may not take a built-in's name"
    assert rows["broken"]["available"] is False
    assert "their_missing_module" in rows["broken"]["reason"]
    ignored = rows["psnr (their-metrics 1.2)"]
    assert (ignored["available"], ignored["origin"]) == (False, "their-metrics 1.2")
    assert ignored["reason"] == (
        "metric 'psnr' of their-metrics 1.2 is ignored: ganiq has one of that name; give its entry point another name"
    )
    assert len(rows) == len(json.loads(done.stdout)), "each once"


def test_it_is_on_the_board(environment: dict[str, str], tmp_path: Path) -> None:
    from PIL import Image

    data = tmp_path / "data"
    data.mkdir()
    Image.linear_gradient("L").convert("RGB").save(data / "ref.png")
    lines = ["image,reference,score"]
    for level in range(6):
        Image.linear_gradient("L").point([min(255, v + 8 * level) for v in range(256)]).convert("RGB").save(
            data / f"{level}.png"
        )
        lines.append(f"{level}.png,ref.png,{5 - level}")
    (data / "items.csv").write_text("\n".join(lines) + "\n")
    (data / "items.toml").write_text('[score]\nkind = "MOS"\nbetter = "higher"\n')
    out = tmp_path / "out"
    done = _ganiq(environment, "run", "--data", str(data), "--out", str(out), "--metrics", "psnr,mean-error", "-q")
    assert done.returncode == 0, done.stderr
    board = json.loads((out / "leaderboard.json").read_text())
    row = next(r for r in board["metrics"] if r["name"] == "mean-error")
    assert row["n_used"] == 6
    assert row["srocc_pooled"]["value"] == pytest.approx(1.0)
    assert "plug-in: their-metrics 1.2" in row["badges"]
    assert board["provenance"]["plugins"] == ["their-metrics 1.2"]
    assert "Mean error" in (out / "index.html").read_text()


def test_asking_for_a_broken_one_is_one_sentence(environment: dict[str, str], tmp_path: Path) -> None:
    done = _ganiq(environment, "run", "--data", str(tmp_path), "--out", str(tmp_path / "o"), "--metrics", "broken")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
