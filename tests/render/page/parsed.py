"""A page as a browser's parser sees it (lexbor follows the HTML standard), and what must hold of every one."""

import itertools
import re
from collections import Counter
from collections.abc import Iterator

from padlock.render.page.elements import ATTRIBUTES, TAGS
from padlock.render.page.script import SCRIPT
from padlock.render.page.style import sheet
from selectolax.lexbor import LexborHTMLParser, LexborNode

from tests.hostile_text import raw

FRAME = {"html", "head", "meta", "title", "style", "body", "script"}
"""Tags that only the frame has."""
LOADS = re.compile(
    r"url\(|@import|image-set|src\s*:|\bfetch\b|XMLHttpRequest|sendBeacon|WebSocket|\bimport\(|//", re.IGNORECASE
)
"""What in a sheet or a script would ask for something."""


def parsed(html: str) -> LexborHTMLParser:
    """Parse a page, which must be one that UTF-8 can carry."""
    return LexborHTMLParser(html.encode())


def nodes(tree: LexborHTMLParser, selector: str = "*") -> Iterator[LexborNode]:
    """Yield the elements that a selector finds."""
    yield from tree.css(selector)


def text(tree: LexborHTMLParser) -> str:
    """Return the text of what is shown, attributes that are read out or searched included."""
    body = tree.css_first("body")
    assert body is not None
    read = [
        node.attributes.get(name) or ""
        for node in tree.css("[aria-label], [data-text], [data-words]")
        for name in ("aria-label", "data-text", "data-words")
    ]
    return " ".join((body.text(), *read))


def shape(tree: LexborHTMLParser) -> Counter[tuple[str, tuple[str, ...]]]:
    """Return how many elements there are of each tag and attributes."""
    return Counter((node.tag or "", tuple(sorted(node.attributes))) for node in nodes(tree))


def assert_harmless(html: str) -> LexborHTMLParser:
    """Assert that a page runs, loads and obeys nothing but its own, and that its marks lead somewhere; return it."""
    assert raw(html) == set()
    tree = parsed(html)
    for node in nodes(tree):
        assert node.tag in FRAME | TAGS, node.tag
        for name, value in node.attributes.items():
            if node.tag not in FRAME:
                assert name.lower() in {known.lower() for known in ATTRIBUTES}, name
            assert name != "href" or (value or "").startswith("#"), value
    assert [script.text() for script in nodes(tree, "script")] == [SCRIPT]
    assert [style.text() for style in nodes(tree, "style")] == [sheet()]
    assert not list(nodes(tree, "cwdb-action"))
    ids = Counter(node.attributes["id"] for node in nodes(tree, "[id]"))
    assert [name for name, number in ids.items() if number > 1] == []
    for node in nodes(tree, "[href]"):
        assert (node.attributes["href"] or "")[1:] in ids, node.attributes["href"]
    for name in ("aria-labelledby", "for"):
        for node in nodes(tree, f"[{name}]"):
            assert set((node.attributes[name] or "").split()) <= ids.keys()
    levels = [int((node.tag or "")[1]) for node in nodes(tree, "h1, h2, h3, h4, h5, h6")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels)), levels
    return tree
