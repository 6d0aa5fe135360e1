"""What every metric must satisfy, as a suite that anyone can run on a metric of their own.

``ganiq check-metric NAME`` on the command line; ``pytest --ganiq-metric NAME`` for any registered metric; or,
in a test file of one's own::

    from ganiq.metrics.conformance import conforms

    @conforms("mean-error")
    def test_my_metric(check):
        check()

The properties are listed in ``properties.PROPERTIES``. Importing this package loads neither torch nor pytest.
"""

from __future__ import annotations

from .case import Broken, Case, Skipped
from .check import Row, check, conforms, examine, suited
from .properties import PROPERTIES, Property

__all__ = ["PROPERTIES", "Broken", "Case", "Property", "Row", "Skipped", "check", "conforms", "examine", "suited"]
