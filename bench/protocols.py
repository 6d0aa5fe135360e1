"""What a metric, a feature extractor and a generator are to the harness.

Structural types: a class satisfies them by its shape, so third parties need not import or inherit
anything. Tensors are torch tensors; the annotations are strings, so that this module loads no torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol, runtime_checkable

from .types import Better, Needs

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class MetricInfo:
    """Everything the harness must know about a metric before it runs."""

    name: str
    title: str
    needs: Needs
    """``image`` = no-reference, ``pair`` = full-reference, ``set`` = two sets of images."""
    better: Better
    bounds: tuple[float, float]
    """Closed interval that every finite value lies in; a value outside is an error of the metric."""
    version: int = 1
    """Raised whenever the numbers change; part of the identity."""
    least: int = 1
    """Shortest image side the metric can score; smaller images are ``skipped``, ``E-IMG-SMALL``. Where
    parameters decide, this is the side under their defaults, and the metric has a property ``least``: the true one."""
    dtype: Literal["float32", "float64"] = "float32"
    weights: tuple[str, ...] = ()
    """Slots of trained parameters; their sha256 are part of the identity."""
    trained_on: tuple[str, ...] = ()
    """Data sets whose human labels the metric has seen; it is never ranked as zero-shot on them."""
    color: str = "rgb"
    """What is compared: ``rgb``, ``luma`` (and which), ``yiq`` ..."""
    cite: str = ""
    """Paper, with DOI where there is one."""
    license: str = ""
    """Licence of the weights, where there are any."""
    note: str = ""
    """One sentence a user should know before quoting the number."""
    role: Literal["quality", "control"] = "quality"
    """``control``: describes the image without judging it; its direction is a convention and is not tested."""


@runtime_checkable
class ItemMetric(Protocol):
    """(N,3,H,W) in [0,1], and references of the same shape for ``needs="pair"`` -> (N,) on the images' device.

    One that asks an evaluator that ``ganiq train`` has exported, and finds its file not through a slot of
    ``info.weights``, has a parameter or property ``evaluator``: its path. On boards of pictures that the file says it
    was trained on it then has no rank.
    """

    info: ClassVar[MetricInfo]

    def __call__(self, images: Tensor, references: Tensor | None = None, /) -> Tensor: ...


@runtime_checkable
class SetMetric(Protocol):
    """(N,D) features of generated and (M,D) of real images -> one number.

    Features are extracted once per image and extractor, and shared by all set metrics. One that knows an interval of
    its number, or why there is none, has a method ``estimate`` of the same arguments that gives a ``types.Estimate``;
    a run calls that one alone.
    """

    info: ClassVar[MetricInfo]
    features: str
    """Name of the extractor, e.g. ``inception-fid``."""

    def __call__(self, generated: Tensor, real: Tensor, /) -> float: ...


@dataclass(frozen=True, slots=True)
class ExtractorInfo:
    """A frozen network that turns images into feature vectors."""

    name: str
    title: str
    dimensions: int
    version: int = 1
    weights: tuple[str, ...] = ()
    preprocessing: str = ""
    cite: str = ""
    license: str = ""


@runtime_checkable
class FeatureExtractor(Protocol):
    """(N,3,H,W) in [0,1] -> (N,D) on the images' device."""

    info: ClassVar[ExtractorInfo]

    def __call__(self, images: Tensor, /) -> Tensor: ...


@dataclass(frozen=True, slots=True)
class GeneratorInfo:
    """Describes something that makes or restores images."""

    name: str
    title: str
    kind: Literal["degradation", "restorer", "sampler"]
    family: Literal["gan", "psnr", "classical", ""] = ""
    scale: int = 1
    """Output side divided by input side; 0 in the ``info`` of a class whose instances differ in it."""
    weights: tuple[str, ...] = ()
    license: str = ""
    trained_on: tuple[str, ...] = ()
    cite: str = ""
    note: str = ""
    given: str = ""
    """What has to be named to have one, as it is written: ``checkpoint(path='net.safetensors')``; empty if nothing."""
    modules: tuple[str, ...] = ()
    """Optional packages that it runs on, as they are imported."""


@runtime_checkable
class Restorer(Protocol):
    """(3,h,w) in [0,1] -> (3, h*scale, w*scale) in [0,1], clamped, on the image's device.

    Where it computes may be another one: a field ``device`` (``cpu``, ``cuda`` or ``auto``) is filled in by
    ``ganiq generate --device``.
    """

    info: ClassVar[GeneratorInfo]
    """Listing reads it of the class, running of the instance: where a file of the user's decides, e.g. the scale, it
    is a descriptor that answers an instance with more than the class."""

    def __call__(self, image: Tensor, /) -> Tensor: ...


@runtime_checkable
class Degradation(Protocol):
    """(H,W,3) uint8 and a seeded generator -> (h,w,3) uint8."""

    info: ClassVar[GeneratorInfo]

    def __call__(self, image: NDArray[np.uint8], random: np.random.Generator, /) -> NDArray[np.uint8]: ...


@runtime_checkable
class Sampler(Protocol):
    """A seed, and a label where there are classes -> (3,H,W) in [0,1]; equal arguments give equal images.

    One that stands on files has a property ``identity``, a dictionary of their hashes; one that has only so many images
    has ``__len__``; one that reads image files has a method ``under``, which is given the ``Gate`` of the sweep and
    answers with the same sampler under its rules.
    """

    @property
    def info(self) -> GeneratorInfo: ...

    def __call__(self, seed: int, label: int | None = None, /) -> Tensor: ...
