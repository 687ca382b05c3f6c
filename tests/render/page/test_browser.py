"""The page in Chromium, opened as a file: nothing is asked for, nothing complained of, and what it offers works."""

import json
from pathlib import Path
from typing import Any, Literal

import msgspec
import pytest
from padlock.assess import assess
from padlock.findings import Report
from padlock.render.page import Beside, Past, page, widget
from padlock.render.page.style import COLOURS
from padlock.trail import of

from tests.conformance.chromium import Chromium
from tests.evidence_builder import NOW, healthy
from tests.hostile_text import HOSTILE, filled
from tests.render.page.browser import DESKTOP, PHONE, Tab, opened
from tests.render.page.test_widget import ARN, GLANCE
from tests.render.reports import broken
from tests.reports import finding

pytestmark = pytest.mark.asyncio(loop_scope="module")
PAST = tuple(Past(NOW, status, "certificate expired") for status in ("ok", "error", "warning", "inconclusive", "ok"))
BESIDE = Beside(PAST, of(healthy()))
COMMAND = "nginx -t && systemctl reload nginx"
ATTACK = (
    '</script><cwdb-action action="call"></cwdb-action><img src=x onerror="window.hit=1">'
    "<script>window.hit=1</script>"
)
SERIOUS = ("serious", "critical")


def written(folder: Path, html: str) -> Path:
    """Return the file of a page."""
    file = folder / "report.html"
    file.write_text(html, encoding="utf-8")
    return file


def one() -> str:
    """Return the page of one site that has everything."""
    return page([broken()], {"shop.example.com": BESIDE})


def several() -> str:
    """Return the page of four sites of different states."""
    well = assess(healthy())
    blind = msgspec.structs.replace(broken(), site="blind.test", status="inconclusive", findings=(), certificates=())
    loop = msgspec.structs.replace(
        broken(),
        site="a10.test",
        status="warning",
        findings=(finding("redirect.loop", "a10.test", "warning"),) * 2,
        causes=(),
    )
    return page([well, blind, loop, broken()], {"shop.example.com": BESIDE})


def assert_quiet(tab: Tab, file: Path) -> None:
    """Assert that a page asked for itself alone, and that the console is empty."""
    assert [url.partition("#")[0] for url in tab.requests()] == [file.as_uri()]
    assert tab.complaints() == []


async def faults(tab: Tab, axe: str) -> list[Any]:
    """Return what axe-core finds seriously wrong, as (rule, elements)."""
    await tab.run(axe + ";0")
    said = json.loads(await tab.run("axe.run({resultTypes: ['violations']}).then(JSON.stringify)"))
    assert said["passes"]
    return [
        (fault["id"], [node["html"][:200] for node in fault["nodes"]][:3])
        for fault in said["violations"]
        if fault["impact"] in SERIOUS
    ]


def dashboard(theme: Literal["light", "dark"] = "light") -> str:
    """Return a dashboard's page with the widget in it, in quirks mode, which lets tables inherit least."""
    ground = COLOURS["card"][theme == "dark"]
    body = widget(GLANCE, ARN, theme)
    return f'<html lang="en"><title>Dashboard</title><main style="background:{ground}">{body}</main></html>'


@pytest.mark.parametrize("make", [one, several])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
async def test_accessible_and_quiet(
    chromium: Chromium, axe: str, tmp_path: Path, make: Any, dark: bool, size: tuple[int, int]
) -> None:
    """axe-core finds nothing serious, closed parts opened too; nothing is loaded, logged or wider than the window."""
    file = written(tmp_path, make())
    async with opened(chromium, file, size=size, dark=dark) as tab:
        assert await faults(tab, axe) == []
        await tab.run("document.querySelectorAll('details').forEach(box => { box.open = true; })")
        assert await tab.run("document.documentElement.scrollWidth - innerWidth") <= 0
        assert await faults(tab, axe) == []
        assert_quiet(tab, file)


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize(
    "text", ["x" * 3000, "www " * 700, "世" * 900, HOSTILE], ids=["word", "words", "wide", "hostile"]
)
async def test_no_text_is_wider_than_the_page(
    chromium: Chromium, tmp_path: Path, text: str, size: tuple[int, int]
) -> None:
    """A text of any length wraps, wherever it stands: nobody has to scroll sideways, on a phone or elsewhere."""
    file = written(tmp_path, page([filled(Report, text), broken()]))
    async with opened(chromium, file, size=size) as tab:
        await tab.run("document.querySelectorAll('details').forEach(box => { box.open = true; })")
        assert await tab.run("document.documentElement.scrollWidth - innerWidth") <= 0


