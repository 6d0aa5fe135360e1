"""Precision, recall, density and coverage: by hand, by brute force, known expectations, and shared work."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from ganiq.bench import registry
from ganiq.metrics.sets import neighbours
from ganiq.metrics.sets.coverage import Coverage
from ganiq.metrics.sets.density import Density
from ganiq.metrics.sets.precision import Precision
from ganiq.metrics.sets.recall import Recall
from torch import Tensor

ALL = (Precision, Recall, Density, Coverage)


def t(values: object) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def line(*positions: float) -> Tensor:
    return t(positions)[:, None]


def normal(count: int, size: int, seed: int) -> Tensor:
    return torch.randn(count, size, generator=torch.Generator().manual_seed(seed))


def four(generated: Tensor, real: Tensor, **options: Any) -> tuple[float, ...]:
    return tuple(make(**{"least_n": options.get("k", 5) + 1, **options})(generated, real) for make in ALL)


def brute(generated: Tensor, real: Tensor, k: int) -> tuple[float, ...]:
    """Straight from the definitions, with exact distances."""
    x, y = real.double().numpy(), generated.double().numpy()

    def squared(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return ((a[:, None] - b[None]) ** 2).sum(axis=2)

    def radius(a: np.ndarray) -> np.ndarray:
        within = squared(a, a)
        return np.array([sorted(np.delete(row, i))[k - 1] for i, row in enumerate(within)])

    across, real_radius, made_radius = squared(x, y), radius(x), radius(y)
    precision = (across <= real_radius[:, None]).any(axis=0).mean()
    recall = (across <= made_radius[None]).any(axis=1).mean()
    density = (across < real_radius[:, None]).sum() / (k * len(y))
    coverage = (across.min(axis=1) < real_radius).mean()
    return float(precision), float(recall), float(density), float(coverage)


# --------------------------------------------------------------------------------- by hand


def test_four_points_by_hand() -> None:
    """Real 0 1 3 7 have radii 1 1 2 4, generated 0.5 1.5 3 12 have 1 1 1.5 9; no feature is its own neighbour.

    The generated 3 lies exactly 4 from the real 7: outside for density and coverage.
    """
    real, generated = line(0, 1, 3, 7), line(0.5, 1.5, 3, 12)
    assert neighbours.radii(real, (1,)).flatten().sqrt().tolist() == [1, 1, 2, 4]
    assert neighbours.radii(generated, (1,)).flatten().sqrt().tolist() == [1, 1, 1.5, 9]
    assert Precision(k=1, least_n=4)(generated, real) == 3 / 4  # not 12
    assert Recall(k=1, least_n=4)(generated, real) == 1  # 7 only thanks to the wide ball of the outlier 12
    assert Density(k=1, least_n=4)(generated, real) == (2 + 2 + 1 + 0) / 4
    assert Coverage(k=1, least_n=4)(generated, real) == 3 / 4  # not 7


def test_a_distance_equal_to_the_radius() -> None:
    """Inside for precision and recall, as their paper writes it; outside for density and coverage."""
    real, generated = line(0, 1, 10, 11), line(2, 3, 12, 13)
    assert four(generated, real, k=1) == (1 / 2, 1 / 2, 0, 0)


def test_second_neighbours() -> None:
    real = line(0, 1, 3, 7)
    assert neighbours.radii(real, (2, 1, 3)).sqrt().tolist() == [[3, 1, 7], [2, 1, 6], [3, 2, 4], [6, 4, 7]]


@pytest.mark.parametrize("k", [1, 2, 3, 5])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_against_brute_force_with_many_ties(k: int, seed: int) -> None:
    """Small whole numbers: distances are exact, and many are equal or 0."""
    random = torch.Generator().manual_seed(seed)
    real, generated = (torch.randint(0, 4, (30, 3), generator=random).float() for _ in range(2))
    assert four(generated, real, k=k) == pytest.approx(brute(generated, real, k), abs=1e-12)


@pytest.mark.parametrize("offset", [0.0, 1000.0])
def test_against_brute_force_far_from_the_origin(offset: float) -> None:
    """Copies lie at distance 0 even where rounding errors are large."""
    real, generated = normal(60, 20, 1) + offset, normal(60, 20, 2) * 1.2 + offset
    generated[:20] = real[:20]
    real[40:46] = real[40]
    assert four(generated, real, k=5) == pytest.approx(brute(generated, real, 5), abs=1e-12)


# --------------------------------------------------------------------------------- known behaviour


def test_identical_sets() -> None:
    x = normal(300, 24, 1).abs()
    assert four(x.clone(), x) == (1, 1, 1, 1)
    assert four(x[torch.randperm(300, generator=torch.Generator().manual_seed(0))], x) == (1, 1, 1, 1)


def test_a_tight_cluster_is_precise_and_recalls_little() -> None:
    real, generated = normal(600, 8, 1), normal(600, 8, 2) * 0.05
    precision, recall, density, coverage = four(generated, real)
    assert precision > 0.8
    assert recall < 0.3
    assert density > 1
    assert coverage < 0.3


def test_a_wide_cloud_recalls_and_is_not_precise() -> None:
    precision, recall, density, coverage = four(normal(600, 8, 2) * 4, normal(600, 8, 1))
    assert precision < 0.3
    assert recall > 0.8
    assert density < 0.3
    assert coverage < 0.3, "coverage does not fall for wide balls of outliers"


def test_distant_sets_share_nothing() -> None:
    assert four(normal(200, 8, 2) + 100, normal(200, 8, 1)) == (0, 0, 0, 0)


def test_one_image_repeated() -> None:
    real = normal(200, 8, 1)
    generated = real[:1].repeat(200, 1)
    precision, recall, _, coverage = four(generated, real)
    assert precision == 1
    assert recall == 1 / 200
    assert coverage < 0.2


@pytest.mark.parametrize(("count", "k"), [(100, 5), (300, 3)])
def test_expectations_for_one_distribution(count: int, k: int) -> None:
    """Naeem et al.: density 1, coverage 1 - (N-1)...(N-k) / ((2N-1)...(2N-k)), whatever the distribution."""
    draws = np.array([four(normal(count, 6, 2 * i) ** 3, normal(count, 6, 2 * i + 1) ** 3, k=k)[2:] for i in range(40)])
    expected = 1 - math.prod((count - i) / (2 * count - i) for i in range(1, k + 1))
    error = draws.std(axis=0, ddof=1) / math.sqrt(len(draws))
    assert abs(draws[:, 0].mean() - 1) < 3 * error[0]
    assert abs(draws[:, 1].mean() - expected) < 3 * error[1]
    assert (error < 0.02).all()


# --------------------------------------------------------------------------------- numbers of images


@pytest.mark.parametrize("make", ALL)
def test_unequal_sets_are_refused_unless_a_number_is_given(make: Any) -> None:
    generated, real = normal(150, 6, 1), normal(120, 6, 2)
    with pytest.raises(ValueError, match=r"150 generated and 120 real images.*give n=120"):
        make()(generated, real)
    value = make(n=120, seed=1)(generated, real)
    assert value == make(n=120, seed=1)(generated.flip(0), real.flip(0)), "the order of the images is no matter"
    assert len({make(n=110, seed=seed)(generated, real) for seed in range(8)}) > 1
    whole = make(n=120)(normal(120, 6, 1), real)
    assert whole == make()(normal(120, 6, 1), real), "all there are, in any order"


@pytest.mark.parametrize("make", ALL)
def test_small_sets_are_refused(make: Any) -> None:
    few, many = normal(99, 6, 1), normal(200, 6, 2)
    with pytest.raises(ValueError, match=r"99 generated images, at least 100.*lower least_n"):
        make()(few, many)
    with pytest.raises(ValueError, match=r"99 real images, at least 150 are needed; use more images$"):
        make(n=150)(many, few)
    for wrong in ({"k": 0}, {"k": 100}, {"n": 50}, {"least_n": 3, "k": 3}):
        with pytest.raises(ValueError, match="least_n above k"):
            make(**wrong)
    assert 0 <= make(least_n=99)(few, few.clone()) <= 1


def test_each_set_is_drawn_by_random_numbers_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Features on a line: their place in the order they are drawn from is their value."""
    line = torch.arange(200.0)[:, None]
    original, seen = neighbours.drawn, []

    def kept(rows: Tensor, *more: Any) -> Tensor:
        seen.append(original(rows, *more))
        return seen[-1]

    monkeypatch.setattr(neighbours, "drawn", kept)
    for seed in (0, 1):
        Precision(n=100, seed=seed)(line.clone(), line.clone())
    places = [set(rows[:, 0].tolist()) for rows in seen]
    shared = [len(a & b) for i, a in enumerate(places) for b in places[:i]]
    assert len(places) == 4, "two sets at two seeds"
    assert all(25 < count < 75 for count in shared), "half of them by chance"


