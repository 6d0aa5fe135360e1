"""Agreement with second, independent implementations, and golden values from the definitions.

Each comparison spells out the protocol under which the two must agree, and how closely.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from ganiq.bench.vision import load
from ganiq.metrics.classical.luma import gray, studio
from ganiq.metrics.classical.ms_ssim import MSSSIM
from ganiq.metrics.classical.mse import MSE
from ganiq.metrics.classical.psnr import PSNR
from ganiq.metrics.classical.psnr_y import PSNRLuma
from ganiq.metrics.classical.ssim import SSIM
from ganiq.metrics.classical.ssim_gray import SSIMGray
from ganiq.metrics.classical.ssim_y import SSIMLuma
from ganiq.metrics.classical.vifp import VIFp
from torch import Tensor


def flat(level: float, side: int = 16) -> Tensor:
    return torch.full((1, 3, side, side), level / 255, dtype=torch.float64)


def planes(batch: Tensor) -> list[np.ndarray]:
    return [image.permute(1, 2, 0).numpy() for image in batch]


# --------------------------------------------------------------------------------- golden values


def test_psnr_of_known_errors() -> None:
    one, hundred = (float(PSNR()(flat(100 + shift), flat(100))) for shift in (1, 10))
    assert one == pytest.approx(48.130804, abs=1e-6)
    assert hundred == pytest.approx(28.130804, abs=1e-6)
    assert (one + hundred) / 2 == pytest.approx(38.130804, abs=1e-6)  # mean of decibels
    pooled = float(MSE()(flat(101), flat(100)) + MSE()(flat(110), flat(100))) / 2
    assert 10 * math.log10(1 / pooled) == pytest.approx(31.097890, abs=1e-6)  # decibels of the mean: another number


def test_identical_images_have_infinite_psnr() -> None:
    image = torch.rand(2, 3, 9, 9, generator=torch.Generator().manual_seed(0))
    assert PSNR()(image, image).tolist() == [math.inf, math.inf]
    assert PSNRLuma()(image, image).tolist() == [math.inf, math.inf]


def test_opposite_images_have_the_lowest_psnr() -> None:
    assert float(PSNR()(flat(255), flat(0))) == 0
    assert float(PSNRLuma()(flat(255), flat(0))) == pytest.approx(20 * math.log10(255 / 219), abs=1e-12)


def test_mse_is_exact_on_8_bit_values() -> None:
    random = np.random.default_rng(5)
    a, b = (random.integers(0, 256, (3, 31, 17), dtype=np.uint8) for _ in range(2))
    exact = int(((a.astype(np.int64) - b.astype(np.int64)) ** 2).sum()) / (a.size * 65025)
    batch = [torch.from_numpy(x)[None].double() / 255 for x in (a, b)]
    assert float(MSE()(*batch)) == pytest.approx(exact, abs=1e-12)
    assert MSE()(*batch).dtype == torch.float64


@pytest.mark.parametrize(
    ("rgb", "luma"),
    [
        ((1, 1, 1), 235),
        ((0, 0, 0), 16),
        ((1, 0, 0), 81.481),
        ((0, 1, 0), 144.553),
        ((0, 0, 1), 40.966),
        ((128 / 255,) * 3, 125.929412),
    ],
)
def test_studio_luma(rgb: tuple[float, ...], luma: float) -> None:
    pixel = torch.tensor(rgb, dtype=torch.float64).view(1, 3, 1, 1)
    assert float(studio(pixel)) == pytest.approx(luma, abs=1e-6)


def test_gray_is_whole_and_keeps_gray_levels() -> None:
    levels = torch.arange(256, dtype=torch.float64).view(1, 1, 16, 16).repeat(1, 3, 1, 1) / 255
    assert torch.equal(gray(levels)[0, 0], levels[0, 0].mul(255).round())
    assert float(gray(torch.tensor([1.0, 0, 0]).view(1, 3, 1, 1))) == 76


# --------------------------------------------------------------------------------- crop


@pytest.mark.parametrize("make", [PSNR, PSNRLuma, SSIM, SSIMLuma, SSIMGray])
def test_crop_equals_cutting_by_hand(make, pairs: tuple[Tensor, Tensor]) -> None:
    images, references = pairs
    cut = [batch[..., 4:-4, 4:-4] for batch in pairs]
    assert make(crop=4)(images, references).tolist() == make()(*cut).tolist()
    assert make(crop=4)(images, references).tolist() != make()(images, references).tolist()
    with pytest.raises(ValueError, match="negative"):
        make(crop=-1)(images, references)
    with pytest.raises(ValueError, match="too little after crop=99"):
        make(crop=99)(images, references)


@pytest.mark.parametrize("make", [SSIM, SSIMLuma, SSIMGray])
def test_impossible_windows_are_refused(make) -> None:
    with pytest.raises(ValueError, match="odd"):
        make(window=8)
    with pytest.raises(ValueError, match="positive"):
        make(sigma=0.0)


# --------------------------------------------------------------------------------- scikit-image


def test_psnr_and_mse_against_scikit_image(pairs: tuple[Tensor, Tensor]) -> None:
    from skimage.metrics import mean_squared_error, peak_signal_noise_ratio

    mine, errors = PSNR()(*pairs).tolist(), MSE()(*pairs).tolist()
    for i, (image, reference) in enumerate(zip(*map(planes, pairs), strict=True)):
        assert mine[i] == pytest.approx(peak_signal_noise_ratio(reference, image, data_range=1), abs=1e-9)
        assert errors[i] == pytest.approx(mean_squared_error(reference, image), abs=1e-15)


def skimage_ssim(image: np.ndarray, reference: np.ndarray, data_range: float) -> float:
    """Mean over the windows that lie wholly inside, with Gaussian weights and population covariances."""
    from skimage.metrics import structural_similarity

    answer: Any = structural_similarity(
        image,
        reference,
        data_range=data_range,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        channel_axis=None if image.ndim == 2 else -1,
        full=True,
    )
    return float(answer[1][5:-5, 5:-5].mean())


def test_ssim_against_scikit_image(pairs: tuple[Tensor, Tensor]) -> None:
    rgb, luma, grays = (make()(*pairs).tolist() for make in (SSIM, SSIMLuma, SSIMGray))
    for i, (image, reference) in enumerate(zip(*pairs, strict=True)):
        a, b = planes(image[None])[0], planes(reference[None])[0]
        assert rgb[i] == pytest.approx(skimage_ssim(a, b, 1.0), abs=1e-9)
        for values, convert in ((luma, studio), (grays, gray)):
            a, b = (convert(x[None])[0, 0].numpy() for x in (image, reference))
            assert values[i] == pytest.approx(skimage_ssim(a, b, 255.0), abs=1e-9)


def test_downsampling_changes_ssim_of_large_images_only() -> None:
    random = torch.Generator().manual_seed(1)
    for side, changed in ((288, False), (383, False), (384, True), (512, True)):
        image, reference = (torch.rand(1, 3, side, side + 8, generator=random) for _ in range(2))
        default, native = (float(make(image, reference)) for make in (SSIM(), SSIM(downsample=False)))
        assert (default != native) is changed


# --------------------------------------------------------------------------------- torchmetrics


def test_against_torchmetrics(pairs: tuple[Tensor, Tensor]) -> None:
    functional = load("torchmetrics.functional.image")
    images, references = pairs
    theirs = functional.structural_similarity_index_measure(
        images, references, data_range=1.0, gaussian_kernel=True, sigma=1.5, kernel_size=11, reduction="none"
    )
    # Theirs keeps the border and pads by reflection, mine takes whole windows only.
    assert SSIM()(images, references).tolist() == pytest.approx(theirs.tolist(), abs=0.02)
    for i in range(3):
        one = images[i : i + 1], references[i : i + 1]
        noise = functional.peak_signal_noise_ratio(*one, data_range=1.0)
        assert float(PSNR()(*one)) == pytest.approx(float(noise), abs=1e-5)  # theirs is float32


def test_ms_ssim_against_torchmetrics(pairs: tuple[Tensor, Tensor]) -> None:
    functional = load("torchmetrics.functional.image")
    images, references = pairs
    theirs = functional.multiscale_structural_similarity_index_measure(
        images, references, data_range=1.0, sigma=1.5, kernel_size=11, reduction="none", normalize="relu"
    )
    # Theirs averages channels at each scale and mine at the end; and its border differs, see above.
    assert MSSSIM()(images, references).tolist() == pytest.approx(theirs.tolist(), abs=0.02)


def test_vif_against_torchmetrics(pairs: tuple[Tensor, Tensor]) -> None:
    functional = load("torchmetrics.functional.image")
    images, references = pairs
    luma = [
        (x * torch.tensor([0.299, 0.587, 0.114], dtype=x.dtype).view(1, 3, 1, 1)).sum(1, keepdim=True) * 255
        for x in pairs
    ]
    for i in range(3):
        theirs = functional.visual_information_fidelity(luma[0][i : i + 1], luma[1][i : i + 1], sigma_n_sq=2.0)
        mine = VIFp()(images[i : i + 1], references[i : i + 1])
        assert float(mine) == pytest.approx(float(theirs), rel=1e-4)
