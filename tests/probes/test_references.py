"""What a page and its stylesheets load over plain HTTP, sorted as browsers sort it."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from padlock.probes.references import SHOWN, URL_KEPT, Contents, Policy, absolute, in_page, in_stylesheet

PAGE = "https://example.com/dir/page"
H = "http://cdn.example/x"


def judged(html: str, *policies: str) -> Contents:
    """Return what a page refers to."""
    return in_page(html, PAGE, policies)


def _as_stylesheet(text: str) -> Contents:
    return in_stylesheet(text, PAGE, Policy())


@pytest.mark.parametrize(
    "html",
    [
        f"<script src={H}></script>",
        f"<script type=module src={H}></script>",
        f"<link rel=stylesheet href={H}>",
        f'<link rel="preload stylesheet" as=style href={H}>',
        f'<link rel="alternate stylesheet" href={H}>',
        f"<link rel=manifest href={H}>",
        f"<link rel=preload as=font href={H}>",
        f"<link rel=modulepreload href={H}>",
        f"<iframe src={H}></iframe>",
        f"<frameset><frame src={H}></frameset>",
        f"<object data={H}></object>",
        f"<embed src={H}>",
        f"<video crossorigin><track default src={H}></video>",
        f"<link rel=stylesheet type='TEXT/CSS; charset=utf-8' href={H}>",
        f"<style type=TEXT/CSS>@import '{H}';</style>",
        f"<form action={H}></form>",
        f"<button formaction={H}>",
        f"<style>@import '{H}';</style>",
        f"<style>@import url({H}) screen;</style>",
        f'<style>@font-face {{ font-family: A; src: local("A"), url("{H}") }}</style>',
        f"<svg><script href={H}></script></svg>",
        f"<script>fetch('{H}')</script>",
        f'<script>window.fetch( "{H}", {{}})</script>',
        f"<script>r.open('POST', '{H}', true)</script>",
        "<script>new WebSocket('ws://cdn.example/live')</script>",
        f"<script>new EventSource(`{H}`)</script>",
        f"<script type=module>import x from '{H}'</script>",
        f"<script type=module>import '{H}'</script>",
        f"<script>import('{H}').then(f)</script>",
        f"<script>var s = document.createElement('script'); s.src = '{H}';</script>",
        f"<script>a.match(/[\"']/); fetch('{H}')</script>",
        "<base href=http://cdn.example/><script src=x></script>",
        "<form action=x></form><base href=http://cdn.example/>",
        "<script src='HTTP://cdn.example/x'></script>",
        "<script src='http:\\\\cdn.example/x'></script>",
        "<script src='ht\ntp://cdn.example/x'></script>",
        f"<script src=' {H} '></script>",
    ],
)
def test_active(html: str) -> None:
    """What could take over the page, or carries what visitors typed."""
    found = judged(html)
    assert found.counts == {"active": 1}, found
    assert found.references[0].kind == "active"
    assert found.references[0].url.lower().endswith("://cdn.example/" + ("live" if "ws:" in html else "x"))


@pytest.mark.parametrize(
    "html",
    [
        f"<img src={H}>",
        f'<img srcset="{H} 2x, /b 1x">',
        f'<img srcset="/a, {H}">',
        f'<picture><source srcset="{H} 100w"></picture>',
        f"<audio src={H}></audio>",
        f"<video src={H}></video>",
        f"<video><source src={H}></video>",
        f"<video poster={H}></video>",
        f"<input type=image src={H}>",
        f"<svg><image xlink:href={H}></svg>",
        f"<link rel='shortcut icon' href={H}>",
        f"<head></head><link rel=icon href={H}>",
        f"<svg><use href={H} /></svg>",
        f"<link rel=preload as=image href={H}>",
        f"<body background={H}>",
        f"<style>b {{ background: #fff url( {H} ) }}</style>",
        f"<style>b {{ background: image-set('{H}' 1x) }}</style>",
        f'<b style="background: url(&quot;{H}&quot;)">',
        f"<style>@media print {{ b {{ background: URL({H}) }} }}</style>",
        f"<script>new Image().src = '{H}'</script>",
        f"<script>(new Image).src='{H}'</script>",
        f"<script>logo.src = '{H}'</script>",
        "<style>b { background: url(\\68ttp://cdn.example/x) }</style>",
    ],
)
def test_passive(html: str) -> None:
    """Images, audio and video."""
    found = judged(html)
    assert found.counts == {"passive": 1}, found
    assert found.references[0].url == H


@pytest.mark.parametrize(
    "html",
    [
        f"<a href={H}>",
        f"<area href={H}>",
        f"<link rel=canonical href={H}>",
        f"<link rel=alternate type=application/rss+xml href={H}>",
        f"<form method=Dialog action={H}><button formmethod=dialog formaction={H}></form>",
        f"<p>x<link rel=icon href={H}>",
        f"<link rel=apple-touch-icon href={H}><link rel=mask-icon href={H}>",
        f"<link rel=stylesheet disabled href={H}>",
        f"<link rel=stylesheet type=text/less href={H}>",
        f"<style type=text/x>b {{ background: url({H}) }}</style>",
        f"<style type='text/css;a=b'>b {{ background: url({H}) }}</style>",
        f"<script language=vbscript src={H}></script>",
        f"<video><track default src={H}></video><video crossorigin><track src={H}></video>",
        f"<link rel='preconnect dns-prefetch' href={H}>",
        f"<link href={H}>",
        f"<meta property=og:image content={H}>",
        f"<blockquote cite={H}>",
        f'<html xmlns={H} prefix="og: {H}#">',
        f"<!-- <script src={H}></script> -->",
        f"<!--[if IE]><script src={H}></script><![endif]-->",
        f"<noscript><img src={H}></noscript>",
        f"<template><img src={H}></template>",
        f"<textarea><img src={H}></textarea>",
        f'<script type=application/ld+json>{{"url": fetch("{H}")}}</script>',
        f"<script type=text/template src={H}></script>",
        f"<script nomodule src={H}></script>",
        f"<script>var a = '{H}', b = ['{H}']; log('{H}'); // fetch('{H}')\n/* fetch('{H}') */</script>",
        "<script>s.src = ('https:' == location.protocol ? 'https://ssl' : 'http://www') + '.x.example/a.js'</script>",
        "<script>fetch('http://' + host)</script>",
        f"<script>let t = \"fetch('{H}')\"</script>",
        f"<script>prefetch('{H}'); a.fetched.fetch; window.open('{H}')</script>",
        f"<style>@namespace svg url({H}); /* url({H}) */ a[href='{H}'] {{ content: '{H}' }}</style>",
        f"<style>@namespace '{H}';</style>",
        "<script src=//cdn.example/x></script>",
        "<script src=/x></script><script src=x></script><script src></script>",
        "<script src=https:x></script>",
        "<img src='data:image/svg+xml,<svg xmlns=%22http://www.w3.org/2000/svg%22>'>",
        "<img src=http://localhost:3000/x><img src=http://127.0.0.1/x><img src=http://[::1]/x>",
        "<script>new WebSocket('ws://localhost:8080/hmr')</script>",
        "<iframe src=http://app.localhost/x></iframe>",
        "<form action=javascript:void(0)><form action=mailto:a@b.example><form>",
        "<base href=https://cdn.example/><base href=http://cdn.example/><img src=x>",
        "<img src=x><base href=http://cdn.example/>",
        "<base href=data:text/plain,><img src=x>",
        "<svg><use href=#a></use></svg><b style='fill: url(#a)'>",
        f"<img data-src={H} alt={H}>",
    ],
)
def test_no_mixed_content(html: str) -> None:
    """What browsers only name, do not reach, or find on the visitor's own machine."""
    assert judged(html).counts == {}


