"""Reference photographs for the pool that the shipped evaluators learn from: square crops of good pictures.

    python benchmarks/evaluator/references.py BIQ2021 --photos kodak=17 bsd100=16 --pairs hific/pairs.csv \\
        --apart live gan-image-database/images/Original --cache cache --out references

Every folder of ``--photos`` gives one crop, from the middle, of so many of its photographs, evenly chosen; what is
longer than 1,024 pixels is reduced to that first, as photographs are that people judge. The best rated pictures of the
training part of BIQ2021 (official split, without its validation part) give one each. Pictures that look like one of
``--apart`` are left out: the Kodak photographs are also those of LIVE, on which the evaluators are tested.

``--pairs`` names a table of published originals and of what a network made of them (columns original, restored; paths
relative to the table). Crops of the original become references; the same crops of the other picture go into the folder
``paired`` beside them, under the same names, and ``pairs.py`` adds them to the pool once that has been made.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np
from ganiq.bench.datasets import load as read_set
from ganiq.bench.images import Gate, read, save_png
from ganiq.bench.training import splits
from ganiq.bench.training.data import load
from ganiq.bench.training.likeness import NEAR, near, phash

SIDE = 320
LONGEST = 1024
OF_A_PAIR = 3
"""Crops of each pair, from left to right."""
ALSO = 10
"""Bits by which two scans of one photograph may differ (near-duplicates: up to 6)."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("biq", type=Path, help="folder of BIQ2021")
    parser.add_argument("--photos", nargs="+", default=[], help="folders of photographs, as FOLDER=COUNT")
    parser.add_argument("--pairs", type=Path, help="table of originals and restorations")
    parser.add_argument("--apart", type=Path, nargs="*", default=[], help="folders of photographs to stay away from")
    parser.add_argument("--count", type=int, default=30, help="pictures of BIQ2021")
    parser.add_argument("--seed", type=int, default=0, help="of the split")
    parser.add_argument("--cache", type=Path, required=True, help="folder of decoded pictures, shared with training")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    taken = [phash(picture) for folder in given.apart for _, picture in pictures(folder)]
    left_out = 0
    for entry in given.photos:
        folder, _, count = entry.partition("=")
        fit = [(n, p) for n, p in pictures(Path(folder)) if min(p.shape[:2]) >= SIDE]
        apart = [(n, p) for n, p in fit if not near([phash(p)], taken, ALSO)]
        left_out += len(fit) - len(apart)
        wanted = min(int(count or len(apart)), len(apart))
        for number in np.linspace(0, len(apart) - 1, wanted).round().astype(int):
            name, picture = apart[number]
            save_png(given.out / f"{Path(folder).name}-{name}.png", middle(picture))
    if given.pairs:
        left_out += paired(given.pairs, given.out, taken)
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


def paired(table: Path, out: Path, taken: list[int]) -> int:
    """Crops of originals and of what was made of them; how many pairs look like a picture to stay away from."""
    beside, left_out = out.parent / "paired", 0
    beside.mkdir(exist_ok=True)
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        original, restored = (whole(table.parent / row[column]) for column in ("original", "restored"))
        if original.shape != restored.shape:
            raise SystemExit(f"{row['original']} and {row['restored']} differ in size; leave this pair out of {table}")
        if near([phash(original)], taken, ALSO):
            left_out += 1
            continue
        height, width = original.shape[:2]
        top = (height - SIDE) // 2
        for number in range(OF_A_PAIR):
            x = round((number + 0.5) * width / OF_A_PAIR - SIDE / 2)
            name = f"pair-{Path(row['original']).stem}-{number}.png"
            save_png(out / name, original[top : top + SIDE, x : x + SIDE])
            save_png(beside / name, restored[top : top + SIDE, x : x + SIDE])
    return left_out


def pictures(folder: Path) -> list[tuple[str, np.ndarray]]:
    """Name and pixels of every image of a folder, reduced to ``LONGEST``."""
    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in (".png", ".webp", ".bmp", ".jpg"))
    return [(file.stem, reduced(whole(file))) for file in files]


def whole(file: Path) -> np.ndarray:
    return read(file, shown=file.name, gate=Gate(icc="convert"), root=file.parent)[0]


def reduced(picture: np.ndarray) -> np.ndarray:
    from PIL import Image

    height, width = picture.shape[:2]
    if max(height, width) <= LONGEST:
        return picture
    scale = LONGEST / max(height, width)
    size = round(width * scale), round(height * scale)
    return np.array(Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS))


def middle(picture: np.ndarray) -> np.ndarray:
    top, left = ((n - SIDE) // 2 for n in picture.shape[:2])
    return picture[top : top + SIDE, left : left + SIDE]


if __name__ == "__main__":
    main()
