"""Honest evaluation: on references that were not seen, over several splits, with intervals over references.

* ``evaluate``: an exported evaluator on the test part of its own split, or on the whole of another data set; refused
  where the two share content with what it was trained on.
* ``repeated``: train and test a recipe on several splits; median and quartiles.
* ``ablation``: the same recipe without its teacher, with the score alone, with a shuffled teacher, with labels alone
  for as many steps, and with the teacher's own labels in its place; the gain of distillation must vanish where the
  teacher is shuffled.

Whoever has no human scores gets no agreement with people: pseudo-labels are reported as such.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import provenance, stats
from ..errors import UsageError
from ..progress import Progress, Silent
from . import export, feeding, samplers, seam, splits
from .beside import Beside, entries
from .data import Sample, TrainingSet
from .labels import Scaler
from .loader import ALIGNED, Loader
from .predict import passes, predict
from .pseudo import SCALE
from .recipe import Cut, Net, Recipe, Stage, build
from .trainer import Settings, train

RESAMPLES = 2000
SEED = 0
Floats = npt.NDArray[np.float64]


def evaluate(
    checkpoint: Path,
    data: TrainingSet,
    *,
    train_part: TrainingSet | None = None,
    split: splits.Split | None = None,
    device: str = "cpu",
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Test an exported evaluator.

    Args:
        checkpoint: an exported student (or teacher).
        data: what to test on, whole; of its own data set, the test part (``split`` then names it).
        train_part: the training part, for the algorithm prior and as pictures to compare with.
        split: the split that ``data`` is a part of.
        device: where to compute.
        progress: told how far it is.

    Returns:
        A JSON document: agreement, cost, and what it was trained on.

    Raises:
        IntegrityError: content that it was trained on, or another split than its own.
        UsageError: it compares images with something that the data lack.
    """
    card = export.card(checkpoint)
    if split is not None and card["split"]["digest"] != split.digest:
        raise UsageError(
            f"{checkpoint.name} was trained on another split of {data.name}; test it with --protocol "
            f"{card['split']['protocol']} --seed {card['split']['seed']} and the same images",
            code="E-SPLIT",
        )
    fitting(checkpoint, data, train_part)
    export.unseen(card, "the test data", data)
    return _evaluated(checkpoint, data, train_part, split, device, progress)


def fitting(checkpoint: Path, data: TrainingSet, others: TrainingSet | None = None) -> None:
    """Make sure that the data have what an evaluator compares with; ``others``: where pictures beside it come from.

    Raises:
        UsageError: they have not.
    """
    lacks = lacking(net_of(export.card(checkpoint)), data, others)
    if lacks:
        raise UsageError(
            f"{checkpoint.name}: {lacks}; test it on a data set with references, or take an evaluator that needs none",
            code="E-DATA",
        )


def lacking(net: Net, data: TrainingSet, others: TrainingSet | None = None) -> str:
    """Why a network cannot be tested on these data; empty where it can."""
    if net.shown in ALIGNED and not data.paired:
        bare = sum(s.reference is None for s in data.samples)
        return f"it compares with references, which {bare:,} of {len(data.samples):,} images of {data.name} lack"
    if net.shown == "nar" and len({s.reference for s in (others or data).samples} - {None}) < 2:
        return f"it compares with other good pictures, and {(others or data).name} has fewer than 2 references"
    return ""


def net_of(card: dict[str, Any]) -> Net:
    """The network that the header of an exported file describes."""
    return Net(**{k: v for k, v in card["network"].items() if k != "aux"}, aux=card["aux"])


def part_of(card: dict[str, Any]) -> str:
    """``teacher`` or ``student``; of files that do not say so, by the table that is theirs alone, or empty."""
    if card["part"]:
        return str(card["part"])
    own = net_of(card).options
    tables = {name: card["recipe"].get(name) for name in ("teacher", "student")}
    found = [name for name, table in tables.items() if table and Net(**table).options == own]
    return found[0] if len(found) == 1 else ""


