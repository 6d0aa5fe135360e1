"""ganiq: which metric agrees with people on GAN outputs, how surely, and how a new model ranks."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("ganiq")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0+unknown"

__all__ = ["__version__"]
