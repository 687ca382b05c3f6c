"""What a site's web server answers: whole responses, pages, stylesheets, scripts, redirects, cookies."""

import contextlib
from collections.abc import Iterator
from urllib.parse import urlsplit

from padlock.evidence import ChainEnd, Exchange
from padlock.network.http import Response
from padlock.network.vantage import Vantage
from padlock.probes import answers as probe
from padlock.probes.assets import sample
from padlock.probes.cache import MemoryCache
from padlock.probes.cookies import header, keep, new_jar
from padlock.probes.references import Policy, in_page, in_stylesheet
from padlock.probes.run import Answer, Run
from padlock.probes.self_references import self_references
from padlock.probes.text import decoded, title
from padlock.probes.urls import Malformed, Refused, Url, resolve
from padlock.rules._cookies import set_cookie
from padlock.rules._hsts_header import InvalidPolicy, parse

from tests.evidence_builder import NOW, chain, with_chains, with_exchange
from tests.fuzz.judging import HEALTHY, judge
from tests.fuzz.target import Target
from tests.fuzz.wire import connected, run
from tests.servers import redirect, reply

SITE = HEALTHY.site
HOSTS = ("example.com", "www.example.com")
AT = Url("https", "example.com", 443, "/shop/?q=1")
RUN = Run(SITE, NOW, Vantage(resolvers=(("127.0.0.1", 9),)), MemoryCache())
_TEXT = "text/html; charset=utf-8"
_BIG = 900_000


def answer_samples() -> Iterator[bytes]:
    """Yield answers with the headers that rules read."""
    page = "<!doctype html><title>Welcome to nginx!</title><base href='http://example.com/'><form action='//a/'>"
    yield reply(200, page, ("Content-Type", _TEXT), ("Server", "nginx/1.22.1"), ("X-Powered-By", "PHP/7.4"))
    policy = ("Strict-Transport-Security", "max-age=31536000; includeSubDomains; preload")
    yield reply(200, page, policy, ("Set-Cookie", "sessionid=a; Path=/; Secure; SameSite=None; Max-Age=9"))
    cookie = "__Host-id=b; Expires=Wed, 21 Oct 2026 07:28:00 GMT; Domain=.example.com"
    yield reply(200, page, ("strict-transport-security", 'max-age="1"'), ("Set-Cookie", cookie))
    for location in ("https://www.example.com/", "/shop", "//example.org/a", "https://example.comshop/", "ftp://a"):
        yield redirect(location, 302)
    yield reply(503, "Service Unavailable", ("Retry-After", "120"), ("Via", "1.1 cloudfront"), ("CF-Ray", "8"))
    yield reply(502, "<h1>502 Bad Gateway</h1><hr>nginx", ("Content-Type", "text/html"))
    yield reply(500, "Traceback (most recent call last):\n  File \"/srv/app.py\", line 1, in <module>\nKeyError: 'a'")
    yield reply(401, "", ("WWW-Authenticate", 'Basic realm="a"'), ("Content-Security-Policy", "default-src 'self'"))
    yield reply(200, b"\x1f\x8b\x08\0\0\0\0\0\2\3", ("Content-Encoding", "gzip"), ("Content-Type", _TEXT))
    yield reply(200, "{}", ("Content-Type", "application/json"), ("Date", "Sat, 21 Nov 2026 10:00:00 GMT"))
    yield reply(200, page, ("Strict-Transport-Security", "max-age=" + "9" * 2_000))


def _answer(data: bytes) -> None:
    for scheme in ("https", "http"):
        at = Url(scheme, "example.com", 443 if scheme == "https" else 80, "/")
        answer = run(_asked(data, at))
        seen = answer.exchange
        fields = {field: getattr(seen, field) for field in Exchange.__struct_fields__ if field not in _ASKED}
        evidence = with_exchange(HEALTHY, str(at), **fields)
        location = ", ".join(answer.locations) or None
        hops = [(str(at), seen.status, location)]
        with contextlib.suppress(Refused, Malformed):
            if answer.locations:
                hops.append((str(resolve(at, answer.locations[0], SITE, HOSTS)), 200, None))
        end: ChainEnd = "answer" if location is None or len(hops) > 1 else "malformed"
        judge(with_chains(evidence, chain(str(at), *hops, end=end)))


_ASKED = ("url", "host", "address", "purpose")


async def _asked(data: bytes, at: Url) -> Answer:
    async with connected(data) as connection:
        return await probe.request(RUN, connection, at, "front")


