"""No-reference metrics against official values, closed forms and, for the controls, what they truly do.

Official values are those of five TID2013 images. Largest errors with this code:

=================  =====================================================================================
niqe-release       5e-14 (relative) where no pixel is flat; .49 % and less on three, .57 % on the worst.
                   ``niqe(luma="gray")``: 1e-4 and 1.3 %
brisque-release    equal at the printed six digits where no pixel is flat; .002 on two, .55 and 2.2 on the
                   two with flat ground of many levels. ``brisque``: .0006 and 7.3
piqe               equal at the printed two decimals
entropy            equal at the printed four decimals
il-niqe            1.9 % (with the authors' template)
=================  =====================================================================================
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from ganiq.bench import registry, weights
from ganiq.bench.vision import load
from ganiq.metrics.classical import brisque_matlab, brisque_release, il_niqe, matlab, niqe_matlab, niqe_release, piqe
from ganiq.metrics.classical.matfile import fields
from ganiq.metrics.classical.scenes import gaussian, normalise
from ganiq.metrics.learned import clip_iqa
from PIL import Image
from scipy.io import savemat
from torch import Tensor

NAMES = ("I03", "I04", "I06", "I08", "I19")
CONTROLS = ("entropy", "colorfulness", "sharpness", "contrast")


def score(name: str, images: Tensor) -> list[float]:
    return registry.metrics.get(name)()(images).tolist()


def rough(height: int, width: int, seed: int = 0) -> Tensor:
    """(1,3,H,W): smoothed noise on the 8-bit grid."""
    noise = torch.rand(1, 3, height + 2, width + 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return (torch.nn.functional.avg_pool2d(noise, 3, 1) * 255).round() / 255


# --------------------------------------------------------------------------------- official values


@pytest.fixture(scope="module")
def official(shared_data: Path) -> dict[str, list[float]]:
    with open(shared_data / "calibration" / "results_official.csv", newline="") as file:
        return {row["Method"]: [float(row[f"{n}.bmp"]) for n in NAMES] for row in csv.DictReader(file)}


@pytest.fixture(scope="module")
def distorted(shared_data: Path) -> Tensor:
    files = [shared_data / "calibration" / "dist_dir" / f"{n}.bmp" for n in NAMES]
    arrays = [np.array(Image.open(file).convert("RGB")) for file in files]
    return torch.from_numpy(np.stack(arrays)).permute(0, 3, 1, 2).double() / 255


@pytest.mark.parametrize(
    ("name", "row", "allowed"),
    [
        ("niqe-release", "niqe", (0.008, 1e-12, 0.0012, 0.0181, 0.0305)),
        ("brisque-release", "brisque", (0.0017, 1e-6, 0.0019, 0.56, 2.2)),
        ("piqe", "piqe", (0.0051,) * 5),
        ("entropy", "entropy", (0.000051,) * 5),
    ],
)
def test_official_values(
    name: str, row: str, allowed: tuple[float, ...], distorted: Tensor, official: dict[str, list[float]]
) -> None:
    errors = np.abs(np.array(score(name, distorted)) - official[row])
    assert (errors <= allowed).all(), errors


def test_release_protocols_are_nearer_than_the_common_ones(distorted: Tensor, official: dict[str, list[float]]) -> None:
    """What another luma or gray is worth; of BRISQUE on the three images with little flat ground."""
    for release, common, row, count in (
        ("niqe-release", "niqe", "niqe", 5),
        ("brisque-release", "brisque", "brisque", 3),
    ):
        near, far = (np.abs(np.array(score(n, distorted)) - official[row])[:count] for n in (release, common))
        assert near.max() < far.max() / 3


# --------------------------------------------------------------------------------- MATLAB's functions


def test_gray_is_the_inverse_of_the_yiq_matrix() -> None:
    inverse = np.linalg.inv([[1, 0.956, 0.621], [1, -0.272, -0.647], [1, -1.106, 1.703]])
    assert pytest.approx(inverse[0], abs=1e-15) == matlab.GRAY
    levels = torch.arange(256, dtype=torch.float64)
    same = (levels / 255).expand(1, 3, 1, 256)
    assert matlab.gray(same).flatten().tolist() == levels.tolist()
    assert matlab.gray(same.float()).flatten().tolist() == levels.tolist()


def test_half_size_is_exact_on_whole_numbers_and_antialiased() -> None:
    flat = torch.full((1, 1, 20, 31), 77.0, dtype=torch.float64)
    assert matlab.half(flat).shape == (1, 1, 10, 16)
    assert matlab.half(flat[..., :30]).unique().tolist() == [77.0]
    image = rough(40, 52)[:, :1]
    other = load("piq.functional").imresize(image, scale=0.5)
    assert float((matlab.half(image) - other).abs().max()) < 1e-6
    board = torch.tensor([[0.0, 255.0], [255.0, 0.0]], dtype=torch.float64).repeat(1, 1, 10, 10)
    assert float((matlab.half(board) - 127.5).abs()[..., 2:-2, 2:-2].max()) < 1e-9


def test_nothing_stays_nothing_where_rounding_would_decide() -> None:
    """On flat ground, and on an even slope, exactly 0; beside an edge not."""
    window = gaussian(7, 7 / 6)
    image = torch.full((1, 1, 30, 40), 201.0, dtype=torch.float64)
    image[..., 20:] = 90
    done = normalise(image, window, "replicate")
    assert bool((done[..., :17] == 0).all())
    assert bool((done[..., 23:] == 0).all())
    assert float(done[..., 17:23].abs().min()) > 1e-6
    slope = torch.arange(40, dtype=torch.float64).expand(1, 1, 30, 40) * 3 + 7
    assert bool((normalise(slope, window, "replicate")[..., 3:-3] == 0).all())


# --------------------------------------------------------------------------------- NIQE


def test_release_counts_flat_blocks_as_its_program_does() -> None:
    image = rough(192, 192)
    image[..., :112, :112] = 0.5
    rows = niqe_release.statistics(matlab.gray(image))
    assert rows.shape == (4, 36)
    empty = rows[~rows.isfinite().all(dim=1)]
    assert empty.shape == (1, 36)  # the flat block
    assert empty[0, [0, 2, 6, 10, 14, 18]].tolist() == [0.2] * 6  # no shape: the first of the grid
    assert bool(empty[0, [1, 3, 4, 5]].isnan().all())
    mean = torch.zeros(36, dtype=torch.float64)
    value = niqe_release.distance(rows, mean, torch.eye(36, dtype=torch.float64))
    whole = rows[rows.isfinite().all(dim=1)]
    pooled = (np.cov(whole.numpy().T) + np.eye(36)) / 2
    center = np.nanmean(rows.numpy(), axis=0)
    assert float(value) == pytest.approx(math.sqrt(center @ np.linalg.inv(pooled) @ center), rel=1e-9)
    assert math.isnan(score("niqe-release", torch.full((1, 3, 192, 192), 0.5))[0])


def test_release_and_super_resolution_luma_differ_and_blocks_are_whole() -> None:
    image = rough(200, 230, seed=3)
    assert score("niqe-release", image) == score("niqe-release", image[..., :192, :192])
    assert score("niqe-release", image) != score("niqe", image)


# --------------------------------------------------------------------------------- models of MATLAB


def as_mat(monkeypatch: pytest.MonkeyPatch, **values: Any) -> None:
    file = io.BytesIO()
    savemat(file, values)
    monkeypatch.setattr(weights, "read", lambda _: file.getvalue())


def test_niqe_matlab_is_the_release_with_another_model(monkeypatch: pytest.MonkeyPatch) -> None:
    image = rough(192, 192, seed=5)
    own = weights.arrays("niqe/pristine-live")
    plain = {"mean": own["mu"][None], "covariance": own["cov"], "sharpness": 0.0}
    as_mat(monkeypatch, **plain, block=[96.0, 96.0])
    assert score("niqe-matlab", image) == pytest.approx(score("niqe-release", image), rel=1e-6)
    as_mat(monkeypatch, **plain | {"mean": own["mu"][None] + 1}, block=[96.0, 96.0])
    assert score("niqe-matlab", image) != pytest.approx(score("niqe-release", image), rel=1e-2)
    as_mat(monkeypatch, **plain, block=[64.0, 96.0])
    with pytest.raises(weights.BadWeights, match="blocks of 64x96"):
        score("niqe-matlab", image)
    as_mat(monkeypatch, **plain | {"sharpness": 0.75}, block=[96.0, 96.0])
    with pytest.raises(weights.BadWeights, match=r"sharpness threshold 0\.75"):
        score("niqe-matlab", image)


def test_brisque_matlab_regression_in_closed_form() -> None:
    features = torch.full((36,), 1.5, dtype=torch.float64)
    model = {
        "support_vectors": torch.ones(1, 36, dtype=torch.float64),
        "alpha": torch.tensor([[10.0]], dtype=torch.float64),
        "bias": torch.tensor([[3.0]], dtype=torch.float64),
        "scale": torch.tensor([[6.0]], dtype=torch.float64),
    }
    value = float(brisque_matlab.regression(features, model))
    assert value == pytest.approx(10 * math.exp(-36 * 0.25 / 36) + 3, abs=1e-12)


def test_brisque_matlab_takes_scales_where_the_release_takes_variances() -> None:
    """Shape and mean of the four products are shared; the rest is other statistics of the same fits."""
    luma = matlab.gray(rough(64, 80, seed=9))
    inner = luma[..., 16:-16, 16:-16]  # whatever: both are asked for the same pixels
    ours, release = brisque_matlab.statistics(inner), brisque_release.statistics(inner)
    assert ours.shape == release.shape == (36,)
    plane = normalise(inner, gaussian(7, 7 / 6), "replicate")[0]
    product = plane * plane.roll((0, 1), dims=(1, 2))
    left = float(product[product < 0].square().mean().sqrt())
    shape = float(ours[2])
    assert float(ours[4]) == pytest.approx(left * math.sqrt(math.gamma(1 / shape) / math.gamma(3 / shape)), rel=1e-9)


def test_models_that_do_not_fit_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    shapes = {"alpha": (-1, 1), "bias": (1, 1)}
    good = {"alpha": np.ones((4, 1)), "bias": 2}
    as_mat(monkeypatch, **good)
    assert fields("brisque/matlab", shapes)["alpha"].shape == (4, 1)
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"alpha": np.ones((4, 1))}, "bias is missing"),
        ({**good, "gamma": 1}, "gamma is unknown"),
        ({**good, "alpha": np.ones((1, 4))}, r"alpha \(1, 4\)"),
        ({**good, "bias": "two"}, "bias"),
        ({**good, "alpha": np.full((4, 1), np.nan)}, "E-CKPT-NAN"),
    ]
    for values, words in wrong:
        as_mat(monkeypatch, **values)
        with pytest.raises(weights.BadWeights, match=words):
            fields("brisque/matlab", shapes)
    file = io.BytesIO()
    savemat(file, {"alpha": np.ones((50, 60))}, do_compression=True)
    whole = file.getvalue()
    for data in (b"", b"no such thing", whole[:150], whole[:-40], b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM"):
        monkeypatch.setattr(weights, "read", lambda _, data=data: data)
        with pytest.raises(weights.BadWeights, match="E-CKPT-FORMAT"):
            fields("brisque/matlab", shapes)
    monkeypatch.setattr("ganiq.metrics.classical.matfile.LARGEST", 2999)
    monkeypatch.setattr(weights, "read", lambda _: whole)
    with pytest.raises(weights.BadWeights, match="too large"):
        fields("brisque/matlab", shapes)


@pytest.mark.parametrize("name", ["niqe-matlab", "brisque-matlab", "clip-iqa", "il-niqe"])
def test_without_its_model_it_says_what_to_do(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, build_anew: Callable[[], None]
) -> None:
    monkeypatch.setenv("GANIQ_WEIGHTS", str(tmp_path))
    build_anew()
    with pytest.raises(weights.MissingWeights, match="ganiq weights add"):
        score(name, rough(256, 256).float())
    slot = registry.metrics.get(name).info.weights[0]
    assert slot in weights.slots()
    with pytest.raises(Exception, match="you make it yourself") as refused:
        weights.get([slot], yes=True)
    assert weights.slots()[slot].origin.make in str(refused.value)


# --------------------------------------------------------------------------------- PIQE


def blocks_of(*fillings: Tensor) -> Tensor:
    return torch.stack(list(fillings))


def test_piqe_finds_flat_edges() -> None:
    random = torch.randn(16, 16, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    assert piqe.impaired(blocks_of(random)).tolist() == [False]
    for edge in (np.s_[0, 10:], np.s_[-1, :6], np.s_[3:9, 0], np.s_[10:, -1]):
        damaged = random.clone()
        damaged[edge] = 0.3
        assert piqe.impaired(blocks_of(random, damaged)).tolist() == [False, True]
    inside = random.clone()
    inside[5:9, 2:12] = 0.3
    assert piqe.impaired(blocks_of(inside)).tolist() == [False]


def test_piqe_takes_even_noise_for_noise() -> None:
    noise = torch.randn(16, 16, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    line = torch.zeros(16, 16, dtype=torch.float64)
    line[:, 7] = 2.0  # all contrast in the middle: no noise
    both = blocks_of(noise, line)
    assert piqe.noisy(both, both.var(dim=(1, 2))).tolist() == [True, False]


def test_piqe_of_flat_and_of_partial_blocks() -> None:
    for level in (0.0, 0.5, 1.0):
        assert score("piqe", torch.full((1, 3, 40, 50), level)) == [100.0]
    image = rough(64, 80, seed=4)
    mirrored = torch.cat([image, image.flip(3)[..., :16]], dim=3)
    assert score("piqe", mirrored[..., :93]) == pytest.approx(
        score("piqe", torch.cat([mirrored[..., :93], mirrored[..., 90:93].flip(3)], dim=3)), abs=1e-9
    )


def test_piqe_rises_with_blur_and_compression_and_with_more_than_a_little_noise(
    ladder: dict[str, list[tuple[Tensor, Tensor]]],
) -> None:
    """A little noise covers flat edges of blocks: the first step may go either way."""
    original = np.mean(score("piqe", ladder["blur"][0][1]))
    means = {kind: [np.mean(score("piqe", images)) for images, _ in levels] for kind, levels in ladder.items()}
    for kind in ("blur", "jpeg"):
        assert (np.diff([original, *means[kind]]) > 0).all(), kind
    assert (np.diff(means["noise"]) > 0).all()
    assert means["noise"][1] > original
    first = np.array(score("piqe", ladder["noise"][0][0])) - score("piqe", ladder["noise"][0][1])
    assert first.min() < 0 < first.max()


# --------------------------------------------------------------------------------- IL-NIQE


def test_official_il_niqe(distorted: Tensor, official: dict[str, list[float]]) -> None:
    if not weights.present(il_niqe.SLOT):
        pytest.skip(f"needs weights {il_niqe.SLOT}")
    errors = np.array(score("il-niqe", distorted)) / official["ilniqe"] - 1
    assert (np.abs(errors) < (0.019, 0.003, 0.011, 0.001, 0.014)).all(), errors


@pytest.mark.parametrize(("scale", "shape"), [(1.0, 1.0), (300.0, 2.5), (1e-6, 0.7)])
def test_weibull_fit_finds_scale_and_shape(scale: float, shape: float) -> None:
    from scipy.stats import weibull_min

    sample = np.asarray(weibull_min.rvs(shape, scale=scale, size=(80, 80), random_state=3))
    found = il_niqe.weibull(torch.from_numpy(sample)[None, None])[0]
    expected = weibull_min.fit(sample.ravel(), floc=0)
    assert found.tolist() == pytest.approx([expected[2], expected[0]], rel=1e-3)
    assert found.tolist() == pytest.approx([scale, shape], rel=0.05)


def test_il_niqe_derivatives_and_smaller_planes() -> None:
    """Against convolutions by scipy, which also says where an even window lies."""
    from scipy.ndimage import convolve
    from scipy.signal import convolve2d

    plane = torch.rand(40, 33, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    y, x = np.mgrid[-5:6, -5:6]
    bell = np.exp(-(x**2 + y**2) / (2 * 1.66**2))
    for found, kernel in zip(il_niqe.derivatives(plane, 1.66), (x * bell, y * bell), strict=True):
        assert np.abs(found.numpy()) == pytest.approx(np.abs(convolve2d(plane, kernel, mode="same")), abs=1e-12)
    smooth = convolve(plane.numpy(), gaussian(6, 0.9).numpy(), mode="nearest")[::2, ::2]
    assert il_niqe.halved(plane[None, None])[0, 0].numpy() == pytest.approx(smooth, abs=1e-12)


def test_il_niqe_filters_are_one_sided_and_turned() -> None:
    filters = il_niqe.gabors(64, 2.4)[0].view(3, 4, 64, 64)
    assert float(filters[..., 0, 0].abs().max()) == 0
    for scale in range(3):
        peak = int(filters[scale, 0].argmax())
        frequency = abs(float(torch.fft.fftfreq(64, dtype=torch.float64)[peak % 64]))
        assert peak < 64  # the first one looks along x
        assert frequency == pytest.approx(1 / (2.4 * 1.31**scale), abs=1 / 64)
    assert float(filters[0, 0][0, 1:31].sum()) > 100 * float(filters[0, 0][0, 33:].sum())


def test_il_niqe_distance_in_closed_form() -> None:
    rows = torch.randn(36, 468, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    rows[3, 7] = math.nan
    components = torch.eye(468, 5, dtype=torch.float64)
    centre = torch.full((468,), 0.1, dtype=torch.float64)
    mean, covariance = torch.ones(5, dtype=torch.float64), torch.eye(5, dtype=torch.float64)
    some = np.delete(rows.numpy()[:, :5], 3, axis=0) - 0.1
    blocks = rows.numpy()[:, :5] - 0.1
    inverse = np.linalg.inv((np.cov(some.T) + np.eye(5)) / 2)
    value = float(il_niqe.distance(rows[:, :], mean, covariance, centre, components))
    blocks[3] = some.mean(axis=0)  # one statistic is missing, and with it all components of the block
    assert value == pytest.approx(np.mean([math.sqrt((b - 1) @ inverse @ (b - 1)) for b in blocks]), rel=1e-9)


def test_il_niqe_refuses_other_files(monkeypatch: pytest.MonkeyPatch) -> None:
    as_mat(monkeypatch, templateModel=np.ones((4, 4)))
    with pytest.raises(weights.BadWeights, match="four arrays"):
        il_niqe.model()
    as_mat(monkeypatch, other=1)
    with pytest.raises(weights.BadWeights, match="four arrays"):
        il_niqe.model()


# --------------------------------------------------------------------------------- CLIP-IQA


def test_clip_iqa_is_that_of_piq(random_weights: Callable[[str], dict[str, Tensor]]) -> None:
    """Against piq's class with the same tensors, without its constructor, which fetches weights."""
    values = random_weights("clip-iqa/rn50")
    encoder = clip_iqa.blueprint().to_empty(device="cpu").eval()
    encoder.load_state_dict({k.removeprefix("visual."): v for k, v in values.items() if k.startswith("visual.")})
    piq = load("piq")
    reference = piq.CLIPIQA.__new__(piq.CLIPIQA)
    torch.nn.Module.__init__(reference)
    reference.data_range, reference.logit_scale = 1.0, values["logit_scale"].exp()
    reference.feature_extractor = SimpleNamespace(encode_image=encoder, to=lambda _: reference.feature_extractor)
    anchors = values["anchors"] / values["anchors"].norm(dim=-1, keepdim=True)
    for name, value in (("anchors", anchors), ("default_mean", clip_iqa.MEAN), ("default_std", clip_iqa.DEVIATION)):
        value = value if isinstance(value, Tensor) else torch.tensor(value).view(1, 3, 1, 1)
        reference.register_buffer(name, value)
    images = torch.cat([rough(64, 96, seed=s) for s in (1, 2)]).float()
    with torch.no_grad():
        expected = [float(reference(image[None])) for image in images]
    found = score("clip-iqa", images)
    assert found == pytest.approx(expected, abs=1e-6)
    assert 0 < min(found) < max(found) < 1
    assert found[0] != found[1]


