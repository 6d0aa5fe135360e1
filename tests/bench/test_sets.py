"""Set metrics in a run: what they are handed, what is shared, and what is said when they cannot be computed."""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ganiq.bench import registry
from ganiq.bench.datasets.folder import Folder
from ganiq.bench.protocols import ExtractorInfo, MetricInfo
from ganiq.bench.run import Outcome, run
from ganiq.bench.sweep import build
from ganiq.bench.types import Estimate
from PIL import Image

COUNT = 12
extracted: list[int] = []
handed: dict[str, list[tuple[int, int]]] = {}


class Means:
    info = ExtractorInfo("means-test", "Means of bands", 6, preprocessing="means of upper and lower half")

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        extracted.append(1)
        half = images.shape[2] // 2
        return torch.cat([images[:, :, :half].mean(dim=(2, 3)), images[:, :, half:].mean(dim=(2, 3))], dim=1)


class First:
    info = MetricInfo("first-test", "First", needs="set", better="lower", bounds=(0.0, 1e9))
    features = "means-test"

    def __call__(self, generated: torch.Tensor, real: torch.Tensor) -> float:
        handed.setdefault(self.info.name, []).append((id(generated), id(real)))
        kept.extend((generated, real))
        return float((generated.mean(0) - real.mean(0)).norm())


class Second(First):
    info = MetricInfo("second-test", "Second", needs="set", better="lower", bounds=(0.0, 1e9))


class Third(First):
    """Knows more than a number."""

    info = MetricInfo("third-test", "Third", needs="set", better="lower", bounds=(0.0, 1e9))

    def __call__(self, generated: torch.Tensor, real: torch.Tensor) -> float:
        raise AssertionError("a run calls estimate alone")

    def estimate(self, generated: torch.Tensor, real: torch.Tensor) -> Estimate:
        value = First.__call__(self, generated, real)
        if len(generated) < COUNT:
            return Estimate(value, n=len(generated), reason="no interval: few images")
        return Estimate(value, value - 1, value + 1, len(generated))


kept: list[torch.Tensor] = []
"""So that no address is used twice."""


