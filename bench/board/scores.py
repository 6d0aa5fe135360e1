"""The table that statistics are made from: one row per item, one column per metric, a reason for every gap."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..cells import guard
from ..manifest import Manifest
from ..types import Better, Item, Status


@dataclass
class Column:
    """One metric over all items of a manifest."""

    name: str
    better: Better
    values: np.ndarray
    """One per item; NaN where there is no number."""
    status: list[Status | None] = field(default_factory=list)
    """One per item; None where nothing was ever attempted."""
    details: dict[int, str] = field(default_factory=dict)
    """Item index -> reason, for every row that has no number."""
    seconds: list[float] = field(default_factory=list)
    infinite: dict[int, float] = field(default_factory=dict)
    """Item index -> +inf or -inf. Left out of means and correlations, but not of orders: PSNR of a perfect
    restoration is better than any finite one."""

    @property
    def limits(self) -> np.ndarray:
        """Values with the infinite ones in their places."""
        filled = self.values.copy()
        for n, value in self.infinite.items():
            filled[n] = value
        return filled

    @property
    def oriented(self) -> np.ndarray:
        """Values with the direction removed: higher is better."""
        return self.values if self.better == "higher" else -self.values

    def count(self, status: Status, rows: Sequence[int]) -> int:
        return sum(1 for n in rows if n < len(self.status) and self.status[n] == status)

    @classmethod
    def of(cls, name: str, better: Better, values: Sequence[float] | np.ndarray) -> Column:
        """A column that was not scored by the suite: a control, an import."""
        numbers = np.asarray(values, float)
        status: list[Status | None] = ["ok" if math.isfinite(v) else None for v in numbers]
        return cls(name, better, np.where(np.isfinite(numbers), numbers, np.nan), status)


@dataclass
class ScoreTable:
    """A manifest with its columns."""

    manifest: Manifest
    columns: dict[str, Column] = field(default_factory=dict)

    @property
    def outputs(self) -> list[int]:
        """Indices of the items that count for agreement: outputs, not references."""
        return [n for n, item in enumerate(self.manifest.items) if item.role == "output"]

    def csv(self, families: Mapping[str, str]) -> str:
        """``scores.csv``: identity columns, the human score, then every metric; empty where there is no number."""
        out = io.StringIO()
        # A carriage return in a cell is quoted only where lines end in one, too.
        writer = csv.writer(_Lines(out), lineterminator="\r\n")
        names = list(self.columns)
        fixed = ("key", "group", "block", "generator", "distortion", "family", "role", "score")
        writer.writerow([*fixed, *map(guard, names)])
        for n, item in enumerate(self.manifest.items):
            writer.writerow(
                [
                    *map(guard, (item.key, item.group, item.block, item.generator, item.distortion)),
                    guard(family(item, families)), item.role,
                    "" if item.score is None else repr(item.score),
                    *(_text(self.columns[name].values[n]) for name in names),
                ]
            )  # fmt: skip
        return out.getvalue()


class _Lines:
    """What ``csv`` writes, line by line, with the ends of lines as on Unix."""

    def __init__(self, out: io.StringIO) -> None:
        self.out = out

    def write(self, line: str) -> None:
        self.out.write(f"{line[:-2]}\n")


def family(item: Item, families: Mapping[str, str]) -> str:
    """``gan``, ``traditional`` or empty: what the item says, else what its distortion class says."""
    return item.attrs.get("family") or families.get(item.distortion, "")


def _text(value: float) -> str:
    return repr(float(value)) if math.isfinite(value) else ""
