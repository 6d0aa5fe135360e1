"""The order of an epoch: a function of (seed, stage, epoch), so that a run can go on at any batch of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from ..errors import UsageError
from .crops import rng
from .data import Sample


def epoch(samples: Sequence[Sample], batch: int, per_reference: int, seed: int, *names: object) -> list[list[int]]:
    """Batches of one epoch, as places in ``samples``.

    Args:
        samples: what to draw from.
        batch: images of a batch; the last, smaller one is left out unless it is the only one.
        per_reference: images of one block (reference) in a batch, beside each other; 0: no such rule. Blocks that run
            out of full groups give up their rest for this epoch.
        seed: of the recipe.
        names: of the stage and the epoch.
    """
    stream = rng(seed, "order", *names)
    if not per_reference:
        order = [int(n) for n in stream.permutation(len(samples))]
        return _parts(order, batch)
    blocks: dict[tuple[str, str], list[int]] = defaultdict(list)
    for place, sample in enumerate(samples):
        blocks[sample.dataset, sample.block].append(place)
    groups: list[list[int]] = []
    for name in sorted(blocks):
        places = blocks[name]
        mixed = [places[n] for n in stream.permutation(len(places))]
        groups += [part for part in _parts(mixed, per_reference) if len(part) > 1]
    waiting = [groups[n] for n in stream.permutation(len(groups))]
    batches: list[list[int]] = []
    while waiting:
        part, names_in, later = [], set(), []
        for place, group in enumerate(waiting):  # different references in one batch, as long as there are any
            own = (samples[group[0]].dataset, samples[group[0]].block)
            if len(part) + len(group) <= batch and own not in names_in:
                part += group
                names_in.add(own)
            else:
                later.append(group)
            if len(part) == batch:
                later += waiting[place + 1 :]
                break
        if len(part) < batch and batches:
            break
        batches.append(part)
        waiting = later
    return batches


def mixed(
    samples: Sequence[Sample], ready: Sequence[bool], batch: int, share: float, per_reference: int, seed: int,
    *names: object,
) -> list[list[int]]:  # fmt: skip
    """Batches that hold images of the data set and of the pool in a fixed proportion; one pass of the data set.

    Args:
        samples: of both.
        ready: which of them are the pool's.
        batch: images of a batch.
        share: how much of it is the pool's, whose images come in groups of one reference; it is gone through again
            and again, or not to its end.
        per_reference: size of these groups.
        seed: of the recipe.
        names: of the stage and the epoch.
    """
    pool = [n for n, flag in enumerate(ready) if flag]
    own = [n for n, flag in enumerate(ready) if not flag]
    theirs = round(share * batch)
    first = epoch([samples[n] for n in own], batch - theirs, 0, seed, *names, "data")
    second: list[list[int]] = []
    while len(second) < len(first):
        more = epoch([samples[n] for n in pool], theirs, per_reference, seed, *names, "pool", len(second))
        if not any(more):
            raise UsageError(
                f"the pool has no group of per_reference = {per_reference} images of one reference; lower it",
                code="E-CFG",
            )
        second += more
    return [[own[n] for n in a] + [pool[n] for n in b] for a, b in zip(first, second)]


def _parts(order: list[int], size: int) -> list[list[int]]:
    whole = [order[n : n + size] for n in range(0, len(order) - size + 1, size)]
    return whole or [order]