@pytest.fixture(autouse=True)
def _plug_in(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("ganiq.sets_test")
    for part in (Means, First, Second, Third):
        setattr(module, part.__name__, part)
    monkeypatch.setitem(sys.modules, "ganiq.sets_test", module)
    for name, attribute in (("first-test", "First"), ("second-test", "Second"), ("third-test", "Third")):
        monkeypatch.setitem(registry.metrics.builtin, name, f"sets_test:{attribute}")  # type: ignore[arg-type]
    # A stand-in for the network: the metrics on its features are the real ones.
    for name in ("means-test", "efficientnet-lite0"):
        monkeypatch.setitem(registry.extractors.builtin, name, "sets_test:Means")  # type: ignore[arg-type]
    for memory in (extracted, handed, kept):
        memory.clear()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Twelve pristine images; ``same`` are twelve others of their kind, ``dark`` twelve dark ones, ``few`` seven."""
    folder, random = tmp_path / "data", np.random.default_rng(1)
    lines = ["image,generator,role,group"]
    for name, count, brightness in (("real", COUNT, 1), ("same", COUNT, 1), ("dark", COUNT, 0.2), ("few", 7, 1)):
        (folder / name).mkdir(parents=True)
        for n in range(count):
            low = random.integers(0, 256, (2, 2, 3)) * brightness
            Image.fromarray(low.astype(np.uint8)).resize((16, 16)).save(folder / name / f"{n}.png")
            lines.append(f"{name}/{n}.png,{'' if name == 'real' else name},{'reference' if name == 'real' else ''},{n}")
    (folder / "items.csv").write_text("\n".join(lines) + "\n")
    return folder


def go(data: Path, out: Path, *metrics: str) -> Outcome:
    sweep = build({"data": data, "metrics": metrics, "out": out, "gallery": False, "statistics": {"resamples": 200}})
    return run(sweep, Folder().load(data))


def cells(outcome: Outcome, metric: str) -> dict[str, Any]:
    return {row["name"]: row["metrics"][metric] for row in outcome.leaderboard["generators"]}


def test_metrics_of_one_extractor_get_the_same_tensors(data: Path, tmp_path: Path) -> None:
    go(data, tmp_path / "out", "first-test", "second-test")
    assert handed["first-test"] == handed["second-test"]
    assert len(set(handed["first-test"])) == 3
    assert len({real for _, real in handed["first-test"]}) == 1
    assert len(extracted) == 3 * COUNT + 7


def test_what_a_metric_knows_of_its_number_is_on_the_board(data: Path, tmp_path: Path) -> None:
    outcome = go(data, tmp_path / "out", "first-test", "third-test")
    plain, more = cells(outcome, "first-test"), cells(outcome, "third-test")
    for name, cell in plain.items():
        assert (cell["low"], cell["high"], cell.get("reason")) == (None, None, None)
        assert more[name]["value"] == cell["value"]
    ends = [more["same"]["value"] - 1, more["same"]["value"] + 1]
    assert [more["same"]["low"], more["same"]["high"]] == pytest.approx(ends, abs=1e-4)
    assert (more["few"]["low"], more["few"]["reason"]) == (None, "no interval: few images")


def test_shares_of_neighbours_in_a_run(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ganiq.metrics.sets import neighbours

    passes = []
    original = neighbours._tiles

    def counted(x: torch.Tensor, y: torch.Tensor):
        passes.append(1)
        return original(x, y)

    monkeypatch.setattr(neighbours, "_tiles", counted)
    names = [f"{name}-efflite0(k=2,least_n=5)" for name in ("precision", "recall", "density", "coverage")]
    outcome = go(data, tmp_path / "out", *names)
    assert len(passes) == 1 + 2 + 2, "the real set once; each generator within and across"
    for metric in outcome.leaderboard["metrics"]:
        found = cells(outcome, metric["name"])
        assert found["same"]["value"] > found["dark"]["value"] + 0.2, metric["name"]
        assert found["few"]["value"] is None
        assert "7 generated and 12 real images" in found["few"]["reason"]
        assert "give n=7" in found["few"]["reason"]


def test_too_few_images_are_one_sentence_on_the_board(data: Path, tmp_path: Path) -> None:
    outcome = go(data, tmp_path / "out", "fd-efflite0", "kd-efflite0", "fd-inf-efflite0", "density-efflite0")
    for name, least in (("fd-efflite0", 2048), ("fd-inf-efflite0", 4096), ("density-efflite0", 100)):
        cell = cells(outcome, name)["same"]
        assert cell["value"] is None
        assert cell["reason"].startswith(f"E-METRIC-ERROR {name}: 12 generated images, at least {least} are needed")
    found = cells(outcome, "kd-efflite0")
    assert abs(found["same"]["value"]) < found["dark"]["value"]


def test_samples_that_share_no_reference_stand_side_by_side(data: Path, tmp_path: Path) -> None:
    """Unconditional generators: every image is its own group; set metrics and no-reference means compare them."""
    lines = (data / "items.csv").read_text().splitlines()
    own = [lines[0]] + [
        f"{image},{generator},{role},{image}"
        for image, generator, role, _ in (line.split(",") for line in lines[1:])
        if generator != "few"
    ]
    (data / "items.csv").write_text("\n".join(own) + "\n")
    board = go(data, tmp_path / "out", "first-test", "tv").leaderboard
    rows: dict[str, Any] = {row["name"]: row for row in board["generators"]}
    assert set(rows) == {"same", "dark"}
    assert "share no reference" in board["generator_board"]["note"]
    assert rows["same"]["metrics"]["tv"]["low"] < rows["same"]["metrics"]["tv"]["value"]
    assert rows["same"]["metrics"]["first-test"]["value"] < rows["dark"]["metrics"]["first-test"]["value"]
    assert (rows["same"]["ranks"]["first-test"], rows["dark"]["ranks"]["first-test"]) == (1, 2)
    assert "human" not in rows["same"]["ranks"]


def test_means_over_different_references_are_not_compared(data: Path, tmp_path: Path) -> None:
    lines = ["image,reference,generator"]
    lines += [f"same/{n}.png,real/{n}.png,same" for n in range(6)]
    lines += [f"dark/{n}.png,real/{n}.png,dark" for n in range(6, 12)]
    (data / "items.csv").write_text("\n".join(lines) + "\n")
    board = go(data, tmp_path / "out", "first-test", "psnr").leaderboard
    for row in board["generators"]:
        assert row["metrics"]["psnr"]["value"] is None
        assert "different references do not compare" in row["metrics"]["psnr"].get("reason", "")
        assert row["metrics"]["first-test"]["value"] is not None


def test_unequal_numbers_of_images_place_nobody(data: Path, tmp_path: Path) -> None:
    board = go(data, tmp_path / "out", "first-test").leaderboard
    assert "different numbers of images" in board["generator_board"]["note"]
    assert all("first-test" not in row["ranks"] for row in board["generators"])
