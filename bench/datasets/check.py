"""What is wrong with a data set, before hours are spent on scoring it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from ..errors import Refusal
from ..manifest import Manifest
from ..types import Item, Picture

if TYPE_CHECKING:
    from ..images import Gate

Level = Literal["error", "warning", "note"]

# Below 8 independent units no interval is given; a coefficient inside a group needs 5 items.
LEAST_GROUPS, LEAST_ITEMS = 8, 5
# Scores whose PSNR correlation is nearer to zero than this say nothing about their direction.
_CLEAR = 0.1
_NOTES = {
    "ext_mismatch": "the content is of another format than the extension says",
    "icc": "a color profile other than sRGB is embedded",
    "mode": "stored as gray, palette or another mode and read as RGB",
}
_ORDER = {"error": 0, "warning": 1, "note": 2}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a check found."""

    level: Level
    """``error``: something cannot be scored as it stands. ``warning``: results may not mean what they seem to."""
    code: str
    path: str
    """File or item it concerns; empty for the whole set."""
    message: str

    def __str__(self) -> str:
        return f"{self.code} {self.path}: {self.message}" if self.path else f"{self.code} {self.message}"


def check(
    manifest: Manifest,
    sample: int | None = None,
    gate: Gate | None = None,
    tick: Callable[[int], None] = lambda n: None,
) -> list[Finding]:
    """Look for everything that would spoil a run or its meaning.

    Every file's presence is tested; pixels are decoded for ``sample`` items, evenly spread over the set.

    Args:
        manifest: the set.
        sample: number of items to decode; all of them by default, 0 for none.
        gate: rules for decoding; the defaults refuse what could be read in more than one way.
        tick: told of every item that was decoded.

    Returns:
        Findings, errors first; an empty list means that nothing was found.
    """
    found = [*_names(manifest), *_scores(manifest), *_groups(manifest)]
    missing, there = _presence(manifest)
    found += missing
    chosen = _spread(there, sample)
    found += _Pixels(manifest, gate).look(chosen, tick)
    if len(chosen) < len(there):
        found.append(Finding("note", "N-SAMPLE", "", f"pixels of {len(chosen)} of {len(there)} images were looked at"))
    return sorted(found, key=lambda f: _ORDER[f.level])


def _spread(items: list[Item], sample: int | None) -> list[Item]:
    if sample is None or sample >= len(items):
        return items
    places = np.linspace(0, len(items) - 1, max(0, sample)).round().astype(int)
    return [items[n] for n in sorted(set(places.tolist()))]


def _names(manifest: Manifest) -> Iterator[Finding]:
    from ..images import twins

    paths = dict.fromkeys(p for item in manifest.items for p in (item.image, item.reference) if p)
    for one, other in twins(paths):
        yield Finding(
            "error", "E-NAME-TWIN", other, f"differs from {one} in letter case or accents only; rename one of the two"
        )
    for one, other in twins(item.key for item in manifest.items):
        yield Finding("warning", "W-KEY-TWIN", other, f"the key differs from {one} in letter case or accents only")
    users: dict[str, str] = {}
    for item in manifest.items:
        first = users.setdefault(item.image, item.key)
        if first != item.key:
            yield Finding("warning", "W-FILE-TWICE", item.image, f"is listed as {first} and as {item.key}")
        if item.role == "output" and item.image == item.reference:
            yield Finding(
                "warning",
                "W-IS-REFERENCE",
                item.image,
                "is its own reference; list pristine images with role reference",
            )


def _presence(manifest: Manifest) -> tuple[list[Finding], list[Item]]:
    """Findings about files that are not there, and the items whose image is."""
    exists: dict[str, bool] = {}

    def present(relative: str) -> bool:
        if relative not in exists:
            exists[relative] = manifest.path(relative).is_file()
        return exists[relative]

    there = [item for item in manifest.items if present(item.image)]
    if not there:
        what = f"none of the {len(manifest.items)} images is there; only what needs no image can be computed"
        return [Finding("error", "E-IO-MISSING", "", what)], []
    found: list[Finding] = []
    lost: dict[str, int] = defaultdict(int)
    for item in manifest.items:
        if not present(item.image):
            found.append(
                Finding("error", "E-IO-MISSING", item.image, "the image is not there; restore it or drop the item")
            )
        if item.reference and not present(item.reference):
            lost[item.reference] += 1
    for reference, n in lost.items():
        what = f"the reference of {n} items is not there; without it only no-reference metrics can be used"
        found.append(Finding("error", "E-IO-MISSING", reference, what))
    bare = [item for item in manifest.items if item.reference is None]
    if len(bare) == len(manifest.items):
        found.append(
            Finding("note", "N-NO-REFERENCE", "", "no item has a reference; full-reference metrics are left out")
        )
    else:
        what = "names no reference although others do; full-reference metrics will fail on it"
        found += [Finding("warning", "W-NO-REFERENCE", item.key, what) for item in bare]
    return found, there


