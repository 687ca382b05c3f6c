"""Elements and pages that name an insecure URL, with the reason where Chromium and Padlock differ on purpose."""

import msgspec

INSECURE = "m.example.net"
"""Where the insecure URLs lead: nowhere."""
URL = f"http://{INSECURE}/x"
_UPGRADE, _BLOCK = "upgrade-insecure-requests", "block-all-mixed-content"


class MixedCase(msgspec.Struct, frozen=True):
    """One page that names an insecure URL."""

    name: str
    html: str
    policy: str = ""
    """Its Content-Security-Policy header."""
    sheet: str = ""
    """Its stylesheet, which stands beside it as sheet.css."""
    reason: str = ""
    """Why Chromium and Padlock differ; empty: they agree."""


def _case(name: str, html: str, reason: str = "", policy: str = "", sheet: str = "") -> MixedCase:
    return MixedCase(name, html.replace("{}", URL), policy, sheet.replace("{}", URL), reason)


_LINK = "<link rel=stylesheet href=sheet.css><p class=a>x</p>"
_PASSIVE_SRCSET = "Chromium blocks it; the catalogue counts every image as passive, whose impact tells it"

CASES: tuple[MixedCase, ...] = (
    _case("script", "<script src={}></script>"),
    _case("module script", "<script type=module src={}></script>"),
    _case("script in SVG", "<svg><script href={}></script></svg>"),
    _case("stylesheet", "<link rel=stylesheet href={}>"),
    _case("alternate stylesheet", '<link rel="alternate stylesheet" title=x href={}>'),
    _case("@import", "<style>@import '{}';</style>"),
    _case("font", "<style>@font-face { font-family: A; src: url({}) } p { font-family: A }</style><p>x</p>"),
    _case("manifest", "<link rel=manifest href={}>", "a headless browser fetches it late or never"),
    _case("preloaded font", "<link rel=preload as=font crossorigin href={}>"),
    _case("modulepreload", "<link rel=modulepreload href={}>"),
    _case("iframe", "<iframe src={}></iframe>"),
    _case("object", "<object data={}></object>"),
    _case("embed", "<embed src={}>"),
    _case("form action", "<form action={}></form>"),
    _case("fetch", "<script>fetch('{}').catch(() => 0)</script>"),
    _case("XMLHttpRequest", "<script>var r = new XMLHttpRequest; r.open('GET', '{}'); r.send()</script>"),
    _case("EventSource", "<script>new EventSource('{}')</script>"),
    _case("sendBeacon", "<script>navigator.sendBeacon('{}')</script>"),
    _case("import()", "<script>import('{}').catch(() => 0)</script>"),
    _case("img", "<img src={}>"),
    _case("img srcset", '<img srcset="{} 1x">', _PASSIVE_SRCSET),
    _case("picture", "<picture><source srcset={}><img></picture>", _PASSIVE_SRCSET),
    _case("preloaded image", "<link rel=preload as=image href={}>"),
    _case("audio", "<audio preload=auto src={}></audio>"),
    _case("video", "<video preload=auto src={}></video>"),
    _case("video source", "<video preload=auto><source src={}></video>"),
    _case("poster", "<video poster={}></video>"),
    _case("input image", "<input type=image src={}>"),
    _case("image in SVG", "<svg><image href={} width=9 height=9></image></svg>"),
    _case("background", '<b style="background: url({})">x</b>'),
    _case("image-set", "<b style=\"background: image-set('{}' 1x)\">x</b>"),
    _case("new Image", "<script>new Image().src = '{}'</script>"),
    _case("prefetch", "<link rel=prefetch href={}>", "a prefetch that is blocked changes nothing on the page"),
    _case("link", "<a href={}>x</a>"),
    _case("canonical", "<link rel=canonical href={}>"),
    _case("feed", "<link rel=alternate type=application/rss+xml href={}>"),
    _case("Open Graph", "<meta property=og:image content={}>"),
    _case("comment", "<!-- <img src={}> -->"),
    _case("noscript", "<noscript><img src={}></noscript>"),
    _case("template", "<template><img src={}></template>"),
    _case("JSON-LD", '<script type=application/ld+json>{"url": "{}"}</script>'),
    _case("nomodule", "<script nomodule src={}></script>"),
    _case("@namespace", "<style>@namespace x url({});</style>"),
    _case(
        "unused rule",
        "<style>.never { background: url({}) }</style>",
        "no element of this page uses the rule; which ones do on others only a browser can tell",
    ),
    _case(
        "style attribute: no property",
        '<p style="src: url({})">x</p>',
        "every url() of a style attribute counts, whatever it is assigned to; nobody writes one there for nothing",
    ),
    _case("style attribute: list image", '<li style="list-style-image: url({})">x</li>'),
    _case("style attribute: border image", '<p style="border: 9px solid; border-image: url({}) 9">x</p>'),
    _case("style attribute: comment", '<p style="/* url({}) */ color: red">x</p>'),
    _case("base before", f"<base href=http://{INSECURE}/><img src=x>"),
    _case("base before a script", f"<base href=http://{INSECURE}/><script src=x></script>"),
    _case("second base", f"<base href=https://example.com/><base href=http://{INSECURE}/><img src=x>"),
    _case("base and absolute URL", f"<base href=http://{INSECURE}/><img src=https://example.com/x>"),
    _case("base under a form", f"<base href=http://{INSECURE}/><form action=/send></form>"),
    _case("protocol-relative", "<img src=//m.example.com/x>"),
    _case("protocol-relative with an insecure base", f"<base href=http://{INSECURE}/><img src=//{INSECURE}/x>"),
    _case("back slashes", f"<img src='http:\\\\{INSECURE}\\x'>"),
    _case("upper case", f"<img src=HTTP://{INSECURE.upper()}/x>"),
    _case("line break in the URL", f"<img src='ht\ntp://{INSECURE}/x'>"),
    _case("same-site stylesheet: image", _LINK, sheet=".a { background: url({}) }"),
    _case("same-site stylesheet: import", _LINK, sheet="@import '{}';"),
    _case(
        "same-site stylesheet: font", _LINK, sheet="@font-face { font-family: A; src: url({}) } .a { font-family: A }"
    ),
    _case("same-site stylesheet: comment", _LINK, sheet="/* url({}) */ .a { color: red }"),
    _case("upgrade: image", "<img src={}>", policy=_UPGRADE),
    _case("upgrade: script", "<script src={}></script>", policy=_UPGRADE),
    _case("upgrade: iframe", "<iframe src={}></iframe>", policy=_UPGRADE),
    _case("upgrade: stylesheet's image", _LINK, policy=_UPGRADE, sheet=".a { background: url({}) }"),
    _case("upgrade: link", "<a href={}>x</a>", policy=_UPGRADE),
    _case(
        "upgrade by meta", f"<meta http-equiv=Content-Security-Policy content={_UPGRADE}><script src={{}}></script>"
    ),
    _case(
        "upgrade by meta, after",
        f"<script src={{}}></script><meta http-equiv=Content-Security-Policy content={_UPGRADE}>",
    ),
    _case(
        "upgrade by meta, in the body",
        f"<p><meta http-equiv=Content-Security-Policy content={_UPGRADE}><img src={{}}>",
    ),
    _case(
        "upgrade, report only",
        f"<meta http-equiv=Content-Security-Policy-Report-Only content={_UPGRADE}><img src={{}}>",
    ),
    _case("block all: image", "<img src={}>", policy=_BLOCK),
    _case("block all: script", "<script src={}></script>", policy=_BLOCK),
    _case("block all and upgrade: script", "<script src={}></script>", policy=f"{_BLOCK}; {_UPGRADE}"),
)
