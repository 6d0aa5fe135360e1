"""Blind/referenceless image spatial quality evaluator.

36 statistics of locally normalised luma (scenes.py: shape and variance of the pixels, shape, mean and two
variances of four products of neighbours, at full and at half size), scaled to [-1,1], go through a support
vector regression with a radial kernel. Range: the real line; about 0 for a clean photograph and 100 for
a ruined one, but values below 0 and above 100 occur and are legitimate. Lower is better.

Mittal, Moorthy, Bovik: No-reference image quality assessment in the spatial domain. IEEE Transactions on
Image Processing 21(12), 2012. doi:10.1109/TIP.2012.2214050

Protocol: gray .2989 R + .5870 G + .1140 B on 0-255, rounded; borders of the normalisation are continued
with zeros; half size by antialiased bicubic interpolation, exact on whole numbers (matlab.py); float64; what
rounding leaves on flat ground is 0 (scenes.py). Version 1 halved with piq, in float32, and let the rounding on
flat ground decide about signs. The regression is the authors', trained on the human scores of the LIVE data
base, so its agreement with LIVE is no test. Programs that derive from other ports of it carry other
parameters and other ranges (OpenCV, and the package ``brisque``): their values differ by several units.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, ClassVar

from ...bench.protocols import MetricInfo
from ..inputs import single
from .apply import each
from .luma import gray
from .matlab import half
from .scenes import asymmetric_shape, gaussian, normalise, products, scales, symmetric_shape

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class BRISQUE:
    """BRISQUE, with the authors' regression trained on LIVE."""

    info: ClassVar[MetricInfo] = MetricInfo(
        "brisque",
        "BRISQUE",
        needs="image",
        better="lower",
        bounds=(-inf, inf),
        least=16,
        dtype="float64",
        weights=("brisque/release-2011",),
        trained_on=("LIVE",),
        color="gray 0-255, rounded",
        cite="Mittal et al. 2012, doi:10.1109/TIP.2012.2214050",
        license="see the slot brisque/release-2011",
        version=2,
        note="Trained on JPEG, JPEG 2000, noise, blur and fading; it knows nothing of GAN artefacts.",
    )

    def __call__(self, images: Tensor, references: Tensor | None = None, /) -> Tensor:
        import torch

        from ...bench.weights import arrays

        images = single("brisque", images, references, least=self.info.least, dtype=torch.float64)
        model = {key: torch.as_tensor(value).to(images) for key, value in arrays("brisque/release-2011").items()}
        return each(lambda image: regression(statistics(gray(image)), model), images)


def statistics(luma: Tensor) -> Tensor:
    """(1,1,H,W) on the 0-255 scale -> (36,)."""
    import torch

    window = gaussian(7, 7 / 6)
    parts = []
    for smaller in (False, True):
        if smaller:
            luma = half(luma)
        plane = normalise(luma, window, "constant")[0]
        parts += symmetric_shape(plane)
        for product in products(plane):
            shape, left, right = asymmetric_shape(product)
            parts += [shape, scales(shape, left, right)[0], left.square(), right.square()]
    return torch.cat(parts)


def regression(features: Tensor, model: dict[str, Tensor]) -> Tensor:
    """Support vector regression on 36 features: a scalar."""
    low, high = model["min"], model["max"]
    scaled = 2 * (features - low) / (high - low) - 1
    kernel = (-model["gamma"] * (model["support_vectors"] - scaled).square().sum(dim=1)).exp()
    return (model["coefficients"] @ kernel - model["rho"]).reshape(())
