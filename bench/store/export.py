"""Publishing a manifest's results as plain files that anything can read and anybody can check."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..atomic import explained, write_bytes
from ..cells import guard
from ..errors import UsageError

if TYPE_CHECKING:
    from .results import Store

SUMS = "SHA256SUMS"


def _cell(value: object) -> str:
    if value is None:
        return ""
    return guard(value) if isinstance(value, str) else repr(value)


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """CSV as of RFC 4180, UTF-8; text guarded, numbers as ``repr``, so that both read back exactly."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer)
    writer.writerow(header)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return buffer.getvalue().encode()


def _json(document: Any) -> bytes:
    return (json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n").encode()


def export(store: Store, folder: Path, manifest_digest: str) -> None:
    """Write the results of one manifest into ``folder``.

    ``scores.csv`` (one line per item and metric), ``set_scores.csv``, ``images.csv``, ``refusals.csv``,
    ``conflicts.csv``, ``metrics.json``, ``manifest.json``, ``runs.json`` and ``SHA256SUMS`` over them. Each
    file appears whole or not at all; the sums are removed first and written last, so that a folder with sums
    is complete. The CSV files depend on the data alone, not on time, machine or order of work.

    Raises:
        UsageError: unknown manifest, or a folder that holds something other than an earlier export.
        ResourceError: disk full.
    """
    manifests = store.manifests()
    if manifest_digest not in manifests:
        raise UsageError(f"{store.path}: has no results of manifest {manifest_digest[:12]}; run it first", code="E-CFG")
    contents = _contents(store, manifests[manifest_digest], manifest_digest)
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
        strangers = sorted({entry.name for entry in folder.iterdir()} - {*contents, SUMS})
        if strangers:
            raise UsageError(
                f"{folder}: holds {strangers[0]!r}, which is not of an export; name a folder of its own", code="E-CFG"
            )
        with suppress(FileNotFoundError):
            (folder / SUMS).unlink()
    for name, data in contents.items():
        write_bytes(folder / name, data)
    sums = "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in sorted(contents.items()))
    write_bytes(folder / SUMS, sums.encode())


def _contents(store: Store, document: dict, digest: str) -> dict[str, bytes]:
    identities = store.metrics()
    names = {metric: str(identity.get("name", "")) for metric, identity in identities.items()}
    order = sorted(names, key=lambda metric: (names[metric], metric))
    links = store.links(digest)
    rows, used = [], set()
    for row in store.table(digest, order):
        image, reference = links.get(row.key, ("", ""))
        status = row.status
        rows.append((row.key, names[row.metric], row.value, status, row.detail, image, reference, row.metric))
        used.add(row.metric)
    sets = store.set_scores(digest)
    used |= {row.metric for row in sets}
    seen = {name for link in links.values() for name in link}
    return {
        "scores.csv": table(
            ("item", "metric", "value", "status", "detail", "image_sha256", "reference_sha256", "metric_digest"), rows
        ),
        "set_scores.csv": table(
            (
                "generator",
                "metric",
                "subset",
                "replicate",
                "n",
                "value",
                "status",
                "detail",
                "features",
                "metric_digest",
            ),
            ((s.generator, names[s.metric], *s[2:], s.metric) for s in sets),
        ),
        "images.csv": table(
            ("image_sha256", "pixels_sha256", "width", "height", "mode", "bytes", "notes"),
            (
                (p.sha256, p.pixels_sha256, p.width, p.height, p.mode, p.bytes, " ".join(p.notes))
                for p in store.images(digest)
            ),
        ),
        "refusals.csv": table(
            ("item", "code", "message"), ((key, *why) for key, why in sorted(store.refusals(digest).items()))
        ),
        "conflicts.csv": table(
            (
                *("kind", "image_sha256", "reference_sha256", "metric_digest", "subject"),
                *(f"{side}_{part}" for side in ("first", "second") for part in ("value", "status", "detail")),
            ),
            (
                (*c[1:6], *c.first[:3], *c.second[:3])
                for c in store.conflicts()
                if c.image in seen or digest in c.subject
            ),
        ),
        "metrics.json": _json({metric: identities[metric] for metric in sorted(used)}),
        "manifest.json": _json(document),
        "runs.json": _json([run._asdict() for run in store.runs(digest)]),
    }