def _evaluated(
    checkpoint: Path,
    data: TrainingSet,
    train_part: TrainingSet | None,
    split: splits.Split | None,
    device: str,
    progress: Progress | None,
) -> dict[str, Any]:
    """``evaluate`` where it is known that the data were not trained on."""
    card = export.card(checkpoint)
    net = net_of(card)
    network = seam.network(net.options, blank=True)
    export.fill(network, checkpoint)
    network.to(device).eval()
    cut = Cut(crop=card["crop"], patches=card["patches"])
    beside = Beside.of(train_part or data, SEED, [data] if train_part is not None and net.shown == "nar" else [])
    found = entries(data)
    kinds = () if net.shown == "none" else (net.shown,)
    for kind in kinds:
        beside.prepare(kind, found, progress)
    whole = feeding.seen_whole(network)
    loader = Loader(found, cut, None, beside, kinds, SEED, device, {}, card["crops"], whole)
    say = progress or Silent()
    say.stage("predicting", len(found))
    asked = seam.quick(network)
    predicted = predict(asked, net, loader, progress=say)
    human = card["label"]["kind"] != "pseudo"
    document = {
        "checkpoint": {
            "file": checkpoint.name,
            "name": card.get("name", ""),
            "part": part_of(card),
            "role": net.role,
            "sha256": export.digest_of(checkpoint),
        },
        "data": {"name": data.name, "digest": data.digest, "images": len(data.samples), "license": data.license},
        "trained_on": card["trained"]["names"],
        "trained_labels": card["trained"]["labels"],
        "better": "higher" if data.sign > 0 else "lower",
        "protocol": card["split"]["protocol"] if split is not None else "cross-dataset",
        "agreement": measure(predicted, data.samples, data.sign, within=data.within, train=train_part),
        "agreement_with": _with(data),
        "cost": cost(network, asked, net, loader),
        "machine": provenance.machine(),
        "revision": provenance.revision(),
    }
    scaler = Scaler.read(card["label"])
    document["scores"] = {
        s.key: float(v) for s, v in zip(data.samples, scaler.people(predicted) if human else predicted)
    }
    return document


def _with(data: TrainingSet) -> str:
    return "people" if data.scale is not None and data.scale.kind != SCALE.kind else SCALE.kind


def measure(
    predicted: npt.ArrayLike,
    samples: Sequence[Sample],
    sign: int,
    *,
    within: bool,
    train: TrainingSet | None = None,
) -> dict[str, Any]:
    """Everything said about a vector of predictions (higher = better).

    ``srocc_within`` is the mean over references; ``prior`` the same numbers for a predictor that sees no image and
    knows which algorithm made it (its mean score on training references); ``residual`` the rank agreement of what is
    left when that mean is taken from the scores, and each algorithm's own mean from the predictions. Fits are made on
    the test predictions, as is the convention, so raw PLCC stands beside fitted.
    """
    rows = [n for n, s in enumerate(samples) if s.score is not None]
    chosen = [samples[n] for n in rows]
    x = np.asarray(predicted, dtype=np.float64)[rows]
    y = np.array([sign * float(s.score or 0.0) for s in chosen])
    if len(rows) < 3:
        return {"n": len(rows), "reason": "fewer than 3 images with a score"}
    if not np.isfinite(x).all():
        raise UsageError("the evaluator gave values that are not finite; train it again", code="E-EVAL")
    answer: dict[str, Any] = _numbers(x, y, chosen)
    parts = [answer[name]["value"] for name in ("srocc", "plcc_raw")]
    answer["main_score"] = None if None in parts else sum(abs(v) for v in parts)
    answer["main_score_of"] = "|SROCC| + |raw PLCC|"
    answer["headline"] = "srocc_within" if within else "srocc"
    classes: dict[str, Any] = {}
    for name in sorted({s.distortion for s in chosen} - {""}):
        own = [n for n, s in enumerate(chosen) if s.distortion == name]
        classes[name] = {"n": len(own), "srocc": _plain(stats.srocc(x[own], y[own]))}
    answer["classes"] = classes
    if train is not None:
        answer |= _beyond(x, y, chosen, train, sign)
    return answer


def _numbers(x: Floats, y: Floats, samples: Sequence[Sample]) -> dict[str, Any]:
    groups, blocks = [s.group for s in samples], [s.block for s in samples]
    curve = stats.fit(x, y)
    each = stats.within(x, y, groups, blocks)
    inside = stats.within_estimate(each, resamples=RESAMPLES, rng=stats.generator(SEED, "evaluate", "within"))
    return {
        "n": len(x),
        "references": len(set(groups)),
        "srocc": _clustered(stats.srocc, x, y, groups),
        "srocc_within": _estimate(inside),
        "references_srocc": dict(zip(each.groups, each.values.tolist())),
        "krocc": {"value": _plain(stats.krocc(x, y))},
        "plcc_raw": _clustered(stats.plcc, x, y, groups),
        "plcc_logistic": {"value": _plain(stats.fitted_plcc(x, y)), "fit": curve.kind, "note": curve.note},
        "plcc_poly3": {"value": _poly3(x, y)},
        "rmse_fit": _plain(stats.rmse(y, curve(x), curve.free)) if curve.kind != "undefined" else None,
    }


