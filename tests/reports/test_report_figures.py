"""The figure files: valid, for every name, and without a trace of when and where they were made."""

from __future__ import annotations

import io
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import sample
from ganiq.reports import figures, page
from ganiq.reports.inputs import read
from PIL import Image

NAMES = {
    "signal-ratio": "$broken $math^{",
    "structure": "日本語",
    "edge-overlap": "a\u202eb",
    "model-01": "100 % $x",
    "visual-info": "_" * 90,
}


@pytest.fixture(scope="module")
def drawings(tmp_path_factory: pytest.TempPathFactory) -> list[figures.Drawing]:
    folder = tmp_path_factory.mktemp("figures")
    sample.write(folder, sample.Options(names=NAMES, metrics=5, generators=4))
    inputs = read(folder)
    parts = page.Parts(inputs)
    return list(
        figures.draw(
            inputs.board, parts.board, parts.contest, parts.matrix, parts.prices, parts.selection, inputs.items
        )
    )


def test_every_figure_is_there(drawings: list[figures.Drawing]) -> None:
    assert [d.name for d in drawings] == list(figures.NAMES)


def test_figures_are_what_they_say_and_not_blank(drawings: list[figures.Drawing]) -> None:
    for drawing in drawings:
        root = ET.fromstring(drawing.svg)
        assert root.tag.endswith("svg")
        with Image.open(io.BytesIO(drawing.png)) as image:
            assert image.format == "PNG"
            assert not {"Software", "Creation Time"} & set(image.info)
            colours = image.convert("RGB").getcolors(1 << 24)
            assert colours is not None
            assert len(colours) > 50
        for word in (b"Matplotlib", b"<dc:date>", b"http://www.w3.org/1999/xhtml"):
            assert word not in drawing.svg


def test_a_figure_drawn_again_has_the_same_bytes(drawings: list[figures.Drawing], tmp_path: Path) -> None:
    sample.write(tmp_path, sample.Options(names=NAMES, metrics=5, generators=4))
    inputs = read(tmp_path)
    parts = page.Parts(inputs)
    again = {
        d.name: d
        for d in figures.draw(
            inputs.board, parts.board, parts.contest, parts.matrix, parts.prices, parts.selection, inputs.items
        )
    }
    for drawing in drawings:
        assert again[drawing.name] == drawing


def test_settings_do_not_leak() -> None:
    import matplotlib

    before = matplotlib.rcParams["svg.hashsalt"], matplotlib.rcParams["font.size"]
    with figures._settings():
        assert matplotlib.rcParams["svg.hashsalt"] == "ganiq"
    assert (matplotlib.rcParams["svg.hashsalt"], matplotlib.rcParams["font.size"]) == before
