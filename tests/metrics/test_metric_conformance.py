"""What every per-image metric of the registry must satisfy: a new one is covered by being listed.

Weights that are not on this computer are replaced by random values here, so that the plumbing of the learned
metrics is tested too; whatever depends on their values (directions) is skipped without the real ones.
"""

from __future__ import annotations

import dataclasses
import math
import pickle
import subprocess
import sys
from collections.abc import Callable
from multiprocessing import get_context
from typing import Any

import numpy as np
import pytest
import torch
from ganiq.bench import registry, weights
from ganiq.bench.protocols import ItemMetric, MetricInfo
from ganiq.bench.spec import Spec
from torch import Tensor

pytestmark = pytest.mark.usefixtures("random_weights")

HEAVY = ("lpips-vgg", "st-lpips-alex", "st-lpips-vgg", "dists", "pieapp")
"""Scored on one small crop where the size does not matter, to save time."""


def build(name: str):
    return registry.metrics.get(name)()


def score(name: str, images: Tensor, references: Tensor) -> Tensor:
    metric = build(name)
    with torch.inference_mode():
        return metric(images, references) if metric.info.needs == "pair" else metric(images)


def small(name: str, batch: Tensor) -> Tensor:
    """A part that the metric can score, of odd width: time goes with the area."""
    least = registry.metrics.get(name).info.least
    if name in HEAVY:
        side = 67 if name == "pieapp" else 35
        return batch[..., 40 : 40 + side, 50 : 56 + side].contiguous()
    return batch[..., 40:136, 50:153].contiguous() if least <= 96 else batch


def random_pair(height: int, width: int, seed: int) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(seed)
    reference = torch.nn.functional.avg_pool2d(torch.rand(1, 3, height + 2, width + 2, generator=random), 3, 1)
    image = (reference + 0.1 * torch.randn(reference.shape, generator=random)).clamp(0, 1)
    return image, reference


# --------------------------------------------------------------------------------- description


def test_info_is_complete(any_name: str) -> None:
    factory = registry.metrics.get(any_name)
    info = factory.info
    assert isinstance(info, MetricInfo)
    assert info.name == any_name
    assert info.title
    assert info.note
    assert info.note.endswith(".")
    assert any(mark in info.cite for mark in ("doi:10.", "arXiv:", "pages"))
    assert info.bounds[0] < info.bounds[1]
    assert info.better in ("higher", "lower")
    assert all(slot in weights.slots() for slot in info.weights)
    assert bool(info.license) == bool(info.weights)
    module = sys.modules[factory.__module__]
    assert module.__doc__
    assert "Protocol:" in module.__doc__
    assert "better" in module.__doc__


def test_parameters_are_plain_and_have_defaults(any_name: str) -> None:
    factory: Any = registry.metrics.get(any_name)
    assert dataclasses.is_dataclass(factory)
    check_parameters(any_name, factory)


def check_parameters(any_name: str, factory: Any) -> None:
    metric = factory()
    with pytest.raises(dataclasses.FrozenInstanceError):
        metric.anything = 1
    spec = Spec.of(any_name, factory, {})
    assert Spec.parse(str(spec)) == spec
    assert all(isinstance(value, str | int | float | bool) for value in spec.arguments.values())
    assert factory(**spec.arguments) == metric


def test_protocol(item_name: str) -> None:
    assert isinstance(build(item_name), ItemMetric)


