"""The shipped suite itself: good metrics pass, and every promise that can be broken is seen to be caught."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import bad_metrics as bad
import pytest
import torch
from ganiq.bench import registry, weights
from ganiq.bench.errors import UsageError
from ganiq.bench.spec import Spec
from ganiq.metrics.conformance import PROPERTIES, Broken, check, conforms, examine, subjects, suited
from ganiq.metrics.conformance.check import Check, case_of

OTHERS = {"fresh-process", "pickling"}
"""Both compare with another process."""

BREAKS: list[tuple[Any, set[str], str]] = [
    # what is broken, the properties that must fail, words of the first one's sentence
    (bad.Nameless, {"info"}, "MetricInfo"),
    (bad.Untitled, {"info"}, "title"),
    (bad.Needy, {"info"}, "info.needs is 'both'"),
    (bad.Undirected, {"info"}, "higher or lower"),
    (bad.Imprecise, {"info"}, "float32 or float64"),
    (bad.Roleless, {"info"}, "quality or control"),
    (bad.Unbounded, {"info"}, "lowest, highest"),
    (bad.Negative, {"info"}, "info.least is 0"),
    (bad.Uncited, {"info"}, "doi:10"),
    (bad.Clipped, {"info"}, "full stop"),
    (bad.Unlicensed, {"info"}, "licence"),
    (bad.Licensed, {"info"}, "no weights"),
    (bad.Weighty, {"info"}, "no/such-slot"),
    (bad.Featureless, {"info"}, "no-such-extractor"),
    (bad.Demanding, {"parameters"}, "strength"),
    (bad.Loose, {"parameters"}, "frozen"),
    (bad.Listed, {"parameters"}, "scales is (1, 2)"),
    (bad.Endless, {"parameters"}, "limit is inf"),
    (bad.Incomparable, {"parameters"}, "not equal to itself"),
    (bad.Hiding, {"parameters"}, "hidden"),
    (bad.Uncallable, {"protocol"}, "__call__"),
    (bad.Narrow, {"protocol"}, "2 tensors"),
    (bad.WrongShape, {"answer"}, "tensor () of float64"),
    (bad.Complex, {"answer"}, "complex128"),
    (bad.Inventive, {"answer"}, "0 images"),
    (bad.TensorOfSets, {"answer"}, "return a float"),
    (bad.Crashing, {"answer"}, "RuntimeError: shapes do not fit"),
    (bad.Exiting, {"answer"}, "SystemExit: enough"),
    (bad.Choosy, {"answer"}, "4096"),
    (bad.OutOfBounds, {"bounds", "flat-images"}, "outside info.bounds (0.0, 0.2)"),
    (bad.Undefined, {"bounds"}, "nan for a negative"),
    (bad.FarSets, {"bounds"}, "2 deviations"),
    (bad.WrongWay, {"identity", "direction"}, "identical images must score best"),
    (bad.WrongWaySet, {"identity", "direction"}, "equal sets"),
    (bad.Undetermined, {"identity", "direction"}, "give the best value"),
    (bad.Coarse, {"direction"}, "growing noise"),
    (bad.Comparing, {"batches"}, "in a batch and alone"),
    (bad.Counting, {"batches"}, "in a batch and alone"),
    (bad.Ordered, {"permutation"}, "real images in another order"),
    (bad.Rolling, {"batches", "determinism", "reused-buffers", *OTHERS}, "in a batch"),
    (bad.RollingSet, {"permutation", "determinism", "reused-buffers", *OTHERS}, "no order"),
    (bad.Remembering, {"reused-buffers"}, "held something else before"),
    (bad.RememberingSet, {"reused-buffers"}, "held something else before"),
    (bad.Drawing, {"global-random"}, "state of torch;"),
    (bad.Seeding, {"global-random"}, "torch and numpy.random and random"),
    (bad.SeedingSet, {"global-random"}, "numpy.random"),
    (bad.DrawingOnce, {"global-random"}, "first use in a process"),
    (bad.Homesick, OTHERS, "in a fresh process"),
    (bad.Clinging, OTHERS, "where am I?"),
    (bad.Dying, OTHERS, "exit code 7"),
    (bad.local(), OTHERS, "top of a module"),
    (bad.Unpicklable, {"pickling"}, "cannot pickle a handle"),
    (bad.Growing, {"pickling"}, "after use"),
    (bad.Forgetful, {"pickling"}, "not equal to itself"),
    (bad.Mutating, {"determinism", "inputs-unchanged"}, "called three times"),
    (bad.MutatingImage, {"determinism", "inputs-unchanged"}, "called three times"),
    (bad.MutatingSet, {"determinism", "inputs-unchanged"}, "called three times"),
    (bad.Greedy, {"settings"}, "get_num_threads()"),
    (bad.Switching, {"settings"}, "default_dtype"),
    (bad.Wandering, {"settings"}, "working folder"),
    (bad.Silencing, {"settings"}, "geterr"),
    (bad.Cancelling, {"precision"}, "compute in float64, and declare it"),
    (bad.OnlyDouble, {"precision"}, "float32 images make it fail"),
    (bad.Halving, {"odd-sizes"}, "14x9 pixels end in RuntimeError"),
    (bad.Dishonest, {"odd-sizes", "least"}, "14x1 pixels end in RuntimeError"),
    (bad.Vague, {"least"}, "say that 16 pixels are needed"),
    (bad.Rude, {"least"}, "IndexError"),
    (bad.Dividing, {"flat-images"}, "ZeroDivisionError"),
    (bad.Exploding, {"flat-images"}, "-1.0"),
    (bad.Colourful, {"gray-images"}, "nan"),
    (bad.Hasty, {"few-images"}, "no generated image"),
    (bad.Mumbling, {"few-images"}, "say how many"),
    (bad.Stumbling, {"few-images"}, "IndexError"),
    (bad.Inverting, {"flat-sets"}, "give a value, NaN or a ValueError"),
]


@pytest.mark.parametrize(("metric", "properties", "words"), BREAKS, ids=[entry[0].__name__ for entry in BREAKS])
def test_a_broken_promise_is_caught_by_the_right_property(metric: Any, properties: set[str], words: str) -> None:
    threads = torch.get_num_threads(), torch.get_default_dtype(), os.getcwd()
    rows = check(metric)
    failed = [row for row in rows if row.outcome == "failed"]
    assert {row.property for row in failed} == properties, {row.property: row.sentence for row in failed}
    assert words in failed[0].sentence
    assert "\n" not in failed[0].sentence
    assert (torch.get_num_threads(), torch.get_default_dtype(), os.getcwd()) == threads


def test_every_property_is_seen_to_fail() -> None:
    here = set().union(*(properties for _, properties, _ in BREAKS))
    assert here | {"device"} == {p.name for p in PROPERTIES}  # that one in test_metric_devices.py


@pytest.mark.parametrize("metric", [bad.Good, bad.GoodImage, bad.GoodSet])
def test_good_metrics_pass(metric: Any) -> None:
    rows = check(metric)
    assert {row.property: row.sentence for row in rows if row.outcome == "failed"} == {}
    skipped = {row.property for row in rows if row.outcome == "skipped"}
    assert skipped == ({"direction"} if metric is bad.GoodImage else set())
    there = [p for p in PROPERTIES if p.name != "device" or torch.cuda.is_available()]
    assert [row.property for row in rows] == [p.name for p in there if metric.info.needs in p.kinds]


@conforms(bad.Good, "mse")
def test_the_decorator_makes_one_test_of_each_property(check: Check) -> None:
    check()


def test_the_decorator_tells_what_is_broken() -> None:
    (mark,) = [conforms(bad.OutOfBounds)]
    checks = {one.property.name: one for one in mark.args[1]}
    with pytest.raises(Broken, match=r"out-of-bounds, bounds: it gave .* outside info.bounds"):
        checks["bounds"]()
    with pytest.raises(pytest.skip.Exception, match="not checked, because answer failed"):
        {one.property.name: one for one in conforms(bad.Crashing).args[1]}["bounds"]()


def test_what_a_metric_raises_can_be_traced() -> None:
    (row,) = [row for row in check(bad.Crashing) if row.outcome == "failed"]
    assert isinstance(row.error, RuntimeError)
    assert "error" not in row.document()


def test_a_metric_under_another_name_is_caught() -> None:
    case = case_of(bad.Misnamed)
    case.name = "misnamed"
    row = examine(case, PROPERTIES[0])
    assert (row.outcome, row.property) == ("failed", "info")
    assert "registered as 'misnamed'" in row.sentence
    assert {examine(case, p).outcome for p in suited(case)[1:]} == {"skipped"}


def test_missing_weights_skip_what_depends_on_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "present", lambda slot: False)
    rows = check("lpips-alex")
    assert [row.property for row in rows if row.outcome == "passed"] == ["info", "parameters", "protocol"]
    skipped = [row for row in rows if row.outcome == "skipped"]
    assert len(skipped) + 3 == len(rows)
    assert all(row.sentence.startswith("needs weights: `ganiq weights get") for row in skipped)


def test_unknown_metric() -> None:
    with pytest.raises(UsageError, match="did you mean ssim"):
        check("ssimm")


METRIC = """
from dataclasses import dataclass
from typing import ClassVar
from ganiq.bench.protocols import MetricInfo
from ganiq.metrics.conformance import check

