"""The record as Markdown, for a launch file or a ticket (checklist step 18).

Text from outside stands in it escaped: no line, link, table or heading of its own, and nobody is mentioned. GitHub
and GitLab also make links of bare URLs, and formulas of what stands between dollars.
"""

import html
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from padlock import record as records
from padlock.findings import LineRecord
from padlock.record import Record
from padlock.render.escape import printable

_SIGNS = {"pass": "✓", "fail": "✗", "unknown": "?", "not applicable": "\u2013"}
_MARKUP = re.compile(r"([\\`*_{}\[\]()#+!|~$-]|(?<=:)/|(?<=www)\.)", re.IGNORECASE)
MAX_NOTE = 300


def render(record: Record, before: Record | None = None) -> str:
    """Return the record as a Markdown document; with `before`, first what changed since then."""
    lines = [
        f"# {escaped(record.site)}: domain and HTTPS checklist",
        "",
        f"Checked {time_of(record.at)} by Padlock. Status: **{record.status}**.",
        "",
        "## Final results",
        "",
        *_list(record.results),
    ]
    if before:
        lines += ["", f"## Changed since {time_of(before.at)}", "", *_changes(before, record)]
    lines += ["", "## Final checklist", "", *_list(record.lines)]
    lines += ["", "## The 18 steps", "", "| Step | Result | |", "|---|---|---|", *_table(record.steps)]
    return "\n".join(lines) + "\n"


def _list(rows: Sequence[LineRecord]) -> Iterator[str]:
    """Yield a task list: ticked is what was seen to be right."""
    for row in rows:
        note = "" if row.status == "pass" else f" ({_note(row)})"
        yield f"- [{'x' if row.status == 'pass' else ' '}] {escaped(row.title)}{note}"


def _note(row: LineRecord) -> str:
    """Return the status with the codes or the reason behind it."""
    codes = ", ".join(f"`{code}`" for code in row.codes if re.fullmatch(r"[a-z0-9_.]+", code))
    why = codes or escaped(row.reason)
    return f"{row.status}: {why}" if why else row.status


def _table(rows: Sequence[LineRecord]) -> Iterator[str]:
    for row in rows:
        note = _note(row).removeprefix(row.status).removeprefix(": ")
        yield f"| {escaped(row.title)} | {_SIGNS[row.status]} {row.status} | {note} |"


def _changes(before: Record, after: Record) -> Iterator[str]:
    changed = list(records.differences(before, after))
    if not changed:
        yield "Nothing."
    for old, new in changed:
        yield f"- {escaped(new.title)}: {_note(old)} → **{_note(new)}**"


def escaped(text: str, limit: int = MAX_NOTE) -> str:
    """Return one line in which nothing is markup; at a line's start a number would begin a list."""
    shown = printable(text, limit).replace("@", "\N{FULLWIDTH COMMERCIAL AT}")
    quoted = html.escape(_MARKUP.sub(r"\\\1", shown), quote=False)
    return re.sub(r"^(\d+)\.", r"\1\\.", quoted)


def time_of(moment: datetime) -> str:
    """Return a time as the document writes it, in UTC."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
