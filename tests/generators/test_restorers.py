"""Restorers: shapes, ranges, and that they do what they are for."""

from __future__ import annotations

import importlib.util
import inspect
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from ganiq.bench import registry, weights
from ganiq.bench.protocols import GeneratorInfo, Restorer
from ganiq.generators import BUILTIN, OWN
from ganiq.generators.base import restore
from ganiq.generators.degrade import apply
from ganiq.generators.photographs import PHOTOGRAPHS

CHELSEA = next(p for p in PHOTOGRAPHS if p.name == "chelsea")
NETWORKS = [name for name in BUILTIN if "real" in name or "srgan" in name]


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / np.mean((a.astype(float) - b) ** 2)))


def gradient(image: np.ndarray) -> float:
    luma = image.astype(float).mean(axis=2)
    return float(np.mean(np.diff(luma, axis=0) ** 2) + np.mean(np.diff(luma, axis=1) ** 2))


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    """128x128 of real texture."""
    return CHELSEA.crop(288)[60:188, 40:168].copy()


@pytest.fixture(scope="module")
def small(photo: np.ndarray) -> np.ndarray:
    return apply("down(factor=4)", photo, key="photo")


def make(name: str, **parameters: Any) -> Any:
    factory = registry.generators.get(name)
    if missing := [slot for slot in factory.info.weights if not weights.present(slot)]:
        pytest.skip(f"weights not installed: {', '.join(missing)}")
    # Found, not imported: spandrel needs torchvision, which only our own loader imports safely.
    if factory.info.weights and importlib.util.find_spec("spandrel") is None:
        pytest.skip("the extra `restorers` is not installed")
    return factory(**parameters)


@pytest.mark.parametrize("name", BUILTIN)
def test_what_a_restorer_says_about_itself(name: str) -> None:
    factory = registry.generators.get(name)
    info = factory.info
    assert isinstance(info, GeneratorInfo)
    assert info.name == name
    assert info.kind == "restorer"
    assert info.license
    if name in OWN:  # what they are shows when something of the user's is named
        assert info.family == ""
        assert info.scale == 0
        assert info.given.startswith(f"{name}(")
        with pytest.raises(TypeError):
            factory()
    else:
        assert info.family in ("gan", "psnr", "classical")
        assert info.scale >= 1
        assert info.given == ""
        assert isinstance(factory(), Restorer)
    for slot in info.weights:
        assert name in weights.slots()[slot].used_by
    parameters = inspect.signature(factory).parameters.values()
    assert all(
        isinstance(p.default, int | float | str) or (name in OWN and p.default is p.empty) for p in parameters
    ), "parameters are plain values, so that they can be named in a recipe"


