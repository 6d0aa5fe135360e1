"""Files in which a user says what to do: reading them, and saying in one sentence what is wrong with them."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

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
) -> Model:
    """The document as a model.

    Args:
        model: what it must be.
        document: what was read.
        shown: where it came from.
        whole: what the document as a whole is called.
        say: turns pydantic's message into ours.

    Raises:
        UsageError: one sentence with every wrong value.
    """
    try:
        return model.model_validate(document)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(str(p) for p in e['loc']) or whole}: {say(e['msg'])}" for e in error.errors())
        raise UsageError(f"{shown}: {wrong}", code="E-CFG") from None
