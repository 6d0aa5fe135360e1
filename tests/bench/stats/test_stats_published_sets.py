"""Figures of public data sets: PIPAL's training labels and the GAN image database's votes."""

from __future__ import annotations

import csv
from types import SimpleNamespace

import numpy as np
import pytest
from ganiq.bench.stats import (
    bradley_terry,
    generator,
    krocc,
    leave_one_out_means,
    plcc,
    pooled_estimate,
    residual,
    shares,
    split_half,
    srocc,
    two_way_estimate,
    win_matrix,
    within,
    within_estimate,
)


@pytest.fixture(scope="module")
def pipal(shared_data):
    path = shared_data / "labels" / "pipal-train-elo.csv"
    if not path.is_file():
        pytest.skip("PIPAL's training labels are not among the test data")
    with path.open(newline="", encoding="utf-8") as file:
        rows = [(row["image"].removesuffix(".bmp").split("_"), float(row["elo"])) for row in csv.DictReader(file)]
    return SimpleNamespace(
        elo=np.array([elo for _, elo in rows]),
        reference=np.array([name[0] for name, _ in rows]),
        kind=np.array([name[1] for name, _ in rows]),
        algorithm=np.array(["_".join(name[1:]) for name, _ in rows]),
    )


def test_pipal_variance(pipal):
    assert len(pipal.elo) == 23_200
    found = shares(pipal.elo, pipal.reference, pipal.algorithm)
    assert found["groups"] == pytest.approx(0.0008, abs=0.0001)
    assert found["generators"] == pytest.approx(0.648, abs=0.001)


def test_pipal_algorithm_identity(pipal, ends):
    """Knowing only the algorithm: SROCC .773 pooled and .776 within, KROCC .578, PLCC .803."""
    known = leave_one_out_means(pipal.elo, pipal.reference, pipal.algorithm)
    inside = within(known, pipal.elo, pipal.reference)
    assert srocc(known, pipal.elo) == pytest.approx(0.773, abs=0.0006)
    assert krocc(known, pipal.elo) == pytest.approx(0.578, abs=0.0006)
    assert plcc(known, pipal.elo) == pytest.approx(0.803, abs=0.0006)
    assert inside.mean == pytest.approx(0.776, abs=0.0006)
    assert (len(inside.groups), inside.n) == (200, 23_200)
    pooled = pooled_estimate(srocc, known, pipal.elo, pipal.reference)
    one = within_estimate(inside, rng=generator(0, "pipal"))
    two = two_way_estimate(known, pipal.elo, pipal.reference, pipal.algorithm, resamples=100, rng=generator(0, "p"))
    low, _, high = ends(pooled)
    assert low < 0.773 < high
    low, _, high = ends(one)
    assert 0.01 < (high - low) / 2 < 0.03
    assert ends(two)[2] - ends(two)[0] > 2 * (high - low)


def test_pipal_class_identity(pipal):
    known = leave_one_out_means(pipal.elo, pipal.reference, pipal.kind)
    assert srocc(known, pipal.elo) == pytest.approx(0.206, abs=0.0006)


def test_pipal_residual_of_a_perfect_metric(pipal):
    rng = np.random.default_rng(0)
    noisy = pipal.elo + 200 * rng.normal(size=len(pipal.elo)) + 300 * rng.normal(size=200)[np.arange(23_200) // 116]
    beyond = residual(noisy, pipal.elo, pipal.reference, pipal.algorithm)
    assert residual(pipal.elo, pipal.elo, pipal.reference, pipal.algorithm) == 1
    assert 0.2 < beyond < within(noisy, pipal.elo, pipal.reference).mean


@pytest.fixture(scope="module")
def votes(shared_data):
    path = shared_data / "gan-image-database" / "results" / "jdg.csv"
    if not path.is_file():
        pytest.skip("the GAN image database's votes are not among the test data")
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.reader(file))[1:]
    return SimpleNamespace(
        first=["/".join(row[1:4]) for row in rows],
        second=["/".join(row[4:7]) for row in rows],
        for_second=np.array([[int(vote) for vote in row[7:]] for row in rows]),
    )


def scores(votes, people: slice | np.ndarray = slice(None)):
    chosen = votes.for_second[:, people]
    wins, items = win_matrix(votes.first, votes.second, (1 - chosen).sum(axis=1), chosen.sum(axis=1))
    return bradley_terry(wins, ridge=0.01), items


def test_gan_database_bradley_terry(votes):
    assert votes.for_second.shape == (456, 31)
    found, items = scores(votes)
    assert found.converged
    assert len(items) == 104
    means: dict[str, list[float]] = {}
    for item, theta in zip(items, found.theta):
        means.setdefault(item.split("/", 1)[1], []).append(float(theta))
    expected = {
        "original/": 2.44,
        "HiFiC/hi": 1.80,
        "HiFiC/mi": 1.40,
        "HiFiC/lo": 0.63,
        "ArNet/hi": 0.85,
        "ArNet/mi": -0.01,
        "ArNet/lo": -2.54,
        "ESRGAN/hi": 0.50,
        "ESRGAN/mi": -0.76,
        "ESRGAN/lo": -1.28,
        "hevc/hi": 0.49,
        "hevc/mi": -1.35,
        "hevc/lo": -2.17,
    }
    assert {name: float(np.mean(values)) for name, values in means.items()} == pytest.approx(expected, abs=0.02)


def test_gan_database_split_half(votes):
    found = split_half(31, lambda people: scores(votes, people)[0].theta, 10, rng=generator(0, "votes"))
    assert found.mean == pytest.approx(0.91, abs=0.02)
    assert found.reliability == pytest.approx(0.95, abs=0.02)
