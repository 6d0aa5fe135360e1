"""The command: help, exit codes, one clear sentence for wrong input, JSON for machines."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest


def ganiq(*arguments: object, **more: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ganiq", *map(str, arguments)],
        capture_output=True, text=True, check=False, **more,  # type: ignore[call-overload]
    )  # fmt: skip


def test_help_lists_every_command_and_the_exit_codes() -> None:
    done = ganiq("--help")
    assert done.returncode == 0
    for name in (
        "demo",
        "generate",
        "run",
        "report",
        "arena",
        "compare",
        "list",
        "check",
        "check-metric",
        "weights",
        "train",
        "evaluate",
        "doctor",
    ):
        assert f"\n  {name} " in done.stdout
    assert "130/143" in done.stdout


def test_version() -> None:
    from ganiq import __version__

    assert ganiq("--version").stdout.strip() == __version__


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run"], "--data"),
        (["run", "nowhere.toml"], "nowhere.toml"),
        (["run", "--data", "/nowhere", "--out", "/tmp/x"], "nowhere"),
        (["run", "--data", ".", "--out", "o", "--metrics", "psnrr"], "psnr"),
        (["run", "--data", ".", "--out", "o", "--workers", "many"], "--workers"),
        (["report", "/nowhere"], "nowhere"),
        (["compare", "a", "--reference", "."], "NAME=FOLDER"),
        (["check", "/nowhere"], "nowhere"),
        (["frobnicate"], "frobnicate"),
        (["weights", "get", "no-such-slot"], "no-such-slot"),
    ],
)
def test_wrong_input_is_one_sentence_and_exit_2(arguments: list[str], words: str, tmp_path: Path) -> None:
    (tmp_path / "items.csv").write_text("image\n1.png\n")
    done = ganiq(*arguments, cwd=tmp_path)
    assert done.returncode == 2, (done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    assert words in done.stderr
    assert done.stderr.startswith("ganiq: ")
    assert len(done.stderr.strip().splitlines()) == 1


def test_list_metrics_json_has_the_promised_fields() -> None:
    rows = json.loads(ganiq("list", "metrics", "--json").stdout)
    names = {row["name"] for row in rows}
    wanted = {
        "psnr", "ssim", "ms-ssim", "iw-ssim", "vifp", "fsim", "fsimc", "sr-sim", "gmsd", "ms-gmsd", "ms-gmsdc",
        "vsi", "dss", "haarpsi", "mdsi", "tv", "lpips-alex", "lpips-vgg", "lpips-squeeze", "dists", "pieapp",
        "brisque", "niqe", "fid", "kid",
    }  # fmt: skip
    assert wanted <= names
    for row in rows:
        assert {"name", "needs", "available", "reason"} <= row.keys()
        assert row["available"] or row["reason"].startswith("needs weights: `")
        assert bool(row["license"]) == bool(row["weights"]), row["name"]
        assert bool(row["features"]) == (row["needs"] == "set"), row["name"]
        assert row["color"] and row["role"] in ("quality", "control") and row["dtype"] in ("float32", "float64")
    assert {row["name"] for row in rows if row["role"] == "control"} >= {"tv", "ridge-efflite0"}
    lpips = next(row for row in rows if row["name"] == "lpips-alex")
    assert lpips["available"] or "ganiq weights get" in lpips["reason"]


def test_list_datasets_json_says_where_to_get_each() -> None:
    rows = {row["name"]: row for row in json.loads(ganiq("list", "datasets", "--json").stdout)}
    assert set(rows) >= {
        "pipal", "gan-image-database", "tid2013", "kadid10k", "csiq", "live", "koniq10k", "biq2021", "folder",
    }  # fmt: skip
    for row in rows.values():
        for key in ("what", "license", "size", "source", "layout"):
            assert row[key], (row["name"], key)


def test_list_generators_and_weights_print_json() -> None:
    assert {row["name"] for row in json.loads(ganiq("list", "generators", "--json").stdout)} >= {"bicubic", "lanczos"}
    assert any(row["slot"].startswith("niqe") for row in json.loads(ganiq("weights", "list", "--json").stdout))


def test_doctor_finds_everything_importable() -> None:
    done = ganiq("doctor", "--json")
    assert done.returncode == 0, done.stdout
    found = {row["what"]: row["value"] for row in json.loads(done.stdout)}
    for name in ("piq", "lpips", "timm", "pytorch_fid"):
        assert found[f"import {name}"] == "works"


def test_a_sweep_file_runs_and_reports_again(tmp_path: Path) -> None:
    from PIL import Image

    data = tmp_path / "data"
    data.mkdir()
    lines = ["image,reference,score"]
    for r in range(2):
        Image.linear_gradient("L").rotate(90 * r).convert("RGB").save(data / f"ref{r}.png")
        for level in range(5):
            made = Image.linear_gradient("L").rotate(90 * r).point([min(255, v + 9 * level) for v in range(256)])
            made.convert("RGB").save(data / f"{r}_{level}.png")
            lines.append(f"{r}_{level}.png,ref{r}.png,{level}")
    (data / "items.csv").write_text("\n".join(lines) + "\n")
    (data / "items.toml").write_text('[score]\nkind = "DMOS"\nbetter = "lower"\n')
    (tmp_path / "sweep.toml").write_text(
        'data = "data"\nout = "out"\nmetrics = ["ssim", "ssim(window=7)"]\ntitle = "Two gradients"\n'
        '[statistics]\nresamples = 200\n[engine]\nkind = "serial"\n'
    )
    done = ganiq("run", tmp_path / "sweep.toml", "--json", "-q")
    assert done.returncode == 0, done.stderr
    names = [row["name"] for row in json.loads(done.stdout)]
    assert "ssim" in names
    assert "ssim(window=7)" in names
    page = tmp_path / "out" / "index.html"
    before = page.read_bytes()
    page.unlink()
    assert ganiq("report", tmp_path / "out").returncode == 0
    assert page.read_bytes() == before
    assert b"Two gradients" in before


def test_report_loads_no_torch(tmp_path: Path) -> None:
    self_made = "import sys; sys.argv = ['ganiq', 'report', sys.argv[1]]\nfrom ganiq.bench import cli\n"
    code = self_made + "try:\n cli.main()\nexcept SystemExit:\n pass\nassert 'torch' not in sys.modules\n"
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_compare_ranks_folders_paired_by_name(tmp_path: Path) -> None:
    import numpy as np
    from PIL import Image

    rng = np.random.default_rng(1)
    for name in ("ref", "good", "bad"):
        (tmp_path / name).mkdir()
    for n in range(9):
        base = rng.integers(0, 255, (6, 6, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1).astype(float)
        for name, noise in (("ref", 0), ("good", 5), ("bad", 30)):
            made = (base + rng.normal(0, noise, base.shape) if noise else base).clip(0, 255).astype(np.uint8)
            Image.fromarray(made).save(tmp_path / name / f"{n}.png")
    out = tmp_path / "out"
    done = ganiq(
        "compare", f"good={tmp_path / 'good'}", f"bad={tmp_path / 'bad'}", "--reference", tmp_path / "ref",
        "--out", out, "--metrics", "psnr,gmsd", "-q",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    board = json.loads((out / "leaderboard.json").read_text())
    ranks = {row["name"]: row["ranks"]["psnr"] for row in board["generators"]}
    assert ranks == {"good": 1, "bad": 2}
    # Two metrics make no panel with intervals, and an order all the same: in the terminal and on the arena's page.
    order = [line for line in done.stdout.splitlines() if " good " in line or " bad " in line]
    assert len(order) == 2 and " good " in order[0] and " bad " in order[1]
    assert f"{out / 'arena.html'}" in done.stdout and (out / "arena.html").is_file()


def test_compare_names_what_it_does_not_compare(tmp_path: Path) -> None:
    import numpy as np
    from PIL import Image

    rng = np.random.default_rng(1)
    for name in ("ref", "a", "b", "stranger"):
        (tmp_path / name).mkdir()
    base = np.zeros((48, 48, 3), np.uint8)
    for n in range(9):
        base = rng.integers(0, 255, base.shape, dtype=np.uint8)
        for name in ("ref", "a", "b"):
            Image.fromarray(base).save(tmp_path / name / f"{n}.png")
        Image.fromarray(base).save(tmp_path / "stranger" / f"other{n}.png")
    (tmp_path / "b" / "3.png").unlink()
    clear = np.dstack([base, np.full((48, 48), 100, np.uint8)])
    Image.fromarray(clear).save(tmp_path / "a" / "5.png")

    def compare(*models: str) -> subprocess.CompletedProcess[str]:
        named = [f"{name}={tmp_path / name}" for name in models]
        return ganiq("compare", *named, "-r", tmp_path / "ref", "-o", tmp_path / "out", "-m", "psnr,ssim", "-q")

    done = compare("a", "b")
    assert done.returncode == 1  # a transparent image was refused
    assert "not compared: b/3 (model b has no output for this reference)" in done.stderr
    assert "treated as missing: a/5" in done.stdout
    assert "the 7 of 9 references" in done.stdout
    white = ganiq(
        "compare", f"a={tmp_path / 'a'}", f"b={tmp_path / 'b'}", "-r", tmp_path / "ref", "-o", tmp_path / "white",
        "-m", "psnr,ssim", "-q", "--alpha", "white",
    )  # fmt: skip
    assert white.returncode == 0, white.stderr
    assert "the 8 of 9 references" in white.stdout
    refused = compare("a", "b", "stranger")
    assert refused.returncode == 2
    assert (
        "no output of model stranger has the name of a reference (for example other0.png against 0.png)"
        in refused.stderr
    )
    alone = compare("a")
    assert "fewer than two generators" in alone.stderr


def test_check_finds_a_wrong_direction(tmp_path: Path) -> None:
    import numpy as np
    from PIL import Image

    rng = np.random.default_rng(1)
    lines = ["image,reference,score"]
    for r in range(3):
        base = rng.integers(0, 255, (6, 6, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1).astype(float)
        Image.fromarray(base.astype(np.uint8)).save(tmp_path / f"ref{r}.png")
        for level in range(6):
            made = (base + rng.normal(0, 4 + 8 * level, base.shape)).clip(0, 255).astype(np.uint8)
            Image.fromarray(made).save(tmp_path / f"{r}_{level}.png")
            lines.append(f"{r}_{level}.png,ref{r}.png,{level}")
    (tmp_path / "items.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "items.toml").write_text('[score]\nkind = "DMOS"\nbetter = "higher"\n')
    rows = json.loads(ganiq("check", tmp_path, "--json").stdout)
    assert any("direction" in row["message"] or "better" in row["message"] for row in rows if row["level"] == "warning")
