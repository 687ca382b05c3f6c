"""Elements: text is never markup, and nothing that could run or load can be made."""

import ast
import html
import json
from pathlib import Path

import padlock.render.page
import pytest
from hypothesis import given
from hypothesis import strategies as st
from padlock.render.escape import printable
from padlock.render.page.elements import data, element, escaped, join
from padlock.render.page.script import SCRIPT
from padlock.render.page.style import sheet
from selectolax.lexbor import LexborHTMLParser

from tests.hostile_text import HOSTILE, raw
from tests.render.page.parsed import LOADS

HERE = Path(padlock.render.page.__file__).parent


def test_elements_nest() -> None:
    """Children stand in their order; nothing, lists and numbers in attributes are understood."""
    made = element(
        "p", "Seen: ", [element("code", "a<b"), None, " & "], class_="x", data_sort=3, hidden=True, id=None
    )
    assert made.html == '<p class="x" data-sort="3" hidden>Seen: <code>a&lt;b</code> &amp; </p>'
    assert join("a", element("input", type="search"), element("rect", width="3%")).html == (
        'a<input type="search"><rect width="3%"/>'
    )


@pytest.mark.parametrize("tag", ["script", "style", "iframe", "img", "object", "link", "meta", "form", "base", "use"])
def test_what_could_run_or_load_cannot_be_made(tag: str) -> None:
    """A tag that no report needs is refused, whoever asks for it."""
    with pytest.raises(ValueError, match="no element of the report"):
        element(tag)


@pytest.mark.parametrize("name", ["onclick", "onload", "style", "src", "srcdoc", "formaction", "xlink_href", "ping"])
def test_attributes_that_run_or_load_cannot_be_made(name: str) -> None:
    """An attribute that is none of the report's is refused, even without a value."""
    with pytest.raises(ValueError, match="no attribute of the report"):
        element("a", **{name: None})


@pytest.mark.parametrize(
    "target", ["https://example.com/", "javascript:alert(1)", "//example.com", "data:text/html,x", ""]
)
def test_links_stay_on_the_page(target: str) -> None:
    """A link leads to another place of the page and nowhere else."""
    with pytest.raises(ValueError, match="nothing outside itself"):
        element("a", href=target)


@given(st.text(st.characters(codec=None), max_size=80) | st.just(HOSTILE))
def test_any_text_stays_text(text: str) -> None:
    """Whatever a text holds, a parser finds one element, and in it and in its attribute the text as shown."""
    made = element("p", text, aria_label=text)
    assert raw(made.html) == set()
    tree = LexborHTMLParser(f"<body>{made.html}</body>")
    assert [node.tag for node in tree.css("body *")] == ["p"]
    found = tree.css_first("p")
    shown = printable(text, 10 * len(text) + 1)
    assert found is not None
    assert found.text() == shown
    assert (found.attributes["aria-label"] or "") == shown
    assert html.unescape(escaped(text)) == shown


@given(st.dictionaries(st.text(max_size=20), st.text(max_size=40) | st.integers() | st.just(HOSTILE), max_size=3))
def test_data_is_the_same_json_within_html(value: dict[str, str | int]) -> None:
    """What a dashboard reads out of an element is what was put in, and closes no element."""
    written = data(value).html
    assert json.loads(written) == value
    assert not set("<>&") & set(written)
    assert raw(written) == set()


def test_one_file_makes_markup() -> None:
    """Nowhere else is text declared to be HTML: every other file goes through `element`."""
    users = {
        path.name
        for path in HERE.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("Markup")
    }
    assert users == {"elements.py"}


def test_sheet_and_script_ask_for_nothing() -> None:
    """Neither names a URL, nor has the means to fetch one, nor closes its own element."""
    for text in (sheet(), SCRIPT):
        assert LOADS.search(text) is None
        assert "</" not in text
    assert "innerHTML" not in SCRIPT
    assert "eval" not in SCRIPT
