"""docs/parity.md: every promise is measured again, and the page says what the tests hold."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ganiq.bench import registry
from parity import card, cases
from parity.cases import Absent
from parity.row import Found, Promise, Row, installed, largest
from parity.table import TABLE, UNVERIFIED


def hold(row: Row, *, all: bool) -> None:
    try:
        found, double = row.measure(all=all)
    except Absent as reason:
        pytest.skip(str(reason))
    assert row.promise is None or found.keeps(row.promise), f"{row}: {found}, promised {row.promise}"
    if row.double:
        assert double is not None and double.keeps(row.double), f"{row}: {double}, promised {row.double} in float64"


@pytest.mark.parametrize("row", [row for row in TABLE if row.sets(all=False)], ids=str)
def test_promise(row: Row) -> None:
    hold(row, all=False)


@pytest.mark.slow
@pytest.mark.parametrize("row", [row for row in TABLE if row.sets(all=True) != row.sets(all=False)], ids=str)
def test_promise_on_all_cases(row: Row) -> None:
    hold(row, all=True)


# --------------------------------------------------------------------------------- the page


@pytest.fixture(scope="module")
def page(repository: Path) -> str:
    return (repository / "docs" / "parity.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def lines(page: str) -> list[list[str]]:
    """Cells of the tables of comparisons."""
    rows = [[cell.strip() for cell in text.strip("|").split("|")] for text in page.splitlines() if text.startswith("|")]
    return [row for row in rows if len(row) == 8 and row[0].startswith("`")]


def test_the_page_promises_what_the_tests_hold(lines: list[list[str]]) -> None:
    written = [card.promised(line) for line in lines]
    held = [card.promised(card.line(row, "", "")) for row in TABLE]
    assert sorted(written) == sorted(held), "docs/parity.md is out of date: run make parity"


def number(text: str, promise: str) -> float:
    """The error that a promise is about."""
    found = re.search(r"\(([^ ]+) absolute\)", text) if "absolute" in promise else re.match(r"[^ ]+", text)
    assert found is not None, text
    return float(found[1] if found.lastindex else found[0])


def test_no_error_on_the_page_exceeds_its_promise(lines: list[list[str]]) -> None:
    compared = 0
    for _, _, _, error, promise, double, promise64, _ in lines:
        for found, wanted in ((error, promise), (double, promise64)):
            if wanted not in ("–", "none yet") and not found.startswith("not measured here"):
                assert number(found, wanted) <= float(wanted.split()[0])
                compared += 1
    assert compared > 100


def test_no_metric_is_passed_over(page: str) -> None:
    """A new metric gets a row, or the words why nothing can be compared."""
    said = {row.name for row in TABLE} | UNVERIFIED.keys()
    assert [name for name in registry.metrics.builtin if name not in said] == []
    assert UNVERIFIED.keys() <= registry.metrics.builtin.keys()
    words = " ".join(page.split())
    assert all(f"* `{name}`: {text}" in words for name, text in UNVERIFIED.items())


def test_stand_ins_and_foreign_code_are_called_so() -> None:
    for row in TABLE:
        assert ("stand-in weights" in row.note) is row.stand_in
        assert ("previous measurement" in row.against) <= all(name.startswith("five crops") for name in row.on)


# --------------------------------------------------------------------------------- the measuring


def test_a_broken_promise_is_seen() -> None:
    row = next(row for row in TABLE if row.metric == "mse")
    small = replace(row, on=("near",))
    found, double = small.measure()
    assert found.keeps(row.promise) and double is None  # pyright: ignore[reportArgumentType]
    found, _ = replace(small, oracle=lambda case: row.oracle(case) * (1 + 1e-6)).measure()
    assert found.relative == pytest.approx(1e-6, rel=1e-3)
    assert not found.keeps(row.promise)  # pyright: ignore[reportArgumentType]
    found, _ = replace(small, oracle=lambda case: np.nan).measure()
    assert not found.keeps(Promise(relative=1e9))
    assert not found.keeps(Promise(absolute=1e9))


def test_errors_by_hand() -> None:
    pairs = [(1.1, 1.0), (2.0, 2.0), (-3.0, -4.0), (np.inf, np.inf)]
    found = largest([(np.array(a), np.array(b)) for a, b in pairs])
    assert (found.count, found.relative, found.absolute) == (4, 0.25, 1.0)
    assert largest([(np.array(1e-9), np.array(0.0))]) == Found(1, np.inf, 1e-9)
    vectors = np.array([1.0, 10.0]), np.array([2.0, 10.0])
    assert largest([vectors]).relative == pytest.approx(0.1)
    with pytest.raises(AssertionError, match="shapes"):
        largest([(np.zeros(2), np.zeros(3))])


def test_what_is_absent_is_said() -> None:
    row = next(row for row in TABLE if row.metric == "mse")
    with pytest.raises(Absent, match="no-such-package is not installed"):
        replace(row, packages=("no-such-package",)).measure()
    assert installed("no-such-package") == ""
    with pytest.raises(AssertionError, match="no case"):
        replace(row, metric="iw-ssim", on=("small",)).measure()


OFF_THE_GRID = ("five crops", "large", "unrelated", "odd noise")
"""Sets whose values are not those of 8-bit images, or that would take long here."""


def test_cases_are_what_they_are_called() -> None:
    near = cases.get("near")
    assert [int(((c.image - c.reference).abs() > 1e-9).sum()) for c in near] == [
        1,
        pytest.approx(near[1].image.numel() / 100, rel=0.1),
        pytest.approx(near[2].image.numel() / 3, rel=0.02),  # some are 255 already
    ]
    assert all(float((c.image - c.reference).abs().max()) < 1.001 / 255 for c in near)
    for name in cases.SETS:
        if name.startswith("TID") or "features" in name or name in OFF_THE_GRID:
            continue
        for case in cases.get(name):
            assert float((case.image * 255 - (case.image * 255).round()).abs().max()) < 1e-9, case.name
            assert case.image.shape == case.reference.shape
