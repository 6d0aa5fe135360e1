"""CSIQ: six distortions at four or five levels of 30 photographs."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from ..errors import UsageError
from ..manifest import Manifest
from ..types import DistortionClass, Item
from . import files, tables
from .base import DatasetInfo, absent

_CLASSES = {
    "awgn": DistortionClass("awgn", "additive white noise", "traditional"),
    "blur": DistortionClass("blur", "Gaussian blur", "traditional"),
    "contrast": DistortionClass("contrast", "global contrast decrements", "traditional"),
    "fnoise": DistortionClass("fnoise", "pink noise", "traditional"),
    "jpeg": DistortionClass("jpeg", "JPEG", "traditional"),
    "jpeg2000": DistortionClass("jpeg2000", "JPEG 2000", "traditional"),
}
# The spreadsheet, the folders and the file names each spell the types in their own way.
_SPELLINGS = {"noise": "awgn", "jpeg 2000": "jpeg2000", "jp2k": "jpeg2000", "pink": "fnoise"}
_IN_NAMES = {"awgn": "AWGN", "blur": "BLUR", "jpeg": "JPEG"}
_COLUMNS = ("image", "dst_type", "dst_lev", "dmos")


@dataclass(frozen=True)
class Csiq:
    """Scores come as a spreadsheet: save its sheet ``all_by_image`` as CSV beside the image folders.

    The header line with ``image, dst_idx, dst_type, dst_lev, dmos_std, dmos`` may stand below others.
    """

    info: ClassVar[DatasetInfo] = DatasetInfo(
        name="csiq",
        title="CSIQ",
        what="Six distortion types of 30 photographs, arranged by quality on several screens.",
        n_images="866 of 30 references",
        size="512x512",
        license="the authors' terms",
        source="https://s2.smu.edu/~eclarson/csiq.html",
        layout=(
            "src_imgs/1600.png, dst_imgs/awgn/1600.AWGN.1.png; csiq.DMOS.csv, the sheet all_by_image saved as CSV "
            "(image, dst_type, dst_lev, dmos)"
        ),
        mark="src_imgs/ and dst_imgs/",
        cite="Larson, Chandler, Most apparent distortion, Journal of Electronic Imaging 19(1) 2010, "
        "doi:10.1117/1.3267105",
        better="lower",
        kind="DMOS",
        low=0,
        high=1,
    )

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """``src_imgs`` beside ``dst_imgs``."""
        return path.is_dir() and bool(files.child(path, "src_imgs") and files.child(path, "dst_imgs", "dst_imgs_all"))

    def load(self, path: Path) -> Manifest:
        """Read the exported table.

        Raises:
            UsageError: only the spreadsheet is there, or the table is not its sheet ``all_by_image``.
        """
        table, rows = _table(path)
        index = files.Index.of(path)
        items: list[Item] = []
        seen: dict[str, int] = {}
        for row in rows:
            spelled = row["dst_type"].lower()
            kind = _SPELLINGS.get(spelled, spelled)
            if kind not in _CLASSES:
                raise row.error(f"dst_type {row['dst_type']!r}", f"the types of CSIQ are {', '.join(_CLASSES)}")
            level = row.number("dst_lev")
            if level != int(level) or not row["image"]:
                raise row.error(
                    f"image {row['image']!r} at level {row['dst_lev']!r}", "expected a name and a whole level"
                )
            group = row["image"].removesuffix(".0").removesuffix(".png")  # exports turn 1600 into 1600.0
            name = f"{group}.{_IN_NAMES.get(kind, kind)}.{int(level)}"
            if name in seen:
                raise row.error(
                    f"{name} is already on line {seen[name]} of {table.name}", "delete one of the two lines"
                )
            seen[name] = row.line
            image, pristine = f"dst_imgs/{kind}/{name}.png", f"src_imgs/{group}.png"
            attrs = {"level": str(int(level))} | ({"dmos_std": row["dmos_std"]} if row["dmos_std"] else {})
            items.append(
                Item(
                    key=name,
                    image=index.find(image, f"dst_imgs/{kind}") or image,
                    reference=index.find(pristine, "src_imgs") or pristine,
                    generator=f"{kind}_{int(level)}",
                    distortion=kind,
                    group=group,
                    block=group,
                    score=row.number("dmos"),
                    attrs=attrs,
                )
            )
        used = {item.distortion for item in items}
        notes = [] if len(items) == 866 else [f"A subset: {len(items)} of 866 images."]
        return self.info.manifest(
            items, path, classes=tuple(c for c in _CLASSES.values() if c.code in used), notes=tuple(notes)
        )


def _table(path: Path) -> tuple[Path, list[tables.Row]]:
    """The first CSV of the folder that has the columns of the sheet, wherever its header line stands."""
    for file in sorted(path.glob("*.csv")):
        lines = list(csv.reader(io.StringIO(tables.text(file), newline="")))
        for start, cells in enumerate(lines):
            names = [cell.strip().lower() for cell in cells]
            if not set(_COLUMNS) <= set(names):
                continue
            places = {name: names.index(name) for name in (*_COLUMNS, "dmos_std") if name in names}
            found = []
            for line, row in enumerate(lines[start + 1 :], start + 2):
                values = {name: row[n].strip() for name, n in places.items() if n < len(row)}
                if any(values.values()):
                    found.append(tables.Row(file, line, values))
            return file, found
    if any(path.glob("*.xls*")):
        raise UsageError(
            f"{path.name}: the scores are in a spreadsheet; save its sheet all_by_image as csiq.DMOS.csv in the same "
            "folder",
            code="E-CFG",
        )
    raise absent(path, f"a .csv with the columns {', '.join(_COLUMNS)}", Csiq.info)