@dataclass(frozen=True)
class Mine:
    info: ClassVar = MetricInfo(
        "mine", "Mine", needs="pair", better="lower", bounds=(0.0, 1.0), cite="unpublished"
    )

    def __call__(self, images, references=None, /):
        return (images - references).abs().mean(dim=(1, 2, 3))
"""


@pytest.mark.parametrize("guard", ["if __name__ == '__main__':\n    ", ""])
def test_in_a_script(tmp_path: Path, guard: str) -> None:
    """Other processes run the script again; without a guard, with all that it does."""
    line = "print(*sorted({f'{r.property}-{r.outcome}' for r in check(Mine) if r.outcome != 'passed'}), 'end')\n"
    script = tmp_path / "script.py"
    script.write_text(METRIC + guard + line)
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "end"
    typed = subprocess.run(
        [sys.executable, "-"], input=METRIC + guard + line, capture_output=True, text=True, check=False
    )
    assert typed.returncode == 0
    assert typed.stdout == "fresh-process-skipped global-random-skipped pickling-skipped end\n"


# --------------------------------------------------------------------------------- parameters


@pytest.mark.parametrize("text", ["ssim(window=21,downsample=False)", "psnr(crop=12)"])
def test_a_metric_with_parameters_is_tried_with_them(text: str) -> None:
    case = case_of(text)
    spec = Spec.parse(text)
    assert case.metric == registry.metrics.get(spec.name)(**spec.arguments)
    assert {row.property: row.sentence for row in check(text) if row.outcome != "passed"} == {}
    assert case.least == {"ssim": 21, "psnr": 25}[spec.name] != case.info.least


def test_parameters_of_a_set_metric() -> None:
    case = case_of("density(k=7,n=150,least_n=110)")
    assert (case.kind, case.metric.k, case.metric.n) == ("set", 7, 150)
    assert {row.property for row in (examine(case, p) for p in suited(case)) if row.outcome == "failed"} == set()


@pytest.mark.parametrize(("text", "words"), [("ssim(width=7)", "its parameters are"), ("ssim(7)", "must be named")])
def test_wrong_parameters_are_refused(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=f"ssim.*({words}|write parameters)"):
        case_of(text)


# --------------------------------------------------------------------------------- subjects


def test_subjects_are_what_they_say() -> None:
    references = subjects.photographs(96, 103)
    assert references.shape == (3, 3, 96, 103)
    for kind in subjects.KINDS:
        distances = [float((subjects.degraded(kind, n, 96, 103) - references).square().mean()) for n in subjects.LEVELS]
        assert distances == sorted(distances)
        assert distances[0] > 0
    assert float(subjects.photographs(700, 701).std()) > 0.1  # larger than the photographs: enlarged
    gray = subjects.gray(references)
    assert torch.equal(gray[:, 0], gray[:, 2])
    with pytest.raises(ValueError, match="choose one of blur, noise, jpeg"):
        subjects.degrade(subjects.crops(8, 8)[0], "fog", 1)


def test_subjects_touch_no_random_state() -> None:
    state = torch.get_rng_state()
    for make in (subjects.degraded, subjects.texture, subjects.noise, subjects.features):
        make.cache_clear()
    subjects.degraded("noise", 1, 20, 21)
    subjects.texture(9, 9, 1)
    subjects.noise(9, 9)
    subjects.features(5, 3, 1)
    assert torch.equal(state, torch.get_rng_state())


# --------------------------------------------------------------------------------- pytest


def _pytest(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A third party's test run; the plug-in is named, so that it need not have been installed by name."""
    return subprocess.run(
        [
            sys.executable, "-m", "pytest", "-p", "ganiq.metrics.conformance.plugin", "-p", "no:cacheprovider",
            "--color=no", "-rfs", *arguments,
        ],
        cwd=folder, env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_the_option_adds_a_test_per_property(tmp_path: Path) -> None:
    (tmp_path / "test_theirs.py").write_text("def test_theirs():\n    pass\n")
    done = _pytest(tmp_path, "-v", "--ganiq-metric", "tv", "--ganiq-metric", "mse", "-k", "direction or info or theirs")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "test_theirs.py::test_theirs PASSED" in done.stdout
    assert "ganiq-metric/tv::info PASSED" in done.stdout
    assert "ganiq-metric/mse::direction PASSED" in done.stdout
    assert "a control" in done.stdout
    assert "4 passed, 1 skipped" in done.stdout


def test_the_option_refuses_what_does_not_exist(tmp_path: Path) -> None:
    done = _pytest(tmp_path, "--ganiq-metric", "ssimm")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "did you mean ssim" in done.stderr


def test_the_plugin_loads_no_torch(tmp_path: Path) -> None:
    (tmp_path / "test_light.py").write_text(
        "import sys\ndef test_light():\n    assert not {'torch', 'numpy', 'PIL'} & set(sys.modules)\n"
    )
    done = _pytest(tmp_path)
    assert done.returncode == 0, done.stdout


def test_the_suite_needs_pytest_only_for_tests() -> None:
    code = (
        "import sys\nfrom ganiq.metrics.conformance import check\n"
        "heavy = {'torch', 'numpy', 'PIL', 'pytest'} & set(sys.modules)\nassert not heavy, heavy\n"
        "sys.modules['pytest'] = None\n"
        "if __name__ == '__main__':\n    assert all(row.outcome == 'passed' for row in check('mse'))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
