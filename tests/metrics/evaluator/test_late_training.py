"""A student of which a second half of the backbone learns, on what the rest said once; images seen whole."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from evaluator_cases import made, seen
from ganiq.bench.training import seam
from ganiq.metrics.evaluator.backbones import BACKBONES, backbone
from ganiq.metrics.evaluator.build import parameters
from ganiq.metrics.evaluator.parts_net import folded
from ganiq.metrics.evaluator.views import Views
from torch import nn

CHANNELS = 24 + 40 + 112 + 320
SIZES = [(96, 96), (96, 96), (64, 130), (200, 71), (96, 96)]
LATE = {"net": "slkd", "moments": True, "late": True, "hidden": 16}


def jumbled(network: nn.Module) -> nn.Module:
    """With statistics of batch normalisation as no fresh network has them."""
    made_of = torch.Generator().manual_seed(3)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None and module.running_var is not None
            module.running_mean.normal_(0, 0.3, generator=made_of)
            module.running_var.uniform_(0.5, 2, generator=made_of)
            nn.init.uniform_(module.weight, 0.5, 1.5, generator=made_of)
            nn.init.uniform_(module.bias, -0.3, 0.3, generator=made_of)
    return network.eval()


@pytest.mark.parametrize("name", ["lite0", "lite2"])
def test_two_halves_are_the_whole(name: str) -> None:
    source = backbone(name)
    module = jumbled(source.build(pretrained=False))
    x = torch.rand(2, 3, 96, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        whole = source(module, x)
        early = source.early(module, x)
        late = source.late(source.second_half(module), early[-1])
        assert [m.shape for m in (*early, *late)] == [m.shape for m in whole]
        for a, b in zip((*early, *late), whole):
            assert torch.equal(a, b)
        assert tuple(m.shape[1] for m in whole) == source.channels


def test_a_network_without_halves_says_so() -> None:
    source = backbone("mobilenetv3")
    with pytest.raises(ValueError, match="mobilenetv3 cannot be run in two halves; choose one of lite0, lite1, lite2"):
        source.second_half(source.build(pretrained=False))


@pytest.mark.parametrize("name", BACKBONES)
def test_folding_changes_nothing_but_the_names(name: str) -> None:
    source = backbone(name)
    plain, other = (jumbled(source.build(pretrained=False)) for _ in range(2))
    assert folded(other) is other
    assert not [m for m in other.modules() if isinstance(m, nn.BatchNorm2d)]
    x = torch.rand(1, 3, 224, 224, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        for a, b in zip(source(plain, x), source(other, x)):
            assert torch.allclose(a, b, atol=1e-4 * float(a.abs().max()))
            assert float(a.std()) > 1e-3
            assert torch.isfinite(a).all()


def test_a_folded_network_has_no_modes() -> None:
    source = backbone("lite0")
    other = folded(jumbled(source.build(pretrained=False)))
    x = torch.rand(2, 3, 64, 96, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        for a, b in zip(source(other.eval(), x), source(other.train(), x)):
            assert torch.equal(a, b)
    with pytest.raises(ValueError, match="follows no convolution"):
        folded(nn.Sequential(nn.BatchNorm2d(3)))


def test_late_training_starts_from_the_same_function() -> None:
    plain, late = made(**{**LATE, "late": False}).eval(), made(**LATE).eval()
    late.head.load_state_dict(plain.head.state_dict())
    views = seen(3, 2, 96, aux=False)
    with torch.no_grad():
        a, b = plain(views), late(views)
    assert torch.allclose(a["score"], b["score"], atol=1e-5)
    assert a["score"].std() > 1e-3
    assert torch.allclose(a["sem"], b["sem"], atol=1e-4)
    for name in ("bb.l3", "bb.l4"):
        assert late.widths[name] == b[name].shape[1]


@pytest.mark.parametrize("spec", [LATE, {**LATE, "late": False, "frozen": True}])
def test_what_is_stored_scores_as_the_images_do(spec: dict[str, Any]) -> None:
    model = made(**spec).eval()
    views = seen(2, 3, 75, aux=False)
    assert views.x is not None
    with torch.no_grad():
        stored = [tap.unflatten(0, (2, 3)) for tap in model.extract(views.x.flatten(0, 1))]
        late = [(40, 5, 5), (4 * CHANNELS - 2 * (112 + 320), 1, 1)]
        assert [tuple(tap.shape[2:]) for tap in stored] == (late if spec is LATE else [(4 * CHANNELS, 1, 1)])
        a, b = model(views), model(Views(features=stored))
        assert torch.allclose(a["score"], b["score"], atol=1e-6)
        assert torch.allclose(a["sem"], b["sem"], atol=1e-5)
        half = [tap.half().float() for tap in stored]
        assert torch.allclose(model(Views(features=half))["score"], a["score"], atol=2e-3)
    with pytest.raises(ValueError, match="neither images nor features"):
        model(Views())


@pytest.mark.parametrize(
    "spec",
    [
        LATE,
        {**LATE, "late": False, "frozen": True},
        {"net": "ysgan", "role": "FR", "spread": True},
        {"net": "akd", "role": "FR", "size": "lite"},
    ],
    ids=lambda spec: f"{spec['net']}{'-late' * spec.get('late', False)}",
)
def test_the_hastened_copy_says_the_same_and_leaves_the_network_alone(spec: dict[str, Any]) -> None:
    model = made(**spec).train()
    jumbled(model.backbone)
    model.train()
    state = {name: value.clone() for name, value in model.state_dict().items()}
    learning = [name for name, p in model.named_parameters() if p.requires_grad]
    quick = seam.quick(model)
    images = torch.rand(2, 3, 96, 96, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        mine, theirs = model.eval().extract(images), quick.extract(images)
    for a, b in zip(mine, theirs, strict=True):
        assert a.shape == b.shape
        assert torch.allclose(a, b, atol=1e-4 * float(a.abs().max()))
    assert not [p for p in quick.parameters() if p.requires_grad]
    assert learning == [name for name, p in model.named_parameters() if p.requires_grad]
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())


def test_images_of_several_sizes_are_scored_as_each_by_itself() -> None:
    model = made(**LATE).eval()
    images = [torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(4)) for size in SIZES]
    with torch.no_grad():
        rows = [model.extract(image) for image in images]
        mixed = [[row[0] for row in rows], torch.stack([row[1] for row in rows])]
        found = model(Views(features=mixed))
        alone = [model(Views(x=image[None]))["score"] for image in images]
    assert found["score"].shape == (len(SIZES),)
    assert torch.allclose(found["score"], torch.cat(alone), atol=1e-6)
    assert found["score"].std() > 1e-4
    assert "bb.l3" not in found  # maps of several sizes are no tensor


def test_only_the_copy_learns_and_the_store_stays_true() -> None:
    model = made(**LATE).train()
    views = seen(2, 1, 128, aux=False)
    assert views.x is not None
    name, before = model.trunk, model.extract(views.x.flatten(0, 1))
    assert ":late:" in name
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], 1e-2)
    for _ in range(2):
        optimizer.zero_grad()
        model(views)["score"].square().sum().backward()
        optimizer.step()
    for key, value in model.named_parameters():
        assert value.requires_grad == (not key.startswith("backbone.")), key
        if value.requires_grad:
            assert value.grad is not None
            assert value.grad.abs().sum() > 0, key
    assert model.trunk == name
    assert all(torch.equal(a, b) for a, b in zip(before, model.extract(views.x.flatten(0, 1))))
    counts = parameters(model)
    assert 2_500_000 < counts["trainable"] < counts["frozen"] < 3_500_000


def test_moments_that_learn_are_not_stored() -> None:
    assert made(**{**LATE, "late": False}).trunk == ""
    assert ":moments:" in made(**{**LATE, "late": False, "frozen": True}).trunk


def test_late_training_wants_moments_and_halves() -> None:
    for wrong in ({"moments": False}, {"frozen": True}):
        with pytest.raises(ValueError, match="late training wants moments = true"):
            made(**{**LATE, **wrong})
    with pytest.raises(ValueError, match="cannot be run in two halves"):
        made(**LATE, backbone="mobilenetv3")
