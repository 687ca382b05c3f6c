"""nginx's regular expressions: judged as `re` and PCRE judge them, at a bounded cost whatever the pattern."""

import re
import signal
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from padlock.rules._nginx_patterns import Searches

HOST = "www.example.com"
LONG_HOST = ".".join(["abcdefghij-0123456789" * 3] * 4)[:253]
LONG_PATH = "/" + "a.b-c/" * 1000

PIECES = (
    "a", "b", ".", "-", "A", r"\.", r"\d", r"\w", r"\S", r"\b", r"\B", "^", "$", r"\A", r"\Z", "[a-c]", "[^ab]",
    "[Z-a]", r"[^-\d]", r"[^\W]", "",
)  # fmt: skip
REPEATS = ("*", "+", "?", "*?", "+?", "??", "{2}", "{1,3}", "{0,1}", "{2,}", "{0}", "{0,20}", "{0,300}")
SYNTAX = (*PIECES, *REPEATS, "(", "(?:", "(?P<n>", ")", ")", "|", "(?=", "*+", r"\1", "{,2}", "[", "]", "\\")

jumbled = st.lists(st.sampled_from(SYNTAX), max_size=80).map("".join)
well_formed = st.recursive(
    st.sampled_from(PIECES),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map("(?:{0[0]}|{0[1]})".format),
        st.tuples(inner, st.sampled_from(REPEATS)).map("({0[0]}){0[1]}".format),
    ),
    max_leaves=20,
)
patterns = st.one_of(jumbled, well_formed).map(lambda pattern: pattern[:200])
# `\B` in an empty text is true for PCRE, and for Python only from 3.14 on.
names = st.one_of(st.text("abcA1-._Z", min_size=1, max_size=253), st.sampled_from((HOST, LONG_HOST, LONG_PATH)))


class TooSlow(Exception):
    """Python's own search took too long."""


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """End what takes more of the processor's time; `re` looks for signals while it searches."""

    def end(*_: object) -> None:
        raise TooSlow

    before = signal.signal(signal.SIGVTALRM, end)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


@given(patterns, names, st.booleans())
@example("^" + ".?" * 98 + "Z$", HOST, True)
@example("(a|ab)*" * 28, LONG_HOST, True)
@settings(max_examples=600, deadline=None)
def test_as_python_does(pattern: str, text: str, any_case: bool) -> None:
    """Whatever the pattern, a search takes little time; where it says anything, and `re` ends, they say the same."""
    started = time.process_time()
    fits = Searches().search(pattern, text, any_case=any_case)
    assert time.process_time() - started < 0.2
    if fits is None:
        return
    try:
        with warnings.catch_warnings(action="ignore"), at_most(0.05):
            theirs = re.search(pattern, text, re.ASCII | (re.IGNORECASE if any_case else re.ASCII)) is not None
    except TooSlow:
        return
    assert fits is theirs


@pytest.mark.parametrize(
    ("pattern", "text", "fits"),
    [
        (r"^www\.", HOST, True),
        (r"^(?<name>.+)\.example\.com$", "a.example.com", True),
        (r"^(?P<name>.+)\.example\.com$", "example.com", False),
        (r"^www\d+\.example\.(com|org)$", "www12.example.org", True),
        (r"^www\d+\.example\.(com|org)$", HOST, False),
        (r"^(www\.)?(?<domain>.+)$", HOST, True),
        (r"(^|\.)example\.com$", "notexample.com", False),
        (r"^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+example\.com$", "a-1.b.example.com", True),
        (r"\.php$", "/index.php", True),
        (r"\.php$", "/index.php/x", False),
        (r"^/static/.*\.(css|js|png)$", "/static/a/b.js", True),
        (r"^/static/.*\.(css|js|png)$", "/static/a/b.json", False),
        (r"EXAMPLE", HOST, True),
        (r"^[A-Z]+\.", HOST, True),
        (r"\bexample\b", HOST, True),
        (r"(a+)+$", "a" * 252 + "b", False),
        (r"a*a*a*b", "a" * 250, False),
        (r"^a|.*.*b", "a" * 250, True),
        (r"^..$", "ä", True),
        (r"\(?<a", "<a", True),
    ],
)
def test_judged(pattern: str, text: str, fits: bool) -> None:
    """Ordinary patterns are judged, and so are those that backtracking would take ages for."""
    assert Searches().search(pattern, text) is fits


@pytest.mark.parametrize(
    "pattern",
    [
        r"^(?!www)", r"(?i)a", r"(a)\1", r"(?>a)", r"a*+", r"(", r"[[:alnum:]]", r"[-[:digit:]]", r"a{,3}", r"[(?<a]",
        "a" * 201, "(((a{99}){99}){99})", "(){4294967290}", "(.?){900}Z", "(" * 100,
    ],
)  # fmt: skip
def test_not_judged(pattern: str) -> None:
    """What means something else to Python, is not searched for here, or costs too much, is left open."""
    assert Searches().search(pattern, LONG_HOST) is None


@pytest.mark.parametrize("text", [HOST, LONG_HOST, LONG_PATH])
@pytest.mark.parametrize(
    "pattern",
    [
        *("^" + ".?" * count + "Z$" for count in (24, 28, 30, 98)),
        "(a|ab)*c$", "(a{0,1}){0,1}" * 15, "((a|b|.)*|(.|c)*)*Z", "(.*)*Z", "(a?){99}a{99}", "(.{0,40}){99}Z",
        "(" * 66 + "." + ")+" * 66, ".*" * 99 + "Z", r"\b*" * 60, "(^|$|a)*" * 25, "(a{0,300}){0,300}", ".{999}Z",
        "(?=.*)" * 30, r"(.*)\1" * 30,
    ],
)  # fmt: skip
def test_cost(pattern: str, text: str) -> None:
    """No pattern takes long; the best of three runs is not another process's."""
    times = []
    for _ in range(3):
        started = time.process_time()
        Searches().search(pattern, text)
        times.append(time.process_time() - started)
    assert min(times) < 0.02


def test_cost_together() -> None:
    """Many costly patterns share what may be spent; what was found out before stays known."""
    searches = Searches()
    assert searches.search("example", HOST)
    started = time.process_time()
    found = [searches.search(f"(.{{0,40}}){{9}}x{number}", LONG_HOST) for number in range(20_000)]
    assert time.process_time() - started < 5
    assert found[-1] is None
    assert searches.search("example", HOST)
