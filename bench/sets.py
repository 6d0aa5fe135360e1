"""Set metrics: features once per image and extractor, then every set metric from the same features.

Features lie beside the store in ``features/<extractor>/<digest of the image list>.npy``: content-addressed
shards of at most 256 images, written to a temporary name and renamed, so that an interrupted extraction
goes on at the next shard.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import replace
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
from .types import Estimate

if TYPE_CHECKING:
    from torch import Tensor

SHARD = 256


def score_sets(
    store: Store,
    run: int,
    manifest: Manifest,
    measures: Sequence[Measure],
    found: Survey,
    gate: Gate,
    say: Progress,
    device: str = "cpu",
) -> dict[str, dict[str, Estimate]]:
    """Every set metric for every generator against the pristine references: column -> generator -> estimate."""
    refused = {r.key for r in found.refused}
    made: dict[str, list[File]] = {}
    for item in manifest.items:
        image = found.image(item)
        if item.generator and item.role == "output" and item.key not in refused and image:
            made.setdefault(item.generator, []).append(image)
    real = {f.sha256: f for i in manifest.items if i.reference and (f := found.files.get(i.reference))}
    real |= {f.sha256: f for i in manifest.items if i.role == "reference" and (f := found.image(i))}
    values: dict[str, dict[str, Estimate]] = {m.column: {} for m in measures}
    say.stage("set metrics", len(measures) * len(made))
    # One extractor after the other, one generator after the other: all metrics of the two get the very same
    # tensors, and may share what they make of them.
    for name in dict.fromkeys(m.features for m in measures):
        load = _Loader(store.path.parent, name, manifest.root, list(real.values()), gate, device)
        for generator, files in sorted(made.items()):
            for m in (m for m in measures if m.features == name):
                told, status = Estimate(None, reason=f"E-SKIP-WEIGHTS {m.reason}"), "skipped"
                if not m.reason:
                    told, status = _one(m, files, load)
                detail = "" if status == "ok" else told.reason
                store.record_set(
                    run, manifest.digest, generator, m.digest, n=len(files), value=told.value, status=status,
                    detail=detail,
                )  # fmt: skip
                values[m.column][generator] = told
                say.advance()
    return values


class _Loader:
    """Features of one extractor, on the device: of the real images, and of the generator in turn."""

    def __init__(self, folder: Path, name: str, root: Path, real: list[File], gate: Gate, device: str) -> None:
        self.real, self.device = real, device
        self._arguments = folder, name, root, gate
        self._real: Tensor | None = None
        self._generated: tuple[list[File], Tensor] | None = None

    def __call__(self, generated: list[File]) -> tuple[Tensor, Tensor]:
        folder, name, root, gate = self._arguments
        if self._generated is None or self._generated[0] is not generated:
            self._generated = None  # let go of the last generator before the next is loaded
            self._generated = generated, features(folder, name, root, generated, gate, self.device)
        if self._real is None:
            self._real = features(folder, name, root, self.real, gate, self.device)
        return self._generated[1], self._real


def _one(m: Measure, generated: list[File], load: _Loader) -> tuple[Estimate, str]:
    """What the metric says of one generator, and its status."""
    if not load.real:
        return Estimate(None, reason="E-SKIP-REFERENCE no pristine images to compare with"), "skipped"
    try:
        metric = make(m.spec)
        estimate: Any = getattr(metric, "estimate", None)
        with exact(load.device):
            two = load(generated)
            found: Any = estimate(*two) if callable(estimate) else Estimate(float(metric(*two)))
        found = replace(found, value=(value := float(found.value)))
    except Refusal as error:
        return Estimate(None, reason=str(error)), "failed"
    except Exception as error:
        line = " ".join(str(error).split())[:300].removeprefix(f"{m.spec.name}: ")
        if failure(error).reason == "oom":
            return Estimate(None, reason=f"E-OOM {m.spec.name}: out of memory ({line})"), "failed"
        return Estimate(None, reason=f"E-METRIC-ERROR {m.spec.name}: {line}"), "failed"
    if not math.isfinite(value):
        return Estimate(None, reason="E-VAL-NAN" if math.isnan(value) else "E-VAL-INF"), "nonfinite"
    return found, "ok"


def features(folder: Path, name: str, root: Path, files: Sequence[File], gate: Gate, device: str = "cpu") -> Tensor:
    """(N,D) features of these images, sorted by hash, from the cache or computed into it, on the device."""
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
    parts = []
    for start in range(0, len(ordered), SHARD):
        shard = ordered[start : start + SHARD]
        place = home / f"{digest([f.sha256 for f in shard])[:32]}.npy"
        if not place.is_file():
            extractor = extractor or factory()
            rows = []
            for file in shard:
                pixels, _ = read(root / file.relative, shown=file.relative, sha256=file.sha256, gate=gate, root=root)
                with torch.inference_mode():
                    found = extractor(as_tensor(pixels, "float32", device))
                    rows.append(found.reshape(-1).float().cpu().numpy())
            buffer = io.BytesIO()
            np.save(buffer, np.stack(rows))
            home.mkdir(parents=True, exist_ok=True)
            write_bytes(place, buffer.getvalue())
        parts.append(np.load(place, allow_pickle=False))
    return torch.from_numpy(np.concatenate(parts)).to(device)
