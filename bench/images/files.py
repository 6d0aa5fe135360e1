"""Getting at a file's bytes safely: where a path may lead, what may be opened, how much is read."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote

from ..errors import Refusal

MAX_BYTES = 256 * 2**20
"""Largest file that is read unless a gate says otherwise."""

_KINDS = (
    (stat.S_ISDIR, "is a directory"),
    (stat.S_ISFIFO, "is a named pipe"),
    (stat.S_ISSOCK, "is a socket"),
    (stat.S_ISCHR, "is a device"),
    (stat.S_ISBLK, "is a device"),
)
_DRIVE = re.compile(r"[A-Za-z]:")
_BLOCK = 2**20


def printable(text: str) -> str:
    """The same text with line breaks, bidirectional controls and stray bytes written as escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def label(path: Path | str, shown: str | None, root: Path | None) -> str:
    """How a message names the file: as its caller does, else relative to ``root``, never in full."""
    if shown is None:
        shown = os.fspath(path)
        if os.path.isabs(shown):
            base = os.path.abspath(root) if root is not None else os.path.dirname(shown)
            inside = shown.startswith(base.rstrip(os.sep) + os.sep)
            shown = os.path.relpath(shown, base) if inside else os.path.basename(shown)
    return printable(shown)


def _lexical(relative: str) -> str:
    """Why a path written in a manifest may not be followed; empty if it may."""
    if "\0" in relative:
        return "contains a NUL character"
    if "\\" in relative:
        return "contains a backslash"
    if relative.startswith("/"):
        return "is absolute"
    if _DRIVE.match(relative):
        return "begins with a drive letter"
    if ".." in relative.split("/"):
        return "climbs out with '..'"
    return "" if any(part not in ("", ".") for part in relative.split("/")) else "names no file"


def resolve(root: Path, relative: str, shown: str | None = None) -> Path:
    """Join a path from a manifest to its root, and make sure that it stays inside.

    Args:
        root: folder of the data set; it may itself be a symbolic link.
        relative: POSIX path as the manifest writes it.
        shown: how a message names the file; ``relative`` if not given.

    Returns:
        The absolute path with every symbolic link followed. The file need not exist.

    Raises:
        Refusal: ``E-PATH-ESCAPE`` for absolute paths, drive letters, ``..``, NUL, backslashes (also
            where percent encoding hides them), and symbolic links that lead out of ``root``.
    """
    name = printable(relative if shown is None else shown)
    advice = "write paths relative to the data set's folder, with / between the parts"
    spelled = relative
    for _ in range(4):
        if reason := _lexical(spelled):
            hidden = "" if spelled == relative else " once its percent signs are decoded"
            raise Refusal("E-PATH-ESCAPE", name, f"the path {reason}{hidden}", advice)
        decoded = unquote(spelled, errors="surrogateescape")
        if decoded == spelled:
            break
        spelled = decoded
    return _inside(Path(root, relative), root, name)


def _inside(path: Path, root: Path, name: str) -> Path:
    """``path`` with symbolic links followed, if that is inside ``root``."""
    try:
        base, real = Path(os.path.realpath(root)), Path(os.path.realpath(path))
    except (OSError, ValueError) as error:
        raise Refusal("E-PATH-ESCAPE", name, "the path cannot be followed", "rename the file") from error
    if not real.is_relative_to(base) or real == base:
        raise Refusal(
            "E-PATH-ESCAPE",
            name,
            "the path leads out of the data set's folder",
            "keep the file itself inside the folder instead of a link to it",
        )
    return real


def twins(names: Iterable[str]) -> list[tuple[str, str]]:
    """Pairs of different names that some file systems hold to be one (Unicode form, upper or lower case).

    Each later name is paired with the first of its kind, in the order given; a name that merely occurs
    again is no twin.
    """
    first: dict[str, str] = {}
    pairs: dict[tuple[str, str], None] = {}
    for name in names:
        folded = unicodedata.normalize("NFC", unicodedata.normalize("NFD", name).casefold())
        other = first.setdefault(folded, name)
        if other != name:
            pairs[other, name] = None
    return list(pairs)


