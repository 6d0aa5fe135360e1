"""What the page computes for itself: orders, marks, fronts, samples. Checked against hand-made cases."""

from __future__ import annotations

import itertools
import math
import random
from typing import Any, cast

import pytest
import sample
from ganiq.bench.document import Fit, Leaderboard
from ganiq.reports import board as boards
from ganiq.reports import charts, contest, matrix, points, price
from ganiq.reports.inputs import Items
from ganiq.reports.scales import Axis, span
from hypothesis import assume, given
from hypothesis import strategies as st


def _board(**options: Any) -> Leaderboard:
    return cast(Leaderboard, sample.draw(sample.Options(**options))[0])


def _generators(
    ranks: dict[str, list[int]],
    tiers: list[int | None],
    ends: list[tuple[float, float]] | None = None,
    apart: list[list[int]] | None = None,
) -> Leaderboard:
    """Generators with places, tiers and intervals; unless ``apart`` is given, all of different tiers are told apart."""
    if apart is None and None not in tiers:
        apart = [[k for k, other in enumerate(tiers) if other != tier] for tier in tiers]
    document = _board(metrics=2, generators=3, references=3)
    names = [n for n in ranks if n != "human"]
    rows: Any = [
        {
            "name": f"g{n}", "title": f"g{n}", "distortion": "", "family": "", "n": 3, "human_tier": tiers[n],
            "human": {
                "value": -float(ranks["human"][n]),
                "low": ends[n][0] if ends else None, "high": ends[n][1] if ends else None,
            },
            "metrics": {m: {"value": 1.0, "low": None, "high": None} for m in names},
            "ranks": {m: v[n] for m, v in ranks.items()},
            **({} if apart is None else {"human_apart": [f"g{k}" for k in apart[n]]}),
        }
        for n in range(len(tiers))
    ]  # fmt: skip
    document["generators"] = rows
    document["generator_board"]["agreement"] = {}
    return document


def test_reversed_orders_are_marked_where_people_tell_apart() -> None:
    # People: g0, g1 | g2, g3. The metric swaps g0 and g1 (one tier: no claim) and puts g3 before g1.
    document = _generators({"human": [1, 2, 3, 4], "m": [2, 4, 1, 3]}, [1, 1, 2, 2])
    lines = contest.build(document, []).lines
    assert [line.views[0].flip for line in lines] == [3, 3, 3, 3 if 1 / 2 >= 0.5 else 0]
    assert [line.views[0].arrow for line in lines] == ["▼", "▼", "▲", "▲"]
    assert "reverses 2 of the 2 pairs" in lines[1].views[0].hint
    assert "reverses 1 of the 2 pairs" in lines[0].views[0].hint


def test_agreeing_orders_and_swaps_inside_a_tier_are_not_marked() -> None:
    document = _generators({"human": [1, 2, 3], "same": [1, 2, 3], "swap": [2, 1, 3]}, [1, 1, 2])
    assert all(view.flip == 0 for line in contest.build(document, []).lines for view in line.views)


def test_a_tier_between_two_generators_does_not_tell_them_apart() -> None:
    # Only g0 and g2 are told apart; g1, in a tier of its own, from nobody. The metric turns the whole order round.
    ranks = {"human": [1, 2, 3], "m": [3, 2, 1]}
    lines = contest.build(_generators(ranks, [1, 1, 2], apart=[[2], [], [0]]), []).lines
    assert [line.views[0].flip for line in lines] == [3, 0, 3]
    assert "reverses 1 of the 1 pairs" in lines[0].views[0].hint


def test_without_tiers_intervals_decide_and_without_intervals_means() -> None:
    ranks = {"human": [1, 2], "m": [2, 1]}
    apart = contest.build(_generators(ranks, [None, None], [(5, 6), (1, 2)]), [])
    close = contest.build(_generators(ranks, [None, None], [(1, 6), (1, 5)]), [])
    bare = contest.build(_generators(ranks, [None, None]), [])
    assert [line.views[0].flip for line in apart.lines] == [3, 3]
    assert [line.views[0].flip for line in close.lines] == [0, 0]
    assert [line.views[0].flip for line in bare.lines] == [3, 3]
    assert "do not overlap" in apart.told_apart
    assert "all pairs" in bare.told_apart