def test_listing_restorers_loads_no_heavy_library() -> None:
    script = """
import sys
from ganiq.bench import registry
for name in registry.generators.names():
    registry.generators.get(name).info
heavy = {"torch", "torchvision", "spandrel", "skimage", "scipy", "sklearn"} & set(sys.modules)
raise SystemExit(f"loaded {heavy}" if heavy else 0)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", [n for n in BUILTIN if n not in (*NETWORKS, *OWN)])
def test_shape_type_and_range_of_the_classical_ones(name: str) -> None:
    import torch

    restorer, scale = make(name), registry.generators.get(name).info.scale
    for height, width in ((9, 14), (16, 16)):
        image = torch.rand(3, height, width, generator=torch.Generator().manual_seed(0))
        kept = image.clone()
        out = restorer(image)
        assert out.shape == (3, height * scale, width * scale)
        assert out.dtype == image.dtype
        assert 0 <= out.min() <= out.max() <= 1
        assert torch.equal(out, restorer(image))
        assert torch.equal(image, kept)
        flat = torch.full((3, height, width), 0.5)
        assert torch.allclose(restorer(flat), torch.full_like(out, 0.5), atol=1e-5)
    for wrong in (torch.rand(1, 8, 8), torch.rand(1, 3, 8, 8), torch.zeros(3, 8, 8, dtype=torch.uint8)):
        with pytest.raises(ValueError, match="a restorer takes"):
            restorer(wrong)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("bicubic", {"scale": 2.5}),
        ("nearest", {"scale": 4.0}),
        ("lanczos", {"scale": "4"}),
        ("bilinear", {"scale": True}),
        ("back-projection", {"scale": 2.5}),
        ("back-projection", {"iterations": 2.5}),
        ("wavelet", {"levels": 2.5}),
        ("srgan-lite", {"tile": 64.5}),
        ("realesr-animevideov3", {"tile": 64.5}),
    ],
)
def test_what_is_counted_must_be_whole(name: str, parameters: dict[str, Any]) -> None:
    ((what, value),) = parameters.items()
    with pytest.raises(ValueError, match=rf"^{what} must be .*, not {value!r}$"):
        registry.generators.get(name)(**parameters)


def test_enlarging_ranks_as_it_should(photo: np.ndarray, small: np.ndarray) -> None:
    values = {n: psnr(photo, restore(make(n), small)) for n in ("nearest", "bilinear", "bicubic", "back-projection")}
    assert values["back-projection"] > values["bicubic"] > values["bilinear"] > values["nearest"] > 20


@pytest.mark.parametrize("name", ["nearest", "bilinear", "bicubic", "lanczos"])
def test_kernels_are_pillows(name: str, small: np.ndarray) -> None:
    from PIL import Image

    expected = np.asarray(Image.fromarray(small).resize((128, 128), Image.Resampling[name.upper()]))
    # Pillow rounds to bytes between its two passes, this adapter does not.
    difference = np.abs(restore(make(name), small).astype(int) - expected)
    assert difference.max() <= 2
    assert np.mean(difference > 1) < 0.01
    assert restore(make(name, scale=2), small).shape == (64, 64, 3)


def test_back_projection_gives_the_input_back(small: np.ndarray) -> None:
    def error(name: str) -> float:
        return psnr(small, apply("down(factor=4)", restore(make(name), small), key=""))

    assert error("back-projection") > error("bicubic") + 6


@pytest.mark.parametrize("name", ["nlm", "tv-chambolle", "wavelet", "bilateral"])
def test_denoising_brings_an_image_nearer_to_the_original(name: str, photo: np.ndarray) -> None:
    for sigma in (10, 25):
        noisy = apply(f"noise(sigma={sigma})", photo, key="photo")
        assert psnr(photo, restore(make(name, sigma=sigma), noisy)) > psnr(photo, noisy) + (1 if sigma == 10 else 3)
    with pytest.raises(ValueError, match="sigma"):
        make(name, sigma=0)


def test_wavelet_parts_add_up_and_know_their_noise() -> None:
    from ganiq.generators.denoise import _unit_noise, starlet

    rng = np.random.default_rng(0)
    plane = rng.standard_normal((256, 256))
    parts = starlet(plane, 3)
    np.testing.assert_allclose(sum(parts), plane, atol=1e-12)
    for part, strength in zip(parts, _unit_noise(3)):
        assert part.std() == pytest.approx(strength, rel=0.03)


# ---------------------------------------------------------------------------------------------- networks


@pytest.mark.parametrize(
    ("name", "layers", "values"),
    [
        ("realsr-df2k", 351, 16_697_987),
        ("realesrgan-x4plus", 351, 16_697_987),
        ("realesrgan-x4plus-anime", 96, 4_467_779),
        ("realesr-animevideov3", 35, 621_424),
    ],
)
def test_model_files_have_the_known_counts(name: str, layers: int, values: int) -> None:
    from ganiq.generators import ncnn

    make(name)
    found = ncnn.load(*registry.generators.get(name).info.weights)
    assert len(found) == layers
    assert sum(x.weight.size + (x.bias.size if x.bias is not None else 0) for x in found) == values


def test_realsr_invents_detail_and_stays_near_the_original(photo: np.ndarray, small: np.ndarray) -> None:
    restored = restore(make("realsr-df2k"), small)
    bicubic = restore(make("bicubic"), small)
    assert restored.shape == photo.shape
    assert psnr(photo, restored) > 20
    assert gradient(restored) > 1.5 * gradient(bicubic)
    assert 0.3 < gradient(restored) / gradient(photo) < 3


def test_networks_of_the_anime_kind_enlarge_four_times(photo: np.ndarray, small: np.ndarray) -> None:
    for name in ("realesrgan-x4plus-anime", "realesr-animevideov3"):
        restored = restore(make(name), small)
        assert restored.shape == photo.shape
        assert psnr(photo, restored) > 20


def test_tiles_change_little_and_odd_sizes_work() -> None:
    import torch

    whole = make("realesr-animevideov3")
    image = torch.rand(3, 37, 71, generator=torch.Generator().manual_seed(1))
    image = torch.nn.functional.avg_pool2d(image, 5, 1, 2)
    one, many = whole(image), make("realesr-animevideov3", tile=32)(image)
    assert one.shape == many.shape == (3, 148, 284)
    assert float((one - many).abs().max()) < 0.02
    with pytest.raises(ValueError, match="at least 2"):
        whole(torch.rand(3, 1, 8))
    with pytest.raises(ValueError, match="at least 32"):
        make("realesr-animevideov3", tile=8)


def test_a_network_with_other_bytes_is_never_run(tmp_path: Any) -> None:
    make("realesr-animevideov3")
    file = tmp_path / "other.bin"
    data = bytearray(weights.read("realesrgan/animevideov3"))
    data[1000] ^= 1
    file.write_bytes(data)
    weights.configure({"realesrgan/animevideov3": {"path": file}})
    try:
        from ganiq.generators import ncnn

        with pytest.raises(weights.BadWeights, match="E-CKPT-HASH"):
            ncnn.load("realesrgan/animevideov3", "realesrgan/animevideov3-graph")
    finally:
        weights.configure(None)


def test_missing_weights_are_no_reason_to_guess(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr("ganiq.bench.weights.find.package_folder", lambda module: None)
    monkeypatch.setenv("GANIQ_WEIGHTS", "/nonexistent")
    from ganiq.generators import realesrgan

    realesrgan._network.cache_clear()
    with pytest.raises(weights.MissingWeights):
        registry.generators.get("realsr-df2k")()(torch.rand(3, 8, 8))
