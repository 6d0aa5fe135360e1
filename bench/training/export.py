"""A trained network as one safetensors file: learnt weights in half precision, and all that is needed to use them.

The header says which network it is, on which scale it answers, which references it has seen, from which data and under
which licences. It holds neither the teacher nor adapters, nor a second backbone: that stays in its slot, and the header
says with which sha256. ``write`` reads the file back and compares.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import provenance
from ..atomic import explained, write_bytes
from ..errors import IntegrityError, UsageError
from ..weights.load import check_borrowed, check_safetensors, load_strict, tensors_from
from . import splits
from .data import TrainingSet
from .labels import Scaler
from .recipe import Net, Recipe

if TYPE_CHECKING:
    from torch import Tensor

KIND = "evaluator/1"
ONNX_PACKAGES = ("onnx", "onnxscript", "onnxruntime")
ONNX_ERROR = 1e-3
"""Of a score on the learned scale, which is about 0 to 1; float32 leaves some 1e-6."""


def text(document: Any) -> str:
    """JSON for people."""
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def rounded(network: Any) -> dict[str, Tensor]:
    """The state of a network as it is stored: real numbers as float16.

    Raises:
        IntegrityError: a value is not finite, or too large for half precision.
    """
    import torch

    answer = {}
    for name, value in network.state_dict().items():
        kept = value.detach().cpu()
        if kept.is_floating_point():
            kept = kept.to(torch.float16)
        if kept.is_floating_point() and not bool(torch.isfinite(kept).all()):
            raise IntegrityError(
                f"tensor {name} holds values that half precision cannot; train with a lower rate", code="E-EXPORT"
            )
        if kept.numel():
            answer[name] = kept.contiguous().clone()
    return answer


def write(
    path: Path,
    network: Any,
    recipe: Recipe,
    net: Net | None,
    scaler: Scaler,
    split: splits.Split,
    seen: Sequence[TrainingSet],
    part: str = "",
    data: TrainingSet | None = None,
) -> None:
    """Export a network; afterwards ``network`` holds the rounded weights, so that it predicts as the file does.

    Args:
        path: of the file.
        network: what is exported.
        recipe: that trained it.
        net: its table.
        scaler: of the labels that it learnt.
        split: that it was trained on.
        seen: what it learnt from.
        part: ``teacher`` or ``student``.
        data: whose scores these are; their meaning is kept.

    Raises:
        IntegrityError: the file does not read back to the same tensors.
    """
    from safetensors.torch import save

    assert net is not None
    values = rounded(network)
    pseudo = scaler.kind == "pseudo"
    metadata = {
        "ganiq": KIND,
        "name": recipe.name,
        "recipe": json.dumps(recipe.document),
        "network": json.dumps(net.options),
        "aux": net.shown,
        "label": json.dumps(scaler.document()),
        "crop": str(recipe.views.crop),
        "crops": str(recipe.crops),
        "patches": str(recipe.views.patches),
        "part": part,
        "scale": json.dumps(None if pseudo or data is None else scale_of(data)),
        "split": json.dumps({
            "protocol": split.protocol, "seed": split.seed, "digest": split.digest, "images": split.images
        }),
        "trained": json.dumps({
            "data": sorted({s.digest for s in seen}),
            "names": sorted({s.dataset for d in seen for s in d.samples}),
            "licenses": sorted({d.license for d in seen if d.license}),
            "contents": sorted({(d, g, f"{v:016x}") for s in seen for d, g, v in s.contents()}),
            "labels": "pseudo-MOS: never agreement with people" if pseudo else "human scores",
        }),
        "revision": provenance.revision(),
    }  # fmt: skip
    if borrowed(network):
        metadata["borrowed"] = json.dumps(borrowed(network), sort_keys=True)
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, _ordered(save(values, metadata)))
    back = tensors_from(path.read_bytes(), path.name)
    if back.keys() != values.keys() or any(not bool((back[n] == values[n]).all()) for n in values):
        raise IntegrityError(f"{path.name} does not read back as it was written; check the disk", code="E-EXPORT")
    fill(network, path)


def scale_of(data: TrainingSet) -> dict[str, Any] | None:
    """What a data set's scores mean: kind, direction, and the range where it is declared."""
    scale = data.scale
    return scale and {"kind": scale.kind.casefold(), "better": scale.better, "low": scale.low, "high": scale.high}


