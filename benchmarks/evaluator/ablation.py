"""What distillation adds, with the network frozen: the student's head alone, several seeds, minutes instead of days.

    python benchmarks/evaluator/ablation.py BIQ2021 --pool pool --teacher run/teacher.safetensors --cache cache

The head of the student (moments of four maps at two sizes, brought to one scale; two linear layers) is trained on
stored features of an EfficientNet-Lite0 that was never trained for quality, in ways that differ in the labels. In every
step there are 128 photographs of BIQ2021 with people's scores, unless said otherwise:

    labels        and nothing else
    full          and six states each of eight references, compared as `kd-ysgan` compares them: the recipe `kd-slkd`
    score-only    what `kd-ysgan` says alone, and no score of people
    shuffled      as `full`, the teacher's answers exchanged between all images of the pool
    pseudo        as `full`, but with the metrics' pseudo-labels, which `kd-ysgan` learnt

Printed are mean and deviation over seeds of the rank correlation with people: on the validation part and the official
test images of BIQ2021, and on every ``--also`` set, over all images / mean within references; and, as *together*, that
of the mean of all seeds' answers, an ensemble with as many members. The ridge regression is fitted once. Nothing is
chosen by any of these numbers. With ``--deepest`` the image in full size is read up to that map, as by the option of
the same name.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from functools import cached_property
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
from ganiq.metrics.evaluator.moments import channels_of, levelled
from ganiq.metrics.evaluator.parts_net import regressor
from ganiq.metrics.evaluator.predictor import Predictor
from ganiq.metrics.evaluator.views import Views
from ridge import PENALTIES, extracted, fitted
from torch import Tensor, nn

ARMS = ("labels", "full", "score-only", "shuffled", "pseudo")
STEPS, RATE, DROPOUT, BATCH = 3000, 1e-3, 0.5, 128
GROUPS, GROUP, WEIGHT, GAIN = 8, 6, 0.3, 0.6
"""References whose restorations are compared in a step, restorations of each, and how much that counts: as in the
recipe ``kd-slkd``."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("biq", type=Path, help="folder of BIQ2021")
    parser.add_argument("--pool", type=Path, required=True, help="folder made by `ganiq generate`")
    parser.add_argument("--teacher", type=Path, required=True, help="teacher.safetensors of `ganiq train kd-ysgan`")
    parser.add_argument("--also", type=Path, nargs="*", default=[], help="data sets that people scored")
    parser.add_argument("--cache", type=Path, required=True, help="folder of decoded pictures and features")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=ARMS, help="all by default")
    parser.add_argument("--deepest", type=int, default=0, help="last map of the image in full size; 0: all four")
    given = parser.parse_args()
    with suited() as say:
        data = load(read_set(given.biq, "biq2021"), given.cache, Gate(exif="apply"), say)
        split = splits.make(data, "official", 0)
        pool = load(read_set(given.pool, "folder"), given.cache, progress=say)
        judged = labelled(pool, given.pool, split.digest, say) if "pseudo" in given.arms else None
        others = [load(read_set(path), given.cache, progress=say) for path in given.also]
        answers = compared(pool, given.cache, given.teacher, say)
        features = {d.digest: extracted(d, given.cache, say) for d in (data, pool, *others)}
    train, valid = (data.select(part) for part in (split.train, split.valid))
    tests = [valid, data.select(split.test), *others]
    y = targets(train)
    people = Taught(inputs(train, features, given.deepest), (y - y.min()) / (y.max() - y.min()))
    made = inputs(pool, features, given.deepest)
    seen = [inputs(t, features, given.deepest) for t in tests]
    told = Compared(made, answers, pool)
    arms: dict[str, tuple[Taught | Compared, ...]] = {
        "labels": (people,),
        "full": (people, told),
        "score-only": (told,),
    }
    if judged is not None:
        marks = torch.tensor([s.score for s in judged.samples], dtype=torch.float32)
        pictures = inputs(judged, {judged.digest: features[pool.digest]}, given.deepest)
        arms["pseudo"] = (people, Compared(pictures, marks, judged))
    table: dict[str, list[list[tuple[float, float]]]] = {}
    total: dict[str, list[np.ndarray]] = {}
    for seed in range(given.seeds):
        order = torch.from_numpy(np.random.default_rng(seed).permutation(len(made)))
        arms["shuffled"] = (people, Compared(made, answers[order], pool))
        for arm in given.arms:
            head = trained(*arms[arm], seed=seed)
            said = [answer(head, x) for x in seen]
            total[arm] = [a + b for a, b in zip(total[arm], said)] if arm in total else said
            table.setdefault(arm, []).append([agreement(a, t) for a, t in zip(said, tests)])
            print(f"seed {seed}, {arm}: {table[arm][-1]}", flush=True)
    x = raw(train, features)
    fits = [fitted(x, y.numpy(), penalty) for penalty in PENALTIES]
    best = max(fits, key=lambda fit: stats.srocc(raw(valid, features) @ fit[0] + fit[1], targets(valid).numpy()))
    print(f"\n{'':20}" + "".join(f"{t.name + part:>34}" for t, part in zip(tests, (" (validation)", *[""] * 9))))
    print(
        f"{'ridge':20}" + "".join(f"{shown([agreement(raw(t, features) @ best[0] + best[1], t)]):>34}" for t in tests)
    )
    for arm, rows in table.items():
        print(f"{arm:20}" + "".join(f"{shown([row[n] for row in rows]):>34}" for n in range(len(tests))))
        print(f"{'  together':20}" + "".join(f"{shown([agreement(a, t)]):>34}" for a, t in zip(total[arm], tests)))


