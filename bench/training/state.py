"""Where a training stands, in one file that appears whole: after a kill it goes on as if nothing had happened.

Tensors and plain containers only, so that reading it can run no code.
"""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

from ..atomic import write_bytes
from ..errors import IntegrityError, UsageError

FILE = "state.pt"


def save(folder: Path, state: dict[str, Any]) -> None:
    """Replace the state of a folder in one step."""
    import torch

    buffer = io.BytesIO()
    torch.save(state, buffer)
    write_bytes(folder / FILE, buffer.getvalue())


def load(folder: Path, identity: dict[str, str]) -> dict[str, Any] | None:
    """The state of a folder, or None where nothing was begun.

    Raises:
        UsageError: it was begun with another recipe, split or teacher.
        IntegrityError: the file cannot be read.
    """
    import torch

    path = folder / FILE
    if not path.is_file():
        return None
    try:
        state = torch.load(io.BytesIO(path.read_bytes()), map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError, ValueError) as error:
        raise IntegrityError(
            f"{path.name} in {folder.name} cannot be read ({type(error).__name__}); delete the folder and train again",
            code="E-STATE",
        ) from None
    changed = [name for name, value in identity.items() if state["identity"].get(name) != value]
    if changed:
        raise UsageError(
            f"{folder.name} was begun with another {' and '.join(changed)}; "
            "repeat that command, or choose another --out",
            code="E-CFG",
        )
    return state
