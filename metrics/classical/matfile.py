"""Models that users export from MATLAB: numeric arrays in a .mat file (version 7 or older), read from a slot.

The format holds data only. Files of version 7.3 are HDF5 and are not read; ``save(..., '-v7')`` writes the other.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from math import prod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

LARGEST = 2**24
"""Numbers in one array."""


def fields(slot: str, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """Arrays of a slot in double precision; the names and shapes must be these, -1 standing for any length.

    Raises:
        MissingWeights: the slot is empty.
        BadWeights: ``E-CKPT-HASH``, ``-FORMAT``, ``-KEYS`` or ``-NAN``.
    """
    import numpy as np

    from ...bench.weights import BadWeights

    contents = variables(slot)
    found = {name: np.asarray(value) for name, value in contents.items()}
    wrong = [
        f"{name} {found[name].shape if name in found else 'is missing'}"
        for name, shape in shapes.items()
        if name not in found
        or found[name].dtype.kind not in "fiub"
        or found[name].ndim != len(shape)
        or any(want not in (-1, have) for want, have in zip(shape, found[name].shape, strict=True))
    ]
    if wrong or set(found) != set(shapes):
        extra = [f"{name} is unknown" for name in found if name not in shapes]
        raise BadWeights(
            "E-CKPT-KEYS",
            slot,
            f"its variables do not fit: {', '.join([*wrong, *extra])}",
            "export the model as the table of slots says",
        )
    answer = {name: found[name].astype(np.float64) for name in shapes}
    for name, value in answer.items():
        check_finite(slot, name, value)
    return answer


def variables(slot: str) -> dict[str, Any]:
    """All variables of a slot's file, as scipy reads them.

    Raises:
        MissingWeights: the slot is empty.
        BadWeights: ``E-CKPT-HASH`` or ``-FORMAT``.
    """
    from scipy.io import loadmat, whosmat

    from ...bench.weights import BadWeights, read

    data = read(slot)
    try:
        large = [name for name, shape, _ in whosmat(io.BytesIO(data)) if prod(shape) > LARGEST]
        contents = {} if large else loadmat(io.BytesIO(data))
    except NotImplementedError:
        raise BadWeights(
            "E-CKPT-FORMAT", slot, "it is a .mat file of version 7.3", "save it again with '-v7'"
        ) from None
    except MemoryError:
        raise
    except Exception as error:  # damaged files fail in many ways inside the reader
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:120]
        raise BadWeights("E-CKPT-FORMAT", slot, f"it is no .mat file ({reason})", "export the model again") from None
    if large:
        raise BadWeights("E-CKPT-FORMAT", slot, f"its variable {large[0]} is too large", "use the right file")
    return {name: value for name, value in contents.items() if not name.startswith("__")}


def check_finite(slot: str, name: str, value: np.ndarray) -> None:
    """
    Raises:
        BadWeights: ``E-CKPT-NAN``.
    """
    import numpy as np

    from ...bench.weights import BadWeights

    if not np.isfinite(value).all():
        raise BadWeights("E-CKPT-NAN", slot, f"{name} holds values that are not finite", "export the model again")
