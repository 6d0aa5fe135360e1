"""Trained parameters: one table of slots, one way to find them, one way to load them, one way to fetch them.

Nothing else in the project opens a checkpoint. Importing this package loads neither torch nor NumPy and
touches neither the network nor any data package's code.
"""

from __future__ import annotations

from .fetch import get
from .find import (
    Found,
    configure,
    digest_of,
    folder,
    found,
    is_own,
    path_of,
    present,
)
from .load import arrays, check_borrowed, header, in_order, load_strict, read, read_file, tensors, tensors_from
from .onnx_file import graph
from .problems import BadWeights, MissingWeights
from .shelf import add, listing, remove, stray, verify
from .table import Origin, Slot, command_for, expand, groups, slots

__all__ = [
    "BadWeights",
    "Found",
    "MissingWeights",
    "Origin",
    "Slot",
    "add",
    "arrays",
    "check_borrowed",
    "command_for",
    "configure",
    "digest_of",
    "expand",
    "folder",
    "found",
    "get",
    "graph",
    "groups",
    "header",
    "in_order",
    "is_own",
    "listing",
    "load_strict",
    "path_of",
    "present",
    "read",
    "read_file",
    "remove",
    "slots",
    "stray",
    "tensors",
    "tensors_from",
    "verify",
]
