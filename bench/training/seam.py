"""The only way from the trainer to networks, losses and distillers: by name, imported when asked for.

A name is one that ``metrics.evaluator.build`` knows, or ``package.module:attribute`` of a third party; the attribute is
then called as the built-in would be: a network with its options, a distiller with (teacher, student, **options), a
loss with its options.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

from ..errors import UsageError

_ROOT = __name__.split(".")[0]
_HOME = f"{_ROOT}.metrics.evaluator"


def own(name: str) -> Any:
    """A thing of this package's other folders: ``metrics.evaluator.views:Views``."""
    module, _, attribute = name.partition(":")
    found = importlib.import_module(f"{_ROOT}.{module}")
    return getattr(found, attribute) if attribute else found


def network(options: Mapping[str, Any], *, blank: bool = False) -> Any:
    """The module that a recipe's table describes; ``aux`` belongs to the trainer and is left out.

    Args:
        options: the table.
        blank: leave out published weights that are all replaced a moment later; of built-in networks only.
    """
    given = {key: value for key, value in options.items() if key != "aux"}
    name = str(given.get("net", ""))
    if ":" in name:
        given.pop("net")
        return _foreign("network", name)(**given)
    return _built(lambda: own("metrics.evaluator.build:network")(given, blank=blank))


def quick(network: Any) -> Any:
    """A copy that only answers, and sooner; a third party's network itself."""
    if not type(network).__module__.startswith(_HOME):
        return network
    return own("metrics.evaluator.parts_net:hasten")(deepcopy(network))


def distiller(name: str, teacher: Any, student: Any, options: Mapping[str, Any]) -> Any:
    """A module from two traces and the views to a scalar."""
    if ":" in name:
        return _foreign("distiller", name)(teacher, student, **options)
    return _built(lambda: own("metrics.evaluator.build:distiller")(name, teacher, student, dict(options)))


def loss(name: str, options: Mapping[str, Any]) -> Callable[[Any, Any], tuple[Any, Any]]:
    """A function from a trace and the views to (values per sample, mask), or (scalar, None)."""
    if ":" in name:
        return _foreign("loss", name)(**options)
    return _built(lambda: own("metrics.evaluator.build:loss")(name, **options))


def views(**fields: Any) -> Any:
    """One batch as networks take it."""
    return own("metrics.evaluator.views:Views")(**fields)


def _built(make: Callable[[], Any]) -> Any:
    """What a builder makes; its complaint about a name or an option is one about the recipe."""
    try:
        return make()
    except ValueError as error:
        raise UsageError(f"{error}; correct the recipe", code="E-CFG") from None
    except (TypeError, RuntimeError, ArithmeticError, LookupError) as error:  # sizes that fit no layer
        text = str(error).partition("\n")[0]
        raise UsageError(
            f"this network, loss or distiller cannot be made ({type(error).__name__}: {text}); correct the recipe",
            code="E-CFG",
        ) from error


def _foreign(kind: str, name: str) -> Any:
    module, _, attribute = name.partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise UsageError(
            f"{kind} {name!r} cannot be imported ({error}); install its package or correct the recipe", code="E-CFG"
        ) from None