def _clustered(coefficient: Callable[..., float], x: Floats, y: Floats, groups: Sequence[str]) -> dict[str, Any]:
    """A coefficient with the percentile interval of a bootstrap over references."""
    value = coefficient(x, y)
    names, index = np.unique(np.asarray(groups), return_inverse=True)
    if len(names) < 8 or not math.isfinite(value):
        return {"value": _plain(value), "low": None, "high": None, "reason": "fewer than 8 references"}
    rows = [np.flatnonzero(index == n) for n in range(len(names))]
    rng = stats.generator(SEED, "evaluate", "bootstrap")  # the same resamples for all models and coefficients
    draws = []
    for _ in range(RESAMPLES):
        chosen = np.concatenate([rows[n] for n in rng.integers(0, len(names), len(names))])
        draws.append(coefficient(x[chosen], y[chosen]))
    finite = np.asarray(draws)[np.isfinite(draws)]
    low, high = stats.percentile(finite)
    return {"value": _plain(value), "low": _plain(low), "high": _plain(high), "reason": ""}


def _poly3(x: Floats, y: Floats) -> float | None:
    """PLCC after a cubic, as image-quality challenges map scores."""
    if len(x) < 8 or np.ptp(x) == 0:
        return None
    fitted = np.polynomial.Polynomial.fit(x, y, 3)(x)
    return _plain(stats.plcc(fitted, y))


def _beyond(x: Floats, y: Floats, samples: Sequence[Sample], train: TrainingSet, sign: int) -> dict[str, Any]:
    """The algorithm prior, and what the predictions know besides it; means come from training references alone."""
    sums: dict[str, list[float]] = {}
    for s in train.samples:
        if s.score is not None and s.generator:
            sums.setdefault(s.generator, []).append(sign * s.score)
    known = [n for n, s in enumerate(samples) if s.generator in sums]
    if len(known) < 3:
        return {"prior": None, "prior_reason": "the algorithms of the test images are not in the training part"}
    prior = np.array([float(np.mean(sums[samples[n].generator])) for n in known])
    chosen = [samples[n] for n in known]
    own = x[known]
    generators = [s.generator for s in chosen]
    rest_y = y[known] - prior
    rest_x = stats.centred(own, generators)
    return {
        "prior": {
            "n": len(known),
            "srocc": _plain(stats.srocc(prior, y[known])),
            "plcc": _plain(stats.plcc(prior, y[known])),
            "srocc_within": _plain(stats.within(prior, y[known], [s.block for s in chosen]).mean),
        },
        "residual": _plain(stats.srocc(rest_x, rest_y)),
    }


def cost(network: Any, asked: Any, net: Net, loader: Loader, repeats: int = 5) -> dict[str, Any]:
    """Parameters, multiply-accumulates and time of one image, as scored: all its crops.

    Args:
        network: whose parameters count.
        asked: what scores in its place, see ``seam.quick``.
        net: what it is shown.
        loader: of the images.
        repeats: of the measurement, of which the median is taken.
    """
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    looks = passes(network, loader.count(loader.entries[0]))
    views = loader.fixed([0], looks[0]).views("student", net)
    counter = FlopCounterMode(display=False)
    with torch.inference_mode(), counter:
        network(views)
    times = []
    with torch.inference_mode():
        for _ in range(repeats):
            if loader.device.startswith("cuda"):
                torch.cuda.synchronize()
            begun = time.perf_counter()
            asked(views)
            if loader.device.startswith("cuda"):
                torch.cuda.synchronize()
            times.append(time.perf_counter() - begun)
    held = seam.own("metrics.evaluator.build:parameters")(network)
    return {
        "parameters": sum(held.values()),
        "learnt_parameters": held["trainable"],
        "macs": counter.get_total_flops() // 2 * len(looks),
        "ms_per_image": round(1000 * float(np.median(times)) * len(looks), 3),
        "crops": loader.crops or len(looks),
        "crop": loader.largest or loader.views.crop,
        "threads": torch.get_num_threads(),
        "device": loader.device,
    }


