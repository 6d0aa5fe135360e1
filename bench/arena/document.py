"""The arena document, key by key: what ``arena.json`` holds and what its page is made from.

Plain JSON types only; no timestamps, hosts or paths: its bytes depend on the two runs and their settings alone.
"""

from __future__ import annotations

from typing import Literal, TypedDict

from ..document import Cell, ScoreInfo

SCHEMA = 1
KIND = "ganiq-arena"


class Standing(TypedDict):
    """One generator in one view."""

    place: int
    """1 = best; equals share the better place."""
    tier: int | None
    """1 = no generator is significantly better; None = not tested (see ``View.tiers``)."""
    rank: list[int] | None
    """[best, worst] place that the tests leave open."""
    strength: Cell
    """On the natural log scale, mean zero: a difference d means odds of e^d to win on a reference."""
    win_rate: Cell
    """Mean over opponents of the share of references on which it is better; ties count half."""


class View(TypedDict):
    """Who beats whom, in the eyes of people, of a panel of metrics or of one metric."""

    name: str
    """``people``, ``panel``, or the metric's column."""
    title: str
    kind: Literal["people", "panel", "metric", "set"]
    better: Literal["higher", "lower"]
    scale: str
    """What ``strength`` is."""
    n_references: int
    interval: str
    """What the intervals resample, or why there are none."""
    tiers: str
    """How tiers were tested, or why there are none."""
    reason: str
    """Why there is no view at all; empty where there is one."""
    standings: dict[str, Standing]
    apart: dict[str, list[str]] | None
    """Generator -> those that the tests tell apart from it. None where pairs were not tested, and for single metrics,
    which order nothing here."""
    wins: list[list[float | None]]
    """Share of references on which the row is better than the column (ties half), in the order of
    ``Arena.generators``; None on the diagonal."""


class Contestant(TypedDict):
    """One generator."""

    name: str
    distortion: str
    family: str
    n_images: int
    """On the shared references."""
    human: Cell
    """Mean human score over the shared references, as on the leaderboard."""
    metrics: dict[str, Cell]
    """Mean of each metric over the shared references, as on the leaderboard."""
    sentence: str
    """Which metrics reverse its order with the generator below it."""


class Verdict(TypedDict):
    """What one metric says about one pair of neighbours in the headline order."""

    order: Literal["same", "flip", "tie"]
    difference: float | None
    """Win rate of the upper one less that of the lower one, under this metric."""
    share: float | None
    """Of the references on which the metric, too, has the upper one better; ties half."""
    p: float | None
    """Sign-flip over references, Holm over the pairs of this metric; None where there are no comparisons."""
    significant: bool


class Pair(TypedDict):
    """Two neighbours in the headline order."""

    above: str
    below: str
    level: bool
    """The headline places them alike: nothing to reverse."""
    separated: bool | None
    """Whether the headline's tests tell them apart; None where it has no tests."""
    verdicts: dict[str, Verdict]


class Panel(TypedDict):
    """Which metrics judge together."""

    votes: list[list[str]]
    """Variants of one metric (other parameters, its luma form) share a vote."""
    left_out: dict[str, str]
    """Metric -> why it has no vote."""
    rule: str


class Trust(TypedDict):
    """How far a metric agrees with people on a rated set."""

    srocc: Cell
    what: str
    """``GAN outputs``, or the statistic of the whole set that stands in for it."""
    tier: int | None
    """On that set's metric leaderboard."""


class Referee(TypedDict):
    """One metric of this run."""

    name: str
    title: str
    better: Literal["higher", "lower"]
    needs: str
    cite: str
    digest: str
    in_panel: bool
    trust: Trust
    agreement: Cell
    """SROCC of its order of generators with people's, as on the leaderboard."""
    flips: int
    """Neighbours in the headline order that it places the other way round."""
    significant: int
    """Of these, with a difference that chance does not explain."""
    apart: int
    """Pairs of generators, neighbours or not, that the headline's tests tell apart; 0 without tests."""
    reversed: int
    """Of these, pairs that it places the other way round."""


class Prediction(TypedDict):
    """Human scores of this run's generators, as one metric's calibration has them."""

    metric: str
    status: Literal["ok", "refused"]
    reason: str
    kind: str
    """``logistic`` or ``linear``."""
    error: float | None
    """Root mean square over the calibration's generators of (mean predicted - mean human), with divisor n - 1."""
    n_generators: int
    """Generators behind ``error``."""
    outside: float | None
    """Share of this run's images beyond the range the curve was fitted on."""
    predicted: dict[str, Cell]


class Calibration(TypedDict):
    """The rated run that trust and predictions come from."""

    title: str
    dataset: str
    digest: str
    score: ScoreInfo
    n_references: int
    n_generators: int
    same_images: bool
    """It is the same set: errors are then those of the data the curves were fitted on."""


class Extreme(TypedDict):
    """The image of a generator that the panel likes least or most."""

    generator: str
    which: Literal["worst", "best"]
    key: str
    group: str
    place: float
    """Mean over the panel of the image's percentile among all images here; 0 = worst, 1 = best."""
    low: float
    """The panel member that likes it least."""
    high: float


class Extremes(TypedDict):
    rows: list[Extreme]
    note: str


class Price(TypedDict):
    generator: str
    seconds: float
    """Median over its images of the time it took to make one."""
    n: int
    quality: float
    front: bool
    """No generator is at least as fast and better."""


class Cost(TypedDict):
    rows: list[Price]
    note: str


class ArenaSettings(TypedDict):
    level: float
    resamples: int
    seed: int
    ridge: float


class Source(TypedDict):
    """A run that the arena was made from."""

    dataset: str
    dataset_digest: str
    leaderboard_sha256: str
    scores_sha256: str


class ArenaProvenance(TypedDict):
    ganiq: str
    schema: int
    run: Source
    calibration: Source | None


class Arena(TypedDict):
    schema: int
    kind: Literal["ganiq-arena"]
    title: str
    subtitle: str
    headline: Literal["people", "panel"]
    score: ScoreInfo | None
    """Of this run, where people scored it."""
    references: list[str]
    notes: list[str]
    settings: ArenaSettings
    generators: list[Contestant]
    """In the headline order."""
    views: list[View]
    panel: Panel
    pairs: list[Pair]
    flips_note: str
    """Why no flip can be called beyond chance, where that is so."""
    metrics: list[Referee]
    trust: str
    """Where the trust column comes from."""
    calibration: Calibration | None
    predictions: list[Prediction]
    predictions_note: str
    extremes: Extremes
    cost: Cost
    provenance: ArenaProvenance