async def test_hostile_page_does_nothing(chromium: Chromium, tmp_path: Path) -> None:
    """Markup, scripts and controls in every field: nothing runs, nothing is asked for, the policy is not needed."""
    for text in (ATTACK, HOSTILE):
        file = written(tmp_path, page([filled(Report, text), broken()]))
        async with opened(chromium, file) as tab:
            assert await tab.run("window.hit") is None
            assert await tab.run("document.scripts.length") == 1
            assert await tab.run("document.querySelectorAll('img, cwdb-action, iframe').length") == 0
            assert_quiet(tab, file)


async def test_policy_stops_what_would_slip_in(chromium: Chromium, tmp_path: Path) -> None:
    """Were markup ever to slip in, it could not run, load or style: the browser refuses each by the page's policy."""
    slipped = (
        '<img src="https://evil.example/x.png" onerror="window.hit=1"><script>window.hit=1</script>'
        '<style>h1{color:red}</style><p style="color:red" onclick="1">x</p><iframe src="https://evil.example/"></iframe>'
    )
    file = written(tmp_path, one().replace("<footer", slipped + "<footer", 1))
    async with opened(chromium, file) as tab:
        assert await tab.run("window.hit") is None
        said = " ".join(tab.complaints())
        for directive in ("script-src", "style-src", "default-src"):
            assert directive in said
        assert await tab.run("getComputedStyle(document.querySelector('h1')).color") != "rgb(255, 0, 0)"
        assert not [told for told in tab.events("Network.responseReceived") if "evil" in told["response"]["url"]]


async def test_changed_script_does_not_run(chromium: Chromium, tmp_path: Path) -> None:
    """A script that is not the one that the policy names is refused, and the page is read without it."""
    file = written(tmp_path, several().replace("'use strict';", "'use strict'; window.changed = 1;"))
    async with opened(chromium, file) as tab:
        assert await tab.run("window.changed") is None
        assert await tab.run("document.querySelectorAll('button').length") == 0


async def test_commands_are_copied_whole(chromium: Chromium, tmp_path: Path) -> None:
    """A click on a command's button puts the command, and nothing else, on the clipboard, and says so."""
    file = written(tmp_path, one())
    async with opened(chromium, file) as tab:
        await tab.grant("clipboardReadWrite", "clipboardSanitizedWrite")
        await tab.run("document.querySelector('pre .copy').click()")
        assert await tab.until("document.getElementById('said').textContent") == "Copied"
        assert await tab.run("navigator.clipboard.readText()") == COMMAND
        name = await tab.run("document.querySelector('pre .copy').getAttribute('aria-label')")
        assert name == f"Copy {COMMAND}"
        assert_quiet(tab, file)


async def test_commands_are_selected_where_the_clipboard_is_closed(chromium: Chromium, tmp_path: Path) -> None:
    """Without a clipboard the command stands selected, for the keyboard to copy."""
    async with opened(chromium, written(tmp_path, one())) as tab:
        await tab.run("navigator.clipboard.writeText = () => Promise.reject(); document.execCommand = () => false")
        await tab.run("document.querySelector('pre .copy').click()")
        assert "Selected" in await tab.until("document.getElementById('said').textContent")
        assert await tab.run("getSelection().toString()") == COMMAND


