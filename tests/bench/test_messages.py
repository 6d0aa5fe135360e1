"""What a person reads in the terminal: help, counts, reasons, and how wrong input is named."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ganiq.bench import registry
from ganiq.bench.board.agreement import cell
from ganiq.bench.errors import UsageError
from ganiq.bench.stats import pooled_estimate, srocc
from ganiq.bench.sweep import build
from ganiq.reports import page
from PIL import Image
from test_cli import ganiq
from test_run import go, make_folder, row


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_folder(tmp_path_factory.mktemp("messages") / "data", references=2, levels=3)


def pictures(place: Path, count: int = 2, side: int = 24) -> Path:
    place.mkdir(parents=True)
    rng = np.random.default_rng(len(place.name))
    for n in range(count):
        Image.fromarray(rng.integers(0, 255, (side, side, 3), dtype=np.uint8)).save(place / f"{n}.png")
    return place


def shown(folder: Path) -> str:
    page.render(folder)
    return (folder / "index.html").read_text()


# --------------------------------------------------------------------------------- help


@pytest.mark.parametrize("arguments", [[], ["list"], ["weights"]])
def test_a_group_without_a_command_prints_its_plain_help(arguments: list[str]) -> None:
    done, asked = ganiq(*arguments), ganiq(*arguments, "--help")
    assert "Traceback" not in done.stderr
    text = done.stdout + done.stderr
    assert text.startswith("Usage: ")
    assert "see `ganiq --help`" not in text
    assert text.strip() == asked.stdout.strip()


@pytest.mark.parametrize("arguments", [[], ["run"], ["list", "metrics"]])
def test_h_is_help(arguments: list[str]) -> None:
    done = ganiq(*arguments, "-h")
    assert done.returncode == 0, done.stderr
    assert done.stdout == ganiq(*arguments, "--help").stdout


# --------------------------------------------------------------------------------- wrong input


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--timeout", "-3"], "command line: --timeout: input should be greater than 0"),
        (["--resamples", "3"], "command line: --resamples: "),
        (["--metrics", ""], "--metrics: nothing is named"),
        (["--metrics", " , "], "--metrics: nothing is named"),
        (["--executor", "cloud"], "there is no executor 'cloud'; there are process, serial"),
    ],
)
def test_wrong_options_are_called_by_their_names(
    folder: Path, tmp_path: Path, arguments: list[str], words: str
) -> None:
    done = ganiq("run", "--data", folder, "--out", tmp_path / "out", *arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_wrong_keys_are_called_as_in_the_file_and_the_right_ones_named(folder: Path, tmp_path: Path) -> None:
    document: dict[str, Any] = {"data": folder, "out": tmp_path, "metric": ["psnr"], "gate": {"alfa": "white"}}
    document["engine"] = {"timeout": -1, "workers": -1}
    with pytest.raises(UsageError) as caught:
        build(document, "sweep.toml", {"engine.timeout"})
    text = str(caught.value)
    assert "Extra inputs" not in text
    assert "extra inputs" not in text
    assert "sweep.toml: " in text
    assert "--timeout: " in text, "given as an option"
    assert "engine.workers: " in text, "given in the file"
    assert "metric is not a key that is read; the keys are data, dataset, split, metrics, " in text
    assert ", import, " in text, "as it is written"
    assert "gate.alfa is not a key that is read; the keys are alpha, depth, exif, icc, frame" in text


def test_keys_inside_lists_are_named_too(tmp_path: Path) -> None:
    from ganiq.bench.generate import build as generation

    with pytest.raises(UsageError, match=r"restorer\.0\.nam is not a key that is read; the keys are spec, name, title"):
        generation({"out": tmp_path, "references": "p", "restorer": [{"spec": "bicubic", "nam": "x"}]}, "g.toml")


def test_no_hint_names_a_command_that_is_not_there() -> None:
    import click
    import typer
    from ganiq.bench.cli import app

    group = typer.main.get_command(app)
    assert isinstance(group, click.Group) or hasattr(group, "commands")
    known = set(group.commands["list"].commands)  # type: ignore[attr-defined]
    registries = [one for one in vars(registry).values() if isinstance(one, registry.Registry)]
    assert len(registries) >= 7
    for one in registries:
        with pytest.raises(UsageError) as caught:
            one.get("qqqqqqqq")
        _, found, rest = str(caught.value).partition("`ganiq list ")
        if found:
            assert rest.partition("`")[0] in known, one.kind
        else:
            assert next(iter(one.names())) in str(caught.value), one.kind


@pytest.mark.parametrize("command", ["demo", "compare"])
def test_metric_names_are_checked_before_anything_is_made(command: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments: list[object] = ["demo"]
    if command == "compare":
        places = [pictures(tmp_path / name) for name in ("a", "b", "originals")]
        arguments = ["compare", f"a={places[0]}", f"b={places[1]}", "--reference", places[2]]
    for metrics, words in (("psnrr", "no metric 'psnrr'"), ("", "--metrics: nothing is named")):
        done = ganiq(*arguments, "--out", out, "--metrics", metrics)
        assert done.returncode == 2
        assert words in done.stderr
        assert not out.exists()


def test_folders_of_images_are_told_of_compare(tmp_path: Path) -> None:
    pictures(tmp_path / "models" / "a")
    pictures(tmp_path / "flat")
    (tmp_path / "empty").mkdir()
    for name, told in (("models", True), ("flat", True), ("empty", False)):
        done = ganiq("run", "--data", tmp_path / name, "--out", tmp_path / "out")
        assert done.returncode == 2
        assert ("`ganiq compare NAME=FOLDER" in done.stderr) is told, name


# --------------------------------------------------------------------------------- counts and reasons


def test_new_scores_are_numbers_and_never_more_than_there_are(tmp_path: Path) -> None:
    place = pictures(tmp_path / "data", 5)
    (place / "items.csv").write_text("image\n" + "".join(f"{n}.png\n" for n in range(5)))
    first = go(place, tmp_path / "out", ("niqe", "psnr", "tv"))  # niqe needs larger images, psnr references
    assert first.summary == "5 scores (5 new), 5 skipped"
    again = go(place, tmp_path / "out", ("niqe", "psnr", "tv"))
    assert again.summary == "5 scores (0 new), 5 skipped"


def test_infinite_scores_are_not_new_numbers_and_have_a_sentence(tmp_path: Path) -> None:
    data = make_folder(tmp_path / "data", references=2, levels=3)
    for r in range(2):
        for level in range(3):
            (data / f"r{r}_l{level}.png").write_bytes((data / f"ref{r}.png").read_bytes())
    outcome = go(data, tmp_path / "out", ("psnr", "mse"))
    assert outcome.exit_code == 0
    assert outcome.summary.startswith("6 scores (")
    assert outcome.counts["computed"] <= outcome.counts["ok"]
    psnr, mse = row(outcome, "psnr"), row(outcome, "mse")
    assert psnr["status"] == "undefined"
    assert psnr["reason"].startswith("E-VAL-INF r0_l0.png: psnr is infinite (are image and reference equal?); ")
    assert {f["code"] for f in outcome.leaderboard["failures"]} == {"E-VAL-INF"}
    assert (mse["status"], mse["reason"]) == ("undefined", "all metric values are equal")
    text = shown(outcome.folder)
    assert "undefined: undefined" not in text


def test_an_undefined_statistic_says_so_once() -> None:
    estimate = pooled_estimate(srocc, np.ones(9), np.arange(9.0), np.arange(9))
    assert cell(estimate).get("reason") == "all metric values are equal"


def test_a_failure_is_told_before_an_infinite_value_and_before_a_skip(tmp_path: Path) -> None:
    data = make_folder(tmp_path / "data", references=1, levels=2)
    (data / "r0_l0.png").write_bytes((data / "ref0.png").read_bytes())
    Image.new("RGB", (50, 48)).save(data / "r0_l1.png")
    psnr = row(go(data, tmp_path / "out", ("psnr",)), "psnr")
    assert psnr["status"] == "failed"
    assert psnr["reason"].startswith("E-PAIR-SIZE")


def test_one_of_something_is_singular(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANIQ_WEIGHTS", str(tmp_path / "none"))
    outcome = go(folder, tmp_path / "out", ("psnr", "lpips-alex"))
    assert outcome.summary.endswith(", 1 metric needs weights")
    assert outcome.leaderboard["subtitle"] == "6 images, 2 references, 3 generators; MOS scores; 1 metric"
    more = go(folder, tmp_path / "out", ("psnr", "mse", "lpips-alex", "lpips-vgg"))
    assert more.summary.endswith(", 2 metrics need weights")
    assert more.leaderboard["subtitle"].endswith("; 2 metrics")


def test_a_scale_without_a_score_is_a_set_that_nobody_scored(tmp_path: Path) -> None:
    data = make_folder(tmp_path / "data", references=2, levels=3)
    lines = [line.split(",") for line in (data / "items.csv").read_text().splitlines()]
    blank = [",".join([*cells[:2], "", *cells[3:]]) for cells in lines[1:]]
    (data / "items.csv").write_text("\n".join([",".join(lines[0]), *blank]) + "\n")
    outcome = go(data, tmp_path / "out", ("psnr", "tv"))
    assert outcome.exit_code == 0
    for name in ("psnr", "tv"):
        found = row(outcome, name)
        assert (found["status"], found["reason"]) == ("ok", "nobody scored these images")
        assert (found["n_used"], found["n_expected"]) == (6, 6)
    board = outcome.leaderboard
    assert board["dataset"]["score"] is None
    assert board["controls"] == []
    assert "have no human scores" in board["banner"]
    assert board["ranking"]["reason"] == "nobody scored these images"
    assert "Nobody has scored these images" in shown(outcome.folder)


# --------------------------------------------------------------------------------- commands on stores


def test_repair_leaves_a_healthy_store_alone(folder: Path, tmp_path: Path) -> None:
    go(folder, tmp_path, ("psnr",))
    names = sorted(os.listdir(tmp_path))
    before = (tmp_path / "store.sqlite").read_bytes()
    done = ganiq("repair", tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{tmp_path / 'store.sqlite'} is healthy and was not changed; it holds 6 scores\n"
    assert sorted(os.listdir(tmp_path)) == names
    assert (tmp_path / "store.sqlite").read_bytes() == before


def test_merge_takes_a_report_folder_as_target(folder: Path, tmp_path: Path) -> None:
    go(folder, tmp_path / "a", ("psnr",))
    go(folder, tmp_path / "b", ("mse",))
    done = ganiq("merge", tmp_path / "a", tmp_path / "b")
    assert done.returncode == 0, done.stderr
    assert "6 added" in done.stdout
    assert go(folder, tmp_path / "a", ("psnr", "mse")).counts["computed"] == 0
    missing = ganiq("merge", tmp_path / "new.sqlite", tmp_path / "nowhere")
    assert missing.returncode == 2
    assert not (tmp_path / "new.sqlite").exists()


def test_the_run_command_points_to_an_arena_that_lags_behind(folder: Path, tmp_path: Path) -> None:
    go(folder, tmp_path, ("psnr", "mse"))
    assert ganiq("arena", tmp_path).returncode == 0
    command = ["run", "--data", folder, "--out", tmp_path, "--executor", "serial", "-q", "--metrics"]
    assert "arena" not in ganiq(*command, "psnr,mse").stdout
    assert f"`ganiq arena {tmp_path}` makes it anew" in ganiq(*command, "psnr,mse,tv").stdout.splitlines()[-1]
    assert json.loads(ganiq(*command, "psnr", "--json").stdout)
