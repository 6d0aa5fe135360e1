"""Learned metrics: no number without the real parameters, and the plumbing around them.

No trained trunk is part of the tests: random values of the right shapes show that every parameter arrives where it
belongs; missing and damaged files show that nothing else is ever used instead.
"""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from ganiq.bench import registry, weights
from ganiq.bench.vision import load
from ganiq.bench.weights import BadWeights, MissingWeights
from torch import Tensor

SLOTS = {
    "lpips-alex": "trunk/alexnet-torchvision",
    "lpips-vgg": "trunk/vgg16-torchvision",
    "lpips-squeeze": "trunk/squeezenet1_1-torchvision",
    "st-lpips-alex": "stlpips/alex",
    "st-lpips-vgg": "stlpips/vgg",
    "dists": "trunk/vgg16-torchvision",
    "pieapp": "pieapp/v0.1",
}


def noisy(side: int = 67) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(11)
    reference = torch.rand(1, 3, side, side + 5, generator=random)
    return (reference + 0.2 * torch.randn(reference.shape, generator=random)).clamp(0, 1), reference


@pytest.fixture
def swap(
    monkeypatch: pytest.MonkeyPatch, random_weights: Callable[[str], dict[str, Tensor]], build_anew: Callable[[], None]
):
    """Change what a slot holds; networks are built anew before and after."""

    def change(slot: str, edit: Callable[[dict[str, Tensor]], None]) -> None:
        def altered(asked: str) -> dict[str, Tensor]:
            values = random_weights(asked) if not weights.present(asked) else real(asked)
            if asked == slot:
                edit(values)
            return values

        real = weights.load.tensors
        monkeypatch.setattr(weights, "tensors", altered)
        build_anew()

    yield change
    build_anew()


@pytest.mark.parametrize("name", SLOTS)
def test_no_number_without_weights(name: str, monkeypatch: pytest.MonkeyPatch, build_anew: Callable[[], None]) -> None:
    """Whatever is installed here: an empty slot is refused by name, with the command that fills it."""

    def empty(slot: str) -> dict[str, Tensor]:
        if slot == SLOTS[name]:
            raise MissingWeights(slot, f"ganiq weights get {name}")
        return real(slot)

    real = weights.tensors
    monkeypatch.setattr(weights, "tensors", empty)
    build_anew()
    with pytest.raises(MissingWeights, match=SLOTS[name]) as caught:
        registry.metrics.get(name)()(*noisy())
    assert "ganiq weights get" in str(caught.value)
    build_anew()


@pytest.mark.parametrize("name", [n for n in SLOTS if not n.endswith("vgg")])
def test_a_missing_or_unknown_tensor_is_refused(name: str, swap) -> None:
    kept = {"dists": "features.28.weight", "pieapp": "conv11.bias"}

    def remove(values: dict[str, Tensor]) -> None:
        del values[kept.get(name) or next(k for k in values if k.endswith("weight"))]

    swap(SLOTS[name], remove)
    with pytest.raises(BadWeights, match=r"E-CKPT-KEYS.*1 missing"):
        registry.metrics.get(name)()(*noisy())

    def add(values: dict[str, Tensor]) -> None:
        values["features.77.weight" if SLOTS[name].startswith("trunk/") else "surprise"] = torch.zeros(3)

    swap(SLOTS[name], add)
    with pytest.raises(BadWeights, match=r"E-CKPT-KEYS.*1 unknown"):
        registry.metrics.get(name)()(*noisy())

    def reshape(values: dict[str, Tensor]) -> None:
        key = kept.get(name) or next(k for k in values if k.endswith("weight"))
        values[key] = values[key][:-1]

    swap(SLOTS[name], reshape)
    with pytest.raises(BadWeights, match=r"E-CKPT-KEYS.*of another shape"):
        registry.metrics.get(name)()(*noisy())


@pytest.mark.parametrize("net", ["alex", "squeeze"])
def test_lpips_equals_the_package_with_the_same_trunk(net: str, random_weights) -> None:
    """With the same parameters in torchvision's place the package gives the same distance."""
    del random_weights
    trunk = weights.tensors(SLOTS[f"lpips-{net}"])
    reference = load("lpips").LPIPS(net=net, pretrained=True, pnet_rand=True, verbose=False)
    for part in reference.net.children():
        for index, layer in part.named_children():
            start = f"features.{index}."
            layer.load_state_dict({k.removeprefix(start): v for k, v in trunk.items() if k.startswith(start)})
    image, target = noisy()
    with torch.no_grad():
        expected = float(reference(image, target, normalize=True))
    value = float(registry.metrics.get(f"lpips-{net}")()(image, target))
    assert value == pytest.approx(expected, abs=1e-6)
    assert value > 0


