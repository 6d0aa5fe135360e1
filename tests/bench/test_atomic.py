"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from ganiq.bench import atomic
from ganiq.bench.errors import ResourceError, UsageError


def test_writes_and_replaces(tmp_path: Path) -> None:
    path = tmp_path / "f"
    atomic.write_text(path, "naïve\r\n名\n")
    assert path.read_bytes() == "naïve\r\n名\n".encode()
    atomic.write_bytes(str(path), b"\0new")
    assert path.read_bytes() == b"\0new"
    assert [p.name for p in tmp_path.iterdir()] == ["f"]


def test_permissions_are_those_of_an_ordinary_file(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        atomic.write_bytes(tmp_path / "f", b"")
    finally:
        os.umask(before)
    assert (tmp_path / "f").stat().st_mode & 0o777 == 0o640


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "folder" / "real")
    atomic.write_bytes(tmp_path / "link", b"x")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "folder" / "real").read_bytes() == b"x"


def test_longest_name(tmp_path: Path) -> None:
    atomic.write_bytes(tmp_path / ("x" * 255), b"x")


@pytest.mark.parametrize("function", ["fsync", "replace"])
@pytest.mark.parametrize(
    ("number", "kind", "word"),
    [
        (28, ResourceError, "free space"),
        (122, ResourceError, "free space"),
        (5, ResourceError, "check the disk"),
        (30, UsageError, "another place"),
    ],
)
def test_failure_leaves_the_old_file_and_no_other(
    function: str, number: int, kind: type[Exception], word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"old")

    def fail(*arguments: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(atomic.os, function, fail)
    with pytest.raises(kind, match=word):
        atomic.write_bytes(path, b"new")
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["f"]


def test_interrupt_leaves_no_temporary_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(atomic.os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        atomic.write_bytes(tmp_path / "f", b"new")
    assert list(tmp_path.iterdir()) == []


def test_no_such_folder(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file or directory"):
        atomic.write_bytes(tmp_path / "nothing" / "f", b"")
    with pytest.raises(UsageError):
        atomic.write_bytes(tmp_path, b"")


def test_real_limit_of_file_size(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"old")
    code = """
        import resource, sys
        from ganiq.bench import atomic
        from ganiq.bench.errors import ResourceError
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        atomic.write_bytes(sys.argv[1] + "2", bytes(1000))
        try:
            atomic.write_bytes(sys.argv[1], bytes(1001))
        except ResourceError as error:
            sys.exit(error.exit_code)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), path], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (5, "")
    assert path.read_bytes() == b"old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["f", "f2"]
