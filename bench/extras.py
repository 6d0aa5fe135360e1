"""How an optional package is installed: by the extra of this distribution that names it."""

from __future__ import annotations

import re
from importlib import metadata

_DISTRIBUTION = __name__.partition(".")[0]
_WANTED = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)[^;]*;.*\bextra\s*==\s*['\"]([^'\"]+)['\"]")


def command(module: str) -> str:
    """What to type for a package that cannot be imported, e.g. ``pip install 'ganiq[onnx]'`` for onnxruntime.

    Args:
        module: as it is imported; where no extra brings a distribution of that name, it is taken for one itself.
    """
    try:
        lines = metadata.requires(_DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        lines = []
    for line in lines:
        match = _WANTED.match(line)
        if match and re.sub(r"[-_.]+", "_", match[1]).lower() == module.lower():
            return f"pip install '{_DISTRIBUTION}[{match[2]}]'"
    return f"pip install {module}"
