"""The ncnn reader against pairs of files written here."""

from __future__ import annotations

import importlib.util
import struct
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from ganiq.bench.weights import BadWeights
from ganiq.generators.ncnn import FULL, HALF, Layer, parse
from ganiq.generators.realesrgan import compact_state, rrdb_names, rrdb_state


class Writer:
    """Writes the two files of a model, as the format's description says."""

    def __init__(self) -> None:
        self.lines = ["Input data 0 1 data 0=8 1=8 2=3"]
        self.data = b""

    def line(self, kind: str, name: str, options: str = "") -> None:
        self.lines.append(f"{kind} {name} 1 1 {self.lines[-1].split()[1]} {name} {options}".strip())

    def block(self, values: np.ndarray, tag: int | None) -> None:
        if tag is not None:
            self.data += struct.pack("<I", tag)
        if tag == HALF:
            raw = values.astype("<f2").tobytes()
            self.data += raw + bytes(-len(raw) % 4)
        else:
            self.data += values.astype("<f4").tobytes()

    def convolution(self, name: str, weight: np.ndarray, bias: np.ndarray | None, tag: int = FULL) -> None:
        out, _, height, width = weight.shape
        options = f"0={out} 1={width} 11={height} 4=1 5={int(bias is not None)} 6={weight.size} -23310=1,0.2"
        self.line("Convolution", name, options)
        self.block(weight, tag)
        if bias is not None:
            self.block(bias, None)

    def prelu(self, name: str, slopes: np.ndarray) -> None:
        self.line("PReLU", name, f"0={len(slopes)}")
        self.block(slopes, None)

    @property
    def param(self) -> bytes:
        blobs = len(self.lines)
        return "\n".join(["7767517", f"{len(self.lines)} {blobs}", *self.lines, ""]).encode()


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def refused(param: bytes, data: bytes, code: str = "E-CKPT-FORMAT") -> str:
    with pytest.raises(BadWeights) as caught:
        parse(param, data, "test")
    assert caught.value.code == code
    return str(caught.value)


def same(layer: Layer, weight: np.ndarray, bias: np.ndarray | None) -> None:
    np.testing.assert_array_equal(layer.weight, weight)
    assert layer.weight.dtype == np.float32
    if bias is None:
        assert layer.bias is None
    else:
        np.testing.assert_array_equal(layer.bias, bias)


def test_every_way_of_storing_is_read(rng: np.random.Generator) -> None:
    full = rng.standard_normal((4, 3, 3, 3)).astype(np.float32)
    bias = rng.standard_normal(4).astype(np.float32)
    odd = rng.standard_normal((3, 1, 1, 1)).astype(np.float16).astype(np.float32)  # 3 halves: padded by 2 bytes
    oblong = rng.standard_normal((2, 3, 1, 5)).astype(np.float32)
    slopes = rng.standard_normal(2).astype(np.float32)
    matrix = rng.standard_normal((2, 7)).astype(np.float16).astype(np.float32)
    writer = Writer()
    writer.convolution("full", full, bias)
    writer.line("ReLU", "nothing")
    writer.convolution("odd", odd, None, HALF)
    writer.convolution("oblong", oblong, None)
    writer.prelu("slopes", slopes)
    writer.line("InnerProduct", "matrix", "0=2 1=1 2=14")
    writer.block(matrix, HALF)
    writer.block(np.array([1.0, 2.0]), None)
    writer.line("MemoryData", "constant", "0=3 1=2")
    writer.block(np.arange(6.0), None)
    layers = parse(writer.param, writer.data, "test")
    assert [layer.name for layer in layers] == ["full", "odd", "oblong", "slopes", "matrix", "constant"]
    for layer, weight, b in zip(
        layers,
        [full, odd, oblong, slopes, matrix, np.arange(6.0).reshape(2, 3)],
        [bias, None, None, None, np.array([1.0, 2.0]), None],
    ):
        same(layer, weight, b)


def test_a_square_kernel_needs_no_height() -> None:
    writer = Writer()
    writer.line("Convolution", "a", "0=1 1=3 6=18")
    writer.block(np.arange(18.0), FULL)
    [layer] = parse(writer.param, writer.data)
    assert layer.weight.shape == (1, 2, 3, 3)


def one(rng: np.random.Generator, tag: int = FULL) -> Writer:
    writer = Writer()
    writer.convolution("a", rng.standard_normal((2, 1, 3, 3)), rng.standard_normal(2), tag)
    return writer


def test_the_numbers_must_end_where_the_layers_do(rng: np.random.Generator) -> None:
    writer = one(rng)
    assert "need 84 bytes and the file has 88" in refused(writer.param, writer.data + bytes(4))
    for cut in (1, 4, 40, len(writer.data)):
        assert "end inside layer a" in refused(writer.param, writer.data[:-cut])


@pytest.mark.parametrize("tag", [0x000D4B38, 1, 0xFFFFFFFF])
def test_other_tags_are_quantised_and_refused(rng: np.random.Generator, tag: int) -> None:
    writer = one(rng)
    assert "quantised" in refused(writer.param, struct.pack("<I", tag) + writer.data[4:])


