"""Reading tables of scores: strict, and with the line number in every complaint."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import UsageError


def wrong(path: Path, line: int, found: str, advice: str, code: str = "E-CFG") -> UsageError:
    """An error of one line of a table, in one sentence."""
    return UsageError(f"{path.name} line {line}: {found}; {advice}", code=code)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table: cells by column name."""

    path: Path
    line: int
    cells: dict[str, str]

    def __getitem__(self, column: str) -> str:
        return self.cells.get(column, "")

    def error(self, found: str, advice: str, code: str = "E-CFG") -> UsageError:
        return wrong(self.path, self.line, found, advice, code)

    def number(self, column: str) -> float:
        """A finite number.

        Raises:
            UsageError: anything else, an empty cell included.
        """
        return finite(self[column], column, self.path, self.line)

    def optional(self, column: str) -> float | None:
        """A finite number, or None for an empty cell."""
        return self.number(column) if self[column] else None


def finite(text: str, what: str, path: Path, line: int) -> float:
    """Parse one number of a text file."""
    try:
        value = float(text)
    except ValueError:
        hint = "write the decimal point as '.'" if "," in text else "write a plain number such as 3.5"
        raise wrong(path, line, f"{what} {text!r} is not a number", hint) from None
    if not math.isfinite(value):
        raise wrong(path, line, f"{what} is {text!r}", "give a finite number, or leave the row out")
    return value


def text(path: Path) -> str:
    """A whole text file, UTF-8 with or without byte order mark.

    Raises:
        UsageError: the file cannot be read or is not UTF-8.
    """
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise UsageError(
            f"{path.name} cannot be read ({error.strerror}); check that it is there", code="E-CFG"
        ) from None
    except UnicodeDecodeError:
        raise UsageError(
            f"{path.name} is not UTF-8 text; save it as UTF-8 (CSV UTF-8 in a spreadsheet)", code="E-CFG"
        ) from None


def rows(path: Path, required: Sequence[str], *, lower: bool = True) -> list[Row]:
    """Rows of a comma-separated table with a header line.

    Empty lines and empty trailing columns are left out; every other irregularity is an error, except that
    other people's tables (``lower``) may have columns without a name, as spreadsheets write for row numbers.

    Args:
        path: the file.
        required: columns that must be there.
        lower: whether column names are matched in lower case.

    Raises:
        UsageError: no header, a missing or doubled column, a wrong number of cells, broken quoting.
    """
    reader = csv.reader(io.StringIO(text(path), newline=""), strict=True)
    header: list[str] = []
    answer: list[Row] = []
    try:
        for cells in reader:
            cells = [cell.strip() for cell in cells]
            if not any(cells):
                continue
            if not header:
                header = _header(cells, required, path, reader.line_num, lower)
                continue
            if len(cells) < len(header) or any(cells[len(header) :]):
                raise wrong(
                    path,
                    reader.line_num,
                    f"{len(cells)} cells under {len(header)} column names",
                    'put cells that contain a comma in double quotes ("a, b")',
                )
            answer.append(Row(path, reader.line_num, dict(zip(header, cells))))
    except csv.Error as error:
        raise wrong(path, reader.line_num, f"not valid CSV ({error})", "repair the quoting of that line") from None
    if not header:
        raise UsageError(
            f"{path.name} is empty; its first line must name the columns {', '.join(required)}", code="E-CFG"
        )
    return answer


def _header(cells: list[str], required: Sequence[str], path: Path, line: int, lower: bool) -> list[str]:
    names = [cell.lower() for cell in cells] if lower else list(cells)
    while names and not names[-1]:
        names.pop()
    lacking = [name for name in required if name not in names]
    if lacking:
        for delimiter, what in ((";", "semicolons"), ("\t", "tabs")):
            if len(cells) == 1 and delimiter in cells[0]:
                raise wrong(path, line, f"the columns are separated by {what}", "save the table with commas")
        folded = {name.lower(): name for name in names}
        if lacking[0] in folded:
            raise wrong(path, line, f"column {folded[lacking[0]]!r}", f"write it in lower case: {lacking[0]}")
        raise wrong(
            path,
            line,
            f"no column {lacking[0]!r} among {', '.join(names)[:200]}",
            f"the first line must name the columns, {', '.join(required)} among them",
        )
    if not lower and "" in names:
        raise wrong(path, line, "a column has no name", "give every column a name of its own")
    doubled = next((name for n, name in enumerate(names) if name and name in names[:n]), None)
    if doubled is not None:
        raise wrong(path, line, f"column {doubled!r} occurs twice", "give every column a name of its own")
    return names
