"""Restorers on images of a device that is not the CPU, and networks that compute there (tests/pretend.py)."""

from __future__ import annotations

from typing import Any

import pretend
import pytest
from ganiq.bench import registry
from ganiq.bench.errors import UsageError
from ganiq.generators import BUILTIN, OWN
from pretend_trials import outcomes

NAMES = [name for name in BUILTIN if name not in OWN]
NETWORKS = [name for name in NAMES if registry.generators.get(name).info.weights]


@pytest.fixture(scope="module")
def rows() -> dict[tuple[str, str], dict[str, Any]]:
    return {(row["what"], row["name"]): row for row in outcomes("restorers")}


@pytest.mark.parametrize(
    ("what", "name"), [*(("image", name) for name in NAMES), *(("network", name) for name in NETWORKS)]
)
def test_the_same_image_where_the_input_lies(what: str, name: str, rows: dict[tuple[str, str], dict[str, Any]]) -> None:
    row = rows.get((what, name), rows["image", name])
    if "absent" in row:
        pytest.skip(row["absent"])
    assert "error" not in row, row["error"]
    assert row["where"] == pretend.NAME
    assert row["apart"] is not None
    assert row["apart"] <= 1e-6


@pytest.mark.parametrize("name", NETWORKS)
def test_another_word_for_a_device_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="device is one of cpu, cuda, auto, not 'gpu'"):
        registry.generators.get(name)(device="gpu")
