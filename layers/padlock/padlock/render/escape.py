"""Text from outside, made safe to show.

Titles, issuers, headers and URLs come from servers that may mean harm: an escape sequence would drive the reader's
terminal, a bidirectional control would reorder a line, a newline would forge one. What is not printable is shown as
the escape that Python would write for it.
"""

LIMIT = 1200
"""Characters of one value that are shown; a report line is for reading, the evidence has the rest."""


def printable(text: str, limit: int = LIMIT) -> str:
    r"""Return the text as one line of printable characters: `\x1b`, `\u202e` and `\n` for those that are not."""
    if len(text) > limit:
        text = text[: limit - 1] + "…"
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else _escaped(character) for character in text)


def paragraphs(text: str, limit: int = LIMIT) -> list[str]:
    """Return the lines of a text of several lines, each printable; for the texts that rules write themselves."""
    if len(text) > limit:
        text = text[: limit - 1] + "…"
    return [printable(line.replace("\t", "    "), limit).rstrip() for line in text.split("\n")]


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
