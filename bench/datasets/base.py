"""What a data set adapter is: a card that describes the set, a cheap test, and a loader."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

from .. import registry
from ..errors import UsageError
from ..manifest import Manifest
from ..types import Better, Item, Scale


@dataclass(frozen=True, slots=True)
class DatasetInfo:
    """The card of a data set: what it holds, which way its scores point, where to ask for it."""

    name: str
    title: str
    what: str
    """One sentence: what was shown to people, and what they were asked."""
    n_images: str
    """Scored images, as text: ``23,200 of 200 references``."""
    size: str
    """Of one image, and of the set on disk where known."""
    license: str
    source: str
    """Where its authors publish it."""
    layout: str
    """Expected files, one to three lines."""
    mark: str
    """The few files that a folder is recognised by."""
    cite: str
    better: Better | None
    """Which end of the score is good; None where the user says it."""
    kind: str
    """Kind of score: ``Elo``, ``MOS``, ``DMOS`` ..."""
    comparable: Literal["everywhere", "within-block"] = "everywhere"
    low: float | None = None
    high: float | None = None

    @property
    def scale(self) -> Scale | None:
        """The meaning of the set's scores; None where it depends on the user's files."""
        if self.better is None:
            return None
        return Scale(self.kind, self.better, self.low, self.high, self.comparable)

    def manifest(self, items: Sequence[Item], root: Path, **more: Any) -> Manifest:
        """A manifest with everything the card knows; ``more`` adds to it or replaces it."""
        fields: dict[str, Any] = {
            "title": self.title,
            "scale": self.scale,
            "license": self.license,
            "source": self.source,
            "cite": self.cite,
        }
        return Manifest(self.name, tuple(items), root, **(fields | more))


@runtime_checkable
class Dataset(Protocol):
    """An adapter. Its options are the arguments of its constructor; all of them have defaults."""

    info: ClassVar[DatasetInfo]

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Whether the folder (or file) looks like this set; cheap, reads no image."""
        ...

    def load(self, path: Path) -> Manifest:
        """Items, scores and their meaning.

        Images that are absent stay items: the image gate reports them one by one. Only what a set is known
        to lack goes into ``Manifest.gaps``.

        Raises:
            UsageError: the tables of the set cannot be read as they should.
        """
        ...


def find(info: DatasetInfo, environment: Mapping[str, str] | None = None) -> Path | None:
    """Where a set lies on this computer: ``$GANIQ_DATA/<name>``, or a folder of ``$GANIQ_DATA`` that looks like it."""
    home = (os.environ if environment is None else environment).get("GANIQ_DATA", "")
    if not home or not Path(home).is_dir():
        return None
    adapter = registry.datasets.get(info.name)
    named = Path(home) / info.name
    others = sorted(p for p in Path(home).iterdir() if p.is_dir() and p != named)
    return next((p for p in (named, *others) if matches(adapter, p)), None)


def matches(adapter: Any, path: Path) -> bool:
    """``recognises`` of an adapter; a folder that cannot be listed is not recognised."""
    try:
        return bool(adapter.recognises(path))
    except OSError:
        return False


def absent(path: Path, what: str, info: DatasetInfo) -> UsageError:
    """The error for a file or folder that the layout needs."""
    return UsageError(
        f"{path.name or path}: {what} is not there; {info.title} is read as its authors deliver it "
        f"({' '.join(info.layout.split())}); it can be had from {info.source}",
        code="E-CFG",
    )