@pytest.mark.parametrize(("net", "count"), [("alex", 10), ("squeeze", 50), ("vgg", 26)])
def test_lpips_holds_nothing_but_its_slots(net: str, count: int, random_weights) -> None:
    """Every parameter of the trunk and of the linear layers is the slot's, none is left over."""
    from ganiq.metrics.learned.perceptual import network

    del random_weights
    trunk, heads = weights.tensors(SLOTS[f"lpips-{net}"]), weights.tensors(f"lpips/{net}")
    state = network(net).state_dict()
    seen = set()
    for key, value in state.items():
        if key.startswith("net."):
            name = "features." + key.split(".", 2)[2]
            assert torch.equal(value, trunk[name])
            seen.add(name)
        elif key.startswith("lin"):
            name = key.replace("lins.", "lin")
            assert torch.equal(value, heads[name])
            seen.add(name)
        else:
            assert key in ("scaling_layer.shift", "scaling_layer.scale")
    assert seen == {k for k in trunk if k.startswith("features.")} | set(heads)
    assert len([k for k in state if k.startswith("net.")]) == count
    assert state["scaling_layer.shift"].flatten().tolist() == pytest.approx([-0.030, -0.088, -0.188])
    assert state["scaling_layer.scale"].flatten().tolist() == pytest.approx([0.458, 0.448, 0.450])


def test_st_lpips_refuses_other_filters(swap) -> None:
    def blur_less(values: dict[str, Tensor]) -> None:
        values["net.slice2.4.filt"] = values["net.slice2.4.filt"] * 0.5

    swap("stlpips/alex", blur_less)
    with pytest.raises(BadWeights, match="not the constant"):
        registry.metrics.get("st-lpips-alex")()(*noisy())


@pytest.mark.parametrize(("net", "tensors"), [("alex", 20), ("vgg", 37)])
def test_st_lpips_has_the_published_layout(
    net: str, tensors: int, random_weights: Callable[[str], dict[str, Tensor]]
) -> None:
    assert len(random_weights(f"stlpips/{net}")) == tensors


@pytest.mark.parametrize("net", ["alex", "vgg"])
def test_st_lpips_with_the_published_weights(net: str, ladder) -> None:
    """Blur costs more the stronger it is; moving an image by one pixel costs little."""
    if not weights.present(f"stlpips/{net}"):
        pytest.skip(f"needs weights stlpips/{net}: pip install stlpips-pytorch")
    reference = ladder["blur"][0][1][:1].float()
    values = [float(registry.metrics.get(f"st-lpips-{net}")()(x[:1].float(), reference)) for x, _ in ladder["blur"]]
    assert values == sorted(values)
    assert 0 < values[0] < values[2] < 1
    moved = reference[..., 1:], reference[..., :-1]
    assert float(registry.metrics.get(f"st-lpips-{net}")()(*moved)) < values[0]


def test_dists_resizes_only_above_256(random_weights) -> None:
    del random_weights
    make = registry.metrics.get("dists")
    for side, changed in ((250, False), (260, True)):
        pair = noisy(side)
        values = [float(make(resize=resize)(*pair)) for resize in (True, False)]
        assert (values[0] != values[1]) is changed


def test_dists_weights_are_normalised(swap) -> None:
    """Ten times the weights are the same weights."""
    image, target = noisy()
    swap("dists/alpha-beta", lambda values: None)
    before = float(registry.metrics.get("dists")()(image, target))
    swap("dists/alpha-beta", lambda values: values.update({k: v * 10 for k, v in values.items()}))
    assert float(registry.metrics.get("dists")()(image, target)) == pytest.approx(before, abs=1e-5)
    swap("dists/alpha-beta", lambda values: values.pop("beta"))
    with pytest.raises(BadWeights, match="alpha and beta"):
        registry.metrics.get("dists")()(image, target)


def test_pieapp_stride_is_a_parameter(random_weights) -> None:
    del random_weights
    image, target = noisy(100)
    make = registry.metrics.get("pieapp")
    assert float(make(stride=27)(image, target)) != float(make(stride=18)(image, target))
    with pytest.raises(ValueError, match="stride=0"):
        make(stride=0)


def test_pieapp_in_chunks_equals_piq(random_weights, monkeypatch: pytest.MonkeyPatch) -> None:
    from ganiq.metrics.learned import pieapp

    del random_weights
    # In double precision: how single precision rounds a convolution depends on the size of the batch.
    network = copy.deepcopy(pieapp.network(27)).double()
    image, target = (x.double() for x in noisy(100))
    with torch.no_grad():
        whole = float(network(image, target))
        monkeypatch.setattr(pieapp, "TOGETHER", 1)
        assert float(network(image, target)) == pytest.approx(whole, rel=1e-9)
