"""Degradations one by one: the known answers, the kernels, the statistics of the noise, the bank of 24 x 5."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from ganiq.bench import registry
from ganiq.bench.errors import UsageError
from ganiq.bench.images.resample import matrix
from ganiq.bench.protocols import Degradation as DegradationProtocol
from ganiq.bench.protocols import GeneratorInfo
from ganiq.generators import DEGRADATIONS
from ganiq.generators.degradations import LADDERS
from ganiq.generators.degradations.base import filtered
from ganiq.generators.degradations.blur import AnisotropicBlur, Defocus, MotionBlur
from ganiq.generators.degrade import BANK, apply, chain, shrink, steps
from ganiq.generators.photographs import PHOTOGRAPHS
from PIL import Image

UNORDERED = ("meanshift", "lincontrast")  # their levels change direction


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    return PHOTOGRAPHS[0].crop(288)[20:148, 60:188].copy()


def mse(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.mean((a.astype(float) - b) ** 2))


def gray(value: int, side: int = 128) -> np.ndarray:
    return np.full((side, side, 3), value, np.uint8)


# ---------------------------------------------------------------------------------- imresize

# What MATLAB R2019b answers for imresize(reshape(0:n*n-1, n, n)', [h w], 'bicubic', 'antialiasing', true), as published
# with the tests of github.com/sanghyun-son/bicubic_pytorch (folder test_answer); with false where the name says so.
MATLAB = {
    "4x4 to 3x3": (4, [
        [0.75055187638, 2.100441501104, 3.450331125828],
        [6.150110375276, 7.5, 8.849889624724],
        [11.549668874172, 12.899558498896, 14.24944812362],
    ]),
    "8x8 to 3x4": (8, [
        [6.47252877331, 8.51159127331, 10.53502877331, 12.57409127331],
        [28.44921875, 30.48828125, 32.51171875, 34.55078125],
        [50.42590872669, 52.46497122669, 54.48840872669, 56.52747122669],
    ]),
    "8x8 to 4x4": (8, [
        [4.04296875, 6.08203125, 8.10546875, 10.14453125],
        [20.35546875, 22.39453125, 24.41796875, 26.45703125],
        [36.54296875, 38.58203125, 40.60546875, 42.64453125],
        [52.85546875, 54.89453125, 56.91796875, 58.95703125],
    ]),
    "8x8 to 2x2": (8, [[12.3837890625, 16.6318359375], [46.3681640625, 50.6162109375]]),
    "15x15 to 3x3": (15, [[29.1072, 34.288, 39.4688], [106.8192, 112.0, 117.1808], [184.5312, 189.712, 194.8928]]),
    "8x8 to 3x4 without antialiasing": (8, [
        [7.011574074074, 9.074074074074, 11.074074074074, 13.136574074074],
        [28.4375, 30.5, 32.5, 34.5625],
        [49.863425925926, 51.925925925926, 53.925925925926, 55.988425925926],
    ]),
}  # fmt: skip


@pytest.mark.parametrize("case", MATLAB)
def test_resampling_gives_the_numbers_of_matlab(case: str) -> None:
    side, rows = MATLAB[case]
    expected = np.array(rows)
    ramp = np.arange(float(side * side)).reshape(side, side)
    smooth = "without" not in case
    left, right = (matrix(side, n, antialias=smooth) for n in expected.shape)
    assert np.abs(left @ ramp @ right.T - expected).max() < 1e-9
    if expected.shape[0] == expected.shape[1] and side % expected.shape[0] == 0:
        image = np.repeat(ramp[..., None], 3, axis=2).astype(np.uint8)
        done = apply(f"imresize(scale={side // expected.shape[0]}, antialias={smooth})", image, key="")
        np.testing.assert_array_equal(done[..., 1], np.rint(expected).astype(np.uint8))


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_imresize_is_that_of_piq(photo: np.ndarray, scale: int) -> None:
    import torch
    from ganiq.bench.vision import load

    square = photo[:120, :120]
    load("piq")
    from piq.functional import imresize

    planes = torch.from_numpy(square.transpose(2, 0, 1))[None].double()
    expected = imresize(planes, scale=1 / scale)[0].numpy().transpose(1, 2, 0)
    done = apply(f"imresize(scale={scale})", square, key="").astype(float)
    assert done.shape == expected.shape
    # Theirs is rounded here; what is left is a half that fell to the other side.
    assert np.abs(done - np.clip(np.rint(expected), 0, 255)).max() <= 1
    assert np.abs(done - np.clip(expected, 0, 255)).max() < 0.51


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_imresize_agrees_with_pillow_away_from_the_borders(photo: np.ndarray, scale: int) -> None:
    square = photo[:120, :120]
    done = apply(f"imresize(scale={scale})", square, key="").astype(int)
    side = 120 // scale
    pillow = np.asarray(Image.fromarray(square).resize((side, side), Image.Resampling.BICUBIC)).astype(int)
    inner = np.abs(done - pillow)[2:-2, 2:-2]
    assert inner.max() <= 2
    assert np.mean(inner > 1) < 0.002


def test_imresize_rounds_sides_up_and_knows_other_kernels(photo: np.ndarray) -> None:
    odd = photo[:101, :47]
    assert apply("imresize(scale=4)", odd, key="").shape == (26, 12, 3)
    assert apply("imresize(scale=3)", photo[:9, :9], key="").shape == (3, 3, 3)
    assert apply("imresize(factor=2.5)", photo[:100, :100], key="").shape == (40, 40, 3)
    nearest = apply("imresize(scale=3, kernel='nearest')", photo[:99, :99], key="")
    np.testing.assert_array_equal(nearest, photo[1:99:3, 1:99:3])
    smooth = apply("imresize(scale=2, kernel='bilinear')", gray(77), key="")
    assert (smooth == 77).all()
    assert shrink("imresize(scale=4) | noise | down(scale=2)") == 8


# ---------------------------------------------------------------------------------- blur


def moments(kernel: np.ndarray) -> np.ndarray:
    """Covariance (x, y with y upwards) of a kernel taken as a distribution."""
    y, x = np.mgrid[: kernel.shape[0], : kernel.shape[1]].astype(float)
    x, y = x - kernel.shape[1] // 2, kernel.shape[0] // 2 - y
    assert kernel.sum() == pytest.approx(1)
    assert abs((kernel * x).sum()) < 1e-6
    assert abs((kernel * y).sum()) < 1e-6
    return np.array(
        [[(kernel * x * x).sum(), (kernel * x * y).sum()], [(kernel * x * y).sum(), (kernel * y * y).sum()]]
    )


def test_kernels_have_the_widths_and_directions_asked_for() -> None:
    found = moments(AnisotropicBlur(along=4, across=1.5, angle=30).kernel())
    turn = np.array([[np.cos(np.pi / 6), -np.sin(np.pi / 6)], [np.sin(np.pi / 6), np.cos(np.pi / 6)]])
    np.testing.assert_allclose(found, turn @ np.diag([16, 2.25]) @ turn.T, rtol=0.01)
    along, across = np.sort(np.linalg.eigvalsh(moments(MotionBlur(length=21).kernel(60))))[::-1]
    assert along == pytest.approx(20**2 / 12, rel=0.03)  # a uniform line of 21 pixel centres
    assert across < 0.35
    values, vectors = np.linalg.eigh(moments(MotionBlur(length=21).kernel(60)))
    axis = vectors[:, np.argmax(values)]
    assert abs(np.degrees(np.arctan(axis[1] / axis[0])) - 60) < 1
    np.testing.assert_allclose(moments(Defocus(radius=6).kernel()), np.diag([9, 9]), atol=0.2)  # r^2 / 4, and a pixel's
    assert MotionBlur(length=1).kernel(33).max() == pytest.approx(1)


def test_filtering_is_correlation_with_mirrored_borders(photo: np.ndarray) -> None:
    from scipy.ndimage import correlate

    kernel = np.random.default_rng(1).random((7, 5))
    kernel /= kernel.sum()
    expected = np.stack([correlate(photo[..., c].astype(float), kernel, mode="reflect") for c in range(3)], -1)
    assert np.abs(filtered(photo, kernel).astype(float) - expected).max() <= 0.5 + 1e-6
    assert (filtered(gray(9, 3), np.full((15, 15), 1 / 225)) == 9).all()


# ---------------------------------------------------------------------------------- noise


def test_photon_noise_has_the_variance_of_counts() -> None:
    for value, peak in ((51, 200.0), (204, 200.0), (204, 1000.0)):
        done = apply(f"poisson(peak={peak})", gray(value), key="p").astype(float)
        assert done.mean() == pytest.approx(value, abs=0.3)
        assert done.var() == pytest.approx(255 * value / peak, rel=0.05)


def test_impulses_are_as_many_as_asked_for_and_half_of_them_white() -> None:
    done = apply("impulse(amount=0.1)", gray(128), key="i")
    assert np.mean(done != 128) == pytest.approx(0.1, abs=0.005)
    assert np.mean(done[done != 128] == 255) == pytest.approx(0.5, abs=0.03)
    few = apply("impulse(amount=0.02)", gray(128), key="i") != 128
    assert (done != 128)[few].all(), "the stronger one holds the weaker one"


def test_correlated_noise_keeps_its_strength_and_has_its_length() -> None:
    for length in (0.8, 2.0, 4.0):
        done = apply(f"correlated-noise(sigma=12, length={length})", gray(128, 256), key="c").astype(float) - 128
        assert done.std() == pytest.approx(12, rel=0.12)
        beside = np.corrcoef(done[:, 1:, 0].ravel(), done[:, :-1, 0].ravel())[0, 1]
        assert beside == pytest.approx(np.exp(-1 / (4 * length**2)), abs=0.04)


def test_noise_in_ycbcr_moves_colors_more_than_gray() -> None:
    done = apply("ycbcr-noise(sigma=8)", gray(128), key="y").astype(float) - 128
    red, green, blue = done.reshape(-1, 3).T
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    assert luma.std() == pytest.approx(8, rel=0.05)
    assert red.std() == pytest.approx(8 * np.hypot(1, 1.402), rel=0.05)
    assert blue.std() == pytest.approx(8 * np.hypot(1, 1.772), rel=0.05)


def test_multiplicative_noise_grows_with_the_value() -> None:
    dark, light = (apply("multiplicative-noise(sigma=0.1)", gray(v), key="m").astype(float) for v in (40, 160))
    assert dark.std() == pytest.approx(4, rel=0.05)
    assert light.std() == pytest.approx(16, rel=0.05)


# ---------------------------------------------------------------------------------- tone, color, place


def test_saturation_is_that_of_hsv(photo: np.ndarray) -> None:
    from skimage.color import hsv2rgb, rgb2hsv

    for factor in (0.0, 0.4, 1.0):
        hsv = rgb2hsv(photo)
        hsv[..., 1] *= factor
        expected = np.rint(255 * hsv2rgb(hsv))
        assert np.abs(apply(f"saturate-hsv(factor={factor})", photo, key="") - expected).max() <= 1


def test_tone_curves_pass_through_their_points() -> None:
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)

    def at(recipe: str, value: float) -> float:
        return float(np.interp(value * 255, np.arange(256), apply(recipe, ramp, key="")[0, :, 0])) / 255

    for recipe, x, y in (
        ("brighten(amount=0.4)", 0.5, 0.7),
        ("brighten(amount=0.4)", 1, 1),
        ("darken(amount=0.4)", 0.5, 0.3),
        ("darken(amount=0.4)", 0, 0),
        ("contrast-curve(amount=0.4)", 0.3, 0.15),
        ("contrast-curve(amount=0.4)", 0.7, 0.85),
        ("contrast-curve(amount=0.4)", 0.5, 0.5),
        ("contrast-range(half=0.2)", 0, 0.3),
        ("contrast-range(half=0.2)", 1, 0.7),
        ("mean-shift(amount=-0.2)", 0.6, 0.4),
    ):
        assert at(recipe, x) == pytest.approx(y, abs=0.004), recipe
    assert len(np.unique(apply("quantize(levels=7)", ramp, key=""))) == 7


def test_the_checkerboard_has_its_period_and_strength() -> None:
    for period in (2, 4):
        done = apply(f"gan-checkerboard(amount=0.06, period={period})", gray(200), key="").astype(float)[..., 0]
        assert sorted(set(done.ravel())) == [188, 212]
        np.testing.assert_array_equal(done[period:], done[:-period])
        half = period // 2
        np.testing.assert_array_equal(done[:, half:] + done[:, :-half], 400)


def test_a_warp_moves_by_what_it_says() -> None:
    """On a ramp of slope s per pixel, a displacement of d pixels is a change of s d."""
    slope = 1.5
    ramp = np.repeat((slope * np.arange(160))[None, :, None], 160, axis=0).repeat(3, axis=2)
    image = np.rint(ramp).astype(np.uint8)
    moved = apply("gan-warp(sigma=2)", image, key="w").astype(float) - image
    assert moved[:, 10:-10].std() == pytest.approx(2 * slope, rel=0.15)


def test_invented_texture_has_the_spectrum_but_not_the_place(photo: np.ndarray) -> None:
    from scipy.ndimage import gaussian_filter

    def band(image: np.ndarray) -> np.ndarray:
        plane = image.astype(float).mean(axis=2)
        return plane - gaussian_filter(plane, 2.0)

    plain = apply("gan-texture(strength=0)", photo, key="t")
    rich = apply("gan-texture(strength=1, threshold=0)", photo, key="t")
    lost, found = band(photo).std() - band(plain).std(), band(rich).std() - band(plain).std()
    assert found > 0.5 * lost > 0
    added = band(rich) - band(plain)
    missing = band(photo) - band(plain)
    assert abs(np.corrcoef(added.ravel(), missing.ravel())[0, 1]) < 0.1


# ---------------------------------------------------------------------------------- the bank


def test_the_bank_has_24_operations_in_seven_groups() -> None:
    assert len(LADDERS) == 24
    groups = [rungs.group for rungs in LADDERS.values()]
    assert {g: groups.count(g) for g in groups} == {
        "blur": 3, "colour": 4, "compression": 2, "noise": 4, "brightness": 3, "spatial": 5,
        "sharpness and contrast": 3,
    }  # fmt: skip


@pytest.mark.parametrize("name", LADDERS)
def test_levels_of_the_bank_get_worse(name: str, photo: np.ndarray) -> None:
    errors = []
    for level in range(1, 6):
        recipe = f"ladder(name='{name}', level={level})"
        done = apply(recipe, photo, key="k", seed=2)
        assert done.shape == photo.shape
        np.testing.assert_array_equal(done, apply(recipe, photo, key="k", seed=2))
        errors.append(mse(photo, done))
    if name in UNORDERED:
        assert errors != sorted(errors), "the documentation says that these are not ordered"
    else:
        assert errors == sorted(errors), errors
    assert errors[-1] > 20


# ---------------------------------------------------------------------------------- all of them


@pytest.mark.parametrize("name", BANK)
@pytest.mark.parametrize("size", [(16, 16), (33, 17), (2, 5)])
def test_any_size_will_do(name: str, size: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    kept = image.copy()
    done = apply(name, image, key="s")
    assert done.dtype == np.uint8
    assert done.ndim == 3 and done.shape[2] == 3
    np.testing.assert_array_equal(image, kept)
    (_, step), *_ = chain(name)
    assert done.shape[0] == pytest.approx(size[0] / step.shrink, abs=1)


def test_the_table_is_complete_and_says_what_they_are() -> None:
    assert list(DEGRADATIONS) == list(BANK)
    for name in registry.degradations.names():
        make = registry.degradations.get(name)
        assert isinstance(make.info, GeneratorInfo)
        assert (make.info.name, make.info.kind) == (name, "degradation")
        assert isinstance(make(), DegradationProtocol)
        assert make.__doc__
        if name in BANK:
            assert make is BANK[name]
            assert str(steps(name)[0]) == str(steps(str(steps(name)[0]))[0]), "a spec reads back as itself"


def test_listing_them_loads_no_heavy_library() -> None:
    script = """
