"""Pseudo-labels by metrics that a recipe names, for as many references as it wants."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ganiq.bench import stats
from ganiq.bench.datasets import load as read_set
from ganiq.bench.errors import UsageError
from ganiq.bench.progress import Silent
from ganiq.bench.training import commands, pseudo, splits
from ganiq.bench.training import recipe as recipes
from scipy.stats import rankdata
from soft_label_cases import scores_of
from training_cases import REG, document

JUDGES = {"gmsd": 3.0, "dss": 1.0}


@pytest.fixture(scope="module")
def pool(make_set: Any) -> Path:
    """Five references, blur and noise at two levels; nothing is written into it but scores."""
    return make_set(references=5, levels=2, first=300, scored=False, name="pool")


@pytest.fixture(autouse=True)
def _fresh(pool: Path) -> None:
    (pool / "scores" / "scores.csv").unlink(missing_ok=True)


def table(keys: list[str]) -> dict[str, dict[str, float | str]]:
    """The worse the level, the larger the GMSD (which is bad) and the smaller the DSS; no two alike."""
    level = {key: int(key[-1]) + 0.01 * int(key[1:4]) + 0.1 * ("noise" in key) for key in keys}
    return {
        "ssim": dict.fromkeys(keys, 0.5),
        "gmsd": {key: 0.05 * v for key, v in level.items()},
        "dss": {key: 1 / (1 + v) for key, v in level.items()},
    }


def labelled(pool: Path, load: Any, **options: Any) -> dict[str, float | None]:
    made = pseudo.label(load(pool), read_set(pool, "folder"), pool / "scores", "split", **options)
    assert made.learned
    assert made.scale == pseudo.SCALE
    return {s.key: s.score for s in made.samples}


def never(*_: Any) -> None:
    raise AssertionError("scores that were given are computed again")


def test_weights_of_judges() -> None:
    judges = {"gmsd": 3.0, "ms-ssim": 1.0, "iw-ssim": 2.0, "dss": 1.0}
    assert pseudo.members(288, judges) == ("gmsd", "ms-ssim", "iw-ssim", "dss")
    assert pseudo.members(96, judges) == ("gmsd", "dss")
    assert pseudo.weights(("gmsd", "dss"), judges=judges) == {"gmsd": 0.75, "dss": 0.25}
    assert pseudo.weights(("gmsd", "dss"), True, judges) == {"gmsd": 0.5, "dss": 0.5}
    assert pseudo.members(288) == tuple(pseudo.SRCC)


def test_scores_that_are_there_become_labels_by_the_weights_of_the_judges(pool, load, monkeypatch) -> None:
    monkeypatch.setattr(pseudo, "_score", never)
    keys = [s.key for s in load(pool).samples]
    columns = table(keys)
    scores_of(pool, columns)
    found = labelled(pool, load, judges=JUDGES)
    wanted = np.zeros(len(keys))
    for name, weight, sign in (("gmsd", 0.75, -1), ("dss", 0.25, 1)):
        values = np.array([columns[name][key] for key in keys], dtype=float)
        curve = stats.fit(values, (rankdata(sign * values) - 0.5) / len(keys))
        wanted += weight * np.clip(curve(values), 0, 1)
    assert [found[key] for key in keys] == pytest.approx(wanted)
    order = sorted(keys, key=lambda key: columns["gmsd"][key])  # lower is better
    assert sorted(keys, key=lambda key: -(found[key] or 0)) == order
    equal = labelled(pool, load, judges=JUDGES, blind=True)
    assert equal != found
    assert sorted(equal, key=lambda key: -(equal[key] or 0)) == order


def test_a_judge_that_disagrees_counts_by_its_weight(pool, load, monkeypatch) -> None:
    monkeypatch.setattr(pseudo, "_score", never)
    keys = [s.key for s in load(pool).samples]
    columns = table(keys)
    columns["dss"] = {key: -float(v) for key, v in columns["dss"].items()}  # the wrong way round
    scores_of(pool, columns)
    order = sorted(keys, key=lambda key: columns["gmsd"][key])
    for gmsd, wanted in ((9.0, 1), (0.1, -1)):
        found = labelled(pool, load, judges={"gmsd": gmsd, "dss": 1.0})
        assert stats.srocc([-order.index(k) for k in keys], [found[k] or 0 for k in keys]) * wanted > 0.6


def test_only_judged_references_are_labelled(pool, load, monkeypatch) -> None:
    monkeypatch.setattr(pseudo, "_score", never)
    data = load(pool)
    group = {s.key: s.group for s in data.samples}
    scores_of(pool, table(list(group)))
    chosen = []
    for seed in range(6):
        found = labelled(pool, load, judges=JUDGES, judged=2, seed=seed)
        groups = {group[key] for key, score in found.items() if score is not None}
        assert len(groups) == 2
        assert all((score is not None) == (group[key] in groups) for key, score in found.items())
        assert found == labelled(pool, load, judges=JUDGES, judged=2, seed=seed)
        chosen.append(frozenset(groups))
        # Calibrated on what is judged alone: the best and the worst of it are far apart.
        known = [score for score in found.values() if score is not None]
        assert min(known) < 0.3 < 0.7 < max(known)
    assert len(set(chosen)) > 2
    more = labelled(pool, load, judges=JUDGES, judged=50)
    assert None not in more.values()
    assert more == labelled(pool, load, judges=JUDGES)


def test_scores_of_the_judged_are_enough(pool, load, monkeypatch) -> None:
    data = load(pool)
    group = {s.key: s.group for s in data.samples}
    scores_of(pool, table(list(group)))
    found = labelled(pool, load, judges=JUDGES, judged=3, seed=1)
    judged = [key for key, score in found.items() if score is not None]
    monkeypatch.setattr(pseudo, "_score", never)
    scores_of(pool, table(judged))
    assert labelled(pool, load, judges=JUDGES, judged=3, seed=1) == found
    # One is lacking: it is scored now, with those of its kind and their references, and no other.
    given = []

    def score(manifest: Any, folder: Path, names: Any, workers: int, progress: Any) -> None:
        given.append((manifest, folder, tuple(names), workers))
        scores_of(pool, table(judged))

    monkeypatch.setattr(pseudo, "_score", score)
    columns = table(judged)
    columns["gmsd"][judged[0]] = ""
    scores_of(pool, columns)
    assert labelled(pool, load, judges=JUDGES, judged=3, seed=1, workers=1) == found
    ((manifest, folder, names, workers),) = given
    assert {i.key for i in manifest.items if i.role == "output"} == set(judged)
    assert (folder, names, workers) == (pool / "scores", ("gmsd", "dss"), 1)


def test_images_without_a_score_have_no_label(pool, load, monkeypatch) -> None:
    monkeypatch.setattr(pseudo, "_score", lambda *_: None)  # as where a metric fails on an image
    keys = [s.key for s in load(pool).samples]
    columns = table(keys)
    columns["dss"][keys[3]] = ""
    scores_of(pool, columns)
    found = labelled(pool, load, judges=JUDGES)
    assert [key for key, score in found.items() if score is None] == [keys[3]]


def test_a_table_without_a_judge_is_refused(pool, load) -> None:
    columns = table([s.key for s in load(pool).samples])
    del columns["dss"]
    scores_of(pool, columns)
    with pytest.raises(UsageError, match="no column dss"):
        labelled(pool, load, judges=JUDGES)


def test_judges_score_what_is_to_be_judged(pool, given, home) -> None:
    """Through the engine, in this process, for two of five references."""
    stages = [{"name": "a", "data": "pool", "labels": "pseudo", "epochs": 1, "terms": [REG]}]
    recipe = recipes.build(document(teacher=None, stages=stages, pool=1, judges={"gmsd": 1, "ssim": 1}, judged=2))
    made = commands.pool_of(recipe, given, splits.make(given), home, Silent(), 1, pool)
    assert made is not None
    assert len(made.samples) == 8  # what is not judged is not learnt from
    scores = {s.key: s.score for s in made.samples if s.score is not None}
    assert len(scores) == 8
    with (pool / "scores" / "scores.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["key"] for row in rows} == scores.keys()
    assert all(0 < float(row["gmsd"]) < 1 and 0 < float(row["ssim"]) < 1 for row in rows)
    for key, score in scores.items():
        if key.endswith("1"):
            assert score > scores[key[:-1] + "2"], key
    labelled_only = recipes.build(document(pool=1))
    assert commands.pool_of(labelled_only, given, splits.make(given), home, Silent(), 1, pool) is None


def test_a_trained_teacher_needs_no_judges(pool, given, home, load) -> None:
    """Its stages are left out, and with them the labels that only they learn from: the whole pool is the student's."""
    teaching = {"name": "t", "train": "teacher", "data": "pool", "labels": "pseudo", "epochs": 1, "terms": [REG]}
    asking = {"name": "s", "data": "pool", "labels": "teacher", "epochs": 1, "terms": [REG]}
    recipe = recipes.build(document(stages=[teaching, asking], pool=1, judges={"gmsd": 1, "ssim": 1}, judged=2))
    split = splits.make(given)
    made = commands.pool_of(recipe, given, split, home, Silent(), 1, pool, taught=True)
    assert made is not None
    assert len(made.samples) > 8
    assert made.samples == load(pool).samples
    assert not (pool / "scores" / "scores.csv").exists()
