"""``--device``: what it reaches, what is refused, and that it is recorded and changes no number."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from ganiq.bench import devices, scoring
from ganiq.bench import run as runs
from ganiq.bench.datasets import load
from ganiq.bench.engine import failure
from ganiq.bench.errors import UsageError
from ganiq.bench.generate import build as generation
from ganiq.bench.generate.parts import restorer
from ganiq.bench.images import Gate
from ganiq.bench.measure import measure
from ganiq.bench.spec import Spec
from ganiq.bench.sweep import build
from PIL import Image
from pretend_trials import outcomes
from test_run import make_folder
from torch import Tensor

REFUSAL = "ganiq: E-CFG there is no CUDA device here; use --device cpu\n"
without = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_folder(tmp_path_factory.mktemp("device") / "data", references=2, levels=3)


def ganiq(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ganiq", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


# --------------------------------------------------------------------------------- the option


def test_a_run_reaches_the_device_changes_nothing_and_says_so(tmp_path: Path) -> None:
    here, there = outcomes("run", tmp_path)
    assert {tuple(one) for one in here["seen"]} == {(who, "cpu") for who in ("metric", "extractor", "set metric")}
    assert {tuple(one) for one in there["seen"]} == {(who, "pretend") for who in ("metric", "extractor", "set metric")}
    assert here["counts"] == there["counts"]
    assert there["counts"]["ok"] == 3 * 3 * 4
    boards = [(tmp_path / word / "leaderboard.json").read_bytes() for word in ("cpu", "cuda")]
    assert boards[0] == boards[1]
    for word, device in (("cpu", "cpu"), ("cuda", "pretend")):
        for name in ("run.json", "timing.json"):
            assert json.loads((tmp_path / word / name).read_text())["machine"]["device"] == device


@without
@pytest.mark.parametrize("how", ["run", "sweep", "demo", "compare", "generate", "train", "evaluate"])
def test_cuda_where_there_is_none_is_refused_in_one_sentence(how: str, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (tmp_path / "sweep.toml").write_text(
        f'data = "{folder}"\nout = "{out}"\nmetrics = ["psnr"]\n[engine]\ndevice = "cuda"\n'
    )
    (tmp_path / "make.toml").write_text(f'references = "{folder}"\n[[degradation]]\nname = "n"\nrecipe = "blur"\n')
    arguments: dict[str, list[object]] = {
        "run": ["run", "--data", folder, "--out", out, "--metrics", "psnr", "--device", "cuda"],
        "sweep": ["run", tmp_path / "sweep.toml"],
        "demo": ["demo", "--out", out, "--device", "cuda"],
        "compare": ["compare", f"a={folder}", f"b={folder}", "-r", folder, "--out", out, "--device", "cuda"],
        "generate": ["generate", tmp_path / "make.toml", "--out", out, "--device", "cuda"],
        # Refused before anything is read: not even that there is no such data set is noticed.
        "train": ["train", "slkd-lite", "--data", tmp_path / "none", "--out", out, "--device", "cuda"],
        "evaluate": [
            "evaluate",
            "slkd-lite",
            "--splits",
            "2",
            "--data",
            tmp_path / "none",
            "--out",
            out,
            "--device",
            "cuda",
        ],
    }
    done = ganiq(*arguments[how])
    assert (done.returncode, done.stdout, done.stderr) == (2, "", REFUSAL)
    assert not out.exists()


def test_another_word_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="device"):
        build({"data": folder, "out": tmp_path, "engine": {"device": "tpu"}})
    with pytest.raises(UsageError, match="device"):
        generation({"out": tmp_path, "device": "tpu"})


def test_the_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert [devices.found("cpu"), devices.found("auto")] == ["cpu", "cpu"]
    with pytest.raises(UsageError, match="there is no CUDA device here; use --device cpu"):
        devices.found("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert [devices.found("cpu"), devices.found("auto"), devices.found("cuda")] == ["cpu", "cuda", "cuda"]


def test_a_graphics_card_has_one_worker_unless_told_otherwise(folder: Path, tmp_path: Path) -> None:
    def workers(device: str, **engine: Any) -> int:
        return runs._executor(build({"data": folder, "out": tmp_path, "engine": engine}), 100, device).workers

    assert workers("cuda") == 1
    assert workers("cuda", workers=3) == 3
    assert workers("cpu") == runs.threads.cores()


def test_the_device_is_no_part_of_the_identity(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = measure("ssim").digest
    monkeypatch.setattr(devices, "found", lambda wanted: "cpu")
    first = {"data": folder, "out": tmp_path, "metrics": ("psnr",), "engine": {"kind": "serial", "device": "cuda"}}
    second = first | {"engine": {"kind": "serial"}}
    computed = [runs.run(build(document), load(folder)).counts["computed"] for document in (first, second)]
    assert computed == [6, 0]
    assert measure("ssim").digest == before


def test_shortcuts_are_off_within_and_as_they_were_after() -> None:
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32
    matmul.allow_tf32 = True
    try:
        with devices.exact("cuda"):
            assert (matmul.allow_tf32, cudnn.allow_tf32, cudnn.deterministic) == (False, False, True)
        assert (matmul.allow_tf32, cudnn.allow_tf32, cudnn.deterministic) == (True, True, False)
    finally:
        matmul.allow_tf32 = before


# --------------------------------------------------------------------------------- what goes wrong there


class Spy:
    """Raises what it is told to, and remembers the device of its images."""

    error: ClassVar[Exception | None] = None
    seen: ClassVar[list[str]] = []

    def __call__(self, images: Tensor, references: Tensor | None = None) -> Tensor:
        self.seen.append(images.device.type)
        if self.error is not None:
            raise self.error
        return torch.zeros(1)


class AcceleratorError(RuntimeError):
    """What torch raises where a kernel has gone wrong; its own needs a device to be made."""


@pytest.fixture
def unit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """One image and one metric, the spy, on a device that has neither values nor memory."""
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / "a.png")
    monkeypatch.setattr(scoring, "_metric", lambda spec: Spy())
    monkeypatch.setattr(Spy, "seen", [])
    file = scoring.File("a.png", "")
    sha256 = scoring.read(tmp_path / "a.png", shown="a.png", gate=Gate(), root=tmp_path)[1].sha256
    file = scoring.File("a.png", sha256)
    task = scoring.Task(Spec("spy"), "0", "image", 1, (0.0, 1.0), "float32")
    return scoring.Unit("a", str(tmp_path), None, (scoring.Cell("a", file, (0,)),), (task,), Gate(), "meta")


def test_the_unit_says_where(unit: Any) -> None:
    (result,) = scoring.score(unit)
    assert [s.status for s in result.scores] == ["ok"]
    assert Spy.seen == ["meta"]


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        AcceleratorError("CUDA error: out of memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate(handle)"),
        MemoryError("no more"),
    ],
)
@pytest.mark.parametrize("where", ["metric", "move"])
def test_no_memory_there_is_the_row_it_is_elsewhere(
    error: Exception, where: str, unit: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*arguments: object) -> Any:
        raise error

    if where == "metric":
        monkeypatch.setattr(Spy, "error", error)
    else:
        monkeypatch.setattr(scoring, "as_tensor", fails)
    (result,) = scoring.score(unit)
    (row,) = result.scores
    assert (row.status, row.value) == ("failed", None)
    assert row.detail == f"E-OOM spy: out of memory ({error})"


def test_a_process_whose_device_is_broken_is_given_up(unit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    error = AcceleratorError("CUDA error: an illegal memory access was encountered")
    monkeypatch.setattr(Spy, "error", error)
    with pytest.raises(AcceleratorError):
        scoring.score(unit)
    assert failure(error).reason == "died"


# --------------------------------------------------------------------------------- restorers


def test_networks_without_a_device_of_their_own_get_the_command_s(tmp_path: Path) -> None:
    sweep = generation(
        {
            "out": tmp_path, "references": str(tmp_path),
            "restorer": [{"spec": "srgan-lite"}, {"spec": "srgan-lite(device='cpu')"}, {"spec": "bicubic"}],
        }
    )  # fmt: skip
    shrinks: Any = SimpleNamespace(name="x4", shrink=4.0)
    specs = [restorer(entry, tmp_path, [shrinks], "auto").spec for entry in sweep.restorers]
    assert specs == [
        "srgan-lite(device='auto',tile=256)",
        "srgan-lite(device='cpu',tile=256)",
        "bicubic(scale=4)",
    ]
