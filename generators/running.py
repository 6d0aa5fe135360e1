"""What every restorer of the user's shares: sizes, padding, tiles, device, range, and saying what went wrong.

``checkpoint``, ``onnx``, ``torchscript``, ``python`` and ``command`` differ in what they load and in how one piece
of an image goes through it. Everything else is here, so that it is the same for all of them.

Protocol: RGB in [0, 1], float32. An image is mirrored beyond its right and lower border (the border pixel not
repeated) up to the size that the network needs, cut into tiles if it is large, and cropped back. A network of one
channel is given the three colours one after the other. A little overshoot is clamped, once, and the result rounded
once where it becomes bytes (``base.restore``); a result on another scale is refused (``check_values``). Half precision,
TF32 and automatic mixed precision are off; random numbers, where a network draws any, are the same for every piece, and
the state of torch's global generator is left as it was.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

from ..bench.errors import Refusal, UsageError
from ..bench.protocols import GeneratorInfo
from ..bench.weights import BadWeights, read_file
from .base import check
from .tiles import tiled

if TYPE_CHECKING:
    from torch import Tensor

TILE = 256
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-@]*")
_FAMILIES = ("", "gan", "psnr", "classical")
_DEVICES = ("cpu", "cuda", "auto")
RANGES = {"0..1": (1.0, 0.0), "0..255": (255.0, 0.0), "-1..1": (2.0, -1.0)}
"""Name of a range of values -> factor and offset that make it of [0, 1]."""
_BEYOND = 0.25  # how far, in widths of the range, values may lie outside of it
_SHARE = 0.01  # and how many of an image may lie farther
# Networks that sharpen overshoot on noise: RealSR gives 1.4 % of such values for photographs with noise of sigma 50,
# 0.2 % with sigma 25. On another scale, a third and more of a photograph's lie out there.
_SHARE_RESTORED = 0.05
_CHATTER = ("torch.meshgrid: in an upcoming release", "Detected pickle protocol ")
"""Beginnings of warnings by torch about code and files that its user has no part in."""


class Unusable(Refusal, UsageError):
    """A restorer cannot run: here, as it was asked for, or on this image. The rest of a run goes on without it."""

    def __init__(self, code: str, path: str, found: str, advice: str, done: str = "not restored") -> None:
        Exception.__init__(self, code, path, found, advice, done)
        self.code, self.path, self.found, self.advice, self.done = code, path, found, advice, done


@dataclass(frozen=True, slots=True)
class Sizes:
    """What a network asks of the sides of its input."""

    minimum: int = 1
    multiple_of: int = 1
    square: bool = False
    fixed: tuple[int, int] | None = None
    """Height and width, where it takes no others."""

    def up(self, length: int) -> int:
        """The next multiple."""
        return -(-length // self.multiple_of) * self.multiple_of

    def padded(self, height: int, width: int) -> tuple[int, int]:
        """The least size that an image must be padded to."""
        if self.fixed:
            return max(height, self.fixed[0]), max(width, self.fixed[1])
        sides = (self.up(max(height, self.minimum)), self.up(max(width, self.minimum)))
        return (max(sides), max(sides)) if self.square else sides

    def tiles(self, tile: int, overlap: int) -> tuple[tuple[int, int], int, tuple[int, int]]:
        """Tile, overlap and least size of a piece; together with padding they make every piece fit."""
        if self.fixed:
            height, width = self.fixed
            overlap = min(overlap, height // 4, width // 4)
            return (height - 2 * overlap, width - 2 * overlap), overlap, self.fixed
        tile, overlap = self.up(tile) if tile else 0, self.up(overlap)
        least = tile + 2 * overlap if self.square and tile else self.up(self.minimum)
        return (tile, tile), overlap, (least, least)


@dataclass(frozen=True, slots=True)
class Network:
    """Something loaded: how one piece goes through it, and what is known about it."""

    call: Callable[[Tensor], Tensor]
    """(1, channels, h, w) float32 on ``device`` -> (1, channels, h*scale, w*scale)."""
    scale: int
    name: str
    """Where the user gives none."""
    title: str
    channels: Literal[1, 3] = 3
    sizes: Sizes = field(default_factory=Sizes)
    tile: int = TILE
    """Side of the tiles where the user does not say; 0 = it had better see the whole image."""
    device: str = "cpu"
    identity: Mapping[str, str] = field(default_factory=dict)
    """What decides its pixels beside its parameters: hashes of files, the architecture ..."""
    range: str = ""
    """Scale of the values that it takes and gives itself, where the user can say so; ``call`` is on [0, 1]."""
    size: int = 0
    """Bytes of its parameters; 0 where that is not known."""
    note: str = ""


class _Described(Protocol):
    def _described(self, template: GeneratorInfo) -> GeneratorInfo: ...


class _Info:
    """``info`` of a class is a template; of an instance it is filled in from what was loaded."""

    def __init__(self, template: GeneratorInfo) -> None:
        self.template = template

    def __get__(self, instance: _Described | None, owner: type) -> GeneratorInfo:
        return self.template if instance is None else instance._described(self.template)


def template(
    name: str, title: str, given: str, *modules: str, note: str = "", kind: Literal["restorer", "sampler"] = "restorer"
) -> Any:
    """``info`` for a class that runs something of the user's; a restorer's scale, 0, means: known once it is loaded."""
    return _Info(
        GeneratorInfo(
            name,
            title,
            kind=kind,
            scale=0 if kind == "restorer" else 1,
            license="that of what is run",
            note=note,
            given=given,
            modules=modules,
        )
    )


@dataclass(frozen=True, kw_only=True)
class Own:
    """A restorer of the user's: (3, h, w) in [0, 1] -> (3, h*scale, w*scale), clamped.

    Loaded when it is first used. A pickled copy loads again where it arrives.
    """

    name: str = ""
    """Name on the board; by default made of what is run and of the first digits of its hash."""
    family: str = ""
    """``gan``, ``psnr`` or ``classical``; empty if that is not to be said."""
    tile: int = -1
    """Side in input pixels of the tiles that a large image is cut into; 0 = in one piece, -1 = what suits the network
    (256, or one piece where it must see everything). A network of fixed input size decides for itself."""
    overlap: int = 32
    """Input pixels of its surroundings that each tile is computed with, on each side. Where the network looks no
    further, tiles change nothing but rounding."""

    info: ClassVar[Any]

    def __post_init__(self) -> None:
        if self.name and not _NAME.fullmatch(self.name):
            raise UsageError(f"name {self.name!r}: use letters, digits, and _ . - @", code="E-CFG")
        if self.family not in _FAMILIES:
            raise UsageError(f"family is one of gan, psnr, classical or empty, not {self.family!r}", code="E-CFG")
        if type(self.tile) is not int or not (self.tile in (-1, 0) or self.tile >= 16):
            raise UsageError(f"tile must be -1, 0 or at least 16 pixels, not {self.tile!r}", code="E-CFG")
        if type(self.overlap) is not int or self.overlap < 0:
            raise UsageError(f"overlap must be a whole number of pixels, not {self.overlap!r}", code="E-CFG")

    def __call__(self, image: Tensor, /) -> Tensor:
        check(image)
        return run(self.network, image, name=self.shown, tile=self.tile, overlap=self.overlap)

    @property
    def shown(self) -> str:
        """What it is called in messages."""
        raise NotImplementedError

    @cached_property
    def network(self) -> Network:
        """What is run.

        Raises:
            BadWeights, Unusable: it cannot be loaded.
        """
        return _kept(self, self._state())

    @property
    def identity(self) -> dict[str, str]:
        """What decides its pixels beside its parameters, for the record: hashes of what is run, device ..."""
        return {**self.network.identity, "device": self.network.device}

    def _load(self) -> Network:
        raise NotImplementedError

    def _state(self) -> tuple[Any, ...]:
        """Changes when what is to be loaded changes."""
        return ()

    def _described(self, template: GeneratorInfo) -> GeneratorInfo:
        network = self.network
        return GeneratorInfo(
            self.name or network.name,
            network.title,
            kind="restorer",
            family=self.family,  # type: ignore[arg-type]
            scale=network.scale,
            license=template.license,
            note=network.note or template.note,
            modules=template.modules,
        )

    def __getstate__(self) -> dict[str, Any]:
        return {one.name: getattr(self, one.name) for one in fields(self)}


@lru_cache(maxsize=2)
def _kept(restorer: Own, state: tuple[Any, ...]) -> Network:
    """The last two networks stay loaded: a run may make a restorer anew for every image."""
    return restorer._load()


@dataclass(frozen=True, kw_only=True)
class OnFile:
    """Something of the user's that is a file."""

    path: str
    """The file."""
    sha256: str = ""
    """If given, a file with another hash is refused."""
    device: str = "cpu"
    """``cpu``, ``cuda``, or ``auto``: cuda if there is one. Numbers differ a little between the two."""

    def __post_init__(self) -> None:
        check_device(self.device)
        if not isinstance(self.path, str) or not self.path:
            raise UsageError("path must name a file, as text", code="E-CFG")
        if self.sha256 and not re.fullmatch(r"[0-9a-f]{64}", self.sha256):
            raise UsageError("sha256 must be 64 hexadecimal digits in lower case", code="E-CFG")

    @property
    def shown(self) -> str:
        """What it is called in messages."""
        return Path(self.path).name or self.path

    @property
    def file(self) -> Path:
        return Path(self.path).expanduser()

    def _state(self) -> tuple[Any, ...]:
        """Changes when the file changes."""
        try:
            facts = self.file.stat()
        except (OSError, ValueError):
            return ()
        return (facts.st_size, facts.st_mtime_ns, facts.st_ino)

    def content(self) -> tuple[bytes, str]:
        """The file's bytes, read once, and their sha256.

        Raises:
            BadWeights: ``E-CKPT-FORMAT``, not a readable regular file; ``E-CKPT-HASH``, not the one expected.
        """
        data = read_file(self.file, self.shown)
        actual = hashlib.sha256(data).hexdigest()
        if self.sha256 and actual != self.sha256:
            raise BadWeights(
                "E-CKPT-HASH", self.shown, f"the file has sha256 {actual}, expected {self.sha256}",
                "get the file that was meant, or correct the hash",
            )  # fmt: skip
        return data, actual


