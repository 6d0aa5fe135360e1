"""The page in a real browser, from a file: nothing runs that should not, and everything works that should."""

from __future__ import annotations

import base64
import io
import json
import shutil
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import hostile
import pytest
import sample
from ganiq.reports import page
from ganiq.reports.inputs import read
from PIL import Image

pytestmark = pytest.mark.browser
FLAGS = (
    "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --disable-default-apps --disable-extensions"
)
CANARY = """
window.ran = []; window.canary = n => window.ran.push(n);
window.violations = [];
addEventListener('securitypolicyviolation', e => window.violations.push(e.violatedDirective + ' ' + e.blockedURI));
"""


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    chromedriver = shutil.which("chromedriver")
    if not chromium or not chromedriver:
        pytest.skip("needs chromium and chromedriver on the path")
    webdriver = pytest.importorskip("selenium.webdriver", reason="needs selenium")
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in FLAGS.split():
        options.add_argument(flag)
    options.add_argument(f"--user-data-dir={tmp_path_factory.mktemp('profile')}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    browser = webdriver.Chrome(options=options, service=Service(chromedriver))
    browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": CANARY})
    try:
        yield browser
    finally:
        browser.quit()


def _page(folder: Path, options: sample.Options | None = None, change: Callable[[Any], Any] | None = None) -> Path:
    document = sample.write(folder, options)
    if change:
        (folder / "leaderboard.json").write_text(json.dumps(change(document)))
    inputs = read(folder)
    (folder / "index.html").write_text(page.html(inputs, page.Parts(inputs), []), encoding="utf-8")
    return folder / "index.html"


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> str:
    return _page(tmp_path_factory.mktemp("plain")).as_uri()


@pytest.fixture(scope="module")
def spoilt(tmp_path_factory: pytest.TempPathFactory) -> str:
    return _page(tmp_path_factory.mktemp("spoilt"), hostile.options(), hostile.spoil).as_uri()


def _open(driver: Any, address: str, *, width: int = 1600, theme: str = "light") -> None:
    driver.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": theme}]}
    )
    driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 1000, "deviceScaleFactor": 1, "mobile": width < 500},
    )
    driver.get("about:blank")
    driver.get_log("browser")
    driver.get_log("performance")
    driver.get(address)


def _requests(driver: Any) -> list[str]:
    messages = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    return [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]


def _names(driver: Any, table: str = "m") -> list[str]:
    return driver.execute_script(
        "return [...document.querySelectorAll(`table[data-id=${arguments[0]}] tbody:first-of-type tr`)]"
        ".filter(r => !r.hidden).map(r => r.querySelector('th bdi').textContent)",
        table,
    )


def _click(driver: Any, column: str, table: str = "m") -> None:
    driver.execute_script(
        "document.querySelector(`table[data-id=${arguments[1]}] th[data-col=${arguments[0]}] button`).click()",
        column,
        table,
    )


@pytest.mark.parametrize("which", ["plain", "spoilt"])
def test_no_error_no_request_no_violation(driver: Any, which: str, request: pytest.FixtureRequest) -> None:
    address = request.getfixturevalue(which)
    _open(driver, address)
    driver.execute_script("document.querySelectorAll('details').forEach(d => d.open = true); scrollTo(0, 1e6)")
    assert driver.execute_script("return document.documentElement.classList.contains('scripted')")
    assert driver.execute_script("return window.ran") == []
    assert driver.execute_script("return window.violations") == []
    assert driver.get_log("browser") == []
    assert set(_requests(driver)) <= {address, "data:,"}
    assert (
        driver.execute_script(
            "return document.querySelectorAll('[onerror],[onload],iframe,object,embed,img,form,base').length"
        )
        == 0
    )


def test_the_canary_would_sing(driver: Any, tmp_path: Path) -> None:
    """The checks above can fail: an unprotected page trips all of them."""
    unsafe = tmp_path / "unsafe.html"
    unsafe.write_text(
        "<meta http-equiv=Content-Security-Policy content=\"img-src 'none'\"><body><script>canary(1)</script><img src=https://evil.example/x>"
    )
    _open(driver, unsafe.as_uri())
    assert driver.execute_script("return window.ran") == [1]
    assert driver.execute_script("return window.violations.length") == 1
    assert driver.get_log("browser") != []


def test_hostile_names_are_text(driver: Any, spoilt: str) -> None:
    _open(driver, spoilt)
    text = driver.execute_script("return document.body.textContent")
    for string in hostile.STRINGS[:12]:
        assert string in text
    assert driver.execute_script("return document.title").startswith(hostile.STRINGS[0])
    schemes = driver.execute_script("return [...document.querySelectorAll('a')].map(a => a.protocol)")
    assert set(schemes) <= {"file:", "https:", "http:"}
    assert (
        driver.execute_script("return JSON.parse(document.getElementById('leaderboard-data').textContent).kind")
        == "ganiq-leaderboard"
    )


