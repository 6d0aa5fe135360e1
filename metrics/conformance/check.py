"""Running the properties on one metric: rows for a table, or tests for pytest."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any, Literal

from ...bench.spec import Spec
from .case import Broken, Case, Skipped, line
from .properties import PROPERTIES, Property, device, needs


@dataclass(frozen=True)
class Row:
    """What came of one property."""

    property: str
    what: str
    outcome: Literal["passed", "failed", "skipped"]
    sentence: str = ""
    """What was found and what to do, or why it was skipped."""
    seconds: float = 0.0
    error: BaseException | None = field(default=None, compare=False, repr=False)
    """What the metric raised, for those who want to see where."""

    def document(self) -> dict[str, Any]:
        """For JSON."""
        row = asdict(self)
        del row["error"]
        return row | {"seconds": round(self.seconds, 3)}


def case_of(metric: str | Callable[[], Any], *, untrained: bool = False) -> Case:
    """A registered metric by its name, with parameters if they are named (``ssim(window=7)``), or one by its class.

    Raises:
        UsageError: there is no such metric or parameter, or the metric cannot be imported.
    """
    # By name: metrics know no more of the harness than its types.
    registry = importlib.import_module(f"{__name__.split('.')[0]}.bench.registry")
    if isinstance(metric, str):
        spec = Spec.parse(metric)
        return Case(spec.name, given(spec, registry.metrics.get(spec.name)), registry.extractors.get, untrained)
    name = getattr(getattr(metric, "info", None), "name", getattr(metric, "__name__", "metric"))
    return Case(str(name), metric, registry.extractors.get, untrained)


def given(spec: Spec, factory: Callable[[], Any]) -> Callable[[], Any]:
    """What builds a metric with the parameters of ``spec``, and says of itself what the metric's class does.

    Raises:
        UsageError: a parameter that the metric does not have.
    """
    if not spec.params:
        return factory
    Spec.of(spec.name, factory, spec.arguments)
    filled = partial(factory, **spec.arguments)
    vars(filled).update({name: getattr(factory, name) for name in ("info", "features") if hasattr(factory, name)})
    return filled


def suited(case: Case) -> list[Property]:
    """The properties that say something about a metric of this kind, on this computer."""
    there = [p for p in PROPERTIES if case.device or p.check is not device]
    return [p for p in there if case.kind in p.kinds or not p.after]


def examine(case: Case, wanted: Property) -> Row:
    """Check one property, and before it those without which it makes no sense; each is checked once."""
    if wanted.name not in case.rows:
        case.rows[wanted.name] = _examined(case, wanted)
    return case.rows[wanted.name]


def _examined(case: Case, wanted: Property) -> Row:
    for first in PROPERTIES:
        if first.name in wanted.after and examine(case, first).outcome == "failed":
            return Row(wanted.name, wanted.what, "skipped", f"not checked, because {first.name} failed")
    if case.missing and (wanted.weights == "trained" or (wanted.weights == "any" and not case.untrained)):
        return Row(wanted.name, wanted.what, "skipped", needs(case))
    outcome, sentence, cause = "passed", "", None
    started = time.perf_counter()
    try:
        wanted.check(case)
    except Broken as error:
        outcome, sentence, cause = "failed", str(error), error.__cause__
    except Skipped as error:
        outcome, sentence = "skipped", str(error)
    except (Exception, SystemExit) as error:
        outcome, sentence, cause = "failed", f"it raised {line(error)}; let it score this", error
    return Row(wanted.name, wanted.what, outcome, sentence, time.perf_counter() - started, cause)


def check(metric: str | Callable[[], Any]) -> list[Row]:
    """Every property of one metric, by its registered name (with or without parameters) or its class.

    Raises:
        UsageError: there is no such metric or parameter, or the metric cannot be imported.
    """
    case = case_of(metric)
    return [examine(case, wanted) for wanted in suited(case)]


@dataclass(frozen=True)
class Check:
    """One property of one metric, to be called in a test."""

    case: Case
    property: Property

    def __call__(self) -> None:
        """Fails or skips the test with one sentence.

        Raises:
            Broken: the property does not hold.
        """
        import pytest

        __tracebackhide__ = True
        row = examine(self.case, self.property)
        if row.outcome == "skipped":
            pytest.skip(row.sentence)
        if row.outcome == "failed":
            raise Broken(f"{self.case.name}, {row.property}: {row.sentence}") from row.error

    def __str__(self) -> str:
        return f"{self.case.name}-{self.property.name}"


def checks_of(metric: str | Callable[[], Any]) -> list[Check]:
    """One check per property that suits the metric."""
    case = case_of(metric)
    return [Check(case, wanted) for wanted in suited(case)]


def conforms(*metrics: str | Callable[[], Any]) -> Any:
    """Decorator for a test function with the argument ``check``: one test per metric and property.

    Args:
        metrics: registered names, or classes of metrics that need not be registered.

    Raises:
        UsageError: there is no such metric, or it cannot be imported.
    """
    import pytest

    return pytest.mark.parametrize("check", [c for metric in metrics for c in checks_of(metric)], ids=str)
