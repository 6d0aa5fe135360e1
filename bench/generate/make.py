"""The work of ``ganiq generate``: serial, as restorers use all cores themselves; one bad item never stops the rest."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .. import devices, provenance, weights
from ..atomic import explained
from ..errors import INCOMPLETE, OK, GaniqError, Refusal, ResourceError, UsageError
from ..images import Gate, hash_file, read, save_png, to_uint8
from ..progress import Progress, Silent
from ..run import interruptible
from ..spec import digest
from . import folder, parts
from .journal import Journal, file_hash
from .parts import Degrade, Maker, Photograph
from .sweep import Generation, RestorerEntry, SamplerEntry

_LIBRARIES = ("torch", "numpy", "scipy", "pillow", "scikit-image")


@dataclass(frozen=True)
class Outcome:
    """How a generation ended."""

    folder: Path
    items: int
    """Lines of items.csv."""
    made: int
    """Images written now, references and inputs among them."""
    failed: Mapping[str, str]
    """What could not be done -> why, in one sentence."""
    notes: Sequence[str] = ()
    """What was passed by though it might have been meant, one sentence each."""

    @property
    def exit_code(self) -> int:
        return INCOMPLETE if self.failed else OK

    @property
    def summary(self) -> str:
        """The last line a command prints."""
        text = f"{self.items:,} items, {self.made:,} images written"
        return f"{text}, {len(self.failed):,} failed" if self.failed else text


@dataclass(frozen=True)
class Made:
    """An image of the folder."""

    path: str
    sha256: str
    height: int
    width: int


@dataclass
class _Work:
    """Everything that the stages share."""

    sweep: Generation
    journal: Journal
    say: Progress
    failed: dict[str, str] = field(default_factory=dict)
    made: int = 0
    versions: str = ""

    def fail(self, what: str, sentence: str) -> None:
        """One thing cannot be done: say so once, and go on."""
        self.failed[what] = sentence
        self.say.note(sentence)

    def image(self, path: str, identity: Mapping[str, Any], recipe: str, make: Callable[[], np.ndarray]) -> Made:
        """An image from the folder if it is there as it should be, else made now.

        Raises:
            ResourceError: the disk is full.
            Exception: whatever ``make`` raises.
        """
        name = digest(identity)
        if sha256 := self.journal.holds(path, name):
            entry = self.journal.entries[path]
            return Made(path, sha256, int(entry["height"]), int(entry["width"]))
        started = time.perf_counter()
        pixels = make()
        seconds = time.perf_counter() - started
        target = self.journal.folder / path
        if not self.made:
            folder.withdraw(self.journal.folder)
        with explained(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            save_png(target, pixels)
        height, width = pixels.shape[:2]
        done = Made(path, file_hash(target), height, width)
        self.made += 1
        self.journal.times[path] = round(seconds, 4)
        self.journal.add(
            path,
            {
                "identity": name, "sha256": done.sha256, "recipe": recipe, "with": self.versions,
                "height": str(height), "width": str(width),
            },
        )  # fmt: skip
        return done

    def attempt(self, key: str, work: Callable[[], Made]) -> Made | None:
        """``work``, or one sentence in ``failed``.

        Raises:
            ResourceError, UsageError: nothing can be written.
            BadWeights, MissingWeights: nothing of this generator can be made.
        """
        try:
            return work()
        except (ResourceError, weights.BadWeights, weights.MissingWeights):
            raise
        except Refusal as error:
            error.done = "not made"
            text = str(error)
            self.fail(key, text if key in text else f"{text} ({key})")
        except GaniqError as error:
            if error.code == "E-IO-DENIED":  # nor will the next image be
                raise
            self.fail(key, f"{error} ({key})")
        except Exception as error:
            self.fail(key, _sentence(key, error))
        return None


def generate(sweep: Generation, argv: Sequence[str] = (), progress: Progress | None = None) -> Outcome:
    """Make what is missing.

    Args:
        sweep: what to make.
        argv: the command, for the record.
        progress: told how far it is, and of everything that fails.

    Raises:
        UsageError: the request cannot be carried out as written, or there is no such device; nothing was made, and
            what an earlier sweep has made is untouched.
        GaniqError: ``E-GEN``, nothing could be made; the folder has no tables then.
        ResourceError: the disk is full; what was made is kept. Or another process is at work in the same folder.
        Interrupted: SIGINT or SIGTERM; the same command goes on.
    """
    say = progress or Silent()
    device = devices.found(sweep.device)
    chosen, photos, unfit, notes = _checked(sweep)
    with explained(sweep.out):
        sweep.out.mkdir(parents=True, exist_ok=True)
    # Signals are caught around everything that takes long, loading of networks included.
    with interruptible(), _sole(sweep.out), Journal(sweep.out) as journal:
        work = _Work(sweep, journal, say, versions=_versions())
        for note in notes:
            say.note(note)
        for name, sentence in unfit:
            work.fail(name, sentence)
        gate = Gate(**sweep.gate.model_dump())
        restorers = _makers(work, sweep.restorers, lambda e: parts.restorer(e, sweep.base, chosen, device, gate))
        samplers = _makers(work, sweep.samplers, lambda e: parts.sampler(e, sweep.base, device, gate))
        if not sweep.restorers:
            restorers = [_alone(d) for d in chosen]
        # From here on the sweep can be carried out as written, and the tables of another one are no longer true.
        gone = not folder.describes(sweep.out, sweep) and folder.withdraw(sweep.out)
        references, inputs = _inputs(work, photos, chosen, gate)
        rows: list[folder.Row] = []
        for maker in restorers:
            rows += _until_broken(work, maker, _restored(work, maker, photos, references, inputs))
        entries = {parts.name_of(entry): entry for entry in sweep.samplers}
        for maker in samplers:
            rows += _until_broken(work, maker, _sampled(work, maker, entries[maker.name]))
        if samplers and references and not any(row["reference"] for row in rows):
            rows += folder.real(references)
        if not rows:
            gone = folder.withdraw(sweep.out) or gone
            first = next(iter(work.failed.values()), "")
            told = ["nothing could be made", first] if first else ["nothing could be made"]
            told += ["the tables of what was made before were taken away, its images kept"] if gone else []
            raise GaniqError("; ".join(told), code="E-GEN")
        every = [*restorers, *samplers]
        folder.write(sweep, chosen, every, rows, work.failed, journal, list(argv))
    return Outcome(sweep.out, len(rows), work.made, work.failed, notes)


@contextmanager
def _sole(out: Path) -> Iterator[None]:
    """Nobody else works in this folder: two would write the same files, and each leave out what the other has made.

    Raises:
        ResourceError: another process is at work there.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(out / "generate.lock", timeout=0)
    with explained(out):
        try:
            lock.acquire()
        except Timeout:
            raise ResourceError(
                f"{out}: another `ganiq generate` is at work there; let it finish or stop it, then run the same "
                "command again, or choose another --out",
                code="E-IO-BUSY",
            ) from None
    try:
        yield
    finally:
        lock.release()


