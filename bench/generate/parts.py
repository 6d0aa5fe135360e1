"""What a generation is made of, checked before the first image: degradations, restorers, samplers, photographs."""

from __future__ import annotations

import importlib
import inspect
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .. import registry, weights
from ..datasets import files
from ..errors import Refusal, UsageError
from ..images import Gate, resolve
from ..protocols import GeneratorInfo
from ..spec import Spec
from .sweep import DegradationEntry, Generation, RestorerEntry, SamplerEntry

_ROOT = __name__.split(".")[0]
NONE = "none"
"""Spec of the restorer that leaves a degraded image as it is."""
FOLDERS = ("references", "inputs", "restored", "samples")
"""What images are written to, below ``out``."""


def degrade() -> Any:
    """The module that carries recipes out; by name, as the harness knows no generator."""
    return importlib.import_module(f"{_ROOT}.generators.degrade")


@dataclass(frozen=True)
class Degrade:
    """A recipe with every parameter spelled out."""

    name: str
    title: str
    recipe: str
    shrink: float

    def __call__(self, pixels: Any, key: str, seed: int) -> Any:
        return degrade().apply(self.recipe, pixels, key=key, seed=seed, find=registry.degradations.get)


@dataclass
class Maker:
    """A restorer or a sampler, and what is known of it before it is used."""

    name: str
    title: str
    spec: str
    """With every parameter spelled out; paths as the user wrote them."""
    family: str
    licence: str
    make: Callable[[], Any]
    weights: Mapping[str, str] = field(default_factory=dict)
    """Slot -> sha256."""
    files: Mapping[str, str] = field(default_factory=dict)
    """Hashes of whatever else decides its pixels."""
    info: GeneratorInfo | None = None
    scale: int = 1
    degradations: list[Degrade] = field(default_factory=list)
    """Of a restorer: those whose images it restores."""

    @property
    def task(self) -> str:
        """Generators are rivals where they did the same work."""
        return ", ".join(d.name for d in self.degradations)

    def identity(self) -> dict[str, Any]:
        return {"spec": self.spec, "weights": dict(self.weights), "files": dict(self.files)}


def degradations(entries: Sequence[DegradationEntry]) -> list[Degrade]:
    """The recipes, spelled out.

    Raises:
        UsageError: a recipe with a mistake, or two of one name.
    """
    _distinct([e.name for e in entries], "degradations")
    answer = []
    for entry in entries:
        try:
            chain = degrade().chain(entry.recipe, registry.degradations.get)
        except UsageError as error:
            raise UsageError(f"degradation {entry.name}: {_bare(error)}", code="E-CFG") from None
        recipe = " | ".join(str(spec) for spec, _ in chain)
        shrink = math.prod(getattr(step, "shrink", 1.0) for _, step in chain)
        answer.append(Degrade(entry.name, entry.title or entry.recipe, recipe, float(shrink)))
    return answer


def multiple(sweep: Generation, chosen: Sequence[Degrade]) -> int:
    """What the sides of references are cropped to a multiple of."""
    if sweep.crop is not None:
        return sweep.crop
    return math.lcm(*(round(d.shrink) for d in chosen if d.shrink >= 1 and d.shrink == round(d.shrink)))


def restorer(
    entry: RestorerEntry, base: Path, chosen: Sequence[Degrade], device: str = "cpu", gate: Gate | None = None
) -> Maker:
    """A restorer, ready to run.

    Args:
        entry: what the user said of it.
        base: folder that paths in its spec may be relative to.
        chosen: all degradations.
        device: for one that has a choice and whose spec does not make it.
        gate: for one that reads image files.

    Raises:
        UsageError: an unknown name or parameter, or nothing that it could restore.
        Refusal: it cannot run here (weights or files that are absent or damaged).
    """
    if entry.spec.strip() == NONE:
        info = GeneratorInfo(NONE, "Degraded", kind="restorer", license="as the photographs")
        name = entry.name or NONE
        maker = Maker(name, entry.title or name, NONE, entry.family or "traditional", "", lambda: None, info=info)
    else:
        maker = _maker(entry, base, registry.generators, "restorer", device, gate)
    unknown = [name for name in entry.only if name not in [d.name for d in chosen]]
    if unknown:
        raise UsageError(f"restorer {maker.name}: there is no degradation {unknown[0]!r}; correct `only`", code="E-CFG")
    fitting = [d for d in chosen if d.shrink == maker.scale]
    maker.degradations = [d for d in fitting if not entry.only or d.name in entry.only]
    if not maker.degradations or (entry.only and len(maker.degradations) < len(set(entry.only))):
        found = ", ".join(f"{d.name} shrinks by {d.shrink:g}" for d in chosen) or "there is no degradation"
        raise UsageError(
            f"restorer {maker.name} enlarges {maker.scale} times, and {found}; give it a degradation that fits",
            code="E-CFG",
        )
    return maker


