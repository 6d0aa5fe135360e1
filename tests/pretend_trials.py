"""Everything of this suite that computes with tensors, tried on a device that is not the CPU (pretend.py).

In a process of its own: ``python tests/pretend_trials.py pairs``, or ``images``, ``sets``, ``bad``, ``restorers``,
``run FOLDER``. Prints one line of JSON per trial: what, its name, how far its numbers here and there are apart, and
where those of the device lay; or the error, or why it could not be tried.
"""

from __future__ import annotations

import importlib
import json
import math
import subprocess
import sys
import traceback
import types
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import pretend
import pytest
import torch
from ganiq.bench import registry, weights
from ganiq.bench.protocols import ExtractorInfo, MetricInfo
from ganiq.bench.types import Estimate
from ganiq.bench.vision import load, load_torchvision
from ganiq.metrics.conformance import examine, subjects
from ganiq.metrics.conformance.check import case_of
from ganiq.metrics.conformance.properties import PROPERTIES
from torch import Tensor

HERE = Path(__file__).resolve().parent


def tried(what: str, name: str, build: Callable[[], Callable[..., Any]], given: Callable[[], Sequence[Tensor]]) -> None:
    """One trial: the same on the CPU and on the device."""
    row: dict[str, Any] = {"what": what, "name": name}
    try:
        inputs = tuple(given())
        here = called(build(), inputs)
        with pretend.accelerator() as device:
            there = called(build(), [one.to(device) for one in inputs])
            row["where"] = there.device.type if isinstance(there, Tensor) else ""
            row |= {"numbers": len(numbers(here)), "apart": apart(numbers(here), numbers(there))}
    except (KeyError, weights.MissingWeights) as error:  # the former of stand_ins.py
        row["absent"] = f"not on this computer, and without a stand-in: {error}"
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        row["error"] = f"{type(error).__name__}: {' '.join(str(error).split())[:300]} ({last.filename}:{last.lineno})"
    told(row)


def helper(name: str) -> Any:
    """A module of tests/metrics or tests/bench."""
    return importlib.import_module(name)


def called(thing: Callable[..., Any], inputs: Sequence[Tensor]) -> Any:
    """As the harness calls it: on tensors from outside of the inference mode."""
    with torch.inference_mode():
        return thing(*inputs)


def numbers(answer: Any) -> list[float]:
    return [float(value) for value in (answer.flatten().tolist() if isinstance(answer, Tensor) else answer)]


def apart(here: list[float], there: list[float]) -> float | None:
    """Largest difference over the largest number; None where one has a number and the other has not."""
    pairs = [(a, b) for a, b in zip(here, there, strict=True) if repr(a) != repr(b)]
    if not all(math.isfinite(a) and math.isfinite(b) for a, b in pairs):
        return None
    return max((abs(a - b) for a, b in pairs), default=0.0) / max([abs(a) for a in here if math.isfinite(a)] or [1.0])


def told(row: dict[str, Any]) -> None:
    print(json.dumps(row), flush=True)


# --------------------------------------------------------------------------------- metrics


def pairs() -> None:
    """Every metric with a reference, on one and on two photographs."""
    _items("pair")


def images() -> None:
    """Every metric without one, likewise."""
    _items("image")


def _items(kind: str) -> None:
    with helper("stand_ins").instead():
        for case in (case_of(name, untrained=True) for name in registry.metrics.builtin):
            for count in (1, 2) if case.kind == kind else ():
                batches = case.pair if kind == "pair" else case.pair[:1]
                tried(f"{count}", case.name, case.factory, lambda b=batches, n=count: [x[:n].clone() for x in b])


def sets() -> None:
    """Every metric of sets, and every extractor of features."""
    with helper("stand_ins").instead(), _graph_instead():
        for case in (case_of(name, untrained=True) for name in registry.metrics.builtin):
            if case.kind == "set":
                tried("sets", case.name, lambda case=case: distances(case.factory()), lambda case=case: case.sets)
        for name in registry.extractors.builtin:
            factory = registry.extractors.get(name)
            tried("features", name, factory, lambda: [subjects.mixed(64, 67)[:2].float()])


@contextmanager
def _graph_instead() -> Iterator[None]:
    """Within: a stand-in for the one slot that is read as a graph, in the names of its file."""
    published = helper("test_metric_sets_dinov2").published
    real: Any = weights.graph

    def graph(slot: str) -> Any:
        if weights.present(slot):
            return real(slot)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(1)
            module = load("timm").create_model("vit_small_patch14_dinov2", pretrained=False, num_classes=0)
            return published({n: value + 0.02 * torch.randn(value.shape) for n, value in module.state_dict().items()})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(weights, "graph", graph)
        yield


def distances(metric: Any) -> Callable[..., list[float]]:
    """The number of a metric of sets, and its estimate's where it has one."""

    def call(generated: Tensor, real: Tensor) -> list[float]:
        estimate = getattr(metric, "estimate", None)
        found = estimate(generated, real) if callable(estimate) else None
        more = (found.value, found.low, found.high) if isinstance(found, Estimate) else ()
        return [metric(generated, real), *(value for value in more if value is not None)]

    return call