def html_samples() -> Iterator[bytes]:
    """Yield pages with what is looked for, and the largest ones made to take long."""
    yield (
        b"<!doctype html><meta charset=utf-8><title>Shop</title><base href='https://example.com/a/'>"
        b"<meta http-equiv=content-security-policy content='upgrade-insecure-requests'>"
        b"<link rel=stylesheet href=http://example.com/a.css><script src='//cdn.example.com/a' type=module></script>"
        b"<img srcset='http://a/1 1x, http://a/2 2x' src=b.png><form action=http://example.com/login>"
    )
    yield b"<iframe srcdoc=\"&lt;script&gt;fetch('http://a/')&lt;/script&gt;\" sandbox='allow-scripts'></iframe>"
    yield b"<style>@import 'http://a/b.css'; a{background:url(http://a/c.png)}</style><p style='background:url(//x)'>"
    yield (
        b"<script>const API = 'http://api.example.com';fetch(API + '/x');"
        b"document.write('<img src=http://a/>')</script><body onload=\"new Image().src='http://a/'\">"
    )
    yield b"\xff\xfe<\0i\0m\0g\0 \0s\0r\0c\0=\0a\0>\0" + b"<meta charset=utf-16le>"
    yield b"<template><img src=http://a></template><!-- <img> --><svg onload=x><use href=http://a#b /></svg>"
    for part in (
        b"<div>",
        b"<img src=http://a>",
        b"<a b='",
        b"<b id=1>",
        b"<!--",
        b"<script>",
        b"</",
        b"<",
        b"<a b ",
    ):
        yield part * (_BIG // len(part))
    yield b"<p " + b"a=b " * (_BIG // 4) + b">"
    yield b"<img srcset='" + b"http://a/ 1x," * 60_000 + b"'>"
    yield b"<base href='https://example.com/" + b"a/" * 4_000 + b"'>" + b"<img src=b>" * 80_000
    yield b"<base href='https://example.com/" + b"a/" * 4_000 + b"'>" + b"<img src=../b>" * 60_000
    yield b"<title>" + b"&#" * 400_000
    yield b"<form action='//a'>" * 45_000
    yield b'<iframe srcdoc="' + b"&lt;img src=http://a&gt;" * 35_000 + b'">'
    yield b"<p style='background:url(http://a)'>" * 24_000
    yield b"<a onload='fetch(\"http://a\")'>" * 20_000 + b"<svg onload='fetch(\"http://a\")'>" * 5_000


def _html(data: bytes) -> None:
    response = Response(status=200, headers=(("content-type", "text/html"),), body=data)
    text = decoded(response)
    found = in_page(text, str(AT), ("block-all-mixed-content",))
    sample(RUN, AT, found.assets, 5, 10)
    self_references(text)
    title(text)


def css_samples() -> Iterator[bytes]:
    """Yield stylesheets with everything that loads, and the largest ones made to take long."""
    yield b"@charset 'utf-8';@import url(\"http://a/b.css\") screen;@font-face{src:url(a.woff2),local(b)}"
    yield b"a{background:image-set('http://a/1' 1x, url( http://a/2 ) 2x);cursor:url(\\68 ttp://a)}/* url(b) */"
    yield b"@namespace 'http://www.w3.org/1999/xhtml';@media screen{b{content:'\\000041';mask:URL(\"c\\\"d\")}}"
    for part in (b"(", b"{", b"url(", b"url(a)", b"/*", b'"', b"\\", b"@a ", b"image-set(", b"a", b" ", b"'\\\n"):
        yield part * (_BIG // len(part))


def _css(data: bytes) -> None:
    in_stylesheet(data.decode("utf-8", "replace"), "https://example.com/a.css", Policy())


def script_samples() -> Iterator[bytes]:
    """Yield scripts with everything that loads, and the largest ones made to take long."""
    yield b"import x from 'http://a/b.js'; importScripts(\"http://a\"); new WebSocket('ws://a/')"
    yield b"const A = 'http://a.example.com', B = `${A}/b`; fetch(`${A}/c`); navigator.sendBeacon(A + '/d')"
    yield b"var s=document.createElement('script');s.src='http://a/';x.open('GET','http://b/');if(a/b/c){}"
    yield b"/* 'http://a' */ // http://b\nvar r = /['\"]/; let t = '\\x41\\u0042\\\n'; new EventSource('http://c')"
    yield b"var a='http://x';document.write('<script src=\"https://example.com/\\ud800\"></scr' + 'ipt>')"
    begun = b"fetch('http://a/');"
    for part in (
        b"a",
        b"a ",
        b"/",
        b"'",
        b"`",
        b"\\",
        b"(",
        b"{",
        b"/*",
        b"//\n",
        b"'a'",
        b"/[",
        b"a=",
        b"<!--",
        b"`${",
    ):
        yield begun + part * (_BIG // len(part))
    yield b"fetch('http://a/');" * (_BIG // 19)
    yield b"const a='http://a';" + b"a;" * 300_000
    yield b"".join(b"const a%d='http://a';" % number for number in range(40_000))
    yield begun + b"document.write('<img src=http://a>');" * 20_000
    yield begun + b"document.write(" + b"'<img src=http://a>'+" * 30_000
    yield begun + b"x.src=" * 100_000


def _script(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    found = in_page(f"<script>{text}</script>", str(AT))
    sample(RUN, AT, found.assets, 5, 10)


def location_samples() -> Iterator[bytes]:
    """Yield Locations, relative and absolute, right and wrong."""
    yield from (
        *(b"/", b"https://www.example.com/a?b=c#d", b"//example.com", b"\\\\example.com\\a", b"https:a", b"../a/./b"),
        *(b"http://b\xc3\xbccher.example/\xc3\xa9", b"https://user:pw@example.com/", b"https://[::1]/", b"?a=%zz"),
        *(b"https://example.com:443/", b"https://example.com:80/", b"https://0x7f.1/", b"javascript:alert(1)"),
        *(b"https://example.com%2f@evil/", b"HTTPS:///example.com", b"https://\xe2\x84\xab.example.com", b"a:b"),
        *(
            b"https://xn--bcher-kva.example/",
            b"https://example.com./",
            b"https://ex\xc2\xadample.com/",
            b"https://a..b/",
        ),
        *(b"/" * 8_000, b"https://" + b"a." * 4_000 + b"com", b"/" + b"../" * 2_700, b"https://" + b"[" * 8_000),
    )
    for name in ("ü" * 4_000 + ".example", "\u0301" * 4_000 + ".com", "\u1e9e." * 2_000 + "com"):
        yield f"https://{name}/".encode()


def _location(data: bytes) -> None:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    for scheme in ("https", "http"):
        base = Url(scheme, "example.com", 443 if scheme == "https" else 80, AT.target)
        with contextlib.suppress(Refused, Malformed):
            found = resolve(base, text, SITE, HOSTS)
            shown = str(found)
            assert shown.isascii(), shown
            assert shown.isprintable(), shown
            assert " " not in shown, shown
            assert urlsplit(shown).hostname == found.host, shown
            assert urlsplit(shown).port in (None, found.port), shown
            assert found.port == {"https": 443, "http": 80}[found.scheme], shown
            assert resolve(base, shown, SITE, HOSTS) == found, shown


def hsts_samples() -> Iterator[bytes]:
    """Yield values of Strict-Transport-Security."""
    yield from (b"max-age=31536000; includeSubDomains; preload", b'max-age="0"', b"max-age=1;;", b"max-age")
    yield from (b'MAX-AGE = 5 ; a="b\\"c"', b"includeSubDomains=1; max-age=1", b"max-age=1; max-age=2", b"\xc3\xbc")
    yield b"max-age=" + b"9" * 2_000
    yield b"max-age=1;" + b" " * 2_000 + b'"'
    yield b'max-age=1; a="' + b"\\" * 2_000
    yield b";" * 2_000
    yield b"max-age=1" + b" ;" * 1_000 + b"="


def _hsts(data: bytes) -> None:
    text = data.decode("latin-1")[:2_048]
    with contextlib.suppress(InvalidPolicy):
        parse(text)
    for url in ("https://example.com/", "http://example.com/"):
        judge(with_exchange(HEALTHY, url, headers=(("strict-transport-security", text), ("location", "/"))))


def cookie_samples() -> Iterator[bytes]:
    """Yield values of Set-Cookie."""
    yield from (
        *(b"a=b; Path=/; Domain=example.com; Max-Age=10; Secure; HttpOnly", b"id", b"=x; Expires=0", b'a="b; c"'),
        b'a=b; expires=Wed, 21-Oct-2015 07:28:00 GMT; Version=1; Port="80"; CommentURL="http://a"',
        b"__Host-id=b; Path=/; Secure; SameSite=None; Partitioned\nsession=c",
        b"a=b; Max-Age=" + b"9" * 2_000,
        b"a=b; Expires=Sat, 21 Nov 2026 10:00:00 +" + b"9" * 20,
        b"a=b;" + b" ;" * 2_000,
        b"a=b; expires=" + b"1 " * 1_000,
        b"a=b; expires=" + b" " * 4_000 + b"x",
    )


def _cookie(data: bytes) -> None:
    text = data.decode("latin-1")[:4_096]
    cookie = set_cookie(text[:2_048])
    cookie.deletes(NOW)
    cookie.is_for("example.com")
    cookie.refused()
    assert cookie.identifies in (True, False)
    jar = new_jar()
    keep(jar, AT, text.split("\n"))
    sent = header(jar, AT)
    assert "\r" not in sent, sent
    assert "\n" not in sent, sent


TARGETS = (
    Target("answer", "whole HTTP answers, as every rule judges them", _answer, answer_samples, 120),
    Target("html", "pages: tags, references, titles, own addresses", _html, html_samples, 400, 32_768),
    Target("css", "stylesheets", _css, css_samples, 1_000, 32_768),
    Target("script", "inline scripts", _script, script_samples, 400, 32_768),
    Target("location", "Location headers, and host names in them", _location, location_samples, 6_000),
    Target("hsts", "Strict-Transport-Security", _hsts, hsts_samples, 200, 2_048),
    Target("cookie", "Set-Cookie", _cookie, cookie_samples, 10_000, 4_096),
)
