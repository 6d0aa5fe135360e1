"""The ``ganiq`` command: parse, call, print. Everything heavy is imported inside the commands."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from .errors import INCOMPLETE, INTEGRITY, OK, SIGINT, USAGE, GaniqError, Refusal, UsageError

EPILOG = (
    "Exit codes: 0 all done; 1 finished, but some items failed or were skipped; 2 usage or configuration; "
    "4 integrity; 5 disk or memory exhausted, or no network; 130/143 interrupted (run the same command again to go on)."
)

STORE = "store.sqlite"
"""Name of the score store in a report's folder."""

app = typer.Typer(
    name="ganiq",
    help="Which quality metric agrees with people on GAN outputs, how surely, and how a new model ranks.",
    epilog=EPILOG,
    no_args_is_help=True,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
lists = typer.Typer(help="What there is: metrics, datasets, generators, recipes.", no_args_is_help=True)
weights_app = typer.Typer(help="Trained weights: list, get, add, remove, verify.", no_args_is_help=True)
app.add_typer(lists, name="list")
app.add_typer(weights_app, name="weights")

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Metrics = Annotated[
    str,
    typer.Option("--metrics", "-m", help="Comma-separated; `default` = all that can run here, `all` = every one."),
]
Out = Annotated[Path, typer.Option("--out", "-o", help="Folder for store, leaderboard and report.")]
Layout = Annotated[str | None, typer.Option(help="Name of the layout, if it is not recognised.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")]
Pool = Annotated[
    Path | None, typer.Option(help="Folder of images without scores, with references; by default made from the data.")
]
Recipe = Annotated[str, typer.Argument(help="Name of a recipe, e.g. ysgan-lite, or a TOML file.")]
TrainingData = Annotated[Path, typer.Option("--data", "-d", help="Folder of a data set.")]
Results = Annotated[Path, typer.Option("--out", "-o", help="Folder of the results; the same command goes on.")]
Changes = Annotated[list[str] | None, typer.Option("--set", help="Change the recipe: stages.0.epochs=2.")]
Split = Annotated[str, typer.Option(help="Split: reference, reference+generator, random or official.")]
Cache = Annotated[Path | None, typer.Option(help="Folder of decoded pixels and features, to share.")]
Place = Annotated[str, typer.Option("--device", help="Where to compute: cpu, cuda, or auto: cuda if there is one.")]
Minutes = Annotated[
    float | None,
    typer.Option(
        min=0, help="Stop at the next saved state after so many minutes of this command; the same command goes on."
    ),
]
Exif = Annotated[str, typer.Option(help="Rotated images: refuse or apply.")]
Alpha = Annotated[str | None, typer.Option(help="Images with transparency: refuse, white, black, drop.")]
Depth = Annotated[str | None, typer.Option(help="16-bit images: refuse, or 8 to convert.")]
Rotated = Annotated[str | None, typer.Option("--exif", help="Rotated images: refuse or apply.")]
Profiles = Annotated[str | None, typer.Option("--icc", help="Colour profiles: note or convert.")]
Frame = Annotated[int | None, typer.Option(help="Frame of animated images; default: refuse.")]
Scorers = Annotated[int, typer.Option(help="Processes that score pseudo-labels; 0 = one per core.")]


def main() -> None:
    """Entry point: errors become one sentence on stderr and an exit code."""
    try:
        code = app(standalone_mode=False)
    except GaniqError as error:
        _fail(str(error))
        code = error.exit_code
    except Refusal as error:
        _fail(str(error))
        code = INCOMPLETE
    except KeyboardInterrupt:
        _fail("stopped; run the same command again to go on")
        code = 130
    except BrokenPipeError:
        code = OK
    except BaseException as error:
        code = _other(error)
    sys.exit(code if isinstance(code, int) else OK)


def _other(error: BaseException) -> int:
    """Usage errors of the command line, interruption of a run, a full disk; anything else is a bug."""
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else USAGE
    if type(error).__name__ == "Interrupted":
        from .run import resume_hint

        _fail(resume_hint(["ganiq", *sys.argv[1:]]))
        return int(getattr(error, "exit_code", 130))
    if type(error).__name__ == "NoArgsIsHelpError":  # a group without a command: its message is the help
        print(str(error.format_message()).rstrip(), file=sys.stderr)  # type: ignore[attr-defined]  # noqa: T201
        return USAGE
    if hasattr(error, "format_message") and hasattr(error, "exit_code"):  # click's own usage errors
        message = str(error.format_message()).rstrip(".")  # type: ignore[attr-defined]
        if message:
            _fail(f"{message}; see `ganiq --help`")
        return USAGE
    if type(error).__name__ in ("Exit", "Abort"):
        return int(getattr(error, "exit_code", 1))
    if isinstance(error, OSError) and error.errno is not None:
        from .errors import RESOURCE

        _fail(f"E-IO {error.filename or 'file system'}: {error.strerror}; free space or check permissions, then repeat")
        return RESOURCE if error.errno in (28, 12, 122) else USAGE
    raise error


def _fail(message: str) -> None:
    print(f"ganiq: {message}", file=sys.stderr)  # noqa: T201


def _print(text: str = "") -> None:
    print(text)  # noqa: T201


def _table(rows: list[dict[str, Any]], columns: list[str], as_json: bool) -> None:
    """Rows as a table for people, or all their fields as JSON."""
    if as_json:
        _print(json.dumps(rows, indent=1, ensure_ascii=False, allow_nan=False))
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column.replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*(_shown(row.get(c)) for c in columns))
    console = Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else 160)
    console.print(table)


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(str(v) for v in value)
    return str(value)


