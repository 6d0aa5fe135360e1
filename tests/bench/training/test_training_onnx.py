"""Evaluators as ONNX files: one file, any number of images, the network's own scores, or none."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ganiq.bench.errors import IntegrityError, UsageError
from ganiq.bench.training import export, seam

LACKING = [name for name in export.ONNX_PACKAGES if importlib.util.find_spec(name) is None]
needs = pytest.mark.skipif(bool(LACKING), reason=f"needs pip install {' '.join(LACKING)}")
CROP = 64


def network(**spec: Any) -> Any:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        return seam.network({"pretrained": False, "backbone": "lite2", **spec}).eval()


@needs
@pytest.mark.parametrize(
    ("spec", "patches"),
    [
        ({"net": "slkd", "role": "NR"}, 1),
        pytest.param({"net": "ysgan", "role": "FR"}, 2, marks=pytest.mark.slow),
    ],
)
def test_the_graph_scores_as_the_network_does(spec: dict[str, Any], patches: int, tmp_path: Path) -> None:
    runtime = importlib.import_module("onnxruntime")
    model, aux = network(**spec), spec["role"] == "FR"
    export.onnx(model, tmp_path / "net.onnx", CROP, patches, aux)
    assert [path.name for path in tmp_path.iterdir()] == ["net.onnx"]  # no weights beside it
    session = runtime.InferenceSession(tmp_path / "net.onnx", providers=["CPUExecutionProvider"])
    for count in (1, 4):
        views = [torch.rand(count, patches, 3, CROP, CROP) for _ in range(1 + aux)]
        (found,) = session.run(["score"], dict(zip(("images", "references"), (v.numpy() for v in views))))
        with torch.no_grad():
            wanted = model(seam.views(x=views[0], aux=views[1] if aux else None))["score"].numpy()
        assert found.shape == (count,)
        assert found == pytest.approx(wanted, abs=1e-4)


@needs
def test_a_graph_that_scores_otherwise_is_not_written(tmp_path: Path) -> None:
    class Drifting(torch.nn.Module):
        """Another answer in the graph than outside of it."""

        def forward(self, views: Any) -> dict[str, torch.Tensor]:
            return {"score": views.x.mean(dim=(1, 2, 3, 4)) + 0.01 * torch.compiler.is_exporting()}

    with pytest.raises(IntegrityError, match=r"E-EXPORT net\.onnx: the graph's scores are up to 0\.01 from") as caught:
        export.onnx(Drifting(), tmp_path / "net.onnx", CROP, 1, False)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


@needs
def test_what_onnx_lacks_is_said_in_one_sentence(tmp_path: Path) -> None:
    class Foreign(torch.nn.Module):
        """Leaves torch on the way."""

        def forward(self, views: Any) -> dict[str, torch.Tensor]:
            return {"score": torch.from_numpy(np.sort(views.x.mean(dim=(1, 2, 3, 4)).numpy()))}

    with pytest.raises(UsageError, match=r"cannot be written as ONNX .*; use \.safetensors") as caught:
        export.onnx(Foreign(), tmp_path / "net.onnx", CROP, 1, False)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_without_the_packages_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match="needs three packages: pip install onnx onnxscript onnxruntime"):
        export.onnx(network(net="slkd"), tmp_path / "net.onnx", CROP, 1, False)
