"""How long features of a frozen backbone take: as the network itself gives them, and as they are computed to be stored.

    python benchmarks/evaluator/features.py --threads 2

The two take turns in one process; printed are the fastest rounds, per picture. Weights are random: they cost the same.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import torch
from ganiq.bench.training import cache, seam
from ganiq.metrics.evaluator.build import network

NETWORKS = {
    "student of kd-slkd, 512x512": ({"net": "slkd", "moments": True, "frozen": True, "backbone": "lite0"}, 512),
    "teacher of kd-ysgan, 320x320": ({"net": "ysgan", "role": "FR", "spread": True, "backbone": "lite0"}, 320),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=4)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    for name, (spec, side) in NETWORKS.items():
        plain: Any = network({**spec, "pretrained": False}).eval()
        plain.to(memory_format=torch.channels_last)
        quick = seam.quick(plain)
        x = torch.rand(cache.BATCH, side, side, 3).permute(0, 3, 1, 2)
        times: dict[str, list[float]] = {"itself": [], "stored": []}
        with torch.inference_mode():
            for _ in range(given.rounds):
                for which, model, count in (("itself", plain, len(x)), ("stored", quick, cache.together(x))):
                    begun = time.perf_counter()
                    for some in x.split(count):
                        model.extract(some)
                    times[which].append((time.perf_counter() - begun) / len(x))
        slow, fast = (min(values) for values in times.values())
        print(f"{name}: {1000 * slow:.0f} ms, to be stored {1000 * fast:.0f} ms: {slow / fast:.1f} times as fast")


if __name__ == "__main__":
    main()
