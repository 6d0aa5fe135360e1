"""Official values of five TID2013 pairs: where protocols part, image by image; and agreement with people on LIVE.

How near every metric comes to them is measured in parity/table.py and written in docs/parity.md. In short, by the
largest error over the five images:

=============================  =====================================================
psnr, ssim-gray, fsimc         equal at the printed digits, or one unit of the last: .004 dB, .0001, .0001
nlpd, cw-ssim, vif             2e-14 (relative); equal at the printed four decimals
piqe, entropy                  equal at the printed two and four decimals
gmsd, ms-ssim                  .0001 and .005 where they are given gray, as the official programs; .0003 and .048
                               as they are
vsi                            .012 (1.3 %)
niqe-release                   5e-14 (relative) where nothing is flat, .6 % at most; ``niqe(luma="gray")`` 1.3 %,
                               ``niqe`` (studio luma) 5.4 %
brisque-release                .002 on three, .6 and 2.2 on two with much flat ground; ``brisque`` .004 on two,
                               .21 on two, and 7.3 on an image of broken blocks (I19: 64.9 for 72.3)
=============================  =====================================================

The official ``vif`` is the wavelet form and not comparable with ``vifp``; the column ``mad`` is a port's.
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


def test_official_brisque(tid: tuple[Tensor, Tensor], official: dict[str, list[float]]) -> None:
    errors = np.abs(scores("brisque", tid) - official["brisque"])
    assert (errors[:2] < 0.005).all()
    assert errors[2] < 0.05
    # Flat ground: there the official value counts the signs of what rounding left of zero; ours does not.
    assert (errors[3:] < (0.61, 2.3)).all()


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
