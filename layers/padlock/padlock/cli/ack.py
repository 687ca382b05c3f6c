"""`padlock ack`: what a site's owner knows of and does not want to hear of for a time, in the Sites table."""

import argparse
import difflib
import re
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import msgspec

from padlock.acknowledging import ATTRIBUTE, Refused, added, entries, is_over, normal, stored, wanted
from padlock.changes import STALE
from padlock.cli.output import FAULT, HEALTHY, complain
from padlock.cli.stack import described, on_table
from padlock.render.escape import printable
from padlock.rules import RULES
from padlock.site import Acknowledgement, key_of
from padlock.times import length, moment

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from padlock.storage import Sites

SHORTEST, LONGEST = "1m", "366d"
EVERY = "*"
"""In place of a code: all of them."""
CODES = frozenset({*RULES, "site.invalid", STALE, EVERY})
"""What an alert of a site can be about."""


class Place(msgspec.Struct, frozen=True):
    """Where the table keeps what is acknowledged of a site."""

    item: str
    """The name of its item."""
    elsewhere: str = ""
    """As the stack's parameter spells the site; empty: the item declares it."""


class Told(msgspec.Struct):
    """What one edit did; the last attempt's, where others edited meanwhile."""

    replaced: Acknowledgement | None = None
    expired: int = 0
    cleared: tuple[Acknowledgement, ...] = ()


def duration(text: str) -> timedelta:
    """Read a length of time such as `3d`; ArgumentTypeError where it is none."""
    if re.fullmatch(r"0+[smhd]?", text):
        raise argparse.ArgumentTypeError(
            f"{text!r} would be over at once; use {SHORTEST} to {LONGEST}. `padlock ack SITE --clear CODE` takes an "
            "acknowledgement back"
        )
    try:
        return timedelta(seconds=length(text, SHORTEST, LONGEST))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def until(text: str) -> datetime:
    """Read a time, UTC unless it names a zone, a date as its beginning; ArgumentTypeError where it is none."""
    try:
        return moment(text, ZoneInfo("UTC"))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def ack(options: argparse.Namespace) -> int:
    """Acknowledge a finding of a site, list what is acknowledged, or take it back; return the exit status."""
    now = datetime.now(UTC)
    if options.code and (options.list or options.clear):
        complain("--list and --clear stand without a code: `padlock ack SITE --clear CODE` takes one back")
        return FAULT

    def action(client: "DynamoDBClient", table: str) -> int:
        from padlock.storage.edits import Contended  # noqa: PLC0415 — boto3 takes 300 ms

        try:
            if options.list:
                return _list(client, table, options, now)
            if options.clear:
                return _clear(client, table, options, now)
            return _add(client, table, options, _wanted(options, now), now)
        except (Refused, Contended) as error:
            complain(str(error))
            return FAULT

    return on_table(options, "SitesTableName", action)


def _wanted(options: argparse.Namespace, now: datetime) -> Acknowledgement:
    """Return the acknowledgement that the options ask for; Refused where it cannot be meant."""
    if not options.code:
        raise Refused(
            f"name the code to acknowledge, as the alert has it: `padlock ack {options.site} certificate.expiring`"
        )
    if options.code not in CODES:
        close = difflib.get_close_matches(options.code[:80], CODES, 1)
        likely = f"did you mean {close[0]!r}?" if close else "docs/checks.md lists the codes"
        raise Refused(f"no check has the code {options.code[:80]!r}; {likely}")
    end = options.until or now + options.duration
    if end <= now:
        raise Refused(f"{_shown(end)} is over; name a time to come, or a length of time with --for")
    return wanted(options.code, end, options.subject or "", options.note or "")


def _add(
    client: "DynamoDBClient", table: str, options: argparse.Namespace, new: Acknowledgement, now: datetime
) -> int:
    told = Told()

    def edit(item: Mapping[str, Any]) -> list[Any]:
        known = added(item, new, options.site, now)
        told.expired, told.replaced = known.expired, known.replaced
        return stored(known.entries)

    _edit(client, table, options, edit)
    what = "every finding" if new.code == EVERY else new.code
    of = f"{new.subject} ({options.site})" if new.subject else options.site
    before = f", instead of until {_end(told.replaced)}" if told.replaced else ""
    sys.stdout.write(
        f"acknowledged {what} of {printable(of)} until {_end(new)}{before}: no alert tells of it before\n"
    )
    if told.expired:
        sys.stdout.write(f"dropped {told.expired} that had expired\n")
    return HEALTHY


def _clear(client: "DynamoDBClient", table: str, options: argparse.Namespace, now: datetime) -> int:
    told = Told()

    def edit(item: Mapping[str, Any]) -> list[Any] | None:
        known = entries(item)
        gone = [entry for entry in known if _is_meant(entry, options)]
        told.cleared = tuple(gone)
        rest = [entry for entry in known if entry not in gone and not is_over(entry, item, now)]
        return stored(rest if gone else known) or None

    _edit(client, table, options, edit)
    for entry in told.cleared:
        sys.stdout.write(f"cleared {_line(entry)}: alerts tell of it again\n")
    if told.cleared:
        return HEALTHY
    subject = f" of {options.subject}" if options.subject else ""
    what = "nothing" if options.clear == "all" else f"{options.clear}{subject} is not"
    complain(f"{what} acknowledged at {options.site}; `padlock ack {options.site} --list` shows what is")
    return HEALTHY if options.clear == "all" else FAULT


