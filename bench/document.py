"""The leaderboard document, key by key: what ``leaderboard.json`` holds and what reports are made from.

Plain JSON types only. No timestamps, hosts, paths or timings: its bytes depend on data, scores and
settings alone. Schema number 1 is for ever; a change that a reader must know of raises it.
"""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict

SCHEMA = 1


class Cell(TypedDict):
    """One statistic: a value with its interval, or a state that says why there is none."""

    value: float | None
    low: float | None
    high: float | None
    reason: NotRequired[str]
    """Why ``value`` is None, or (with a value) why there is no interval."""


class Fit(TypedDict):
    """The monotone mapping from metric to human score: b2 + (b1-b2) / (1 + exp(-(x-b3)/b4))."""

    kind: Literal["logistic", "linear", "undefined"]
    b: list[float]
    """Four logistic parameters, or (slope, intercept) of the line."""
    note: str


class WithinSpread(TypedDict):
    """How the per-reference SROCC values spread."""

    median: float | None
    p10: float | None
    worst: float | None
    worst_group: str


class ClassCell(TypedDict):
    """Agreement inside one distortion class or family."""

    srocc: Cell
    """Within blocks where they hold enough items of the class, else of offsets removed per block."""
    n: int
    """Items used."""
    n_groups: int
    spread: float | None
    """Standard deviation of the human scores in the cell: correlation falls with it."""


class MetricRow(TypedDict):
    """One line of the metric leaderboard (also of ``controls`` and ``published``)."""

    name: str
    title: str
    spec: str
    digest: str
    version: int
    source: Literal["computed", "imported", "published", "control"]
    status: Literal["ok", "needs-weights", "not-applicable", "failed", "undefined"]
    reason: str
    needs: str
    better: Literal["higher", "lower"]
    cite: str
    note: str
    weights: dict[str, str]
    badges: list[str]
    n_used: int
    n_expected: int
    n_nonfinite: int
    n_failed: int
    n_skipped: int
    srocc_within: Cell
    srocc_pooled: Cell
    krocc: Cell
    plcc_raw: Cell
    plcc_fit: Cell
    rmse: Cell
    two_way: Cell
    """Within-SROCC with the interval for new references AND new generators (pigeonhole bootstrap)."""
    within: WithinSpread
    fit: Fit
    tier: int | None
    """1 = no metric is significantly better; None = not ranked (see ``reason`` or ``ranking``)."""
    rank: list[int] | None
    """[best, worst] rank that the family of tests leaves open."""
    classes: dict[str, ClassCell]


class Ceiling(TypedDict):
    """What a metric would reach that knew what people think: their scores are not certain either."""

    title: str
    note: str
    """How it was found, and what that assumes."""
    n: int
    srocc_within: Cell
    srocc_pooled: Cell
    plcc_raw: Cell


class ClassColumn(TypedDict):
    code: str
    title: str
    family: str
    n: int


class ScoreInfo(TypedDict):
    kind: str
    better: Literal["higher", "lower"]
    low: float | None
    high: float | None
    comparable: str


class DatasetCard(TypedDict):
    name: str
    title: str
    digest: str
    license: str
    source: str
    cite: str
    n_items: int
    n_outputs: int
    n_references: int
    """0 where no image has one and all show different things."""
    n_generators: int
    score: ScoreInfo | None
    notes: list[str]
    gaps: list[list[str]]
    """[key, reason] of items the set is known to lack."""
    shares: dict[str, float]
    """Share of the variance of human scores between references (``reference``) and ``generator``."""


class Settings(TypedDict):
    headline: Literal["srocc_within", "srocc_pooled"]
    preset: str
    """Named protocol of colour and border; empty where every metric was asked for on its own."""
    level: float
    resamples: int
    seed: int
    gate: dict[str, str]
    population: str
    """For the caption: whom the intervals speak about."""


class Ranking(TypedDict):
    """How tiers were made."""

    method: str
    n_groups: int
    names: list[str]
    p: list[list[float | None]]
    """Adjusted p of every pair of ``names``."""
    reason: str
    """Why there are no tiers, where there are none."""


class Agreement(TypedDict):
    """SROCC between metrics, and with people, direction removed."""

    names: list[str]
    srocc: list[list[float | None]]


class GeneratorRow(TypedDict):
    name: str
    title: str
    distortion: str
    family: str
    n: int
    human: Cell
    human_tier: int | None
    human_apart: NotRequired[list[str]]
    """Generators that people's scores tell apart from this one; absent where pairs were not tested."""
    metrics: dict[str, Cell]
    """Mean of each metric over the shared references."""
    ranks: dict[str, int]
    """Place of this generator under each metric (1 = best), and under ``human``."""


class GeneratorBoard(TypedDict):
    references: list[str]
    """The references all ranked generators share."""
    note: str
    interval: str
    """What the intervals resample: references or observers."""
    agreement: dict[str, Cell]
    """SROCC of each metric's order of generators with people's."""


class Disagreement(TypedDict):
    """An item that a metric and people place most differently (within its block or overall)."""

    key: str
    group: str
    generator: str
    score: float
    value: float
    expected: float | None
    """Human score that the fitted curve gives for this metric value; None where there is no curve."""
    gap: float
    """Difference of the two percentile ranks, -1 to 1; positive = the metric likes it more than people do."""


class Failure(TypedDict):
    key: str
    metric: str
    """Empty where the whole item was refused."""
    status: str
    code: str
    detail: str


class Provenance(TypedDict):
    ganiq: str
    schema: int
    packages: dict[str, str]
    torchvision: str
    dataset_digest: str
    metric_digests: dict[str, str]
    weights: dict[str, str]
    plugins: list[str]
    counts: dict[str, int]
    """Stored scores by status."""
    imports: list[dict[str, str]]
    """Files of imported scores: name and sha256."""


class Leaderboard(TypedDict):
    schema: int
    kind: Literal["ganiq-leaderboard"]
    title: str
    subtitle: str
    banner: str
    """A sentence every reader must see first (e.g. that no people were asked); empty otherwise."""
    dataset: DatasetCard
    settings: Settings
    classes: list[ClassColumn]
    metrics: list[MetricRow]
    controls: list[MetricRow]
    ceiling: NotRequired[Ceiling]
    """Absent where the set does not say how sure its scores are."""
    published: list[MetricRow]
    published_checks: list[dict[str, object]]
    """Our value against the authors' on the same rows: metric, generator, n, largest and median relative difference."""
    ranking: Ranking
    agreement: Agreement
    generators: list[GeneratorRow]
    generator_board: GeneratorBoard
    disagreements: dict[str, list[Disagreement]]
    failures: list[Failure]
    n_failures: int
    provenance: Provenance


class TimingRow(TypedDict):
    seconds: float
    """Median seconds per image."""
    total: float
    n: int


class Timing(TypedDict):
    """``timing.json``: measured on one machine, kept apart because it differs on every run."""

    schema: int
    machine: dict[str, str]
    metrics: dict[str, TimingRow]
