"""What the commands ``train``, ``distill``, ``evaluate`` and ``export-model`` do between arguments and a table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .. import devices
from ..atomic import explained, write_bytes, write_text
from ..datasets import load as read_set
from ..errors import UsageError
from ..images import Gate
from ..progress import Progress
from . import export, protocol, pseudo, seam, splits
from . import pool as pools
from . import recipe as recipes
from .data import TrainingSet, load
from .recipe import Recipe
from .trainer import Settings, Trained, train


def home_of(given: Path | None, out: Path) -> Path:
    """Folder of decoded pixels and features: what was asked for, else beside the results."""
    return given or out / "cache"


def pool_of(
    recipe: Recipe,
    data: TrainingSet,
    split: splits.Split,
    home: Path,
    say: Progress,
    workers: int = 0,
    given: Path | None = None,
) -> TrainingSet | None:
    """The unlabelled images a recipe wants, with pseudo-labels where a stage learns from such.

    ``given``: a folder of such images, with references; by default they are made from the training part.
    """
    if not any(s.data != "labelled" for s in recipe.stages):
        return None
    folder = given or pools.build(data.select(split.train), home, recipe.pool, recipe.seed, say)
    manifest = read_set(folder, "folder")
    made = load(manifest, home, progress=say)
    if any(s.labels == "pseudo" for s in recipe.stages):
        made = pseudo.label(
            made, manifest, folder / "scores", split.digest,
            blind=recipe.blind, judges=recipe.judges, judged=recipe.judged, seed=recipe.seed, workers=workers,
            progress=say,
        )  # fmt: skip
    return made


def train_command(
    name: str,
    data: Path,
    out: Path,
    say: Progress,
    *,
    teacher: Path | None = None,
    changes: Sequence[str] = (),
    dataset: str | None = None,
    protocol_name: str = "reference",
    seed: int = 0,
    home: Path | None = None,
    device: str = "cpu",
    minutes: float | None = None,
    workers: int = 0,
    pool: Path | None = None,
    exif: str = "refuse",
) -> Trained:
    """Train a recipe on a data set, or go on with it."""
    recipe = recipes.load(name, changes)
    place = home_of(home, out)
    # What can be refused is refused before the pictures are decoded.
    settings, how = _settings(out, place, device, say, teacher, minutes), _protocol(protocol_name)
    given = load(read_set(data, dataset), place, _gate(exif), say)
    split = splits.make(given, how, seed)
    return train(recipe, given, split, settings, pool_of(recipe, given, split, place, say, workers, pool))


def evaluate_command(
    targets: Sequence[str],
    data: Path,
    out: Path,
    say: Progress,
    *,
    dataset: str | None = None,
    protocol_name: str = "",
    seed: int | None = None,
    seeds: int = 0,
    ablation: bool = False,
    changes: Sequence[str] = (),
    home: Path | None = None,
    device: str = "cpu",
    workers: int = 0,
    pool: Path | None = None,
    also: Sequence[Path] = (),
    exif: str = "refuse",
) -> dict[str, Any]:
    """Test exported evaluators on a data set, or train and test a recipe on several splits; writes ``evaluation.json``.

    An evaluator that was trained on this very set is tested on the test part of its own split. Where a recipe is
    trained, ``also`` names further data sets to test it on, whole, and ``pool`` the images without scores.
    """
    place = home_of(home, out)
    if (pool is not None or also) and not (seeds or ablation):
        raise UsageError("--pool and --also belong to recipes; add --ablation or --splits", code="E-CFG")
    devices.demand(device)
    how = _protocol(protocol_name or "reference")
    given = load(read_set(data, dataset), place, _gate(exif), say)
    if seeds or ablation:
        (name,) = targets if len(targets) == 1 else ("",)
        if not name or name.endswith(".safetensors"):
            raise UsageError("--splits and --ablation train: name one recipe, not evaluators", code="E-CFG")
        recipe = recipes.load(name, changes)
        settings = _settings(out / "runs", place, device, say, None, None)

        def prepare(split: splits.Split) -> TrainingSet | None:
            return pool_of(recipe, given, split, place, say, workers, pool)

        many = list(range(seeds or 1))
        others = [load(read_set(folder), place, _gate(exif), say) for folder in also]
        work = protocol.ablation if ablation else protocol.repeated
        document = work(recipe, given, settings, protocol=how, seeds=many, others=others, prepare=prepare)
    else:
        for target in targets:
            protocol.fitting(Path(target), given)
        document = protocol.compare([_tested(Path(t), given, protocol_name, seed, device, say) for t in targets])
    with explained(out):
        out.mkdir(parents=True, exist_ok=True)
    write_text(out / "evaluation.json", export.text(document))
    return document


def _tested(
    path: Path, given: TrainingSet, protocol_name: str, seed: int | None, device: str, say: Progress
) -> dict[str, Any]:
    card = export.card(path)
    if given.digest not in card["trained"]["data"]:
        return protocol.evaluate(path, given, device=device, progress=say)
    own = card["split"]
    split = splits.make(given, _protocol(protocol_name or own["protocol"]), own["seed"] if seed is None else seed)
    part = given.select(split.train)
    test = given.select(split.test)
    return protocol.evaluate(path, test, train_part=part, split=split, device=device, progress=say)


def export_command(source: Path, out: Path) -> Path:
    """Copy an evaluator after reading it back into its network, or write it as an ONNX graph.

    Args:
        source: ``student.safetensors``, or the folder of a finished training.
        out: a file that ends in .safetensors or .onnx.
    """
    path = source / "student.safetensors" if source.is_dir() else source
    if source.is_dir() and not path.is_file():
        raise UsageError(
            f"{source.name} holds no finished training; repeat its `ganiq train` command until it is done",
            code="E-CKPT",
        )
    card = export.card(path)
    net = protocol.net_of(card)
    network = export.fill(seam.network(net.options, blank=True), path).eval()
    if out.suffix == ".onnx":
        export.onnx(network, out, card["crop"], card["patches"], net.shown != "none")
    elif out.suffix == ".safetensors":
        with explained(out):
            write_bytes(out, path.read_bytes())
        export.fill(network, out)
    else:
        raise UsageError(f"{out.name}: name a file that ends in .safetensors or .onnx", code="E-CFG")
    return out


def rows(document: dict[str, Any]) -> list[dict[str, Any]]:
    """An evaluation as rows of a table for people."""
    if "arms" in document:
        return [row for test in document["tests"] for row in _arms(document, test)]
    if "summary" in document:
        return [{"name": name, **_medians(values)} for name, values in document["summary"].items()]
    answer = []
    for one in document["evaluators"]:
        found = one["agreement"]
        row = {"name": one["checkpoint"]["name"], "protocol": one["protocol"], "n": found["n"]}
        for key in ("srocc", "srocc_within", "krocc", "plcc_raw", "plcc_logistic"):
            cell = found.get(key) or {"value": None}
            low, high = cell.get("low"), cell.get("high")
            ends = f" [{low:.3f}, {high:.3f}]" if low is not None and high is not None else ""
            row[key] = _text(cell["value"]) + ends
        row["residual"] = _text(found.get("residual"))
        row["ms"] = one["cost"]["ms_per_image"]
        answer.append(row)
        prior = found.get("prior")
        if prior:
            answer.append({
                "name": "(algorithm prior)", "protocol": one["protocol"], "n": prior["n"],
                "srocc": _text(prior["srocc"]), "srocc_within": _text(prior["srocc_within"]),
                "plcc_raw": _text(prior["plcc"]), "residual": "0 by construction",
            })  # fmt: skip
    return answer


def _arms(document: dict[str, Any], test: str) -> list[dict[str, Any]]:
    """One row per arm, narrow enough for 100 columns together."""
    about = document["tests"][test]
    pairs = {p["second"]: p for p in document["pairs"] if p["test"] == test and p["first"] == "full"}
    answer = []
    for name, found in [*document["arms"].items(), ("teacher", document["teacher"])]:
        if test not in found:
            continue
        value = found[test].get(about["statistic"])
        row = {"test set": test + ", within" * (about["statistic"] == "srocc_within"), "arm": name, "srocc": "-"}
        if value:
            row["srocc"] = _text(value["median"]) + ("" if value["sd"] is None else f"±{value['sd']:.3f}")
        if name in pairs:
            pair = pairs[name]
            low, high = pair["interval"]["low"], pair["interval"]["high"]
            ends = f" [{low:+.3f},{high:+.3f}]" if low is not None and high is not None else ""
            row["full ahead by"] = "-" if pair["gain"] is None else f"{pair['gain']:+.3f}{ends}"
            row[">seeds"] = pair["larger_than_seed_spread"].replace("one seed only", "1 seed")
        row["recovery"] = _text(about.get("recovery", {}).get(name))
        answer.append(row)
    return answer


def notes(document: dict[str, Any]) -> list[str]:
    """What a table of ``rows`` cannot say, in sentences."""
    if "arms" not in document:
        runs = document.get("runs", [])[:1]
        tests = [(name, found["agreement"]) for run in runs for name, found in run["tests"].items()]
        return [f"{name}: {found['reason']}" for name, found in tests if found.get("reason")]
    answer = [f"arm {name} left out: {reason}" for name, reason in document["left_out"].items()]
    for name, found in [*document["arms"].items(), ("teacher", document["teacher"])]:
        answer += [f"{name} on {test}: {values['reason']}" for test, values in found.items() if "reason" in values]
    for name, about in document["tests"].items():
        if about["agreement_with"] != "people":
            answer.append(f"{name}: agreement with {about['agreement_with']}, not with people")
    return answer


def columns(table: Sequence[dict[str, Any]]) -> list[str]:
    """All keys of a table's rows, in order."""
    return list(dict.fromkeys(key for row in table for key in row))


def _medians(values: dict[str, Any]) -> dict[str, str]:
    return {k: f"{v['median']:.3f} [{v['q1']:.3f}, {v['q3']:.3f}]" for k, v in values.items()}


def _text(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _gate(exif: str) -> Gate:
    if exif not in ("refuse", "apply"):
        raise UsageError(f"--exif is refuse or apply, not {exif!r}", code="E-CFG")
    return Gate(exif=exif)


def _protocol(name: str) -> splits.Protocol:
    for known in splits.PROTOCOLS:
        if name == known:
            return known
    raise UsageError(f"there is no split {name!r}; there are {', '.join(splits.PROTOCOLS)}", code="E-CFG")


def _settings(
    out: Path, home: Path, device: str, say: Progress, teacher: Path | None, minutes: float | None
) -> Settings:
    devices.demand(device)
    return Settings(
        out, home, device=device, teacher=teacher, progress=say, compile=device.startswith("cuda"),
        minutes=math.inf if minutes is None else minutes,
    )  # fmt: skip
