"""A generator network as an ONNX file, run by onnxruntime.

One latent in float32 with the batch first, a class where it has any (integers of the shape N or Nx1, or one-hot), and
one output of the shape Nx3xHxW (or Nx1xHxW for grey). What the graph says of its inputs need not be said again. The
file is read once and run from memory: parts that it keeps in other files are not loaded.

Protocol: as in ``network``. onnxruntime computes on the CPU with as many threads as torch, or with CUDA. Numbers that
the graph itself draws at random do not follow from the seed, and such a generator is refused once it makes two images
of one seed (``E-NONDET``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ...bench.weights import BadWeights
from ..onnx import open_file
from ..running import template
from .network import Loaded, NetworkSampler, Port, form_of

_TYPES = {"float": "float32", "double": "float64"}


@dataclass(frozen=True, kw_only=True)
class OnnxSampler(NetworkSampler):
    """An ``.onnx`` file with a latent in, a class where it has any, and images out."""

    info: ClassVar[Any] = template(
        "onnx-sampler",
        "A generator of your own, as ONNX",
        "onnx-sampler(path='gan.onnx')",
        "onnxruntime",
        note="One latent and at most one label in, Nx3xHxW out, float32.",
        kind="sampler",
    )

    def _load(self) -> Loaded:
        opened = open_file(self)
        session = opened.session
        outputs = session.get_outputs()
        if len(outputs) != 1:
            raise BadWeights(
                "E-CKPT-KEYS", self.shown, f"it has {len(outputs)} outputs", "export the generator with one, its images"
            )

        def work(feeds: dict[str, np.ndarray]) -> Any:
            import torch

            answer = session.run(None, feeds)[0]
            return torch.from_numpy(answer) if isinstance(answer, np.ndarray) else answer

        form = form_of([_port(one) for one in session.get_inputs()], self)
        return Loaded(work, form, "ONNX generator", opened.identity)


def _port(one: Any) -> Port:
    """An input as onnxruntime describes it; a side without a number is open."""
    kind = str(one.type).removeprefix("tensor(").removesuffix(")")
    shape = tuple(side if isinstance(side, int) and side > 0 else None for side in one.shape or ())
    return Port(one.name, _TYPES.get(kind, kind), shape or None)
