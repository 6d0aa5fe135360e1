"""Data for training: decoded pixels, splits and their guard, label scales, samplers, crops, other pictures."""

from __future__ import annotations

import json
import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from ganiq.bench.errors import IntegrityError, UsageError
from ganiq.bench.training import beside, crops, labels, likeness, redistort, samplers, splits
from ganiq.bench.training.data import load as load_manifest
from pictures import picture
from PIL import Image
from training_cases import worse


def test_pixels_are_decoded_once_and_found_again(waves, given, home) -> None:
    from ganiq.bench.datasets import load as manifest

    stores = sorted(p.name for p in home.glob("pixels-*"))
    again = load_manifest(manifest(waves), home)
    assert sorted(p.name for p in home.glob("pixels-*")) == stores
    assert again.samples == given.samples
    for sample in given.samples[::7]:
        wanted = np.asarray(Image.open(waves / f"{sample.key}.png"))
        assert (given.pixels[sample.image] == wanted).all()


def test_damaged_images_are_left_out_and_named(make_set, tmp_path) -> None:
    from ganiq.bench.datasets import load as manifest

    folder = make_set(references=3, levels=1, first=40)
    (folder / "r41_blur1.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    (folder / "r42.png").unlink()
    found = load_manifest(manifest(folder), tmp_path)
    assert {s.group for s in found.samples} == {"r40", "r41"}
    assert len(found.samples) == 3
    assert len(found.refused) == 3
    assert any("r41_blur1.png" in message for message in found.refused)


def test_a_store_that_was_damaged_is_refused(make_set, tmp_path) -> None:
    from ganiq.bench.datasets import load as manifest

    folder = make_set(references=3, levels=1, first=50)
    load_manifest(manifest(folder), tmp_path)
    (file,) = tmp_path.glob("pixels-*/pixels.bin")
    file.write_bytes(file.read_bytes()[:-5])
    with pytest.raises(IntegrityError, match="delete that folder"):
        load_manifest(manifest(folder), tmp_path)


def test_splits_keep_references_together(given) -> None:
    split = splits.make(given, "reference", 3)
    groups = [{s.group for s in given.select(part).samples} for part in (split.train, split.valid, split.test)]
    assert sum(map(len, groups)) == 8 == len(set.union(*groups))
    assert [len(g) for g in groups] == [4, 2, 2]
    assert splits.make(given, "reference", 3) == split
    assert splits.make(given, "reference", 4).digest != split.digest
    assert len({splits.make(given, "reference", s).test for s in range(10)}) > 3


def test_held_out_generators_are_unseen(given) -> None:
    split = splits.make(given, "reference+generator", 0)
    train, test = (given.select(part).samples for part in (split.train, split.test))
    assert len(train) > 8
    assert len(test) > 2
    assert not {s.generator for s in train} & {s.generator for s in test}
    assert {s.distortion for s in test} == {"blur", "noise"}
    assert not {s.group for s in train} & {s.group for s in test}


def test_official_and_unknown_splits(given) -> None:
    with pytest.raises(UsageError, match="no official train"):
        splits.make(given, "official")
    with pytest.raises(UsageError, match=r"reference\+generator"):
        splits.make(given, "image")  # type: ignore[arg-type]


def test_near_duplicates_under_two_names_stay_in_one_part(make_set, load) -> None:
    folder = make_set(references=5, levels=1, first=60)
    text = (folder / "items.csv").read_text()
    twin = worse(picture(60), "noise", 1, 0)
    Image.fromarray(twin).save(folder / "copy.png")
    (folder / "items.csv").write_text(text + "copy.png,copy.png,copy,blur,blur9,1000\n")
    found = load(folder)
    for seed in range(6):
        split = splits.make(found, "reference", seed)
        part = [name for name in ("train", "valid", "test") if "copy" in getattr(split, name)]
        assert "r60_blur1" in getattr(split, part[0])


def test_the_guard_refuses_every_kind_of_leak(given, make_set, load) -> None:
    keys = [s.key for s in given.samples]
    halves = given.select(keys[: len(keys) // 2 + 1]), given.select(keys[len(keys) // 2 + 1 :])
    with pytest.raises(IntegrityError, match="train and teacher share 1 references"):
        splits.guard({"train": halves[0], "teacher": halves[1]})
    # The same pictures under another name of the set, then slightly changed ones.
    other = load(make_set(references=2, levels=1, first=7, name="elsewhere"))
    with pytest.raises(IntegrityError, match="the same image"):
        splits.guard({"train": given, "test": other})
    folder = make_set(references=1, levels=1, first=80, name="elsewhere")
    for n, kind in enumerate(("blur", "noise")):
        Image.fromarray(worse(picture(3), "noise", 1, 99 + n)).save(folder / f"r80_{kind}1.png")
    Image.fromarray(worse(picture(3), "noise", 1, 97)).save(folder / "r80.png")
    with pytest.raises(IntegrityError, match="same content"):
        splits.guard({"train": given, "test": load(folder)})
    splits.guard({"train": given, "test": load(make_set(references=2, levels=1, first=90, name="far"))})


def test_perceptual_hashes_tell_contents_apart() -> None:
    hashes = [likeness.phash(picture(n, 96)) for n in range(40)]
    apart = [(a ^ b).bit_count() for n, a in enumerate(hashes) for b in hashes[:n]]
    assert min(apart) > likeness.NEAR
    big = np.array(Image.fromarray(picture(0, 96)).resize((384, 384), Image.Resampling.BICUBIC))
    assert (likeness.phash(big) ^ hashes[0]).bit_count() <= likeness.NEAR
    assert likeness.near([], hashes) is None
    assert likeness.near([hashes[7] ^ 3], hashes) == (0, 7)


def test_label_scales() -> None:
    elo = [916.7136, 1400.0, 1835.9856]
    fitted = {kind: labels.Scaler.fit(kind, elo, 1, "s", elo=True) for kind in ("min-max", "z-score", "ckdn")}
    assert fitted["min-max"](elo)[[0, 2]] == pytest.approx([0, 1])
    assert np.mean(fitted["z-score"](elo)) == pytest.approx(0, abs=1e-12)
    assert fitted["ckdn"](1400.0) == pytest.approx(0.5)
    for scaler in fitted.values():
        assert scaler.people(scaler(elo)) == pytest.approx(elo)
    assert fitted["min-max"].elo_slope == pytest.approx(5.2918, abs=1e-4)
    assert fitted["ckdn"].elo_slope == pytest.approx(5.7565, abs=1e-4)
    assert labels.Scaler("z-score", 1448.9595, 121.5325, 1, "").elo_slope == pytest.approx(0.69960, abs=1e-5)
    dmos = labels.Scaler.fit("min-max", [10.0, 60.0], -1, "s")
    assert dmos([10.0, 60.0]).tolist() == [1.0, 0.0]
    assert labels.Scaler.read(dmos.document(), "s") == dmos
    with pytest.raises(IntegrityError, match="split"):
        labels.Scaler.read(dmos.document(), "t")
    with pytest.raises(UsageError, match="equal"):
        labels.Scaler.fit("min-max", [3.0, 3.0], 1, "s")


def test_samplers_mix_references_and_do_not_depend_on_anything_else(given) -> None:
    batches = samplers.epoch(given.samples, 16, 4, 0, "stage", 3)
    for batch in batches:
        groups = Counter(given.samples[n].block for n in batch)
        assert sorted(groups.values()) == [4, 4, 4, 4]
    assert batches == samplers.epoch(given.samples, 16, 4, 0, "stage", 3)
    assert batches != samplers.epoch(given.samples, 16, 4, 0, "stage", 4)
    plain = samplers.epoch(given.samples, 8, 0, 0, "stage", 0)
    assert sorted(n for b in plain for n in b) == list(range(64))
    assert samplers.epoch(given.samples[:5], 8, 0, 0, "stage", 0)[0].__len__() == 5


def test_crops_have_their_own_streams() -> None:
    def draw(*names: object) -> list[crops.Crop]:
        return crops.draw(crops.rng(0, *names), 288, 288, 192, 3, flips=True, turns=True)

    assert draw("a", 0) == draw("a", 0) != draw("a", 1)
    assert draw("ab", "c") != draw("a", "bc")
    image = np.arange(6 * 6 * 3, dtype=np.uint8).reshape(6, 6, 3)
    (piece,) = crops.cut(image, [crops.Crop(1, 2, flip=True)], 3)
    assert (piece == image[1:4, 2:5][:, ::-1]).all()
    assert crops.grid(288, 288, 192) == [(0, 0, False, 0), (0, 96, False, 0), (96, 0, False, 0), (96, 96, False, 0),
                                         (48, 48, False, 0)]  # fmt: skip
    assert crops.cut(image, crops.grid(10, 10, 10), 10).shape == (5, 10, 10, 3)


def test_crops_of_small_images_equal_those_of_the_predictor() -> None:
    import torch
    from ganiq.metrics.evaluator.predictor import crops as theirs

    for size in ((40, 72), (90, 101), (5, 7)):
        image = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
        places = crops.grid(max(size[0], 48), max(size[1], 48), 48, 10)
        ours = torch.from_numpy(crops.cut(image, places, 48)).permute(0, 3, 1, 2)
        assert torch.equal(ours, theirs(torch.from_numpy(image).permute(2, 0, 1), 48, 10))


def test_the_floor_of_quality_is_deterministic_and_low() -> None:
    values = []
    for seed in range(6):
        image = picture(seed, 160)
        floor = redistort.redistort(image, f"image {seed}")
        assert (floor == redistort.redistort(image, f"image {seed}")).all()
        assert (floor != redistort.redistort(image, "another")).any()
        assert floor.shape == image.shape
        error = np.mean((floor / 255 - image / 255) ** 2)
        values.append(-10 * math.log10(error))
    assert max(values) < 23


def test_the_floor_is_low_on_photographs(shared_data: Path) -> None:
    """Half of them below 20 dB; smooth ones higher, as two of the nine steps average the noise away."""
    from ganiq.bench.images import read

    files = sorted((shared_data / "bsd100").glob("*.webp"))[:24]
    assert files
    values = []
    for file in files:
        image, _ = read(file)
        part = np.ascontiguousarray(image[:288, :288])
        error = np.mean((redistort.redistort(part, file.name) / 255 - part / 255) ** 2)
        values.append(-10 * math.log10(error))
    assert np.median(values) < 20
    assert max(values) < 28


def test_other_pictures_are_never_the_own_reference(given) -> None:
    split = splits.make(given)
    train = given.select(split.train)
    finder = beside.Beside.of(train, 0, [given.select(split.test)])
    found = beside.entries(train)
    finder.prepare("nar", found)
    for entry in found:
        place = finder.place("nar", entry, 5)
        assert place == finder.place("nar", entry, 5)
        assert place.number != entry.sample.reference
    with pytest.raises(UsageError, match="also tested on"):
        beside.Beside.of(given, 0, [given.select(split.test)])


def test_what_is_worse_is_stored_once(given, home) -> None:
    finder = beside.Beside(seed=0)
    found = beside.entries(given)[:3]
    for kind in ("redist", "degraded"):
        finder.prepare(kind, found)
        place = finder.place(kind, found[1])
        assert place.pixels[place.number].shape == (72, 72, 3)
    wanted = redistort.redistort(np.array(given.pixels[found[1].sample.image]), "waves/" + found[1].sample.key)
    place = finder.place("redist", found[1])
    assert (place.pixels[place.number] == wanted).all()


def test_a_missing_reference_is_one_sentence(make_set, load) -> None:
    folder = make_set(references=2, levels=1, first=95)
    lines = (folder / "items.csv").read_text().replace("r95.png", "").splitlines()
    (folder / "items.csv").write_text("\n".join(lines) + "\n")
    with pytest.raises(UsageError, match="has no reference"):
        beside.Beside().prepare("ref", beside.entries(load(folder)))


def test_algorithm_prior_of_pipal(shared_data: Path) -> None:
    """Published: SRCC .779, PLCC .807 over ten splits of the labels by reference."""
    from ganiq.bench import stats
    from ganiq.bench.datasets import load as manifest

    labels_of = manifest(shared_data / "labels", "pipal")
    references = sorted({i.group for i in labels_of.items})
    found = []
    for seed in range(10):
        held = set(stats.generator(seed, "prior").permutation(references)[:40])
        train = [i for i in labels_of.items if i.group not in held]
        test = [i for i in labels_of.items if i.group in held]
        sums: dict[str, list[float]] = {}
        for item in train:
            sums.setdefault(item.generator, []).append(item.score or 0.0)
        prior = [np.mean(sums[i.generator]) for i in test]
        y = [i.score or 0.0 for i in test]
        found.append((stats.srocc(prior, y), stats.plcc(prior, y)))
    srcc, plcc = np.mean(found, axis=0)
    assert srcc == pytest.approx(0.779, abs=0.015)
    assert plcc == pytest.approx(0.807, abs=0.015)
    assert json.dumps(labels_of.scale.kind if labels_of.scale else "") == '"Elo"'
