"""What a metric could reach at best: people asked again, or votes simulated."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import arenas
import numpy as np
import pytest
from ganiq.bench import stats
from ganiq.bench.board.ceiling import ceiling
from ganiq.bench.board.controls import frame_of
from ganiq.bench.manifest import Manifest
from ganiq.bench.types import EloVoting, Item, Scale
from scipy.stats import pearsonr, spearmanr

NAMES = "abcdef"


def of(coefficient: Any, first: np.ndarray, second: np.ndarray) -> float:
    """A correlation by SciPy."""
    return float(coefficient(first, second).statistic)


def rated(folder: Path, noise: float, better: str = "higher") -> tuple[dict[str, Any], np.ndarray, np.ndarray]:
    """(leaderboard, scores, draws) of six generators on ten references; draws scatter around the scores."""
    rng = np.random.default_rng(0)
    scores = np.arange(6.0)[:, None] + rng.normal(0, 0.5, (6, 10))
    draws = scores + rng.normal(0, noise, (60, 6, 10))
    human = {g: row.tolist() for g, row in zip(NAMES, scores, strict=True)}
    run = arenas.write(folder, {"psnr": human}, human, better=better, draws=draws)
    return json.loads((run / "leaderboard.json").read_text()), scores, draws


@pytest.mark.parametrize("better", ["higher", "lower"])
def test_people_asked_again(better: str, tmp_path: Path) -> None:
    board, scores, draws = rated(tmp_path, 0.8, better)
    found = board["ceiling"]
    inside = [np.mean([of(spearmanr, d[:, r], scores[:, r]) for r in range(10)]) for d in draws]
    over = [of(spearmanr, d.ravel(), scores.ravel()) for d in draws]
    straight = [of(pearsonr, d.ravel(), scores.ravel()) for d in draws]
    for name, values in (("srocc_within", inside), ("srocc_pooled", over), ("plcc_raw", straight)):
        cell = found[name]
        assert cell["value"] == pytest.approx(np.mean(values), rel=1e-5)
        assert cell["low"] == pytest.approx(np.quantile(values, 0.025), rel=1e-3)
        assert cell["high"] == pytest.approx(np.quantile(values, 0.975), rel=1e-3)
    assert found["n"] == 60
    assert "60 resamples" in found["note"]


def test_surer_people_leave_more_room(tmp_path: Path) -> None:
    values = [
        rated(tmp_path / str(n), noise)[0]["ceiling"]["srocc_within"]["value"] for n, noise in enumerate((0.1, 2))
    ]
    assert values[0] > 0.99 > 0.9 > values[1]


def test_without_votes_there_is_none(tmp_path: Path) -> None:
    human = {g: [float(n + r) for r in range(8)] for n, g in enumerate(NAMES)}
    run = arenas.write(tmp_path, {"psnr": human}, human)
    assert "ceiling" not in json.loads((run / "leaderboard.json").read_text())


def elo(spread: float, references: int = 12, images: int = 30, votes: int = 1200) -> Manifest:
    _, ratings = stats.elo_votes(spread, images, votes, references, rng=np.random.default_rng(5), step=16, scale=400)
    items = tuple(
        Item(
            f"{r}/{n}", f"{r}/{n}.png", generator=f"g{n}", group=str(r), block=str(r), score=1400 + float(ratings[r, n])
        )
        for r in range(references)
        for n in range(images)
    )
    return Manifest(
        "elo", items, Path(), scale=Scale("Elo", "higher", comparable="within-block"), voting=EloVoting(votes, 16)
    )


@pytest.mark.parametrize("spread", [80.0, 200.0])
def test_votes_nobody_published_are_simulated(spread: float) -> None:
    """The spread of the true strengths is found again, and with it how well they agree with their ratings."""
    manifest = elo(spread)
    frame, index = frame_of(manifest, 0.95, 100, 0)
    found = ceiling(manifest, frame, index)
    assert found is not None
    truth, ratings = stats.elo_votes(spread, 30, 1200, 200, rng=np.random.default_rng(77), step=16, scale=400)
    reached = np.mean([of(spearmanr, a, b) for a, b in zip(truth, ratings, strict=True)])
    assert found["srocc_within"]["value"] == pytest.approx(reached, abs=0.02)
    assert found["srocc_within"]["low"] is None
    assert "1,200 votes per reference on 30 images, Elo with K = 16" in found["note"]
    assert found["srocc_pooled"]["value"] is None
    assert ceiling(manifest, frame, index) == found  # the same every time


def test_scores_that_do_not_differ_have_no_ceiling() -> None:
    manifest = elo(100)
    flat = replace(manifest, items=tuple(replace(item, score=1400.0) for item in manifest.items))
    frame, index = frame_of(flat, 0.95, 100, 0)
    assert ceiling(flat, frame, index) is None


def test_voting_is_no_part_of_the_identity() -> None:
    manifest = elo(100)
    assert replace(manifest, voting=None).digest == manifest.digest


def test_the_spread_behind_ratings_is_found() -> None:
    for true in (60.0, 170.0, 400.0):
        _, ratings = stats.elo_votes(true, 60, 3000, 60, rng=np.random.default_rng(1), step=16, scale=400)
        observed = float(ratings.std(axis=1, ddof=1).mean())
        assert stats.elo_spread(observed, 60, 3000, 30, seed=9) == pytest.approx(true, rel=0.08)
    assert np.isnan(stats.elo_spread(0.0, 60, 3000, seed=9))
    assert np.isnan(stats.elo_spread(1e6, 10, 20, seed=9))  # twenty votes never spread ratings so far
