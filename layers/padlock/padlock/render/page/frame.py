"""The page around the reports: head, policy, theme, footer.

The policy (CSP level 3) refuses everything but this page's own sheet and script, which it names by their SHA-256:
what would slip in as markup could neither run, nor style, nor load, nor send anything.
"""

import base64
import hashlib

from padlock.render.page import style
from padlock.render.page.elements import Child, Markup, document, element, join
from padlock.render.page.script import SCRIPT

THEMES = (("auto", "as the system"), ("light", "light"), ("dark", "dark"))


def policy(sheet: str, script: str) -> str:
    """Return the Content-Security-Policy of a page that has this one sheet and this one script."""
    return (
        f"default-src 'none'; style-src '{_digest(sheet)}'; script-src '{_digest(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )


def framed(title: str, *main: Child) -> str:
    """Return the whole document; the title may be text from outside."""
    sheet = style.sheet()
    body = join(_top(), element("main", *main, id="main", tabindex=-1), _foot())
    return document(title, policy(sheet, SCRIPT), sheet, SCRIPT, body)


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _top() -> Markup:
    shackle = "M5 7V5a3 3 0 0 1 6 0v2"
    sign = element(
        "svg",
        element("path", d=shackle),
        element("rect", x=3, y=7, width=10, height=7, rx=1.5),
        viewBox="0 0 16 16",
        aria_hidden="true",
    )
    choices = [
        element(
            "label",
            element("input", type="radio", name="theme", id=f"theme-{name}", value=name, checked=name == "auto"),
            words,
        )
        for name, words in THEMES
    ]
    return element(
        "header",
        element("a", "Skip to the report", href="#main", class_="skip"),
        element("span", sign, "Padlock", class_="brand"),
        element("fieldset", element("legend", "Colours", class_="away"), *choices, class_="theme"),
        class_="top",
    )


def _foot() -> Markup:
    return element(
        "footer",
        element(
            "p",
            "Times are UTC. What came from outside stands as it was seen; what cannot be printed stands as an "
            "escape, such as \\u202e.",
        ),
        element("p", id="said", class_="away", role="status"),
        class_="foot",
    )
