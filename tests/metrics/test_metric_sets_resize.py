"""What extractors do to an image before their network sees it: the resizing is part of the metric."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from ganiq.bench import registry
from ganiq.metrics.sets import dinov2_vitl14, dinov2s_focus, efficientnet, inception, inception_clean
from ganiq.metrics.sets.fid_clean import FIDClean
from ganiq.metrics.sets.kid_clean import KIDClean
from ganiq.metrics.sets.resize import byte_bicubic, float_bicubic
from PIL import Image
from torch import Tensor, nn


def tensor(image: Image.Image) -> Tensor:
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].float() / 255


def stripes(side: int) -> Tensor:
    """Black and white columns of one pixel: nothing but gray is left of them in a third of the size."""
    return (torch.arange(side) % 2).float().expand(1, 3, side, side).clone()


def seen_by(module: Any, name: str, images: Tensor, monkeypatch: pytest.MonkeyPatch) -> Tensor:
    """What the extractor hands to its network."""
    seen: list[Tensor] = []

    class Network(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            seen.append(x.clone())
            return x.mean(dim=(2, 3))

    monkeypatch.setattr(module, "network", lambda device: Network())
    registry.extractors.get(name)()(images)
    return seen[0]


def test_float_resize_is_pillows(photographs: list[Image.Image]) -> None:
    for image in photographs:
        mine = float_bicubic(tensor(image), 299)[0]
        for c, channel in enumerate(image.split()):
            theirs = np.asarray(channel.convert("F").resize((299, 299), Image.Resampling.BICUBIC)).clip(0, 255)
            assert float(np.abs(mine[c].numpy() - theirs).max()) < 1e-3
        assert mine.dtype == torch.float32
        assert mine.frac().count_nonzero() > mine.numel() / 2, "not rounded"


def test_byte_resize_is_pillows(photographs: list[Image.Image]) -> None:
    for image in photographs:
        mine = (byte_bicubic(tensor(image), 64)[0].permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()
        assert np.array_equal(mine, np.asarray(image.resize((64, 64), Image.Resampling.BICUBIC)))


def test_stripes_vanish_in_pillows_filter() -> None:
    """A filter that reads the four nearest pixels keeps all 127.5 levels of deviation."""
    small = float_bicubic(stripes(96), 32)
    assert float(small.std()) < 20
    assert float(small.std()) == pytest.approx(3.32, abs=0.05)
    assert float(byte_bicubic(stripes(96), 32).std(correction=0) * 255) == pytest.approx(3.2, abs=0.05)
    plain = torch.nn.functional.interpolate(stripes(96), size=(32, 32), mode="bilinear", align_corners=False)
    assert float(plain.std() * 255) == pytest.approx(127.5, abs=0.1)


@pytest.mark.parametrize(
    ("module", "name", "side", "scale"),
    [
        (inception_clean, "inception-fid-clean", 299, 128),
        (efficientnet, "efficientnet-lite0", 224, 127.5),
        (dinov2s_focus, "dinov2s-focus", 224, 0.226 * 255),
        (dinov2_vitl14, "dinov2-vitl14", 224, 0.226 * 255),
    ],
)
def test_extractors_resize_with_antialiasing(
    module: Any, name: str, side: int, scale: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = seen_by(module, name, stripes(3 * side), monkeypatch)
    assert seen.shape == (1, 3, side, side)
    assert float((seen - seen.mean(dim=(2, 3), keepdim=True)).std() * scale) < 20
    gray = seen_by(module, name, torch.full((1, 3, 64, 80), 0.5), monkeypatch)
    assert float(gray.std(dim=(2, 3)).max()) < 1e-5


def test_plain_fid_aliases_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """pytorch-fid's resizing, kept because published values have it; ``fid-clean`` is the other one."""
    seen = seen_by(inception, "inception-fid", stripes(3 * 299), monkeypatch)
    assert float(seen.std() * 127.5) > 100
    assert "without antialiasing" in registry.extractors.get("inception-fid").info.preprocessing
    assert "Pillow bicubic" in registry.extractors.get("inception-fid-clean").info.preprocessing


def test_clean_values_as_in_the_tensorflow_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    for level in (0, 64, 128, 255):
        image = torch.full((1, 3, 299, 299), level / 255)
        seen = seen_by(inception_clean, "inception-fid-clean", image, monkeypatch)
        assert float(seen.min()) == pytest.approx((level - 128) / 128, abs=1e-6)
        assert float(seen.max()) == pytest.approx((level - 128) / 128, abs=1e-6)


def test_clean_features_are_those_of_one_network(random_weights, build_anew, photographs: list[Image.Image]) -> None:
    """Same parameters as plain FID, other pixels; each image on its own."""
    del random_weights
    build_anew()
    images = torch.cat([tensor(image) for image in photographs[:2]])
    clean, plain = (registry.extractors.get(n)() for n in ("inception-fid-clean", "inception-fid"))
    with torch.no_grad():
        expected = inception.network("cpu")((float_bicubic(images, 299) - 128) / 128).flatten(1)
    assert torch.equal(clean(images), expected)
    assert float((clean(images[1:])[0] - expected[1]).abs().max()) <= 1e-4 * float(expected.abs().max())
    assert float((clean(images) - plain(images)).abs().max()) > 1e-2 * float(expected.abs().max())
    build_anew()


def test_clean_metrics_differ_from_plain_ones_in_the_extractor_only() -> None:
    x, y = (torch.randn(60, 5, generator=torch.Generator().manual_seed(seed)) for seed in (1, 2))
    assert FIDClean(least_n=50)(x, y) == registry.metrics.get("fid")(least_n=50)(x, y)
    assert KIDClean(least_n=50)(x, y) == registry.metrics.get("kid")(least_n=50)(x, y)
    assert FIDClean.features == KIDClean.features == "inception-fid-clean"
    with pytest.raises(ValueError, match=r"^fid-clean: "):
        FIDClean()(x, y)
