"""What distillation adds, with the network frozen: the student's head alone, several seeds, minutes instead of days.

    python benchmarks/evaluator/ablation.py BIQ2021 --pool pool --teacher run/teacher.safetensors --cache cache

The head of the student (moments of four maps at two sizes, brought to one scale; two linear layers) is trained on
stored features of an EfficientNet-Lite0 that was never trained for quality, in five ways that differ in the labels:

    none                 people's scores of BIQ2021, half a batch of them in every step
    labels-equal-steps   people's scores, whole batches
    full                 half a batch of people's scores, half of the pool with the teacher's answers
    pseudo               the same with the metrics' pseudo-labels, which the teacher learnt, instead
    shuffled-teacher     the same with its answers exchanged between the images of the pool

Printed are mean and deviation over seeds of the rank correlation with people: on the official test images of BIQ2021,
and on every ``--also`` set, over all images / mean within references. The ridge regression is fitted once. Nothing is
chosen by any of these numbers.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from ganiq.bench import stats
from ganiq.bench.datasets import load as read_set
from ganiq.bench.images import Gate
from ganiq.bench.progress import Progress, suited
from ganiq.bench.training import export, pseudo, recipe, splits
from ganiq.bench.training.data import TrainingSet, load
from ganiq.metrics.evaluator.backbones import backbone
from ganiq.metrics.evaluator.losses import difference, plcc, reg
from ganiq.metrics.evaluator.moments import levelled
from ganiq.metrics.evaluator.parts_net import regressor
from ganiq.metrics.evaluator.predictor import Predictor
from ganiq.metrics.evaluator.views import Views
from ridge import PENALTIES, extracted, fitted
from torch import Tensor, nn

ARMS = ("none", "labels-equal-steps", "full", "pseudo", "shuffled-teacher")
HALF, STEPS, RATE, GROUP = 15, 3000, 1e-3, 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("biq", type=Path, help="folder of BIQ2021")
    parser.add_argument("--pool", type=Path, required=True, help="folder made by `ganiq generate`")
    parser.add_argument("--teacher", type=Path, required=True, help="teacher.safetensors of `ganiq train kd-ysgan`")
    parser.add_argument("--also", type=Path, nargs="*", default=[], help="data sets that people scored")
    parser.add_argument("--cache", type=Path, required=True, help="folder of decoded pictures and features")
    parser.add_argument("--seeds", type=int, default=5)
    given = parser.parse_args()
    with suited() as say:
        data = load(read_set(given.biq, "biq2021"), given.cache, Gate(exif="apply"), say)
        split = splits.make(data, "official", 0)
        pool = labelled(given.pool, given.cache, split.digest, say)
        others = [load(read_set(path), given.cache, progress=say) for path in given.also]
        answers = taught(pool, given.cache, given.teacher, say)
        features = {d.digest: extracted(d, given.cache, say) for d in (data, pool, *others)}
    train, valid = (data.select(part) for part in (split.train, split.valid))
    tests = [data.select(split.test), *others]
    people = (inputs(train, features), targets(train))
    marks = torch.tensor([s.score for s in pool.samples], dtype=torch.float32)
    table = {name: [] for name in ARMS}
    for seed in range(given.seeds):
        order = torch.from_numpy(np.random.default_rng(seed).permutation(len(answers)))
        labels = {"full": answers, "pseudo": marks, "shuffled-teacher": answers[order]}
        for arm in ARMS:
            head = trained(people, (inputs(pool, features), labels.get(arm), pool), arm, seed)
            with torch.no_grad():
                table[arm].append([agreement(head(inputs(t, features))[:, 0].numpy(), t) for t in tests])
            print(f"seed {seed}, {arm}: {table[arm][-1]}", flush=True)
    x, y = (raw(train, features), targets(train).numpy())
    fits = [fitted(x, y, penalty) for penalty in PENALTIES]
    best = max(fits, key=lambda fit: stats.srocc(raw(valid, features) @ fit[0] + fit[1], targets(valid).numpy()))
    print(f"\n{'':20}" + "".join(f"{t.name:>34}" for t in tests))
    print(
        f"{'ridge':20}" + "".join(f"{shown([agreement(raw(t, features) @ best[0] + best[1], t)]):>34}" for t in tests)
    )
    for arm, rows in table.items():
        print(f"{arm:20}" + "".join(f"{shown([row[n] for row in rows]):>34}" for n in range(len(tests))))


def labelled(folder: Path, cache: Path, split: str, say: Progress) -> TrainingSet:
    """The pool with pseudo-labels, as the recipe ``kd-ysgan`` has them."""
    wanted = recipe.load("kd-ysgan")
    manifest = read_set(folder, "folder")
    made = load(manifest, cache, progress=say)
    return pseudo.label(
        made, manifest, folder / "scores", split, judges=wanted.judges, judged=wanted.judged, progress=say
    )


def taught(pool: TrainingSet, cache: Path, teacher: Path, say: Progress) -> Tensor:
    """What the teacher says of the pool's images; kept."""
    place = cache / f"answers-{export.digest_of(teacher)[:8]}-{pool.digest[:16]}.npy"
    if not place.is_file():
        said, predictor = np.empty(len(pool.samples)), Predictor(teacher)
        say.stage("the teacher's answers", len(said))
        for n, sample in enumerate(pool.samples):
            assert sample.reference is not None
            image, reference = (
                torch.from_numpy(np.array(pool.pixels[number])).permute(2, 0, 1)[None].float() / 255
                for number in (sample.image, sample.reference)
            )
            said[n] = float(predictor.score(image, reference))
            say.advance()
        np.save(place, said)
    return torch.from_numpy(np.load(place)).float()


