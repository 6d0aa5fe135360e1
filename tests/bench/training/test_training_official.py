"""What is one content, and the data set's own split: near a test image nothing is learnt."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from ganiq.bench.errors import IntegrityError, UsageError
from ganiq.bench.training import likeness, splits
from soft_label_cases import content, sketch, turned

NEAR = tuple(range(likeness.NEAR))
"""So many bits apart are still one content."""
FAR = tuple(range(likeness.NEAR + 1))


def parts(labels: Sequence[int], names: Sequence[str]) -> list[list[str]]:
    """Names by label, in order."""
    found: dict[int, list[str]] = {}
    for label, name in zip(labels, names):
        found.setdefault(int(label), []).append(name)
    return sorted(found.values())


# --- alike ---------------------------------------------------------------------------------------------------


def test_the_test_has_contents_that_are_far_apart() -> None:
    values = [content(n) for n in range(80)]
    assert min((a ^ b).bit_count() for n, a in enumerate(values) for b in values[:n]) > 2 * likeness.NEAR


def test_pictures_of_one_name_are_alike() -> None:
    values = [content(n) for n in range(4)]
    assert parts(likeness.alike(values, list("abab")), [0, 1, 2, 3]) == [[0, 2], [1, 3]]  # type: ignore[list-item]
    assert len(set(likeness.alike(values, list("abcd")).tolist())) == 4


def test_near_duplicates_are_alike_up_to_the_limit() -> None:
    base = content(0)
    values = [base, turned(base, *NEAR), turned(base, *(60 - b for b in FAR)), content(1)]
    found = likeness.alike(values, list("abcd")).tolist()
    assert found[0] == found[1] not in found[2:]
    assert found[2] != found[3]
    assert len(set(likeness.alike([base, turned(base, 3)], ["a", "b"], most=0).tolist())) == 2
    assert len(set(likeness.alike([base, base], ["a", "b"], most=0).tolist())) == 1
    assert len(set(likeness.alike([base, ~base & (2**64 - 1)], ["a", "b"], most=64).tolist())) == 1


def test_chains_join_what_is_far_apart() -> None:
    a = content(0)
    b = turned(a, *NEAR)
    c = turned(b, *(n + 20 for n in NEAR))
    assert (a ^ c).bit_count() > likeness.NEAR
    for order in ((0, 1, 2), (0, 2, 1), (1, 0, 2), (2, 0, 1)):
        values = [(a, b, c)[n] for n in order]
        assert len(set(likeness.alike(values, ["x", "y", "z"]).tolist())) == 1
    assert len(set(likeness.alike([a, c], ["x", "z"]).tolist())) == 2
    # A name joins as well as a likeness does, and both in one chain.
    assert len(set(likeness.alike([a, b, content(1), content(2)], ["x", "y", "y", "w"]).tolist())) == 2


def test_likeness_of_many_is_that_of_every_pair() -> None:
    rng = np.random.default_rng(0)
    bases = [content(n) for n in range(12)]
    values = [turned(bases[rng.integers(12)], *rng.integers(0, 64, 3).tolist()) for _ in range(60)]
    names = [f"n{rng.integers(50)}" for _ in range(60)]
    label = list(range(60))
    for _ in range(60):  # the same by repeated passing on, with nothing but Python
        for i in range(60):
            for j in range(60):
                if names[i] == names[j] or (values[i] ^ values[j]).bit_count() <= likeness.NEAR:
                    label[i] = label[j] = min(label[i], label[j])
    found = likeness.alike(values, names).tolist()
    assert len(found) == 60
    assert parts(found, list(range(60))) == parts(label, list(range(60)))  # type: ignore[arg-type]


# --- splits --------------------------------------------------------------------------------------------------


def test_a_chain_stays_in_one_part() -> None:
    a = content(100)
    b = turned(a, *NEAR)
    c = turned(b, *(n + 20 for n in NEAR))
    data = sketch(("a", a), ("c", c), ("z", b), *((f"other{n}", content(n)) for n in range(7)))
    seen = set()
    for seed in range(20):
        for protocol in ("reference", "random"):
            split = splits.make(data, protocol, seed)  # type: ignore[arg-type]
            places = [name for name in ("train", "valid", "test") for key in "acz" if key in getattr(split, name)]
            assert len(places) == 3
            assert len(set(places)) == 1
            seen.add(places[0])
            assert len({*split.train, *split.valid, *split.test}) == 10
    assert seen == {"train", "valid", "test"}


def test_three_contents_are_needed_and_a_chain_is_one() -> None:
    a = content(0)
    chain = [("a", a), ("b", turned(a, 1)), ("c", turned(a, 1, 2))]
    with pytest.raises(UsageError, match="2 different contents"):
        splits.make(sketch(*chain, ("d", content(1))), "reference")
    assert splits.make(sketch(*chain, ("d", content(1)), ("e", content(2))), "reference").test


def official(valid: bool = False, train: int = 30) -> list[tuple[str, int, str]]:
    """Distinct contents: so many to train on, five to test, five to choose by."""
    rows = [(f"train{n:02d}", content(n), "train") for n in range(train)]
    rows += [(f"test{n}", content(50 + n), "test") for n in range(5)]
    return rows + [(f"valid{n}", content(60 + n), "valid") for n in range(5)] * valid


def test_what_is_near_a_test_image_is_not_trained_on() -> None:
    near = turned(content(50), *NEAR)
    chained = turned(near, *(n + 30 for n in NEAR))
    rows = [*official(), ("copy", near, "train"), ("copy of copy", chained, "train"), ("none", content(70), "")]
    split = splits.make(sketch(*rows), "official")
    assert set(split.test) == {f"test{n}" for n in range(5)}
    assert {*split.train, *split.valid} == {f"train{n:02d}" for n in range(30)}
    assert split.protocol == "official"


def test_images_of_a_tested_reference_are_not_trained_on() -> None:
    rows = [*official(), ("again", content(71), "train"), ("more", content(72), "train")]
    groups = [key for key, *_ in rows]
    groups[-2] = "test3"  # the reference of a test image, under which another picture stands
    split = splits.make(sketch(*rows, groups=groups), "official")
    assert "again" not in {*split.train, *split.valid, *split.test}
    assert "more" in {*split.train, *split.valid}


def test_validation_is_drawn_from_training_where_none_is_named() -> None:
    data = sketch(*official())
    split = splits.make(data, "official", 3)
    assert len(split.valid) == 3
    assert len(split.train) == 27
    assert splits.make(data, "official", 3) == split
    drawn = {splits.make(data, "official", seed).valid for seed in range(8)}
    assert len(drawn) > 4
    assert len({splits.make(data, "official", seed).test for seed in range(8)}) == 1
    few = splits.make(sketch(*official(train=4)), "official")
    assert (len(few.train), len(few.valid)) == (3, 1)


def test_drawn_validation_shares_no_content_with_training() -> None:
    """Ten contents of three images each: one by its reference, the others by likeness."""
    rows, groups = [], []
    for n in range(10):
        for m, value in enumerate((content(n), turned(content(n), *NEAR), content(20 + n))):
            rows.append((f"i{n}-{m}", value, "train"))
            groups.append(f"g{n}" if m != 1 else f"twin{n}")
    rows.append(("t", content(90), "test"))
    for seed in range(12):
        split = splits.make(sketch(*rows, groups=[*groups, "t"]), "official", seed)
        assert len(split.valid) == 3
        assert len({key.split("-")[0] for key in split.valid}) == 1
        assert not {key.split("-")[0] for key in split.valid} & {key.split("-")[0] for key in split.train}


def test_an_official_validation_part_is_kept_but_for_what_is_tested() -> None:
    rows = [*official(valid=True), ("leak", turned(content(51), 4, 9), "valid")]
    for seed in (0, 1):
        split = splits.make(sketch(*rows), "official", seed)
        assert set(split.valid) == {f"valid{n}" for n in range(5)}
        assert set(split.train) == {f"train{n:02d}" for n in range(30)}
    with pytest.raises(IntegrityError, match=r"train and valid show the same content"):
        splits.make(sketch(*rows, ("two", turned(content(60), 1), "train")), "official")


def test_an_official_split_needs_both_ends() -> None:
    for part in ("train", "test"):
        rows = [row for row in official() if row[2] != part]
        with pytest.raises(UsageError, match=f"no official {part}"):
            splits.make(sketch(*rows), "official")
