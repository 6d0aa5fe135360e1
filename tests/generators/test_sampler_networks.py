"""Samplers that run a generator network of the user's: TorchScript and ONNX, what they take, and what they say."""

from __future__ import annotations

import dataclasses
import importlib
import json
import pickle
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ganiq.bench import generate as generation
from ganiq.bench import registry, weights
from ganiq.bench.datasets import load
from ganiq.bench.errors import GaniqError, Refusal, UsageError
from ganiq.bench.protocols import Sampler
from ganiq.bench.spec import Spec
from ganiq.generators.running import Unusable
from ganiq.generators.samplers.dcgan import DCGANFaces
from ganiq.generators.samplers.onnx import OnnxSampler
from ganiq.generators.samplers.torchscript import TorchScriptSampler

LENGTH, CLASSES = 4, 3
WEIGHT = np.linspace(-0.4, 0.5, LENGTH * 12).astype(np.float32).reshape(LENGTH, 12)
CLASS = np.linspace(-1, 1, CLASSES * LENGTH).astype(np.float32).reshape(CLASSES, LENGTH)


def wanted(seed: int, label: int | None = None, spread: float = 1.0) -> torch.Tensor:
    """What the networks of this file draw, on NumPy alone."""
    latent = spread * np.random.Generator(np.random.PCG64(seed)).standard_normal(LENGTH)
    if label is not None:
        latent = latent + CLASS[label]
    answer = np.tanh(latent.astype(np.float32) @ WEIGHT).reshape(3, 2, 2)
    return torch.from_numpy(answer * 0.5 + 0.5).float()


# -------------------------------------------------------------------------------------------- TorchScript


