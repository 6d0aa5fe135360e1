"""Train, validation and test: by reference, never by image; and the guard that refuses what leaks.

Protocols of ``make``:

* ``reference``: 60/20/20 of the references (80/10/10 where there are at least 100);
* ``reference+generator``: besides, a third of the generators of every distortion class is held out: test images show
  unseen references made by unseen algorithms, and training sees neither;
* ``random``: 70/10/20 of the images, for sets where every image is its own content;
* ``official``: the data set's own column. Training images that show the content of a test image are left out; where
  no validation part is named, a tenth of the training contents is drawn.

A split has a digest over the data and all its keys. Scalers, caches of fitted statistics and checkpoints carry it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

from ..errors import IntegrityError, UsageError
from ..spec import digest
from ..stats import generator as stream
from .data import Sample, TrainingSet
from .likeness import NEAR, alike, near

Protocol = Literal["reference", "reference+generator", "random", "official"]
PROTOCOLS: tuple[Protocol, ...] = ("reference", "reference+generator", "random", "official")


@dataclass(frozen=True)
class Split:
    """Keys of the three parts."""

    protocol: str
    seed: int
    data: str
    """Digest of the data set."""
    train: tuple[str, ...]
    valid: tuple[str, ...]
    test: tuple[str, ...]
    images: str = field(default="", kw_only=True)
    """Digest of the data set's pixels; no part of ``digest``, so that files from before it was kept stay readable."""

    @cached_property
    def digest(self) -> str:
        parts = [sorted(part) for part in (self.train, self.valid, self.test)]
        return digest({"data": self.data, "parts": parts})


def make(data: TrainingSet, protocol: Protocol = "reference", seed: int = 0) -> Split:
    """Draw a split and check it.

    Raises:
        UsageError: too few references, an unknown protocol, or an official split that is not there.
        IntegrityError: two parts share content (``guard``).
    """
    if protocol == "official":
        split = _official(data, seed)
    elif protocol in PROTOCOLS:
        split = _drawn(data, protocol, seed)
    else:
        raise UsageError(f"there is no split {protocol!r}; there are {', '.join(PROTOCOLS)}", code="E-CFG")
    parts = {name: data.select(getattr(split, name)) for name in ("train", "valid", "test")}
    guard(parts)
    return replace(split, images=data.images)


def _drawn(data: TrainingSet, protocol: Protocol, seed: int) -> Split:
    groups = _merged(data)
    names = sorted(set(groups.values()))
    if len(names) < 3:
        raise UsageError(
            f"{data.name} shows {len(names)} different contents, and train, validation and test need one each; "
            "choose a larger set",
            code="E-SPLIT",
        )
    rng = stream(seed, data.digest, "split", protocol)
    order = [names[n] for n in rng.permutation(len(names))]
    share = 0.1 if protocol == "random" or len(names) >= 100 else 0.2
    valid = max(1, round(share * len(names)))
    test = max(1, round((0.2 if protocol == "random" else share) * len(names)))
    part = dict.fromkeys(order[:test], "test") | dict.fromkeys(order[test : test + valid], "valid")
    held = _held_out(data.samples, rng) if protocol == "reference+generator" else set()
    keys: dict[str, list[str]] = {"train": [], "valid": [], "test": []}
    for sample in data.samples:
        name = part.get(groups[sample.group], "train")
        if not held or (sample.generator in held) == (name == "test"):
            keys[name].append(sample.key)
    return Split(protocol, seed, data.digest, tuple(keys["train"]), tuple(keys["valid"]), tuple(keys["test"]))


def _merged(data: TrainingSet) -> dict[str, str]:
    """Group -> content: groups whose pictures are near-duplicates belong together, whatever they are called, and so do
    those that only a third one joins."""
    contents = sorted(data.contents())
    groups = [group for _, group, _ in contents]
    first: dict[int, str] = {}
    labels = alike([value for *_, value in contents], groups).tolist()
    return {group: first.setdefault(label, group) for group, label in zip(groups, labels)}


