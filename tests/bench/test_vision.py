"""torchvision beside a torch it was not built for: declared only when needed, and only once."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest


def _python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", ["torchvision", "timm", "lpips", "piq", "pytorch_fid.fid_score", "spandrel"])
def test_every_library_imports_in_a_fresh_process(name: str) -> None:
    if importlib.util.find_spec(name.split(".")[0]) is None:
        pytest.skip(f"{name} is not installed")
    done = _python(f"from ganiq.bench import vision; m = vision.load({name!r}); print(m.__name__, vision.how())")
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split()[0] == name


def test_loading_twice_is_harmless_and_says_how() -> None:
    code = (
        "from ganiq.bench import vision\nassert vision.how() == 'not loaded'\n"
        "a = vision.load_torchvision(); b = vision.load_torchvision(); assert a is b\n"
        "import torchvision.transforms\nprint(vision.how())"
    )
    done = _python(code)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip() in ("own import", "operators declared beforehand")


def test_a_working_torchvision_is_left_alone() -> None:
    """Declaring beside a torchvision that loads would abort the process from C++."""
    code = """
import sys, types
fake = types.ModuleType("torchvision"); sys.modules["torchvision"] = fake
from ganiq.bench import vision
assert vision.load_torchvision() is fake
assert vision._declared is None and vision.how() == "own import"
"""
    done = _python(code)
    assert done.returncode == 0, done.stderr[-2000:]


def test_other_errors_of_torchvision_pass_through() -> None:
    code = """
import sys, importlib.abc, importlib.machinery
class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name, path=None, target=None):
        return importlib.machinery.ModuleSpec(name, self) if name == "torchvision" else None
    def create_module(self, spec): return None
    def exec_module(self, module): raise RuntimeError("something else is broken")
sys.meta_path.insert(0, Finder())
from ganiq.bench import vision
try:
    vision.load_torchvision()
except RuntimeError as error:
    assert "something else" in str(error)
else:
    raise SystemExit("no error")
assert vision._declared is None
"""
    done = _python(code)
    assert done.returncode == 0, done.stderr[-2000:]
