"""The arena's numbers on runs small enough to work out by hand, and what it refuses."""

from __future__ import annotations

import itertools
import json
import math
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import arenas
import jsonschema
import numpy as np
import pytest
from ganiq.bench import stats
from ganiq.bench.arena import calibration, inputs, wins
from ganiq.bench.arena import document as documents
from ganiq.bench.arena.build import make
from ganiq.bench.arena.wins import Dice
from ganiq.bench.errors import UsageError
from ganiq.reports.contract import check
from scipy.special import expit

Table = dict[str, list[float]]

# Orders of three generators on 8 references: a beats b 6 times, b beats c 6 times, a beats c 7 times.
EIGHT = ["abc"] * 4 + ["bac"] * 2 + ["acb", "cab"]
DICE = Dice(0.95, 400, 0)


def table(orders: Sequence[str], names: str = "abc", step: float = 1.0) -> Table:
    """Scores, higher = better, that put the generators into the given order on each reference."""
    return {g: [step * (len(names) - order.index(g)) for order in orders] for g in names}


def turned(scores: Mapping[str, Sequence[float]]) -> Table:
    return {g: [-v for v in values] for g, values in scores.items()}


def noisy(noise: float, seed: int, count: int = 12, names: str = "abcd", offset: float = 0.0) -> Table:
    rng = np.random.default_rng(seed)
    return {g: (offset - i + rng.normal(0, noise, count)).tolist() for i, g in enumerate(names)}


def view(document: documents.Arena, name: str) -> documents.View:
    return next(v for v in document["views"] if v["name"] == name)


def values(found: documents.View, what: str) -> list[float]:
    return [standing[what]["value"] for standing in found["standings"].values()]  # type: ignore[literal-required]


def body(folder: Path) -> dict[str, Any]:
    """The document without the hashes of the files it was made from."""
    return {k: v for k, v in json.loads((folder / "arena.json").read_text()).items() if k != "provenance"}


# --- numbers ---------------------------------------------------------------------------------------------


def test_duels_count_ties_half_and_infinity_as_a_value() -> None:
    won = wins.duels(np.array([[1.0, 1.0, 0.0], [math.inf, math.inf, 5.0], [0.3, 0.1 + 0.2, -math.inf]]))
    for reference in won:
        np.testing.assert_array_equal(reference, [[0, 0.5, 1], [0.5, 0, 1], [0, 0, 0]])
    np.testing.assert_array_equal(wins.rates(won)[0], [0.75, 0.75, 0])


def test_wins_of_three_by_hand(tmp_path: Path) -> None:
    found = view(make(arenas.write(tmp_path, {"psnr": table(EIGHT), "gmsd": turned(table(EIGHT, step=0.01))})), "psnr")
    assert found["wins"] == [[None, 6 / 8, 7 / 8], [2 / 8, None, 6 / 8], [1 / 8, 2 / 8, None]]
    assert values(found, "win_rate") == [13 / 16, 0.5, 3 / 16]
    # By symmetry the middle one has strength 0 and the others +-t, where a's wins meet their expectation:
    # 13 = 8 (P(t) + P(2t)) + 2 ridge t.
    low, high = 0.0, 9.0
    for _ in range(100):
        t = (low + high) / 2
        low, high = (t, high) if 8 * (expit(t) + expit(2 * t)) + 2 * wins.RIDGE * t < 13 else (low, t)
    assert values(found, "strength") == pytest.approx([low, 0, -low], abs=1e-5)
    assert [s["place"] for s in found["standings"].values()] == [1, 2, 3]


def test_direction_is_that_of_the_metric(tmp_path: Path) -> None:
    document = make(arenas.write(tmp_path, {"psnr": table(EIGHT), "gmsd": turned(table(EIGHT, step=0.01))}))
    a, b = view(document, "psnr"), view(document, "gmsd")
    assert a["standings"] == b["standings"]
    assert a["wins"] == b["wins"]


def test_two_generators_by_hand(tmp_path: Path) -> None:
    """Six wins of eight, ties half: the difference d of strengths solves 6 = 8 P(d) + ridge d."""
    scores = {"a": [2.0] * 5 + [1.0, 1.0, 0.0], "b": [1.0] * 5 + [1.0, 1.0, 1.0]}
    found = view(make(arenas.write(tmp_path, {"psnr": scores})), "psnr")
    assert found["wins"][0][1] == 6 / 8  # five wins and two ties
    d = values(found, "strength")[0] - values(found, "strength")[1]
    assert 8 * expit(d) + wins.RIDGE * d == pytest.approx(6, abs=1e-4)


@pytest.mark.parametrize(("generators", "references", "apart"), [(2, 5, 9.0), (3, 7, 0.5), (9, 30, 1.0), (12, 8, 9.0)])
def test_stacked_strengths_are_those_of_the_general_fit(generators: int, references: int, apart: float) -> None:
    rng = np.random.default_rng(generators)
    won = wins.duels(rng.normal(size=(references, generators)) + apart * np.arange(generators))
    drawn = rng.multinomial(references, np.full(references, 1 / references), 6).astype(float)
    stacked = wins.strengths(drawn @ won.sum(axis=2), drawn.sum(axis=1))
    for weights, theta in zip(drawn, stacked, strict=True):
        general = stats.bradley_terry(np.tensordot(weights, won, 1), ridge=wins.RIDGE).theta
        np.testing.assert_allclose(theta, general, atol=1e-8)


