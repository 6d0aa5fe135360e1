"""Every restorer that is here, on one image: milliseconds and megabytes of weights.

    python benchmarks/restorers.py
    python benchmarks/restorers.py --own "checkpoint(path='net.safetensors')" --threads 2

Enlarging is timed from 72x72 to 288x288 pixels, and what leaves the size as it is on 288x288: a photograph that
ships with scikit-image, from bytes to bytes, without loading. The median of ``--repeat`` runs counts, after one that
is not counted. Restorers whose weights or packages are absent are named with the reason. Printed as Markdown.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import sys
import time
from importlib.util import find_spec
from typing import Any

SIDE, SMALL = 288, 72


def main() -> None:
    parser = argparse.ArgumentParser(description="Milliseconds per image and megabytes of weights of every restorer.")
    parser.add_argument("--only", nargs="*", default=[], help="names of built-in restorers; by default all")
    parser.add_argument("--own", action="append", default=[], help="a restorer of your own, as it is named elsewhere")
    parser.add_argument("--repeat", type=int, default=5, help="counted runs of each")
    parser.add_argument("--seconds", type=float, default=20.0, help="stop repeating one restorer after this time")
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = str(given.threads)  # before NumPy and torch are imported

    import torch
    from ganiq.bench import registry
    from ganiq.bench.errors import GaniqError, Refusal
    from ganiq.bench.spec import Spec
    from ganiq.generators import OWN
    from ganiq.generators.base import restore
    from ganiq.generators.degrade import apply
    from ganiq.generators.photographs import PHOTOGRAPHS

    torch.set_num_threads(given.threads)
    large = next(photo for photo in PHOTOGRAPHS if photo.name == "astronaut").crop(SIDE)
    inputs = {1: apply("noise(sigma=25)", large, key="benchmark"), 4: apply("down(factor=4)", large, key="benchmark")}
    names = given.only or [name for name in registry.generators.names() if name not in OWN]
    print(f"{platform.processor() or platform.machine()}, torch {torch.__version__}, {given.threads} thread(s)\n")
    print(f"| restorer | input | ms ± range/2 | runs | weights (MB) |\n|{'---|' * 5}")
    absent = []
    for text in [*names, *given.own]:
        spec = Spec.parse(text)
        factory = registry.generators.get(spec.name)
        try:
            if reason := missing(factory.info):
                absent.append(f"{text}: {reason}")
                continue
            one = factory(**spec.arguments)
            image = inputs.get(one.info.scale, inputs[4])
            if (info := one.info).kind != "restorer":
                continue
            done = restore(one, image)
            times: list[float] = []
            began = time.perf_counter()
            while len(times) < given.repeat and (not times or time.perf_counter() - began < given.seconds):
                start = time.perf_counter()
                restore(one, image)
                times.append(1000 * (time.perf_counter() - start))
        except (Refusal, GaniqError) as problem:
            absent.append(f"{text}: {problem}")
            continue
        spread = (max(times) - min(times)) / 2
        side = f"{image.shape[1]} -> {done.shape[1]}"
        row = (info.name, side, f"{statistics.median(times):.1f} ± {spread:.1f}", len(times), megabytes(one))
        print("| " + " | ".join(map(str, row)) + " |", flush=True)
    for line in absent:
        print(f"\nNot here: {line}")


def missing(info: Any) -> str:
    """Why a restorer cannot run here; empty if it can."""
    from ganiq.bench import weights

    slots = [slot for slot in info.weights if not weights.present(slot)]
    modules = [module for module in info.modules if find_spec(module) is None]
    return ", ".join(f"needs {what}" for what in (*slots, *modules))


def megabytes(one: Any) -> str:
    """Size of the files of weights, or of the tensors of a file of the user's; a dash where there are none."""
    from ganiq.bench import weights

    own = getattr(one, "network", None)
    size = own.size if own is not None else sum(weights.path_of(slot).stat().st_size for slot in one.info.weights)
    return f"{size / 1e6:.2f}" if size else "-"


if __name__ == "__main__":
    sys.exit(main())
