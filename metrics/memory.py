"""Remembering what was computed from an image, for the next metric that needs the same.

Several metrics begin alike (luma, gradients, saliency, moments in a window), and a reference stays while its
outputs come and go. The harness hands the same tensors to every metric, and the same reference to all of its
outputs. Values are kept by the identity of the tensors they were made from, never by content or address
alone; they go when the tensor goes, when it is changed in place, and at the latest after a few more tensors.
"""

from __future__ import annotations

import weakref
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from torch import Tensor

T = TypeVar("T")
MOST = 8
"""Tensors, or pairs of them, whose values are kept at a time; what was made from kept values is not counted."""


class _Entry:
    def __init__(self, key: tuple[int, ...], tensors: tuple[Tensor, ...]) -> None:
        self.versions = tuple(t._version for t in tensors)
        self.tensors = tuple(weakref.ref(t, partial(_drop, _kept, key)) for t in tensors)
        self.values: dict[str, Any] = {}

    def fits(self, tensors: tuple[Tensor, ...]) -> bool:
        return all(ref() is t for ref, t in zip(self.tensors, tensors)) and self.versions == tuple(
            t._version for t in tensors
        )


_kept: OrderedDict[tuple[int, ...], _Entry] = OrderedDict()
_made: dict[int, weakref.ref[Tensor]] = {}
"""Tensors that are kept values themselves: they live as long as the entry that holds them."""


def recall(image: Tensor, name: str, make: Callable[[Tensor], T]) -> T:
    """``make(image)``, or what it gave when this very tensor was last asked for ``name``.

    Args:
        image: the tensor that alone determines the value.
        name: what the value is, with every parameter it depends on.
        make: computes it; pure.
    """
    return _recall((image,), name, make)


def recall_pair(image: Tensor, reference: Tensor, name: str, make: Callable[[Tensor, Tensor], T]) -> T:
    """``make(image, reference)``, or what it gave for these very two tensors; see ``recall``."""
    return _recall((image, reference), name, make)


def _recall(tensors: tuple[Tensor, ...], name: str, make: Callable[..., T]) -> T:
    import torch

    if any(t.is_inference() or t.requires_grad for t in tensors):
        return make(*tensors)  # a change in place could not be seen, or a graph would be kept
    key = tuple(id(t) for t in tensors)
    entry = _kept.get(key)
    if entry is None or not entry.fits(tensors):
        entry = _kept[key] = _Entry(key, tensors)
    _kept.move_to_end(key)
    if name not in entry.values:
        # Not in inference mode, so that a value can in turn be asked for what is made from it.
        with torch.inference_mode(False), torch.no_grad():
            value = entry.values[name] = make(*tensors)
        if isinstance(value, torch.Tensor) and value is not tensors[0]:
            _mark(value)
        _forget()
    return entry.values[name]


def _mark(value: Tensor) -> None:
    key = id(value)
    _made[key] = weakref.ref(value, partial(_drop, _made, key))


def _drop(table: dict[Any, Any], key: Any, _: object) -> None:
    """Given the table, not its name: at the end of the process names are gone before tensors are."""
    table.pop(key, None)


def _forget() -> None:
    """Drop the oldest entries beyond ``MOST``; those of made tensors go with the entry that holds the tensor."""
    given = [key for key in _kept if not any(part in _made for part in key)]
    for key in given[: max(0, len(given) - MOST)]:
        _kept.pop(key, None)
