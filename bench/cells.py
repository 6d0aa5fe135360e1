"""Text cells of CSV files that no spreadsheet takes for a formula: one guard, and its inverse.

A guarded cell begins with an apostrophe where its text begins with one of ``FORMULA`` or with an apostrophe, and is the
text itself otherwise. The second case is what makes the inverse exact: nobody can tell ``'=1`` that was guarded from
``'=1`` that was written so unless the latter gets an apostrophe, too.
"""

from __future__ import annotations

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\0")
"""Characters that a spreadsheet may begin a formula at, or skip before one."""
_MARKED = (*FORMULA, "'")


def guard(text: str) -> str:
    """A text cell as it is written. For text only: a negative number must stay a number."""
    return f"'{text}" if text.startswith(_MARKED) else text


def unguard(cell: str) -> str:
    """The text that ``guard`` made this cell of; a cell that it cannot have made comes back as it is."""
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(_MARKED) else cell
