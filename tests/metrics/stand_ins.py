"""Stand-ins for weights that are not at hand: tensors of the right names and shapes with seeded random values.

For plumbing, and for comparing two programs on the same tensors; never for numbers.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

import numpy as np
import pytest
import torch
from ganiq.bench import weights
from ganiq.bench.vision import load
from scipy.io import savemat
from torch import Tensor


def random_values(like: Tensor) -> Tensor:
    """As networks are usually initialised: weights by their fan-in, biases small."""
    return torch.randn(like.shape) * ((2 / like[0].numel()) ** 0.5 if like.ndim > 1 else 0.05)


def stand_in(slot: str) -> dict[str, Tensor]:
    """Tensors of the right names and shapes with seeded random values: for plumbing, never for numbers."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(20261121)
        if slot.startswith("trunk/"):
            make = getattr(load("torchvision.models"), slot.removeprefix("trunk/").removesuffix("-torchvision"))
            with torch.device("meta"):
                features = make(weights=None).features
            values = {f"features.{k}": random_values(v) for k, v in features.state_dict().items()}
            return {**values, "classifier.1.weight": torch.zeros(1)}  # there is one, and nobody uses it
        if slot == "inception/fid-2015-12-05":
            return load("ganiq.metrics.sets.inception").blueprint().state_dict()
        if slot == "pieapp/v0.1":
            with torch.device("meta"):
                model = load("piq.pieapp").PieAPPModel()
            values = {k: random_values(v) for k, v in model.state_dict().items()}
            values["ref_score_subtract.weight"] = values["ref_score_subtract.weight"].squeeze(1)
            return values
        if slot == "dists/alpha-beta":
            return {name: torch.rand(1, 1475, 1, 1) for name in ("alpha", "beta")}
        if slot.startswith("stlpips/"):
            net = load("ganiq.metrics.learned.shift_tolerant_net").ShiftTolerant(slot.split("/")[1])
            for name, value in net.named_parameters():
                if name.startswith("lin"):
                    value.data.abs_()  # published linear layers have no negative weights
            return net.state_dict()
        if slot == "efficientnet/lite0":
            return load("timm").create_model("tf_efficientnet_lite0", pretrained=False).state_dict()
        if slot == "clip-iqa/rn50":
            encoder = load("ganiq.metrics.learned.clip_iqa").blueprint().to_empty(device="cpu")
            visual = {f"visual.{k}": random_values(v) for k, v in encoder.state_dict().items()}
            for name in visual:
                if name.endswith("running_var") or (visual[name].ndim == 1 and name.endswith("weight")):
                    visual[name] = torch.ones_like(visual[name])  # else nothing of the image reaches the end
            return {**visual, "anchors": torch.randn(2, 1024), "logit_scale": torch.tensor(0.0)}
        if slot == "il-niqe/template":
            cells = [torch.rand(1, 430), torch.eye(430), torch.rand(468, 1), torch.randn(468, 430) / 468**0.5]
            return dict(zip("abcd", cells, strict=True))
        if slot == "niqe/matlab":
            plain = {"mean": torch.rand(1, 36), "covariance": torch.eye(36)}
            return {**plain, "block": torch.tensor([[96.0, 96.0]]), "sharpness": torch.zeros(1, 1)}
        if slot == "brisque/matlab":
            plain = {"alpha": 20 * torch.randn(9, 1), "support_vectors": 2 * torch.rand(9, 36)}
            return {**plain, "bias": torch.tensor([[40.0]]), "scale": torch.tensor([[2.0]])}
    raise KeyError(slot)


_kept: dict[str, dict[str, Tensor]] = {}


def kept(slot: str) -> dict[str, Tensor]:
    if slot not in _kept:
        _kept[slot] = stand_in(slot)
    return dict(_kept[slot])


@cache
def matlab_file(slot: str) -> bytes:
    """A stand-in as the .mat file that a user would export."""
    file = io.BytesIO()
    values = {name: value.double().numpy() for name, value in kept(slot).items()}
    if slot == "il-niqe/template":
        cell = np.empty((1, len(values)), dtype=object)
        cell[0] = [*values.values()]
        values = {"templateModel": cell}
    savemat(file, values)
    return file.getvalue()


def forget() -> None:
    """Networks are built once per process; a test that changes weights must have them built anew."""
    from ganiq.metrics.learned import clip_iqa, dists, perceptual, pieapp, shift_tolerant
    from ganiq.metrics.sets import dinov2_vitl14, dinov2s_focus, efficientnet, inception

    for module in (
        clip_iqa,
        dists,
        perceptual,
        pieapp,
        shift_tolerant,
        efficientnet,
        inception,
        dinov2_vitl14,
        dinov2s_focus,
    ):
        module.network.cache_clear()


@contextmanager
def instead() -> Iterator[Callable[[str], dict[str, Tensor]]]:
    """Within: stand-ins in place of weights that are not on this computer."""
    real, bytes_of = weights.tensors, weights.read
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(weights, "tensors", lambda slot: real(slot) if weights.present(slot) else kept(slot))
        patch.setattr(weights, "read", lambda slot: bytes_of(slot) if weights.present(slot) else matlab_file(slot))
        forget()
        yield kept
    forget()
