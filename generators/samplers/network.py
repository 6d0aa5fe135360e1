"""What samplers share that run a generator network of the user's: latents, labels, range, and saying what went wrong.

``onnx-sampler`` and ``torchscript-sampler`` differ in what they load and in how it is called. Everything else is here,
so that it is the same for both.

Protocol: the latent of seed s is ``spread`` times the standard normal numbers that NumPy's PCG64(s) draws, in float64,
rounded to float32; it is the same for every label, and the one of ``dcgan-faces``. One image is made at a time, so
that it depends on its seed and label alone; where a file fixes a batch, the batch is filled with copies and its first
image taken. What the network gives is brought from ``range`` to [0, 1] and clamped; grey becomes three equal planes.
Half precision, TF32 and automatic mixed precision are off; random numbers of torch that a network draws itself follow
from the seed, too, and the state of torch's global generator is left as it was.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from ...bench.errors import Refusal, UsageError
from ...bench.protocols import GeneratorInfo
from ...bench.weights import BadWeights
from ..running import RANGES, OnFile, Unusable, check_values, first_line, quiet, short_name

if TYPE_CHECKING:
    from torch import Tensor

_LATENT = re.compile(r"[1-9]\d{0,8}(x[1-9]\d{0,8})*")
_NAMED_SO = re.compile(r"y|c|cls|.*(label|class|one_?hot).*|(.*_)?cond.*", re.IGNORECASE)
_LARGEST = 2**26  # numbers in one batch of latents, or of labels

Kind = Literal["", "integer", "one-hot"]


@dataclass(frozen=True, slots=True)
class Port:
    """An input of a network, as far as its file describes it."""

    name: str
    dtype: str = ""
    """As NumPy names it; empty where the file does not say."""
    shape: tuple[int | None, ...] | None = None
    """With the batch, None for each open side; None where the file does not say."""

    @property
    def shown(self) -> str:
        return "x".join("?" if side is None else str(side) for side in self.shape or ()) or "unknown"


@dataclass(frozen=True, slots=True)
class Form:
    """What a network takes for one image."""

    latent: tuple[str, tuple[int, ...]]
    """Name of the input, and the shape of one latent without the batch."""
    batch: int = 1
    kind: Kind = ""
    """How a class is given; empty where there are none."""
    label: tuple[str, str] = ("", "")
    """Name of the input and its type."""
    classes: int = 0
    """0 = not known."""
    column: bool = False
    """Whether integer labels have the shape (batch, 1) and not (batch,)."""

    def feeds(self, latent: npt.NDArray[np.float32], label: int) -> dict[str, np.ndarray]:
        """The inputs for one latent and one class."""
        whole: dict[str, np.ndarray] = {self.latent[0]: np.repeat(latent[None], self.batch, axis=0)}
        if self.kind == "one-hot":
            whole[self.label[0]] = np.zeros((self.batch, self.classes), self.label[1])
            whole[self.label[0]][:, label] = 1
        elif self.kind:
            whole[self.label[0]] = np.full((self.batch, 1) if self.column else self.batch, label, self.label[1])
        return whole


@dataclass(frozen=True, slots=True)
class Loaded:
    """A network, ready to run."""

    call: Callable[[dict[str, np.ndarray]], Any]
    """Inputs by name -> (batch, 3 or 1, H, W)."""
    form: Form
    what: str
    """What kind of file it is, for its title."""
    identity: Mapping[str, str]
    device: str = "cpu"
    """Where torch computes, if it does."""


@dataclass(frozen=True, kw_only=True)
class NetworkSampler(OnFile):
    """A generator network of the user's: seed, and label where it has classes -> (3, H, W) in [0, 1].

    Loaded when it is first used, and tried once, so that a file of another form is said to be one once and not for
    every image. A pickled copy loads again where it arrives.
    """

    latent: str | int = ""
    """Shape of one latent without the batch: ``128``, ``100x1x1``. By default what the file's input says, which must be
    given where the file leaves it open."""
    label: str = ""
    """How a class is given: ``integer`` or ``one-hot``; by default what the file's input says."""
    classes: int = 0
    """How many classes there are, where the file does not say; 0 = not known."""
    label_input: str = ""
    """Name of the input for the class, where neither types nor names tell it from the latent."""
    range: str = "-1..1"
    """Scale of the values it gives: ``-1..1``, ``0..1`` or ``0..255``."""
    spread: float = 1.0
    """Standard deviation of the latent's values; 1 as in training, less gives more alike images."""
    batch: int = 0
    """How many latents it takes at once, where that is fixed and the file does not say so."""

    def __post_init__(self) -> None:
        OnFile.__post_init__(self)
        if isinstance(self.latent, bool) or not (self.latent == "" or _LATENT.fullmatch(str(self.latent))):
            raise UsageError(f"latent must be written 128 or 100x1x1, not {self.latent!r}", code="E-CFG")
        if self.label not in ("", "integer", "one-hot"):
            raise UsageError(f"label is one of integer, one-hot or empty, not {self.label!r}", code="E-CFG")
        if not isinstance(self.label_input, str):
            raise UsageError(f"label_input must name an input, not {self.label_input!r}", code="E-CFG")
        if self.range not in RANGES:
            raise UsageError(f"range is one of {', '.join(RANGES)}, not {self.range!r}", code="E-CFG")
        if not isinstance(self.spread, int | float) or not 0 <= self.spread <= 10:
            raise UsageError(f"spread must lie between 0 and 10, not {self.spread!r}", code="E-CFG")
        for name, value in (("classes", self.classes), ("batch", self.batch)):
            if type(value) is not int or not 0 <= value <= 2**20:
                raise UsageError(f"{name} must be a whole number from 0 to {2**20}, not {value!r}", code="E-CFG")

    def __call__(self, seed: int, label: int | None = None, /) -> Tensor:
        """
        Raises:
            UsageError: ``E-CFG``, a label where there are no classes, none where there are, or one too high.
            BadWeights, Unusable: it cannot be loaded, or gives something that is no image.
        """
        network = self.network
        form = network.form
        if form.kind and label is None:
            raise UsageError(f"{self.shown} makes images of classes; name those you want in `labels`", code="E-CFG")
        if label is not None and not form.kind:
            raise UsageError(
                f"{self.shown} has no input for a class that must be given; leave out `labels`, or name it "
                "with label_input",
                code="E-CFG",
            )
        if label is not None and not 0 <= label < (form.classes or 2**31):
            has = f"{form.classes} classes, 0 to {form.classes - 1}" if form.classes else "labels from 0"
            raise UsageError(f"{self.shown} has {has}, and label {label} is asked for", code="E-CFG")
        answer = self._answer(network, seed, label or 0)
        return _image(answer, self.range, self.shown, f"seed {seed}" + ("" if label is None else f", label {label}"))

    @cached_property
    def network(self) -> Loaded:
        """What is run.

        Raises:
            UsageError: ``E-CFG``, a parameter contradicts the file, or must be given.
            BadWeights, Unusable: it cannot be loaded, or is no network from latents to images.
        """
        return _kept(self, self._state())

    @property
    def identity(self) -> dict[str, str]:
        """What decides its pixels beside its parameters, for the record: hash of the file, device ..."""
        return {**self.network.identity, "device": self.network.device}

    def _load(self) -> Loaded:
        raise NotImplementedError

    def _answer(self, network: Loaded, seed: int, label: int) -> Tensor:
        """(3 or 1, H, W) float32 on the CPU, on the network's own scale.

        Raises:
            Unusable: ``E-GEN-ERROR``, it fails or answers in another shape; ``E-OOM``.
        """
        import torch

        form = network.form
        random = np.random.Generator(np.random.PCG64(seed))
        latent = (self.spread * random.standard_normal(form.latent[1])).astype(np.float32)
        with quiet(network.device):
            torch.default_generator.manual_seed(seed)
            if network.device == "cuda":
                torch.cuda.default_generators[torch.cuda.current_device()].manual_seed(seed)
            try:
                answer = network.call(form.feeds(latent, label))
            except Exception as error:
                raise _failed(error, self.shown, f"seed {seed}" + (f", label {label}" if form.kind else "")) from None
            shape = tuple(getattr(answer, "shape", ()))
            if not isinstance(answer, torch.Tensor) or not answer.is_floating_point():
                kind = str(answer.dtype) if isinstance(answer, torch.Tensor) else type(answer).__name__
                found = f"it gave {kind}"
            elif len(shape) != 4 or shape[0] != form.batch or shape[1] not in (1, 3) or not answer.numel():
                last = " (channels last)" if len(shape) == 4 and shape[3] in (1, 3) else ""
                found = f"it gave the shape {shape}{last} for {form.batch} latent of the shape {form.latent[1]}"
            else:
                return answer[0].detach().to("cpu", torch.float32)
        wanted = f"({form.batch}, 3 or 1, height, width)"
        raise Unusable(
            "E-GEN-SHAPE", self.shown, found, f"export it with one output {wanted} in floating point", "not made"
        )

    def _described(self, template: GeneratorInfo) -> GeneratorInfo:
        network = self.network
        name = short_name(Path(self.path).stem, network.identity["sha256"])
        return replace(template, name=name, title=f"{network.what} in {self.shown}")

    def __getstate__(self) -> dict[str, Any]:
        return {one.name: getattr(self, one.name) for one in fields(self)}


