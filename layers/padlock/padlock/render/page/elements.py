"""HTML elements, made so that text cannot be markup.

    element("p", "Seen: ", element("code", text), class_="seen")

gives `Markup`, the one type that is written as it is, and this is the one file that makes it. A `str` is text, be it
ours or from outside: it is escaped here, in one place, first as on a terminal (`padlock.render.escape`: no control,
no bidirectional override, nothing invisible), then as HTML. Tags and attributes that could run or load something
cannot be made at all.
"""

import html
import json
from collections.abc import Iterable
from typing import Any

import msgspec

from padlock.render.escape import printable

VOID = frozenset({"rect", "line", "path", "input"})
"""Elements without contents; those of SVG close themselves."""
TAGS = VOID | frozenset(
    (
        *("a", "article", "bdi", "button", "caption", "code", "dd", "details", "div", "dl", "dt", "fieldset"),
        *("footer", "h1", "h2", "h3", "h4", "h5", "h6", "header", "label", "legend", "li", "main", "ol"),
        *("option", "output", "p", "pre", "section", "select", "span", "strong", "summary", "svg", "table"),
        *("tbody", "td", "text", "th", "thead", "time", "tr", "ul", "cwdb-action"),
    )
)
"""None that runs, embeds or sends anything: the page's policy would refuse what is missing here."""
ATTRIBUTES = frozenset(
    (
        *("action", "aria-hidden", "aria-label", "aria-labelledby", "checked", "class", "confirmation", "d"),
        *(
            "data-copy",
            "data-sort",
            "data-status",
            "data-text",
            "data-words",
            "datetime",
            "display",
            "endpoint",
            "for",
        ),
        *("height", "hidden", "href", "id", "name", "open", "preserveAspectRatio", "role", "rx", "scope"),
        *("tabindex", "text-anchor", "type", "value", "viewBox", "width", "x", "x1", "x2", "y", "y1", "y2"),
    )
)
"""None that runs a script, loads anything or styles by itself."""
_IN_SCRIPT = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})


class Markup(msgspec.Struct, frozen=True):
    """HTML that stands as it is."""

    html: str


type Child = Markup | str | Iterable[Child] | None
type Value = str | int | float | bool | None


def escaped(text: str) -> str:
    """Return text as HTML text or attribute value that shows it whole, whatever it holds."""
    return html.escape(printable(text, max(10 * len(text), 1)))


def element(tag: str, *children: Child, **attributes: Value) -> Markup:
    """Return an element; ValueError for a tag or an attribute that a report has no use for.

    Names of attributes are written as Python's: `class_`, `aria_label`. None and False leave one out, True gives it
    no value. None among the children is nothing.
    """
    if tag not in TAGS:
        raise ValueError(f"<{tag}> is no element of the report")
    opening = f"<{tag}{''.join(_attribute(name, value) for name, value in attributes.items())}>"
    if tag in VOID:
        return Markup(opening if tag == "input" else f"{opening[:-1]}/>")
    return Markup(f"{opening}{''.join(_written(children))}</{tag}>")


def join(*children: Child) -> Markup:
    """Return elements and texts as one piece, without an element around them."""
    return Markup("".join(_written(children)))


def data(value: Any) -> Markup:
    """Return a value as JSON that is the same JSON as HTML text, for what a dashboard reads out of an element."""
    return Markup(json.dumps(value).translate(_IN_SCRIPT))


def document(title: str, policy: str, sheet: str, script: str, body: Markup) -> str:
    """Return a whole document; the title may be text from outside, policy, sheet and script are ours."""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{escaped(title)}</title>
<style>{sheet}</style>
</head>
<body class="padlock">
{body.html}
<script>{script}</script>
</body>
</html>
"""


def fragment(sheet: str, body: Markup) -> str:
    """Return a part of a page that is not ours, with its sheet."""
    return f"<style>{sheet}</style>\n{body.html}\n"


def _attribute(written: str, value: Value) -> str:
    name = written.rstrip("_").replace("_", "-")
    if name not in ATTRIBUTES:
        raise ValueError(f"{name} is no attribute of the report")
    if value is None or value is False:
        return ""
    text = str(value)
    if name == "href" and not text.startswith("#"):
        raise ValueError("a report links to nothing outside itself")
    return f" {name}" + ("" if value is True else f'="{escaped(text)}"')


def _written(children: Iterable[Child]) -> Iterable[str]:
    for child in children:
        if isinstance(child, Markup):
            yield child.html
        elif isinstance(child, str):
            yield escaped(child)
        elif child is not None:
            yield from _written(child)
