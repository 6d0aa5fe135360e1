"""Whether a learned metric was trained on the pictures of a board: told by content, whatever the data set is called.

The file of a trained evaluator keeps a perceptual hash of every picture that it learnt from (training/export.py). Where
a metric of the board has such a file, every image that it has scored, and its reference, is hashed too and compared.
Hashes are kept beside the store, in ``features/phash-....json`` by the sha256 of the file, so that each file is decoded
once for this; without such a metric nothing is decoded. Of the evaluator's file only the head is read.

What a metric was trained on and keeps no hashes of is known by name alone (``MetricInfo.trained_on``).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from . import registry, weights
from .atomic import explained, write_text
from .board.overlap import Overlap
from .board.scores import ScoreTable
from .errors import Refusal
from .images import Gate, read
from .manifest import Manifest
from .measure import Measure, make
from .plan import Survey
from .progress import Progress
from .scoring import File
from .spec import digest
from .training.export import KIND
from .training.likeness import NEAR, phash
from .types import Item

Hashes = npt.NDArray[np.uint64]

LEAST_BITS = 16
"""Any picture with texture sets about half of the 64 bits, as they are compared with their median. Blank ones and plain
ramps set few, whatever they show, and look like one another."""
SAVE = 1000
"""Pictures between two records, so that an interrupted run does not begin anew."""
VERSION = 1


@dataclass(frozen=True, slots=True)
class _Known:
    """What an evaluator's file says of its training."""

    hashes: Hashes | None
    """(n,) sorted; None where it does not say."""
    people: bool


def overlaps(
    table: ScoreTable,
    measures: Sequence[Measure],
    found: Survey,
    gate: Gate,
    folder: Path,
    say: Progress,
) -> dict[str, Overlap]:
    """Column -> overlap, of the metrics whose files say what they were trained on.

    Only what a metric has scored counts, so that only images are decoded here that a worker has decoded before.

    Args:
        table: the scores.
        measures: metrics of the board.
        found: hashes of the files.
        gate: options of the image gate.
        folder: of the store; hashes are kept below it.
        say: told how far it is.

    Raises:
        UsageError, ResourceError: the hashes cannot be kept, see ``atomic.explained``.
    """
    knowing = {m.column: known for m in measures if m.column in table.columns and (known := _known(m)) is not None}
    manifest = table.manifest
    # Where people scored some images, the board speaks of these: others beside them must not hide an overlap.
    rows = [n for n in table.outputs if manifest.items[n].score is not None] or table.outputs
    scored = {
        column: [manifest.items[n] for n in rows if np.isfinite(table.columns[column].values[n])] for column in knowing
    }
    shown = {item.key: _files(item, found) for items in scored.values() for item in items}
    hashes = _hashes({f.sha256: f for files in shown.values() for f in files}, manifest, gate, folder, say)
    answer = {}
    for column, known in knowing.items():
        items = scored[column]
        near = _near(hashes, known.hashes)
        alike = [item for item in items if any(f.sha256 in near for f in shown[item.key])]
        answer[column] = Overlap(
            len(alike), len(items), _contents(alike), _contents(items), known.people, known.hashes is not None
        )
    return answer


def _contents(items: Sequence[Item]) -> int:
    return len({item.group or item.reference or item.key for item in items})


def _files(item: Item, found: Survey) -> list[File]:
    """The image and its reference, as far as they are at hand."""
    return [f for f in (found.image(item), found.reference(item)) if f is not None and f.sha256]


def _near(hashes: Mapping[str, int], known: Hashes | None) -> set[str]:
    """sha256 of the files whose hash is near one that is known."""
    if known is None or not len(known):
        return set()
    return {
        sha256
        for sha256, value in hashes.items()
        if value.bit_count() >= LEAST_BITS and int(np.bitwise_count(known ^ np.uint64(value)).min()) <= NEAR
    }


def _known(m: Measure) -> _Known | None:
    """What the file of a metric says of its training; None where it has no evaluator's file."""
    paths = [] if m.reason else [weights.path_of(slot) for slot in m.info.weights]
    own = _own(m)
    heads = [head for path in paths if (head := weights.header(path)).get("ganiq") == KIND]
    if own is not None:
        heads.append(weights.header(own))
    if not heads:
        return None
    try:
        trained = [json.loads(head["trained"]) for head in heads]
        values = {int(value, 16) for one in trained for _, _, value in one["contents"]}
        hashes = np.array(sorted(values), dtype=np.uint64)
        people = any(not str(one["labels"]).startswith("pseudo") for one in trained)
    except (KeyError, ValueError, TypeError, OverflowError, RecursionError):
        return _Known(None, True)
    return _Known(hashes[np.bitwise_count(hashes) >= LEAST_BITS], people)


def _own(m: Measure) -> Path | None:
    """The evaluator's file that a metric names itself (protocols.py); None where it names none."""
    factory: Any = registry.metrics.get(m.spec.name)
    if not hasattr(factory, "evaluator") and "evaluator" not in getattr(factory, "__dataclass_fields__", {}):
        return None  # most: nothing is built for them
    try:
        named = make(m.spec).evaluator
    except Exception:  # a metric that cannot be built has no scores either, and they say why
        return None
    return Path(named) if named and isinstance(named, str | Path) else None


def _hashes(files: Mapping[str, File], manifest: Manifest, gate: Gate, folder: Path, say: Progress) -> dict[str, int]:
    """sha256 -> perceptual hash of these files; without those that cannot be decoded."""
    if not files:
        return {}
    identity = digest(["phash", VERSION, gate.identity()])
    place = folder / "features" / f"phash-{identity[:12]}.json"
    known = _kept(place)
    lacking = [file for sha256, file in sorted(files.items()) if sha256 not in known]
    if lacking:
        say.stage("comparing with training pictures", len(lacking))
    for number, file in enumerate(lacking, 1):
        try:
            path = manifest.path(file.relative)
            pixels, _ = read(path, shown=file.relative, sha256=file.sha256, gate=gate, root=manifest.root)
            known[file.sha256] = phash(pixels)
        except (Refusal, MemoryError):  # scoring tells of it; here it is neither alike nor unlike
            pass
        if number % SAVE == 0 or number == len(lacking):
            _keep(place, known)
        say.advance()
    return {sha256: known[sha256] for sha256 in files if sha256 in known}


def _kept(place: Path) -> dict[str, int]:
    """Hashes of earlier runs; none where the file is missing or damaged, for they are soon made anew."""
    try:
        document: Any = json.loads(place.read_bytes())
        found = {str(sha256): int(value, 16) for sha256, value in document.items()}
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return {}
    return found if _fit(found.values()) else {}


def _fit(values: Collection[int]) -> bool:
    return all(0 <= value < 2**64 for value in values)


def _keep(place: Path, known: Mapping[str, int]) -> None:
    text = json.dumps({sha256: f"{value:016x}" for sha256, value in sorted(known.items())}, indent=0)
    with explained(place):
        place.parent.mkdir(parents=True, exist_ok=True)
    write_text(place, text + "\n")
