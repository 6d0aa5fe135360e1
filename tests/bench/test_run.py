"""The main job on small folders made here: what comes out, what resumes, what stays the same."""

from __future__ import annotations

import csv
import json
import sqlite3
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ganiq.bench import run as runs
from ganiq.bench.datasets import load
from ganiq.bench.errors import UsageError
from ganiq.bench.scoring import as_tensor
from ganiq.bench.sweep import build
from PIL import Image

METRICS = ("psnr", "gmsd", "mse", "ssim")


def make_folder(
    root: Path, references: int = 9, levels: int = 6, side: int = 48, better: str = "higher", noise: float = 0.0
) -> Path:
    """Smooth photographs with growing noise by two generators; the score falls with the noise."""
    root.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(7)
    rows = []
    for r in range(references):
        y, x = np.mgrid[:side, :side] / side
        waves = [np.sin((2 + c + r) * x * 3 + (1 + c) * y * 4 + r) for c in range(3)]
        base = 127 + 80 * np.stack(waves, -1)
        Image.fromarray(base.round().clip(0, 255).astype(np.uint8)).save(root / f"ref{r}.png")
        for level in range(levels):
            made = base + rng.normal(0, 3 + 6 * level, base.shape)
            name = f"r{r}_l{level}.png"
            Image.fromarray(made.round().clip(0, 255).astype(np.uint8)).save(root / name)
            quality = 5 - level + rng.normal(0, noise) if noise else 5.0 - level
            score = quality if better == "higher" else -quality
            rows.append([name, f"ref{r}.png", f"{score:.4f}", f"noise{level}", "gan" if level % 2 else "traditional"])
    with (root / "items.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "reference", "score", "generator", "family"])
        writer.writerows(rows)
    (root / "items.toml").write_text(f'name = "tiny"\n[score]\nkind = "MOS"\nbetter = "{better}"\n')
    return root


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_folder(tmp_path_factory.mktemp("tiny") / "data")


def go(data: Path, out: Path, metrics: tuple[str, ...] = METRICS, **more: Any) -> runs.Outcome:
    document = {"data": data, "out": out, "metrics": metrics, "engine": {"kind": "serial"}, **more}
    return runs.run(build(document), load(data))


def row(outcome: runs.Outcome, name: str) -> dict[str, Any]:
    board: Any = outcome.leaderboard
    return next(r for kind in ("metrics", "controls", "published") for r in board[kind] if r["name"] == name)


def scores(outcome: runs.Outcome) -> list[dict[str, str]]:
    with (outcome.folder / "scores.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_whole_chain(folder: Path, tmp_path: Path) -> None:
    outcome = go(folder, tmp_path)
    assert outcome.exit_code == 0
    assert outcome.counts["ok"] == 9 * 6 * len(METRICS) == outcome.counts["computed"]
    for name in ("store.sqlite", "leaderboard.json", "timing.json", "scores.csv", "run.json"):
        assert (tmp_path / name).is_file()
    psnr = row(outcome, "psnr")
    assert psnr["srocc_within"]["value"] == pytest.approx(1.0, abs=1e-9)
    assert psnr["n_used"] == psnr["n_expected"] == 54
    assert {r["source"] for r in outcome.leaderboard["controls"]} == {"control"}
    identity = row(outcome, "algorithm-identity")
    assert identity["srocc_pooled"]["value"] > 0.99  # here the level decides everything
    assert abs(row(outcome, "random")["srocc_pooled"]["value"]) < 0.5
    assert {c["code"] for c in outcome.leaderboard["classes"]} == {"family:gan", "family:traditional"}
    generators = outcome.leaderboard["generators"]
    assert [g["name"] for g in generators] == [f"noise{n}" for n in range(6)]
    assert [g["ranks"]["psnr"] for g in generators] == [1, 2, 3, 4, 5, 6]
    assert all(g["human"]["low"] is not None or g["human"].get("reason") for g in generators)


def test_second_run_computes_nothing_and_writes_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    go(folder, tmp_path)
    before = {n: (tmp_path / n).read_bytes() for n in ("leaderboard.json", "scores.csv")}
    again = go(folder, tmp_path)
    assert again.counts["computed"] == 0
    assert before == {n: (tmp_path / n).read_bytes() for n in before}


def test_bytes_do_not_depend_on_the_executor_or_the_folder(folder: Path, tmp_path: Path) -> None:
    one = go(folder, tmp_path / "a").folder / "leaderboard.json"
    two = go(folder, tmp_path / "b", engine={"kind": "process", "workers": 2}).folder / "leaderboard.json"
    assert one.read_bytes() == two.read_bytes()


def test_only_what_is_missing_is_computed(folder: Path, tmp_path: Path) -> None:
    assert go(folder, tmp_path, ("psnr",)).counts["computed"] == 54
    assert go(folder, tmp_path, ("psnr", "gmsd")).counts["computed"] == 54


def test_direction_is_declared_never_guessed(tmp_path: Path) -> None:
    """A metric that runs against people has a negative correlation; nobody takes an absolute value."""
    data = make_folder(tmp_path / "data", better="higher")
    (data / "items.toml").write_text('name = "tiny"\n[score]\nkind = "DMOS"\nbetter = "lower"\n')
    outcome = go(data, tmp_path / "out", ("psnr",))
    psnr = row(outcome, "psnr")
    assert psnr["srocc_pooled"]["value"] < -0.9
    assert psnr["plcc_fit"]["value"] < -0.9


def test_lower_is_better_scores_agree_as_well(tmp_path: Path) -> None:
    data = make_folder(tmp_path / "data", better="lower")
    outcome = go(data, tmp_path / "out", ("psnr", "mse"))
    for name in ("psnr", "mse"):
        assert row(outcome, name)["srocc_within"]["value"] == pytest.approx(1.0, abs=1e-9)


def test_identical_image_is_infinite_and_not_in_means(folder: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    make_folder(data)
    (data / "r0_l0.png").write_bytes((data / "ref0.png").read_bytes())
    outcome = go(data, tmp_path / "out", ("psnr", "mse"))
    assert outcome.exit_code == 0
    assert outcome.counts["nonfinite"] == 1
    assert row(outcome, "psnr")["n_nonfinite"] == 1
    assert "E-VAL-INF" in {f["code"] for f in outcome.leaderboard["failures"]}


def test_refused_images_have_a_row_and_the_rest_is_unchanged(folder: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    make_folder(data)
    clean = go(data, tmp_path / "clean")
    (data / "r3_l2.png").write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    (data / "r4_l1.png").unlink()
    outcome = go(data, tmp_path / "out")
    assert outcome.exit_code == 1
    assert outcome.counts["refused"] == 1 + 1
    codes = {f["key"]: f["code"] for f in outcome.leaderboard["failures"]}
    assert codes["r3_l2"] == "E-IMG-FORMAT"
    assert codes["r4_l1"] == "E-IO-MISSING"
    assert row(outcome, "psnr")["n_used"] == 52
    assert row(outcome, "psnr")["n_expected"] == 54
    before = {r["key"]: r for r in scores(clean)}
    for r in scores(outcome):
        if r["key"] not in codes:
            assert r == before[r["key"]]
        else:
            assert r["psnr"] == ""


def test_a_mended_file_is_scored_by_the_next_run(tmp_path: Path) -> None:
    data = make_folder(tmp_path / "data")
    good = (data / "r3_l2.png").read_bytes()
    (data / "r3_l2.png").write_bytes(good[: len(good) // 2])
    assert go(data, tmp_path / "out").counts["refused"] == 1
    (data / "r3_l2.png").write_bytes(good)
    mended = go(data, tmp_path / "out")
    assert mended.exit_code == 0
    assert mended.counts["refused"] == 0
    assert mended.counts["computed"] == len(METRICS)
    fresh = go(data, tmp_path / "fresh")
    assert (mended.folder / "leaderboard.json").read_bytes() == (fresh.folder / "leaderboard.json").read_bytes()


def test_size_mismatch_fails_pairs_only(tmp_path: Path) -> None:
    data = make_folder(tmp_path / "data", references=9)
    Image.new("RGB", (50, 48), (9, 9, 9)).save(data / "r0_l0.png")
    outcome = go(data, tmp_path / "out", ("psnr", "tv"))
    assert outcome.exit_code == 1
    assert [(f["key"], f["metric"], f["code"]) for f in outcome.leaderboard["failures"]] == [
        ("r0_l0", "psnr", "E-PAIR-SIZE")
    ]


def test_missing_reference_fails_pairs_and_not_the_rest(tmp_path: Path) -> None:
    data = make_folder(tmp_path / "data")
    (data / "ref0.png").unlink()
    outcome = go(data, tmp_path / "out", ("psnr", "tv"))
    assert outcome.counts["failed"] == 6
    assert {f["metric"] for f in outcome.leaderboard["failures"]} == {"psnr"}


def test_small_images_are_skipped_with_a_reason(tmp_path: Path) -> None:
    data = make_folder(tmp_path / "data", side=24)
    outcome = go(data, tmp_path / "out", ("psnr", "ms-ssim"))
    assert outcome.exit_code == 1
    small = row(outcome, "ms-ssim")
    assert small["status"] == "not-applicable"
    assert "E-IMG-SMALL" in small["reason"]
    assert small["n_skipped"] == 54
    assert row(outcome, "psnr")["n_used"] == 54


@pytest.mark.parametrize(
    ("metric", "side"),
    [
        ("ssim(window=101,crop=40)", 181), ("ssim-gray(window=27)", 27), ("ssim-y(crop=10)", 31), ("psnr(crop=12)", 25),
        ("psnr-y(crop=30)", 61), ("cw-ssim(level=5)", 128), ("niqe(crop=4)", 200),
    ],
)  # fmt: skip
def test_images_too_small_for_the_parameters_are_skipped_too(tmp_path: Path, metric: str, side: int) -> None:
    outcome = go(make_folder(tmp_path / "data", side=24), tmp_path / "out", (metric,))
    (column,) = outcome.leaderboard["metrics"]
    assert f"needs a shortest side of {side}; not scored" in column["reason"]
    assert (column["n_skipped"], column["n_failed"]) == (54, 0)
    assert {f["code"] for f in outcome.leaderboard["failures"]} == {"E-IMG-SMALL"}


def test_images_large_enough_for_the_parameters_are_scored(tmp_path: Path) -> None:
    data = make_folder(tmp_path / "data", side=24)
    outcome = go(data, tmp_path / "out", ("ssim(window=5)", "psnr(crop=0)", "cw-ssim(level=2)"))
    assert [r["n_used"] for r in outcome.leaderboard["metrics"]] == [54, 54, 54]


def test_pixels_that_cannot_be_written_to_are_read_without_a_warning() -> None:
    pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    pixels.setflags(write=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tensor = as_tensor(pixels, "float64")
    assert tensor[0, 1, 0].mul(255).round().tolist() == [1, 4, 7, 10]


def test_no_reference_set_shows_full_reference_metrics_as_not_applicable(tmp_path: Path) -> None:
    data = make_folder(tmp_path / "data")
    lines = (data / "items.csv").read_text().splitlines()
    kept = [",".join(c for n, c in enumerate(line.split(",")) if n != 1) for line in lines]
    (data / "items.csv").write_text("\n".join(kept) + "\n")
    outcome = go(data, tmp_path / "out", ("psnr", "tv"))
    assert row(outcome, "psnr")["status"] == "not-applicable"
    assert "E-SKIP-REFERENCE" in row(outcome, "psnr")["reason"]
    assert row(outcome, "tv")["n_used"] == 54
    card = outcome.leaderboard["dataset"]
    assert card["n_references"] == 0
    assert "reference" not in card["shares"]  # every image stands alone: all of the variance, of whatever scores
    assert "reference" not in outcome.leaderboard["subtitle"]
    default = go(data, tmp_path / "default", ("default",))
    assert {r["needs"] for r in default.leaderboard["metrics"]} == {"image"}


def test_missing_weights_are_a_row_with_the_command(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GANIQ_WEIGHTS", str(tmp_path / "none"))
    outcome = go(folder, tmp_path / "out", ("psnr", "lpips-alex"))
    lpips = row(outcome, "lpips-alex")
    assert lpips["status"] == "needs-weights"
    assert lpips["reason"] == "needs weights: `ganiq weights get lpips-alex`"
    assert lpips["srocc_pooled"]["value"] is None
    assert lpips["tier"] is None
    assert outcome.exit_code == 1
    assert row(outcome, "psnr")["n_used"] == 54


def test_imported_scores_join_the_board_marked(folder: Path, tmp_path: Path) -> None:
    table = tmp_path / "theirs.csv"
    lines = ["item,metric,value,better"]
    for r in range(9):
        lines += [f"r{r}_l{level},their-metric,{level + r * 0.01},lower" for level in range(6)]
    lines.append("nobody,their-metric,1,lower")
    table.write_text("\n".join(lines) + "\n")
    outcome = go(folder, tmp_path / "out", ("psnr",), **{"import": [table]})
    imported = row(outcome, "their-metric (imported)")
    assert imported["source"] == "imported"
    assert "imported" in imported["badges"]
    assert imported["srocc_within"]["value"] == pytest.approx(1.0, abs=1e-9)
    assert "1 of its rows" in imported["note"]
    assert outcome.leaderboard["provenance"]["imports"][0]["file"] == "theirs.csv"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("item,metric\nr0_l0,x\n", "value"),
        ("item,metric,value\nr0_l0,odd,1\n", "which way"),
        ("item,metric,value,better\nr0_l0,x,one,higher\n", "not a number"),
        ("item,metric,value,better\nr0_l0,x,1,up\n", "higher or lower"),
        ("item,metric,value,better\nr0_l0,x,1,higher\nr0_l0,x,2,higher\n", "second"),
        ("item,metric,value,better\nelsewhere,x,1,higher\n", "none of its items"),
    ],
)
def test_bad_imports_are_one_sentence(folder: Path, tmp_path: Path, text: str, message: str) -> None:
    table = tmp_path / "bad.csv"
    table.write_text(text)
    with pytest.raises(UsageError, match=message):
        go(folder, tmp_path / "out", ("psnr",), **{"import": [table]})


def test_one_metric_with_gaps_does_not_take_rows_from_the_others(folder: Path, tmp_path: Path) -> None:
    table = tmp_path / "half.csv"
    lines = ["item,metric,value,better"] + [f"r{r}_l{n},half,{n},lower" for r in range(4) for n in range(6)]
    table.write_text("\n".join(lines) + "\n")
    outcome = go(folder, tmp_path / "out", ("psnr", "mse"), **{"import": [table]})
    half = row(outcome, "half (imported)")
    assert half["status"] == "undefined"
    assert "24 of the 54" in half["reason"]
    assert row(outcome, "psnr")["n_used"] == 54


def test_adding_a_metric_leaves_other_intervals_unchanged(tmp_path: Path) -> None:
    data = make_folder(tmp_path / "data", noise=1.5)
    one = row(go(data, tmp_path / "a", ("psnr", "gmsd")), "psnr")
    two = row(go(data, tmp_path / "b", ("psnr", "gmsd", "ssim", "tv")), "psnr")
    for key in ("srocc_within", "srocc_pooled", "krocc", "plcc_fit", "two_way"):
        assert one[key] == two[key]


def test_parameters_and_gate_options_are_separate_measurements(folder: Path, tmp_path: Path) -> None:
    go(folder, tmp_path, ("psnr",))
    assert go(folder, tmp_path, ("psnr(crop=4)",)).counts["computed"] == 54
    assert go(folder, tmp_path, ("psnr",), gate={"alpha": "white"}).counts["computed"] == 54
    assert go(folder, tmp_path, ("psnr",), gate={"max_pixels": 10**6}).counts["computed"] == 0


def test_changed_pixels_are_another_image(tmp_path: Path) -> None:
    data = make_folder(tmp_path / "data")
    go(data, tmp_path / "out", ("psnr",))
    Image.new("RGB", (48, 48), (1, 2, 3)).save(data / "r0_l0.png")
    outcome = go(data, tmp_path / "out", ("psnr",))
    assert outcome.counts["computed"] == 1
    with sqlite3.connect(tmp_path / "out" / "store.sqlite") as store:
        assert store.execute("SELECT count(*) FROM score").fetchone() == (55,)


def test_unwritable_output_is_refused_before_scoring(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be written"):
        go(folder, tmp_path / "file" / "out")


@pytest.mark.parametrize(
    "document",
    [
        {"metrics": ["psnrr"]},
        {"metrics": ["psnr(wrong=1)"]},
        {"metrics": ["psnr", "psnr(crop=0)"]},
        {"engine": {"kind": "cloud"}},
        {"engine": {"workers": -1}},
        {"statistics": {"level": 2}},
        {"gate": {"alpha": "maybe"}},
        {"surprise": 1},
    ],
)
def test_bad_requests_are_usage_errors(folder: Path, tmp_path: Path, document: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        runs.run(build({"data": folder, "out": tmp_path, **document}), load(folder))


def test_leaderboard_holds_no_time_path_or_host(folder: Path, tmp_path: Path) -> None:
    import getpass
    import socket

    go(folder, tmp_path)
    text = (tmp_path / "leaderboard.json").read_text()
    assert str(tmp_path) not in text
    assert str(folder) not in text
    assert socket.gethostname() not in text or len(socket.gethostname()) < 4
    assert f'"{getpass.getuser()}"' not in text
    assert "NaN" not in text
    json.loads(text)


def test_few_references_mean_no_interval_and_no_tier(tmp_path: Path) -> None:
    outcome = go(make_folder(tmp_path / "data", references=4), tmp_path / "out")
    psnr = row(outcome, "psnr")
    assert psnr["srocc_within"]["value"] is not None
    assert psnr["srocc_within"]["low"] is None
    assert "too few" in psnr["srocc_within"]["reason"]
    assert psnr["tier"] is None
    assert "too few" in outcome.leaderboard["ranking"]["reason"]


def test_unscored_images_give_a_generator_board_only(tmp_path: Path) -> None:
    data = make_folder(tmp_path / "data")
    lines = (data / "items.csv").read_text().splitlines()
    kept = [",".join(c for n, c in enumerate(line.split(",")) if n != 2) for line in lines]
    (data / "items.csv").write_text("\n".join(kept) + "\n")
    (data / "items.toml").write_text('name = "tiny"\n')
    outcome = go(data, tmp_path / "out", ("psnr", "gmsd"))
    assert outcome.leaderboard["controls"] == []
    assert "no human scores" in outcome.leaderboard["banner"]
    assert [g["ranks"]["psnr"] for g in sorted(outcome.leaderboard["generators"], key=lambda g: g["name"])] == [
        1, 2, 3, 4, 5, 6,
    ]  # fmt: skip
    assert outcome.leaderboard["agreement"]["names"] == ["psnr", "gmsd"]


def test_generators_on_different_references_are_ranked_on_the_shared_ones(tmp_path: Path) -> None:
    data = make_folder(tmp_path / "data", references=10)
    lines = (data / "items.csv").read_text().splitlines()
    kept = [line for line in lines if not line.startswith(("r0_l5", "r1_l5"))]
    (data / "items.csv").write_text("\n".join(kept) + "\n")
    outcome = go(data, tmp_path / "out", ("psnr",))
    board = outcome.leaderboard["generator_board"]
    assert len(board["references"]) == 8
    assert "noise5 (8)" in board["note"]


def test_set_metrics_stand_on_the_generator_board(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Features once per image and extractor, kept beside the store; a seeded projection stands for the network."""
    import sys
    import types

    import torch
    from ganiq.bench import registry
    from ganiq.bench.protocols import ExtractorInfo, MetricInfo

    calls = []

    class Projection:
        info = ExtractorInfo("projection-test", "Random projection", 4, preprocessing="mean of 4 bands")

        def __call__(self, images: torch.Tensor) -> torch.Tensor:
            calls.append(1)
            return images.mean(dim=(2, 3)).repeat(1, 2)[:, :4] + images.std(dim=(1, 2, 3))[:, None]

    class Distance:
        info = MetricInfo("distance-test", "Distance", needs="set", better="lower", bounds=(0.0, 1e9))
        features = "projection-test"

        def __call__(self, generated: torch.Tensor, real: torch.Tensor) -> float:
            return float((generated.mean(0) - real.mean(0)).norm())

    module = types.ModuleType("ganiq.set_metric_test")
    module.Projection, module.Distance = Projection, Distance  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "ganiq.set_metric_test", module)
    monkeypatch.setitem(registry.metrics.builtin, "distance-test", "set_metric_test:Distance")  # type: ignore[arg-type]
    monkeypatch.setitem(registry.extractors.builtin, "projection-test", "set_metric_test:Projection")  # type: ignore[arg-type]
    outcome = go(folder, tmp_path, ("psnr", "distance-test"))
    values: list[Any] = [g["metrics"]["distance-test"]["value"] for g in outcome.leaderboard["generators"]]
    assert values == sorted(values), "more noise lies further away"
    assert len(calls) == 6 * 9 + 9
    go(folder, tmp_path, ("psnr", "distance-test"))
    assert len(calls) == 6 * 9 + 9, "features come from the cache"
    assert row(outcome, "distance-test")["needs"] == "set"


def test_generators_of_different_tasks_are_not_passed_off_as_rivals(tmp_path: Path) -> None:
    data = make_folder(tmp_path / "data")
    lines = (data / "items.csv").read_text().splitlines()
    marked = [lines[0] + ",task"] + [f"{line},{'x4' if 'noise1' in line else 'denoise'}" for line in lines[1:]]
    (data / "items.csv").write_text("\n".join(marked) + "\n")
    note = go(data, tmp_path / "out", ("psnr",)).leaderboard["generator_board"]["note"]
    assert "different tasks" in note
    assert "denoise, x4" in note
