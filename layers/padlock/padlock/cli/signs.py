"""Signs and colours of what commands write for people, and plain ones where these cannot be shown."""

from collections.abc import Iterable, Mapping

from padlock.cli.output import coloured, write, writes

SIGNS: Mapping[str, str] = {
    "ok": "✓",
    "notice": "•",
    "warning": "▲",
    "error": "✗",
    "attention": "✗",
    "inconclusive": "?",
    "unreadable": "?",
}
"""Status or severity → sign."""
_PLAIN = {"✓": "+", "✗": "x", "▲": "!", "•": "*", "→": "->", "…": "...", "·": "|"}
"""For outputs that cannot carry the others."""
_COLOURS: Mapping[str, str] = {
    "ok": "32",
    "notice": "36",
    "warning": "33",
    "error": "1;31",
    "attention": "1;31",
    "inconclusive": "1;35",
    "unreadable": "1;35",
    "bold": "1",
}
"""Status or severity → parameters of the terminal's escape sequence."""


def coloured_as(style: str, text: str) -> str:
    """Return a text in the colour of a status or severity, where there are colours."""
    return f"\x1b[{_COLOURS[style]}m{text}\x1b[0m" if style in _COLOURS and coloured() else text


def sign(style: str) -> str:
    """Return the sign of a status or severity, in its colour."""
    return coloured_as(style, SIGNS[style])


def show_lines(lines: Iterable[str]) -> None:
    """Write lines that are safe to show, in the characters that the output has."""
    text = "".join(f"{line}\n" for line in lines)
    if not writes("".join(_PLAIN)):
        for glyph, plain in _PLAIN.items():
            text = text.replace(glyph, plain)
        text = text.encode("ascii", "backslashreplace").decode()
    write(text)