def sampler(entry: SamplerEntry, base: Path, device: str = "cpu", gate: Gate | None = None) -> Maker:
    """A sampler, ready to run; arguments as of ``restorer``.

    Raises:
        UsageError, Refusal: as ``restorer``.
    """
    return _maker(entry, base, registry.samplers, "sampler", device, gate)


def name_of(entry: RestorerEntry | SamplerEntry) -> str:
    """Folder of a maker's images."""
    return entry.name or Spec.parse(entry.spec).name


def distinct(sweep: Generation) -> None:
    """Raises UsageError where two restorers or two samplers would write into one folder or share a line."""
    for what, entries in (("restorers", sweep.restorers), ("samplers", sweep.samplers)):
        _distinct([name_of(e) for e in entries], what)
    titles = [e.title or name_of(e) for e in (*sweep.restorers, *sweep.samplers)]
    _distinct(titles, "restorers and samplers")


def _distinct(names: Sequence[str], what: str) -> None:
    folded = [files.fold(name) for name in names]
    twice = next((name for n, name in enumerate(names) if folded[n] in folded[:n]), None)
    if twice is not None:
        raise UsageError(f"two {what} are called {twice!r}; give each a `name` of its own", code="E-CFG")


def _maker(
    entry: RestorerEntry | SamplerEntry,
    base: Path,
    known: registry.Registry,
    what: str,
    device: str,
    gate: Gate | None = None,
) -> Maker:
    given = Spec.parse(entry.spec)
    factory = known.get(given.name)
    chosen = {"device": device} if "device" in inspect.signature(factory).parameters else {}
    spec = Spec.of(given.name, factory, {**chosen, **given.arguments})
    absent = [slot for slot in factory.info.weights if not weights.present(slot)]
    if absent:
        raise weights.MissingWeights(absent[0], weights.command_for(absent))
    arguments = spec.arguments
    if isinstance(path := arguments.get("path"), str) and (base / path).exists():
        arguments["path"] = str(base / path)

    def make() -> Any:
        one = factory(**arguments)
        return one.under(gate) if gate is not None and hasattr(one, "under") else one

    try:
        made = make()
    except (TypeError, ValueError) as error:
        raise UsageError(f"{what} {given}: {error}", code="E-CFG") from None
    info: GeneratorInfo = made.info
    if info.kind != what:
        raise UsageError(f"{given.name} is a {info.kind} and no {what}", code="E-CFG")
    slots = {slot: weights.digest_of(slot) for slot in info.weights}
    licences = [weights.slots()[slot].licence for slot in slots]
    default = entry.title or entry.name or (info.name if getattr(factory.info, "given", "") else given.name)
    return Maker(
        name=name_of(entry),
        title=default,
        spec=str(spec),
        family=entry.family or ("gan" if info.family == "gan" else "traditional" if info.family else ""),
        licence=entry.licence or "; ".join(dict.fromkeys(licences)) or info.license,
        make=make,  # anew, so that no more networks stay loaded than have to
        weights=slots,
        files=dict(getattr(made, "identity", None) or {}),
        info=info,
        scale=int(getattr(made, "scale", 0) or info.scale),
    )


@dataclass(frozen=True)
class Photograph:
    """A reference as the user has it."""

    key: str
    """Name below ``references/``, without extension: what random degradations are seeded by."""
    path: Path
    shown: str