@dataclass(frozen=True, kw_only=True)
class OwnFile(OnFile, Own):
    """A restorer that is a file."""

    def __post_init__(self) -> None:
        Own.__post_init__(self)
        OnFile.__post_init__(self)


def short_name(text: str, sha256: str = "") -> str:
    """A name for boards and folders: text without odd characters, and the first digits of a hash."""
    plain = re.sub(r"[^A-Za-z0-9_.\-]+", "-", text).strip("-.") or "restorer"
    return f"{plain}@{sha256[:8]}" if sha256 else plain


def check_device(device: str) -> None:
    """Raises UsageError unless it is one of the three words."""
    if device not in _DEVICES:
        raise UsageError(f"device is one of {', '.join(_DEVICES)}, not {device!r}", code="E-CFG")


def torch_device(wanted: str, name: str) -> str:
    """``cpu`` or ``cuda``.

    Raises:
        Unusable: ``E-GEN-DEVICE``, cuda was asked for and there is none.
    """
    import torch

    if wanted == "cpu":
        return "cpu"
    if torch.cuda.is_available():
        return "cuda"
    if wanted == "auto":
        return "cpu"
    why = "this torch was built without CUDA" if torch.version.cuda is None else "torch finds no CUDA device"
    raise Unusable("E-GEN-DEVICE", name, why, "say device='cpu', or 'auto' to use CUDA only where there is one")


