"""What is installed is what is in the tree: a package missing from the list would vanish without a word."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

FOLDERS = {
    "bench": "ganiq/bench",
    "generators": "ganiq/generators",
    "metrics": "ganiq/metrics",
    "reports": "ganiq/reports",
}


@pytest.fixture(scope="module")
def wheel(wheel_file: Path) -> set[str]:
    """Names inside the wheel."""
    with zipfile.ZipFile(wheel_file) as archive:
        return set(archive.namelist())


def _expected(repository: Path) -> set[str]:
    names = set()
    for folder, package in FOLDERS.items():
        for path in (repository / folder).rglob("*"):
            if not path.is_file() or "__pycache__" in path.parts:
                continue
            inside = path.relative_to(repository / folder).as_posix()
            if folder == "bench" and inside.startswith("top/"):
                names.add(f"ganiq/{inside.removeprefix('top/')}")
            else:
                names.add(f"{package}/{inside}")
    return names


def test_wheel_holds_every_file_of_the_four_folders(wheel: set[str], repository: Path) -> None:
    expected = _expected(repository)
    assert expected, "the four folders are empty"
    assert expected - wheel == set()


def test_wheel_holds_nothing_else(wheel: set[str], repository: Path) -> None:
    inside = {name for name in wheel if ".dist-info/" not in name}
    assert inside - _expected(repository) == set()
    assert {name.split("/")[0] for name in inside} == {"ganiq"}


def test_licence_travels_with_the_wheel(wheel: set[str]) -> None:
    assert any(name.endswith("licenses/LICENSE") for name in wheel)


def test_runs_in_a_folder_that_has_its_own_metrics(tmp_path: Path) -> None:
    """Research repositories hold folders called metrics; they must neither break us nor be broken by us."""
    (tmp_path / "metrics").mkdir()
    (tmp_path / "metrics" / "__init__.py").write_text("raise RuntimeError('not ours')\n")
    done = subprocess.run(
        [sys.executable, "-m", "ganiq", "--version"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
