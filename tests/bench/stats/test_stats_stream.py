"""Named random streams."""

from __future__ import annotations

import numpy as np
import pytest
from ganiq.bench.stats import generator
from ganiq.bench.stats.stream import signs


def test_stream_depends_on_root_and_names_only():
    first = generator(1, "table", "statistic").random(5)
    np.testing.assert_array_equal(first, generator(1, "table", "statistic").random(5))
    others = [
        generator(2, "table", "statistic"),
        generator(1, "table", "other"),
        generator(1, "tables", "tatistic"),
        generator(1, "tablestatistic"),
        generator(1, "statistic", "table"),
        generator(1),
    ]
    assert all((other.random(5) != first).all() for other in others)


def test_stream_is_the_same_on_every_machine():
    """A change here changes every published interval."""
    assert generator(0, "table", "statistic").integers(0, 2**32, 3).tolist() == [1734585862, 3141915506, 513138449]


def test_large_root_and_negative_root():
    assert isinstance(generator(2**200, "x").random(), float)
    with pytest.raises(ValueError, match="negative"):
        generator(-1, "x")


def test_signs():
    every, exact = signs(10, 3, None)
    assert exact
    assert sorted(map(tuple, every.tolist())) == [(a, b, c) for a in (-1, 1) for b in (-1, 1) for c in (-1, 1)]
    some, exact = signs(500, 20, np.random.default_rng(0))
    assert not exact
    assert some.shape == (500, 20)
    assert set(np.unique(some)) == {-1, 1}
    assert abs(some.mean()) < 0.05
    with pytest.raises(ValueError, match="too many for exact"):
        signs(500, 14, None)
