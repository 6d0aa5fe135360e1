"""How text and numbers appear on a page: hostile names made harmless, digits made readable."""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Iterable
from urllib.parse import quote, urlsplit

from markupsafe import Markup, escape

CAP = 200
"""Longest name shown, in characters; what is cut off ends in an ellipsis."""
PROSE_CAP = 4000
"""Longest sentence or command shown."""
DASH = "\N{EM DASH}"
MINUS = "\N{MINUS SIGN}"

_INVISIBLE = frozenset("\u115f\u1160\u3164\uffa0\u034f\u180e\u2800")  # blank, yet letters or marks by category
_HIDDEN = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})
_MARKS = 3  # combining marks in a row that a real script may need
_URL = re.compile(r"(?<![\w/:@.\\%])(?:https?://[^\s<>\"'\\^`{|}]+|(?:doi:\s?)?10\.\d{4,9}/[^\s<>\"'\\^`{|}]+)", re.I)
_HOST = re.compile(
    r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*\.(?:[a-z]{2,}|xn--[a-z0-9-]+)"
)
_TWINS = str.maketrans(
    "авеѕіјкмнорстухһԁԛԝьαβεικνορτυχ",
    "abesijkmhopctyxhdqwbabeiknoptux",
)


class Shown(str):
    """Text that ``clean`` has already gone over (and that still has to be escaped)."""

    __slots__ = ()


def clean(text: str, cap: int = CAP) -> Shown:
    """Text as it may be shown: NFC, one line, nothing invisible, at most ``cap`` characters.

    Controls that reorder or hide text (bidi overrides, zero-width characters, lone surrogates ...) become
    their code points, so that a reader sees that they are there.
    """
    if isinstance(text, Shown):
        return text
    if len(text) <= cap and text.isascii() and text.isprintable():
        return Shown(text)
    out: list[str] = []
    length = marks = 0
    for char in unicodedata.normalize("NFC", text[: cap * 8]):
        category = unicodedata.category(char)
        if char in "\n\r\t":
            piece = " "
        elif category in _HIDDEN or char in _INVISIBLE:
            piece = f"⟨U+{ord(char):04X}⟩"
        else:
            marks = marks + 1 if category in ("Mn", "Me") else 0
            piece = f"⟨U+{ord(char):04X}⟩" if marks > _MARKS else char
        length += len(piece)
        if length > cap:
            return Shown("".join(out)[: cap - 1].rstrip() + "…")
        out.append(piece)
    return Shown("".join(out))


def prose(text: str) -> Shown:
    """Like ``clean``, for sentences and commands, which may be longer than a name."""
    return clean(text, PROSE_CAP)


def code(text: str) -> Markup:
    """A sentence whose `backticked` parts are set as code."""
    parts = prose(text).split("`")
    if len(parts) % 2 == 0:  # an odd backtick out: nothing is marked up
        return escape(prose(text))
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if index % 2 else escape(part) for index, part in enumerate(parts)
    )


def safe_url(url: str) -> str | None:
    """The URL where it is a plain public http(s) address, else None: no other scheme, no user name, no bare IP."""
    if url != clean(url, PROSE_CAP) or any(c.isspace() or c == "\\" for c in url):
        return None
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        _ = parts.port
    except ValueError:
        return None
    if parts.scheme.lower() not in ("http", "https") or "@" in parts.netloc or not _HOST.fullmatch(host.lower()):
        return None
    return url


def linked(text: str) -> Markup:
    """Escaped text in which http(s) addresses and DOIs are links; anything else stays text."""
    text = prose(text)
    out, end = [], 0
    for match in _URL.finditer(text):
        found = match.group()
        trimmed = found.rstrip(".,;:!?…")
        while trimmed.endswith((")", "]")) and trimmed.count("(") + trimmed.count("[") < trimmed.count(
            ")"
        ) + trimmed.count("]"):
            trimmed = trimmed[:-1].rstrip(".,;:!?")
        if trimmed.lower().startswith("http"):
            url = safe_url(trimmed)
        else:
            doi = trimmed[trimmed.index("10.") :]
            url = "https://doi.org/" + quote(doi, safe="/().:;_-")
        out.append(escape(text[end : match.start()]))
        if url is None:
            out.append(escape(found))
        else:
            out.append(Markup('<a href="{}" rel="noopener noreferrer">{}</a>').format(url, trimmed))
            out.append(escape(found[len(trimmed) :]))
        end = match.end()
    out.append(escape(text[end:]))
    return Markup("").join(out)


def island(document: object) -> Markup:
    """JSON that can stand inside a ``<script>``: pure ASCII, with ``< > &`` as escapes.

    Raises:
        ValueError: NaN or infinity in the document.
    """
    text = json.dumps(document, ensure_ascii=True, allow_nan=False, sort_keys=True, separators=(",", ":"))
    for char in "<>&":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return Markup(text)


def lookalikes(names: Iterable[str]) -> dict[str, str]:
    """Names that a reader could take for another of the same list -> that other name.

    Compared after compatibility folding, without invisible characters, and with Cyrillic and Greek letters
    replaced by the Latin ones they are drawn like.
    """
    seen: dict[str, list[str]] = {}
    for name in names:
        folded = "".join(
            c
            for c in unicodedata.normalize("NFKC", name[: CAP * 8]).lower()
            if unicodedata.category(c) not in _HIDDEN and c not in _INVISIBLE
        )
        seen.setdefault(folded.translate(_TWINS), []).append(name)
    return {
        name: next(other for other in group if other != name)
        for group in seen.values()
        if len(set(group)) > 1
        for name in group
    }


def fixed(value: float | None, digits: int = 3) -> str:
    """A number with this many decimals and a true minus sign; a dash for None."""
    if value is None or not math.isfinite(value):
        return DASH
    text = f"{value:.{digits}f}"
    if float(text) == 0:
        text = text.lstrip("-")
    return text.replace("-", MINUS)


def decimals(low: float | None, high: float | None, value: float | None, most: int = 6) -> int:
    """Decimals worth printing: two significant digits of the interval, else four of the value."""
    if low is not None and high is not None and high > low:
        scale, digits = high - low, 2
    else:
        scale, digits = abs(value or 0.0), 4
    if not scale or not math.isfinite(scale):
        return 2
    return min(most, max(0, digits - 1 - math.floor(math.log10(scale))))


def significant(value: float | None, digits: int = 4) -> str:
    """A number with this many significant digits; powers of ten where it is tiny or huge."""
    if value is None or not math.isfinite(value):
        return DASH
    if value == 0:
        return "0"
    exponent = math.floor(math.log10(abs(value)))
    if -5 < exponent < 7:
        return fixed(value, max(0, digits - 1 - exponent))
    return _power(f"{value:.{digits - 1}e}")


def _power(written: str) -> str:
    """1.5e-09 -> 1.5×10⁻⁹."""
    mantissa, _, power = written.partition("e")
    raised = str(int(power)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"{mantissa.replace('-', MINUS)}\N{MULTIPLICATION SIGN}10{raised}"


def brief(value: float) -> str:
    """A number without idle zeros: 1, 0.0021, 3.5, 2×10⁻⁹."""
    shown = f"{value:.6g}"
    return _power(shown) if "e" in shown else shown.replace("-", MINUS)


def grouped(value: int) -> str:
    """23200 -> 23,200."""
    return f"{value:,}".replace("-", MINUS)


def listed(words: list[str]) -> str:
    """a, b and c."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
