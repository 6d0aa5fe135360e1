"""Formulas written a second time, from the papers, in NumPy and SciPy: slow, and on another way where there is one."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from ganiq.bench import weights
from ganiq.metrics.classical import steerable, vif
from scipy import ndimage, signal, special, stats
from torch import Tensor

from .cases import Case

WINDOWS = np.lib.stride_tricks.sliding_window_view


def gray(batch: Tensor, *, matlab: bool = True) -> np.ndarray:
    """(1,3,H,W) -> (H,W) whole numbers: by the digits of MATLAB's matrix and halves upwards, or by four digits."""
    red, green, blue = batch[0].numpy()
    if not matlab:
        return np.rint((0.2989 * red + 0.5870 * green + 0.1140 * blue) * 255)
    inverse = np.linalg.inv([[1, 0.956, 0.621], [1, -0.272, -0.647], [1, -1.106, 1.703]])
    return np.floor(np.rint(np.stack([red, green, blue], axis=2) * 255) @ inverse[0] + 0.5)


def both(case: Case) -> tuple[np.ndarray, np.ndarray]:
    return gray(case.image), gray(case.reference)


# --------------------------------------------------------------------------------- with a reference


def nlpd(case: Case) -> float:
    """By convolutions in two dimensions."""
    kernel = np.outer([0.05, 0.25, 0.4, 0.25, 0.05], [0.05, 0.25, 0.4, 0.25, 0.05])
    sigma = (0.0248, 0.0185, 0.0179, 0.0191, 0.0220, 0.2782)
    around = (
        (0.1011, 0.1493, 0.1460, 0.1015),
        (0.0757, 0.1986, 0.1846, 0.0837),
        (0.0477, 0.2138, 0.2243, 0.0467),
        (0, 0.2503, 0.2616, 0),
        (0, 0.2598, 0.2552, 0),
        (0, 0.2215, 0.0717, 0),
    )

    def pyramid(plane: np.ndarray) -> list[np.ndarray]:
        found = []
        for level in range(6):
            detail, lower = plane, plane
            if level < 5:
                lower = ndimage.convolve(plane, kernel, mode="reflect")[::2, ::2]
                wide = np.pad(lower, 1, mode="edge")
                grid = np.zeros((2 * wide.shape[0], 2 * wide.shape[1]))
                grid[::2, ::2] = 4 * wide
                raised = signal.convolve2d(grid, kernel, "same")[2:, 2:]
                detail = plane - raised[: plane.shape[0], : plane.shape[1]]
            near = np.zeros((5, 5))
            near[1, 2], near[2, 1], near[2, 3], near[3, 2] = around[level]
            near[2, 4] = 0.0072 * (level == 0)
            found.append(detail / (sigma[level] + signal.convolve2d(abs(detail), near, "same")))
            plane = lower
        return found

    parts = zip(*(pyramid(plane / 255) for plane in both(case)), strict=True)
    return float(np.mean([np.sqrt(np.mean((a - b) ** 2)) for a, b in parts]))


def cw_ssim(level: int, orientations: int) -> Callable[[Case], float]:
    """Window by window."""

    def score(case: Case) -> float:
        x, y = (
            WINDOWS(steerable.bands(torch.from_numpy(plane), level, orientations).numpy(), (7, 7), axis=(1, 2))
            for plane in both(case)
        )
        ratio = 2 * abs((x * y.conj()).sum((-1, -2))) / (abs(x) ** 2 + abs(y) ** 2).sum((-1, -2))
        down, across = (np.arange(n) - (n - 1) / 2 for n in ratio.shape[1:])
        spread = case.image.shape[2] / 2 ** (level - 1) / 4
        weight = np.exp(-(down[:, None] ** 2 + across**2) / (2 * spread**2))
        return float((ratio * weight).sum() / weight.sum() / orientations)

    return score


