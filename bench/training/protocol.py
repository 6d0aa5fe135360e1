"""Honest evaluation: on references that were not seen, over several splits, with intervals over references.

* ``evaluate``: an exported evaluator on the test part of its own split, or on the whole of another data set; refused
  where the two share content with what it was trained on.
* ``repeated``: train and test a recipe on several splits; median and quartiles.
* ``ablation``: the same recipe without its teacher, with the score alone, with a shuffled teacher, and with labels
  alone for as many steps; the gain of distillation must vanish where the teacher is shuffled.

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
from . import export, seam, splits
from .beside import Beside, entries
from .data import Sample, TrainingSet
from .labels import Scaler
from .loader import Loader
from .predict import passes, predict
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
    """
    card = export.card(checkpoint)
    if split is not None and card["split"]["digest"] != split.digest:
        raise UsageError(
            f"{checkpoint.name} was trained on another split of {data.name}; test it with --protocol "
            f"{card['split']['protocol']} --seed {card['split']['seed']} and the same images",
            code="E-SPLIT",
        )
    export.unseen(card, "the test data", data)
    net = Net(**{k: v for k, v in card["network"].items() if k != "aux"}, aux=card["aux"])
    network = seam.network({**net.options, **untrained(net)})
    export.fill(network, checkpoint)
    network.to(device).eval()
    cut = Cut(crop=card["crop"], patches=card["patches"])
    beside = Beside.of(train_part or data, SEED, [data] if train_part is not None and net.shown == "nar" else [])
    found = entries(data)
    kinds = () if net.shown == "none" else (net.shown,)
    for kind in kinds:
        beside.prepare(kind, found, progress)
    loader = Loader(found, cut, None, beside, kinds, SEED, device, {}, card["crops"])
    say = progress or Silent()
    say.stage("predicting", len(found))
    predicted = predict(network, net, loader, progress=say)
    human = card["label"]["kind"] != "pseudo"
    document = {
        "checkpoint": {"name": card.get("name", ""), "sha256": export.digest_of(checkpoint), "role": net.role},
        "data": {"name": data.name, "digest": data.digest, "images": len(data.samples), "license": data.license},
        "trained_on": card["trained"]["names"],
        "trained_labels": card["trained"]["labels"],
        "better": "higher" if data.sign > 0 else "lower",
        "protocol": card["split"]["protocol"] if split is not None else "cross-dataset",
        "agreement": measure(predicted, data.samples, data.sign, within=data.within, train=train_part),
        "agreement_with": "people" if data.scale is not None and data.scale.kind != "pseudo-MOS" else "pseudo-MOS",
        "cost": cost(network, net, loader),
        "machine": provenance.machine(),
        "revision": provenance.revision(),
    }
    scaler = Scaler.read(card["label"])
    document["scores"] = {
        s.key: float(v) for s, v in zip(data.samples, scaler.people(predicted) if human else predicted)
    }
    return document


def untrained(net: Net) -> dict[str, Any]:
    """Options that keep published weights from being loaded where all are replaced a moment later."""
    return {} if ":" in net.net else {"pretrained": False}


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


