"""Reader of ncnn model files: a text list of layers (``.param``) and their numbers (``.bin``).

Reads the layers of feed-forward convolutional networks and refuses everything else. Every count is checked,
and the numbers must end exactly where the file ends, so a misread file cannot pass for a model.

Layout of the numbers, little endian, in the order of the layer list: a convolution or inner product
has a 4-byte tag, the weights (tag 0x01306B47: float16, padded to a multiple of 4 bytes; tag 0: float32) and a
float32 bias if it has one; PReLU has float32 slopes and MemoryData float32 values, both without a tag.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..bench.weights import BadWeights, read

MAGIC = "7767517"
HALF, FULL = 0x01306B47, 0
_CONVOLUTIONS = ("Convolution", "ConvolutionDepthWise")
_WEIGHTLESS = frozenset(
    {
        "Input", "Split", "Concat", "Eltwise", "BinaryOp", "UnaryOp", "Interp", "PixelShuffle", "Padding",
        "Pooling", "ReLU", "Sigmoid", "TanH", "Clip", "HardSwish", "Swish", "Mish", "Dropout", "Noop",
        "Flatten", "Reshape", "Permute", "Crop", "Slice", "Softmax", "Reduction", "ShuffleChannel", "Squeeze",
        "ExpandDims",
    }
)  # fmt: skip
Values = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Layer:
    """One layer with numbers. ``weight`` of a convolution is (out, in, height, width), as in torch."""

    kind: str
    name: str
    weight: Values
    """PReLU: the slopes."""
    bias: Values | None = None


def load(weights: str, graph: str) -> list[Layer]:
    """Layers of a model by its two slots.

    Raises:
        MissingWeights: one of the slots is empty.
        BadWeights: ``E-CKPT-HASH``, ``-FORMAT`` or ``-NAN``.
    """
    return parse(read(graph), read(weights), weights)


def parse(param: bytes, data: bytes, name: str = "model") -> list[Layer]:
    """Layers that hold numbers, in the order of the list.

    Args:
        param: content of the ``.param`` file.
        data: content of the ``.bin`` file.
        name: for messages.

    Raises:
        BadWeights: ``E-CKPT-FORMAT``: malformed, quantised, of a kind that is not read here, or of another
            length than the layers need; ``E-CKPT-NAN``: values that are not finite.
    """
    return _Reader(data, name).layers(param)


class _Reader:
    def __init__(self, data: bytes, name: str) -> None:
        self.data, self.name, self.at = data, name, 0

    def bad(self, found: str, advice: str = "get an undamaged copy of the .param and .bin files") -> BadWeights:
        return BadWeights("E-CKPT-FORMAT", self.name, found, advice)

    def layers(self, param: bytes) -> list[Layer]:
        try:
            lines = param.decode("ascii").split("\n")
        except UnicodeDecodeError:
            raise self.bad("the layer list is not text") from None
        lines = [line.split() for line in lines if line.strip()]
        if len(lines) < 2 or lines[0] != [MAGIC]:
            raise self.bad(f"the layer list does not begin with {MAGIC}")
        try:
            n_layers, n_blobs = (int(word) for word in lines[1])
        except ValueError:
            raise self.bad("the layer list has no valid line of counts") from None
        if len(lines) - 2 != n_layers:
            raise self.bad(f"the layer list announces {n_layers} layers and has {len(lines) - 2}")
        answer, blobs = [], set()
        for words in lines[2:]:
            kind, name, options, outputs = self.line(words)
            blobs |= set(outputs)
            if (layer := self.layer(kind, name, options)) is not None:
                answer.append(layer)
        if len(blobs) != n_blobs:
            raise self.bad(f"the layer list announces {n_blobs} blobs and names {len(blobs)}")
        if self.at != len(self.data):
            raise self.bad(f"the layers need {self.at} bytes and the file has {len(self.data)}")
        return answer

    def line(self, words: list[str]) -> tuple[str, str, dict[int, str], list[str]]:
        """Kind, name, options and outputs; arrays among the options (negative ids) are left out."""
        try:
            kind, name = words[0], words[1]
            n_in, n_out = int(words[2]), int(words[3])
            rest = words[4 + n_in + n_out :]
            outputs = words[4 + n_in : 4 + n_in + n_out]
            if n_in < 0 or n_out < 0 or len(outputs) != n_out:
                raise ValueError
            pairs = [(int(key), value) for key, _, value in (word.partition("=") for word in rest)]
        except (ValueError, IndexError):
            raise self.bad(f"line {' '.join(words)[:60]!r} of the layer list cannot be read") from None
        return kind, name, {key: value for key, value in pairs if key >= 0}, outputs

    def layer(self, kind: str, name: str, options: dict[int, str]) -> Layer | None:
        if kind in _WEIGHTLESS:
            return None

        def option(key: int, default: int = 0) -> int:
            try:
                value = int(options.get(key, default))
            except ValueError:
                raise self.bad(f"option {key} of layer {name} is not a whole number") from None
            if not 0 <= value < 2**31:
                raise self.bad(f"option {key} of layer {name} is {value}")
            return value

        if kind in _CONVOLUTIONS:
            out, width, count = option(0), option(1), option(6)
            height = option(11, width)
            area = out * width * height
            if not area or not count or count % area:
                raise self.bad(f"layer {name} has {count} weights, no multiple of {out}x{height}x{width}")
            weight = self.tagged(count, name).reshape(out, count // area, height, width)
            return Layer(kind, name, weight, self.plain(out, name) if option(5) else None)
        if kind == "InnerProduct":
            out, count = option(0), option(2)
            if not out or not count or count % out:
                raise self.bad(f"layer {name} has {count} weights, no multiple of {out}")
            weight = self.tagged(count, name).reshape(out, count // out)
            return Layer(kind, name, weight, self.plain(out, name) if option(1) else None)
        if kind == "PReLU":
            return Layer(kind, name, self.plain(option(0), name))
        if kind == "MemoryData":
            shape = [side for side in (option(2), option(11), option(1), option(0)) if side]
            return Layer(kind, name, self.plain(math.prod(shape), name).reshape(shape))
        raise self.bad(f"layer {name} is of the kind {kind}, which is not read here", "use a convolutional network")

    def take(self, size: int, name: str) -> bytes:
        block = self.data[self.at : self.at + size]
        if len(block) != size:
            raise self.bad(f"the numbers end inside layer {name}")
        self.at += size
        return block

    def tagged(self, count: int, name: str) -> Values:
        tag = int.from_bytes(self.take(4, name), "little")
        if tag == FULL:
            return self.plain(count, name)
        if tag != HALF:
            raise self.bad(f"layer {name} is quantised (tag 0x{tag:08X})", "use a float16 or float32 model")
        block = self.take((2 * count + 3) // 4 * 4, name)
        return self.finite(np.frombuffer(block, "<f2", count).astype(np.float32), name)

    def plain(self, count: int, name: str) -> Values:
        return self.finite(np.frombuffer(self.take(4 * count, name), "<f4", count).astype(np.float32), name)

    def finite(self, values: Values, name: str) -> Values:
        if not np.isfinite(values).all():
            raise BadWeights(
                "E-CKPT-NAN", self.name, f"layer {name} holds values that are not finite", "get another copy"
            )
        return values