def test_intervals_resample_whole_references() -> None:
    """A hundred copies of one order know no more than the order: the spread is that between references."""
    rng = np.random.default_rng(3)
    scores = rng.normal(size=(40, 4)) + 0.4 * np.arange(4)
    found = wins.of_references(scores, Dice(0.95, 2000, 0))
    per = wins.rates(wins.duels(scores))
    for g in range(4):
        estimate = found.win_rate[g]
        assert estimate.low is not None and estimate.high is not None and estimate.value is not None
        half = 1.96 * per[:, g].std(ddof=1) / math.sqrt(40)
        assert (estimate.high - estimate.low) / 2 == pytest.approx(half, rel=0.2)
        strength = found.strength[g]
        assert strength.low is not None and strength.high is not None and strength.value is not None
        assert strength.low < strength.value < strength.high
    again = wins.of_references(np.concatenate([scores] * 4), Dice(0.95, 2000, 0))
    wide, narrow = found.strength[0], again.strength[0]
    assert wide.high is not None and wide.low is not None and narrow.high is not None and narrow.low is not None
    assert (wide.high - wide.low) / (narrow.high - narrow.low) == pytest.approx(2, rel=0.15)


def test_tiers_are_those_of_max_t_on_win_rates() -> None:
    scores = np.random.default_rng(1).normal(size=(20, 5)) + np.array([0, 0, 1, 1.1, 4])
    found = wins.of_references(scores, DICE)
    test = stats.max_t(wins.rates(wins.duels(scores)), stats.generator(0, "arena", "max-t"))
    expected = stats.tiers(test.p, test.delta, 0.05)
    assert found.tier == expected.tier
    assert found.rank == expected.rank
    assert found.apart == expected.apart
    assert len(set(found.tier or [])) > 1


def test_equal_generators_are_rarely_told_apart() -> None:
    rng = np.random.default_rng(11)
    boards = [wins.of_references(rng.normal(size=(10, 4)), Dice(0.95, 200, 0)).tier for _ in range(60)]
    assert sum(max(tiers or [1]) > 1 for tiers in boards) <= 8


def test_intervals_cover() -> None:
    """Nominal 95 %, 15 references, three generators; references shift all scores together."""
    rng = np.random.default_rng(17)
    merit = np.array([0.0, 0.4, 1.0])

    def draw(count: int) -> np.ndarray:
        return rng.normal(0, 2, (count, 1)) + merit + rng.normal(0, 0.8, (count, 3))

    truth = wins.rates(wins.duels(draw(100_000))).mean(axis=0)
    theta = wins.strengths(truth[None] * 15 * 2, np.array([15.0]))[0]
    strength, rate = [], []
    for _ in range(150):
        found = wins.of_references(draw(15), Dice(0.95, 500, 0))
        for g in range(3):
            for estimates, true, seen in ((found.strength, theta, strength), (found.win_rate, truth, rate)):
                low, high = estimates[g].low, estimates[g].high
                if low is not None and high is not None:
                    seen.append(low <= true[g] <= high)
    assert 0.87 < np.mean(strength) < 0.985
    assert 0.88 < np.mean(rate) < 0.985


def test_few_references_have_no_interval_and_no_tier(tmp_path: Path) -> None:
    document = make(arenas.write(tmp_path, {"psnr": table(EIGHT[:7])}))
    found = view(document, "psnr")
    for standing in found["standings"].values():
        assert standing["tier"] is None and standing["rank"] is None
        assert standing["strength"]["low"] is None
        assert "7; 8 are needed" in standing["strength"].get("reason", "")
    assert "7; 8 are needed" in found["tiers"]


def test_who_wins_everywhere_is_finite_and_without_an_interval(tmp_path: Path) -> None:
    found = view(make(arenas.write(tmp_path, {"psnr": table(["abc"] * 9)})), "psnr")
    assert values(found, "win_rate") == [1, 0.5, 0]
    assert values(found, "strength")[0] < 20
    for standing in found["standings"].values():
        assert standing["strength"]["low"] is None
        assert "no spread" in standing["strength"].get("reason", "")
    assert [s["tier"] for s in found["standings"].values()] == [1, 2, 3]


def test_a_perfect_copy_wins_with_infinite_psnr(tmp_path: Path) -> None:
    scores = table(EIGHT) | {"copy": [math.inf] * 8}
    document = make(arenas.write(tmp_path, {"psnr": scores}))
    assert document["generators"][0]["name"] == "copy"
    assert view(document, "psnr")["standings"]["copy"]["win_rate"]["value"] == 1
    assert document["generators"][0]["metrics"]["psnr"]["value"] is None  # the mean of infinities is not printed


def test_gaps_take_a_reference_from_that_metric_alone(tmp_path: Path) -> None:
    gappy = table(EIGHT)
    gappy["b"][0] = gappy["a"][1] = math.nan
    empty = {g: [math.nan] * 8 for g in "abc"}
    document = make(arenas.write(tmp_path, {"psnr": table(EIGHT), "ssim": gappy, "vifp": empty}))
    assert [view(document, n)["n_references"] for n in ("psnr", "ssim")] == [8, 6]
    assert "2 of 8 references lack a value" in view(document, "ssim")["interval"]
    assert {"psnr", "ssim"} == {v["name"] for v in document["views"] if v["kind"] == "metric" and not v["reason"]}
    assert document["panel"]["votes"] == [["psnr"]]
    assert "6 of 8 references" in document["panel"]["left_out"]["ssim"]


