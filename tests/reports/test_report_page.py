"""The page as bytes: complete, self-contained, inert, deterministic, and there for every kind of board."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import subprocess
import sys
import time
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import hostile
import pytest
import sample
from ganiq.bench.errors import IntegrityError, UsageError
from ganiq.reports import page, tables
from ganiq.reports.inputs import read

ORDER = [
    "set",
    "board",
    "classes",
    "scatter",
    "agreement",
    "cost",
    "generators",
    "disagreements",
    "published",
    "failures",
    "reading",
    "provenance",
]

TAGS = {
    "html",
    "head",
    "meta",
    "link",
    "title",
    "style",
    "body",
    "a",
    "header",
    "p",
    "h1",
    "h2",
    "h3",
    "bdi",
    "nav",
    "ul",
    "li",
    "main",
    "section",
    "dl",
    "div",
    "dt",
    "dd",
    "span",
    "details",
    "summary",
    "table",
    "caption",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "strong",
    "label",
    "input",
    "output",
    "fieldset",
    "legend",
    "svg",
    "g",
    "path",
    "circle",
    "text",
    "figure",
    "figcaption",
    "code",
    "button",
    "script",
}


def html(folder: Path, options: sample.Options | None = None) -> str:
    sample.write(folder, options)
    inputs = read(folder)
    return page.html(inputs, page.Parts(inputs), [])


class Parsed(HTMLParser):
    """Elements and visible text, as an HTML parser sees them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.content: dict[str, list[str]] = {"script": [], "style": []}
        self.text: list[str] = []
        self.inside = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.inside = tag

    def handle_endtag(self, tag: str) -> None:
        self.inside = ""

    def handle_data(self, data: str) -> None:
        if self.inside in self.content:
            self.content[self.inside].append(data)
        else:
            self.text.append(data)


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> str:
    return html(tmp_path_factory.mktemp("full"))


@pytest.fixture(scope="module")
def spoilt(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("spoilt")
    document = hostile.spoil(sample.write(folder, hostile.options()))
    (folder / "leaderboard.json").write_text(json.dumps(document))
    inputs = read(folder)
    return page.html(inputs, page.Parts(inputs), [])


def test_sections_come_in_order(full: str) -> None:
    assert re.findall(r'<section id="(\w+)"', full) == ORDER
    assert full.index(sample.BANNER) < full.index('<section id="set"')
    assert re.findall(r'<li><a href="#(\w+)">', full) == ORDER


def test_every_anchor_leads_somewhere(full: str) -> None:
    ids = re.findall(r'\bid="([^"]+)"', full)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]+)"', full)) <= set(ids)


@pytest.mark.parametrize("which", ["full", "spoilt"])
def test_the_page_needs_nothing_but_itself(which: str, request: pytest.FixtureRequest) -> None:
    parsed = Parsed(request.getfixturevalue(which))
    assert {tag for tag, _ in parsed.tags} <= TAGS
    for tag, attrs in parsed.tags:
        assert not any(
            name.startswith("on") or name in ("style", "src", "srcset", "action", "srcdoc") for name in attrs
        ), (tag, attrs)
        if "href" in attrs:
            href = attrs["href"] or ""
            if tag == "link":
                assert href == "data:,"
            elif href.startswith("http"):
                assert re.match(r"https?://[\w.-]+(/|$)", href)
                assert attrs["rel"] == "noopener noreferrer"
            else:
                assert re.fullmatch(r"#[\w-]+|[\w-]+\.(json|csv)|figures/\w+\.(svg|png)", href)


