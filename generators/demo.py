"""The embedded demonstration set: photographs degraded and restored on the spot, as a user's folder.

Two parts. Ladders: each photograph in five steps of rising severity, for blur, noise, JPEG and
restoration by a GAN from ever noisier input; the score is the step, known by construction, nobody was asked.
Restorations: one fourfold enlargement and one denoising task by every restorer at hand; they have no score and
are what the leaderboard ranks. The folder holds ``items.csv`` and ``items.toml`` like any folder of a user.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..bench import weights
from ..bench.atomic import explained, write_text
from ..bench.errors import UsageError
from ..bench.images import save_png
from ..bench.spec import canonical, digest
from . import BUILTIN
from .base import Pixels, restore
from .degrade import apply
from .photographs import PHOTOGRAPHS, square

if TYPE_CHECKING:
    from ..bench.progress import Progress

SIDE, QUICK_SIDE = 192, 192
LEVELS = 5
SIGMA = 25
"""Noise of the denoising task, on the scale 0 to 255."""
_MADE, _TIMES = "made.json", "timing.json"
"""What was made of what, and the seconds that each restoration took: of this computer, so in a file of their own."""
_LIBRARIES = ("ganiq", "numpy", "scipy", "pillow", "scikit-image", "torch", "spandrel")
_COLUMNS = (
    "key", "image", "reference", "generator", "distortion", "family", "group", "block", "score", "task", "recipe",
)  # fmt: skip

LADDERS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "blur": (
        "Gaussian blur",
        "traditional",
        ("blur(sigma=0.6)", "blur(sigma=1.2)", "blur(sigma=2)", "blur(sigma=3.2)", "blur(sigma=5)"),
    ),
    "noise": (
        "White noise",
        "traditional",
        ("noise(sigma=4)", "noise(sigma=8)", "noise(sigma=15)", "noise(sigma=27)", "noise(sigma=45)"),
    ),
    "jpeg": (
        "JPEG compression",
        "traditional",
        ("jpeg(quality=75)", "jpeg(quality=45)", "jpeg(quality=25)", "jpeg(quality=12)", "jpeg(quality=5)"),
    ),
    "gan": (
        "Enlarged by a GAN from noisy input",
        "gan",
        tuple(f"down(factor=4) | noise(sigma={s})" for s in (2, 6, 12, 20, 32)),
    ),
}  # fmt: skip
"""Code -> title, family, recipes by rising severity. Those of ``gan`` are then restored by a GAN."""
_LADDER_GAN, _OWN_GAN = "realesr-animevideov3", "srgan-lite"
"""The GAN of that ladder, and the shipped one that takes its place where the other is not installed."""

ENLARGE = ("nearest", "bicubic", "lanczos", "back-projection")
SHIPPED = ("srgan-lite-psnr", "srgan-lite")
"""One network twice, trained for PSNR and as a GAN; its weights are part of the package."""
NETWORKS = ("realsr-df2k", "realesrgan-x4plus", "realesrgan-x4plus-anime", "realesr-animevideov3")
DENOISE = ("nlm", "tv-chambolle", "wavelet")
_QUICK_NETWORKS = ("realsr-df2k", "realesr-animevideov3")
_CLASSES = {
    "sr-network": ("Enlarged 4x by a network trained as a GAN", "gan"),
    "sr-psnr": ("Enlarged 4x by a network trained for PSNR", "traditional"),
    "sr-classical": ("Enlarged 4x without learning", "traditional"),
    "denoised": (f"Noise of strength {SIGMA}, removed", "traditional"),
    "noisy": (f"Noise of strength {SIGMA}, left as it is", "traditional"),
}


_TRAINED = {"gan": "sr-network", "psnr": "sr-psnr"}
"""Class of an enlarging network by what it was trained for."""


@dataclass
class _Job:
    """One image to be made."""

    key: str
    reference: str
    distortion: str
    family: str
    group: str
    block: str
    make: Callable[[], Pixels]
    recipe: str
    """Everything that was done, in words that ``degrade.apply`` and the list of restorers understand."""
    weights: dict[str, str] = field(default_factory=dict)
    generator: str = ""
    score: int | None = None
    task: str = ""

    @property
    def image(self) -> str:
        return f"{self.key}.png"


def build(
    folder: Path | str,
    *,
    photos: Sequence[str | Path] | None = None,
    progress: Progress | None = None,
    quick: bool = False,
    seed: int = 0,
) -> Path:
    """Make the set, or what is missing of it.

    A file is kept if its recipe, source, weights and libraries are those of the last time and its bytes are
    unchanged; everything else is made again. Files appear whole or not at all. Running twice gives the same pixels.

    Args:
        folder: where to; made if need be.
        photos: names of embedded photographs, or paths of your own (the middle square is used); by default all
            that are installed, two of them if ``quick``.
        progress: told of every image.
        quick: smaller squares, two photographs and two of the networks; seconds instead of a minute.
        seed: of the noise.

    Returns:
        The folder, for the data set adapter ``folder``.

    Raises:
        UsageError: an unknown photograph, or one that is too small; no photograph at all.
        ResourceError: the disk is full; what was made is kept.
    """
    folder = Path(folder)
    side = QUICK_SIDE if quick else SIDE
    sources, notes = _sources(photos, side, quick)
    credit = [text for _, _, text in sources]
    jobs: list[_Job] = []
    enlargers, networks, absent = _available(_QUICK_NETWORKS if quick else NETWORKS)
    notes += absent
    for name, pixels, _ in sources:
        jobs += _references(name, pixels)
        jobs += _ladders(name, pixels, seed, _LADDER_GAN if _LADDER_GAN in networks else _OWN_GAN)
        jobs += _restorations(name, pixels, seed, [*enlargers, *networks])
    # One network after the other over all photographs: at most one large network is in memory at a time.
    order = [*networks]
    jobs.sort(key=lambda job: order.index(job.generator) if job.generator in order else -1)
    _make(folder, jobs, {name: _hash(pixels) for name, pixels, _ in sources}, seed, progress)
    _write(folder / "items.csv", _table(jobs))
    _write(folder / "items.toml", _settings(jobs, notes, credit, quick))
    return folder


def _sources(
    photos: Sequence[str | Path] | None, side: int, quick: bool
) -> tuple[list[tuple[str, Pixels, str]], list[str]]:
    """Name, pixels and credit of each photograph, and what to say about those left out."""
    known = {photo.name: photo for photo in PHOTOGRAPHS}
    notes: list[str] = []
    if photos is None:
        there = [photo.name for photo in PHOTOGRAPHS if photo.find()]
        if gone := [name for name in known if name not in there]:
            notes.append(f"Photographs left out because their package is not installed: {', '.join(gone)}.")
        photos = there[:2] if quick else there
    chosen: dict[str, tuple[Pixels, str]] = {}
    for wanted in photos:
        try:
            if str(wanted) in known:
                name, credit = str(wanted), f"{wanted}: {known[str(wanted)].credit}"
                pixels = known[name].crop(side)
            elif (file := Path(wanted)).is_file():
                name, credit, pixels = file.stem, f"{file.name}: your own file", square(file, side)
            else:
                raise UsageError(
                    f"there is no photograph {str(wanted)!r}; name an image file of yours, or some of "
                    f"{', '.join(known)}",
                    code="E-CFG",
                )
        except (ValueError, FileNotFoundError) as error:
            raise UsageError(f"{error}", code="E-CFG") from None
        if name in chosen:
            raise UsageError(f"two photographs are called {name!r}; rename one of the files", code="E-CFG")
        chosen[name] = (pixels, credit)
    if not chosen:
        raise UsageError("no photograph is at hand; install scikit-image, or name files of your own", code="E-CFG")
    return [(name, pixels, credit) for name, (pixels, credit) in chosen.items()], notes


def _available(wanted: Sequence[str]) -> tuple[list[str], list[str], list[str]]:
    """Enlargers without weights, networks that can run here, and a sentence about those that cannot."""
    import importlib.util

    library = importlib.util.find_spec("spandrel") is not None
    networks: list[str] = [*SHIPPED]
    absent: list[str] = []
    for name in wanted:
        slots = _class(name).info.weights
        (networks if library and all(map(weights.present, slots)) else absent).append(name)
    if not absent:
        return list(ENLARGE), networks, []
    return (
        list(ENLARGE),
        networks,
        [f"Networks left out because their packages are not installed (extra `restorers`): {', '.join(absent)}."],
    )


def _class(name: str) -> Any:
    import importlib

    module, attribute = BUILTIN[name].split(":")
    return getattr(importlib.import_module(f".{module.removeprefix('generators.')}", __package__), attribute)


def _references(name: str, pixels: Pixels) -> Iterator[_Job]:
    yield _Job(f"reference/{name}", "", "", "", name, name, lambda: pixels, "crop", task="reference")


def _ladders(name: str, pixels: Pixels, seed: int, gan: str) -> Iterator[_Job]:
    for code, (_, family, recipes) in LADDERS.items():
        restorer = gan if code == "gan" else ""
        for level, recipe in enumerate(recipes, 1):
            yield _Job(
                key=f"{code}/{name}_{level}",
                reference=f"reference/{name}.png",
                distortion=code,
                family=family,
                group=name,
                block=f"{name}/{code}",
                make=_maker(pixels, recipe, f"{name}/{code}", seed, restorer),
                recipe=f"{recipe} | {restorer}" if restorer else recipe,
                weights=_digests(restorer),
                score=level,
                task="ladder",
            )


def _restorations(name: str, pixels: Pixels, seed: int, enlargers: Sequence[str]) -> Iterator[_Job]:
    for task, recipe, names in (
        ("enlarge", "down(factor=4)", enlargers),
        ("denoise", f"noise(sigma={SIGMA})", ("noisy-input", *DENOISE)),
    ):
        for generator in names:
            restorer = generator if generator in BUILTIN else ""
            if not restorer:
                distortion = "noisy"
            elif task == "denoise":
                distortion = "denoised"
            else:
                distortion = "sr-classical" if generator in ENLARGE else _TRAINED[_class(generator).info.family]
            yield _Job(
                key=f"{generator}/{name}",
                reference=f"reference/{name}.png",
                distortion=distortion,
                family=_CLASSES[distortion][1],
                group=name,
                block=f"{name}/{task}",
                make=_maker(pixels, recipe, f"{name}/{task}", seed, restorer),
                recipe=f"{recipe} | {restorer}" if restorer else recipe,
                weights=_digests(restorer),
                generator=generator,
                task=task,
            )


def _maker(pixels: Pixels, recipe: str, key: str, seed: int, restorer: str) -> Callable[[], Pixels]:
    def make() -> Pixels:
        degraded = apply(recipe, pixels, key=key, seed=seed)
        return restore(_class(restorer)(), degraded) if restorer else degraded

    return make


def _digests(restorer: str) -> dict[str, str]:
    return {slot: weights.digest_of(slot) for slot in _class(restorer).info.weights} if restorer else {}


def _hash(pixels: Pixels) -> str:
    return hashlib.sha256(np.ascontiguousarray(pixels).tobytes()).hexdigest()


def _make(folder: Path, jobs: Sequence[_Job], sources: dict[str, str], seed: int, progress: Progress | None) -> None:
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
    libraries = {name: _version(name) for name in _LIBRARIES}
    before, now, times = _remembered(folder), {}, _timed(folder)
    if progress:
        progress.stage("demonstration images", len(jobs))
    try:
        for job in jobs:
            path = folder / job.image
            identity = digest(
                {
                    "recipe": job.recipe,
                    "key": job.key,
                    "seed": seed,
                    "source": sources[job.group],
                    "weights": job.weights,
                    **libraries,
                }
            )
            known = before.get(job.image)
            if not (known and known[0] == identity and path.is_file() and known[1] == _file_hash(path)):
                begun = time.perf_counter()
                pixels = job.make()
                if job.generator in BUILTIN:
                    times[job.image] = round(time.perf_counter() - begun, 4)
                with explained(path):
                    path.parent.mkdir(parents=True, exist_ok=True)
                    save_png(path, pixels)
            now[job.image] = [identity, _file_hash(path)]
            if progress:
                progress.advance()
    finally:
        _write(folder / _MADE, canonical({**before, **now}))
        _write(folder / _TIMES, json.dumps(times, sort_keys=True, indent=0) + "\n")


def _remembered(folder: Path) -> dict[str, list[str]]:
    """What the last call made: image -> identity and hash of the file. Anything unreadable means: nothing."""
    try:
        made = json.loads((folder / _MADE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(made, dict):
        return {}
    return {key: value for key, value in made.items() if isinstance(value, list) and len(value) == 2}


def _timed(folder: Path) -> dict[str, float]:
    try:
        known = json.loads((folder / _TIMES).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {image: s for image, s in known.items() if isinstance(s, float)} if isinstance(known, dict) else {}


def _file_hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _table(jobs: Sequence[_Job]) -> str:
    text = io.StringIO()
    writer: csv.DictWriter[str] = csv.DictWriter(text, _COLUMNS, lineterminator="\n")
    writer.writeheader()
    for job in sorted((j for j in jobs if j.reference), key=lambda j: j.key):
        row = {column: getattr(job, column) for column in _COLUMNS}
        writer.writerow(row | {"score": "" if job.score is None else job.score})
    return text.getvalue()


def _settings(jobs: Sequence[_Job], notes: Sequence[str], credit: Sequence[str], quick: bool) -> str:
    used = {job.distortion for job in jobs if job.distortion}
    titles = {code: (title, family) for code, (title, family, _) in LADDERS.items()} | _CLASSES
    sentences = [
        "Scores are steps of severity, known by construction; nobody was asked, so agreement with them says how a "
        "metric orders plain degradations and not how it agrees with people.",
        "Steps are comparable inside one ladder of one photograph only.",
        "Enlarged and denoised images have no score: the leaderboard ranks them by the metrics alone.",
        f"Crops of {SIDE if not quick else QUICK_SIDE} pixels of {len(credit)} photographs: a demonstration, not a "
        "study.",
        *(f"Photograph {text}." for text in credit),
        *notes,
    ]
    lines = [
        'name = "ganiq-demo"',
        'title = "Photographs degraded and restored on this computer"',
        'license = "by photograph, see the notes"',
        'source = "sample photographs inside installed Python packages"',
        f"notes = {json.dumps(sentences, indent=2, ensure_ascii=False)}",
        "",
        "[score]",
        'kind = "severity"',
        'better = "lower"',
        "low = 1",
        f"high = {LEVELS}",
        'comparable = "within-block"',
    ]
    for code, (title, family) in titles.items():
        if code in used:
            lines += ["", "[[classes]]", *(f"{k} = {json.dumps(v)}" for k, v in
                      (("code", code), ("title", title), ("family", family)))]  # fmt: skip
    return "\n".join(lines) + "\n"


def _write(path: Path, text: str) -> None:
    """Replace a text file in one step, unless it says the same already."""
    try:
        if path.read_text(encoding="utf-8") == text:
            return
    except (OSError, ValueError):
        pass
    write_text(path, text)
