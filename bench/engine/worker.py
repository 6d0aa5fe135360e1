"""What runs in a worker process: receive a unit, work, send the result, until the pipe closes."""

from __future__ import annotations

import ctypes
import os
import pickle
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import connection, parent_process
from multiprocessing.connection import Connection
from multiprocessing.reduction import ForkingPickler
from typing import Any

from . import failure

_PR_SET_PDEATHSIG = 1


def serve(
    pipe: Connection,
    work: Callable[[Any], Any],
    initializer: Callable[[], object] | None,
    memory: int | None,
    parent: int,
) -> None:
    """Main function of a worker. Sends ``("ready", None)`` first, then ``("done", result)`` per unit, in order."""
    # The parent decides when to stop. It had blocked the signal, so that none could come before this line.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    die_with_parent(parent)
    try:
        if memory is not None:
            limit_memory(memory)
        if initializer is not None:
            initializer()
    except BaseException as error:
        with suppress(OSError):
            pipe.send(("failed", failure(error).detail))
        return
    with suppress(EOFError, OSError):  # the parent has closed the pipe, or is gone: nothing more to do
        pipe.send(("ready", None))
        while True:
            pipe.send_bytes(answer(pipe.recv_bytes(), work))


def answer(message: bytes, work: Callable[[Any], Any]) -> bytes:
    """The pickled reply to one pickled unit; an exception of any kind is a reply, too."""
    try:
        return bytes(ForkingPickler.dumps(("done", work(pickle.loads(message)))))
    except BaseException as error:  # also SystemExit: third-party code may call sys.exit()
        lost = failure(error)
    return bytes(ForkingPickler.dumps(("done", lost)))


def limit_memory(memory: int) -> None:
    """Let allocations beyond ``memory`` bytes of address space fail, as far as the system's limits allow."""
    import resource

    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    soft = memory if hard == resource.RLIM_INFINITY else min(memory, hard)
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def die_with_parent(parent: int) -> None:
    """Make sure that this process does not outlive its parent, even a killed one.

    Two ways: the kernel kills it (Linux; also while compiled code holds the interpreter), and a thread waits
    for the parent's end of a pipe to close (everywhere).
    """
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it died before the request was in place
        os._exit(1)
    process = parent_process()
    if process is not None:

        def watch() -> None:
            connection.wait([process.sentinel])
            os._exit(1)

        threading.Thread(target=watch, name="parent-watch", daemon=True).start()
