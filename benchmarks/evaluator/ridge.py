"""The bar for learned evaluators: ridge regression on frozen features, fitted on BIQ2021.

    python benchmarks/evaluator/ridge.py BIQ2021 --cache cache --out evaluator_ridge.safetensors

Means and deviations of four maps of EfficientNet-Lite0 at full and half size (metrics/evaluator/moments.py),
standardised; the penalty is chosen on the validation part of the official split. Prints the rank correlation with
people on the official test images, with a 95 % bootstrap interval, for several numbers of training images, and writes
the weights of the last one. About 20 minutes on one core for the features, which are kept.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ganiq.bench import stats
from ganiq.bench.datasets import load as read_set
from ganiq.bench.images import Gate
from ganiq.bench.progress import suited
from ganiq.bench.training import seam, splits
from ganiq.bench.training.data import TrainingSet, load
from ganiq.metrics.evaluator.build import network
from safetensors.torch import save_file

PENALTIES = (100.0, 300.0, 1e3, 3e3, 1e4, 3e4)
SAVE = 200
RESAMPLES = 2000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("biq", type=Path, help="folder of BIQ2021")
    parser.add_argument("--counts", type=int, nargs="+", default=[3000, 0], help="training images; 0: all")
    parser.add_argument("--cache", type=Path, required=True, help="folder of decoded pictures and features")
    parser.add_argument("--seed", type=int, default=0, help="of the split and of the choice of training images")
    parser.add_argument("--out", type=Path, help="where to write the weights")
    given = parser.parse_args()
    with suited() as say:
        data = load(read_set(given.biq, "biq2021"), given.cache, Gate(exif="apply"), say)
        features = extracted(data, given.cache, say)
    split = splits.make(data, "official", given.seed)
    parts = {name: data.select(getattr(split, name)) for name in ("train", "valid", "test")}
    x = {name: np.stack([features[s.key] for s in part.samples]) for name, part in parts.items()}
    y = {name: np.array([s.score for s in part.samples]) for name, part in parts.items()}
    order = np.random.default_rng(given.seed).permutation(len(y["train"]))
    made: list[tuple[np.ndarray, float, int]] = []
    for count in given.counts:
        rows = order[: count or len(order)]
        fits = [fitted(x["train"][rows], y["train"][rows], penalty) for penalty in PENALTIES]
        valid = [stats.srocc(x["valid"] @ weights + bias, y["valid"]) for weights, bias in fits]
        weights, bias = fits[int(np.argmax(valid))]
        made.append((weights, bias, len(rows)))
        said = x["test"] @ weights + bias
        low, high = interval(said, y["test"])
        found, linear = stats.srocc(said, y["test"]), stats.plcc(said, y["test"])
        print(
            f"{len(rows):,} images, penalty {PENALTIES[int(np.argmax(valid))]:g}: validation SROCC {max(valid):.3f}, "
            f"test SROCC {found:.3f} [{low:.3f}, {high:.3f}], PLCC {linear:.3f}"
        )
    if given.out:
        weights, bias, trained = made[-1]
        values = {"weights": torch.tensor(weights, dtype=torch.float32), "bias": torch.tensor(bias).float().reshape(())}
        save_file(values, given.out, {"trained": f"{trained} images of BIQ2021's official training part"})


def extracted(data: TrainingSet, cache: Path, say) -> dict[str, np.ndarray]:
    """Features by key; what was computed before is not computed again."""
    place = cache / f"moments-{data.digest[:16]}.npz"
    found: dict[str, np.ndarray] = {}
    if place.is_file():
        with np.load(place) as kept:
            found = dict(zip(kept["keys"].tolist(), kept["features"]))
    plain: Any = network({"net": "slkd", "moments": True, "frozen": True, "backbone": "lite0"}).eval()
    quick = seam.quick(plain.to(memory_format=torch.channels_last))
    wanted = [s for s in data.samples if s.key not in found]
    say.stage("features", len(wanted))
    for number, sample in enumerate(wanted, 1):
        picture = torch.from_numpy(np.array(data.pixels[sample.image])).permute(2, 0, 1)[None].float() / 255
        with torch.inference_mode():
            found[sample.key] = quick.extract(picture.contiguous(memory_format=torch.channels_last))[0].numpy().ravel()
        say.advance()
        if number % SAVE == 0 or number == len(wanted):
            np.savez(place, keys=np.array(list(found)), features=np.stack(list(found.values())))
    return found


def fitted(x: np.ndarray, y: np.ndarray, penalty: float) -> tuple[np.ndarray, float]:
    """Weights and bias for features as they come; the penalty acts on standardised ones."""
    mean, deviation = x.mean(0, dtype=np.float64), x.std(0, dtype=np.float64) + 1e-6
    z = (x - mean) / deviation
    weights = np.linalg.solve(z.T @ z + penalty * np.eye(z.shape[1]), z.T @ (y - y.mean())) / deviation
    return weights, float(y.mean() - mean @ weights)


def interval(said: np.ndarray, wanted: np.ndarray) -> tuple[float, float]:
    """95 % percentile interval over images."""
    rng = np.random.default_rng(0)
    draws = [rng.integers(0, len(said), len(said)) for _ in range(RESAMPLES)]
    low, high = np.quantile([stats.srocc(said[d], wanted[d]) for d in draws], [0.025, 0.975])
    return float(low), float(high)


if __name__ == "__main__":
    main()