@pytest.mark.parametrize(
    ("html", "policies"),
    [
        (f"<img src={H}>", ("default-src 'self'; upgrade-insecure-requests",)),
        (f"<img src={H}>", ("default-src 'self'", "Upgrade-Insecure-Requests ;")),
        (f"<img src={H}>", ("img-src *, upgrade-insecure-requests",)),
        (f"<meta http-equiv=content-security-policy content=upgrade-insecure-requests><img src={H}>", ()),
    ],
)
def test_upgraded(html: str, policies: tuple[str, ...]) -> None:
    """A policy in a header, or in the head before what it is about."""
    found = judged(html, *policies)
    assert found.counts == {"passive upgraded": 1}
    assert found.references[0].upgraded


@pytest.mark.parametrize(
    "html",
    [
        f"<script src={H}></script><meta http-equiv=content-security-policy content=upgrade-insecure-requests>",
        f"<body><meta http-equiv=content-security-policy content=upgrade-insecure-requests><script src={H}></script>",
        f"<meta http-equiv=content-security-policy content='img-src *; x-upgrade-insecure-requests'><script src={H}>",
        f"<!--<meta http-equiv=content-security-policy content=upgrade-insecure-requests>--><script src={H}>",
    ],
)
def test_not_upgraded(html: str) -> None:
    """A policy comes too late for what stands before it, and means nothing in the body."""
    assert judged(html).counts == {"active": 1}


def test_block_all_mixed_content() -> None:
    """It is seen, in header or page."""
    assert judged("", "block-all-mixed-content").policy == Policy(blocks_all=True)
    meta = "<meta http-equiv=Content-Security-Policy content='block-all-mixed-content; upgrade-insecure-requests'>"
    assert judged(meta).policy == Policy(upgrades=True, blocks_all=True)


def test_a_stylesheet_of_its_own() -> None:
    """URLs count from the stylesheet, which is named with the line."""
    sheet = "b { background: url(b.png) }\n@font-face { src: url('http://cdn.example/x') }\n@import '/more.css';"
    found = in_stylesheet(sheet, "https://example.com/static/a.css", Policy())
    assert [(r.element, r.url, r.line, r.stylesheet) for r in found.references] == [
        ("@font-face", H, 2, "https://example.com/static/a.css")
    ]
    assert [asset.url for asset in found.assets] == ["https://example.com/more.css"]


