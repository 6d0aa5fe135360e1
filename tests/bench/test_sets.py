"""Set metrics in a run: what they are handed, what is shared, and what is said when they cannot be computed."""

from __future__ import annotations

import csv
import io
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
    guarded = {"fd-efflite0": 2048, "kd-efflite0": 100, "fd-inf-efflite0": 4096, "density-efflite0": 100}
    lowered = "kd-efflite0(least_n=12)"
    outcome = go(data, tmp_path / "out", *guarded, lowered)
    for name, least in guarded.items():
        cell = cells(outcome, name)["same"]
        assert cell["value"] is None
        assert cell["reason"].startswith(f"E-METRIC-ERROR {name}: 12 generated images, at least {least} are needed")
    found = cells(outcome, lowered)
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


def rows_of(outcome: Outcome) -> dict[str, Any]:
    return {row["name"]: row for row in outcome.leaderboard["metrics"]}


def cut(data: Path, *names: str) -> None:
    for name in names:
        place = data / name
        place.write_bytes(place.read_bytes()[:100])


@pytest.mark.parametrize("beside", [[], ["tv"]], ids=["alone", "beside a metric of images"])
def test_images_that_cannot_be_used_cost_only_themselves(data: Path, tmp_path: Path, beside: list[str]) -> None:
    cut(data, "same/3.png", "real/5.png")
    outcome = go(data, tmp_path / "out", "first-test", *beside)
    told = outcome.sets["first-test"]
    assert {name: (s.n, s.listed, s.status) for name, s in told.items()} == {
        "dark": (12, 12, "ok"), "few": (7, 7, "ok"), "same": (11, 12, "ok"),
    }  # fmt: skip
    (data / "same/3.png").unlink()
    (data / "real/5.png").unlink()
    (data / "items.csv").write_text(
        "".join(
            line + "\n"
            for line in (data / "items.csv").read_text().splitlines()
            if not line.startswith(("same/3.png", "real/5.png"))
        )
    )
    without = go(data, tmp_path / "without", "first-test").sets["first-test"]
    assert {k: s.estimate.value for k, s in told.items()} == {k: s.estimate.value for k, s in without.items()}
    assert outcome.exit_code == 1
    assert outcome.counts["refused"] == 2
    assert "2 images refused" in outcome.summary
    named = {f["key"]: f["code"] for f in outcome.leaderboard["failures"] if f["metric"] == ""}
    assert named == {"same/3": "E-IMG-TRUNC", "real/5": "E-IMG-TRUNC"}
    row = rows_of(outcome)["first-test"]
    assert (row["status"], row["n_used"], row["n_expected"], row["n_failed"]) == ("ok", 30, 31, 1)


def test_a_pristine_image_that_is_no_item_is_named_too(data: Path, tmp_path: Path) -> None:
    lines = ["image,reference,generator"]
    lines += [f"{g}/{n}.png,real/{n}.png,{g}" for g in ("same", "dark") for n in range(COUNT)]
    (data / "items.csv").write_text("\n".join(lines) + "\n")
    whole = go(data, tmp_path / "whole", "first-test")
    assert (whole.exit_code, whole.counts["refused"]) == (0, 0)
    cut(data, "real/5.png")
    (data / "real/6.png").unlink()
    outcome = go(data, tmp_path / "out", "first-test")
    assert [s.status for s in outcome.sets["first-test"].values()] == ["ok", "ok"]
    assert {f["key"]: f["code"] for f in outcome.leaderboard["failures"]} == {
        "real/5.png": "E-IMG-TRUNC", "real/6.png": "E-IO-MISSING",
    }  # fmt: skip
    assert (outcome.exit_code, outcome.counts["refused"]) == (1, 2)


