"""The user's TOML: what to score, with what, and how to judge it.

::

    data = "my-outputs"
    metrics = ["psnr", "ssim(downsample=False)", "dss"]
    out = "report"

    [statistics]
    level = 0.95

    [engine]
    workers = 2
"""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from . import toml_file
from .devices import Name as Device


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class GateOptions(_Section):
    """How unusual image files are treated; the default refuses whatever could be scored wrongly."""

    alpha: Literal["refuse", "white", "black", "drop"] = "refuse"
    depth: Literal["refuse", "8"] = "refuse"
    exif: Literal["refuse", "apply"] = "refuse"
    icc: Literal["note", "convert"] = "note"
    frame: int | None = Field(default=None, ge=0)
    max_pixels: int = Field(default=50_000_000, gt=0)
    max_bytes: int = Field(default=256 * 2**20, gt=0)


class Statistics(_Section):
    """How agreement is judged."""

    level: float = Field(default=0.95, gt=0.5, lt=1)
    resamples: int = Field(default=2000, ge=200, le=100_000)
    seed: int = Field(default=0, ge=0)
    headline: Literal["auto", "srocc_within", "srocc_pooled"] = "auto"


class Engine(_Section):
    """How the work is spread."""

    kind: str = "auto"
    workers: int = Field(default=0, ge=0, le=512)
    """0 = one per core; on a graphics card one, as several would fight for it."""
    device: Device = "cpu"
    """Where metrics are computed; no part of a score's identity."""
    timeout: float = Field(default=600, gt=0)
    """Seconds that one unit of work may take before its worker is replaced."""
    durable: bool = False
    """Every commit survives a power cut, not only a killed process; slower."""


class Sweep(_Section):
    """One run, wholly described."""

    data: Path
    dataset: str | None = None
    split: str | None = None
    metrics: tuple[str, ...] = ("default",)
    preset: str = ""
    """Named protocol of colour and border; empty: every metric as it is asked for."""
    out: Path
    store: Path | None = None
    title: str = ""
    gallery: bool = True
    """Put crops of the most disputed images into the report; switch off where their licence forbids it."""
    imports: tuple[Path, ...] = Field(default=(), alias="import")
    gate: GateOptions = GateOptions()
    statistics: Statistics = Statistics()
    engine: Engine = Engine()

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    @field_validator("metrics")
    @classmethod
    def _named(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not any(name.strip() for name in value):
            raise ValueError("nothing is named; name at least one metric, or leave it out for `default`")
        return value


def read(path: Path) -> dict[str, Any]:
    """The document of a sweep file; paths in it are relative to its folder.

    Raises:
        UsageError: the file cannot be read as TOML.
    """
    document = toml_file.read(path, f"there is no sweep file {path}; write one or use --data")
    for key in ("data", "out", "store"):
        if isinstance(document.get(key), str):
            document[key] = path.parent / document[key]
    if isinstance(document.get("import"), list):
        document["import"] = [path.parent / str(p) for p in document["import"]]
    return document


def build(document: dict[str, Any], shown: str = "command line", given: Collection[str] | None = None) -> Sweep:
    """Validate a document.

    Args:
        document: what to do.
        shown: where it comes from, for messages.
        given: paths of the values, such as ``engine.timeout``, that were given as options of the command line;
            None: all of them.

    Raises:
        UsageError: one sentence per wrong value.
    """

    def place(path: str) -> str:
        path = re.sub(r"\.\d+$", "", path)  # of a list's entry
        if given is not None and path not in given:
            return path
        return f"--{_OPTIONS.get(path, path.rpartition('.')[2])}"

    return toml_file.validated(Sweep, document, shown, say=_said, place=place)


_OPTIONS = {"engine.kind": "executor"}
"""Options that are not called as their keys are."""


def _said(message: str) -> str:
    return message.removeprefix("Value error, ").lower()
