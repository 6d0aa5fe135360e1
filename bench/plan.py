"""What is missing, cut into units.

The plan is the difference between what a run asks for and what the store holds, so the same command after
a crash goes on where it stopped. Files are hashed first: a score belongs to bytes, not to a path, and a
changed file is another image.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from .errors import Refusal
from .images import Gate, hash_file
from .manifest import Manifest
from .measure import Measure
from .scoring import Cell, File, Unit, tasks_of
from .types import Item, ItemResult

# Images and bytes of images per unit: small enough that a crash costs seconds and progress moves, large
# enough that sending work costs nothing.
UNIT = 8
UNIT_BYTES = 2_000_000


@dataclass(frozen=True, slots=True)
class Survey:
    """Hashes of all files of a manifest, and the items that have none."""

    files: dict[str, File]
    """Relative path -> file, for images and references that could be read."""
    sizes: dict[str, int]
    """Relative path -> bytes."""
    refused: tuple[ItemResult, ...]
    """Items whose image could not be read or is not the declared one."""

    def image(self, item: Item) -> File | None:
        return self.files.get(item.image)

    def reference(self, item: Item) -> File | None:
        """The item's reference; with an empty hash where the file cannot be read, so that workers say why."""
        if item.reference is None:
            return None
        return self.files.get(item.reference) or File(item.reference, "")

    def links(self, manifest: Manifest) -> list[tuple[str, str, str]]:
        """``(key, image sha256, reference sha256 or "")`` of every item whose image is at hand."""
        refused = {result.key for result in self.refused}
        return [
            (item.key, image.sha256, reference.sha256 if (reference := self.reference(item)) else "")
            for item in manifest.items
            if item.key not in refused and (image := self.image(item))
        ]


def survey(manifest: Manifest, gate: Gate, tick: Callable[[int], None] = lambda n: None) -> Survey:
    """Hash every file that the manifest names, each once."""
    wanted = sorted({item.image for item in manifest.items} | {i.reference for i in manifest.items if i.reference})
    files: dict[str, File] = {}
    sizes: dict[str, int] = {}
    errors: dict[str, Refusal] = {}

    def one(relative: str) -> tuple[str, tuple[str, int] | Refusal]:
        try:
            path = manifest.path(relative)
            return relative, hash_file(path, shown=relative, root=manifest.root, max_bytes=gate.max_bytes)
        except Refusal as error:
            return relative, error

    with ThreadPoolExecutor(2) as pool:
        for relative, answer in pool.map(one, wanted):
            if isinstance(answer, Refusal):
                errors[relative] = answer
            else:
                files[relative], sizes[relative] = File(relative, answer[0]), answer[1]
            tick(1)
    refused = []
    for item in manifest.items:
        error = errors.get(item.image)
        if error is None and item.sha256 and files[item.image].sha256 != item.sha256:
            error = Refusal(
                "E-IMG-HASH",
                item.image,
                f"its sha256 is {files[item.image].sha256[:12]}..., the manifest declares {item.sha256[:12]}...",
                "restore the original file or correct the manifest",
            )
        if error is not None:
            refused.append(ItemResult(item.key, refusal=(error.code, str(error))))
    return Survey(files, sizes, tuple(refused))


def units(
    manifest: Manifest,
    measures: Sequence[Measure],
    found: Survey,
    settled: Collection[tuple[str, str, str]],
    gate: Gate,
    size: int = UNIT,
    device: str = "cpu",
) -> Iterator[Unit]:
    """Units of everything that is neither settled nor refused, one reference after the other.

    Args:
        manifest: the items.
        measures: item measures that can run here.
        found: hashes of the files.
        settled: ``(image sha256, reference sha256 or "", metric digest)`` that need no work.
        gate: options of the image gate.
        size: images per unit.
        device: where metrics are computed.
    """
    tasks = tasks_of(measures)
    refused = {result.key for result in found.refused}
    by_reference: dict[str, list[Cell]] = defaultdict(list)
    references: dict[str, File | None] = {}
    done: set[tuple[str, str, str]] = set()  # the same pixels under two names are measured once
    for item in manifest.items:
        image = found.image(item)
        if item.key in refused or image is None:
            continue
        reference = found.reference(item)
        lacking = []
        for index, task in enumerate(tasks):
            if task.needs == "pair" and reference is None:
                continue
            key = (image.sha256, reference.sha256 if reference and task.needs == "pair" else "", task.digest)
            if key in settled or key in done:
                continue
            done.add(key)
            lacking.append(index)
        if lacking:
            place = item.reference or ""
            references[place] = reference
            by_reference[place].append(Cell(item.key, image, tuple(lacking)))
    for place, cells in by_reference.items():
        for part in _parts(cells, found.sizes, size):
            yield Unit(part[0].key, str(manifest.root), references[place], part, tasks, gate, device)


def _parts(cells: Sequence[Cell], sizes: Mapping[str, int], most: int) -> Iterator[tuple[Cell, ...]]:
    """Cut cells into parts of at most ``most`` images and about ``UNIT_BYTES``."""
    part: list[Cell] = []
    load = 0
    for cell in cells:
        weight = sizes.get(cell.image.relative, 0)
        if part and (len(part) == most or load + weight > UNIT_BYTES):
            yield tuple(part)
            part, load = [], 0
        part.append(cell)
        load += weight
    if part:
        yield tuple(part)
