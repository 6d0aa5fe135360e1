"""Identity: naming a default changes nothing, order changes nothing, text round-trips."""

from __future__ import annotations

import pytest
from ganiq.bench.errors import UsageError
from ganiq.bench.spec import Spec, canonical, digest
from hypothesis import given
from hypothesis import strategies as st

names = st.from_regex(r"[a-z][a-z0-9\-]{0,12}", fullmatch=True)
keys = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True).filter(lambda k: not __import__("keyword").iskeyword(k))
values = st.one_of(
    st.integers(-(10**9), 10**9), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=12), st.booleans()
)


def make(window: int = 11, sigma: float = 1.5, color: str = "rgb") -> None:
    """A factory with defaults."""


@given(names, st.dictionaries(keys, values, max_size=4))
def test_text_round_trips(name: str, params: dict[str, object]) -> None:
    spec = Spec(name, tuple(sorted(params.items())))  # type: ignore[arg-type]
    assert Spec.parse(str(spec)) == spec


def test_naming_a_default_changes_nothing() -> None:
    assert Spec.of("ssim", make, {}) == Spec.of("ssim", make, {"window": 11}) == Spec.of("ssim", make)
    assert Spec.of("ssim", make, {"window": 7}) != Spec.of("ssim", make)


@pytest.mark.parametrize(
    "text", ["", "a b", "ssim(", "ssim(7)", "ssim(window=x)", "ssim(**k)", "ssim(window=7", "../x"]
)
def test_nonsense_is_one_sentence(text: str) -> None:
    with pytest.raises(UsageError, match="E-CFG"):
        Spec.parse(text)


def test_unknown_parameter_names_the_known_ones() -> None:
    with pytest.raises(UsageError, match=r"color, sigma, window|window, sigma, color"):
        Spec.of("ssim", make, {"windw": 7})


@given(st.dictionaries(st.text(max_size=5), st.integers(), max_size=5))
def test_digest_ignores_order(document: dict[str, int]) -> None:
    assert digest(document) == digest(dict(reversed(document.items())))


def test_canonical_text_refuses_nan() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical({"x": float("nan")})


def test_digests_are_frozen() -> None:
    """These literals are for ever: a change would orphan every stored score."""
    assert digest({"name": "psnr", "params": {}, "version": 1}) == (
        "4c74ca158ae565e69cbdb6ed4794a3d9942aa0be1782f204eb1308424524187f"
    )
    document = {
        "name": "ssim",
        "version": 2,
        "params": {"sigma": 1.5, "downsample": True},
        "dtype": "float64",
        "gate": {"alpha": "refuse"},
    }
    assert digest(document) == "861eb2acea2a452d9604b6457266eb2619aa22bea415782c79bc3e7670a4adcb"
