"""The two boards as CSV, for spreadsheets and papers."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Mapping, Sequence

from ..bench.cells import guard
from ..bench.document import Cell, GeneratorRow, Leaderboard, MetricRow

STATISTICS = ("srocc_within", "srocc_pooled", "krocc", "plcc_raw", "plcc_fit", "rmse", "two_way")

Value = str | int | float | None


def metrics_csv(board: Leaderboard) -> str:
    """One row per metric, control and published column; every statistic with its interval and reason."""
    rows = [
        _metric(row, part, board)
        for part, rows in (
            ("metric", board["metrics"]),
            ("control", board["controls"]),
            ("published", board["published"]),
        )
        for row in rows
    ]
    if (limit := board.get("ceiling")) is not None:
        told: dict[str, Value] = {"part": "ceiling", "name": "ceiling", "title": limit["title"], "n_used": limit["n"]}
        for name in STATISTICS:
            told |= _cell(name, limit[name], reason=True) if name in limit else {}  # type: ignore[literal-required]
        rows.append(told | {"reason": limit["note"]})
    return _csv(rows)


def generators_csv(board: Leaderboard) -> str:
    """One row per generator: people's mean and tier, each metric's number, interval, rank and reason for a gap."""
    names = [m["name"] for m in board["metrics"] if any(m["name"] in g["metrics"] for g in board["generators"])]
    told = {n for n in names for g in board["generators"] if n in g["metrics"] and g["metrics"][n].get("reason")}
    return _csv([_generator(row, names, told) for row in board["generators"]])


def _metric(row: MetricRow, part: str, board: Leaderboard) -> dict[str, Value]:
    out: dict[str, Value] = {
        "part": part,
        "name": row["name"],
        "title": row["title"],
        "status": row["status"],
        "reason": row["reason"],
        "source": row["source"],
        "better": row["better"],
        "tier": row["tier"],
        "rank_best": row["rank"][0] if row["rank"] else None,
        "rank_worst": row["rank"][-1] if row["rank"] else None,
        "n_used": row["n_used"],
        "n_expected": row["n_expected"],
        "n_nonfinite": row["n_nonfinite"],
        "n_failed": row["n_failed"],
        "n_skipped": row["n_skipped"],
    }
    for name in STATISTICS:
        out |= _cell(name, row[name], reason=True)  # type: ignore[literal-required]
    spread = row["within"]
    out |= {
        "within_median": spread["median"],
        "within_p10": spread["p10"],
        "within_worst": spread["worst"],
        "within_worst_group": spread["worst_group"],
    }
    for column in board["classes"]:
        if cell := row["classes"].get(column["code"]):
            out |= _cell(f"class {column['code']}", cell["srocc"])
            out[f"class {column['code']} n"] = cell["n"]
            out[f"class {column['code']} spread"] = cell["spread"]
    return out | {"spec": row["spec"], "digest": row["digest"]}


def _generator(row: GeneratorRow, metrics: Sequence[str], told: Collection[str]) -> dict[str, Value]:
    """``told``: the metrics that have a column of reasons."""
    out: dict[str, Value] = {
        "name": row["name"],
        "title": row["title"],
        "distortion": row["distortion"],
        "family": row["family"],
        "n": row["n"],
        "human_tier": row["human_tier"],
        "human_rank": row["ranks"].get("human"),
    }
    out |= _cell("human", row["human"], reason=True)
    for name in metrics:
        if name in row["metrics"]:
            out |= _cell(name, row["metrics"][name], reason=name in told)
        out[f"{name} rank"] = row["ranks"].get(name)
    return out


def _cell(name: str, cell: Cell, *, reason: bool = False) -> dict[str, Value]:
    out: dict[str, Value] = {name: cell["value"], f"{name} low": cell["low"], f"{name} high": cell["high"]}
    return out | ({f"{name} reason": cell.get("reason", "")} if reason else {})


def _csv(rows: Sequence[Mapping[str, Value]]) -> str:
    """Text is quoted and guarded against formulas, numbers are neither; columns in order of appearance."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
    writer.writerow([guard(name) for name in columns])
    for row in rows:
        cells = (row.get(name) for name in columns)
        writer.writerow([guard(c) if isinstance(c, str) else "" if c is None else c for c in cells])
    return out.getvalue().encode("utf-8", "backslashreplace").decode()  # lone surrogates cannot be written
