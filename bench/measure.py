"""A measure: a metric chosen with parameters, gate options and weights, and the identity of its numbers.

Two measures share stored scores if and only if their digests are equal. The digest covers everything that
can move a number (name, version, every parameter, hashes of weights, options of the image gate, precision);
device, batch size, threads and workers are provenance, and tests prove that they do not matter.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from . import presets, registry
from .errors import UsageError
from .protocols import ExtractorInfo, MetricInfo
from .spec import Spec, digest


@dataclass(frozen=True, slots=True)
class Measure:
    """One column of a board."""

    spec: Spec
    """Every parameter spelled out."""
    column: str
    """How it is called on the board: the name, and the parameters that differ from their defaults."""
    info: MetricInfo
    origin: str
    document: Mapping[str, Any]
    digest: str
    missing: tuple[str, ...] = ()
    """Slots of weights that are not on this computer."""
    reason: str = ""
    """Why it cannot run, with the command that would change that; empty if it can."""
    features: str = ""
    """Name of the feature extractor, for set metrics."""


def make(spec: Spec) -> Any:
    """Build the metric a spec names."""
    return registry.metrics.get(spec.name)(**spec.arguments)


def least(spec: Spec) -> int:
    """Shortest image side that a metric can score with these parameters."""
    factory = registry.metrics.get(spec.name)
    if isinstance(getattr(factory, "least", None), property):
        try:
            return int(make(spec).least)
        except ValueError:  # impossible parameters: scoring says which
            pass
    return factory.info.least


def measure(text: str, gate: Mapping[str, str] | None = None) -> Measure:
    """Resolve ``name`` or ``name(parameter=value)``.

    Raises:
        UsageError: unknown metric, unknown parameter, or a plug-in that does not satisfy the protocol.
    """
    given = Spec.parse(text)
    factory = registry.metrics.get(given.name)
    info = getattr(factory, "info", None)
    if not isinstance(info, MetricInfo):
        raise UsageError(
            f"metric {given.name!r} of {registry.metrics.origin(given.name)} has no `info` of type MetricInfo; "
            "see CONTRIBUTING, adding a metric",
            code="E-CFG",
        )
    spec = Spec.of(given.name, factory, given.arguments)
    plain = Spec.of(given.name, factory, {})
    changed = tuple(p for p in spec.params if p not in plain.params)
    slots = info.weights
    features = ""
    document: dict[str, Any] = {
        "name": info.name,
        "version": info.version,
        "params": spec.arguments,
        "dtype": info.dtype,
        "gate": dict(gate or {}),
    }
    if info.needs == "set":
        features = str(getattr(make(spec), "features", ""))
        extractor = registry.extractors.get(features).info
        if not isinstance(extractor, ExtractorInfo):
            raise UsageError(f"feature extractor {features!r} has no `info` of type ExtractorInfo", code="E-CFG")
        slots = (*slots, *extractor.weights)
        document["features"] = {
            "name": extractor.name,
            "version": extractor.version,
            "preprocessing": extractor.preprocessing,
        }
    missing, reason = (), ""
    if slots:
        from . import weights

        document["weights"] = {slot: weights.digest_of(slot) for slot in slots}
        missing = tuple(slot for slot in slots if not weights.present(slot))
        if missing:
            command = weights.command_for(missing)
            if info.name in weights.groups():  # the short name, which stands for the same files
                command = re.sub(r"(?<=ganiq weights get )[^&]*[^& ]", info.name, command)
            reason = f"needs weights: `{command}`"
    return Measure(
        spec=spec,
        column=str(Spec(spec.name, changed)),
        info=info,
        origin=registry.metrics.origin(given.name),
        document=document,
        digest=digest(document),
        missing=missing,
        reason=reason,
        features=features,
    )


def choose(wanted: Sequence[str], gate: Mapping[str, str] | None = None, preset: str = "") -> list[Measure]:
    """Measures for a list of texts; ``default`` means every built-in that can run here, ``all`` every metric.

    Args:
        wanted: texts.
        gate: options of the image gate.
        preset: name of the protocol that is written into the measures (presets.py).

    Raises:
        UsageError: as ``measure``; the same measure twice; two protocols on one board.
    """
    texts: list[str] = []
    for text in wanted:
        if text in ("default", "all"):
            names = list(registry.metrics.builtin) if text == "default" else registry.metrics.names()
            texts += [n for n in names if n not in texts]
        elif text not in texts:
            texts.append(text)
    if preset:
        texts = presets.under(presets.find(preset), texts, unnamed=set(texts) - set(wanted))
    chosen = [measure(text, gate) for text in texts]
    presets.one_border(chosen)
    if "default" in wanted:
        explicit = named(wanted, preset)
        chosen = [m for m in chosen if not m.reason or m.column in explicit]
    seen: dict[str, str] = {}
    for m in chosen:
        if m.column in seen:
            raise UsageError(f"metric {m.column} is asked for twice", code="E-CFG")
        seen[m.column] = m.digest
    return chosen


def named(wanted: Sequence[str], preset: str = "") -> set[str]:
    """The columns that were asked for one by one, and not through ``default`` or ``all``."""
    texts = [text for text in wanted if text not in ("default", "all")]
    return set(presets.under(presets.find(preset), texts)) if preset else set(texts)
