"""Distillers on traces of real networks: sizes, formulas, zero where there is nothing to learn."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from evaluator_cases import made, seen
from ganiq.metrics.evaluator.build import distiller, parameters
from ganiq.metrics.evaluator.chain_net import Chain
from ganiq.metrics.evaluator.review_net import hcl
from ganiq.metrics.evaluator.views import Views

HEADS = {"pairs": [["tok.d", "tok.d", 1.0], ["tok.r", "tok.r", 0.5]], "norm": "layer", "adapt": False}


@pytest.fixture(scope="module")
def teacher() -> Any:
    return made(net="ysgan", role="FR").eval()


@pytest.fixture(scope="module")
def student() -> Any:
    return made(net="slkd").eval()


@pytest.fixture(scope="module")
def blind() -> Any:
    return made(net="ysgan", role="NR").eval()


@pytest.fixture(scope="module")
def views() -> Views:
    return seen(4)


def traces(teacher: Any, student: Any, views: Views) -> tuple[Any, Any]:
    with torch.inference_mode():
        theirs = teacher(views)
    return {k: v.clone() for k, v in theirs.items()}, student(views)


def test_adapters_have_their_planned_sizes(teacher: Any, student: Any) -> None:
    assert parameters(distiller("hint", teacher, student, {"batch_norm": False}))["trainable"] == 128_576
    assert parameters(distiller("hint", teacher, student))["trainable"] == 128_576 + 2 * (24 + 48 + 120 + 352)
    assert parameters(distiller("review", teacher, student))["trainable"] == 347_462


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("score", {}), ("hint", {}), ("hint", {"norm": "cosine"}), ("hint", {"norm": "none"}), ("review", {}),
        ("review", {"difference": True}), ("attention", {}), ("relation", {}), ("consistency", {}),
    ],
)  # fmt: skip
def test_plain_student_learns_from_the_teacher(
    teacher: Any, student: Any, views: Views, name: str, options: dict[str, Any]
) -> None:
    module = distiller(name, teacher, student, options)
    theirs, ours = traces(teacher, student, views)
    value = module(theirs, ours, views)
    assert value.ndim == 0
    assert value.isfinite() and value > 0
    student.zero_grad()
    value.backward()
    grads = [p.grad for p in (*student.parameters(), *module.parameters()) if p.grad is not None]
    assert grads and all(g.isfinite().all() for g in grads)
    assert any(g.abs().max() > 0 for g in grads)
    assert not any(k.startswith(("backbone", "_student")) for k in module.state_dict())  # neither network is inside


@pytest.mark.parametrize(
    ("name", "options"), [("score", {}), ("hint", HEADS), ("token", {}), ("attention", {}), ("relation", {})]
)
def test_nothing_to_learn_from_oneself(blind: Any, views: Views, name: str, options: dict[str, Any]) -> None:
    module = distiller(name, blind, blind, options)
    theirs, ours = traces(blind, blind, views)
    assert module(theirs, ours, views).item() == pytest.approx(0, abs=1e-5)


def test_the_students_imagined_maps_are_compared_after_normalisation(teacher: Any, blind: Any, views: Views) -> None:
    theirs, ours = traces(teacher, blind, views)
    found = distiller("hint", teacher, blind, HEADS)(theirs, ours, views)
    parts = [F.mse_loss(F.layer_norm(ours[n], (128,)), F.layer_norm(theirs[n], (128,))) for n in ("tok.d", "tok.r")]
    assert found.item() == pytest.approx((parts[0] + parts[1] / 2).item(), rel=1e-5)
    tokens = distiller("token", teacher, blind)(theirs, ours, views)
    expected = F.mse_loss(ours["enc"], theirs["enc"]) + F.mse_loss(ours["dec"], theirs["dec"])
    assert tokens.item() == pytest.approx(expected.item(), rel=1e-5)


def test_tokens_of_a_finer_grid_are_averaged_and_the_quality_token_is_not(blind: Any, views: Views) -> None:
    _, ours = traces(blind, blind, views)
    quality, places = torch.randn(4, 1, 128), torch.randn(4, 128, 24, 24)
    theirs = dict(ours)
    theirs["enc"] = torch.cat([quality, places.flatten(2).transpose(1, 2)], dim=1)
    found = distiller("token", blind, blind, {"names": ["enc"]})(theirs, ours, views)
    pooled = F.avg_pool2d(places, 2).flatten(2).transpose(1, 2)
    assert found.item() == pytest.approx(F.mse_loss(ours["enc"], torch.cat([quality, pooled], 1)).item(), rel=1e-5)


def test_hierarchical_context_loss() -> None:
    f, o = torch.rand(2, 3, 7, 7), torch.rand(2, 3, 7, 7)
    assert hcl(f, f) == 0
    pooled = [F.mse_loss(F.adaptive_avg_pool2d(o, n), F.adaptive_avg_pool2d(f, n)) for n in (4, 2, 1)]
    expected = (F.mse_loss(o, f) + pooled[0] / 2 + pooled[1] / 4 + pooled[2] / 8) / 1.875
    assert hcl(o, f).item() == pytest.approx(expected.item())
    small = (
        F.mse_loss(o[..., :3, :3], f[..., :3, :3]),
        *(
            F.mse_loss(F.adaptive_avg_pool2d(o[..., :3, :3], n), F.adaptive_avg_pool2d(f[..., :3, :3], n))
            for n in (2, 1)
        ),
    )
    assert hcl(o[..., :3, :3], f[..., :3, :3]).item() == pytest.approx(
        ((small[0] + small[1] / 2 + small[2] / 4) / 1.75).item()
    )


def test_depth_map_of_akd_full_size() -> None:
    class Depths:
        mixer_levels = 4

        def __init__(self, depth: int) -> None:
            self.depth = depth

    chain = Chain(Depths(36), Depths(18), map="2k")
    assert chain.pairs == [(2 * k, k) for k in range(1, 19)]
    assert (len(chain.pairs), chain.count) == (18, 4)
    with pytest.raises(ValueError, match="pairs 18 blocks with 18"):
        Chain(Depths(36), Depths(18), map="k")


def test_chain_and_adaptive_over_levels_and_blocks() -> None:
    big, small = made(net="akd", role="FR").eval(), made(net="akd", role="PR").eval()
    theirs, ours = traces(big, small, seen(2, 4))
    by_hand = [
        sum(F.mse_loss(ours[f"mix.d.{j}.{k}"], theirs[f"mix.d.{j}.{2 * k}"]).item() for k in range(1, 7))
        for j in (1, 2, 3, 4)
    ]
    chain = distiller("chain", big, small, {"map": "2k"})
    assert chain(theirs, ours, seen(2, 4)).item() == pytest.approx(sum(by_hand), rel=1e-5)
    assert parameters(chain)["trainable"] == 0
    adaptive: Any = distiller("adaptive", big, small, {"rule": "softmax", "start": [1.0, 1.0, 1.0, 0.7], "scale": 3})
    weights = 3 * torch.tensor([1.0, 1.0, 1.0, 0.7]).softmax(0)
    expected = sum(float(w * v) for w, v in zip(weights, by_hand))
    assert adaptive(theirs, ours, seen(2, 4)).item() == pytest.approx(expected, rel=1e-4)
    assert list(adaptive.effective()) == ["level1", "level2", "level3", "level4"]


def test_chain_of_cvrkd() -> None:
    big, small = made(net="cvrkd", role="FR").eval(), made(net="cvrkd", role="NAR").eval()
    chain: Any = distiller("chain", big, small)
    assert chain.pairs == [(k, k) for k in range(1, 7)]
    theirs, ours = traces(big, small, seen(2, 4))
    assert chain(theirs, ours, seen(2, 4)) == 0  # equal parameters, equal views


def test_cond_of_ckdn_is_thirty_times_the_squared_distance() -> None:
    model = made(net="ckdn").eval()
    first, second = seen(2), seen(2, seed=1)
    pristine, degraded = model(second._replace(x=first.x)), model(first)
    value = distiller("cond", model, model)(pristine, degraded, first)
    assert value.item() == pytest.approx(30 * (pristine["emb.aux"] - degraded["emb.aux"]).square().mean().item())
    assert "pair" not in degraded
    assert model.train()(first)["pair"][:, 1].tolist() == [0, 1]


def test_soft_distribution_target() -> None:
    thinker, student = made(net="slkd").eval(), made(net="slkd", bins=20).eval()
    _, ours = traces(thinker, student, seen(3, aux=False))
    module = distiller("dist", thinker, student)
    centres = (torch.arange(20) + 0.5) / 20
    goal = torch.tensor([0.3, 0.5, 0.9])
    q = (-((centres - goal[:, None]) ** 2) / (2 * 0.05**2)).softmax(1)
    soft_q, soft_p = ((v.clamp_min(1e-30).log() / 2).softmax(1) for v in (q, ours["dist"]))
    expected = 4 * (soft_q * (soft_q.clamp_min(1e-30).log() - soft_p.log())).sum(1).mean()
    assert module({"score": goal}, ours, seen(3)).item() == pytest.approx(expected.item(), rel=1e-4)
    assert module({"score": goal}, {**ours, "dist": q}, seen(3)) < expected / 100


def test_score_counts_uncertain_teachers_less() -> None:
    theirs = {"score": torch.zeros(2), "score.std": torch.tensor([0.0, 0.1])}
    ours = {"score": torch.ones(2)}
    plain = distiller("score", made(net="slkd"), made(net="slkd"))(theirs, ours, seen(2))
    assert plain.item() == pytest.approx(0.95)
    careful = distiller("score", made(net="slkd"), made(net="slkd"), {"confidence": 0.1})(theirs, ours, seen(2))
    assert careful.item() == pytest.approx(0.95 * (1 + 2.718281828**-1) / 2)


def relational(found: torch.Tensor, goal: torch.Tensor, distance: float, angle: float) -> torch.Tensor:
    """The published loss, pair by pair and triple by triple: sums over all ordered ones, over how many there are."""

    def psi(points: torch.Tensor) -> list[torch.Tensor]:
        n = len(points)
        each = [[(points[i] - points[j]).norm() if i != j else torch.zeros(()) for j in range(n)] for i in range(n)]
        mean = sum(value for row in each for value in row) / (n * (n - 1))
        return [value / mean for row in each for value in row]

    def cosines(points: torch.Tensor) -> list[torch.Tensor]:
        n, zero = len(points), torch.zeros_like(points[0])
        to = [[(points[j] - points[i]) / (points[j] - points[i]).norm() if i != j else zero for j in range(n)]
              for i in range(n)]  # fmt: skip
        return [to[i][j] @ to[i][k] for i in range(n) for j in range(n) for k in range(n)]

    def huber(a: list[torch.Tensor], b: list[torch.Tensor]) -> torch.Tensor:
        apart = [(x - y).abs() for x, y in zip(a, b)]
        return torch.stack([d - 0.5 if d > 1 else d**2 / 2 for d in apart]).mean()

    return distance * huber(psi(found), psi(goal)) + angle * huber(cosines(found), cosines(goal))


@pytest.mark.parametrize(("distance", "angle"), [(1.0, 0.0), (0.0, 1.0), (1.0, 2.0)])
def test_relations_are_as_published_and_so_is_their_gradient(distance: float, angle: float) -> None:
    stream = torch.Generator().manual_seed(3)
    goal = torch.rand(6, 7, generator=stream) * 9
    found = torch.rand(6, 5, generator=stream)
    found[0] *= 40  # far enough that the loss is linear there
    sides = []
    for measure in (
        lambda x: distiller("relation", None, None, {"of": "sem", "distance": distance, "angle": angle})(
            {"sem": goal}, {"sem": x}, Views()
        ),
        lambda x: relational(x, goal, distance, angle),
    ):
        x = found.clone().requires_grad_()
        value = measure(x)
        sides.append((value.detach(), *torch.autograd.grad(value, x)))
    (a, slope), (b, wanted) = sides
    assert float(a) == pytest.approx(float(b), rel=1e-5)
    assert torch.allclose(slope, wanted, rtol=1e-4, atol=1e-6)
    # What is compared has no scale, so nothing is gained by growing.
    assert abs(float((slope * (found - found.mean(0))).sum())) < 1e-4 * float(slope.norm() * found.norm())


def test_relations_of_samples_that_coincide_have_a_gradient() -> None:
    x = torch.ones(4, 3, requires_grad=True)
    value = distiller("relation", None, None, {"of": "sem"})({"sem": torch.rand(4, 3)}, {"sem": x}, Views())
    value.backward()
    assert x.grad is not None
    assert bool(x.grad.isfinite().all())


def test_numbers_per_image_have_relations_too() -> None:
    x = {"score": torch.tensor([0.1, 0.5, 0.8])}
    assert float(distiller("relation", None, None, {"of": "score"})(x, x, Views())) == 0


def test_running_standard_is_fitted_in_training_only(teacher: Any, student: Any, views: Views) -> None:
    module: Any = distiller("hint", teacher, student).train()
    theirs, ours = traces(teacher, student, views)
    module(theirs, ours, views)
    standard = module.standards[0]
    assert standard.count == 1
    assert torch.allclose(standard.mean, theirs["bb.l1"].mean(dim=(0, 2, 3)), atol=1e-5)
    assert standard(theirs["bb.l1"]).mean().abs() < 0.2
    module.eval()
    before = standard.mean.clone()
    module({k: v + 1 for k, v in theirs.items()}, ours, views)
    assert torch.equal(standard.mean, before)


def test_networks_that_do_not_match_are_refused(teacher: Any, student: Any) -> None:
    with pytest.raises(ValueError, match="has no 'enc' to compare"):
        distiller("token", teacher, student)
    with pytest.raises(ValueError, match="set adapt = true"):
        distiller("hint", teacher, student, {"adapt": False})
    with pytest.raises(ValueError, match="Ckdn shows no maps"):
        distiller("review", made(net="ckdn"), student)
    with pytest.raises(KeyError, match="it has score"):
        distiller("cond", student, student)({"score": torch.zeros(1)}, {"score": torch.zeros(1)}, seen(1))


def test_full_size_teacher_on_its_finer_grid_teaches_the_full_size_student() -> None:
    big, small = (made(net="ysgan", size="full", role=role).eval() for role in ("FR", "NR"))
    views = seen(1, side=192)
    theirs, ours = traces(big, small, views)
    plain = made(net="slkd").eval()
    review: Any = distiller("review", big, plain)
    assert [theirs for theirs, _ in review.names] == ["bb.l1", "bb.l3", "bb.l5", "bb.l7"]
    assert review(theirs, plain(views), views) > 0
    assert (theirs["enc"].shape[1], ours["enc"].shape[1]) == (442, 145)
    for name, options in (("hint", HEADS), ("token", {}), ("score", {})):
        assert distiller(name, big, small, options)(theirs, ours, views) > 0
