"""What a recipe trains on: a manifest's images in memory-mapped pixels, with scores where people gave any."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from .. import plan
from ..atomic import write_text
from ..errors import Refusal, UsageError
from ..images import Gate, read
from ..manifest import Manifest
from ..progress import Progress, Silent
from ..spec import digest
from ..types import Scale
from . import pixels
from .pixels import Picture, Pixels


@dataclass(frozen=True, slots=True)
class Sample:
    """One image to learn from. Pictures are numbers in the set's ``Pixels``."""

    key: str
    image: int
    reference: int | None
    score: float | None
    """As the data set has it, or a pseudo-label; None where there is neither."""
    score_se: float | None
    dataset: str
    group: str
    """The independent unit: the reference, or the image itself."""
    block: str
    """Within which scores may be compared."""
    generator: str
    distortion: str
    split: str


@dataclass(frozen=True)
class TrainingSet:
    """Samples and their pictures."""

    name: str
    samples: tuple[Sample, ...]
    pixels: Pixels
    scale: Scale | None
    digest: str
    """Of the manifest; of all manifests, where several were joined."""
    license: str = ""
    refused: tuple[str, ...] = ()
    """One message for every image that was left out."""
    learned: bool = False
    """Whether scores are on the scale that networks learn, as pseudo-labels and a teacher's answers are."""

    @cached_property
    def by_key(self) -> Mapping[str, int]:
        return {sample.key: n for n, sample in enumerate(self.samples)}

    @cached_property
    def images(self) -> str:
        """Digest of the decoded pixels of every image and its reference: ``digest`` knows names and scores alone."""

        def shown(number: int | None) -> str:
            return "" if number is None else self.pixels.rows[number]["sha256"]

        return digest(sorted((s.key, shown(s.image), shown(s.reference)) for s in self.samples))

    @cached_property
    def labels(self) -> str:
        """Digest of the scores, to six decimals: pseudo-labels come from fits, whose last bits mean nothing."""
        return digest(sorted((s.key, None if s.score is None else round(s.score, 6)) for s in self.samples))

    @property
    def sign(self) -> int:
        return self.scale.sign if self.scale else 1

    @property
    def within(self) -> bool:
        """Whether scores of different references must not be compared."""
        return self.scale is not None and self.scale.comparable == "within-block"

    @property
    def paired(self) -> bool:
        """Whether every image has a reference."""
        return all(sample.reference is not None for sample in self.samples)

    def select(self, keys: Sequence[str]) -> TrainingSet:
        """The same pictures with only these samples, in the set's own order."""
        wanted = set(keys)
        return replace(self, samples=tuple(s for s in self.samples if s.key in wanted))

    def relabelled(self, scores: Mapping[str, float], scale: Scale) -> TrainingSet:
        """Pseudo-labels or a teacher's answers in place of people's; samples without one lose theirs.

        They compare all images of a reference, also where people were asked about different tasks apart.
        """
        changed = tuple(replace(s, score=scores.get(s.key), score_se=None, block=s.group) for s in self.samples)
        return replace(self, samples=changed, scale=scale, learned=True)

    def contents(self) -> list[tuple[str, str, int]]:
        """(data set, group, perceptual hash) of every content: of the reference, or of an image without one."""
        seen: dict[tuple[str, str, int], None] = {}
        for s in self.samples:
            number = s.image if s.reference is None else s.reference
            seen[s.dataset, s.group, self.pixels.phash(number)] = None
        return list(seen)


def load(manifest: Manifest, home: Path, gate: Gate | None = None, progress: Progress | None = None) -> TrainingSet:
    """Decode a manifest's images, or find them decoded.

    Images that the gate refuses are left out and named in ``refused``; so are those whose reference it refuses.

    Args:
        manifest: any data set; its pristine conditions (role ``reference``) are no samples.
        home: folder for decoded pixels, shared between runs.
        gate: rules for unusual files.
        progress: told how far it is.

    Raises:
        UsageError: no image is left.
    """
    gate, say = gate or Gate(), progress or Silent()
    items = [item for item in manifest.items if item.role == "output"]
    wanted = sorted({i.image for i in items} | {i.reference for i in items if i.reference})
    say.stage("hashing files", len(wanted))
    found = plan.survey(manifest, gate, say.advance)
    at_hand = [name for name in wanted if name in found.files]
    identity = {
        "files": [found.files[name].sha256 for name in at_hand],
        "gate": gate.identity(),
        "decoder": 1,
    }
    # Which files cannot be decoded is found once, by trying; it depends on the files and the gate alone.
    note = home / f"refused-{digest(identity)[:32]}.json"
    bad: dict[str, str] = json.loads(note.read_text(encoding="utf-8")) if note.is_file() else {}
    at_hand = [name for name in at_hand if name not in bad]
    identity["files"] = [found.files[name].sha256 for name in at_hand]

    def pictures() -> Iterator[Picture]:
        for name in at_hand:
            try:
                yield read(manifest.path(name), shown=name, gate=gate, root=manifest.root)[0]
            except Refusal as refusal:
                bad[name] = str(refusal)
                raise

    try:
        stored = pixels.store(home, identity, pictures, len(at_hand), say)
    except Refusal:
        # Rare: find every file that cannot be decoded, leave all of them out, and name the rest anew.
        for name in at_hand:
            try:
                read(manifest.path(name), shown=name, gate=gate, root=manifest.root)
            except Refusal as refusal:
                bad[name] = str(refusal)
        write_text(note, json.dumps(bad))
        at_hand = [name for name in at_hand if name not in bad]
        identity["files"] = [found.files[name].sha256 for name in at_hand]
        stored = pixels.store(home, identity, pictures, len(at_hand), say)
    numbers = {name: n for n, name in enumerate(at_hand)}
    refused = {r.key: r.refusal[1] for r in found.refused if r.refusal}
    samples = []
    for item in items:
        lacking = [n for n in (item.image, item.reference) if n and n not in numbers]
        if lacking or item.key in refused:
            why = bad.get(lacking[0], f"E-IO-MISSING {lacking[0]}: cannot be read") if lacking else ""
            refused.setdefault(item.key, why)
            continue
        samples.append(
            Sample(
                key=item.key,
                image=numbers[item.image],
                reference=numbers[item.reference] if item.reference else None,
                score=item.score,
                score_se=item.score_se,
                dataset=manifest.name,
                group=item.group or item.reference or item.key,
                block=item.block or item.group or item.reference or item.key,
                generator=item.generator,
                distortion=item.distortion,
                split=item.split,
            )
        )
    if not samples:
        first = next(iter(refused.values()), "it names none")
        raise UsageError(f"{manifest.name} has no image to train on; {first}", code="E-DATA")
    return TrainingSet(
        manifest.name,
        tuple(samples),
        stored,
        manifest.scale,
        manifest.digest,
        manifest.license,
        tuple(refused.values()),
    )
