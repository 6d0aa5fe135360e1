"""What metrics are compared on. Images are (1,3,H,W) in [0,1], float64, on the 8-bit grid; sets of features (N,D)."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from ganiq.metrics.conformance import subjects
from PIL import Image
from scipy import ndimage
from torch import Tensor

NAMES = ("I03", "I04", "I06", "I08", "I19")
SIZES = ((288, 288), (163, 205), (390, 401), (523, 400))
SMALL = ((96, 97), (61, 80), (33, 41))
QUICK = {
    "large": "", "photographs": "three photographs", "waves": "odd waves", "unrelated": "odd noise",
    "blank": "blank once",
}  # fmt: skip
"""What the default run of the tests has in place of a set: nothing, or a part of it."""


class Absent(Exception):
    """Something that a comparison needs is not on this computer."""


@dataclass(frozen=True, eq=False)
class Case:
    """An image and its reference, or generated and real features."""

    name: str
    image: Tensor
    reference: Tensor
    published: Mapping[str, float] = field(default_factory=dict)
    """Values of other programs that were printed somewhere, by their name there."""


def eight_bit(values: Tensor) -> Tensor:
    return (values * 255).round().clamp(0, 255) / 255


def tensor(pixels: np.ndarray) -> Tensor:
    """(3,H,W) on [0,1]."""
    return torch.from_numpy(np.rint(np.clip(pixels, 0, 1) * 255) / 255)[None]


# --------------------------------------------------------------------------------- textures and noise


def waves(height: int, width: int, seed: int) -> tuple[Tensor, Tensor]:
    """A smooth texture with noise upon it, and without."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width] / 40
    base = 0.5 + 0.4 * np.stack([np.sin(x * (1 + c) + y * (2 - c)) for c in range(3)])
    noisy = base + rng.normal(0, 0.08, base.shape)
    return tensor(noisy), tensor(base)


def unrelated(height: int, width: int, seed: int) -> tuple[Tensor, Tensor]:
    """Noise and other noise, not on the 8-bit grid."""
    random = torch.Generator().manual_seed(seed)
    image, reference = torch.rand(2, 1, 3, height, width, generator=random, dtype=torch.float64).unbind()
    return image, reference


