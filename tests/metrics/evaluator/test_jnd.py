"""The just-noticeable difference against published values and against the formulas pixel by pixel."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from ganiq.metrics.evaluator import jnd as module
from ganiq.metrics.evaluator.jnd import inject, jnd, towards, visible
from scipy import ndimage


def flat(value: int) -> torch.Tensor:
    return torch.full((1, 3, 24, 24), value / 255)


def textured(seed: int = 3, side: int = 40) -> torch.Tensor:
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).random((2, 3, side, side)), (0, 0, 1, 1))
    noise = (noise - noise.min()) / np.ptp(noise)
    return torch.from_numpy(noise).float()


@pytest.mark.parametrize(("value", "expected"), [(128, 2.1164), (0, 8.0266)])
@pytest.mark.parametrize("edges", [True, False])
def test_flat_images_have_the_known_threshold_everywhere(value: int, expected: float, edges: bool) -> None:
    found = jnd(flat(value), edges=edges)
    assert found.shape == (1, 1, 24, 24)
    assert found.numpy() == pytest.approx(np.full((1, 1, 24, 24), expected), abs=5e-5)


@pytest.mark.parametrize("value", [0, 60, 128, 255])
def test_namm_on_flat_images_follows_from_its_formula(value: int) -> None:
    luminance = 17 * (1 - math.sqrt(value / 127)) + 3 if value < 127 else 3 / 128 * (value - 127) + 3
    masking = 0.5 - 0.01 * value
    expected = luminance + masking - 0.3 * min(luminance, masking)
    assert jnd(flat(value), "namm").mean().item() == pytest.approx(expected, abs=1e-4)


def by_pixel(grey: np.ndarray, *, logarithmic: bool = False) -> np.ndarray:
    """The pattern model without edges, as it is written down, one pixel after the other."""
    side = grey.shape[0]
    padded = np.pad(grey, 2, mode="edge")
    weights = np.array([[1, 1, 1, 1, 1], [1, 2, 2, 2, 1], [1, 2, 0, 2, 1], [1, 2, 2, 2, 1], [1, 1, 1, 1, 1]])
    prewitt = np.array([[1, 0, -1]] * 3)
    bins = np.zeros((side, side), int)
    complexity = np.ones((side, side))
    for y in range(side):
        for x in range(side):
            near = padded[y + 1 : y + 4, x + 1 : x + 4]
            across, down = (near * prewitt).sum(), (near * prewitt.T).sum()
            angle = math.degrees(math.atan2(down, across)) % 180
            bins[y, x] = round(angle / 12) % 15 if across**2 + down**2 >= 225 else 15
    for y in range(1, side - 1):
        for x in range(1, side - 1):
            if bins[y, x] != 15:
                complexity[y, x] = len(set(bins[y - 1 : y + 2, x - 1 : x + 2].ravel()))
    line = np.exp(-np.array([1, 0, 1]) / 2)
    kernel = np.outer(line, line) / line.sum() ** 2
    smooth = ndimage.correlate(complexity, kernel, mode="nearest")
    answer = np.zeros((side, side))
    for y in range(side):
        for x in range(side):
            window = padded[y : y + 5, x : x + 5]
            background = math.floor((window * weights).sum() / 32)
            if background <= 127:
                background = round(32 + background * 95 / 127)
            light = 17 * (1 - math.sqrt(background / 127)) + 3 if background < 127 else 3 / 128 * (background - 127) + 3
            inside = 2 <= y < side - 2 and 2 <= x < side - 2
            contrast = window.std() if inside else 0.0
            by_contrast = 1.84 * contrast**2.4 / (contrast**2 + 676)
            strength = math.log2(1 + contrast) if logarithmic else contrast
            by_pattern = strength * 0.3 * smooth[y, x] ** 2.7 / (smooth[y, x] ** 2 + 1)
            masking = max(by_contrast, by_pattern)
            answer[y, x] = 0.7 * light + masking - 0.3 * min(0.7 * light, masking)
    return answer


@pytest.mark.parametrize("logarithmic", [False, True])
def test_vectorised_map_is_that_of_the_formulas_pixel_by_pixel(logarithmic: bool) -> None:
    images = textured()
    found = jnd(images, edges=False, logarithmic=logarithmic)
    for image, plane in zip(images, found):
        grey = np.round(np.tensordot([0.299, 0.587, 0.114], image.numpy(), 1) * 255)
        assert plane[0].numpy() == pytest.approx(by_pixel(grey, logarithmic=logarithmic), abs=1e-3)


def test_borders_are_replicated_and_not_darkened() -> None:
    bright = jnd(flat(250), edges=False)
    assert bright.max() == bright.min()


def test_edges_lower_masking_beside_them_and_nowhere_else() -> None:
    image = textured(side=64)[:1] * 0.3
    image[..., 32:] += 0.6
    free, protected = jnd(image, edges=False), jnd(image, edges=True)
    assert (protected <= free + 1e-6).all()
    assert (protected < free - 0.5).any()
    assert torch.allclose(protected[..., :20], free[..., :20], atol=1e-4)


def test_visible_image_stays_within_the_threshold_and_loses_detail() -> None:
    images = textured()
    threshold = jnd(images)
    found = visible(images, threshold)
    assert ((found - images).abs() * 255 <= 0.7 * threshold + 1e-3).all()
    assert (found[..., 1:] - found[..., :-1]).abs().mean() < (images[..., 1:] - images[..., :-1]).abs().mean()


def test_towards_removes_small_differences_and_keeps_the_sign_of_large_ones() -> None:
    goal = torch.zeros(1, 3, 4, 4)
    threshold = torch.full((1, 1, 4, 4), 10.0)
    assert towards(goal + 6 / 255, goal, threshold).abs().max() == 0
    found = towards(goal + 20 / 255, goal, threshold)
    assert found.mean().item() * 255 == pytest.approx(13, abs=1e-3)


def test_injected_noise_has_the_size_of_the_threshold() -> None:
    images = 0.25 + textured() / 2
    threshold = jnd(images)
    signs = torch.where(torch.rand(images.shape) < 0.5, -1.0, 1.0)
    found = inject(images, threshold, signs)
    assert ((found - images).abs() * 255).numpy() == pytest.approx(
        (0.7 * threshold).expand_as(images).numpy(), abs=1e-3
    )


def test_each_image_by_itself_gives_the_same_map() -> None:
    images = textured()
    assert torch.allclose(jnd(images)[1:], jnd(images[1:]), atol=1e-5)


def test_mixed_precision_changes_nothing() -> None:
    images = textured()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found, seen = jnd(images), visible(images, jnd(images))
    assert torch.equal(found, jnd(images))
    assert torch.equal(seen, visible(images, found))


def test_unknown_model_is_refused() -> None:
    with pytest.raises(ValueError, match="pattern or namm"):
        jnd(flat(3), "liu")  # pyright: ignore[reportArgumentType]
    assert module.KAPPA == 0.7


def test_directions_are_the_same_in_either_precision() -> None:
    """All gradients there are: an exported graph counts in single precision."""
    line = torch.arange(-765, 766)
    across, down = torch.meshgrid(line, line, indexing="ij")
    found = module._direction(across.double(), down.double())
    assert torch.equal(module._direction(across.float(), down.float()), found)
    angle = np.degrees(np.arctan2(down.double().numpy(), across.double().numpy())) % 180
    assert np.array_equal(found.numpy()[across != 0], np.round(angle / 12)[across != 0] % 15)
    assert (found[765] == 8).all()