def test_a_damaged_image_is_tried_again_and_its_repair_is_no_conflict(data: Path, tmp_path: Path) -> None:
    good = (data / "dark/0.png").read_bytes()
    cut(data, "dark/0.png")
    before = go(data, tmp_path / "out", "first-test")
    extracted.clear()
    again = go(data, tmp_path / "out", "first-test")
    assert extracted == [], "what could be used is remembered, beside an image that could not"
    assert again.sets == before.sets
    assert again.counts["refused"] == 1
    (data / "dark/0.png").write_bytes(good)
    repaired = go(data, tmp_path / "out", "first-test")
    assert repaired.sets["first-test"]["dark"].n == COUNT
    assert repaired.sets["first-test"]["dark"].estimate.value != before.sets["first-test"]["dark"].estimate.value
    assert (repaired.exit_code, repaired.counts["conflicts"]) == (0, 0)


def test_sets_without_any_usable_image_say_why(data: Path, tmp_path: Path) -> None:
    cut(data, *(f"few/{n}.png" for n in range(7)))
    told = go(data, tmp_path / "out", "first-test", "tv").sets["first-test"]
    assert told["few"].status == "failed"
    assert told["few"].estimate.reason.startswith("E-IMG-TRUNC none of the generated images can be used; the first: E-")
    assert told["dark"].status == "ok"
    cut(data, *(f"real/{n}.png" for n in range(COUNT)))
    outcome = go(data, tmp_path / "other", "first-test")
    assert {s.estimate.reason.split(";")[0] for s in outcome.sets["first-test"].values()} == {
        "E-IMG-TRUNC none of the pristine images can be used", "E-IMG-TRUNC none of the generated images can be used",
    }  # fmt: skip
    assert rows_of(outcome)["first-test"]["status"] == "failed"


def test_refused_set_metrics_are_counted_and_say_why(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from ganiq.bench.cli import _finish

    job = {"data": data, "out": tmp_path / "out", "gallery": False, "statistics": {"resamples": 200}}
    job["metrics"] = ["fd-efflite0", "third-test", "precision-efflite0(k=2,least_n=5)"]
    assert _finish(build(job), Folder().load(data), quiet=True) == 1
    shown = capsys.readouterr().out
    lines = [" ".join(line.split()) for line in shown.splitlines()]
    for name, n in (("same", 12), ("dark", 12), ("few", 7)):
        assert any(s.startswith(f"fd-efflite0 lower {name} {n}/{n} - - failed E-METRIC-ERROR") for s in lines), shown
        assert any(s.startswith(f"third-test lower {name} {n}/{n} ") and " ok" in s for s in lines), shown
    assert "at least 2048 are needed" in " ".join(lines)
    assert "0/0" not in shown
    assert "5 scores of sets, 4 scores of sets failed" in shown
    metrics = {r["name"]: r for r in csv.DictReader(io.StringIO((tmp_path / "out/metrics.csv").read_text()))}
    assert metrics["fd-efflite0"]["status"] == "failed"
    assert "at least 2048 are needed" in metrics["fd-efflite0"]["reason"]
    assert metrics["third-test"]["status"] == "ok"
    partly = metrics["precision-efflite0(k=2,least_n=5)"]
    assert (partly["status"], partly["n_used"], partly["n_failed"]) == ("ok", "24", "7")
    assert partly["reason"].startswith("no number for few: E-METRIC-ERROR")
    for row in csv.DictReader(io.StringIO((tmp_path / "out/generators.csv").read_text())):
        assert "at least 2048 are needed" in row["fd-efflite0 reason"]
        assert row["third-test"]
    assert _finish(build(job | {"metrics": ["first-test"]}), Folder().load(data), quiet=True) == 0


def test_numbers_of_one_generator_are_shown_too(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It has no board of generators to stand on."""
    from ganiq.bench.cli import _finish

    lines = (data / "items.csv").read_text().splitlines()
    (data / "items.csv").write_text("\n".join([lines[0], *(s for s in lines if "dark" in s or "real" in s)]) + "\n")
    job = {"data": data, "out": tmp_path / "out", "gallery": False, "metrics": ["first-test"]}
    assert _finish(build(job), Folder().load(data), quiet=True) == 0
    assert "first-test   lower    dark        12/12" in capsys.readouterr().out
