"""A restorer as a program: a command line with ``{input}`` and ``{output}`` in it.

``command(command='realesrgan-ncnn-vulkan -i {input} -o {output}', scale=4)``. The command line is split as a shell
would split it, and no shell is run: pipes, variables and wildcards mean nothing. The image is handed over and taken
back as 8-bit PNG files in a temporary folder.

Protocol: as in ``running``; by default the program sees the image in one piece. Its input is rounded to 8 bit, half to
even, which changes nothing where the image comes from a file.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shlex
import shutil
import signal
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ..bench.errors import Refusal, UsageError
from ..bench.images import read, save_png, to_uint8
from .running import Network, Own, Unusable, short_name, template

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Command(Own):
    """A program of your own that reads an image file and writes one."""

    command: str
    """Command line; ``{input}`` and ``{output}`` stand for the two PNG files."""
    scale: int
    """Output side divided by input side."""
    timeout: float = 600.0
    """Seconds after which it is ended, with what it has started."""

    info: ClassVar[Any] = template(
        "command",
        "A program of your own",
        "command(command='program -i {input} -o {output}', scale=4)",
        note="Run without a shell, on PNG files in a temporary folder.",
    )

    def __post_init__(self) -> None:
        Own.__post_init__(self)
        words = self.words
        for mark in ("{input}", "{output}"):
            if not any(mark in word for word in words[1:]):
                raise UsageError(
                    f"command {self.command!r} does not say where {mark} goes; write e.g. "
                    "'program -i {input} -o {output}'",
                    code="E-CFG",
                )
        if type(self.scale) is not int or not 1 <= self.scale <= 16:
            raise UsageError(f"scale must be a whole number from 1 to 16, not {self.scale!r}", code="E-CFG")
        if not 0 < self.timeout <= 86400:
            raise UsageError(f"timeout must be up to 86400 seconds, not {self.timeout!r}", code="E-CFG")

    @property
    def words(self) -> list[str]:
        """Program and arguments."""
        try:
            words = shlex.split(self.command)
        except (ValueError, AttributeError, TypeError) as error:
            raise UsageError(f"command {self.command!r} cannot be split into words: {error}", code="E-CFG") from None
        if not words:
            raise UsageError("command is empty; write e.g. 'program -i {input} -o {output}'", code="E-CFG")
        return words

    @property
    def shown(self) -> str:
        return Path(self.words[0]).name

    def _load(self) -> Network:
        words = self.words
        program = shutil.which(words[0])
        if program is None:
            raise Unusable(
                "E-GEN-COMMAND", self.shown, f"there is no program {words[0]!r}",
                "install it, put its folder on PATH, or give its path", "not run",
            )  # fmt: skip
        files = {"program": Path(program)} | {
            f"argument {number}": Path(word) for number, word in enumerate(words[1:], 1) if os.path.isfile(word)
        }
        hashes = {f"sha256 of {what}": hashed for what, file in files.items() if (hashed := _hash(file))}
        return Network(
            call=self._restored,
            scale=self.scale,
            name=short_name(self.shown, hashlib.sha256("".join([self.command, *hashes.values()]).encode()).hexdigest()),
            title=f"Program {self.shown}",
            tile=0,
            identity={"command": self.command, **hashes},
        )

    def _restored(self, image: Tensor) -> Tensor:
        import torch

        height, width = image.shape[2] * self.scale, image.shape[3] * self.scale
        with tempfile.TemporaryDirectory(prefix="ganiq-", ignore_cleanup_errors=True) as name:
            source, target = Path(name, "input.png"), Path(name, "output.png")
            save_png(source, to_uint8(image[0].permute(1, 2, 0).numpy()))
            self._run(source, target, Path(name, "messages"))
            if not os.path.lexists(target):
                raise self._problem("it ended well and wrote no {output}", "check what it expects")
            try:
                pixels, _ = read(target, shown=target.name)
            except Refusal as problem:
                raise self._problem(
                    f"it wrote no image that can be used ({problem.found})", "let it write 8-bit PNG"
                ) from None
        if pixels.shape != (height, width, 3):
            raise self._problem(
                f"it wrote {pixels.shape[1]}x{pixels.shape[0]} pixels, {width}x{height} were expected",
                "correct scale=, or the program's own setting",
            )
        return torch.from_numpy(pixels.transpose(2, 0, 1)[None].copy()).to(torch.float32) / 255.0

    def _run(self, source: Path, target: Path, messages: Path) -> None:
        words = [word.replace("{input}", str(source)).replace("{output}", str(target)) for word in self.words]
        with messages.open("wb") as sink:
            try:
                # A group of its own, so that what the program starts can be ended with it.
                process = subprocess.Popen(
                    words, stdin=subprocess.DEVNULL, stdout=sink, stderr=subprocess.STDOUT, start_new_session=True
                )
            except OSError as error:
                raise self._problem(f"it cannot be started ({error.strerror})", "check the program") from None
            try:
                code = process.wait(self.timeout)
            except subprocess.TimeoutExpired:
                raise self._problem(
                    f"it did not end within {self.timeout:g} seconds and was ended", "raise timeout=, or use tile="
                ) from None
            finally:
                if process.returncode is None:
                    with contextlib.suppress(OSError):
                        os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
        if code:
            how = f"it ended with exit code {code}" if code > 0 else f"signal {-code} ended it"
            said = _last_line(messages)
            raise self._problem(f"{how}{f', saying: {said}' if said else ''}", "run the command by hand to see why")

    def _problem(self, found: str, advice: str) -> Unusable:
        return Unusable("E-GEN-COMMAND", self.shown, found, advice)


def _hash(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return ""


def _last_line(file: Path) -> str:
    with file.open("rb") as stream:
        stream.seek(max(0, file.stat().st_size - 2000))
        lines = stream.read().decode("utf-8", "replace").split("\n")
    texts = ["".join(c for c in line if c.isprintable()).strip() for line in lines]
    return next((text[:200] for text in reversed(texts) if text), "")