def _scores(manifest: Manifest) -> Iterator[Finding]:
    scale = manifest.scale
    scored = [item for item in manifest.items if item.score is not None]
    if scale is None:
        if scored:
            yield Finding("error", "E-SCALE", "", "items have scores, but the set does not say which end is good")
        else:
            yield Finding(
                "note", "N-NO-SCORES", "", "nobody scored these images; metrics cannot be compared with people"
            )
        return
    if not scored:
        yield Finding("warning", "W-NO-SCORES", "", f"a {scale.kind} scale is declared, but no item has a score")
        return
    if len(scored) < len(manifest.items):
        yield Finding("note", "N-SCORES", "", f"{len(scored)} of {len(manifest.items)} items have a score")
    low = -np.inf if scale.low is None else scale.low
    high = np.inf if scale.high is None else scale.high
    for item in scored:
        if not low <= _score(item) <= high:
            what = f"score {item.score:g} lies outside the declared range [{low:g}, {high:g}]; correct one of them"
            yield Finding("error", "E-SCORE-RANGE", item.key, what)
    blocks = _by_block(scored)
    constant = [name for name, items in blocks.items() if len(items) > 1 and len({item.score for item in items}) == 1]
    if len({item.score for item in scored}) == 1 and len(scored) > 1:
        yield Finding("error", "E-SCORE-CONSTANT", "", f"all scores are {scored[0].score:g}; no correlation is defined")
    elif constant:
        what = (
            f"{len(constant)} of {len(blocks)} blocks have one score only ({constant[0]} ...); they count for nothing"
        )
        yield Finding("warning", "W-SCORE-CONSTANT", "", what)


def _groups(manifest: Manifest) -> Iterator[Finding]:
    outputs = [item for item in manifest.items if item.role == "output"]
    groups: dict[str, int] = defaultdict(int)
    for item in outputs:
        groups[item.group] += 1
    if len(groups) < LEAST_GROUPS:
        what = f"{len(groups)} independent groups (references); no interval is given below {LEAST_GROUPS}"
        yield Finding("note", "N-FEW-GROUPS", "", what)
    small = [name for name, n in groups.items() if n < LEAST_ITEMS]
    if manifest.scale is not None and small and len(groups) < len(outputs):
        what = (
            f"{len(small)} of {len(groups)} groups have fewer than {LEAST_ITEMS} items ({small[0]} ...); they give no "
            "correlation of their own"
        )
        yield Finding("note", "N-SMALL-GROUPS", "", what)


def _by_block(items: Sequence[Item]) -> dict[str, list[Item]]:
    blocks: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        blocks[item.block].append(item)
    return blocks


def _score(item: Item) -> float:
    return float("nan") if item.score is None else item.score


