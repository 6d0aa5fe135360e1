"""The work of one unit: decode each file once, run every metric that is missing, send back numbers.

Runs in worker processes; a unit holds one reference and some of its outputs, so that the reference is
decoded once. Whatever goes wrong becomes a row with a reason: only a dying process can lose a unit, and
then the executor splits it until the guilty image and metric are alone.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .devices import exact
from .engine import failure
from .errors import Refusal
from .images import Gate, read
from .measure import least, make
from .spec import Spec
from .types import ItemResult, Needs, Picture, Score

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class File:
    """A file below the manifest's root, with the hash it had when the work was planned."""

    relative: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Task:
    """What a worker needs to know of a measure."""

    spec: Spec
    digest: str
    needs: Needs
    least: int
    bounds: tuple[float, float]
    dtype: str


@dataclass(frozen=True, slots=True)
class Cell:
    """One image and the indices of the unit's tasks that it lacks."""

    key: str
    image: File
    tasks: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Unit:
    """One reference (or none), some of its outputs, and what to compute."""

    key: str
    root: str
    reference: File | None
    cells: tuple[Cell, ...]
    tasks: tuple[Task, ...]
    gate: Gate = field(default_factory=Gate)
    device: str = "cpu"
    """Where metrics are computed, as torch calls it."""

    @property
    def size(self) -> int:
        """Number of scores that come out of it."""
        return sum(len(cell.tasks) for cell in self.cells)

    def split(self) -> list[Unit]:
        """One unit per image; for a single image, one per metric."""
        cell = self.cells[0]
        if len(self.cells) > 1:
            return [replace(self, key=f"{self.key}/{c.key}", cells=(c,)) for c in self.cells]
        if len(cell.tasks) > 1:
            return [replace(self, key=f"{self.key}/{t}", cells=(replace(cell, tasks=(t,)),)) for t in cell.tasks]
        return [self]


@cache
def _metric(spec: Spec) -> Any:
    return make(spec)


@dataclass
class Decoded:
    """One decoded file and its tensors by precision and device; metrics may remember what they made of a tensor."""

    pixels: np.ndarray
    picture: Picture
    tensors: dict[tuple[str, str], Tensor] = field(default_factory=dict)

    def tensor(self, dtype: str, device: str) -> Tensor:
        key = dtype, device
        if key not in self.tensors:
            self.tensors[key] = as_tensor(self.pixels, dtype, device)
        return self.tensors[key]


_last: tuple[tuple[str, str, Gate], Decoded] | None = None  # the reference decoded last


def _reference(unit: Unit) -> Decoded:
    global _last
    assert unit.reference is not None
    key = (unit.root, unit.reference.sha256, unit.gate)
    if _last is None or _last[0] != key:
        _last = (key, _read(unit, unit.reference))
    return _last[1]


def _read(unit: Unit, file: File) -> Decoded:
    root = Path(unit.root)
    return Decoded(*read(root / file.relative, shown=file.relative, sha256=file.sha256, gate=unit.gate, root=root))


def as_tensor(pixels: np.ndarray, dtype: str, device: str = "cpu") -> Tensor:
    """HxWx3 uint8 -> (1,3,H,W) in [0,1] on a device."""
    import torch

    if not pixels.flags.writeable:  # torch would warn that its tensors are
        pixels = pixels.copy()
    planar = torch.from_numpy(pixels).permute(2, 0, 1).contiguous()[None]
    # Divided before it is moved: a graphics card multiplies by the reciprocal, and the last bit differs.
    return (planar.to(getattr(torch, dtype)) / 255).to(device)


def score(unit: Unit) -> list[ItemResult]:
    """Compute a unit: one result per cell, whatever happens to any of them."""
    reference, refused = None, None
    if unit.reference is not None:
        try:
            reference = _reference(unit)
        except Refusal as error:
            refused = error
    with exact(unit.device):
        return [_cell(unit, cell, reference, refused) for cell in unit.cells]


def _cell(unit: Unit, cell: Cell, reference: Decoded | None, refused: Refusal | None) -> ItemResult:
    try:
        image = _read(unit, cell.image)
    except Refusal as error:
        return ItemResult(cell.key, refusal=(error.code, str(error)))
    against = unit.reference.sha256 if unit.reference else ""
    scores = []
    for index in cell.tasks:
        task = unit.tasks[index]
        pair = task.needs == "pair"
        blank = Score(task.digest, cell.image.sha256, against if pair else "", None)
        reason = _obstacle(task, image.pixels, reference.pixels if reference else None, refused, cell, unit)
        if reason:
            scores.append(replace(blank, status=reason[0], detail=reason[1]))
            continue
        scores.append(_measure(task, blank, image, reference if pair else None, unit.device))
    return ItemResult(
        cell.key, image=image.picture, reference=reference.picture if reference else None, scores=tuple(scores)
    )


