"""Photographs that lie inside installed packages, and how the demonstration crops them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..bench.images import read
from ..bench.weights.find import package_folder
from .base import Pixels


@dataclass(frozen=True, slots=True)
class Photograph:
    """One photograph: where it lies, which square of it is used, and whose it is."""

    name: str
    module: str
    """Top-level package that holds it; it is located and never imported."""
    path: str
    left: int
    top: int
    credit: str
    """Licence and origin, as the package's own notes state them."""

    def find(self) -> Path | None:
        """The file, or ``None`` if its package is not installed."""
        home = package_folder(self.module)
        file = home / self.path if home else None
        return file if file and file.is_file() else None

    def crop(self, side: int) -> Pixels:
        """(side, side, 3) uint8 from the place given above.

        Raises:
            FileNotFoundError: its package is not installed.
            Refusal: the file is damaged.
        """
        file = self.find()
        if file is None:
            raise FileNotFoundError(f"photograph {self.name} needs the package {self.module}")
        return square(file, side, self.left, self.top)


def square(file: Path, side: int, left: int | None = None, top: int | None = None) -> Pixels:
    """A square of a file, at the place given or from its middle.

    Raises:
        ValueError: the square does not fit into the image.
    """
    pixels, _ = read(file, shown=file.name)
    height, width = pixels.shape[:2]
    x = (width - side) // 2 if left is None else left
    y = (height - side) // 2 if top is None else top
    if x < 0 or y < 0 or x + side > width or y + side > height:
        raise ValueError(f"{file.name} has {width}x{height} pixels, too few for a square of {side}; use a larger one")
    return pixels[y : y + side, x : x + side].copy()


_SKIMAGE = "sample data of scikit-image"
_SKLEARN = "sample data of scikit-learn"

PHOTOGRAPHS: tuple[Photograph, ...] = (
    Photograph(
        "astronaut", "skimage", "data/astronaut.png", 100, 0,
        f"Eileen Collins, NASA Great Images; public domain, no known copyright restrictions ({_SKIMAGE})",
    ),
    Photograph(
        "chelsea", "skimage", "data/chelsea.png", 100, 10,
        f"Chelsea the cat, by Stefan van der Walt; CC0 ({_SKIMAGE})",
    ),
    Photograph(
        "coffee", "skimage", "data/coffee.png", 150, 60,
        f"coffee cup, by Rachel Michetti; CC0 ({_SKIMAGE})",
    ),
    Photograph(
        "motorcycle", "skimage", "data/motorcycle_left.png", 220, 120,
        "motorcycle, Middlebury 2014 stereo benchmark, Scharstein et al. 2014, doi 10.1007/978-3-319-11752-2_3; "
        f"no licence stated ({_SKIMAGE})",
    ),
    Photograph(
        "rocket", "skimage", "data/rocket.jpg", 180, 100,
        f"launch of DSCOVR, by SpaceX; public domain ({_SKIMAGE})",
    ),
    Photograph(
        "hubble", "skimage", "data/hubble_deep_field.jpg", 300, 300,
        f"Hubble eXtreme Deep Field, by NASA; public domain ({_SKIMAGE})",
    ),
    Photograph(
        "china", "sklearn", "datasets/images/china.jpg", 200, 100,
        f"Summer Palace, by danielbuechele; CC BY 2.0 ({_SKLEARN})",
    ),
    Photograph(
        "flower", "sklearn", "datasets/images/flower.jpg", 180, 60,
        f"dahlia, by vultilion; CC BY 2.0 ({_SKLEARN})",
    ),
)  # fmt: skip
"""In the order they are used; china and flower need scikit-learn."""