def _until_broken(work: _Work, maker: Maker, rows: Iterator[folder.Row]) -> list[folder.Row]:
    """All lines of a generator, or those up to where its weights turn out to be of no use."""
    answer: list[folder.Row] = []
    try:
        answer.extend(rows)
    except (weights.BadWeights, weights.MissingWeights) as error:
        error.done = "left out"
        work.fail(maker.name, str(error))
    return answer


def _checked(sweep: Generation) -> tuple[list[Degrade], list[Photograph], list[tuple[str, str]], list[str]]:
    chosen = parts.degradations(sweep.degradations)
    parts.distinct(sweep)
    if not chosen and not sweep.samplers:
        raise UsageError("there is nothing to make; add a [[degradation]] or a [[sampler]]", code="E-CFG")
    if chosen and not sweep.references:
        raise UsageError('degradations need photographs; add references = "folder"', code="E-CFG")
    if not sweep.restorers and (bad := next((d for d in chosen if d.shrink != 1), None)):
        raise UsageError(
            f"{bad.name} shrinks by {bad.shrink:g}, and nothing enlarges its images again; add a [[restorer]]",
            code="E-CFG",
        )
    return chosen, *parts.photographs(sweep)


def _makers(work: _Work, entries: Sequence[Any], build: Callable[[Any], Maker]) -> list[Maker]:
    """Those that can run here; of each of the others one sentence."""
    answer = []
    for entry in entries:
        name = parts.name_of(entry)
        try:
            answer.append(build(entry))
        except Refusal as error:
            error.done = "left out"
            work.fail(name, str(error))
        except MemoryError as error:
            work.fail(name, _sentence(name, error))
    titles = [maker.title for maker in answer]
    if twice := next((t for n, t in enumerate(titles) if t in titles[:n]), None):
        raise UsageError(f"two restorers are called {twice!r}; give each a `title` of its own", code="E-CFG")
    return answer