def _ordered(data: bytes) -> bytes:
    """The same file with its header in order: equal trainings leave equal bytes."""
    length = int.from_bytes(data[:8], "little")
    header = json.dumps(json.loads(data[8 : 8 + length]), sort_keys=True, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    return len(header).to_bytes(8, "little") + header + data[8 + length :]


def card(path: Path) -> dict[str, Any]:
    """The header of an exported file, JSON fields parsed.

    Raises:
        UsageError: no such file, or no evaluator of this suite.
        IntegrityError: a damaged header.
    """
    data = _bytes(path)
    check_safetensors(data, path.name)
    found = _header(data)
    if found.get("ganiq") != KIND:
        raise UsageError(
            f"{path.name} is no evaluator of this suite (its header lacks {KIND!r}); give a file that "
            "`ganiq train` or `ganiq export` wrote",
            code="E-CKPT",
        )
    try:
        found = {"scale": "null", "part": ""} | found  # which files from before these were kept lack
        for name in ("recipe", "network", "label", "split", "trained", "scale"):
            found[name] = json.loads(found[name])
        for name in ("crop", "crops", "patches"):
            found[name] = int(found[name])
    except (KeyError, ValueError) as error:
        raise IntegrityError(f"{path.name}: its header is damaged ({error}); export it again", code="E-CKPT") from None
    return found


def fill(network: Any, path: Path) -> Any:
    """Load an exported file into a network, strictly; values are widened to the network's own precision.

    Raises:
        UsageError: no such file.
        BadWeights: tensors that do not fit, or a slot that holds other weights than the evaluator was trained with.
    """
    data = _bytes(path)
    values = tensors_from(data, path.name)
    check_borrowed(_header(data).get("borrowed"), borrowed(network), name=path.name)
    own = network.state_dict()
    wide = {n: v.to(own[n].dtype) if n in own and v.is_floating_point() else v for n, v in values.items()}
    wide |= {n: v for n, v in own.items() if not v.numel()}  # empty tensors are not stored
    device = next((v.device for v in own.values()), None)
    load_strict(network, {n: v.to(device) for n, v in wide.items()} if device else wide, name=path.name)
    if hasattr(network, "filled"):
        network.filled = hashlib.sha256(data).hexdigest()
    return network


def borrowed(network: Any) -> dict[str, str]:
    """Slot -> sha256 of weights that a network works with and its state leaves out."""
    return dict(getattr(network, "borrowed", {}))


def digest_of(path: Path) -> str:
    """sha256 of a file."""
    return hashlib.sha256(_bytes(path)).hexdigest()


def unseen(found: dict[str, Any], name: str, data: TrainingSet) -> None:
    """Make sure that an evaluator was not trained on what it is to be tested on.

    Args:
        found: its ``card``.
        name: what the data are called in the message.
        data: what it is tested on.

    Raises:
        IntegrityError: a reference or a near-duplicate is in both.
    """
    seen = [(d, g, int(v, 16)) for d, g, v in found["trained"]["contents"]]
    splits.clash(f"the training of {found.get('name', 'this evaluator')}", seen, name, data.contents())


def onnx(network: Any, path: Path, crop: int, patches: int, aux: bool) -> None:
    """Write the network as one ONNX file: ``images`` (B, m, 3, S, S), and ``references`` where it compares, to
    ``score`` (B,) on the learned scale. It is written once onnxruntime has given the network's own scores with it.

    Raises:
        UsageError: a package is not installed, or the network has an operation that ONNX lacks.
        IntegrityError: the graph gives other scores than the network.
    """
    import importlib.util
    import warnings

    import torch

    from . import seam

    if any(importlib.util.find_spec(name) is None for name in ONNX_PACKAGES):
        raise UsageError(f"ONNX export needs three packages: pip install {' '.join(ONNX_PACKAGES)}", code="E-CFG")

    class Scores(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network
            # A second backbone is used twice and would be written twice, were it not known here.
            self.held = torch.nn.ModuleList(m for part in network.modules() for m in getattr(part, "held", ()))

        def forward(self, images: Tensor, references: Tensor | None = None) -> Tensor:
            return self.network(seam.views(x=images, aux=references))["score"]

    scores = Scores().eval()
    names = ["images", "references"] if aux else ["images"]
    number = torch.export.Dim("B")
    stream = torch.Generator().manual_seed(0)
    # Two images to export with, three to compare: the number of images is free.
    example, others = ([torch.rand(n, patches, 3, crop, crop, generator=stream) for _ in names] for n in (2, 3))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the exporter's, about itself
            program = torch.onnx.export(
                scores, tuple(example), dynamo=True, verbose=False, input_names=names, output_names=["score"],
                dynamic_shapes={name: {0: number} for name in names},
            )  # fmt: skip
    except Exception as error:
        text = str(error).strip().partition("\n")[0]
        raise UsageError(
            f"this network cannot be written as ONNX ({type(error).__name__}: {text}); use .safetensors",
            code="E-EXPORT",
        ) from error
    assert program is not None
    data = program.model_proto.SerializeToString()
    with torch.no_grad():
        expected = scores(*others).numpy()
    _compared(data, dict(zip(names, (v.numpy() for v in others))), expected, path.name)
    with explained(path):
        write_bytes(path, data)


def _compared(data: bytes, given: dict[str, Any], expected: Any, name: str) -> None:
    """
    Raises:
        IntegrityError: onnxruntime cannot run the graph, or it gives other scores.
    """
    import importlib

    import numpy as np

    runtime = importlib.import_module("onnxruntime")
    try:
        (found,) = runtime.InferenceSession(data, providers=["CPUExecutionProvider"]).run(["score"], given)
    except Exception as error:  # onnxruntime's own kinds have no common base below this
        text = str(error).strip().partition("\n")[0]
        raise IntegrityError(
            f"{name}: onnxruntime cannot run this graph ({text}); use .safetensors", code="E-EXPORT"
        ) from error
    apart = float(np.abs(found - expected).max()) if found.shape == expected.shape else float("nan")
    if not apart <= ONNX_ERROR:
        raise IntegrityError(
            f"{name}: the graph's scores are up to {apart:.2g} from the network's; use .safetensors", code="E-EXPORT"
        )


def _header(data: bytes) -> dict[str, Any]:
    """What is written into the head of a file that was found to be sound."""
    length = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + length]).get("__metadata__") or {}


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror}); check the path", code="E-CKPT") from None
