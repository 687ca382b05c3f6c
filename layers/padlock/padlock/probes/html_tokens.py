"""The tags of a page as a browser's tokenizer finds them (WHATWG HTML, section 13.2.5), without building a tree.

Tree builders take quadratic time over pages made for that: 200,000 nested `<div>`, `<b id=1><b id=2>...`, or a tag of
100,000 attributes keep lexbor busy for seconds or overrun its stack. What a page loads can be told from its tags in
order, so this reads each character a bounded number of times and keeps no stack.
"""

import html
import re
from collections.abc import Iterator, Mapping
from html.entities import html5

import msgspec

_NAME = re.compile(r"[^\t\n\f\r />]+")
_GAP = re.compile(r"[\t\n\f\r /]*")
_ATTRIBUTE = re.compile(r"(=?[^\t\n\f\r />=]*)(?:[\t\n\f\r ]*+=[\t\n\f\r ]*+(\"|'|[^\t\n\f\r >]*+))?")
_COMMENT_END = re.compile(r"--!?>")
_RAW_TEXT = ("script", "style", "textarea", "title", "xmp", "iframe", "noembed", "noframes", "noscript")
"""Their content is text; of noscript because browsers run scripts."""
_RAW_TEXT_END = {name: re.compile(rf"</{name}(?=[\t\n\f\r />])", re.IGNORECASE) for name in _RAW_TEXT}
_REFERENCE = re.compile(r"&(?:#(?:[0-9]+|[xX][0-9a-fA-F]+);?|([A-Za-z][A-Za-z0-9]*+;?))(=?)")
_ENTITIES_READ = 4_000
"""Characters of a value in which character references are undone; a longer one is no URL that anybody means."""


class Tag(msgspec.Struct):
    """A start tag, or an end tag, whose name then begins with a slash."""

    name: str
    """In lower case."""
    attributes: Mapping[str, str]
    """Lower-case name → value; the first of a name counts."""
    at: int
    """Where it begins in the page."""
    text: str = ""
    """The content of an element that has only text, such as a script."""
    text_at: int = 0


def tags(page: str) -> Iterator[Tag]:
    """Yield a page's tags in order; comments and what is inside of text elements are none."""
    at = page.find("<")
    while at >= 0:
        after = page[at + 1 : at + 2]
        if after.isascii() and (after.isalpha() or after == "/"):
            tag, end = _tag(page, at)
            if end < 0:
                return
            if tag:
                if tag.name in _RAW_TEXT:
                    end = _read_text(page, tag, end)
                yield tag
                if tag.name == "plaintext" or end < 0:
                    return
        elif page.startswith("<!--", at):
            end = _after_comment(page, at)
        elif after and after in "!?":
            end = page.find(">", at) + 1 or len(page)
        else:
            end = at + 1
        at = page.find("<", end)


def line_of(text: str, at: int) -> int:
    """Return the line of a position, from 1."""
    return text.count("\n", 0, at) + 1


def _tag(page: str, at: int) -> tuple[Tag | None, int]:
    """Return the tag that begins here and where it ends; -1 where the page ends within it, which makes it none."""
    closing = page[at + 1] == "/"
    begin = at + 1 + closing
    first = page[begin : begin + 1]
    if not (first.isascii() and first.isalpha()):
        return None, page.find(">", at) + 1 or -1
    name = _NAME.match(page, begin)
    if name is None:
        return None, -1
    attributes, end = _attributes(page, name.end())
    return Tag(("/" if closing else "") + name[0].lower(), attributes, at), end


def _attributes(page: str, at: int) -> tuple[dict[str, str], int]:
    found: dict[str, str] = {}
    size = len(page)
    while True:
        gap = _GAP.match(page, at)
        at = gap.end() if gap else at
        if at >= size:
            return found, -1
        if page[at] == ">":
            return found, at + 1
        pair = _ATTRIBUTE.match(page, at)
        if pair is None or pair.end() == at:
            return found, -1  # cannot be: one character at least is a name
        name, value, at = pair[1].lower(), pair[2] or "", pair.end()
        if value in ('"', "'"):
            close = page.find(value, at)
            if close < 0:
                return found, -1
            value, at = page[at:close], close + 1
        if name not in found:
            found[name] = _undone(value, len(value) if name == "srcdoc" else _ENTITIES_READ)


def _undone(value: str, longest: int) -> str:
    """Undo character references, as in an attribute: `&copy=1` in a URL is none there (HTML section 13.2.5.73)."""
    if "&" not in value or len(value) > longest:
        return value
    try:
        return _REFERENCE.sub(_referred, value)
    except ValueError:  # a number of thousands of digits
        return value


def _referred(reference: re.Match[str]) -> str:
    name, follows = reference[1], reference[2]
    if name is not None and (name not in html5 or (follows and not name.endswith(";"))):
        return reference[0]
    return html.unescape(reference[0])


def _read_text(page: str, tag: Tag, at: int) -> int:
    """Give the tag its text and return where that ends; -1 where it reaches to the page's end."""
    close = _RAW_TEXT_END[tag.name].search(page, at)
    end = close.start() if close else len(page)
    tag.text, tag.text_at = page[at:end], at
    return end if close else -1


def _after_comment(page: str, at: int) -> int:
    for abrupt in ("<!-->", "<!--->"):
        if page.startswith(abrupt, at):
            return at + len(abrupt)
    close = _COMMENT_END.search(page, at + 4)
    return close.end() if close else len(page)