def test_clip_iqa_refuses_files_that_lack_something(
    random_weights: Callable[[str], dict[str, Tensor]],
    monkeypatch: pytest.MonkeyPatch,
    build_anew: Callable[[], None],
) -> None:
    values = random_weights("clip-iqa/rn50")
    for name, words in (("anchors", "two sentences"), ("visual.conv1.weight", "conv1.weight"), ("", "token")):
        damaged = {k: v for k, v in values.items() if k != name}
        if not name:
            damaged["token_embedding.weight"] = torch.zeros(2, 2)
        monkeypatch.setattr(weights, "tensors", lambda _, damaged=damaged: damaged)
        build_anew()
        with pytest.raises(weights.BadWeights, match=words):
            clip_iqa.network()


# --------------------------------------------------------------------------------- controls


def test_controls_do_not_judge_quality(ladder: dict[str, list[tuple[Tensor, Tensor]]]) -> None:
    """Each prefers some damaged photographs to their originals; the best of all is not a photograph."""
    noisy, original = ladder["noise"][2]
    for name in ("entropy", "colorfulness", "sharpness"):
        assert (np.array(score(name, noisy)) > score(name, original)).all(), name
    hard = (original.mean(dim=1, keepdim=True) > 0.5).double().repeat(1, 3, 1, 1)
    assert (np.array(score("contrast", hard)) > score("contrast", original)).all()
    noise = torch.rand(original.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for name in ("entropy", "colorfulness", "sharpness"):
        assert (np.array(score(name, noise)) > score(name, original)).all(), name


def test_controls_do_not_see_where_pixels_are(ladder: dict[str, list[tuple[Tensor, Tensor]]]) -> None:
    original = ladder["noise"][0][1][:1]
    order = torch.randperm(original[0, 0].numel(), generator=torch.Generator().manual_seed(0))
    shuffled = original.flatten(2)[..., order].view(original.shape)
    for name in ("entropy", "colorfulness", "contrast"):
        assert score(name, shuffled) == pytest.approx(score(name, original), rel=1e-12), name
    assert score("sharpness", shuffled)[0] > 5 * score("sharpness", original)[0]


def test_controls_fall_with_blur_but_entropy(ladder: dict[str, list[tuple[Tensor, Tensor]]]) -> None:
    for name in ("colorfulness", "sharpness", "contrast"):
        values = np.array([score(name, images) for images in (ladder["blur"][0][1], *(d for d, _ in ladder["blur"]))])
        assert (np.diff(values, axis=0) < 0).all(), name
    blurred, original = ladder["blur"][2]
    changes = np.array(score("entropy", blurred)) - score("entropy", original)
    assert changes.min() < 0 < changes.max()


def test_controls_in_closed_form() -> None:
    halves = torch.zeros(1, 3, 8, 8, dtype=torch.float64)
    halves[..., 4:] = 1
    assert score("entropy", halves) == [1.0]
    assert score("contrast", halves) == [0.5]
    assert score("colorfulness", halves) == [0.0]
    # 6x6 Laplacians: +255 left of the edge, -255 right of it, 0 elsewhere
    assert score("sharpness", halves) == [pytest.approx(255**2 * 12 / 36)]
    every = (torch.arange(256, dtype=torch.float64) / 255).view(1, 1, 16, 16).repeat(1, 3, 1, 1)
    assert score("entropy", every) == [8.0]
    red = torch.zeros(1, 3, 8, 8, dtype=torch.float64)
    red[:, 0] = 1
    assert score("colorfulness", red) == [pytest.approx(0.3 * math.hypot(255, 127.5))]
    red[..., 4:] = 0
    spread = math.hypot(127.5, 63.75)
    assert score("colorfulness", red) == [pytest.approx(1.3 * spread)]
    for name in CONTROLS:
        assert score(name, torch.full((1, 3, 9, 9), 0.4)) == pytest.approx([0.0], abs=1e-12)
        assert registry.metrics.get(name).info.role == "control"


def test_the_matlab_model_is_read_from_its_slot(random_weights: Callable[[str], dict[str, Tensor]]) -> None:
    mean, covariance = niqe_matlab.model()
    assert mean.tolist() == pytest.approx(random_weights("niqe/matlab")["mean"].flatten().tolist())
    assert covariance.shape == (36, 36)
