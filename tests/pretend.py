"""A device that is not the CPU, on a computer that has none: real arithmetic, and the errors of a real accelerator.

``with accelerator() as device:`` makes ``device`` known to torch, which calls such things "PrivateUse1". A tensor
``.to(device)`` says that it lies there; what is computed from it lies there too, with the CPU's very bits, because
the CPU does the work. As on a graphics card

* tensors of the CPU and of the device do not mix, but for numbers without dimensions and the index of an indexing;
* ``.numpy()`` needs ``.cpu()`` first, while ``.item()`` and ``.tolist()`` copy by themselves;
* whatever is made without saying where lies on the CPU.

What it cannot show: kernels that a device lacks, and rounding of its own. torch keeps one such device per process, so
use it in a process of its own (``python -m``, or a subprocess), not among other tests.

The means are torch's: a subclass that wraps a tensor and catches every operation below autograd, and a mode that
catches those which only name the device. https://docs.pytorch.org/docs/stable/notes/extending.html
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes
from torch.utils._pytree import tree_flatten, tree_map, tree_unflatten

NAME = "pretend"
aten = torch.ops.aten
BETWEEN = (aten._to_copy, aten.copy_, aten.copy)
"""What moves values from one device to another."""
FACTS = (
    aten.dim, aten.size, aten.sym_size, aten.stride, aten.sym_stride, aten.numel, aten.sym_numel, aten.storage_offset,
    aten.sym_storage_offset, aten.is_contiguous, aten.is_strides_like_format, aten.is_non_overlapping_and_dense,
)  # fmt: skip
"""What is asked of a tensor itself."""
INDEXED = (aten.index, aten.index_put, aten.index_put_, aten._index_put_impl_, aten._unsafe_index)
"""Their second argument, a list of indices, may lie on the CPU."""


class Pretended(torch.Tensor):
    """A tensor that says it lies on the device; ``held`` has its values."""

    held: torch.Tensor
    # Operations arrive below, once torch has taken them apart, and not by their Python names.
    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]

    @staticmethod
    def __new__(cls, held: torch.Tensor) -> Pretended:
        # "sizes": shape and strides are asked of `held` whenever they are wanted, as unsqueeze_() and others of its
        # kind change them in place.
        with torch.inference_mode(False):  # else views of a tensor from outside that mode could not be taken within it
            made: Any = torch.Tensor._make_wrapper_subclass(
                cls, held.size(), held.stride(), held.storage_offset(), dtype=held.dtype,
                device=torch.device(NAME, 0), requires_grad=False, dispatch_sizes_strides_policy="sizes",
            )  # fmt: skip
        made.held = held
        return made

    @classmethod
    def __torch_dispatch__(cls, op: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _carried_out(op, args, kwargs or {})

    def numpy(self, *, force: bool = False) -> Any:
        """On the CPU only, as of every device."""
        if not force:
            raise TypeError(f"can't convert {self.device} device type tensor to numpy. Use Tensor.cpu() first")
        return self.cpu().numpy(force=True)

    def tolist(self) -> Any:
        """torch refuses it to subclasses; of a device it copies first."""
        return self.cpu().tolist()

    def __repr__(self, *, tensor_contents: Any = None) -> str:
        return f"{self.held!r} on {NAME}"


class _Mode(TorchDispatchMode):
    """Catches what has no argument on the device and yet may name it: factories, and moves to it."""

    def __torch_dispatch__(self, op: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        with self:  # what an operation is made of has to be seen, too
            return _carried_out(op, args, kwargs or {})


class _Module:
    """What torch asks a device's module for."""

    @staticmethod
    def is_available() -> bool:
        return True

    @staticmethod
    def device_count() -> int:
        return 1

    @staticmethod
    def current_device() -> int:
        return 0

    @staticmethod
    def get_amp_supported_dtype() -> list[torch.dtype]:
        return [torch.bfloat16, torch.float16]

    @staticmethod
    def _is_in_bad_fork() -> bool:
        return False

    @staticmethod
    def manual_seed_all(seed: int) -> None:
        """It draws no random numbers of its own: the CPU does."""


@cache
def _registered() -> None:
    from torch.utils import backend_registration

    backend_registration._setup_privateuseone_for_python_backend(NAME, backend_module=_Module())


@contextmanager
def accelerator() -> Iterator[torch.device]:
    """Within: a device to which tensors and modules can be moved; what lies there can be used only within."""
    _registered()
    # torch.tensor() makes its tensor where no mode sees it. So it is made on the CPU first, and moved in sight.
    before = torch._C._only_lift_cpu_tensors()
    torch._C._set_only_lift_cpu_tensors(True)
    try:
        with _Mode():
            yield torch.device(NAME, 0)
    finally:
        torch._C._set_only_lift_cpu_tensors(before)


def _carried_out(op: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """One operation, on the CPU; its results are said to lie where a real device would have put them."""
    if op.overloadpacket is aten._has_compatible_shallow_copy_type:
        return False  # modules that are moved get new parameters: one of the CPU cannot become a wrapper in place
    flat, form = tree_flatten((args, kwargs))
    there = {id(one.held): one for one in flat if isinstance(one, Pretended)}
    named = [one for one in flat if isinstance(one, torch.device)]
    to_it = any(one.type == NAME for one in named)
    if (there or to_it) and op.overloadpacket not in FACTS:
        if op._can_decompose():
            done = op.decompose(*args, **kwargs)  # elsewhere than in inference mode torch has done so already
            if done is not NotImplemented:
                return done
        _check(op, args, kwargs)
    with _disable_current_modes():
        bare_args, bare_kwargs = tree_unflatten([_bare(one) for one in flat], form)
        done = op(*bare_args, **bare_kwargs)
        if op.overloadpacket is aten.copy_:  # in place: it stays where it is
            return args[0]
        if not (to_it or (there and not named)):
            return done

        def dressed(value: Any) -> Any:
            if not isinstance(value, torch.Tensor):
                return value
            if id(value) in there:  # in place: what was given
                return there[id(value)]
            # A view that only notes that it is to be conjugated or negated: the wrapper could not show it.
            return Pretended(value.resolve_conj().resolve_neg())

        return tree_map(dressed, done)


def _bare(value: Any) -> Any:
    if isinstance(value, Pretended):
        return value.held
    return torch.device("cpu") if isinstance(value, torch.device) and value.type == NAME else value


def _check(op: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Raises RuntimeError where tensors of two devices meet, as a real device would."""
    if op.overloadpacket in BETWEEN:
        return
    if op.overloadpacket in INDEXED and isinstance(args[0], Pretended):
        args = (args[0], *args[2:])
    tensors = [one for one in tree_flatten((args, kwargs))[0] if isinstance(one, torch.Tensor)]
    here = [one for one in tensors if not isinstance(one, Pretended) and one.dim()]
    if here and len(here) < len([one for one in tensors if isinstance(one, Pretended) or one.dim()]):
        raise RuntimeError(
            f"Expected all tensors to be on the same device, but found at least two devices, {NAME}:0 and "
            f"{here[0].device}! ({op}, {tuple(here[0].shape)})"
        )


__all__ = ["NAME", "Pretended", "accelerator"]