def _obstacle(
    task: Task,
    pixels: np.ndarray,
    reference: np.ndarray | None,
    refused: Refusal | None,
    cell: Cell,
    unit: Unit,
) -> tuple[Any, str] | None:
    """Why this metric cannot be run on this image, as (status, detail)."""
    if task.needs == "pair":
        if refused is not None:
            return "failed", f"{refused.code} its reference cannot be used: {refused}"
        if reference is None:
            return "failed", (
                f"E-PAIR-MISSING {cell.image.relative}: no reference is named; not scored; "
                "name one in the manifest or use no-reference metrics"
            )
        if reference.shape != pixels.shape:
            assert unit.reference is not None
            (h, w), (rh, rw) = pixels.shape[:2], reference.shape[:2]
            return "failed", (
                f"E-PAIR-SIZE {cell.image.relative}: {w}x{h} pixels but its reference "
                f"{unit.reference.relative} has {rw}x{rh}; not scored; pair images of one size"
            )
    height, width = pixels.shape[:2]
    if min(height, width) < task.least:
        return "skipped", (
            f"E-IMG-SMALL {cell.image.relative}: {width}x{height} pixels, {task.spec.name} needs a shortest side "
            f"of {task.least}; not scored; use larger images or leave this metric out"
        )
    return None


def _measure(task: Task, blank: Score, image: Decoded, reference: Decoded | None, device: str) -> Score:
    import torch

    name = task.spec.name
    started = time.perf_counter()
    try:
        inputs = [one.tensor(task.dtype, device) for one in (image, reference) if one is not None]
        with torch.inference_mode():
            answer = _metric(task.spec)(*inputs)
        value = float(_single(answer))
    except Refusal as error:  # weights that vanished, or a gate inside the metric
        return replace(blank, status="failed", detail=str(error))
    except Exception as error:
        reason = failure(error).reason
        if reason == "died":  # the device takes no more work from this process: the executor gets another one
            raise
        if reason == "oom":
            return replace(blank, status="failed", detail=f"E-OOM {name}: out of memory ({_line(error)})")
        detail = f"E-METRIC-ERROR {name} raised {type(error).__name__}: {_line(error)}"
        return replace(blank, status="failed", detail=detail)
    seconds = time.perf_counter() - started
    if math.isnan(value):
        return replace(blank, status="nonfinite", detail="E-VAL-NAN", seconds=seconds)
    if math.isinf(value):
        return replace(blank, status="nonfinite", detail="E-VAL-INF" if value > 0 else "E-VAL-NINF", seconds=seconds)
    low, high = task.bounds
    if not low <= value <= high:
        detail = f"E-METRIC-ERROR {name} returned {value!r}, outside its declared bounds [{low}, {high}]"
        return replace(blank, status="failed", detail=detail, seconds=seconds)
    return replace(blank, value=value, seconds=seconds)


def _single(answer: Any) -> Any:
    import torch

    if not isinstance(answer, torch.Tensor) or answer.shape != (1,) or answer.is_complex():
        shape = tuple(answer.shape) if isinstance(answer, torch.Tensor) else type(answer).__name__
        raise TypeError(f"a tensor of shape (1,) was expected, got {shape}")
    return answer.item()


def _line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= 300 else text[:297] + "..."


def lost(unit: Unit, code: str, why: str) -> list[ItemResult]:
    """Rows for a unit that no worker could finish; it is atomic: one image, one metric."""
    results = []
    for cell in unit.cells:
        scores = tuple(
            Score(
                unit.tasks[i].digest,
                cell.image.sha256,
                unit.reference.sha256 if unit.reference and unit.tasks[i].needs == "pair" else "",
                None,
                "failed",
                f"{code} {cell.image.relative}: {unit.tasks[i].spec.name}: {why}",
            )
            for i in cell.tasks
        )
        results.append(ItemResult(cell.key, scores=scores))
    return results


def tasks_of(measures: Sequence[Any]) -> tuple[Task, ...]:
    """The picklable part of item measures."""
    return tuple(Task(m.spec, m.digest, m.info.needs, least(m.spec), m.info.bounds, m.info.dtype) for m in measures)
