"""Named protocols: which colour PSNR and SSIM compare, and how many pixels are cut from the border.

Numbers of different protocols do not compare: luma is some 1.3 dB above RGB, a cut border some tenths. A
preset writes its protocol into the parameters of every metric that has them, so that it is part of the
identity of stored scores and of the column's name. One board has one border.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
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


def under(preset: Preset, texts: Iterable[str], unnamed: Collection[str] = ()) -> list[str]:
    """Metric texts as the preset has them, each once.

    A plain name (``psnr``) leaves the colour to the preset; one that says luma (``psnr-y``) does not.

    Args:
        preset: the protocol.
        texts: metrics.
        unnamed: those of them that came through ``default`` or ``all``, and get the preset's colour in any case.

    Raises:
        UsageError: a metric is asked for with another border than the preset's, by the name of luma where RGB is
            compared, or is unknown.
    """
    plain = {luma: rgb for rgb, luma in LUMA.items()}
    swap = LUMA if preset.luma else plain
    made: dict[str, None] = {}
    for text in texts:
        spec = Spec.parse(text)
        name = swap.get(spec.name, spec.name)
        if spec.name in plain and not preset.luma and text not in unnamed:
            raise UsageError(
                f"{text} compares luma and the preset {preset.name} RGB; ask for {plain[spec.name]}, or leave the "
                "preset out",
                code="E-CFG",
            )
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


def announced(wanted: Iterable[str], preset: str = "") -> list[str]:
    """One sentence for every metric that was asked for by name and gets another one's name from the preset.

    Raises:
        UsageError: as ``under``.
    """
    answer = []
    for text in wanted if preset else ():
        if text in ("default", "all"):
            continue
        [made] = under(find(preset), [text])
        if Spec.parse(made).name != Spec.parse(text).name:
            answer.append(f"note: under the preset {preset} the metric {text} is {made}")
    return answer


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
