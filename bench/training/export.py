"""A trained network as one safetensors file: learnt weights in half precision, and all that is needed to use them.

The header says which network it is, on which scale it answers, which references it has seen, from which data and under
which licences. It holds neither the teacher nor adapters. ``write`` reads the file back and compares.
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
from ..weights.load import check_safetensors, load_strict, tensors_from
from . import splits
from .data import TrainingSet
from .labels import Scaler
from .recipe import Net, Recipe

if TYPE_CHECKING:
    from torch import Tensor

KIND = "evaluator/1"


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
) -> None:
    """Export a network; afterwards ``network`` holds the rounded weights, so that it predicts as the file does.

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
        "split": json.dumps({"protocol": split.protocol, "seed": split.seed, "digest": split.digest}),
        "trained": json.dumps({
            "data": sorted({s.digest for s in seen}),
            "names": sorted({s.dataset for d in seen for s in d.samples}),
            "licenses": sorted({d.license for d in seen if d.license}),
            "contents": sorted({(d, g, f"{v:016x}") for s in seen for d, g, v in s.contents()}),
            "labels": "pseudo-MOS: never agreement with people" if pseudo else "human scores",
        }),
        "revision": provenance.revision(),
    }  # fmt: skip
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, _ordered(save(values, metadata)))
    back = tensors_from(path.read_bytes(), path.name)
    if back.keys() != values.keys() or any(not bool((back[n] == values[n]).all()) for n in values):
        raise IntegrityError(f"{path.name} does not read back as it was written; check the disk", code="E-EXPORT")
    fill(network, path)


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
    length = int.from_bytes(data[:8], "little")
    found = json.loads(data[8 : 8 + length]).get("__metadata__") or {}
    if found.get("ganiq") != KIND:
        raise UsageError(
            f"{path.name} is no evaluator of this suite (its header lacks {KIND!r}); give a file that "
            "`ganiq train` or `ganiq export-model` wrote",
            code="E-CKPT",
        )
    try:
        for name in ("recipe", "network", "label", "split", "trained"):
            found[name] = json.loads(found[name])
        for name in ("crop", "crops", "patches"):
            found[name] = int(found[name])
    except (KeyError, ValueError) as error:
        raise IntegrityError(f"{path.name}: its header is damaged ({error}); export it again", code="E-CKPT") from None
    return found


def fill(network: Any, path: Path) -> Any:
    """Load an exported file into a network, strictly; values are widened to the network's own precision."""
    own = network.state_dict()
    values = tensors_from(_bytes(path), path.name)
    wide = {n: v.to(own[n].dtype) if n in own and v.is_floating_point() else v for n, v in values.items()}
    wide |= {n: v for n, v in own.items() if not v.numel()}  # empty tensors are not stored
    device = next((v.device for v in own.values()), None)
    load_strict(network, {n: v.to(device) for n, v in wide.items()} if device else wide, name=path.name)
    return network


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
    """Write the network as an ONNX graph from (B, m, 3, S, S) to scores, where the onnx package is installed.

    Raises:
        UsageError: it is not installed, or the network has an operation that ONNX lacks.
    """
    import importlib.util

    import torch

    from . import seam

    if importlib.util.find_spec("onnx") is None or importlib.util.find_spec("onnxscript") is None:
        raise UsageError("ONNX export needs two packages: pip install onnx onnxscript", code="E-CFG")

    class Scores(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, x: Tensor, other: Tensor | None = None) -> Tensor:
            return self.network(seam.views(x=x, aux=other))["score"]

    example = torch.rand(1, patches, 3, crop, crop)
    given = (example, torch.rand_like(example)) if aux else (example,)
    try:
        torch.onnx.export(Scores().eval(), given, str(path), dynamo=True, verbose=False)
    except Exception as error:
        raise UsageError(
            f"this network cannot be written as ONNX ({type(error).__name__}: {error})", code="E-EXPORT"
        ) from error


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror}); check the path", code="E-CKPT") from None
