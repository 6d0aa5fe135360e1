"""Where numbers come from: versions, machine, and the state of the code."""

from __future__ import annotations

import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from . import threads

# Distributions whose version can move a number.
PACKAGES = (
    "torch", "torchvision", "timm", "lpips", "piq", "pytorch-fid", "numpy", "scipy",
    "pillow", "scikit-image", "safetensors", "pandas", "matplotlib", "seaborn", "jinja2",
)  # fmt: skip


def versions() -> dict[str, str]:
    """Installed versions by distribution name; imports none of them."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def codecs() -> dict[str, str]:
    """Versions of the image codecs: another JPEG decoder may give other pixels."""
    from PIL import features

    return {name: str(features.version(name) or "none") for name in ("libjpeg_turbo", "jpg", "zlib", "libtiff", "webp")}


def machine() -> dict[str, str]:
    """Hardware and interpreter, without host or user names."""
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": str(threads.cores()),
    }


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or "unknown"


def torch_state() -> dict[str, str]:
    """Threads and flags of torch, if this process has loaded it."""
    if "torch" not in sys.modules:
        return {}
    import torch

    from . import vision

    return {
        "threads": str(torch.get_num_threads()),
        "tf32": str(torch.backends.cuda.matmul.allow_tf32),
        "cuda": torch.version.cuda or "none",
        "torchvision": vision.how(),
    }


def revision() -> str:
    """Commit of the source checkout, ``+changes`` if it was edited; empty for an installed package."""
    folder = Path(__file__).resolve().parent
    try:
        if Path(_git(folder, "rev-parse", "--show-toplevel")) != folder.parent:
            return ""
        dirty = "+changes" if _git(folder, "status", "--porcelain", "--untracked-files=no") else ""
        return _git(folder, "rev-parse", "HEAD")[:12] + dirty
    except (OSError, subprocess.SubprocessError):
        return ""


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=5, check=True)
    return done.stdout.strip()
