"""Reading finished runs: the leaderboard and every score, and where it is still at hand the data set itself."""

from __future__ import annotations

import hashlib
import importlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..document import Leaderboard, MetricRow
from ..errors import GaniqError, UsageError
from ..images import Gate
from ..manifest import Manifest
from .document import Source

OBSERVERS = "human scores: resampled observers"
"""How the leaderboard's note on intervals begins where votes were resampled."""


@dataclass(frozen=True)
class Run:
    """One finished run."""

    folder: Path
    board: Leaderboard
    text: dict[str, list[str]]
    """Columns of ``scores.csv`` that name things, row by row."""
    score: np.ndarray
    values: dict[str, np.ndarray]
    """Metric -> value per row; NaN where there is none."""
    limits: dict[str, np.ndarray]
    """The same with infinite values in their places: PSNR of a perfect copy."""
    source: Source
    manifest: Manifest | None
    """None where the data set is not at hand any more."""
    absent: str
    """Why it is not."""
    gate: Gate
    gallery: bool
    """Whether the run was allowed to show crops."""
    cells: dict[str, dict[str, list[int]]] = field(default_factory=dict)
    """Generator -> reference -> rows."""

    @property
    def names(self) -> list[str]:
        """The generators that are ranked on shared references."""
        return [row["name"] for row in self.board["generators"]]

    @property
    def references(self) -> list[str]:
        return self.board["generator_board"]["references"]

    @property
    def metrics(self) -> dict[str, MetricRow]:
        """Rows of per-image metrics by column, controls of the page left out."""
        return {row["name"]: row for row in self.board["metrics"] if row["needs"] != "set"}

    def means(self, values: np.ndarray, names: Sequence[str]) -> np.ndarray:
        """(references, generators) mean of each cell's items; NaN where one has no number."""
        with np.errstate(invalid="ignore"):
            return np.array([[np.mean(values[self.cells[g][r]]) for g in names] for r in self.references])

    def rows(self, name: str) -> list[int]:
        """A generator's images on the shared references."""
        return [n for r in self.references for n in self.cells[name][r]]


def read(folder: Path) -> Run:
    """Load what a finished run left in its folder.

    Raises:
        UsageError: the run is not finished, its files are incomplete, or of another version.
        IntegrityError: a file is damaged.
    """
    folder = Path(folder)
    if not (folder / "leaderboard.json").is_file() and (folder / "store.sqlite").is_file():
        raise UsageError(
            f"{folder}: the run is not finished, it has scores and no leaderboard.json; "
            "run the same `ganiq run` again to the end",
            code="E-CFG",
        )
    # By name: the harness knows no page. Its reader checks every key of the files.
    found = importlib.import_module(f"{__name__.split('.')[0]}.reports.inputs").read(folder)
    if not (folder / "scores.csv").is_file():
        raise UsageError(
            f"{folder}: there is a leaderboard.json and no scores.csv; the arena needs every image's scores, "
            "copy the file from where the run was made",
            code="E-CFG",
        )
    board: Leaderboard = found.board
    values = {name: np.array(column, float) for name, column in found.items.values.items()}
    text = {name: list(column) for name, column in found.items.text.items()}
    keys = text["key"]
    record = _record(folder)
    manifest, absent = _manifest(record, board)
    run = Run(
        folder=folder,
        board=board,
        text=text,
        score=np.array(found.items.score, float),
        values=values,
        limits=_limits(board, keys, values),
        source={
            "dataset": board["dataset"]["name"],
            "dataset_digest": board["dataset"]["digest"],
            "leaderboard_sha256": _sha(folder / "leaderboard.json"),
            "scores_sha256": _sha(folder / "scores.csv"),
        },
        manifest=manifest,
        absent=absent,
        gate=record.get("gate", Gate()),
        gallery=bool(record.get("gallery", True)),
    )
    for n, (generator, group) in enumerate(zip(run.text["generator"], run.text["group"], strict=True)):
        if generator:
            run.cells.setdefault(generator, {}).setdefault(group, []).append(n)
    return run


def contest(run: Run) -> None:
    """Refuse a run without a contest.

    Raises:
        UsageError: fewer than two generators, no shared references, or scores that belong to another board.
    """
    note = run.board["generator_board"]["note"]
    if len(run.names) < 2:
        raise UsageError(
            f"{run.folder}: {note or 'fewer than two generators are named'}; the arena compares two or more, "
            "name them in the column `generator` or use `ganiq compare`",
            code="E-CFG",
        )
    if not run.references:
        raise UsageError(
            f"{run.folder}: {note or 'the generators share no reference'}; the arena compares generators on the "
            "same inputs, give every one the same references",
            code="E-CFG",
        )
    if any(not run.cells.get(g, {}).get(r) for g in run.names for r in run.references):
        raise UsageError(
            f"{run.folder}: scores.csv and leaderboard.json are not of one run; run the same `ganiq run` again",
            code="E-CFG",
        )


def _limits(board: Leaderboard, keys: list[str], values: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Put infinite values back: ``scores.csv`` has a gap for them, the list of failures says which kind."""
    place = {key: n for n, key in enumerate(keys)}
    limits = {name: column.copy() for name, column in values.items()}
    for failure in board["failures"]:
        sign = {"E-VAL-INF": np.inf, "E-VAL-NINF": -np.inf}.get(failure["code"])
        if sign is not None and failure["metric"] in limits and failure["key"] in place:
            limits[failure["metric"]][place[failure["key"]]] = sign
    return limits


def _record(folder: Path) -> dict[str, Any]:
    """The settings in ``run.json``, with the command; empty where it is absent or not a record."""
    try:
        document = json.loads((folder / "run.json").read_bytes())
        sweep = document["sweep"]
        return {
            "argv": [str(word) for word in document.get("argv", [])],
            "data": str(sweep["data"]),
            "dataset": sweep.get("dataset"),
            "split": sweep.get("split"),
            "gallery": sweep.get("gallery", True),
            "gate": Gate(**sweep.get("gate", {})),
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, UsageError):
        return {}


def _manifest(record: dict[str, Any], board: Leaderboard) -> tuple[Manifest | None, str]:
    """The data set of the run, if it is where it was and still the same."""
    from ..datasets import load

    if not record:
        return None, "run.json does not say where the data set lies"
    try:
        models = _compared(record["argv"])
        if models is not None:
            from ..datasets.folder import folders

            manifest = folders(*models)
        else:
            options = {"split": record["split"]} if record["split"] else {}
            manifest = load(record["data"], record["dataset"], **options)
    except (GaniqError, OSError, ValueError):
        return None, "the data set is not at hand where the run found it"
    if manifest.digest != board["dataset"]["digest"]:
        return None, "the data set has changed since the run"
    return manifest, ""


def _compared(argv: list[str]) -> tuple[dict[str, Path], Path] | None:
    """Folders of models and of references of a ``ganiq compare``; None for any other command."""
    if argv[1:2] != ["compare"]:
        return None
    models: dict[str, Path] = {}
    reference, expected = "", ""
    for word in argv[2:]:
        if expected:
            reference = word if expected in ("--reference", "-r") else reference
            expected = ""
        elif word.startswith("--reference="):
            reference = word.partition("=")[2]
        elif word in ("--reference", "-r", "--out", "-o", "--metrics", "-m", "--workers"):
            expected = word
        elif "=" in word and not word.startswith("-"):
            name, _, folder = word.partition("=")
            models[name] = Path(folder)
    return models, Path(reference)


def _sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
