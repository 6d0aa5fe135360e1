"""CLIP-IQA: how much nearer an image is to the words "Good photo." than to "Bad photo.".

With f the image's embedding by CLIP's ResNet-50 and t the embeddings of the two sentences, all of length 1, and s the
scale that CLIP has learned: softmax(s f.t), of which the share of the good sentence is the score. Range [0, 1], higher
is better.

Wang, Chan, Loy: Exploring CLIP for assessing the look and feel of images. AAAI Conference on Artificial Intelligence,
2023. doi:10.1609/aaai.v37i2.25353, arXiv:2207.12396

Protocol: RGB in [0,1], CLIP's mean and deviation, native size, the encoder's attention pooling without its position
embedding, one pair of sentences (not the several pairs that some programs average), float32. Network by piq. Image
encoder, sentence embeddings and scale come in one file, which the user makes once from OpenAI's RN50, because OpenAI
publishes it as a program and not as tensors: ``ganiq weights get clip-iqa/rn50`` prints the command, ``ganiq weights
add clip-iqa/rn50 clip_iqa_rn50.safetensors`` takes the file. No official value has been reproduced yet.
Shortest side 32.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

from ...bench.protocols import MetricInfo
from ...bench.vision import load
from ..classical.apply import each
from ..inputs import single

if TYPE_CHECKING:
    from torch import Tensor

SLOT = "clip-iqa/rn50"
MEAN = (0.48145466, 0.4578275, 0.40821073)
DEVIATION = (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True)
class CLIPIQA:
    """CLIP-IQA with one pair of sentences."""

    info: ClassVar[MetricInfo] = MetricInfo(
        "clip-iqa",
        "CLIP-IQA",
        needs="image",
        better="higher",
        bounds=(0.0, 1.0),
        least=32,
        weights=(SLOT,),
        cite="Wang et al. 2023, doi:10.1609/aaai.v37i2.25353",
        license="MIT (CLIP)",
        note="Knows no quality scores, only captions: it mixes what is in a photo with how good it is.",
    )

    def __call__(self, images: Tensor, references: Tensor | None = None, /) -> Tensor:
        import torch

        images = single("clip-iqa", images, references, least=self.info.least, dtype=torch.float32)
        function = network(str(images.device))
        with torch.no_grad():
            return each(function, images)


@cache
def network(device: str = "cpu") -> Any:
    """CLIP-IQA as a function of a batch; built once per process and device.

    Raises:
        MissingWeights: its slot is empty.
        BadWeights: a tensor is missing, unknown or of another shape.
    """
    import torch

    from ...bench.weights import BadWeights, load_strict, tensors

    values = tensors(SLOT)
    sentences, scale = values.get("anchors"), values.get("logit_scale")
    if sentences is None or scale is None or sentences.shape != (2, 1024) or scale.numel() != 1:
        raise BadWeights(
            "E-CKPT-KEYS",
            SLOT,
            "it lacks the embeddings of two sentences (anchors, 2 x 1024) or the scale of CLIP (logit_scale)",
            "make the file as the table of slots says",
        )
    encoder = blueprint()
    encoder.to_empty(device="cpu")
    visual = {k.removeprefix("visual."): v.float() for k, v in values.items() if k.startswith("visual.")}
    extra = {k: v for k, v in values.items() if not k.startswith("visual.") and k not in ("anchors", "logit_scale")}
    load_strict(encoder, visual | extra, name=SLOT)
    encoder.eval().requires_grad_(False).to(device)
    middle, deviation = (torch.tensor(v, device=device).view(1, 3, 1, 1) for v in (MEAN, DEVIATION))
    sentences = torch.nn.functional.normalize(sentences.float(), dim=1).to(device)
    scale = scale.float().reshape(()).exp().to(device)

    def good(image: Tensor) -> Tensor:
        features = encoder((image - middle) / deviation, pos_embedding=False)
        likeness = torch.nn.functional.normalize(features, dim=1) @ sentences.T
        return (scale * likeness).softmax(dim=1)[0, 0]

    return good


def blueprint() -> Any:
    """CLIP's ResNet-50 with attention pooling, without storage."""
    import torch

    with torch.device("meta"):
        return load("piq.feature_extractors.clip").ModifiedResNet(
            layers=(3, 4, 6, 3), output_dim=1024, heads=32, input_resolution=224, width=64
        )
