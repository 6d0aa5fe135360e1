"""PIPAL: Elo scores of the outputs of 116 algorithms on 200 references, GAN-based restoration among them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from ..errors import UsageError
from ..manifest import Manifest
from ..types import DistortionClass, EloVoting, Item
from . import files, tables
from .base import DatasetInfo, absent

VALIDATION = frozenset(
    (5, 19, 20, 50, 61, 62, 74, 76, 91, 109, 117, 125, 128, 136, 168, 169, 173, 191, 204, 211, 215, 226, 236, 238, 240)
)
"""References of the NTIRE 2021 validation set."""
TEST = frozenset(
    (0, 4, 11, 22, 33, 36, 71, 89, 95, 111, 122, 126, 127, 129, 144, 147, 154, 161, 192, 196, 202, 217, 219, 235, 249)
)
"""References of the NTIRE 2022 test set; their scores exist on the challenge server only."""

VOTING = EloVoting(votes=4520, step=16)
"""1.13 million judgements of 250 references (the paper's count); K is not published, 16 is assumed."""

_NAME = re.compile(r"A(\d{4})_(\d\d)_(\d\d)", re.IGNORECASE)
_LINE = re.compile(r'\s*"?(?:[^",]*/)?(A\d{4}_\d\d_\d\d)(?:\.\w+)?"?\s*[,\s]\s*(\S+)\s*', re.IGNORECASE)
_LABELS = re.compile(r"(train|val|valid|test)[ _-]?labels?", re.IGNORECASE)
_CHALLENGE = "10"
_LAST = (59, 120, 184)  # last reference of Distortion_1 to Distortion_3
_FOLDERS = {"valid": ("Val_Ref", "Val_Distort"), "test": ("Test_Ref", "Test_Distort")}


@dataclass(frozen=True)
class Pipal:
    """Official folders, flat copies of them, or a list of scores without images.

    Args:
        split: ``train``, or ``valid`` for the NTIRE 2021 validation list. The two are separate pools with
            separate zeros and are never read together. ``test`` where somebody has its scores.
        classes: file with other class names (columns code, title, family); by default that of the
            environment variable ``GANIQ_PIPAL_CLASSES``, else the recovered names that come with the package.
    """

    split: str = "train"
    classes: str = ""

    info: ClassVar[DatasetInfo] = DatasetInfo(
        name="pipal",
        title="PIPAL",
        what=(
            "200 references, 116 restoration and distortion algorithms each, GAN-based super-resolution among them; "
            "observers chose the image nearer to the reference."
        ),
        n_images="23,200 of 200 references (train); 1,000 of 25 (valid)",
        size="288x288",
        license="the authors' terms; images from the authors only",
        source="https://github.com/HaomingCai/PIPAL-dataset",
        layout=(
            "Train_Ref/A0001.bmp, Distortion_1..4/A0001_00_00.bmp, Train_Label/A0001.txt (lines name,Elo); or all "
            "images in one folder; or a .csv/.txt list of name,Elo alone"
        ),
        mark="Train_Label/*.txt or a list of A0001_00_00.bmp,Elo",
        cite="Gu et al., PIPAL: a Large-Scale Image Quality Assessment Dataset for Perceptual Image Restoration, "
        "ECCV 2020, doi:10.1007/978-3-030-58621-8_37, arXiv:2011.15002",
        better="higher",
        kind="Elo",
        comparable="within-block",
    )

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """A folder of labels, or a list whose first lines name images like ``A0001_00_00.bmp``."""
        if path.is_file():
            return _is_list(path)
        if not path.is_dir():
            return False
        return any(_is_list(file) for file in _lists(path, first=True))

    def load(self, path: Path) -> Manifest:
        """Read the scores of one split and look for its images.

        Raises:
            UsageError: unknown split, no scores of it, a malformed line, or two scores of one image.
        """
        if self.split not in ("train", "valid", "test"):
            raise UsageError(f"PIPAL has no split {self.split!r}; ask for train or valid", code="E-CFG")
        root = path.parent if path.is_file() else path
        scores = self._scores([path] if path.is_file() else list(_lists(path)), root)
        index = files.Index.of(root)
        items = [self._item(name, scores[name], index) for name in sorted(scores)]
        used = {item.distortion for item in items}
        at_hand = sum(index.find(item.image) is not None for item in items) if len(index) else 0
        return self.info.manifest(
            items,
            root,
            title="PIPAL" if self.split == "train" else f"PIPAL, NTIRE {self.split} set",
            classes=tuple(c for c in self._classes(used) if c.code in used),
            notes=tuple(self._notes(at_hand, len(items))),
            voting=VOTING if self.split == "train" else None,
        )

    def _scores(self, lists: list[Path], root: Path) -> dict[str, float]:
        """Elo by name; the same list twice is harmless, two values for one image are not."""
        scores: dict[str, tuple[float, Path, int]] = {}
        others: set[str] = set()
        for file in lists:
            for line, name, score in _entries(file):
                if split_of(name) != self.split:
                    others.add(split_of(name))
                    continue
                known = scores.setdefault(name, (score, file, line))
                if known[0] != score:
                    raise tables.wrong(
                        file,
                        line,
                        f"{name} has Elo {score:g}, but {known[0]:g} in {known[1].name} line {known[2]}",
                        "keep one of the two lists in the folder",
                    )
        if scores:
            return {name: entry[0] for name, entry in scores.items()}
        if self.split == "test":
            raise UsageError(
                "PIPAL's test scores were never given out (they exist on the challenge server); use the split train",
                code="E-CFG",
            )
        if others:
            raise UsageError(
                f"{root.name or root} holds no PIPAL scores of the split {self.split}, only of "
                f"{' and '.join(sorted(others))}; ask for that with pipal(split='{min(others)}')",
                code="E-CFG",
            )
        raise absent(root, "Train_Label or a list of scores", self.info)

    def _item(self, name: str, score: float, index: files.Index) -> Item:
        reference, code, variant = name.split("_")
        image, pristine = expected(name)
        return Item(
            key=name,
            image=index.find(image, image.rpartition("/")[0]) or image,
            reference=index.find(pristine, pristine.rpartition("/")[0]) or pristine,
            generator=f"{code}_{variant}",
            distortion=code,
            group=reference,
            block=reference,
            score=score,
            split=self.split,
        )

    def _classes(self, used: set[str]) -> list[DistortionClass]:
        own = self.classes or os.environ.get("GANIQ_PIPAL_CLASSES", "")
        classes = read_classes(Path(own) if own else Path(__file__).with_name("pipal_classes.csv"))
        unknown = sorted(used - {c.code for c in classes})
        return classes + [DistortionClass(code, f"class {code}") for code in unknown]

    def _notes(self, at_hand: int, n: int) -> Iterator[str]:
        if not at_hand:
            yield "Labels only: no image of this set is at hand."
        elif at_hand < n:
            yield f"{at_hand} of {n} images are at hand."
        yield "Elo scores are comparable within a reference only; 200 points are a preference of 76 %."
        if self.split == "train":
            yield "Class names are recovered from the number of variants per class code; they are not official."
        else:
            yield (
                "Challenge images: their class is not disclosed, and their Elo scores come from another pool than the "
                "training scores (never pool the two)."
            )


def split_of(name: str) -> str:
    """``train``, ``valid`` or ``test``, from an image's name: challenge images carry class code 10."""
    reference, code, _ = name.split("_")
    if code != _CHALLENGE:
        return "train"
    return "test" if int(reference[1:]) in TEST else "valid"


def expected(name: str) -> tuple[str, str]:
    """Paths of an image and of its reference in the official layout."""
    reference = name.split("_")[0]
    split = split_of(name)
    if split != "train":
        pristine, distorted = _FOLDERS[split]
        return f"{distorted}/{name}.bmp", f"{pristine}/{reference}.bmp"
    part = 1 + sum(int(reference[1:]) > last for last in _LAST)
    return f"Distortion_{part}/{name}.bmp", f"Train_Ref/{reference}.bmp"


def read_classes(path: Path) -> list[DistortionClass]:
    """Class names from a table with the columns code, title and family (gan, traditional or empty).

    Raises:
        UsageError: the table cannot be read, or a family is neither.
    """
    classes = []
    for row in tables.rows(path, ["code", "title", "family"]):
        family = row["family"] or None
        if family not in ("gan", "traditional", None):
            raise row.error(f"family is {family!r}", "write gan or traditional, or leave the cell empty")
        classes.append(DistortionClass(row["code"].zfill(2), row["title"] or row["code"], family))  # type: ignore[arg-type]
    return classes


def _lists(path: Path, first: bool = False) -> Iterator[Path]:
    """Lists of scores: in the folder itself, and in its folders of labels (of those only the first, if wanted)."""
    entries = sorted(path.iterdir())
    yield from (e for e in entries if e.suffix.lower() in (".txt", ".csv") and e.is_file() and _is_list(e))
    for folder in entries:
        if folder.is_dir() and _LABELS.fullmatch(folder.name):
            inner = (e for e in sorted(folder.iterdir()) if e.suffix.lower() in (".txt", ".csv") and e.is_file())
            for file in inner:
                yield file
                if first:
                    break


def _is_list(path: Path) -> bool:
    """Whether one of the first two lines is a name like ``A0001_00_00.bmp`` and a number."""
    if path.suffix.lower() not in (".txt", ".csv"):
        return False
    with path.open("rb") as stream:
        head = stream.read(400).decode("utf-8-sig", "replace")
    return any(_LINE.fullmatch(line) for line in head.splitlines()[:2])


def _entries(path: Path) -> Iterator[tuple[int, str, float]]:
    for number, line in enumerate(tables.text(path).splitlines(), 1):
        if not line.strip():
            continue
        found = _LINE.fullmatch(line)
        if found is None:
            if number == 1 and not _NAME.search(line):
                continue  # a header
            raise tables.wrong(
                path, number, f"{line.strip()[:60]!r}", "expected a name and a score: A0001_00_00.bmp,1520.06"
            )
        yield number, found[1].upper(), tables.finite(found[2], "Elo", path, number)