async def test_sorting(chromium: Chromium, tmp_path: Path) -> None:
    """A head's button sorts by its column, up and then down, numbers as numbers, and says which way."""
    async with opened(chromium, written(tmp_path, several())) as tab:
        names = "[...document.querySelectorAll('table.sorts tbody th')].map(cell => cell.textContent)"
        assert await tab.run(names) == ["shop.example.com", "blind.test", "a10.test", "example.com"]
        site = "[...document.querySelectorAll('table.sorts thead th')][1]"
        await tab.run(f"{site}.querySelector('button').click()")
        assert await tab.run(names) == ["a10.test", "blind.test", "example.com", "shop.example.com"]
        assert await tab.run(f"{site}.getAttribute('aria-sort')") == "ascending"
        await tab.run(f"{site}.querySelector('button').click()")
        assert await tab.run(names) == ["shop.example.com", "example.com", "blind.test", "a10.test"]
        assert await tab.run(f"{site}.getAttribute('aria-sort')") == "descending"
        ends = "[...document.querySelectorAll('table.sorts thead th')][6]"
        await tab.run(f"{ends}.querySelector('button').click()")
        assert await tab.run(names) == ["shop.example.com", "a10.test", "example.com", "blind.test"]


async def test_filtering(chromium: Chromium, tmp_path: Path) -> None:
    """Words and a status leave the sites that fit, by name or by finding, and their number is said."""
    left = "[...document.querySelectorAll('table.sorts tbody tr:not([hidden]) th')].map(cell => cell.textContent)"
    said = "document.getElementById('filtered').textContent"
    write = (
        "(text => {{ const box = document.getElementById('{0}'); box.value = text; "
        "box.dispatchEvent(new Event('{1}')); }})({2})"
    )
    async with opened(chromium, written(tmp_path, several())) as tab:
        assert await tab.run(said) == "4 of 4 sites"
        await tab.run(write.format("filter-text", "input", "'REDIRECT.loop'"))
        assert await tab.run(left) == ["a10.test"]
        assert await tab.run(said) == "1 of 4 sites"
        await tab.run(write.format("filter-text", "input", "''"))
        await tab.run(write.format("filter-status", "change", "'error'"))
        assert await tab.run(left) == ["shop.example.com"]


async def test_without_scripts(chromium: Chromium, tmp_path: Path) -> None:
    """With scripts off everything can be read, a link opens the part that it leads to, and no dead button stands."""
    file = written(tmp_path, several())
    async with opened(chromium, file, scripts=False, place="s4") as tab:
        assert await tab.call("DOM.enable") == {}
        root = (await tab.call("DOM.getDocument", depth=0))["root"]["nodeId"]
        assert (await tab.call("DOM.querySelectorAll", nodeId=root, selector="button"))["nodeIds"] == []
        found = await tab.call("DOM.querySelectorAll", nodeId=root, selector="details.site[open] #s4")
        assert len(found["nodeIds"]) == 1
        hidden = await tab.call("DOM.querySelectorAll", nodeId=root, selector=".filters[hidden]")
        assert len(hidden["nodeIds"]) == 1
        assert_quiet(tab, file)


async def test_links_open_what_they_lead_to(chromium: Chromium, tmp_path: Path) -> None:
    """A link of the overview opens the site's part; one of the record opens its finding."""
    async with opened(chromium, written(tmp_path, several())) as tab:
        assert await tab.run("document.querySelectorAll('details.site[open]').length") == 0
        await tab.run("document.querySelector('table.sorts tbody a').click()")
        assert await tab.until("document.querySelectorAll('details.site[open]').length") == 1
        await tab.run(
            "document.querySelectorAll('details.site[open] .finding').forEach(box => { box.open = false; })"
        )
        await tab.run("document.querySelector('details.site[open] .steps a').click()")
        assert await tab.until("document.querySelectorAll('details.site[open] .finding[open]').length") == 1


async def test_themes(chromium: Chromium, tmp_path: Path) -> None:
    """The page follows the system, and the switch goes before it; the choice is kept."""
    ground = "getComputedStyle(document.body).backgroundColor === '{}'"
    light, dark = (rgb(COLOURS["page"][side]) for side in (0, 1))
    file = written(tmp_path, one())
    async with opened(chromium, file) as tab:
        assert await tab.until(ground.format(light))
        await tab.run("document.getElementById('theme-dark').click()")
        assert await tab.until(ground.format(dark))
        for _ in range(5):  # Chromium hands what a page stores to its next process in its own time
            await tab.reload()
            if await tab.until("document.getElementById('theme-dark').checked", 1):
                break
        assert await tab.until(ground.format(dark))
    async with opened(chromium, file, dark=True) as tab:
        assert await tab.until(ground.format(dark))
        await tab.run("document.getElementById('theme-light').click()")
        assert await tab.until(ground.format(light))