def needs_package(name: str, package: str, extra: str) -> Unusable:
    """The error for an optional package that is not installed."""
    return Unusable(
        "E-GEN-PACKAGE", name, f"it needs the package {package}, which is not installed",
        f"run `pip install 'ganiq[{extra}]'`",
    )  # fmt: skip


def run(network: Network, image: Tensor, *, name: str, tile: int = -1, overlap: int = 32) -> Tensor:
    """A whole image through a network.

    Args:
        network: what is run.
        image: (3, h, w) in [0, 1], of any floating-point type.
        name: for messages.
        tile: as the field of ``Own``.
        overlap: likewise.

    Returns:
        (3, h*scale, w*scale) of the image's type and device, clamped to [0, 1].

    Raises:
        Unusable: ``E-GEN-ERROR``, the network fails, or answers in another shape; ``E-GEN-NAN``, with values that
            are not numbers; ``E-GEN-VALUES``, on another scale; ``E-OOM``, it needs more memory than there is.
    """
    import torch

    height, width = image.shape[1:]
    sizes, scale = network.sizes, network.scale
    with quiet(network.device):
        planes = _mirrored(image[None].detach().to("cpu", torch.float32), *sizes.padded(height, width))
        sides, shared, least = sizes.tiles(network.tile if tile < 0 else tile, overlap)

        def piece(part: Tensor) -> Tensor:
            return _piece(network, part, name, (height, width))

        done = tiled(piece, planes, scale=scale, tile=sides, overlap=shared, least=least)[0]
    # The whole image is judged, without what was padded: a few bright spots may be much of one tile.
    done = done[:, : height * scale, : width * scale]
    check_values(done, f"an image of {width}x{height} pixels", name, network.range, share=_SHARE_RESTORED)
    return done.clamp(0, 1).to(image)


