"""Guarded cells: no formula at their beginning, and every text comes back from every table."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from ganiq.bench.board.scores import Column, ScoreTable
from ganiq.bench.cells import FORMULA, guard, unguard
from ganiq.bench.manifest import Manifest
from ganiq.bench.store.export import table
from ganiq.bench.types import Item
from ganiq.reports import inputs
from hypothesis import example, given, settings
from hypothesis import strategies as st

ANYTHING = st.text(st.characters(), max_size=50)  # lone surrogates included
BEGINNINGS = st.text(st.sampled_from([*FORMULA, "'", '"', ",", "a"]), max_size=6)
WRITABLE = BEGINNINGS | st.text(st.characters(exclude_categories=("Cs",)), max_size=20)


@given(ANYTHING | BEGINNINGS)
@example("'=1")
@example("''=1")
@example("''")
@example("'")
def test_every_text_comes_back(text: str) -> None:
    assert unguard(guard(text)) == text
    assert not guard(text).startswith(FORMULA)


@given(ANYTHING | BEGINNINGS, ANYTHING | BEGINNINGS)
def test_two_texts_never_share_a_cell(one: str, other: str) -> None:
    assert (guard(one) == guard(other)) == (one == other)


@pytest.mark.parametrize("text", ["", "a", "4", "ssim(window=7)", "naïve", " =1", "a'b", "a=b", '"'])
def test_ordinary_text_is_written_as_it_is(text: str) -> None:
    assert guard(text) == text == unguard(text)


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "\nx", "\0x", "'x", "'=1"])
def test_an_apostrophe_stands_before_formulas_and_apostrophes(text: str) -> None:
    assert guard(text) == "'" + text


@pytest.mark.parametrize("cell", ["'x", "'", "=1"])
def test_a_cell_that_no_guard_made_comes_back_as_it_is(cell: str) -> None:
    assert unguard(cell) == cell


@settings(deadline=None)
@given(st.lists(st.lists(WRITABLE, min_size=2, max_size=2), max_size=4))
def test_exported_tables_bring_every_text_back(rows: list[list[str]]) -> None:
    found = list(csv.reader(io.StringIO(table(("a", "b"), rows).decode(), newline="")))
    assert [[unguard(cell) for cell in row] for row in found] == [["a", "b"], *rows]


@settings(deadline=None)
@given(st.lists(WRITABLE.filter(bool), min_size=1, max_size=4, unique=True), WRITABLE.filter(bool))
@example(["a\rb", "'=1"], "=metric")
def test_scores_csv_brings_every_name_back(
    tmp_path_factory: pytest.TempPathFactory, names: list[str], metric: str
) -> None:
    items = tuple(
        Item(key=name, image=f"{n}.png", group=name, generator=name, distortion=name) for n, name in enumerate(names)
    )
    scores = ScoreTable(Manifest("set", items, Path()), {})
    column = f"{metric} (imported)"
    scores.columns[column] = Column.of(column, "higher", np.arange(len(items), dtype=float) - 1.5)
    place = tmp_path_factory.mktemp("cells") / "scores.csv"
    place.write_bytes(scores.csv({}).encode())
    found = inputs._items(place)
    for field in ("key", "group", "generator", "distortion"):
        assert found.text[field] == names
    assert found.values[column] == scores.columns[column].values.tolist()