def picture(height: int, width: int, seed: int) -> np.ndarray:
    """Gray, 0-255, whole numbers: waves, an edge and noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    wave = 60 * np.sin(x / (3 + seed)) * np.cos(y / 7) + 40 * (x + y > (height + width) / 2)
    return np.clip(np.rint(110 + wave + rng.normal(0, 12, (height, width))), 0, 255)


def distorted(gray: np.ndarray, seed: int = 9) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, 15, gray.shape)
    return np.clip(np.rint(ndimage.gaussian_filter(gray, 1.5) + noise), 0, 255)


def rgb(gray: np.ndarray) -> Tensor:
    """(H,W) on 0-255 -> three equal channels."""
    return torch.from_numpy(gray / 255).expand(1, 3, *gray.shape).contiguous()


def _named(make: Callable[[int, int, int], tuple[Tensor, Tensor]], sizes: tuple[tuple[int, int], ...], seed: int):
    return [Case(f"{h}x{w}", *make(h, w, seed)) for h, w in sizes]


def _pictures() -> list[Case]:
    sizes = ((32, 32), (61, 90), (128, 35), (81, 66), (65, 65), (97, 70), (66, 141))
    made = [(f"{h}x{w}", picture(h, w, 3 + i % 4)) for i, (h, w) in enumerate(sizes)]
    return [Case(name, rgb(distorted(gray)), rgb(gray)) for name, gray in made]


# --------------------------------------------------------------------------------- photographs


def _photographs(height: int = 196, width: int = 208) -> list[Case]:
    """Three photographs, each blurred, noisy and compressed, each distortion at each of three strengths once."""
    found = []
    for level in subjects.LEVELS:
        for i in range(3):
            kind = subjects.KINDS[(i + level - 2) % 3]
            image = subjects.degraded(kind, level, height, width)[i : i + 1]
            reference = subjects.photographs(height, width)[i : i + 1]
            found.append(Case(f"{kind} {level}", image.contiguous(), reference.contiguous()))
    return found


def _edges() -> list[Case]:
    """Dark, saturated, gray, with black bars, and nearly identical."""
    clean, worse = subjects.photographs(196, 208), subjects.mixed(196, 208)
    found = [Case("dark", eight_bit(worse[:1] / 16), eight_bit(clean[:1] / 16))]
    found.append(Case("saturated", eight_bit(worse[1:2] * 3 - 1), eight_bit(clean[1:2] * 3 - 1)))
    found.append(Case("gray", eight_bit(subjects.gray(worse[2:])), eight_bit(subjects.gray(clean[2:]))))
    bars = clean[:1].clone(), worse[:1].clone()
    for batch in bars:
        batch[..., :30, :] = batch[..., -30:, :] = 0
    found.append(Case("black bars", bars[1], bars[0]))
    return found


def _near() -> list[Case]:
    """One value, one value in a hundred, and every value of a channel, off by one level."""
    clean = subjects.photographs(196, 208)
    one, some, all_blue = (clean[i : i + 1].clone() for i in range(3))
    one[0, 2, 100, 90] += (1 if one[0, 2, 100, 90] < 0.5 else -1) / 255
    one = eight_bit(one)
    chosen = torch.rand(some.shape, generator=torch.Generator().manual_seed(0)) < 0.01
    some = eight_bit(some + chosen * torch.where(some < 0.5, 1, -1) / 255)
    all_blue[:, 2] = eight_bit(all_blue[:, 2] + 1 / 255)
    return [
        Case(name, image, clean[i : i + 1].clone())
        for i, (name, image) in enumerate({"one value": one, "some values": some, "one channel": all_blue}.items())
    ]


FILLINGS = {"black": (0, 0, 0), "white": (255, 255, 255), "mid-gray": (128, 128, 128), "one colour": (200, 30, 90)}


def _blank() -> list[Case]:
    """What a generator gives that has failed: nothing but one colour, beside each of three photographs."""
    clean = subjects.photographs(196, 208).double()
    return [
        Case(f"{name} for photograph {i}", tensor(np.broadcast_to(filling, (196, 208, 3)).transpose(2, 0, 1) / 255),
            clean[i : i + 1].clone())
        for name, filling in FILLINGS.items()
        for i in range(3)
    ]  # fmt: skip


def _gray(cases: list[Case]) -> list[Case]:
    """The same in gray: for programs that see gray, or that turn colours into gray in another way."""
    from .again import gray

    def turned(batch: Tensor) -> Tensor:
        return rgb(gray(batch, matlab=False))

    return [Case(case.name, turned(case.image), turned(case.reference), case.published) for case in cases]


def _rough(gray: list[Case]) -> list[Case]:
    """Those where no pixel equals the mean around it: elsewhere programs that keep what rounding leaves differ."""
    from .again import nothing

    return [case for case in gray if not nothing(case.image)]


def crops() -> list[Tensor]:
    """Five 288x288 crops of photographs inside scikit-image and scikit-learn."""
    places = {
        "skimage": ("data", {"chelsea.png": (100, 10), "coffee.png": (150, 60), "astronaut.png": (100, 0)}),
        "sklearn": ("datasets/images", {"china.jpg": (200, 100), "flower.jpg": (180, 60)}),
    }
    found = []
    for package, (folder, files) in places.items():
        spec = find_spec(package)
        if spec is None or spec.origin is None:
            raise Absent(f"the package {package} is not installed, which holds some of the photographs")
        for file, (x, y) in files.items():
            with Image.open(Path(spec.origin).parent / folder / file) as image:
                found.append(subjects.tensor(image.convert("RGB").crop((x, y, x + 288, y + 288))))
    return found


def _crops() -> list[Case]:
    """All five in one case."""
    whole = torch.cat(crops())
    return [Case("original", whole, whole)]


def _enlarged() -> list[Case]:
    """All five in one case, reduced to a quarter and enlarged again by Pillow's bicubic filter."""
    whole = crops()
    small = []
    for image in whole:
        pixels = Image.fromarray((image[0] * 255).round().byte().permute(1, 2, 0).numpy())
        pixels = pixels.resize((72, 72), Image.Resampling.BICUBIC).resize((288, 288), Image.Resampling.BICUBIC)
        small.append(subjects.tensor(pixels))
    return [Case("bicubic", torch.cat(small), torch.cat(whole))]


# --------------------------------------------------------------------------------- published values


def data() -> Path:
    """The folder of real data, where tests/conftest.py looks for it too."""
    default = Path(__file__).resolve().parents[3].parent / "shared" / "data"
    folder = Path(os.environ.get("GANIQ_DATA", default))
    if not (folder / "README.md").is_file():
        raise Absent("needs the five TID2013 pairs: set GANIQ_DATA to the folder that holds them")
    return folder / "calibration"


def _tid() -> list[Case]:
    """Five pairs of TID2013 with the values of official programs."""
    folder = data()
    with open(folder / "results_official.csv", newline="") as file:
        rows = {row["Method"]: row for row in csv.DictReader(file)}

    def load(kind: str, name: str) -> Tensor:
        with Image.open(folder / kind / f"{name}.bmp") as image:
            return subjects.tensor(image)

    return [
        Case(n, load("dist_dir", n), load("ref_dir", n), {m: float(row[f"{n}.bmp"]) for m, row in rows.items()})
        for n in NAMES
    ]


def pattern(kind: int, width: int, height: int) -> np.ndarray:
    """Gray levels by a formula, the same in every language."""
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    first, second = (37 * x + 91 * y + x * y) % 256, (((17 * x) ^ (29 * y)) + 3 * x + 5 * y) % 256
    patch = (x >= 20) & (x < 40) & (y >= 10) & (y < 30)
    made = (first, second, (x + 2 * y) % 256, np.where(patch, second, first), np.full_like(x, 128))
    return made[kind - 1].astype(float)