def test_a_metric_that_lacks_one_reference_keeps_its_seat_and_the_panel_does_without_it(tmp_path: Path) -> None:
    gappy = table(EIGHT)
    gappy["b"][0] = math.nan
    document = make(arenas.write(tmp_path, {"psnr": table(EIGHT), "ssim": gappy}))
    assert document["panel"]["votes"] == [["psnr"], ["ssim"]]
    assert [view(document, n)["n_references"] for n in ("panel", "psnr", "ssim")] == [7, 8, 7]


def test_a_damaged_image_is_as_good_as_a_missing_one(tmp_path: Path) -> None:
    """No metric has a value for it: its reference is left out for all, and the note names the image."""
    metrics = {name: noisy(0.3, n, 10, "abc") for n, name in enumerate(("psnr", "ssim", "vifp"))}
    missing = make(arenas.write(tmp_path / "missing", metrics, without={("b", 4)}))
    for scores in metrics.values():
        scores["b"][4] = math.nan
    damaged = make(arenas.write(tmp_path / "damaged", metrics))
    assert damaged["references"] == missing["references"] and len(damaged["references"]) == 9
    assert damaged["views"] == missing["views"]
    assert damaged["generators"] == missing["generators"]
    assert any("treated as missing: b/photo04" in note for note in damaged["notes"])


def test_a_generator_without_one_readable_image_is_left_out_by_name(tmp_path: Path) -> None:
    metrics = {name: noisy(0.3, n, 10, "abc") for n, name in enumerate(("psnr", "ssim"))}
    for scores in metrics.values():
        scores["b"] = [math.nan] * 10
    document = make(arenas.write(tmp_path / "two", metrics))
    assert [g["name"] for g in document["generators"]] == ["a", "c"]
    assert any("b (none of its images)" in note for note in document["notes"])
    for scores in metrics.values():
        scores["c"] = [math.nan] * 10
    with pytest.raises(UsageError, match=r"b \(none of its images\), c \(none of its images\)"):
        make(arenas.write(tmp_path / "one", metrics))


def test_only_shared_references_count(tmp_path: Path) -> None:
    """The same contest, and two references that one generator lacks: nothing changes but the note."""
    whole = arenas.write(tmp_path / "whole", {"psnr": table(EIGHT)}, table(EIGHT))
    more = [*EIGHT, "cba", "cba"]
    manifest_free = arenas.write(tmp_path / "more", {"psnr": table(more)}, table(more), without={("a", 8), ("a", 9)})
    a, b = make(whole), make(manifest_free)
    assert "8 of 10 references" in b["notes"][0]
    assert a["views"] == b["views"]


# --- the panel -------------------------------------------------------------------------------------------


def test_the_panel_counts_every_metric_on_every_reference(tmp_path: Path) -> None:
    document = make(arenas.write(tmp_path, {"psnr": table(EIGHT), "ssim": table(["cba"] * 8)}))
    assert document["headline"] == "panel"
    found = view(document, "panel")
    order = [g["name"] for g in document["generators"]]
    a, c = order.index("a"), order.index("c")
    assert found["wins"][a][c] == (7 / 8 + 0) / 2
    assert "2; 8 are needed" in found["tiers"]
    assert "not people" in found["title"]


def test_variants_share_a_vote_and_controls_have_none(tmp_path: Path) -> None:
    up, down = table(EIGHT), table(["cba"] * 8)
    metrics = {"ssim": up, "ssim(window=7)": up, "ssim-y": up, "vifp": down, "entropy": down, "tv": down}
    document = make(arenas.write(tmp_path, metrics))
    assert document["panel"]["votes"] == [["ssim", "ssim(window=7)", "ssim-y"], ["vifp"]]
    names = {v["name"] for v in document["views"]}
    assert not names & {"entropy", "tv"}
    found = view(document, "panel")
    order = [g["name"] for g in document["generators"]]
    # Three variants of one metric and one other: half and half, not three quarters.
    assert found["wins"][order.index("a")][order.index("b")] == (6 / 8 + 0) / 2


def test_two_way_intervals_are_wider_than_those_of_references() -> None:
    rng = np.random.default_rng(2)
    bias = rng.normal(0, 1, (9, 1, 4))
    scores = list(bias + 0.5 * np.arange(4) + rng.normal(0, 0.5, (9, 25, 4)))
    both = wins.of_panel(scores, list(range(9)), DICE)
    alone = wins.of_references(np.mean(scores, axis=0), DICE)
    assert both.tier is not None
    for a, b in zip(both.win_rate, alone.win_rate, strict=True):
        assert a.low is not None and a.high is not None
        if b.low is not None and b.high is not None:
            assert a.high - a.low > b.high - b.low


def test_panel_tells_apart_only_what_new_metrics_would() -> None:
    """Metrics that agree on one winner and on nothing else."""
    rng = np.random.default_rng(4)
    scores = []
    for _ in range(10):
        taste = np.append(rng.permutation(3) * 1.0, 9.0)
        scores.append(taste + rng.normal(0, 0.3, (20, 4)))
    found = wins.of_panel(scores, list(range(10)), DICE)
    assert found.tier is not None
    assert found.tier[3] == 1
    assert found.tier[:3] == [2, 2, 2]


# --- people ----------------------------------------------------------------------------------------------


def test_people_lead_where_they_were_asked(tmp_path: Path) -> None:
    human = table(EIGHT)
    document = make(arenas.write(tmp_path, {"psnr": table(["cba"] * 8)}, turned(human), better="lower"))
    assert document["headline"] == "people"
    assert [g["name"] for g in document["generators"]] == ["a", "b", "c"]
    assert view(document, "people")["wins"][0] == [None, 6 / 8, 7 / 8]
    assert document["score"] is not None and document["score"]["better"] == "lower"


