"""Learned metrics as other packages compute them, on the same tensors: published ones where they are at hand, and
otherwise stand-ins, which compare the code and say nothing of the numbers."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from ganiq.bench import registry, weights
from ganiq.bench.training import crops, export, seam
from ganiq.bench.training.labels import Scaler
from ganiq.bench.vision import load
from ganiq.metrics.learned import clip_iqa, perceptual
from ganiq.metrics.sets import inception
from torch import Tensor, nn

from .cases import Case

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def single(case: Case) -> tuple[Tensor, Tensor]:
    return case.image.float(), case.reference.float()


@contextmanager
def quiet() -> Iterator[None]:
    """Other packages use parameters of torchvision that are going away."""
    with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
        warnings.simplefilter("ignore")
        yield


@cache
def trunk(name: str, identity: int) -> nn.Module:
    """The features of a torchvision network with the tensors of our slot."""
    del identity  # stand-ins and published tensors must not be mistaken for each other
    module = getattr(load("torchvision.models"), name)(weights=None).features
    values = weights.tensors(f"trunk/{name}-torchvision")
    module.load_state_dict({k.removeprefix("features."): v for k, v in values.items() if k.startswith("features.")})
    return module.eval()


def features(name: str) -> nn.Module:
    with quiet():
        return trunk(name, id(weights.tensors))


# --------------------------------------------------------------------------------- LPIPS


def lpips(net: str) -> Callable[[Case], float]:
    """The lpips package, its trunk filled layer by layer."""

    def score(case: Case) -> float:
        with quiet(), torch.no_grad():
            reference = load("lpips").LPIPS(net=net, pretrained=True, pnet_rand=True, verbose=False)
            own = features(perceptual.TRUNKS[net].removesuffix("-torchvision"))
            for part in reference.net.children():
                for index, layer in part.named_children():
                    layer.load_state_dict(own.get_submodule(index).state_dict())
            return float(reference(*single(case), normalize=True))

    return score


def torchmetrics_lpips(net: str) -> Callable[[Case], float]:
    """torchmetrics' network and its own copy of the linear layers."""

    def score(case: Case) -> float:
        module = load("torchmetrics.functional.image.lpips")
        with quiet(), torch.no_grad(), pytest.MonkeyPatch.context() as patch:
            own = features(perceptual.TRUNKS[net].removesuffix("-torchvision"))
            patch.setattr(module, "_get_tv_model_features", lambda *_: own)
            return float(module._LPIPS(pretrained=True, net=net, pnet_rand=True)(*single(case), normalize=True))

    return score


# --------------------------------------------------------------------------------- ST-LPIPS


def st_lpips(net: str) -> Callable[[Case], float]:
    """Layer by layer as functions, in double precision, from the names in the published file."""

    def score(case: Case) -> float:
        values = {k: v.double() for k, v in weights.tensors(f"stlpips/{net}").items()}
        shift, scale = (
            torch.tensor(v, dtype=torch.float64).view(1, 3, 1, 1)
            for v in ((-0.030, -0.088, -0.188), (0.458, 0.448, 0.450))
        )
        pair = [(2 * x - 1 - shift) / scale for x in (case.image, case.reference)]
        total = 0.0
        for k in range(1, 6):
            pair = [_slice(x, k, net, values) for x in pair]
            units = [x / (x.norm(dim=1, keepdim=True) + 1e-10) for x in pair]
            total += float(((units[0] - units[1]) ** 2 * values[f"lin{k - 1}.model.1.weight"]).sum(1).mean())
        return total

    return score


def _slice(x: Tensor, k: int, net: str, values: dict[str, Tensor]) -> Tensor:
    start = f"net.slice{k}."
    for index in sorted({int(key.split(".")[2]) for key in values if key.startswith(start)}):
        name = f"{start}{index}"
        if f"{name}.filt" in values:
            if k > 1:
                x = F.max_pool2d(x, 3 if net == "alex" else 2, 1)
            x = F.conv2d(F.pad(x, (2, 2, 2, 2), mode="reflect"), values[f"{name}.filt"], stride=2, groups=x.shape[1])
            x = x.relu() if k == 1 else x  # only the first slice of AlexNet blurs before it cuts off
        else:
            weight = values[f"{name}.weight"]
            x = F.conv2d(x, weight, values[f"{name}.bias"], padding=2 if weight.shape[2] > 3 else 1)
            x = x if net == "alex" and k == 1 else x.relu()
    return x


# --------------------------------------------------------------------------------- DISTS, PieAPP, CLIP-IQA


def dists(*, resize: bool) -> Callable[[Case], float]:
    """The authors' package with torchvision's trunk replaced by ours; the resize is piq's."""

    def score(case: Case) -> float:
        module = load("DISTS_pytorch.DISTS_pt")
        pair = single(case)
        if resize and min(pair[0].shape[2:]) > 256:
            side = 256 / min(pair[0].shape[2:])
            pair = [F.interpolate(x, scale_factor=side, recompute_scale_factor=False, mode="bilinear") for x in pair]
        with quiet(), pytest.MonkeyPatch.context() as patch:
            own = features("vgg16")
            patch.setattr(module.models, "vgg16", lambda **_: SimpleNamespace(features=own))
            network = module.DISTS(load_weights=False)
            for name, value in weights.tensors("dists/alpha-beta").items():
                getattr(network, name).data = value.reshape(1, -1, 1, 1)
            return float(network(*pair))

    return score