@lru_cache(maxsize=2)
def _kept(sampler: NetworkSampler, state: tuple[Any, ...]) -> Loaded:
    """The last two networks stay loaded: a run makes a sampler anew once it is its turn."""
    try:
        loaded = sampler._load()
        sampler._answer(loaded, 0, 0)
    except Refusal as error:
        if error.done == "not restored":  # as what restorers share with it says
            error.done = "not made"
        raise
    return loaded


def form_of(ports: Sequence[Port], sampler: NetworkSampler) -> Form:
    """Which input is the latent, which the class, and of what shape.

    Args:
        ports: every input that must be given.
        sampler: what the user said.

    Raises:
        UsageError: ``E-CFG``, what the user said contradicts the file, or does not suffice.
        BadWeights: ``E-CKPT-KEYS``, it takes no latents.
    """
    name = sampler.shown
    latent, label = _told_apart(ports, sampler)
    if latent.dtype not in ("", "float32"):
        raise _odd(name, f"its input {latent.name} is {latent.dtype} and not float32")
    shape = tuple(int(side) for side in str(sampler.latent).split("x")) if sampler.latent != "" else None
    if latent.shape is not None:
        if len(latent.shape) < 2:
            raise _odd(name, f"its input {latent.name} has the shape {latent.shown}, which leaves no room for a batch")
        sides = latent.shape[1:]
        if shape is not None and (
            len(shape) != len(sides) or any(b is not None and a != b for a, b in zip(shape, sides, strict=True))
        ):
            raise UsageError(
                f"{name}: its input {latent.name} has the shape {latent.shown}, batch first, and latent="
                f"{sampler.latent!r} does not fit; correct it, or leave it out",
                code="E-CFG",
            )
        shape = shape or tuple(side for side in sides if side is not None)
        if len(shape) != len(sides):
            raise UsageError(
                f"{name}: its input {latent.name} has the shape {latent.shown} and leaves the latent open; "
                "say it, e.g. latent='100x1x1'",
                code="E-CFG",
            )
    elif shape is None:
        raise UsageError(
            f"{name}: the file does not say how long its latents are; say it, e.g. latent=128, or latent='100x1x1'",
            code="E-CFG",
        )
    kind, classes, column = _label(label, sampler)
    dtype = (label.dtype if label else "") or ("float32" if kind == "one-hot" else "int64")
    fixed = {sampler.batch} | {port.shape[0] or 0 for port in (latent, label) if port and port.shape}
    fixed -= {0}
    if len(fixed) > 1:
        raise UsageError(
            f"{name}: its inputs {' and '.join(p.name for p in ports)} and the parameter batch speak of "
            f"{' and '.join(map(str, sorted(fixed)))} images at once; leave batch out, or correct the file",
            code="E-CFG",
        )
    batch = max(fixed, default=1)
    if batch * max(math.prod(shape), classes) > _LARGEST:
        raise _odd(name, f"a batch of {batch} latents of the shape {shape} is larger than any generator's")
    return Form((latent.name, shape), batch, kind, (label.name, dtype) if label else ("", ""), classes, column)


