"""Restorers of the user's that are programs: ONNX, TorchScript, Python functions and command lines."""

from __future__ import annotations

import importlib.util
import io
import json
import os
import pickle
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ganiq.bench import registry, weights
from ganiq.bench.errors import Refusal, UsageError
from ganiq.bench.protocols import Restorer
from ganiq.bench.spec import Spec
from ganiq.generators.base import restore
from ganiq.generators.command import Command
from ganiq.generators.entry import Python
from ganiq.generators.onnx import Onnx
from ganiq.generators.running import Unusable
from ganiq.generators.torchscript import TorchScript


def picture(height: int = 21, width: int = 34) -> torch.Tensor:
    return torch.rand(3, height, width, generator=torch.Generator().manual_seed(0))


def doubled(image: torch.Tensor) -> torch.Tensor:
    return image.repeat_interleave(2, 1).repeat_interleave(2, 2)


class Bright(torch.nn.Module):
    """A convolution that looks one pixel far, on values up to ``top``, and every pixel doubled."""

    def __init__(self, top: float = 1.0) -> None:
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 3, 3, padding=1)
        with torch.no_grad():
            self.conv.weight.copy_(torch.linspace(0, 0.07, 81).reshape(3, 3, 3, 3))
            self.conv.bias.fill_(0.01 * top)  # type: ignore[union-attr]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x).repeat_interleave(2, 2).repeat_interleave(2, 3)


def expected(image: torch.Tensor, module: torch.nn.Module | None = None) -> torch.Tensor:
    with torch.no_grad():
        return (module or Bright())(image[None])[0].clamp(0, 1)


# -------------------------------------------------------------------------------------------- TorchScript


def script(module: torch.nn.Module, path: Path) -> Path:
    with pytest.warns(DeprecationWarning, match="deprecated"):
        torch.jit.save(torch.jit.script(module), str(path))
    return path


def test_torchscript_runs_only_when_trusted(tmp_path: Path) -> None:
    path = script(Bright(), tmp_path / "net.pt")
    with pytest.raises(Unusable, match=r"E-GEN-TRUST net.pt: .*runs its author's code.*trust=True"):
        TorchScript(path=str(path))(picture())
    with pytest.raises(Unusable, match="E-GEN-TRUST"):
        TorchScript(path=str(tmp_path / "not even there.pt"))(picture())
    spec = Spec.parse(f"torchscript(path={str(path)!r}, trust=True)")
    net = registry.generators.get(spec.name)(**spec.arguments)
    form: object = net
    assert isinstance(form, Restorer)
    assert net.info.scale == 2
    assert net.identity["sha256"] == weights.find.hash_of(path)
    image = picture()
    torch.testing.assert_close(net(image), expected(image))
    torch.testing.assert_close(TorchScript(path=str(path), trust=True, tile=16, overlap=1)(image), net(image))
    torch.testing.assert_close(pickle.loads(pickle.dumps(net))(image), net(image))


