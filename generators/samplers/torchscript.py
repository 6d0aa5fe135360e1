"""A generator network as a TorchScript archive: code and weights in one file.

Such a file is a program. Loading it can run what its author wrote, so it is refused unless the user says
``trust=True``. Its ``forward`` takes a float32 latent with the batch first and, where it has classes, int64 labels of
the shape (N,) or one-hot ones in float32, and gives (N, 3, H, W), or (N, 1, H, W) for grey. Arguments with defaults
keep them. The file does not say how long a latent is: ``latent`` must.

Protocol: as in ``network``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ...bench.weights import BadWeights
from ..running import template
from ..torchscript import archive
from .network import Loaded, NetworkSampler, Port, form_of


@dataclass(frozen=True, kw_only=True)
class TorchScriptSampler(NetworkSampler):
    """A file written by ``torch.jit.save``, with a latent in, a class where it has any, and images out."""

    trust: bool = False
    """Whether you trust the file's author with your computer: loading runs code."""

    info: ClassVar[Any] = template(
        "torchscript-sampler",
        "A generator of your own, as TorchScript",
        "torchscript-sampler(path='gan.pt', latent=128, trust=True)",
        note="Loading the file runs its author's code.",
        kind="sampler",
    )

    def _load(self) -> Loaded:
        model, device, sha256 = archive(self, self.trust, "export it as ONNX and use onnx-sampler(path=...)")

        def work(feeds: dict[str, np.ndarray]) -> Any:
            import torch

            return model(**{name: torch.from_numpy(value).to(device) for name, value in feeds.items()})

        form = form_of(_ports(model, self), self)
        return Loaded(work, form, "TorchScript generator", {"sha256": sha256}, device)


def _ports(model: Any, sampler: NetworkSampler) -> list[Port]:
    """The arguments of ``forward`` that must be given, and the one that the user names."""

    def bad(found: str) -> BadWeights:
        return BadWeights(
            "E-CKPT-KEYS", sampler.shown, found, "save it with a method forward(latent) or forward(latent, label)"
        )

    if not hasattr(model, "forward"):
        raise bad("it has no method forward")
    given = [one for one in model.forward.schema.arguments[1:]
             if not one.has_default_value() or one.name == sampler.label_input]  # fmt: skip
    odd = next((one for one in given if str(one.type) not in ("Tensor", "Optional[Tensor]")), None)
    if odd is not None:
        raise bad(f"its argument {odd.name} is {odd.type} and no tensor")
    return [Port(one.name) for one in given]
