"""What every metric of the registry must satisfy: a new one is covered by being listed.

First the suite that is shipped for everyone (``ganiq.metrics.conformance``), over all metrics; then what this
project demands of its own beyond that: exact best values, messages, sizes, citations.

Weights that are not on this computer are replaced by random values here, so that the plumbing of the learned
metrics is tested too; whatever depends on their values (directions) is skipped without the real ones.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import itertools
import math
import pickle
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable
from multiprocessing import get_context

import numpy as np
import pytest
import torch
from ganiq.bench import registry, weights
from ganiq.bench.protocols import ItemMetric
from ganiq.metrics.conformance import Broken, Case, Property, examine, subjects, suited
from ganiq.metrics.conformance.check import case_of
from torch import Tensor

pytestmark = pytest.mark.usefixtures("random_weights")

BEST = {"psnr": math.inf, "psnr-y": math.inf, "ssimulacra2": 100.0}
"""Values of identical images where they are neither 0 (lower is better) nor 1 (higher is better)."""
DRAWING = ("lpips-alex", "st-lpips-alex", "pieapp")
"""Building these draws random numbers of its own; the VGG networks do it alike and are slow to build."""
HEAVY = {"il-niqe": ("answer", "determinism", "odd-sizes")}
"""Seconds for any image, as it resizes all: the properties that the default run tries; the slow one tries all."""
EXCEPTIONS = {("piqe", "direction"): "growing noise"}
"""Formulas that truly break a property -> what the suite finds (see the metric's note)."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every property of the shipped suite with every metric it suits."""
    if "wanted" in metafunc.fixturenames:
        metafunc.parametrize(
            ("name", "wanted"),
            [
                pytest.param(
                    name, wanted, id=f"{name}-{wanted.name}",
                    marks=[pytest.mark.slow] * (wanted.name not in HEAVY.get(name, (wanted.name,))),
                )
                for name in registry.metrics.builtin
                for wanted in suited(case_of(name))
            ],
        )  # fmt: skip


@pytest.fixture(scope="module")
def cases(random_weights: object) -> dict[str, Case]:
    """Metrics on trial, which remember what has been checked already."""
    return {name: case_of(name, untrained=True) for name in registry.metrics.builtin}


# --------------------------------------------------------------------------------- the shipped suite


def test_conforms(name: str, wanted: Property, cases: dict[str, Case], build_anew: Callable[[], None]) -> None:
    if wanted.name == "global-random" and name in DRAWING:
        build_anew()
    row = examine(cases[name], wanted)
    if (name, wanted.name) in EXCEPTIONS:
        assert (row.outcome, EXCEPTIONS[name, wanted.name] in row.sentence) == ("failed", True)
        return
    if row.outcome == "skipped":
        pytest.skip(row.sentence)
    if row.outcome == "failed":
        raise Broken(f"{name}, {wanted.name}: {row.sentence}") from row.error


def test_hardly_anything_is_skipped(cases: dict[str, Case]) -> None:
    """Stand-ins let all but what trained values decide be checked, for every metric."""
    allowed = {"identity", "direction", "fresh-process", "pickling"}
    for name, case in cases.items():
        skipped = {row.property for row in case.rows.values() if row.outcome == "skipped"}
        assert skipped <= allowed, name
        if skipped:
            assert case.missing or case.info.role == "control", name


# --------------------------------------------------------------------------------- helpers


def build(name: str):
    return registry.metrics.get(name)()


def score(name: str, images: Tensor, references: Tensor) -> Tensor:
    metric = build(name)
    with torch.inference_mode():
        return metric(images, references) if metric.info.needs == "pair" else metric(images)


def sample(name: str) -> tuple[Tensor, Tensor]:
    """Three degraded photographs and their originals, float64, as small as the suite takes them."""
    size = case_of(name).size()
    return subjects.mixed(*size).clone(), subjects.photographs(*size).clone()


# --------------------------------------------------------------------------------- description


def test_info_says_where_it_comes_from_and_what_to_know(any_name: str) -> None:
    factory = registry.metrics.get(any_name)
    info = factory.info
    assert dataclasses.is_dataclass(factory)
    assert info.note
    assert any(mark in info.cite for mark in ("doi:10.", "arXiv:", "pages"))
    module = sys.modules[factory.__module__]
    assert module.__doc__
    text = module.__doc__
    what, protocol = text.split("Protocol:")  # once
    assert len(what.splitlines()) > 2 and len(what) > 150, "the formula in words, beyond the title"
    assert re.search(r"\b[Rr]ange\b|[Rr]eal line", what), "the range"
    assert re.search(r"\b(higher|lower)[\s-]is[\s-]better", text, re.IGNORECASE), "the direction"
    assert re.search(r"\b(19|20)\d\d\b", what), "the paper and its year"
    kind = "extractor" if info.needs == "set" else "rgb|luma|gr[ae]y|yiq|lmn|lhm|xyb|channels|in `|as in"
    assert re.search(kind, protocol + info.color, re.IGNORECASE), "what it is given"
    assert info.color and bool(info.license) == bool(info.weights)
    named = re.fullmatch(r"see the slot (\S+)", info.license)
    assert named is None or weights.slots()[named[1]].licence, "the slot says its licence"


def test_every_parameter_says_what_it_is(any_name: str) -> None:
    """A string below each field, in the class or in the one it inherits the field from."""
    factory = registry.metrics.get(any_name)
    assert factory.__doc__ and not factory.__doc__.startswith(f"{factory.__name__}("), "what dataclass makes up"
    described = set()
    for cls in factory.__mro__[:-1]:
        body = ast.parse(textwrap.dedent(inspect.getsource(cls))).body[0].body  # pyright: ignore[reportAttributeAccessIssue]
        for field, text in itertools.pairwise(body):
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(text, ast.Expr):
                described.add(field.target.id)
    assert {field.name for field in dataclasses.fields(factory)} <= described


def test_the_least_side_listed_is_that_of_the_defaults(item_name: str) -> None:
    assert case_of(item_name).least == registry.metrics.get(item_name).info.least


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


def test_identical_images_score_best(item_name: str) -> None:
    """The suite asks that nothing scores better; here, that the best value is the published one."""
    info = registry.metrics.get(item_name).info
    if info.needs == "image":
        pytest.skip("no reference: nothing to be identical to")
    images, references = (batch.float() for batch in sample(item_name))
    best = BEST.get(item_name, 0.0 if info.better == "lower" else 1.0)
    same, other = score(item_name, references, references), score(item_name, images, references)
    if item_name == "pieapp":  # the published network rates identical images with a small constant
        assert len(set(same.tolist())) == 1
        return
    if item_name != "kd-ysgan":  # a network learnt what it says of identical images: much, but no fixed number
        assert same.tolist() == pytest.approx([best] * 3, rel=0, abs=2e-5)
    assert bool((same < other if info.better == "lower" else same > other).all())


def test_total_variation_is_no_quality_metric() -> None:
    """What the role of a control means: less of it is not better, more of it neither."""
    size = (96, 103)

    def mean(kind: str, level: int) -> float:
        degraded = subjects.degraded(kind, level, *size)
        return float(score("tv", degraded, degraded).mean())

    blurred, noisy = ([mean(kind, level) for level in subjects.LEVELS] for kind in ("blur", "noise"))
    assert blurred == sorted(blurred, reverse=True)
    assert noisy == sorted(noisy)
    assert registry.metrics.get("tv").info.role == "control"


def test_precision_of_the_input_does_not_matter(item_name: str) -> None:
    """The suite is generous with metrics that declare float64 and lets any refuse the other precision."""
    images, references = (batch[:1] for batch in sample(item_name))
    exact = score(item_name, images, references)
    single = score(item_name, images.float(), references.float())
    # NIQE and BRISQUE round to grey levels, so that the last bit of the input can move a pixel by one level.
    tolerance = 0.05 if item_name in ("niqe", "brisque") else 2e-4
    assert single.tolist() == pytest.approx(exact.tolist(), rel=tolerance, abs=1e-6)


# --------------------------------------------------------------------------------- sizes and odd content


def test_size_at_which_some_formulas_halve_the_image(item_name: str) -> None:
    if ".learned." in registry.metrics.builtin[item_name]:
        pytest.skip("a network: no such rule (DISTS has one at 256, tested with it)")
    images, references = (batch.float() for batch in subjects.texture(385, 391, 385))
    value = score(item_name, images, references)
    assert bool(value.isfinite())


def test_smaller_images_are_refused_with_the_number(item_name: str) -> None:
    """The suite lets a metric score images below ``least``; ours refuse them, in one manner."""
    info = registry.metrics.get(item_name).info
    if info.least == 1:
        pytest.skip("any size will do")
    images, references = (batch.float() for batch in subjects.texture(info.least - 1, info.least + 40, 0))
    with pytest.raises(ValueError, match=rf"at least {info.least}\b"):
        score(item_name, images, references)


@pytest.mark.parametrize("name", ["psnr", "psnr-y"])
@pytest.mark.parametrize("level", [0.0, 0.5])
def test_identical_flat_images_have_infinite_psnr(name: str, level: float) -> None:
    image = subjects.flat(level, 48, 51).float()
    assert float(score(name, image, image)) == math.inf


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


def test_pickles_small_even_after_use(item_name: str) -> None:
    """Ten times smaller than the suite asks, also where the weights are stand-ins and outside inference mode."""
    metric = build(item_name)
    images, references = (batch[:1].float() for batch in sample(item_name))
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