@pytest.mark.parametrize(("range", "factor", "offset"), [("0..255", 255.0, 0.0), ("-1..1", 2.0, -1.0)])
def test_the_range_of_values_is_converted_both_ways(tmp_path: Path, range: str, factor: float, offset: float) -> None:
    seen = []

    class Half(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * 0.5 + x.mean() * 0

    net = TorchScript(path=str(script(Half(), tmp_path / "net.pt")), trust=True, range=range)
    image = torch.tensor([0.0, 0.2, 1.0]).reshape(3, 1, 1).expand(3, 4, 4).contiguous()
    wanted = (((image * factor + offset) * 0.5) - offset) / factor
    torch.testing.assert_close(net(image), wanted.clamp(0, 1))
    assert not seen


def test_a_range_that_is_not_the_networks_is_said_so(tmp_path: Path) -> None:
    class Loud(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * 255

    path = str(script(Loud(), tmp_path / "net.pt"))
    with pytest.raises(Unusable, match=r"E-GEN-VALUES net.pt: .* reach from \S+ to 25\d, far beyond range='0..1'"):
        TorchScript(path=path, trust=True)(picture())


@pytest.mark.parametrize("content", [b"text", b"", b"PK\x03\x04", b"\x80\x02."])
def test_what_is_no_torchscript_is_said_so(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "net.pt").write_bytes(content)
    with pytest.raises(weights.BadWeights, match=r"E-CKPT-FORMAT net.pt: it is no TorchScript archive") as caught:
        TorchScript(path=str(tmp_path / "net.pt"), trust=True)(picture())
    assert "\n" not in str(caught.value)


def test_torchscript_with_nan_is_refused(tmp_path: Path) -> None:
    module = Bright()
    with torch.no_grad():
        module.conv.weight[0, 0, 0, 0] = float("inf")
    path = script(module, tmp_path / "net.pt")
    with pytest.raises(weights.BadWeights, match=r"E-CKPT-NAN net.pt: tensor conv\.weight"):
        TorchScript(path=str(path), trust=True)(picture())


@pytest.mark.parametrize("parameters", [{"range": "0..10"}, {"minimum": 0}, {"multiple_of": 1.5}])
def test_formats_are_checked(parameters: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        TorchScript(path="net.pt", trust=True, **parameters)
    with pytest.raises(UsageError):
        Onnx(path="net.onnx", **parameters)


# --------------------------------------------------------------------------------------------------- ONNX


def onnx_bytes(
    *,
    shape: list[Any] | None = None,
    out: list[Any] | None = None,
    kind: str = "FLOAT",
    channels: int = 3,
    top: float = 1.0,
    external: str = "",
    value: float | None = None,
    inputs: int = 1,
) -> bytes:
    """The network ``Bright`` written with onnx itself: a convolution and an enlargement of nearest neighbours."""
    onnx: Any = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    helper, types, arrays = onnx.helper, onnx.TensorProto, importlib.import_module("onnx.numpy_helper")
    dtype = getattr(types, kind)
    numbers = np.float16 if kind == "FLOAT16" else np.float32
    weight = np.linspace(0, 0.07, 81).astype(np.float32).reshape(3, 3, 3, 3)[:channels, :channels].astype(numbers)
    if value is not None:
        weight[0, 0, 0, 0] = value
    bias = np.full(channels, 0.01 * top, numbers)
    kernel = arrays.from_array(weight, "weight")
    if external:
        kernel.ClearField("raw_data")
        kernel.data_location = types.EXTERNAL
        for key, text in (("location", external), ("offset", "0"), ("length", str(weight.nbytes))):
            entry = kernel.external_data.add()
            entry.key, entry.value = key, text
    shape = ["n", channels, "h", "w"] if shape is None else shape
    nodes = [helper.make_node("Conv", ["x", "weight", "bias"], ["c"], pads=[1, 1, 1, 1])]
    if shape[1] != channels and shape[3] == channels:
        nodes.insert(0, helper.make_node("Transpose", ["x"], ["t"], perm=[0, 3, 1, 2]))
        nodes[1].input[0] = "t"
    nodes.append(helper.make_node("Resize", ["c", "", "scales"], ["y"], mode="nearest"))
    sources = [helper.make_tensor_value_info(name, dtype, shape) for name in ["x", "also"][:inputs]]
    graph = helper.make_graph(
        nodes, "net", sources, [helper.make_tensor_value_info("y", dtype, out or ["n", channels, "h2", "w2"])],
        [kernel, arrays.from_array(bias, "bias"), arrays.from_array(np.array([1, 1, 2, 2], np.float32), "scales")],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    return model.SerializeToString()


def onnx(tmp_path: Path, **options: Any) -> Path:
    path = tmp_path / "net.onnx"
    path.write_bytes(onnx_bytes(**options))
    return path


def test_onnx_gives_what_torch_gives(tmp_path: Path) -> None:
    path = onnx(tmp_path)
    spec = Spec.parse(f"onnx(path={str(path)!r})")
    net = registry.generators.get(spec.name)(**spec.arguments)
    form: object = net
    assert isinstance(form, Restorer)
    assert net.info.scale == 2
    found = net.identity
    assert found["sha256"] == weights.find.hash_of(path)
    assert found["provider"] == "CPUExecutionProvider"
    image = picture()
    torch.testing.assert_close(net(image), expected(image), rtol=0, atol=1e-6)
    assert torch.equal(net(image), net(image))
    tiled = Onnx(path=str(path), tile=16, overlap=1)(image)
    torch.testing.assert_close(tiled, net(image), rtol=0, atol=1e-6)
    torch.testing.assert_close(pickle.loads(pickle.dumps(net))(image), net(image), rtol=0, atol=0)


def test_onnx_of_fixed_size_is_run_in_pieces_of_that_size(tmp_path: Path) -> None:
    path = onnx(tmp_path, shape=[1, 3, 24, 32], out=[1, 3, 48, 64])
    net = Onnx(path=str(path))
    for height, width in ((24, 32), (16, 16), (61, 83)):
        image = picture(height, width)
        done = net(image)
        assert done.shape == (3, 2 * height, 2 * width)
        wanted = expected(image)
        rows, columns = slice(0, 2 * height - 2), slice(0, 2 * width - 2)
        # At the right and lower border the network sees the mirrored image where torch pads with zeros.
        torch.testing.assert_close(done[:, rows, columns], wanted[:, rows, columns], rtol=0, atol=1e-6)


def test_onnx_on_other_ranges_and_channels(tmp_path: Path) -> None:
    image = picture()
    net = Onnx(path=str(onnx(tmp_path, top=255.0)), range="0..255")
    torch.testing.assert_close(net(image), expected(image), rtol=0, atol=1e-6)
    grey = Onnx(path=str(onnx(tmp_path, channels=1)))
    assert grey.network.channels == 1
    assert grey(image).shape == (3, 42, 68)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"kind": "FLOAT16"}, "float16"),
        ({"shape": [1, 24, 32, 3]}, "channels last"),
        ({"shape": [4, 3, "h", "w"]}, "4x3x?x?"),
        ({"shape": [1, 3, 24, "w"]}, "one of height and width"),
        ({"inputs": 2}, "2 inputs"),
    ],
)
def test_onnx_of_another_form_is_refused(tmp_path: Path, options: dict[str, Any], words: str) -> None:
    with pytest.raises(weights.BadWeights) as caught:
        Onnx(path=str(onnx(tmp_path, **options)))(picture())
    assert str(caught.value).startswith("E-CKPT-KEYS net.onnx: ")
    assert words in str(caught.value)


