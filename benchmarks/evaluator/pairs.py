"""Adds crops of published restorations to a pool, beside what was made of the same references there.

    python benchmarks/evaluator/pairs.py pool paired --name HiFiC --family gan

``paired`` holds images called like the pool's references (``references.py --pairs``). Each becomes an image of the pool
with that reference; a second call changes nothing.
"""

from __future__ import annotations

import argparse
import csv
import io
from pathlib import Path

from ganiq.bench.atomic import write_text
from ganiq.bench.images import Gate, read, save_png


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pool", type=Path, help="folder made by `ganiq generate`")
    parser.add_argument("images", type=Path, help="folder of restorations")
    parser.add_argument("--name", required=True, help="of what restored them")
    parser.add_argument("--family", choices=("gan", "traditional"), default="gan")
    given = parser.parse_args()
    table = given.pool / "items.csv"
    with table.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        columns, rows = list(reader.fieldnames or ()), list(reader)
    known = {row["key"] for row in rows}
    groups = {Path(row["reference"]).stem: row for row in rows if row["reference"]}
    added = 0
    for file in sorted(given.images.glob("*.png")):
        key = f"{given.name}/{file.stem}"
        if file.stem not in groups:
            raise SystemExit(f"{file.name}: the pool has no reference of that name; make it with the same references")
        if key in known:
            continue
        place = given.pool / "restored" / given.name / file.name
        place.parent.mkdir(parents=True, exist_ok=True)
        # Through the suite's own gate and writer, as every other image of the pool.
        save_png(place, read(file, shown=file.name, gate=Gate(), root=given.images)[0])
        beside = groups[file.stem]
        row = dict.fromkeys(columns, "") | {
            "key": key, "image": place.relative_to(given.pool).as_posix(), "reference": beside["reference"],
            "generator": given.name, "distortion": given.name, "family": given.family, "group": beside["group"],
            "block": f"{beside['group']}/{given.name}",
        }  # fmt: skip
        rows.append(row)
        added += 1
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(table, text.getvalue())
    print(f"{added} images of {given.name} added to {given.pool}")


if __name__ == "__main__":
    main()