def raw(data: TrainingSet, features: dict[str, dict[str, np.ndarray]]) -> np.ndarray:
    return np.stack([features[data.digest][s.key] for s in data.samples])


def inputs(data: TrainingSet, features: dict[str, dict[str, np.ndarray]]) -> Tensor:
    """Every tap's means and deviations brought to one scale, as the student does it."""
    return levelled(torch.from_numpy(raw(data, features)), backbone("lite0").channels)


def targets(data: TrainingSet) -> Tensor:
    return torch.tensor([data.sign * (s.score or 0.0) for s in data.samples], dtype=torch.float32)


def trained(people: tuple[Tensor, Tensor], pool: tuple[Tensor, Tensor | None, TrainingSet], arm: str, seed: int):
    """The head after ``STEPS`` steps of one arm."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    x, y = people
    head = nn.Sequential(nn.Dropout(0.3), *regressor(x.shape[1], 128, dropout=0.3))
    steps_of = torch.optim.AdamW(head.parameters(), RATE, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(steps_of, STEPS)
    features, labels, data = pool
    groups: dict[str, list[int]] = {}
    for n, sample in enumerate(data.samples):
        groups.setdefault(sample.group, []).append(n)
    names = sorted(groups)
    losses = (reg(), plcc(), difference(gain=0.6))
    for _ in range(STEPS):
        count = 2 * HALF if arm == "labels-equal-steps" else HALF
        own = torch.from_numpy(rng.integers(0, len(x), count))
        said = head(x[own])[:, 0]
        views = Views(y=y[own])
        values, mask = losses[0]({"score": said}, views)
        assert mask is not None
        total = values.mean() + 0.1 * losses[1]({"score": said}, views)[0]
        if labels is not None:
            chosen = [names[n] for n in rng.permutation(len(names))[: HALF // GROUP]]
            places = [int(n) for name in chosen for n in rng.permutation(groups[name])[:GROUP]]
            ids = [{"dataset": "pool", "ref": data.samples[n].group} for n in places]
            found = {"score": head(features[places])[:, 0]}
            total = total + losses[2](found, Views(y=labels[places], ids=ids))[0]
        steps_of.zero_grad()
        total.backward()
        steps_of.step()
        schedule.step()
    return head.eval()


def agreement(said: np.ndarray, data: TrainingSet) -> tuple[float, float]:
    """Rank correlation with people over all images, and its mean within references (nan where there are none)."""
    rows = [n for n, s in enumerate(data.samples) if s.score is not None]
    y = targets(data).numpy()[rows]
    inside = (
        stats.within(np.asarray(said)[rows], y, [data.samples[n].block for n in rows]).mean if data.paired else np.nan
    )
    return round(float(stats.srocc(np.asarray(said)[rows], y)), 4), round(float(inside), 4)


def shown(rows: list[tuple[float, float]]) -> str:
    values = np.array(rows)
    texts = [f"{m:.3f}±{d:.3f}" for m, d in zip(values.mean(0), values.std(0, ddof=1) if len(rows) > 1 else (0, 0))]
    return " / ".join(t for t in texts if "nan" not in t)


if __name__ == "__main__":
    main()
