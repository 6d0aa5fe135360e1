"""Named protocols: which colour PSNR and SSIM compare, and how many pixels are cut from the border.

Numbers of different protocols do not compare: luma is some 1.3 dB above RGB, a cut border some tenths. A
preset writes its protocol into the parameters of every metric that has them, so that it is part of the
identity of stored scores and of the column's name. One board has one border.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import registry
from .errors import UsageError
from .spec import Spec

if TYPE_CHECKING:
    from .measure import Measure

LUMA = {"psnr": "psnr-y", "ssim": "ssim-y"}
"""What takes the place of what, where luma is compared."""


@dataclass(frozen=True, slots=True)
class Preset:
    """One protocol of the literature."""

    name: str
    title: str
    luma: bool
    """PSNR and SSIM compare BT.601 luma (16-235) instead of RGB."""
    crop: int
    """Pixels cut from each side before anything with a ``crop`` parameter compares."""


PRESETS = {
    preset.name: preset
    for preset in (
        Preset("pipal_rgb_nocrop", "RGB at full size, as papers on PIPAL compare", False, 0),
        Preset("sr_x2_y_crop2", "luma without 2 border pixels, super-resolution x2", True, 2),
        Preset("sr_x3_y_crop3", "luma without 3 border pixels, super-resolution x3", True, 3),
        Preset("sr_x4_y_crop4", "luma without 4 border pixels, super-resolution x4", True, 4),
        Preset("sr_x8_y_crop8", "luma without 8 border pixels, super-resolution x8", True, 8),
    )
}


def find(name: str) -> Preset:
    """The preset of a name.

    Raises:
        UsageError: there is none.
    """
    if name not in PRESETS:
        raise UsageError(f"there is no preset {name!r}; choose one of {', '.join(PRESETS)}", code="E-CFG")
    return PRESETS[name]


def under(preset: Preset, texts: Iterable[str]) -> list[str]:
    """Metric texts as the preset has them, each once.

    Raises:
        UsageError: a metric is asked for with another border than the preset's, or is unknown.
    """
    swap = LUMA if preset.luma else {luma: rgb for rgb, luma in LUMA.items()}
    made: dict[str, None] = {}
    for text in texts:
        spec = Spec.parse(text)
        name = swap.get(spec.name, spec.name)
        default = Spec.of(name, registry.metrics.get(name)).arguments
        given = spec.arguments
        if "crop" in default:
            if given.get("crop", preset.crop) != preset.crop:
                raise UsageError(
                    f"{text} cuts {given['crop']} pixels and the preset {preset.name} {preset.crop}; "
                    "leave one of the two out",
                    code="E-CFG",
                )
            if default["crop"] != preset.crop:
                given["crop"] = preset.crop
        made[str(Spec(name, tuple(sorted(given.items()))))] = None
    return list(made)


def one_border(measures: Sequence[Measure]) -> None:
    """Refuse a board on which metrics cut different borders.

    Raises:
        UsageError: two of them do.
    """
    first: dict[object, str] = {}
    for measure in measures:
        if "crop" in measure.spec.arguments:
            first.setdefault(measure.spec.arguments["crop"], measure.column)
    if len(first) > 1:
        (a, one), (b, other) = list(first.items())[:2]
        raise UsageError(
            f"{one} cuts {a} border pixels and {other} cuts {b}: two protocols do not belong on one board; "
            f"use --preset (one of {', '.join(PRESETS)}) or make two boards",
            code="E-CFG",
        )
