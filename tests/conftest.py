"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# Tests run side by side, one process per core: threads inside each would only fight (before NumPy is imported).
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def repository() -> Path:
    """The checkout the tests run from."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real test data that cannot be part of the repository (see CONTRIBUTING); skips if absent."""
    folder = Path(os.environ.get("GANIQ_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / "README.md").is_file():
        pytest.skip(f"test data not at hand: set GANIQ_DATA to the folder that holds it (looked in {folder.name}/)")
    return folder
