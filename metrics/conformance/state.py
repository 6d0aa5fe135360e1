"""What a process has that a metric could change by mistake: random states, threads, settings."""

from __future__ import annotations

import os
import pickle
import random
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

PECULIAR = 918273645
"""Seed of the random states a metric is watched in: nobody else sets this one."""
THREADS = 3
"""Threads a metric is watched with: no metric would choose this number."""


def random_states() -> dict[str, bytes]:
    """The global generators, by name."""
    import numpy as np
    import torch

    return {
        "torch": torch.get_rng_state().numpy().tobytes(),
        "numpy.random": pickle.dumps(np.random.get_state()),  # noqa: NPY002
        "random": pickle.dumps(random.getstate()),
    }


@contextmanager
def peculiar_random() -> Iterator[None]:
    """Put the global generators where no metric would put them, and back afterwards."""
    import numpy as np
    import torch

    kept = torch.get_rng_state(), np.random.get_state(), random.getstate()  # noqa: NPY002
    try:
        torch.default_generator.manual_seed(PECULIAR)  # the processor's alone
        np.random.seed(PECULIAR)  # noqa: NPY002
        random.seed(PECULIAR)
        yield
    finally:
        torch.set_rng_state(kept[0])
        np.random.set_state(kept[1])  # noqa: NPY002
        random.setstate(kept[2])


def settings() -> dict[str, Any]:
    """Switches of this process that other metrics depend on, by name."""
    import numpy as np
    import torch

    return {
        "torch.get_num_threads()": torch.get_num_threads(),
        "torch.get_default_dtype()": torch.get_default_dtype(),
        "torch.is_grad_enabled()": torch.is_grad_enabled(),
        "torch.are_deterministic_algorithms_enabled()": torch.are_deterministic_algorithms_enabled(),
        "numpy.geterr()": np.geterr(),
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS"),
        "the working folder": os.getcwd(),
    }


def restore(kept: dict[str, Any]) -> None:
    """Set everything as it was when ``settings`` was asked."""
    import numpy as np
    import torch

    torch.set_num_threads(kept["torch.get_num_threads()"])
    torch.set_default_dtype(kept["torch.get_default_dtype()"])
    torch.set_grad_enabled(kept["torch.is_grad_enabled()"])
    torch.use_deterministic_algorithms(kept["torch.are_deterministic_algorithms_enabled()"])
    np.seterr(**kept["numpy.geterr()"])
    with suppress(OSError):  # a folder that is gone
        os.chdir(kept["the working folder"])
    if kept["OMP_NUM_THREADS"] is None:
        os.environ.pop("OMP_NUM_THREADS", None)
    else:
        os.environ["OMP_NUM_THREADS"] = kept["OMP_NUM_THREADS"]


@contextmanager
def guarded(touched: list[str]) -> Iterator[None]:
    """Notes which settings were changed inside, and sets them back, so that nobody else suffers."""
    before = settings()
    try:
        yield
    finally:
        names = changed(before, settings())
        if names:
            touched += names
            restore(before)


def pools() -> dict[str, int]:
    """Threads of the libraries for linear algebra and OpenMP that are loaded, by name."""
    from threadpoolctl import threadpool_info

    return {f"the threads of {Path(pool['filepath']).name}": pool["num_threads"] for pool in threadpool_info()}


@contextmanager
def peculiar_threads() -> Iterator[None]:
    """A number of threads that no metric would choose, and the old one afterwards."""
    import torch
    from threadpoolctl import threadpool_limits

    kept = torch.get_num_threads()
    limits = threadpool_limits()  # remembers, sets nothing
    try:
        torch.set_num_threads(THREADS)
        yield
    finally:
        limits.restore_original_limits()
        torch.set_num_threads(kept)


def changed(before: dict[str, Any], after: dict[str, Any]) -> tuple[str, ...]:
    """Names of what is not as it was; what has come since (a library that was loaded) is no change."""
    return tuple(name for name, value in before.items() if after.get(name) != value)
