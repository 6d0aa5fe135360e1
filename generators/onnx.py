"""A restoration network as an ONNX file, run by onnxruntime.

One input and one output of the shape 1x3xHxW (or 1x1xHxW for grey) in float32; height and width may be left open
in the file or fixed, and then the image is padded and cut into pieces of that size. ``range`` says on what scale the
network takes and gives its values; the scale of its sides is found by a trial on a small grey image. The file is
read once and run from memory: parts that it keeps in other files are not loaded.

Protocol: as in ``running``. onnxruntime computes on the CPU with as many threads as torch, or with CUDA.
"""

from __future__ import annotations

import importlib
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from ..bench.weights import BadWeights
from .running import (
    Network,
    OnFile,
    OwnFile,
    Sizes,
    Unusable,
    find_scale,
    first_line,
    needs_package,
    short_name,
    template,
)
from .torchscript import check_format, scaled

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Onnx(OwnFile):
    """An ``.onnx`` file with one image in and one image out."""

    range: str = "0..1"
    """Scale of the values it takes and gives: ``0..1``, ``0..255`` or ``-1..1``."""
    minimum: int = 1
    """Least side it takes, where the file leaves it open; smaller images are padded."""
    multiple_of: int = 1
    """What its sides must be divisible by, where the file leaves them open; images are padded to it."""

    info: ClassVar[Any] = template(
        "onnx",
        "A network of your own, as ONNX",
        "onnx(path='net.onnx')",
        "onnxruntime",
        note="One input 1x3xHxW and one output, float32.",
    )

    def __post_init__(self) -> None:
        OwnFile.__post_init__(self)
        check_format(self.range, self.minimum, self.multiple_of)

    def _load(self) -> Network:
        loaded = open_file(self)
        session = loaded.session
        source, channels, fixed = _layout(session, self.shown)

        def work(image: Tensor) -> Tensor:
            import torch

            answer = session.run(None, {source: image.numpy(force=True)})[0]
            return torch.from_numpy(answer)

        work = scaled(work, self.range)
        least = -(-self.minimum // self.multiple_of) * self.multiple_of
        sizes = Sizes(fixed=fixed) if fixed else Sizes(least, self.multiple_of)
        return Network(
            call=work,
            scale=find_scale(work, name=self.shown, device="cpu", channels=channels, sizes=sizes),
            name=short_name(Path(self.path).stem, loaded.identity["sha256"]),
            title=f"ONNX network in {self.shown}",
            channels=channels,
            sizes=sizes,
            range=self.range,
            # Pieces travel through the memory of the CPU; what is run there or on a card is the session's affair.
            device="cpu",
            identity=loaded.identity,
            size=loaded.size,
        )


class Opened(NamedTuple):
    """A file that onnxruntime has loaded."""

    session: Any
    identity: dict[str, str]
    """``sha256`` of the file, ``provider`` and version of ``onnxruntime``."""
    size: int
    """Bytes of the file."""


def open_file(file: OnFile) -> Opened:
    """A session on the file, which is read once and run from memory.

    Raises:
        Unusable: ``E-GEN-PACKAGE``, onnxruntime is not installed; ``E-GEN-DEVICE``, there is no such device.
        BadWeights: ``E-CKPT-HASH``, ``-FORMAT`` or ``-UNSAFE``.
    """
    try:
        runtime = importlib.import_module("onnxruntime")
    except ImportError:
        raise needs_package(file.shown, "onnxruntime", "onnx") from None
    there = "CUDAExecutionProvider" in runtime.get_available_providers()
    if file.device == "cuda" and not there:
        raise Unusable(
            "E-GEN-DEVICE", file.shown, "this onnxruntime was built without CUDA",
            "install onnxruntime-gpu in its place, or say device='cpu'",
        )  # fmt: skip
    data, sha256 = file.content()
    session = _session(runtime, data, "cuda" if there and file.device != "cpu" else "cpu", file.shown)
    identity = {"sha256": sha256, "provider": session.get_providers()[0], "onnxruntime": runtime.__version__}
    return Opened(session, identity, len(data))


def _session(runtime: Any, data: bytes, device: str, name: str) -> Any:
    import torch

    options = runtime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = torch.get_num_threads()
    options.inter_op_num_threads = 1
    options.use_deterministic_compute = True
    providers = ["CPUExecutionProvider"]
    if device == "cuda":
        providers.insert(0, ("CUDAExecutionProvider", {"use_tf32": "0", "cudnn_conv_algo_search": "DEFAULT"}))  # type: ignore[arg-type]
    try:
        # Without a folder of its own a model in memory may read other files of the working folder.
        with tempfile.TemporaryDirectory(prefix="ganiq-") as nothing:
            options.add_session_config_entry("session.model_external_initializers_file_folder_path", nothing)
            session = runtime.InferenceSession(data, options, providers=providers)
    except Exception as error:  # onnxruntime's own kinds have no common base below this
        text = first_line(error)
        if "xternal" in text:
            raise BadWeights(
                "E-CKPT-UNSAFE", name, "it keeps tensors in other files, which are not loaded",
                "save the model as one file",
            ) from None  # fmt: skip
        raise BadWeights(
            "E-CKPT-FORMAT", name, f"onnxruntime cannot load it ({text})", "get an undamaged copy of an ONNX file"
        ) from None
    if device == "cuda" and session.get_providers()[0] != "CUDAExecutionProvider":
        raise Unusable(
            "E-GEN-DEVICE", name, "onnxruntime could not start CUDA", "check its CUDA libraries, or say device='cpu'"
        )
    return session


def _layout(session: Any, name: str) -> tuple[str, Any, tuple[int, int] | None]:
    """Name of the input, channels, and height and width where the file fixes them.

    Raises:
        BadWeights: ``E-CKPT-KEYS``, it is no network from image to image.
    """

    def bad(found: str, advice: str = "export the network with one input 1x3xHxW and one output in float32") -> Any:
        return BadWeights("E-CKPT-KEYS", name, found, advice)

    inputs, outputs = session.get_inputs(), session.get_outputs()
    if len(inputs) != 1 or len(outputs) != 1:
        raise bad(f"it has {len(inputs)} inputs and {len(outputs)} outputs")
    shapes = []
    for what, one in (("input", inputs[0]), ("output", outputs[0])):
        if one.type != "tensor(float)":
            raise bad(f"its {what} is {one.type} and not float32")
        shape = list(one.shape or ())
        text = "x".join(str(side) if isinstance(side, int) else "?" for side in shape)
        if len(shape) != 4 or (isinstance(shape[0], int) and shape[0] != 1):
            raise bad(f"its {what} has the shape {text or 'unknown'}")
        if isinstance(shape[1], int) and shape[1] not in (1, 3):
            last = " (channels last)" if shape[3] in (1, 3) else ""
            raise bad(f"its {what} has the shape {text}{last}")
        shapes.append(shape)
    channels = [shape[1] if isinstance(shape[1], int) else 3 for shape in shapes]
    if channels[0] != channels[1] and isinstance(shapes[1][1], int):
        raise bad(f"it takes {channels[0]} channels and gives {channels[1]}")
    sides = [side if isinstance(side, int) and side > 0 else None for side in shapes[0][2:]]
    if sides.count(None) == 1:
        raise bad("it fixes one of height and width and leaves the other open", "fix both or none")
    fixed = None if sides[0] is None or sides[1] is None else (sides[0], sides[1])
    return inputs[0].name, channels[0], fixed
