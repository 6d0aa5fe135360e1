"""Visual information fidelity, pixel domain.

Mutual information between reference and image as a noisy visual channel would pass it, divided by that of
the reference with itself, summed over four scales with Gaussian windows of 17, 9, 5 and 3. Range [0, inf):
1 for identical images, above 1 where contrast is enhanced; higher is better.

Sheikh, Bovik: Image information and visual quality. IEEE Transactions on Image Processing 15(2), 2006.
doi:10.1109/TIP.2005.859378. The pixel-domain form is the authors' later, simpler program, not the wavelet
form of the paper: their values differ.

Protocol: luma .299 R + .587 G + .114 B on 0-255, not rounded; noise variance 2. The roles differ. Shortest
side 41. Computed by piq.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, ClassVar

from ...bench.protocols import MetricInfo
from ..inputs import pair
from .apply import apply

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class VIFp:
    """Visual information fidelity in the pixel domain."""

    info: ClassVar[MetricInfo] = MetricInfo(
        "vifp",
        "VIFp",
        needs="pair",
        better="higher",
        bounds=(0.0, inf),
        least=41,
        color="luma YIQ",
        cite="Sheikh and Bovik 2006, doi:10.1109/TIP.2005.859378",
        note="Pixel-domain VIF; published VIF values are usually of the wavelet form and differ.",
    )

    def __call__(self, images: Tensor, references: Tensor | None = None, /) -> Tensor:
        images, references = pair("vifp", images, references, least=41)
        return apply("vif_p", images, references, sigma_n_sq=2.0, data_range=1.0)
