"""As many fixed crops as cover a picture: where they lie, who counts them, and what is stored of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ganiq.bench.errors import UsageError
from ganiq.bench.training import cache, seam
from ganiq.bench.training import recipe as recipes
from ganiq.bench.training.beside import Beside, entries
from ganiq.bench.training.crops import Crop, cover, cut, grid
from ganiq.bench.training.data import TrainingSet
from ganiq.bench.training.loader import Loader
from ganiq.bench.training.predict import predict
from ganiq.metrics.evaluator.predictor import crops as of_predictor
from pictures import picture
from soft_label_cases import folder_of

SIDE = 48


@pytest.fixture(scope="module")
def sizes(tmp_path_factory: pytest.TempPathFactory, load: Any) -> TrainingSet:
    """Four pictures of 2 x 2, 2 x 2, 3 x 2 and 1 x 1 crops."""
    shapes = {"a": (72, 72), "b": (96, 60), "c": (100, 80), "d": (40, 48)}
    rows = [(name, picture(n, 100)[:h, :w], {}) for n, (name, (h, w)) in enumerate(shapes.items())]
    return load(folder_of(tmp_path_factory.mktemp("sizes") / "sizes", rows))


def images_of(data: TrainingSet) -> list[int]:
    """Numbers of the pictures, in the order of their names."""
    return [s.image for s in sorted(data.samples, key=lambda s: s.key)]


# --- places --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", [7, 16])
def test_cover_leaves_no_pixel_out_and_takes_no_crop_too_many(side: int) -> None:
    for height in range(1, 4 * side):
        for width in (1, side - 1, side, side + 1, 2 * side, 2 * side + 3, height):
            found = cover(height, width, side)
            seen = np.zeros((max(height, side), max(width, side)), bool)
            for top, left, flip, turn in found:
                assert not flip and not turn
                assert 0 <= top <= seen.shape[0] - side
                assert 0 <= left <= seen.shape[1] - side
                seen[top : top + side, left : left + side] = True
            assert seen.all()
            # Of the pixels at 0, side, 2 side ... no crop holds two.
            assert len(found) == -(-height // side) * -(-width // side)


@pytest.mark.parametrize("size", [*range(17, 80), 288, 1000, 1001])
def test_cover_is_evenly_spread_row_by_row(size: int) -> None:
    found = cover(size, size, 16)
    tops = sorted({crop.top for crop in found})
    assert (tops[0], tops[-1]) == (0, size - 16)
    gaps = np.diff(tops)
    assert gaps.max() - gaps.min() <= 1
    assert gaps.max() <= 16
    assert found == [Crop(top, left) for top in tops for left in tops]


def test_one_crop_covers_what_is_no_larger() -> None:
    for height, width in ((48, 48), (48, 20), (5, 48), (1, 1)):
        assert cover(height, width, 48) == [(0, 0, False, 0)] == grid(height, width, 48, 0)
    assert cover(49, 48, 48) == [Crop(0, 0), Crop(1, 0)]
    assert cover(48, 97, 48) == [Crop(0, 0), Crop(0, 24), Crop(0, 49)]


def test_grid_of_none_is_the_cover_and_of_one_the_middle() -> None:
    assert grid(100, 130, 48, 0) == cover(100, 130, 48)
    assert grid(100, 131, 48, 1) == [Crop(26, 41)] == grid(100, 131, 48, 5)[4:]
    assert grid(40, 48, 48, 1) == [Crop(0, 0)]
    ten = grid(100, 130, 48, 10)
    assert [grid(100, 130, 48, n) for n in range(2, 11)] == [ten[:n] for n in range(2, 11)]


@pytest.mark.parametrize("size", [(48, 48), (40, 72), (5, 7), (90, 101), (97, 48), (150, 49), (143, 145)])
def test_the_predictor_cuts_where_training_does(size: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    shown = torch.from_numpy(image).permute(2, 0, 1)
    for count in (0, 1, 2, 4, 5, 7, 10):
        places = grid(max(size[0], SIDE), max(size[1], SIDE), SIDE, count)
        ours = torch.from_numpy(cut(image, places, SIDE)).permute(0, 3, 1, 2)
        theirs = of_predictor(shown, SIDE, count)
        assert torch.equal(ours, theirs), count
        assert len(theirs) == count or not count


def test_the_predictor_covers_and_centres() -> None:
    image = torch.arange(3 * 10 * 21).view(3, 10, 21)
    assert torch.equal(of_predictor(image, 8, 1), image[None, :, 1:9, 6:14])
    found = of_predictor(image, 8, 0)
    assert found.shape == (6, 3, 8, 8)
    assert set(found[:, 0].flatten().tolist()) == set(range(210))
    assert torch.equal(of_predictor(image[:, :8, :8], 8, 0), image[None, :, :8, :8])
    for wrong in (-1, 11):
        with pytest.raises(ValueError, match="10 fixed crops"):
            of_predictor(image, 8, wrong)


# --- who counts them -----------------------------------------------------------------------------------------


def test_every_image_is_scored_on_as_many_crops_as_cover_it(sizes: TrainingSet) -> None:
    network = seam.network({"net": "tiny_evaluators:Tiny", "role": "NR"}).eval()
    net = recipes.Net(net="x", role="NR")
    found = entries(sizes)
    loader = Loader(found, recipes.Cut(crop=SIDE), None, Beside(), (), 0, crops=0)
    assert [loader.count(e) for e in sorted(found, key=lambda e: e.sample.key)] == [4, 4, 6, 1]
    assert Loader(found, recipes.Cut(crop=SIDE), None, Beside(), (), 0, crops=3).count(found[0]) == 3
    wanted = []
    for entry in found:
        height, width = sizes.pixels.size(entry.sample.image)
        pieces = cut(sizes.pixels[entry.sample.image], cover(height, width, SIDE), SIDE)
        x = torch.from_numpy(pieces).permute(0, 3, 1, 2).float() / 255
        with torch.no_grad():
            wanted.append(float(network(seam.views(x=x[:, None]))["score"].mean()))
    assert predict(network, net, loader) == pytest.approx(wanted, abs=1e-6)
    assert predict(network, net, loader, [2, 0]) == pytest.approx([wanted[2], wanted[0]], abs=1e-6)
    assert np.ptp(wanted) > 1e-3


# --- what is stored ------------------------------------------------------------------------------------------


def test_features_of_covers_are_stored_for_the_largest(
    sizes: TrainingSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = seam.network({"net": "tiny_evaluators:Tiny", "role": "NR"})
    a, b, c, d = images_of(sizes)
    with monkeypatch.context() as patch:
        patch.setattr(cache, "MOST", 1.5)
        with pytest.raises(UsageError, match=r"the largest needs: 6, and they need 3\.5 on average; write crops = 5"):
            cache.features(network, sizes.pixels, [d, c], SIDE, 0, tmp_path)
    assert not list(tmp_path.iterdir())
    mixed = cache.features(network, sizes.pixels, [a, c, d], SIDE, 0, tmp_path)
    assert mixed.crops == 6
    assert mixed.take([(d, [0, 1, 5])])[0].std(1).max() == 0  # the only crop, again and again
    for number, count in ((a, 4), (c, 6), (d, 1)):
        own = cache.features(network, sizes.pixels, [number], SIDE, 0, tmp_path)
        assert torch.equal(own.take([(number, range(count))])[0], mixed.take([(number, range(count))])[0])
    found = cache.features(network, sizes.pixels, [a, b], SIDE, 0, tmp_path)
    assert found.crops == 4
    again = cache.features(network, sizes.pixels, [b, a], SIDE, 0, tmp_path)
    four = cache.features(network, sizes.pixels, [a, b], SIDE, 4, tmp_path)
    assert found.folder == again.folder != four.folder
    for number in (a, b):
        pieces = cut(sizes.pixels[number], cover(*sizes.pixels.size(number), SIDE), SIDE)
        with torch.no_grad():
            (wanted,) = network.extract(torch.from_numpy(pieces).permute(0, 3, 1, 2).float() / 255)
        for store in (found, again):
            (tap,) = store.take([(number, [3, 0, 1, 2])])
            assert torch.allclose(tap[0], wanted[[3, 0, 1, 2]], atol=2e-3)
    assert cache.features(network, sizes.pixels, [c], SIDE, 0, tmp_path).crops == 6
    assert cache.features(network, sizes.pixels, [d], SIDE, 0, tmp_path).crops == 1


def test_features_of_covers_give_the_scores_of_the_pixels(given: TrainingSet, home: Path) -> None:
    network = seam.network({"net": "tiny_evaluators:Tiny", "role": "FR"})
    net = recipes.Net(net="x", role="FR")
    found, views = entries(given)[:10], recipes.Cut(crop=SIDE, patches=1)
    stored = {}
    for kind in ("x", "ref"):
        numbers = [e.sample.image if kind == "x" else e.sample.reference or 0 for e in found]
        stored["teacher", kind] = {
            given.pixels.digest: cache.features(network, given.pixels, numbers, SIDE, 0, home)
        }  # fmt: skip
    plain = Loader(found, views, None, Beside(), ("ref",), 0, crops=0)
    held = Loader(found, views, None, Beside(), ("ref",), 0, "cpu", stored, 0)
    a, b = (predict(network, net, loader, which="teacher") for loader in (plain, held))
    assert a == pytest.approx(b, abs=2e-3)
    assert np.std(a) > 1e-3
    batch = held.random([0, 1, 2], "stage", 0)
    assert batch.x is None
    kept = batch.features["teacher", "x"][0]
    assert isinstance(kept, torch.Tensor)
    assert kept.shape[:2] == (3, 1)
    batches: list[Any] = [held.random([0], "stage", n) for n in range(20)]
    drawn = {one.features["teacher", "x"][0].sum().item() for one in batches}
    assert len(drawn) == 4  # every crop of the cover is drawn, and nothing else
