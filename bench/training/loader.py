"""From samples to batches: every batch is a function of (seed, stage, epoch, its images) and of nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from . import seam
from .beside import Beside, Entry
from .cache import Features
from .crops import Crop, Side, both, cut, draw, frame, grid, rng
from .labels import Scaler
from .noise import disturb
from .pixels import Pixels
from .recipe import Cut, Net

if TYPE_CHECKING:
    from torch import Tensor

Taps: TypeAlias = "list[Tensor | list[Tensor]]"
"""Per tap: of all images, or one by one where they differ in size."""
ALIGNED = ("ref", "degraded")
"""Kinds that are cut where the image is."""


@dataclass
class Batch:
    """Tensors of some images, before any network is chosen."""

    x: Tensor | None
    aux: dict[str, Tensor]
    """By kind: (B, m, 3, S, S)."""
    noisy: Tensor | None
    y: Tensor
    y_std: Tensor
    labelled: Tensor
    ids: list[dict[str, str]]
    people: Tensor
    """(B,) whether the label is people's."""
    features: dict[tuple[str, str], Taps] = field(default_factory=dict)
    """By (network, kind), ``x`` for the image itself."""

    def views(self, which: str, net: Net, *, noise: bool = False) -> Any:
        """As one network takes them: with what its role is shown, and stored features where there are any."""
        kind = net.shown
        x = self.noisy if noise and self.noisy is not None else self.x
        cached = self.features.get((which, "x"))
        return seam.views(
            x=None if cached else x,
            aux=None if cached else self.aux.get(kind),
            y=self.y,
            y_std=self.y_std,
            labelled=self.labelled,
            ids=self.ids,
            people=self.people,
            features=cached,
            aux_features=self.features.get((which, kind)) if cached else None,
        )


