"""Degradations: the same every time, ordered by strength, and what they say they are."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from ganiq.bench.errors import UsageError
from ganiq.generators.degrade import BANK, apply, steps
from ganiq.generators.photographs import PHOTOGRAPHS

RISING = {
    "blur": [f"blur(sigma={s})" for s in (0, 0.5, 1, 2, 4, 8)],
    "noise": [f"noise(sigma={s})" for s in (0, 1, 4, 10, 30, 80)],
    "jpeg": [f"jpeg(quality={q})" for q in (95, 75, 45, 20, 8)],
    "webp": [f"webp(quality={q})" for q in (95, 70, 40, 15, 2)],
    "down-up": [f"down-up(factor={f})" for f in (1, 1.5, 2, 4, 8)],
    "down-up area": [f"down-up(factor={f}, kernel='area', back='bilinear')" for f in (2, 3, 4, 6)],
    "chain": [f"down-up(factor={f}) | noise(sigma={s}) | jpeg(quality=70)" for f, s in ((1, 1), (2, 5), (4, 20))],
    "pixelate": [f"pixelate(strength={s})" for s in (0.01, 0.1, 0.3, 0.6)],
    "anisotropic-blur": [f"anisotropic-blur(along={s}, across={s / 3}, angle=20)" for s in (0.5, 1.5, 4, 8)],
    "motion-blur": [f"motion-blur(length={n}, angle=70)" for n in (1, 3, 6, 15, 30)],
    "motion-blur in any direction": [f"motion-blur(length={n})" for n in (1, 3, 6, 15, 30)],
    "defocus": [f"defocus(radius={r})" for r in (0.7, 1.5, 3, 6)],
    "poisson": [f"poisson(peak={p})" for p in (5000, 500, 50, 5)],
    "impulse": [f"impulse(amount={a})" for a in (0, 0.01, 0.05, 0.2)],
    "correlated-noise": [f"correlated-noise(sigma={s}, length=2)" for s in (0, 3, 10, 30)],
    "ycbcr-noise": [f"ycbcr-noise(sigma={s})" for s in (0, 3, 10, 30)],
    "multiplicative-noise": [f"multiplicative-noise(sigma={s})" for s in (0, 0.05, 0.2, 0.6)],
    "jpeg2000": [f"jpeg2000(ratio={r})" for r in (4, 12, 30, 90)],
    "color-diffusion": [f"color-diffusion(amount={a})" for a in (1, 3, 6, 12)],
    "color-shift": [f"color-shift(amount={a})" for a in (0, 2, 5, 10)],
    "saturate-hsv": [f"saturate-hsv(factor={f})" for f in (1, 0.7, 0.3, 0, -0.4)],
    "saturate-lab": [f"saturate-lab(factor={f})" for f in (1, 1.5, 3, 6)],
    "brighten": [f"brighten(amount={a})" for a in (0, 0.1, 0.4, 1)],
    "darken": [f"darken(amount={a})" for a in (0, 0.1, 0.4, 1)],
    "mean-shift": [f"mean-shift(amount={a})" for a in (0, -0.05, 0.1, -0.2)],
    "contrast-curve": [f"contrast-curve(amount={a})" for a in (-0.1, 0, 0.2, 0.5)],
    "contrast-range": [f"contrast-range(half={h})" for h in (0.5, 0.4, 0.2, 0.05)],
    "quantize": [f"quantize(levels={n})" for n in (256, 32, 12, 5, 2)],
    "sharpen": [f"sharpen(amount={a})" for a in (0, 1, 3, 9)],
    "jitter": [f"jitter(amount={a})" for a in (0, 0.1, 0.3, 1)],
    "patch-shift": [f"patch-shift(count={n})" for n in (0, 5, 30, 100)],
    "color-blocks": [f"color-blocks(count={n})" for n in (0, 1, 4, 10)],
    "gan-resample": [f"gan-resample(factor={f})" for f in (1, 2, 4, 8)],
    "gan-texture": [f"gan-texture(strength={s})" for s in (0, 0.25, 0.5, 1)],
    "gan-checkerboard": [f"gan-checkerboard(amount={a}, period=4)" for a in (0, 0.01, 0.03, 0.06)],
    "gan-kernel-mismatch": [f"gan-kernel-mismatch(along={s}, across={s}, angle=0)" for s in (0.5, 2, 4, 8)],
    "gan-oversmooth": [f"gan-oversmooth(sigma={s})" for s in (10, 25, 50)],
    "gan-oversmooth, bilateral": [f"gan-oversmooth(sigma={s}, method='bilateral')" for s in (10, 50)],
    "gan-warp": [f"gan-warp(sigma={s})" for s in (0, 0.3, 0.6, 2)],
    "ladder": [f"ladder(name='gaublur', level={n})" for n in (1, 2, 3, 4, 5)],
}


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    return PHOTOGRAPHS[0].crop(288)[20:148, 60:188].copy()


def mse(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.mean((a.astype(float) - b) ** 2))


@pytest.mark.parametrize("name", RISING)
def test_stronger_is_worse_and_repeatable(name: str, photo: np.ndarray) -> None:
    kept = photo.copy()
    errors = []
    for recipe in RISING[name]:
        out = apply(recipe, photo, key="photo", seed=1)
        assert out.dtype == np.uint8
        assert out.shape == photo.shape
        assert out is not photo
        np.testing.assert_array_equal(out, apply(recipe, photo, key="photo", seed=1))
        errors.append(mse(photo, out))
    assert errors == sorted(set(errors)), errors
    np.testing.assert_array_equal(photo, kept)


def test_every_degradation_of_the_bank_is_tested_here() -> None:
    used = {step.name for recipes in RISING.values() for recipe in recipes for step in steps(recipe)}
    assert used | {"down", "imresize"} == set(BANK)


def test_noise_is_keyed_and_leaves_global_state_alone(photo: np.ndarray) -> None:
    gray = np.full_like(photo, 128)
    np.random.seed(7)  # noqa: NPY002
    state = hashlib.sha256(np.random.get_state()[1].tobytes()).hexdigest()  # type: ignore[index]  # noqa: NPY002
    base = apply("noise(sigma=20)", gray, key="a", seed=0)
    assert hashlib.sha256(np.random.get_state()[1].tobytes()).hexdigest() == state  # type: ignore[index]  # noqa: NPY002
    difference = base.astype(float) - 128
    assert difference.std() == pytest.approx(20, rel=0.02)
    assert abs(difference.mean()) < 0.5
    channels = difference.reshape(-1, 3).T
    assert np.abs(np.corrcoef(channels) - np.eye(3)).max() < 0.05
    for key, seed in (("b", 0), ("a", 1)):
        other = apply("noise(sigma=20)", gray, key=key, seed=seed).astype(float) - 128
        assert abs(np.corrcoef(difference.ravel(), other.ravel())[0, 1]) < 0.05
    # Two strengths share their pattern: the stronger one is the weaker one made worse.
    double = apply("noise(sigma=40)", gray, key="a", seed=0).astype(float) - 128
    assert np.corrcoef(difference.ravel(), double.ravel())[0, 1] > 0.99


def test_golden_values() -> None:
    """Frozen on this code: a change of algorithm must be noticed."""
    ramp = np.stack([np.add.outer(7 * np.arange(24), c * np.arange(24)) % 256 for c in (3, 5, 11)], -1).astype(np.uint8)
    noisy = apply("noise(sigma=10)", ramp, key="golden", seed=3)
    assert noisy[12, 10:13].tolist() == GOLDEN_NOISE
    blurred = apply("blur(sigma=1.5)", ramp, key="golden")
    assert blurred[12, 12].tolist() == GOLDEN_BLUR


GOLDEN_NOISE = [[104, 127, 197], [120, 159, 215], [136, 144, 242]]
GOLDEN_BLUR = [120, 144, 210]


def cubic(x: np.ndarray) -> np.ndarray:
    """Keys 1981, a = -1/2."""
    x = np.abs(x)
    near = 1.5 * x**3 - 2.5 * x**2 + 1
    far = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return np.where(x <= 1, near, np.where(x < 2, far, 0))


def shrink(plane: np.ndarray, factor: int) -> np.ndarray:
    """Shrinking along the first axis with the kernel widened by the factor and borders mirrored."""
    n = plane.shape[0]
    centre = (np.arange(n // factor) + 0.5) * factor - 0.5
    reach = np.arange(-3 * factor, 3 * factor + 1)
    index = np.floor(centre)[:, None].astype(int) + reach
    weight = cubic((index - centre[:, None]) / factor)
    weight /= weight.sum(1, keepdims=True)
    mirrored = np.where(index < 0, -index - 1, np.where(index >= n, 2 * n - 1 - index, index))
    return np.einsum("ij,ij...->i...", weight, plane[mirrored])


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_shrinking_is_antialiased_bicubic_as_defined_by_keys(photo: np.ndarray, factor: int) -> None:
    square = photo[:120, :120]
    exact = shrink(shrink(square.astype(float), factor).swapaxes(0, 1), factor).swapaxes(0, 1)
    exact = np.clip(np.rint(exact), 0, 255)
    done = apply(f"down(factor={factor})", square, key="")
    assert done.shape == (120 // factor, 120 // factor, 3)
    difference = np.abs(done[2:-2, 2:-2] - exact[2:-2, 2:-2])
    assert difference.max() <= 2  # Pillow rounds to bytes between its two passes
    assert np.mean(difference > 1) < 0.002


def test_area_is_the_mean_of_each_cell(photo: np.ndarray) -> None:
    cells = photo.astype(float).reshape(32, 4, 32, 4, 3).mean((1, 3))
    assert np.abs(apply("down(factor=4, kernel='area')", photo, key="") - cells).max() <= 1


def test_blur_keeps_the_mean_and_has_the_width_asked_for() -> None:
    dot = np.zeros((65, 65, 3), np.uint8)
    dot[32, 32] = 255
    profile = apply("blur(sigma=2)", np.repeat(dot[32:33], 65, axis=0), key="")[32, :, 0].astype(float)
    place = np.arange(65) - 32
    assert np.sqrt((profile * place**2).sum() / profile.sum()) == pytest.approx(2, rel=0.05)


def test_recipes_are_spelled_out_and_mistakes_are_told(photo: np.ndarray) -> None:
    assert [str(s) for s in steps("down | jpeg(quality=5)")] == [
        "down(factor=4.0,kernel='bicubic')",
        "jpeg(chroma='4:2:0',quality=5)",
    ]
    for recipe, message in (
        ("melt", "no degradation 'melt'"),
        ("blur(radius=2)", "radius"),
        ("blur(sigma=-1)", "between"),
        ("noise(sigma=300)", "between"),
        ("jpeg(quality=0)", "between"),
        ("jpeg(chroma='4:1:1')", "chroma"),
        ("down(factor=0.5)", "between"),
        ("down(kernel='sinc')", "kernel"),
        ("", "not a name"),
    ):
        with pytest.raises(UsageError, match=message):
            apply(recipe, photo, key="")
    for wrong in (photo[..., 0], photo.astype(float), photo[..., :2]):
        with pytest.raises(ValueError, match="uint8"):
            apply("blur", wrong, key="")


def test_without_webp_it_says_so(photo: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("PIL.features.check", lambda name: False)
    with pytest.raises(UsageError, match="built without WebP"):
        apply("webp(quality=50)", photo, key="")
