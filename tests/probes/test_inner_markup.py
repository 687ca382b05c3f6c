"""Mixed content in markup within markup: an iframe's srcdoc, and what a script writes into the page."""

import html
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from padlock.probes.references import SHOWN, Contents, in_page

PAGE = "https://example.com/dir/page"
H = "http://cdn.example/x"
UPGRADE = "<meta http-equiv=Content-Security-Policy content=upgrade-insecure-requests>"


def judged(page: str) -> Contents:
    """Return what a page refers to."""
    return in_page(page, PAGE)


def framed(markup: str, attributes: str = "") -> str:
    """Return a frame that holds markup."""
    return f'<iframe {attributes} srcdoc="{html.escape(markup)}"></iframe>'


@pytest.mark.parametrize(
    ("page", "counts"),
    [
        (framed(f"<script src={H}></script>"), {"active": 1}),
        (framed(f"<img src={H}><form action={H}>"), {"passive": 1, "active": 1}),
        (framed(framed(f"<script src={H}></script>")), {"active": 1}),
        (framed("x" * 9_000 + f"<img src='{H}'>"), {"passive": 1}),
        ("<base href=http://cdn.example/>" + framed("<img src=x>"), {"passive": 1}),
        (framed("<base href=http://cdn.example/><img src=x>") + "<img src=x>", {"passive": 1}),
        (UPGRADE + framed(f"<img src={H}>"), {"passive upgraded": 1}),
        (framed(f"{UPGRADE}<img src={H}>") + f"<img src={H}>", {"passive upgraded": 1, "passive": 1}),
        (framed(f"<img src={H}>", "sandbox"), {"passive": 1}),
        (framed(f"<script src={H}></script><svg onload=fetch('{H}')>", "sandbox"), {}),
        (framed(f"<form action={H}>", "sandbox"), {}),
        (framed(f"<script src={H}></script>", "sandbox='allow-forms allow-scripts'"), {"active": 1}),
        (framed(framed(f"<script src={H}></script>", "sandbox=allow-scripts"), "sandbox"), {}),
        (framed("<p>x</p>", f"src={H}"), {}),
        (f"<iframe src={H} srcdoc></iframe>", {}),
        (framed(f"<!-- <script src={H}></script> --><link rel=icon href={H}><link rel=manifest href={H}>"), {}),
        ("<template>" + framed(f"<script src={H}></script>") + "</template>", {}),
    ],
)
def test_srcdoc(page: str, counts: dict[str, int]) -> None:
    """A frame's own markup is read as browsers read it, under its page's policy and its sandbox."""
    assert judged(page).counts == counts


def test_where_it_stands() -> None:
    """The line is the outermost tag's; the words say through what the URL is reached."""
    page = "<p>\n" + framed("\n\n" + framed(f"<script>document.write('<img src={H}>')</script>"))
    assert [(r.element, r.url, r.line) for r in judged(page).references] == [
        ("iframe srcdoc: iframe srcdoc: document.write(): img src", H, 2)
    ]


def test_deep_nesting_ends() -> None:
    """Three levels are read, and a thousand take no longer."""
    page = f"<img src={H}>"
    for level in range(5):
        assert judged(page).counts == ({"passive": 1} if level < 4 else {})
        page = framed(page)
    hostile = "<iframe srcdoc='" * 20_000 + "<iframe srcdoc=&quot;" * 20_000
    began = time.process_time()
    judged(hostile)
    assert time.process_time() - began < 2


@pytest.mark.parametrize(
    ("page", "element"),
    [
        ("<body onload=\"fetch('{}')\">", "body onload fetch()"),
        ("<body onpageshow=\"fetch('{}')\">", "body onpageshow fetch()"),
        ("<iframe onload='new Worker(`{}`)'></iframe>", "iframe onload Worker()"),
        ("<svg onload=\"fetch('{}')\">", "svg onload fetch()"),
    ],
)
def test_handlers_that_fire_at_every_visit(page: str, element: str) -> None:
    """Their scripts are read as inline ones are."""
    assert [r.element for r in judged(page.replace("{}", H)).references] == [element]


@pytest.mark.parametrize(
    "page",
    [
        "<b onclick=\"fetch('{}')\">",
        "<div onload=\"fetch('{}')\">",
        "<img src=/x.png onerror=\"fetch('{}')\">",
        "<body onbeforeunload=\"fetch('{}')\" onload=go()>",
        "<a href=\"javascript:fetch('{}')\">x</a>",
    ],
)
def test_handlers_that_may_never_fire(page: str) -> None:
    """What waits for the visitor, or for a file that fails, is no finding."""
    assert judged(page.replace("{}", H)).counts == {}


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        ("document.write('<script src={}><\\/script>')", "active"),
        ('document.write("<script src=\\"{}\\"><\\/script>");', "active"),
        ("document.write('<scr' + 'ipt src={}></scr' + \"ipt>\")", "active"),
        ("if (a) { b() }\n// next\ndocument.writeln( `<img src={}>` )", "passive"),
        ("var a = 1; document.write('<img src=\\x68ttp://cdn.example/x alt=http://a>')", "passive"),
    ],
)
def test_written_at_every_visit(script: str, kind: str) -> None:
    """A literal that document.write() surely writes is read as markup."""
    found = judged(f"<script>{script.replace('{}', H)}</script>")
    assert found.counts == {kind: 1}
    assert [r.url for r in found.references] == [H]


@pytest.mark.parametrize(
    "script",
    [
        "window.jQuery || document.write('<script src={}><\\/script>')",
        "if (old) document.write('<img src={}>')",
        "if (old)\n  document.write('<img src={}>')",
        "if (old) a(); else document.write('<img src={}>')",
        "if (old) { document.write('<img src={}>') }",
        "function f() { a(); document.write('<img src={}>') }",
        "old && (a(), document.write('<img src={}>'))",
        "document.write('<a href={}>x</a><!-- <img src={}> -->')",
        "document.write('<img src={}>'.replace('http:', ''))",
        "document.write('<img alt=' + x + ' src={}>')",
        "document.write(`<img alt=${x} src={}>`)",
        "// document.write('<img src={}>')",
        "var s = \"document.write('<img src={}>')\"",
        "x.document.write('<img src={}>')",
    ],
)
def test_maybe_written(script: str) -> None:
    """What depends on a condition, a function or a value is left alone, and so is what is only named."""
    assert judged(f"<script>{script.replace('{}', H)}</script>").counts == {}


PIECES = (
    *('<iframe srcdoc="', "<iframe srcdoc='", "sandbox", '"', "'", ">", "&quot;", "&lt;", "<script>", "</script>"),
    *(
        "document.write(",
        "var a=",
        "fetch(a",
        "`${a}",
        "http://b",
        ")",
        "{",
        "}",
        ";",
        "+",
        "\\",
        "/",
        "\n",
        "\\ud800",
    ),
)


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=4), max_size=60).map("".join))
def test_any_markup_is_read(text: str) -> None:
    """Nothing raises; what is kept is counted and printable."""
    found = judged(text)
    assert len(found.references) <= min(SHOWN, sum(found.counts.values()))
    assert all(r.url.isprintable() and r.line >= 1 for r in found.references)