@pytest.mark.parametrize("which", ["full", "spoilt"])
def test_the_policy_allows_exactly_what_is_there(which: str, request: pytest.FixtureRequest) -> None:
    parsed = Parsed(request.getfixturevalue(which))
    policy = next(
        a["content"] for t, a in parsed.tags if t == "meta" and a.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy is not None
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    data, script = parsed.content["script"]
    for kind, content in (("style", parsed.content["style"][0]), ("script", script)):
        sha = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{sha}'" in policy
    assert json.loads(data)["kind"] == "ganiq-leaderboard"
    assert len(parsed.content["style"]) == 1


def test_hostile_text_is_shown_literally(spoilt: str) -> None:
    text = "".join(Parsed(spoilt).text)
    for string in hostile.STRINGS[:16]:
        assert string in text
    assert "⟨U+202E⟩<script>canary(53)</script>" in text
    assert "⟨U+D800⟩" in text
    assert not re.search("[\u202a-\u202e\u2066-\u2069\u200b\u2028\ud800]", spoilt)
    assert "7*7" in text


def test_long_names_are_cut(tmp_path: Path) -> None:
    out = html(
        tmp_path, sample.Options(metrics=2, names={"signal-ratio": "x" * 300, "model-01": "y" * 300}, title="z" * 300)
    )
    page_, _, _ = out.partition('<script type="application/json"')
    for letter in "xyz":
        assert letter * 199 + "…" in page_
        assert letter * 200 not in page_


def test_the_island_is_the_document(full: str, tmp_path: Path) -> None:
    document = sample.write(tmp_path)
    assert json.loads(Parsed(full).content["script"][0]) == document


def test_the_leaderboard_says_everything(full: str) -> None:
    document = sample.draw(sample.Options())[0]
    table = full[full.index('<table class="board" data-id="m">') :].partition("</table>")[0]
    assert "<code>ganiq weights get natural-stats</code>" in table
    assert table.count('<span class="badge">control</span>') == 4
    assert table.index("Controls, never ranked") > table.index("natural-stats")
    for row in document["metrics"]:
        assert f">{row['name']}</bdi>" in table
        if row["rank"]:
            assert f">{row['rank'][0]}–{row['rank'][1]}<" in table
            assert f"{row['srocc_within']['value']:.3f}".replace("-", "−") in table
            assert f"[{row['krocc']['low']:.3f}, {row['krocc']['high']:.3f}]".replace("-", "−") in table
    for name in ("tier", "rank", "headline", "srocc_pooled", "krocc", "plcc_raw", "plcc_fit", "rmse", "two", "n"):
        assert f'data-col="{name}"' in table
    assert re.search(r'data-col="rmse" data-better="lower"', table)
    assert table.count('class="fb best"') == sum(m["tier"] == 1 for m in document["metrics"])
    assert table.count('class="fb ctl"') == 4


def test_an_order_by_construction_is_never_called_peoples(tmp_path: Path) -> None:
    """Where nobody was asked, no heading, caption, column or label of the page says that somebody was."""
    out = html(tmp_path, sample.Options(kind="severity"))
    outside = re.sub(r"<script.*?</script>|<style>.*?</style>", "", out, flags=re.S)
    for section in ("classes", "scatter", "disagreements"):
        words = outside[outside.index(f'<section id="{section}"') :].partition("</section>")[0]
        assert not re.search(r"\bhuman\b|\bpeople\b", words, re.I), section
    rated = html(tmp_path / "rated")
    assert "SD of human scores" in rated
    assert "people like it more than the metric does" in rated
    assert "against human score" in rated


def test_the_ceiling_stands_above_the_metrics_and_is_none(tmp_path: Path) -> None:
    limit = {
        "title": "People asked again", "note": "refits & their <assumptions>", "n": 80,
        "srocc_within": {"value": 0.9712, "low": 0.95, "high": 0.98},
        "srocc_pooled": {"value": None, "low": None, "high": None, "reason": "one reference at a time"},
        "plcc_raw": {"value": 0.96, "low": None, "high": None},
    }  # fmt: skip
    out = html(tmp_path, sample.Options(extra={"ceiling": limit}))
    table = out[out.index('<table class="board" data-id="m">') :].partition("</table>")[0]
    row = table.partition("<tbody")[2].partition("</tbody>")[0]
    assert "ceiling" in row and "0.971" in row and "not a metric" in row and "People asked again" in row
    heads = len(re.findall(r"<th[^>]*scope=\"col\"", table))
    assert len(re.findall(r"<t[dh]\b", row)) == heads
    assert "would reach about 0.97." in out
    assert "refits &amp; their &lt;assumptions&gt;" in out
    line = next(x for x in tables.metrics_csv(read(tmp_path).board).splitlines() if x.startswith('"ceiling"'))
    assert "0.9712" in line and "refits" in line
    assert "ceiling" not in html(tmp_path / "without")


def test_undefined_cells_say_why(tmp_path: Path) -> None:
    html(tmp_path, sample.Options(metrics=3))
    document = json.loads((tmp_path / "leaderboard.json").read_text())
    document["metrics"][0]["krocc"] = {"value": None, "low": None, "high": None, "reason": "one side is <constant>"}
    document["metrics"][0] |= {"n_used": 78, "n_failed": 1, "n_nonfinite": 1}
    (tmp_path / "leaderboard.json").write_text(json.dumps(document))
    inputs = read(tmp_path)
    out = page.html(inputs, page.Parts(inputs), [])
    assert (
        'title="one side is &lt;constant&gt;" aria-hidden="true">—</span>'
        '<span class="vh">undefined: one side is &lt;constant&gt;</span>' in out
    )
    assert "1 failed, 1 not finite" in out


def test_failures_are_counted_and_cut(tmp_path: Path) -> None:
    out = html(tmp_path, sample.Options(failures=950, metrics=2))
    assert "950 scores are missing" in out
    assert "The first 200 of 950" in out
    assert out.count("<code>E-IMG-FORMAT</code>") == 200
    assert "Every image was scored" in html(tmp_path / "none", sample.Options(failures=0, metrics=2))


def test_twins_are_flagged(tmp_path: Path) -> None:
    out = html(tmp_path, sample.Options(names={"model-01": "paypal", "model-02": "pаypal"}))
    assert out.count("looks like another name: p") == 2


@pytest.mark.parametrize(
    ("options", "there", "gone"),
    [
        (
            {"scored": False},
            ["Nobody has scored these images", 'id="generators"'],
            ['id="classes"', 'id="scatter"', 'id="disagreements"'],
        ),
        ({"metrics": 0}, ["No metric was computed", "Controls, never ranked"], ['id="scatter"', 'id="cost"']),
        ({"metrics": 1, "waiting": 0}, ['id="scatter"', "Tier"], []),
        ({"generators": 0}, ["No generators are ranked"], []),
        ({"generators": 1}, ['id="generators"'], []),
        ({"timed": False}, ['id="scatter"'], ['id="cost"']),
        ({"waiting": 16}, ["16 metrics wait for weights", "No metric has a value yet"], ['id="scatter"', 'id="cost"']),
        ({"references": 3}, ["too few references for an interval", "There are no tiers here"], []),
        ({"references": 1}, ['id="board"'], []),
        ({"classes": False, "published": False}, ['id="board"'], ['id="classes"', 'id="published"']),
        ({"scored": False, "metrics": 0, "generators": 2, "timed": False}, ["Nobody has scored"], []),
    ],
)  # fmt: skip
def test_boards_that_lack_something(tmp_path: Path, options: dict[str, Any], there: list[str], gone: list[str]) -> None:
    if options.get("generators") == 0:
        sample.write(tmp_path)
        document = json.loads((tmp_path / "leaderboard.json").read_text())
        document |= {
            "generators": [],
            "generator_board": {
                "references": [],
                "note": "fewer than two generators are named",
                "interval": "",
                "agreement": {},
            },
        }
        (tmp_path / "leaderboard.json").write_text(json.dumps(document))
        inputs = read(tmp_path)
        out = page.html(inputs, page.Parts(inputs), [])
    else:
        out = html(tmp_path, sample.Options(**options))
    for text in there:
        assert text in out
    for text in gone:
        assert text not in out
    assert ">None<" not in out
    assert "nan" not in re.findall(r">(nan|inf|None|True|False)<", out)


def test_without_scores_csv_there_are_no_panels(tmp_path: Path) -> None:
    html(tmp_path)
    (tmp_path / "scores.csv").unlink()
    inputs = read(tmp_path)
    out = page.html(inputs, page.Parts(inputs), [])
    assert 'id="scatter"' not in out
    assert 'href="scores.csv"' not in out


def test_a_large_board_stays_small(tmp_path: Path) -> None:
    out = html(tmp_path, sample.Options(metrics=40, generators=120, references=8))
    assert len(out.encode()) < 6_000_000
    assert out.count("<figure>") == 39


def test_set_metrics_stand_apart(tmp_path: Path) -> None:
    html(tmp_path)
    document = json.loads((tmp_path / "leaderboard.json").read_text())
    blank = {"value": None, "low": None, "high": None, "reason": "a metric of sets"}
    document["metrics"].append(
        document["metrics"][0]
        | {"name": "fid", "needs": "set", "tier": None, "rank": None, "better": "lower", "srocc_within": blank}
    )
    for n, row in enumerate(document["generators"]):
        row["metrics"]["fid"] = {"value": 10.0 + n, "low": None, "high": None, "reason": "one number per generator"}
    (tmp_path / "leaderboard.json").write_text(json.dumps(document))
    inputs = read(tmp_path)
    out = page.html(inputs, page.Parts(inputs), [])
    board = out[out.index('id="board"') : out.index('id="classes"')]
    assert board.index("Metrics of whole sets") < board.index(">fid</bdi>")
    assert ">fid</bdi>" in out[out.index('id="generators"') :]


PNG = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII=")


def _gallery(folder: Path, key: str, image: str = "images/a1.png", place: object = (3, 4, 1, 1)) -> None:
    (folder / "images").mkdir(exist_ok=True)
    (folder / "images" / "a1.png").write_bytes(PNG)
    (folder / "images" / "text.png").write_text("no picture")
    crop = {"key": key, "image": image, "reference": "", "place": place}
    (folder / "gallery.json").write_text(json.dumps({"schema": 1, "crops": [crop]}))


def test_crops_travel_inside_the_page(tmp_path: Path) -> None:
    document = sample.write(tmp_path, sample.Options(metrics=3))
    key = document["disagreements"]["structure" if "structure" in document["disagreements"] else "signal-ratio"][0][
        "key"
    ]
    _gallery(tmp_path, key)
    inputs = read(tmp_path)
    out = page.html(inputs, page.Parts(inputs), [])
    assert f'src="data:image/png;base64,{base64.b64encode(PNG).decode()}" width="1" height="1"' in out
    assert f'<a href="#crop-1"><bdi>{key}</bdi></a>' in out


@pytest.mark.parametrize(
    ("image", "place"),
    [
        ("../secret.png", (0, 0, 1, 1)),
        ("images/../../secret.png", (0, 0, 1, 1)),
        ("/etc/passwd", (0, 0, 1, 1)),
        ("https://evil.example/x.png", (0, 0, 1, 1)),
        ("images/none.png", (0, 0, 1, 1)),
        ("images/text.png", (0, 0, 1, 1)),
        ("images/link.png", (0, 0, 1, 1)),
        ("images/a1.png", (0, 0, 1)),
        ("images/a1.png", (0, 0, -1, 1)),
        ("images/a1.png", None),
    ],
)
def test_a_gallery_reaches_nothing_but_its_crops(tmp_path: Path, image: str, place: object) -> None:
    (tmp_path / "secret.png").write_bytes(PNG)
    folder = tmp_path / "report"
    sample.write(folder, sample.Options(metrics=2, generators=3, references=3))
    _gallery(folder, "k", image, place)
    (folder / "images" / "link.png").symlink_to(tmp_path / "secret.png")
    inputs = read(folder)
    with pytest.raises(IntegrityError, match="gallery"):
        page.html(inputs, page.Parts(inputs), [])


SCRIPT = """
import sys
from pathlib import Path
from ganiq.reports.page import render
for path in render(Path(sys.argv[1])): print(path.relative_to(sys.argv[1]))
assert "torch" not in sys.modules, "torch was loaded"
"""


def _render(folder: Path, seed: str, **environment: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SCRIPT, str(folder)],
        env=os.environ | {"PYTHONHASHSEED": seed, "OMP_NUM_THREADS": "1"} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_two_processes_write_the_same_bytes(tmp_path: Path) -> None:
    a, b = tmp_path / "a", tmp_path / "b" / "elsewhere"
    options = sample.Options(metrics=4, generators=5)
    for folder in (a, b):
        sample.write(folder, options)
    style = tmp_path / "matplotlibrc"
    style.write_text("font.size: 23\naxes.facecolor: red\nsvg.fonttype: none\n")
    first = _render(a, "1")
    second = _render(b, "2", MATPLOTLIBRC=str(style), TZ="Asia/Tokyo", SOURCE_DATE_EPOCH="1")
    assert first == second
    assert first[0] == "index.html"
    assert {
        f"figures/{n}.{e}"
        for n in ("leaderboard", "scatter", "agreement", "cost", "generators")
        for e in ("svg", "png")
    } < set(first)
    for name in first:
        assert (a / name).read_bytes() == (b / name).read_bytes(), name
    assert not list(a.rglob("*.tmp"))
    assert 'href="figures/scatter.svg"' in (a / "index.html").read_text()
    for name in first:
        assert str(tmp_path).encode() not in (a / name).read_bytes()


def test_a_second_report_replaces_the_first(tmp_path: Path) -> None:
    (tmp_path / "figures").mkdir()
    for name in ("scatter.svg", "cost.png", "mine.svg"):
        (tmp_path / "figures" / name).write_text("old")
    sample.write(tmp_path, sample.Options(metrics=2, waiting=2, generators=2, references=3, timed=False))
    written = page.render(tmp_path)
    left = {p.name for p in (tmp_path / "figures").iterdir()}
    assert left == {p.name for p in written if p.parent.name == "figures"} | {"mine.svg"}


def test_nothing_to_report_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"holds no leaderboard\.json"):
        page.render(tmp_path)


def test_many_points_are_sampled_and_say_so(tmp_path: Path) -> None:
    out = html(tmp_path, sample.Options(metrics=6, generators=50, references=40))
    assert "1,500 of 2,000 images are drawn" in out
    assert out.count('class="many k0"') == 5
    assert "<title>photo" not in out


@pytest.mark.slow
def test_a_large_table_is_drawn_in_time(tmp_path: Path) -> None:
    sample.write(tmp_path, sample.Options(metrics=16, generators=116, references=200, published=False))
    assert len((tmp_path / "scores.csv").read_text().splitlines()) == 23_201
    start = time.process_time()
    written = page.render(tmp_path)
    spent = time.process_time() - start
    out = written[0].read_text()
    assert spent < 60
    assert "1,500 of 23,200 images are drawn" in out
    assert len(out) < 6_000_000
    assert (tmp_path / "figures" / "scatter.svg").stat().st_size < 8_000_000
