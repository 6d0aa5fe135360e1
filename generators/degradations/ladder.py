"""Twenty-four distortions at five levels: a bank to draw training and test material from.

The operations and levels are those of the public synthetic set KADIS/KADID-10k as ARNIQA tabulates them, computed by
the degradations of this package: details such as borders and random directions are this package's own. Levels of
``meanshift`` and ``lincontrast`` change direction and are no order of severity, and ``meanshift`` begins with no
change at all: never use a level as a label.

Lin, Hosu and Saupe: KADID-10k. QoMEX 2019. doi:10.1109/QoMEX.2019.8743252
Agnolucci et al.: ARNIQA. WACV 2024. arXiv:2310.14918
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from ...bench.protocols import GeneratorInfo
from ..base import Pixels
from . import blur, codec, color, noise, scale, spatial, tone
from .base import Degradation, Random, card, one_of, whole


@dataclass(frozen=True, slots=True)
class Rungs:
    """One distortion: what carries it out, which parameter rises, and its five values."""

    group: str
    make: type[Degradation]
    parameter: str
    values: tuple[Any, ...]

    def at(self, level: int) -> Degradation:
        """The degradation of a level from 1 to 5."""
        return self.make(**{self.parameter: self.values[level - 1]})


def _of_variances(*variances: float, unit: float = 255.0) -> tuple[float, ...]:
    return tuple(unit * math.sqrt(v) for v in variances)


LADDERS: dict[str, Rungs] = {
    "gaublur": Rungs("blur", blur.Blur, "sigma", (0.1, 0.5, 1, 2, 5)),
    "lensblur": Rungs("blur", blur.Defocus, "radius", (1, 2, 4, 6, 8)),
    "motionblur": Rungs("blur", blur.MotionBlur, "length", (1, 2, 4, 6, 10)),
    "colordiff": Rungs("colour", color.ColorDiffusion, "amount", (1, 3, 6, 8, 12)),
    "colorshift": Rungs("colour", color.ColorShift, "amount", (1, 3, 6, 8, 12)),
    "colorsat1": Rungs("colour", color.SaturateHSV, "factor", (0.4, 0.2, 0.1, 0, -0.4)),
    "colorsat2": Rungs("colour", color.SaturateLab, "factor", (1, 2, 3, 6, 9)),
    "jpeg2000": Rungs("compression", codec.JPEG2000, "ratio", (16, 32, 45, 120, 170)),
    "jpeg": Rungs("compression", codec.JPEG, "quality", (43, 36, 24, 7, 4)),
    "whitenoise": Rungs("noise", noise.Noise, "sigma", _of_variances(0.001, 0.002, 0.003, 0.005, 0.01)),
    "whitenoiseCC": Rungs("noise", noise.YCbCrNoise, "sigma", _of_variances(0.0001, 0.0005, 0.001, 0.002, 0.003)),
    "impulse": Rungs("noise", noise.Impulse, "amount", (0.001, 0.005, 0.01, 0.02, 0.03)),
    "multnoise": Rungs(
        "noise", noise.MultiplicativeNoise, "sigma", _of_variances(0.001, 0.005, 0.01, 0.02, 0.05, unit=1.0)
    ),
    "brighten": Rungs("brightness", tone.Brighten, "amount", (0.1, 0.2, 0.4, 0.7, 1.1)),
    "darken": Rungs("brightness", tone.Darken, "amount", (0.05, 0.1, 0.2, 0.4, 0.8)),
    "meanshift": Rungs("brightness", tone.MeanShift, "amount", (0, 0.08, -0.08, 0.15, -0.15)),
    "jitter": Rungs("spatial", spatial.Jitter, "amount", (0.05, 0.1, 0.2, 0.5, 1)),
    "noneccpatch": Rungs("spatial", spatial.PatchShift, "count", (20, 40, 60, 80, 100)),
    "pixelate": Rungs("spatial", scale.Pixelate, "strength", (0.01, 0.05, 0.1, 0.2, 0.5)),
    "quantization": Rungs("spatial", tone.Quantize, "levels", (20, 16, 13, 10, 7)),
    "colorblock": Rungs("spatial", spatial.ColorBlocks, "count", (2, 4, 6, 8, 10)),
    "highsharpen": Rungs("sharpness and contrast", tone.Sharpen, "amount", (1, 2, 3, 6, 12)),
    "lincontrast": Rungs("sharpness and contrast", tone.ContrastCurve, "amount", (0, 0.15, -0.4, 0.3, -0.6)),
    "nonlincontrast": Rungs("sharpness and contrast", tone.ContrastRange, "half", (0.4, 0.3, 0.2, 0.1, 0.05)),
}
"""By the names they have in the literature."""


@dataclass(frozen=True)
class Ladder(Degradation):
    """One of the ``LADDERS`` at a level from 1 to 5."""

    name: str = "gaublur"
    level: int = 3
    info: ClassVar[GeneratorInfo] = card(
        "ladder",
        "24 distortions at five levels",
        f"name = {', '.join(LADDERS)}; level = 1 to 5",
        "Lin et al. 2019, doi 10.1109/QoMEX.2019.8743252; Agnolucci et al. 2024, arXiv 2310.14918",
    )

    def __post_init__(self) -> None:
        one_of(self.name, [*LADDERS], "name")
        whole(self.level, 1, 5, "level")
        LADDERS[self.name].at(int(self.level))

    def __call__(self, image: Pixels, random: Random, /) -> Pixels:
        return LADDERS[self.name].at(int(self.level))(image, random)
