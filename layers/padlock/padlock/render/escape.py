"""Text from outside, made safe to show.

Titles, issuers, headers and URLs come from servers that may mean harm: an escape sequence would drive the reader's
terminal, a bidirectional control would reorder a line, a newline would forge one. What is not printable, or is
printed as nothing, is shown as the escape that Python would write for it.

Letters of scripts that are written from right to left stand as they are, as titles and names have them. They turn
round themselves and the digits and signs between them, never what is on another line. Isolates would keep them off
the rest of their own line (UAX #9 section 2.4), but are controls themselves, which terminals show as boxes.
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
_BLANK = frozenset(
    map(
        chr,
        (
            *(0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164, 0xFFA0),
            *range(0x180B, 0x1810),
            *range(0xFE00, 0xFE10),
            *range(0xE0100, 0xE01F0),
            *(0x2800, 0x16FE4, 0x1D159),
        ),
    )
)
"""What Unicode calls letters, marks and symbols, and no font draws: Default_Ignorable_Code_Point of UAX #44 as far as
Python calls it printable, then Braille without a dot and two fillers."""
_SPACES = re.compile(r" {2,}")
_SPACES_OF_PROSE = re.compile(r"(`[^`]*`)| {2,}")
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


def phrase(text: str, limit: int = LIMIT) -> str:
    """Return the text as `printable` does, each run of spaces as one: with more it could imitate a layout."""
    return _SPACES.sub(" ", printable(text, limit))


def single_spaced(text: str) -> str:
    """Return printable prose with each run of spaces as one, but in backticks: a command stays what it is."""
    return _SPACES_OF_PROSE.sub(lambda found: found[1] or " ", text)


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
        shown = character.isprintable() and character not in _BLANK and marks <= MARKS
        yield character if shown else escaped(character)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def _in_json(text: str) -> str:
    # DEL is the one character that JSON leaves as it is.
    return json.dumps(text)[1:-1].replace("\x7f", "\\u007f")
