"""Where tensors are computed: the words of ``--device``, and the CPU's numbers wherever that is.

A device is provenance and no part of a score's identity: images are decoded and scaled on the CPU and moved as they
are, and shortcuts that a graphics card takes with float32 are switched off while it scores.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Literal

from .errors import UsageError

Name = Literal["cpu", "cuda", "auto"]
"""``auto``: cuda where there is one."""


def found(wanted: Name) -> str:
    """The device that a word stands for here, as torch calls it.

    Raises:
        UsageError: ``cuda``, and there is none.
    """
    if wanted != "auto":
        demand(wanted)
        return wanted
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def demand(device: str) -> None:
    """Make sure that there is a device, as torch calls it.

    Raises:
        UsageError: it is CUDA's, and there is none.
    """
    if not device.startswith("cuda"):
        return  # and torch need not be loaded
    import torch

    if not torch.cuda.is_available():
        raise UsageError("there is no CUDA device here; use --device cpu", code="E-CFG")


def described(device: str) -> dict[str, str]:
    """For the record: what numbers and times were computed on."""
    if not device.startswith("cuda"):
        return {"device": device}
    import torch

    return {"device": device, "accelerator": torch.cuda.get_device_name(device), "cuda": torch.version.cuda or "none"}


@contextmanager
def exact(device: str) -> Iterator[None]:
    """Within: float32 has all of its digits (no TF32), and convolutions are not chosen by a race.

    The process gets its settings back: it may be the user's own.
    """
    with ExitStack() as stack:
        if device.startswith("cuda"):
            import torch

            matmul = torch.backends.cuda.matmul
            stack.callback(setattr, matmul, "allow_tf32", matmul.allow_tf32)
            matmul.allow_tf32 = False
            stack.enter_context(
                torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)
            )
        yield
