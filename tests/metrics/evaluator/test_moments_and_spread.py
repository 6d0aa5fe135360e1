"""Means with deviations: of whole maps for the plain student, of cells for the teacher."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from evaluator_cases import made, seen
from ganiq.metrics.evaluator.build import parameters
from ganiq.metrics.evaluator.moments import described, pooled
from ganiq.metrics.evaluator.parts_net import deviation, shrink
from ganiq.metrics.evaluator.views import Views

CHANNELS = 24 + 40 + 112 + 320


# --- deviations ----------------------------------------------------------------------------------------------


def maps(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("side", "cap"), [((24, 24), 12), ((36, 24), 12), ((13, 13), 12), ((30, 7), 12), ((20, 9), 6)])
def test_deviations_of_cells_are_those_of_numpy(side: tuple[int, int], cap: int) -> None:
    x = maps(2, 3, *side)
    found = deviation(x, cap)
    height, width = (min(cap, n) for n in side)
    assert found.shape == shrink(x, cap).shape == (2, 3, height, width)
    values = x.numpy().astype(np.float64)
    for row in range(height):
        for column in range(width):
            top, bottom = row * side[0] // height, -(-(row + 1) * side[0] // height)
            left, right = column * side[1] // width, -(-(column + 1) * side[1] // width)
            cell = values[:, :, top:bottom, left:right]
            # A square root of what is left of two sums: single values come out as 1e-4, not as 0.
            assert found[:, :, row, column].numpy() == pytest.approx(cell.std((2, 3)), abs=2e-3)
            assert shrink(x, cap)[:, :, row, column].numpy() == pytest.approx(cell.mean((2, 3)), abs=1e-5)


@pytest.mark.parametrize("side", [(12, 12), (5, 9), (1, 1), (2, 12)])
def test_deviations_of_small_maps_are_those_of_neighbours(side: tuple[int, int]) -> None:
    x = maps(2, 3, *side, seed=1)
    found = deviation(x, 12)
    assert found.shape == x.shape
    values = x.numpy().astype(np.float64)
    for row in range(side[0]):
        for column in range(side[1]):
            near = values[:, :, max(0, row - 1) : row + 2, max(0, column - 1) : column + 2]  # none beyond the border
            assert found[:, :, row, column].numpy() == pytest.approx(near.std((2, 3)), abs=2e-3)


def test_deviations_of_flat_maps_are_small_and_have_a_slope() -> None:
    for side in (12, 24):
        x = torch.full((1, 1, side, side), 0.7, requires_grad=True)
        found = deviation(x, 12)
        assert 0 < found.max() <= 2e-3
        found.sum().backward()
        assert x.grad is not None
        assert x.grad.isfinite().all()
    x = maps(1, 2, 24, 24)
    assert torch.allclose(deviation(x, 12), deviation(x + 3, 12), atol=1e-3)
    assert torch.allclose(deviation(5 * x, 12), 5 * deviation(x, 12), atol=1e-3)


# --- the plain student ---------------------------------------------------------------------------------------


def test_the_head_reads_four_numbers_per_channel() -> None:
    plain, full = made(net="slkd", hidden=32), made(net="slkd", hidden=32, moments=True)
    assert full.head[0].in_features == 4 * CHANNELS
    assert parameters(full.head)["trainable"] == 4 * CHANNELS * 32 + 32 + 32 + 1
    assert parameters(plain.head)["trainable"] == 320 * 32 + 32 + 32 + 1
    difference = parameters(full)["trainable"] - parameters(plain)["trainable"]
    assert difference == (4 * CHANNELS - 320) * 32
    assert parameters(made(net="slkd", moments=True).head)["trainable"] == 4 * CHANNELS * 128 + 128 + 128 + 1
    assert made(net="slkd", moments=True, bins=5).head[-1].out_features == 5


@pytest.mark.parametrize("side", [33, 64, 75])
@pytest.mark.parametrize("patches", [1, 3])
def test_moments_of_any_size(side: int, patches: int) -> None:
    model = made(net="slkd", moments=True).eval()
    with torch.no_grad():
        trace = model(seen(2, patches, side, aux=False))
    assert trace["score"].shape == (2,)
    assert trace["score"].isfinite().all()
    assert trace["sem"].shape == (2 * patches, 320)
    assert ("score.std" in trace) == (patches > 1)
    assert trace["bb.l1"].shape[1] == 24


def test_moments_of_pictures_that_are_not_square() -> None:
    model = made(net="slkd", moments=True).eval()
    x = torch.rand(2, 1, 3, 51, 90, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        whole = model(Views(x=x))["score"]
        assert torch.allclose(model(Views(x=x[1:]))["score"], whole[1:], atol=1e-5)
    assert whole.isfinite().all()
    assert whole[0] != whole[1]


def test_each_tap_is_brought_to_one_scale() -> None:
    """As the ridge regression has them, but for the order and the scale of every tap."""
    model = made(net="slkd", moments=True).eval()
    views = seen(2, 1, 64, aux=False)
    assert views.x is not None
    with torch.no_grad():
        raw, _ = model.maps(views.x, None)
        found = model._moments(views, raw)
        plain = described(model.source, model.backbone, views.x.flatten(0, 1))
    assert found.shape == plain.shape == (2, 4 * CHANNELS)
    ends = np.cumsum([0, *(c for _ in (1, 2) for c in (24, 24, 40, 40, 112, 112, 320, 320))])
    for start, end in pairwise(ends):
        own, theirs = found[:, start:end].numpy(), plain[:, start:end].numpy().astype(np.float64)
        normal = (theirs - theirs.mean(1, keepdims=True)) / np.sqrt(theirs.var(1, keepdims=True) + 1e-5)
        assert own == pytest.approx(normal, abs=1e-4)


def test_pooled_moments_are_those_of_numpy() -> None:
    given = [maps(2, 3, 5, 7), maps(2, 4, 2, 1, seed=1)]
    found = pooled(given).numpy()
    wanted = [f(m.numpy().astype(np.float64), axis=(2, 3)) for m in given for f in (np.mean, np.std)]
    assert found == pytest.approx(np.concatenate(wanted, axis=1), abs=1e-4)
    assert pooled([torch.ones(1, 2, 3, 3)]).tolist() == [pytest.approx([1, 1, 1e-4, 1e-4])]


def test_moments_hear_of_every_tap_and_of_both_sizes() -> None:
    model = made(net="slkd", moments=True, hidden=8).train()
    views = seen(2, 1, 128, aux=False)  # half of it still has deviations at the deepest tap
    model(views)["score"].sum().backward()
    columns = model.head[0].weight.grad.abs().sum(0)
    assert (columns > 0).all()
    assert all(p.grad is not None for p in model.parameters())


def test_dropout_acts_in_training_alone() -> None:
    model = made(net="slkd", moments=True, dropout=0.5)
    assert made(net="slkd", dropout=0.5).drop.p == 0
    views = seen(2, 1, 64, aux=False)
    model.eval()
    with torch.no_grad():
        assert torch.equal(model(views)["score"], model(views)["score"])
        model.drop.train()
        assert not torch.equal(model(views)["score"], model(views)["score"])


def test_moments_that_learn_need_the_images_themselves() -> None:
    frozen, learning = (made(net="slkd", moments=True, frozen=flag).eval() for flag in (True, False))
    views = seen(2, 1, 64, aux=False)
    assert views.x is not None
    with torch.no_grad():
        stored = [m.unflatten(0, (2, 1)) for m in frozen.extract(views.x.flatten(0, 1))]
        with pytest.raises(ValueError, match="without cached features"):
            learning(views._replace(x=None, features=stored))
        with pytest.raises(ValueError, match="neither images nor features"):
            learning(views._replace(x=None))


# --- the teacher ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["FR", "NR"])
@pytest.mark.parametrize("side", [96, 64])
def test_cached_features_with_deviations_give_the_same_scores(role: str, side: int) -> None:
    """Where maps are averaged and where they are not."""
    model = made(net="ysgan", role=role, spread=True, jnd="none", backbone="lite0").eval()
    views = seen(2, 2, side, aux=role == "FR")
    with torch.no_grad():
        stored = [
            None if v is None else [m.unflatten(0, (2, 2)) for m in model.extract(v.flatten(0, 1))]
            for v in (views.x, views.aux)
        ]
        live = model(views)
        held = model(views._replace(x=None, aux=None, features=stored[0], aux_features=stored[1]))
    assert stored[0] is not None
    assert [m.shape[2] for m in stored[0]] == [48, 80, 224, 640]
    assert max(m.shape[-1] for m in stored[0]) <= 12
    for name in ("score", "tok.d", "tok.r", "sem"):
        assert torch.allclose(live[name], held[name], atol=1e-5), name
    assert [live[f"bb.l{n}"].shape[1] for n in (1, 2, 3, 4)] == [24, 40, 112, 320]
    assert [held[f"bb.l{n}"].shape[1] for n in (1, 2, 3, 4)] == [24, 40, 112, 320]


def test_deviations_are_read() -> None:
    model = made(net="ysgan", role="NR", spread=True, jnd="none").eval()
    views = seen(2, 1, 64, aux=False)
    assert views.x is not None
    with torch.no_grad():
        stored = [m.unflatten(0, (2, 1)) for m in model.extract(views.x.flatten(0, 1))]
        other = [m.clone() for m in stored]
        for m in other:
            m[:, :, m.shape[2] // 2 :] *= 2
        scores = [model(views._replace(x=None, features=f))["score"] for f in (stored, other)]
    assert not torch.allclose(scores[0], scores[1], atol=1e-6)


def test_features_with_deviations_have_another_name() -> None:
    narrow, wide = (made(net="ysgan", role="FR", spread=s, jnd="none") for s in (False, True))
    assert narrow.trunk and wide.trunk
    assert narrow.trunk != wide.trunk
    assert made(net="ysgan", role="FR", jnd="none").trunk == narrow.trunk
    assert narrow.source.channels == wide.source.channels
    assert narrow.widths == wide.widths  # what distillers compare are the means
    twice = sum(
        2 * p.numel() if p.ndim == 4 and p.shape[2] == 3 else 0 for n in (narrow,) for p in n.reduce.parameters()
    )
    assert sum(p.numel() for p in wide.reduce.parameters() if p.ndim == 4 and p.shape[2] == 3) == twice
    x = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        for a, b in zip(narrow.extract(x), wide.extract(x)):
            assert torch.equal(a, b[:, : a.shape[1]])
            assert b.shape[1] == 2 * a.shape[1]
            assert (b[:, a.shape[1] :] > 0).all()
