"""For pytest: ``--ganiq-metric NAME`` adds one test per property of a registered metric.

pytest loads this in every run of everyone who has both installed, so it loads nothing itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .check import Check


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.getgroup("ganiq").addoption(
        "--ganiq-metric",
        action="append",
        default=[],
        metavar="NAME",
        help="also check that this registered metric of ganiq keeps its promises; may be given several times",
    )


@pytest.hookimpl(tryfirst=True)  # before others select by name or mark
def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    from ...bench.errors import UsageError
    from .check import checks_of

    for name in dict.fromkeys(config.getoption("--ganiq-metric") or ()):
        try:
            checks = checks_of(name)
        except UsageError as error:
            raise pytest.UsageError(f"--ganiq-metric: {error}") from None
        metric = Metric.from_parent(session, name=name, nodeid=f"ganiq-metric/{name}", checks=checks)
        items.extend(session.genitems(metric))


class Metric(pytest.Collector):
    """A metric named on the command line."""

    def __init__(self, *, checks: list[Check], **more: Any) -> None:
        super().__init__(**more)
        self.checks = checks

    def collect(self) -> Iterator[Promise]:
        for check in self.checks:
            yield Promise.from_parent(self, name=check.property.name, check=check)


class Promise(pytest.Item):
    """One property of it."""

    def __init__(self, *, check: Check, **more: Any) -> None:
        super().__init__(**more)
        self.check = check

    def runtest(self) -> None:
        self.check()

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The sentence; and where the metric raised something, where."""
        from .case import Broken

        if isinstance(excinfo.value, Broken) and excinfo.value.__cause__ is None:
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Any, int | None, str]:
        return self.path, None, f"{self.check.case.name}: {self.check.property.what}"
