"""The only place that opens, hashes and decodes image files, and the only step from floats to bytes."""

from .files import hash_file, resolve, twins
from .gate import Gate, read
from .pixels import luma_bt601, save_png, to_uint8

__all__ = ["Gate", "hash_file", "luma_bt601", "read", "resolve", "save_png", "to_uint8", "twins"]
