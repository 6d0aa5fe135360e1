"""Seconds per image against agreement with people, and which metrics nothing beats on both."""

from __future__ import annotations

from dataclasses import dataclass

from ..bench.document import Leaderboard, Timing


@dataclass(frozen=True, slots=True)
class Price:
    name: str
    title: str
    seconds: float
    n: int
    agreement: float | None
    front: bool
    """No other metric is at least as fast and agrees more, or faster and agrees as much."""


def build(board: Leaderboard, timing: Timing | None) -> list[Price]:
    """Timed metrics, fastest first; empty where nothing was timed."""
    if timing is None:
        return []
    key = board["settings"]["headline"]
    rows = [
        (timing["metrics"][m["name"]], m[key]["value"], m)
        for m in board["metrics"]
        if m["name"] in timing["metrics"] and timing["metrics"][m["name"]]["seconds"] > 0
    ]
    rows.sort(key=lambda r: (r[0]["seconds"], -(r[1] if r[1] is not None else -9.0), r[2]["name"]))
    out, best = [], None
    for time, value, metric in rows:
        front = value is not None and (best is None or value > best)
        best = value if front else best
        out.append(Price(metric["name"], metric["title"], time["seconds"], time["n"], value, front))
    return out
