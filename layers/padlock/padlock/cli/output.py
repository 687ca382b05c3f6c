"""What the command writes: complaints, progress, reports; and the exit status that sums them up."""

import json
import os
import shutil
import sys
import traceback
from collections.abc import Iterable

import msgspec

from padlock.findings import Report
from padlock.render.escape import json_text, printable

HEALTHY, UNHEALTHY, FAULT = 0, 1, 2
PIPE_WIDTH = 100
"""Columns of a report that goes to a file or a pipe."""
WIDEST = 110
"""Lines longer than this are tiring to read."""


def complain(message: str) -> None:
    """Write one line to stderr."""
    clear_progress()
    sys.stderr.write(f"padlock: {printable(message)}\n")


def show_fault(error: BaseException) -> None:
    """Write the traceback of a fault to stderr, where --debug asks for it; its text may come from outside."""
    clear_progress()
    for line in "".join(traceback.format_exception(error)).rstrip("\n").split("\n"):
        sys.stderr.write(f"{printable(line)}\n")


def progress_line(text: str) -> None:
    """Show what is going on in one line that the next one replaces, where a person is watching."""
    if sys.stderr.isatty():
        # A line that wraps could not be taken away whole.
        room = os.get_terminal_size(sys.stderr.fileno()).columns or PIPE_WIDTH
        sys.stderr.write(f"\r\x1b[2K{text[: room - 1]}")
        sys.stderr.flush()


def clear_progress() -> None:
    """Take the progress line away before something else is written."""
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[2K")
        sys.stderr.flush()


def show(report: Report) -> None:
    """Write one report as text, in colour on a terminal unless NO_COLOR is set (no-color.org)."""
    # rich costs 60 ms that --json need not pay.
    from padlock.render.terminal import PLAIN_GLYPHS, render  # noqa: PLC0415 — rich is slow to load

    write(render(report, width=columns(), colour=coloured(), ascii_only=not writes("".join(PLAIN_GLYPHS))) + "\n")


def columns() -> int:
    """Return how wide a text for people may be."""
    return min(shutil.get_terminal_size((PIPE_WIDTH, 24)).columns, WIDEST)


def write(text: str) -> None:
    """Write a text that is safe to show, at once."""
    clear_progress()
    sys.stdout.write(text)
    sys.stdout.flush()


def show_line(value: object) -> None:
    """Write a value as JSON in one line, whatever text from outside stands in it."""
    _write_json(encoded(value).decode())


def show_json(value: object) -> None:
    """Write a value as JSON that a terminal can show, whatever text from outside stands in it."""
    _write_json(msgspec.json.format(encoded(value), indent=2).decode())


def _write_json(document: str) -> None:
    text = json_text(document)
    write((text if writes(text) else json_text(text, ascii_only=True)) + "\n")


def encoded(value: object) -> bytes:
    """Return a value as JSON; in the place of a lone surrogate, which UTF-8 does not have, stands `?`."""
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        return json.dumps(msgspec.to_builtins(value), ensure_ascii=False).encode("utf-8", "replace")


def exit_status(reports: Iterable[Report], *, strict: bool) -> int:
    """Return 1 for an error finding (with `strict` also for a warning), 2 where nothing could be seen."""
    statuses = {report.status for report in reports}
    if "inconclusive" in statuses:
        return FAULT
    unhealthy = {"error", "warning"} if strict else {"error"}
    return UNHEALTHY if statuses & unhealthy else HEALTHY


def coloured() -> bool:
    """Return whether what is written to stdout may have colours: on a terminal, unless NO_COLOR is set."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def writes(characters: str) -> bool:
    """Return whether stdout's encoding has these characters."""
    try:
        characters.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return False
    return True