@dataclass
class Loader:
    """Makes batches of some entries."""

    entries: Sequence[Entry]
    views: Cut
    scaler: Scaler | None
    """Of people's scores; None: all scores are on the learned scale already."""
    beside: Beside
    kinds: tuple[str, ...]
    """What is shown beside the image, to any network."""
    seed: int
    device: str = "cpu"
    stored: Mapping[tuple[str, str], Mapping[str, Features]] = field(default_factory=dict)
    """By (network, kind): features by the digest of the pixels they were taken from."""
    crops: int = 5
    largest: int = 0
    """Side up to which images are seen whole, as many crops as cover larger ones; 0: crops of the views' size."""

    def random(self, places: Sequence[int], *names: object, noise: bool = False) -> Batch:
        """Views drawn for an epoch that ``names`` name."""
        chosen = [self.entries[n] for n in places]
        if self.stored:
            return self._from_features(chosen, names)
        x, aux, keys = [], {kind: [] for kind in self.kinds}, []
        for entry in chosen:
            data, sample = entry
            name = (sample.dataset, sample.key, *names)
            keys.append(name)
            cuts = self._draw(data.pixels.size(sample.image), "x", name)
            x.append(cut(data.pixels[sample.image], cuts, self.views.crop))
            for kind in self.kinds:
                place = self.beside.place(kind, entry, *names)
                aligned = kind in ALIGNED
                own = cuts if aligned else self._draw(place.pixels.size(place.number), kind, name)
                aux[kind].append(cut(place.pixels[place.number], own, self.views.crop))
        images = self._tensor(x)
        disturbed = disturb(images, self.views.noise, self.seed, keys) if noise and self.views.noise else None
        return self._batch(chosen, images, {k: self._tensor(v) for k, v in aux.items()}, disturbed)

    def count(self, entry: Entry) -> int:
        """Fixed crops of an entry."""
        data, sample = entry
        size = data.pixels.size(sample.image)
        return self.crops or len(grid(*size, self._side(data.pixels, size), 0))

    def fixed(self, places: Sequence[int], which: Sequence[int]) -> Batch:
        """These crops of the fixed grid, for networks that see so many at once."""
        chosen = [self.entries[n] for n in places]
        if self.stored:
            return self._batch(
                chosen, None, {}, None, self._taps(chosen, [dict.fromkeys(("x", *self.kinds), which)] * len(chosen), ())
            )
        x, aux = [], {kind: [] for kind in self.kinds}
        for entry in chosen:
            data, sample = entry
            x.append(self._grid(data.pixels, sample.image, which))
            for kind in self.kinds:
                aux[kind].append(self._grid(*self.beside.place(kind, entry), which))
        return self._batch(chosen, self._tensor(x), {k: self._tensor(v) for k, v in aux.items()}, None)

    def ahead(self, batches: Sequence[Sequence[int]], *names: object, noise: bool = False) -> Iterator[Batch]:
        """The batches in order, the next one being made while one is used."""
        with ThreadPoolExecutor(1) as pool:
            waiting = None
            for places in [*batches, None]:
                coming = None if places is None else pool.submit(self.random, places, *names, noise=noise)
                if waiting is not None:
                    yield waiting.result()
                waiting = coming

    def _draw(self, size: tuple[int, int], kind: str, name: tuple[object, ...]) -> list[Crop]:
        height, width = (max(n, self.views.crop) for n in size)
        stream = rng(self.seed, "crop", kind, *name)
        v = self.views
        return draw(stream, height, width, v.crop, v.patches, flips=v.flips, turns=v.turns)

    def _grid(self, pixels: Any, number: int, which: Sequence[int]) -> np.ndarray:
        size = pixels.size(number)
        side = self._side(pixels, size)
        height, width = (max(n, wanted) for n, wanted in zip(size, both(side)))
        places = grid(height, width, side, self.crops)
        return cut(pixels[number], [places[n] for n in which], side)

    def _side(self, pixels: Pixels, size: tuple[int, int]) -> Side:
        if not self.largest:
            return self.views.crop
        return pixels.frame(self.largest) if self.stored else frame(size, self.largest)

    def _from_features(self, chosen: Sequence[Entry], names: tuple[object, ...]) -> Batch:
        which = []
        for entry in chosen:
            sample, count = entry.sample, self.count(entry)
            own: dict[str, list[int]] = {}
            for kind in ("x", *self.kinds):
                if count == 1:  # nothing to draw, and drawing took most of the time
                    own[kind] = [0] * self.views.patches
                    continue
                stream = rng(self.seed, "crop", "x" if kind in ALIGNED else kind, sample.dataset, sample.key, *names)
                most = min(self.views.patches, count)
                order = [int(n) for n in stream.permutation(count)[:most]]
                own[kind] = [order[n % most] for n in range(self.views.patches)]
            which.append(own)
        return self._batch(chosen, None, {}, None, self._taps(chosen, which, names))

    def _taps(
        self, chosen: Sequence[Entry], which: Sequence[Mapping[str, Sequence[int]]], names: tuple[object, ...]
    ) -> dict[tuple[str, str], Taps]:

        answer: dict[tuple[str, str], Taps] = {}
        for (network, kind), by_pixels in self.stored.items():
            rows = []
            for entry, own in zip(chosen, which):
                if kind == "x":
                    pixels, number = entry.data.pixels, entry.sample.image
                else:
                    pixels, number = self.beside.place(kind, entry, *names)
                rows.append([t[0] for t in by_pixels[pixels.digest].take([(number, own[kind])])])
            answer[network, kind] = [self._stacked(taps) for taps in zip(*rows)]
        return answer

    def _stacked(self, taps: Sequence[Tensor]) -> Tensor | list[Tensor]:
        """(B, m, C, h, w); where images of several sizes meet, B times (m, C, h, w)."""
        import torch

        if len({tap.shape for tap in taps}) == 1:
            return torch.stack(list(taps)).to(self.device)
        return [tap.to(self.device) for tap in taps]

    def _tensor(self, pieces: Sequence[np.ndarray]) -> Tensor:
        import torch

        stacked = torch.from_numpy(np.stack(pieces)).to(self.device)
        return stacked.permute(0, 1, 4, 2, 3).to(torch.float32).div_(255)

    def _batch(
        self,
        chosen: Sequence[Entry],
        x: Tensor | None,
        aux: dict[str, Tensor],
        noisy: Tensor | None,
        features: dict[tuple[str, str], Taps] | None = None,
    ) -> Batch:
        import torch

        scores = [s.score for _, s in chosen]
        filled = np.array([0.0 if s is None else s for s in scores])
        learned = np.array([self.scaler is None or data.learned for data, _ in chosen])
        y = filled if self.scaler is None else np.where(learned, filled, self.scaler(filled))
        units = np.where(learned, 1.0, 1.0 if self.scaler is None else self.scaler.unit)
        errors = [0.0 if s.score_se is None else s.score_se / unit for (_, s), unit in zip(chosen, units)]
        known = torch.tensor([s is not None for s in scores])
        return Batch(
            x,
            aux,
            noisy,
            torch.where(known, torch.as_tensor(y, dtype=torch.float32), 0.0).to(self.device),
            torch.tensor(errors, dtype=torch.float32).to(self.device),
            known.to(self.device),
            [{"dataset": s.dataset, "ref": s.block, "algo": s.generator, "image": s.key} for _, s in chosen],
            torch.tensor([not data.learned for data, _ in chosen]).to(self.device),
            features or {},
        )
