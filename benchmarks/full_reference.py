"""Full-reference metrics: this suite against the libraries called pair by pair, whole process against whole process.

    python benchmarks/full_reference.py --references 4 --pyiqa

One command: makes ``--outputs`` distorted versions of each of ``--references`` crops (288x288 by default) of
photographs that ship with scikit-image, or takes ``--folder`` (a data set with ``items.csv``), and scores them with

* ``ganiq run`` (its own process, store and leaderboard included), with one worker and with one per core, and
* piq, torchmetrics and, with ``--pyiqa`` (installed into an environment of its own), pyiqa, called for one pair at
  a time on all cores (benchmarks/peer.py).

Runs alternate and the fastest of ``--repeat`` counts. Printed as Markdown: ratios per library and per metric, peak
memory, how much of the time is not spent in metrics, and how memory grows with the number of images.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import venv
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

HERE = Path(__file__).parent
GANIQ = [sys.executable, "-c", "from ganiq.bench.cli import main; main()"]
PHOTOGRAPHS = ("astronaut", "coffee", "chelsea", "rocket", "motorcycle_left", "ihc", "retina", "hubble_deep_field")


@dataclass
class Ended:
    """What a finished process took."""

    wall: float
    peak: int
    """Largest proportional memory of the process and its children together, in bytes."""
    output: str


# --------------------------------------------------------------------------------- images


def distorted(reference: Image.Image, n: int) -> Image.Image:
    """The n-th of any number of distortions: blur, noise, JPEG, resampling, contrast in turn, each time stronger."""
    kind, level = n % 5, 1 + n // 5
    if kind == 0:
        return reference.filter(ImageFilter.GaussianBlur(0.25 * level))
    if kind == 1:
        noise = np.random.default_rng(n).normal(0, 2 * level, (reference.height, reference.width, 3))
        return Image.fromarray(np.clip(np.rint(np.asarray(reference) + noise), 0, 255).astype(np.uint8))
    if kind == 2:
        file = io.BytesIO()
        reference.save(file, "JPEG", quality=max(3, 90 - 4 * level))
        return Image.open(io.BytesIO(file.getvalue())).convert("RGB")
    if kind == 3:
        width, height = (max(8, round(side / (1 + 0.2 * level))) for side in reference.size)
        return reference.resize((width, height), Image.Resampling.BICUBIC).resize(
            reference.size, Image.Resampling.BICUBIC
        )
    pixels = np.asarray(reference).astype(float)
    return Image.fromarray(np.clip(np.rint(127.5 + (pixels - 127.5) * (1 - 0.03 * level)), 0, 255).astype(np.uint8))


def write(folder: Path, references: int, outputs: int, side: int) -> None:
    """A data set of ``references`` x ``outputs`` PNG images with its ``items.csv``."""
    spec = find_spec("skimage")
    assert spec is not None and spec.origin is not None
    home = Path(spec.origin).parent / "data"
    found = [p for name in PHOTOGRAPHS for p in sorted(home.glob(f"{name}.*")) if p.suffix in (".png", ".jpg")]
    rows = ["image,reference,generator"]
    (folder / "images").mkdir(parents=True, exist_ok=True)
    for r in range(references):
        whole = Image.open(found[r % len(found)]).convert("RGB")
        turn = r // len(found)
        x, y = ((turn * 97) % max(1, whole.width - side + 1), (turn * 61) % max(1, whole.height - side + 1))
        if min(whole.size) < side:
            whole = whole.resize((max(side, whole.width), max(side, whole.height)))
        reference = whole.crop((x, y, x + side, y + side))
        reference.save(folder / f"images/r{r:03}.png")
        for n in range(outputs):
            distorted(reference, n).save(folder / f"images/r{r:03}_{n:03}.png")
            rows.append(f"images/r{r:03}_{n:03}.png,images/r{r:03}.png,d{n:03}")
    (folder / "items.csv").write_text("\n".join(rows) + "\n")


def part_of(folder: Path, count: int, place: Path) -> Path:
    """The first ``count`` items of a data set as a data set of its own."""
    place.mkdir(exist_ok=True)
    with open(folder / "items.csv") as file:
        lines = file.read().splitlines()
    (place / "items.csv").write_text("\n".join(lines[: count + 1]) + "\n")
    with open(place / "items.csv", newline="") as file:
        for name in {row[column] for row in csv.DictReader(file) for column in ("image", "reference")}:
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).write_bytes((folder / name).read_bytes())  # a link out of the folder would be refused
    return place


# --------------------------------------------------------------------------------- processes


def memory_of(root: int) -> int:
    """Proportional memory of a process and all below it, in bytes; 0 where /proc does not tell."""
    total, queue = 0, [root]
    while queue:
        pid = queue.pop()
        try:
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
            for task in Path(f"/proc/{pid}/task").iterdir():
                queue += [int(child) for child in (task / "children").read_text().split()]
        except OSError:
            continue
    return total


def ended(command: list[str], cores: set[int] | None = None) -> Ended:
    """Run a process to its end; it and all below it stay on ``cores`` where they are given."""
    started = time.perf_counter()
    settle = (lambda: os.sched_setaffinity(0, cores)) if cores else None
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=settle)
    peak, over = 0, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not over.wait(0.25):
            peak = max(peak, memory_of(process.pid))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    output, errors = process.communicate()
    wall = time.perf_counter() - started
    over.set()
    watcher.join()
    if process.returncode != 0:
        sys.exit(f"{' '.join(command)} ended with {process.returncode}:\n{errors[-2000:]}")
    return Ended(wall, peak, output)


def suite(
    folder: Path, metrics: list[str], workers: int, cores: set[int] | None = None
) -> tuple[Ended, dict[str, float], int]:
    """``ganiq run`` in a process of its own: what it took, seconds in each metric, number of scores."""
    with tempfile.TemporaryDirectory() as out:
        command = [*GANIQ, "run", "--data", str(folder), "--out", out, "--quiet"]
        command += ["--metrics", ",".join(metrics), "--workers", str(workers), "--no-gallery"]
        finished = ended(command, cores)
        timing = json.loads((Path(out) / "timing.json").read_text())["metrics"]
    return finished, {name: row["total"] for name, row in timing.items()}, sum(row["n"] for row in timing.values())


def peer(python: str, library: str, folder: Path, metrics: list[str]) -> tuple[Ended, dict[str, float]]:
    command = [python, str(HERE / "peer.py"), library, str(folder), "--metrics", ",".join(metrics)]
    finished = ended(command)
    return finished, json.loads(finished.output.splitlines()[-1])["seconds"]


def available(python: str, library: str, folder: Path) -> list[str]:
    return json.loads(ended([python, str(HERE / "peer.py"), library, str(folder), "--list"]).output.splitlines()[-1])


def environment(place: Path) -> str:
    """An environment that holds pyiqa; made once."""
    python = place / "bin" / "python"
    if not python.exists():
        venv.create(place, with_pip=True)
        wanted = [f"{name}=={version(name)}" for name in ("torch", "torchvision")]
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *wanted, "pyiqa"], check=True)
    return str(python)


# --------------------------------------------------------------------------------- the table


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--references", type=int, default=4)
    parser.add_argument("--outputs", type=int, default=116)
    parser.add_argument("--side", type=int, default=288)
    parser.add_argument("--folder", type=Path, help="a data set of your own instead")
    parser.add_argument("--repeat", type=int, default=2)
    parser.add_argument("--peers", default="piq,torchmetrics")
    parser.add_argument("--pyiqa", action="store_true", help="compare with pyiqa too (non-commercial licence)")
    parser.add_argument("--pyiqa-env", type=Path, default=Path(tempfile.gettempdir()) / "ganiq-benchmark-pyiqa")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = given.folder
        if folder is None:
            folder = Path(made) / "set"
            write(folder, given.references, given.outputs, given.side)
        compare(folder, Path(made), given)


def compare(folder: Path, scratch: Path, given: argparse.Namespace) -> None:
    with open(folder / "items.csv", newline="") as file:
        pairs = sum(1 for _ in csv.DictReader(file))
    cores = len(os.sched_getaffinity(0))
    pythons = {name: sys.executable for name in given.peers.split(",") if name}
    if given.pyiqa:
        pythons["pyiqa"] = environment(given.pyiqa_env)
    print(f"{pairs} pairs, {cores} cores, Python {platform.python_version()}, torch {version('torch')}\n", flush=True)
    print("| against | metrics | theirs, s | ours, s | ratio | their peak | our peak |")
    print("|---|---|---|---|---|---|---|", flush=True)
    per_metric: list[str] = []
    for library, python in pythons.items():
        metrics = available(python, library, folder)
        theirs, ours = [], []
        for _ in range(given.repeat):  # in turn, so that a slow minute hits both
            theirs.append(peer(python, library, folder, metrics))
            ours.append(suite(folder, metrics, cores))
        (their, seconds), (our, own, _) = (min(runs, key=lambda run: run[0].wall) for runs in (theirs, ours))
        print(
            f"| {library} | {len(metrics)} | {their.wall:.1f} | {our.wall:.1f} | **{their.wall / our.wall:.1f}** | "
            f"{their.peak / 1e6:.0f} MB | {our.peak / 1e6:.0f} MB |",
            flush=True,
        )
        per_metric += [
            f"| {library} | {name} | {1e3 * seconds[name] / pairs:.1f} | {1e3 * own[name] / pairs / cores:.1f} | "
            f"{seconds[name] * cores / own[name]:.1f} |"
            for name in metrics
        ]
    print("\nPer metric, milliseconds per pair (theirs on all cores; ours per worker, divided by the workers):\n")
    print("| library | metric | theirs | ours | ratio |\n|---|---|---|---|---|")
    print("\n".join(per_metric), flush=True)
    scaling(folder, scratch, pairs, cores, given.repeat)


def scaling(folder: Path, scratch: Path, pairs: int, cores: int, repeat: int) -> None:
    """Overhead, memory and workers, on the whole weight-free full-reference set."""
    listed = ended([*GANIQ, "list", "metrics", "--json"]).output
    metrics = [
        row["name"]
        for row in json.loads(listed)
        if row["needs"] == "pair" and row["available"] and not row.get("weights")
    ]
    one = min((suite(folder, metrics, 1) for _ in range(repeat)), key=lambda run: run[0].wall)
    all_ = min((suite(folder, metrics, cores) for _ in range(repeat)), key=lambda run: run[0].wall)
    core = {min(os.sched_getaffinity(0))}
    alone = min((suite(folder, metrics, 1, core) for _ in range(repeat)), key=lambda run: run[0].wall)
    quarter = suite(part_of(folder, max(8, pairs // 4), scratch / "quarter"), metrics, cores)
    start = statistics.median(suite(part_of(folder, 1, scratch / "one"), metrics, 1)[0].wall for _ in range(repeat))
    inside = sum(one[1].values())
    print(f"\nAll {len(metrics)} full-reference metrics without weights, {one[2]} scores:\n")
    print("| | |\n|---|---|")
    print(f"| one worker on one core, whole process | {alone[0].wall:.1f} s, {pairs / alone[0].wall:.1f} images/s |")
    print(f"| one worker on all cores, whole process | {one[0].wall:.1f} s, {pairs / one[0].wall:.1f} images/s |")
    print(f"| {cores} workers, whole process | {all_[0].wall:.1f} s, {pairs / all_[0].wall:.1f} images/s |")
    for what, run in (("one worker on one core", alone), ("one worker on all cores", one)):
        ratio, steady = run[0].wall / all_[0].wall, (run[0].wall - start) / (all_[0].wall - start)
        print(f"| {cores} workers against {what} | {ratio:.2f}; {steady:.2f} without start-up ({start:.1f} s) |")
    print(f"| one worker: time not in metrics, start-up included | {1 - inside / one[0].wall:.1%} |")
    print(f"| one worker: time not in metrics, without start-up | {1 - inside / (one[0].wall - start):.1%} |")
    print(f"| peak memory, all workers, {pairs // 4} images | {quarter[0].peak / 1e6:.0f} MB |")
    print(f"| peak memory, all workers, {pairs} images | {all_[0].peak / 1e6:.0f} MB |", flush=True)


if __name__ == "__main__":
    main()
