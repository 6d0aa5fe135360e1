"""What the commands ``train``, ``distill``, ``evaluate`` and ``export`` do between arguments and a table."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

from .. import devices
from ..atomic import explained, write_bytes, write_text
from ..datasets import load as read_set
from ..errors import IntegrityError, UsageError
from ..images import Gate
from ..progress import Progress
from . import export, protocol, pseudo, seam, splits, state
from . import pool as pools
from . import recipe as recipes
from .data import TrainingSet, load
from .recipe import Recipe
from .rehearsal import rehearse
from .teaching import suitable
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
    until: float = math.inf,
    *,
    taught: bool = False,
) -> TrainingSet | None:
    """The unlabelled images a recipe wants, with pseudo-labels where a stage learns from such.

    ``given``: a folder of such images, with references; by default they are made from the training part. ``until``: on
    the monotonic clock, when to stop making them. ``taught``: a trained teacher is given, and its stages are left out.

    Raises:
        Stopped: the time was up.
    """
    if not recipe.pooled:
        return None
    folder = given or pools.build(data.select(split.train), home, recipe.pool, recipe.seed, say, until)
    manifest = read_set(folder, "folder")
    made = load(manifest, home, progress=say)
    if any(s.labels == "pseudo" for s in recipe.stages if not (taught and s.train == "teacher")):
        made = pseudo.label(
            made, manifest, pseudo.place(folder, made, recipe.judges), split.digest,
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
    """Train a recipe on a data set, or go on with it.

    Raises:
        Stopped: ``minutes`` were over before there was anything to train on.
    """
    begun = time.monotonic()
    place = home_of(home, out)
    # What can be refused is refused before the pictures are decoded.
    settings, how = _settings(out, place, device, say, teacher, minutes, begun), _protocol(protocol_name)
    gate, recipe = _gate(exif), recipes.load(name, changes)
    _wanted(recipe, pool, teacher)
    if not (out / state.FILE).is_file():
        rehearse(recipe, taught=teacher is not None)
    settings.rehearsed = True
    given = load(read_set(data, dataset), place, gate, say)
    split = splits.make(given, how, seed)
    until = begun + 60 * settings.minutes
    made = pool_of(recipe, given, split, place, say, workers, pool, until, taught=teacher is not None)
    return train(recipe, given, split, settings, made)


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
    arms: Sequence[str] = (),
    teacher: Path | None = None,
    changes: Sequence[str] = (),
    home: Path | None = None,
    device: str = "cpu",
    workers: int = 0,
    pool: Path | None = None,
    also: Sequence[Path] = (),
    exif: str = "refuse",
) -> dict[str, Any]:
    """Test exported evaluators on a data set, or train and test a recipe on several splits; writes ``evaluation.json``.

    An evaluator that was trained on this very set is tested on the test part of its own split, one that was not on the
    whole. Where a recipe is trained, ``seeds`` is the number of splits and ``seed`` the first one's, ``also`` names
    further data sets to test it on, whole, and ``pool`` the images without scores. An ablation may be of some ``arms``,
    and with a ``teacher`` that is trained already.

    Raises:
        UsageError: what was asked for does not go together.
        IntegrityError: the images of a data set have changed since an evaluator was trained on it.
    """
    place, trains = home_of(home, out), bool(seeds or ablation)
    settings = _settings(out / "runs", place, device, say, teacher, None)
    how, gate = _protocol(protocol_name or "reference"), _gate(exif)
    if not ablation and (arms or teacher):
        raise UsageError("--arm and --teacher belong to --ablation; add it, or leave them out", code="E-CFG")
    for name in arms:
        if name not in protocol.ARMS:
            raise UsageError(f"--arm {name}: there is no such arm; there are {', '.join(protocol.ARMS)}", code="E-CFG")
    taught = teacher is not None and bool(arms) and "pseudo" not in arms
    recipe: Recipe | None = None
    files: list[Path] = []
    if trains:
        (name,) = targets if len(targets) == 1 else ("",)
        if not name or name.endswith(".safetensors") or Path(name).is_dir():
            raise UsageError("--splits and --ablation train: name one recipe, not evaluators", code="E-CFG")
        if seeds < 0:
            raise UsageError(f"--splits {seeds}: name how many splits, 1 or more", code="E-CFG")
        recipe = recipes.load(name, changes)
        _wanted(recipe, pool, teacher)
        rehearse(recipe, taught=teacher is not None)  # and with it all arms, which leave something out
        settings.rehearsed = True
    else:
        files = _files(targets, {"--pool": pool, "--also": also, "--set": changes, "--workers": workers})
        for file in files:
            export.card(file)
    given = load(read_set(data, dataset), place, gate, say)
    if recipe is not None:

        def prepare(split: splits.Split) -> TrainingSet | None:
            return pool_of(recipe, given, split, place, say, workers, pool, taught=taught)

        many = list(range(seed or 0, (seed or 0) + (seeds or 1)))
        others = [load(read_set(folder), place, gate, say) for folder in also]
        common = {"protocol": how, "seeds": many, "others": others, "prepare": prepare}
        if ablation:
            document = protocol.ablation(recipe, given, settings, arms=arms, **common)
        else:
            document = protocol.repeated(recipe, given, settings, **common)
    else:
        for file in files:
            protocol.fitting(file, given)
        asked = {"--protocol": protocol_name, "--seed": seed}
        found = [_tested(file, given, asked, settings.device, say) for file in files]
        document = protocol.compare(found, named(files))
    with explained(out):
        out.mkdir(parents=True, exist_ok=True)
    write_text(out / "evaluation.json", export.text(document))
    return document


def _files(targets: Sequence[str], others: dict[str, Any]) -> list[Path]:
    """The evaluators that are to be tested; ``others``: options that only belong to recipes.

    Raises:
        UsageError: one is a recipe, or such an option was given.
    """
    wrong = [option for option, value in others.items() if value]
    if wrong:
        raise UsageError(
            f"{' and '.join(wrong)} belong to recipes that are to be trained; name one and add --ablation or --splits, "
            "or leave that out",
            code="E-CFG",
        )
    for name in targets:
        if name in recipes.names() or name.endswith(".toml"):
            raise UsageError(
                f"{name} is a recipe, which has to be trained before it is tested; add --splits 10 to train and test "
                "it on so many splits, or --ablation to do so with and without its teacher",
                code="E-CFG",
            )
    return [trained_file(Path(name)) for name in targets]


def named(paths: Sequence[Path]) -> list[str]:
    """The files by as many of the last parts of their paths as tell them apart."""
    found = [path.name for path in paths]
    for count in range(2, 1 + max((len(path.parts) for path in paths), default=0)):
        if len(set(found)) == len(found):
            break
        found = ["/".join(path.parts[-count:]) for path in paths]
    return found


def _tested(path: Path, given: TrainingSet, asked: dict[str, Any], device: str, say: Progress) -> dict[str, Any]:
    """One evaluator; ``asked``: the split's protocol and seed, where they were given.

    Raises:
        UsageError: they were, and the data are tested whole.
        IntegrityError: the images have changed since it was trained.
    """
    card = export.card(path)
    if given.digest not in card["trained"]["data"]:
        given_too = [option for option, value in asked.items() if value not in ("", None)]
        if given_too:
            raise UsageError(
                f"{path.name} was not trained on {given.name}, which is therefore tested whole and not split; leave "
                f"{' and '.join(given_too)} out",
                code="E-CFG",
            )
        return protocol.evaluate(path, given, device=device, progress=say)
    own = card["split"]
    if own.get("images", "") not in ("", given.images):
        raise IntegrityError(
            f"{path.name} was trained on {given.name} with other images under the same names; test it on the images "
            "that it was trained on, or train it again",
            code="E-SPLIT",
        )
    protocol_name, seed = asked["--protocol"] or own["protocol"], asked["--seed"]
    split = splits.make(given, _protocol(protocol_name), own["seed"] if seed is None else seed)
    part = given.select(split.train)
    test = given.select(split.test)
    return protocol.evaluate(path, test, train_part=part, split=split, device=device, progress=say)


def trained_file(source: Path) -> Path:
    """The evaluator of a file, or of the folder of a finished training.

    Raises:
        UsageError: the training is not finished.
    """
    path = source / "student.safetensors" if source.is_dir() else source
    if source.is_dir() and not path.is_file():
        raise UsageError(
            f"{source.name} holds no finished training; repeat its `ganiq train` command until it is done",
            code="E-CKPT",
        )
    return path


def export_command(source: Path, out: Path) -> Path:
    """Copy an evaluator after reading it back into its network, or write it as an ONNX graph.

    Args:
        source: ``student.safetensors``, or the folder of a finished training.
        out: a file that ends in .safetensors or .onnx.
    """
    path = trained_file(source)
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
        about = one["checkpoint"]
        row = {
            "file": _short(about["file"]), "name": about["name"], "part": about["part"] or None,
            "protocol": one["protocol"], "n": found["n"],
        }  # fmt: skip
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
                "file": "(algorithm prior)", "protocol": one["protocol"], "n": prior["n"],
                "srocc": _text(prior["srocc"]), "srocc_within": _text(prior["srocc_within"]),
                "plcc_raw": _text(prior["plcc"]), "residual": "0 by construction",
            })  # fmt: skip
    for pair in document["pairs"]:
        cell = pair["difference"]
        answer.append({
            "file": _between(pair), "name": "(difference)", "srocc_within": _signed(cell),
            "p_holm": _text(pair["p_holm"]),
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
    if "evaluators" in document:
        tested = [(one["checkpoint"]["file"], one["agreement"]) for one in document["evaluators"]]
        tested += [(_between(pair), pair["difference"]) for pair in document["pairs"]]
        return [f"{name}: {found['reason']}" for name, found in tested if found.get("reason")]
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


def _between(pair: dict[str, Any]) -> str:
    return " - ".join(_short(file) for file in pair["files"])


def _short(file: str) -> str:
    return file.removesuffix(".safetensors")


def _signed(cell: dict[str, Any]) -> str:
    """A difference with its interval."""
    if cell["value"] is None:
        return "-"
    ends = "" if cell["low"] is None or cell["high"] is None else f" [{cell['low']:+.3f}, {cell['high']:+.3f}]"
    return f"{cell['value']:+.3f}{ends}"


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


def _device(word: str) -> str:
    for known in get_args(devices.Name):
        if word == known:
            return devices.found(known)
    raise UsageError(f"there is no device {word!r}; write {', '.join(get_args(devices.Name))}", code="E-CFG")


def _wanted(recipe: Recipe, pool: Path | None, teacher: Path | None) -> None:
    if teacher is not None:
        suitable(recipe, teacher)
    if pool is not None and not recipe.pooled:
        raise UsageError(f"no stage of {recipe.name} learns from a pool; leave --pool out", code="E-CFG")


def _settings(
    out: Path,
    home: Path,
    device: str,
    say: Progress,
    teacher: Path | None,
    minutes: float | None,
    begun: float | None = None,
) -> Settings:
    where = _device(device)
    return Settings(
        out, home, device=where, teacher=teacher, progress=say, compile=where.startswith("cuda"),
        minutes=math.inf if minutes is None else minutes, begun=begun,
    )  # fmt: skip
