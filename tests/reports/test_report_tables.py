"""The CSV files: safe in a spreadsheet, and the same numbers when read back."""

from __future__ import annotations

import csv
import io
from typing import Any, cast

import pandas as pd
import pytest
import sample
from ganiq.bench.document import Leaderboard
from ganiq.reports.tables import STATISTICS, generators_csv, metrics_csv

BAD = {
    "signal-ratio": "=cmd|' /C calc'!A0",
    "model-01": "+1;=2",
    "model-02": "-model",
    "model-03": "@x",
    "model-04": "\tx",
}


@pytest.fixture(scope="module")
def board() -> Leaderboard:
    return cast(Leaderboard, sample.draw(sample.Options(names=BAD))[0])


def test_metrics_round_trip(board: Leaderboard) -> None:
    table = pd.read_csv(io.StringIO(metrics_csv(board)))
    rows: list[Any] = [*board["metrics"], *board["controls"], *board["published"]]
    assert len(table) == len(rows)
    assert list(table["part"]) == ["metric"] * 16 + ["control"] * 4 + ["published"]
    for name in STATISTICS:
        for end, key in (("", "value"), (" low", "low"), (" high", "high")):
            wanted = [row[name][key] for row in rows]
            assert [None if pd.isna(v) else v for v in table[name + end]] == wanted
    assert set(table["class c1 n"].dropna()) == {32}


def test_generators_round_trip(board: Leaderboard) -> None:
    table = pd.read_csv(io.StringIO(generators_csv(board)))
    assert list(table["human"]) == [row["human"]["value"] for row in board["generators"]]
    assert list(table["structure"]) == [row["metrics"]["structure"]["value"] for row in board["generators"]]
    assert list(table["structure rank"]) == [row["ranks"]["structure"] for row in board["generators"]]


@pytest.mark.parametrize("make", [metrics_csv, generators_csv])
def test_no_text_cell_is_a_formula_and_no_number_is_text(board: Leaderboard, make: Any) -> None:
    content = make(board)
    for line in csv.reader(io.StringIO(content)):
        for cell in line:
            try:
                float(cell)
            except ValueError:
                assert not cell.startswith(("=", "+", "-", "@", "\t", "\r", "\0"))
    # Quoted, so that a semicolon is no cell border anywhere.
    assert '"\'+1;=2"' in content or make is metrics_csv
    assert any(cell.startswith("-") for line in csv.reader(io.StringIO(metrics_csv(board))) for cell in line)


def test_empty_boards_give_a_header_or_nothing(board: Leaderboard) -> None:
    empty = cast(Leaderboard, board | {"metrics": [], "controls": [], "published": [], "generators": []})
    assert metrics_csv(empty).strip() == ""
    assert generators_csv(empty).strip() == ""
