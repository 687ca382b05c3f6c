"""`padlock status`: whether the deployed stack itself is well, and whoever it should tell can be told."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from padlock.cli.output import FAULT, HEALTHY, UNHEALTHY, coloured, show_json, writes
from padlock.cli.stack import Stack, on_stack
from padlock.render.escape import printable

if TYPE_CHECKING:
    from padlock.cli.health import Condition, Section

CODES: "dict[Condition, int]" = {"ok": HEALTHY, "attention": UNHEALTHY, "unreadable": FAULT}
GLYPHS: "dict[Condition, str]" = {"ok": "✓", "attention": "✗", "unreadable": "?"}
PLAIN = {"✓": "+", "✗": "x", "→": "->", "…": "..."}
"""For outputs that cannot carry the others."""
COLOURS: "dict[Condition, str]" = {"ok": "32", "attention": "1;31", "unreadable": "1;35"}
"""Parameters of the terminal's escape sequence: green, bold red, bold magenta."""


def status(options: argparse.Namespace) -> int:
    """Show whether the stack is well; return the exit status."""

    def action(stack: Stack) -> int:
        from padlock.cli.health import Glance  # noqa: PLC0415 — boto3 takes 300 ms

        now = datetime.now(UTC).replace(microsecond=0)
        sections = Glance(stack, now).sections()
        worst = max((section.condition for section in sections), key=CODES.__getitem__)
        dashboard = stack.outputs.get("DashboardUrl", "")
        if options.json:
            document = {"stack": stack.name, "at": now, "status": worst, "dashboard": dashboard, "sections": sections}
            show_json(document)
        else:
            sys.stdout.write("".join(f"{line}\n" for line in _text(stack.name, now, dashboard, sections)))
        return CODES[worst]

    return on_stack(options, ("ResultsTableName", "TopicArn"), action)


def _text(name: str, now: datetime, dashboard: str, sections: "Sequence[Section]") -> Iterator[str]:
    plain = not writes("".join(PLAIN))
    for line in _lines(name, now, dashboard, sections):
        for glyph, other in PLAIN.items() if plain else ():
            line = line.replace(glyph, other)  # noqa: PLW2901 — the same line, in the characters that there are
        yield line.encode("ascii", "backslashreplace").decode() if plain else line


def _lines(name: str, now: datetime, dashboard: str, sections: "Sequence[Section]") -> Iterator[str]:
    yield f"stack {printable(name)}, {now:%Y-%m-%d %H:%M} UTC"
    width = max(len(section.name) for section in sections)
    margin = " " * (width + 6)
    for section in sections:
        glyph = GLYPHS[section.condition]
        if coloured():
            glyph = f"\x1b[{COLOURS[section.condition]}m{glyph}\x1b[0m"
        yield f"  {glyph} {section.name:<{width}}  {section.says}"
        yield from (f"{margin}{line}" for line in section.lines)
        yield from (f"{margin}→ {remedy}" for remedy in section.remedies)
    if dashboard:
        yield f"  dashboard {printable(dashboard)}"