def _told_apart(ports: Sequence[Port], sampler: NetworkSampler) -> tuple[Port, Port | None]:
    """The latent and, where there are two inputs, the class."""
    names = ", ".join(port.name for port in ports)
    if not 1 <= len(ports) <= 2:
        raise _odd(sampler.shown, f"it has {len(ports)} inputs ({names})" if ports else "it has no inputs")
    named = [port for port in ports if port.name == sampler.label_input]
    if sampler.label_input and (not named or len(ports) == 1):
        raise UsageError(
            f"{sampler.shown}: label_input={sampler.label_input!r} names none of its inputs beside the latent "
            f"({names}); correct it",
            code="E-CFG",
        )
    if len(ports) == 1:
        return ports[0], None
    for found in (
        named,
        [port for port in ports if port.dtype.startswith("int")],
        [port for port in ports if _NAMED_SO.fullmatch(port.name)],
    ):
        if len(found) == 1:
            return next(port for port in ports if port is not found[0]), found[0]
    raise UsageError(
        f"{sampler.shown}: which of its inputs {ports[0].name} and {ports[1].name} is the class? name it, e.g. "
        f"label_input={ports[1].name!r}",
        code="E-CFG",
    )


def _label(port: Port | None, sampler: NetworkSampler) -> tuple[Kind, int, bool]:
    """How classes are given, how many there are, and whether as a column."""
    name = sampler.shown
    if port is None:
        if sampler.label or sampler.classes:
            raise UsageError(f"{name}: it takes no classes; leave out label and classes", code="E-CFG")
        return "", 0, False
    if port.dtype not in ("", "int64", "int32", "float32"):
        raise _odd(name, f"its input {port.name} is {port.dtype}, and classes are int64, int32 or float32")
    shape = port.shape
    if shape is not None and len(shape) not in (1, 2):
        raise _odd(name, f"its input {port.name} has the shape {port.shown}, which is neither integers nor one-hot")
    width = shape[1] if shape is not None and len(shape) == 2 else 0
    found: Kind = "integer" if port.dtype != "float32" else "one-hot"
    if width and width > 1:
        found = "one-hot"
    elif shape is not None and (len(shape) == 1 or width == 1):
        found = "integer"
    elif sampler.label:  # neither the type nor the shape decides
        found = "integer" if sampler.label == "integer" else "one-hot"
    if sampler.label and sampler.label != found:
        raise UsageError(
            f"{name}: its input {port.name} has the shape {port.shown} and takes {found} labels; correct label",
            code="E-CFG",
        )
    classes = sampler.classes
    if found == "one-hot":
        if width and classes not in (0, width):
            raise UsageError(f"{name}: it has {width} classes, and classes={classes}; correct it", code="E-CFG")
        classes = width or classes
        if not classes:
            raise UsageError(f"{name}: the file does not say how many classes there are; say classes=", code="E-CFG")
    return found, classes, found == "integer" and shape is not None and len(shape) == 2