def test_marks_grow_with_the_share_of_reversed_pairs() -> None:
    # g0 is truly first of nine; the metric puts it second, fourth, sixth place.
    for place, flip in ((2, 1), (4, 2), (6, 3)):
        metric = [place, *(r if r > place else r - 1 for r in range(2, 10))]
        document = _generators({"human": list(range(1, 10)), "m": metric}, list(range(1, 10)))
        assert contest.build(document, []).lines[0].views[0].flip == flip


def test_the_pareto_front_is_what_nothing_beats() -> None:
    document = _board(metrics=8, waiting=0)
    rng = random.Random(3)
    seconds = {m["name"]: rng.choice([0.01, 0.02, 0.05, 0.1]) for m in document["metrics"]}
    timing: Any = {
        "schema": 1,
        "machine": {},
        "metrics": {n: {"seconds": s, "total": s, "n": 1} for n, s in seconds.items()},
    }
    rows: list[Any] = price.build(document, timing)
    assert [r.seconds for r in rows] == sorted(r.seconds for r in rows)
    for row in rows:
        beaten = any(
            (o.seconds <= row.seconds and o.agreement > row.agreement)
            or (o.seconds < row.seconds and o.agreement >= row.agreement)
            for o in rows
        )
        assert row.front == (not beaten)
    assert price.build(document, None) == []


def test_the_matrix_keeps_its_values_and_puts_people_first_and_kin_together() -> None:
    names = ["b1", "human", "a1", "b2", "a2"]
    kin = lambda x, y: 1.0 if x == y else 0.5 if "human" in (x, y) else 0.9 if x[0] == y[0] else 0.1
    found = matrix.build({"names": names, "srocc": [[kin(x, y) for y in names] for x in names]})
    assert found.names[0] == "human"
    assert [n[0] for n in found.names[1:]] in (["a", "a", "b", "b"], ["b", "b", "a", "a"])
    assert found.values == [[kin(x, y) for y in found.names] for x in found.names]


def test_the_matrix_order_does_not_depend_on_the_order_given() -> None:
    agreement = _board()["agreement"]
    wanted = matrix.build(agreement).names
    order = list(range(len(agreement["names"])))
    random.Random(1).shuffle(order)
    shuffled: Any = {
        "names": [agreement["names"][n] for n in order],
        "srocc": [[agreement["srocc"][a][b] for b in order] for a in order],
    }
    assert matrix.build(shuffled).names == wanted


def test_undefined_pairs_do_not_break_the_matrix() -> None:
    found = matrix.build({"names": ["a", "b", "c"], "srocc": [[1, None, None], [None, 1, 0.2], [None, 0.2, 1]]})
    assert sorted(found.names) == ["a", "b", "c"]


def _items(n: int, families: int = 2) -> Items:
    fields = ("group", "block", "distortion", "role")
    kinds = ["gan", "traditional", ""]
    return Items(
        text={
            "key": [f"k{i}" for i in range(n)],
            "family": [kinds[i % families] for i in range(n)],
            "generator": ["g"] * n,
        }
        | {f: [""] * n for f in fields},
        score=[float(i % 17) for i in range(n)],
        values={"structure": [float(i) for i in range(n)]},
    )


def test_many_points_are_sampled_by_key_not_by_place() -> None:
    document = _board(metrics=3)
    order = [m for m in document["metrics"] if m["name"] == "structure"]
    items = _items(5000)
    first = points.select(document, items, order)
    assert len(first.shown) == points.PER_PANEL
    assert first.sampled
    assert not first.titled or len(first.shown) <= points.TITLED
    back = list(range(5000))[::-1]
    turned = Items(
        text={k: [v[i] for i in back] for k, v in items.text.items()},
        score=[items.score[i] for i in back],
        values={k: [v[i] for i in back] for k, v in items.values.items()},
    )
    second = points.select(document, turned, order)
    assert {items.text["key"][n] for n in first.shown} == {turned.text["key"][n] for n in second.shown}


def test_references_and_unscored_items_are_not_points() -> None:
    document = _board(metrics=3)
    items = _items(10)
    items.text["role"][0] = "reference"
    items.score[1] = math.nan
    found = points.select(document, items, [m for m in document["metrics"] if m["name"] == "structure"])
    assert found.every == list(range(2, 10))
    assert not found.sampled
    assert [k.title for k in found.kinds] == ["GAN-based", "Traditional"]
    assert sum(k.n for k in found.kinds) == 8


