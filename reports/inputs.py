"""Reading the folder that a report is made from."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

from ..bench.cells import unguard
from ..bench.document import SCHEMA, Leaderboard, Timing
from ..bench.errors import IntegrityError, UsageError
from .contract import check

FIELDS = ("key", "group", "block", "generator", "distortion", "family", "role", "score")
"""Columns of ``scores.csv`` that are not metrics."""


@dataclass(frozen=True)
class Items:
    """``scores.csv`` by column; missing numbers are NaN."""

    text: Mapping[str, list[str]] = field(default_factory=dict)
    score: list[float] = field(default_factory=list)
    values: Mapping[str, list[float]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.score)


@dataclass(frozen=True)
class Inputs:
    """Everything a report knows."""

    folder: Path
    board: Leaderboard
    timing: Timing | None
    items: Items


def read(folder: Path) -> Inputs:
    """Load ``leaderboard.json``, ``timing.json`` and ``scores.csv``; the last two may be absent.

    Raises:
        UsageError: there is no leaderboard, or it is of a later version.
        IntegrityError: a file is not what it should be.
    """
    path = folder / "leaderboard.json"
    if not path.is_file():
        raise UsageError(f"{folder} holds no leaderboard.json; run `ganiq run` there first", code="E-CFG")
    board = _json(path)
    if not isinstance(board, dict) or board.get("kind") != "ganiq-leaderboard":
        raise IntegrityError(f"{path.name} is not a leaderboard document; write it again with `ganiq run`")
    if board.get("schema") != SCHEMA:
        raise UsageError(
            f"{path.name} has schema {board.get('schema')!r}, this version reads {SCHEMA}; use the matching ganiq",
            code="E-CFG",
        )
    check(board, Leaderboard, path.name)
    timing = None
    if (folder / "timing.json").is_file():
        timing = _json(folder / "timing.json")
        check(timing, Timing, "timing.json")
    items = _items(folder / "scores.csv") if (folder / "scores.csv").is_file() else Items()
    return Inputs(folder, cast(Leaderboard, board), cast("Timing | None", timing), items)


def _json(path: Path) -> Any:
    def refuse(literal: str) -> float:
        raise ValueError(f"{literal} is not JSON")

    try:
        return json.loads(path.read_bytes().decode("utf-8"), parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise IntegrityError(f"{path.name} is not valid JSON ({error}); write it again with `ganiq run`") from None


def _items(path: Path) -> Items:
    with path.open(encoding="utf-8", errors="backslashreplace", newline="") as file:
        rows = list(csv.reader(file))
    header = rows[0] if rows else []
    if missing := [name for name in ("key", "score") if name not in header]:
        raise IntegrityError(f"{path.name} has no column {missing[0]!r}; write it again with `ganiq run`")
    for number, row in enumerate(rows[1:], start=2):
        if len(row) != len(header):
            raise IntegrityError(
                f"{path.name} line {number} has {len(row)} cells, the header {len(header)}; write it again"
            )
    columns = dict(zip(header, zip(*rows[1:]), strict=True)) if len(rows) > 1 else dict.fromkeys(header, ())
    number = lru_cache(maxsize=65536)(lambda cell, column: _number(cell, column, path.name))
    text = {n: [unguard(c) for c in columns[n]] for n in FIELDS if n in columns and n != "score"}
    for name in FIELDS:
        if name != "score":
            text.setdefault(name, [""] * (len(rows) - 1))
    return Items(
        text=text,
        score=[number(c, "score") for c in columns["score"]],
        values={unguard(n): [number(c, n) for c in columns[n]] for n in header if n not in FIELDS},
    )


def _number(cell: str, column: str, file: str) -> float:
    if not cell:
        return math.nan
    try:
        value = float(cell)
    except ValueError:
        raise IntegrityError(
            f"{file} holds {cell[:40]!r} in column {column[:40]!r}, no number; write it again"
        ) from None
    return value if math.isfinite(value) else math.nan
