"""Where a page names its own address (checklist step 17): form actions, base, canonical link, Open Graph URL.

An app builds these from the scheme and the host that its proxy passes on. Only the tags that matter are cut out and
read, which is much quicker than reading every tag of the page.
"""

import re
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from padlock.evidence import Place, SelfReference
from padlock.network.failure import printable
from padlock.probes.html_tokens import Tag, tags

_ENDS = {
    "<!--": re.compile("-->"),
    **{f"<{name}": re.compile(f"</{name}", re.IGNORECASE) for name in ("script", "style", "template", "textarea")},
}
"""Parts of a page in which tags are none: how they begin, and where they end."""
_OPAQUE = re.compile("|".join(_ENDS), re.IGNORECASE)
_TAG = re.compile(
    r"<(?:base|form|button|input|link|meta)\s(?:[^<>\"']++|\"[^\"]{0,2000}+\"|'[^']{0,2000}+'){0,60}+>", re.IGNORECASE
)
_PLACES: tuple[tuple[Place, Callable[[Tag], bool], str], ...] = (
    ("form", lambda tag: tag.name == "form", "action"),
    ("form", lambda _: True, "formaction"),
    ("base", lambda tag: tag.name == "base", "href"),
    ("canonical", lambda tag: tag.name == "link" and "canonical" in _words(tag.attributes, "rel"), "href"),
    ("og:url", lambda tag: tag.name == "meta" and tag.attributes.get("property", "").lower() == "og:url", "content"),
)
_MOST_TAGS = 2_000
_MOST = 20
_LONGEST = 500


def self_references(text: str) -> tuple[SelfReference, ...]:
    """Return the absolute URLs that a page gives for itself, the first of each place and origin."""
    if "//" not in text:
        return ()
    cut = (tag[0] for _, tag in zip(range(_MOST_TAGS), _TAG.finditer(_markup(text)), strict=False))
    read = list(tags("".join(cut).replace("\0", "\ufffd")))  # a browser's tokenizer replaces NUL, too
    first: dict[tuple[Place, str], SelfReference] = {}
    for place, is_one, attribute in _PLACES:
        for tag in filter(is_one, read):
            url = tag.attributes.get(attribute, "").strip()
            if origin := _origin(url):
                first.setdefault((place, origin), SelfReference(place, printable(url, _LONGEST)))
    return tuple(first.values())[:_MOST]


def _words(attributes: Mapping[str, str], name: str) -> list[str]:
    return attributes.get(name, "").lower().split()


def _markup(text: str) -> str:
    """Return a page without what holds no tags of it; what does not end takes the rest of the page along."""
    kept: list[str] = []
    at = 0
    while begin := _OPAQUE.search(text, at):
        kept.append(text[at : begin.start()])
        end = _ENDS[begin[0].lower()].search(text, begin.end())
        if end is None:
            return "".join(kept)
        at = end.end()
    return "".join([*kept, text[at:]])


def _origin(url: str) -> str:
    """Return the scheme and authority of an absolute URL; empty where it has none."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc and parts.scheme in ("", "http", "https") else ""