def voted(folder: Path, monkeypatch: pytest.MonkeyPatch, there: bool = True) -> documents.Arena:
    """Votes by 50 refits: a is first in all of them, b and c change places in half."""
    human = {"a": [3.0] * 7, "b": [1.1] * 7, "c": [1.0] * 7}
    rng = np.random.default_rng(0)
    draws = np.array([[[3.0] * 7, [1.1] * 7, [1.0] * 7]]) + rng.normal(0, 0.2, (50, 3, 1))
    arenas.write(folder, {"psnr": table(EIGHT[:7])}, human, draws=draws)
    manifest = arenas.LAST[folder]
    if there:
        monkeypatch.setattr("ganiq.bench.datasets.load", lambda *a, **k: manifest)
    return make(folder)


def test_votes_bring_their_own_intervals_and_tiers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    document = voted(tmp_path, monkeypatch)
    board = json.loads((tmp_path / "leaderboard.json").read_text())
    found = view(document, "people")
    assert "observers" in found["interval"]
    assert [s["tier"] for s in found["standings"].values()] == [1, 2, 2]
    for row in board["generators"]:
        assert found["standings"][row["name"]]["strength"] == row["human"]
    first, second = (found["standings"][g]["win_rate"] for g in "ab")
    assert first["value"] == 1 and first["low"] is None  # first in every refit
    assert second["value"] == 0.5
    assert (second["low"], second["high"]) == (0, 0.5)
    # Seven references: none for the metrics all the same.
    assert view(document, "psnr")["standings"]["a"]["tier"] is None


