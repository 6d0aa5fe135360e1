"""Several processes on one training, started by ``torchrun``; one process where it was not.

The batch of a recipe is that of all processes together: each takes its part, gradients are averaged, and scores are
gathered before losses that compare images, so that the result is that of one process with the whole batch. Dropout, and
batch normalisation that learns (of some adapters), see each process's part alone.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import UsageError

if TYPE_CHECKING:
    from torch import Tensor


def speaks() -> bool:
    """Whether this process is the one of ``torchrun``'s that says something, or alone."""
    return os.environ.get("RANK", "0") == "0"


@dataclass(frozen=True, slots=True)
class World:
    """Which process this is, of how many."""

    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        """Whether this process writes files and speaks."""
        return self.rank == 0

    @classmethod
    def join(cls, device: str) -> World:
        """The processes that ``torchrun`` started, or this one alone."""
        size = int(os.environ.get("WORLD_SIZE", "1"))
        if size == 1:
            return cls()
        import torch.distributed as dist

        if not dist.is_initialized():
            dist.init_process_group("nccl" if device.startswith("cuda") else "gloo")
        return cls(dist.get_rank(), dist.get_world_size())

    def part(self, places: Sequence[int]) -> list[int]:
        """This process's part of a batch.

        Raises:
            UsageError: the batch cannot be divided evenly.
        """
        if len(places) % self.size:
            raise UsageError(
                f"a batch of {len(places)} cannot be divided among {self.size} processes; choose a multiple",
                code="E-CFG",
            )
        own = len(places) // self.size
        return list(places[self.rank * own : (self.rank + 1) * own])

    def average(self, parameters: Iterable[Tensor]) -> None:
        """Gradients to their mean over all processes; absent ones count as zero, on all processes alike."""
        if self.size == 1:
            return
        import torch
        import torch.distributed as dist

        chosen = list(parameters)
        parts = [torch.zeros_like(p) if p.grad is None else p.grad for p in chosen]
        flat = torch.cat([part.reshape(-1) for part in parts])
        dist.all_reduce(flat)
        flat /= self.size
        start = 0
        for p in chosen:
            p.grad = flat[start : start + p.numel()].view_as(p).clone()
            start += p.numel()

    def gather(self, value: Tensor) -> Tensor:
        """The values of all processes, in order; gradients flow into this process's own part alone."""
        if self.size == 1:
            return value
        import torch
        import torch.distributed as dist

        if value.dtype == torch.bool:  # not every backend sends these
            return self.gather(value.to(torch.uint8)).bool()
        parts = [torch.empty_like(value) for _ in range(self.size)]
        dist.all_gather(parts, value.detach().contiguous())
        parts[self.rank] = value
        return torch.cat(parts)

    def objects(self, value: list[Any]) -> list[Any]:
        """The lists of all processes, joined in order."""
        if self.size == 1:
            return value
        import torch.distributed as dist

        parts: list[Any] = [None] * self.size
        dist.all_gather_object(parts, value)
        return [one for part in parts for one in part]

    @contextmanager
    def turns(self) -> Iterator[None]:
        """The first process goes first, alone: it makes files that the others then find."""
        if not self.first:
            self.wait()
        yield
        if self.first:
            self.wait()

    def wait(self) -> None:
        """Until all processes are here."""
        if self.size > 1:
            import torch.distributed as dist

            dist.barrier()