def test_values_must_be_finite(rng: np.random.Generator) -> None:
    writer = one(rng)
    for at in (4, len(writer.data) - 4):
        data = writer.data[:at] + struct.pack("<f", float("nan")) + writer.data[at + 4 :]
        refused(writer.param, data, "E-CKPT-NAN")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (b"7767517", b"7767518", "does not begin with"),
        (b"\n2 2\n", b"\n3 2\n", "announces 3 layers"),
        (b"\n2 2\n", b"\n2 9\n", "announces 9 blobs"),
        (b"\n2 2\n", b"\ntwo 2\n", "counts"),
        (b"Convolution", b"LSTM", "kind LSTM"),
        (b"Convolution", b"BatchNorm", "kind BatchNorm"),
        (b"6=18", b"6=17", "no multiple"),
        (b"6=18", b"6=-18", "is -18"),
        (b"0=2 ", b"0=x ", "not a whole number"),
        (b"0=2 ", b"0=0 ", "no multiple"),
        (b"6=18", b"6=99999999999", "is 99999999999"),
        (b"6=18", b"6=1800000000", "end inside"),
        (b"Convolution a 1 1", b"Convolution a 1 x", "cannot be read"),
        (b"Convolution a 1 1", b"Convolution a 1 9999", "cannot be read"),
        (b"Convolution", b"C\xffnvolution", "not text"),
    ],
)
def test_malformed_lists_are_refused(rng: np.random.Generator, old: bytes, new: bytes, words: str) -> None:
    writer = one(rng)
    assert old in writer.param
    assert words in refused(writer.param.replace(old, new, 1), writer.data)


def test_random_damage_never_escapes_as_another_error(rng: np.random.Generator) -> None:
    writer = one(rng, HALF)
    for _ in range(300):
        param, data = bytearray(writer.param), bytearray(writer.data)
        for file in (param, data):
            for at in rng.integers(0, len(file), rng.integers(0, 4)):
                file[at] = rng.integers(0, 256)
        with suppress(BadWeights):
            parse(bytes(param), bytes(data))


# ------------------------------------------------------------------------------- naming of known networks


def test_counts_of_the_published_networks() -> None:
    assert len(rrdb_names(23)) == 351
    assert len(rrdb_names(6)) == 96


def _shapes(filters: int, growth: int) -> dict[str, tuple[int, int]]:
    shapes = {"conv_first": (filters, 3), "conv_last": (3, filters)}
    for name in rrdb_names(2):
        if ".conv" in name:
            number = int(name[-1])
            shapes[name] = (filters if number == 5 else growth, filters + growth * (number - 1))
        else:
            shapes.setdefault(name, (filters, filters))
    return shapes


def _written(shapes: dict[str, tuple[int, int]], rng: np.random.Generator) -> tuple[dict[str, Any], Writer]:
    state, writer = {}, Writer()
    for number, name in enumerate(rrdb_names(2)):
        out, into = shapes[name]
        weight = (0.1 * rng.standard_normal((out, into, 3, 3))).astype(np.float32)
        bias = (0.1 * rng.standard_normal(out)).astype(np.float32)
        state |= {f"{name}.weight": weight, f"{name}.bias": bias}
        writer.convolution(f"Conv_{number}", weight, bias)
    return state, writer


def test_a_dense_network_written_in_ncnn_order_comes_back_identical(rng: np.random.Generator) -> None:
    torch = pytest.importorskip("torch")
    if importlib.util.find_spec("spandrel") is None:  # found, not imported: it needs torchvision, loaded our way
        pytest.skip("the extra `restorers` is not installed")
    from ganiq.bench.vision import load

    state, writer = _written(_shapes(8, 32), rng)
    named = rrdb_state(parse(writer.param, writer.data), "test")
    assert set(named) == set(state)
    for key in state:
        np.testing.assert_array_equal(named[key], state[key])
    loader = load("spandrel").ModelLoader(device="cpu")
    model = loader.load_from_state_dict({k: torch.from_numpy(v) for k, v in named.items()})
    assert (model.architecture.id, model.scale) == ("ESRGAN", 4)
    for key, value in model.model.state_dict().items():
        assert any(np.array_equal(value.numpy(), v) for k, v in state.items() if v.shape == tuple(value.shape)), key


def test_networks_of_another_build_are_refused(rng: np.random.Generator) -> None:
    _, writer = _written(_shapes(8, 32), rng)
    layers = parse(writer.param, writer.data)
    slopes = Layer("PReLU", "p", np.ones(8, np.float32))
    for wrong in (layers[:-1], [], layers[:6], [*layers[:-1], slopes]):
        with pytest.raises(BadWeights, match="E-CKPT-KEYS"):
            rrdb_state(wrong, "test")
    for wrong in (layers[:2], [layers[0], slopes], [slopes, layers[0], slopes], []):
        with pytest.raises(BadWeights, match="E-CKPT-KEYS"):
            compact_state(wrong, "test")
    assert set(compact_state([layers[0], slopes, layers[1]], "test")) == {
        "body.0.weight", "body.0.bias", "body.1.weight", "body.2.weight", "body.2.bias",
    }  # fmt: skip
