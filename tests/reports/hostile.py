"""Names that try to become markup, script, style, links or invisible; each calls ``canary`` if it succeeds."""

from __future__ import annotations

import sample

STRINGS = (
    "</script><script>canary(1)</script>",
    "<script>canary(2)</script>",
    "<img src=x onerror=canary(3)>",
    "<svg/onload=canary(4)>",
    "<svg><script>canary(5)</script></svg>",
    '"><img src=x onerror=canary(6)>',
    "'><script>canary(7)</script>",
    "<body onload=canary(8)>",
    "<iframe srcdoc='<script>parent.canary(9)</script>'>",
    "<iframe src=javascript:canary(10)>",
    "<a href=javascript:canary(11)>x</a>",
    "javascript:canary(12)",
    "<details open ontoggle=canary(13)>",
    "<input autofocus onfocus=canary(14)>",
    "<video><source onerror=canary(15)>",
    "<style>*{background:url(https://evil.example/16)}</style>",
    "<link rel=stylesheet href=https://evil.example/17>",
    "<meta http-equiv=refresh content='0;url=https://evil.example/18'>",
    "<base href=https://evil.example/19/>",
    "<form action=https://evil.example/20><button>x",
    "<object data=https://evil.example/21>",
    "<embed src=https://evil.example/22>",
    "{{7*7}}{% raw %}{{ canary(23) }}",
    "${canary(24)}",
    "`${canary(25)}`",
    "<!--<script>canary(26)</script>-->",
    "--><script>canary(27)</script>",
    "]]><script>canary(28)</script>",
    "</title><script>canary(29)</script>",
    "</style><script>canary(30)</script>",
    "</textarea><script>canary(31)</script>",
    "</noscript><script>canary(32)</script>",
    "<math><mtext></p><style><img src=x onerror=canary(33)></style>",
    "<template><script>canary(34)</script></template>",
    '" onmouseover="canary(35)',
    "' onfocus='canary(36)' autofocus='",
    'x" style="background:url(https://evil.example/37)',
    "&lt;script&gt;canary(38)&lt;/script&gt;",
    "&#60;script&#62;canary(39)&#60;/script&#62;",
    "\u2028canary(40)//\u2029",
    "\\u003cscript\\u003ecanary(41)\\u003c/script\\u003e",
    '\\";canary(42);//',
    "';canary(43);//",
    "</svg><script>canary(44)</script>",
    "<svg><use href=https://evil.example/45#x>",
    "<svg><image href=https://evil.example/46>",
    "<svg><animate onbegin=canary(47) attributeName=x>",
    "<marquee onstart=canary(48)>",
    "<audio src=https://evil.example/49 autoplay>",
    "<img srcset=https://evil.example/50>",
    "<table background=https://evil.example/51>",
    "<isindex type=image src=1 onerror=canary(52)>",
    "\u202e<script>canary(53)</script>",
    "\u200b<\u200bscript>canary(54)</script>",
    "<\x00script>canary(55)</script>",
    "<scr\nipt>canary(56)</script>",
    "<IMG SRC=JaVaScRiPt:canary(57)>",
    "<div style=width:expression(canary(58))>",
    "<xss id=x tabindex=1 onfocus=canary(59)>#x",
    "__proto__",
    "constructor",
    "x" * 300,
    "\ud800lone",
)


def options() -> sample.Options:
    """A board in which every kind of name is hostile."""
    plain = [
        *sample.METRICS,
        *(f"model-{n + 1:02d}" for n in range(10)),
        *(f"photo{r:02d}/model-{g:02d}" for r in (1, 2) for g in range(1, 11)),
    ]
    names = dict(zip(plain, STRINGS, strict=False))
    keys = {
        f"photo{b + 1:02d}/model-{a + 1:02d}.{a * 8 + b}": STRINGS[(a * 8 + b) % len(STRINGS)] + str(a * 8 + b)
        for a in range(10)
        for b in range(8)
    }
    return sample.Options(names=names | keys, title=STRINGS[0] + STRINGS[28], banner=STRINGS[2])


def spoil(document: dict) -> dict:
    """Put hostile text into every other text of the document, too."""
    at = iter(range(10**6))
    taken = {"kind", "schema", "status", "source", "better", "needs", "headline", "comparable"}
    names = {m["name"] for p in ("metrics", "controls", "published") for m in document[p]}

    def walk(value: object, key: str = "") -> object:
        if isinstance(value, dict):
            return {k: v if k in taken and k != "kind" else walk(v, k) for k, v in value.items()}
        if isinstance(value, list):
            return [walk(v, key) for v in value]
        if (
            isinstance(value, str)
            and key not in ("name", "names", "code", "distortion", "family", "references", "kind")
            and value not in names
        ):
            return value[:40] + STRINGS[next(at) % len(STRINGS)]
        return value

    return walk(document)  # type: ignore[return-value]
