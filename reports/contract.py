"""The document's types, read once more at run time: as a check of a file and as a JSON Schema.

Both are derived from the typed dictionaries of ``bench.document``, so they cannot drift apart.
"""

from __future__ import annotations

import math
import types
from typing import Any, Literal, NotRequired, Union, get_args, get_origin, get_type_hints, is_typeddict

from ..bench.errors import IntegrityError

_JSON = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}


def check(value: object, kind: Any, where: str) -> None:
    """Compare a decoded JSON value with a type of the document.

    Raises:
        IntegrityError: the first place that does not fit, and what stands there.
    """
    origin = get_origin(kind)
    if kind is object:
        return
    if is_typeddict(kind):
        if not isinstance(value, dict):
            raise _misfit(where, value, "an object")
        for name, (hint, required) in _fields(kind).items():
            if name in value:
                check(value[name], hint, f"{where}.{name}")
            elif required:
                raise IntegrityError(
                    f"{where} has no {name!r}; the file is damaged or of another version, write it again"
                )
    elif origin is list:
        if not isinstance(value, list):
            raise _misfit(where, value, "a list")
        for index, one in enumerate(value):
            check(one, get_args(kind)[0], f"{where}[{index}]")
    elif origin is dict:
        if not isinstance(value, dict):
            raise _misfit(where, value, "an object")
        for name, one in value.items():
            check(one, get_args(kind)[1], f"{where}[{name[:40]!r}]")
    elif origin is Literal:
        if value not in get_args(kind):
            raise _misfit(where, value, " or ".join(map(repr, get_args(kind))))
    elif origin in (Union, types.UnionType):
        inner = [k for k in get_args(kind) if k is not type(None)]
        if value is not None:
            check(value, inner[0], where)
    elif kind is float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise _misfit(where, value, "a finite number")
    elif kind is int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise _misfit(where, value, "a whole number")
    elif not isinstance(value, kind):
        raise _misfit(where, value, "text" if kind is str else kind.__name__)


def json_schema(kind: Any, *, title: str = "") -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of a typed dictionary, with the dictionaries it uses under ``$defs``."""
    definitions: dict[str, Any] = {}
    top = _schema(kind, definitions)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title or kind.__name__,
        **top,
        "$defs": dict(sorted(definitions.items())),
    }


def _schema(kind: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    origin = get_origin(kind)
    if kind is object:
        return {}
    if is_typeddict(kind):
        if kind.__name__ not in definitions:
            definitions[kind.__name__] = {}
            fields = _fields(kind)
            definitions[kind.__name__] = {
                "type": "object",
                "properties": {name: _schema(hint, definitions) for name, (hint, _) in fields.items()},
                "required": [name for name, (_, required) in fields.items() if required],
            }
        return {"$ref": f"#/$defs/{kind.__name__}"}
    if origin is list:
        return {"type": "array", "items": _schema(get_args(kind)[0], definitions)}
    if origin is dict:
        return {"type": "object", "additionalProperties": _schema(get_args(kind)[1], definitions)}
    if origin is Literal:
        return {"enum": list(get_args(kind))}
    if origin in (Union, types.UnionType):
        return {"anyOf": [_schema(one, definitions) for one in get_args(kind)]}
    return {"type": _JSON[kind]}


def _fields(kind: Any) -> dict[str, tuple[Any, bool]]:
    """Name -> (type, required). The class's own bookkeeping misses NotRequired in deferred annotations."""
    out = {}
    for name, hint in get_type_hints(kind, include_extras=True).items():
        optional = get_origin(hint) is NotRequired
        out[name] = (get_args(hint)[0] if optional else hint, not optional)
    return out


def _misfit(where: str, value: object, wanted: str) -> IntegrityError:
    found = repr(value)
    found = found if len(found) <= 60 else found[:57] + "..."
    return IntegrityError(f"{where} is {found} where {wanted} belongs; the file is damaged, write it again")
