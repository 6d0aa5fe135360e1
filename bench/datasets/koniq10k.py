"""KonIQ-10k: photographs with distortions as they occur, without references."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from typing import ClassVar

from ..errors import UsageError
from ..manifest import Manifest
from ..types import Item, Scale
from . import files, tables
from .base import DatasetInfo, absent

_SCORES, _SETS = "koniq10k_scores_and_distributions.csv", "koniq10k_distributions_sets.csv"
_SIZES = ("1024x768", "512x384")
_SPLITS = {"training": "train", "validation": "valid", "test": "test"}


@dataclass(frozen=True)
class Koniq10k:
    """The images exist in two sizes, and metrics give other values on each.

    Args:
        size: ``1024x768`` or ``512x384``; by default the larger one that is there.
    """

    size: str = ""

    info: ClassVar[DatasetInfo] = DatasetInfo(
        name="koniq10k",
        title="KonIQ-10k",
        what="Photographs from the web with authentic distortions, rated by a crowd.",
        n_images="10,073, no references",
        size="1024x768 or 512x384",
        license="the authors' terms; photographs under Creative Commons licences",
        source="https://database.mmsp-kn.de/koniq-10k-database.html",
        layout=f"{_SCORES} or {_SETS}; 1024x768/ or 512x384/",
        mark="koniq10k_*.csv",
        cite="Hosu, Lin, Sziranyi, Saupe, KonIQ-10k, IEEE TIP 29 (2020), doi:10.1109/TIP.2020.2967829",
        better="higher",
        kind="MOS",
        low=1,
        high=5,
    )

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """One of its two tables."""
        return files.child(path, _SCORES, _SETS) is not None

    def load(self, path: Path) -> Manifest:
        """Read scores, and the official split where its table is there.

        Raises:
            UsageError: unknown size, absent table, or a split that is none.
        """
        if self.size not in ("", *_SIZES):
            raise UsageError(f"KonIQ-10k has no size {self.size!r}; ask for {' or '.join(_SIZES)}", code="E-CFG")
        scores, sets = files.child(path, _SCORES), files.child(path, _SETS)
        if scores is None and sets is None:
            raise absent(path, _SCORES, self.info)
        rows = tables.rows(scores or sets, ["image_name", "mos"])  # type: ignore[arg-type]
        splits = _splits(tables.rows(sets, ["image_name", "set"])) if sets else {}
        folder = self.size or next((s for s in _SIZES if files.child(path, s)), _SIZES[0])
        index = files.Index.of(path, [folder])
        # One table prints means of the five categories, the other the same scores stretched to 100.
        wide = any(row.number("mos") > 5 for row in rows)
        items: list[Item] = []
        for row in rows:
            if not row["image_name"]:
                raise row.error("image_name is empty", "name the image or delete the line")
            key, image = files.stem(row["image_name"]), f"{folder}/{row['image_name']}"
            votes, spread = row.optional("c_total"), row.optional("sd")
            if votes is not None and votes < 0:
                raise row.error(f"c_total {row['c_total']!r} is negative", "get the table again")
            error = spread / sqrt(votes) if votes and spread is not None and not wide else None
            items.append(
                Item(
                    key=key,
                    image=index.find(image, folder) or image,
                    group=key,
                    block=key,
                    score=row.number("mos"),
                    score_se=error,
                    votes=int(votes) if votes else None,
                    split=splits.get(files.fold(key), ""),
                )
            )
        notes = [f"Images of {folder}; values on the other size differ."]
        if len(items) != 10073:
            notes.append(f"A subset: {len(items)} of 10,073 images.")
        return self.info.manifest(
            items, path, scale=Scale("MOS", "higher", 0 if wide else 1, 100 if wide else 5), notes=tuple(notes)
        )


def _splits(rows: list[tables.Row]) -> dict[str, str]:
    found = {}
    for row in rows:
        if row["set"].lower() not in _SPLITS:
            raise row.error(f"set {row['set']!r}", f"expected {', '.join(_SPLITS)}")
        found[files.fold(files.stem(row["image_name"]))] = _SPLITS[row["set"].lower()]
    return found
