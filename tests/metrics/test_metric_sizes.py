"""Sizes that decide: where halves are rounded, where averaging begins, and what parameters need."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest
import torch
from ganiq.bench.measure import least, measure
from ganiq.bench.scoring import tasks_of
from ganiq.bench.spec import Spec
from ganiq.metrics.classical.cw_ssim import CWSSIM
from ganiq.metrics.classical.dss import DSS, bands
from ganiq.metrics.classical.matlab import rounded
from ganiq.metrics.classical.niqe import NIQE
from ganiq.metrics.classical.planes import averaged, square
from ganiq.metrics.classical.psnr import PSNR
from ganiq.metrics.classical.psnr_y import PSNRLuma
from ganiq.metrics.classical.ssim import SSIM
from ganiq.metrics.classical.ssim_gray import SSIMGray
from ganiq.metrics.classical.ssim_y import SSIMLuma
from ganiq.metrics.conformance import subjects
from torch import Tensor

# --------------------------------------------------------------------------------- MATLAB's rounding


@pytest.mark.parametrize(
    ("side", "wanted"),
    [(8, 1), (127, 1), (128, 1), (383, 1), (384, 2), (639, 2), (640, 3), (896, 4), (1152, 5), (1663, 6), (1664, 7)],
)
def test_halves_are_rounded_away_from_zero(side: int, wanted: int) -> None:
    """As MATLAB does; Python's round gives 2, 4 and 6 at 640, 1152 and 1664."""
    assert square(torch.empty(1, 1, side, side + 9)) == wanted
    assert rounded(side / 256) == int(Fraction(side, 256) + Fraction(1, 2))


def test_at_640_pixels_images_are_averaged_over_squares_of_three() -> None:
    images, references = (batch.double() for batch in subjects.texture(640, 643, 3))
    by_hand = [averaged(batch, 3, "cut") for batch in (images, references)]
    assert float(SSIM()(images, references)) == pytest.approx(float(SSIM(downsample=False)(*by_hand)), abs=1e-12)


def test_half_a_block_counts_for_dss() -> None:
    """Five per cent of 50 blocks are two and a half: three."""
    images, references = (batch.double() for batch in subjects.texture(40, 80, 5))
    assert bands(images).values.shape[2:] == (5, 10)
    worst: list[int] = []
    original = torch.Tensor.topk

    def seen(values: Tensor, count: int, *more: Any, **options: Any) -> Any:
        worst.append(count)
        return original(values, count, *more, **options)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(torch.Tensor, "topk", seen)
        DSS()(images, references)
    assert set(worst) == {3}


# --------------------------------------------------------------------------------- what parameters need


@pytest.mark.parametrize(
    ("make", "options", "side"),
    [
        (SSIM, {"window": 101, "crop": 40}, 181), (SSIM, {"window": 5}, 5), (SSIMGray, {"window": 27}, 27),
        (SSIMLuma, {"crop": 10}, 31), (PSNR, {"crop": 40}, 81), (PSNRLuma, {"crop": 1}, 3), (CWSSIM, {"level": 5}, 128),
        (CWSSIM, {"level": 2}, 16), (NIQE, {"crop": 4}, 200),
    ],
)  # fmt: skip
def test_the_least_side_is_that_of_the_parameters(make: Callable[..., Any], options: dict[str, Any], side: int) -> None:
    metric = make(**options)
    assert metric.least == side == least(Spec.of(metric.info.name, make, options))
    if metric.info.needs == "pair":
        assert bool(metric(*(batch.double() for batch in subjects.texture(side, side + 6, 1))).isfinite())
    small = [batch.double() for batch in subjects.texture(side - 1, side + 40, 1)]
    with pytest.raises(ValueError, match=rf"at least {side}\b"):
        metric(*small[: 2 if metric.info.needs == "pair" else 1])


def test_metrics_are_planned_with_the_side_their_parameters_need() -> None:
    wanted = {"ssim(window=101,crop=40)": 181, "ssim": 11, "psnr": 1, "gmsd": 4, "cw-ssim(level=1)": 8}
    assert [task.least for task in tasks_of([measure(text) for text in wanted])] == [*wanted.values()]


@pytest.mark.parametrize("make", [SSIM, SSIMLuma, SSIMGray])
def test_windows_that_averaged_images_may_not_hold_are_refused(make: Callable[..., Any]) -> None:
    """384 pixels are averaged to 192: there is no shortest side from which a window of 193 always fits."""
    with pytest.raises(ValueError, match=r"window=193.*downsample=False"):
        make(window=193, downsample=True)
    assert make(window=193, downsample=False).least == 193
    assert bool(make(window=191, downsample=True)(*(x.double() for x in subjects.texture(384, 390, 2))).isfinite())
