"""A megabyte made to keep its reader busy is read in seconds, and changes nothing of what is found before it."""

import time

import pytest
from padlock.probes.references import Policy, in_page, in_stylesheet
from padlock.probes.self_references import self_references
from padlock.probes.text import title

from tests.hostile.soup import SOUPS, filled

PAGE = "https://example.com/"
FOUND = "<img src=http://a.example/>"


@pytest.mark.parametrize("name", SOUPS)
def test_soup_is_read_in_time(name: str) -> None:
    """Processor seconds, of which a slow machine takes two or three times as many."""
    began = time.process_time()
    contents = in_page(FOUND + SOUPS[name], PAGE)
    self_references(SOUPS[name])
    title(SOUPS[name])
    assert time.process_time() - began < 10
    assert contents.references[0].url == "http://a.example/"


@pytest.mark.parametrize("part", ["url(", "{", "@import 'x';", "/*", "'\\", "url(a:"])
def test_stylesheet_soup_is_read_in_time(part: str) -> None:
    """The same of a stylesheet."""
    began = time.process_time()
    contents = in_stylesheet("a{b:url(http://a.example/)}" + filled(part), PAGE, Policy())
    assert time.process_time() - began < 10
    assert contents.references[0].url == "http://a.example/"


@pytest.mark.parametrize("base", [f"<base href='https://example.com{'/a' * 4000}/'>", ""])
def test_a_base_of_thousands_of_parts_is_none(base: str) -> None:
    """To resolve against it costs as much as the whole of it, each time; whole URLs are read all the same."""
    url = PAGE if base else PAGE + "a/" * 4000
    contents = in_page(f"{base}<img src=x><script src=//b.example/y></script>{FOUND}", url)
    assert [reference.url for reference in contents.references] == ["http://a.example/"]
    assert contents.assets == ()


def test_a_base_of_many_parts_is_one() -> None:
    """Fifty directories are many, and no fault."""
    contents = in_page(f"<base href='http://b.example{'/a' * 50}/'><img src=../x>", PAGE)
    assert contents.references[0].url == f"http://b.example{'/a' * 49}/x"
