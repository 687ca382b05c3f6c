"""Text from outside, made safe to show.

Titles, issuers, headers and URLs come from servers that may mean harm: an escape sequence would drive the reader's
terminal, a bidirectional control would reorder a line, a newline would forge one. What is not printable is shown as
the escape that Python would write for it.
"""

import json
import re
from collections.abc import Callable, Iterator
from unicodedata import category

LIMIT = 1200
"""Characters of one value that are shown; a report line is for reading, the evidence has the rest."""
MARKS = 6
"""Combining marks in a row that are shown as such, as many as a letter of any script bears; more would be drawn over
the lines around it."""
_NOT_ASCII = re.compile(r"[^\n -~]+")


def printable(text: str, limit: int = LIMIT) -> str:
    r"""Return the text as one line of printable characters, at most `limit` of them, with `…` where it is cut.

    What is not printable stands as an escape, `\x1b`, `\u202e` or `\n`, which is never cut in two.
    """
    if len(text) <= limit and text.isascii() and text.isprintable():
        return text
    shown: list[str] = []
    length = 0
    for piece in _pieces(text, _escaped):
        shown.append(piece)
        length += len(piece)
        if length > limit:
            break
    else:
        return "".join(shown)
    while length > limit - 1:
        length -= len(shown.pop())
    return "".join((*shown, "…"))


def paragraphs(text: str, limit: int = LIMIT) -> list[str]:
    """Return the lines of a text of several lines, each printable; for the texts that rules write themselves."""
    if len(text) > limit:
        text = text[: limit - 1] + "…"
    shown: list[str] = []
    room = limit
    for line in text.split("\n"):
        if room < 1:
            shown.append("…")
            break
        shown.append(printable(line.replace("\t", "    "), room).rstrip())
        room -= len(shown[-1])
    return shown


def json_text(document: str, *, ascii_only: bool = False) -> str:
    r"""Return the same JSON document with JSON's own escape, `\u202e`, for what is not printable, or not ASCII."""

    def escaped(found: re.Match[str]) -> str:
        return _in_json(found[0]) if ascii_only else "".join(_pieces(found[0], _in_json))

    return _NOT_ASCII.sub(escaped, document)


def _pieces(text: str, escaped: Callable[[str], str]) -> Iterator[str]:
    """Yield the characters of a text, escaped those that are not to be shown."""
    marks = 0
    for character in text:
        marks = marks + 1 if not character.isascii() and category(character).startswith("M") else 0
        yield character if character.isprintable() and marks <= MARKS else escaped(character)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def _in_json(text: str) -> str:
    # DEL is the one character that JSON leaves as it is.
    return json.dumps(text)[1:-1].replace("\x7f", "\\u007f")
