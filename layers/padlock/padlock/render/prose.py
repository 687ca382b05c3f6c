"""Labelled texts for a terminal or a pipe, wrapped between words, never within a command."""

import re
import textwrap
from collections.abc import Iterable, Iterator

from padlock.render.escape import paragraphs, single_spaced

_COMMAND = re.compile(r"`[^`]+`")
_GLUE = "\ue000"
"""Stands for a space at which no line may break; as a private character it never occurs in escaped text."""


def rows(entries: Iterable[tuple[str, str]], width: int, *, indent: int = 2, label_width: int = 11) -> Iterator[str]:
    """Yield the lines of labelled texts in two columns; what has no text is left out."""
    for label, text in entries:
        shown = label
        for line in wrapped(text, width - indent - label_width):
            yield f"{' ' * indent}{shown:<{label_width}}{line}"
            shown = ""


def wrapped(text: str, width: int) -> Iterator[str]:
    """Yield the lines of a text that is made safe to show; a command that is wider stands in a line of its own."""
    for paragraph in paragraphs(text) if text else ():
        whole = _COMMAND.sub(lambda command: command[0].replace(" ", _GLUE), single_spaced(paragraph))
        for line in textwrap.wrap(whole, max(width, 20), break_long_words=False, break_on_hyphens=False):
            yield line.replace(_GLUE, " ")
