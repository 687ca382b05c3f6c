"""Sites whose pages load over plain HTTP, or refer to files that do not load (checklist step 16)."""

from tests.lab.scenarios._scenario import PROXY, Scenario

STATIC = (
    "location = /shop.css { default_type text/css; return 200 'h1 { color: teal }'; } "
    "location = /shop.js { default_type text/javascript; return 200 'document.title += 1;'; } "
)
"""A stylesheet and a script that are there."""


def page(html: str, more: str = "") -> str:
    """Return a server block's body that answers with this page; the app answers the rest."""
    return f"location = / {{ default_type text/html; {more} return 200 '<!doctype html>{html}'; }} {STATIC}{PROXY}"


def _shows(name: str, text: str) -> tuple[tuple[str, str], ...]:
    return ((f"curl -s https://{name}/", text),)


SCENARIOS = (
    Scenario(
        "content.mixed_active",
        "mixed-script.test",
        "http://cdn.example/jquery.js",
        proofs=_shows("mixed-script.test", 'src="http://cdn.example/jquery.js"'),
        page=page('<title>Shop</title><script src="http://cdn.example/jquery.js"></script>'),
    ),
    Scenario(
        "content.mixed_active",
        "mixed-font.test",
        "@font-face",
        proofs=(("curl -s https://mixed-font.test/fonts.css", "url\\(http://cdn.example/a.woff2\\)"),),
        page=page('<title>Shop</title><link rel="stylesheet" href="/fonts.css">')
        + " location = /fonts.css { default_type text/css; "
        "return 200 '@font-face { font-family: A; src: url(http://cdn.example/a.woff2) }'; }",
    ),
    Scenario(
        "content.mixed_active",
        "mixed-base.test",
        "http://cdn.example/app.js",
        proofs=_shows("mixed-base.test", '<base href="http://cdn.example/">'),
        page=page('<title>Shop</title><base href="http://cdn.example/"><script src="app.js"></script>'),
    ),
    Scenario(
        "content.mixed_passive",
        "mixed-image.test",
        "http://cdn.example/logo.png",
        severity="warning",
        proofs=_shows("mixed-image.test", 'src="http://cdn.example/logo.png"'),
        page=page('<title>Shop</title><img src="http://cdn.example/logo.png">'),
    ),
    Scenario(
        "content.broken_asset",
        "missing-style.test",
        "it answered 404",
        severity="warning",
        proofs=(("curl -sI https://missing-style.test/old.css", "HTTP/2 404"),),
        page=page('<title>Shop</title><link rel="stylesheet" href="/old.css"><script src="/shop.js"></script>'),
    ),
    Scenario(
        "content.broken_asset",
        "html-for-script.test",
        "an HTML page came in place of the script",
        severity="warning",
        proofs=(("curl -s https://html-for-script.test/bundle.js", "<!doctype html>"),),
        page=page('<title>Shop</title><script src="/bundle.js"></script>')
        + " location = /bundle.js { default_type text/html; return 200 '<!doctype html><title>Shop</title>'; }",
    ),
)

_HTTP_IMAGE = (
    '<title>Shop</title><img src="http://cdn.example/logo.png"><script src="http://cdn.example/a.js"></script>'
)

HEALTHY = (
    Scenario(
        "",
        "secure-content.test",
        severity="",
        proofs=_shows("secure-content.test", "/shop.css"),
        page=page(
            '<title>Shop</title><link rel="stylesheet" href="/shop.css"><script src="//secure-content.test/shop.js">'
            '</script><img src="data:image/gif;base64,R0lGODlhAQABAAAAACw="><form action="/search"></form>'
        ),
    ),
    # Nothing is loaded from what a page only names.
    Scenario(
        "",
        "links-only.test",
        severity="",
        proofs=_shows("links-only.test", "http://old.example/"),
        page=page(
            '<title>Shop</title><link rel="alternate" href="http://old.example/feed">'
            '<meta property="og:image" content="http://old.example/og.png">'
            '<!-- <script src="http://old.example/a.js"> -->'
            '<script type="application/ld+json">{"@context": "http://schema.org", "url": "http://old.example/"}</script>'
            '<a href="http://old.example/">Old shop</a><noscript><img src="http://old.example/pixel.gif"></noscript>'
            '<script>var links = {"home": "http://old.example/"}; // fetch("http://old.example/")\n</script>'
        ),
    ),
    Scenario(
        "",
        "upgraded-content.test",
        severity="",
        also=("content.mixed_active", "content.mixed_passive"),
        proofs=(("curl -sI https://upgraded-content.test/", "upgrade-insecure-requests"),),
        page=page(_HTTP_IMAGE, "add_header Content-Security-Policy upgrade-insecure-requests;"),
    ),
)
