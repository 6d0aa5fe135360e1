"""docs/outcomes.md explains every code that a message can begin with, and none that no message has."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

CODE = re.compile(r"(?<![A-Za-z0-9-])[EWN]-[A-Z]+(?:-[A-Z]+)*(?![A-Za-z0-9.*-])")
PLACEHOLDERS = {"E-CODE"}


def _texts(path: Path) -> Iterator[str]:
    """All string literals of a module but its docstrings, those of attributes included."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    told = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in told:
            yield node.value


def _raised(repository: Path) -> dict[str, set[str]]:
    """Codes in the package -> files that hold them."""
    found: dict[str, set[str]] = {}
    for folder in ("bench", "metrics", "generators", "reports"):
        for path in (repository / folder).rglob("*.py"):
            for text in _texts(path):
                for code in CODE.findall(text):
                    found.setdefault(code, set()).add(path.relative_to(repository).as_posix())
    return found


def test_every_code_is_explained_in_full(repository: Path) -> None:
    explained = set(CODE.findall((repository / "docs" / "outcomes.md").read_text(encoding="utf-8")))
    raised = _raised(repository)
    assert len(raised) > 60
    assert {code: sorted(files) for code, files in raised.items() if code not in explained} == {}


def test_no_code_is_explained_that_nothing_raises(repository: Path) -> None:
    explained = set(CODE.findall((repository / "docs" / "outcomes.md").read_text(encoding="utf-8")))
    assert explained - set(_raised(repository)) == PLACEHOLDERS
