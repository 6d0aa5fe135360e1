"""Metrics that break one promise each, and three that break none; see test_conformance_suite.

They stand in a module of their own because the suite builds them again in another process.
"""

from __future__ import annotations

import os
import random
import weakref
from dataclasses import dataclass, field
from functools import cache
from math import inf, nan
from pathlib import Path
from tempfile import gettempdir
from typing import Any, ClassVar

import numpy as np
import torch
from ganiq.bench.protocols import MetricInfo
from torch import Tensor


def told(name: str, **more: Any) -> MetricInfo:
    """A complete and true description, but for what is given."""
    values: dict[str, Any] = {
        "needs": "pair", "better": "lower", "bounds": (0.0, 1.0), "dtype": "float64", "cite": "unpublished",
    }  # fmt: skip
    return MetricInfo(name, name, **{**values, **more})


def error(images: Any, references: Any) -> Tensor:
    """Mean absolute error of each image."""
    return (
        torch.stack([(x - y).abs().mean() for x, y in zip(images, references)])
        if len(images)
        else images.sum((1, 2, 3))
    )


def grain(images: Tensor) -> Tensor:
    """Mean absolute difference of neighbours in a row; 0 where there is one column only."""
    if images.shape[3] == 1:
        return images.new_zeros(images.shape[0])
    return torch.stack([x.diff(dim=2).abs().mean() for x in images]) if len(images) else images.sum((1, 2, 3))


# --------------------------------------------------------------------------------- good ones


@dataclass(frozen=True)
class Good:
    """Full-reference."""

    info: ClassVar = told("good")

    def __call__(self, images: Any, references: Any = None, /) -> Any:
        return error(images, references)


@dataclass(frozen=True)
class GoodImage:
    """No-reference, and no judge of quality."""

    info: ClassVar = told("good-image", needs="image", role="control")

    def __call__(self, images: Any, references: Any = None, /) -> Any:
        return grain(images)


@dataclass(frozen=True)
class GoodSet:
    """Distance of the means of two sets."""

    features: ClassVar = "inception-fid"
    info: ClassVar = told("good-set", needs="set", bounds=(0.0, inf), dtype="float32")

    def __call__(self, generated: Any, real: Any, /) -> Any:
        self.enough(generated, real)
        return float((generated.double().mean(0) - real.double().mean(0)).norm())

    def enough(self, generated: Tensor, real: Tensor) -> None:
        if min(len(generated), len(real)) < 2:
            raise ValueError("sets of fewer than 2 images have no mean worth the name; use more")


# --------------------------------------------------------------------------------- description


class Nameless:
    def __call__(self, images, references=None, /):
        return error(images, references)


@dataclass(frozen=True)
class Misnamed(Good):
    info = told("another")


@dataclass(frozen=True)
class Untitled(Good):
    info = MetricInfo("untitled", " ", "pair", "lower", (0.0, 1.0), dtype="float64", cite="unpublished")


@dataclass(frozen=True)
class Needy(Good):
    info = told("needy", needs="both")


@dataclass(frozen=True)
class Undirected(Good):
    info = told("undirected", better="bigger")


@dataclass(frozen=True)
class Imprecise(Good):
    info = told("imprecise", dtype="float16")


@dataclass(frozen=True)
class Roleless(Good):
    info = told("roleless", role="judge")


@dataclass(frozen=True)
class Unbounded(Good):
    info = told("unbounded", bounds=(nan, nan))


@dataclass(frozen=True)
class Negative(Good):
    info = told("negative", least=0)


@dataclass(frozen=True)
class Uncited(Good):
    info = told("uncited", cite="")


@dataclass(frozen=True)
class Clipped(Good):
    info = told("clipped", note="It ends in the middle")


@dataclass(frozen=True)
class Unlicensed(Good):
    info = told("unlicensed", weights=("niqe/pristine-live",))


@dataclass(frozen=True)
class Licensed(Good):
    info = told("licensed", license="MIT")


