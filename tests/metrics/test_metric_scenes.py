"""The statistics below NIQE and BRISQUE, against samples of known distributions and against closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from ganiq.bench import weights
from ganiq.metrics.classical import brisque, niqe
from ganiq.metrics.classical.brisque import BRISQUE
from ganiq.metrics.classical.luma import studio
from ganiq.metrics.classical.niqe import NIQE
from ganiq.metrics.classical.scenes import (
    asymmetric_shape,
    gaussian,
    normalise,
    products,
    scales,
    symmetric_shape,
)
from torch import Tensor


def test_window_is_a_normalised_gaussian() -> None:
    window = gaussian(7, 7 / 6)
    assert float(window.sum()) == pytest.approx(1, abs=1e-12)
    assert float(window[3, 4] / window[3, 3]) == pytest.approx(math.exp(-18 / 49), abs=1e-12)
    assert torch.equal(window, window.T)
    assert float((window - torch.from_numpy(weights.arrays("niqe/pristine-live")["window"])).abs().max()) < 1e-6


@pytest.mark.parametrize("padding", ["replicate", "constant"])
def test_normalisation_by_hand(padding: str) -> None:
    image = torch.rand(1, 1, 9, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 255
    window = gaussian(7, 7 / 6)
    done = normalise(image, window, padding)
    padded = np.pad(image[0, 0].numpy(), 3, mode="edge" if padding == "replicate" else "constant")
    for row, column in ((0, 0), (4, 4), (8, 7)):
        patch = padded[row : row + 7, column : column + 7]
        mean = (patch * window.numpy()).sum()
        spread = math.sqrt(abs((patch**2 * window.numpy()).sum() - mean**2))
        expected = (float(image[0, 0, row, column]) - mean) / (spread + 1)
        assert float(done[0, 0, row, column]) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("shape", [0.6, 1.0, 2.0, 4.0])
def test_symmetric_fit_finds_the_shape(shape: float) -> None:
    """Generalised Gaussian samples from gamma variables: |x|^shape ~ Gamma(1/shape)."""
    random = np.random.default_rng(7)
    x = random.gamma(1 / shape, size=400_000) ** (1 / shape) * random.choice([-1, 1], size=400_000) * 0.7
    found, variance = symmetric_shape(torch.from_numpy(x)[None])
    assert float(found) == pytest.approx(shape, rel=0.03)
    assert float(variance) == pytest.approx(0.49 * math.gamma(3 / shape) / math.gamma(1 / shape), rel=0.03)


def test_asymmetric_fit_finds_shape_and_both_sides() -> None:
    random = np.random.default_rng(8)
    shape, low, high = 1.5, 0.4, 0.9
    size = 400_000
    size_left = int(size * low / (low + high))  # the two halves meet at zero with one density
    tail = random.gamma(1 / shape, size=size) ** (1 / shape)
    x = np.where(np.arange(size) < size_left, -tail * low, tail * high)
    found, left, right = asymmetric_shape(torch.from_numpy(x)[None])
    mean, found_low, found_high = scales(found, left, right)
    assert float(found) == pytest.approx(shape, rel=0.03)
    assert float(found_low) == pytest.approx(low, rel=0.03)
    assert float(found_high) == pytest.approx(high, rel=0.03)
    assert float(mean) == pytest.approx((high - low) * math.gamma(2 / shape) / math.gamma(1 / shape), rel=0.05)


def test_one_sided_values_are_no_fit() -> None:
    found, left, _ = asymmetric_shape(torch.ones(1, 50, dtype=torch.float64))
    assert math.isnan(float(found))
    assert math.isnan(float(left))


def test_products_wrap_around() -> None:
    block = torch.arange(6, dtype=torch.float64).view(1, 2, 3)
    right = products(block)[0]
    assert right[0].tolist() == [[0 * 2, 1 * 0, 2 * 1], [3 * 5, 4 * 3, 5 * 4]]
    assert [p.shape for p in products(block)] == [block.shape] * 4


# --------------------------------------------------------------------------------- NIQE


def test_niqe_distance_in_closed_form() -> None:
    """With both covariances C the distance is the Mahalanobis distance of the means."""
    rows = torch.tensor([[1.0, 5.0], [3.0, 5.0], [2.0, 4.0], [2.0, 6.0]], dtype=torch.float64)  # mean (2, 5)
    covariance = torch.eye(2, dtype=torch.float64) * 2 / 3
    value = niqe.distance(rows, torch.tensor([2.0, 3.0], dtype=torch.float64), covariance)
    assert float(value) == pytest.approx(math.sqrt(4 / (2 / 3)), abs=1e-12)
    assert math.isnan(float(niqe.distance(rows[:1], rows[0], covariance)))


def test_niqe_counts_whole_blocks_only(pairs: tuple[Tensor, Tensor]) -> None:
    image = pairs[1][:1]  # 196x208 pixels: two by two blocks
    assert niqe.statistics(studio(image).round(), gaussian(7, 7 / 6)).shape == (4, 36)
    assert float(NIQE()(image)) == float(NIQE()(image[..., :192, :192]))
    assert float(NIQE(luma="gray")(image)) != float(NIQE()(image))
    with pytest.raises(ValueError, match="studio or gray"):
        NIQE(luma="y")


def test_niqe_leaves_flat_blocks_out(pairs: tuple[Tensor, Tensor]) -> None:
    image = pairs[1][:1, :, :192, :192].clone()
    image[..., :96, :96] = 0.5
    assert math.isfinite(float(NIQE()(image)))
    image[...] = 0.5
    assert math.isnan(float(NIQE()(image)))


# --------------------------------------------------------------------------------- BRISQUE


def test_brisque_regression_in_closed_form() -> None:
    """One support vector at the centre of the range: coefficient x exp(-gamma d^2) - rho."""
    model = {
        "min": torch.zeros(36, dtype=torch.float64),
        "max": torch.full((36,), 2.0, dtype=torch.float64),
        "support_vectors": torch.zeros(1, 36, dtype=torch.float64),
        "coefficients": torch.tensor([10.0], dtype=torch.float64),
        "gamma": torch.tensor(0.05, dtype=torch.float64),
        "rho": torch.tensor(-3.0, dtype=torch.float64),
    }
    features = torch.full((36,), 1.5, dtype=torch.float64)  # scaled to .5
    value = float(brisque.regression(features, model))
    assert value == pytest.approx(10 * math.exp(-0.05 * 36 * 0.25) + 3, abs=1e-12)


def test_brisque_model_is_the_authors_release() -> None:
    model = weights.arrays("brisque/release-2011")
    assert model["support_vectors"].shape == (774, 36)
    assert float(model["rho"]) == -153.591
    assert (float(model["min"][0]), float(model["max"][0])) == (0.338, 10)
    assert np.abs(model["coefficients"]).max() == 1024
    assert abs(model["coefficients"].sum()) < 1e-3  # as in every solution of the dual problem


def test_brisque_tells_clean_from_ruined(ladder: dict[str, list[tuple[Tensor, Tensor]]]) -> None:
    metric = BRISQUE()
    clean = metric(ladder["blur"][0][1])
    assert float(clean.max()) < 35
    for kind in ladder:
        assert float(metric(ladder[kind][2][0]).min()) > 40