def check_values(
    image: Tensor, what: str, name: str, range: str = "", done: str = "not restored", share: float = _SHARE
) -> None:
    """Refuse an image that a network has made on another scale than was said; restorers and samplers alike.

    Some overshoot is usual, and is clamped by the caller. Where more than ``share`` of the values lie beyond the range
    by a quarter of its width, the network gives another range, and clamping would leave little but black and white.

    Args:
        image: values brought to [0, 1], not clamped, of any shape.
        what: what it was made of, for the message.
        name: what has made it, likewise.
        range: a name in ``RANGES``, where the user said (or could say) what the network gives; else [0, 1] is wanted.
        done: what becomes of it, for the message.
        share: how many values may lie out there.

    Raises:
        Unusable: ``E-GEN-NAN``, values that are not finite; ``E-GEN-VALUES``, values on another scale.
    """
    import torch

    if not bool(torch.isfinite(image).all()):
        raise Unusable(
            "E-GEN-NAN", name, f"what it gave for {what} holds values that are not finite",
            "check the file and the range of values it was trained with", done,
        )  # fmt: skip
    beyond = int((image < -_BEYOND).sum()) + int((image > 1 + _BEYOND).sum())
    if beyond > share * image.numel():
        factor, offset = RANGES[range or "0..1"]
        low, high = (float(end) * factor + offset for end in torch.aminmax(image))
        raise Unusable(
            "E-GEN-VALUES", name,
            f"its values for {what} reach from {low:.3g} to {high:.3g}, far beyond "
            + (f"range={range!r}" if range else "0 to 1"),
            "say the range that it was trained with" if range else "let it give values in [0, 1]", done,
        )  # fmt: skip


def _piece(network: Network, part: Tensor, name: str, whole: tuple[int, int]) -> Tensor:
    import torch

    height, width = part.shape[2:]
    part = part.to(network.device)
    if network.channels == 3:
        inputs = [part]
    else:
        planes = [part[:, n : n + 1] for n in range(3)]
        grey = all(torch.equal(planes[0], other) for other in planes[1:])
        inputs = planes[:1] if grey else planes
    wanted = (1, network.channels, height * network.scale, width * network.scale)
    answers = []
    for one in inputs:
        # A copy, in order of rows: what is run may write into its input.
        answer = call(network.call, one.clone(memory_format=torch.contiguous_format), name, whole)
        if tuple(answer.shape) != wanted:
            raise Unusable(
                "E-GEN-ERROR", name,
                f"it answered {tuple(one.shape)} with the shape {tuple(answer.shape)} instead of {wanted}",
                "check its scale, and the minimum and multiple_of of the sides it takes",
            )  # fmt: skip
        answers.append(answer.detach().to("cpu", torch.float32))
    if network.channels == 3:
        return answers[0]
    return torch.cat(answers if len(answers) == 3 else answers * 3, dim=1)