def _held_out(samples: Sequence[Sample], rng: object) -> set[str]:
    """A third of the generators of every distortion class, at least one of each class that has two or more."""
    classes: dict[str, set[str]] = defaultdict(set)
    for sample in samples:
        if sample.generator:
            classes[sample.distortion].add(sample.generator)
    held: set[str] = set()
    for name in sorted(classes):
        there = sorted(classes[name])
        count = round(len(there) / 3) if len(there) > 1 else 0
        held |= {there[n] for n in rng.permutation(len(there))[: max(count, int(len(there) > 1))]}  # type: ignore[attr-defined]
    if not held:
        raise UsageError(
            "no distortion class has two generators, so none can be held out; use the split `reference`", code="E-SPLIT"
        )
    return held


def _official(data: TrainingSet, seed: int) -> Split:
    keys: dict[str, list[str]] = {"train": [], "valid": [], "test": []}
    for sample in data.samples:
        if sample.split in keys:
            keys[sample.split].append(sample.key)
    lacking = [name for name in ("train", "test") if not keys[name]]
    if lacking:
        raise UsageError(
            f"{data.name} has no official {lacking[0]}; use the split `reference`, which is drawn by content",
            code="E-SPLIT",
        )
    contents = _merged(data)
    tested = {contents[s.group] for s in data.select(keys["test"]).samples}
    for part in ("train", "valid"):
        keys[part] = [s.key for s in data.select(keys[part]).samples if contents[s.group] not in tested]
    if not keys["valid"]:
        keys["train"], keys["valid"] = _parted(data.select(keys["train"]), contents, seed)
    return Split("official", seed, data.digest, tuple(keys["train"]), tuple(keys["valid"]), tuple(keys["test"]))


def _parted(train: TrainingSet, contents: Mapping[str, str], seed: int) -> tuple[list[str], list[str]]:
    """Keys to train on and to choose by: nine tenths and a tenth of the contents."""
    names = sorted({contents[s.group] for s in train.samples})
    order = stream(seed, train.digest, "split", "valid").permutation(len(names))
    chosen = {names[n] for n in order[: max(1, round(0.1 * len(names)))]}
    parts: tuple[list[str], list[str]] = ([], [])
    for sample in train.samples:
        parts[contents[sample.group] in chosen].append(sample.key)
    return parts


def guard(parts: dict[str, TrainingSet]) -> None:
    """Refuse parts that share a reference, an image, or near-duplicate content.

    Args:
        parts: ``train``, ``valid``, ``test``, and any other set that must be apart, such as ``teacher``.

    Raises:
        IntegrityError: which two parts share what.
    """
    names = list(parts)
    for n, first in enumerate(names):
        for second in names[n + 1 :]:
            _apart(first, parts[first], second, parts[second])


def _apart(first: str, a: TrainingSet, second: str, b: TrainingSet) -> None:
    shared = {(s.dataset, s.group) for s in a.samples} & {(s.dataset, s.group) for s in b.samples}
    if shared:
        raise IntegrityError(
            f"{first} and {second} share {len(shared)} references, e.g. {min(shared)[1]!r}; split by reference",
            code="E-LEAK",
        )
    theirs = {b.pixels.rows[s.image]["sha256"]: s.key for s in b.samples}
    for sample in a.samples:
        twin = theirs.get(a.pixels.rows[sample.image]["sha256"])
        if twin is not None:
            raise IntegrityError(
                f"{first} and {second} hold the same image, {sample.key!r} and {twin!r}; remove one of them",
                code="E-LEAK",
            )
    clash(first, a.contents(), second, b.contents())


def clash(
    first: str,
    ours: Iterable[tuple[str, str, int]],
    second: str,
    theirs: Iterable[tuple[str, str, int]],
) -> None:
    """The same for contents alone, as a checkpoint remembers them: (data set, group, perceptual hash).

    Raises:
        IntegrityError: a shared reference, or two pictures within a few bits of each other.
    """
    a, b = list(ours), list(theirs)
    shared = {(d, g) for d, g, _ in a} & {(d, g) for d, g, _ in b}
    if shared:
        raise IntegrityError(
            f"{first} and {second} share {len(shared)} references, e.g. {min(shared)[1]!r}; "
            "train them on the same split, or test elsewhere",
            code="E-LEAK",
        )
    hit = near([value for *_, value in a], [value for *_, value in b])
    if hit:
        raise IntegrityError(
            f"{first} and {second} show the same content: {a[hit[0]][1]!r} and {b[hit[1]][1]!r} differ in at most "
            f"{NEAR} of 64 bits of their perceptual hashes; keep them in one part",
            code="E-LEAK",
        )
