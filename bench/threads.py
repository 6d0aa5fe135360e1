"""Threads that do not fight: one pool of cores, shared on purpose.

Linear algebra on matrices of a hundred rows is slower on several threads than on one, and ten times slower
where other processes want the same cores: the threads spin while they wait for each other.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from threadpoolctl import threadpool_limits


def cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)


@contextmanager
def single() -> Iterator[None]:
    """One thread for NumPy's and SciPy's linear algebra inside the block."""
    with threadpool_limits(1, user_api="blas"):
        yield


def share(workers: int) -> None:
    """Give this worker process its part of the cores, for torch and for linear algebra."""
    import torch

    part = max(1, cores() // max(1, workers))
    torch.set_num_threads(part)
    threadpool_limits(part, user_api="blas")
