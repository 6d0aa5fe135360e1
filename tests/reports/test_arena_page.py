"""The arena's page: bytes that repeat, names that stay text, and a browser that has nothing to complain about."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import arenas
import hostile
import numpy as np
import pytest
import test_page_browser as browser
from ganiq.bench.arena import Arena
from ganiq.bench.arena.build import make
from ganiq.bench.errors import IntegrityError, UsageError
from ganiq.reports import arena
from ganiq.reports.contract import json_schema

driver = browser.driver
METRICS = ("psnr", "ssim", "vifp", "fsim", "dss", "haarpsi", "vsi", "gmsd", "mdsi")
SECTIONS = [
    "standings", "views", "flips", "trust", "predictions", "images", "cost", "wins", "reading", "provenance",
]  # fmt: skip


def scores(names: list[str], noise: float, seed: int, count: int = 12, sign: int = 1) -> dict[str, list[float]]:
    rng = np.random.default_rng(seed)
    return {g: (sign * (rng.normal(0, noise, count) - n / 2)).tolist() for n, g in enumerate(names)}


def run(folder: Path, names: list[str], *, rated: bool = True, count: int = 12, **more: Any) -> Path:
    metrics = {
        name: scores(names, 0.2 + 0.2 * n, n, count, -1 if name in ("gmsd", "mdsi") else 1)
        for n, name in enumerate(METRICS)
    }
    human = scores(names, 0.4, 99, count) if rated else None
    return arenas.write(folder, metrics, human, **more)


def written(folder: Path, names: list[str], calibrate: Path | None = None, **more: Any) -> Path:
    make(run(folder, names, **more), calibrate)
    return arena.render(folder)


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One page per situation."""
    root = tmp_path_factory.mktemp("arena")
    names = ["Alpha", "Beta", "Gamma", "Delta", "Epsilon"]
    pictures = arenas.with_images(root / "data", root / "pictures")
    make(pictures)
    strange = [*hostile.STRINGS[:18], "__proto__"]
    places = [f"{s} {n}" for n, s in enumerate(hostile.STRINGS[20:30])]
    return {
        "people": written(root / "people", names),
        "panel": written(root / "panel", names, root / "people", rated=False, name="other"),
        "few": written(root / "few", names[:2], count=3),
        "pictures": arena.render(pictures),
        "spoilt": written(
            root / "spoilt", strange, title=hostile.STRINGS[0] + hostile.STRINGS[28], references=places, count=10,
            families=dict.fromkeys(strange, hostile.STRINGS[2]),
        ),
    }  # fmt: skip


