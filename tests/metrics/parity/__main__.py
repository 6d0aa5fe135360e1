"""``python -m parity [FILE]``: measure everything, and print the page or write it to FILE."""

import sys
import warnings
from pathlib import Path

from ganiq.bench.vision import load_torchvision

from .card import render


def main() -> None:
    warnings.simplefilter("ignore")
    load_torchvision()
    pieces = []
    for piece in render():
        pieces.append(piece)
        print(piece, end="", flush=True)
    if len(sys.argv) > 1:  # only once nothing can fail any more
        Path(sys.argv[1]).write_text("".join(pieces), encoding="utf-8")


main()
