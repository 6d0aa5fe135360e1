"""KADID-10k: 25 distortions at five levels of 81 images."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from ..manifest import Manifest
from ..types import DistortionClass, Item
from . import files, tables
from .base import DatasetInfo, absent

_NAME = re.compile(r"(I\d\d)_(\d\d)_(\d\d)", re.IGNORECASE)
_TITLES = (
    "Gaussian blur",
    "lens blur",
    "motion blur",
    "color diffusion",
    "color shift",
    "color quantization",
    "color saturation (HSV)",
    "color saturation (Lab)",
    "JPEG 2000",
    "JPEG",
    "white noise",
    "white noise in the color components",
    "impulse noise",
    "multiplicative noise",
    "denoising of noisy images",
    "brightening",
    "darkening",
    "mean shift",
    "jitter",
    "non-eccentricity patches",
    "pixelation",
    "quantization",
    "color blocks",
    "sharpening",
    "contrast change",
)


@dataclass(frozen=True)
class Kadid10k:
    """The column is called dmos, but higher values are better: it holds mean opinion scores."""

    info: ClassVar[DatasetInfo] = DatasetInfo(
        name="kadid10k",
        title="KADID-10k",
        what="25 distortion types at five levels of 81 photographs, rated beside their reference by a crowd.",
        n_images="10,125 of 81 references",
        size="512x384",
        license="the authors' terms; photographs from Pixabay",
        source="https://database.mmsp-kn.de/kadid-10k-database.html",
        layout="dmos.csv (dist_img, ref_img, dmos, var), images/I01_01_01.png beside images/I01.png",
        mark="dmos.csv",
        cite="Lin, Hosu, Saupe, KADID-10k: A Large-scale Artificially Distorted IQA Database, QoMEX 2019, "
        "doi:10.1109/QoMEX.2019.8743252",
        better="higher",
        kind="MOS",
        low=1,
        high=5,
    )

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """``dmos.csv`` with the columns ``dist_img`` and ``ref_img``."""
        table = files.child(path, "dmos.csv")
        if table is None:
            return False
        with table.open("rb") as stream:
            header = stream.readline(500).decode("utf-8-sig", "replace").lower()
        return {"dist_img", "ref_img"} <= {cell.strip().strip('"') for cell in header.split(",")}

    def load(self, path: Path) -> Manifest:
        """Read ``dmos.csv``.

        Raises:
            UsageError: the table is absent, or a name is not like ``I01_01_01.png``.
        """
        table = files.child(path, "dmos.csv")
        if table is None:
            raise absent(path, "dmos.csv", self.info)
        index = files.Index.of(path)
        items: list[Item] = []
        for row in tables.rows(table, ["dist_img", "ref_img", "dmos"]):
            name = files.stem(row["dist_img"])
            found = _NAME.fullmatch(name)
            if found is None or not 1 <= int(found[2]) <= len(_TITLES):
                raise row.error(f"dist_img {row['dist_img']!r}", "expected a name like I01_01_01.png")
            group, kind, level = found[1].upper(), found[2], str(int(found[3]))
            if files.fold(files.stem(row["ref_img"])) != files.fold(group):
                raise row.error(
                    f"{name} is listed with reference {row['ref_img']!r}", f"its name says {group}; correct it"
                )
            image, pristine = f"images/{row['dist_img']}", f"images/{row['ref_img']}"
            items.append(
                Item(
                    key=f"{group}_{kind}_{found[3]}",
                    image=index.find(image, "images") or image,
                    reference=index.find(pristine, "images") or pristine,
                    generator=f"{kind}_{level}",
                    distortion=kind,
                    group=group,
                    block=group,
                    score=row.number("dmos"),
                    attrs={"level": level} | ({"var": row["var"]} if row["var"] else {}),
                )
            )
        used = {item.distortion for item in items}
        codes = [(f"{n:02d}", title) for n, title in enumerate(_TITLES, 1)]
        notes = [
            "The table calls its scores dmos, but they are mean opinion scores: higher is better.",
            "Levels are nested in types, and some types (mean shift, contrast) are not ordered by severity.",
        ]
        if len(items) != 10125:
            notes.append(f"A subset: {len(items)} of 10,125 images.")
        return self.info.manifest(
            items,
            path,
            classes=tuple(DistortionClass(c, t, "traditional") for c, t in codes if c in used),
            notes=tuple(notes),
        )
