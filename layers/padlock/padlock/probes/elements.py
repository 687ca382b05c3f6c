"""Which elements load something, and what browsers take it for (WHATWG HTML; W3C Mixed Content, section 3).

Where the standards leave it open it is Chromium that counts, as the conformance suite saw it.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Literal

from padlock.evidence import Mix
from padlock.probes.html_tokens import Tag

ATTRIBUTES: Mapping[str, Mapping[str, Mix]] = {
    "script": {"src": "active", "href": "active", "xlink:href": "active"},
    "iframe": {"src": "active"},
    "frame": {"src": "active"},
    "embed": {"src": "active"},
    "object": {"data": "active"},
    "img": {"src": "passive", "srcset": "passive"},
    "image": {"src": "passive", "href": "passive", "xlink:href": "passive"},
    "feimage": {"href": "passive", "xlink:href": "passive"},
    "use": {"href": "passive", "xlink:href": "passive"},
    "source": {"src": "passive", "srcset": "passive"},
    "audio": {"src": "passive"},
    "video": {"src": "passive", "poster": "passive"},
    "body": {"background": "passive"},
    "table": {"background": "passive"},
    "td": {"background": "passive"},
    "th": {"background": "passive"},
}
"""Element → attribute → what browsers take its URL for; links, forms and inputs are read apart."""
_LINKS: Mapping[str, Mix] = {
    "stylesheet": "active",
    "manifest": "active",
    "modulepreload": "active",
    "icon": "passive",
}
_OF_PAGES = ("manifest", "icon")
"""Links of pages alone, not of frames."""
_AS: Mapping[str, Mix] = {"image": "passive", "audio": "passive", "video": "passive"}
_SCRIPT_TYPES = re.compile(
    r"|module|(?:text|application)/(?:x-)?(?:java|ecma)script|text/(?:jscript|livescript|javascript1\.[0-5])",
    re.IGNORECASE,
)
_FIRES: Mapping[str, tuple[str, ...]] = {
    "body": ("onload", "onpageshow"),
    "frameset": ("onload", "onpageshow"),
    "iframe": ("onload",),
    "svg": ("onload",),
}
"""Event handlers that run at every visit; others wait for the visitor, or for a file that loads or does not."""


def runs(attributes: Mapping[str, str]) -> bool:
    """Whether browsers run a script element: data blocks they do not, nor what is for old browsers only."""
    kind = attributes.get("type", "")
    if "type" not in attributes and attributes.get("language"):
        kind = f"text/{attributes['language']}"
    return _SCRIPT_TYPES.fullmatch(kind.split(";")[0].strip()) is not None and "nomodule" not in attributes


def applies(style: Mapping[str, str]) -> bool:
    """Whether browsers apply a style element; its type has no parameters and no spaces."""
    return style.get("type", "").lower() in ("", "text/css")


def is_stylesheet(link: Mapping[str, str]) -> bool:
    """Whether browsers load a link as a stylesheet."""
    kind = link.get("type", "").split(";")[0].strip().lower()
    return "stylesheet" in link.get("rel", "").lower().split() and kind in ("", "text/css") and "disabled" not in link


def link(attributes: Mapping[str, str], *, in_head: bool, framed: bool) -> tuple[Mix, str] | None:
    """Return what browsers take a link's URL for, and the relation that has them load it; None: they do not."""
    relations = attributes.get("rel", "").lower().split()
    if "preload" in relations and "as" in attributes:
        return _AS.get(attributes["as"].strip().lower(), "active"), "preload"
    loaded = [each for each in relations if each in _LINKS]
    if not is_stylesheet(attributes):
        loaded = [each for each in loaded if each != "stylesheet"]
    if framed:
        loaded = [each for each in loaded if each not in _OF_PAGES]
    if not in_head:
        loaded = [each for each in loaded if each != "icon"]
    loaded.sort(key=lambda relation: _LINKS[relation])
    return (_LINKS[loaded[0]], loaded[0]) if loaded else None


def actions(tag: Tag) -> Iterator[tuple[str, str]]:
    """Yield where a form or its button sends what was typed; that of a dialog goes nowhere."""
    names: Mapping[str, Literal["action", "formaction"]] = {
        "form": "action",
        "button": "formaction",
        "input": "formaction",
    }
    attribute = names.get(tag.name)
    method = tag.attributes.get("method" if tag.name == "form" else "formmethod", "")
    if attribute and method.lower() != "dialog" and tag.attributes.get(attribute):
        yield tag.attributes[attribute], f"{tag.name} {attribute}"


def handlers(tag: Tag) -> Iterator[tuple[str, str]]:
    """Yield the event handlers of an element that run by themselves: name, script."""
    for name in _FIRES.get(tag.name, ()):
        if script := tag.attributes.get(name):
            yield name, script
