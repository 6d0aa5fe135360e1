"""Blind/referenceless image spatial quality evaluator, as its authors' own program computes it.

The formula is that of ``brisque``: 36 statistics of locally normalised gray at two scales, scaled to [-1,1], through
the support vector regression of the release. Range: the real line; about 0 for a clean photograph and 100 for a ruined
one, but values below 0 and above 100 occur and are legitimate. Lower is better.

Mittal, Moorthy, Bovik: No-reference image quality assessment in the spatial domain. IEEE Transactions on Image
Processing 21(12), 2012. doi:10.1109/TIP.2012.2214050

Protocol: gray; borders of the normalisation continued with zeros; half size by antialiased bicubic interpolation;
details of MATLAB's functions as in matlab.py; float64. The release hands its statistics to LIBSVM's programs as text,
six decimals before and six digits after scaling, and so they are rounded here. Shortest side 16. Trained on the human
scores of LIVE, so its agreement with LIVE is no test. On five TID2013 images with values of the release: 0.002 on
three; 0.5 and 2.2 (3 %) on two with much flat ground, where MATLAB's value hangs on its rounding.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, ClassVar

from ...bench.protocols import MetricInfo
from ..inputs import single
from .apply import each
from .brisque import statistics
from .matlab import gray

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class BRISQUERelease:
    """BRISQUE with protocol and regression of the authors' release."""

    info: ClassVar[MetricInfo] = MetricInfo(
        "brisque-release",
        "BRISQUE (authors' release)",
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
        note="Trained on JPEG, JPEG 2000, noise, blur and fading; it knows nothing of GAN artefacts.",
    )

    def __call__(self, images: Tensor, references: Tensor | None = None, /) -> Tensor:
        import torch

        from ...bench.weights import arrays

        images = single(self.info.name, images, references, least=self.info.least, dtype=torch.float64)
        model = {key: torch.as_tensor(value).to(images) for key, value in arrays("brisque/release-2011").items()}
        return each(lambda image: regression(statistics(gray(image)), model), images)


def regression(features: Tensor, model: dict[str, Tensor]) -> Tensor:
    """Support vector regression on 36 features, rounded as text files round them: a scalar."""
    low, high = model["min"], model["max"]
    features = features.new_tensor([float(f"{value:.6f}") for value in features.tolist()])
    scaled = 2 * (features - low) / (high - low) - 1
    scaled = features.new_tensor([float(f"{value:.6g}") for value in scaled.tolist()])
    kernel = (-model["gamma"] * (model["support_vectors"] - scaled).square().sum(dim=1)).exp()
    return (model["coefficients"] @ kernel - model["rho"]).reshape(())