@dataclass(frozen=True)
class Weighty(Good):
    info = told("weighty", weights=("no/such-slot",), license="MIT")


@dataclass(frozen=True)
class Featureless(GoodSet):
    info = told("featureless", needs="set")
    features = "no-such-extractor"


@dataclass(frozen=True)
class Demanding(Good):
    info: ClassVar = told("demanding")
    strength: float


@dataclass
class Loose:
    info: ClassVar = told("loose")

    def __call__(self, images: Tensor, references: Tensor, /) -> Tensor:
        return error(images, references)


@dataclass(frozen=True)
class Listed(Good):
    info: ClassVar = told("listed")
    scales: tuple[int, ...] = (1, 2)


@dataclass(frozen=True)
class Endless(Good):
    info: ClassVar = told("endless")
    limit: float = inf


@dataclass(frozen=True, eq=False)
class Incomparable(Good):
    info: ClassVar = told("incomparable")

    def __eq__(self, other: object) -> bool:
        return self is other

    __hash__ = None  # type: ignore[assignment]


@dataclass(frozen=True)
class Hiding(Good):
    info: ClassVar = told("hiding")
    hidden: int = field(default=3, init=False)


@dataclass(frozen=True)
class Uncallable(Good):
    info = told("uncallable")
    __call__ = None  # type: ignore[assignment]


@dataclass(frozen=True)
class Narrow(Good):
    info = told("narrow")

    def __call__(self, images: Tensor, /) -> Tensor:  # type: ignore[override]
        return grain(images)


# --------------------------------------------------------------------------------- answers


@dataclass(frozen=True)
class WrongShape(Good):
    info = told("wrong-shape")

    def __call__(self, images, references=None, /):
        return error(images, references).mean()


@dataclass(frozen=True)
class Complex(Good):
    info = told("complex")

    def __call__(self, images, references=None, /):
        return error(images, references) + 0j


@dataclass(frozen=True)
class Inventive(Good):
    """Has an answer to no question."""

    info = told("inventive")

    def __call__(self, images, references=None, /):
        return error(images, references) if len(images) else images.new_zeros(1)


@dataclass(frozen=True)
class TensorOfSets(GoodSet):
    info = told("tensor-of-sets", needs="set")

    def __call__(self, generated, real, /):
        return generated.mean() - real.mean()


@dataclass(frozen=True)
class Crashing(Good):
    info = told("crashing")

    def __call__(self, images, references=None, /):
        raise RuntimeError("shapes do not fit")


@dataclass(frozen=True)
class Exiting(Good):
    info = told("exiting")

    def __call__(self, images, references=None, /):
        raise SystemExit("enough")


@dataclass(frozen=True)
class OutOfBounds(Good):
    info = told("out-of-bounds", bounds=(0.0, 0.2))


@dataclass(frozen=True)
class Undefined(Good):
    """NaN where two images have nothing in common."""

    info = told("undefined")

    def __call__(self, images, references=None, /):
        values = error(images, references)
        return torch.where(values > 0.2, nan, values)


@dataclass(frozen=True)
class FarSets(GoodSet):
    info = told("far-sets", needs="set", bounds=(0.0, 3.0), dtype="float32")


@dataclass(frozen=True)
class WrongWay(Good):
    info = told("wrong-way", better="higher")


@dataclass(frozen=True)
class WrongWaySet(GoodSet):
    info = told("wrong-way-set", needs="set", better="higher", bounds=(0.0, inf), dtype="float32")


@dataclass(frozen=True)
class Coarse(Good):
    """Cannot tell much from very much."""

    info = told("coarse")

    def __call__(self, images, references=None, /):
        return error(images, references).clamp_max(0.04)


@dataclass(frozen=True)
class Undetermined(Good):
    """NaN for what has nothing to compare."""

    info = told("undetermined")

    def __call__(self, images, references=None, /):
        values = error(images, references)
        return torch.where(values == 0, nan, values)


# --------------------------------------------------------------------------------- independence


