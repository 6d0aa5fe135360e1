"""What the store hands out: plain rows, digests instead of the database's own numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from ..types import Status


class Row(NamedTuple):
    """One metric's outcome for one item of a manifest."""

    key: str
    metric: str
    value: float | None
    status: Status
    detail: str
    seconds: float | None


class SetRow(NamedTuple):
    """One set metric's outcome for one generator; ``replicate`` 0 is the value, others are resamples."""

    generator: str
    metric: str
    subset: str
    replicate: int
    n: int
    value: float | None
    status: Status
    detail: str
    features: str


class Outcome(NamedTuple):
    """One side of a conflict."""

    value: float | None
    status: str
    detail: str
    run: int


class Conflict(NamedTuple):
    """Two measurements of one thing that differ (``E-NONDET``)."""

    sequence: int
    kind: str
    """``score``; ``set`` (``subject`` names manifest, generator, subset, replicate); or ``item``: one item of
    one manifest was two different files in two stores (``subject`` names it, details hold the digests)."""
    image: str
    reference: str
    metric: str
    subject: str
    first: Outcome
    """The one that stands."""
    second: Outcome


class Run(NamedTuple):
    """One invocation that wrote into the store. Ordered by ``id``; the times are for people."""

    id: int
    uuid: str
    manifest: str
    started: str
    finished: str | None
    status: str
    document: dict


class Merged(NamedTuple):
    """What a merge did."""

    added: int
    """Scores that were not there, or replaced a lesser outcome (a failure mended elsewhere)."""
    equal: int
    """Scores that were there already."""
    conflicts: int
    """Conflicts that the store now records, old and new: not 0 means that nothing should be published."""


class Repaired(NamedTuple):
    """What a repair did."""

    aside: str
    """Name of the copy of the damaged file, in the same folder; empty where the store was sound and stayed as it is."""
    scores: int
    """Scores carried over, or found in a sound store; what is missing is scored again by the next run."""


class Settled:
    """What need not be measured again: outcomes ``ok`` and ``nonfinite`` of the metrics asked for.

    Covers every image in the store, whichever manifest it was scored for.
    """

    def __init__(
        self, metrics: Sequence[str], links: Mapping[str, tuple[str, str]], done: Mapping[tuple[str, str], int]
    ) -> None:
        self.metrics = tuple(metrics)
        self.links = links
        """Item key -> (image sha256, reference sha256 or ""), as last seen under this manifest."""
        self._bit = {metric: 1 << n for n, metric in enumerate(self.metrics)}
        self._done = done

    def __contains__(self, key: object) -> bool:
        """``(image, reference, metric) in settled``; reference "" for a no-reference metric."""
        if not isinstance(key, tuple) or len(key) != 3:
            return False
        return bool(self._done.get((key[0], key[1]), 0) & self._bit.get(key[2], 0))

    def __iter__(self) -> Iterator[tuple[str, str, str]]:
        for (image, reference), mask in self._done.items():
            for metric, bit in self._bit.items():
                if mask & bit:
                    yield image, reference, metric

    def __len__(self) -> int:
        return sum(mask.bit_count() for mask in self._done.values())

    def missing(self, image: str, reference: str = "") -> list[str]:
        """Which of the metrics have no settled outcome for this image, with this reference or with none."""
        mask = self._done.get((image, reference), 0) | self._done.get((image, ""), 0)
        return [metric for metric, bit in self._bit.items() if not mask & bit]
