"""Features of a frozen trunk on a fixed grid of crops, stored once as float16.

A network offers ``extract(x)`` (pre-processing, frozen trunk, pooling) and ``trunk``, the name of everything that
depends on. The folder's name is a digest of that, of the pixels and of the grid. Rows are written in order and counted
after they are on the disk, so a killed run goes on where it stopped.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..atomic import explained, write_text
from ..errors import IntegrityError, UsageError
from ..progress import Progress, Silent
from ..spec import digest
from . import seam
from .crops import Crop, Side, both, cut, grid
from .pixels import Pixels

if TYPE_CHECKING:
    from torch import Tensor

VERSION = 1
BATCH = 16
NEAR_BY = 512 * 512
"""Pixels whose maps a processor still keeps near by; more of them at once take longer."""
MOST = 2
"""Times the space that pictures of very different sizes may take of what they need."""
SAVE = 32
"""Pictures between two records of how far it is."""


@dataclass(frozen=True)
class Features:
    """Taps by picture and crop."""

    folder: Path
    shapes: tuple[tuple[int, int, int], ...]
    numbers: tuple[int, ...]
    crops: int

    @cached_property
    def _place(self) -> Mapping[int, int]:
        return {number: row for row, number in enumerate(self.numbers)}

    @cached_property
    def _maps(self) -> list[Any]:
        n = len(self.numbers)
        return [_map(self.folder, tap, (n, self.crops, *shape), "r") for tap, shape in enumerate(self.shapes)]

    def __contains__(self, number: int) -> bool:
        return number in self._place

    def take(self, pairs: Sequence[tuple[int, Sequence[int]]]) -> list[Tensor]:
        """(B, m, C, h, w) float32 of every tap, for pictures and the crops of the grid that are wanted of each."""
        import torch

        rows = [(self._place[number], list(which)) for number, which in pairs]
        return [
            torch.from_numpy(np.stack([m[row, which] for row, which in rows]).astype(np.float32)) for m in self._maps
        ]


def features(
    network: Any,
    pixels: Pixels,
    numbers: Sequence[int],
    side: Side,
    crops: int,
    home: Path,
    *,
    device: str = "cpu",
    progress: Progress | None = None,
) -> Features:
    """Extract what is missing and open the whole.

    Args:
        network: with ``extract`` and ``trunk``; a quick copy of it is asked.
        pixels: pictures.
        numbers: which of them.
        side: of the crops; smaller pictures are continued by reflection.
        crops: of the fixed grid, per picture; 0: as many as cover it. A picture that needs fewer than another
            repeats its own, which are never read.
        home: folder of all such stores.
        device: where the trunk runs; it is not part of the identity.
        progress: told how far it is.

    Raises:
        UsageError: the network's trunk is not frozen, so its features would go stale.
        IntegrityError: what is stored was damaged.
    """
    import torch

    say = progress or Silent()
    trunk = trunk_of(network)
    wanted = tuple(sorted(set(numbers)))
    counts = [len(_grid(pixels, n, side, crops)) for n in wanted]
    count = max(counts, default=1)
    if count * len(counts) > MOST * sum(counts):
        raise UsageError(
            f"features are stored of as many crops per picture as the largest needs: {count}, and they need "
            f"{sum(counts) / len(counts):.1f} on average; write crops = 5, or cached = false",
            code="E-CFG",
        )
    identity = {"version": VERSION, "trunk": trunk, "pixels": pixels.digest, "numbers": wanted, "side": side}
    folder = home / f"features-{digest({**identity, 'crops': crops})[:32]}"
    note = folder / "done.json"
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
    rows, shapes = _begun(note, len(wanted), count)
    if rows == len(wanted) and shapes:
        return Features(folder, shapes, wanted, count)
    asked = seam.quick(network)
    was = asked.training
    asked.eval()
    say.stage("features", len(wanted))
    say.advance(rows)
    maps: list[Any] = []
    done = rows
    try:
        while done < len(wanted):
            part = wanted[done : done + max(1, BATCH // count)]
            grids = [_grid(pixels, n, side, crops) for n in part]
            pieces = [cut(pixels[n], (own * count)[:count], side) for n, own in zip(part, grids)]
            x = torch.from_numpy(np.concatenate(pieces)).permute(0, 3, 1, 2).to(device, torch.float32) / 255
            with torch.inference_mode():
                parts = [asked.extract(some) for some in x.split(together(x))]
            taps = [torch.cat(tap).float().cpu().numpy() for tap in zip(*parts, strict=True)]
            if not maps:
                shapes = tuple((int(t.shape[1]), int(t.shape[2]), int(t.shape[3])) for t in taps)
                full = [(len(wanted), count, *shape) for shape in shapes]
                maps = [_map(folder, n, shape, "r+" if done else "w+") for n, shape in enumerate(full)]
            for target, tap in zip(maps, taps):
                target[done : done + len(part)] = tap.reshape(len(part), count, *tap.shape[1:])
            before, done = done, done + len(part)
            say.advance(len(part))
            if done // SAVE > before // SAVE or done == len(wanted):
                for target in maps:
                    target.flush()
                write_text(note, json.dumps({"rows": done, "shapes": shapes}))
    finally:
        asked.train(was)
    return Features(folder, shapes, wanted, count)


def trunk_of(network: Any) -> str:
    """Identity of what a network's stored features depend on.

    Raises:
        UsageError: it changes in training.
    """
    trunk = str(getattr(network, "trunk", "") or "")
    if not trunk or not hasattr(network, "extract"):
        raise UsageError(
            f"the trunk of {type(network).__name__} is not frozen, so its features cannot be stored; "
            "set cached = false in this stage",
            code="E-CFG",
        )
    return trunk


def together(crops: Tensor) -> int:
    """How many of these crops go through the network at once."""
    height, width = crops.shape[2:]
    return BATCH if crops.is_cuda else max(1, NEAR_BY // (height * width))


def _grid(pixels: Pixels, number: int, side: Side, crops: int) -> list[Crop]:
    height, width = (max(n, wanted) for n, wanted in zip(pixels.size(number), both(side)))
    return grid(height, width, side, crops)


def _begun(note: Path, wanted: int, crops: int) -> tuple[int, tuple[tuple[int, int, int], ...]]:
    """Rows that are stored, and the shapes of their taps.

    Raises:
        IntegrityError: the note cannot be read, or the taps are not as long as it says.
    """
    if not note.is_file():
        return 0, ()
    folder, rows, sound = note.parent, 0, False
    shapes: tuple[tuple[int, int, int], ...] = ()
    try:
        state = json.loads(note.read_text(encoding="utf-8"))
        rows, shapes = int(state["rows"]), tuple((int(c), int(h), int(w)) for c, h, w in state["shapes"])
        found = [(folder / f"tap{tap}.f16").stat().st_size for tap in range(len(shapes))]
        sound = 0 <= rows <= wanted and bool(shapes or not rows)
        sound &= found == [2 * wanted * crops * math.prod(shape) for shape in shapes]
    except (OSError, ValueError, KeyError, TypeError):
        sound = False
    if not sound:
        raise IntegrityError(f"{folder.name} is not what its name says; delete that folder and repeat", code="E-CACHE")
    return rows, shapes


def _map(folder: Path, tap: int, shape: tuple[int, ...], mode: Any) -> Any:
    return np.memmap(folder / f"tap{tap}.f16", np.float16, mode, shape=shape)
