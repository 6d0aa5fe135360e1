"""Text and numbers on the page: hostile input becomes visible and harmless, numbers stay what they are."""

from __future__ import annotations

import json
import unicodedata

import pytest
from ganiq.reports import text
from hypothesis import example, given
from hypothesis import strategies as st

ANYTHING = st.text(st.characters(), max_size=300)  # lone surrogates included


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("plain name", "plain name"),
        ("a\u202eb", "a⟨U+202E⟩b"),
        ("a\u2066b\u2069", "a⟨U+2066⟩b⟨U+2069⟩"),
        ("ze\u200bro", "ze⟨U+200B⟩ro"),
        ("\ufeffx", "⟨U+FEFF⟩x"),
        ("nul\0", "nul⟨U+0000⟩"),
        ("lone\ud800", "lone⟨U+D800⟩"),
        ("tag\U000e0041", "tag⟨U+E0041⟩"),
        ("hangul\u3164", "hangul⟨U+3164⟩"),
        ("line\nbreak\tand tab", "line break and tab"),
        ("e\u0301", "é"),
        ("שלום 日本語", "שלום 日本語"),
        ("x" * 200, "x" * 200),
        ("x" * 300, "x" * 199 + "…"),
    ],
)
def test_clean_shows_what_hides(raw: str, shown: str) -> None:
    assert text.clean(raw) == shown


def test_clean_limits_stacked_marks() -> None:
    shown = text.clean("z" + "\u0334" * 10)
    assert shown.count("\u0334") == 3
    assert shown.count("⟨U+0334⟩") == 7


@given(ANYTHING, st.integers(1, 250))
@example("\u202e" * 300, 200)
def test_clean_never_leaves_a_control_or_a_longer_text(raw: str, cap: int) -> None:
    shown = text.clean(raw, cap)
    assert len(shown) <= cap
    assert all(unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Zl", "Zp") for c in shown)
    shown.encode("utf-8")
    assert text.clean(shown) == shown


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "java\nscript:alert(1)",
        "data:text/html,<script>alert(1)</script>",
        "vbscript:msgbox(1)",
        "//evil.example",
        "https:///path",
        "https://user:secret@evil.example/",
        "https://example.org@evil.example/",
        "https://169.254.169.254/latest",
        "https://[::1]/",
        "http://0x7f.1/",
        "http://localhost/",
        "https://example.org:99999/",
        "https://exa\u202emple.org/",
        "https://pаypal.com/",
        "file:///etc/passwd",
        "https:\\\\evil.example",
    ],
)
def test_only_plain_public_addresses_are_links(url: str) -> None:
    assert text.safe_url(url) is None
    assert "href" not in text.linked(url)


def test_addresses_and_dois_become_links() -> None:
    out = text.linked("Wang (2004), doi:10.1109/TIP.2003.819861; see (https://example.org/a?b=1&c=2).")
    assert 'href="https://doi.org/10.1109/TIP.2003.819861"' in out
    assert 'href="https://example.org/a?b=1&amp;c=2"' in out
    assert out.endswith("</a>).")
    assert out.count("noopener") == 2


@given(ANYTHING)
@example('https://example.org/"onmouseover="alert(1)')
@example("10.1234/<script>alert(1)</script>")
@example("https://example.org/'><img src=x onerror=alert(1)>")
def test_linked_text_holds_no_markup_of_its_own(raw: str) -> None:
    rest = text.linked(raw)
    for piece in rest.split("<a href=")[1:]:
        assert piece.startswith(('"https://', '"http://'))
    assert rest.count("<") == 2 * rest.count("<a href=")


def test_code_marks_up_pairs_of_backticks_only() -> None:
    assert text.code("run `a <b>` now") == "run <code>a &lt;b&gt;</code> now"
    assert text.code("it`s <b>") == "it`s &lt;b&gt;"


@given(
    st.recursive(
        ANYTHING | st.integers() | st.none(), lambda x: st.lists(x) | st.dictionaries(ANYTHING, x), max_leaves=8
    )
)
@example({"</script><script>": "<!--\u2028&amp;"})
def test_island_is_the_same_document_without_dangerous_characters(document: object) -> None:
    out = str(text.island(document))
    assert out.isascii()
    assert not set("<>&") & set(out)
    assert json.loads(out) == document


def test_island_refuses_nan() -> None:
    with pytest.raises(ValueError, match="JSON"):
        text.island({"x": float("nan")})


def test_lookalikes() -> None:
    names = ["paypal", "pаypal", "lpips", "LPIPS", "lpips\u200b", "ssim", "dists"]
    found = text.lookalikes(names)
    assert found["pаypal"] == "paypal"
    assert found["lpips\u200b"] in ("lpips", "LPIPS")
    assert "ssim" not in found
    assert "dists" not in found


@pytest.mark.parametrize(
    ("value", "digits", "shown"),
    [(0.12345, 3, "0.123"), (-0.5, 2, "−0.50"), (-0.0001, 2, "0.00"), (None, 3, "—"), (float("inf"), 1, "—")],
)
def test_fixed(value: float | None, digits: int, shown: str) -> None:
    assert text.fixed(value, digits) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0"),
        (31.41592, "31.42"),
        (-0.001234, "−0.001234"),
        (1234567, "1234567"),
        (2.5e-9, "2.500×10⁻⁹"),
        (6e12, "6.000×10¹²"),
    ],
)
def test_significant(value: float, shown: str) -> None:
    assert text.significant(value) == shown


@pytest.mark.parametrize(("value", "shown"), [(5.0, "5"), (0.0021, "0.0021"), (-4.2e-15, "−4.2×10⁻¹⁵")])
def test_brief(value: float, shown: str) -> None:
    assert text.brief(value) == shown


def test_decimals_follow_the_interval() -> None:
    assert text.decimals(0.70, 0.95, 0.8) == 2
    assert text.decimals(900.0, 1100.0, 1000.0) == 0
    assert text.decimals(None, None, 0.01234) == 5


def test_listed() -> None:
    assert text.listed(["a"]) == "a"
    assert text.listed(["a", "b", "c"]) == "a, b and c"
