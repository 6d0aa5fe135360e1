"""Samplers: seeds and labels, and where the images come from."""

from __future__ import annotations

import hashlib
import pickle
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from ganiq.bench import registry, weights
from ganiq.bench.errors import Refusal, UsageError
from ganiq.bench.images import Gate, save_png
from ganiq.bench.protocols import GeneratorInfo, Sampler
from ganiq.generators.samplers.dcgan import DCGANFaces
from ganiq.generators.samplers.images import Images
from ganiq.generators.samplers.python import PythonSampler
from PIL import Image

FUNCTION = """
import torch

def noise(seed, label):
    generator = torch.Generator().manual_seed(1000 * (label or 0) + seed)
    return torch.rand(3, 20, 30, generator=generator)

not_callable = 3
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    file = tmp_path / "sampler_of_this_test.py"
    file.write_text(FUNCTION)
    monkeypatch.syspath_prepend(tmp_path)
    yield file
    sys.modules.pop("sampler_of_this_test", None)


@pytest.mark.parametrize("name", registry.samplers.names())
def test_what_a_sampler_says_about_itself(name: str) -> None:
    info = registry.samplers.get(name).info
    assert isinstance(info, GeneratorInfo)
    assert (info.name, info.kind) == (name, "sampler")
    assert info.license
    for slot in info.weights:
        assert name in weights.slots()[slot].used_by
        assert weights.slots()[slot].licence


def test_a_python_function_gets_seed_and_label(module: Path) -> None:
    sampler = PythonSampler(function="sampler_of_this_test:noise")
    assert isinstance(sampler, Sampler)
    assert sampler(3, 1).shape == (3, 20, 30)
    assert torch.equal(sampler(3, 1), sampler(3, 1))
    assert not torch.equal(sampler(3, 1), sampler(3, 0))
    assert sampler.identity["sha256"] == hashlib.sha256(module.read_bytes()).hexdigest()
    for function, words in (
        ("sampler_of_this_test:nothing", "no function"),
        ("sampler_of_this_test:not_callable", "no function"),
        ("no_such_module_at_all:noise", "cannot be imported"),
        ("just_a_name", "package.module:function"),
    ):
        with pytest.raises(UsageError, match=words):
            PythonSampler(function=function)(0, None)


def test_a_folder_hands_out_its_images_by_number(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    pixels = {n: rng.integers(0, 256, (9, 8, 3), np.uint8) for n in range(4)}
    for label, name in enumerate(("cats", "dogs")):
        (tmp_path / "sorted" / name).mkdir(parents=True)
        for n in range(2):
            save_png(tmp_path / "sorted" / name / f"{n}.png", pixels[2 * label + n])
    for n in range(3):
        save_png(tmp_path / f"{n}.png", pixels[n])
    (tmp_path / "readme.txt").write_text("no image")
    flat, classed = Images(path=str(tmp_path)), Images(path=str(tmp_path / "sorted"))
    assert (len(flat), len(classed)) == (3, 2)
    np.testing.assert_array_equal((flat(2).permute(1, 2, 0).numpy() * 255).round(), pixels[2])
    np.testing.assert_array_equal((classed(1, 1).permute(1, 2, 0).numpy() * 255).round(), pixels[3])
    before = flat.identity
    save_png(tmp_path / "1.png", pixels[3])
    assert Images(path=str(tmp_path)).identity != before
    for call, words in ((lambda: flat(3), "3 images"), (lambda: classed(0, 2), "2 subfolders")):
        with pytest.raises(UsageError, match=words):
            call()
    with pytest.raises(UsageError, match="no folder"):
        Images(path=str(tmp_path / "nowhere"))(0)


def test_a_folder_is_read_under_the_rules_that_it_is_given(tmp_path: Path) -> None:
    glass = np.zeros((9, 8, 4), np.uint8)
    glass[..., 3] = 128
    Image.fromarray(glass).save(tmp_path / "glass.png")
    usual = Images(path=str(tmp_path))
    with pytest.raises(Refusal, match="E-IMG-ALPHA"):
        usual(0)
    white = usual.under(Gate(alpha="white"))
    assert (white(0) * 255).unique().tolist() == [127.0]
    assert white.identity == {**usual.identity, "gate": "alpha=white"}, "what was made under other rules is another"
    assert usual.under(Gate(max_bytes=2**30)).identity == usual.identity
    assert pickle.loads(pickle.dumps(white)) == white


def test_dcgan_takes_its_tensors_by_name_and_its_randomness_from_the_seed(tmp_path: Path) -> None:
    """With a network of this test's own: what matters here is the way in, not what it draws."""
    from ganiq.generators.samplers.dcgan_net import Generator

    with torch.random.fork_rng():
        torch.manual_seed(0)
        own = Generator()
    file = tmp_path / "weights.tar"
    torch.save({"netG_state_dict": own.state_dict()}, file)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    weights.configure({"dcgan/faces": {"path": str(file), "sha256": digest}})
    try:
        sampler, state = DCGANFaces(), torch.random.get_rng_state()
        first = sampler(7)
        assert torch.equal(torch.random.get_rng_state(), state)
        assert first.shape == (3, 64, 64)
        assert 0 <= first.min() < first.max() <= 1
        assert torch.equal(first, DCGANFaces()(7))
        assert not torch.equal(first, sampler(8))
        alike = [DCGANFaces(spread=0.1)(n) for n in (7, 8)]
        assert (alike[0] - alike[1]).abs().mean() < (first - sampler(8)).abs().mean()
        with pytest.raises(UsageError, match="no classes"):
            sampler(0, 1)
        torch.save({"netG_state_dict": {"main.0.weight": torch.zeros(2)}}, file)
        weights.configure({"dcgan/faces": {"path": str(file), "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}})
        with pytest.raises(weights.BadWeights, match="E-CKPT-KEYS"):
            sampler(7)
    finally:
        weights.configure(None)


def test_faces_of_the_published_weights() -> None:
    if not weights.present("dcgan/faces"):
        pytest.skip("the package gan-face-generate is not installed")
    sampler = DCGANFaces()
    faces = torch.stack([sampler(seed) for seed in range(16)])
    assert "gan_face_generate" not in sys.modules
    assert 0.2 < float(faces.mean()) < 0.6
    # Faces are smooth and unlike each other: neighbours are alike within one, and not between two.
    beside = (faces[..., 1:] - faces[..., :-1]).abs().mean()
    between = (faces[1:] - faces[:-1]).abs().mean()
    assert beside < 0.06 < 0.15 < between
    # The middle of a face is skin: more red than blue.
    middle = faces[:, :, 24:40, 24:40].mean(dim=(2, 3))
    assert (middle[:, 0] > middle[:, 2]).float().mean() > 0.8