def test_columns_sort_best_first_in_their_own_direction(driver: Any, plain: str) -> None:
    document = sample.draw(sample.Options())[0]
    rows = {m["name"]: m for m in document["metrics"]}
    _open(driver, plain)
    start = _names(driver)
    for column, key, best in (("krocc", "krocc", -1), ("rmse", "rmse", 1)):
        known = sorted(
            (n for n in rows if rows[n][key]["value"] is not None), key=lambda n, k=key, b=best: b * rows[n][k]["value"]
        )
        _click(driver, column)
        assert _names(driver) == [*known, "natural-stats"]
        sort = "return document.querySelector('th[aria-sort]').getAttribute('aria-sort')"
        assert driver.execute_script(sort) == ("ascending" if best == 1 else "descending")
        _click(driver, column)
        assert _names(driver) == [*known[::-1], "natural-stats"]  # what has no value stays last
        assert driver.execute_script("return document.querySelectorAll('th[aria-sort]').length") == 1
    _click(driver, "name")
    assert _names(driver) == sorted(rows)
    _click(driver, "tier")
    assert _names(driver)[-1] == "natural-stats"
    assert sorted(_names(driver)) == sorted(start)
    controls = (
        "return [...document.querySelectorAll('table[data-id=m] tbody.controls th a bdi')].map(e => e.textContent)"
    )
    assert set(driver.execute_script(controls)) == set(sample.CONTROLS)
    assert "Sorted by Tier, best first" in driver.execute_script("return document.getElementById('live').textContent")


def test_filter_groups_and_address(driver: Any, plain: str) -> None:
    _open(driver, plain)
    type_ = (
        "const i = document.querySelector(`input[data-for=${arguments[0]}]`);"
        "i.value = arguments[1]; i.dispatchEvent(new Event('input'))"
    )
    driver.execute_script(type_, "m", "sim")
    assert set(_names(driver)) == {"wavelet-sim", "subband-sim", "saliency-sim"}
    assert "3 of 20 rows" in driver.execute_script("return document.querySelector('output[data-for=m]').textContent")
    _click(driver, "rmse")
    wide = "return document.querySelector('table[data-id=m] th[data-col=krocc]').offsetWidth"
    assert driver.execute_script(wide) > 0
    driver.execute_script("document.getElementById('cols-corr').click()")
    assert driver.execute_script(wide) == 0
    address, names = driver.current_url, _names(driver)
    assert "m.s=rmse%3Abest" in address
    assert "m.q=sim" in address
    assert "cols=corr" in address
    _open(driver, address)
    assert _names(driver) == names
    assert driver.execute_script(wide) == 0
    assert driver.execute_script("return document.querySelector('input[data-for=m]').value") == "sim"
    driver.execute_script(type_, "m", "")
    assert len(_names(driver)) == 16


@pytest.mark.parametrize(
    "state",
    [
        "#m.s=__proto__:best",
        "#m.s=rmse:sideways&m.q=%3Cimg+src%3Dx+onerror%3Dcanary(1)%3E",
        "#generators",
        "#m.s=%&x=%zz",
    ],
)
def test_any_address_is_survived(driver: Any, plain: str, state: str) -> None:
    _open(driver, plain + state)
    assert driver.execute_script("return document.documentElement.classList.contains('scripted')")
    assert driver.get_log("browser") == []
    assert driver.execute_script("return window.ran") == []


def test_generators_sort(driver: Any, plain: str) -> None:
    document = sample.draw(sample.Options())[0]
    _open(driver, plain)
    heads = driver.execute_script(
        "return [...document.querySelectorAll('table[data-id=g] th[data-col^=m-]')]"
        ".map(h => [h.dataset.col, h.dataset.name])"
    )
    for column, metric in heads[:4]:
        _click(driver, column, "g")
        wanted = sorted(document["generators"], key=lambda g, m=metric: g["ranks"][m])
        assert _names(driver, "g") == [g["name"] for g in wanted]


def test_everything_is_there_without_scripts(driver: Any, plain: str) -> None:
    driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        _open(driver, plain)
        root = driver.execute_cdp_cmd("DOM.getDocument", {"depth": 0})["root"]["nodeId"]
        find = lambda query: driver.execute_cdp_cmd("DOM.querySelectorAll", {"nodeId": root, "selector": query})[
            "nodeIds"
        ]
        assert len(find("table[data-id=m] tbody tr")) == 16 + 1 + 4
        assert len(find("figure svg")) == 15
        assert find("html.scripted") == []
        assert find("table[data-id=m] thead button") == []
        from selenium.webdriver.common.by import By

        body = driver.find_element(By.TAG_NAME, "body")
        assert body.is_displayed()
        assert not driver.find_element(
            By.CSS_SELECTOR, "input[data-for=m]"
        ).is_displayed()  # does nothing, is not shown
        driver.find_element(By.ID, "cols-corr").click()  # column groups are plain CSS
        assert not driver.find_element(By.CSS_SELECTOR, "th[data-col=krocc]").is_displayed()
    finally:
        driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1600])
