"""The Fréchet distance extrapolated to infinitely many images."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from ganiq.metrics.sets.extrapolation import SIZES, fit, frechet_at_infinity
from ganiq.metrics.sets.fd_inf_efflite0 import FDInfinityEfficientNetLite0
from ganiq.metrics.sets.fid import FID
from ganiq.metrics.sets.fid_inf import FIDInfinity
from torch import Tensor


def normal(count: int, size: int, seed: int) -> Tensor:
    return torch.randn(count, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_line_through_points_by_hand() -> None:
    sizes = [100, 200, 400, 800]
    line = fit(sizes, [3 + 50 / n for n in sizes])
    assert line.value == pytest.approx(3)
    assert line.slope == pytest.approx(50)
    assert line.se == pytest.approx(0, abs=1e-9)
    assert line.sizes == (100, 200, 400, 800)


def test_line_against_scipy() -> None:
    from scipy.stats import linregress

    sizes = list(range(200, 2001, 150))
    distances = [3 + 50 / n + 0.01 * (-1) ** n * (n % 7) for n in sizes]
    line = fit(sizes, distances)
    other: Any = linregress(1 / np.array(sizes), distances)
    assert (line.value, line.slope) == pytest.approx((other.intercept, other.slope))
    assert line.se == pytest.approx(other.intercept_stderr)
    with pytest.raises(ValueError, match="at least 3"):
        fit([10, 20, 20], [1, 2, 3])


@pytest.mark.parametrize("shift", [0.0, 0.3])
def test_bias_of_the_generated_sample_is_gone(shift: float) -> None:
    """16 Gaussian features: the truth is 16 shift^2; the bias by 20,000 real images, 84 / 20,000, stays."""
    real = normal(20_000, 16, 1)
    truth = 16 * shift**2
    plain, lines = [], []
    for i in range(8):
        made = normal(1500, 16, 10 + i) + shift
        plain.append(FID(least_n=2)(made, real))
        lines.append(frechet_at_infinity(made, real, smallest=150, seed=i))
    left = 84 / 20_000
    # Standard error of the mean over 8 draws: the shift's own sampling error, 2 |m| / sqrt(N), and the fit's.
    allowed = 3 * (2 * truth**0.5 / 1500**0.5 + 0.012) / 8**0.5
    assert np.mean(plain) - truth == pytest.approx(left + 84 / 1500, abs=allowed)
    assert np.mean([line.value for line in lines]) - truth == pytest.approx(left, abs=allowed)
    assert np.mean([line.slope for line in lines]) == pytest.approx(84, rel=0.25)
    assert allowed < left + 84 / 1500 or shift
    assert all(0 < line.se < 0.1 for line in lines)


def test_sizes_and_seeds() -> None:
    real, made = normal(400, 6, 1), normal(400, 6, 2)
    line = frechet_at_infinity(made, real, smallest=50, seed=3)
    assert len(line.sizes) == SIZES
    assert line.sizes[0] == 50
    assert line.sizes[-1] == 400
    assert np.ptp(np.diff(line.sizes)) <= 1, "spread evenly over N"
    assert line.distances[-1] == pytest.approx(FID(least_n=2)(made, real))
    assert frechet_at_infinity(made, real, smallest=15).sizes[0] == 40, "a tenth of all"
    assert line == frechet_at_infinity(made, real, smallest=50, seed=3)
    assert line.value != frechet_at_infinity(made, real, smallest=50, seed=4).value
    order = torch.randperm(400, generator=torch.Generator().manual_seed(0))
    assert frechet_at_infinity(made[order], real, smallest=50, seed=3).value == pytest.approx(line.value, abs=1e-9)
    assert FIDInfinity(smallest=50, seed=3)(made, real) == line.value
    assert FDInfinityEfficientNetLite0(smallest=50, seed=3)(made, real) == line.value


def test_the_error_of_the_line_is_told_and_makes_no_interval() -> None:
    real, made = normal(400, 6, 1), normal(400, 6, 2)
    line = frechet_at_infinity(made, real, smallest=50, seed=3)
    told = FIDInfinity(smallest=50, seed=3).estimate(made, real)
    assert (told.value, told.low, told.high, told.n) == (line.value, None, None, 400)
    assert f"standard error of the fitted line, {line.se:.2g}," in told.reason


@pytest.mark.parametrize("seed", [0, 1])
def test_why_it_makes_none(seed: int) -> None:
    """New images of the same kind move the intercept far more than its error in the line says."""
    real = normal(1500, 8, 100 + seed)
    lines = [frechet_at_infinity(normal(1500, 8, 1000 * seed + n) * 0.7, real, smallest=100) for n in range(40)]
    spread = np.std([line.value for line in lines], ddof=1)
    assert spread > 1.4 * np.mean([line.se for line in lines])


def test_too_few_images_are_refused() -> None:
    few, many = normal(4095, 3, 1), normal(4096, 3, 2)
    with pytest.raises(ValueError, match=r"^fid-inf: 4095 generated images, at least 4096 are needed.*lower smallest"):
        FIDInfinity()(few, many)
    with pytest.raises(ValueError, match=r"^fd-inf-efflite0: 4095 real images"):
        FDInfinityEfficientNetLite0()(many, few)
    with pytest.raises(ValueError, match="need at least 15 images"):
        FIDInfinity(smallest=14)
    assert FIDInfinity()(many, many + 1) == pytest.approx(3, abs=0.2)
