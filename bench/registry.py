"""Names to things: built-ins as lazy strings, third parties through entry points.

Listing imports nothing of a plug-in; getting one imports only that one. A plug-in may not take the name of a
built-in or of another plug-in: ``ignored`` says which ones do. One that fails to import is an error only when
asked for.
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from .errors import UsageError

_PACKAGE = __name__.split(".")[0]


@dataclass(frozen=True, slots=True)
class Ignored:
    """A plug-in that cannot be had."""

    name: str
    origin: str
    """The distribution that registered it."""
    reason: str


@dataclass
class Registry:
    """All things of one kind, by name."""

    kind: str
    """For messages: ``metric``, ``data set`` ..."""
    table: str
    """``module:attribute`` of a mapping from built-in names to ``module:attribute`` strings, below ``ganiq``."""
    group: str
    """Entry-point group of third parties."""

    @property
    def listing(self) -> str:
        """The command below ``ganiq list`` that shows them; empty where there is none."""
        if self.table.startswith("generators:"):
            return "generators"
        return f"{self.kind}s" if self.kind in ("metric", "dataset") else ""

    @cached_property
    def builtin(self) -> Mapping[str, str]:
        module, attribute = self.table.split(":")
        return getattr(importlib.import_module(f"{_PACKAGE}.{module}"), attribute)

    @property
    def _points(self) -> list[EntryPoint]:
        return sorted(entry_points(group=self.group), key=lambda p: (p.name, p.value))

    @cached_property
    def plugins(self) -> dict[str, EntryPoint]:
        found: dict[str, EntryPoint] = {}
        for point in self._points:
            if point.name not in self.builtin:
                found.setdefault(point.name, point)
        return found

    def ignored(self) -> list[Ignored]:
        """Plug-ins whose name is taken, by name."""
        answer: dict[Ignored, None] = {}  # a package that is found twice on the path is named once
        for point in self._points:
            used = self.plugins.get(point.name)
            if used is not None and (used is point or (used.value, _owner(used)) == (point.value, _owner(point))):
                continue
            owner = self.origin(point.name)
            what = f"{self.kind} {point.name!r} of {_owner(point)} is ignored: {owner} has one of that name"
            answer[Ignored(point.name, _owner(point), f"{what}; give its entry point another name")] = None
        return list(answer)

    def names(self) -> list[str]:
        """Built-ins in their own order, then plug-ins by name."""
        return [*self.builtin, *self.plugins]

    def __contains__(self, name: object) -> bool:
        return name in self.builtin or name in self.plugins

    def get(self, name: str) -> Any:
        """The class or function behind a name.

        Raises:
            UsageError: unknown name, or a plug-in that cannot be imported.
        """
        if name in self.builtin:
            module, attribute = self.builtin[name].split(":")
            return getattr(importlib.import_module(f"{_PACKAGE}.{module}"), attribute)
        if name in self.plugins:
            try:
                return self.plugins[name].load()
            except Exception as error:
                raise UsageError(
                    f"{self.kind} {name!r} of {self.origin(name)} cannot be imported "
                    f"({type(error).__name__}: {error}); repair or uninstall that package",
                    code="E-CFG",
                ) from None
        near = difflib.get_close_matches(name, self.names(), n=3)
        known = f"see `ganiq list {self.listing}`" if self.listing else f"there are {', '.join(self.names())}"
        hint = f"did you mean {' or '.join(near)}?" if near else known
        raise UsageError(f"there is no {self.kind} {name!r}; {hint}", code="E-CFG")

    def origin(self, name: str) -> str:
        """Whose it is: ``ganiq`` or the distribution that registered it."""
        if name in self.builtin:
            return _PACKAGE
        return _owner(self.plugins[name])


def _owner(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist else point.value


metrics = Registry("metric", "metrics:BUILTIN", "ganiq.metrics")
extractors = Registry("feature extractor", "metrics:EXTRACTORS", "ganiq.extractors")
datasets = Registry("dataset", "bench.datasets:BUILTIN", "ganiq.datasets")
generators = Registry("generator", "generators:BUILTIN", "ganiq.generators")
degradations = Registry("degradation", "generators:DEGRADATIONS", "ganiq.degradations")
samplers = Registry("sampler", "generators:SAMPLERS", "ganiq.samplers")
executors = Registry("executor", "bench.engine:BUILTIN", "ganiq.executors")