def repeated(
    recipe: Recipe,
    data: TrainingSet,
    settings: Settings,
    *,
    protocol: splits.Protocol = "reference",
    seeds: Sequence[int] = tuple(range(10)),
    others: Sequence[TrainingSet] = (),
    prepare: Callable[[splits.Split], TrainingSet | None] = lambda split: None,
) -> dict[str, Any]:
    """Train and test on several splits.

    Args:
        recipe: what to train; its own seed follows the split's.
        data: with human scores.
        settings: folders; every split gets one of its own below ``out``.
        protocol: how splits are drawn.
        seeds: of the splits.
        others: data sets to test on, whole; content that was trained on is refused.
        prepare: makes the pool of a split, where the recipe wants one.

    Raises:
        IntegrityError: a test set shares content with what is learnt from.
    """
    runs = []
    for seed, split in _drawn(data, protocol, seeds, others):
        own = replace(settings, out=settings.out / f"split-{seed}")
        pool = _pool(prepare(split), others)
        done = train(recipe.model_copy(update={"seed": recipe.seed + seed}), data, split, own, pool)
        part = data.select(split.train)
        tested = {data.name: evaluate(done.checkpoint, data.select(split.test), train_part=part, split=split,
                                      device=settings.device, progress=settings.progress)}  # fmt: skip
        for other in others:
            tested[other.name] = _tried(done.checkpoint, other, settings)
        runs.append({"seed": seed, "split": split.digest, "tests": tested})
    return {
        "recipe": recipe.name,
        "protocol": protocol,
        "runs": runs,
        "summary": {name: summary([r["tests"][name]["agreement"] for r in runs]) for name in runs[0]["tests"]},
    }


def _drawn(
    data: TrainingSet, protocol: splits.Protocol, seeds: Sequence[int], others: Sequence[TrainingSet]
) -> list[tuple[int, splits.Split]]:
    """The splits by seed, once it is sure that all test sets can be used: before hours of training."""
    names = [data.name, *(other.name for other in others)]
    for number, one in enumerate((data, *others)):
        if one.name in names[:number]:
            raise UsageError(f"two test sets have the name {one.name!r}; leave one out", code="E-CFG")
        if all(s.score is None for s in one.samples):
            raise UsageError(f"{one.name} has no human scores to agree with; leave it out", code="E-DATA")
    made = [(seed, splits.make(data, protocol, seed)) for seed in seeds]
    for _, split in made:
        seen = data.select([*split.train, *split.valid]).contents()
        for other in others:
            splits.clash(f"{data.name} (training and validation)", seen, other.name, other.contents())
    return made


def _pool(pool: TrainingSet | None, others: Sequence[TrainingSet]) -> TrainingSet | None:
    """The pool, which must show nothing that is tested on."""
    for other in others if pool is not None else ():
        splits.clash("the pool", pool.contents(), other.name, other.contents())  # type: ignore[union-attr]
    return pool


def _tried(
    checkpoint: Path,
    data: TrainingSet,
    settings: Settings,
    train_part: TrainingSet | None = None,
    split: splits.Split | None = None,
) -> dict[str, Any]:
    """``evaluate``, or the reason why not where the data lack what the evaluator compares with."""
    lacks = lacking(net_of(export.card(checkpoint)), data, train_part)
    if lacks:
        return {"agreement": {"n": 0, "reason": lacks}}
    return evaluate(
        checkpoint, data, train_part=train_part, split=split, device=settings.device, progress=settings.progress
    )


def compare(evaluations: Sequence[dict[str, Any]], files: Sequence[str] = ()) -> dict[str, Any]:
    """Evaluations of several evaluators on the same images, with paired differences of within-reference SROCC.

    Bootstrap over references, the same resamples for all pairs; p-values by sign flips, adjusted after Holm.

    Args:
        evaluations: of ``evaluate``.
        files: what the evaluators' files are called, where their names are not enough.
    """
    for one, file in zip(evaluations, files):
        one["checkpoint"]["file"] = file
    about = [e["checkpoint"] for e in evaluations]
    # By number: several may have one name.
    numbered = [(str(n), e["agreement"].get("references_srocc", {})) for n, e in enumerate(evaluations)]
    pairs = _pairs([(one, two) for first, one in enumerate(numbered) for two in numbered[first + 1 :]])
    for pair in pairs:
        two = [about[int(pair[side])] for side in ("first", "second")]
        pair |= {"first": two[0]["name"], "second": two[1]["name"]}
        pair |= {key + "s": [one[key] for one in two] for key in ("file", "part", "role")}
    return {"evaluators": list(evaluations), "pairs": pairs}


Named = tuple[str, dict[str, float]]
"""An evaluator and its SROCC by reference."""


