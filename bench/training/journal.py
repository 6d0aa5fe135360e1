"""The log of a training: one JSON line per epoch, cut back to where the state stands; and the curve drawn from it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from ..atomic import explained


class Journal:
    """``log.jsonl`` of a folder."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "log.jsonl"

    @property
    def position(self) -> int:
        """Bytes written."""
        return self.path.stat().st_size if self.path.is_file() else 0

    def cut(self, position: int) -> None:
        """Forget what was written after the state was saved, and begin a new line after a broken one."""
        with explained(self.path):
            if self.position > position:
                os.truncate(self.path, position)
            if self.position and not self.path.read_bytes().endswith(b"\n"):
                with self.path.open("ab") as file:
                    file.write(b"\n")

    def write(self, entry: dict[str, Any]) -> None:
        with explained(self.path), self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry, allow_nan=False) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def read(self) -> list[dict[str, Any]]:
        """The entries; nothing is learnt from them, so that a damaged line is left out and stops nobody."""
        if not self.path.is_file():
            return []
        found = []
        for line in self.path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if isinstance(entry, dict) and "stage" in entry and isinstance(entry.get("terms"), dict):
                found.append(entry)
        return found


def draw(entries: list[dict[str, Any]], path: Path, title: str) -> None:
    """Loss of every term and agreement on the validation split, over all stages."""
    import io

    from matplotlib.figure import Figure

    from ..atomic import write_bytes

    figure = Figure(figsize=(8, 5.5), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True)
    places = list(range(1, len(entries) + 1))
    for name in sorted({n for e in entries for n in e["terms"]}):
        points = [(p, e["terms"][name]) for p, e in zip(places, entries) if e["terms"].get(name, 0) > 0]
        if points:
            upper.plot(*zip(*points), marker=".", label=name)
    points = [(p, e["valid"]) for p, e in zip(places, entries) if e.get("valid") is not None]
    if points:
        lower.plot(*zip(*points), marker=".", color="black")
    for place, (entry, before) in enumerate(zip(entries[1:], entries)):
        if entry["stage"] != before["stage"]:
            for axis in (upper, lower):
                axis.axvline(place + 1.5, color="0.7", linewidth=0.8)
    upper.set_yscale("log")
    upper.set_ylabel("mean loss")
    upper.set_title(title)
    if upper.lines:
        upper.legend(fontsize=8, ncols=3)
    lower.set_ylabel("validation SROCC")
    lower.set_xlabel("epoch")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=120)
    write_bytes(path, buffer.getvalue())
