"""Whether an arena is still that of the run beside it: it is made by a command of its own, and may lag behind."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path


def remark(folder: Path) -> str:
    """What to say of the arena in a run's folder: a sentence where it is of an earlier run, or shows crops that the run
    was told not to show; else nothing."""
    try:
        source = json.loads((folder / "arena.json").read_bytes())["provenance"]["run"]
        made_from = [source[f"{name}_sha256"] for name in ("leaderboard", "scores")]
        now = [hashlib.sha256((folder / n).read_bytes()).hexdigest() for n in ("leaderboard.json", "scores.csv")]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return ""  # there is none; a damaged one is refused by the commands that read it
    if made_from != now:
        return f"{folder / 'arena.html'} is of an earlier run of this folder; `ganiq arena {folder}` makes it anew"
    if (folder / "arena" / "gallery.json").is_file() and not (folder / "gallery.json").is_file():
        return f"{folder / 'arena.html'} still shows crops; `ganiq arena {folder} --no-gallery` takes them off"
    return ""


__all__ = ["remark"]
