"""Files in which a user says what to do: reading them, and saying in one sentence what is wrong with them."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from .errors import UsageError

Model = TypeVar("Model", bound=BaseModel)


def read(path: Path, missing: str) -> dict[str, Any]:
    """The document of a TOML file.

    Args:
        path: of the file.
        missing: the sentence for a file that does not exist.

    Raises:
        UsageError: it does not exist, or cannot be read as TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(missing, code="E-CFG") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path}: not readable as TOML ({error}); correct the file", code="E-CFG") from None


def _plain(message: str) -> str:
    return message.removeprefix("Value error, ")


def validated(
    model: type[Model],
    document: Mapping[str, Any],
    shown: str,
    whole: str = "document",
    say: Callable[[str], str] = _plain,
    place: Callable[[str], str] = str,
) -> Model:
    """The document as a model.

    Args:
        model: what it must be.
        document: what was read.
        shown: where it came from.
        whole: what the document as a whole is called.
        say: turns pydantic's message into ours.
        place: turns the path of a value, such as ``engine.timeout``, into how the user has given it.

    Raises:
        UsageError: one sentence with every wrong value.
    """
    try:
        return model.model_validate(document)
    except ValidationError as error:
        wrong = "; ".join(_sentence(model, dict(e), whole, say, place) for e in error.errors())
        raise UsageError(f"{shown}: {wrong}", code="E-CFG") from None


def _sentence(
    model: type[BaseModel],
    error: Mapping[str, Any],
    whole: str,
    say: Callable[[str], str],
    place: Callable[[str], str],
) -> str:
    """One of pydantic's errors as "place: what is wrong"."""
    shown = place(".".join(str(p) for p in error["loc"])) or whole
    if error["type"] == "extra_forbidden":
        keys = _keys(model, error["loc"][:-1])
        return f"{shown} is not a key that is read" + (f"; the keys are {', '.join(keys)}" if keys else "")
    return f"{shown}: {say(error['msg'])}"


def _keys(model: type[BaseModel], path: Sequence[int | str]) -> list[str]:
    """Names of the keys at a place of the document, as they are written; empty where that cannot be told."""
    found: Any = model
    for part in path:
        if isinstance(part, int):  # of a list: its entries have been found already
            continue
        fields = {f.alias or name: f.annotation for name, f in found.model_fields.items()}
        found = _model(fields.get(part))
        if found is None:
            return []
    return [field.alias or name for name, field in found.model_fields.items()]


def _model(annotation: Any) -> type[BaseModel] | None:
    """The model in an annotation such as ``Model``, ``Model | None`` or ``tuple[Model, ...]``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    inside = [found for part in get_args(annotation) if (found := _model(part)) is not None]
    return inside[0] if len(inside) == 1 else None