def _odd(name: str, found: str) -> BadWeights:
    advice = "export the generator with one latent, a class where it has any, and one image, in float32, batch first"
    return BadWeights("E-CKPT-KEYS", name, found, advice)


def _failed(error: Exception, name: str, what: str) -> Exception:
    """A failure of the network as one sentence."""
    if isinstance(error, Refusal | UsageError):
        return error
    import torch

    text = first_line(error)
    if isinstance(error, MemoryError | torch.OutOfMemoryError) or "allocate memory" in str(error):
        return Unusable("E-OOM", name, f"there is not enough memory for {what} ({text})", "free memory", "not made")
    return Unusable(
        "E-GEN-ERROR", name, f"it failed on {what} ({type(error).__name__}: {text})",
        "check that latent, label, classes and batch are those that it was exported for", "not made",
    )  # fmt: skip


def _image(answer: Tensor, range: str, name: str, what: str) -> Tensor:
    """(3, H, W) in [0, 1] from (3 or 1, H, W) on another scale.

    Raises:
        Unusable: ``E-GEN-NAN``, values that are not finite; ``E-GEN-VALUES``, it gives values of another range.
    """
    factor, offset = RANGES[range]
    image = (answer - offset) / factor
    check_values(image, what, name, range, "not made")
    return image.clamp(0, 1).expand(3, -1, -1).contiguous()
