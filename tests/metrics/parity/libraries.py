"""Metrics as other packages compute them."""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import numpy as np
from ganiq.bench.vision import load
from PIL import Image
from torch import Tensor

from .again import gray
from .cases import Case


def pixels(batch: Tensor) -> np.ndarray:
    """(1,3,H,W) -> (H,W,3)."""
    return batch[0].permute(1, 2, 0).numpy()


def piq(function: str, *, rounding: bool = False, centred: bool = False, **options: Any) -> Callable[[Case], float]:
    """In double precision: in single precision some of its variances lose so many digits that it is further from its
    own formula than ganiq is.

    Args:
        function: of piq.
        rounding: its ``round`` is replaced by MATLAB's, which takes halves upwards.
        centred: a plane's mean is taken off before its phase congruency is computed, which no filter passes anyway.
        options: of the function.
    """

    def score(case: Case) -> float:
        call = getattr(load("piq"), function)
        changed: dict[str, Any] = {}
        if rounding:
            changed["round"] = lambda value: math.floor(value + 0.5)
        if centred:
            congruency = call.__globals__["_phase_congruency"]
            changed["_phase_congruency"] = lambda x, **more: congruency(x - x.mean((2, 3), keepdim=True), **more)
        with patch.dict(call.__globals__, changed):
            return float(call(case.image, case.reference, data_range=1.0, **options))

    return score


# --------------------------------------------------------------------------------- scikit-image


def studio(batch: Tensor) -> np.ndarray:
    from skimage.color import rgb2ycbcr

    return rgb2ycbcr(pixels(batch))[..., 0]


def rounded_gray(batch: Tensor) -> np.ndarray:
    return gray(batch, matlab=False)


def skimage_mse(case: Case) -> float:
    from skimage.metrics import mean_squared_error

    return float(mean_squared_error(pixels(case.reference), pixels(case.image)))


def skimage_psnr(case: Case) -> float:
    from skimage.metrics import peak_signal_noise_ratio

    return float(peak_signal_noise_ratio(pixels(case.reference), pixels(case.image), data_range=1))


def skimage_psnr_y(case: Case) -> float:
    from skimage.metrics import peak_signal_noise_ratio

    return float(peak_signal_noise_ratio(studio(case.reference), studio(case.image), data_range=255))


def skimage_ssim(convert: Callable[[Tensor], np.ndarray], data_range: float) -> Callable[[Case], float]:
    """Mean over the windows that lie wholly inside, with Gaussian weights and population covariances."""

    def score(case: Case) -> float:
        from skimage.metrics import structural_similarity

        image, reference = convert(case.image), convert(case.reference)
        answer: Any = structural_similarity(
            image,
            reference,
            data_range=data_range,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            channel_axis=None if image.ndim == 2 else -1,
            full=True,
        )
        return float(answer[1][5:-5, 5:-5].mean())

    return score


# --------------------------------------------------------------------------------- torchmetrics


def torchmetrics_vif(case: Case) -> float:
    share = case.image.new_tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
    luma = [(batch * share).sum(1, keepdim=True) * 255 for batch in (case.image, case.reference)]
    return float(load("torchmetrics.functional.image").visual_information_fidelity(*luma, sigma_n_sq=2.0))


def torchmetrics_tv(case: Case) -> float:
    return float(load("torchmetrics.functional.image").total_variation(case.image)) / case.image.numel()


# --------------------------------------------------------------------------------- ssimulacra2


def ssimulacra2(case: Case) -> float:
    from ssimulacra2 import compute_ssimulacra2

    def file(batch: Tensor) -> io.BytesIO:
        answer = io.BytesIO()
        Image.fromarray(np.rint(pixels(batch) * 255).astype(np.uint8)).save(answer, "PNG")
        answer.seek(0)
        return answer

    return float(compute_ssimulacra2(file(case.reference), file(case.image)))
