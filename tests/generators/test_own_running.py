"""What all restorers of the user's share: sizes, tiles, channels, range, device, and failing in one sentence."""

from __future__ import annotations

import pickle
import warnings
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from ganiq.bench.errors import GaniqError, Refusal, UsageError
from ganiq.bench.protocols import GeneratorInfo, Restorer
from ganiq.generators.base import restore
from ganiq.generators.running import Network, Own, Sizes, Unusable, find_scale, run, template, torch_device
from ganiq.generators.tiles import tiled
from hypothesis import given, settings
from hypothesis import strategies as st


def network(work: Any, scale: int = 1, **more: Any) -> Network:
    return Network(work, scale, "net", "Net", **more)


def local(scale: int = 2, channels: int = 3) -> Any:
    """Three 3x3 convolutions and a pixel shuffle: looks 3 pixels far."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = torch.nn.Sequential(
            torch.nn.Conv2d(channels, 8, 3, padding=1),
            torch.nn.Tanh(),
            torch.nn.Conv2d(8, 8, 3, padding=1),
            torch.nn.Tanh(),
            torch.nn.Conv2d(8, channels * scale**2, 3, padding=1),
            torch.nn.PixelShuffle(scale),
        )
    return lambda x: net(x) * 0.6 + 0.5


def picture(height: int, width: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(3, height, width, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("size", [(61, 83), (16, 16), (17, 200), (64, 64)])
@pytest.mark.parametrize("tile", [16, 24, 64])
def test_tiles_change_only_rounding_where_the_network_looks_no_further(size: tuple[int, int], tile: int) -> None:
    net, image = network(local(), 2), picture(*size)
    whole = run(net, image, name="net", tile=0)
    assert whole.shape == (3, size[0] * 2, size[1] * 2)
    assert float(whole.std()) > 0.05, "a flat picture would show no seams"
    torch.testing.assert_close(run(net, image, name="net", tile=tile, overlap=3), whole, rtol=0, atol=2e-6)


def test_too_little_overlap_shows() -> None:
    net, image = network(local(), 2), picture(61, 83)
    difference = run(net, image, name="net", tile=16, overlap=0) - run(net, image, name="net", tile=0)
    assert float(difference.abs().max()) > 1e-3


@settings(deadline=None, max_examples=60)
@given(
    height=st.integers(1, 90),
    width=st.integers(1, 90),
    tile=st.sampled_from([0, 16, 20, 48]),
    overlap=st.integers(0, 12),
    sizes=st.sampled_from(
        [Sizes(), Sizes(24), Sizes(1, 8), Sizes(40, 8), Sizes(16, 16, True), Sizes(fixed=(32, 48)), Sizes(fixed=(9, 7))]
    ),
)
def test_every_piece_has_the_size_that_is_asked_for(
    height: int, width: int, tile: int, overlap: int, sizes: Sizes
) -> None:
    def picky(x: torch.Tensor) -> torch.Tensor:
        h, w = x.shape[2:]
        if sizes.fixed:
            assert (h, w) == sizes.fixed
        assert min(h, w) >= sizes.minimum
        assert h % sizes.multiple_of == w % sizes.multiple_of == 0
        assert h == w or not sizes.square
        if tile and not sizes.fixed:
            around = sizes.up(tile) + 2 * sizes.up(overlap)
            assert max(h, w) <= max(around, sizes.up(sizes.minimum)), "memory is bounded"
        return x.repeat_interleave(2, 2).repeat_interleave(2, 3)

    image = picture(height, width)
    done = run(network(picky, 2, sizes=sizes), image, name="net", tile=tile, overlap=overlap)
    assert torch.equal(done, image.repeat_interleave(2, 1).repeat_interleave(2, 2))


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (5, 7), (40, 33)])
def test_padding_is_a_reflection_below_and_on_the_right(size: tuple[int, int]) -> None:
    seen = []
    image = picture(*size)
    run(network(lambda x: seen.append(x.clone()) or x, sizes=Sizes(64, 8)), image, name="net")
    expected = np.pad(image.numpy(), ((0, 0), (0, 64 - size[0]), (0, 64 - size[1])), mode="reflect")
    np.testing.assert_array_equal(seen[0][0].numpy(), expected)


def test_from_16_pixels_to_4k() -> None:
    kernel = torch.full((3, 1, 3, 3), 1 / 9)

    def mean(x: torch.Tensor) -> torch.Tensor:
        assert max(x.shape[2:]) <= 512 + 16
        return torch.nn.functional.conv2d(x, kernel, padding=1, groups=3)

    for height, width in ((16, 16), (2160, 3840)):
        image = picture(height, width)
        done = run(network(mean), image, name="net", tile=512, overlap=8)
        whole = torch.nn.functional.conv2d(image[None], kernel, padding=1, groups=3)[0]
        torch.testing.assert_close(done, whole, rtol=0, atol=1e-6)


def test_a_network_of_one_channel_is_given_one_colour_after_the_other() -> None:
    calls = []
    grey = local(channels=1)

    def counted(x: torch.Tensor) -> torch.Tensor:
        assert x.shape[:2] == (1, 1)
        calls.append(1)
        return grey(x)

    net = network(counted, 2, channels=1)
    image = picture(12, 10)
    done = run(net, image, name="net")
    assert len(calls) == 3
    for n in range(3):
        with torch.no_grad():
            torch.testing.assert_close(done[n], grey(image[None, n : n + 1])[0, 0].clamp(0, 1))
    flat = image[:1].repeat(3, 1, 1)
    done = run(net, flat, name="net")
    assert len(calls) == 4, "a grey image is computed once"
    assert torch.equal(done[0], done[1])
    assert torch.equal(done[0], done[2])


def test_values_are_clamped_and_types_kept() -> None:
    for dtype in (torch.float32, torch.float64, torch.float16):
        image = torch.linspace(0, 1, 3 * 4 * 5).reshape(3, 4, 5).to(dtype)
        done = run(network(lambda x: x * 1.4 - 0.2), image, name="net")
        assert done.dtype == dtype
        assert done.min() == 0
        assert done.max() == 1


@pytest.mark.parametrize(
    ("work", "range", "words"),
    [
        (lambda x: x * 255, "", "reach from 0 to 255, far beyond 0 to 1; not restored; let it give values in [0, 1]"),
        (lambda x: x * 255, "0..1", "far beyond range='0..1'; not restored; say the range that it was trained with"),
        (lambda x: x * 255, "0..255", "reach from 0 to 6.5e+04, far beyond range='0..255'"),
        (lambda x: x * 2 - 1, "", "reach from -1 to 1, far beyond 0 to 1"),
    ],
)
@pytest.mark.parametrize("tile", [0, 16])
def test_values_on_another_scale_are_refused_and_not_clamped(work: Any, range: str, words: str, tile: int) -> None:
    image = torch.linspace(0, 1, 3 * 40 * 50).reshape(3, 40, 50)
    with pytest.raises(Unusable) as caught:
        run(network(work, range=range), image, name="net", tile=tile)
    text = str(caught.value)
    assert text.startswith("E-GEN-VALUES net: its values for an image of 50x40 pixels ")
    assert words in text


@pytest.mark.parametrize("tile", [0, 16])
def test_overshoot_is_judged_over_the_whole_image_and_without_its_padding(tile: int) -> None:
    image = torch.full((3, 60, 60), 0.5)
    image[:, :12, :12] = 1.0  # 4 % of the image, and more than half of one tile
    done = run(network(lambda x: torch.where(x > 0.9, x * 3, x)), image, name="net", tile=tile, overlap=0)
    assert torch.equal(done, image), "a bright spot is clamped"
    image[:, :14, :14] = 1.0
    with pytest.raises(Unusable, match="E-GEN-VALUES"):
        run(network(lambda x: torch.where(x > 0.9, x * 3, x)), image, name="net", tile=tile, overlap=0)

    def wild_below(x: torch.Tensor) -> torch.Tensor:
        return torch.cat([x[:, :, :20], x[:, :, 20:] + 100], 2)

    small = torch.rand(3, 20, 20)
    assert torch.equal(run(network(wild_below, sizes=Sizes(minimum=32)), small, name="net"), small)


def test_torchs_warnings_about_code_that_is_not_the_users_are_not_shown() -> None:
    def work(x: torch.Tensor) -> torch.Tensor:
        torch.meshgrid(torch.arange(2), torch.arange(2))
        warnings.warn("of the user's own", UserWarning, stacklevel=1)
        return x

    always = torch.is_warn_always_enabled()
    torch.set_warn_always(True)  # else once in a process
    try:
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always")
            torch.meshgrid(torch.arange(2), torch.arange(2))
            assert "meshgrid" in str(heard[0].message), "it does warn"
            heard.clear()
            run(network(work), picture(8, 8), name="net")
            find_scale(work, name="net", device="cpu")
        assert [str(one.message) for one in heard] == ["of the user's own"] * 2
    finally:
        torch.set_warn_always(always)


def test_what_is_run_may_not_change_its_input_nor_the_random_state() -> None:
    image = picture(20, 20)
    kept, state = image.clone(), torch.get_rng_state()

    def rude(x: torch.Tensor) -> torch.Tensor:
        return x.mul_(0).add_(torch.rand_like(x))

    first = run(network(rude), image, name="net", tile=16, overlap=0)
    second = run(network(rude), image, name="net", tile=16, overlap=0)
    assert torch.equal(image, kept)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(first, second)
    assert float(first.std()) > 0.2, "it did draw"


def test_automatic_mixed_precision_of_the_caller_is_off() -> None:
    kernel = torch.rand(3, 3, 3, 3) / 27

    def work(x: torch.Tensor) -> torch.Tensor:
        done = torch.nn.functional.conv2d(x, kernel, padding=1)
        assert done.dtype == torch.float32
        return done

    with torch.autocast("cpu", torch.bfloat16):
        run(network(work), picture(8, 8), name="net")


@pytest.mark.parametrize(
    ("work", "code", "words"),
    [
        (lambda x: x / 0 * 0, "E-GEN-NAN", "not finite"),
        (lambda x: x[:, :, ::2], "E-GEN-ERROR", "instead of"),
        (lambda x: [x], "E-GEN-ERROR", "answered with list"),
        (lambda x: (x * 255).to(torch.uint8), "E-GEN-ERROR", "answered with torch.uint8"),
        (lambda x: x.reshape(7), "E-GEN-ERROR", "failed on an image of 9x8 pixels"),
        (lambda x: (_ for _ in ()).throw(MemoryError()), "E-OOM", "smaller tile"),
        (
            lambda x: (_ for _ in ()).throw(RuntimeError("DefaultCPUAllocator: can't allocate memory: ...")),
            "E-OOM",
            "not enough memory",
        ),
    ],
    ids=["nan", "shape", "list", "bytes", "raises", "memory", "allocator"],
)
def test_every_failure_is_one_sentence(work: Any, code: str, words: str) -> None:
    with pytest.raises(Unusable) as caught:
        run(network(work), picture(8, 9), name="my-net")
    text = str(caught.value)
    assert text.startswith(f"{code} my-net: ")
    assert words in text
    assert "\n" not in text
    assert isinstance(caught.value, Refusal)
    assert isinstance(caught.value, GaniqError)
    assert str(pickle.loads(pickle.dumps(caught.value))) == text


def test_the_scale_is_found_by_a_trial() -> None:
    assert find_scale(local(3), name="net", device="cpu") == 3
    assert find_scale(lambda x: x, name="net", device="cpu") == 1
    seen = []
    assert (
        find_scale(lambda x: seen.append(tuple(x.shape)) or x, name="n", device="cpu", sizes=Sizes(fixed=(8, 9))) == 1
    )
    assert seen == [(1, 3, 8, 9)]
    for wrong in (lambda x: x.transpose(2, 3), lambda x: x[..., :-1], lambda x: x[:, :1], lambda x: x[0]):
        with pytest.raises(Unusable, match="whole number of times"):
            find_scale(wrong, name="net", device="cpu")


def test_cuda_that_is_not_there_is_said_so() -> None:
    assert torch_device("cpu", "net") == "cpu"
    if torch.cuda.is_available():
        assert torch_device("auto", "net") == "cuda"
        return
    assert torch_device("auto", "net") == "cpu"
    with pytest.raises(Unusable, match=r"E-GEN-DEVICE net: .*CUDA.*device='cpu'"):
        torch_device("cuda", "net")


@dataclass(frozen=True, kw_only=True)
class Doubling(Own):
    """A restorer as small as one can be."""

    strength: float = 1.0
    info: ClassVar[Any] = template("doubling", "Doubling", "doubling()")
    loads: ClassVar[list[int]] = field(default=[])

    @property
    def shown(self) -> str:
        return "doubling"

    def _load(self) -> Network:
        self.loads.append(1)
        return network(lambda x: (x * self.strength).repeat_interleave(2, 2).repeat_interleave(2, 3), 2)


def test_info_is_a_template_on_the_class_and_true_on_an_instance() -> None:
    one = Doubling(name="mine", family="gan")
    assert isinstance(Doubling.info, GeneratorInfo)
    assert Doubling.info.scale == 0
    assert Doubling.loads == [], "a template costs nothing"
    assert (one.info.name, one.info.scale, one.info.family) == ("mine", 2, "gan")
    assert Doubling().info.name == "net"
    form: object = one
    assert isinstance(form, Restorer)


def test_loaded_once_and_pickled_without_the_network() -> None:
    Doubling.loads.clear()
    one = Doubling(strength=0.25)
    for _ in range(3):
        assert one(picture(4, 4)).shape == (3, 8, 8)
        assert Doubling(strength=0.25)(picture(4, 4)).shape == (3, 8, 8)
    assert len(Doubling.loads) == 1
    copy = pickle.loads(pickle.dumps(one))
    assert copy == one
    assert "network" not in vars(copy)
    assert torch.equal(copy(picture(4, 4)), one(picture(4, 4)))


def test_bytes_are_rounded_once() -> None:
    every = np.arange(256, dtype=np.uint8).reshape(16, 16)
    done = restore(Doubling(), every)
    assert done.shape == (32, 32, 3), "grey is taken as three equal colours"
    for n in range(3):
        np.testing.assert_array_equal(done[::2, ::2, n], every)
    halved = restore(Doubling(strength=0.5), every)[::2, ::2, 0]
    exact = (every / np.float32(255) * np.float32(0.5)).astype(np.float64) * 255
    np.testing.assert_array_equal(halved, np.rint(exact))
    assert np.all(restore(Doubling(strength=128.0), np.full((2, 2), 1, np.uint8)) == 128)
    for wrong in (every.astype(float), every[None], np.zeros((4, 4, 4), np.uint8)):
        with pytest.raises(ValueError, match="a restorer on bytes"):
            restore(Doubling(), wrong)


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"tile": 8}, "tile must be"),
        ({"tile": 20.0}, "tile must be"),
        ({"overlap": -1}, "overlap"),
        ({"family": "vae"}, "family"),
        ({"name": "../up"}, "name"),
    ],
)
def test_parameters_are_checked(parameters: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        Doubling(**parameters)


def test_restorers_refuse_what_is_no_image() -> None:
    for wrong in (torch.rand(1, 8, 8), torch.rand(1, 3, 8, 8), torch.zeros(3, 8, 8, dtype=torch.uint8)):
        with pytest.raises(ValueError, match="a restorer takes"):
            Doubling()(wrong)


def test_pieces_of_unequal_sides() -> None:
    seen = set()

    def model(x: torch.Tensor) -> torch.Tensor:
        seen.add(tuple(x.shape[2:]))
        return x

    image = picture(50, 70)[None]
    assert torch.equal(tiled(model, image, scale=1, tile=(20, 30), overlap=4, least=(28, 38)), image)
    assert seen == {(28, 38)}