def _alone(one: Degrade) -> Maker:
    """Without restorers each degradation is a generator of its own."""
    return parts.restorer(RestorerEntry(spec=parts.NONE, name=one.name), Path(), [one])


def _inputs(
    work: _Work, photos: Sequence[Photograph], chosen: Sequence[Degrade], gate: Gate
) -> tuple[dict[str, Made], dict[tuple[str, str], Made]]:
    """Cropped references by key, and degraded images by (degradation, key)."""
    least = parts.multiple(work.sweep, chosen)
    references: dict[str, Made] = {}
    inputs: dict[tuple[str, str], Made] = {}
    work.say.stage("degrading photographs", len(photos) * (1 + len(chosen)))
    for photo in photos:
        done = work.attempt(photo.shown, lambda photo=photo: _reference(work, photo, gate, least))
        work.say.advance()
        if done is not None:
            references[photo.key] = done
        for one in chosen if done is not None else ():
            path = f"inputs/{one.name}/{photo.key}.png"
            identity = {
                "step": "degradation", "recipe": one.recipe, "key": photo.key, "seed": work.sweep.seed,
                "input": done.sha256,  # type: ignore[union-attr]
            }  # fmt: skip

            def make(one: Degrade = one, photo: Photograph = photo, done: Any = done) -> np.ndarray:
                return one(_pixels(work, done), photo.key, work.sweep.seed)

            small = work.attempt(
                f"{one.name}/{photo.key}",
                lambda path=path, identity=identity, one=one, make=make: work.image(path, identity, one.recipe, make),
            )
            if small is not None:
                inputs[one.name, photo.key] = small
            work.say.advance()
        if done is None:
            work.say.advance(len(chosen))
    return references, inputs


def _reference(work: _Work, photo: Photograph, gate: Gate, least: int) -> Made:
    sha256, _ = hash_file(photo.path, shown=photo.shown, max_bytes=gate.max_bytes)
    identity = {"step": "reference", "source": sha256, "crop": least, "gate": gate.identity()}

    def make() -> np.ndarray:
        pixels, _ = read(photo.path, shown=photo.shown, sha256=sha256, gate=gate)
        height, width = (side - side % least for side in pixels.shape[:2])
        if not height or not width:
            raise Refusal(
                "E-IMG-SMALL", photo.shown, f"{pixels.shape[1]}x{pixels.shape[0]} pixels are fewer than {least}",
                "use a larger photograph", done="not made",
            )  # fmt: skip
        return np.ascontiguousarray(pixels[:height, :width])

    recipe = f"crop to a multiple of {least}" if least > 1 else "as it is"
    return work.image(f"references/{photo.key}.png", identity, recipe, make)


def _restored(
    work: _Work,
    maker: Maker,
    photos: Sequence[Photograph],
    references: Mapping[str, Made],
    inputs: Mapping[tuple[str, str], Made],
) -> Iterator[folder.Row]:
    jobs = [(one, p) for one in maker.degradations for p in photos if (one.name, p.key) in inputs]
    work.say.stage(maker.title, len(jobs))
    for one, photo in jobs:
        source, reference = inputs[one.name, photo.key], references[photo.key]
        key = f"{maker.name}/{one.name}/{photo.key}" if maker.name != one.name else f"{one.name}/{photo.key}"
        done: Made | None = source
        if maker.spec != parts.NONE:
            identity = {"step": "restoration", **maker.identity(), "input": source.sha256}

            def make(source: Made = source, reference: Made = reference, key: str = key) -> np.ndarray:
                answer = _bytes(maker.make()(_tensor(_pixels(work, source))), key)
                if answer.shape[:2] != (reference.height, reference.width):
                    raise Refusal(
                        "E-PAIR-SIZE", key,
                        f"{answer.shape[1]}x{answer.shape[0]} pixels came out, and its reference has "
                        f"{reference.width}x{reference.height}",
                        "set `crop` so that every photograph can be shrunk without a rest",
                    )  # fmt: skip
                return answer

            path = f"restored/{key}.png"
            recipe = f"{one.recipe} | {maker.spec}"
            done = work.attempt(
                key,
                lambda path=path, identity=identity, recipe=recipe, make=make: work.image(path, identity, recipe, make),
            )
        elif (source.height, source.width) != (reference.height, reference.width):
            sizes = f"{source.width}x{source.height} pixels came out, and its reference has "
            sizes += f"{reference.width}x{reference.height}"
            work.fail(key, str(Refusal("E-PAIR-SIZE", key, sizes, "set `crop`", done="left out")))
            done = None
        work.say.advance()
        if done is not None:
            yield folder.restored(key, maker, one, photo, reference, source, done)


