"""A manifest: which images, which references, which human scores, and what they mean.

Loaded by the adapters in ``datasets``; everything downstream sees only this.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import UsageError
from .spec import digest
from .types import DistortionClass, EloVoting, Item, Scale

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, slots=True)
class Published:
    """Metric values printed by a set's authors, on the rows they cover (images need not be at hand)."""

    source: str
    keys: tuple[str, ...]
    groups: tuple[str, ...]
    generators: tuple[str, ...]
    scores: tuple[float, ...]
    values: Mapping[str, tuple[float, ...]]
    """Metric name -> one value per key; ``nan`` where the table has none."""
    better: Mapping[str, str]


@dataclass(frozen=True)
class Manifest:
    """A set of items with one meaning of score. Immutable; ``digest`` is its identity."""

    name: str
    items: tuple[Item, ...]
    root: Path
    """Folder that all item paths are relative to; not part of the identity."""
    title: str = ""
    scale: Scale | None = None
    """``None``: nobody scored these images."""
    classes: tuple[DistortionClass, ...] = ()
    gaps: tuple[tuple[str, str], ...] = ()
    """``(key, reason)`` of items a set is known to lack, e.g. unpublished images."""
    notes: tuple[str, ...] = ()
    """Sentences a reader of the board must know (recovered class names, known duplicates ...)."""
    license: str = ""
    source: str = ""
    cite: str = ""
    published: Published | None = None
    reference_generator: str = ""
    """Name under which pristine references appear as a condition of their own, if they do."""
    draws: np.ndarray | None = field(default=None, compare=False, repr=False)
    """(B, len(items)) scores refitted on resampled observers, where votes are known; NaN = no score."""
    voting: EloVoting | None = field(default=None, compare=False)
    """How people voted, where the scores are Elo's and the votes unknown; not part of the identity."""

    def __post_init__(self) -> None:
        seen: set[str] = set()
        for item in self.items:
            if item.key in seen:
                raise UsageError(
                    f"{self.name}: item {item.key!r} occurs twice; give every image its own key", code="E-CFG"
                )
            seen.add(item.key)

    @cached_property
    def by_key(self) -> Mapping[str, Item]:
        return {item.key: item for item in self.items}

    @cached_property
    def digest(self) -> str:
        """Of everything but ``root`` and ``draws``: the same set at another place is the same set."""
        return digest(
            {
                "name": self.name,
                "scale": asdict(self.scale) if self.scale else None,
                "classes": [asdict(c) for c in self.classes],
                "items": [asdict(i) | {"attrs": dict(i.attrs)} for i in sorted(self.items, key=lambda i: i.key)],
            }
        )

    @cached_property
    def groups(self) -> tuple[str, ...]:
        """Names of the independent units, sorted."""
        return tuple(sorted({item.group for item in self.items}))

    def path(self, relative: str) -> Path:
        return self.root / relative

    def select(self, keys: Sequence[str]) -> Manifest:
        """The same set with only these items."""
        from dataclasses import replace

        wanted = set(keys)
        chosen = [n for n, item in enumerate(self.items) if item.key in wanted]
        draws = self.draws[:, chosen] if self.draws is not None else None
        return replace(self, items=tuple(self.items[n] for n in chosen), draws=draws)