def cost(network: Any, net: Net, loader: Loader, repeats: int = 5) -> dict[str, Any]:
    """Parameters, multiply-accumulates and time of one image, as scored: all its crops."""
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
            network(views)
            if loader.device.startswith("cuda"):
                torch.cuda.synchronize()
            times.append(time.perf_counter() - begun)
    return {
        "parameters": sum(p.numel() for p in network.parameters()),
        "learnt_parameters": sum(p.numel() for p in network.parameters() if p.requires_grad),
        "macs": counter.get_total_flops() // 2 * len(looks),
        "ms_per_image": round(1000 * float(np.median(times)) * len(looks), 3),
        "crops": loader.crops or len(looks),
        "crop": loader.views.crop,
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
    """
    runs = []
    for seed in seeds:
        split = splits.make(data, protocol, seed)
        own = replace(settings, out=settings.out / f"split-{seed}")
        done = train(recipe.model_copy(update={"seed": recipe.seed + seed}), data, split, own, prepare(split))
        part = data.select(split.train)
        tested = {data.name: evaluate(done.checkpoint, data.select(split.test), train_part=part, split=split,
                                      device=settings.device, progress=settings.progress)}  # fmt: skip
        for other in others:
            tested[other.name] = evaluate(done.checkpoint, other, device=settings.device, progress=settings.progress)
        runs.append({"seed": seed, "split": split.digest, "tests": tested})
    return {
        "recipe": recipe.name,
        "protocol": protocol,
        "runs": runs,
        "summary": {name: summary([r["tests"][name]["agreement"] for r in runs]) for name in runs[0]["tests"]},
    }


def compare(evaluations: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Evaluations of several evaluators on the same images, with paired differences of within-reference SROCC.

    Bootstrap over references, the same resamples for all pairs; p-values by sign flips, adjusted after Holm.
    """
    document: dict[str, Any] = {"evaluators": list(evaluations), "pairs": []}
    found = []
    for first, one in enumerate(evaluations):
        for two in evaluations[first + 1 :]:
            a, b = (dict(e["agreement"].get("references_srocc", {})) for e in (one, two))
            if not a.keys() & b.keys():
                continue
            sides = [stats.Within(tuple(sorted(v)), np.array([v[k] for k in sorted(v)]), len(v)) for v in (a, b)]
            done = stats.paired(
                sides[0], sides[1], resamples=RESAMPLES, rng=stats.generator(SEED, "evaluate", "paired")
            )
            found.append((one, two, done))
    for (one, two, done), p in zip(found, stats.holm([d.p for *_, d in found]) if found else ()):
        document["pairs"].append({
            "first": one["checkpoint"]["name"], "second": two["checkpoint"]["name"],
            "difference": _estimate(done.delta), "p_holm": _plain(float(p)),
        })  # fmt: skip
    return document


def summary(agreements: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Median and quartiles over splits of every coefficient."""
    answer = {}
    for name in ("srocc", "srocc_within", "krocc", "plcc_raw", "plcc_logistic", "plcc_poly3"):
        values = [a[name]["value"] for a in agreements if name in a and a[name]["value"] is not None]
        if values:
            low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
            answer[name] = {
                "median": float(middle), "q1": float(low), "q3": float(high),
                "sd": float(np.std(values, ddof=1)) if len(values) > 1 else None, "splits": len(values),
            }  # fmt: skip
    return answer


ARMS = ("none", "score", "full", "labels-equal-steps", "shuffled-teacher")


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
        terms = tuple(t for t in stage.terms if t.loss or (name == "score" and t.distill == "score"))
        steps = stage.steps or stage.epochs * per_epoch(stage)
        if terms:
            stages.append(stage.model_copy(update={"terms": terms}))
        else:
            lost += steps
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
    return build(changed, f"{recipe.name} without {name}")


def ablation(
    recipe: Recipe,
    data: TrainingSet,
    settings: Settings,
    *,
    protocol: splits.Protocol = "reference",
    seeds: Sequence[int] = (0,),
    prepare: Callable[[splits.Split], TrainingSet | None] = lambda split: None,
) -> dict[str, Any]:
    """Train every arm on the same splits and say how much of the teacher's lead distillation recovers.

    The teacher is trained once per split, by the arm ``full``, and given to the others.
    """
    from . import samplers

    arms: dict[str, list[dict[str, Any]]] = {name: [] for name in ARMS}
    teachers: list[dict[str, Any]] = []
    for seed in seeds:
        split = splits.make(data, protocol, seed)
        pool = prepare(split)
        parts = {"labelled": [data.select(split.train)], "pool": [pool], "all": [data.select(split.train), pool]}

        def per_epoch(stage: Stage, parts: dict[str, Any] = parts) -> int:
            samples = [s for d in parts[stage.data] if d is not None for s in d.samples]
            return len(samplers.epoch(samples, stage.batch, stage.per_reference, recipe.seed, stage.name, 0))

        test, part = data.select(split.test), data.select(split.train)
        base = settings.out / f"split-{seed}"
        teacher = settings.teacher
        for name in ("full", *(a for a in ARMS if a != "full")):
            own = arm(recipe, name, per_epoch)
            given = teacher if own.teacher is not None and not own.shared else None
            where = replace(settings, out=base / name, teacher=given, shuffle=name == "shuffled-teacher")
            done = train(own, data, split, where, pool)
            result = evaluate(done.checkpoint, test, train_part=part, split=split, device=settings.device)
            arms[name].append(result["agreement"])
            if name == "full" and recipe.teacher is not None and not recipe.shared:
                teacher = teacher or where.out / "teacher.safetensors"
                teachers.append(
                    evaluate(teacher, test, train_part=part, split=split, device=settings.device)["agreement"]
                )
    key = "srocc_within" if data.within else "srocc"
    middle = {n: _median([a[key]["value"] for a in rows]) for n, rows in arms.items()}
    top = _median([a[key]["value"] for a in teachers])
    return {
        "recipe": recipe.name, "protocol": protocol, "seeds": list(seeds), "statistic": key,
        "arms": {name: summary(rows) for name, rows in arms.items()},
        "teacher": summary(teachers),
        "recovery": {
            name: recovery(middle[name], middle["none"], top) for name in ("score", "full", "shuffled-teacher")
        },
        "shuffled_gain": _difference(middle["shuffled-teacher"], middle["none"]),
        "gain": _difference(middle["full"], middle["none"]),
    }  # fmt: skip


def recovery(distilled: float | None, plain: float | None, teacher: float | None) -> float | None:
    """Share of the teacher's lead over the student without it that distillation recovers; None without a lead."""
    if distilled is None or plain is None or teacher is None or not teacher > plain:
        return None
    return (distilled - plain) / (teacher - plain)


def _median(values: Sequence[float | None]) -> float | None:
    known = [v for v in values if v is not None]
    return float(np.median(known)) if known else None


def _difference(first: float | None, second: float | None) -> float | None:
    return None if first is None or second is None else first - second


def _estimate(value: Any) -> dict[str, Any]:
    return {"value": value.value, "low": value.low, "high": value.high, "reason": value.reason}


def _plain(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