MAD_FIGURES = (
    # reference, image, width, height, index of high and of low quality
    (1, 2, 64, 64, 131572.283897184563, 9.688765373323),
    (1, 2, 65, 63, 132302.255032831221, 9.384997604771),
    (4, 2, 96, 80, 102819.537075095577, 8.893306321210),
    (2, 3, 256, 256, 64478.986671323131, 16.523224071463),
    (1, 4, 300, 260, 5168.494644471720, 0.662500927369),
    (3, 2, 37, 41, 218003.466036476486, 13.090370420302),
    (1, 2, 34, 34, 112251.749213334246, 5.846236835626),
    (5, 1, 64, 64, 149462.479444795055, 16.601442321003),
)
"""Figures that hi_index.m and lo_index.m of the authors' release for video gave the project zenmetrics (Octave).

That release has 10 where the one for still images, and the paper, have 200: the high-quality index is 20 times as
large in ours.
"""


def _patterns() -> list[Case]:
    return [
        Case(
            f"{reference}-{image} {width}x{height}",
            rgb(pattern(image, width, height)),
            rgb(pattern(reference, width, height)),
            {"high": high, "low": low},
        )
        for reference, image, width, height, high, low in MAD_FIGURES
    ]


# --------------------------------------------------------------------------------- features


def normal(count: int, size: int, seed: int) -> Tensor:
    return torch.randn(count, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _features() -> list[Case]:
    """Skewed and correlated, as features of networks are; the second case has hardly any difference."""
    mix = normal(24, 24, 5)
    real = (normal(4300, 24, 1) @ mix).relu()
    other = (normal(4300, 24, 2) @ mix * 1.3 + 0.2).relu()
    return [Case("two distributions", other, real), Case("one distribution", (normal(4300, 24, 3) @ mix).relu(), real)]


def _some() -> list[Case]:
    generated, real = ((normal(1500, 24, seed) @ normal(24, 24, 5) + seed / 10).relu() for seed in (1, 2))
    return [Case("skewed", generated, real)]


def _few() -> list[Case]:
    """300 features, some equal in both sets, far from the origin, and with many equal distances."""
    real, generated = normal(300, 20, 1), normal(300, 20, 2) * 1.2
    generated[:60] = real[:60]
    random = torch.Generator().manual_seed(3)
    whole, numbers = (torch.randint(0, 4, (300, 3), generator=random).double() for _ in range(2))
    return [
        Case("copies", generated, real),
        Case("far", generated + 1000, real + 1000),
        Case("equal distances", whole, numbers),
    ]


# --------------------------------------------------------------------------------- all of them

SETS: dict[str, tuple[str, Callable[[], list[Case]]]] = {
    "waves": ("a texture with noise, 288x288 to 523x400, odd sizes too", lambda: _named(waves, SIZES, 1)),
    "odd waves": ("of these the one of 163x205", lambda: _named(waves, SIZES[1:2], 1)),
    "unrelated": ("two images of pure noise, the same sizes", lambda: _named(unrelated, SIZES, 1)),
    "odd noise": ("of these the one of 163x205", lambda: _named(unrelated, SIZES[1:2], 1)),
    "small": ("the texture at 96x97, 61x80 and 33x41", lambda: _named(waves, SMALL, 2)),
    "photographs": ("three photographs of scikit-image, 208x196: blur, noise, JPEG, three strengths", _photographs),
    "three photographs": ("one of each distortion, of medium strength", lambda: _photographs()[3:6]),
    "nowhere flat": (
        "of the photographs and the texture, in gray, those where no pixel equals the mean around it",
        lambda: _rough(_gray(_photographs() + _named(waves, SIZES, 1))),
    ),
    "edges": ("photographs made dark, saturated, gray, and with black bars", _edges),
    "blank": ("black, white, mid-gray and one colour, each for three photographs", _blank),
    "blank once": ("of these those for the first photograph", lambda: _blank()[::3]),
    "640 pixels": ("the texture at 640x656, where halves are rounded", lambda: _named(waves, ((640, 656),), 3)),
    "near": ("photographs off by one level: in one value, in 1 % of them, in one channel", _near),
    "large": ("the photographs at 512x512", lambda: _photographs(512, 512)),
    "above 256": ("one photograph of 300x280, where DISTS resizes", lambda: _photographs(280, 300)[3:4]),
    "pictures": ("gray waves, an edge and noise, 32x32 to 66x141", _pictures),
    "patterns": ("gray levels by formulas, 34x34 to 300x260", _patterns),
    "five crops": ("288x288 crops of photographs of scikit-image and scikit-learn; mean over five", _crops),
    "five crops, enlarged": ("the same, reduced to a quarter and enlarged again by Pillow's bicubic filter", _enlarged),
    "TID2013": ("five pairs of TID2013, 512x384, with values of official programs", _tid),
    "TID2013, gray": ("the same, given to ganiq in gray", lambda: _gray(_tid())),
    "features": ("4,300 features of 24 dimensions against as many", _features),
    "1,500 features": ("of 24 dimensions against as many", _some),
    "few features": ("300 features, with copies, equal distances and a common offset", _few),
}


@cache
def get(name: str) -> tuple[Case, ...]:
    """The cases of one set.

    Raises:
        Absent: its data are not at hand.
    """
    return tuple(SETS[name][1]())