def test_it_fits_and_is_not_blank(driver: Any, plain: str, width: int, theme: str) -> None:
    _open(driver, plain, width=width, theme=theme)
    assert driver.execute_script("return document.documentElement.scrollWidth") <= width
    shot = driver.execute_cdp_cmd(
        "Page.captureScreenshot",
        {"captureBeyondViewport": True, "clip": {"x": 0, "y": 0, "width": width, "height": 3000, "scale": 1}},
    )
    with Image.open(io.BytesIO(base64.b64decode(shot["data"]))) as image:
        grey = image.convert("L")
        counts = grey.histogram()
        assert len([n for n in counts if n]) > 60
        paper = grey.getpixel((3, 3))
        assert isinstance(paper, int)
        assert paper > 240 if theme == "light" else paper < 40
        ink = sum(counts[:100]) if theme == "light" else sum(counts[160:])
        assert ink > 0.005 * width * 3000


@pytest.mark.parametrize("width", [390, 500, 900, 1600])
def test_no_cell_runs_into_its_neighbour(driver: Any, tmp_path: Path, width: int) -> None:
    """Also where a metric has badges and a reason for having no rank."""

    def unranked(document: Any) -> Any:
        document["metrics"][0] |= {
            "badges": ["trained on BIQ2021", "trained on these images"],
            "reason": "37 of 40 images show pictures that it was trained on; its numbers are not zero-shot here",
        }
        return document

    _open(driver, _page(tmp_path, change=unranked).as_uri(), width=width)
    found = driver.execute_script("""
      const bad = [];
      for (const cell of document.querySelectorAll('table th, table td')) {
        const right = cell.getBoundingClientRect().right + 1;
        for (const e of cell.querySelectorAll('.why, .ttl, .badge, .ci'))
          if (e.getClientRects().length && e.getBoundingClientRect().right > right)
            bad.push([e.className, e.textContent.slice(0, 30)]);
      }
      return bad;""")
    assert found == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_has_contrast(driver: Any, plain: str, theme: str) -> None:
    """WCAG AA: 4.5 to 1 for body, captions, headers, and the darkest cells of the heat maps."""
    _open(driver, plain, theme=theme)
    found = driver.execute_script("""
      const c = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
      const rgb = s => {
        c.clearRect(0,0,1,1); c.fillStyle = s; c.fillRect(0,0,1,1); return [...c.getImageData(0,0,1,1).data];
      };
      const lum = p => {
        const [r,g,b] = p.map(v => (v /= 255) <= .04045 ? v/12.92 : ((v+.055)/1.055)**2.4);
        return .2126*r+.7152*g+.0722*b;
      };
      const back = e => {
        for (; e; e = e.parentElement) { const p = rgb(getComputedStyle(e).backgroundColor); if (p[3]) return p; }
        return rgb('Canvas');
      };
      const bad = [];
      const all = 'body, .cap, .sub, thead th, tbody th, td, dt, a, .badge, .ci, .pl, .ttl, code, .key';
      for (const e of document.querySelectorAll(all)) {
        if (!e.textContent.trim() || !e.getClientRects().length) continue;
        const a = lum(rgb(getComputedStyle(e).color).slice(0,3)), b = lum(back(e).slice(0,3));
        const ratio = (Math.max(a,b)+.05)/(Math.min(a,b)+.05);
        if (ratio < 4.5) bad.push([e.tagName, e.className, e.textContent.trim().slice(0,20), ratio.toFixed(2)]);
      }
      return bad.slice(0, 20);""")
    assert found == []


def test_saving_gives_the_document(driver: Any, plain: str, tmp_path: Path) -> None:
    _open(driver, plain)
    driver.execute_script("""
      window.saved = null; const make = URL.createObjectURL;
      URL.createObjectURL = b => { b.text().then(t => window.saved = t); return make.call(URL, b); };
      HTMLAnchorElement.prototype.click = function () { window.savedAs = this.download; };
      document.getElementById('save').click();""")
    text = driver.execute_async_script(
        "const done = arguments[0]; const w = () => window.saved ? done(window.saved) : setTimeout(w, 20); w();"
    )
    assert json.loads(text) == sample.draw(sample.Options())[0]
    assert driver.execute_script("return window.savedAs") == "leaderboard.json"


def test_a_large_board_answers_quickly(driver: Any, tmp_path: Path) -> None:
    _open(driver, _page(tmp_path, sample.Options(metrics=40, generators=120)).as_uri())
    spent = driver.execute_script("""
      const b = document.querySelector('table[data-id=g] th[data-col=m-3] button');
      return Math.min(...[1, 2, 3].map(() => {
        const t = performance.now(); b.click(); document.body.offsetHeight; return performance.now() - t;
      }));""")
    assert spent < 3000
    assert driver.get_log("browser") == []


def test_served_it_asks_for_nothing_else(driver: Any, plain: str) -> None:
    folder = Path(plain.removeprefix("file://")).parent
    asked: list[str] = []

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            asked.append(self.path)

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        _open(driver, f"http://127.0.0.1:{server.server_port}/index.html")
        assert driver.execute_script("return document.documentElement.classList.contains('scripted')")
        driver.get("about:blank")
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert asked == ["/index.html"]