async def test_theme_without_scripts(chromium: Chromium, tmp_path: Path) -> None:
    """The switch is the sheet's work: it needs no script."""
    async with opened(chromium, written(tmp_path, one()), scripts=False) as tab:
        assert await tab.styled("body", "background-color") == rgb(COLOURS["page"][0])
        await tab.click("#theme-dark")
        assert await tab.styled("body", "background-color") == rgb(COLOURS["page"][1])


async def test_keyboard(chromium: Chromium, tmp_path: Path) -> None:
    """The first stop skips to the report; every control is reached by Tab and shows that it is."""
    async with opened(chromium, written(tmp_path, one())) as tab:
        focus = "(document.activeElement.textContent || document.activeElement.id).slice(0, 40)"
        await tab.press("Tab")
        assert await tab.run(focus) == "Skip to the report"
        await tab.press("Enter", "\r")
        assert await tab.run("document.activeElement.id") == "main"
        reached = set()
        for _ in range(40):
            await tab.press("Tab")
            reached.add(await tab.run("document.activeElement.tagName"))
            shown = await tab.run("getComputedStyle(document.activeElement).outlineStyle")
            assert shown != "none" or await tab.run("document.activeElement === document.body")
        assert {"A", "BUTTON", "SUMMARY"} <= reached


async def test_print(chromium: Chromium, tmp_path: Path) -> None:
    """On paper everything stands open and dark on light, whatever the theme, and no control is printed."""
    async with opened(chromium, written(tmp_path, one()), dark=True) as tab:
        await tab.call("Emulation.setEmulatedMedia", media="print", features=[DARK])
        assert await tab.run("getComputedStyle(document.querySelector('.card:not(.banner)')).backgroundColor") == rgb(
            COLOURS["card"][0]
        )
        closed = "document.querySelector('details:not([open]) .body')"
        assert await tab.run(f"{closed}.getBoundingClientRect().height") > 50
        assert await tab.run("getComputedStyle(document.querySelector('.copy')).display") == "none"
        assert (await tab.printed()).startswith(b"%PDF-")


async def test_a_thousand_findings(chromium: Chromium, tmp_path: Path) -> None:
    """A page of a thousand findings with their fixes is laid out a few times, not once for each of them."""
    many = tuple(
        finding("x.y", f"h{n}.example.com", observed=f"fault {n}", remediation="See `a b`, then `c d`.")
        for n in range(1000)
    )
    file = written(tmp_path, page([msgspec.structs.replace(broken(), findings=many)]))
    async with opened(chromium, file) as tab:
        assert await tab.counted("LayoutCount") < 30
        assert await tab.run("document.querySelectorAll('details.finding').length") == 1000
        # Buttons are made where a finding is opened: a thousand closed ones cost none.
        assert await tab.run("document.querySelectorAll('.finding .copy').length") == 0
        await tab.run("document.querySelector('.finding').open = true")
        assert await tab.until("document.querySelectorAll('.finding .copy').length") == 2
        assert_quiet(tab, file)


DARK = {"name": "prefers-color-scheme", "value": "dark"}


def rgb(colour: str) -> str:
    """Return `#rrggbb` as a browser computes it."""
    return f"rgb({', '.join(str(int(colour[at : at + 2], 16)) for at in (1, 3, 5))})"


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["wide", "narrow"])
async def test_widget(
    chromium: Chromium, axe: str, tmp_path: Path, theme: Literal["light", "dark"], size: tuple[int, int]
) -> None:
    """The widget's HTML has no serious fault either, asks for nothing, and fits a narrow place."""
    file = written(tmp_path, dashboard(theme))
    async with opened(chromium, file, size=size) as tab:
        assert await faults(tab, axe) == []
        assert await tab.run("document.documentElement.scrollWidth - innerWidth") <= 0
        assert_quiet(tab, file)
