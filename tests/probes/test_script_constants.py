"""String constants that begin what an inline script fetches, and names that stand for something else somewhere."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from padlock.probes.script_urls import Use, loads

A = "http://cdn.example/api"


def used(script: str) -> list[tuple[str, str, str]]:
    """Return what a script loads: kind, loader, URL."""
    found = loads(script.replace("{}", A))
    return [(each.kind, each.loader, each.url) for each in found if isinstance(each, Use)]


@pytest.mark.parametrize(
    ("script", "loader"),
    [
        ("const API = '{}'; fetch(API)", "fetch()"),
        ("const API = '{}'; fetch(API + '/x', {method: 'POST'})", "fetch()"),
        ("const API = '{}'\nfetch(`${API}/x`)", "fetch()"),
        ("var api = \"{}\";\nfunction f() { return fetch(api+'/x') }", "fetch()"),
        ("let u = `{}${v}`; window.fetch( u )", "fetch()"),
        ("function f() { return fetch(U) }\nconst U = '{}';", "fetch()"),
        ("const U = '{}', W = 1; r.open('GET', U, true)", "XMLHttpRequest.open()"),
        ("const U = '{}'; new EventSource(U)", "EventSource()"),
        ("const U = '{}'; import(U)", "import"),
        ("const U = '{}'; var s = document.createElement('script'); s.src = U + '/a.js';", "script.src ="),
        ("(() => { const U = '{}'; go(() => fetch(U)) })()", "fetch()"),
        ("const U = '{}'; if (U == x || U === y) log(U.length); fetch(U)", "fetch()"),
        ("const U = '{}'; a.U = 1; /* U = 2 */ log('U = 3'); fetch(U)", "fetch()"),
    ],
)
def test_a_constant_that_is_fetched(script: str, loader: str) -> None:
    """A name with one value is as good as the literal, also where more is added to it."""
    assert used(script) == [("active", loader, A)]


@pytest.mark.parametrize(
    "script",
    [
        "let u = '{}'; u = '/x'; fetch(u)",
        "let u = '{}'; u += x; fetch(u)",
        "var u = '{}'; if (location.protocol == 'https:') u = u.replace('http:', 'https:'); fetch(u)",
        "const u = '{}'.replace('http:', ''); fetch(u)",
        "const u = '{}' + x; fetch(u)",
        "const u = '{}'\n  .replace('http:', ''); fetch(u)",
        "const u = secure ? 'https://a' : '{}'; fetch(u)",
        "const u = secure && '{}'; fetch(u)",
        "const u = '{}'; function get(u) { return fetch(u) }",
        "const u = '{}'; function get(a, u, b) { return fetch(u) }",
        "const u = '{}'; const get = u => fetch(u)",
        "const u = '{}'; const get = (u, x) => fetch(u)",
        "const u = '{}'; const get = ({u}) => fetch(u)",
        "const u = '{}'; function get(u = '/x') { return fetch(u) }",
        "const u = '{}'; for (const u of all) fetch(u)",
        "const u = '{}'; { const {u} = settings; fetch(u) }",
        "const u = '{}'; { const [u] = settings; fetch(u) }",
        "const u = '{}'; try { a() } catch (u) { fetch(u) }",
        "function f() { const u = '{}'; log(u) } fetch(u)",
        "const u = '{}'; fetch(a.u); fetch(x + u); fetch(u.path); fetch('/go?to=' + u); fetch(`/go?${u}`)",
        "const u = '{}'; fetch(proxied(u)); log(u); prefetch(u)",
        "const u = '{}'; fetch(url); fetch($u)",
        "// const u = '{}'\nfetch(u)",
        "import {u} from './settings.js'; var u = '{}'; fetch(u)",
        "settings = {u: '{}'}; fetch(u)",
    ],
)
def test_a_name_that_may_be_something_else(script: str) -> None:
    """A second value, a parameter, another scope: wherever it is in doubt, nothing is said."""
    assert used(script) == []


@pytest.mark.parametrize(
    "part",
    [
        "var a='http://a';",
        "var a='http://a';fetch(a);",
        "a(a,",
        "{a}",
        "{",
        "fetch(a+",
        "`${a}`",
        "'+'",
        "document.write('a'+",
        "/[",
    ],
)
def test_time_is_bounded(part: str) -> None:
    """Time grows with the size alone."""
    names = "".join(f"const n{number} = 'http://a{number}'; fetch(n{number});" for number in range(30))
    began = time.process_time()
    list(loads(names + "var a = 'http://b.example';" + part * (300_000 // len(part))))
    assert time.process_time() - began < 2


PIECES = (
    "var a=",
    "const a =",
    "'http://b'",
    "`http://b${a}`",
    "fetch(a",
    "a",
    "=",
    "=>",
    "(",
    ")",
    "{",
    "}",
    ";",
    ",",
)


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=40).map("".join))
def test_any_script_is_read(script: str) -> None:
    """Nothing raises, and every URL stands in the script."""
    assert all(url.removesuffix("${a}") in script for _, _, url in used(script))
