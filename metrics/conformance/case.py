"""A metric on trial: how it is built, called and read, the same way for every property."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ...bench import weights
from ...bench.protocols import MetricInfo
from . import state, subjects

if TYPE_CHECKING:
    from torch import Tensor

    from .check import Row

ORDINARY = (96, 103)
"""Height and width of the crops where the size does not matter: time goes with the area."""
WHOLE = (196, 208)
"""Where that is too small for the metric."""
NETWORK = 35
"""Shortest side for metrics with weights, which are networks as a rule and slow."""
SETS = ((256, 6), (4096, 6), (256, 0), (4096, 0))
"""Sizes (N, D) of the sets, the first that a set metric accepts; D = 0 stands for its extractor's."""


class Broken(AssertionError):
    """A property does not hold: one sentence, what was found and what to do."""


class Skipped(Exception):
    """A property cannot be checked, or says nothing about this metric: one sentence why."""


def accelerator() -> str:
    """The device that metrics are tried on beside the CPU; empty where there is none."""
    import torch

    return "cuda" if torch.cuda.is_available() else ""


@dataclass
class Case:
    """One metric, with all that the properties need to know of it."""

    name: str
    factory: Callable[[], Any]
    """Builds the metric with its default parameters, or those that were named."""
    extractor: Callable[[str], Any]
    """Name of a feature extractor -> the extractor's class; raises where there is none."""
    untrained: bool = False
    """Weights that are missing have been replaced by random ones in this process."""
    device: str = field(default_factory=accelerator)
    """Where it is tried beside the CPU, if anywhere."""
    rows: dict[str, Row] = field(default_factory=dict)
    """Properties that have been checked."""
    touched: list[str] = field(default_factory=list)
    """Settings of the process that it was seen to change."""

    @property
    def kind(self) -> str:
        """``image``, ``pair`` or ``set``; empty where the metric does not say so."""
        info = getattr(self.factory, "info", None)
        return info.needs if isinstance(info, MetricInfo) and info.needs in ("image", "pair", "set") else ""

    @property
    def info(self) -> MetricInfo:
        return self.factory.info  # type: ignore[attr-defined]

    @cached_property
    def least(self) -> int:
        """Shortest side that it can score with the parameters it has."""
        given = isinstance(getattr(type(self.metric), "least", None), property)
        return int(self.metric.least) if given else self.info.least

    @cached_property
    def metric(self) -> Any:
        """One instance, used again and again as the harness does."""
        return self.factory()

    @property
    def missing(self) -> tuple[str, ...]:
        """Slots of weights that are not on this computer."""
        known = weights.slots()
        slots = getattr(getattr(self.factory, "info", None), "weights", ())
        return tuple(slot for slot in slots if slot in known and not weights.present(slot))

    # --- subjects ----------------------------------------------------------------------------------------

    def size(self, *, spare: bool = True) -> tuple[int, int]:
        """Height and width of the crops to try; ``spare`` takes less where the metric is probably slow."""
        least = self.least
        if spare and self.info.weights and least <= min(ORDINARY):
            side = max(NETWORK, least + 3)
            return side, side + 6
        for height, width in (ORDINARY, WHOLE):
            if least <= min(height, width):
                return height, width
        return least + 3, least + 9

    def cast(self, batch: Tensor) -> Tensor:
        """In the precision the metric declares, which is what the harness hands over; always a copy."""
        import torch

        return batch.to(getattr(torch, self.info.dtype), copy=True)

    @cached_property
    def pair(self) -> tuple[Tensor, Tensor]:
        """Three degraded photographs and their originals, in the declared precision."""
        size = self.size()
        return self.cast(subjects.mixed(*size)), self.cast(subjects.photographs(*size))

    @cached_property
    def sets(self) -> tuple[Tensor, Tensor]:
        """Two samples of one distribution, large enough for the metric."""
        wide = self.extractor(self.metric.features).info.dimensions
        refusal: ValueError | None = None
        for count, dimensions in SETS:
            two = (subjects.features(count, dimensions or wide, 1), subjects.features(count, dimensions or wide, 2))
            try:
                self.distance(*two)
            except ValueError as error:
                refusal = error
                continue
            return two
        raise Broken(
            f"it refuses {SETS[-1][0]} by {wide} features of a normal distribution ({line(refusal)}); "
            "let it score sets of that size"
        )

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """What to call it with where any input will do, never handed out twice: copies."""
        if self.kind == "set":
            return tuple(part.clone() for part in self.sets)
        images, references = (batch[:1].clone() for batch in self.pair)
        return (images, references) if self.kind == "pair" else (images,)

    # --- calls -------------------------------------------------------------------------------------------

    def score(self, images: Tensor, references: Tensor, metric: Any = None) -> list[float]:
        """Values of a batch, called as the harness does, on copies; references only for ``pair``.

        Raises:
            Broken: the answer is not one real number per image.
        """
        both = (self.cast(images), self.cast(references))
        return self.call(both if self.kind == "pair" else both[:1], metric)

    def distance(self, generated: Tensor, real: Tensor, metric: Any = None) -> float:
        """Value of two sets of features, called on copies.

        Raises:
            Broken: the answer is no number.
        """
        return self.call((generated.clone(), real.clone()), metric)[0]

    def call(self, inputs: Sequence[Tensor], metric: Any = None) -> list[float]:
        """Values for these very tensors.

        Raises:
            Broken: the answer is not of the promised shape, or on another device than the images.
        """
        import torch

        metric = self.metric if metric is None else metric
        with state.guarded(self.touched):
            if self.kind == "set":
                answer = metric(*inputs)
            else:
                with torch.inference_mode():
                    answer = metric(*inputs)
        if self.kind != "set" and isinstance(answer, torch.Tensor) and answer.device != inputs[0].device:
            raise Broken(
                f"its numbers for images on {inputs[0].device} lie on {answer.device}; leave them where the images are"
            )
        return read(answer, None if self.kind == "set" else inputs[0].shape[0])

    def in_bounds(self, value: float) -> bool:
        low, high = self.info.bounds
        return low <= value <= high


def read(answer: Any, count: int | None) -> list[float]:
    """The numbers in a metric's answer to ``count`` images, or to two sets (None).

    Raises:
        Broken: it is something else.
    """
    import torch

    if count is None:
        if not isinstance(answer, float):
            raise Broken(f"it answered two sets with {described(answer)}; return a float")
        return [float(answer)]
    if not isinstance(answer, torch.Tensor) or answer.shape != (count,) or not answer.is_floating_point():
        raise Broken(
            f"it answered {count} images with {described(answer)}; return a tensor of real numbers of shape ({count},)"
        )
    return [float(value) for value in answer]


def described(answer: Any) -> str:
    """A value in a few words."""
    import torch

    if isinstance(answer, torch.Tensor):
        return f"a tensor {tuple(answer.shape)} of {str(answer.dtype).removeprefix('torch.')}"
    return f"{type(answer).__name__} {answer!r}"[:80]


def line(error: BaseException | None) -> str:
    """An exception as one short line."""
    if error is None:
        return ""
    text = " ".join(str(error).split())
    name = type(error).__name__
    return f"{name}: {text if len(text) <= 200 else text[:197] + '...'}" if text else name