def test_more_classes_than_markers_share_the_last() -> None:
    document = _board(metrics=3)
    items = _items(90, families=1)
    items.text["distortion"][:] = [f"d{n % 9}" if n < 81 else "d0" for n in range(90)]
    found = points.select(document, items, [])
    assert len(found.kinds) == charts.SHAPES
    assert found.kinds[-1].title == "other classes"
    assert sum(k.n for k in found.kinds) == 90
    assert max(found.kind_of) == charts.SHAPES - 1


def test_rows_are_ordered_by_tier_then_value_and_controls_stay_apart() -> None:
    document = _board()
    random.Random(2).shuffle(document["metrics"])
    made = boards.build(document)
    keys = [(r.data["tier"] is None, r.data["tier"] or 0, -(r.data["srocc_within"]["value"] or -9)) for r in made.rows]
    assert keys == sorted(keys)
    assert [r.data["source"] for r in made.controls] == ["control", "control", "control", "computed"]
    assert all(r.badges == ["control"] for r in made.controls)
    assert all(r.data["source"] != "control" for r in made.rows)
    assert [h.code for h in made.classes] == ["family:gan", "family:traditional", "c1", "c2", "c3"]


def test_the_sentence_names_the_best_tier_and_the_population() -> None:
    document = _board()
    said = "".join(piece for piece, _ in boards.build(document).sentence)
    best = [m["name"] for m in document["metrics"] if m["tier"] == 1]
    assert said.startswith("Best tier: ")
    assert all(name in said for name in best)
    assert "95% intervals over 8 references" in said
    assert "1 metric waits for weights" in said


def test_the_sentence_without_tiers_says_why() -> None:
    said = "".join(piece for piece, _ in boards.build(_board(references=4)).sentence)
    assert "no tiers: too few references for tiers" in said
    assert "no intervals: too few references for an interval" in said


def test_the_sentence_without_people() -> None:
    assert "Nobody has scored" in boards.build(_board(scored=False)).sentence[0][0]


@given(st.floats(-1e9, 1e9), st.floats(1e-9, 1e9), st.integers(2, 8))
def test_ticks_are_round_inside_and_not_too_many(low: float, width: float, about: int) -> None:
    assume(width > 1e-9 * max(abs(low), abs(low + width)))  # ``span`` makes no narrower axis
    axis = Axis(low, low + width, 0, 100)
    ticks = axis.ticks(about)
    assert len(ticks) <= 2 * about + 2
    assert all(-0.1 <= x <= 100.1 for x, _ in ticks)
    assert all(a[0] < b[0] for a, b in itertools.pairwise(ticks))


def test_span_of_nothing_and_of_one_value() -> None:
    assert span([]) == (0.0, 1.0)
    assert span([None, math.nan]) == (0.0, 1.0)
    low, high = span([3.0, 3.0])
    assert low < 3 < high


@pytest.mark.parametrize(
    ("fit", "x", "y"),
    [
        ({"kind": "linear", "b": [2.0, 1.0], "note": ""}, 3.0, 7.0),
        ({"kind": "logistic", "b": [5.0, 1.0, 2.0, 0.5], "note": ""}, 2.0, 3.0),
        ({"kind": "logistic", "b": [5.0, 1.0, 2.0, -0.5], "note": ""}, 1e9, 1.0),
        ({"kind": "logistic", "b": [5.0, 1.0, 2.0, 0.0], "note": ""}, 2.0, None),
        ({"kind": "undefined", "b": [], "note": ""}, 2.0, None),
    ],
)
def test_predict(fit: Fit, x: float, y: float | None) -> None:
    assert charts.predict(fit, x) == (pytest.approx(y) if y is not None else None)


def test_names_in_the_cost_chart_cover_nothing() -> None:
    rng = random.Random(5)
    rows = [(f"metric-{n}", 10 ** rng.uniform(-3, 0), rng.random(), False) for n in range(25)]
    plan = charts.cost_layout(rows)
    boxes = [(x - 5, y - 5, x + 5, y + 5, n) for n, (x, y) in enumerate(plan.places)]
    for n, label in enumerate(plan.labels):
        if label is not None:
            x, y, anchor, name = label
            wide = 6.6 * len(name)
            start = x - (wide if anchor == "end" else wide / 2 if anchor == "middle" else 0)
            boxes.append((start, y - 10, start + wide, y + 3, n))
    for a, b in itertools.combinations(boxes[len(rows) :], 2):
        assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]
    assert sum(label is not None for label in plan.labels) > 15
