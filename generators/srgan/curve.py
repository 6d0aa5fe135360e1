"""The figure of a training: what its log says, stage by stage."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

from ...bench.atomic import write_bytes

_PANELS = (
    ("Pixel loss", ("pixel",)),
    ("Feature and lattice loss", ("feature", "lattice")),
    ("Adversarial and critic loss", ("adversarial", "critic")),
    ("PSNR of held-out squares (dB)", ("held_out",)),
)


def lines(log: Path) -> list[dict[str, Any]]:
    """The entries of a log; none if there is no file."""
    if not log.is_file():
        return []
    return [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]


def draw(log: Path, target: Path) -> None:
    """Draw the log's entries into a PNG file."""
    from matplotlib.figure import Figure

    entries = lines(log)
    figure = Figure(figsize=(10, 6), layout="constrained")
    for axes, (title, names) in zip(figure.subplots(2, 2).flat, _PANELS, strict=True):
        for name in names:
            points = [(entry["step"], entry[name]) for entry in entries if name in entry]
            if points:
                axes.plot(*zip(*points), label=name.replace("_", " "), linewidth=1)
        if changes := [entry["step"] for entry in entries if entry["stage"] == "gan"]:
            axes.axvline(changes[0], color="0.6", linewidth=0.8, linestyle="--")
        if len(names) > 1 and axes.lines:
            axes.legend(frameon=False)
        axes.set_title(title, fontsize=10)
        axes.set_xlabel("step")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, metadata={"Software": ""})
    write_bytes(target, buffer.getvalue())
