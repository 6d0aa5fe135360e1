"""Files that appear whole or not at all, and what to say when the disk does not play along."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .errors import ResourceError, UsageError

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP}


@contextmanager
def explained(path: Path | str) -> Iterator[None]:
    """Turn an ``OSError`` of writing ``path`` into one sentence with the exit code that goes with it.

    Raises:
        ResourceError: disk full, quota or file-size limit reached, or an input/output error of the device.
        UsageError: the place cannot be written at all (permissions, read-only, no such folder).
    """
    try:
        yield
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        if error.errno in _FULL:
            raise ResourceError(
                f"{path}: cannot be written ({reason}); what was there before is untouched; "
                "free space and run the same command again",
                code="E-IO-FULL",
            ) from error
        if error.errno in _DENIED:
            raise UsageError(
                f"{path}: cannot be written ({reason}); choose another place or change its permissions",
                code="E-IO-DENIED",
            ) from error
        raise ResourceError(
            f"{path}: cannot be written ({reason}); check the disk and run the same command again", code="E-IO-ERROR"
        ) from error


def write_bytes(path: Path | str, data: bytes) -> None:
    """Put ``data`` at ``path``: readers see the old file or the new one, never a part, even after a crash.

    A symbolic link keeps being one: the file it leads to is replaced. The folder must exist.

    Raises:
        ResourceError, UsageError: see ``explained``; an old file is intact and no temporary file is left.
    """
    target = Path(os.path.realpath(path))
    # The name does not contain the target's: that may already be as long as a file name can be.
    temporary = target.parent / f".ganiq-{secrets.token_hex(8)}.tmp"
    with explained(path):
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0), 0o666)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, target)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)
            raise
        sync_folder(target.parent)


def write_text(path: Path | str, text: str) -> None:
    """``write_bytes`` of the text in UTF-8, line ends as they are."""
    write_bytes(path, text.encode())


def sync_folder(folder: Path) -> None:
    """Make a rename in ``folder`` survive a power cut, where the system can do that."""
    with suppress(OSError):  # some file systems cannot sync a folder; the rename itself has happened
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