def call(work: Callable[[Tensor], Tensor], image: Tensor, name: str, whole: tuple[int, int] | None = None) -> Tensor:
    """One piece, with every failure as one sentence.

    Raises:
        Unusable: ``E-GEN-ERROR`` or ``E-OOM``.
    """
    import torch

    height, width = whole or image.shape[2:]
    try:
        # Every piece begins with the same random numbers, whatever came before it.
        generator = torch.cuda.default_generators[image.get_device()] if image.is_cuda else torch.default_generator
        generator.manual_seed(0)
        answer = work(image)
    except (Refusal, UsageError):
        raise
    except Exception as error:
        text = first_line(error)
        if isinstance(error, MemoryError | torch.OutOfMemoryError) or "allocate memory" in str(error):
            raise Unusable(
                "E-OOM", name, f"there is not enough memory for an image of {width}x{height} pixels ({text})",
                "choose a smaller tile, e.g. tile=128",
            ) from None  # fmt: skip
        raise Unusable(
            "E-GEN-ERROR", name, f"it failed on an image of {width}x{height} pixels ({type(error).__name__}: {text})",
            "check that it takes images of this size; minimum and multiple_of say what sides it needs",
        ) from None  # fmt: skip
    if not isinstance(answer, torch.Tensor) or not answer.is_floating_point():
        kind = str(answer.dtype) if isinstance(answer, torch.Tensor) else type(answer).__name__
        raise Unusable("E-GEN-ERROR", name, f"it answered with {kind}", "let it answer with one floating-point tensor")
    return answer


def find_scale(
    work: Callable[[Tensor], Tensor], *, name: str, device: str, channels: int = 3, sizes: Sizes | None = None
) -> int:
    """Output side divided by input side, by a trial on a small grey image.

    Raises:
        Unusable: ``E-GEN-ERROR``, it fails, or its answer is not a whole number of times as large.
    """
    import torch

    sizes = sizes or Sizes()
    # Sides that differ, where they may: an answer with sides exchanged shows.
    height, width = sizes.fixed or sizes.padded(32, 32 + sizes.multiple_of)
    with quiet(device):
        image = torch.full((1, channels, height, width), 0.5, device=device)
        shape = tuple(call(work, image, name).shape)
    scale = shape[-1] // width if len(shape) == 4 else 0
    if scale < 1 or shape != (1, channels, height * scale, width * scale):
        raise Unusable(
            "E-GEN-ERROR", name, f"it answered {(1, channels, height, width)} with the shape {shape}",
            "a restorer gives as many channels as it takes, and sides a whole number of times as long",
        )  # fmt: skip
    return scale


@contextlib.contextmanager
def hushed() -> Iterator[None]:
    """Without the warnings in ``_CHATTER``; all others are heard."""
    with warnings.catch_warnings():
        for begin in _CHATTER:
            warnings.filterwarnings("ignore", re.escape(begin), UserWarning)
        yield


@contextlib.contextmanager
def quiet(device: str) -> Iterator[None]:
    """Float32 and the same numbers every time, without gradients; the global random state is put back.

    torch's warnings about a network's code, which is not the user's, are not shown (``hushed``).
    """
    import torch

    devices = [torch.cuda.current_device()] if device == "cuda" else []
    with contextlib.ExitStack() as stack:
        stack.enter_context(hushed())
        stack.enter_context(torch.random.fork_rng(devices=devices))
        # Gradients are off and can be switched on by what is run, should it need them.
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.no_grad())
        stack.enter_context(torch.autocast(device, enabled=False))
        if device == "cuda":
            before = torch.backends.cuda.matmul.allow_tf32
            stack.callback(setattr, torch.backends.cuda.matmul, "allow_tf32", before)
            torch.backends.cuda.matmul.allow_tf32 = False
            stack.enter_context(
                torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)
            )
        yield


def first_line(error: BaseException) -> str:
    """The beginning of a message that may be long."""
    lines = str(error).strip().splitlines()
    if len(lines) > 1 and "failed in the TorchScript interpreter" in lines[0]:  # the cause comes after the trace
        lines = lines[-1:]
    return (lines[0] if lines else type(error).__name__).strip()[:160]


def _mirrored(image: Tensor, height: int, width: int) -> Tensor:
    """Pad below and on the right with the mirrored image, over and over where it is small."""
    import torch

    for dim, target in ((2, height), (3, width)):
        length = image.shape[dim]
        if target > length:
            place = torch.arange(target) % max(2 * (length - 1), 1)
            image = image.index_select(dim, torch.where(place < length, place, 2 * (length - 1) - place))
    return image
