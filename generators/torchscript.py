"""A restoration network as a TorchScript archive: code and weights in one file.

Such a file is a program. Loading it can run what its author wrote, so it is refused unless the user says
``trust=True``. Takes and gives one (1, 3, h, w) float32 tensor; the scale is found by a trial on a small grey image.

Protocol: as in ``running``; ``range`` says on what scale the network takes and gives its values.
"""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ..bench.errors import UsageError
from ..bench.weights import BadWeights
from .running import (
    RANGES,
    Network,
    OnFile,
    OwnFile,
    Sizes,
    Unusable,
    find_scale,
    first_line,
    quiet,
    short_name,
    template,
    torch_device,
)

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class TorchScript(OwnFile):
    """A file written by ``torch.jit.save``."""

    trust: bool = False
    """Whether you trust the file's author with your computer: loading runs code."""
    range: str = "0..1"
    """Scale of the values it takes and gives: ``0..1``, ``0..255`` or ``-1..1``."""
    minimum: int = 1
    """Least side it takes; smaller images are padded."""
    multiple_of: int = 1
    """What its sides must be divisible by; images are padded to it."""

    info: ClassVar[Any] = template(
        "torchscript",
        "A network of your own, as TorchScript",
        "torchscript(path='net.pt', trust=True)",
        note="Loading the file runs its author's code.",
    )

    def __post_init__(self) -> None:
        OwnFile.__post_init__(self)
        check_format(self.range, self.minimum, self.multiple_of)

    def _load(self) -> Network:
        model, device, sha256 = archive(self, self.trust, "use its weights as safetensors with checkpoint(path=...)")
        work = scaled(model, self.range)
        sizes = Sizes(-(-self.minimum // self.multiple_of) * self.multiple_of, self.multiple_of)
        return Network(
            call=work,
            scale=find_scale(work, name=self.shown, device=device, sizes=sizes),
            name=short_name(Path(self.path).stem, sha256),
            title=f"TorchScript network in {self.shown}",
            sizes=sizes,
            range=self.range,
            device=device,
            identity={"sha256": sha256},
            size=sum(value.numel() * value.element_size() for value in [*model.parameters(), *model.buffers()]),
        )


def archive(file: OnFile, trust: object, instead: str) -> tuple[Any, str, str]:
    """A file written by ``torch.jit.save``, loaded: the module in float32, its device and the file's sha256.

    Args:
        file: which one, and where it shall run.
        trust: whatever the user said; only True lets the file be opened.
        instead: what else to do, for messages.

    Raises:
        Unusable: ``E-GEN-TRUST``, it is not trusted; ``E-GEN-DEVICE``, there is no such device.
        BadWeights: ``E-CKPT-HASH``, ``-FORMAT`` or ``-NAN``.
    """
    import torch

    if trust is not True:
        raise Unusable(
            "E-GEN-TRUST", file.shown, "a TorchScript file is a program, and loading it runs its author's code",
            f"say trust=True if you trust its origin, or {instead}", "not loaded",
        )  # fmt: skip
    device = torch_device(file.device, file.shown)
    data, sha256 = file.content()
    with warnings.catch_warnings(), quiet("cpu"):
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            model: Any = torch.jit.load(io.BytesIO(data), map_location=device)
        except Exception as error:
            raise BadWeights(
                "E-CKPT-FORMAT", file.shown, f"it is no TorchScript archive ({first_line(error)})",
                f"get an undamaged copy, or {instead}",
            ) from None  # fmt: skip
        for key, value in [*model.named_parameters(), *model.named_buffers()]:
            if value.is_floating_point() and not bool(torch.isfinite(value).all()):
                raise BadWeights(
                    "E-CKPT-NAN", file.shown, f"tensor {key} holds values that are not finite",
                    "use an undamaged file",
                )  # fmt: skip
        return model.float().eval(), device, sha256


def check_format(range: str, minimum: int, multiple_of: int) -> None:
    """Raises UsageError unless the range is known and the sizes are sane."""
    if range not in RANGES:
        raise UsageError(f"range is one of {', '.join(RANGES)}, not {range!r}", code="E-CFG")
    for name, value in (("minimum", minimum), ("multiple_of", multiple_of)):
        if type(value) is not int or not 1 <= value <= 4096:
            raise UsageError(f"{name} must be a whole number from 1 to 4096, not {value!r}", code="E-CFG")


def scaled(work: Any, range: str) -> Any:
    """A network on values in [0, 1], from one on another scale."""
    factor, offset = RANGES[range]

    def wrapped(image: Tensor) -> Tensor:
        answer = work(image * factor + offset)
        return (answer - offset) / factor if hasattr(answer, "is_floating_point") else answer

    return work if (factor, offset) == (1.0, 0.0) else wrapped