class Outline(HTMLParser):
    """Identifiers of sections, all tags and all addresses."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.sections: list[str] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.addresses: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        known = dict(attrs)
        if tag == "section":
            self.sections.append(known.get("id") or "")
        self.addresses += [known[name] or "" for name in ("href", "src") if name in known]


@pytest.mark.parametrize("which", ["people", "panel", "few", "pictures", "spoilt"])
def test_every_page_is_whole_and_inert(pages: dict[str, Path], which: str) -> None:
    text = pages[which].read_text(encoding="utf-8")
    found = Outline(text)
    assert found.sections == SECTIONS
    assert not found.tags & {"iframe", "object", "embed", "form", "base", "audio", "video", "marquee"}
    assert not {name for name in found.attributes if name.startswith("on") or name == "style"}
    for address in found.addresses:
        assert re.match(r"#|data:|https?://|(arena\.json|index\.html)$", address), address
    for tag in ("style", "script"):
        blocks = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.S)
        assert len(blocks) == 1
        sha = base64.b64encode(hashlib.sha256(blocks[0].encode()).digest()).decode()
        assert f"{tag}-src &#39;sha256-{sha}&#39;" in text
    data = re.search(r'<script type="application/json" id="arena-data">(.*?)</script>', text, re.S)
    assert data is not None
    assert json.loads(data[1]) == json.loads((pages[which].parent / "arena.json").read_text(encoding="utf-8"))


def test_names_are_escaped(pages: dict[str, Path]) -> None:
    text = pages["spoilt"].read_text(encoding="utf-8")
    outside = re.sub(r"<script.*?</script>|<style>.*?</style>", "", text, flags=re.S)
    assert "<img" not in outside
    assert "<svg/onload" not in outside
    assert "&lt;img src=x onerror=canary(3)&gt;" in outside


def test_trust_has_columns_for_people_only_where_people_were_asked(pages: dict[str, Path], tmp_path: Path) -> None:
    def table(path: Path) -> str:
        text = path.read_text(encoding="utf-8")
        return text[text.index('<section id="trust"') :].partition("</section>")[0]

    names = ["Alpha", "Beta", "Gamma"]
    alone = table(written(tmp_path / "alone", names, rated=False))
    assert alone.count("--calibrate") == 1
    for column in ("SROCC with people", "Measured as", "Tier there", "Order here"):
        assert column not in alone
        assert column in table(pages["people"])
        assert column in table(pages["panel"])  # calibrated on another run
    for text in (alone, table(pages["people"])):
        heads = len(re.findall(r"<th[^>]*scope=\"col\"", text))
        for row in re.findall(r"<tr><th scope=\"row\">.*?</tr>", text, re.S):
            assert len(re.findall(r"<t[hd]\b", row)) == heads


def test_a_single_pair_is_not_counted_in_the_plural(pages: dict[str, Path]) -> None:
    lead = pages["few"].read_text(encoding="utf-8").partition('<p class="lead">')[2].partition("</p>")[0]
    assert re.search(r"(None|\d) of 9 metrics reverses? this order\.", lead)
    assert "pairs" not in lead


def test_the_same_run_gives_the_same_bytes(tmp_path: Path) -> None:
    names = ["Alpha", "Beta", "Gamma"]
    first = written(tmp_path / "a", names).read_bytes()
    folder = tmp_path / "a"
    (folder / "arena.json").unlink()
    make(folder)
    assert arena.render(folder).read_bytes() == first


def test_the_page_says_who_judges_and_what_flips(pages: dict[str, Path]) -> None:
    people, panel, few = (pages[n].read_text(encoding="utf-8") for n in ("people", "panel", "few"))
    assert "Best tier: <strong>Alpha</strong>, of " in people
    assert "No people were asked: this is the order of a panel of metrics" in panel
    assert "no tiers: too few references (3; 8 are needed)" in few
    assert "3 references are too few to call" in few
    document = json.loads((pages["people"].parent / "arena.json").read_text())
    for row in document["generators"]:
        assert row["sentence"] in people
    assert "this order flips under" in people


def test_predictions_show_values_errors_and_refusals(pages: dict[str, Path]) -> None:
    document = json.loads((pages["panel"].parent / "arena.json").read_text())
    accepted = [p for p in document["predictions"] if p["status"] == "ok"]
    assert accepted
    text = pages["panel"].read_text(encoding="utf-8")
    section = text[text.index('id="predictions"') : text.index('id="images"')]
    assert len(re.findall(r'data-col="p-\d+"', section)) == len(accepted)
    assert section.count('<span class="rho">± ') == len(accepted)
    refused = [p for p in document["predictions"] if p["status"] != "ok"]
    for p in refused:
        assert p["metric"] in section[section.index("<details") :]
    assert "No calibration: name a finished run" in pages["people"].read_text(encoding="utf-8")


def test_crops_are_in_the_page_and_costs_drawn(pages: dict[str, Path]) -> None:
    text = pages["pictures"].read_text(encoding="utf-8")
    assert text.count('<img src="data:image/png;base64,') == 3 * 2 * 2  # worst and best, each beside its reference
    assert 'class="co"' in text
    bare = pages["people"].read_text(encoding="utf-8")
    assert "<img" not in bare
    assert "The time to make an image is kept with the data set" in bare


def test_the_published_schema_is_that_of_the_types(repository: Path) -> None:
    schema = json.loads((repository / "reports" / "schema" / "arena-1.json").read_text())
    assert schema == json_schema(Arena, title="ganiq arena, schema 1")


@pytest.mark.parametrize(
    ("content", "error", "says"),
    [
        (None, UsageError, "holds no arena.json"),
        (b"{", IntegrityError, "not valid JSON"),
        (b'{"x": NaN}', IntegrityError, "NaN is not JSON"),
        (b"[]", IntegrityError, "not an arena document"),
        (b'{"kind": "ganiq-arena", "schema": 2}', UsageError, "schema 2"),
        (b'{"kind": "ganiq-arena", "schema": 1}', IntegrityError, "has no 'title'"),
    ],
)
def test_reading_says_what_is_wrong(tmp_path: Path, content: bytes | None, error: type[Exception], says: str) -> None:
    if content is not None:
        (tmp_path / "arena.json").write_bytes(content)
    with pytest.raises(error, match=says):
        arena.render(tmp_path)


# --- in a browser ----------------------------------------------------------------------------------------


@pytest.mark.browser
@pytest.mark.parametrize("which", ["people", "panel", "few", "pictures", "spoilt"])
def test_no_error_no_request_no_violation(driver: Any, pages: dict[str, Path], which: str) -> None:
    address = pages[which].as_uri()
    browser._open(driver, address)
    driver.execute_script("document.querySelectorAll('details').forEach(d => d.open = true); scrollTo(0, 1e6)")
    assert driver.execute_script("return document.documentElement.classList.contains('scripted')")
    assert driver.execute_script("return window.ran") == []
    assert driver.execute_script("return window.violations") == []
    assert driver.get_log("browser") == []
    asked = {url for url in browser._requests(driver) if not url.startswith("data:")}
    assert asked <= {address}


@pytest.mark.browser
def test_hostile_names_are_text(driver: Any, pages: dict[str, Path]) -> None:
    browser._open(driver, pages["spoilt"].as_uri())
    text = driver.execute_script("return document.body.textContent")
    for string in hostile.STRINGS[:18]:
        assert string in text
    assert driver.execute_script("return document.title").startswith(hostile.STRINGS[0])


@pytest.mark.browser
def test_tables_sort(driver: Any, pages: dict[str, Path]) -> None:
    document = json.loads((pages["people"].parent / "arena.json").read_text())
    browser._open(driver, pages["people"].as_uri())
    start = browser._names(driver, "s")
    assert start == [g["name"] for g in document["generators"]]
    browser._click(driver, "rate", "s")
    rates = {n: s["win_rate"]["value"] for n, s in document["views"][0]["standings"].items()}
    assert browser._names(driver, "s") == sorted(start, key=lambda n: -rates[n])
    for column, view in enumerate(document["views"], 1):
        browser._click(driver, f"v-{column}", "v")
        wanted = sorted(start, key=lambda n, v=view: v["standings"][n]["place"])
        assert browser._names(driver, "v") == wanted
    trust = {r["name"]: r["trust"]["srocc"]["value"] for r in document["metrics"]}
    browser._click(driver, "trust", "t")
    assert browser._names(driver, "t") == sorted(trust, key=lambda n: -trust[n])


@pytest.mark.browser
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1400])
@pytest.mark.parametrize("which", ["pictures", "panel", "spoilt"])
def test_it_fits_and_is_not_blank(driver: Any, pages: dict[str, Path], which: str, width: int, theme: str) -> None:
    browser.test_it_fits_and_is_not_blank(driver, pages[which].as_uri(), width, theme)


@pytest.mark.browser
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("which", ["pictures", "people", "panel"])
def test_text_has_contrast(driver: Any, pages: dict[str, Path], which: str, theme: str) -> None:
    browser.test_text_has_contrast(driver, pages[which].as_uri(), theme)


@pytest.mark.browser
def test_saving_gives_the_document(driver: Any, pages: dict[str, Path]) -> None:
    browser._open(driver, pages["people"].as_uri())
    driver.execute_script("""
      window.saved = null; const make = URL.createObjectURL;
      URL.createObjectURL = b => { b.text().then(t => window.saved = t); return make.call(URL, b); };
      HTMLAnchorElement.prototype.click = function () { window.savedAs = this.download; };
      document.getElementById('save').click();""")
    text = driver.execute_async_script(
        "const done = arguments[0]; const w = () => window.saved ? done(window.saved) : setTimeout(w, 20); w();"
    )
    assert json.loads(text) == json.loads((pages["people"].parent / "arena.json").read_text())
    assert driver.execute_script("return window.savedAs") == "arena.json"


@pytest.mark.browser
def test_everything_is_there_without_scripts(driver: Any, pages: dict[str, Path]) -> None:
    driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser._open(driver, pages["people"].as_uri())
        root = driver.execute_cdp_cmd("DOM.getDocument", {"depth": 0})["root"]["nodeId"]
        find = lambda query: driver.execute_cdp_cmd("DOM.querySelectorAll", {"nodeId": root, "selector": query})[
            "nodeIds"
        ]
        assert len(find("table[data-id=s] tbody tr")) == 5
        assert len(find("table[data-id=t] tbody tr")) == len(METRICS)
        assert find("html.scripted") == []
    finally:
        driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
