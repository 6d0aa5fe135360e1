"""Images that a generator has made elsewhere, handed out one by one as if they were made here."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from ...bench.errors import UsageError
from ...bench.images import Gate, hash_file, read
from ...bench.protocols import GeneratorInfo
from ...bench.spec import digest

if TYPE_CHECKING:
    from torch import Tensor

_EXTENSIONS = (".png", ".bmp", ".webp", ".tif", ".tiff", ".jpg", ".jpeg")


@dataclass(frozen=True, kw_only=True)
class Images:
    """Image number ``seed`` of a folder, by name; with labels, of its subfolder number ``label``."""

    path: str
    """The folder."""
    rules: Gate = field(default=Gate(), init=False)
    """What to do with files that could be read in more than one way; no parameter, but set by ``under``."""
    info: ClassVar[GeneratorInfo] = GeneratorInfo(
        "images",
        "Images of a folder",
        kind="sampler",
        license="yours",
        note="The seed is the place of the file among the sorted names, from 0.",
        given="images(path='folder')",
    )

    def __call__(self, seed: int, label: int | None = None, /) -> Tensor:
        import torch

        files = self._in(label)
        if not 0 <= seed < len(files):
            raise UsageError(f"{Path(self.path).name} has {len(files)} images, and number {seed} is asked for")
        pixels, _ = read(files[seed], shown=files[seed].name, gate=self.rules)
        return torch.from_numpy(pixels).permute(2, 0, 1).float() / 255.0

    def __len__(self) -> int:
        """How many seeds there are: images in the folder, or in the smallest of its subfolders."""
        if self._files:
            return len(self._files)
        return min((len(self._in(label)) for label in range(len(self._folders))), default=0)

    def under(self, gate: Gate) -> Images:
        """The same folder under other rules for unusual files: those of the sweep's ``[gate]``."""
        other = Images(path=self.path)
        object.__setattr__(other, "rules", gate)
        return other

    @property
    def identity(self) -> dict[str, str]:
        """Names and hashes of all files, and the rules that are not the usual ones."""
        every = [*self._files, *(file for label in range(len(self._folders)) for file in self._in(label))]
        found = {"files": digest([[file.name, hash_file(file, max_bytes=self.rules.max_bytes)[0]] for file in every])}
        usual = Gate().identity()
        other = [f"{name}={value}" for name, value in self.rules.identity().items() if value != usual[name]]
        return found | ({"gate": ", ".join(other)} if other else {})

    @cached_property
    def _files(self) -> list[Path]:
        folder = Path(self.path)
        if not folder.is_dir():
            raise UsageError(f"there is no folder {self.path}; correct the path", code="E-IO-MISSING")
        return _images(folder)

    @cached_property
    def _folders(self) -> list[Path]:
        return sorted(p for p in Path(self.path).iterdir() if p.is_dir() and not p.name.startswith("."))

    def _in(self, label: int | None) -> list[Path]:
        if label is None:
            return self._files
        if not 0 <= label < len(self._folders):
            raise UsageError(
                f"{Path(self.path).name} has {len(self._folders)} subfolders, and label {label} is asked for",
                code="E-CFG",
            )
        return _images(self._folders[label])


def _images(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.suffix.lower() in _EXTENSIONS and p.name[0] != "." and p.is_file())