def _list(client: "DynamoDBClient", table: str, options: argparse.Namespace, now: datetime) -> int:
    from padlock.storage import Sites  # noqa: PLC0415 — boto3 takes 300 ms

    sites = Sites(client, table)
    name = _place(sites, options).item
    item = sites.get_many([name]).get(name, {})
    known = entries(item)
    for entry in known:
        over = "  (expired)" if is_over(entry, item, now) else ""
        sys.stdout.write(f"{_line(entry)}{over}\n")
    if not known:
        complain(f"nothing is acknowledged at {options.site}")
    return HEALTHY


def _edit(
    client: "DynamoDBClient", table: str, options: argparse.Namespace, edit: Callable[[Mapping[str, Any]], Any]
) -> None:
    """Edit the acknowledgements of a site where the table keeps them; Refused where the site is not declared."""
    from padlock.storage import Sites  # noqa: PLC0415 — boto3 takes 300 ms
    from padlock.storage.edits import Absent, Edits  # noqa: PLC0415 — as above

    place = _place(Sites(client, table), options)
    try:
        Edits(client, table).change(place.item, ATTRIBUTE, edit, elsewhere=place.elsewhere)
    except Absent:
        raise Refused(f"site {options.site!r} was removed meanwhile") from None


def _place(sites: "Sites", options: argparse.Namespace) -> Place:
    """Return where a site's acknowledgements are kept; Refused, with the site that may be meant, where there is none.

    A site that only the stack's parameter names has an item that declares nothing. The whole table is looked through
    only for what neither its keys nor the parameter know: a spelling that no tick has seen yet, or a mistake.
    """
    key = key_of(options.site)
    if found := sites.find(key):
        return Place(found["name"])
    parameter = _of_parameter(options)
    if key in parameter:
        return Place(key, parameter[key])
    meant = _host(options.site)
    near = {meant, meant.removeprefix("www."), f"www.{meant}"}
    rows = sites.some(lambda row: not near.isdisjoint(_hosts(row)) or key_of(row) == key, "hosts")
    if spelled := sorted(row["name"] for row in rows if key_of(row) == key):
        return Place(spelled[0])
    where = f"table {options.table}" if options.table else f"Sites table of stack {options.stack}"
    declared = sorted({*map(key_of, rows), *(near & parameter.keys())}, key=lambda name: (name != meant, name))
    advice = (
        f"did you mean {printable(declared[0], 253)!r}? With --subject, one host, address or URL of it alone is meant"
        if declared
        else "`padlock sites list` shows what is, and `padlock sites add` declares a site"
    )
    raise Refused(f"site {options.site!r} is not declared in the {where}; {advice}")


def _host(text: str) -> str:
    """Return the host that is meant where a URL, or a host with a port or a path, is given for a site."""
    try:
        return key_of(urlsplit(text if "://" in text else f"//{text}").hostname or text)
    except ValueError:
        return key_of(text)


def _hosts(row: Mapping[str, Any]) -> set[str]:
    """Return the hosts that a declaration, right or wrong, names: its name and what stands under `hosts`."""
    hosts = row.get("hosts") or []
    listed = hosts if isinstance(hosts, list) else [hosts]
    return {key_of(host) for host in (row["name"], *listed) if isinstance(host, str)}


def _of_parameter(options: argparse.Namespace) -> dict[str, str]:
    """Return key → name of what the stack's parameter declares; none where a table is named that is of no stack."""
    from botocore.exceptions import ClientError  # noqa: PLC0415 — boto3 takes 300 ms

    # Alerts name the table. CloudFormation has made its name of the stack's, which its outputs confirm.
    made_of = options.table.rpartition("-SitesTable-")[0] or options.stack
    try:
        stack = described(made_of if options.table else options.stack)
    except ClientError as error:
        if options.table and error.response["Error"]["Code"] == "ValidationError":
            return {}
        raise
    if options.table and stack.outputs.get("SitesTableName") != options.table:
        return {}
    return {key_of(name): name.strip() for name in stack.parameters.get("Sites", "").split(",") if name.strip()}


def _is_meant(entry: Acknowledgement, options: argparse.Namespace) -> bool:
    """Return whether an acknowledgement is one that --clear names."""
    meant = options.clear in ("all", entry.code)
    return meant and (not options.subject or normal(entry.subject) == normal(options.subject))


def _line(entry: Acknowledgement) -> str:
    subject = f" of {entry.subject}" if entry.subject else ""
    note = f"  {entry.note}" if entry.note else ""
    return printable(f"{entry.code}{subject}  until {_end(entry)}{note}")


def _end(entry: Acknowledgement) -> str:
    """Return an acknowledgement's end as it is written, one of ours in the form of all texts."""
    try:
        written = datetime.fromisoformat(entry.until)
    except ValueError:
        return printable(entry.until, 40)
    return _shown(written.astimezone(UTC)) if written.tzinfo else printable(entry.until, 40)


def _shown(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
