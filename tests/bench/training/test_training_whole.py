"""Images seen whole up to a side: where they are cut, and batches of images of several sizes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ganiq.bench.errors import UsageError
from ganiq.bench.training import cache, protocol, pseudo, seam, trainer
from ganiq.bench.training import recipe as recipes
from ganiq.bench.training import splits as parts
from ganiq.bench.training.beside import Beside, entries
from ganiq.bench.training.crops import SMALLEST, cut, frame, grid
from ganiq.bench.training.data import TrainingSet
from ganiq.bench.training.loader import Loader
from ganiq.bench.training.predict import predict
from ganiq.metrics.evaluator.moments import LEAST
from ganiq.metrics.evaluator.predictor import Predictor
from ganiq.metrics.evaluator.predictor import crops as of_predictor
from ganiq.metrics.evaluator.predictor import frame as of_image
from pictures import picture
from soft_label_cases import folder_of
from training_cases import REG, document

LARGEST = 96
NETWORK = {"net": "slkd", "role": "NR", "moments": True, "late": True, "largest": LARGEST, "hidden": 8}
VIEWS = recipes.Cut(crop=48)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory, load: Any) -> TrainingSet:
    """Squares of one size, and one picture that is a little smaller."""
    shapes = [(72, 72)] * 3 + [(70, 68)]
    rows = [(f"small{n}", picture(n, 100)[:h, :w], {}) for n, (h, w) in enumerate(shapes)]
    return load(folder_of(tmp_path_factory.mktemp("small") / "small", rows))


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory, load: Any) -> TrainingSet:
    """Pictures of 1 x 2 crops of which each is as large as may be."""
    rows = [(f"large{n}", picture(n + 50, 130)[:LARGEST, :130], {}) for n in range(3)]
    return load(folder_of(tmp_path_factory.mktemp("large") / "large", rows))


@pytest.fixture(scope="module")
def network() -> Any:
    torch.manual_seed(2)
    return seam.network({**NETWORK, "pretrained": False}).eval()


def loaded(*sets: TrainingSet, stored: dict[str, cache.Features] | None = None) -> Loader:
    held = {("student", "x"): stored} if stored else {}
    return Loader(entries(*sets), VIEWS, None, Beside(), (), 0, "cpu", held, 0, LARGEST)


# --- where they are cut --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "wanted"), [
    ((72, 72), (72, 72)), ((96, 97), (96, 96)), ((200, 80), (96, 80)), ((40, 500), (64, 96)), ((3, 5), (64, 64)),
])  # fmt: skip
def test_crops_are_as_large_as_the_image_up_to_a_side(size: tuple[int, int], wanted: tuple[int, int]) -> None:
    assert SMALLEST == LEAST
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    shown = torch.from_numpy(image).permute(2, 0, 1)
    assert frame(size, LARGEST) == of_image(shown, LARGEST) == wanted
    height, width = (max(n, w) for n, w in zip(size, wanted))
    places = grid(height, width, wanted, 0)
    ours = torch.from_numpy(cut(image, places, wanted)).permute(0, 3, 1, 2)
    assert torch.equal(ours, of_predictor(shown, wanted, 0))
    assert ours.shape[2:] == wanted
    if max(size) <= LARGEST and min(size) >= SMALLEST:
        assert torch.equal(ours, shown[None])


def test_images_are_scored_whole(small: TrainingSet, large: TrainingSet, network: Any) -> None:
    loader = loaded(small, large)
    assert [loader.count(e) for e in loader.entries] == [1, 1, 1, 1, 2, 2, 2]
    found = predict(network, recipes.Net(net="x", role="NR"), loader)
    for entry, value in zip(loader.entries, found):
        image = torch.from_numpy(np.array(entry.data.pixels[entry.sample.image])).permute(2, 0, 1).float() / 255
        views = of_predictor(image, of_image(image, LARGEST), 0)
        with torch.no_grad():
            assert value == pytest.approx(float(network(seam.views(x=views[:, None]))["score"].mean()), abs=1e-6)
    assert np.ptp(found) > 1e-3


# --- what is stored ------------------------------------------------------------------------------------------


def test_batches_mix_sizes(small: TrainingSet, large: TrainingSet, network: Any, tmp_path: Path) -> None:
    stored = {
        data.pixels.digest: cache.features(
            network, data.pixels, [s.image for s in data.samples], data.pixels.frame(LARGEST), 0, tmp_path
        )
        for data in (small, large)
    }
    assert [f.crops for f in stored.values()] == [1, 2]
    held, plain = loaded(small, large, stored=stored), loaded(small, large)
    batch = held.random([0, 4, 5, 1, 2], "stage", 0)
    maps, known = batch.features["student", "x"]
    assert isinstance(maps, list)
    assert [tuple(m.shape[1:]) for m in maps] == [(40, 5, 5), (40, 6, 6), (40, 6, 6), (40, 5, 5), (40, 5, 5)]
    assert isinstance(known, torch.Tensor)
    assert known.shape == (5, 1, 1120, 1, 1)
    with torch.no_grad():
        scores = network(batch.views("student", recipes.Net(net="x", role="NR")))["score"]
    assert scores.shape == (5,)
    alone = predict(network, recipes.Net(net="x", role="NR"), plain, [0, 1, 2])
    assert scores[[0, 3, 4]].tolist() == pytest.approx(alone.tolist(), abs=3e-3)
    found = predict(network, recipes.Net(net="x", role="NR"), held)
    assert found[[0, 1, 2]] == pytest.approx(alone, abs=3e-3)
    # In a store, the one that is a little smaller is continued to the size of the others.
    assert stored[small.pixels.digest].take([(small.samples[3].image, [0])])[0].shape[-2:] == (5, 5)


def test_such_a_network_learns_from_stored_features_only(
    small: TrainingSet, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scored = small.relabelled({s.key: n / 4 for n, s in enumerate(small.samples)}, pseudo.SCALE)
    keys = sorted(s.key for s in scored.samples)
    split = parts.Split("made", 0, scored.digest, tuple(keys[:2]), tuple(keys[2:3]), tuple(keys[3:]))
    stage = {"name": "a", "epochs": 1, "batch": 2, "terms": [REG]}
    for cached in (False, True):
        net = {**NETWORK, "pretrained": False}
        recipe = recipes.build(document(student=net, teacher=None, crops=0, stages=[{**stage, "cached": cached}]))
        work = trainer._Training(recipe, scored, split, trainer.Settings(tmp_path / "out", home), None)
        if cached:
            assert len(work.feeding.loaders(recipe.stages[0], work.student, None, distils=False)[0].entries) == 2
            continue
        with pytest.raises(UsageError, match="learns alone, on stored features; write cached = true"):
            work.feeding.loaders(recipe.stages[0], work.student, None, distils=False)


def test_the_evaluation_sees_what_the_metric_sees(
    small: TrainingSet, large: TrainingSet, tmp_path: Path, home: Path
) -> None:
    """Images above the size of the crops, which are not what such a network is shown."""
    scored = small.relabelled({s.key: n / 4 for n, s in enumerate(small.samples)}, pseudo.SCALE)
    keys = sorted(s.key for s in scored.samples)
    split = parts.Split("made", 0, scored.digest, tuple(keys[:2]), tuple(keys[2:3]), tuple(keys[3:]))
    stage = {"name": "a", "epochs": 1, "batch": 2, "cached": True, "terms": [REG]}
    recipe = recipes.build(document(student={**NETWORK, "pretrained": False}, teacher=None, crops=0, stages=[stage]))
    trained = trainer.train(recipe, scored, split, trainer.Settings(tmp_path / "out", home), None)
    others = large.relabelled({s.key: n / 3 for n, s in enumerate(large.samples)}, pseudo.SCALE)
    found = protocol.evaluate(trained.checkpoint, others)
    metric = Predictor(trained.checkpoint)
    for sample in others.samples:
        image = torch.from_numpy(np.array(others.pixels[sample.image])).permute(2, 0, 1)[None].float() / 255
        assert found["scores"][sample.key] == pytest.approx(float(metric.score(image)), abs=1e-5)
    assert found["cost"]["crop"] == LARGEST


def test_the_head_learns_on_stored_moments_and_then_the_deep_half_with_it(
    small: TrainingSet, tmp_path: Path, home: Path
) -> None:
    scored = small.relabelled({s.key: n / 4 for n, s in enumerate(small.samples)}, pseudo.SCALE)
    keys = sorted(s.key for s in scored.samples)
    split = parts.Split("made", 0, scored.digest, tuple(keys[:2]), tuple(keys[2:3]), tuple(keys[3:]))
    stage = {"epochs": 2, "batch": 2, "cached": True, "keep": "last", "terms": [REG]}
    head, deep = {**stage, "name": "head", "freeze": ["tuned"]}, {**stage, "name": "deep", "lr": 1e-3}
    net = {**NETWORK, "pretrained": False, "deepest": 3}
    start = seam.network(net).state_dict()
    ends = []
    for name, stages in (("one", [head]), ("both", [head, deep])):
        recipe = recipes.build(document(student=net, teacher=None, crops=0, stages=stages))
        found = trainer.train(recipe, scored, split, trainer.Settings(tmp_path / name, home), None)
        ends.append(found.student.state_dict())
    for name, value in start.items():
        moved = [not torch.equal(end[name].half(), value.half()) for end in ends]  # as files hold them
        assert moved == {"b": [False, False], "t": [False, True], "h": [True, True]}[name[0]], name
    assert not torch.equal(ends[0]["head.0.weight"], ends[1]["head.0.weight"])
