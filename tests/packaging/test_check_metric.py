"""The conformance suite on a third party's metrics: by command, and in the third party's own pytest."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

METRICS = '''"""Two metrics of a third party: one keeps its promises."""
from dataclasses import dataclass
from typing import ClassVar
from ganiq.bench.protocols import MetricInfo

@dataclass(frozen=True)
class MeanError:
    """Mean absolute error of RGB in [0,1], to a power; lower is better."""
    power: float = 1.0

    info: ClassVar = MetricInfo(
        "mean-error", "Mean error", needs="pair", better="lower", bounds=(0.0, 1.0), cite="unpublished"
    )

    def __call__(self, images, references=None, /):
        if self.power <= 0:
            raise ValueError(f"power={self.power} is no power")
        return ((images - references).abs() ** self.power).mean(dim=(1, 2, 3))

@dataclass(frozen=True)
class Upside(MeanError):
    """The same, and the wrong way round."""
    info: ClassVar = MetricInfo(
        "upside", "Upside", needs="pair", better="higher", bounds=(0.0, 1.0), cite="unpublished"
    )
'''
PROJECT = """[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
[project]
name = "their-measures"
version = "0.3"
[project.entry-points."ganiq.metrics"]
mean-error = "their_measures:MeanError"
upside = "their_measures:Upside"
broken = "their_missing_module:Metric"
[tool.setuptools]
py-modules = ["their_measures"]
"""
TESTS = """from ganiq.metrics.conformance import conforms
from their_measures import MeanError

@conforms("mean-error", MeanError)
def test_ours(check):
    check()
"""


def _install(site: Path, *what: Path) -> None:
    done = subprocess.run(
        [
            sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation",
            "--disable-pip-version-check", "--target", str(site), *map(str, what),
        ],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.fixture(scope="module")
def environment(wheel_file: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """ganiq's wheel and the third party's package, installed into a folder of their own."""
    source, site = tmp_path_factory.mktemp("theirs"), tmp_path_factory.mktemp("site")
    (source / "their_measures.py").write_text(METRICS)
    (source / "pyproject.toml").write_text(PROJECT)
    _install(site, wheel_file, source)
    return {**os.environ, "PYTHONPATH": str(site)}


def _run(environment: dict[str, str], folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def test_a_metric_that_conforms(environment: dict[str, str], tmp_path: Path) -> None:
    done = _run(environment, tmp_path, "ganiq", "check-metric", "mean-error")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "mean-error: 20 passed, 0 failed, 0 skipped" in done.stdout
    lines = [line for line in done.stdout.splitlines() if " passed " in line]
    assert len(lines) == 20, "one line per property"


def test_parameters_may_be_named(environment: dict[str, str], tmp_path: Path) -> None:
    done = _run(environment, tmp_path, "ganiq", "check-metric", "mean-error(power=2.0)")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "mean-error(power=2.0): 20 passed, 0 failed, 0 skipped" in done.stdout
    done = _run(environment, tmp_path, "ganiq", "check-metric", "mean-error(power=0.0)", "--json")
    assert done.returncode == 1, "the parameter arrives"
    assert "power=0.0 is no power" in done.stdout
    done = _run(environment, tmp_path, "ganiq", "check-metric", "mean-error(window=7)")
    assert done.returncode == 2
    assert "its parameters are: power" in done.stderr


def test_a_metric_that_does_not(environment: dict[str, str], tmp_path: Path) -> None:
    done = _run(environment, tmp_path, "ganiq", "check-metric", "upside", "--json")
    assert done.returncode == 1, done.stderr
    rows = {row["property"]: row for row in json.loads(done.stdout)}
    assert {name for name, row in rows.items() if row["outcome"] == "failed"} == {"identity", "direction"}
    assert "turn info.better round" in rows["direction"]["sentence"]
    assert set(rows["info"]) == {"property", "what", "outcome", "sentence", "seconds"}
    assert done.stderr == ""


@pytest.mark.parametrize(("name", "words"), [("mean-eror", "did you mean mean-error"), ("broken", "missing_module")])
def test_a_metric_that_is_not_there(environment: dict[str, str], tmp_path: Path, name: str, words: str) -> None:
    done = _run(environment, tmp_path, "ganiq", "check-metric", name)
    assert done.returncode == 2
    assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_help_loads_no_torch() -> None:
    code = (
        "import sys\nfrom ganiq.bench import cli\nsys.argv = ['ganiq', 'check-metric', '--help']\n"
        "try:\n    cli.main()\nexcept SystemExit as stop:\n    assert not stop.code, stop.code\n"
        "heavy = {'torch', 'torchvision', 'piq', 'timm', 'pytest'} & set(sys.modules)\nassert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


def test_pytest_finds_the_option_by_itself(environment: dict[str, str], tmp_path: Path) -> None:
    """Through the entry point, in a project that makes errors of warnings, and beside tests of its own."""
    (tmp_path / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")
    (tmp_path / "test_ours.py").write_text(TESTS)
    done = _run(
        environment, tmp_path, "pytest", "-q", "-p", "no:cacheprovider", "--color=no", "-rf", "--ganiq-metric", "upside"
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "2 failed, 58 passed" in done.stdout
    assert "FAILED ganiq-metric/upside::identity" in done.stdout
    assert "FAILED ganiq-metric/upside::direction" in done.stdout
    assert "upside, identity: a photograph against itself scores 0.0" in done.stdout
    assert "Traceback" not in done.stdout
