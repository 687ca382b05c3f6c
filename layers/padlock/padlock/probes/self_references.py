"""Where a page names its own address (checklist step 17): form actions, base, canonical link, Open Graph URL.

An app builds these from the scheme and the host that its proxy passes on. Only the tags that matter are cut out and
given to the HTML parser: on a whole page some nestings take it time that grows with the square of the size.
"""

import re
from urllib.parse import urlsplit

from selectolax.lexbor import LexborHTMLParser

from padlock.evidence import Place, SelfReference
from padlock.network.failure import printable

_ENDS = {
    "<!--": re.compile("-->"),
    **{f"<{name}": re.compile(f"</{name}", re.IGNORECASE) for name in ("script", "style", "template", "textarea")},
}
"""Parts of a page in which tags are none: how they begin, and where they end."""
_OPAQUE = re.compile("|".join(_ENDS), re.IGNORECASE)
_TAG = re.compile(
    r"<(?:base|form|button|input|link|meta)\s(?:[^<>\"']++|\"[^\"]{0,2000}+\"|'[^']{0,2000}+'){0,60}+>", re.IGNORECASE
)
_PLACES: tuple[tuple[Place, str, str], ...] = (
    ("form", "form[action]", "action"),
    ("form", "[formaction]", "formaction"),
    ("base", "base[href]", "href"),
    ("canonical", "link[rel~='canonical' i][href]", "href"),
    ("og:url", "meta[property='og:url' i][content]", "content"),
)
_MOST_TAGS = 2_000
_MOST = 20
_LONGEST = 500


def self_references(text: str) -> tuple[SelfReference, ...]:
    """Return the absolute URLs that a page gives for itself, the first of each place and origin."""
    if "//" not in text:
        return ()
    tags = [tag[0] for _, tag in zip(range(_MOST_TAGS), _TAG.finditer(_markup(text)), strict=False)]
    # The parser takes no form inside another, and no button inside another.
    document = LexborHTMLParser("".join(f"{tag}</form></button>" for tag in tags))
    first: dict[tuple[Place, str], SelfReference] = {}
    for place, selector, attribute in _PLACES:
        for node in document.css(selector):
            url = (node.attributes.get(attribute) or "").strip()
            if origin := _origin(url):
                first.setdefault((place, origin), SelfReference(place, printable(url, _LONGEST)))
    return tuple(first.values())[:_MOST]


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