class Plain(torch.nn.Module):
    """A latent of four numbers -> an image of 2x2 pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.from_numpy(WEIGHT.copy()))
        self.classes = torch.nn.Parameter(torch.from_numpy(CLASS.copy()))

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return torch.tanh(z.flatten(1) @ self.weight).reshape(-1, 3, 2, 2)


class Classes(Plain):
    """With a class as an integer, and an argument that has a default."""

    def forward(self, y: torch.Tensor, z: torch.Tensor, psi: float = 1.0) -> torch.Tensor:  # type: ignore[override]
        return torch.tanh((psi * z + self.classes[y]) @ self.weight).reshape(-1, 3, 2, 2)


class OneHot(Plain):
    def forward(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        return torch.tanh((first + second @ self.classes) @ self.weight).reshape(-1, 3, 2, 2)


class Optional(Plain):
    def forward(self, z: torch.Tensor, hue: torch.Tensor | None = None) -> torch.Tensor:
        shift = torch.zeros_like(z) if hue is None else self.classes[hue]
        return torch.tanh((z + shift) @ self.weight).reshape(-1, 3, 2, 2)


class Grey(Plain):
    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(z[:, :, None] * z[:, None, :])[:, None]


class Fixed(Plain):
    """Takes eight latents and nothing else."""

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return torch.tanh(z @ self.weight).reshape(8, 3, 2, 2)


class Loud(Plain):
    """Reaches somewhat beyond -1..1."""

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return torch.tanh(z @ self.weight).reshape(-1, 3, 2, 2).sign() * 1.3


class Noisy(Plain):
    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return torch.rand([z.shape[0], 3, 4, 4])


class Answers(Plain):
    """Gives whatever the test says."""

    def __init__(self, what: str) -> None:
        super().__init__()
        self.what = what

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        image = torch.tanh(z @ self.weight).reshape(-1, 3, 2, 2)
        if self.what == "flat":
            return image[0]
        if self.what == "last":
            return image.permute(0, 2, 3, 1).repeat(1, 3, 3, 1)
        if self.what == "nan":
            return image / torch.zeros_like(image)
        if self.what == "bytes":
            return (image * 127 + 128).to(torch.uint8)
        if self.what == "empty":
            return image[:, :, :0]
        if self.what == "fails":
            assert bool((z > 100).all()), "out of luck"
        return image


class Pair(Plain):
    def forward(self, z: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:  # type: ignore[override]
        return z, z


class Strange(Plain):
    def forward(self, z: torch.Tensor, steps: int) -> torch.Tensor:  # type: ignore[override]
        return z


class Three(Plain):
    def forward(self, z: torch.Tensor, y: torch.Tensor, w: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        return z


@pytest.fixture
def script(tmp_path: Path) -> Any:
    def save(module: torch.nn.Module, **parameters: Any) -> TorchScriptSampler:
        path = tmp_path / "gan.pt"
        with pytest.warns(DeprecationWarning, match="deprecated"):
            torch.jit.save(torch.jit.script(module), str(path))
        return TorchScriptSampler(path=str(path), **{"trust": True, "latent": LENGTH, **parameters})

    return save


def test_torchscript_draws_from_seed_and_says_what_it_is(script: Any) -> None:
    sampler = script(Plain())
    form: object = sampler
    assert isinstance(form, Sampler)
    for seed in (0, 7, 2**63):
        torch.testing.assert_close(sampler(seed), wanted(seed), rtol=0, atol=1e-6)
    assert torch.equal(sampler(7), sampler(7))
    assert torch.equal(pickle.loads(pickle.dumps(sampler))(7), sampler(7))
    assert sampler(7).is_contiguous() and sampler(7).dtype == torch.float32
    found = weights.find.hash_of(Path(sampler.path))
    assert sampler.identity == {"sha256": found, "device": "cpu"}
    assert (sampler.info.name, sampler.info.kind) == (f"gan@{found[:8]}", "sampler")
    assert sampler.info.title == "TorchScript generator in gan.pt"
    alike = TorchScriptSampler(path=sampler.path, trust=True, latent="4", spread=0.5)
    torch.testing.assert_close(alike(7), wanted(7, spread=0.5), rtol=0, atol=1e-6)
    spec = Spec.parse(f"torchscript-sampler(path={sampler.path!r}, latent='4x1x1', trust=True)")
    deep = registry.samplers.get(spec.name)(**spec.arguments)
    assert torch.equal(deep(7), sampler(7))


def test_a_torchscript_generator_runs_only_when_trusted(script: Any, tmp_path: Path) -> None:
    script(Plain())
    for path in (tmp_path / "gan.pt", tmp_path / "not even there.pt"):
        with pytest.raises(Unusable, match=r"E-GEN-TRUST .*runs its author's code; .*trust=True.*onnx-sampler"):
            TorchScriptSampler(path=str(path), latent=LENGTH)(0)


@pytest.mark.parametrize(
    ("module", "parameters"),
    [
        (Classes(), {}),
        (Classes(), {"classes": 3}),
        (OneHot(), {"label": "one-hot", "classes": 3, "label_input": "second"}),
        (Optional(), {"label_input": "hue"}),
    ],
    ids=["integer", "counted", "one-hot", "optional"],
)
def test_torchscript_takes_labels(script: Any, module: torch.nn.Module, parameters: dict[str, Any]) -> None:
    sampler = script(module, **parameters)
    for label in range(CLASSES):
        torch.testing.assert_close(sampler(3, label), wanted(3, label), rtol=0, atol=1e-6)
    with pytest.raises(UsageError, match=r"makes images of classes; name those you want in `labels`"):
        sampler(3)
    for label in (-1, 3, 2**40):
        counted = bool(parameters.get("classes"))
        words = "label" if counted or label < 0 or label > 2**31 else "E-GEN-ERROR gan.pt: it failed on seed 3, label 3"
        with pytest.raises(UsageError, match=words) as caught:
            sampler(3, label)
        assert "\n" not in str(caught.value)


def test_labels_that_nobody_asked_for(script: Any) -> None:
    for module in (Plain(), Optional()):
        with pytest.raises(UsageError, match="has no input for a class"):
            script(module)(0, 1)
    with pytest.raises(UsageError, match="takes no classes"):
        script(Plain(), classes=3)(0)


def test_grey_fixed_batches_and_ranges(script: Any) -> None:
    grey = script(Grey(), range="0..1")(5)
    assert grey.shape == (3, 4, 4)
    assert torch.equal(grey[0], grey[2])
    torch.testing.assert_close(script(Fixed(), batch=8)(5), wanted(5), rtol=0, atol=1e-6)
    with pytest.raises(Unusable, match="E-GEN-ERROR"):
        script(Fixed())(5)
    with pytest.raises(Unusable, match=r"E-GEN-VALUES gan.pt: its values for seed 5 reach from \S+ to \S+, far beyond"):
        script(Loud(), range="0..1")(5)
    assert torch.equal(script(Loud())(5), (wanted(5) > 0.5).float())


def test_random_numbers_of_the_network_follow_from_the_seed(script: Any) -> None:
    sampler, state = script(Noisy(), range="0..1"), torch.random.get_rng_state()
    first = sampler(1)
    assert torch.equal(first, sampler(1))
    assert not torch.equal(first, sampler(2))
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("flat", r"E-GEN-SHAPE gan.pt: it gave the shape \(3, 2, 2\) for 1 latent of the shape \(4,\)"),
        ("last", r"E-GEN-SHAPE gan.pt: it gave the shape \(1, 6, 6, 3\) \(channels last\)"),
        ("empty", "E-GEN-SHAPE gan.pt: it gave the shape"),
        ("bytes", r"E-GEN-SHAPE gan.pt: it gave torch.uint8"),
        ("nan", "E-GEN-NAN gan.pt: what it gave for seed 4 holds values that are not finite"),
        ("fails", r"E-GEN-ERROR gan.pt: it failed on seed 0 \(.*out of luck\)"),
    ],
)
def test_answers_that_are_no_image_are_one_sentence(script: Any, what: str, words: str) -> None:
    with pytest.raises(Unusable, match=words) as caught:
        script(Answers(what))(4)
    assert isinstance(caught.value, Refusal)
    assert "\n" not in str(caught.value)
    assert "not made" in str(caught.value)


@pytest.mark.parametrize(
    ("module", "words"),
    [
        (Pair(), "E-GEN-SHAPE gan.pt: it gave tuple"),
        (Strange(), "E-CKPT-KEYS gan.pt: its argument steps is int"),
        (Three(), r"E-CKPT-KEYS gan.pt: it has 3 inputs \(z, y, w\)"),
    ],
)
def test_networks_of_another_form_are_one_sentence(script: Any, module: torch.nn.Module, words: str) -> None:
    with pytest.raises(Refusal, match=words):
        script(module)(0)


@pytest.mark.parametrize(
    ("module", "parameters", "words"),
    [
        (Plain(), {"latent": ""}, "does not say how long its latents are; say it, e.g. latent=128"),
        (OneHot(), {}, "which of its inputs first and second is the class.*label_input='second'"),
        (OneHot(), {"label_input": "third"}, "names none of its inputs"),
        (Plain(), {"label_input": "z"}, "names none of its inputs beside the latent"),
        (OneHot(), {"label_input": "second", "label": "one-hot"}, "how many classes"),
    ],
)
def test_what_the_file_leaves_open_must_be_said(
    script: Any, module: torch.nn.Module, parameters: dict[str, Any], words: str
) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        script(module, **parameters)(0)
    assert caught.value.code == "E-CFG"


def test_files_that_are_no_torchscript(tmp_path: Path) -> None:
    path = tmp_path / "gan.pt"
    with pytest.raises(weights.BadWeights, match=r"E-CKPT-FORMAT gan\.pt"):
        TorchScriptSampler(path=str(path), latent=4, trust=True)(0)
    for content in (b"", b"text", b"PK\x03\x04"):
        path.write_bytes(content)
        with pytest.raises(weights.BadWeights, match=r"E-CKPT-FORMAT gan\.pt: it is no TorchScript archive") as caught:
            TorchScriptSampler(path=str(path), latent=4, trust=True)(0)
        assert "\n" not in str(caught.value)
    with pytest.raises(weights.BadWeights, match="E-CKPT-HASH"):
        TorchScriptSampler(path=str(path), latent=4, trust=True, sha256="0" * 64)(0)


@pytest.mark.parametrize(
    "parameters",
    [
        {"path": ""}, {"latent": "4x"}, {"latent": 0}, {"latent": -3}, {"latent": True}, {"latent": "a"},
        {"label": "word"}, {"label_input": 3}, {"range": "0..10"}, {"spread": -1}, {"spread": float("nan")},
        {"spread": "1"}, {"classes": -1}, {"classes": 1.5}, {"batch": True}, {"device": "tpu"}, {"sha256": "abc"},
    ],
    ids=str,
)  # fmt: skip
def test_parameters_are_checked(parameters: dict[str, Any]) -> None:
    for kind in (TorchScriptSampler, OnnxSampler):
        with pytest.raises(UsageError) as caught:
            kind(**{"path": "gan", **parameters})
        assert caught.value.code == "E-CFG"


def test_a_sweep_makes_samples_of_a_torchscript_file(script: Any, tmp_path: Path) -> None:
    script(Classes())
    spec = "torchscript-sampler(path='gan.pt', latent=4, classes=3, trust={})"
    document = {
        "out": tmp_path / "out",
        "base": tmp_path,
        "sampler": [
            {"spec": spec.format(True), "name": "mine", "count": 2, "labels": [0, 2], "family": "gan"},
            {"spec": spec.format(False), "name": "untrusted"},
        ],
    }
    outcome = generation.generate(generation.build(document))
    assert list(outcome.failed) == ["untrusted"]
    assert outcome.failed["untrusted"].startswith("E-GEN-TRUST gan.pt: ")
    assert outcome.items == 4
    record = json.loads((tmp_path / "out/generation.json").read_text())
    assert record["generators"][0]["files"]["sha256"] == weights.find.hash_of(tmp_path / "gan.pt")
    found = {item.key: item for item in load(tmp_path / "out").items}
    assert sorted(found) == ["mine/0/000000", "mine/0/000001", "mine/2/000000", "mine/2/000001"]
    assert generation.generate(generation.build(document)).made == 0


def test_the_page_on_samplers_names_what_there_is() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs/samplers.md").read_text(encoding="utf-8")
    sweep = generation.build(tomllib.loads(page.split("```toml\n")[1].split("```")[0]))
    specs = [Spec.parse(entry.spec) for entry in sweep.samplers]
    table = page.split("| spec |")[1].split("\n\n")[0].splitlines()[2:]
    specs += [Spec.parse(line.split("`")[1]) for line in table]
    assert {spec.name for spec in specs} == set(registry.samplers.builtin)
    for spec in specs:
        Spec.of(spec.name, registry.samplers.get(spec.name), spec.arguments)
    told = {line.split("`")[1] for line in page.split("| parameter |")[1].split("\n\n")[0].splitlines()[2:]}
    assert told == {field.name for field in dataclasses.fields(OnnxSampler)} - {"path"}


def test_the_latent_is_that_of_dcgan_faces(tmp_path: Path) -> None:
    """The same network, once by its weights in the slot and once as a traced archive, draws the same images."""
    from ganiq.generators.samplers.dcgan_net import Generator

    with torch.random.fork_rng():
        torch.manual_seed(0)
        own = Generator().eval()
    torch.save({"netG_state_dict": own.state_dict()}, tmp_path / "weights.tar")
    digest = weights.find.hash_of(tmp_path / "weights.tar")
    with pytest.warns(DeprecationWarning, match="deprecated"):
        torch.jit.save(torch.jit.trace(own, torch.zeros(1, 100, 1, 1)), str(tmp_path / "gan.pt"))
    sampler = TorchScriptSampler(path=str(tmp_path / "gan.pt"), latent="100x1x1", trust=True)
    weights.configure({"dcgan/faces": {"path": str(tmp_path / "weights.tar"), "sha256": digest}})
    try:
        torch.testing.assert_close(sampler(3), DCGANFaces()(3), rtol=0, atol=1e-5)
    finally:
        weights.configure(None)


# --------------------------------------------------------------------------------------------------- ONNX


def onnx_bytes(
    *,
    latent: list[Any] | None = None,
    label: list[Any] | None = None,
    label_type: str = "INT64",
    names: tuple[str, str] = ("z", "y"),
    kind: str = "FLOAT",
    last: str = "",
    random: bool = False,
    external: str = "",
    extra: int = 0,
) -> bytes:
    """The same network written with onnx itself."""
    onnx: Any = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    helper, types, arrays = onnx.helper, onnx.TensorProto, importlib.import_module("onnx.numpy_helper")
    z, y = names
    weight = arrays.from_array(WEIGHT, "weight")
    if external:
        weight.ClearField("raw_data")
        weight.data_location = types.EXTERNAL
        for key, text in (("location", external), ("offset", "0"), ("length", str(WEIGHT.nbytes))):
            entry = weight.external_data.add()
            entry.key, entry.value = key, text
    constants = [
        weight,
        arrays.from_array(CLASS, "classes"),
        arrays.from_array(np.array([-1, 3, 2, 2]), "shape"),
        arrays.from_array(np.array([-1, LENGTH]), "rows"),
    ]
    latent = ["n", LENGTH] if latent is None else latent
    sources = [helper.make_tensor_value_info(z, getattr(types, kind), latent)]
    nodes, seen = [helper.make_node("Cast", [z], ["float"], to=types.FLOAT)], "float"
    nodes.append(helper.make_node("Reshape", ["float", "rows"], ["flat"]))
    seen = "flat"
    if random:
        nodes.append(helper.make_node("RandomNormalLike", [seen], ["noise"]))
        nodes.append(helper.make_node("Add", [seen, "noise"], ["noisy"]))
        seen = "noisy"
    if label is not None:
        sources.insert(0, helper.make_tensor_value_info(y, getattr(types, label_type), label))
        if label_type == "FLOAT":
            nodes.append(helper.make_node("MatMul", [y, "classes"], ["moved"]))
        else:
            nodes.append(helper.make_node("Gather", ["classes", y], ["picked"], axis=0))
            nodes.append(helper.make_node("Reshape", ["picked", "rows"], ["moved"]))
        nodes.append(helper.make_node("Add", [seen, "moved"], ["shifted"]))
        seen = "shifted"
    sources += [helper.make_tensor_value_info(f"more{n}", types.FLOAT, [1]) for n in range(extra)]
    nodes.append(helper.make_node("MatMul", [seen, "weight"], ["mixed"]))
    nodes.append(helper.make_node("Tanh", ["mixed"], ["bent"]))
    nodes.append(helper.make_node("Reshape", ["bent", "shape"], ["image"]))
    outputs = ["image"]
    if last == "transpose":
        nodes.append(helper.make_node("Transpose", ["image"], ["last"], perm=[0, 2, 3, 1]))
        outputs = ["last"]
    elif last == "nan":
        nodes.append(helper.make_node("Sub", ["image", "image"], ["nought"]))
        nodes.append(helper.make_node("Div", ["nought", "nought"], ["nan"]))
        outputs = ["nan"]
    elif last == "flat":
        outputs = ["bent"]
    elif last == "two":
        outputs = ["image", "bent"]
    elif last == "bytes":
        nodes.append(helper.make_node("Cast", ["image"], ["bytes"], to=types.UINT8))
        outputs = ["bytes"]
    out = types.UINT8 if last == "bytes" else types.FLOAT
    answers = [helper.make_tensor_value_info(name, out, None) for name in outputs]
    graph = helper.make_graph(nodes, "gan", sources, answers, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    return model.SerializeToString()


def onnx(tmp_path: Path, parameters: dict[str, Any] | None = None, **options: Any) -> OnnxSampler:
    path = tmp_path / "gan.onnx"
    path.write_bytes(onnx_bytes(**options))
    return OnnxSampler(path=str(path), **(parameters or {}))


@pytest.mark.parametrize(
    ("latent", "parameters"),
    [
        (["n", 4], {}),
        ([1, 4, 1, 1], {}),
        (["n", 4, 1, 1], {"latent": "4x1x1"}),
        ([8, 4], {}),
        ([8, 4], {"batch": 8}),
        (["n", 4], {"batch": 3}),
        (["n", "length"], {"latent": 4}),
    ],
)
def test_onnx_says_itself_what_it_takes(tmp_path: Path, latent: list[Any], parameters: dict[str, Any]) -> None:
    sampler = onnx(tmp_path, parameters, latent=latent)
    for seed in (0, 7):
        torch.testing.assert_close(sampler(seed), wanted(seed), rtol=0, atol=1e-5)
    assert torch.equal(sampler(7), sampler(7))


def test_onnx_by_its_spec_and_what_it_says_of_itself(tmp_path: Path) -> None:
    sampler = onnx(tmp_path)
    form: object = sampler
    assert isinstance(form, Sampler)
    spec = Spec.parse(f"onnx-sampler(path={sampler.path!r})")
    assert registry.samplers.get(spec.name)(**spec.arguments) == sampler
    found = sampler.identity
    assert found["sha256"] == weights.find.hash_of(Path(sampler.path))
    assert found["provider"] == "CPUExecutionProvider"
    assert sampler.info.title == "ONNX generator in gan.onnx"
    assert torch.equal(pickle.loads(pickle.dumps(sampler))(7), sampler(7))
    with pytest.raises(UsageError, match="no input for a class"):
        sampler(7, 0)


@pytest.mark.parametrize(
    ("label", "kind", "names", "parameters"),
    [
        (["n"], "INT64", ("z", "anything"), {}),
        (["n"], "INT32", ("z", "y"), {}),
        (["n", 1], "INT64", ("z", "y"), {"classes": 3}),
        (["n", 3], "FLOAT", ("z", "y"), {}),
        (["n", 3], "FLOAT", ("noise", "class_vector"), {"label": "one-hot", "classes": 3}),
        (["n", 3], "FLOAT", ("a", "b"), {"label_input": "b"}),
        (["n", "k"], "FLOAT", ("z", "y"), {"classes": 3}),
    ],
)
def test_onnx_takes_labels(
    tmp_path: Path, label: list[Any], kind: str, names: tuple[str, str], parameters: dict[str, Any]
) -> None:
    sampler = onnx(tmp_path, parameters, label=label, label_type=kind, names=names)
    for one in range(CLASSES):
        torch.testing.assert_close(sampler(3, one), wanted(3, one), rtol=0, atol=1e-5)
    with pytest.raises(UsageError, match="name those you want in `labels`"):
        sampler(3)
    with pytest.raises(UsageError, match=r"3 classes, 0 to 2, and label 3|it failed on seed 3, label 3") as caught:
        sampler(3, 3)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "parameters", "words"),
    [
        ({"latent": ["n", "length"]}, {}, r"has the shape \?x\? and leaves the latent open"),
        ({}, {"latent": 5}, r"has the shape \?x4, batch first, and latent=5 does not fit"),
        ({}, {"latent": "4x1"}, "does not fit"),
        ({"latent": [8, 4]}, {"batch": 4}, "4 and 8 images at once"),
        ({"label": ["n", 3], "label_type": "FLOAT", "names": ("a", "b")}, {}, "which of its inputs b and a"),
        ({"label": ["n", 3], "label_type": "FLOAT"}, {"classes": 4}, "it has 3 classes, and classes=4"),
        ({"label": ["n", "k"], "label_type": "FLOAT"}, {}, "say classes="),
        ({"label": ["n"]}, {"label": "one-hot"}, "takes integer labels"),
        ({}, {"label_input": "y"}, "names none of its inputs"),
    ],
)
def test_onnx_and_parameters_that_contradict_each_other(
    tmp_path: Path, options: dict[str, Any], parameters: dict[str, Any], words: str
) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        onnx(tmp_path, parameters, **options)(0)
    assert caught.value.code == "E-CFG"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"kind": "FLOAT16"}, "E-CKPT-KEYS gan.onnx: its input z is float16"),
        ({"latent": [4]}, "E-CKPT-KEYS gan.onnx: its input z has the shape 4, which leaves no room"),
        ({"latent": ["n", 2**40]}, "E-CKPT-KEYS gan.onnx: a batch of 1 latents .* is larger"),
        ({"label": ["n", 3, 1]}, "neither integers nor one-hot"),
        ({"label": ["n"], "label_type": "STRING"}, "E-CKPT-(KEYS|FORMAT) gan.onnx"),
        ({"extra": 2}, r"E-CKPT-KEYS gan.onnx: it has 3 inputs \(z, more0, more1\)"),
        ({"last": "two"}, "E-CKPT-KEYS gan.onnx: it has 2 outputs"),
        ({"last": "flat"}, r"E-GEN-SHAPE gan.onnx: it gave the shape \(1, 12\)"),
        ({"last": "transpose"}, r"E-GEN-SHAPE gan.onnx: it gave the shape \(1, 2, 2, 3\)"),
        ({"last": "bytes"}, "E-GEN-SHAPE gan.onnx: it gave torch.uint8"),
        ({"last": "nan"}, "E-GEN-NAN gan.onnx: what it gave for seed 0"),
    ],
    ids=str,
)
def test_onnx_of_another_form_is_one_sentence(tmp_path: Path, options: dict[str, Any], words: str) -> None:
    with pytest.raises(Refusal, match=words) as caught:
        onnx(tmp_path, **options)(0)
    assert "\n" not in str(caught.value)


def test_an_onnx_generator_never_reads_other_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "secret").write_bytes(bytes(WEIGHT.nbytes))
    for place in ("secret", str(tmp_path / "secret"), "../secret"):
        with pytest.raises(weights.BadWeights, match=r"E-CKPT-UNSAFE gan.onnx: .*other files"):
            onnx(tmp_path, external=place)(0)


def test_damaged_and_missing_onnx_files(tmp_path: Path) -> None:
    whole = onnx_bytes()
    path = tmp_path / "gan.onnx"
    with pytest.raises(weights.BadWeights, match=r"E-CKPT-FORMAT gan\.onnx"):
        OnnxSampler(path=str(path))(0)
    for content in (b"", b"text", whole[: len(whole) // 2]):
        path.write_bytes(content)
        with pytest.raises(weights.BadWeights, match=r"E-CKPT-FORMAT gan\.onnx: onnxruntime cannot load it"):
            OnnxSampler(path=str(path))(0)


def test_an_onnx_generator_with_chance_of_its_own_is_not_used(tmp_path: Path) -> None:
    onnx(tmp_path, random=True)
    document = {"out": tmp_path / "out", "base": tmp_path, "sampler": [
        {"spec": "onnx-sampler(path='gan.onnx')", "count": 2},
    ]}  # fmt: skip
    with pytest.raises(GaniqError, match="E-NONDET onnx-sampler/000000: the same seed gave two images"):
        generation.generate(generation.build(document))


def test_without_onnxruntime_a_sampler_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(Unusable, match=r"E-GEN-PACKAGE gan.onnx: .*; not made; run `pip install 'ganiq\[onnx\]'`"):
        OnnxSampler(path="gan.onnx")(0)
