"""Every metric and every extractor on a device that is not the CPU: the CPU's numbers, where the images lie.

The device is the pretended one of tests/pretend.py, so that no graphics card is needed; on a computer that has one the
shipped suite tries every metric there, too (test_metric_conformance.py).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pretend
import pytest
from ganiq.bench import registry
from pretend_trials import outcomes

CLOSE = 1e-6
"""Of the largest number. Most are equal to the last bit; convolutions may take channels in another order."""
Rows = Callable[[str], dict[tuple[str, str], dict[str, Any]]]


@pytest.fixture(scope="module")
def rows() -> Rows:
    """Trials of a kind, made when they are first asked for."""
    made: dict[str, dict[tuple[str, str], dict[str, Any]]] = {}

    def get(kind: str) -> dict[tuple[str, str], dict[str, Any]]:
        if kind not in made:
            made[kind] = {(row["what"], row["name"]): row for row in outcomes(kind)}
        return made[kind]

    return get


def agrees(row: dict[str, Any], where: str = pretend.NAME) -> None:
    if "absent" in row:
        pytest.skip(row["absent"])
    assert "error" not in row, row["error"]
    assert row["where"] == where
    assert row["numbers"] > 0
    assert row["apart"] is not None
    assert row["apart"] <= CLOSE


@pytest.mark.parametrize("count", [1, 2])
def test_metrics_give_the_same_numbers_where_the_images_lie(item_name: str, count: int, rows: Rows) -> None:
    row = rows(f"{registry.metrics.get(item_name).info.needs}s")[f"{count}", item_name]
    agrees(row)
    assert row["numbers"] == count


def test_metrics_of_sets_give_the_same_numbers(set_name: str, rows: Rows) -> None:
    agrees(rows("sets")["sets", set_name], where="")  # a float lies nowhere


@pytest.mark.parametrize("name", list(registry.extractors.builtin))
def test_extractors_give_the_same_features_where_the_images_lie(name: str, rows: Rows) -> None:
    row = rows("sets")["features", name]
    agrees(row)
    assert row["numbers"] == 2 * registry.extractors.get(name).info.dimensions


BAD = {
    "rooted": "found at least two devices",
    "grabbing": "can't convert",
    "fetching": "lie on cpu; leave them where the images are",
    "divided": "compute the same there",
}
"""Metrics that are wrong on a device -> words of the sentence."""


def test_metrics_that_are_wrong_on_a_device_are_caught() -> None:
    rows = {row["name"]: row for row in outcomes("bad")}
    assert {name for name, row in rows.items() if row["outcome"] == "failed"} == set(BAD)
    for name, words in BAD.items():
        assert words in rows[name]["sentence"]
        assert "\n" not in rows[name]["sentence"]
    assert {name for name, row in rows.items() if row["outcome"] == "passed"} == {"good", "good-set", "ssim", "kd-slkd"}