def pieapp(case: Case) -> float:
    """piq's class with all patches at once, without its constructor, which fetches weights."""
    package = load("piq.pieapp")
    with quiet(), torch.no_grad():
        model = package.PieAPPModel()
        values = dict(weights.tensors("pieapp/v0.1"))
        values["ref_score_subtract.weight"] = values["ref_score_subtract.weight"].reshape(1, -1)
        model.load_state_dict(values)
        whole = package.PieAPP.__new__(package.PieAPP)
        nn.Module.__init__(whole)
        whole.model, whole.data_range, whole.reduction, whole.stride = model.eval(), 1.0, "mean", 27
        whole.enable_grad = False
        return float(whole(*single(case)))


def clip(case: Case) -> float:
    """piq's class, without its constructor, which fetches weights."""
    values = weights.tensors(clip_iqa.SLOT)
    encoder = clip_iqa.blueprint().to_empty(device="cpu").eval()
    encoder.load_state_dict({k.removeprefix("visual."): v for k, v in values.items() if k.startswith("visual.")})
    piq = load("piq")
    reference: Any = piq.CLIPIQA.__new__(piq.CLIPIQA)
    nn.Module.__init__(reference)
    reference.data_range, reference.logit_scale = 1.0, values["logit_scale"].exp()
    reference.feature_extractor = SimpleNamespace(encode_image=encoder, to=lambda _: reference.feature_extractor)
    anchors = values["anchors"] / values["anchors"].norm(dim=-1, keepdim=True)
    for name, value in (("anchors", anchors), ("default_mean", clip_iqa.MEAN), ("default_std", clip_iqa.DEVIATION)):
        value = value if isinstance(value, Tensor) else torch.tensor(value).view(1, 3, 1, 1)
        reference.register_buffer(name, value)
    with torch.no_grad():
        return float(reference(case.image.float()))


# --------------------------------------------------------------------------------- features for sets


def extracted(name: str) -> Callable[[Case], np.ndarray]:
    """Our features of the image."""

    def compute(case: Case) -> np.ndarray:
        return registry.extractors.get(name)()(case.image.float()).numpy()

    return compute


def pytorch_fid(*, clean: bool) -> Callable[[Case], np.ndarray]:
    """pytorch-fid's class with our tensors; resized channel by channel by Pillow before it, for the clean variant."""

    def compute(case: Case) -> np.ndarray:
        module = load("pytorch_fid.inception")

        def whole() -> nn.Module:
            network = inception.blueprint()
            network.load_state_dict(weights.tensors(inception.SLOT))
            return network

        with quiet(), torch.no_grad(), pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "fid_inception_v3", whole)
            network = module.InceptionV3([3], resize_input=not clean, normalize_input=not clean).eval()
            return network(_resized(case.image) if clean else case.image.float())[0].flatten(1).numpy()

    return compute


def _resized(image: Tensor) -> Tensor:
    from PIL import Image

    planes = [
        np.asarray(Image.fromarray(p.numpy()).resize((299, 299), Image.Resampling.BICUBIC)).clip(0, 255)
        for p in (image[0] * 255).float()
    ]
    return (torch.from_numpy(np.stack(planes))[None] - 128) / 128


# --------------------------------------------------------------------------------- trained here


@cache
def exported(slot: str) -> tuple[Any, int, Scaler]:
    """The network of an evaluator's file, the side of its crops and the scale of its labels, by the trainer."""
    path = weights.path_of(slot)
    card = export.card(path)
    options = {key: value for key, value in card["network"].items() if key != "aux"}
    return (
        export.fill(seam.network({**options, "pretrained": False}), path).eval(),
        card["crop"],
        Scaler.read(card["label"]),
    )


def evaluator(name: str) -> Callable[[Case], float]:
    """A shipped evaluator on crops that the trainer cuts, all of them at once."""

    def value(case: Case) -> float:
        network, crop, scaler = exported(f"evaluator/{name}")
        pictures = [x[0].permute(1, 2, 0).numpy() for x in single(case)]
        size = pictures[0].shape[:2]
        side = crops.frame(size, network.largest) if network.largest else (crop, crop)
        height, width = (max(n, wanted) for n, wanted in zip(size, side))
        places = crops.grid(height, width, side, 0)
        x, aux = (torch.from_numpy(crops.cut(p, places, side)).permute(0, 3, 1, 2)[:, None] for p in pictures)
        with torch.no_grad():
            scores = network(seam.views(x=x, aux=aux if network.needs_aux else None))["score"]
        return float(scores.double().mean()) * scaler.unit + scaler.offset

    return value


# --------------------------------------------------------------------------------- our own control


def ridge(case: Case) -> float:
    """The linear control: timm's features, numpy's moments."""
    slot = "evaluator/ridge-efflite0"
    module = load("timm").create_model("tf_efficientnet_lite0", pretrained=False)
    module.load_state_dict(weights.in_order(weights.tensors("efficientnet/lite0"), module, slot), strict=False)
    image = case.image.float()
    parts = []
    with torch.no_grad():
        for x in (image, F.avg_pool2d(image, 2)):
            maps = module.eval().forward_intermediates(2 * x - 1, indices=[1, 2, 3, 4], intermediates_only=True)
            for tap in (m[0].double().numpy() for m in maps):
                parts += [tap.mean((1, 2)), tap.std((1, 2))]
    values = weights.tensors(slot)
    return float(np.concatenate(parts) @ values["weights"].double().numpy() + float(values["bias"]))
