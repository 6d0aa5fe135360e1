"""Small views of generated images, and networks on random trunks: for machinery, never for numbers."""

from __future__ import annotations

from typing import Any

import torch
from ganiq.metrics.evaluator.build import network
from ganiq.metrics.evaluator.views import Views


def made(**spec: Any) -> Any:
    """A network with seeded random parameters everywhere."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return network({"pretrained": False, **spec})


def seen(batch: int = 4, patches: int = 1, side: int = 64, aux: bool = True, seed: int = 0) -> Views:
    """Views of noise on ramps with labels, two images per reference."""
    rng = torch.Generator().manual_seed(seed)
    x, a = (torch.rand(batch, patches, 3, side, side, generator=rng) for _ in range(2))
    return Views(
        x=x,
        aux=a if aux else None,
        y=torch.rand(batch, generator=rng),
        labelled=torch.ones(batch, dtype=torch.bool),
        ids=[{"dataset": "d", "ref": f"r{i // 2}", "algo": "a", "image": f"i{i}"} for i in range(batch)],
    )
