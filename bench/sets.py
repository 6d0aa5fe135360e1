"""Set metrics: features once per image and extractor, then every set metric from the same features.

Features lie beside the store in ``features/<extractor>/<digest of the image list>.npy``: content-addressed
shards of at most 256 images, written to a temporary name and renamed, so that an interrupted extraction
goes on at the next shard. The row of an image that could not be used is NaN there, and is tried again.

An image that cannot be used is left out of its set, named, and not counted; it costs no other image its place.
"""

from __future__ import annotations

import io
import math
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from . import registry
from .atomic import write_bytes
from .devices import exact
from .engine import failure
from .errors import Refusal
from .images import Gate, read
from .manifest import Manifest
from .measure import Measure, make
from .plan import Survey
from .progress import Progress
from .scoring import File, as_tensor
from .spec import digest
from .store import Store
from .types import Estimate, ItemResult, Status

if TYPE_CHECKING:
    from torch import Tensor

SHARD = 256


@dataclass(frozen=True, slots=True)
class SetScore:
    """What a set metric says of one generator."""

    estimate: Estimate
    status: Status
    n: int
    """Images of the generator that it stands on."""
    listed: int
    """Images of the generator in the manifest."""


@dataclass(frozen=True, slots=True)
class SetScores:
    """Everything the set metrics of a run say."""

    scores: dict[str, dict[str, SetScore]] = field(default_factory=dict)
    """Column -> generator -> score."""
    references: dict[str, Refusal] = field(default_factory=dict)
    """Pristine images that were left out and are no items themselves: relative path -> why."""


def score_sets(
    store: Store,
    run: int,
    manifest: Manifest,
    measures: Sequence[Measure],
    found: Survey,
    gate: Gate,
    say: Progress,
    device: str = "cpu",
) -> SetScores:
    """Every set metric for every generator against the pristine references.

    Items whose image turns out to be unusable are refused in the store, as item metrics refuse them.
    """
    refused = {r.key: r.refusal for r in found.refused if r.refusal} | store.refusals(manifest.digest)
    listed = Counter(i.generator for i in manifest.items if i.generator and i.role == "output")
    made: dict[str, list[File]] = {generator: [] for generator in listed}
    lost: dict[str, tuple[str, str]] = {}  # generator -> why its first image was refused before
    for item in manifest.items:
        if not item.generator or item.role != "output":
            continue
        if item.key in refused:
            lost.setdefault(item.generator, refused[item.key])
        elif image := found.image(item):
            made[item.generator].append(image)
    real = _pristine(manifest, found, refused)
    scores: dict[str, dict[str, SetScore]] = {m.column: {} for m in measures}
    bad: dict[str, Refusal] = {}
    say.stage("set metrics", len(measures) * len(made))
    # One extractor after the other, one generator after the other: all metrics of the two get the very same
    # tensors, and may share what they make of them.
    for name in dict.fromkeys(m.features for m in measures):
        load = _Loader(store.path.parent, name, manifest.root, real, gate, device, bad)
        for generator, files in sorted(made.items()):
            for m in (m for m in measures if m.features == name):
                told, identity = _one(m, files, load, listed[generator], lost.get(generator))
                store.record_set(
                    run, manifest.digest, generator, m.digest, n=told.n, value=told.estimate.value, status=told.status,
                    detail="" if told.status == "ok" else told.estimate.reason, features=identity,
                )  # fmt: skip
                scores[m.column][generator] = told
                say.advance()
    keys: dict[str, list[str]] = {}
    for item in manifest.items:
        keys.setdefault(item.image, []).append(item.key)
    if results := [
        ItemResult(key, refusal=(error.code, str(error))) for path, error in bad.items() for key in keys.get(path, ())
    ]:
        store.record(run, manifest.digest, results)
    return SetScores(scores, {path: error for path, error in sorted(bad.items()) if path not in keys})


def _pristine(manifest: Manifest, found: Survey, refused: Collection[str]) -> list[File]:
    """The pristine images, each content once; one that could not even be hashed has an empty hash, and says why later.

    An item that is refused already is left out: it has been named.
    """
    known = {i.image for i in manifest.items if i.key in refused}
    files: dict[str, File] = {}
    for item in manifest.items:
        if item.reference and item.reference not in known:
            file = found.files.get(item.reference) or File(item.reference, "")
            files.setdefault(file.sha256 or file.relative, file)
    for item in manifest.items:
        if item.role == "reference" and item.key not in refused and (image := found.image(item)):
            files.setdefault(image.sha256, image)
    return list(files.values())


@dataclass(frozen=True, slots=True)
class _Set:
    """Features of the images of one set that could be used."""

    rows: Tensor | None
    """(N,D), sorted by hash; None where there is none."""
    files: tuple[File, ...]

    @property
    def identity(self) -> list[str]:
        return [file.sha256 for file in self.files]


class _Loader:
    """Features of one extractor, on the device: of the real images, and of the generator in turn."""

    def __init__(
        self,
        folder: Path,
        name: str,
        root: Path,
        real: list[File],
        gate: Gate,
        device: str,
        bad: dict[str, Refusal],
    ) -> None:
        self.real, self.device = real, device
        self.bad = bad
        """Relative path -> why the image is left out; filled on the way."""
        self._arguments = folder, name, root, gate
        self._real: _Set | None = None
        self._generated: tuple[list[File], _Set] | None = None

    def __call__(self, generated: list[File]) -> tuple[_Set, _Set]:
        if self._generated is None or self._generated[0] is not generated:
            self._generated = None  # let go of the last generator before the next is loaded
            self._generated = generated, self._of(generated)
        if self._real is None:
            self._real = self._of(self.real)
        return self._generated[1], self._real

    def _of(self, files: list[File]) -> _Set:
        folder, name, root, gate = self._arguments
        rows, used = features(folder, name, root, files, gate, self.device, self.bad)
        return _Set(rows, used)


