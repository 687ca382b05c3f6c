"""`padlock record`: the checklist of a site for a launch file, by a new check, a report or what is stored."""

import argparse
import sys
from collections.abc import Iterable
from datetime import UTC, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from padlock import record as records
from padlock.cli import check, host_evidence
from padlock.cli.formats import Way, as_json
from padlock.cli.output import FAULT, complain, exit_status, write
from padlock.cli.stack import on_table
from padlock.findings import Report, Status
from padlock.record import Record
from padlock.render.markdown import render
from padlock.site import key_of

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from padlock.storage import Results


class Unusable(ValueError):
    """What the record should be made of cannot be read; the text says why and what to do."""


def moment(text: str) -> datetime:
    """Read a time, or a date for its end, in UTC unless it says otherwise; ArgumentTypeError where it is none."""
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no time such as 2026-11-20 or 2026-11-20T17:05") from None
    if len(text) == len("2026-11-20"):
        read = datetime.combine(read.date(), time.max)
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def record(options: argparse.Namespace) -> int:
    """Print the record of the sites; return the exit status."""
    if (fault := _contradiction(options)) is not None:
        complain(fault)
        return FAULT
    try:
        if options.stored:
            return _stored(options)
        before = _of_file(options.since) if options.since else None
        if options.report:
            return _printed(_report(options.report), before, options)
    except Unusable as error:
        complain(str(error))
        return FAULT
    machines, faults = host_evidence.load(options.host_evidence)
    for fault in faults:
        complain(fault)
    return FAULT if faults else check.look(options, machines, _way(before, json=options.json))


def _way(before: Record | None, *, json: bool) -> Way:
    """Return how the records of a check made now are written."""
    if json:
        return Way(conclude=lambda outcome: as_json(tuple(map(records.of, outcome.reports)), single=outcome.single))
    return Way(present=lambda report: _show(records.of(report), before))


def _contradiction(options: argparse.Namespace) -> str | None:
    """Return what is wrong with the options together."""
    if options.report and (options.stored or options.sites or options.site_file):
        return "--report stands alone: the report says which site it is of"
    if not (options.report or options.sites or options.site_file):
        return "name a site, as in `padlock record example.com`, or a report with --report"
    if options.stored and (options.host_evidence or options.site_file):
        return "--stored looks at nothing anew: leave out --host-evidence, and name the sites themselves"
    if (options.html or options.evidence_out) and (options.stored or options.report):
        return "--html and --evidence-out are of a check made now: leave out --stored and --report"
    if options.since and options.json:
        return "--json prints one record and compares none: leave out --since"
    if options.at and not options.stored:
        return "--at needs --stored: only what the stack stored has a past"
    if options.since and len(options.sites) > 1 and not options.stored:
        return "--since compares one site: name one"
    return None


def _printed(report: Report, before: Record | None, options: argparse.Namespace) -> int:
    if options.json:
        as_json((records.of(report),), single=True)
    else:
        _show(records.of(report), before)
    return exit_status([report], strict=options.strict)


def _show(now: Record, before: Record | None) -> None:
    if before and before.site != now.site:
        complain(f"--since is of {before.site}, not of {now.site}: it is not compared")
        before = None
    write(render(now, before))


def _report(file: str) -> Report:
    """Read a report of `padlock check --json`; Unusable where it is none."""
    try:
        data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        return msgspec.json.decode(data, type=Report)
    except OSError as error:
        raise Unusable(f"cannot read the report {file}: {error.strerror or error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Unusable(
            f"cannot read the report {file}: {error}; write it with `padlock check SITE --json`"
        ) from error


def _of_file(file: str) -> Record:
    """Return the record of a report's file; Unusable where it is none, or where a time was meant."""
    if not Path(file).exists() and file[:1].isdigit():
        raise Unusable(f"there is no file {file}; to compare with what was stored at a time, add --stored")
    return records.of(_report(file))


def _stored(options: argparse.Namespace) -> int:
    """Print the record of what the stack stored."""
    try:
        since = moment(options.since) if options.since else None
    except argparse.ArgumentTypeError as error:
        raise Unusable(f"--since: {error}") from error

    def action(client: "DynamoDBClient", table: str) -> int:
        from padlock.storage import Results  # noqa: PLC0415 — boto3 takes 300 ms

        results = Results(client, table)
        found = [_one_stored(results, key_of(name), options.at, since) for name in options.sites]
        kept = [pair for pair in found if pair]
        if options.json:
            as_json(tuple(now for now, _ in kept), single=len(found) == 1)
        else:
            for now, before in kept:
                _show(now, before)
        return FAULT if len(kept) < len(found) else max(_status(now, options) for now, _ in kept)

    return on_table(options, "ResultsTableName", action)


def _one_stored(
    results: "Results", site: str, at: datetime | None, since: datetime | None
) -> tuple[Record, Record | None] | None:
    """Return what is stored of a site, and what it is compared with; None: nothing is, which is said."""
    rows = results.history(site)
    latest = None if at else results.state(site)
    now = records.of_item(latest["report"]) if latest else None
    now = now or _last(site, rows, at)
    if now is None:
        until = f" until {at:%Y-%m-%d %H:%M} UTC" if at else ""
        complain(f"no check of {site} that has a record is stored{until}; `padlock record {site}` checks it now")
        return None
    before = _last(site, rows, since) if since else None
    if since and before is None:
        complain(f"no check of {site} before {since:%Y-%m-%d %H:%M} UTC is stored: it is not compared")
    return now, before


def _status(now: Record, options: argparse.Namespace) -> int:
    unhealthy = ("error", "warning") if options.strict else ("error",)
    return FAULT if now.status == "inconclusive" else int(now.status in unhealthy)


def _last(site: str, rows: Iterable[dict[str, Any]], until: datetime | None) -> Record | None:
    """Return the newest record of rows, the newest first, that is not after a time."""
    for row in rows:
        at = datetime.fromisoformat(row["checked_at"])
        if until and at > until:
            continue
        status: Status = row["status"]
        found = records.unpack(site, at, status, row.get("record", {}))
        if found:
            return found
    return None