# --------------------------------------------------------------------------------- work


def test_tiles_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    generated, real = normal(200, 12, 1), normal(200, 12, 2)
    whole = four(generated, real)
    monkeypatch.setattr(neighbours, "TILE", 37)
    assert four(generated.clone(), real.clone()) == whole


def test_distances_are_computed_once_for_all_four(monkeypatch: pytest.MonkeyPatch) -> None:
    passes = []
    original = neighbours._tiles

    def counted(x: Tensor, y: Tensor):
        passes.append((len(x), len(y)))
        return original(x, y)

    monkeypatch.setattr(neighbours, "_tiles", counted)
    real, first, second = normal(150, 6, 1), normal(150, 6, 2), normal(150, 6, 3)
    values = [make()(first, real) for make in ALL]
    assert len(passes) == 3, "within either set, and across"
    for make in ALL:
        make()(second, real)
    assert len(passes) == 5, "the real set is known"
    first += 1  # another set now, though the same tensor
    assert [make()(first, real) for make in ALL] != values
    assert len(passes) == 7


def test_variants_differ_in_name_and_extractor_only() -> None:
    x, y = normal(150, 6, 1), normal(150, 6, 2)
    for name in ("precision", "recall", "density", "coverage"):
        plain, light = (registry.metrics.get(n)() for n in (name, f"{name}-efflite0"))
        assert plain(x, y) == light(x, y)
        assert (plain.features, light.features) == ("inception-fid", "efficientnet-lite0")
        with pytest.raises(ValueError, match=f"^{name}-efflite0: "):
            light(x[:5], y)
