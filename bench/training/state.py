"""Where a training stands, in one file that appears whole: after a kill it goes on as if nothing had happened.

Tensors and plain containers only, so that reading it can run no code.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from ..atomic import write_bytes
from ..errors import IntegrityError, UsageError

FILE = "state.pt"
PARTS = {"identity", "stage", "inside", "log", "student", "teacher"}


def save(folder: Path, state: dict[str, Any]) -> None:
    """Replace the state of a folder in one step."""
    import torch

    buffer = io.BytesIO()
    torch.save(state, buffer)
    write_bytes(folder / FILE, buffer.getvalue())


def load(folder: Path, identity: dict[str, str]) -> dict[str, Any] | None:
    """The state of a folder, or None where nothing was begun.

    What a state does not name, as one from before it was kept, cannot be compared and is not.

    Raises:
        UsageError: it was begun with another recipe, split, set of images, pool or teacher.
        IntegrityError: the file cannot be read.
    """
    import torch

    path = folder / FILE
    if not path.is_file():
        return None
    try:
        state = torch.load(io.BytesIO(path.read_bytes()), map_location="cpu", weights_only=True)
    except Exception as error:  # what torch says of junk is of any kind
        raise _unreadable(path, type(error).__name__) from None
    if not isinstance(state, dict) or not state.keys() >= PARTS or not isinstance(state["identity"], dict):
        raise _unreadable(path, "it is no state of a training")
    changed = [name for name, value in identity.items() if state["identity"].get(name, value) != value]
    if changed:
        raise UsageError(
            f"{folder.name} was begun with another {' and '.join(changed)}; "
            "repeat that command, or choose another --out",
            code="E-CFG",
        )
    return state


def _unreadable(path: Path, why: str) -> IntegrityError:
    return IntegrityError(
        f"{path.name} in {path.parent.name} cannot be read ({why}); delete that folder and train again", code="E-STATE"
    )