def photographs(sweep: Generation) -> tuple[list[Photograph], list[tuple[str, str]], list[str]]:
    """Image files of the folder or pattern by name; those that cannot be used, with the reason; and what was passed by.

    Nothing that this command has written itself is a photograph (``_made_here``).

    Raises:
        UsageError: no folder, or no image in it.
    """
    text = sweep.references
    if not text:
        return [], [], []
    parts = Path(text).parts
    fixed = next((n for n, part in enumerate(parts) if any(c in part for c in "*?[")), len(parts))
    base = Path(*parts[:fixed])
    notes: list[str] = []
    if fixed == len(parts):
        if not base.is_dir():
            raise UsageError(f"there is no folder of references {text}; correct `references`", code="E-IO-MISSING")
        found = base.iterdir()
    else:
        found = base.glob(str(Path(*parts[fixed:])))
    # A link that leads nowhere is told like any file that cannot be read.
    every = [p for p in found if p.suffix.lower() in files.EXTENSIONS and not p.is_dir()]
    names = sorted(name for p in every if not _hidden(name := p.relative_to(base).as_posix()))
    own = _made_here(base, sweep.out)
    kept = [name for name in names if not _below(base / name, own)]
    if left := len(names) - len(kept):
        notes.append(
            f"{_images(left)} below {sweep.out} passed by, where this command writes itself; "
            "to use them as photographs, choose another `out`"
        )
    if fixed == len(parts) and (deeper := _deeper(base, own)):
        notes.append(f"{_images(deeper)} in subfolders of {text} not read; use {text.rstrip('/')}/**/* for them")
    if not kept:
        kinds = " ".join(files.EXTENSIONS)
        told = "".join(f"; {note}" for note in notes)
        raise UsageError(f"{text}: no image there ({kinds}){told}; correct `references`", code="E-IO-MISSING")
    good: list[Photograph] = []
    bad: list[tuple[str, str]] = []
    seen: dict[str, str] = {}
    for name in kept:
        folder = name.rpartition("/")[0]
        key = f"{folder}/{files.stem(name)}" if folder else files.stem(name)
        reason = _unfit(key, name, sweep.out)
        first = seen.setdefault(files.fold(key), name)
        if not reason and first != name:
            found = f"it differs from {first} in extension or letter case only"
            reason = str(Refusal("E-CFG", name, found, "rename one of the two", done="left out"))
        if reason:
            bad.append((name, reason))
        else:
            good.append(Photograph(key, base / name, name))
    return good, bad, notes


def _images(count: int) -> str:
    return f"{count:,} image{'' if count == 1 else 's'}"


def _hidden(name: str) -> bool:
    return any(part.startswith(".") for part in name.split("/"))


def _below(path: Path, folders: Sequence[Path]) -> bool:
    """Whether a file lies below one of the folders; if it is a link, the link itself and not what it leads to."""
    place = path.parent.resolve()
    return any(place.is_relative_to(folder) for folder in folders)


def _made_here(base: Path, out: Path) -> list[Path]:
    """Folders below which nothing is a photograph: ``out``, or if photographs lie in there, what it is written to."""
    out = out.resolve()
    return [out / name for name in FOLDERS] if base.resolve().is_relative_to(out) else [out]


def _deeper(base: Path, own: Sequence[Path]) -> int:
    """How many images lie in subfolders, neither hidden nor made by this command."""
    count = 0
    for place, inner, names in os.walk(base):
        here = Path(place)
        inner[:] = [n for n in inner if not n.startswith(".") and (here / n).resolve() not in own]
        if here != base:
            count += sum(os.path.splitext(n)[1].lower() in files.EXTENSIONS and not n.startswith(".") for n in names)
    return count


def _unfit(key: str, name: str, out: Path) -> str:
    """Why images cannot be called so; empty if they can."""
    try:
        key.encode()
        if key.isprintable() and key == key.strip():
            resolve(out, f"references/{key}.png", name)
            return ""
    except UnicodeEncodeError:
        pass
    except Refusal as error:
        error.done = "left out"
        return str(error)
    shown = name.encode("unicode_escape").decode()
    return f"E-CFG {shown}: its name cannot be written into a table; left out; rename the file"


def _bare(error: UsageError) -> str:
    return str(error).removeprefix(f"{error.code} ")
