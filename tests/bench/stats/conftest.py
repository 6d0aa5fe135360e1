"""Helpers of the statistics tests."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from ganiq.bench.types import Estimate

Ends = Callable[[Estimate], tuple[float, float, float]]


@pytest.fixture(scope="session")
def ends() -> Ends:
    """Takes an estimate that must have an interval apart: (low, value, high)."""

    def apart(estimate: Estimate) -> tuple[float, float, float]:
        assert estimate.value is not None, estimate
        assert estimate.low is not None, estimate
        assert estimate.high is not None, estimate
        return estimate.low, estimate.value, estimate.high

    return apart
