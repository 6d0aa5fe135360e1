"""Scores every pair of a folder with one other library, as its own documentation calls it: one pair at a time.

    python benchmarks/peer.py piq FOLDER --metrics psnr,ssim

Runs under the interpreter it is started with, so that a library can live in an environment of its own. Reads
``items.csv`` of the folder, decodes with Pillow (the reference anew for each pair, as a loop over files does),
and prints one JSON object: seconds per metric, seconds of decoding, number of pairs, and the mean score.
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

Score = Callable[[Any, Any], Any]


def piq() -> dict[str, Score]:
    import piq

    return {
        "psnr": piq.psnr,
        "ssim": piq.ssim,
        "ms-ssim": piq.multi_scale_ssim,
        "iw-ssim": piq.information_weighted_ssim,
        "vifp": piq.vif_p,
        "fsimc": piq.fsim,
        "sr-sim": piq.srsim,
        "gmsd": piq.gmsd,
        "ms-gmsd": piq.multi_scale_gmsd,
        "vsi": piq.vsi,
        "dss": piq.dss,
        "haarpsi": piq.haarpsi,
        "mdsi": piq.mdsi,
    }


def torchmetrics() -> dict[str, Score]:
    from torchmetrics.functional import image

    def of(function: Any, **options: Any) -> Score:
        return lambda x, y: function(x, y, **options)

    return {
        "psnr": of(image.peak_signal_noise_ratio, data_range=1.0),
        "ssim": of(image.structural_similarity_index_measure, data_range=1.0),
        "ms-ssim": of(image.multiscale_structural_similarity_index_measure, data_range=1.0),
        "vifp": of(image.visual_information_fidelity),
    }


def pyiqa() -> dict[str, Score]:
    import pyiqa  # pyright: ignore[reportMissingImports]

    names = {
        "psnr": "psnr",
        "ssim-y": "ssim",
        "ms-ssim": "ms_ssim",
        "vif": "vif",
        "fsimc": "fsim",
        "gmsd": "gmsd",
        "vsi": "vsi",
        "nlpd": "nlpd",
        "cw-ssim": "cw_ssim",
        "mad": "mad",
    }
    made: dict[str, Score] = {}
    for ours, theirs in names.items():
        try:
            made[ours] = pyiqa.create_metric(theirs, device="cpu")
        except Exception as error:  # a download that cannot be had, for instance
            print(f"{theirs}: {error}", file=sys.stderr)
    return made


def torchvision() -> None:
    """Import torchvision as ganiq does, also where ganiq is not installed: its CUDA build beside a CPU torch fails."""
    path = Path(__file__).parent.parent / "bench" / "vision.py"
    spec = importlib.util.spec_from_file_location("vision", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.load_torchvision()


LIBRARIES = {"piq": piq, "torchmetrics": torchmetrics, "pyiqa": pyiqa}


def tensor(path: Path) -> torch.Tensor:
    """(1,3,H,W) in [0,1]."""
    pixels = np.asarray(Image.open(path).convert("RGB"))
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 255


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("peer", choices=LIBRARIES, help="which library")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--metrics", default="", help="comma-separated; default: all the library has")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--list", action="store_true", help="print the names of the metrics and stop")
    given = parser.parse_args()
    if given.threads:
        torch.set_num_threads(given.threads)
    torchvision()
    scores = LIBRARIES[given.peer]()
    if given.list:
        print(json.dumps(list(scores)))
        return
    wanted = given.metrics.split(",") if given.metrics else list(scores)
    seconds, total, decoding, pairs = dict.fromkeys(wanted, 0.0), dict.fromkeys(wanted, 0.0), 0.0, 0
    with open(given.folder / "items.csv", newline="") as file, torch.inference_mode():
        for row in csv.DictReader(file):
            started = time.perf_counter()
            image, reference = (tensor(given.folder / row[name]) for name in ("image", "reference"))
            decoding += time.perf_counter() - started
            for name in wanted:
                started = time.perf_counter()
                total[name] += float(scores[name](image, reference))
                seconds[name] += time.perf_counter() - started
            pairs += 1
    means = {name: total[name] / pairs for name in wanted}
    print(json.dumps({"seconds": seconds, "decoding": decoding, "pairs": pairs, "means": means}))


if __name__ == "__main__":
    main()
