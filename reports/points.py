"""Which points the scatter panels show, and in which classes."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass

from ..bench.document import Leaderboard, MetricRow
from .board import FAMILIES, FAMILY_TITLES
from .charts import SHAPES
from .inputs import Items

TITLED = 6_000
"""Up to this many points on the page, each has its own tooltip."""
PER_PANEL = 1_500
IN_ALL = 45_000


@dataclass(frozen=True, slots=True)
class Kind:
    """One class of points: its colour and shape everywhere is its place in the list."""

    title: str
    n: int


@dataclass(frozen=True, slots=True)
class Selection:
    """Rows of ``scores.csv`` that are drawn."""

    metrics: list[MetricRow]
    every: list[int]
    """All scored outputs."""
    shown: list[int]
    """Those drawn on the page: all, or the same sample in every panel."""
    kind_of: list[int]
    """Class of every row of ``scores.csv``."""
    kinds: list[Kind]
    titled: bool

    @property
    def sampled(self) -> bool:
        return len(self.shown) < len(self.every)


def select(board: Leaderboard, items: Items, order: list[MetricRow]) -> Selection:
    """Scored outputs, at most ``PER_PANEL`` of them, chosen by a hash of their key: the same on every run."""
    role = items.text.get("role", [])
    every = [n for n, y in enumerate(items.score) if math.isfinite(y) and (not role or role[n] != "reference")]
    metrics = [
        m
        for m in order
        if m["name"] in items.values and sum(math.isfinite(items.values[m["name"]][n]) for n in every) > 1
    ]
    most = min(PER_PANEL, IN_ALL // max(1, len(metrics)))
    shown = every
    if len(every) > most:
        keys = items.text["key"]
        drawn = sorted(every, key=lambda n: hashlib.sha256(keys[n].encode("utf-8", "backslashreplace")).digest())
        shown = sorted(drawn[:most])
    kind_of, kinds = _kinds(board, items, every)
    return Selection(metrics, every, shown, kind_of, kinds, len(shown) * len(metrics) <= TITLED)


def _kinds(board: Leaderboard, items: Items, every: list[int]) -> tuple[list[int], list[Kind]]:
    """By family where the set names at least two, else by distortion class; the rarest share the last marker."""
    family, distortion = items.text.get("family", []), items.text.get("distortion", [])
    names = {code: FAMILY_TITLES[code] for code in FAMILIES}
    labels = family
    if len({family[n] for n in every} - {""}) < 2:
        labels = distortion
        names = {c["code"]: c["title"] for c in board["classes"]}
    counts: dict[str, int] = {}
    for n in every:
        counts[labels[n]] = counts.get(labels[n], 0) + 1
    declared = list(names)
    order = sorted(counts, key=lambda c: (c == "", declared.index(c) if c in names else len(names), c))
    if len(order) > SHAPES:
        kept = sorted(order, key=lambda c: (-counts[c], c))[: SHAPES - 1]
        order = [c for c in order if c in kept]
    place = {code: n for n, code in enumerate(order)}
    kinds = [Kind(names.get(c) or c or "class not stated", counts[c]) for c in order]
    rest = sum(counts.values()) - sum(k.n for k in kinds)
    if rest:
        kinds.append(Kind("other classes", rest))
    return [place.get(label, len(order)) for label in labels], kinds