def _pairs(pairs: Sequence[tuple[Named, Named]]) -> list[dict[str, Any]]:
    """Paired differences of those pairs that share references."""
    found = []
    for (first, a), (second, b) in pairs:
        if not a.keys() & b.keys():
            continue
        sides = [stats.Within(tuple(sorted(v)), np.array([v[k] for k in sorted(v)]), len(v)) for v in (a, b)]
        done = stats.paired(sides[0], sides[1], resamples=RESAMPLES, rng=stats.generator(SEED, "evaluate", "paired"))
        found.append((first, second, done))
    return [
        {"first": first, "second": second, "difference": _estimate(done.delta), "p_holm": _plain(float(p))}
        for (first, second, done), p in zip(found, stats.holm([d.p for *_, d in found]) if found else ())
    ]


def summary(agreements: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Median, quartiles and deviation over splits of every coefficient, with the values themselves."""
    answer = {}
    for name in ("srocc", "srocc_within", "krocc", "plcc_raw", "plcc_logistic", "plcc_poly3"):
        each = [_value(a, name) for a in agreements]
        values = [v for v in each if v is not None]
        if values:
            low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
            answer[name] = {
                "median": float(middle), "q1": float(low), "q3": float(high),
                "sd": float(np.std(values, ddof=1)) if len(values) > 1 else None, "splits": len(values),
                "values": each,
            }  # fmt: skip
    return answer


ARMS = {
    "none": "people's labels alone, as many as `full` sees",
    "labels-equal-steps": "people's labels alone, for as many steps as `full` and with whole batches of them",
    "pseudo": "the pool's pseudo-labels themselves in place of the teacher that learnt them",
    "score": "of the teacher its score alone",
    "shuffled-teacher": "every image with the teacher's answer to another one: the gain must vanish",
    "full": "the recipe",
}
ALWAYS = ("none", "full")
"""Arms that every ablation has: what distillation adds is the difference between them."""
HELD = "pool (pseudo-MOS)"
"""The test set that is the part of the pool which the teacher did not learn from."""


def arm(recipe: Recipe, name: str, per_epoch: Callable[[Stage], int]) -> Recipe:
    """The recipe of one arm of the ablation.

    Args:
        recipe: the full one.
        name: of ``ARMS``.
        per_epoch: steps of an epoch of a stage, for equal numbers of steps.

    Raises:
        UsageError: nothing is left to train without distillation.
    """
    if name in ("full", "shuffled-teacher"):
        return recipe
    stages: list[Stage] = []
    lost = 0
    for stage in recipe.stages:
        if stage.train == "teacher":
            stages += [stage] if name == "score" else []
            continue
        own = _changed(stage, name, per_epoch)
        if own is None:
            lost += stage.steps or stage.epochs * per_epoch(stage)
        else:
            stages.append(own)
    student = [n for n, s in enumerate(stages) if s.train == "student"]
    if not student:
        raise UsageError(f"{recipe.name} learns from its teacher alone, so there is no arm {name!r}", code="E-CFG")
    if name == "labels-equal-steps" and lost:
        last = stages[student[-1]]
        steps = last.steps or last.epochs * per_epoch(last)
        stages[student[-1]] = last.model_copy(update={"epochs": 0, "steps": steps + lost})
    changed: dict[str, Any] = {**recipe.document, "stages": [s.model_dump(mode="json") for s in stages]}
    if name != "score":
        changed["teacher"] = None
    return build(changed, f"{recipe.name}, arm {name}")


def _changed(stage: Stage, name: str, per_epoch: Callable[[Stage], int]) -> Stage | None:
    """A stage of the student in an arm with less of the teacher; None where nothing is left to learn from."""
    if name == "score":
        kept = tuple(t for t in stage.terms if t.loss or t.distill == "score")
        if stage.data == "labelled" or stage.labels != "human" or any(t.distill for t in kept):
            return stage.model_copy(update={"terms": kept}) if kept else None
    kept = tuple(t for t in stage.terms if t.loss and t.on == "student")
    steps = stage.steps or stage.epochs * per_epoch(stage)
    if stage.labels == "pseudo":
        return stage.model_copy(update={"terms": kept}) if kept else None
    if name == "pseudo" and stage.labels == "teacher" and stage.data != "labelled":
        # Beside people's scores, pseudo-labels come as what they are: learned ones, which no scaler touches.
        changes: dict[str, Any] = {"terms": kept, "labels": "human" if stage.data == "all" else "pseudo"}
        if not stage.share:
            changes |= {"epochs": 0, "steps": steps}
        return stage.model_copy(update=changes) if kept else None
    kept = tuple(t for t in kept if t.of != "pseudo")
    if not kept or stage.data == "pool":
        return None
    changes = {"terms": kept, "data": "labelled", "labels": "human", "share": 0.0}
    if stage.data == "all":
        alone = stage.model_copy(update=changes | {"per_reference": 0 if stage.share else stage.per_reference})
        changes["per_reference"] = alone.per_reference
        if name != "labels-equal-steps":
            size = max(1, stage.per_reference)
            fine = {"batch": 2, "per_reference": 0}  # counts images, by twos
            whole = per_epoch(stage.model_copy(update=fine | {"share": 0.0}))
            part = stage.batch * per_epoch(alone.model_copy(update=fine)) / max(1, whole)
            theirs = round(stage.share * stage.batch)
            changes["batch"] = stage.batch - theirs if stage.share else max(2, size, size * round(part / size))
        changes |= {"epochs": 0, "steps": steps}
        if stage.schedule == "step":  # which counts epochs
            other = per_epoch(alone.model_copy(update={"batch": changes.get("batch", stage.batch)}))
            changes["step_every"] = max(1, round(stage.step_every * per_epoch(stage) / max(1, other)))
    return stage.model_copy(update=changes)


def _counter(recipe: Recipe, part: TrainingSet, pool: TrainingSet | None) -> Callable[[Stage], int]:
    """Steps of an epoch of a student's stage."""

    def per_epoch(stage: Stage) -> int:
        own = [] if stage.data == "pool" else list(part.samples)
        theirs = [] if stage.data == "labelled" or pool is None else list(pool.samples)
        if stage.labels != "human" or not any(t.distill or t.on == "teacher" for t in stage.terms):
            own = [s for s in own if s.score is not None]
            theirs = [s for s in theirs if s.score is not None or stage.labels == "teacher"]
        if stage.share:
            rest = stage.batch - round(stage.share * stage.batch)
            return len(samplers.epoch(own, rest, 0, recipe.seed, stage.name, 0))
        return len(samplers.epoch([*own, *theirs], stage.batch, stage.per_reference, recipe.seed, stage.name, 0))

    return per_epoch


def _arms(
    recipe: Recipe, per_epoch: Callable[[Stage], int], asked: Sequence[str] = ()
) -> tuple[dict[str, Recipe], dict[str, str]]:
    """The recipes of all arms that differ, ``full`` first, and why others are left out.

    Raises:
        UsageError: the student learns nothing from a teacher, or nothing else.
    """
    made, left_out = {"full": recipe}, {}
    learnt = any(s.train == "teacher" and s.labels == "pseudo" for s in recipe.stages)
    for name in ARMS:
        if name == "full":
            continue
        if asked and name not in (*asked, *ALWAYS):
            left_out[name] = "not asked for"
            continue
        if name == "pseudo" and not (learnt and any(s.labels == "teacher" for s in recipe.stages)):
            left_out[name] = "no teacher of stored answers learnt pseudo-labels"
            continue
        if name == "shuffled-teacher" and recipe.shared:
            left_out[name] = "the teacher is the student itself, whose answers are its own"
            continue
        own = arm(recipe, name, per_epoch)
        twin = next((n for n, r in made.items() if name != "shuffled-teacher" and _taught(r) == _taught(own)), "")
        if twin == "full" and name == "none":
            raise UsageError(f"{recipe.name} distils nothing from a teacher, so nothing can be left out", code="E-CFG")
        if not twin:
            made[name] = own
        elif (name, twin) == ("score", "full"):
            left_out[name] = "the same as full, which learns nothing but scores from its teacher"
        else:
            left_out[name] = f"the same as {twin}"
    return made, left_out


def _taught(recipe: Recipe) -> list[Stage]:
    return [s for s in recipe.stages if s.train == "student"]


def ablation(
    recipe: Recipe,
    data: TrainingSet,
    settings: Settings,
    *,
    protocol: splits.Protocol = "reference",
    seeds: Sequence[int] = (0,),
    others: Sequence[TrainingSet] = (),
    prepare: Callable[[splits.Split], TrainingSet | None] = lambda split: None,
    arms: Sequence[str] = (),
) -> dict[str, Any]:
    """Train every arm on the same splits and say what distillation gains, and how much of the teacher's lead that is.

    The teacher is trained once per split, by the arm ``full``, and given to the others; one that the settings name is
    given to all. Where it needs references and the data set has none, it is tested on a tenth of the pool that it did
    not learn from, against pseudo-MOS.

    Args:
        recipe: the full one; its own seed follows the split's.
        data: with human scores.
        settings: folders; every arm of a split gets one of its own below ``out``.
        protocol: how splits are drawn.
        seeds: of the splits.
        others: data sets to test on, whole; content that was trained on is refused.
        prepare: makes the pool of a split, where the recipe wants one.
        arms: of ``ARMS``, beside ``ALWAYS``; empty: all.

    Raises:
        IntegrityError: a test set shares content with what is learnt from.
        UsageError: there is nothing to leave out, or nothing is left.
    """
    made: dict[str, Recipe] = {}
    left_out: dict[str, str] = {}
    results: dict[str, list[dict[str, Any]]] = {}
    """By arm: for every split the evaluations by test set."""
    teachers: list[dict[str, Any]] = []
    tests: list[dict[str, TrainingSet]] = []
    for seed, split in _drawn(data, protocol, seeds, others):
        whole = recipe.model_copy(update={"seed": recipe.seed + seed})
        part, test = data.select(split.train), data.select(split.test)
        pool = _pool(prepare(split), others)
        count = _counter(whole, part, pool)
        if made:
            made = {name: arm(whole, name, count) for name in made}
        else:
            made, left_out = _arms(whole, count, arms)
        tests.append({data.name: test, **{other.name: other for other in others}})
        teacher = settings.teacher
        for name, own in made.items():
            wanted = pool if any(s.data != "labelled" or s.labels == "teacher" for s in own.stages) else None
            where = replace(
                settings,
                out=settings.out / f"split-{seed}" / name,
                teacher=teacher if own.teacher is not None and not own.shared else None,
                shuffle=name == "shuffled-teacher",
            )
            done = train(own, data, split, where, wanted)
            networks = [(results.setdefault(name, []), done.checkpoint)]
            if name == "full" and own.teacher is not None and not own.shared:
                teacher = teacher or where.out / "teacher.safetensors"
                networks.append((teachers, teacher))
            for found, path in networks:
                found.append({data.name: _tried(path, test, settings, part, split)})
                found[-1] |= {other.name: _tried(path, other, settings) for other in others}
        kind = recipe.teacher.shown if recipe.teacher is not None and settings.teacher is None else ""
        if teacher is not None and pool is not None and kind in ALIGNED and not part.paired:
            tests[-1][HELD] = _held(pool, whole.seed)
            teachers[-1][HELD] = _evaluated(teacher, tests[-1][HELD], None, None, settings.device, settings.progress)
    document: dict[str, Any] = {
        "recipe": recipe.name, "protocol": protocol, "seeds": list(seeds),
        "what": {name: text for name, text in ARMS.items() if name in made},
        "left_out": left_out,
        "arms": {name: _by_test(results[name]) for name in ARMS if name in made},
        "teacher": _by_test(teachers),
        "tests": {}, "pairs": [],
        "machine": provenance.machine(), "revision": provenance.revision(),
    }  # fmt: skip
    for name in tests[0]:
        sets = [by_name[name] for by_name in tests]
        key = "srocc_within" if sets[0].within else "srocc"
        document["tests"][name] = {
            "statistic": key, "agreement_with": _with(sets[0]), "license": sets[0].license,
            "images": [len(one.samples) for one in sets],
            "references": [len({s.group for s in one.samples if s.reference is not None}) for one in sets],
        }  # fmt: skip
        if name != HELD:
            pairs = _gains(name, {n: [run[name] for run in runs] for n, runs in results.items()}, sets, key)
            document["pairs"] += pairs
            document["tests"][name] |= _recovered(document, name, key, pairs)
    return document


def _held(pool: TrainingSet, seed: int) -> TrainingSet:
    """The part of the pool that a teacher does not learn from, though its epochs may be chosen on it."""
    groups = feeding.held_out(pool, seed)
    return pool.select([s.key for s in pool.samples if s.group in groups and s.score is not None])


def _by_test(runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """For every test set what ``summary`` says, or why there is nothing."""
    answer = {}
    for name in runs[0] if runs else ():
        found = [run[name]["agreement"] for run in runs]
        answer[name] = summary(found) or {"reason": found[0].get("reason") or "the evaluator says the same of all"}
    return answer


def _gains(
    test: str, results: dict[str, list[dict[str, Any]]], data: Sequence[TrainingSet], key: str
) -> list[dict[str, Any]]:
    """What ``full`` is ahead of every other arm, and the shuffled teacher of none, on one test set.

    Gains are means over splits; their intervals come from a bootstrap over references (or images, where there are
    none) that resamples both arms alike. The spread is the larger of both arms' deviations over splits.
    """
    wanted = [("full", name) for name in results if name != "full"]
    wanted += [("shuffled-teacher", "none")] if "shuffled-teacher" in results else []
    named = {name: (name, _references(runs)) for name, runs in results.items()}
    inside = {(p["first"], p["second"]): p for p in _pairs([(named[a], named[b]) for a, b in wanted])}
    answer = []
    for pair in wanted:
        sides = [[_value(run["agreement"], key) for run in results[name]] for name in pair]
        gains = [None if a is None or b is None else a - b for a, b in zip(*sides)]
        known = [g for g in gains if g is not None]
        gain = float(np.mean(known)) if known else None
        spread = None
        if len(known) > 1:
            spread = max(float(np.std([v for v in side if v is not None], ddof=1)) for side in sides)
        within = inside.get(pair)
        nothing = {"value": None, "low": None, "high": None, "reason": "no reference has enough images with scores"}
        estimate = within["difference"] if within else nothing
        answer.append({
            "test": test, "first": pair[0], "second": pair[1], "statistic": key,
            "gain": gain, "gains": gains, "seed_spread": spread,
            "larger_than_seed_spread": "one seed only" if spread is None or gain is None
            else "yes" if gain > spread else "no",
            "within_references": estimate | {"p_holm": within["p_holm"] if within else None},
            "interval": estimate if key == "srocc_within" or gain is None
            else _pooled([results[name] for name in pair], data),
        })  # fmt: skip
    return answer


def _references(runs: Sequence[dict[str, Any]]) -> dict[str, float]:
    """SROCC by reference, averaged over the splits that test it."""
    found: dict[str, list[float]] = {}
    for run in runs:
        for name, value in run["agreement"].get("references_srocc", {}).items():
            found.setdefault(name, []).append(value)
    return {name: float(np.mean(values)) for name, values in found.items()}


def _pooled(runs: Sequence[Sequence[dict[str, Any]]], data: Sequence[TrainingSet]) -> dict[str, Any]:
    """Difference of SROCC between two arms, averaged over splits, with its percentile interval."""
    sides = []
    for first, second, one in zip(*runs, data):
        if "scores" not in first or "scores" not in second:
            continue
        chosen = [s for s in one.samples if s.score is not None]
        rows: dict[str, list[int]] = {}
        for n, s in enumerate(chosen):
            rows.setdefault(s.group, []).append(n)
        y = one.sign * np.array([s.score for s in chosen], dtype=np.float64)
        a, b = (np.array([run["scores"][s.key] for s in chosen]) for run in (first, second))
        sides.append((a, b, y, rows))
    names = sorted({name for *_, rows in sides for name in rows})

    def difference(drawn: Sequence[str]) -> float:
        each = []
        for a, b, y, rows in sides:
            chosen = np.array([n for name in drawn for n in rows.get(name, ())], dtype=np.int64)
            if len(chosen) > 1:
                each.append(stats.srocc(a[chosen], y[chosen]) - stats.srocc(b[chosen], y[chosen]))
        return float(np.mean(each)) if each else math.nan

    value = difference(names)
    if len(names) < 8 or not math.isfinite(value):
        return {"value": _plain(value), "low": None, "high": None, "reason": "fewer than 8 references"}
    stream = stats.generator(SEED, "evaluate", "gain")
    draws = np.array([
        difference([names[n] for n in stream.integers(0, len(names), len(names))]) for _ in range(RESAMPLES)
    ])  # fmt: skip
    low, high = stats.percentile(draws[np.isfinite(draws)])
    return {"value": value, "low": _plain(low), "high": _plain(high), "reason": ""}


def _recovered(document: dict[str, Any], test: str, key: str, pairs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """On one test set: the gain of distillation, that of a shuffled teacher, and shares of the teacher's lead."""
    gains = {(p["first"], p["second"]): p["gain"] for p in pairs}
    middle = {n: found[test].get(key, {}).get("median") for n, found in document["arms"].items()}
    top = document["teacher"].get(test, {}).get(key, {}).get("median")
    return {
        "gain": gains["full", "none"],
        "shuffled_gain": gains.get(("shuffled-teacher", "none")),
        "recovery": {
            name: recovery(middle[name], middle["none"], top)
            for name in ("pseudo", "score", "full", "shuffled-teacher")
            if name in middle
        },
    }


def recovery(distilled: float | None, plain: float | None, teacher: float | None) -> float | None:
    """Share of the teacher's lead over the student without it that distillation recovers; None without a lead."""
    if distilled is None or plain is None or teacher is None or not teacher > plain:
        return None
    return (distilled - plain) / (teacher - plain)


def _value(agreement: dict[str, Any], name: str) -> float | None:
    """A coefficient, or None where it is undefined or was not computed."""
    return agreement.get(name, {}).get("value")


def _estimate(value: Any) -> dict[str, Any]:
    return {"value": value.value, "low": value.low, "high": value.high, "reason": value.reason}


def _plain(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
