"""GAN image database: votes, their fit, what was never published, and the authors' metric values."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ganiq.bench import datasets
from ganiq.bench.datasets.gan_image_database import RIDGE, GanImageDatabase, Stimulus, ballots
from ganiq.bench.errors import UsageError
from ganiq.bench.manifest import Manifest
from ganiq.bench.stats.pairwise import bradley_terry
from PIL import Image
from scipy.stats import spearmanr

HEADER = "\ufeffPair,Image_A,Model_A,Quality_A,Image_B,Model_B,Quality_B,0,1,2\n"


def build(folder: Path, paint, metrics: bool = True) -> Path:
    """Contents 2 and 4 with the delivered names; an output of 2 is missing, ESRGAN of 4 and hevc are unpublished."""
    (folder / "results").mkdir(parents=True)
    rows = [
        "0,2,original,,2,HiFiC,lo,0,0,1",
        "1,2,HiFiC,lo,2,HiFiC,hi,1,1,0",
        "2,2,ArNet,hi,2,HiFiC,hi,1,0,1",
        "3,2,HiFiC,hi,2,hevc,lo,0,0,0",
        "4,4,original,,4,ESRGAN,lo,0,0,0",
        "5,4,ESRGAN,lo,4,HiFiC,lo,1,1,1",
        "6,2,HiFiC,lo,4,HiFiC,lo,0,1,0",
    ]
    (folder / "results" / "jdg.csv").write_text(HEADER + "\n".join(rows) + "\n", encoding="utf-8")
    if metrics:
        lines = [
            "\ufeffID,Model,Quality,MSE,PSNR,NIQUE,UNIQUE",
            "2,original.png,,0.0,inf,3.1,.9",
            "2,HiFiC,lo,.002,27,4.1,.5",
            "2,HiFiC,hi,.001,30,3.9,",
            "2,hevc,lo,.004,24,5.0,.4",
            "4,ESRGAN,lo,.003,25,4.4,.6",
        ]
        (folder / "results" / "metrics.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    for seed, name in enumerate(
        [
            "Original/00002_original.png",
            "Original/00004_original.png",
            "HiFiC/Lo/00002_HiFiC_lo.webp",
            "HiFiC/Hi/00002_hific_HI.PNG",
            "HiFiC/Lo/00004_HiFiC_lo.png",
        ]
    ):
        paint(folder / "images" / name, seed)
    return folder


def test_layout_keys_and_gaps(tmp_path: Path, paint) -> None:
    manifest = datasets.load(build(tmp_path, paint), resamples=0)
    assert [i.key for i in manifest.items] == [
        "00002_ArNet_hi", "00002_HiFiC_hi", "00002_HiFiC_lo", "00002_original", "00004_HiFiC_lo", "00004_original",
    ]  # fmt: skip
    assert [key for key, _ in manifest.gaps] == ["00002_hevc_lo", "00004_ESRGAN_lo"]
    item = manifest.by_key["00002_HiFiC_hi"]
    assert item.image == "images/HiFiC/Hi/00002_hific_HI.PNG"
    assert item.reference == "images/Original/00002_original.png"
    assert (item.generator, item.distortion, item.group, item.block, item.role) == (
        "HiFiC-hi", "HiFiC", "00002", "00002", "output",
    )  # fmt: skip
    assert (item.votes, item.attrs["setting"]) == (9, "0.30 bpp")
    assert manifest.by_key["00002_HiFiC_lo"].image.endswith(".webp")
    assert manifest.by_key["00002_ArNet_hi"].image == "images/ArNet/00002_ArNet_hi.png"  # missing stays an item
    original = manifest.by_key["00002_original"]
    assert (original.role, original.generator, original.reference) == ("reference", "original", original.image)
    assert manifest.reference_generator == "original"
    assert {c.family for c in manifest.classes} == {"gan"}
    assert manifest.draws is None


def test_one_means_that_b_was_preferred(tmp_path: Path, paint) -> None:
    cast = ballots(build(tmp_path, paint))
    place = {s: n for n, s in enumerate(cast.stimuli)}
    wins = cast.wins()
    original, low = place[Stimulus(2, "original")], place[Stimulus(2, "HiFiC", "lo")]
    assert (wins[original, low], wins[low, original]) == (2, 1)
    assert wins.sum() == cast.votes.size == 21
    only_third = cast.wins(np.array([0.0, 0.0, 1.0]))
    assert (only_third[original, low], only_third[low, original]) == (0, 1)
    assert cast.observers == ("0", "1", "2")


def test_draws_belong_to_the_items_and_to_the_seed(tmp_path: Path, paint) -> None:
    build(tmp_path, paint)
    one = GanImageDatabase(resamples=20, seed=3).load(tmp_path)
    two = GanImageDatabase(resamples=20, seed=3).load(tmp_path)
    other = GanImageDatabase(resamples=20, seed=4).load(tmp_path)
    assert one.draws is not None
    assert two.draws is not None
    assert other.draws is not None
    assert one.draws.shape == (20, len(one.items))
    assert np.array_equal(one.draws, two.draws)
    assert not np.array_equal(one.draws, other.draws)
    assert one.digest == other.digest


def test_published_values(tmp_path: Path, paint) -> None:
    table = datasets.load(build(tmp_path, paint), resamples=0).published
    assert table is not None
    assert table.keys == ("00002_HiFiC_hi", "00002_HiFiC_lo", "00004_ESRGAN_lo")
    assert table.values["psnr"] == (30, 27, 25)
    assert table.values["niqe"] == (3.9, 4.1, 4.4)
    assert np.isnan(table.values["unique"][0])
    assert table.better == {"mse": "lower", "psnr": "higher", "niqe": "lower", "unique": "higher"}
    bare = datasets.load(build(tmp_path / "bare", paint, metrics=False), resamples=0)
    assert bare.published is None


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("0,2,original,,2,HiFiC,lo,0,2,1", "line 2: the vote in column 1 is '2'"),
        ("0,2,original,,2,HiFiC,lo,0,,1", "line 2: the vote in column 1 is ''"),
        ("0,2,HiFiC,lo,2,HiFiC,lo,0,0,1", "line 2: an image is compared with itself"),
        ("0,two,original,,2,HiFiC,lo,0,0,1", "line 2: image 'two' is not a number"),
        ("0,2,original,,2,HiFiC,lo,0,0", "line 2: 9 cells under 10 column names"),
    ],
)
def test_malformed_votes(tmp_path: Path, row: str, message: str) -> None:
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "jdg.csv").write_text(HEADER + row + "\n")
    with pytest.raises(UsageError, match=message):
        datasets.load(tmp_path)


def test_metrics_of_a_stimulus_without_votes(tmp_path: Path, paint) -> None:
    build(tmp_path, paint)
    with (tmp_path / "results" / "metrics.csv").open("a") as stream:
        stream.write("9,HiFiC,lo,.1,20,4,.3\n")
    with pytest.raises(UsageError, match="line 7: 00009_HiFiC_lo has no votes"):
        datasets.load(tmp_path)


@pytest.fixture(scope="module")
def real(shared_data: Path) -> Manifest:
    return datasets.load(shared_data / "gan-image-database")


def test_real_votes(shared_data: Path) -> None:
    cast = ballots(shared_data / "gan-image-database")
    assert cast.votes.shape == (456, 31)
    assert cast.votes.size == 14136
    assert int(cast.votes.sum()) == 7236
    assert len(cast.stimuli) == 104
    contents = np.array([s.content for s in cast.stimuli])
    across = contents[cast.first] != contents[cast.second]
    assert int(across.sum()) == 72
    index = {p.stem for p in (shared_data / "gan-image-database" / "images").rglob("*.png")}
    here = np.array([s.key in index for s in cast.stimuli])
    both = here[cast.first] & here[cast.second]
    assert (int(both.sum()), int((both & ~across).sum()), int((both & across).sum())) == (402, 336, 66)
    original = np.array([s.model == "original" for s in cast.stimuli])
    assert cast.votes[original[cast.second]].mean() == pytest.approx(0.875, abs=0.0006)
    assert cast.votes[original[cast.first]].mean() == pytest.approx(0.162, abs=0.0006)


def test_real_scores_reproduce_the_known_means(shared_data: Path) -> None:
    cast = ballots(shared_data / "gan-image-database")
    theta = bradley_terry(cast.wins(), ridge=RIDGE).theta
    by_model = defaultdict(list)
    for stimulus, value in zip(cast.stimuli, theta):
        by_model[stimulus.generator].append(value)
    means = {name: float(np.mean(values)) for name, values in by_model.items()}
    assert means == pytest.approx(
        {
            "original": 2.44,
            "HiFiC-hi": 1.80, "HiFiC-mi": 1.40, "HiFiC-lo": 0.63,
            "ArNet-hi": 0.85, "ArNet-mi": -0.01, "ArNet-lo": -2.54,
            "ESRGAN-hi": 0.50, "ESRGAN-mi": -0.76, "ESRGAN-lo": -1.28,
            "hevc-hi": 0.49, "hevc-mi": -1.35, "hevc-lo": -2.17,
        },
        abs=0.02,
    )  # fmt: skip


def test_real_items(real: Manifest) -> None:
    assert len(real.items) == 77
    assert len(real.groups) == 8
    assert sum(i.role == "reference" for i in real.items) == 8
    assert all(real.path(i.image).is_file() and real.path(str(i.reference)).is_file() for i in real.items)
    assert len(real.gaps) == 27
    assert sum("HEVC" in reason for _, reason in real.gaps) == 24
    assert sum("ESRGAN" in reason for _, reason in real.gaps) == 3
    assert all(i.score is not None and i.score_se is not None and 0 < i.score_se < 2 for i in real.items)
    assert real.draws is not None
    assert real.draws.shape == (200, 77)
    scores = np.array([i.score for i in real.items])
    assert np.abs(real.draws.mean(0) - scores).max() < 0.5
    assert 0.05 < real.draws.std(0).mean() < 0.6


def test_real_published_values_agree_as_known(real: Manifest) -> None:
    table = real.published
    assert table is not None
    assert len(table.keys) == 72
    found: dict[str, Any] = {name: spearmanr(values, table.scores)[0] for name, values in table.values.items()}
    known = {
        "ms-ssim": 0.62, "fsim": 0.58, "vif": 0.55, "ssim": 0.49, "hyperiqa": 0.47, "psnr": 0.45, "uiq": -0.04,
        "brisque": -0.35, "niqe": 0.00, "unique": -0.08,
    }  # fmt: skip
    assert {name: found[name] for name in known} == pytest.approx(known, abs=0.01)
    assert found["mse"] == pytest.approx(-found["psnr"])


def test_real_pairs_are_the_right_ones(real: Manifest) -> None:
    """The published errors are those of our pairs: a wrong reference or level would show at once."""
    assert real.published is not None
    known = dict(zip(real.published.keys, real.published.values["mse"]))
    for key in ("00002_HiFiC_hi", "00005_HiFiC_lo", "00012_HiFiC_mi", "00008_ESRGAN_lo", "00009_ESRGAN_hi"):
        item = real.by_key[key]
        image, reference = (
            np.asarray(Image.open(real.path(p)).convert("RGB"), float) / 255 for p in (item.image, str(item.reference))
        )
        assert np.mean((image - reference) ** 2) == pytest.approx(known[key], rel=1e-12)