def test_onnx_never_reads_other_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "secret").write_bytes(bytes(324))
    for place in ("secret", str(tmp_path / "secret"), "../secret"):
        path = onnx(tmp_path, external=place)
        with pytest.raises(weights.BadWeights, match=r"E-CKPT-UNSAFE net.onnx: .*other files"):
            Onnx(path=str(path))(picture())


@pytest.mark.parametrize(
    "content", [b"", b"text", b"\x08\x07" + b"garbage" * 9, None], ids=["0", "text", "noise", "cut"]
)
def test_damaged_onnx_is_refused(tmp_path: Path, content: bytes | None) -> None:
    whole = onnx_bytes()
    (tmp_path / "net.onnx").write_bytes(whole[: len(whole) // 2] if content is None else content)
    with pytest.raises(weights.BadWeights, match=r"E-CKPT-FORMAT net.onnx: onnxruntime cannot load it") as caught:
        Onnx(path=str(tmp_path / "net.onnx"))(picture())
    assert "\n" not in str(caught.value)


def test_onnx_that_answers_nan_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Unusable, match="E-GEN-NAN"):
        Onnx(path=str(onnx(tmp_path, value=float("nan"))))(picture())


def test_onnx_without_cuda_says_so(tmp_path: Path) -> None:
    path = onnx(tmp_path)
    runtime: Any = importlib.import_module("onnxruntime")
    if "CUDAExecutionProvider" in runtime.get_available_providers():
        pytest.skip("this onnxruntime has CUDA")
    assert Onnx(path=str(path), device="auto")(picture()).shape == (3, 42, 68)
    with pytest.raises(Unusable, match=r"E-GEN-DEVICE net.onnx: .*CUDA"):
        Onnx(path=str(path), device="cuda")(picture())


def test_without_onnxruntime_one_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(Unusable, match=r"E-GEN-PACKAGE net.onnx: .*pip install 'ganiq\[onnx\]'"):
        Onnx(path="net.onnx")(picture())


# ------------------------------------------------------------------------------------------------- Python

MODULE = """
import torch

def double(image):
    assert image.shape[0] == 3 and image.dtype == torch.float32
    return image.repeat_interleave(2, 1).repeat_interleave(2, 2)

def even(image):
    assert image.shape[1] % 8 == image.shape[2] % 8 == 0 and min(image.shape[1:]) >= 16
    return image

def learns(image):
    with torch.enable_grad():
        x = image.clone().requires_grad_()
        (x * x).sum().backward()
    return x.grad / 2

def noisy(image):
    return image * 0 + torch.rand_like(image)

def flat(image):
    return image.mean(0)

def numbers(image):
    return image.numpy()

def loud(image):
    return image * 255

def breaks(image):
    raise RuntimeError("out of luck\\nsecond line")

class Net:
    def __call__(self, image):
        return image

net = Net()
version = 3
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    name = f"own_restorers_{abs(hash(tmp_path))}"
    (tmp_path / f"{name}.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    return name


def test_a_python_function_restores(module: str, tmp_path: Path) -> None:
    spec = Spec.parse(f"python(function='{module}:double')")
    net = registry.generators.get(spec.name)(**spec.arguments)
    form: object = net
    assert isinstance(form, Restorer)
    assert net.info.scale == 2
    found = net.identity
    assert found["sha256"] == weights.find.hash_of(tmp_path / f"{module}.py")
    assert net.info.name == f"{module}.double@{found['sha256'][:8]}"
    image = picture()
    assert torch.equal(net(image), doubled(image))
    assert torch.equal(Python(function=f"{module}:double", tile=16)(image), doubled(image))
    assert torch.equal(Python(function=f"{module}:net")(image), image)
    assert torch.equal(Python(function=f"{module}:even", minimum=16, multiple_of=8)(image), image)
    bytes_ = np.arange(192, dtype=np.uint8).reshape(8, 8, 3)
    np.testing.assert_array_equal(restore(Python(function=f"{module}:learns"), bytes_), bytes_)
    noisy = Python(function=f"{module}:noisy")
    assert torch.equal(noisy(image), noisy(image))
    assert float(noisy(image).std()) > 0.2


@pytest.mark.parametrize(
    ("function", "words"),
    [
        ("flat", "flat' is"),
        ("numbers", "answered with ndarray"),
        ("breaks", "RuntimeError: out of luck"),
        ("Net", "a class"),
        ("version", "nothing that can be called"),
        ("absent", "nothing that can be called"),
        ("even", "failed on an image"),
    ],
)
def test_functions_that_do_not_do_are_one_sentence(module: str, function: str, words: str) -> None:
    with pytest.raises(Unusable) as caught:
        Python(function=f"{module}:{function}")(picture())
    text = str(caught.value)
    assert text.startswith(f"E-GEN-ERROR {module}:{function}: ")
    assert words in text or (function == "flat" and "(3, h, w) is wanted" in text)
    assert "\n" not in text


def test_a_function_that_gives_values_up_to_255_is_refused(module: str) -> None:
    with pytest.raises(Unusable, match=rf"^E-GEN-VALUES {module}:loud: .* to 25\d, far beyond 0 to 1; not restored"):
        Python(function=f"{module}:loud")(picture())


def test_modules_that_cannot_be_imported_are_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_broken_module.py").write_text("1 / 0")
    monkeypatch.syspath_prepend(str(tmp_path))
    for module, words in (("own_broken_module", "ZeroDivisionError"), ("own_absent_module", "PYTHONPATH")):
        with pytest.raises(Unusable, match=words):
            Python(function=f"{module}:f")(picture())
    for text in ("os", "os:", ":f", "os.system", "os:system('ls')", "../x:f", "a b:c"):
        with pytest.raises(UsageError, match=r"package.module:function"):
            Python(function=text)


# ------------------------------------------------------------------------------------------------ command

PROGRAM = """
import os, subprocess, sys, time
from PIL import Image

what, source, target = sys.argv[1:4]
image = Image.open(source)
assert image.mode == "RGB" and image.format == "PNG"
if what == "double":
    image.resize((image.width * 2, image.height * 2), Image.Resampling.NEAREST).save(target)
elif what == "same":
    image.save(target)
elif what == "fails":
    print("loading the model"); print("no such device\\x1b[0m", file=sys.stderr); sys.exit(3)
elif what == "dies":
    os.kill(os.getpid(), 9)
elif what == "silent":
    pass
elif what == "text":
    open(target, "w").write("here you are")
elif what == "16 bit":
    Image.new("I;16", (image.width * 2, image.height * 2)).save(target)
elif what == "folder":
    os.mkdir(target)
elif what == "link":
    os.symlink("/dev/zero", target)
elif what == "hangs":
    subprocess.Popen([sys.executable, "-c", f"import time; time.sleep(2); open({sys.argv[4]!r}, 'w')"])
    time.sleep(30)
elif what == "loud":
    for _ in range(300): sys.stdout.write("x" * 10000)
    image.resize((image.width * 2, image.height * 2), Image.Resampling.NEAREST).save(target)
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    (path := tmp_path / "a program.py").write_text(PROGRAM)
    return path


def line(program: Path, what: str, extra: str = "") -> str:
    return f"{sys.executable} '{program}' '{what}' {{input}} {{output}} {extra}".strip()


def test_a_command_restores(program: Path) -> None:
    spec = Spec.parse(f"command(command={line(program, 'double')!r}, scale=2, name='mine')")
    net = registry.generators.get(spec.name)(**spec.arguments)
    form: object = net
    assert isinstance(form, Restorer)
    assert (net.info.name, net.info.scale) == ("mine", 2)
    found = net.identity
    assert found["sha256 of argument 1"] == weights.find.hash_of(program), "a changed script is another restorer"
    assert len(found["sha256 of program"]) == 64
    for what in ("double", "loud"):
        net = Command(command=line(program, what), scale=2)
        image = np.random.default_rng(0).integers(0, 256, (9, 13, 3), dtype=np.uint8)
        np.testing.assert_array_equal(restore(net, image), image.repeat(2, 0).repeat(2, 1))
    pieces = Command(command=line(program, "double"), scale=2, tile=16, overlap=2)
    image = np.random.default_rng(0).integers(0, 256, (16, 30, 3), dtype=np.uint8)
    np.testing.assert_array_equal(restore(pieces, image), image.repeat(2, 0).repeat(2, 1))


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("fails", "exit code 3, saying: no such device"),
        ("dies", "signal 9 ended it"),
        ("silent", "wrote no {output}"),
        ("same", "wrote 34x21 pixels, 68x42 were expected"),
        ("text", "no image that can be used"),
        ("16 bit", "no image that can be used"),
        ("folder", "no image that can be used"),
        ("link", "no image that can be used"),
    ],
)
def test_commands_that_fail_are_one_sentence(program: Path, what: str, words: str) -> None:
    with pytest.raises(Unusable) as caught:
        Command(command=line(program, what), scale=2)(picture())
    text = str(caught.value)
    assert text.startswith("E-GEN-COMMAND python")
    assert words in text
    assert text.isprintable()
    assert isinstance(caught.value, Refusal)


