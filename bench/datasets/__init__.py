"""Data sets: one module per layout, all of them ending in a ``Manifest``.

``load(path)`` recognises the layout of a folder by itself; ``load(path, "pipal(split='valid')")`` names the
adapter and its options.
"""

from __future__ import annotations

from contextlib import suppress
from inspect import signature
from pathlib import Path
from typing import Any

from .. import registry
from ..errors import UsageError
from ..manifest import Manifest
from ..spec import Spec
from . import files
from .base import Dataset, DatasetInfo, find, matches

__all__ = ["BUILTIN", "Dataset", "DatasetInfo", "cards", "detect", "find", "load"]

BUILTIN: dict[str, str] = {
    "pipal": "bench.datasets.pipal:Pipal",
    "gan-image-database": "bench.datasets.gan_image_database:GanImageDatabase",
    "tid2013": "bench.datasets.tid2013:Tid2013",
    "kadid10k": "bench.datasets.kadid10k:Kadid10k",
    "csiq": "bench.datasets.csiq:Csiq",
    "live": "bench.datasets.live:Live",
    "koniq10k": "bench.datasets.koniq10k:Koniq10k",
    "biq2021": "bench.datasets.biq2021:Biq2021",
    "folder": "bench.datasets.folder:Folder",
}
_GENERAL = "folder"


def cards() -> dict[str, DatasetInfo]:
    """Cards of all adapters that can be imported, by name."""
    return {name: adapter.info for name, adapter in _adapters().items()}


def _adapters() -> dict[str, Any]:
    found = {}
    for name in registry.datasets.names():
        try:
            adapter = registry.datasets.get(name)
        except UsageError:  # somebody's broken plug-in must not hide the others
            continue
        if isinstance(getattr(adapter, "info", None), DatasetInfo):
            found[name] = adapter
    return found


def detect(path: str | Path) -> str:
    """Name of the adapter that reads a folder or file.

    Raises:
        UsageError: nothing there, nothing that is recognised, or several sets that match.
    """
    path = Path(path)
    _present(path)
    adapters = _adapters()
    found = [name for name in adapters if name != _GENERAL and matches(adapters[name], path)]
    if len(found) == 1:
        return found[0]
    if matches(adapters[_GENERAL], path):
        return _GENERAL
    if found:
        raise UsageError(
            f"{path.name} looks like {' and like '.join(found)}; say which with --dataset {found[0]}", code="E-CFG"
        )
    compare = (
        "or compare folders of images with `ganiq compare NAME=FOLDER NAME=FOLDER --reference FOLDER`, "
        if _pictures(path)
        else ""
    )
    known = ", ".join(f"{a.info.mark} ({n})" for n, a in adapters.items() if n != _GENERAL)
    raise UsageError(
        f"{path.name or path} is not recognised as a data set; put an items.csv with a column `image` into it, "
        f"{compare}or give the top folder of one of these, known by: {known}",
        code="E-CFG",
    )


def _pictures(path: Path) -> bool:
    """Whether a folder holds images, or folders of images."""
    with suppress(OSError):
        return any(files.images(f) for f in (path, *path.iterdir()) if f.is_dir())
    return False


def load(path: str | Path, name: str | None = None, **options: Any) -> Manifest:
    """Read a data set.

    Args:
        path: its folder, or the file of a table that names its images.
        name: adapter, with options if wanted (``pipal(split='valid')``); recognised from the files by default.
        options: options of the adapter. ``split`` is understood for every set that has one: only its items are kept.

    Raises:
        UsageError: unknown adapter or option, or files that are not as they should be.
    """
    path = Path(path)
    _present(path)
    spec = Spec.parse(name) if name else Spec(detect(path))
    factory = registry.datasets.get(spec.name)
    given = {**spec.arguments, **options}
    split = None if "split" in signature(factory).parameters else given.pop("split", None)
    manifest = factory(**Spec.of(spec.name, factory, given).arguments).load(path)
    return manifest if split is None else _only(manifest, str(split))


def _only(manifest: Manifest, split: str) -> Manifest:
    chosen = [item.key for item in manifest.items if item.split == split]
    if not chosen:
        known = ", ".join(sorted({item.split for item in manifest.items} - {""})) or "none"
        raise UsageError(f"{manifest.name} has no split {split!r}; its splits are: {known}", code="E-CFG")
    return manifest.select(chosen)


def _present(path: Path) -> None:
    if not path.exists():
        raise UsageError(f"{path} does not exist; give the folder of a data set, or its items.csv", code="E-CFG")