def _split(text: str) -> list[str]:
    """Split at commas outside parentheses: ``psnr,ssim(color='y',crop=4)``."""
    parts, depth, start = [], 0, 0
    for n, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if letter == "," and depth == 0:
            parts.append(text[start:n])
            start = n + 1
    return [p.strip() for p in [*parts, text[start:]] if p.strip()]


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context, version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False
) -> None:
    if version:
        from .. import __version__  # pyright: ignore[reportMissingImports]

        _print(__version__)
        raise typer.Exit


@app.command()
def run(
    sweep: Annotated[Path | None, typer.Argument(help="A sweep file (TOML).")] = None,
    data: Annotated[Path | None, typer.Option("--data", "-d", help="Folder of a data set.")] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Folder for store, leaderboard and report.")] = None,
    metrics: Annotated[
        str | None,
        typer.Option("--metrics", "-m", help="Comma-separated; `default` = all that can run here, `all` = every one."),
    ] = None,
    dataset: Layout = None,
    split: Annotated[str | None, typer.Option(help="Official split to use, where a set has one.")] = None,
    preset: Annotated[
        str | None, typer.Option(help="Protocol of colour and border, e.g. pipal_rgb_nocrop or sr_x4_y_crop4.")
    ] = None,
    imports: Annotated[
        list[Path] | None, typer.Option("--import", help="Table of scores made by another tool (CSV or Parquet).")
    ] = None,
    title: Annotated[str | None, typer.Option(help="Title of the report.")] = None,
    store: Annotated[Path | None, typer.Option(help="Score store to share between runs.")] = None,
    gallery: Annotated[
        bool | None, typer.Option(help="Show crops of the most disputed images; mind their licence.")
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Worker processes; 0 = one per core.")] = None,
    executor: Annotated[str | None, typer.Option(help="serial, process, or a plug-in.")] = None,
    timeout: Annotated[float | None, typer.Option(help="Seconds per unit of work.")] = None,
    device: Annotated[
        str | None, typer.Option(help="Where to score: cpu, cuda, or auto: cuda if there is one; one worker on cuda.")
    ] = None,
    resamples: Annotated[int | None, typer.Option(help="Bootstrap resamples.")] = None,
    seed: Annotated[int | None, typer.Option(help="Root of all random streams of the statistics.")] = None,
    headline: Annotated[str | None, typer.Option(help="auto, srocc_within or srocc_pooled.")] = None,
    alpha: Alpha = None,
    depth: Depth = None,
    exif: Rotated = None,
    icc: Profiles = None,
    frame: Frame = None,
    quiet: Quiet = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the metric table as JSON.")] = False,
) -> None:
    """Score a data set and write its leaderboard. The same command resumes after a crash."""
    from . import sweep as sweeps
    from .datasets import load

    sections = {
        "gate": {"alpha": alpha, "depth": depth, "exif": exif, "icc": icc, "frame": frame},
        "statistics": {"resamples": resamples, "seed": seed, "headline": headline},
        "engine": {"workers": workers, "kind": executor, "timeout": timeout, "device": device},
    }
    given: dict[str, Any] = {
        "data": data, "out": out, "dataset": dataset, "split": split, "title": title, "store": store,
        "gallery": gallery, "metrics": None if metrics is None else _split(metrics), "import": imports or None,
        "preset": preset,
    }  # fmt: skip
    if sweep is None:
        if data is None or out is None:
            raise UsageError("name a sweep file, or give --data FOLDER and --out FOLDER", code="E-CFG")
        document: dict[str, Any] = {k: v for k, v in given.items() if v is not None}
    else:
        document = sweeps.read(sweep) | {k: v for k, v in given.items() if v is not None}
    options = {k for k, v in given.items() if v is not None}
    for name, values in sections.items():
        options |= {f"{name}.{key}" for key in _overrule(document, name, values)}
    job = sweeps.build(document, str(sweep), options) if sweep else sweeps.build(document)
    manifest = load(job.data, job.dataset, **({"split": job.split} if job.split else {}))
    code = _finish(job, manifest, quiet, as_json)
    from .arena.age import remark

    if not as_json and (told := remark(job.out)):
        _print(told)
    raise typer.Exit(code)


def _overrule(document: dict[str, Any], name: str, options: dict[str, Any]) -> list[str]:
    """Put the options that were given into a table of a sweep, over what its file says; returns their names."""
    chosen = {k: v for k, v in options.items() if v is not None}
    if chosen and isinstance(document.get(name, {}), dict):  # else it is refused for what it is
        document[name] = {**document.get(name, {}), **chosen}
    return list(chosen)


def _finish(job: Any, manifest: Any, quiet: bool, as_json: bool = False) -> int:
    """Run, render, print where things are; returns the exit code."""
    from .presets import announced
    from .progress import Silent, suited
    from .run import run as start

    for sentence in announced(job.metrics, job.preset):
        _fail(sentence)
    with Silent() if quiet else suited() as say:
        outcome = start(job, manifest, ["ganiq", *sys.argv[1:]], say)
        say.stage("report")
        page = _render(job.out)
    _board(outcome.leaderboard, outcome.sets, as_json)
    for sentence in outcome.remarks:
        _fail(sentence)
    if not as_json:
        _print(f"{outcome.summary}\n{page}")
    return outcome.exit_code


def _render(folder: Path) -> Path:
    import importlib

    # By name: the harness knows no page.
    page = importlib.import_module(f"{__name__.split('.')[0]}.reports.page")
    page.render(folder)
    return folder / "index.html"


def _board(document: Any, sets: Any, as_json: bool) -> None:
    """The metric leaderboard in the terminal; set metrics, whose numbers are of generators, in a table of their own."""
    rows = []
    for kind in ("metrics", "controls", "published"):
        for row in document[kind]:
            if row["needs"] == "set" and not as_json:
                continue
            entry = {
                "tier": row["tier"],
                "rank": row["rank"],
                "name": row["name"],
                "source": row["source"],
                "status": row["status"],
                "reason": row["reason"] if as_json or len(row["reason"]) <= 90 else row["reason"][:87] + "...",
                "n": f"{row['n_used']}/{row['n_expected']}",
            }
            for key in ("srocc_within", "srocc_pooled", "krocc", "plcc_raw", "plcc_fit"):
                entry[key] = row[key] if as_json else _cell(row[key])
            if not as_json and row["rank"]:
                low, high = row["rank"]
                entry["rank"] = str(low) if low == high else f"{low}-{high}"
            if as_json and row["needs"] == "set":
                entry["generators"] = {g: _told(s) for g, s in sorted(sets.get(row["name"], {}).items())}
            rows.append(entry)
    if not as_json and document["dataset"]["score"] is None:  # nobody to agree with
        columns = ["name", "n", *(["status", "reason"] if any(r["status"] != "ok" for r in rows) else [])]
    elif not as_json and all(r["status"] == "ok" for r in rows):
        columns = ["tier", "rank", "name", "n", "srocc_within", "srocc_pooled", "krocc", "plcc_raw", "plcc_fit"]
    else:
        columns = ["tier", "rank", "name", "n", "srocc_within", "srocc_pooled", "plcc_fit", "status", "reason"]
    if rows:
        _table(rows, columns, as_json)
    if not as_json and (limit := document.get("ceiling")) is not None:
        reach = {title: limit[key] for key, title in (("srocc_within", "within"), ("srocc_pooled", "pooled"))}
        known = ", ".join(f"{_cell(cell)} {title}" for title, cell in reach.items() if cell["value"] is not None)
        _print(f"ceiling, SROCC: {known} ({limit['title'].lower()})")
    numbers = [
        {"set_metric": row["name"], "better": row["better"], "generator": generator, **_told(score)}
        for row in (() if as_json else document["metrics"])
        for generator, score in sorted(sets.get(row["name"], {}).items())
    ]
    if numbers:
        columns = ["set_metric", "better", "generator", "n", "value", "interval", "status", "reason"]
        _table(numbers, [c for c in columns if any(n[c] is not None for n in numbers)], as_json)


def _told(score: Any) -> dict[str, Any]:
    """What a set metric says of one generator."""
    found = score.estimate
    value, *ends = (None if v is None else float(f"{v:.6g}") for v in (found.value, found.low, found.high))
    return {
        "n": f"{score.n}/{score.listed}",
        "value": value,
        "interval": None if None in ends else ends,
        "status": score.status,
        "reason": found.reason or None,
    }


def _cell(cell: Any) -> str:
    if cell["value"] is None:
        return "-"
    if cell["low"] is None:
        return f"{cell['value']:.3f}"
    return f"{cell['value']:.3f} [{cell['low']:.3f}, {cell['high']:.3f}]"


@app.command()
def report(
    folder: Annotated[Path, typer.Argument(help="Folder with a leaderboard.json.")],
) -> None:
    """Render the report of a folder again; needs neither the images nor torch."""
    _print(str(_render(folder)))


@app.command()
def demo(
    out: Out = Path("ganiq-demo"),
    metrics: Metrics = "default",
    quick: Annotated[bool, typer.Option(help="Two small photographs only.")] = False,
    workers: Annotated[int, typer.Option(help="Worker processes; 0 = one per core.")] = 0,
    device: Place = "cpu",
    quiet: Quiet = False,
) -> None:
    """The main job on an embedded set: photographs, degraded and restored on the spot."""
    import importlib

    from . import devices
    from . import sweep as sweeps
    from .datasets import load
    from .measure import choose
    from .progress import Silent, suited

    engine = {"workers": workers, "device": device}
    job = sweeps.build({"data": out / "data", "out": out, "metrics": _split(metrics), "engine": engine})
    devices.found(job.engine.device)  # before anything is made
    choose(job.metrics)
    maker = importlib.import_module(f"{__name__.split('.')[0]}.generators.demo")
    with Silent() if quiet else suited() as say:
        maker.build(job.data, progress=say, quick=quick)
    code = _finish(job, load(job.data, "folder"), quiet)
    _ranked(out)
    raise typer.Exit(code)


@app.command()
def compare(
    models: Annotated[list[str], typer.Argument(help="NAME=FOLDER, two or more; files are paired by name.")],
    reference: Annotated[Path, typer.Option("--reference", "-r", help="Folder of the pristine images.")],
    out: Out = Path("ganiq-compare"),
    metrics: Metrics = "default",
    workers: Annotated[int, typer.Option(help="Worker processes; 0 = one per core.")] = 0,
    device: Place = "cpu",
    alpha: Alpha = None,
    depth: Depth = None,
    exif: Rotated = None,
    icc: Profiles = None,
    frame: Frame = None,
    quiet: Quiet = False,
) -> None:
    """Rank models by their output folders on shared references: metric scores, then the arena."""
    from . import sweep as sweeps
    from .datasets.folder import folders
    from .measure import choose

    named: dict[str, Path] = {}
    for model in models:
        name, equals, folder = model.partition("=")
        if not equals or not name or not folder:
            raise UsageError(f"{model!r}: write models as NAME=FOLDER", code="E-CFG")
        if name in named:
            raise UsageError(f"the model {name!r} is named twice", code="E-CFG")
        named[name] = Path(folder)
    document: dict[str, Any] = {"data": reference, "out": out, "metrics": _split(metrics)}
    document["engine"] = {"workers": workers, "device": device}
    _overrule(document, "gate", {"alpha": alpha, "depth": depth, "exif": exif, "icc": icc, "frame": frame})
    job = sweeps.build(document)
    choose(job.metrics)  # before folders are read
    manifest = folders(named, reference)
    job = job.model_copy(update={"data": manifest.root})
    code = _finish(job, manifest, quiet, as_json=False)
    _ranked(out)
    if manifest.gaps:
        left = ", ".join(f"{key} ({reason})" for key, reason in manifest.gaps[:3])
        more = f", and {len(manifest.gaps) - 3} more: the page has all" if len(manifest.gaps) > 3 else ""
        _fail(f"not compared: {left}{more}")
    raise typer.Exit(code)


@app.command()
def generate(
    sweep: Annotated[Path, typer.Argument(help="What to make (TOML): references, degradations, restorers, samplers.")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for the images; default: as the file says.")
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="Where networks run: cpu, cuda, or auto: cuda if there is one; default: cpu.")
    ] = None,
    alpha: Alpha = None,
    depth: Depth = None,
    exif: Rotated = None,
    icc: Profiles = None,
    frame: Frame = None,
    quiet: Quiet = False,
) -> None:
    """Degrade photographs, restore them, and write a folder for `ganiq run`. The same command goes on."""
    from . import generate as generation
    from .progress import Silent, suited

    given = {"out": out, "device": device}
    document = generation.read(sweep) | {k: v for k, v in given.items() if v is not None}
    _overrule(document, "gate", {"alpha": alpha, "depth": depth, "exif": exif, "icc": icc, "frame": frame})
    with Silent() if quiet else suited() as say:
        outcome = generation.generate(generation.build(document, str(sweep)), ["ganiq", *sys.argv[1:]], say)
    # Without --quiet they have been told as they came.
    for sentence in (*outcome.notes, *outcome.failed.values()) if quiet else ():
        _fail(sentence)
    _print(f"{outcome.summary}\n{outcome.folder / 'items.csv'}")
    raise typer.Exit(outcome.exit_code)


