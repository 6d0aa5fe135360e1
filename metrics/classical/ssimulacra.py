"""SSIMULACRA 2.

Structural similarity and two measures of edges (artefacts added, detail lost) of the planes of XYB, a colour space of
the eye's response, on up to six scales; means and fourth-power means of the error maps are weighted, and the sum is
mapped to a scale of quality. Weights were fitted by its author to human opinions of compressed images: about 30 is low,
50 medium, 70 high, 90 visually lossless quality. Range (-inf, 100], higher is better, 100 for identical images.

Sneyers: SSIMULACRA 2, Cloudinary, 2022 to 2023. pages: https://github.com/cloudinary/ssimulacra2

Protocol: sRGB, rounded to 8 bits; scales halve by averaging linear light, as long as the shortest side is at least 8
pixels; Gaussian of standard deviation 1.5. Computed by the package ssimulacra2, whose blur mirrors two of the four
borders where the original C++ takes zero beyond all four: scores differ a little from those of the C++ program.

**Six scales need a shortest side of 225.** Smaller images have fewer, and then the package, like the C++ program as far
as known, hands out the weights in one row to the scales that are there, so that most apply to other scales than those
they were fitted for. The score jumps: of one noisy photograph, 7.8 at 225 pixels and 61.0 at 224. Scores on either side
of that size do not compare, nor do those of smaller images with the author's scale of quality.
"""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from math import inf
from typing import TYPE_CHECKING, ClassVar

from ...bench.protocols import MetricInfo
from ..inputs import pair
from .apply import each

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class SSIMULACRA2:
    """SSIMULACRA 2; below a shortest side of 225 pixels on another scale of values than above."""

    info: ClassVar[MetricInfo] = MetricInfo(
        "ssimulacra2",
        "SSIMULACRA 2",
        needs="pair",
        better="higher",
        bounds=(-inf, 100.0),
        least=8,
        color="XYB",
        cite="Sneyers 2022, pages: https://github.com/cloudinary/ssimulacra2",
        note="Fitted to opinions of compressed photographs (80 and more: hardly visible); negative for strong damage. "
        "Below a shortest side of 225 pixels a scale is missing and weights fall on others: such scores do not compare "
        "with those of larger images.",
    )

    def __call__(self, images: Tensor, references: Tensor | None = None, /) -> Tensor:
        images, references = pair("ssimulacra2", images, references, least=self.info.least)
        return each(_score, images, references)


def _score(image: Tensor, reference: Tensor) -> Tensor:
    from ssimulacra2 import compute_ssimulacra2

    return image.new_tensor(compute_ssimulacra2(_file(reference), _file(image)))


def _file(image: Tensor) -> BytesIO:
    """(1,3,H,W) as an uncompressed picture file in memory: the package reads files."""
    from PIL import Image

    pixels = (image[0] * 255).round().byte().permute(1, 2, 0).contiguous().cpu().numpy()
    file = BytesIO()
    Image.fromarray(pixels).save(file, "BMP")
    file.seek(0)
    return file