def bad() -> None:
    """What the shipped suite says of metrics that are wrong on a device, and of some that are right."""
    bad_metrics = helper("bad_metrics")
    (device,) = [one for one in PROPERTIES if one.name == "device"]
    subject = [bad_metrics.Rooted, bad_metrics.Grabbing, bad_metrics.Fetching, bad_metrics.Divided]
    with pretend.accelerator():
        for metric in (*subject, bad_metrics.Good, bad_metrics.GoodSet, "ssim", "kd-slkd"):
            case = case_of(metric)
            case.device = pretend.NAME
            row = examine(case, device)
            told({"name": case.name, "outcome": row.outcome, "sentence": row.sentence})


# --------------------------------------------------------------------------------- restorers


def restorers() -> None:
    """Every restorer that needs nothing of the user's on an image of the device; networks also computing there."""
    from ganiq.generators import OWN, realesrgan, running
    from ganiq.generators.srgan import restorer

    image = subjects.photographs(24, 27)[0].float()
    for name in registry.generators.builtin:
        if name in OWN:
            continue
        factory = registry.generators.get(name)
        if missing := [slot for slot in factory.info.weights if not weights.present(slot)]:
            told({"what": "image", "name": name, "absent": f"{missing[0]} is not on this computer"})
            continue
        tried("image", name, factory, lambda: [image])
        if not factory.info.weights:
            continue
        real = running.torch_device
        with pytest.MonkeyPatch.context() as patch:
            for module in (realesrgan, restorer):
                patch.setattr(
                    module,
                    "torch_device",
                    lambda wanted, name: pretend.NAME if wanted == "cuda" else real(wanted, name),
                )
            tried("network", name, lambda factory=factory: there_as_cuda(factory), lambda: [image])


def there_as_cuda(factory: Any) -> Callable[[Tensor], Tensor]:
    """The network on the device where the image lies there, else on the CPU."""
    return lambda image: factory(device="cuda" if image.device.type == pretend.NAME else "cpu")(image)


# --------------------------------------------------------------------------------- a whole run

seen: list[tuple[str, str]] = []
"""Who was handed what on which device."""


class Spy:
    info: ClassVar = MetricInfo("spy", "Spy", needs="pair", better="lower", bounds=(0.0, 1.0))

    def __call__(self, images: Tensor, references: Tensor) -> Tensor:
        seen.extend([("metric", images.device.type), ("metric", references.device.type)])
        return (images - references).abs().mean(dim=(1, 2, 3))


class SpyFeatures:
    info: ClassVar = ExtractorInfo("spy-features", "Means", 3)

    def __call__(self, images: Tensor) -> Tensor:
        seen.append(("extractor", images.device.type))
        return images.mean(dim=(2, 3))


class SpySet:
    info: ClassVar = MetricInfo("spy-set", "Distance of means", needs="set", better="lower", bounds=(0.0, 1e9))
    features = "spy-features"

    def __call__(self, generated: Tensor, real: Tensor) -> float:
        seen.extend([("set metric", generated.device.type), ("set metric", real.device.type)])
        return float((generated.mean(0) - real.mean(0)).norm())


def run(folder: Path) -> None:
    """A data set scored on the CPU and on the device: who was handed what."""
    from ganiq.bench import datasets, devices
    from ganiq.bench import run as runs
    from ganiq.bench.sweep import build

    plugin: Any = types.ModuleType("ganiq.spies")
    plugin.Spy, plugin.SpyFeatures, plugin.SpySet = Spy, SpyFeatures, SpySet
    sys.modules["ganiq.spies"] = plugin
    registry.metrics.builtin.update({"spy": "spies:Spy", "spy-set": "spies:SpySet"})  # type: ignore[attr-defined]
    registry.extractors.builtin["spy-features"] = "spies:SpyFeatures"  # type: ignore[index]
    data, real = helper("test_run").make_folder(folder / "data", references=3, levels=3), devices.found
    for wanted in ("cpu", "cuda"):
        seen.clear()
        document = {
            "data": data, "out": folder / wanted, "metrics": ("spy", "spy-set", "psnr", "gmsd", "brisque"),
            "engine": {"kind": "serial", "device": wanted},
        }  # fmt: skip
        with pytest.MonkeyPatch.context() as patch, pretend.accelerator():
            patch.setattr(devices, "found", lambda word: pretend.NAME if word == "cuda" else real(word))
            outcome = runs.run(build(document), datasets.load(data))
        told({"wanted": wanted, "seen": sorted(set(seen)), "counts": dict(outcome.counts)})


def main(arguments: Sequence[str]) -> None:
    sys.path += [str(HERE / "metrics"), str(HERE / "bench")]  # whose helpers some trials import
    torch.set_num_threads(1)
    load_torchvision()
    trials: dict[str, Callable[..., None]] = {
        "pairs": pairs, "images": images, "sets": sets, "bad": bad, "restorers": restorers, "run": run,
    }  # fmt: skip
    trials[arguments[0]](*map(Path, arguments[1:]))


def outcomes(*arguments: object) -> Iterator[dict[str, Any]]:
    """What the trials say, tried in a process of their own.

    Raises:
        AssertionError: that process failed.
    """
    done = subprocess.run(
        [sys.executable, __file__, *map(str, arguments)], capture_output=True, text=True, check=False, cwd=HERE
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return (json.loads(line) for line in done.stdout.splitlines())


if __name__ == "__main__":
    main(sys.argv[1:])
