"""Distances between sets of features as other packages compute them, and straight from their definitions."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from functools import lru_cache

import numpy as np
import torch
from ganiq.bench.vision import load
from scipy import linalg, stats
from scipy.spatial.distance import cdist
from torch import Tensor

from .cases import Absent, Case


def arrays(case: Case) -> tuple[np.ndarray, np.ndarray]:
    return case.image.numpy(), case.reference.numpy()


def _moments(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return rows.mean(0), np.cov(rows, rowvar=False)


def pytorch_fid(case: Case) -> float:
    if "disp" not in inspect.signature(linalg.sqrtm).parameters:
        raise Absent("pytorch-fid's function needs a SciPy below 1.18, whose sqrtm takes disp")
    function = load("pytorch_fid.fid_score").calculate_frechet_distance
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", DeprecationWarning)
        return float(function(*(part for rows in arrays(case) for part in _moments(rows))))


def torchmetrics_fid(case: Case) -> float:
    moments = [torch.from_numpy(part) for rows in arrays(case) for part in _moments(rows)]
    return float(load("torchmetrics.image.fid")._compute_fid(*moments))


def _frechet(x: np.ndarray, y: np.ndarray) -> float:
    (m1, s1), (m2, s2) = _moments(x), _moments(y)
    root: np.ndarray = np.real(linalg.sqrtm(s1 @ s2))
    return float(((m1 - m2) ** 2).sum() + np.trace(s1 + s2 - 2 * root))


def frechet_at_infinity(case: Case) -> float:
    """A line by scipy through distances by its matrix square root; subsets drawn as the metric says."""
    x, y = arrays(case)
    order = np.argsort(x.sum(1), kind="stable")
    random = torch.Generator().manual_seed(0)
    sizes = np.rint(np.linspace(max(2048, len(x) // 10), len(x), 15)).astype(int)
    distances = [_frechet(x[order[torch.randperm(len(x), generator=random)[:size].numpy()]], y) for size in sizes]
    return float(stats.linregress(1 / sizes, distances).intercept)  # pyright: ignore[reportAttributeAccessIssue]


def torchmetrics_kid(case: Case) -> float:
    return float(load("torchmetrics.image.kid").poly_mmd(case.image, case.reference))


@lru_cache(maxsize=16)
def _all_four(case: Case, k: int) -> dict[str, float]:
    return brute(case.image, case.reference, k)


def brute(generated: Tensor, real: Tensor, k: int) -> dict[str, float]:
    """Precision, recall, density and coverage, straight from the definitions, from all distances at once."""
    x, y = real.double().numpy(), generated.double().numpy()

    def radius(rows: np.ndarray) -> np.ndarray:
        within = cdist(rows, rows, "sqeuclidean")
        np.fill_diagonal(within, np.inf)
        return np.sort(within, axis=1)[:, k - 1]

    across, real_radius, made_radius = cdist(x, y, "sqeuclidean"), radius(x), radius(y)
    return {
        "precision": float((across <= real_radius[:, None]).any(axis=0).mean()),
        "recall": float((across <= made_radius[None]).any(axis=1).mean()),
        "density": float((across < real_radius[:, None]).sum() / (k * len(y))),
        "coverage": float((across.min(axis=1) < real_radius).mean()),
    }


def neighbours(name: str, k: int) -> Callable[[Case], float]:
    return lambda case: _all_four(case, k)[name]
