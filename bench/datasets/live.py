"""LIVE Image Quality Assessment Database, release 2: the original MATLAB files, or a plain table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ..errors import UsageError
from ..manifest import Manifest
from ..types import DistortionClass, Item
from . import files, tables
from .base import DatasetInfo, absent

# In the order of the score vector, with the number of images each folder holds (references among them).
_FOLDERS = (("jp2k", 227), ("jpeg", 233), ("wn", 174), ("gblur", 174), ("fastfading", 174))
_TITLES = {
    "jp2k": "JPEG 2000",
    "jpeg": "JPEG",
    "wn": "white noise",
    "gblur": "Gaussian blur",
    "fastfading": "JPEG 2000 with bit errors of a fast-fading channel",
}
_COLUMNS = ("image", "reference", "distortion", "dmos")


@dataclass(frozen=True)
class Live:
    """Both forms give the same keys (``jpeg/img12``), so that scores of one can be matched with the other."""

    info: ClassVar[DatasetInfo] = DatasetInfo(
        name="live",
        title="LIVE release 2",
        what="Five distortion types of 29 photographs, rated one by one; realigned DMOS.",
        n_images="779 of 29 references",
        size="480x720 to 768x512, about 1 GB",
        license="LIVE's own notice: free use, copying and distribution with its notice and citation kept",
        source="https://live.ece.utexas.edu/research/quality/subjective.htm",
        layout=(
            "refimgs/, {jp2k,jpeg,wn,gblur,fastfading}/imgN.bmp, refnames_all.mat, dmos_realigned.mat; or scores.csv "
            "with the columns image, reference, distortion, dmos (dmos_std, live_image)"
        ),
        mark="refnames_all.mat or scores.csv with dmos",
        cite="Sheikh, Sabir, Bovik, A Statistical Evaluation of Recent Full Reference Image Quality Assessment "
        "Algorithms, IEEE TIP 15(11) 2006, doi:10.1109/TIP.2006.881959",
        better="lower",
        kind="DMOS",
    )

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """``refnames_all.mat``, or a ``scores.csv`` with a column dmos."""
        if not path.is_dir():
            return False
        if files.child(path, "refnames_all.mat"):
            return True
        table = path / "scores.csv"
        if not table.is_file():
            return False
        with table.open("rb") as stream:
            header = stream.readline(1000).decode("utf-8-sig", "replace").lower()
        return {"image", "dmos", "distortion"} <= {cell.strip() for cell in header.split(",")}

    def load(self, path: Path) -> Manifest:
        """Read whichever form is there.

        Raises:
            UsageError: the files do not belong together.
        """
        original = files.child(path, "refnames_all.mat")
        items, extra = self._original(path, original) if original else self._table(path)
        used = {item.distortion for item in items}
        return self.info.manifest(
            items,
            path,
            classes=tuple(DistortionClass(c, t, "traditional") for c, t in _TITLES.items() if c in used),
            notes=(
                "The set holds pixel-identical images under different names, with DMOS up to 5 apart.",
                "Its photographs are those of other sets too (Kodak, TID2013): results on them are not independent.",
                *extra,
            ),
        )

    def _original(self, path: Path, names: Path) -> tuple[list[Item], list[str]]:
        scores = files.child(path, "dmos_realigned.mat") or files.child(path, "dmos.mat")
        if scores is None:
            raise absent(path, "dmos_realigned.mat", self.info)
        document = _matlab(scores)
        dmos = _vector(document, ("dmos_new", "dmos"), scores)
        originals = document.get("orgs")
        if originals is None:
            originals = document.get("orgs_new", dmos == 0)
        pristine = np.asarray(originals).ravel().astype(bool)
        spread = np.asarray(document.get("dmos_std", [])).ravel()
        references = [_string(cell) for cell in np.asarray(_matlab(names).get("refnames_all", [])).ravel()]
        total = sum(count for _, count in _FOLDERS)
        if not len(dmos) == len(references) == len(pristine) == total:
            raise UsageError(
                f"{scores.name} has {len(dmos)} scores and {names.name} {len(references)} names, {total} each were "
                "expected; take both files of release 2",
                code="E-CFG",
            )
        index = files.Index.of(path)
        items: list[Item] = []
        place, disagree = 0, 0
        for folder, count in _FOLDERS:
            recipe = _recipe(path, folder)
            for number in range(1, count + 1):
                n, place = place, place + 1
                if pristine[n]:
                    continue
                key, reference = f"{folder}/img{number}", f"refimgs/{references[n]}"
                image = index.find(f"{key}.bmp", folder)
                made_of, setting = recipe.get(number, ("", ""))
                disagree += bool(made_of) and files.fold(files.stem(made_of)) != files.fold(files.stem(references[n]))
                attrs = {"setting": setting} if setting else {}
                if len(spread) == total:
                    attrs["dmos_std"] = repr(float(spread[n]))
                items.append(
                    _item(
                        key,
                        image if image and _in(image, folder) else f"{key}.bmp",
                        index.find(reference, "refimgs") or reference,
                        folder,
                        float(dmos[n]),
                        attrs,
                    )
                )
        if disagree:
            return items, [
                f"info.txt and refnames_all.mat name different references for {disagree} images; the latter is used."
            ]
        return items, []

    def _table(self, path: Path) -> tuple[list[Item], list[str]]:
        items: list[Item] = []
        for row in tables.rows(path / "scores.csv", _COLUMNS):
            kind = {"wnoise": "wn", "jp2": "jp2k", "jpeg2000": "jp2k"}.get(row["distortion"], row["distortion"])
            if kind not in _TITLES:
                raise row.error(f"distortion {kind!r}", f"the types of LIVE are {', '.join(_TITLES)}")
            key = f"{kind}/{files.stem(row['live_image'])}" if row["live_image"] else files.stem(row["image"])
            if not row["image"] or not row["reference"]:
                raise row.error("image or reference is empty", "name both files")
            attrs = {"dmos_std": row["dmos_std"]} if row["dmos_std"] else {}
            items.append(_item(key, row["image"], row["reference"], kind, row.number("dmos"), attrs))
        notes = [] if len(items) == 779 else [f"A subset: {len(items)} of the 779 images of release 2."]
        return items, notes


def _in(found: str, folder: str) -> bool:
    """Names repeat in every folder of LIVE: only a file of the right one counts."""
    return files.fold(found.rpartition("/")[0].rpartition("/")[2]) == files.fold(folder)


def _item(key: str, image: str, reference: str, kind: str, dmos: float, attrs: dict[str, str]) -> Item:
    group = files.fold(files.stem(reference))
    return Item(
        key=key,
        image=image,
        reference=reference,
        generator=kind,
        distortion=kind,
        group=group,
        block=group,
        score=dmos,
        attrs=attrs,
    )


def _matlab(path: Path) -> dict[str, Any]:
    from scipy.io import loadmat

    try:
        return loadmat(str(path))
    except Exception as error:  # scipy raises many types on files that are not MATLAB's
        raise UsageError(
            f"{path.name} cannot be read as a MATLAB file ({type(error).__name__}); get the file again", code="E-CFG"
        ) from None


def _vector(document: dict[str, Any], names: Sequence[str], path: Path) -> np.ndarray:
    for name in names:
        if name in document:
            values = np.asarray(document[name], float).ravel()
            if not np.isfinite(values).all():
                raise UsageError(
                    f"{path.name}: {name} holds values that are not numbers; get the file again", code="E-CFG"
                )
            return values
    raise UsageError(f"{path.name} holds no variable {names[0]}; take the file of release 2", code="E-CFG")


def _string(cell: Any) -> str:
    while isinstance(cell, np.ndarray):
        cell = cell.ravel()[0] if cell.size else ""
    return str(cell).strip()


def _recipe(path: Path, folder: str) -> dict[int, tuple[str, str]]:
    """Image number -> (reference, bit rate or strength), from a folder's ``info.txt``; empty without one."""
    place = files.child(path, folder)
    table = files.child(place, "info.txt") if place else None
    found: dict[int, tuple[str, str]] = {}
    if table is None:
        return found
    for line in table.read_text("latin-1").splitlines():
        cells = line.split()
        number = files.stem(cells[1])[3:] if len(cells) >= 2 else ""
        if number.isdigit():
            found[int(number)] = (cells[0], cells[2] if len(cells) > 2 else "")
    return found
