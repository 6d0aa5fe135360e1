"""The plain values everything else is made of. Imports nothing of ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Better = Literal["higher", "lower"]
Needs = Literal["image", "pair", "set"]
Status = Literal["ok", "nonfinite", "failed", "skipped"]
Family = Literal["gan", "traditional"]


@dataclass(frozen=True, slots=True)
class Scale:
    """What a human score means."""

    kind: str
    """``MOS``, ``DMOS``, ``Elo``, ``Bradley-Terry``, ``JND`` or ``severity`` (known order, no people asked)."""
    better: Better
    """Which end of the scale is good."""
    low: float | None = None
    high: float | None = None
    comparable: Literal["everywhere", "within-block"] = "everywhere"
    """``within-block``: scores of different blocks (by default: references) must not be compared."""

    @property
    def sign(self) -> int:
        """+1 where a higher score is better, else -1."""
        return 1 if self.better == "higher" else -1


@dataclass(frozen=True, slots=True)
class EloVoting:
    """How Elo scores came about, where the votes themselves are not published."""

    votes: int
    """Per reference, in one pass."""
    step: float
    """Elo's K."""
    scale: float = 400.0
    """Points that make odds of 10 to 1."""


@dataclass(frozen=True, slots=True)
class DistortionClass:
    """One kind of distortion or model, as a data set names it."""

    code: str
    title: str
    family: Family | None = None
    """GAN against traditional; ``None`` where the set does not say."""


@dataclass(frozen=True, slots=True)
class Item:
    """One image to be scored, with everything known about it. Paths are relative POSIX paths."""

    key: str
    """Unique in its manifest; scores and imports are matched by it, never by order."""
    image: str
    reference: str | None = None
    generator: str = ""
    """The model or algorithm that made the image; crossed with references where a set is balanced."""
    distortion: str = ""
    """Code of the item's distortion class (see ``Manifest.classes``)."""
    group: str = ""
    """The independent unit for intervals: the reference, or the content where there is none."""
    block: str = ""
    """Within which scores may be compared; equal to ``group`` unless a set says otherwise."""
    score: float | None = None
    score_se: float | None = None
    votes: int | None = None
    role: Literal["output", "reference"] = "output"
    """A ``reference`` is a pristine image shown to people as a condition of its own: it counts for the
    ranking of generators and never for the agreement of metrics."""
    split: str = ""
    """``train``, ``valid`` or ``test`` where the set has an official split."""
    sha256: str | None = None
    """Hash of the file's bytes where the set declares it; a different file is refused."""
    attrs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Picture:
    """Facts about one decoded image file (the pixels themselves travel separately)."""

    sha256: str
    """Of the file's bytes."""
    pixels_sha256: str
    """Of the decoded HxWx3 uint8 array, so that a decoder change shows."""
    width: int
    height: int
    mode: str
    """Pillow's mode in the file, before conversion to RGB."""
    bytes: int
    notes: tuple[str, ...] = ()
    """``ext_mismatch``, ``icc:<sha256[:12]>``, ``mode:L`` and so on."""


@dataclass(frozen=True, slots=True)
class Score:
    """One metric's answer for one image: a number, or the reason why there is none."""

    metric: str
    """Digest of the metric's identity."""
    image: str
    """sha256 of the image file's bytes."""
    reference: str
    """sha256 of the reference file's bytes; empty for a no-reference metric."""
    value: float | None
    status: Status = "ok"
    detail: str = ""
    """Begins with a code for every status but ``ok``."""
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class ItemResult:
    """What a worker sends back for one item: pictures, scores, or one refusal for the whole item."""

    key: str
    image: Picture | None = None
    reference: Picture | None = None
    scores: tuple[Score, ...] = ()
    refusal: tuple[str, str] | None = None
    """``(code, message)`` when the image gate or the pairing refused the item."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A statistic with its interval, or the reason why it has none.

    ``value is None`` means undefined; ``low``/``high`` are ``None`` where no honest interval exists.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    n: int = 0
    method: str = ""
    reason: str = ""
