"""Any restoration network that spandrel knows, from a file of its weights.

ESRGAN, Real-ESRGAN, SwinIR, HAT, DAT, SPAN, SCUNet, NAFNet, GFPGAN and some thirty more: the architecture, its
scale and the sizes it takes are found from the names and shapes of the tensors. The file is read once, hashed, and
parsed as safetensors or by ``torch.load(weights_only=True)``: it can hold data, and no code.

Protocol: as in ``running``. Networks for which spandrel advises against tiles see the image in one piece, unless
``tile`` says otherwise.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ..bench.vision import load as load_with_torchvision
from ..bench.weights import BadWeights, tensors_from
from .running import (
    TILE,
    Network,
    OwnFile,
    Sizes,
    first_line,
    hushed,
    needs_package,
    quiet,
    short_name,
    template,
    torch_device,
)

if TYPE_CHECKING:
    from torch import Tensor

_PLAIN = ("ESRGAN", "Compact")
"""Convolutions only: a quarter faster with the channels of a pixel side by side."""


@dataclass(frozen=True, kw_only=True)
class Checkpoint(OwnFile):
    """A ``.safetensors`` or ``.pth`` file with the weights of a network; which one is found out."""

    info: ClassVar[Any] = template(
        "checkpoint",
        "A network of your own, by its weights",
        "checkpoint(path='net.safetensors')",
        "spandrel",
        note="Any architecture that spandrel recognises; safetensors or PyTorch files without code.",
    )

    def _load(self) -> Network:
        device = torch_device(self.device, self.shown)
        data, sha256 = self.content()
        check_kind(data, self.shown)
        with hushed():
            state = tensors_from(data, self.shown)
        size = sum(value.numel() * value.element_size() for value in state.values())
        del data
        model = build(state, self.shown)
        model.to(device)
        tile = 0 if model.tiling.name != "SUPPORTED" else TILE
        needed = model.size_requirements
        # A network for faces is built around one size, which spandrel calls its least; it fails on most others.
        fixed = (needed.minimum, needed.minimum) if model.purpose == "FaceSR" and needed.minimum > 1 else None
        return Network(
            call=model,
            scale=model.scale,
            name=short_name(Path(self.path).stem, sha256),
            title=f"{model.architecture.name} network in {self.shown}",
            channels=model.input_channels,
            sizes=Sizes(max(needed.minimum, 1), needed.multiple_of, needed.square, fixed),
            tile=tile,
            device=device,
            identity={"sha256": sha256, "architecture": model.architecture.id},
            size=size,
        )


def check_kind(data: bytes, name: str) -> None:
    """Tell what is no checkpoint at all, so that it is not called damaged or dangerous.

    Raises:
        BadWeights: ``E-CKPT-FORMAT``; ``E-CKPT-UNSAFE`` for a TorchScript archive, which holds code.
    """
    if data.startswith(b"PK\x03\x04"):
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                inside = archive.namelist()
        except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError) as error:
            raise BadWeights(
                "E-CKPT-FORMAT", name, f"it is a damaged PyTorch file ({first_line(error)})", "get an undamaged copy"
            ) from None
        if any(entry.endswith("constants.pkl") for entry in inside):
            raise BadWeights(
                "E-CKPT-UNSAFE", name, "it is a TorchScript archive, which holds code",
                "get its weights as safetensors, or, if you trust its origin, use torchscript(path=..., trust=True)",
            )  # fmt: skip
    elif not (data.startswith(b"\x80") or data[8:9] == b"{" or data[257:262] == b"ustar"):
        onnx = "; for an ONNX file use onnx(path=...)" if Path(name).suffix.lower() == ".onnx" else ""
        raise BadWeights(
            "E-CKPT-FORMAT", name,
            f"it is neither a safetensors nor a PyTorch file (it begins with {bytes(data[:12])!r})",
            f"give the file of weights itself{onnx}",
        )  # fmt: skip


def build(state: Mapping[str, Tensor], name: str) -> Any:
    """The network that has these tensors, as spandrel describes it: float32, on the CPU, ready to run.

    Raises:
        BadWeights: ``E-CKPT-KEYS``, no network is known that has them, or they do not fit the one they seem to
            belong to, or that is no restorer of images.
        Unusable: ``E-GEN-PACKAGE``, spandrel is not installed.
    """

    def bad(found: str, advice: str = "use the checkpoint of a restoration network") -> BadWeights:
        return BadWeights("E-CKPT-KEYS", name, found, advice)

    # Depth is read off the numbers in the names; a network is not built as deep as a hostile one says.
    for key in state:
        if any(int(number[:9]) > 64 + 16 * len(state) for number in re.findall(r"\d+", key) if len(number) > 3):
            raise bad(f"tensor {key[:60]} is numbered beyond what {len(state)} tensors can make up")
    import torch

    try:
        spandrel = load_with_torchvision("spandrel")
    except ImportError:
        raise needs_package(name, "spandrel", "restorers") from None
    try:
        with quiet("cpu"):  # building draws random parameters
            model = spandrel.ModelLoader(device="cpu").load_from_state_dict(dict(state))
    except spandrel.UnsupportedModelError:
        some = ", ".join(sorted(state)[:3])
        raise bad(f"no architecture is known whose tensors are called {some[:160]} ...") from None
    except MemoryError:
        raise
    except Exception as error:
        text = " ".join(str(error).split())[:200] or type(error).__name__
        raise bad(
            f"its tensors do not fit the network they seem to belong to ({type(error).__name__}: {text})",
            "use an undamaged checkpoint",
        ) from None
    if not isinstance(model, spandrel.ImageModelDescriptor):
        raise bad(f"{model.architecture.name} fills holes and needs a mask, which a restorer is not given")
    if model.input_channels not in (1, 3) or model.output_channels != model.input_channels:
        raise bad(
            f"{model.architecture.name} takes {model.input_channels} channels and gives {model.output_channels}",
            "a restorer takes and gives RGB or grey",
        )
    model.float().eval()
    model.model.requires_grad_(False)
    if model.architecture.id in _PLAIN:
        model.model.to(memory_format=torch.channels_last)
    return model
