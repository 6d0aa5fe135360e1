"""How far any metric can get: people do not agree with themselves either."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from .. import stats
from ..document import Ceiling
from ..manifest import Manifest
from ..types import Estimate
from .agreement import Frame, blank, cell

REPETITIONS = 40
"""References that are simulated where a set publishes no votes."""


def ceiling(manifest: Manifest, frame: Frame, index: np.ndarray) -> Ceiling | None:
    """What a metric would reach that knew what people think, given how few of them were asked.

    With votes: agreement of the scores with those fitted anew to resampled observers. The fitted scores stand in for
    the truth and spread a little more than it, so the ceiling is a little too high. For Elo scores without votes: a
    simulation of one pass of votes, whose true strengths are chosen so that ratings spread as the published ones do.

    Args:
        manifest: with its draws or its protocol of voting.
        frame: of the scored outputs.
        index: their indices among the manifest's items.

    Returns:
        None where the set says nothing about how sure its scores are.
    """
    if manifest.draws is not None:
        return _asked_again(manifest.draws[:, index], frame)
    if manifest.voting is not None:
        return _simulated(manifest, frame)
    return None


def _asked_again(draws: np.ndarray, frame: Frame) -> Ceiling:
    known = np.asarray(np.isfinite(draws).all(axis=0))
    rows, again = frame.rows(known), frame.sign * draws[:, known]
    truth = rows.oriented

    def over(coefficient: Callable[[np.ndarray], float]) -> Estimate:
        values = np.array([coefficient(one) for one in again])
        values = values[np.isfinite(values)]
        if not len(values):
            return Estimate(None, reason="undefined: no resample gave a correlation")
        low, high = stats.percentile(values, frame.level)
        return Estimate(float(values.mean()), low, high, len(values))

    return {
        "title": "People asked again",
        "note": (
            f"scores fitted anew to the votes of resampled observers ({len(draws)} resamples) against the scores: what "
            "a metric would reach that knew what people think; a little too high, since fitted scores spread more than "
            "true ones"
        ),
        "n": int(known.sum()),
        "srocc_within": cell(over(lambda x: stats.within(x, truth, rows.groups, rows.blocks).mean)),
        "srocc_pooled": cell(over(lambda x: stats.srocc(x, truth))),
        "plcc_raw": cell(over(lambda x: stats.plcc(x, truth))),
    }


def _simulated(manifest: Manifest, frame: Frame) -> Ceiling | None:
    voting = manifest.voting
    assert voting is not None
    sizes, spreads = _inside(frame)
    if not sizes:
        return None
    items, observed = int(np.median(sizes)), float(np.mean(spreads))
    settings = {"items": items, "votes": voting.votes, "repetitions": REPETITIONS, "step": voting.step}
    seed = int(stats.generator(frame.seed, "ceiling").integers(2**63))
    spread = stats.elo_spread(observed, seed=seed, scale=voting.scale, **settings)
    if not np.isfinite(spread):
        return None
    values = stats.elo_ceiling(spread, rng=np.random.default_rng(seed), scale=voting.scale, **settings)
    why = "the simulation has one reference at a time"
    return {
        "title": "Simulated ceiling",
        "note": (
            f"a metric that knew the true strengths, simulated: assumes {voting.votes:,} votes per reference on "
            f"{items} images, Elo with K = {voting.step:g} and {voting.scale:g} points for odds of 10 to 1, one pass; "
            f"true strengths spread by {spread:.0f} points so that ratings spread by {observed:.0f}, as the published "
            "ones do"
        ),
        "n": len(frame.scores),
        "srocc_within": cell(Estimate(float(values.mean()), n=len(values), reason="simulated: no interval")),
        "srocc_pooled": blank(why),
        "plcc_raw": blank(why),
    }


def _inside(frame: Frame) -> tuple[Sequence[int], Sequence[float]]:
    """Size and spread of the blocks of three and more."""
    blocks = [frame.scores[frame.blocks == block] for block in np.unique(frame.blocks)]
    large = [block for block in blocks if len(block) >= 3]
    return [len(block) for block in large], [float(block.std(ddof=1)) for block in large]