def _subbands(plane: np.ndarray) -> list[np.ndarray]:
    """The pyramid by scipy's correlation, whose "mirror" is the border of the authors' toolbox."""
    first, low, oriented = (f.numpy() for f in vif._filters(torch.float64, torch.device("cpu")))
    plane = ndimage.correlate(plane, first[0, 0], mode="mirror")
    found = []
    for level in range(4):
        if level:
            plane = ndimage.correlate(plane, low[0, 0], mode="mirror")[::2, ::2]
        found += [ndimage.correlate(plane, band[0], mode="mirror") for band in oriented]
    return found


def wavelet_vif(case: Case) -> float:
    """Block by block."""
    image, reference = both(case)
    kept = total = 0.0
    for number, (y, x) in enumerate(zip(_subbands(image), _subbands(reference), strict=True)):
        size = (17, 9, 5, 3)[number // 2]
        rows, columns = (side // 3 * 3 for side in x.shape)
        x, y = x[:rows, :columns], y[:rows, :columns]
        around_x, around_y = (WINDOWS(np.pad(p, size // 2, mode="reflect"), (size, size)) for p in (x, y))
        covariance = np.cov(WINDOWS(x, (3, 3)).reshape(-1, 9).T, bias=True)
        inverse, eigenvalues = np.linalg.inv(covariance), np.linalg.eigvalsh(covariance)
        border = math.ceil((size // 2) / 3)
        for i in range(border, rows // 3 - border):
            for j in range(border, columns // 3 - border):
                block = x[3 * i : 3 * i + 3, 3 * j : 3 * j + 3].ravel()
                s = block @ inverse @ block / 9
                a, b = around_x[3 * i + 1, 3 * j + 1].ravel(), around_y[3 * i + 1, 3 * j + 1].ravel()
                g = max(np.mean((a - a.mean()) * (b - b.mean())) / a.var(), 0)
                v = b.var() - g * np.mean((a - a.mean()) * (b - b.mean()))
                kept += np.log2(1 + g * g * s * eigenvalues / (v + 0.4)).sum()
                total += np.log2(1 + s * eigenvalues / 0.4).sum()
    return kept / total


# --------------------------------------------------------------------------------- without


def entropy(case: Case) -> float:
    return float(stats.entropy(np.bincount(gray(case.image).astype(int).ravel(), minlength=256), base=2))


def colorfulness(case: Case) -> float:
    red, green, blue = 255 * case.image[0].numpy()
    first, second = red - green, (red + green) / 2 - blue
    return math.sqrt(np.var(first) + np.var(second)) + 0.3 * math.hypot(first.mean(), second.mean())


def sharpness(case: Case) -> float:
    kernel = np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]])
    return float(np.var(signal.convolve2d(gray(case.image), kernel, mode="valid")))


def contrast(case: Case) -> float:
    return float(np.std(gray(case.image) / 255))


# --------------------------------------------------------------------------------- natural scene statistics

_SHAPES = np.arange(200, 10001) / 1000
_RATIOS = special.gamma(2 / _SHAPES) ** 2 / (special.gamma(1 / _SHAPES) * special.gamma(3 / _SHAPES))


def _half(plane: np.ndarray) -> np.ndarray:
    """Half size by the bicubic kernel (a = -1/2) stretched twofold: eight taps around the gap between two pixels."""
    x = abs(np.arange(8) - 3.5) / 2
    taps = np.where(x <= 1, 1.5 * x**3 - 2.5 * x**2 + 1, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2) / 2
    for axis in (0, 1):
        side = plane.shape[axis]
        wide = np.moveaxis(np.pad(plane, [(3, 5) if i == axis else (0, 0) for i in (0, 1)], mode="symmetric"), axis, 0)
        plane = np.moveaxis(np.sum([taps[k] * wide[k : k + side : 2] for k in range(8)], axis=0), 0, axis)
    return plane


def _normalised(plane: np.ndarray, mode: str) -> np.ndarray:
    line = np.exp(-(np.arange(-3, 4) ** 2) / (2 * (7 / 6) ** 2))
    window = np.outer(line, line) / line.sum() ** 2
    mean = ndimage.correlate(plane, window, mode=mode)
    spread = np.sqrt(abs(ndimage.correlate(plane**2, window, mode=mode) - mean**2))
    done = (plane - mean) / (spread + 1)
    return np.where(abs(done) < 1e-9, 0, done)


def nothing(image: Tensor) -> bool:
    """Whether any pixel of the gray image, or of half its size, is the mean of its window."""
    plane = gray(image, matlab=False)
    return any((_normalised(size, "constant") == 0).any() for size in (plane, _half(plane)))


def _asymmetric(values: np.ndarray) -> tuple[float, float, float]:
    """Shape, and the deviations left and right of zero."""
    left, right = (math.sqrt(np.mean(side**2)) for side in (values[values < 0], values[values > 0]))
    skew = left / right
    ratio = np.mean(abs(values)) ** 2 / np.mean(values**2) * (skew**3 + 1) * (skew + 1) / (skew**2 + 1) ** 2
    return float(_SHAPES[np.argmin((_RATIOS - ratio) ** 2)]), left, right


def _scaled(shape: float, left: float, right: float) -> tuple[float, float, float]:
    """Mean, and the scales left and right."""
    factor = math.sqrt(special.gamma(1 / shape) / special.gamma(3 / shape))
    low, high = left * factor, right * factor
    return (high - low) * special.gamma(2 / shape) / special.gamma(1 / shape), low, high


def _products(plane: np.ndarray) -> list[np.ndarray]:
    return [plane * np.roll(plane, shift, (0, 1)) for shift in ((0, 1), (1, 0), (1, 1), (1, -1))]


def _eighteen(plane: np.ndarray) -> list[float]:
    """What NIQE takes of a block."""
    shape, left, right = _asymmetric(plane)
    _, low, high = _scaled(shape, left, right)
    found = [shape, (low + high) / 2]
    for product in _products(plane):
        fit = _asymmetric(product)
        found += [fit[0], *_scaled(*fit)]
    return found


def _niqe(luma: np.ndarray, mean: np.ndarray, covariance: np.ndarray) -> float:
    rows, columns = (side // 96 for side in luma.shape)
    luma = luma[: rows * 96, : columns * 96]
    scales = [_normalised(luma, "nearest"), _normalised(_half(luma), "nearest")]
    blocks = []
    for i in range(rows):
        for j in range(columns):
            parts = [
                plane[i * side : (i + 1) * side, j * side : (j + 1) * side]
                for plane, side in zip(scales, (96, 48), strict=True)
            ]
            blocks.append([value for part in parts for value in _eighteen(part)])
    found = np.array(blocks)
    difference = found.mean(0) - mean.ravel()
    return math.sqrt(difference @ np.linalg.pinv((np.cov(found.T) + covariance) / 2) @ difference)


def niqe(luma: str) -> Callable[[Case], float]:
    """With luma 16-235, with gray by four digits, or with MATLAB's gray; the model of the release."""

    def score(case: Case) -> float:
        red, green, blue = case.image[0].numpy()
        plane = {
            "studio": lambda: np.rint(65.481 * red + 128.553 * green + 24.966 * blue + 16),
            "gray": lambda: gray(case.image, matlab=False),
            "matlab": lambda: gray(case.image),
        }[luma]()
        model = weights.arrays("niqe/pristine-live")
        return _niqe(plane, np.asarray(model["mu"]), np.asarray(model["cov"]))

    return score


def niqe_matlab(case: Case) -> float:
    from ganiq.metrics.classical import niqe_matlab as module

    return _niqe(gray(case.image), *module.model())


def _brisque(plane: np.ndarray) -> list[float]:
    """What BRISQUE takes of an image."""
    found = []
    for size in (1, 2):
        plane = _half(plane) if size == 2 else plane
        done = _normalised(plane, "constant")
        variance = np.mean(done**2)
        found += [_SHAPES[np.argmin(abs(1 / _RATIOS - variance / np.mean(abs(done)) ** 2))], variance]
        for product in _products(done):
            shape, left, right = _asymmetric(product)
            found += [shape, _scaled(shape, left, right)[0], left**2, right**2]
    return found


def brisque(case: Case) -> float:
    model = {key: np.asarray(value) for key, value in weights.arrays("brisque/release-2011").items()}
    found = np.array(_brisque(gray(case.image, matlab=False)))
    return _machine(model, 2 * (found - model["min"]) / (model["max"] - model["min"]) - 1)


def brisque_release(case: Case) -> float:
    """With the rounding of LIBSVM's text files."""
    found = _brisque(gray(case.image))
    model = {key: np.asarray(value) for key, value in weights.arrays("brisque/release-2011").items()}
    found = np.array([float(f"{value:.6f}") for value in found])
    found = -1 + 2 * (found - model["min"]) / (model["max"] - model["min"])
    found = np.array([float(f"{value:.6g}") for value in found])
    return _machine(model, found)


def _machine(model: dict[str, np.ndarray], found: np.ndarray) -> float:
    kernel = np.exp(-model["gamma"] * ((model["support_vectors"] - found) ** 2).sum(1))
    return float(model["coefficients"].ravel() @ kernel - model["rho"])


def brisque_by_piq(case: Case) -> float:
    """Features by piq, on gray; scaling and regression of the release."""
    from ganiq.bench.vision import load

    luma = torch.from_numpy(gray(case.image, matlab=False))[None, None]
    statistics = load("piq.brisque")._natural_scene_statistics
    smaller = load("piq.functional").imresize(luma / 255, scale=0.5) * 255
    found = torch.cat([statistics(luma), statistics(smaller)], dim=-1).numpy().ravel()
    model = {key: np.asarray(value) for key, value in weights.arrays("brisque/release-2011").items()}
    return _machine(model, 2 * (found - model["min"]) / (model["max"] - model["min"]) - 1)


def brisque_matlab(case: Case) -> float:
    from ganiq.metrics.classical import brisque_matlab as module
    from ganiq.metrics.classical.matfile import fields

    shapes = {"alpha": (-1, 1), "bias": (1, 1), "support_vectors": (-1, 36), "scale": (1, 1)}
    model = fields(module.SLOT, shapes)
    plane = gray(case.image)
    found = [v for size in (plane, _half(plane)) for v in _eighteen(_normalised(size, "nearest"))]
    kernel = [math.exp(-sum((v - found) ** 2) / model["scale"].item() ** 2) for v in model["support_vectors"]]
    return float(np.dot(kernel, model["alpha"].ravel()) + model["bias"].item())


def piqe(case: Case) -> float:
    """Block by block."""
    plane = gray(case.image)
    if plane.max():
        plane = np.floor(255 * (plane / plane.max()) + 0.5)
    plane = np.pad(plane, [(0, -side % 16) for side in plane.shape], mode="symmetric")
    plane = _normalised(plane, "nearest")
    active, damage = 0, 0.0
    for i in range(0, plane.shape[0], 16):
        for j in range(0, plane.shape[1], 16):
            block = plane[i : i + 16, j : j + 16]
            variance = np.var(block, ddof=1)
            if variance <= 0.1:
                continue
            active += 1
            edges = (block[0], block[-1], block[:, 0], block[:, -1])
            flat = any(np.std(edge[k : k + 6], ddof=1) < 0.1 for edge in edges for k in range(11))
            deviation = math.sqrt(variance)
            around = np.delete(block, (7, 9), axis=1)
            share = np.std(block[:, 7:9], ddof=1) / np.std(around, ddof=1)
            even = deviation > 2 * abs(deviation - share) / max(deviation, share)
            damage += (1 - variance) * flat + variance * even
    return float(np.clip(100 * (damage + 1) / (active + 1), 0, 100)) if active else 100.0