def test_files_over_https() -> None:
    """Scripts, stylesheets and images with their URLs resolved, each once; no data URLs, no alternates."""
    page = (
        "<link rel=stylesheet href=a.css><script src=/b.js></script>"
        "<script type=module src=//example.com/c.js></script>"
        "<img src=../d.png><img src=../d.png><img src=data:,><link rel=icon href=e.ico><script src=http://a/></script>"
    )
    assert [(a.kind, a.url, a.module) for a in judged(page).assets] == [
        ("stylesheet", "https://example.com/dir/a.css", False),
        ("script", "https://example.com/b.js", False),
        ("script", "https://example.com/c.js", True),
        ("image", "https://example.com/d.png", False),
    ]


def test_lines() -> None:
    """The line of the tag, or of the place within a script."""
    page = f"<p>\n<img src={H}>\n<script>\n\nfetch('{H}')</script>\n<img\nsrc={H}>"
    assert sorted((r.element, r.line) for r in judged(page).references) == [
        ("img src", 2),
        ("img src", 6),
        ("inline script fetch()", 5),
    ]


def test_many_are_counted_and_the_worst_kept() -> None:
    """Fifty are kept, those that browsers block first, each of bounded length."""
    page = f"<img src={H}>" * 200 + f"<script src={H}{'y' * 9000}></script>" * 3
    found = judged(page)
    assert found.counts == {"passive": 200, "active": 3}
    assert len(found.references) == SHOWN
    assert [r.kind for r in found.references[:4]] == ["active", "active", "active", "passive"]
    assert len(found.references[0].url) <= URL_KEPT


def test_control_characters_do_not_reach_a_report() -> None:
    """URLs are escaped."""
    assert (
        judged("<img src='http://a.example/\x1b[31m\u202e'>").references[0].url == "http://a.example/\\x1b[31m\\u202e"
    )


@pytest.mark.parametrize(
    ("reference", "url"),
    [
        ("a", "https://example.com/dir/a"),
        ("//b.example", "https://b.example"),
        ("\\\\b.example\\c", "https://b.example/c"),
        ("https:a", "https://example.com/dir/a"),
        ("https:/a", "https://example.com/a"),
        ("http:a", "http://a"),
        ("http:///a", "http://a"),
        ("HTTPS://A", "https://A"),
        ("javascript:a", ""),
        ("http://[", "http://["),
        ("//[", ""),
    ],
)
def test_absolute(reference: str, url: str) -> None:
    """As the URL standard has it, and never an exception."""
    assert absolute(PAGE, reference) == url


@pytest.mark.parametrize(
    "part",
    [
        f"<img src={H}>",
        f"<i style='a: url({H})'>",
        "<form action=http://a>",
        "<img src=../a>",
        "<base href=http://a><img src=a>",
        '<script>fetch("http://a");</script>',
        '<script>"http://a";(/[',
        f"<img srcset='{H} 1x, {H} 2x'>",
        "<iframe srcdoc='<img src=http://a>'>",
        f"<svg onload='fetch(&quot;{H}&quot;)'>",
        "<script>document.write('<img src=http://a>');",
        "<script>document.write('http://a'+",
        "<script>var a='http://a';fetch(a);{(",
        "<style>url(",
        "<link rel=stylesheet href=http://a>",
    ],
)
def test_time_is_bounded(part: str) -> None:
    """Time grows with the size alone, and fifty are kept."""
    page = part * (300_000 // len(part))
    for text in (page, page.replace("<script>", "").replace("<style>", "")):
        for found_in in (judged, _as_stylesheet):
            began = time.process_time()
            found = found_in(text)
            assert time.process_time() - began < 2
            assert len(found.references) <= SHOWN


PIECES = [
    *(
        "<script>",
        "</script>",
        "<style>",
        "</style>",
        "<template>",
        "</template>",
        "<img src=",
        "<base href=",
        "<meta ",
    ),
    *("<link rel=stylesheet href=", "srcset='", "'", '"', ">", "`", "/", "/*", "*/", "//", "\n", "\\", "&#", "\0"),
    *("http://a", "ws://b", "http:", "//[", "url(", ")", "fetch(", "@import ", "@font-face", "{", "}", ";"),
]
MARKUP = st.lists(st.sampled_from(PIECES) | st.text(max_size=5), max_size=60).map("".join)


@given(MARKUP)
def test_any_markup_is_read(text: str) -> None:
    """Nothing raises; what is kept is counted and printable."""
    for found in (judged(text), in_stylesheet(text, PAGE, Policy())):
        assert sum(found.counts.values()) >= len(found.references)
        assert all(r.url.isprintable() and r.line >= 1 for r in found.references)


@given(MARKUP.filter(lambda text: "--" not in text and not text.startswith((">", "->")) and not text.endswith("-")))
def test_comments_hide_everything(text: str) -> None:
    """Nothing within a comment is loaded."""
    assert judged(f"<!--{text}-->").counts == {}
