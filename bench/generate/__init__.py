"""From photographs, degradations and restorers to a folder of images that ``ganiq run`` reads.

The folder holds ``references/``, ``inputs/`` (degraded), ``restored/``, ``samples/``; ``items.csv`` and ``items.toml``
for the data set adapter ``folder``; ``made.jsonl``, one line per image with its recipe, identity and sha256; and
``generation.json`` with versions, weights and licences. An image is made again only if its identity (recipe, weights,
bytes of its input) or its own bytes have changed.
"""

from __future__ import annotations

from .make import Outcome, generate
from .sweep import Generation, build, read

__all__ = ["Generation", "Outcome", "build", "generate", "read"]
