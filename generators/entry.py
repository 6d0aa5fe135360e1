"""A restorer as a Python function: ``package.module:function``.

Called with a (3, h, w) float32 tensor in [0, 1], it answers with (3, h*scale, w*scale); an object that can be called
will do as well. It must be importable: in an installed package, or in a folder on PYTHONPATH. The scale is found by
a trial on a small grey image.

Protocol: as in ``running``. By default the function sees the image in one piece. torch's random numbers are the same
at every call; for randomness from elsewhere the function itself has to answer.
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ..bench.errors import UsageError
from .running import (
    Network,
    Own,
    Sizes,
    Unusable,
    check_device,
    find_scale,
    first_line,
    short_name,
    template,
    torch_device,
)
from .torchscript import check_format

if TYPE_CHECKING:
    from torch import Tensor

_FORM = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")


@dataclass(frozen=True, kw_only=True)
class Python(Own):
    """A function of your own, by its module and name."""

    function: str
    """``package.module:function``."""
    device: str = "cpu"
    """Where the tensor lies that it is given: ``cpu``, ``cuda``, or ``auto``: cuda if there is one."""
    minimum: int = 1
    """Least side it takes; smaller images are padded."""
    multiple_of: int = 1
    """What its sides must be divisible by; images are padded to it."""

    info: ClassVar[Any] = template(
        "python",
        "A Python function of your own",
        "python(function='package.module:function')",
        note="Given a (3, h, w) tensor in [0, 1].",
    )

    def __post_init__(self) -> None:
        Own.__post_init__(self)
        check_device(self.device)
        check_format("0..1", self.minimum, self.multiple_of)
        if not isinstance(self.function, str) or not _FORM.fullmatch(self.function):
            raise UsageError(
                f"function must be written package.module:function, not {self.function!r}", code="E-CFG"
            )  # fmt: skip

    @property
    def shown(self) -> str:
        return self.function

    def _load(self) -> Network:
        device = torch_device(self.device, self.shown)
        function, sha256 = self._found()

        def work(image: Tensor) -> Tensor:
            answer = function(image[0])
            if getattr(answer, "ndim", 3) != 3:
                raise ValueError(f"it gave the shape {tuple(answer.shape)}, and (3, h, w) is wanted")
            return answer[None] if hasattr(answer, "is_floating_point") else answer

        sizes = Sizes(-(-self.minimum // self.multiple_of) * self.multiple_of, self.multiple_of)
        return Network(
            call=work,
            scale=find_scale(work, name=self.shown, device=device, sizes=sizes),
            name=short_name(self.function.replace(":", "."), sha256),
            title=f"Python function {self.function}",
            sizes=sizes,
            tile=0,
            device=device,
            identity={"function": self.function, "sha256": sha256},
        )

    def _found(self) -> tuple[Any, str]:
        """The function, and the sha256 of the file it is written in (empty if there is none)."""
        module, _, attribute = self.function.partition(":")
        try:
            home = importlib.import_module(module)
        except Exception as error:
            raise Unusable(
                "E-GEN-ERROR", self.shown, f"module {module} cannot be imported ({type(error).__name__}: "
                f"{first_line(error)})", "repair it, or put its folder on PYTHONPATH", "not loaded",
            ) from None  # fmt: skip
        function: Any = home
        for part in attribute.split("."):
            function = getattr(function, part, None)
        if not callable(function) or inspect.isclass(function):
            kind = "a class" if inspect.isclass(function) else "nothing that can be called"
            raise Unusable(
                "E-GEN-ERROR", self.shown, f"{attribute} of module {module} is {kind}",
                "name a function, or an object that can be called", "not loaded",
            )  # fmt: skip
        source = getattr(home, "__file__", None)
        try:
            return function, hashlib.sha256(Path(source).read_bytes()).hexdigest() if source else ""
        except OSError:
            return function, ""
