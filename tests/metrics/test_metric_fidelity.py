"""CW-SSIM, NLPD, wavelet VIF, MAD and SSIMULACRA 2: their parts, what they forgive, and what they remember.

Official values, and formulas written a second time, are held by test_parity_card.py; here are MAD's two indices apart.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from ganiq.metrics import memory
from ganiq.metrics.classical import cw_ssim, mad, nlpd, steerable, vif
from ganiq.metrics.classical.ssim import SSIM
from ganiq.metrics.classical.ssimulacra import SSIMULACRA2
from parity.cases import MAD_FIGURES, distorted, pattern, picture, rgb
from PIL import Image
from scipy import ndimage
from torch import Tensor

WINDOWS = np.lib.stride_tricks.sliding_window_view


# --------------------------------------------------------------------------------- the authors' figures


@pytest.mark.parametrize(("reference", "image", "width", "height", "high", "low"), MAD_FIGURES)
def test_mad_equals_the_authors_program(
    reference: int, image: int, width: int, height: int, high: float, low: float
) -> None:
    """Each index apart. (The row ``mad`` of the table of official values is, digit for digit, what a port that scores
    red, green and blue prints; the authors' program, which sees gray, gives 0 for two of the five.)
    """
    seen, original = (torch.from_numpy(pattern(kind, width, height)) for kind in (image, reference))
    found = mad.indices(seen, mad.prepare(original))
    assert float(found[0]) == pytest.approx(20 * high, rel=1e-11)
    assert float(found[1]) == pytest.approx(low, rel=1e-11)


# --------------------------------------------------------------------------------- the steerable pyramid


@pytest.mark.parametrize(("height", "width"), [(64, 64), (96, 65), (70, 121)])
@pytest.mark.parametrize("orientations", [2, 3, 8])
def test_pyramid_keeps_all_energy(height: int, width: int, orientations: int) -> None:
    """Squared magnitudes of all bands, the top and the residue sum to those of the image: a tight frame."""
    plane = torch.from_numpy(picture(height, width, 1))
    spectrum = torch.fft.fft2(plane)
    down, across = (steerable.frequencies(side, plane.dtype, plane.device) for side in plane.shape)
    octaves, _ = steerable.polar(down, across, height, width)
    levels = 3

    def energy(gain: Tensor) -> float:
        return float((spectrum.abs() * gain).square().sum()) / (height * width)

    total = energy(steerable.high(octaves + 1)) + energy(steerable.low(octaves + levels + 1))
    for level in range(1, levels + 1):
        values = steerable.bands(plane, level, orientations)
        small = values.shape[1] * values.shape[2]
        # The real part carries half of the squared magnitude.
        total += float(values.abs().square().sum()) / 2 * (height * width) / small
    assert total == pytest.approx(float(plane.square().sum()), rel=1e-9)


def test_pyramid_level_is_the_image_filtered_and_thinned() -> None:
    """Against the definition: filter at full size, one coefficient in four kept each way (no aliasing at level 3)."""
    side, level, count = 64, 3, 4
    plane = picture(side, side, 2)
    down, across = np.meshgrid(np.fft.fftfreq(side) * 2, np.fft.fftfreq(side) * 2, indexing="ij")
    with np.errstate(divide="ignore"):
        octaves = np.log2(np.hypot(down, across))
    radial = np.cos(np.pi / 2 * np.clip(octaves + level, 0, 1)) * np.sin(np.pi / 2 * np.clip(octaves + level + 1, 0, 1))
    found = steerable.bands(torch.from_numpy(plane), level, count).numpy()
    for band in range(count):
        turned = np.cos(np.arctan2(down, across) - np.pi * band / count)
        gain = radial * np.where(turned > 1e-12, turned, 0) ** 3
        full = np.fft.ifft2(np.fft.fft2(plane) * gain)[::4, ::4]
        ratio = found[band] / full
        assert np.abs(ratio - ratio[0, 0].real).max() < 1e-9, "equal but for one constant"


# --------------------------------------------------------------------------------- behaviour and parts


def test_cw_ssim_forgives_a_shift_and_a_gain() -> None:
    reference = picture(128, 128, 5)
    shifted, noisy = rgb(np.roll(reference, 1, axis=1)), rgb(distorted(reference))
    fine, score, ssim = cw_ssim.CWSSIM(level=2), cw_ssim.CWSSIM(), SSIM()
    assert float(fine(shifted, rgb(reference))) > 0.97
    assert float(fine(noisy, rgb(reference))) < 0.5
    # SSIM rates both alike.
    assert float(ssim(shifted.float(), rgb(reference).float())) < 0.4
    assert float(ssim(noisy.float(), rgb(reference).float())) < 0.4
    # With x = c y every window gives 2c / (1 + c^2), whatever the content.
    even = np.rint(reference / 2) * 2
    assert float(score(rgb(even / 2), rgb(even))) == pytest.approx(2 * 0.5 / 1.25, rel=1e-9)
    with pytest.raises(ValueError, match="at least 128"):
        cw_ssim.CWSSIM(level=5)(rgb(reference[:100]), rgb(reference[:100]))
    for level, orientations, k in ((0, 8, 0), (4, 0, 0), (4, 8, -1), (4, 8, math.nan)):
        with pytest.raises(ValueError, match="cw-ssim"):
            cw_ssim.CWSSIM(level, orientations, k)


def test_vif_rises_with_contrast_and_is_undefined_without() -> None:
    low = np.rint(100 + picture(96, 96, 7) / 4)
    high = 2 * low - 130
    assert float(vif.VIF()(rgb(high), rgb(low))) > 1.05
    assert float(vif.VIF()(rgb(low), rgb(high))) < 0.95
    flat = np.full((96, 96), 90.0)
    assert float(vif.VIF()(rgb(flat), rgb(low))) == 0
    assert math.isnan(float(vif.VIF()(rgb(low), rgb(flat))))


def test_mad_moments_block_by_block() -> None:
    """Joined moments of cells equal those of whole blocks, also where the spread is a millionth of the mean."""
    rng = np.random.default_rng(8)
    planes = np.stack([rng.gamma(2, 3, (53, 66)), 1 + 1e-6 * rng.gamma(2, 3, (53, 66))])
    pixels, (mean, *sums) = mad._grown(mad._cells(torch.from_numpy(planes), 4), 4)
    blocks = WINDOWS(planes, (16, 16), axis=(1, 2))[:, ::4, ::4]
    middle = blocks.mean((-1, -2))
    assert pixels == 256
    assert mean.numpy() == pytest.approx(middle, rel=1e-13)
    for power, found in zip((2, 3, 4), sums, strict=True):
        expected = ((blocks - middle[..., None, None]) ** power).sum((-1, -2))
        assert found.numpy() == pytest.approx(expected, rel=1e-7)


def test_mad_blends_its_two_indices() -> None:
    image = picture(80, 96, 9)
    reference = np.rint(ndimage.gaussian_filter(image, 4))  # a smooth reference hides little
    high, low = (float(v) for v in mad.indices(torch.from_numpy(image), mad.prepare(torch.from_numpy(reference))))
    share = 1 / (1 + math.exp(-2.55 / 3.35) * high ** (1 / (math.log(10) * 3.35)))
    expected = high**share * low ** (1 - share)
    assert expected > 1
    assert float(mad.MAD()(rgb(image), rgb(reference))) == pytest.approx(expected, rel=1e-12)


# --------------------------------------------------------------------------------- SSIMULACRA 2


def test_ssimulacra2_equals_the_package_on_files(tmp_path: Path) -> None:
    from ssimulacra2 import compute_ssimulacra2

    rng = np.random.default_rng(10)
    reference = np.stack([picture(70, 83, seed) for seed in (1, 2, 3)])
    image = np.clip(np.rint(reference + rng.normal(0, 6, reference.shape)), 0, 255)
    for name, pixels in (("image", image), ("reference", reference)):
        Image.fromarray(pixels.astype(np.uint8).transpose(1, 2, 0)).save(tmp_path / f"{name}.png")
    expected = compute_ssimulacra2(tmp_path / "reference.png", tmp_path / "image.png")
    batch = [torch.from_numpy(pixels / 255)[None] for pixels in (image, reference)]
    assert expected < 95
    assert float(SSIMULACRA2()(*batch)) == pytest.approx(expected, rel=1e-12)
    assert float(SSIMULACRA2()(batch[1], batch[1])) == 100


def test_ssimulacra2_is_loaded_when_first_used() -> None:
    import subprocess

    code = (
        "import sys; from ganiq.bench import registry; registry.metrics.get('ssimulacra2')(); "
        "sys.exit('ssimulacra2' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# --------------------------------------------------------------------------------- the reference's part


@pytest.mark.parametrize(
    ("metric", "module", "part"),
    [
        (cw_ssim.CWSSIM(), cw_ssim, None),
        (nlpd.NLPD(), nlpd, "normalised"),
        (vif.VIF(), vif, "subbands"),
        (mad.MAD(), mad, "moments"),
    ],
)
def test_the_references_part_is_computed_once(
    metric: object, module: object, part: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    reference = rgb(picture(80, 72, 11))
    images = [rgb(distorted(picture(80, 72, 11), seed)) for seed in (1, 2, 3)]
    fresh = [float(metric(image, reference.clone())) for image in images]  # pyright: ignore[reportCallIssue]
    part = part or "bands"
    calls = []
    original = getattr(module, part)
    monkeypatch.setattr(module, part, lambda *a: calls.append(1) or original(*a))
    memory._kept.clear()
    kept = [float(metric(image, reference)) for image in images]  # pyright: ignore[reportCallIssue]
    assert kept == fresh
    assert len(calls) == 4, "one for the reference and one for every image"


def test_two_settings_of_cw_ssim_do_not_share_a_reference() -> None:
    reference = rgb(picture(128, 128, 12))
    image = rgb(distorted(picture(128, 128, 12)))
    for metric in (cw_ssim.CWSSIM(), cw_ssim.CWSSIM(level=3), cw_ssim.CWSSIM(orientations=4), cw_ssim.CWSSIM(k=1e6)):
        assert float(metric(image, reference)) == float(metric(image, reference.clone()))