def _one(
    m: Measure, generated: list[File], load: _Loader, listed: int, lost: tuple[str, str] | None
) -> tuple[SetScore, str]:
    """What the metric says of one generator, and the identity of the images it says it of.

    Args:
        m: the metric.
        generated: the generator's images.
        load: gives features.
        listed: how many images of the generator the manifest has.
        lost: why the first of its images that was refused before was refused: code and message.
    """

    def none(reason: str, status: Status, n: int = 0) -> tuple[SetScore, str]:
        return SetScore(Estimate(None, reason=reason), status, n, listed), identity

    identity, n = "", 0
    if m.reason:
        return none(f"E-SKIP-WEIGHTS {m.reason}", "skipped")
    if not load.real:
        return none("E-SKIP-REFERENCE no pristine images to compare with", "skipped")
    try:
        metric = make(m.spec)
        estimate: Any = getattr(metric, "estimate", None)
        with exact(load.device):
            two = load(generated)
            identity, n = digest([part.identity for part in two]), len(two[0].files)
            for part, what, files in zip(two, ("generated", "pristine"), (generated, load.real), strict=True):
                if part.rows is None:
                    why = next(((e.code, str(e)) for f in files if (e := load.bad.get(f.relative))), lost)
                    code, first = why or ("E-IO-MISSING", "it is not at hand")
                    return none(f"{code} none of the {what} images can be used; the first: {first}", "failed")
            ready = [part.rows for part in two]
            found: Any = estimate(*ready) if callable(estimate) else Estimate(float(metric(*ready)))
        found = replace(found, value=(value := float(found.value)))
    except Refusal as error:
        return none(str(error), "failed", n)
    except Exception as error:
        line = " ".join(str(error).split())[:300].removeprefix(f"{m.spec.name}: ")
        if failure(error).reason == "oom":
            return none(f"E-OOM {m.spec.name}: out of memory ({line})", "failed", n)
        return none(f"E-METRIC-ERROR {m.spec.name}: {line}", "failed", n)
    if not math.isfinite(value):
        code, what = ("E-VAL-NAN", "not a number (NaN)") if math.isnan(value) else ("E-VAL-INF", "infinite")
        if value == -math.inf:
            code, what = "E-VAL-NINF", "minus infinity"
        return none(f"{code} {m.column} is {what} for these images", "nonfinite", n)
    return SetScore(found, "ok", n, listed), identity


def features(
    folder: Path,
    name: str,
    root: Path,
    files: Sequence[File],
    gate: Gate,
    device: str,
    bad: dict[str, Refusal],
) -> tuple[Tensor | None, tuple[File, ...]]:
    """Features of those of these images that can be used, from the cache or computed into it, on the device.

    Args:
        folder: of the store.
        name: of the extractor.
        root: of the data set.
        files: the images; order does not matter.
        gate: options of the image gate.
        device: where to compute.
        bad: told of every image that cannot be used: relative path -> why.

    Returns:
        (N,D) features sorted by hash (None where no image can be used), and their N files.
    """
    import torch

    factory = registry.extractors.get(name)
    info = factory.info
    slots: dict[str, str | None] = {}
    if info.weights:
        from . import weights

        slots = {slot: weights.digest_of(slot) for slot in info.weights}
    identity = digest([info.name, info.version, info.preprocessing, slots, gate.identity()])
    home = folder / "features" / f"{name}-{identity[:12]}"
    ordered = sorted(files, key=lambda f: f.sha256)
    extractor: Any = None
    parts: list[np.ndarray] = []
    used: list[File] = []
    for start in range(0, len(ordered), SHARD):
        shard = ordered[start : start + SHARD]
        place = home / f"{digest([f.sha256 for f in shard])[:32]}.npy"
        rows: list[np.ndarray | None] = [None] * len(shard)
        if place.is_file():
            rows = [None if np.isnan(row).all() else row for row in np.load(place, allow_pickle=False)]
        gained = False
        for at, file in enumerate(shard):
            if rows[at] is not None:
                continue
            try:
                pixels, _ = read(root / file.relative, shown=file.relative, sha256=file.sha256, gate=gate, root=root)
            except Refusal as error:
                bad[file.relative] = error
                continue
            extractor = extractor or factory()
            with torch.inference_mode():
                found = extractor(as_tensor(pixels, "float32", device))
                rows[at] = found.reshape(-1).float().cpu().numpy()
            gained = True
        good = [row for row in rows if row is not None]
        if gained:
            blank = np.full_like(good[0], np.nan)
            buffer = io.BytesIO()
            np.save(buffer, np.stack([blank if row is None else row for row in rows]))
            home.mkdir(parents=True, exist_ok=True)
            write_bytes(place, buffer.getvalue())
        if good:
            parts.append(np.stack(good))
            used += [file for file, row in zip(shard, rows, strict=True) if row is not None]
    return (torch.from_numpy(np.concatenate(parts)).to(device) if parts else None), tuple(used)
