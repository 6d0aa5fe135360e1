"""The user's TOML for ``ganiq generate``.

::

    references = "photos"            # a folder, or a pattern such as "photos/**/*.png"
    out = "restorations"
    device = "auto"                  # where networks run: cpu (the default), cuda, or auto

    [[degradation]]
    name = "x4"
    recipe = "imresize(scale=4) | noise(sigma=5)"

    [[restorer]]
    spec = "bicubic"

    [[restorer]]
    spec = "realesrgan-x4plus(tile=256)"
    name = "esrgan"
    title = "Real-ESRGAN"

    [sampler]
    spec = "dcgan-faces"
    count = 500

    [gate]                           # what to do with files that could be read in more than one way, as in `ganiq run`
    alpha = "white"                  # refuse (the default), white, black or drop what is not opaque
    depth = "8"                      # refuse 16-bit images, or round them to 8
    exif = "apply"                   # refuse what does not lie upright, or turn it

The gate is that of photographs and of the sampler ``images(path='folder')``; what this command makes is always plain.
Paths are relative to the file.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from .. import toml_file
from ..devices import Name as Device
from ..errors import UsageError
from ..sweep import GateOptions

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@+=-]{0,79}")


def _folder_name(text: str) -> str:
    if text and not _NAME.fullmatch(text):
        raise ValueError(f"{text!r} names a folder: use up to 80 letters, digits and _ . @ + = -")
    return text


Name = Annotated[str, AfterValidator(_folder_name)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DegradationEntry(_Section):
    """One kind of input."""

    name: Name
    recipe: str
    title: str = ""


class RestorerEntry(_Section):
    """One way to restore."""

    spec: str
    """``none`` takes the degraded image as it is."""
    name: Name = ""
    """Folder of its images; by default the name in the spec."""
    title: str = ""
    """Name on the board; by default ``name``."""
    family: Literal["", "gan", "traditional"] = ""
    """By default what the restorer says of itself."""
    licence: str = ""
    """Of its weights, where they are your own."""
    only: tuple[str, ...] = ()
    """Names of the degradations it is for; by default all that shrink as much as it enlarges."""


class SamplerEntry(_Section):
    """One generator that needs no input."""

    spec: str
    name: Name = ""
    title: str = ""
    family: Literal["", "gan", "traditional"] = ""
    licence: str = ""
    count: int | None = Field(None, ge=1, le=10_000_000)
    """Seeds (for each label); by default 100, or as many images as a folder has."""
    first: int = Field(0, ge=0, le=2**63)
    """The first seed; the others follow."""
    labels: tuple[int, ...] = ()


class Generation(_Section):
    """One set of images, wholly described."""

    references: str = ""
    out: Path
    title: str = ""
    seed: int = Field(0, ge=0)
    """Of all random degradations; another seed gives other noise."""
    crop: int | None = Field(None, ge=1, le=4096)
    """References are cropped at the right and at the bottom to a multiple of this; by default the least common multiple
    of all whole factors by which the degradations shrink."""
    format: Literal["png"] = "png"
    device: Device = "cpu"
    """Where networks run whose spec does not say: another device may round a pixel otherwise."""
    degradations: tuple[DegradationEntry, ...] = Field((), alias="degradation")
    restorers: tuple[RestorerEntry, ...] = Field((), alias="restorer")
    samplers: tuple[SamplerEntry, ...] = Field((), alias="sampler")
    gate: GateOptions = Field(default_factory=lambda: GateOptions.model_validate({}))
    base: Path = Path()
    """Folder that paths inside specs may be relative to."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


def read(path: Path) -> dict[str, Any]:
    """The document of a file; paths in it become relative to its folder.

    Raises:
        UsageError: the file cannot be read as TOML.
    """
    document = toml_file.read(path, f"there is no file {path}; write one, see `ganiq generate --help`")
    if isinstance(document.get("references"), str) and document["references"]:
        document["references"] = str(path.parent / document["references"])
    if isinstance(document.get("out"), str):
        document["out"] = path.parent / document["out"]
    if isinstance(document.get("sampler"), dict):
        document["sampler"] = [document["sampler"]]
    if "base" in document:
        raise UsageError(f"{path}: base is not a key that is read; remove it", code="E-CFG")
    document["base"] = path.parent
    return document


def build(document: dict[str, Any], shown: str = "command line") -> Generation:
    """Validate a document.

    Raises:
        UsageError: one sentence per wrong value.
    """
    return toml_file.validated(Generation, document, shown)