def test_a_command_that_hangs_is_ended_with_what_it_started(program: Path, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    began = time.monotonic()
    with pytest.raises(Unusable, match=r"did not end within 1.5 seconds"):
        Command(command=line(program, "hangs", str(trace)), scale=2, timeout=1.5)(picture())
    assert time.monotonic() - began < 10
    time.sleep(2.5)
    assert not trace.exists(), "its child was ended too"


def test_no_shell_sees_the_command(program: Path, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    for extra in (f"; touch {trace}", f"&& touch {trace}", f"$(touch {trace})", f"`touch {trace}`", f"> {trace}"):
        assert Command(command=line(program, "double", extra), scale=2)(picture()).shape == (3, 42, 68)
    assert not trace.exists()


def test_temporary_files_are_removed(program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import tempfile

    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    Command(command=line(program, "double"), scale=2)(picture())
    with pytest.raises(Unusable):
        Command(command=line(program, "silent"), scale=2)(picture())
    assert list(place.iterdir()) == []


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"command": ""}, "empty"),
        ({"command": "tool {input}"}, "{output}"),
        ({"command": "{input} {output}"}, "{input}"),
        ({"command": "tool '{input} {output}"}, "cannot be split"),
        ({"command": "tool {input} {output}", "scale": 0}, "scale"),
        ({"command": "tool {input} {output}", "timeout": 0}, "timeout"),
    ],
)
def test_command_lines_are_checked(parameters: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        Command(**{"scale": 2, **parameters})


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(Unusable, match="there is no program 'ganiq-no-such-tool'"):
        Command(command="ganiq-no-such-tool {input} {output}", scale=2)(picture())
    (tool := tmp_path / "tool").write_text("not a program")
    tool.chmod(0o755)
    with pytest.raises(Unusable, match="cannot be started"):
        Command(command=f"{tool} {{input}} {{output}}", scale=2)(picture())


# --------------------------------------------------------------------------------------------------- list


def test_the_list_says_what_has_to_be_given() -> None:
    code = "import sys\nfrom ganiq.bench import cli\nsys.argv = ['ganiq', 'list', 'generators', '--json']\ncli.main()"
    environment = {**os.environ, "COLUMNS": "200"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    rows = {row["name"]: row for row in json.load(io.StringIO(done.stdout))}
    assert rows["checkpoint"]["given"] == "checkpoint(path='net.safetensors')"
    assert rows["command"]["scale"] is None
    assert rows["command"]["available"]
    assert rows["bicubic"]["given"] == ""
    there = importlib.util.find_spec("onnxruntime") is not None
    assert rows["onnx"]["available"] == there
    assert rows["checkpoint"]["reason"] == (
        "" if importlib.util.find_spec("spandrel") else "needs `pip install 'ganiq[restorers]'`"
    )
    assert rows["onnx"]["reason"] == ("" if there else "needs `pip install 'ganiq[onnx]'`")
