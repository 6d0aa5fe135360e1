"""Finished runs written by hand: numbers in, the files of a run folder out, made by the code that makes real ones."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ganiq.bench.board import Inputs, ScoreTable, build
from ganiq.bench.board.scores import Column
from ganiq.bench.document import Failure, Provenance
from ganiq.bench.manifest import Manifest
from ganiq.bench.measure import measure
from ganiq.bench.run import dump
from ganiq.bench.sweep import Statistics
from ganiq.bench.types import DistortionClass, Item, Scale

Table = Mapping[str, Sequence[float]]
"""Generator -> one value per reference."""
RESAMPLES = 400
LAST: dict[Path, Manifest] = {}
"""Folder -> the manifest of the run that was written there."""


def write(
    folder: Path,
    metrics: Mapping[str, Table],
    human: Table | None = None,
    *,
    better: str = "higher",
    title: str = "By hand",
    name: str = "by-hand",
    order: Sequence[int] | None = None,
    attrs: Mapping[str, Mapping[str, str]] | None = None,
    draws: np.ndarray | None = None,
    families: Mapping[str, str] | None = None,
    gate: Mapping[str, str] | None = None,
    level: float = 0.95,
    references: Sequence[str] | None = None,
    without: Collection[tuple[str, int]] = (),
) -> Path:
    """Write leaderboard, scores and record of a run whose scores are given.

    Args:
        folder: to write.
        metrics: scores by metric; names are those of real metrics, with their directions.
        human: scores by people.
        better: which end of the human scale is good.
        title: of the run.
        name: of the data set.
        order: of the rows, to show that it does not matter.
        attrs: generator -> attributes of its items.
        draws: (B, generators, references) human scores refitted on other observers.
        families: generator -> ``gan`` or ``traditional``.
        gate: options that enter the metrics' identities.
        level: of the intervals.
        references: names of the references.
        without: (generator, number of reference) of the images that are missing.
    """
    generators = list(next(iter(metrics.values())))
    count = len(next(iter(metrics.values()))[generators[0]])
    groups = list(references or (f"photo{r:02d}" for r in range(count)))
    cells = [(g, r) for r in range(count) for g in range(len(generators))]
    cells = [cells[n] for n in order] if order is not None else cells
    cells = [(g, r) for g, r in cells if (generators[g], r) not in without]
    items = tuple(
        Item(
            key=f"{generators[g]}/{groups[r]}",
            image=f"{g}/{r}.png",
            reference=f"ref/{r}.png",
            generator=generators[g],
            distortion=(families or {}).get(generators[g], ""),
            group=groups[r],
            block=groups[r],
            score=None if human is None else float(human[generators[g]][r]),
            attrs=dict((attrs or {}).get(generators[g], {})),
        )
        for g, r in cells
    )
    manifest = Manifest(
        name,
        items,
        folder / "data",
        title=title,
        scale=None if human is None else Scale("MOS", better, comparable="everywhere"),  # type: ignore[arg-type]
        classes=tuple(DistortionClass(f, f, f) for f in sorted(set((families or {}).values()))),  # type: ignore[arg-type]
        draws=None if draws is None else np.stack([draws[:, g, r] for g, r in cells], axis=1),
    )
    values = {text: [table[generators[g]][r] for g, r in cells] for text, table in metrics.items()}
    return save(folder, manifest, values, gate=gate, level=level, title=title)


def save(
    folder: Path,
    manifest: Manifest,
    metrics: Mapping[str, Sequence[float]],
    *,
    gate: Mapping[str, str] | None = None,
    level: float = 0.95,
    title: str = "",
) -> Path:
    """Write the run of a manifest whose scores are given, one per item and metric."""
    measures = [measure(text, gate) for text in metrics]
    failures: list[Failure] = []
    columns = {}
    for m, given in zip(measures, metrics.values(), strict=True):
        values = np.array(given, float)
        column = Column.of(m.column, m.info.better, values)
        for n, value in enumerate(values):
            if np.isinf(value):
                column.infinite[n] = value
                code = "E-VAL-INF" if value > 0 else "E-VAL-NINF"
                key = manifest.items[n].key
                failures.append({"key": key, "metric": m.column, "status": "nonfinite", "code": code, "detail": code})
        columns[m.column] = column
    provenance: Provenance = {
        "ganiq": "0", "schema": 1, "packages": {}, "torchvision": "", "dataset_digest": manifest.digest,
        "metric_digests": {m.column: m.digest for m in measures}, "weights": {}, "plugins": [],
        "counts": {"ok": len(manifest.items)}, "imports": [],
    }  # fmt: skip
    table = ScoreTable(manifest, columns)
    board = build(
        Inputs(
            table=table,
            measures=measures,
            statistics=Statistics(level=level, resamples=RESAMPLES, seed=0),
            gate=dict(gate or {}),
            sizes={},
            provenance=provenance,
            failures=failures,
            title=title,
        )
    )
    folder.mkdir(parents=True, exist_ok=True)
    LAST[folder] = manifest
    (folder / "leaderboard.json").write_text(dump(board), encoding="utf-8")
    families = {c.code: c.family or "" for c in manifest.classes}
    (folder / "scores.csv").write_text(table.csv(families), encoding="utf-8")
    record = {"argv": ["ganiq", "run"], "sweep": {"data": str(manifest.root)}}
    (folder / "run.json").write_text(json.dumps(record), encoding="utf-8")
    return folder


def with_images(folder: Path, out: Path, *, seconds: bool = True, references: int = 9, scored: bool = True) -> Path:
    """A small data set of real pictures, scored by ``ganiq run``'s own code."""
    from ganiq.bench import run as runs
    from ganiq.bench.datasets import load
    from ganiq.bench.sweep import build as sweep
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(5)
    head = ["image", "reference", "generator", *(["score"] if scored else []), *(["seconds"] if seconds else [])]
    lines = [",".join(head)]
    for r in range(references):
        base = rng.integers(0, 255, (20, 22, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1).astype(float)
        Image.fromarray(base.astype(np.uint8)).save(folder / f"ref{r}.png")
        for g, (model, noise) in enumerate((("fine", 4), ("fair", 9), ("poor", 25))):
            made = (base + rng.normal(0, noise + r / 4, base.shape)).clip(0, 255).astype(np.uint8)
            Image.fromarray(made).save(folder / f"{model}{r}.png")
            cells = [f"{model}{r}.png", f"ref{r}.png", model]
            cells += [f"{5 - g + rng.normal(0, 0.3):.3f}"] if scored else []
            cells += [f"{(3, 0.2, 0.5)[g]}"] if seconds else []
            lines.append(",".join(cells))
    (folder / "items.csv").write_text("\n".join(lines) + "\n")
    if scored:
        (folder / "items.toml").write_text('[score]\nkind = "MOS"\nbetter = "higher"\n')
    document: dict[str, Any] = {
        "data": folder, "out": out, "metrics": ["psnr", "ssim", "gmsd"], "engine": {"kind": "serial"},
        "statistics": {"resamples": RESAMPLES},
    }  # fmt: skip
    runs.run(sweep(document), load(folder))
    return out
