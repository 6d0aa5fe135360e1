"""What one image alone determines, computed once and shared by all metrics that ask for it.

The harness hands the same tensor of a reference to every metric and for every output of that reference.
Values are kept by the identity of the tensor they were made from, never by its content or address alone, and
only the last few tensors are remembered. A metric must not change its inputs in place.
"""

from __future__ import annotations

import weakref
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from torch import Tensor

T = TypeVar("T")
MOST = 4

_kept: OrderedDict[int, tuple[weakref.ref[Any], dict[str, Any]]] = OrderedDict()


def recall(image: Tensor, name: str, make: Callable[[Tensor], T]) -> T:
    """``make(image)``, or what it gave when this very tensor was last asked for ``name``.

    Args:
        image: the tensor that alone determines the value.
        name: what the value is, with every parameter it depends on.
        make: computes it; pure.
    """
    key = id(image)
    entry = _kept.get(key)
    if entry is None or entry[0]() is not image:
        entry = (weakref.ref(image), {})
        _kept[key] = entry
    _kept.move_to_end(key)
    while len(_kept) > MOST:
        _kept.popitem(last=False)
    values = entry[1]
    if name not in values:
        values[name] = make(image)
    return values[name]
