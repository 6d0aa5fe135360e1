"""A user's own images: ``items.csv`` beside an optional ``items.toml``, or plain folders to compare.

Columns of ``items.csv`` (UTF-8, comma-separated, first line = names)::

    image          required: path below the folder, with forward slashes
    reference      path of the pristine image
    score          human score; items.toml must then say which end is good
    score_se       its standard error
    votes          number of answers behind it
    generator      the model that made the image
    distortion     code of the distortion class
    family         gan or traditional
    group          independent unit for intervals    (default: the reference, else the image itself)
    block          where scores may be compared      (default: the group)
    key            unique name                       (default: the path without extension)
    split          train, valid or test
    role           output or reference               (default: output)
    sha256         hash of the file, checked before scoring
    anything else  kept beside the item

Keys of ``items.toml``, all optional but ``score.better`` where there are scores::

    name, title, license, source, cite, notes = [..], gaps = {key = "reason"}, reference_generator
    [score]      kind, better, low, high, comparable
    [[classes]]  code, title, family
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

from ..errors import UsageError
from ..manifest import Manifest
from ..types import DistortionClass, Item, Scale
from . import files, tables
from .base import DatasetInfo

_COLUMNS = (
    "image", "reference", "score", "score_se", "votes", "generator", "distortion", "family", "group", "block",
    "key", "split", "role", "sha256",
)  # fmt: skip
_TEXTS = ("name", "title", "license", "source", "cite", "reference_generator")
_SCORE = ("kind", "better", "low", "high", "comparable")
_FAMILIES = ("gan", "traditional")


class Folder:
    """Images, references and scores that a user lists in a table."""

    info: ClassVar[DatasetInfo] = DatasetInfo(
        name="folder",
        title="A folder of your own",
        what="Any images listed in items.csv, with or without references and human scores.",
        n_images="any",
        size="any",
        license="yours",
        source="your own files",
        layout="items.csv with a column `image`, and items.toml beside it where there are scores",
        mark="items.csv",
        cite="",
        better=None,
        kind="as items.toml says",
    )

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """A folder that holds items.csv, or a table or its .toml itself."""
        if path.is_dir():
            return (path / "items.csv").is_file()
        return path.is_file() and path.suffix.lower() in (".csv", ".toml")

    def load(self, path: Path) -> Manifest:
        """Read the table.

        Args:
            path: the folder, its ``items.csv`` (or another ``<name>.csv``), or the ``.toml`` beside it.

        Raises:
            UsageError: one sentence with the line and what to do.
        """
        table = path / "items.csv" if path.is_dir() else path.with_suffix(".csv")
        root = table.parent
        settings = table.with_suffix(".toml")
        document = _document(settings) if settings.is_file() else {}
        rows = tables.rows(table, ["image"], lower=False)
        scale = _scale(document.get("score"), settings, any(row["score"] for row in rows))
        items = [_item(row) for row in rows]
        if not items:
            raise UsageError(f"{table.name} lists no image; add one line per image below its header", code="E-CFG")
        _unique(items, rows)
        texts = {key: str(document.get(key, "")) for key in _TEXTS}
        name = texts["name"] or (root.resolve().name if table.name == "items.csv" else table.stem)
        return Manifest(
            name,
            tuple(items),
            root,
            scale=scale,
            classes=_classes(document.get("classes", []), items, rows, settings),
            gaps=tuple(sorted((str(k), str(v)) for k, v in document.get("gaps", {}).items())),
            notes=tuple(str(note) for note in document.get("notes", [])),
            title=texts["title"],
            license=texts["license"],
            source=texts["source"],
            cite=texts["cite"],
            reference_generator=texts["reference_generator"],
        )


def _document(path: Path) -> dict[str, Any]:
    try:
        document = tomllib.loads(tables.text(path))
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path.name} is not valid TOML ({error}); repair that line", code="E-CFG") from None
    _known(document, (*_TEXTS, "notes", "gaps", "score", "classes"), path, "")
    for key in _TEXTS:
        if not isinstance(document.get(key, ""), str):
            raise UsageError(f'{path.name}: {key} must be text, e.g. {key} = "..."', code="E-CFG")
    if isinstance(document.get("notes"), str):
        document["notes"] = [document["notes"]]
    for key, kind, example in (
        ("notes", list, 'notes = ["..."]'),
        ("gaps", dict, 'gaps = {key = "reason"}'),
        ("score", dict, "[score]"),
        ("classes", list, "[[classes]]"),
    ):
        if not isinstance(document.get(key, kind()), kind):
            raise UsageError(f"{path.name}: {key} is not of the form {example}; write it so", code="E-CFG")
    return document


def _known(found: Mapping[str, Any], names: tuple[str, ...], path: Path, where: str) -> None:
    strange = [key for key in found if key not in names]
    if strange:
        raise UsageError(
            f"{path.name}: {where}{strange[0]} is not a key that is read; the keys are {', '.join(names)}", code="E-CFG"
        )


def _scale(score: dict[str, Any] | None, path: Path, scored: bool) -> Scale | None:
    if not score:
        if scored:
            raise UsageError(
                f'the table has scores, but {path.name} does not say which end is good; add [score] with kind = "MOS" '
                'and better = "higher" (or "lower")',
                code="E-CFG",
            )
        return None
    _known(score, _SCORE, path, "score.")
    if score.get("better") not in ("higher", "lower"):
        raise UsageError(
            f'{path.name}: score.better is {score.get("better")!r}; write better = "higher" or better = "lower", '
            "whichever end of the scale is the good one",
            code="E-CFG",
        )
    comparable = score.get("comparable", "everywhere")
    if comparable not in ("everywhere", "within-block"):
        raise UsageError(
            f'{path.name}: score.comparable is {comparable!r}; write "everywhere", or "within-block" where scores '
            "of different references must not be compared",
            code="E-CFG",
        )
    ends: list[float | None] = []
    for end in ("low", "high"):
        value = score.get(end)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise UsageError(f"{path.name}: score.{end} is {value!r}; write a plain number", code="E-CFG")
        ends.append(None if value is None else float(value))
    if ends[0] is not None and ends[1] is not None and ends[0] >= ends[1]:
        raise UsageError(f"{path.name}: score.low is not below score.high; swap or correct them", code="E-CFG")
    return Scale(str(score.get("kind", "score")), score["better"], ends[0], ends[1], comparable)


def _item(row: tables.Row) -> Item:
    image = row["image"]
    if not image:
        raise row.error("the cell `image` is empty", "name the image or delete the line")
    reference = row["reference"] or None
    for path in (image, reference):
        if path:
            _inside(path, row)
    group = row["group"] or reference or image
    votes, se = row.optional("votes"), row.optional("score_se")
    if votes is not None and (votes < 0 or votes != int(votes)):
        raise row.error(f"votes {row['votes']!r} is not a count", "write a whole number from 0 on")
    if se is not None and se < 0:
        raise row.error(f"score_se {row['score_se']!r} is negative", "write the standard error, 0 or more")
    digest = row["sha256"].lower() or None
    if digest and not re.fullmatch(r"[0-9a-f]{64}", digest):
        raise row.error(f"sha256 {row['sha256'][:20]!r} is not one", "write 64 hexadecimal digits (sha256sum FILE)")
    _one_of(row, "split", ("train", "valid", "test"))
    _one_of(row, "role", ("output", "reference"))
    _one_of(row, "family", _FAMILIES)
    attrs = {name: cell for name, cell in row.cells.items() if name not in _COLUMNS and cell}
    if row["family"]:
        attrs["family"] = row["family"]
    return Item(
        key=row["key"] or _bare(image),
        image=image,
        reference=reference,
        generator=row["generator"],
        distortion=row["distortion"],
        group=group,
        block=row["block"] or group,
        score=row.optional("score"),
        score_se=se,
        votes=None if votes is None else int(votes),
        role="reference" if row["role"] == "reference" else "output",
        split=row["split"],
        sha256=digest,
        attrs=attrs,
    )


def _bare(image: str) -> str:
    folder, slash, name = image.rpartition("/")
    return folder + slash + files.stem(name)


def _one_of(row: tables.Row, column: str, values: tuple[str, ...]) -> None:
    if row[column] and row[column] not in values:
        raise row.error(f"{column} is {row[column]!r}", f"write {' or '.join(values)}, or leave the cell empty")


def _inside(path: str, row: tables.Row) -> None:
    """Refuse paths that could lead out of the folder; the image gate checks links when files are read."""
    pure = PurePosixPath(path)
    if pure.is_absolute() or re.match(r"[A-Za-z]:", path) or ".." in pure.parts or "\\" in path or "\0" in path:
        raise row.error(
            f"{path!r} is not a path below the folder",
            "write it relative to the table, with forward slashes and without '..'",
            "E-PATH-ESCAPE",
        )


def _unique(items: list[Item], rows: list[tables.Row]) -> None:
    keys: dict[str, int] = {}
    owners: dict[str, tuple[str, int]] = {}
    twins: dict[str, tuple[str, int]] = {}
    for item, row in zip(items, rows):
        if item.key in keys:
            raise row.error(
                f"{item.key!r} is already on line {keys[item.key]}",
                "delete one of the two, or tell them apart in a column `key`",
            )
        keys[item.key] = row.line
        owner, line = owners.setdefault(item.block, (item.group, row.line))
        if owner != item.group:
            raise row.error(
                f"block {item.block!r} is in group {item.group!r} here and in {owner!r} on line {line}",
                "a block lies inside one group; give the two parts their own names",
            )
        name, line = twins.setdefault(files.fold(item.image), (item.image, row.line))
        if name != item.image:
            raise row.error(
                f"{item.image!r} and {name!r} of line {line} are one file on some computers",
                "rename one of the two files",
            )


def _classes(declared: list[Any], items: list[Item], rows: list[tables.Row], path: Path) -> tuple[DistortionClass, ...]:
    """Classes of the .toml, then those that only the table names; families must agree."""
    classes: dict[str, DistortionClass] = {}
    for entry in declared:
        if not isinstance(entry, dict) or not str(entry.get("code", "")):
            raise UsageError(f"{path.name}: a [[classes]] entry has no code; give code, title and family", code="E-CFG")
        _known(entry, ("code", "title", "family"), path, "classes.")
        family = entry.get("family") or None
        if family is not None and family not in _FAMILIES:
            raise UsageError(
                f'{path.name}: family of class {entry["code"]} is {family!r}; write "gan" or "traditional"',
                code="E-CFG",
            )
        code = str(entry["code"])
        classes[code] = DistortionClass(code, str(entry.get("title") or code), family)
    given: dict[str, set[str]] = {}
    for item, row in zip(items, rows):
        if not item.distortion:
            continue
        given.setdefault(item.distortion, set()).add(row["family"])
        if item.distortion not in classes:
            classes[item.distortion] = DistortionClass(item.distortion, item.distortion)
    for code, families in given.items():
        known = classes[code]
        if known.family is None and len(families) == 1 and (family := next(iter(families))) in _FAMILIES:
            classes[code] = DistortionClass(code, known.title, family)  # type: ignore[arg-type]
    return tuple(classes.values())


def folders(models: Mapping[str, Path], reference: Path) -> Manifest:
    """Outputs of several models against one folder of references, paired by file name.

    An output belongs to the reference of the same stem, else to the only reference whose stem it begins with
    (``img_SRGAN.png`` to ``img.png``; ``_``, ``-``, ``.`` and blank separate). What finds no partner goes into
    ``Manifest.gaps``. Nobody scored these images: ``scale`` is None.

    Raises:
        UsageError: no model, an empty folder, two outputs of a model for one reference, or a model without any pair.
    """
    if not models:
        raise UsageError("no folder of outputs was given; write NAME=FOLDER for each model", code="E-CFG")
    places = {name: _folder(Path(path), f"of {name}") for name, path in models.items()}
    originals = _stems(_folder(Path(reference), "of references"), "references")
    root = Path(os.path.commonpath([*places.values(), Path(reference).resolve()]))
    items: list[Item] = []
    gaps: list[tuple[str, str]] = []
    for name, place in places.items():
        taken: dict[str, str] = {}
        outputs = _stems(place, name)
        for key, output in outputs.items():
            partner, reason = _partner(key, originals)
            if not partner:
                gaps.append((f"{name}/{files.stem(output.name)}", reason))
                continue
            original = originals[partner]
            if partner in taken:
                raise UsageError(
                    f"model {name} has two images for reference {original.name}: {taken[partner]} and {output.name}; "
                    "keep one of them in the folder",
                    code="E-CFG",
                )
            taken[partner] = output.name
            group = files.stem(original.name)
            items.append(
                Item(
                    key=f"{name}/{files.stem(output.name)}",
                    image=output.relative_to(root).as_posix(),
                    reference=original.relative_to(root).as_posix(),
                    generator=name,
                    group=group,
                    block=group,
                )
            )
        if not taken:
            raise UsageError(
                f"no output of model {name} has the name of a reference (for example "
                f"{next(iter(outputs.values())).name} against {next(iter(originals.values())).name}); give each output "
                "its reference's file name",
                code="E-CFG",
            )
        for stem, original in originals.items():
            if stem not in taken:
                gaps.append((f"{name}/{files.stem(original.name)}", f"model {name} has no output for this reference"))
    return Manifest(
        "comparison",
        tuple(items),
        root,
        title=" against ".join(places) if len(places) <= 3 else f"{len(places)} models",
        gaps=tuple(gaps),
        notes=("No people were asked: models are ordered by metrics alone.",),
    )


def _folder(path: Path, what: str) -> Path:
    path = path.resolve()
    if not path.is_dir():
        raise UsageError(f"the folder {what}, {path.name}, does not exist; check its name", code="E-CFG")
    if not files.images(path):
        raise UsageError(
            f"the folder {what}, {path.name}, holds no image ({', '.join(e[1:] for e in files.EXTENSIONS)}); "
            "give the folder that holds the files themselves",
            code="E-CFG",
        )
    return path


def _stems(folder: Path, what: str) -> dict[str, Path]:
    """Image files by folded stem; two of one stem are an error."""
    found: dict[str, Path] = {}
    for name in files.images(folder):
        key = files.fold(files.stem(name))
        if key in found:
            raise UsageError(
                f"{what}: {found[key].name} and {name} differ in extension or letter case only; keep one of them",
                code="E-CFG",
            )
        found[key] = folder / name
    return found


def _partner(key: str, originals: Mapping[str, Path]) -> tuple[str, str]:
    """Folded stem of the reference, or the reason why there is none."""
    if key in originals:
        return key, ""
    begins = [stem for stem in originals if key.startswith(stem) and key[len(stem)] in "_-. "]
    if len(begins) == 1:
        return begins[0], ""
    if not begins:
        return "", "no reference has this name"
    names = " and ".join(originals[stem].name for stem in begins)
    return "", f"its name begins like several references, {names}; give it the exact name of one"
