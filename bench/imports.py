"""Scores made by any other tool, brought to the same board and marked as imported.

A table (CSV or Parquet) with the columns ``item``, ``metric``, ``value`` and, once per metric at least,
``better`` (``higher`` or ``lower``). ``item`` is a manifest key or an image path.
"""

from __future__ import annotations

import csv
import hashlib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from . import registry
from .errors import UsageError
from .manifest import Manifest
from .types import Better


@dataclass(frozen=True, slots=True)
class Imported:
    """One imported metric: a value per item key."""

    name: str
    better: Better
    values: Mapping[str, float]
    file: str
    sha256: str
    unknown: int
    """Rows whose item is not in the manifest; they are counted and left out."""


def read(path: Path, manifest: Manifest) -> list[Imported]:
    """Read one table of scores.

    Raises:
        UsageError: unreadable table, missing column, a value that is no number, an item scored twice, a metric
            without direction, or no row that matches the manifest.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror}); check the path", code="E-CFG") from None
    rows = _parquet(path) if path.suffix == ".parquet" else _csv(path, content)
    places = {item.image: item.key for item in manifest.items} | {item.key: item.key for item in manifest.items}
    values: dict[str, dict[str, float]] = {}
    better: dict[str, str] = {}
    unknown: dict[str, int] = {}
    for line, row in rows:
        name, item = row["metric"].strip(), row["item"].strip()
        if not name:
            raise UsageError(f"{path.name} line {line}: the metric is empty; name it", code="E-CFG")
        if row.get("better"):
            way = row["better"].strip().lower()
            if way not in ("higher", "lower") or better.setdefault(name, way) != way:
                raise UsageError(
                    f"{path.name} line {line}: `better` of {name} must be higher or lower, the same in every row",
                    code="E-CFG",
                )
        if item not in places:
            unknown[name] = unknown.get(name, 0) + 1
            values.setdefault(name, {})
            continue
        try:
            value = float(row["value"]) if row["value"].strip() else math.nan
        except ValueError:
            raise UsageError(
                f"{path.name} line {line}: {row['value']!r} is not a number; leave the cell empty if there is none",
                code="E-CFG",
            ) from None
        if places[item] in values.setdefault(name, {}):
            raise UsageError(f"{path.name} line {line}: {item} has a second {name}; keep one", code="E-CFG")
        values[name][places[item]] = value
    if not any(values.values()):
        raise UsageError(
            f"{path.name}: none of its items is in {manifest.name}; the column `item` must hold keys such as "
            f"{manifest.items[0].key!r} or image paths",
            code="E-CFG",
        )
    sha = hashlib.sha256(content).hexdigest()
    imported = []
    for name, scores in values.items():
        if name not in better:
            if name not in registry.metrics:
                raise UsageError(
                    f"{path.name}: which way is {name} better? add a column `better` with higher or lower",
                    code="E-CFG",
                )
            better[name] = registry.metrics.get(name).info.better
        known: Better = "higher" if better[name] == "higher" else "lower"
        imported.append(Imported(name, known, scores, path.name, sha, unknown.get(name, 0)))
    return imported


def _csv(path: Path, content: bytes) -> Iterable[tuple[int, dict[str, str]]]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"{path.name}: is not UTF-8 text; save it as UTF-8 CSV or as Parquet", code="E-CFG") from None
    reader = csv.DictReader(text.splitlines(), strict=True)
    _columns(path, reader.fieldnames or [])
    try:
        for row in reader:
            if None in row or None in row.values():
                raise UsageError(f"{path.name} line {reader.line_num}: wrong number of cells", code="E-CFG")
            yield reader.line_num, row
    except csv.Error as error:
        raise UsageError(f"{path.name} line {reader.line_num}: {error}; correct the file", code="E-CFG") from None


def _parquet(path: Path) -> Iterable[tuple[int, dict[str, str]]]:
    import pandas as pd

    try:
        frame = pd.read_parquet(path)
    except ImportError:
        raise UsageError(f"{path.name}: reading Parquet needs pyarrow; `pip install pyarrow` or use CSV") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{path.name}: not readable as Parquet ({error})", code="E-CFG") from None
    _columns(path, list(frame.columns))
    for line, row in enumerate(frame.to_dict("records"), 1):
        yield line, {str(k): "" if v is None or v != v else str(v) for k, v in row.items()}


def _columns(path: Path, names: Iterable[str]) -> None:
    missing = [c for c in ("item", "metric", "value") if c not in names]
    if missing:
        raise UsageError(
            f"{path.name}: the column{'s' * (len(missing) > 1)} {', '.join(missing)} missing; "
            "a score table has item, metric, value and better",
            code="E-CFG",
        )