@dataclass(frozen=True)
class Taught:
    """Images with labels."""

    x: Tensor
    y: Tensor


@dataclass(frozen=True)
class Compared:
    """Restorations that are compared with others of the same picture, whatever the level."""

    x: Tensor
    y: Tensor
    data: TrainingSet

    @cached_property
    def groups(self) -> list[list[int]]:
        found: dict[str, list[int]] = {}
        for n, sample in enumerate(self.data.samples):
            found.setdefault(sample.group, []).append(n)
        return [found[name] for name in sorted(found)]

    def draw(self, rng: np.random.Generator) -> list[int]:
        chosen = rng.permutation(len(self.groups))[:GROUPS]
        return [int(n) for g in chosen for n in rng.permutation(self.groups[g])[:GROUP]]


def labelled(pool: TrainingSet, folder: Path, split: str, say: Progress) -> TrainingSet:
    """Those of the pool that have pseudo-labels, as the recipe ``kd-ysgan`` has them."""
    wanted = recipe.load("kd-ysgan")
    return pseudo.label(
        pool, read_set(folder, "folder"), folder / "scores", split, judges=wanted.judges, judged=wanted.judged,
        progress=say,
    )  # fmt: skip


def compared(pool: TrainingSet, cache: Path, teacher: Path, say: Progress) -> Tensor:
    """What the evaluator with a reference says of the pool's images; kept."""
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


def inputs(data: TrainingSet, features: dict[str, dict[str, np.ndarray]], deepest: int = 0) -> Tensor:
    """Every tap's means and deviations brought to one scale, as the student does it."""
    source, stored = backbone("lite0"), torch.from_numpy(raw(data, features))
    full, half = stored.split(2 * sum(source.channels), dim=1)
    read = channels_of(source, deepest)
    return levelled(torch.cat([full[:, : 2 * sum(read) - half.shape[1]], half], dim=1), read)


def targets(data: TrainingSet) -> Tensor:
    return torch.tensor([data.sign * (s.score or 0.0) for s in data.samples], dtype=torch.float32)


def trained(*sources: Taught | Compared, seed: int) -> nn.Module:
    """The head after ``STEPS`` steps."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    head = nn.Sequential(nn.Dropout(DROPOUT), *regressor(sources[0].x.shape[1], 128, dropout=DROPOUT))
    steps_of = torch.optim.AdamW(head.parameters(), RATE, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(steps_of, RATE, total_steps=STEPS, pct_start=0.05)
    absolute, linear, relative = reg(), plcc(), difference(gain=GAIN)
    for _ in range(STEPS):
        total = torch.zeros(())
        drawn = [rng.integers(0, len(s.x), BATCH).tolist() if isinstance(s, Taught) else s.draw(rng) for s in sources]
        said = head(torch.cat([s.x[rows] for s, rows in zip(sources, drawn)]))[:, 0].split([len(r) for r in drawn])
        for source, rows, found in zip(sources, drawn, said):
            y = source.y[rows]
            if isinstance(source, Compared):
                ids = [{"dataset": "pool", "ref": source.data.samples[row].group} for row in rows]
                total = total + WEIGHT * relative({"score": found}, Views(y=y, ids=ids))[0]
                continue
            total = total + absolute({"score": found}, Views(y=y))[0].mean()
            total = total + 0.1 * linear({"score": found}, Views(y=y))[0]
        steps_of.zero_grad()
        total.backward()
        steps_of.step()
        schedule.step()
    return head.eval()


@torch.no_grad()
def answer(head: nn.Module, x: Tensor) -> np.ndarray:
    return head(x)[:, 0].numpy()


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
    texts = [f"{mean:.3f}" for mean in values.mean(0)]
    if len(rows) > 1:
        texts = [f"{text}±{spread:.3f}" for text, spread in zip(texts, values.std(0, ddof=1))]
    return " / ".join(t for t in texts if "nan" not in t)


if __name__ == "__main__":
    main()