@app.command()
def arena(
    folder: Annotated[
        Path, typer.Argument(metavar="RUN", help="Folder of a finished run with two or more generators.")
    ],
    calibrate: Annotated[
        Path | None,
        typer.Option(metavar="RUN2", help="Folder of a finished run on a human-rated set: trust and predicted scores."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder to write; by default that of the run.")
    ] = None,
    gallery: Annotated[
        bool | None, typer.Option(help="Show crops of the worst and best images; by default as the run did.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Rank generators against each other: wins, strengths, tiers, flips, predicted scores; scores no image."""
    _standings(*_arena(folder, calibrate, out, gallery), as_json)


def _ranked(folder: Path) -> None:
    """The arena of a run that has just ended, or the reason why there is none, which is no fault of the run."""
    try:
        document, page = _arena(folder)
    except UsageError as error:
        _fail(str(error))
    else:
        _standings(document, page, as_json=False)


def _standings(document: Any, page: Path, as_json: bool) -> None:
    """The order of the generators in the terminal."""
    view, pairs = document["views"][0], {pair["above"]: pair["verdicts"] for pair in document["pairs"]}
    rows: list[dict[str, Any]] = []
    for line in document["generators"]:
        verdicts = [v["order"] for v in pairs.get(line["name"], {}).values()]
        row: dict[str, Any] = {"generator": line["name"], **view["standings"][line["name"]], "human": line["human"]}
        row["flips"] = f"{verdicts.count('flip')} of {len(verdicts)} metrics" if verdicts else None
        row["sentence"] = line["sentence"]
        rows.append(row if as_json else {k: _cell(v) if isinstance(v, dict) else v for k, v in row.items()})
    _table(rows, ["place", "tier", "generator", "strength", "win_rate", "flips"], as_json)
    if not as_json:
        for note in document["notes"]:
            _print(f"note: {note}")
        _print(
            f"order: {view['title']}; strength: {view['scale']}; intervals: {view['interval']}; tiers: {view['tiers']}"
        )
        _print(str(page))


def _arena(
    folder: Path, calibrate: Path | None = None, out: Path | None = None, gallery: bool | None = None
) -> tuple[Any, Path]:
    """The generators' document and its page."""
    import importlib

    from .arena.build import make

    document = make(folder, calibrate, out, gallery)
    # By name: the harness knows no page.
    return document, importlib.import_module(f"{__name__.split('.')[0]}.reports.arena").render(out or folder)


@app.command()
def check(
    path: Annotated[Path, typer.Argument(help="Folder or items.csv of a data set.")],
    dataset: Layout = None,
    as_json: Json = False,
) -> None:
    """Say what is wrong with a data set before scoring it."""
    from .datasets import load
    from .datasets.check import check as examine

    manifest = load(path, dataset)
    findings = examine(manifest)
    rows = [{"level": f.level, "code": f.code, "path": f.path, "message": f.message} for f in findings]
    if rows or as_json:
        _table(rows, ["level", "code", "path", "message"], as_json)
    errors = sum(1 for f in findings if f.level == "error")
    if not as_json:
        _print(f"{manifest.name}: {len(manifest.items):,} items, {errors} errors, {len(findings) - errors} remarks")
    raise typer.Exit(INCOMPLETE if errors else OK)


@app.command("check-metric")
def check_metric(
    name: Annotated[
        str, typer.Argument(help="A metric of `ganiq list metrics`, built in or a plug-in: ssim or 'ssim(window=7)'.")
    ],
    as_json: Json = False,
) -> None:
    """Try whether a metric keeps what it promises; for those who write one."""
    import importlib

    # By name: the harness knows no metric.
    suite = importlib.import_module(f"{__name__.split('.')[0]}.metrics.conformance")
    rows = [row.document() for row in suite.check(name)]
    shown = [row | {"finding": row["sentence"] or row["what"]} for row in rows]
    _table(rows if as_json else shown, ["property", "outcome", "finding", "seconds"], as_json)
    count = {outcome: sum(row["outcome"] == outcome for row in rows) for outcome in ("passed", "failed", "skipped")}
    if not as_json:
        _print(f"{name}: " + ", ".join(f"{n} {outcome}" for outcome, n in count.items()))
    raise typer.Exit(INCOMPLETE if count["failed"] else OK)


@app.command()
def train(
    recipe: Recipe,
    data: TrainingData,
    out: Results,
    pool: Pool = None,
    change: Changes = None,
    dataset: Layout = None,
    protocol: Split = "reference",
    seed: Annotated[int, typer.Option(help="Of the split.")] = 0,
    cache: Cache = None,
    device: Place = "cpu",
    minutes: Minutes = None,
    workers: Scorers = 0,
    exif: Exif = "refuse",
    quiet: Quiet = False,
) -> None:
    """Train an evaluator: the recipe's teacher first, then its student."""
    raise typer.Exit(
        _train(
            recipe,
            data,
            out,
            None,
            pool,
            change,
            dataset,
            protocol,
            seed,
            cache,
            device,
            minutes,
            workers,
            exif,
            quiet,
        )
    )


@app.command()
def distill(
    recipe: Recipe,
    teacher: Annotated[Path, typer.Option("--teacher", "-t", help="A trained teacher (teacher.safetensors).")],
    data: TrainingData,
    out: Results,
    pool: Pool = None,
    change: Changes = None,
    dataset: Layout = None,
    protocol: Split = "reference",
    seed: Annotated[int, typer.Option(help="Of the split.")] = 0,
    cache: Cache = None,
    device: Place = "cpu",
    minutes: Minutes = None,
    workers: Scorers = 0,
    exif: Exif = "refuse",
    quiet: Quiet = False,
) -> None:
    """Train a recipe's student alone, with a teacher that is trained already."""
    raise typer.Exit(
        _train(
            recipe,
            data,
            out,
            teacher,
            pool,
            change,
            dataset,
            protocol,
            seed,
            cache,
            device,
            minutes,
            workers,
            exif,
            quiet,
        )
    )


def _train(
    recipe: str, data: Path, out: Path, teacher: Path | None, pool: Path | None, changes: list[str] | None,
    dataset: str | None, protocol: str, seed: int, cache: Path | None, device: str, minutes: float | None,
    workers: int, exif: str, quiet: bool,
) -> int:  # fmt: skip
    from .progress import Silent, suited
    from .training.commands import train_command
    from .training.parallel import speaks

    with _stoppable(), suited() if speaks() and not quiet else Silent() as say:
        done = train_command(
            recipe, data, out, say, teacher=teacher, changes=changes or (), dataset=dataset, protocol_name=protocol,
            seed=seed, home=cache, device=device, minutes=minutes, workers=workers, pool=pool,
            exif=exif,
        )  # fmt: skip
    if not done.done:
        if speaks():
            _print("stopped; run the same command again to go on")
        return INCOMPLETE
    if speaks():
        _print(str(done.checkpoint))
    return OK


@contextlib.contextmanager
def _stoppable() -> Iterator[None]:
    """Ctrl-C in a command that goes on where it was: click would make an empty line of it."""
    try:
        yield
    except KeyboardInterrupt:
        _fail("stopped; run the same command again to go on")
        raise typer.Exit(SIGINT) from None


@app.command()
def evaluate(
    targets: Annotated[
        list[str],
        typer.Argument(help="Trained evaluators (.safetensors, or folders of finished trainings), or one recipe."),
    ],
    data: Annotated[Path, typer.Option("--data", "-d", help="Folder of a data set with human scores.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of evaluation.json.")],
    dataset: Layout = None,
    protocol: Annotated[str, typer.Option(help="Split; by default the evaluator's own, or `reference`.")] = "",
    seed: Annotated[
        int | None,
        typer.Option(help="Of the split, by default the evaluator's own; of a recipe's first split, by default 0."),
    ] = None,
    splits: Annotated[int, typer.Option(min=0, help="Train and test a recipe on so many splits.")] = 0,
    ablation: Annotated[bool, typer.Option(help="Train a recipe with and without its teacher.")] = False,
    arm: Annotated[
        list[str] | None, typer.Option(help="With --ablation: this arm, beside none and full; by default all.")
    ] = None,
    teacher: Annotated[
        Path | None, typer.Option("--teacher", "-t", help="With --ablation: a trained teacher (teacher.safetensors).")
    ] = None,
    pool: Pool = None,
    also: Annotated[
        list[Path] | None, typer.Option(help="With --splits or --ablation: a further data set to test on, whole.")
    ] = None,
    change: Changes = None,
    cache: Cache = None,
    device: Place = "cpu",
    workers: Scorers = 0,
    exif: Exif = "refuse",
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Agreement of trained evaluators with people, on references they have not seen."""
    from .progress import Silent, suited
    from .training import commands

    with _stoppable(), Silent() if quiet else suited() as say:
        document = commands.evaluate_command(
            targets, data, out, say, dataset=dataset, protocol_name=protocol, seed=seed, seeds=splits,
            ablation=ablation, arms=arm or (), teacher=teacher, changes=change or (), home=cache, device=device,
            workers=workers, pool=pool, also=also or (), exif=exif,
        )  # fmt: skip
    if as_json:
        _print(json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False))
        return
    table = commands.rows(document)
    _table(table, commands.columns(table), as_json)
    for line in commands.notes(document):
        _print(line)
    _print(str(out / "evaluation.json"))


@lists.command("metrics")
def list_metrics(as_json: Json = False) -> None:
    """Every metric: what it needs, whether it can run here, and if not, why."""
    from . import registry
    from .measure import measure

    rows = []
    for name in registry.metrics.names():
        try:
            m = measure(name)
        except UsageError as error:
            rows.append({"name": name, "available": False, "reason": str(error)})
            continue
        # A set metric has no weights of its own: they are its extractor's.
        network = registry.extractors.get(m.features).info if m.features else m.info
        rows.append(
            {
                "name": name,
                "title": m.info.title,
                "needs": m.info.needs,
                "better": m.info.better,
                "available": not m.reason,
                "reason": m.reason,
                "role": m.info.role,
                "color": m.info.color,
                "dtype": m.info.dtype,
                "least": m.info.least,
                "bounds": [b if abs(b) != float("inf") else None for b in m.info.bounds],
                "version": m.info.version,
                "features": m.features,
                "weights": list(network.weights),
                "license": network.license,
                "origin": m.origin,
                "cite": m.info.cite,
                "note": m.info.note,
                "params": m.spec.arguments,
                "digest": m.digest,
            }
        )
    rows += [
        {"name": f"{i.name} ({i.origin})", "available": False, "reason": i.reason, "origin": i.origin}
        for i in registry.metrics.ignored()
    ]
    _table(rows, ["name", "needs", "better", "available", "reason", "origin"], as_json)


@lists.command("datasets")
def list_datasets(as_json: Json = False) -> None:
    """Every data set that can be read: licence, size, source, layout, and whether it is here."""
    from . import registry
    from .datasets.base import find

    rows = []
    for name in registry.datasets.names():
        adapter = registry.datasets.get(name)
        info = adapter.info
        place = find(info)
        rows.append(
            {
                "name": info.name,
                "what": info.what,
                "size": info.size,
                "score": f"{info.kind}, {info.better} is better" if info.better else "as items.toml says",
                "license": info.license,
                "source": info.source,
                "layout": info.layout,
                "cite": info.cite,
                "found": str(place) if place else None,
            }
        )
    _table(rows, ["name", "what", "size", "score", "license", "source", "layout", "found"], as_json)


@lists.command("generators")
def list_generators(as_json: Json = False) -> None:
    """Every restorer, degradation and sampler, what it has to be given, and whether it can run here."""
    from importlib.util import find_spec

    from . import extras, registry

    rows = []
    kinds = (registry.generators, registry.degradations, registry.samplers)
    for one, name in [(kind, name) for kind in kinds for name in kind.names()]:
        info = one.get(name).info
        missing: list[str] = []
        if info.weights:
            from . import weights

            missing = [slot for slot in info.weights if not weights.present(slot)]
        reasons = [f"needs weights: {', '.join(missing)}"] if missing else []
        reasons += [f"needs `{extras.command(module)}`" for module in info.modules if find_spec(module) is None]
        rows.append(
            {
                "name": name,
                "title": info.title,
                "given": info.given,
                "kind": info.kind,
                "family": info.family,
                "scale": info.scale or None,
                "available": not reasons,
                "reason": "; ".join(reasons),
                "license": info.license,
                "cite": info.cite,
            }
        )
    _table(rows, ["name", "title", "given", "kind", "family", "scale", "available", "reason", "license"], as_json)


@lists.command("recipes")
def list_recipes(as_json: Json = False) -> None:
    """Every recipe of `ganiq train`: what it is, how large, and after whom."""
    from .training import recipe as recipes

    found = [recipes.load(name) for name in recipes.names()]
    rows = [{"name": r.name, "title": r.title, "size": r.size, "cite": r.cite, "note": r.note} for r in found]
    _table(rows, ["name", "title", "size", "cite"], as_json)


@weights_app.command("list")
def weights_list(as_json: Json = False) -> None:
    """All slots: present or not, from where, size, licence, used by."""
    from . import weights

    _table(weights.listing(), ["slot", "present", "origin", "bytes", "licence", "used_by"], as_json)


@weights_app.command("get")
def weights_get(
    slots: Annotated[list[str], typer.Argument(help="Slots, groups or metrics, e.g. lpips-alex.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Download weights: the only command that uses the network."""
    from . import weights
    from .progress import suited

    asked: list[str] = []

    def ask(text: str) -> bool:
        asked.append(text)
        try:
            return yes or typer.confirm(text)
        except typer.Abort:  # Ctrl-C, or no one there to answer
            _print()
            return False

    with suited() as say:
        for path in weights.get(slots, ask=ask, progress=say):
            _print(str(path))
    if not asked:
        _print("nothing to fetch: everything is on this computer")


@weights_app.command("add")
def weights_add(
    slot: Annotated[str, typer.Argument(help="The slot the file is for.")],
    file: Annotated[Path, typer.Argument(help="The file.")],
) -> None:
    """Copy a file you already have into the weights folder, after checking it.

    Checked is its hash; where none is registered, whether the file is of the slot's kind. There a file that was
    added before is replaced.
    """
    from . import weights

    _print(str(weights.add(slot, file, say=_print)))


@weights_app.command("remove")
def weights_remove(slot: Annotated[str, typer.Argument(help="The slot whose file is to go.")]) -> None:
    """Delete a slot's file from the weights folder; what packages bring stays."""
    from . import weights

    _print(f"removed {weights.remove(slot)}")


@weights_app.command("verify")
def weights_verify(as_json: Json = False) -> None:
    """Hash everything again; exit 4 on a difference."""
    from . import weights

    rows = weights.verify()
    _table(rows, ["slot", "status", "path"], as_json)
    raise typer.Exit(INTEGRITY if any(r["status"] in ("differs", "unreadable") for r in rows) else OK)


@app.command()
def export(
    source: Annotated[
        Path, typer.Argument(help="A store or a folder with one; or an evaluator, or the folder of its training.")
    ],
    out: Annotated[Path, typer.Argument(help="Folder for scores; file that ends in .safetensors or .onnx.")],
) -> None:
    """Write scores as CSV tables with checksums, or a trained evaluator, checked by reading it back."""
    if _trained(source):
        from .training.commands import export_command

        _print(str(export_command(source, out)))
        return
    from .store import Store

    with Store.open(_store(source)) as opened:
        for digest, document in opened.manifests().items():
            folder = out / f"{document.get('name', 'manifest')}-{digest[:12]}"
            opened.export(folder, digest)
            _print(str(folder))


app.command("export-model", hidden=True)(export)  # what it was called for evaluators alone


def _trained(source: Path) -> bool:
    """Whether it is an evaluator's file, or a folder of a training, be it unfinished."""
    if not source.is_dir():
        return source.suffix == ".safetensors"
    from .training import state

    return not (source / STORE).is_file() and any((source / n).exists() for n in ("student.safetensors", state.FILE))


@app.command()
def merge(
    store: Annotated[
        Path, typer.Argument(help="The store to merge into, or a folder that holds one; made if it does not exist.")
    ],
    others: Annotated[list[Path], typer.Argument(help="Stores, or report folders that hold one.")],
) -> None:
    """Bring the scores of several stores together; different values for one key are conflicts (exit 4)."""
    from .store import Store

    sources = [_store(other) for other in others]  # before a store is made
    with Store.open(store / STORE if store.is_dir() else store) as opened:
        for other, source in zip(others, sources, strict=True):
            merged = opened.merge(source)
            _print(f"{other}: {merged.added:,} added, {merged.equal:,} equal, {merged.conflicts:,} conflicts")
        raise typer.Exit(INTEGRITY if opened.conflicts() else OK)


@app.command()
def repair(store: Annotated[Path, typer.Argument(help="A damaged store, or a report folder that holds one.")]) -> None:
    """Copy a damaged store aside and save what can be read into a new one."""
    from .store import Store

    path = _store(store)
    saved = Store.repair(path)
    if saved.aside:
        _print(f"{saved.scores:,} scores saved; the damaged file was kept as {saved.aside}")
    else:
        _print(f"{path} is healthy and was not changed; it holds {saved.scores:,} scores")


def _store(path: Path) -> Path:
    found = path / STORE if path.is_dir() else path
    if not found.is_file():
        raise UsageError(f"{path}: there is no store; name a store.sqlite or a folder with one", code="E-IO-MISSING")
    return found


@app.command()
def doctor(as_json: Json = False) -> None:
    """What would go into the provenance record, and whether the heavy libraries import."""
    from . import provenance, registry, vision

    found: dict[str, str] = {"ganiq": __import__(__name__.split(".")[0]).__version__}
    found |= provenance.machine() | provenance.versions() | provenance.codecs()
    for name in ("piq", "lpips", "timm", "pytorch_fid"):
        try:
            vision.load(name)
        except Exception as error:
            found[f"import {name}"] = f"FAILS: {type(error).__name__}: {error}"
        else:
            found[f"import {name}"] = "works"
    found |= provenance.torch_state()
    names = (registry.metrics, registry.datasets, registry.generators, registry.executors)
    plugins = [f"{r.kind} {n} ({r.origin(n)})" for r in names for n in r.plugins]
    found["plug-ins"] = ", ".join(plugins) or "none"
    if ignored := [i.reason for r in names for i in r.ignored()]:
        found["plug-ins ignored"] = ". ".join(ignored)
    _table([{"what": k, "value": v} for k, v in found.items()], ["what", "value"], as_json)
    raise typer.Exit(INCOMPLETE if any(v.startswith("FAILS") for v in found.values()) else OK)
