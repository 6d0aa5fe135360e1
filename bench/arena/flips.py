"""Which metrics reverse the headline order, pair of neighbours by pair."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations, pairwise

import numpy as np

from .. import stats
from ..board.agreement import number
from . import wins
from .document import Pair, Verdict, View
from .views import Judge
from .wins import Dice

NAMED = 6
"""Metrics that a sentence names; it counts the others."""


def pairs(
    order: Sequence[str], headline: View, views: Sequence[View], found: Mapping[str, Judge], names: Sequence[str],
    dice: Dice,
) -> list[Pair]:  # fmt: skip
    """Neighbours of the headline order and what every metric says of them.

    A metric reverses a pair where it gives the lower one the better place. The test is its own: sign flips of the
    difference of the two win rates on each reference, Holm-adjusted over the pairs of this metric.

    Args:
        order: generators, best first.
        headline: the view that orders them.
        views: of the metrics.
        found: the metrics' scores, columns in the order of ``names``.
        names: generators as ``found`` has them.
        dice: settings.
    """
    standings, apart = headline["standings"], headline["apart"]
    neighbours = list(pairwise(order))
    made: list[Pair] = []
    for above, below in neighbours:
        made.append(
            {
                "above": above,
                "below": below,
                "level": standings[above]["place"] == standings[below]["place"],
                "separated": None if apart is None else below in apart[above],
                "verdicts": {},
            }
        )
    column = {name: n for n, name in enumerate(names)}
    for view in views:
        if view["reason"]:
            continue
        judged = _judged(view, found, [(column[a], column[b]) for a, b in neighbours], dice)
        for pair, (difference, share, p) in zip(made, judged, strict=True):
            ours, theirs = (view["standings"][pair[side]]["place"] for side in ("above", "below"))
            verdict: Verdict = {
                "order": "tie" if ours == theirs else "same" if ours < theirs or pair["level"] else "flip",
                "difference": number(difference),
                "share": number(share),
                "p": number(p, 4),
                "significant": p is not None and p <= 1 - dice.level,
            }
            pair["verdicts"][view["name"]] = verdict
    return made


def _judged(
    view: View, found: Mapping[str, Judge], neighbours: Sequence[tuple[int, int]], dice: Dice
) -> list[tuple[float | None, float | None, float | None]]:
    """(difference of win rates, share of references for the upper one, adjusted p) of each pair; None without wins."""
    if view["kind"] != "metric":
        return [(None, None, None)] * len(neighbours)
    judge = found[view["name"]]
    won = wins.duels(judge.scores[judge.complete])
    per = wins.rates(won)
    gaps = [np.round(per[:, a] - per[:, b], 12) for a, b in neighbours]  # no traces of rounding where they tie
    # One stream for all pairs and metrics: they share their flips.
    raw = [stats.sign_flip(gap, rng=stats.generator(dice.seed, "arena", "pair")) for gap in gaps]
    shares = [float(won[:, a, b].mean()) for a, b in neighbours]
    adjusted = stats.holm(np.array(raw))
    return [(round(float(g.mean()), 12), share, float(p)) for g, share, p in zip(gaps, shares, adjusted, strict=True)]


def reversals(headline: View, view: View) -> tuple[int, int]:
    """Pairs that the headline tells apart, and how many of them a view places the other way round."""
    told, apart, wrong = headline["apart"], 0, 0
    if view["reason"] or told is None:
        return 0, 0
    known = {name: set(others) for name, others in told.items()}
    for one, other in combinations(headline["standings"], 2):
        if other not in known[one]:
            continue
        (a, b), (ours, theirs) = ([v["standings"][g] for g in (one, other)] for v in (headline, view))
        apart += 1
        wrong += (a["place"] - b["place"]) * (ours["place"] - theirs["place"]) < 0
    return apart, wrong


def testable(pairs: int, references: int, dice: Dice) -> str:
    """Why no flip can be significant; empty where one can be."""
    least = pairs * 2.0 ** (1 - references)
    if least <= 1 - dice.level:
        return ""
    return (
        f"{references} references are too few to call any of {pairs} differences more than chance "
        f"(the least adjusted p is {min(1, least):.2g})"
    )


def sentence(pair: Pair, judge: str, tested: bool) -> str:
    """What becomes of one pair under the metrics, in words.

    Args:
        pair: with its verdicts.
        judge: ``people`` or ``the panel``, whose order it is.
        tested: whether there are references enough for a test to say anything.
    """
    above, below, verdicts = pair["above"], pair["below"], pair["verdicts"]
    if pair["level"]:
        return f"{above} and {below} stand level."
    flips = [name for name, v in verdicts.items() if v["order"] == "flip"]
    sure = [name for name in flips if verdicts[name]["significant"]]
    ties = sum(v["order"] == "tie" for v in verdicts.values())
    verb = "do" if judge == "people" else "does"
    doubt = f" ({judge} {verb} not tell them apart)" if pair["separated"] is False else ""
    start = f"{above} above {below}{doubt}: "
    if not verdicts:
        return start + "no metric has an order of its own."
    if not flips:
        rest = f"; {ties} of {len(verdicts)} see no difference" if ties else ""
        return start + f"no metric reverses this order{rest}."
    words = f"this order flips under {_listed(flips)} ({len(flips)} of {len(verdicts)} metrics)"
    if not tested:
        return start + words + "."
    if sure:
        words += ", beyond chance under " + (_listed(sure) if len(sure) < len(flips) else "each of them")
    else:
        words += ", under none beyond chance" if len(flips) > 1 else ", not beyond chance"
    return start + words + "."


def _listed(names: Sequence[str]) -> str:
    shown = list(names[:NAMED])
    if len(names) > NAMED:
        shown.append(f"{len(names) - NAMED} more")
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)
