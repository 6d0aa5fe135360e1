"""Who may import whom, read from the source: dependencies run one way."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {"torch", "torchvision", "piq", "lpips", "timm", "pytorch_fid", "spandrel"}


def _imports(path: Path, root: Path) -> list[tuple[str, bool]]:
    """(absolute module name, whether at module level) of every import, relative ones resolved."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    package = ["ganiq", *path.relative_to(root).with_suffix("").parts[:-1]]
    top = set()
    for node in tree.body:
        guarded = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        if not guarded:
            top |= {id(n) for n in ast.walk(node) if not isinstance(node, ast.FunctionDef | ast.ClassDef)}
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, id(node) in top) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            name = ".".join([*base, *([node.module] if node.module else [])])
            found.append((name, id(node) in top))
            found += [(f"{name}.{alias.name}", id(node) in top) for alias in node.names]
    return found


def _sources(repository: Path, *folders: str) -> list[Path]:
    return sorted(p for f in folders for p in (repository / f).rglob("*.py") if "top" not in p.parts)


ALLOWED = {
    "metrics": ("types", "protocols", "spec", "errors", "vision", "images", "weights"),
    "generators": ("types", "protocols", "spec", "errors", "vision", "images", "weights", "atomic", "progress"),
    "reports": ("document", "arena", "cells", "errors", "atomic"),
}
"""Folder -> modules of the harness that it may import."""


@pytest.mark.parametrize("folder", ALLOWED)
def test_plug_in_folders_know_only_the_types_of_the_harness(repository: Path, folder: str) -> None:
    wrong, allowed = [], ALLOWED[folder]
    for path in _sources(repository, folder):
        for name, _ in _imports(path, repository):
            parts = name.split(".")
            if parts[0] != "ganiq" or len(parts) < 2:
                continue
            ours = parts[1] == folder
            harness = parts[1] == "bench" and (len(parts) == 2 or parts[2] in allowed)
            if not (ours or harness):
                wrong.append(f"{path.relative_to(repository)}: {name}")
    assert wrong == []


@pytest.mark.parametrize("folder", ALLOWED)
def test_contributing_has_the_same_rules(repository: Path, folder: str) -> None:
    text = (repository / "CONTRIBUTING.md").read_text(encoding="utf-8")
    row = next(line for line in text.splitlines() if line.startswith(f"| `{folder}/` |"))
    assert f"| `bench.{{{','.join(ALLOWED[folder])}}}` |" in row


def test_the_harness_knows_no_metric_generator_or_page(repository: Path) -> None:
    wrong = [
        f"{path.relative_to(repository)}: {name}"
        for path in _sources(repository, "bench")
        for name, _ in _imports(path, repository)
        if name.split(".")[:2] in (["ganiq", f] for f in ("metrics", "generators", "reports"))
    ]
    assert wrong == []


def test_core_types_import_nothing_of_ours(repository: Path) -> None:
    for name in ("types.py", "errors.py"):
        inside = [n for n, _ in _imports(repository / "bench" / name, repository) if n.startswith("ganiq")]
        assert inside == [], name


def test_absolute_self_imports_are_absent(repository: Path) -> None:
    """Relative imports keep one copy of every class and let type checkers see the real file."""
    wrong = []
    for path in _sources(repository, "bench", "generators", "metrics", "reports"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module or ""]
            wrong += [f"{path}: {n}" for n in names if n.split(".")[0] == "ganiq"]
    assert wrong == []


def test_heavy_libraries_are_never_imported_at_module_level(repository: Path) -> None:
    """Modules named ``*_net`` define networks: they subclass torch's modules and are themselves imported lazily."""
    wrong = [
        f"{path.relative_to(repository)}: {name}"
        for path in _sources(repository, "bench", "generators", "metrics", "reports")
        for name, top in _imports(path, repository)
        if top and name.split(".")[0] in HEAVY and not path.stem.endswith("_net")
    ]
    assert wrong == []


def test_what_needs_torchvision_is_loaded_only_through_vision(repository: Path) -> None:
    """An import of piq before the declared operators would decide by accident whether anything works."""
    wrong = [
        f"{path.relative_to(repository)}: {name}"
        for path in _sources(repository, "bench", "generators", "metrics", "reports")
        for name, _ in _imports(path, repository)
        if name.split(".")[0] in HEAVY - {"torch"}
    ]
    assert wrong == []


@pytest.mark.parametrize("arguments", [["--help"], ["list", "metrics", "--json"], ["list", "datasets", "--json"]])
def test_light_commands_load_no_torch(arguments: list[str]) -> None:
    code = (
        "import sys\nfrom ganiq.bench import cli\n"
        f"sys.argv = ['ganiq', *{arguments!r}]\n"
        "try:\n    cli.main()\nexcept SystemExit as stop:\n    assert not stop.code, stop.code\n"
        "heavy = {'torch', 'torchvision', 'piq', 'timm'} & set(sys.modules)\nassert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
