"""What a network is shown beside the image: the reference, another good picture, or the image made worse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from ..errors import UsageError
from ..progress import Progress
from . import redistort
from .crops import rng
from .data import Sample, TrainingSet
from .likeness import near
from .pixels import Pixels, derived


class Entry(NamedTuple):
    """A sample and the set its picture numbers refer to."""

    data: TrainingSet
    sample: Sample


class Place(NamedTuple):
    """One picture."""

    pixels: Pixels
    number: int


def entries(*sets: TrainingSet) -> list[Entry]:
    """The samples of several sets in one list."""
    return [Entry(data, sample) for data in sets for sample in data.samples]


@dataclass
class Beside:
    """Finds the picture that goes with an entry."""

    pool: tuple[Place, ...] = ()
    """Good pictures for non-aligned comparison; those of the training split."""
    seed: int = 0
    _derived: dict[tuple[str, str], tuple[Pixels, dict[int, int]]] = field(default_factory=dict)

    @classmethod
    def of(cls, train: TrainingSet, seed: int, apart_from: Sequence[TrainingSet] = ()) -> Beside:
        """With the training split's references as the pool of good pictures.

        Raises:
            UsageError: one of them shows the content of a picture that is tested on.
        """
        numbers = sorted({s.reference for s in train.samples if s.reference is not None})
        theirs = [value for data in apart_from for *_, value in data.contents()]
        if near([train.pixels.phash(n) for n in numbers], theirs):
            raise UsageError("a picture of the non-aligned pool is also tested on; take another pool", code="E-LEAK")
        return cls(tuple(Place(train.pixels, n) for n in numbers), seed)

    def prepare(self, kind: str, wanted: Sequence[Entry], progress: Progress | None = None) -> None:
        """Make what has to be computed once, and check that everything is there.

        Raises:
            UsageError: references are needed and lacking, or the pool is too small.
        """
        if kind in ("ref", "degraded"):
            for data, sample in wanted:
                if sample.reference is None:
                    raise UsageError(
                        f"{data.name}: {sample.key} has no reference, and this recipe compares with one; "
                        "use a recipe whose roles need none",
                        code="E-DATA",
                    )
        if kind == "nar" and len(self.pool) < 2:
            raise UsageError(
                f"comparison with other pictures needs at least 2 references to draw from, not {len(self.pool)}",
                code="E-DATA",
            )
        if kind not in ("redist", "degraded"):
            return
        make = redistort.redistort if kind == "redist" else redistort.degraded
        for data in {id(e.data.pixels): e.data for e in wanted}.values():
            mine = [e.sample for e in wanted if e.data.pixels is data.pixels]
            names: dict[int, str] = {}
            for sample in mine:
                if kind == "redist":
                    names.setdefault(sample.image, f"{sample.dataset}/{sample.key}")
                elif sample.reference is not None:
                    names.setdefault(sample.reference, sample.group)
            known = self._derived.get((kind, data.pixels.digest))
            if known and set(names) <= set(known[1]):
                continue
            numbers = sorted(names)
            keys = [names[n] for n in numbers]
            what = f"{kind} {redistort.VERSION}"
            made = derived(data.pixels, numbers, keys, what, make, progress)
            self._derived[kind, data.pixels.digest] = made, {number: row for row, number in enumerate(numbers)}

    def place(self, kind: str, entry: Entry, *names: object) -> Place:
        """The picture of this kind that goes with an entry; ``names`` (the epoch) choose among several."""
        data, sample = entry
        if kind == "ref":
            assert sample.reference is not None
            return Place(data.pixels, sample.reference)
        if kind == "nar":
            own = None if sample.reference is None else data.pixels.rows[sample.reference]["sha256"]
            stream = rng(self.seed, "nar", sample.dataset, sample.key, *names)
            while True:
                chosen = self.pool[int(stream.integers(len(self.pool)))]
                if chosen.pixels.rows[chosen.number]["sha256"] != own:
                    return chosen
        made, rows = self._derived[kind, data.pixels.digest]
        number = sample.image if kind == "redist" else sample.reference
        assert number is not None
        return Place(made, rows[number])
