"""What the command writes: complaints, progress, reports; and the exit status that sums them up."""

import os
import shutil
import sys
from collections.abc import Iterable

import msgspec

from padlock.findings import Report
from padlock.render.escape import printable

HEALTHY, UNHEALTHY, FAULT = 0, 1, 2
PIPE_WIDTH = 100
"""Columns of a report that goes to a file or a pipe."""
WIDEST = 110
"""Lines longer than this are tiring to read."""


def complain(message: str) -> None:
    """Write one line to stderr."""
    clear_progress()
    sys.stderr.write(f"padlock: {printable(message)}\n")


def progress(done: int, total: int, current: str) -> None:
    """Show how far a run of several sites is, where a person is watching."""
    progress_line(f"{done} of {total} checked · {printable(current, 60)}")


def progress_line(text: str) -> None:
    """Show what is going on in one line that the next one replaces, where a person is watching."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[2K{text}")
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

    width = min(shutil.get_terminal_size((PIPE_WIDTH, 24)).columns, WIDEST)
    text = render(report, width=width, colour=coloured(), ascii_only=not writes("".join(PLAIN_GLYPHS)))
    clear_progress()
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def show_json(reports: list[Report], *, single: bool) -> None:
    """Write the reports as JSON: one object where one site was asked for, otherwise an array."""
    document = msgspec.json.encode(reports[0] if single else reports)
    clear_progress()
    sys.stdout.write(msgspec.json.format(document, indent=2).decode() + "\n")


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
