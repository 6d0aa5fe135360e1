"""The identity of anything with parameters: a name and every parameter spelled out.

``Spec.of("ssim", make, {})`` and ``Spec.of("ssim", make, {"window": 11})`` are equal when 11 is the
default: naming a default changes nothing. ``str(spec)`` parses back to the same spec.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .errors import UsageError

Scalar = str | int | float | bool | None
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-@]*")


def canonical(document: object) -> str:
    """JSON text with one spelling per document: sorted keys, no blanks, no NaN."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest(document: object) -> str:
    """sha256 of the canonical JSON text, as 64 hexadecimal digits."""
    return hashlib.sha256(canonical(document).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Spec:
    """A name and its parameters, sorted by name: hashable, printable, parseable."""

    name: str
    params: tuple[tuple[str, Scalar], ...] = ()

    @classmethod
    def of(cls, name: str, make: Callable[..., Any], given: Mapping[str, Scalar] | None = None) -> Spec:
        """Bind ``given`` to the signature of ``make`` and spell out every default.

        Raises:
            UsageError: a parameter that ``make`` does not take.
        """
        signature = inspect.signature(make)
        try:
            bound = signature.bind(**dict(given or {}))
        except TypeError as error:
            known = ", ".join(signature.parameters) or "none"
            raise UsageError(f"{name}: {error}; its parameters are: {known}", code="E-CFG") from None
        bound.apply_defaults()
        return cls(name, tuple(sorted(bound.arguments.items())))

    @classmethod
    def parse(cls, text: str) -> Spec:
        """Read ``name`` or ``name(key=literal, ...)``; parameters not named keep their defaults.

        Raises:
            UsageError: the text is neither.
        """
        text = text.strip()
        name, paren, rest = text.partition("(")
        if not _NAME.fullmatch(name) or (paren and not rest.endswith(")")):
            raise UsageError(f"{text!r} is not a name like ssim or ssim(window=7)", code="E-CFG")
        if not paren:
            return cls(name)
        try:
            call = ast.parse(f"f({rest}", mode="eval").body
            assert isinstance(call, ast.Call)
            if call.args or any(k.arg is None for k in call.keywords):
                raise ValueError("parameters must be named")
            params = {str(k.arg): ast.literal_eval(k.value) for k in call.keywords}
        except (SyntaxError, ValueError, AssertionError):
            raise UsageError(
                f"{text!r}: write parameters as name=value with plain values, e.g. ssim(window=7)", code="E-CFG"
            ) from None
        return cls(name, tuple(sorted(params.items())))

    @property
    def arguments(self) -> dict[str, Scalar]:
        return dict(self.params)

    def __str__(self) -> str:
        if not self.params:
            return self.name
        inner = ",".join(f"{key}={value!r}" for key, value in self.params)
        return f"{self.name}({inner})"
