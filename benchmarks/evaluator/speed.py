"""How much faster the student is than its teachers, at 288x288, one image at a time.

    python benchmarks/evaluator/speed.py --threads 2

The networks take turns in one process, so that a busy machine slows all of them alike; printed are medians and ratios.
The full-size teacher of the recipe ``ysgan`` has random weights here: its speed does not depend on them.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from ganiq.bench.measure import make, measure
from ganiq.metrics.evaluator.build import network, parameters
from ganiq.metrics.evaluator.views import Views

SIDE = 288


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=15)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    drawn = torch.Generator().manual_seed(0)
    pairs = [torch.rand(2, 3, SIDE, SIDE, generator=drawn) for _ in range(given.rounds + 1)]
    full = network({"net": "ysgan", "size": "full", "role": "FR", "pretrained": False}).eval()
    student, teacher, dss = (make(measure(name).spec) for name in ("kd-slkd", "kd-ysgan", "dss"))
    runs: dict[str, Callable[[torch.Tensor], object]] = {
        "student, kd-slkd": lambda pair: student(pair[:1]),
        "teacher, kd-ysgan": lambda pair: teacher(pair[:1], pair[1:]),
        "teacher of ysgan in full size": lambda pair: full(Views(pair[:1, None], pair[1:, None])),
        "dss": lambda pair: dss(pair[:1], pair[1:]),
    }
    times: dict[str, list[float]] = {name: [] for name in runs}
    with torch.no_grad():
        for n, pair in enumerate(pairs):
            for name, run in runs.items():
                begun = time.perf_counter()
                run(pair)
                if n:  # the first round warms up
                    times[name].append(time.perf_counter() - begun)
    own = statistics.median(times["student, kd-slkd"])
    print(f"{SIDE}x{SIDE}, {given.threads} threads, median of {given.rounds} rounds")
    for name, values in times.items():
        middle = statistics.median(values)
        print(f"{name:32}{1000 * middle:8.1f} ms{1 / middle:8.1f} images/s{middle / own:8.1f} x the student")
    print(f"parameters of the full-size teacher: {sum(parameters(full).values()):,}")


if __name__ == "__main__":
    main()
