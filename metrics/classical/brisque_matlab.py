"""Blind/referenceless image spatial quality evaluator with the model built into MATLAB's Image Processing Toolbox.

The toolbox's function ``brisque`` shares the idea of the release and little else: the 36 statistics are those of NIQE
(asymmetric fits throughout, scales instead of variances) over the whole image at two scales, x; with its own support
vectors v, coefficients a, bias b and kernel scale s the score is sum a exp(-|x - v|^2 / s^2) + b. Range: the real
line, mostly between 0 and 100. Lower is better.

Mittal, Moorthy, Bovik: No-reference image quality assessment in the spatial domain. IEEE Transactions on Image
Processing 21(12), 2012. doi:10.1109/TIP.2012.2214050. Fields of the model: MATLAB's page on brisqueModel.

Protocol: gray; borders replicated; half size by antialiased bicubic interpolation; details of MATLAB's functions as
in matlab.py; float64. Shortest side 16. The model belongs to the toolbox and is not shipped; who has MATLAB exports
it::

    m = brisqueModel; s = struct('alpha', m.Alpha, 'bias', m.Bias, 'support_vectors', m.SupportVectors, ...
        'scale', m.Scale); save('brisque_matlab.mat', '-struct', 's', '-v7')

and adds it with ``ganiq weights add brisque/matlab brisque_matlab.mat``. Which statistics the toolbox takes was read
in public programs that reproduce its values; it was never compared with the toolbox itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, ClassVar

from ...bench.protocols import MetricInfo
from ..inputs import single
from .apply import each
from .matlab import gray, half
from .niqe import features
from .scenes import gaussian, normalise

if TYPE_CHECKING:
    from torch import Tensor

SLOT = "brisque/matlab"


@dataclass(frozen=True)
class BRISQUEMatlab:
    """BRISQUE with the model of MATLAB's Image Processing Toolbox."""

    info: ClassVar[MetricInfo] = MetricInfo(
        "brisque-matlab",
        "BRISQUE (MATLAB toolbox)",
        needs="image",
        better="lower",
        bounds=(-inf, inf),
        least=16,
        dtype="float64",
        weights=(SLOT,),
        trained_on=("LIVE",),
        color="gray 0-255, rounded",
        cite="Mittal et al. 2012, doi:10.1109/TIP.2012.2214050",
        license="see the slot brisque/matlab",
        note="Other statistics and another regression than the release's: the two must not share a table.",
    )

    def __call__(self, images: Tensor, references: Tensor | None = None, /) -> Tensor:
        import torch

        from .matfile import fields

        images = single(self.info.name, images, references, least=self.info.least, dtype=torch.float64)
        shapes = {"alpha": (-1, 1), "bias": (1, 1), "support_vectors": (-1, 36), "scale": (1, 1)}
        model = {key: torch.from_numpy(value).to(images) for key, value in fields(SLOT, shapes).items()}
        return each(lambda image: regression(statistics(gray(image)), model), images)


def statistics(luma: Tensor) -> Tensor:
    """(1,1,H,W) on the 0-255 scale -> (36,)."""
    import torch

    window = gaussian(7, 7 / 6)
    parts = [features(normalise(plane, window, "replicate")[0])[0] for plane in (luma, half(luma))]
    return torch.cat(parts)


def regression(features: Tensor, model: dict[str, Tensor]) -> Tensor:
    """Support vector regression with a Gaussian kernel on 36 features: a scalar."""
    distances = (model["support_vectors"] - features).square().sum(dim=1) / model["scale"].square()
    return (model["alpha"].flatten() @ (-distances.flatten()).exp() + model["bias"]).reshape(())
