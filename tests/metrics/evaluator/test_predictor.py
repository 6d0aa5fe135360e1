"""A trained evaluator as a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from evaluator_cases import made, seen
from ganiq.bench.weights import BadWeights
from ganiq.metrics.evaluator.predictor import Predictor, crops, extended
from ganiq.metrics.evaluator.views import Views
from safetensors.torch import save_file

LABEL = {"kind": "minmax", "offset": 10.0, "unit": 2.0, "sign": 1, "split": "x"}


def saved(folder: Path, model: Any, spec: dict[str, Any], crop: int = 64, **other: str) -> Path:
    path = folder / "evaluator.safetensors"
    head = {"ganiq": "evaluator/1", "network": json.dumps(spec), "label": json.dumps(LABEL), "crop": str(crop), **other}
    save_file({k: v.contiguous() for k, v in model.state_dict().items()}, path, head)
    return path


@pytest.mark.parametrize(
    ("net", "role"), [("ysgan", "NR"), ("ysgan", "FR"), ("slkd", "NR"), ("akd", "FR"), ("cvrkd", "NAR")]
)
def test_scores_are_those_of_the_network_on_fixed_crops(tmp_path: Path, net: str, role: str) -> None:
    spec = {"net": net, "size": "lite", "role": role}
    model = made(**spec).eval()
    predictor = Predictor(saved(tmp_path, model, spec))
    images, others = torch.rand(2, 3, 80, 72), torch.rand(2, 3, 80, 72)
    state = torch.random.get_rng_state()
    found = predictor.score(images, others)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.equal(found, predictor.score(images, others))
    assert torch.equal(found[1:], predictor.score(images[1:], others[1:]))
    views = [crops(v[0], 64, model.patches or 5) for v in (images, others)]
    x, aux = (v[:, None] if model.patches is None else v[None] for v in views)
    with torch.no_grad():
        expected = model(Views(x, aux if role != "NR" else None))["score"].mean() * 2 + 10
    assert found[0].item() == pytest.approx(expected.item(), abs=1e-5)
    if role == "NR":
        assert torch.equal(found, predictor.score(images))
    else:
        with pytest.raises(ValueError, match="none were given"):
            predictor.score(images)


def test_content_variant_references_may_have_another_size(tmp_path: Path) -> None:
    spec = {"net": "cvrkd", "role": "NAR"}
    predictor = Predictor(saved(tmp_path, made(**spec), spec))
    assert predictor.score(torch.rand(1, 3, 70, 70), torch.rand(1, 3, 90, 64)).isfinite().all()


def test_half_precision_is_read_back(tmp_path: Path) -> None:
    spec = {"net": "slkd"}
    model = made(**spec).eval()
    exact = Predictor(saved(tmp_path, model, spec)).score(torch.rand(1, 3, 64, 64, generator=torch.manual_seed(0)))
    for p in model.parameters():
        p.data = p.data.half()
    half = Predictor(saved(tmp_path, model, spec)).score(torch.rand(1, 3, 64, 64, generator=torch.manual_seed(0)))
    assert half.item() == pytest.approx(exact.item(), abs=1e-2)


def test_small_images_are_extended_by_reflection(tmp_path: Path) -> None:
    image = torch.arange(4.0).expand(3, 4, 4)
    assert extended(image, (8, 8))[0, 0].tolist() == [2, 1, 0, 1, 2, 3, 2, 1]
    assert extended(image, (17, 17)).shape == (3, 17, 17)
    assert extended(image[..., :1], (3, 3)).shape == (3, 4, 3)
    assert extended(image, (4, 4)) is image
    spec = {"net": "slkd"}
    assert Predictor(saved(tmp_path, made(**spec), spec)).score(torch.rand(1, 3, 20, 9)).isfinite().all()


def test_crops_are_the_corners_the_centre_and_their_mirror_images() -> None:
    image = torch.rand(3, 10, 12)
    found = crops(image, 8, 10)
    assert torch.equal(found[1], image[:, :8, 4:])
    assert torch.equal(found[4], image[:, 1:9, 2:10])
    assert torch.equal(found[5], found[0].flip(-1))
    with pytest.raises(ValueError, match="10 fixed crops"):
        crops(image, 8, 11)


def test_other_files_are_refused(tmp_path: Path) -> None:
    spec = {"net": "slkd"}
    model = made(**spec)
    with pytest.raises(BadWeights, match="cannot be read"):
        Predictor(tmp_path / "none.safetensors")
    (tmp_path / "text").write_text("hello, this is no checkpoint")
    with pytest.raises(BadWeights, match="no evaluator"):
        Predictor(tmp_path / "text")
    with pytest.raises(BadWeights, match="no evaluator"):
        Predictor(saved(tmp_path, model, spec, ganiq="evaluator/9"))
    with pytest.raises(BadWeights, match="name no network"):
        Predictor(saved(tmp_path, model, {"net": "unheard"}))
    with pytest.raises(BadWeights, match="hold no readable label"):
        Predictor(saved(tmp_path, model, spec, label="{"))
    with pytest.raises(BadWeights, match="E-CKPT-KEYS"):
        Predictor(saved(tmp_path, model, {"net": "ysgan", "role": "NR"}))
    broken = made(**spec)
    broken.head[0].weight.data[0, 0] = float("nan")
    with pytest.raises(BadWeights, match="not finite"):
        Predictor(saved(tmp_path, broken, spec))


def test_batch_statistics_do_not_matter(tmp_path: Path) -> None:
    spec = {"net": "ysgan", "role": "NR"}
    model = made(**spec).train()
    model(seen(4, aux=False))  # statistics have moved
    predictor = Predictor(saved(tmp_path, model, spec))
    images = torch.rand(3, 3, 64, 64)
    assert predictor.score(images)[2] == predictor.score(images[2:])[0]