@dataclass(frozen=True)
class Comparing(Good):
    """Scaled by the extremes of the batch."""

    info = told("comparing")

    def __call__(self, images, references=None, /):
        return error(images, references) * (images.amax() if len(images) else 1)


@dataclass(frozen=True)
class Counting(Good):
    """The later in the batch, the worse."""

    info = told("counting")

    def __call__(self, images, references=None, /):
        return error(images, references) + 1e-9 * torch.arange(len(images))


@dataclass(frozen=True)
class Ordered(GoodSet):
    """Looks at the first half of the real images only."""

    info = told("ordered", needs="set", bounds=(0.0, inf), dtype="float32")

    def __call__(self, generated, real, /):
        return super().__call__(generated, real[: max(1, len(real) // 2)])


@dataclass(frozen=True)
class Rolling(Good):
    """Rolls its own dice."""

    info = told("rolling")

    def __call__(self, images, references=None, /):
        return error(images, references) * (1 - 1e-7 * np.random.default_rng().random())


@dataclass(frozen=True)
class RollingSet(GoodSet):
    info = told("rolling-set", needs="set", bounds=(0.0, inf))

    def __call__(self, generated, real, /):
        return super().__call__(generated, real) * (1 - 0.01 * np.random.default_rng().random())


@dataclass(frozen=True)
class Remembering(Good):
    """Thinks that a tensor it knows still holds what it held."""

    info = told("remembering")
    last: ClassVar[tuple[Any, Any]] = (None, None)

    def __call__(self, images, references=None, /):
        ref, answer = Remembering.last
        if ref is None or ref() is not images:
            answer = error(images, references)
            Remembering.last = (weakref.ref(images), answer)
        return answer


@dataclass(frozen=True)
class RememberingSet(GoodSet):
    info = told("remembering-set", needs="set", bounds=(0.0, inf), dtype="float32")
    last: ClassVar[tuple[Any, Any]] = (None, 0.0)

    def __call__(self, generated, real, /):
        ref, answer = RememberingSet.last
        if ref is None or ref() is not generated:
            answer = super().__call__(generated, real)
            RememberingSet.last = (weakref.ref(generated), answer)
        return answer


@dataclass(frozen=True)
class Drawing(Good):
    """Draws from the global generator and does nothing with it."""

    info = told("drawing")

    def __call__(self, images, references=None, /):
        torch.rand(1)
        return error(images, references)


@dataclass(frozen=True)
class Seeding(Good):
    """Wants to be reproducible, at everybody's cost."""

    info = told("seeding")

    def __call__(self, images, references=None, /):
        torch.manual_seed(0)
        np.random.seed(0)  # noqa: NPY002
        random.seed(0)
        return error(images, references)


@dataclass(frozen=True)
class SeedingSet(GoodSet):
    info = told("seeding-set", needs="set", bounds=(0.0, inf), dtype="float32")

    def __call__(self, generated, real, /):
        np.random.seed(0)  # noqa: NPY002
        return super().__call__(generated, real)


@cache
def network() -> float:
    """Initialises what it then loads: once per process."""
    return 1 + 0 * random.random()


@dataclass(frozen=True)
class DrawingOnce(Good):
    info = told("drawing-once")

    def __call__(self, images, references=None, /):
        return error(images, references) * network()


@dataclass(frozen=True)
class Homesick(Good):
    """Another number in every process."""

    info = told("homesick")

    def __call__(self, images, references=None, /):
        return error(images, references) * (1 - 1e-8 * os.getpid())


@dataclass(frozen=True)
class Clinging(Good):
    """Works in the process that imported its module only."""

    info = told("clinging")

    def __call__(self, images, references=None, /):
        if os.getpid() != HOME:
            raise RuntimeError("where am I?")
        return error(images, references)


HOME = int(os.environ.setdefault("GANIQ_TEST_HOME", str(os.getpid())))  # inherited by the processes it starts


@dataclass(frozen=True)
class Dying(Good):
    """Takes the other process down."""

    info = told("dying")

    def __call__(self, images, references=None, /):
        if os.getpid() != HOME:
            os._exit(7)
        return error(images, references)


def local() -> type:
    """A class that no other process can find."""

    @dataclass(frozen=True)
    class Local(Good):
        info = told("local")

    return Local


@dataclass(frozen=True)
class Unpicklable(Good):
    info = told("unpicklable")

    def __reduce__(self):
        raise TypeError("cannot pickle a handle")


@dataclass(frozen=True)
class Growing(Good):
    """Keeps its network in itself."""

    info: ClassVar = told("growing")

    def __call__(self, images, references=None, /):
        object.__setattr__(self, "network", torch.zeros(10_000))
        return error(images, references)


@dataclass(frozen=True)
class Forgetful(Good):
    """Loses its parameter on the way."""

    info: ClassVar = told("forgetful")
    power: int = 1

    def __getstate__(self) -> dict[str, int]:
        return {"power": 2}


# --------------------------------------------------------------------------------- manners


@dataclass(frozen=True)
class Mutating(Good):
    """Saves memory."""

    info = told("mutating")

    def __call__(self, images, references=None, /):
        answer = error(images, references)
        references *= 0.999
        return answer


@dataclass(frozen=True)
class MutatingImage(GoodImage):
    info = told("mutating-image", needs="image", role="control")

    def __call__(self, images, references=None, /):
        answer = grain(images)
        images.clamp_(0.01, 0.99)
        return answer


@dataclass(frozen=True)
class MutatingSet(GoodSet):
    info = told("mutating-set", needs="set", bounds=(0.0, inf), dtype="float32")

    def __call__(self, generated, real, /):
        answer = super().__call__(generated, real)
        generated += 1e-3
        return answer


@dataclass(frozen=True)
class Greedy(Good):
    """Takes all cores."""

    info = told("greedy")

    def __call__(self, images, references=None, /):
        torch.set_num_threads(2)
        return error(images, references)


@dataclass(frozen=True)
class Switching(Good):
    info = told("switching")

    def __call__(self, images, references=None, /):
        torch.set_default_dtype(torch.float64)
        return error(images, references)


@dataclass(frozen=True)
class Wandering(Good):
    info = told("wandering")

    def __call__(self, images, references=None, /):
        os.chdir(Path(gettempdir()).resolve())
        return error(images, references)


@dataclass(frozen=True)
class Silencing(GoodSet):
    info = told("silencing", needs="set", bounds=(0.0, inf), dtype="float32")

    def __call__(self, generated, real, /):
        np.seterr(all="raise")
        return super().__call__(generated, real)


@dataclass(frozen=True)
class Cancelling(Good):
    """Subtracts large numbers."""

    info = told("cancelling", dtype="float32")

    def __call__(self, images, references=None, /):
        return error(images + 1e5, references + 1e5)


@dataclass(frozen=True)
class OnlyDouble(Good):
    info = told("only-double")

    def __call__(self, images, references=None, /):
        if len(images) and images.dtype != torch.float64:
            images = images @ torch.eye(images.shape[-1], dtype=torch.float64)
        return error(images, references)


# --------------------------------------------------------------------------------- sizes and odd content


@dataclass(frozen=True)
class Halving(Good):
    """Takes two rows at a time, and says that eight are enough."""

    info = told("halving", least=8)

    def __call__(self, images, references=None, /):
        if min(images.shape[2:]) < 8:
            raise ValueError("images need 8 pixels")
        n, _, height, width = images.shape
        return error(*(batch.reshape(n, 3, height // 2, 2 * width) for batch in (images, references)))


@dataclass(frozen=True)
class Dishonest(Good):
    """Needs eleven pixels and says that one will do."""

    info = told("dishonest", least=1)

    def __call__(self, images, references=None, /):
        return error(*(torch.nn.functional.avg_pool2d(batch, 11, 1) for batch in (images, references)))


@dataclass(frozen=True)
class Vague(Good):
    """Refuses without saying what would do."""

    info = told("vague", least=16)

    def __call__(self, images, references=None, /):
        if min(images.shape[2:]) < 16:
            raise ValueError("too small")
        return error(images, references)


@dataclass(frozen=True)
class Rude(Good):
    """Fails somewhere deep instead of refusing."""

    info = told("rude", least=16)

    def __call__(self, images, references=None, /):
        if min(images.shape[2:]) < 16:
            raise IndexError("index 15 is out of bounds")
        return error(images, references)


@dataclass(frozen=True)
class Dividing(Good):
    info = told("dividing")

    def __call__(self, images, references=None, /):
        if any(float(x.amax() - x.amin()) == 0 for x in images):
            raise ZeroDivisionError("division by zero")
        return error(images, references)


@dataclass(frozen=True)
class Exploding(GoodImage):
    info = told("exploding", needs="image", role="control", least=2)

    def __call__(self, images, references=None, /):
        values = grain(images)
        return torch.where(values == 0, -1.0, values)


@dataclass(frozen=True)
class Colourful(Good):
    """Divides by the colour there is."""

    info = told("colourful")

    def __call__(self, images, references=None, /):
        colour = references.std(dim=1).amax(dim=(1, 2)) if len(references) else 1
        return error(images, references) * (colour / colour)


@dataclass(frozen=True)
class Hasty(GoodSet):
    """Accepts any number of images."""

    info = told("hasty", needs="set", bounds=(0.0, inf), dtype="float32")

    def enough(self, generated, real):
        pass


@dataclass(frozen=True)
class Mumbling(GoodSet):
    info = told("mumbling", needs="set", bounds=(0.0, inf), dtype="float32")

    def enough(self, generated, real):
        if min(len(generated), len(real)) < 2:
            raise ValueError("too few images")


@dataclass(frozen=True)
class Stumbling(GoodSet):
    info = told("stumbling", needs="set", bounds=(0.0, inf), dtype="float32")

    def enough(self, generated, real):
        if min(len(generated), len(real)) < 2:
            raise IndexError("index 1 is out of bounds")


@dataclass(frozen=True)
class Inverting(GoodSet):
    """Inverts a covariance that need not have an inverse."""

    info = told("inverting", needs="set", bounds=(0.0, inf), dtype="float32")

    def __call__(self, generated, real, /):
        self.enough(generated, real)
        difference = generated.double().mean(0) - real.double().mean(0)
        covariance = torch.cov(generated.double().T)
        return float(difference @ torch.linalg.inv(covariance) @ difference)


@dataclass(frozen=True)
class Choosy(GoodSet):
    """Never content."""

    info = told("choosy", needs="set")

    def __call__(self, generated, real, /):
        raise ValueError("at least 1000000 images are needed")


# --------------------------------------------------------------------------------- wrong on a device


@dataclass(frozen=True)
class Rooted(Good):
    """Makes a constant without asking where the images lie."""

    info: ClassVar = told("rooted")

    def __call__(self, images, references=None, /):
        weights = torch.tensor([0.299, 0.587, 0.114], dtype=images.dtype).view(3, 1, 1)
        return error(images * weights, references * weights)


@dataclass(frozen=True)
class Grabbing(Good):
    """Hands the images to NumPy where they lie."""

    info: ClassVar = told("grabbing")

    def __call__(self, images, references=None, /):
        return images.new_tensor([float(np.abs(x.numpy() - y.numpy()).mean()) for x, y in zip(images, references)])


@dataclass(frozen=True)
class Fetching(Good):
    """Answers from the CPU."""

    info: ClassVar = told("fetching")

    def __call__(self, images, references=None, /):
        return error(images.cpu(), references.cpu())


@dataclass(frozen=True)
class Divided(Good):
    """Has another formula for another device."""

    info: ClassVar = told("divided")

    def __call__(self, images, references=None, /):
        answer = error(images, references)
        return answer if images.device.type == "cpu" else answer / 2
