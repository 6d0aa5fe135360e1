"""Stores for tests; also a program that writes into one, to be run many times at once or killed.

python stores.py write  STORE UNITS SEED   record UNITS overlapping units, in an order that SEED decides
python stores.py resume STORE UNITS        record the units that are missing, acknowledging each on stdout
python stores.py fill   STORE LIMIT        record until files may not grow beyond LIMIT bytes
"""

from __future__ import annotations

import hashlib
import os
import random
import sys
from collections.abc import Iterable
from pathlib import Path

from ganiq.bench.errors import ResourceError
from ganiq.bench.store import Store
from ganiq.bench.store.results import outcome
from ganiq.bench.types import ItemResult, Picture, Score, Status


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


MANIFEST = sha("manifest")
FR, NR, OTHER = METRICS = [sha("full reference"), sha("no reference"), sha("another")]
IDENTITIES = {FR: {"name": "fr"}, NR: {"name": "nr"}, OTHER: {"name": "other", "window": 7}}
SIZE = 4
"""Items of a unit; each has a value of all three metrics."""


def begin(store: Store, manifest: str = MANIFEST) -> int:
    return store.begin({"digest": manifest, "name": "faces"}, IDENTITIES, {"argv": ["ganiq", "run"]})


def picture(name: str, pixels: str = "") -> Picture:
    return Picture(sha(name), sha(f"pixels of {name}{pixels}"), 64, 48, "RGB", 1234, ("mode:L",))


def score(
    name: str,
    metric: str = NR,
    value: float | None = 0.5,
    status: Status = "ok",
    detail: str = "",
    reference: str | None = None,
) -> Score:
    return Score(metric, sha(name), sha(reference) if reference else "", value, status, detail, 0.01)


def result(
    name: str, *scores: Score, reference: str | None = None, refusal: tuple[str, str] | None = None
) -> ItemResult:
    """An item whose key is the name of its image."""
    return ItemResult(name, picture(name), picture(reference) if reference else None, scores, refusal)


def value(item: int, metric: str) -> float:
    return item + METRICS.index(metric) / 8


def unit(number: int) -> list[ItemResult]:
    """Results that depend on the number alone."""
    found = []
    for item in range(number * SIZE, (number + 1) * SIZE):
        name, reference = f"item{item}", f"reference{item % 5}"
        scores = [
            score(name, FR, value(item, FR), reference=reference),
            score(name, NR, value(item, NR)),
            score(name, OTHER, None, "nonfinite", "E-VAL-INF")
            if item % 7 == 0
            else score(name, OTHER, value(item, OTHER)),
        ]
        found.append(result(name, *scores, reference=reference))
    return found


def contents(store: Store, manifest: str = MANIFEST, metrics: Iterable[str] = METRICS) -> list[tuple]:
    """All outcomes, without what depends on the clock."""
    return [tuple(row[:5]) for row in store.table(manifest, list(metrics))]


def expected(numbers: Iterable[int]) -> list[tuple]:
    rows = []
    for number in numbers:
        for found in unit(number):
            rows += [(found.key, s.metric, *outcome(s.value, s.status, s.detail)) for s in found.scores]
    return sorted(rows, key=lambda row: (row[0], METRICS.index(row[1])))


def write(path: Path, units: int, seed: int) -> None:
    order = random.Random(seed).sample(range(units * 2), units)
    with Store.open(path) as store:
        run = begin(store)
        for number in order:
            if store.record(run, MANIFEST, unit(number)):
                raise SystemExit("equal values were taken for a conflict")
        store.finish(run, "done")
    print(" ".join(map(str, order)))


def resume(path: Path, units: int) -> None:
    with Store.open(path) as store:
        run = begin(store)
        settled = store.settled(MANIFEST, METRICS)
        for number in range(units):
            first = unit(number)[0]
            assert first.image is not None
            assert first.reference is not None
            if settled.missing(first.image.sha256, first.reference.sha256):
                store.record(run, MANIFEST, unit(number))
                os.write(1, b"%d\n" % number)
        store.finish(run, "done")
    os.write(1, b"done\n")


def fill(path: Path, limit: int) -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    number = 0
    try:
        with Store.open(path) as store:
            run = begin(store)
            while True:
                store.record(run, MANIFEST, unit(number))
                os.write(1, b"%d\n" % number)
                number += 1
    except ResourceError as error:
        os.write(1, f"{error.exit_code} {error}\n".encode())


if __name__ == "__main__":
    globals()[sys.argv[1]](Path(sys.argv[2]), *map(int, sys.argv[3:]))
