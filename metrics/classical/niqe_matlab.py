"""Natural image quality evaluator with the model built into MATLAB's Image Processing Toolbox.

The formula is that of ``niqe-release``; the toolbox's function ``niqe`` has a model of pristine photographs of its
own, so that its values differ from those of the release by a third and more. Range [0, inf), lower is better.

Mittal, Soundararajan, Bovik: Making a "completely blind" image quality analyzer. IEEE Signal Processing Letters 20(3),
2013. doi:10.1109/LSP.2012.2227726. Fields of the model: MATLAB's page on niqeModel.

Protocol: that of ``niqe-release``. The model belongs to the toolbox and is not shipped; who has MATLAB exports it::

    m = niqeModel; s = struct('mean', m.Mean, 'covariance', m.Covariance, 'block', m.BlockSize, ...
        'sharpness', m.SharpnessThreshold); save('niqe_matlab.mat', '-struct', 's', '-v7')

and adds it with ``ganiq weights add niqe/matlab niqe_matlab.mat``. Models of other blocks than 96x96, or that
leave out blocks by their sharpness, are refused. Never compared with the toolbox itself: no official value was
reproduced with its model.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, ClassVar

from ...bench.protocols import MetricInfo
from ..inputs import single
from .apply import each
from .matlab import gray
from .niqe import BLOCK
from .niqe_release import distance, statistics

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

SLOT = "niqe/matlab"


@dataclass(frozen=True)
class NIQEMatlab:
    """NIQE with the model of MATLAB's Image Processing Toolbox."""

    info: ClassVar[MetricInfo] = MetricInfo(
        "niqe-matlab",
        "NIQE (MATLAB toolbox)",
        needs="image",
        better="lower",
        bounds=(0.0, inf),
        least=2 * BLOCK,
        dtype="float64",
        weights=(SLOT,),
        color="gray 0-255, rounded",
        cite="Mittal et al. 2013, doi:10.1109/LSP.2012.2227726",
        license="see the slot niqe/matlab",
        note="Another model of pristine photographs than the release's: the two must not share a table.",
    )

    def __call__(self, images: Tensor, references: Tensor | None = None, /) -> Tensor:
        import torch

        images = single(self.info.name, images, references, least=self.info.least, dtype=torch.float64)
        mean, covariance = (torch.from_numpy(value).to(images) for value in model())
        return each(lambda one: distance(statistics(gray(one)), mean, covariance), images)


def model() -> tuple[np.ndarray, np.ndarray]:
    """Mean (36,) and covariance (36,36) of the user's export.

    Raises:
        MissingWeights: its slot is empty.
        BadWeights: it is damaged, or a model that this metric does not compute.
    """
    from ...bench.weights import BadWeights
    from .matfile import fields

    shapes = {"mean": (1, 36), "covariance": (36, 36), "block": (1, 2), "sharpness": (1, 1)}
    found = fields(SLOT, shapes)
    block, sharpness = found["block"].ravel().tolist(), float(found["sharpness"].item())
    if block != [BLOCK, BLOCK] or sharpness != 0:
        raise BadWeights(
            "E-CKPT-KEYS",
            SLOT,
            f"its model has blocks of {block[0]:g}x{block[1]:g} and the sharpness threshold {sharpness:g}",
            "export the toolbox's default model: 96x96 and 0",
        )
    return found["mean"].ravel(), found["covariance"]