def test_importing_metrics_loads_nothing_heavy() -> None:
    code = (
        "import sys, importlib\n"
        "from ganiq.bench import registry\n"
        "for r in (registry.metrics, registry.extractors):\n"
        "    for n in r.builtin: r.get(n)().__class__.info\n"
        "heavy = {'torch', 'torchvision', 'piq', 'lpips', 'timm', 'pytorch_fid', 'numpy', 'scipy'} & set(sys.modules)\n"
        "sys.exit(' '.join(sorted(heavy)) or 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


# --------------------------------------------------------------------------------- values


def test_values_lie_in_bounds(item_name: str, pairs: tuple[Tensor, Tensor]) -> None:
    images, references = (small(item_name, batch) for batch in pairs)
    info = registry.metrics.get(item_name).info
    random = torch.rand(images[:1].shape, generator=torch.Generator().manual_seed(3))
    for candidates in (images, 1 - references[:1], random):
        count = candidates.shape[0]
        values = score(item_name, candidates.float(), references[:count].float())
        assert values.shape == (count,)
        assert not values.is_complex()
        assert bool(values.isfinite().all())
        assert all(info.bounds[0] <= float(v) <= info.bounds[1] for v in values)


def test_identical_images_score_best(item_name: str, pairs: tuple[Tensor, Tensor]) -> None:
    info = registry.metrics.get(item_name).info
    if info.needs == "image":
        pytest.skip("no reference: nothing to be identical to")
    images, references = (small(item_name, batch).float() for batch in pairs)
    if item_name.startswith("psnr"):
        best, tolerance = math.inf, 0.0
    else:
        best, tolerance = (0.0 if info.better == "lower" else 1.0), 2e-5
    same, other = score(item_name, references, references), score(item_name, images, references)
    if item_name == "pieapp":  # the published network rates identical images with a small constant
        assert len(set(same.tolist())) == 1
        return
    assert same.tolist() == pytest.approx([best] * 3, abs=tolerance)
    assert bool((same < other if info.better == "lower" else same > other).all())


@pytest.mark.parametrize("kind", ["blur", "noise", "jpeg"])
def test_direction_is_true(item_name: str, kind: str, ladder: dict[str, list[tuple[Tensor, Tensor]]]) -> None:
    """More blur, noise or compression is worse, on average over three photographs."""
    metric = build(item_name)
    missing = [slot for slot in metric.info.weights if not weights.present(slot)]
    if missing:
        pytest.skip(f"needs weights {missing[0]}: a random network has no direction")
    if item_name == "tv":
        pytest.skip("total variation is no quality metric: see test_total_variation_is_no_quality_metric")

    def mean(degraded: Tensor, reference: Tensor) -> float:
        if item_name not in HEAVY:  # their direction is worth the time
            degraded, reference = small(item_name, degraded), small(item_name, reference)
        return float(score(item_name, degraded.float(), reference.float()).mean())

    values = [mean(*level) for level in ladder[kind]]
    references = ladder[kind][0][1]
    start = mean(references, references)
    worse = sorted([start, *values], reverse=metric.info.better == "higher")
    assert [start, *values] == worse
    assert len(set(values)) == 3


def test_total_variation_is_no_quality_metric(ladder: dict[str, list[tuple[Tensor, Tensor]]]) -> None:
    blurred = [float(score("tv", degraded, degraded).mean()) for degraded, _ in ladder["blur"]]
    noisy = [float(score("tv", degraded, degraded).mean()) for degraded, _ in ladder["noise"]]
    assert blurred == sorted(blurred, reverse=True)
    assert noisy == sorted(noisy)


# --------------------------------------------------------------------------------- independence


def test_batch_and_order_do_not_matter(item_name: str, pairs: tuple[Tensor, Tensor]) -> None:
    images, references = (small(item_name, batch).float() for batch in pairs)
    together = score(item_name, images, references)
    alone = torch.cat([score(item_name, images[i : i + 1], references[i : i + 1]) for i in range(3)])
    backwards = score(item_name, images.flip(0), references.flip(0)).flip(0)
    assert together.tolist() == alone.tolist()
    assert together.tolist() == backwards.tolist()
    assert score(item_name, images[:0], references[:0]).shape == (0,)


def test_repeatable_without_touching_random_states_or_inputs(
    item_name: str, pairs: tuple[Tensor, Tensor], build_anew: Callable[[], None]
) -> None:
    if item_name in ("lpips-alex", "st-lpips-alex", "pieapp"):
        build_anew()  # building draws random numbers of its own; the VGG networks do it alike and are slow to build
    images, references = (small(item_name, batch)[:1].float() for batch in pairs)
    before = images.clone(), references.clone()
    torch_state, numpy_state = torch.get_rng_state(), pickle.dumps(np.random.get_state())  # noqa: NPY002
    first = score(item_name, images, references)
    assert torch.equal(torch_state, torch.get_rng_state())
    assert numpy_state == pickle.dumps(np.random.get_state())  # noqa: NPY002
    assert score(item_name, images, references).tolist() == first.tolist()
    assert torch.equal(images, before[0])
    assert torch.equal(references, before[1])


def test_precision_of_the_input_does_not_matter(item_name: str, pairs: tuple[Tensor, Tensor]) -> None:
    images, references = (small(item_name, batch)[:1] for batch in pairs)
    exact = score(item_name, images, references)
    single = score(item_name, images.float(), references.float())
    # NIQE and BRISQUE round to grey levels, so that the last bit of the input can move a pixel by one level.
    tolerance = 0.05 if item_name in ("niqe", "brisque") else 2e-4
    assert single.tolist() == pytest.approx(exact.tolist(), rel=tolerance, abs=1e-6)


# --------------------------------------------------------------------------------- sizes and odd content


@pytest.mark.parametrize(("taller", "wider"), [(0, 0), (0, 13), (1, 6), (7, 0)])
def test_smallest_and_odd_sizes(item_name: str, taller: int, wider: int) -> None:
    info = registry.metrics.get(item_name).info
    images, references = random_pair(info.least + taller, info.least + wider, seed=taller + wider)
    value = score(item_name, images, references)
    assert value.shape == (1,)
    assert bool(value.isfinite())
    assert info.bounds[0] <= float(value) <= info.bounds[1]


def test_size_at_which_some_formulas_halve_the_image(item_name: str) -> None:
    if ".learned." in registry.metrics.builtin[item_name]:
        pytest.skip("a network: no such rule (DISTS has one at 256, tested with it)")
    images, references = random_pair(385, 391, seed=385)
    value = score(item_name, images, references)
    assert bool(value.isfinite())


def test_smaller_images_are_refused_with_the_number(item_name: str) -> None:
    info = registry.metrics.get(item_name).info
    if info.least == 1:
        pytest.skip("any size will do")
    images, references = random_pair(info.least - 1, info.least + 40, seed=0)
    with pytest.raises(ValueError, match=rf"at least {info.least}\b"):
        score(item_name, images, references)


@pytest.mark.parametrize("levels", [(0.0, 0.0), (0.5, 0.5), (0.0, 1.0), (1.0, 0.0)])
def test_flat_images_give_a_number_or_nan(item_name: str, levels: tuple[float, float]) -> None:
    info = registry.metrics.get(item_name).info
    side = max(info.least, 48)
    image, reference = (torch.full((1, 3, side, side + 3), level) for level in levels)
    value = float(score(item_name, image, reference))
    if item_name.startswith("psnr") and levels[0] == levels[1]:
        assert value == math.inf
    elif not math.isnan(value):
        assert info.bounds[0] <= value <= info.bounds[1]


def test_gray_photographs_in_three_equal_channels(item_name: str, pairs: tuple[Tensor, Tensor]) -> None:
    info = registry.metrics.get(item_name).info
    images, references = (
        small(item_name, batch)[:1].mean(dim=1, keepdim=True).repeat(1, 3, 1, 1).float() for batch in pairs
    )
    value = float(score(item_name, images, references))
    assert info.bounds[0] <= value <= info.bounds[1]


# --------------------------------------------------------------------------------- refusals


def test_wrong_input_is_refused(item_name: str) -> None:
    metric = build(item_name)
    side = max(metric.info.least, 48)
    good = torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(0))
    call = (lambda x: metric(x, x)) if metric.info.needs == "pair" else metric
    with pytest.raises(TypeError, match="floating-point"):
        call((good * 255).to(torch.uint8))
    for wrong, words in (
        (good * 255, r"scale them to \[0,1\]"),
        (good - 0.5, r"scale them to \[0,1\]"),
        (torch.full_like(good, math.nan), "nan"),
        (good[0], r"pass \(N,3,H,W\)"),
        (good[:, :1], r"pass \(N,3,H,W\)"),
    ):
        with pytest.raises(ValueError, match=words):
            call(wrong)
    if metric.info.needs == "pair":
        with pytest.raises(ValueError, match="none were given"):
            metric(good)
        with pytest.raises(ValueError, match="one shape"):
            metric(good, torch.cat([good, good], dim=3))