def _sampled(work: _Work, maker: Maker, entry: SamplerEntry) -> Iterator[folder.Row]:
    sampler = maker.make()
    has = getattr(sampler, "__len__", None)
    count = entry.count or (max(has() - entry.first, 0) if has else 100)
    jobs = [(seed, label) for label in entry.labels or (None,) for seed in range(entry.first, entry.first + count)]
    work.say.stage(maker.title, len(jobs))
    checked = False
    for seed, label in jobs:
        name = f"{seed:06d}" if label is None else f"{label}/{seed:06d}"
        key = f"{maker.name}/{name}"
        identity = {"step": "sample", **maker.identity(), "seed": seed, "label": label}
        recipe = f"{maker.spec} with seed {seed}" + ("" if label is None else f" and label {label}")

        def make(seed: int = seed, label: int | None = label, key: str = key) -> np.ndarray:
            nonlocal checked
            answer = _bytes(sampler(seed, label), key)
            if not checked and not np.array_equal(answer, _bytes(sampler(seed, label), key)):
                raise Refusal(
                    "E-NONDET", key, "the same seed gave two images", "take all randomness from the seed"
                )  # fmt: skip
            checked = True
            return answer

        done = work.attempt(
            key,
            lambda path=f"samples/{key}.png", identity=identity, recipe=recipe, make=make: work.image(
                path, identity, recipe, make
            ),
        )
        work.say.advance()
        if done is not None:
            yield folder.sampled(key, maker, seed, label, recipe, done)


def _pixels(work: _Work, made: Made) -> np.ndarray:
    """Pixels of an image of the folder, as they were written."""
    root = work.journal.folder
    # Written by this command itself from images that passed the gate: its limits have been applied already.
    gate = Gate(max_pixels=2**40, max_bytes=2**40)
    return read(root / made.path, shown=made.path, sha256=made.sha256, gate=gate)[0]


def _tensor(pixels: np.ndarray) -> Any:
    """(H, W, 3) uint8 -> (3, H, W) float32 in [0, 1]."""
    import torch

    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1))).to(torch.float32) / 255.0


def _bytes(answer: Any, key: str) -> np.ndarray:
    """(3, H, W) of floating point in [0, 1] -> (H, W, 3) uint8, rounded once.

    Raises:
        Refusal: it is something else.
    """
    import torch

    if not isinstance(answer, torch.Tensor) or answer.ndim != 3 or answer.shape[0] != 3 or not answer.numel():
        shape = tuple(getattr(answer, "shape", ())) or type(answer).__name__
        raise Refusal("E-GEN-SHAPE", key, f"it gave {shape}, and a (3, H, W) tensor is wanted", "repair the generator")
    if not answer.is_floating_point() or not bool(torch.isfinite(answer).all()):
        found = "values that are not finite" if answer.is_floating_point() else f"{answer.dtype}"
        raise Refusal("E-GEN-VALUES", key, f"it gave {found}", "repair the generator: floating point in [0, 1]")
    low, high = float(answer.min()), float(answer.max())
    if low < -0.01 or high > 1.01:
        raise Refusal("E-GEN-VALUES", key, f"its values reach from {low:.3g} to {high:.3g}", "scale them to [0, 1]")
    return to_uint8(answer.detach().permute(1, 2, 0).cpu().numpy())


def _sentence(key: str, error: BaseException) -> str:
    """Any error as one line."""
    line = " ".join(str(error).split())[:300] or type(error).__name__
    short = isinstance(error, MemoryError) or any(
        words in line.lower() for words in ("out of memory", "can't allocate memory", "not enough memory")
    )
    if short:
        return f"E-OOM {key}: there was not enough memory; not made; free memory, or use tiles where there are any"
    return f"E-GEN-ERROR {key}: {type(error).__name__}: {line}; not made; the rest goes on without it"


def _versions() -> str:
    from ... import __version__  # pyright: ignore[reportMissingImports]

    found = provenance.versions()
    return ", ".join([f"ganiq {__version__}", *(f"{name} {found[name]}" for name in _LIBRARIES)])
