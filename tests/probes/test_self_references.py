"""Where a page names its own address, as a browser's parser reads it."""

import time

import pytest
from padlock.evidence import SelfReference
from padlock.probes.self_references import self_references


def urls(text: str) -> list[tuple[str, str]]:
    """Return place and URL of each reference."""
    return [(reference.place, reference.url) for reference in self_references(text)]


@pytest.mark.parametrize(
    ("page", "place", "url"),
    [
        ("<form action='http://a.example/x' method=post>", "form", "http://a.example/x"),
        ("<FORM METHOD=post ACTION=http://a.example/x>", "form", "http://a.example/x"),
        ("<form><button formaction=//a.example/x>", "form", "//a.example/x"),
        ('<input type=submit formaction="http://a.example/?a=1&amp;b=2">', "form", "http://a.example/?a=1&b=2"),
        ("<base target=_top\nhref='https://a.example/'>", "base", "https://a.example/"),
        ("<link rel='nofollow CANONICAL' href=http://a.example/>", "canonical", "http://a.example/"),
        ("<meta property=og:url content='http://a.example/'>", "og:url", "http://a.example/"),
        ("<meta content=' http://a.example/ ' title='a > b' property='og:url'/>", "og:url", "http://a.example/"),
        ("<form action='http://a.example/1'><form action='http://b.example/2'>", "form", "http://b.example/2"),
    ],
)
def test_places(page: str, place: str, url: str) -> None:
    """Forms, buttons, base, the canonical link and the Open Graph URL, however they are written."""
    assert (place, url) in urls(f"<!doctype html><p>{page}")


@pytest.mark.parametrize(
    "page",
    [
        "",
        "http://a.example/",
        "<form action=/login>",
        "<a href=http://a.example/>",
        "<!-- <form action=http://a.example/> -->",
        "<script>document.write('<form action=http://a.example/>')</script>",
        "<SCRIPT>'<form action=http://a.example/>'</SCRIPT>",
        "<style>/* <form action=http://a.example/> */</style>",
        "<template><form action=http://a.example/></template>",
        "<textarea><form action=http://a.example/></textarea>",
        "<!-- <form action=http://a.example/>",
        "<formula action=http://a.example/>",
        "<link rel=stylesheet href=http://a.example/>",
        "<meta property=og:image content=http://a.example/>",
        "<form action='mailto:a@a.example//'>",
        "<form action='javascript://a.example/'>",
        "<form action='http://[a'>",
        "<form action='http://a.example/",
    ],
)
def test_what_is_no_reference(page: str) -> None:
    """Relative addresses, links, comments, scripts and what is no address say nothing of the app."""
    assert urls(page) == []


def test_markup_behind_a_script_counts() -> None:
    """What is skipped ends where it ends."""
    assert urls("<script>'//'</script><style></style><!----><base href=//a.example/>") == [("base", "//a.example/")]


def test_each_origin_once() -> None:
    """A thousand forms to one origin are one reference, and no page makes more than twenty."""
    same = "".join(f"<form action=http://a.example/{n}></form>" for n in range(1000))
    assert urls(same) == [("form", "http://a.example/0")]
    assert len(urls("".join(f"<form action=http://a{n}.example/></form>" for n in range(100)))) == 20
    assert self_references("<base href=//" + "a" * 900 + ">")[0] == SelfReference("base", "//" + "a" * 497 + "…")


@pytest.mark.parametrize(
    "part",
    [
        "<div><a b='x'>",
        "<form action='//",
        '<form "',
        "<form a='\"' ",
        "<form action=//a><form ",
        "<!--",
        "<script>//</script",
        "<button formaction='//a.example'>",
        "<base href=//a.example/" + "x" * 5000,
        "<" * 10,
    ],
)
def test_hostile_pages_take_no_time(part: str) -> None:
    """A megabyte of tag soup is read in less than a second, whatever the nesting."""
    page = "//" + part * (1_000_000 // len(part))
    began = time.process_time()
    found = self_references(page)
    assert time.process_time() - began < 1.5
    assert len(found) <= 20
