"""Agreement with official values, on five TID2013 pairs whose official scores were gathered from the authors' programs.

Measured with this code (largest error over the five images), and asserted with a little room:

=============================  =====================================================
psnr (RGB)                     0.004 dB: equal at the printed two decimals
ssim-gray                      0.0001: equal at the printed four decimals. ``ssim`` (RGB, downsampled) differs by
                               up to 0.08, ``ssim-y`` by 0.036: the official values are of rounded gray
fsimc                          0.0001: equal; ``fsim`` (luma only) differs by 0.03
gmsd on rounded gray           0.0001 (relative 1.8 %); ``gmsd`` as it is 0.0003
ms-ssim on rounded gray        0.005; ``ms-ssim`` (RGB) 0.048
vsi                            0.013 (relative 1.3 %)
niqe(luma="gray")              relative 1.3 %; ``niqe`` (studio luma) 5.5 %
brisque                        0.004 on two, 0.21 on two, and 7.3 on an image of broken blocks (I19: 64.9 for 72.3)
=============================  =====================================================

The official ``vif`` is the wavelet form and not comparable with ``vifp``.
"""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ganiq.bench.measure import make
from ganiq.bench.spec import Spec
from ganiq.metrics.classical.luma import gray
from PIL import Image
from torch import Tensor

NAMES = ("I03", "I04", "I06", "I08", "I19")


@pytest.fixture(scope="module")
def official(shared_data: Path) -> dict[str, list[float]]:
    with open(shared_data / "calibration" / "results_official.csv", newline="") as file:
        return {row["Method"]: [float(row[f"{n}.bmp"]) for n in NAMES] for row in csv.DictReader(file)}


@pytest.fixture(scope="module")
def tid(shared_data: Path) -> tuple[Tensor, Tensor]:
    def batch(folder: str) -> Tensor:
        files = [shared_data / "calibration" / folder / f"{n}.bmp" for n in NAMES]
        arrays = [np.array(Image.open(file).convert("RGB")) for file in files]
        return torch.from_numpy(np.stack(arrays)).permute(0, 3, 1, 2).double() / 255

    return batch("dist_dir"), batch("ref_dir")


def scores(text: str, tid: tuple[Tensor, Tensor]) -> np.ndarray:
    metric = make(Spec.parse(text))
    if metric.info.dtype == "float32":
        tid = tid[0].float(), tid[1].float()
    return np.array((metric(*tid) if metric.info.needs == "pair" else metric(tid[0])).tolist())


@pytest.mark.parametrize(
    ("text", "row", "grayed", "absolute", "relative"),
    [
        ("psnr", "psnr", False, 0.006, 0),
        ("ssim-gray", "ssim", False, 1.1e-4, 0),
        ("fsimc", "fsim", False, 1.1e-4, 0),
        ("gmsd", "gmsd", True, 2e-4, 0.02),
        ("gmsd", "gmsd", False, 4e-4, 0),
        ("ms-ssim", "ms_ssim", True, 0.005, 0),
        ("vsi", "vsi", False, 0.013, 0),
        ("niqe(luma='gray')", "niqe", False, 0, 0.014),
        ("niqe", "niqe", False, 0, 0.056),
    ],
)
def test_official_values(
    text: str,
    row: str,
    grayed: bool,
    absolute: float,
    relative: float,
    tid: tuple[Tensor, Tensor],
    official: dict[str, list[float]],
) -> None:
    if grayed:
        tid = (gray(tid[0]) / 255).repeat(1, 3, 1, 1), (gray(tid[1]) / 255).repeat(1, 3, 1, 1)
    errors = np.abs(scores(text, tid) - official[row])
    assert (errors <= absolute + relative * np.abs(official[row])).all(), errors


def test_official_brisque(tid: tuple[Tensor, Tensor], official: dict[str, list[float]]) -> None:
    errors = np.abs(scores("brisque", tid) - official["brisque"])
    assert (errors[:2] < 0.005).all()
    assert (errors[2:4] < 0.25).all()
    # Blocks of noise on flat ground: the sign of products that are zero up to rounding decides.
    assert errors[4] < 8


def test_colour_protocol_of_official_ssim(tid: tuple[Tensor, Tensor], official: dict[str, list[float]]) -> None:
    """The official numbers are of rounded gray at full size; the other conventions are visibly others."""
    for text, low, high in (("ssim", 0.05, 0.1), ("ssim-y", 0.03, 0.04), ("ssim-gray(downsample=True)", 0.1, 0.12)):
        error = np.abs(scores(text, tid) - official["ssim"]).max()
        assert low < error < high


@pytest.mark.slow
def test_agreement_with_people_on_live(shared_data: Path) -> None:
    """|SROCC| with LIVE's scores: .893 is known for PSNR on this subset."""
    from scipy.stats import spearmanr

    folder = shared_data / "live-subset"
    with open(folder / "scores.csv", newline="") as file:
        rows = list(csv.DictReader(file))

    @cache
    def load(name: str) -> Tensor:
        return torch.from_numpy(np.array(Image.open(folder / name).convert("RGB"))).permute(2, 0, 1)[None] / 255

    def agreement(name: str, some: list[dict[str, str]]) -> float:
        metric = make(Spec.parse(name))
        pair = metric.info.needs == "pair"
        values = [float(metric(load(r["image"]), *([load(r["reference"])] if pair else []))) for r in some]
        answer: Any = spearmanr(values, [float(r["dmos"]) for r in some])
        return abs(float(answer.statistic))

    assert agreement("psnr", rows) == pytest.approx(0.893, abs=0.002)
    # BRISQUE was trained on these images: a check of the arithmetic and of the model, not of merit.
    assert agreement("brisque", rows) == pytest.approx(0.979, abs=0.002)
