"""The result store: one SQLite file that many runs share, and that a crash cannot hurt.

A score belongs to what was measured (image bytes, reference bytes, metric identity), not to the run that
asked. What was measured once is never overwritten: a second value is compared, and kept beside the first
if it differs.
"""

from .results import Store
from .rows import Conflict, Merged, Outcome, Repaired, Row, Run, SetRow, Settled

__all__ = ["Conflict", "Merged", "Outcome", "Repaired", "Row", "Run", "SetRow", "Settled", "Store"]
