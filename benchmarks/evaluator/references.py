"""Reference photographs for the pool that the shipped evaluators learn from: square crops of good pictures.

    python benchmarks/evaluator/references.py BIQ2021 --photos kodak bsd100 --apart live --out references

Photographs of ``--photos`` give one crop per 400 pixels of width, from left to right. The best rated pictures of the
training part of BIQ2021 (official split, without its validation part) give one each, from the middle. Pictures that
look like one of ``--apart`` are left out: the Kodak photographs are also those of LIVE, on which the evaluators are
tested.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from ganiq.bench.datasets import load as read_set
from ganiq.bench.images import Gate, read, save_png
from ganiq.bench.training import splits
from ganiq.bench.training.data import load
from ganiq.bench.training.likeness import NEAR, near, phash

SIDE = 288
WIDTH = 400
ALSO = 10
"""Bits by which two scans of one photograph may differ (near-duplicates: up to 6)."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("biq", type=Path, help="folder of BIQ2021")
    parser.add_argument("--photos", type=Path, nargs="+", default=[], help="folders of photographs")
    parser.add_argument("--apart", type=Path, nargs="*", default=[], help="folders of photographs to stay away from")
    parser.add_argument("--count", type=int, default=150, help="pictures of BIQ2021")
    parser.add_argument("--seed", type=int, default=0, help="of the split")
    parser.add_argument("--cache", type=Path, required=True, help="folder of decoded pictures, shared with training")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    taken = [phash(picture) for folder in given.apart for _, picture in pictures(folder)]
    left_out = 0
    for folder in given.photos:
        for name, picture in pictures(folder):
            if near([phash(picture)], taken, ALSO):
                left_out += 1
                continue
            for number, crop in enumerate(crops(picture)):
                save_png(given.out / f"{folder.name}-{name}-{number}.png", crop)
    data = load(read_set(given.biq, "biq2021"), given.cache, Gate(exif="apply"))
    part = data.select(splits.make(data, "official", given.seed).train)
    best = sorted(part.samples, key=lambda s: (-(s.score or 0.0), s.key))
    seen: list[int] = []
    for sample in best:
        value = part.pixels.phash(sample.image)
        if near([value], seen, NEAR) or near([value], taken, ALSO):
            continue
        seen.append(value)
        name = sample.key.replace(" ", "").replace("(", "-").replace(")", "")
        save_png(given.out / f"biq2021-{name}.png", middle(np.array(part.pixels[sample.image])))
        if len(seen) == given.count:
            break
    print(f"{len(list(given.out.glob('*.png')))} references in {given.out}; {left_out} photographs left out")


def pictures(folder: Path) -> list[tuple[str, np.ndarray]]:
    """Name and pixels of every image of a folder."""
    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in (".png", ".webp", ".bmp", ".jpg"))
    return [(file.stem, read(file, shown=file.name, gate=Gate(), root=folder)[0]) for file in files]


def crops(picture: np.ndarray) -> list[np.ndarray]:
    """Squares of ``SIDE`` pixels, spread over the width."""
    height, width = picture.shape[:2]
    count = max(1, width // WIDTH)
    top = (height - SIDE) // 2
    lefts = [round((n + 0.5) * width / count - SIDE / 2) for n in range(count)]
    return [picture[top : top + SIDE, x : x + SIDE] for x in lefts]


def middle(picture: np.ndarray) -> np.ndarray:
    top, left = ((n - SIDE) // 2 for n in picture.shape[:2])
    return picture[top : top + SIDE, left : left + SIDE]


if __name__ == "__main__":
    main()
