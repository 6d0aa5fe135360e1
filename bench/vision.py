"""The only place that may import torchvision, and what needs it, for the first time.

Wheels of torchvision from the package index are CUDA builds. Beside a CPU-only torch their compiled
library cannot be loaded, and ``import torchvision`` ends in "operator torchvision::nms does not exist":
two operator schemas are missing when it registers their shape functions. Declared beforehand, the import
goes through. They must not be declared where torchvision's own import works: a second registration aborts
the process from C++, and no exception can be caught.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any

_declared: Any = None  # the Library must live as long as the process: once collected, its schemas are gone


def load_torchvision() -> ModuleType:
    """Import torchvision, declaring its two operators first if, and only if, its own import fails."""
    global _declared
    try:
        return importlib.import_module("torchvision")
    except RuntimeError as error:
        if "torchvision::nms" not in str(error):
            raise
    for name in [n for n in sys.modules if n == "torchvision" or n.startswith("torchvision.")]:
        del sys.modules[name]
    if _declared is None:
        from torch import library

        _declared = library.Library("torchvision", "DEF")
        for operator in ("nms", "qnms"):
            _declared.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    return importlib.import_module("torchvision")


def load(name: str) -> ModuleType:
    """Import a module that needs torchvision (piq, lpips, timm, pytorch_fid, spandrel ...) safely."""
    load_torchvision()
    return importlib.import_module(name)


def how() -> str:
    """Which of the two ways was taken in this process, for the provenance record."""
    if "torchvision" not in sys.modules:
        return "not loaded"
    return "operators declared beforehand" if _declared is not None else "own import"
