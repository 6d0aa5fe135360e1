"""DCT subband similarity.

Similarity of local variance (for the mean band also of structure) in the bands of an 8x8 block DCT; the
worst five per cent of each band are averaged, bands are weighted towards low frequencies. Range [-1, 1],
higher is better, 1 for identical images.

Balanov, Schwartz, Moshe, Peleg: Image quality assessment based on DCT subband similarity. IEEE
International Conference on Image Processing, 2015, pages 2105-2109.

Protocol: luma of YIQ on 0-255, not rounded; rows and columns beyond a multiple of 8 are cut off. Below 32
pixels five per cent of the blocks round to none. Computed by piq.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ...bench.protocols import MetricInfo
from ..inputs import pair
from .apply import apply

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class DSS:
    """DCT subband similarity."""

    info: ClassVar[MetricInfo] = MetricInfo(
        "dss",
        "DSS",
        needs="pair",
        better="higher",
        bounds=(-1.001, 1.001),
        least=32,
        color="luma YIQ",
        cite="Balanov et al., ICIP 2015, pages 2105-2109",
        note="Looks at the worst five per cent of the blocks only.",
    )

    def __call__(self, images: Tensor, references: Tensor | None = None, /) -> Tensor:
        images, references = pair("dss", images, references, least=32)
        return apply("dss", images, references, data_range=1.0)