def test_votes_that_are_not_at_hand_keep_the_leaderboards_intervals(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = voted(tmp_path, monkeypatch, there=False)
    standing = view(document, "people")["standings"]["a"]
    assert standing["strength"]["low"] is not None
    assert standing["tier"] == 1
    assert standing["win_rate"]["low"] is None
    assert "not at hand" in standing["win_rate"].get("reason", "")


def test_gan_image_database_order_from_its_votes(shared_data: Path, tmp_path: Path) -> None:
    """Order and tiers of the published votes; a metric made of the votes themselves reproduces them."""
    from ganiq.bench.datasets import load

    manifest = load(shared_data / "gan-image-database")
    scores = [float(item.score or 0) for item in manifest.items]
    document = make(arenas.save(tmp_path, manifest, {"ssim": scores, "gmsd": scores}), gallery=False)
    assert [g["name"] for g in document["generators"]] == [
        "original", "HiFiC-hi", "HiFiC-mi", "ArNet-hi", "HiFiC-lo", "ESRGAN-hi", "ArNet-mi", "ESRGAN-mi",
        "ESRGAN-lo", "ArNet-lo",
    ]  # fmt: skip
    found = view(document, "people")
    published = dict(
        zip(found["standings"], (2.44, 1.80, 1.40, 0.85, 0.63, 0.50, -0.01, -0.76, -1.28, -2.54), strict=True)
    )
    for name, standing in found["standings"].items():
        # Published over 8 contents, here over the 7 that all share.
        assert standing["strength"]["value"] == pytest.approx(published[name], abs=0.12)
        assert standing["strength"]["low"] is not None
    tiers = [standing["tier"] for standing in found["standings"].values()]
    assert tiers == sorted(t or 0 for t in tiers)
    assert tiers[0] == 1 and tiers[-1] == max(t or 0 for t in tiers) >= 5
    ours = {r["name"]: r for r in document["metrics"]}
    # People's order is that of mean scores; counting wins on references places ESRGAN-hi above HiFiC-lo.
    flipped = [p for p in document["pairs"] if p["verdicts"]["ssim"]["order"] == "flip"]
    assert [(p["above"], p["below"]) for p in flipped] == [("HiFiC-lo", "ESRGAN-hi")]
    assert ours["gmsd"]["flips"] == 8  # the same numbers in a metric where lower is better


# --- flips -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rated", [True, False])
def test_only_what_the_tests_tell_apart_counts_as_told_apart(rated: bool, tmp_path: Path) -> None:
    """Tiers are chains: somebody in the tier above beats each member, and not everybody there does."""
    names, count = "abcdef", 14
    noise = dict(zip(names, (0.3, 3.0, 0.3, 3.0, 0.3, 0.3), strict=True))

    def drawn(seed: int) -> dict[str, list[float]]:
        own = np.random.default_rng(seed)
        return {g: (own.normal(0, noise[g], count) - 0.6 * n).tolist() for n, g in enumerate(names)}

    metrics = {
        name: drawn(n) for n, name in enumerate(("psnr", "ssim", "vifp", "dss", "haarpsi", "vsi", "fsim", "nlpd"))
    }
    metrics["nlpd"] = {g: [-v for v in values] for g, values in metrics["nlpd"].items()}
    document = make(arenas.write(tmp_path, metrics, drawn(99) if rated else None))
    view = document["views"][0]
    apart = view["apart"]
    assert apart is not None
    tier = {g: s["tier"] for g, s in view["standings"].items()}
    pairs = [(a, b) for a, b in itertools.combinations(names, 2)]
    told = [(a, b) for a, b in pairs if b in apart[a]]
    assert all((a in apart[b]) == (b in apart[a]) for a, b in pairs)
    assert all(tier[a] != tier[b] for a, b in told)
    assert 0 < len(told) < sum(tier[a] != tier[b] for a, b in pairs)  # some stand in different tiers untold
    for g, standing in view["standings"].items():  # the interval of places counts the same pairs
        better = sum(view["standings"][k]["place"] < standing["place"] for k in apart[g])
        assert standing["rank"] in (None, [1 + better, len(names) - (len(apart[g]) - better)])
    assert {r["apart"] for r in document["metrics"]} == {len(told)}
    for pair in document["pairs"]:
        assert pair["separated"] is (pair["below"] in apart[pair["above"]])
    open_ = [p for p in document["pairs"] if not p["separated"] and not p["level"]]
    assert open_
    said = {g["name"]: g["sentence"] for g in document["generators"]}
    assert all("not tell them apart" in said[p["above"]] for p in open_)


def test_flips_by_hand(tmp_path: Path) -> None:
    count = 12
    human = table(["abc"] * count)
    metrics = {
        "psnr": table(["abc"] * count),  # agrees
        "ssim": table(["bac"] * count),  # a and b the other way round, everywhere
        "vifp": table(["abc"] * 5 + ["acb"] * 7),  # b and c, by a hair
        "dss": {"a": [2.0] * count, "b": [2.0] * count, "c": [1.0] * count},  # sees no difference of a and b
    }
    document = make(arenas.write(tmp_path, metrics, human))
    first, second = document["pairs"]
    assert (first["above"], first["below"], first["separated"]) == ("a", "b", True)
    assert {n: v["order"] for n, v in first["verdicts"].items()} == {
        "psnr": "same", "ssim": "flip", "vifp": "same", "dss": "tie",
    }  # fmt: skip
    assert {n: v["order"] for n, v in second["verdicts"].items()} == {
        "psnr": "same", "ssim": "same", "vifp": "flip", "dss": "same",
    }  # fmt: skip
    certain = first["verdicts"]["ssim"]
    # All signs alike: 2 of the 4,096 sign vectors, twice for the two pairs of the metric.
    assert certain["p"] == pytest.approx(2 * 2 / 2**count, rel=1e-3)
    assert certain["significant"] and certain["share"] == 0 and certain["difference"] == -0.5
    open_ = second["verdicts"]["vifp"]
    assert not open_["significant"] and open_["share"] == pytest.approx(5 / 12, abs=1e-5)
    # 12 signs, 5 against 7: the share of sign vectors at least as far from even.
    beyond = sum(math.comb(count, k) for k in range(count + 1) if abs(count - 2 * k) >= 2) / 2**count
    assert open_["p"] == pytest.approx(beyond, rel=1e-3)
    sentences = [g["sentence"] for g in document["generators"]]
    assert sentences == [
        "a above b: this order flips under ssim (1 of 4 metrics), beyond chance under each of them.",
        "b above c: this order flips under vifp (1 of 4 metrics), not beyond chance.",
        "",
    ]
    assert {r["name"]: (r["flips"], r["significant"]) for r in document["metrics"]} == {
        "psnr": (0, 0), "ssim": (1, 1), "vifp": (1, 0), "dss": (0, 0),
    }  # fmt: skip
    assert document["flips_note"] == ""
    # All three pairs are told apart; "ssim" reverses a and b, "vifp" b and c.
    assert {r["name"]: (r["reversed"], r["apart"]) for r in document["metrics"]} == {
        "psnr": (0, 3), "ssim": (1, 3), "vifp": (1, 3), "dss": (0, 3),
    }  # fmt: skip


def test_too_few_references_to_call_a_flip_more_than_chance(tmp_path: Path) -> None:
    document = make(arenas.write(tmp_path, {"psnr": table(["bac"] * 4)}, table(["abc"] * 4)))
    assert "4 references are too few" in document["flips_note"]
    assert document["generators"][0]["sentence"] == "a above b: this order flips under psnr (1 of 1 metrics)."


def test_a_level_pair_cannot_flip(tmp_path: Path) -> None:
    human = {"a": [1.0] * 8, "b": [1.0] * 8}
    document = make(arenas.write(tmp_path, {"psnr": {"a": [1.0] * 8, "b": [2.0] * 8}}, human))
    assert document["pairs"][0]["level"]
    assert document["metrics"][0]["flips"] == 0
    assert document["generators"][0]["sentence"] == "a and b stand level."


# --- calibration -----------------------------------------------------------------------------------------


def calibrated(folder: Path, **more: Any) -> tuple[documents.Arena, Table, Table]:
    """A rated run in which psnr follows people closely, and a contest whose values lie inside its range."""
    human, psnr = noisy(0.4, 1), noisy(0.5, 2)
    rated = arenas.write(folder / "rated", {"psnr": psnr, "ssim": noisy(0.8, 3)}, human, title="Rated")
    contest = {g: [0.5 * v - 0.7 for v in column] for g, column in noisy(0.2, 4).items()}
    metrics = {"psnr": contest, "ssim": {g: [v + 50 for v in c] for g, c in contest.items()}, "vifp": contest}
    run = arenas.write(folder / "run", metrics, name="contest", **more)
    return make(run, rated), contest, psnr


def test_prediction_is_the_curve_and_its_error_that_of_generator_means(tmp_path: Path) -> None:
    document, contest, psnr = calibrated(tmp_path)
    board = json.loads((tmp_path / "rated" / "leaderboard.json").read_text())
    fit = next(r for r in board["metrics"] if r["name"] == "psnr")["fit"]
    curve = stats.Mapping(fit["kind"], tuple(fit["b"]), math.nan, 48)
    found = {p["metric"]: p for p in document["predictions"]}
    human = noisy(0.4, 1)
    residuals = [np.mean(curve(psnr[g])) - np.mean(human[g]) for g in "abcd"]
    assert found["psnr"]["error"] == pytest.approx(
        np.sqrt(np.sum(np.square(residuals)) / (len(residuals) - 1)), rel=1e-5
    )
    assert found["psnr"]["n_generators"] == 4
    for g in "abcd":
        cell = found["psnr"]["predicted"][g]
        assert cell["value"] == pytest.approx(float(np.mean(curve(contest[g]))), rel=1e-5)
        assert cell["low"] is not None and cell["high"] is not None
        # Student's t with 3 degrees of freedom; the references add to the calibration's error.
        least = 3.18245 * np.std(residuals, ddof=1)
        boot = np.std(curve(contest[g]), ddof=0) / math.sqrt(12)
        assert (cell["high"] - cell["low"]) / 2 == pytest.approx(math.hypot(least, 3.18245 * boot), rel=0.03)


def test_an_offset_of_all_generators_is_an_error_too() -> None:
    assert calibration._error(np.array([2.0, 2.0, 2.0])) == pytest.approx(math.sqrt(12 / 2))
    assert calibration._error(np.array([1.0, -1.0])) == pytest.approx(np.std([1, -1], ddof=1))


def test_extrapolation_and_unknown_metrics_are_refused(tmp_path: Path) -> None:
    document, *_ = calibrated(tmp_path)
    found = {p["metric"]: p for p in document["predictions"]}
    assert found["ssim"]["status"] == "refused"
    assert "100% of the images lie beyond the calibrated range" in found["ssim"]["reason"]
    assert found["vifp"]["status"] == "refused"
    assert "did not score" in found["vifp"]["reason"]
    assert found["ssim"]["predicted"] == {}


def test_a_tenth_outside_is_the_limit(tmp_path: Path) -> None:
    rated = arenas.write(tmp_path / "rated", {"psnr": noisy(0.5, 2, 10)}, noisy(0.4, 1, 10))
    inside = noisy(0.01, 4, 10, offset=-0.1)
    for g in "abcd":
        inside[g][0] = 99.0
    ok = make(arenas.write(tmp_path / "ok", {"psnr": inside}), rated)["predictions"][0]
    assert (ok["status"], ok["outside"]) == ("ok", 0.1)
    inside["a"][1] = 99.0
    no = make(arenas.write(tmp_path / "no", {"psnr": inside}), rated)["predictions"][0]
    assert no["status"] == "refused"
    assert "12% of the images" in no["reason"]


def test_a_generator_beyond_the_range_has_no_prediction(tmp_path: Path) -> None:
    names = "abcdefghijkl"
    rated = arenas.write(tmp_path / "rated", {"psnr": noisy(0.5, 2)}, noisy(0.4, 1))
    contest = {g: noisy(0.1, 5)["b"] for g in names} | {"a": [99.0] * 12}
    found = make(arenas.write(tmp_path / "run", {"psnr": contest}), rated)["predictions"][0]
    assert found["status"] == "ok"
    assert found["predicted"]["a"]["value"] is None
    assert "beyond the calibrated range" in found["predicted"]["a"].get("reason", "")
    assert found["predicted"]["b"]["value"] is not None


def test_another_identity_is_another_metric(tmp_path: Path) -> None:
    document, *_ = calibrated(tmp_path, gate={"alpha": "white"})
    assert {p["status"] for p in document["predictions"]} == {"refused"}
    assert "identities differ" in document["predictions"][0]["reason"]
    assert document["metrics"][0]["trust"]["srocc"]["value"] is None
    # Nobody is trusted, and somebody must judge: all do, and the page says so.
    assert document["panel"]["rule"].startswith("the calibration lends trust to none of these metrics")
    assert all(r["in_panel"] for r in document["metrics"])


def test_a_constant_metric_has_no_curve(tmp_path: Path) -> None:
    flat = {g: [1.0] * 12 for g in "abcd"}
    rated = arenas.write(tmp_path / "rated", {"psnr": noisy(0.5, 2), "ssim": flat}, noisy(0.4, 1))
    document = make(arenas.write(tmp_path / "run", {"psnr": noisy(0.1, 3), "ssim": flat}), rated)
    refused = next(p for p in document["predictions"] if p["metric"] == "ssim")
    assert refused["reason"].startswith("no calibration curve: ")


def test_trust_is_on_gan_outputs_where_the_set_tells_them(tmp_path: Path) -> None:
    families = {"a": "gan", "b": "gan", "c": "traditional", "d": "traditional"}
    rated = arenas.write(tmp_path / "rated", {"psnr": noisy(0.5, 2)}, noisy(0.4, 1), families=families)
    plain = arenas.write(tmp_path / "plain", {"psnr": noisy(0.5, 2)}, noisy(0.4, 1))
    run = arenas.write(tmp_path / "run", {"psnr": noisy(0.1, 3)})
    board = json.loads((rated / "leaderboard.json").read_text())
    trust = make(run, rated, tmp_path / "out", gallery=False)["metrics"][0]["trust"]
    assert trust["what"] == "SROCC on GAN outputs"
    assert trust["srocc"] == board["metrics"][0]["classes"]["family:gan"]["srocc"]
    document = make(run, plain, tmp_path / "out2")
    assert "it has no tiers" in document["panel"]["rule"]  # a single metric cannot be ranked
    trust = document["metrics"][0]["trust"]
    assert trust["what"] == "SROCC pooled, whole set"
    assert trust["srocc"] == json.loads((plain / "leaderboard.json").read_text())["metrics"][0]["srocc_pooled"]


def test_a_calibrated_panel_has_trusted_members_only(tmp_path: Path) -> None:
    good = {n: noisy(0.3, s) for s, n in enumerate(("psnr", "ssim", "vifp"), 10)}
    rng = np.random.default_rng(0)
    noise = {g: rng.normal(size=12).tolist() for g in "abcd"}
    rated = arenas.write(tmp_path / "rated", good | {"dss": noise, "fsim": turned(good["psnr"])}, noisy(0.2, 1))
    run = arenas.write(tmp_path / "run", good | {"dss": noise, "fsim": noise, "vsi": noise})
    document = make(run, rated)
    assert document["panel"]["votes"] == [["psnr"], ["ssim"], ["vifp"]]
    assert set(document["panel"]["left_out"]) == {"dss", "fsim", "vsi"}
    assert "interval does not lie above 0" in document["panel"]["left_out"]["fsim"]
    assert "not on the calibration" in document["panel"]["left_out"]["vsi"]
    assert document["calibration"] is not None and not document["calibration"]["same_images"]
    assert make(rated, rated, tmp_path / "self")["calibration"]["same_images"]  # type: ignore[index]


# --- images and cost -------------------------------------------------------------------------------------


def test_worst_and_best_images_by_mean_percentile(tmp_path: Path) -> None:
    psnr, ssim = table(["abc"] * 8), table(["abc"] * 8)
    psnr["b"][3] = ssim["b"][3] = 0.5  # both metrics place it last of all
    psnr["b"][5], ssim["b"][5] = 9.0, 0.1  # disputed: best under one, worst under the other
    rows = make(arenas.write(tmp_path, {"psnr": psnr, "ssim": ssim}))["extremes"]["rows"]
    worst = next(r for r in rows if r["generator"] == "b" and r["which"] == "worst")
    assert worst["key"] == "b/photo03"
    assert worst["place"] == pytest.approx((0.5 / 24 + 1.5 / 24) / 2, abs=1e-4)  # 24 images; ssim has one lower still
    assert (worst["low"], worst["high"]) == (pytest.approx(0.5 / 24, abs=1e-4), pytest.approx(1.5 / 24, abs=1e-4))
    best = next(r for r in rows if r["generator"] == "b" and r["which"] == "best")
    assert best["key"] != "b/photo03"


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("pictures")
    return arenas.with_images(root / "data", root / "run")


def test_crops_are_cut_from_the_images_and_cost_is_read(pictures: Path, tmp_path: Path) -> None:
    document = make(pictures, out=tmp_path)
    gallery = json.loads((tmp_path / "arena" / "gallery.json").read_text())
    assert {c["key"] for c in gallery["crops"]} == {r["key"] for r in document["extremes"]["rows"]}
    for crop in gallery["crops"]:
        assert (tmp_path / "arena" / crop["image"]).is_file()
        assert (tmp_path / "arena" / crop["reference"]).is_file()
    assert [(p["generator"], p["seconds"], p["front"]) for p in document["cost"]["rows"]] == [
        ("fair", 0.2, True), ("poor", 0.5, False), ("fine", 3.0, True),
    ]  # fmt: skip
    assert not (pictures / "arena").exists()


def test_without_a_gallery_there_are_no_crops(pictures: Path, tmp_path: Path) -> None:
    make(pictures, out=tmp_path)
    make(pictures, out=tmp_path, gallery=False)
    assert not (tmp_path / "arena" / "gallery.json").exists()
    record = json.loads((pictures / "run.json").read_text())
    shy = tmp_path / "shy"
    shy.mkdir()
    for name in ("leaderboard.json", "scores.csv"):
        (shy / name).write_bytes((pictures / name).read_bytes())
    record["sweep"]["gallery"] = False
    (shy / "run.json").write_text(json.dumps(record))
    make(shy)
    assert not (shy / "arena").exists()
    make(shy, gallery=True)
    assert (shy / "arena" / "gallery.json").is_file()


def test_a_run_whose_images_are_gone_still_has_an_arena(pictures: Path, tmp_path: Path) -> None:
    for name in ("leaderboard.json", "scores.csv"):
        (tmp_path / name).write_bytes((pictures / name).read_bytes())
    document = make(tmp_path)
    assert document["cost"]["rows"] == []
    assert "run.json does not say" in document["cost"]["note"]
    assert document["extremes"]["rows"]
    assert not (tmp_path / "arena").exists()
    whole = make(pictures, out=tmp_path / "whole")
    assert document["views"] == whole["views"]


def test_compared_folders_are_found_again(tmp_path: Path) -> None:
    argv = ["ganiq", "compare", "a=out/a", "b=out/b", "-o", "x", "--reference", "ref", "--metrics", "psnr(crop=4),ssim"]
    models = inputs._compared(argv)
    assert models == ({"a": Path("out/a"), "b": Path("out/b")}, Path("ref"))
    assert inputs._compared(["ganiq", "run", "--data", "x=y"]) is None


# --- the document ----------------------------------------------------------------------------------------


def test_the_order_of_rows_does_not_matter_and_bytes_repeat(tmp_path: Path) -> None:
    rng = np.random.default_rng(9)
    metrics = {n: noisy(0.8, s) for s, n in enumerate(("psnr", "ssim", "vifp"))}
    human = noisy(0.4, 8)
    straight = arenas.write(tmp_path / "a", metrics, human)
    shuffled = arenas.write(tmp_path / "b", metrics, human, order=rng.permutation(48).tolist())
    make(straight)
    make(shuffled)
    assert body(straight) == body(shuffled)
    before = (straight / "arena.json").read_bytes()
    make(straight)
    assert (straight / "arena.json").read_bytes() == before
    elsewhere = tmp_path / "elsewhere"
    make(straight, out=elsewhere)
    assert (elsewhere / "arena.json").read_bytes() == before


def test_adding_a_metric_changes_no_other_view(tmp_path: Path) -> None:
    one = make(arenas.write(tmp_path / "a", {"psnr": noisy(0.8, 1)}, noisy(0.4, 8)))
    two = make(arenas.write(tmp_path / "b", {"psnr": noisy(0.8, 1), "ssim": noisy(0.8, 2)}, noisy(0.4, 8)))
    for name in ("people", "psnr"):
        assert view(one, name) == view(two, name)


def test_the_document_fits_its_type_and_schema(tmp_path: Path, repository: Path) -> None:
    schema = json.loads((repository / "reports" / "schema" / "arena-1.json").read_text())
    for document in (
        calibrated(tmp_path)[0],
        make(arenas.write(tmp_path / "scored", {"psnr": noisy(0.8, 1)}, noisy(0.4, 8))),
    ):
        plain = json.loads(json.dumps(document, allow_nan=False))
        jsonschema.Draft202012Validator(schema).validate(plain)
        check(plain, documents.Arena, "arena.json")


def test_many_generators_are_fitted_with_fewer_resamples() -> None:
    assert Dice(0.95, 2000, 0).count(wins.MOST_FITTED) == 2000
    assert Dice(0.95, 2000, 0).count(wins.MOST_FITTED + 1) == wins.FEWER


# --- what is refused -------------------------------------------------------------------------------------


def _unfinished(folder: Path) -> None:
    (folder / "leaderboard.json").unlink()
    (folder / "store.sqlite").touch()


def _other_schema(folder: Path) -> None:
    board = json.loads((folder / "leaderboard.json").read_text())
    (folder / "leaderboard.json").write_text(json.dumps(board | {"schema": 99}))


def _no_scores(folder: Path) -> None:
    (folder / "scores.csv").unlink()


def _others_scores(folder: Path) -> None:
    lines = (folder / "scores.csv").read_text().splitlines()
    (folder / "scores.csv").write_text("\n".join(lines[:-1]) + "\n")


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (_unfinished, "the run is not finished"),
        (_other_schema, "has schema 99"),
        (_no_scores, "no scores.csv"),
        (_others_scores, "not of one run"),
        (lambda folder: (folder / "leaderboard.json").unlink(), "holds no leaderboard.json"),
    ],
)
def test_unusable_runs_are_one_sentence(tmp_path: Path, spoil: Any, says: str) -> None:
    folder = arenas.write(tmp_path, {"psnr": noisy(0.1, 1)})
    spoil(folder)
    with pytest.raises(UsageError, match=says) as error:
        make(folder)
    assert "\n" not in str(error.value)
    assert not (folder / "arena.json").exists()