# --------------------------------------------------------------------------------- other processes


def test_pickles_small_even_after_use(item_name: str, pairs: tuple[Tensor, Tensor]) -> None:
    metric = build(item_name)
    images, references = (small(item_name, batch)[:1].float() for batch in pairs)
    score(item_name, images, references)
    if metric.info.needs == "pair":
        metric(images, references)
    else:
        metric(images)
    data = pickle.dumps(metric)
    assert len(data) < 1000
    assert pickle.loads(data) == metric


def _elsewhere(metric: ItemMetric, images: np.ndarray, references: np.ndarray) -> list[float]:
    return metric(torch.from_numpy(images), torch.from_numpy(references)).tolist()


def test_spawned_worker_gives_the_same_numbers(pairs: tuple[Tensor, Tensor]) -> None:
    images, references = pairs
    threads = torch.get_num_threads()
    metrics = [build(name) for name in ("psnr", "ssim", "sr-sim", "niqe")]
    here = [metric(images, references).tolist() for metric in metrics]
    with get_context("spawn").Pool(1, initializer=torch.set_num_threads, initargs=(threads,)) as pool:
        there = [pool.apply(_elsewhere, (metric, images.numpy(), references.numpy())) for metric in metrics]
    assert np.array(there) == pytest.approx(np.array(here), rel=1e-12)
