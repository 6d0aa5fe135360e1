"""The document's contract: one definition, checked at run time and published as a JSON Schema."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import sample
from ganiq.bench.document import Leaderboard
from ganiq.bench.errors import IntegrityError, UsageError
from ganiq.reports.contract import check, json_schema
from ganiq.reports.inputs import read


@pytest.fixture(scope="module")
def schema(request: pytest.FixtureRequest) -> dict[str, Any]:
    root = request.getfixturevalue("repository")
    return json.loads((root / "reports" / "schema" / "leaderboard-1.json").read_text())


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return sample.draw(sample.Options())[0]


def test_the_published_schema_is_that_of_the_types(schema: dict[str, Any]) -> None:
    assert schema == json_schema(Leaderboard, title="ganiq leaderboard, schema 1")
    jsonschema.Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("scored", [True, False])
def test_a_document_fits_both(schema: dict[str, Any], scored: bool) -> None:
    document = sample.draw(sample.Options(scored=scored))[0]
    jsonschema.Draft202012Validator(schema).validate(document)
    check(document, Leaderboard, "leaderboard.json")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("title",), 3),
        (("dataset", "n_items"), "80"),
        (("dataset", "n_items"), True),
        (("dataset", "score"), []),
        (("metrics",), {}),
        (("metrics", 0, "tier"), 1.5),
        (("metrics", 0, "better"), "up"),
        (("metrics", 0, "srocc_within", "value"), "0.9"),
        (("metrics", 0, "weights"), {"slot": 1}),
        (("settings", "headline"), "plcc"),
        (("agreement", "srocc", 0, 0), "x"),
        (("generators", 0, "ranks"), {"human": "first"}),
    ],
)
def test_a_damaged_document_fits_neither(
    schema: dict[str, Any], document: dict[str, Any], path: tuple, value: object
) -> None:
    damaged = copy.deepcopy(document)
    place = damaged
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    assert not jsonschema.Draft202012Validator(schema).is_valid(damaged)
    with pytest.raises(IntegrityError, match=r"belongs"):
        check(damaged, Leaderboard, "leaderboard.json")


def test_a_missing_key_is_named(schema: dict[str, Any], document: dict[str, Any]) -> None:
    damaged = copy.deepcopy(document)
    del damaged["metrics"][2]["rmse"]
    assert not jsonschema.Draft202012Validator(schema).is_valid(damaged)
    with pytest.raises(IntegrityError, match=r"metrics\[2\] has no 'rmse'"):
        check(damaged, Leaderboard, "leaderboard.json")


def test_reason_may_be_absent(document: dict[str, Any]) -> None:
    plain = copy.deepcopy(document)
    plain["metrics"][0]["rmse"] = {"value": 1, "low": None, "high": None}
    check(plain, Leaderboard, "leaderboard.json")


@pytest.mark.parametrize(
    ("content", "error", "says"),
    [
        (None, UsageError, "holds no leaderboard.json"),
        (b"{", IntegrityError, "not valid JSON"),
        (b"\xff", IntegrityError, "not valid JSON"),
        (b'{"x": NaN}', IntegrityError, "NaN is not JSON"),
        (b"[" * 200_000, IntegrityError, "not valid JSON"),
        (b"[]", IntegrityError, "not a leaderboard"),
        (b'{"kind": "ganiq-leaderboard", "schema": 2}', UsageError, "schema 2"),
        (b'{"kind": "ganiq-leaderboard", "schema": 1}', IntegrityError, "has no 'title'"),
    ],
)
def test_reading_says_what_is_wrong(tmp_path: Path, content: bytes | None, error: type[Exception], says: str) -> None:
    if content is not None:
        (tmp_path / "leaderboard.json").write_bytes(content)
    with pytest.raises(error, match=says):
        read(tmp_path)


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ("", "no column 'key'"),
        ("key,m\na,1\n", "no column 'score'"),
        ("key,score,m\na,1\n", "line 2 has 2 cells"),
        ("key,score,m\na,1,high\n", "'high' in column 'm'"),
    ],
)
def test_a_damaged_table_is_refused(tmp_path: Path, table: str, says: str) -> None:
    sample.write(tmp_path, sample.Options(metrics=2, references=3, generators=3))
    (tmp_path / "scores.csv").write_text(table)
    with pytest.raises(IntegrityError, match=says):
        read(tmp_path)


def test_items_are_read_as_numbers_and_gaps(tmp_path: Path) -> None:
    sample.write(tmp_path, sample.Options(metrics=2, references=3, generators=3))
    (tmp_path / "scores.csv").write_text("key,generator,score,m\n'=a,g,1.5,\nb,'h,,2e-3\nc,g,inf,1\n")
    items = read(tmp_path).items
    assert items.text["key"] == ["=a", "b", "c"]
    assert items.text["generator"] == ["g", "'h", "g"]
    assert items.text["family"] == ["", "", ""]
    assert items.score[0] == 1.5
    assert items.score[1] != items.score[1]
    assert items.score[2] != items.score[2]
    assert items.values["m"][1] == 0.002