class _Pixels:
    """Everything that needs decoded images; holds one reference at a time."""

    def __init__(self, manifest: Manifest, gate: Gate | None) -> None:
        from ..images import Gate

        self.manifest = manifest
        self.gate = gate or Gate()
        self.found: list[Finding] = []
        self.pictures: dict[str, Picture] = {}
        self.broken: set[str] = set()
        self.errors: dict[str, float] = {}
        """Mean squared error by key, of outputs that can be compared with their reference."""
        self.notes: dict[str, list[str]] = defaultdict(list)
        """Kind of note that the image gate makes -> files."""

    def look(self, items: list[Item], tick: Callable[[int], None]) -> list[Finding]:
        by_reference: dict[str, list[Item]] = defaultdict(list)
        for item in items:
            by_reference[item.reference or ""].append(item)
        for reference, outputs in by_reference.items():
            usable = reference and self.manifest.path(reference).is_file()
            pristine = self.read(reference) if usable else None
            for item in outputs:
                self.item(item, pristine)
                tick(1)
        self.duplicates(items)
        self.direction(items)
        for kind, paths in self.notes.items():
            what = f"{_NOTES.get(kind, kind)} ({len(paths)} files{', this the first' if len(paths) > 1 else ''})"
            self.found.append(Finding("note", "N-FILE", paths[0], what))
        return self.found

    def read(self, relative: str, sha256: str | None = None) -> np.ndarray | None:
        from ..images import read

        if relative in self.broken:
            return None
        root = self.manifest.root
        try:
            pixels, picture = read(root / relative, shown=relative, sha256=sha256, gate=self.gate, root=root)
        except Refusal as refusal:
            self.broken.add(relative)
            self.found.append(Finding("error", refusal.code, relative, f"{refusal.found}; {refusal.advice}"))
            return None
        if relative not in self.pictures:
            for note in picture.notes:
                self.notes[note.partition(":")[0]].append(relative)
        self.pictures[relative] = picture
        return pixels

    def item(self, item: Item, pristine: np.ndarray | None) -> None:
        pixels = self.read(item.image, item.sha256)
        if pixels is None or pristine is None or item.image == item.reference:
            return
        if pixels.shape != pristine.shape:
            (h, w), (rh, rw) = pixels.shape[:2], pristine.shape[:2]
            what = f"has {w}x{h} pixels but its reference {item.reference} has {rw}x{rh}; pair images of one size"
            self.found.append(Finding("error", "E-PAIR-SIZE", item.image, what))
            return
        difference = pixels.astype(np.int32) - pristine
        error = float(np.mean(difference * difference))
        if item.role == "output":
            self.errors[item.key] = error

    def duplicates(self, items: list[Item]) -> None:
        references = {item.reference for item in items if item.reference}
        owners: dict[str, list[str]] = defaultdict(list)
        for path, picture in self.pictures.items():
            owners[picture.pixels_sha256].append(path)
        scores = {item.image: item.score for item in items}
        for paths in owners.values():
            if len(paths) < 2:
                continue
            pristine = [p for p in paths if p in references]
            outputs = [p for p in paths if p not in references]
            for path in outputs if pristine else []:
                what = f"has the very pixels of the reference {pristine[0]}"
                self.found.append(Finding("warning", "W-IS-REFERENCE", path, what))
            for one, other in zip(pristine[:1] * (len(pristine) - 1), pristine[1:]):
                what = f"has the very pixels of the reference {one}; two groups may be one content"
                self.found.append(Finding("warning", "W-DUPLICATE", other, what))
            if pristine:
                continue
            for path in outputs[1:]:
                given = sorted({f"{s:g}" for s in (scores.get(outputs[0]), scores.get(path)) if s is not None})
                tail = f", with scores {' and '.join(given)}" if len(given) > 1 else ""
                self.found.append(Finding("warning", "W-DUPLICATE", path, f"has the very pixels of {outputs[0]}{tail}"))

    def direction(self, items: list[Item]) -> None:
        """Scores should rise with PSNR where higher is declared better; a set that does not is suspicious."""
        from ..stats.agreement import srocc, within

        scale = self.manifest.scale
        rows = [item for item in items if item.key in self.errors and item.score is not None]
        if scale is None or len(rows) < LEAST_ITEMS:
            return
        nearness = np.array([-self.errors[item.key] for item in rows])
        scores = np.array([_score(item) for item in rows])
        blocks = [item.block for item in rows]
        per = within(nearness, scores, blocks, least=3).values
        where = f"mean within-block SROCC over {len(per)} blocks"
        if len(per):
            found = float(per.mean())
        elif scale.comparable == "everywhere":
            found, where = srocc(nearness, scores), f"SROCC over {len(rows)} images"
        else:
            return
        if np.isfinite(found) and found * scale.sign < -_CLEAR:
            what = (
                f"{self.manifest.name} declares that {scale.better} scores are better, but PSNR correlates "
                f"{found:+.2f} with them ({where}): the direction looks wrong; check [score] better, or the table"
            )
            self.found.append(Finding("warning", "W-DIRECTION", "", what))