def _refused(error: OSError, name: str) -> Refusal:
    """The refusal that an error of the operating system amounts to."""
    if isinstance(error, (FileNotFoundError, NotADirectoryError)):
        return Refusal("E-IO-MISSING", name, "there is no such file", "restore it or remove it from the manifest")
    if error.errno == errno.ELOOP:
        return Refusal("E-IO-MISSING", name, "is a symbolic link in a circle", "replace the link by the file")
    if isinstance(error, PermissionError):
        return Refusal("E-IO-PERMISSION", name, "may not be read", "grant read permission")
    if error.errno in (errno.ENXIO, errno.ENODEV, errno.EOPNOTSUPP, errno.EISDIR):
        return Refusal("E-IO-TYPE", name, "is not a regular file", "put the image file itself there")
    reason = os.strerror(error.errno) if error.errno else type(error).__name__
    return Refusal("E-IO-READ", name, f"could not be read ({reason})", "check the disk and try again")


def _regular(mode: int, name: str) -> None:
    if not stat.S_ISREG(mode):
        kind = next((text for test, text in _KINDS if test(mode)), "is not a regular file")
        raise Refusal("E-IO-TYPE", name, f"{kind}, not a regular file", "put the image file itself there")


@contextmanager
def opened(path: Path | str, name: str, root: Path | None, max_bytes: int) -> Iterator[tuple[BinaryIO, int]]:
    """A regular file of at most ``max_bytes``, open for reading, and its size at this moment.

    Nothing that could block or act on being opened (pipe, socket, device) is opened: the type is looked
    up first, and again on the open file because it may have been exchanged in between.
    """
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
    if root is not None:
        path, flags = _inside(Path(path), root, name), flags | os.O_NOFOLLOW
    try:
        if os.path.islink(path) and not os.path.exists(path):
            broken = "is a symbolic link that leads nowhere"
            raise Refusal("E-IO-MISSING", name, broken, "restore what it points to or remove it")
        _regular(os.stat(path).st_mode, name)
        with open(os.open(path, flags), "rb", buffering=0) as file:
            status = os.fstat(file.fileno())
            _regular(status.st_mode, name)
            _fits(status.st_size, max_bytes, name)
            yield file, status.st_size  # type: ignore[misc]
    except OSError as error:
        raise _refused(error, name) from error
    except ValueError as error:  # an embedded NUL character
        raise Refusal("E-PATH-ESCAPE", name, "the path contains a NUL character", "rename the file") from error


def _fits(size: int, max_bytes: int, name: str) -> None:
    if size > max_bytes:
        raise Refusal(
            "E-IMG-BYTES",
            name,
            f"the file has {size:,} bytes or more, over the limit of {max_bytes:,}",
            "raise the limit if the file is meant to be this large",
        )


def load(path: Path | str, name: str, root: Path | None, max_bytes: int) -> bytes:
    """All bytes of a regular file, read once.

    Raises:
        Refusal: ``E-IO-*``, ``E-PATH-ESCAPE``, ``E-IMG-BYTES``, or ``E-OOM``.
    """
    try:
        with opened(path, name, root, max_bytes) as (file, size):
            blocks, total = [], 0
            # One byte more than the file had when it was opened, so that growth is noticed.
            while block := file.read(max(size + 1 - total, _BLOCK)):
                total += len(block)
                _fits(total, max_bytes, name)
                blocks.append(block)
            return b"".join(blocks) if len(blocks) != 1 else blocks[0]
    except MemoryError:
        raise Refusal(
            "E-OOM", name, "there is not enough memory to read the file", "free memory and run again"
        ) from None


def hash_file(
    path: Path, *, shown: str | None = None, root: Path | None = None, max_bytes: int = MAX_BYTES
) -> tuple[str, int]:
    """sha256 of a file's bytes, as 64 hexadecimal digits, and their number; needs no memory to speak of.

    Args:
        path: the file.
        shown: how messages name it; never an absolute path.
        root: folder that the file, links followed, must lie in.
        max_bytes: largest size that is read.

    Raises:
        Refusal: ``E-IO-*``, ``E-PATH-ESCAPE`` or ``E-IMG-BYTES``.
    """
    name = label(path, shown, root)
    sha, total = hashlib.sha256(), 0
    with opened(path, name, root, max_bytes) as (file, _):
        while block := file.read(_BLOCK):
            total += len(block)
            _fits(total, max_bytes, name)
            sha.update(block)
    return sha.hexdigest(), total