def test_a_contest_needs_two_generators_and_a_shared_reference(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="fewer than two generators"):
        make(arenas.write(tmp_path / "one", {"psnr": {"a": [1.0] * 8}}))
    apart = arenas.write(
        tmp_path / "apart",
        {"psnr": noisy(0.1, 1, 4, "ab")},
        without={("a", 0), ("a", 1), ("b", 2), ("b", 3)},
    )
    with pytest.raises(UsageError, match="share no reference"):
        make(apart)


def test_no_judge_at_all_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no panel of metrics"):
        make(arenas.write(tmp_path, {"entropy": noisy(0.1, 1)}))


def test_a_calibration_needs_people(tmp_path: Path) -> None:
    run = arenas.write(tmp_path, {"psnr": noisy(0.1, 1)})
    with pytest.raises(UsageError, match="no people scored"):
        make(run, run)


# --- the command -----------------------------------------------------------------------------------------


def ganiq(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ganiq", *map(str, arguments)], capture_output=True, text=True, check=False
    )


def test_the_command_prints_the_order_and_writes_the_page(tmp_path: Path) -> None:
    run = arenas.write(tmp_path / "run", {"psnr": table(EIGHT), "ssim": table(EIGHT)}, table(["abc"] * 8))
    done = ganiq("arena", run, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "arena.html").is_file()
    lines = done.stdout.splitlines()
    places = [line.split()[:3] for line in lines if line.split()[2:3] in (["a"], ["b"], ["c"])]
    assert [p[2] for p in places] == ["a", "b", "c"]
    assert "arena.html" in lines[-1]
    rows = json.loads(ganiq("arena", run, "--json").stdout)
    assert [r["generator"] for r in rows] == ["a", "b", "c"]
    assert {"place", "tier", "rank", "strength", "win_rate", "human", "flips", "sentence"} <= rows[0].keys()
    done = ganiq("arena", tmp_path / "nowhere")
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1


def test_the_command_loads_no_torch(tmp_path: Path) -> None:
    run = arenas.write(tmp_path, {"psnr": table(EIGHT)}, table(EIGHT))
    code = (
        "import sys; sys.argv = ['ganiq', 'arena', sys.argv[1]]\nfrom ganiq.bench import cli\n"
        "try:\n cli.main()\nexcept SystemExit as stop:\n assert not stop.code\nassert 'torch' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(run)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_dice_are_shared_by_all_views() -> None:
    one, other = replace(DICE), replace(DICE)
    np.testing.assert_array_equal(one.draws("references", 9, 3), other.draws("references", 9, 7))
