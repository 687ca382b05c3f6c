"""The tags of a page, as a browser's tokenizer finds them."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from padlock.probes.html_tokens import tags


def names(page: str) -> list[str]:
    """Return the names of a page's tags."""
    return [tag.name for tag in tags(page)]


@pytest.mark.parametrize(
    ("page", "attributes"),
    [
        ("<IMG SRC=a.png>", {"src": "a.png"}),
        ("<img src='a b' alt>", {"src": "a b", "alt": ""}),
        ('<img/src="a"/alt="b">', {"src": "a", "alt": "b"}),
        ("<img\nsrc\t=\n a>", {"src": "a"}),
        ("<img src=a src=b>", {"src": "a"}),
        ("<img src=a/b?c=d&amp;e>", {"src": "a/b?c=d&e"}),
        ("<img src='a?b=1&section=2&copy=3&lt=4'>", {"src": "a?b=1&section=2&copy=3&lt=4"}),
        ("<img src='a?b&copy;c&copy d&#169;=e&ampx&amp'>", {"src": "a?b©c© d©=e&ampx&"}),
        ("<img src='a?b&notit;&notin;&nosuch;'>", {"src": "a?b&notit;∉&nosuch;"}),
        ('<img title="<b>" src=a>', {"title": "<b>", "src": "a"}),
        ("<img src= >", {"src": ""}),
        ("<img =a=b>", {"=a": "b"}),
        ('<img src=a"b>', {"src": 'a"b'}),
        (f'<img alt="&#{"9" * 5000};" src=a>', {"alt": f"&#{'9' * 5000};", "src": "a"}),
    ],
)
def test_attributes(page: str, attributes: dict[str, str]) -> None:
    """Names in lower case, values in any quotes or none, the first of a name, character references undone."""
    assert [dict(tag.attributes) for tag in tags(page)] == [attributes]


@pytest.mark.parametrize(
    ("page", "found"),
    [
        ("a < b <3 <b>", ["b"]),
        ("<!-- <i> --><b>", ["b"]),
        ("<!--><b>", ["b"]),
        ("<!-- <i> --!><b>", ["b"]),
        ("<!-- <b>", []),
        ("<!doctype html><?php <b>", []),
        ("<![if !IE]><b></b>", ["b", "/b"]),
        ("</><b>", ["b"]),
        ("</ b><i>", ["i"]),
        ("<script>if (a<b) '<i>'</SCRIPT ><b>", ["script", "/script", "b"]),
        ("<script><!-- <i> </script><b>", ["script", "/script", "b"]),
        ("<title><b></title><i>", ["title", "/title", "i"]),
        ("<textarea><b></textareas></textarea><i>", ["textarea", "/textarea", "i"]),
        ("<noscript><img></noscript><i>", ["noscript", "/noscript", "i"]),
        ("<style><b>", ["style"]),
        ("<plaintext><b>", ["plaintext"]),
        ("<b title='", []),
        ("<b", []),
    ],
)
def test_what_is_a_tag(page: str, found: list[str]) -> None:
    """Comments, declarations, the text of scripts and the like, and what the page ends in are none."""
    assert names(page) == found


def test_text_of_a_script() -> None:
    """It is as written, and its place is known."""
    page = "<p>\n<script type=module>let a = '&amp;';</script>"
    script = next(tag for tag in tags(page) if tag.name == "script")
    assert script.text == "let a = '&amp;';"
    assert page[script.text_at :].startswith(script.text)


HOSTILE = [
    "<div>",
    "<span>",
    "<b id='x'><p>",
    "<a b='",
    "<a b=\"' ",
    "<!--",
    "<!-- -- --!",
    "</x",
    "<script>",
    "<script></scrip",
    "<a = = ",
    "<a / / ",
    "<table><tr><td>",
    "<template>",
    "<<<<",
    "&amp;<",
]


@pytest.mark.parametrize("part", HOSTILE)
def test_time_is_linear(part: str) -> None:
    """What makes tree builders slow, alone and inside of one tag, is read in time that grows with its size alone."""
    for page in (part * (300_000 // len(part)), "<a " + part * (300_000 // len(part))):
        began = time.process_time()
        for _ in tags(page):
            pass
        assert time.process_time() - began < 2


@given(st.text(alphabet="<>/!-='\"& \nabSCRIPTstyle", max_size=200))
def test_any_text_is_read(page: str) -> None:
    """Each tag begins with its angle bracket, after the one before it, and nothing raises."""
    at = -1
    for tag in tags(page):
        assert page[tag.at] == "<"
        assert tag.at > at
        assert page[tag.text_at : tag.text_at + len(tag.text)] == tag.text
        at = tag.at


@given(st.text(alphabet="<>abi ='\"", max_size=60), st.text(alphabet="abc/:.", min_size=1, max_size=20))
def test_an_image_after_closed_text_is_found(before: str, url: str) -> None:
    """Whatever stands in a comment before it, an image is found."""
    assert [tag.attributes["src"] for tag in tags(f"<!--a{before}--><img src='{url}'>")] == [url]
