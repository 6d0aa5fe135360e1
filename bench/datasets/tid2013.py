"""TID2013: 24 distortions at five levels of 25 images."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from ..manifest import Manifest
from ..types import DistortionClass, Item
from . import files, tables
from .base import DatasetInfo, absent

_NAME = re.compile(r"(i\d\d)_(\d\d)_(\d)(\.\w+)?", re.IGNORECASE)
_TITLES = (
    "additive Gaussian noise",
    "noise stronger in the color components",
    "spatially correlated noise",
    "masked noise",
    "high-frequency noise",
    "impulse noise",
    "quantization noise",
    "Gaussian blur",
    "image denoising",
    "JPEG compression",
    "JPEG 2000 compression",
    "JPEG transmission errors",
    "JPEG 2000 transmission errors",
    "non-eccentricity pattern noise",
    "local block-wise distortions",
    "mean shift",
    "contrast change",
    "change of color saturation",
    "multiplicative Gaussian noise",
    "comfort noise",
    "lossy compression of noisy images",
    "color quantization with dither",
    "chromatic aberrations",
    "sparse sampling and reconstruction",
)


@dataclass(frozen=True)
class Tid2013:
    """Type, level and reference are taken from the file name, in any letter case."""

    info: ClassVar[DatasetInfo] = DatasetInfo(
        name="tid2013",
        title="TID2013",
        what="24 distortion types at five levels of 25 images; observers chose the image nearer to the reference.",
        n_images="3,000 of 25 references",
        size="512x384",
        license="research use",
        source="https://www.ponomarenko.info/tid2013.htm",
        layout="mos_with_names.txt (lines: MOS name), reference_images/I01.BMP, distorted_images/i01_01_1.bmp",
        mark="mos_with_names.txt",
        cite="Ponomarenko et al., Image database TID2013: Peculiarities, results and perspectives, Signal Processing: "
        "Image Communication 30 (2015), doi:10.1016/j.image.2014.10.009",
        better="higher",
        kind="MOS",
        low=0,
        high=9,
    )

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """``mos_with_names.txt`` with a fifth level, which its predecessor TID2008 has not."""
        table = files.child(path, "mos_with_names.txt")
        if table is None:
            return False
        with table.open("rb") as stream:
            return re.search(rb"i\d\d_\d\d_5\b", stream.read(4000), re.IGNORECASE) is not None

    def load(self, path: Path) -> Manifest:
        """Read ``mos_with_names.txt``.

        Raises:
            UsageError: the table is absent, or a line is not ``MOS name``.
        """
        table = files.child(path, "mos_with_names.txt")
        if table is None:
            raise absent(path, "mos_with_names.txt", self.info)
        index = files.Index.of(path)
        items: list[Item] = []
        seen: dict[str, int] = {}
        for line, text in enumerate(tables.text(table).splitlines(), 1):
            cells = text.split()
            if not cells:
                continue
            found = _NAME.fullmatch(cells[1]) if len(cells) == 2 else None
            if found is None or not 1 <= int(found[2]) <= len(_TITLES):
                raise tables.wrong(
                    table, line, f"{text.strip()[:60]!r}", "expected a MOS and a name: 5.51 I01_01_1.bmp"
                )
            reference, kind, level = found[1].lower(), found[2], found[3]
            key = f"{reference}_{kind}_{level}"
            if key in seen:
                raise tables.wrong(table, line, f"{key} is already on line {seen[key]}", "delete one of the two lines")
            seen[key] = line
            image, pristine = f"distorted_images/{key}.bmp", f"reference_images/{reference.upper()}.BMP"
            items.append(
                Item(
                    key=key,
                    image=index.find(image, "distorted_images") or image,
                    reference=index.find(pristine, "reference_images") or pristine,
                    generator=f"{kind}_{level}",
                    distortion=kind,
                    group=reference,
                    block=reference,
                    score=tables.finite(cells[0], "MOS", table, line),
                    attrs={"level": level},
                )
            )
        used = {item.distortion for item in items}
        codes = [(f"{n:02d}", title) for n, title in enumerate(_TITLES, 1)]
        notes = ["The five levels of a type are not independent: intervals by type resample types, not images."]
        if len(items) != 3000:
            notes.append(f"A subset: {len(items)} of 3,000 images.")
        return self.info.manifest(
            items,
            path,
            classes=tuple(DistortionClass(c, t, "traditional") for c, t in codes if c in used),
            notes=tuple(notes),
        )
