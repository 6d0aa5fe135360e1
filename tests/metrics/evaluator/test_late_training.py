"""A student of which a second half of the backbone learns, on what the rest said once; images seen whole."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from evaluator_cases import made, seen
from ganiq.bench.training import optim, seam
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


# --- the image in full size, up to a map ----------------------------------------------------------------------


@pytest.mark.parametrize("spec", [LATE, {**LATE, "late": False, "frozen": True}], ids=["late", "frozen"])
@pytest.mark.parametrize("deepest", [1, 2, 3, 4])
def test_deeper_maps_of_the_full_size_are_left_out(spec: dict[str, Any], deepest: int) -> None:
    whole, short = made(**spec).eval(), made(**spec, deepest=deepest).eval()
    channels = (24, 40, 112, 320)
    kept = 2 * sum(channels[:deepest])
    columns = [*range(kept), *range(2 * CHANNELS, 4 * CHANNELS)]
    short.head.load_state_dict({**whole.head.state_dict(), "0.weight": whole.head[0].weight[:, columns]})
    views = seen(2, 1, 96, aux=False)
    with torch.no_grad():
        a, b = whole(views), short(views)
        read = whole._from_stored(views)[1]
        said = short.head(read[:, columns])[:, 0]
    assert short.head[0].in_features == len(columns)
    assert torch.allclose(b["score"], said, atol=1e-5)
    assert b["sem"].shape == a["sem"].shape
    assert (deepest == 4) == torch.allclose(a["score"], b["score"], atol=1e-5)


def test_what_is_not_read_is_neither_run_nor_kept() -> None:
    blocks = {deepest: len(made(**LATE, deepest=deepest).backbone.blocks) for deepest in (0, 1, 2, 3, 4)}
    assert blocks == {0: 7, 1: 3, 2: 3, 3: 5, 4: 7}
    model, run = made(**{**LATE, "late": False}, frozen=True, deepest=3).eval(), []
    for number, block in enumerate(model.backbone.blocks):
        block.register_forward_hook(lambda _, given, __, number=number: run.append((number, given[0].shape[-1])))
    with torch.no_grad():
        model(seen(1, 1, 128, aux=False))
    of_full_size = [number for number, side in run if side == {0: 64, 1: 64, 2: 32, 3: 16, 4: 8}.get(number)]
    assert of_full_size == [0, 1, 2, 3, 4]
    assert len(run) == 5 + 7


def test_each_way_of_reading_has_its_own_store() -> None:
    frozen = {**LATE, "late": False, "frozen": True}
    names = [made(**spec, deepest=deepest).trunk for spec in (LATE, frozen) for deepest in (0, 2, 3)]
    assert len(set(names)) == len(names)
    assert all(names)


def test_a_map_that_is_not_there_and_a_backbone_that_learns_are_refused() -> None:
    with pytest.raises(ValueError, match="deepest is 5; the backbone has maps 1 to 4"):
        made(**LATE, deepest=5)
    with pytest.raises(ValueError, match="deepest wants moments = true, and frozen = true or late = true"):
        made(**{**LATE, "late": False}, deepest=3)
    with pytest.raises(ValueError, match="mobilenetv3 cannot be run in two halves; choose one of lite0"):
        made(**{**LATE, "late": False}, frozen=True, deepest=3, backbone="mobilenetv3")


# --- a stage that leaves the deep half as it is -----------------------------------------------------------------


@pytest.mark.parametrize("deepest", [0, 3])
def test_of_a_deep_half_that_is_held_moments_are_stored(deepest: int) -> None:
    model = made(**LATE, deepest=deepest).eval()
    images = torch.rand(2, 3, 96, 64, generator=torch.Generator().manual_seed(3))
    names = [model.trunk]
    with torch.no_grad():
        wanted = model(Views(x=images[:, None]))["score"]
        assert len(model.extract(images)) == 2
        with optim.held(model, ("tuned",)):
            (stored,) = model.extract(images)
            assert stored.shape == (2, 2 * sum(model.read), 1, 1)
            assert torch.allclose(model(Views(features=[stored[:, None]]))["score"], wanted, atol=1e-6)
            assert torch.allclose(seam.quick(model).extract(images)[0], stored, atol=1e-3)
            names.append(model.trunk)
        assert model.trunk == names[0]
        next(model.tuned.parameters()).add_(0.1)
        with optim.held(model, ("tuned",)):
            names.append(model.trunk)
    assert len(set(names)) == 3, "what another deep half said would be taken for its own"
