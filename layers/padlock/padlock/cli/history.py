"""`padlock history`: the checks of a site that the stack stored, the newest first, and what changed with each."""

import argparse
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec

from padlock.cli.output import FAULT, HEALTHY, complain, show_json, show_line, write
from padlock.cli.signs import coloured_as, show_lines, sign
from padlock.cli.stack import on_table
from padlock.render.escape import phrase
from padlock.render.findings_csv import moment, table
from padlock.site import key_of

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

FORMATS = ("text", "json", "ndjson", "csv", "markdown")
MOST_READ = 10_000
"""Rows that are read at most, however many of them say the same."""
_CODES = 6
"""Codes that one line names."""
_TITLES = (
    "site",
    "first",
    "last",
    "checks",
    "status",
    "summary",
    "opened",
    "resolved",
    "findings",
    "kind",
    "seconds",
)


class Entry(msgspec.Struct, frozen=True):
    """Checks in a row that came to the same result."""

    site: str
    first: datetime
    """UTC."""
    last: datetime
    """UTC; that of one check is `first`."""
    checks: int
    status: str
    summary: str
    findings: tuple[str, ...] = ()
    """Codes of what was found."""
    opened: tuple[str, ...] = ()
    """What was new or worse with the first of them, as `code subject`."""
    resolved: tuple[str, ...] = ()
    """What was over with the first of them, likewise."""
    kind: str = "applied"
    """`on demand`: somebody asked for it; `superseded`: it ended after a later one; otherwise what was announced."""
    seconds: float | None = None
    """How long the last of them took; None: it was no check."""


def history(options: argparse.Namespace) -> int:
    """Show what is stored of a site; return the exit status."""
    site = key_of(options.site)

    def action(client: "DynamoDBClient", table: str) -> int:
        from padlock.storage import Results  # noqa: PLC0415 — boto3 takes 300 ms

        entries = map(_entry, islice(Results(client, table).history(site), MOST_READ))
        shown = list(islice(entries if options.each else _folded(entries), options.limit))
        if not shown:
            complain(
                f"no check of {options.site} is stored; `padlock sites list` shows what the stack checks, and "
                f"`padlock check {options.site}` checks it now"
            )
            return FAULT
        _show(site, shown, options.format)
        return HEALTHY

    return on_table(options, "ResultsTableName", action)


def _entry(row: Mapping[str, Any]) -> Entry:
    """Return a row of the history; one that later checks were as has their number and the time of the last."""
    at = datetime.fromisoformat(row["checked_at"])
    last = datetime.fromisoformat(row["until"]) if row.get("until") else at
    return Entry(
        str(row["site"]),
        at,
        max(at, last),
        1 + int(row.get("repeats", 0)),
        str(row.get("status", "")),
        str(row.get("summary", "")),
        tuple(map(str, row.get("findings", ()))),
        tuple(map(str, row.get("opened", ()))),
        tuple(map(str, row.get("resolved", ()))),
        str(row.get("kind", "applied")),
        float(row["seconds"]) if "seconds" in row else None,
    )


def _folded(entries: Iterable[Entry]) -> Iterator[Entry]:
    """Yield entries, the newest first, those in one that changed nothing and say what the one before them says."""
    latest: Entry | None = None
    for entry in entries:
        if latest and not latest.opened and not latest.resolved and _says(entry) == _says(latest):
            latest = msgspec.structs.replace(
                entry, last=latest.last, checks=entry.checks + latest.checks, seconds=latest.seconds
            )
            continue
        if latest:
            yield latest
        latest = entry
    if latest:
        yield latest


def _says(entry: Entry) -> tuple[object, ...]:
    return entry.status, entry.summary, entry.kind, entry.findings


def _show(site: str, entries: Sequence[Entry], name: str) -> None:
    match name:
        case "json":
            show_json(entries)
        case "ndjson":
            for entry in entries:
                show_line(entry)
        case "csv":
            write(table(_TITLES, map(_cells, entries)))
        case "markdown":
            from padlock.render.markdown import escaped  # noqa: PLC0415 — only this format needs it

            write("\n".join(_markdown(site, entries, escaped)) + "\n")
        case _:
            show_lines(line for entry in entries for line in _lines(entry))


def _cells(entry: Entry) -> Sequence[str | int]:
    seconds = "" if entry.seconds is None else f"{entry.seconds:g}"
    return (
        *(entry.site, moment(entry.first), moment(entry.last), entry.checks, entry.status, entry.summary),
        *(", ".join(entry.opened), ", ".join(entry.resolved), " ".join(entry.findings), entry.kind, seconds),
    )


def _lines(entry: Entry) -> Iterator[str]:
    """Yield an entry as text: a line, and one for each thing that changed."""
    status = entry.status or "-"
    when = f"{entry.first:%Y-%m-%d %H:%M}"
    number = f"{entry.checks} checks" if entry.checks > 1 else "1 check" if entry.status else ""
    note = "" if entry.kind == "applied" else f"  ({phrase(entry.kind)})"
    until = f" to {entry.last:%Y-%m-%d %H:%M}" if entry.last > entry.first else ""
    yield (
        f"{when}{until:<20} UTC  {coloured_as(status, f'{phrase(status):<12}')}  {number:>11}  "
        f"{phrase(entry.summary)}{note}"
    )
    yield from (f"    {sign('error')} new   {line}" for line in _named(entry.opened))
    yield from (f"    {sign('ok')} over  {line}" for line in _named(entry.resolved))


def _named(labels: Sequence[str]) -> Iterator[str]:
    yield from (phrase(label) for label in labels[:_CODES])
    if len(labels) > _CODES:
        yield f"… and {len(labels) - _CODES} more"


def _markdown(site: str, entries: Sequence[Entry], escaped: Any) -> Iterator[str]:
    yield f"# {escaped(site)}: history"
    yield from ("", "| From | To (UTC) | Checks | Status | | Changed |", "|---|---|---|---|---|---|")
    for entry in entries:
        changed = [f"new: {escaped(label)}" for label in entry.opened[:_CODES]]
        changed += [f"over: {escaped(label)}" for label in entry.resolved[:_CODES]]
        cells = (f"{entry.first:%Y-%m-%d %H:%M}", f"{entry.last:%Y-%m-%d %H:%M}", str(entry.checks))
        told = (escaped(entry.status), escaped(entry.summary), "; ".join(changed))
        yield f"| {' | '.join((*cells, *told))} |"
