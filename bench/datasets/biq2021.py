"""BIQ2021: photographs with distortions as they occur, without references, with an official split."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from ..manifest import Manifest
from ..types import Item
from . import files, tables
from .base import DatasetInfo, absent

_TABLES = {"train": "Train (Images and MOS).csv", "test": "Test (Images and MOS).csv"}


@dataclass(frozen=True)
class Biq2021:
    """Names hold blanks and brackets, and one differs from its file in letter case."""

    info: ClassVar[DatasetInfo] = DatasetInfo(
        name="biq2021",
        title="BIQ2021",
        what="Photographs with authentic distortions, rated by 30 observers in the laboratory.",
        n_images="12,000 (10,000 train, 2,000 test), no references",
        size="512x512, 425 MB",
        license="none stated; 8,000 images are Unsplash's: use locally, do not pass the files on",
        source="https://github.com/nisarahmedrana/BIQ2021",
        layout="Images/ss01 (1).jpg, 'Train (Images and MOS).csv', 'Test (Images and MOS).csv'",
        mark="Train (Images and MOS).csv",
        cite="Ahmed, Asif, BIQ2021: a large-scale blind image quality assessment database, Journal of Electronic "
        "Imaging 31(5) 2022, doi:10.1117/1.JEI.31.5.053010",
        better="higher",
        kind="MOS",
        low=0,
        high=1,
    )

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """One of its two tables."""
        return files.child(path, *_TABLES.values()) is not None

    def load(self, path: Path) -> Manifest:
        """Read both halves of the official split.

        Raises:
            UsageError: no table, or an image in both halves.
        """
        index = files.Index.of(path)
        items: list[Item] = []
        places: dict[str, str] = {}
        for split, name in _TABLES.items():
            table = files.child(path, name)
            if table is None:
                continue
            for row in tables.rows(table, ["image name", "mos"]):
                image = row["image name"]
                key = files.stem(image)
                where = f"{table.name} line {row.line}"
                if not key:
                    raise row.error("the image name is empty", "name the image or delete the line")
                if files.fold(key) in places:
                    raise row.error(f"{image!r} is already in {places[files.fold(key)]}", "get the tables again")
                places[files.fold(key)] = where
                items.append(
                    Item(
                        key=key,
                        image=index.find(image, "Images") or f"Images/{image}",
                        group=key,
                        block=key,
                        score=row.number("mos"),
                        split=split,
                        attrs={"subset": key.split()[0].lower()},
                    )
                )
        if not items:
            raise absent(path, " and ".join(_TABLES.values()), self.info)
        notes = [] if len(items) == 12000 else [f"A subset: {len(items)} of 12,000 images."]
        return self.info.manifest(items, path, notes=tuple(notes))