import sys
from ganiq.bench import registry
for known in (registry.degradations, registry.samplers):
    for name in known.names():
        known.get(name).info
heavy = {"torch", "skimage", "scipy"} & set(sys.modules)
raise SystemExit(f"loaded {heavy}" if heavy else 0)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        ("imresize(scale=0.5)", "between"),
        ("imresize(kernel='sinc')", "kernel"),
        ("down(scale=2, factor=2)", "two names"),
        ("ladder(name='fog')", "name is one of"),
        ("ladder(level=6)", "between 1 and 5"),
        ("ladder(level=2.5)", "whole"),
        ("quantize(levels='many')", "levels"),
        ("noise(sigma=True)", "sigma"),
        ("motion-blur(length=0)", "length"),
        ("gan-checkerboard(period=3)", "period"),
        ("gan-oversmooth(method='bm3d')", "method"),
        ("jpeg2000(ratio=0)", "ratio"),
        ("gan-kernel-mismatch(along=-1)", "along"),
    ],
)
def test_mistakes_are_told_before_anything_is_computed(recipe: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        chain(recipe)


def test_a_name_found_elsewhere_takes_part_in_a_chain(photo: np.ndarray) -> None:
    from ganiq.generators.degradations.tone import Darken

    def find(name: str) -> type:
        return Darken if name == "dusk" else BANK[name]

    done = apply("dusk(amount=0.3) | blur(sigma=1)", photo, key="", find=find)
    np.testing.assert_array_equal(done, apply("darken(amount=0.3) | blur(sigma=1)", photo, key=""))
