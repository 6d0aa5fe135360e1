"""The photographs that training has not seen, enlarged by each stage of SRGAN-lite: a folder to run metrics on.

    python -m ganiq.generators.srgan.holdout --data PHOTOGRAPHS... --out FOLDER
    ganiq run --data FOLDER --out REPORT --metrics psnr,ssim,st-lpips-alex

``PHOTOGRAPHS`` must be the folders that were trained on: what is held out is every fifth file of each.
"""

from __future__ import annotations

import argparse
import csv
import io
from collections.abc import Sequence
from pathlib import Path

from ...bench.atomic import explained, write_text
from ...bench.errors import UsageError
from ...bench.images import save_png
from ..base import restore
from ..interpolation import Bicubic
from . import patches
from .restorer import SRGANLite, SRGANLiteEarly, SRGANLiteMid, SRGANLitePSNR

RESTORERS = (Bicubic, SRGANLitePSNR, SRGANLiteEarly, SRGANLiteMid, SRGANLite)
_COLUMNS = ("image", "reference", "generator", "distortion", "family", "group")


def write(folders: Sequence[Path | str], out: Path | str) -> int:
    """Enlarge the held-out photographs of some folders.

    Args:
        folders: those given to the training.
        out: where references, enlarged images and ``items.csv`` go.

    Returns:
        Number of photographs.

    Raises:
        UsageError: a folder holds no images, or ``out`` cannot be written.
    """
    out = Path(out)
    text = io.StringIO()
    table = csv.DictWriter(text, _COLUMNS, lineterminator="\n")
    table.writeheader()
    held = patches.files(folders, held_out=True)
    for path in held:
        one = patches.pair(path)
        reference = f"reference/{path.parent.name}-{one.name}.png"
        _save(out / reference, one.high)
        for factory in RESTORERS:
            name, gan = factory.info.name, factory.info.family == "gan"
            image = f"{name}/{path.parent.name}-{one.name}.png"
            _save(out / image, restore(factory(), one.low))
            family = "gan" if gan else "traditional"
            table.writerow(dict(zip(_COLUMNS, (image, reference, name, f"x4-{family}", family, one.name))))
    write_text(out / "items.csv", text.getvalue())
    write_text(out / "items.toml", 'name = "srgan-lite-held-out"\ntitle = "Photographs held out from SRGAN-lite"\n')
    return len(held)


def _save(path: Path, pixels: patches.Pixels) -> None:
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        save_png(path, pixels)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m ganiq.generators.srgan.holdout",
        description="Enlarge the held-out photographs, as a folder to run metrics on.",
    )
    parser.add_argument("--data", nargs="+", required=True, help="the folders that were trained on")
    parser.add_argument("--out", required=True, help="folder of the result")
    given = parser.parse_args(arguments)
    try:
        write(given.data, given.out)
    except UsageError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
