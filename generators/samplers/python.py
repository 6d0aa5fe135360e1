"""A sampler as a Python function: ``package.module:function`` called with a seed and a label.

It answers with a (3, H, W) tensor in [0, 1], and with the same one for the same arguments: all its randomness comes
from the seed. It must be importable: in an installed package, or in a folder on PYTHONPATH.
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ...bench.errors import UsageError
from ...bench.protocols import GeneratorInfo

if TYPE_CHECKING:
    from torch import Tensor

_FORM = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")


@dataclass(frozen=True, kw_only=True)
class PythonSampler:
    """A function of your own, by its module and name."""

    function: str
    """``package.module:function``."""
    info: ClassVar[GeneratorInfo] = GeneratorInfo(
        "python-sampler",
        "A Python function of your own",
        kind="sampler",
        license="that of what is run",
        note="Called with (seed, label); gives a (3, H, W) tensor in [0, 1].",
        given="python-sampler(function='package.module:function')",
    )

    def __post_init__(self) -> None:
        if not isinstance(self.function, str) or not _FORM.fullmatch(self.function):
            raise UsageError(f"function must be written package.module:function, not {self.function!r}", code="E-CFG")

    def __call__(self, seed: int, label: int | None = None, /) -> Tensor:
        return self._found[0](seed, label)

    @property
    def identity(self) -> dict[str, str]:
        """sha256 of the file that the function is written in; what that imports is not seen."""
        return {"function": self.function, "sha256": self._found[1]}

    @cached_property
    def _found(self) -> tuple[Any, str]:
        name, _, attribute = self.function.partition(":")
        try:
            module = importlib.import_module(name)
        except Exception as error:
            raise UsageError(
                f"{self.function}: module {name} cannot be imported ({type(error).__name__}: {error}); repair it, or "
                "put its folder on PYTHONPATH",
                code="E-CFG",
            ) from None
        function: Any = module
        for part in attribute.split("."):
            function = getattr(function, part, None)
        if not callable(function) or inspect.isclass(function):
            raise UsageError(f"{self.function}: {attribute} of module {name} is no function; name one", code="E-CFG")
        source = getattr(module, "__file__", None)
        return function, hashlib.sha256(Path(source).read_bytes()).hexdigest() if source else ""
