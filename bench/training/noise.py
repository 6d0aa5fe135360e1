"""Disturbances of the student's view: grey blocks, noise at the threshold of visibility, white noise.

Drawn per view from the same named streams as its crops, so a run that goes on after a kill sees the same ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from . import seam
from .crops import rng
from .recipe import Noise

if TYPE_CHECKING:
    from torch import Tensor


def disturb(x: Tensor, options: Noise, seed: int, names: list[tuple[object, ...]]) -> Tensor:
    """A disturbed copy of (B, m, 3, S, S) in [0, 1]; ``names`` tell the views of each image apart."""
    import torch

    answer = x.clone()
    side = x.shape[-1]
    for image, name in enumerate(names):
        for patch in range(x.shape[1]):
            stream = rng(seed, "noise", *name, patch)
            if stream.random() < options.jnd:
                signs = stream.integers(0, 2, (1, 1, side, side)) * 2 - 1
                with torch.inference_mode():
                    least = seam.own("metrics.evaluator.jnd:jnd")(answer[image, patch][None])
                push = 0.7 / 255 * torch.from_numpy(signs).to(x) * least.to(x)
                answer[image, patch] += push[0]
            if options.gauss:
                deviation = stream.uniform(0, options.gauss) / 255
                values = stream.standard_normal((3, side, side), dtype=np.float32) * np.float32(deviation)
                answer[image, patch] += torch.from_numpy(values).to(x)
            if stream.random() < options.erase:
                for _ in range(int(stream.integers(1, options.blocks + 1))):
                    low, high = (min(n, side) for n in options.sides)
                    block = int(stream.integers(low, high + 1))
                    top, left = (int(n) for n in stream.integers(0, side - block + 1, 2))
                    answer[image, patch, :, top : top + block, left : left + block] = 0.5
    return answer.clamp_(0, 1)
