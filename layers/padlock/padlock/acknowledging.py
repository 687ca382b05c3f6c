"""What a site's owner acknowledges, as the Sites table keeps it: an item, and an entry more → its list anew.

The command `padlock ack` and the dashboard's widget both edit by these.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from padlock.changes import Silence
from padlock.site import Acknowledgement, host_name
from padlock.times import moment

ATTRIBUTE = "acknowledge"
MOST = 50
"""Acknowledgements that one declaration may hold."""


class Refused(ValueError):
    """What was asked for cannot be done; the text says why and what to do."""


class Added(msgspec.Struct, frozen=True):
    """A site's acknowledgements with one more."""

    entries: Sequence[Acknowledgement]
    replaced: Acknowledgement | None
    """The one of the same code and subject that it takes the place of."""
    expired: int
    """How many were left out because they had expired."""


def wanted(code: str, until: datetime, subject: str, note: str) -> Acknowledgement:
    """Return an acknowledgement until a time; Refused where a text is too long.

    Its shape is checked as whoever reads the declaration checks it: an acknowledgement never makes it a wrong one.
    """
    entry = {"code": code, "until": until.strftime("%Y-%m-%dT%H:%M:%SZ")}
    entry |= {"subject": normal(subject)} if subject else {}
    entry |= {"note": note} if note else {}
    try:
        return msgspec.convert(entry, Acknowledgement)
    except msgspec.ValidationError:
        raise Refused("a subject or a note may have 300 characters at most") from None


def added(item: Mapping[str, Any], new: Acknowledgement, site: str, now: datetime) -> Added:
    """Return what an item acknowledges with one more; Refused where it holds the most already, or cannot be read."""
    known = entries(item)
    kept = [entry for entry in known if not is_over(entry, item, now)]
    same = [entry for entry in kept if (entry.code, normal(entry.subject)) == (new.code, new.subject)]
    rest = [entry for entry in kept if entry not in same]
    if len(rest) >= MOST:
        raise Refused(
            f"{MOST} findings of {site} are acknowledged, which is the most; `padlock ack {site} --list` shows them"
        )
    return Added([*rest, new], same[0] if same else None, len(known) - len(kept))


def entries(item: Mapping[str, Any]) -> list[Acknowledgement]:
    """Return what an item acknowledges; Refused where somebody wrote something else there."""
    given = item.get(ATTRIBUTE) or []
    try:
        return msgspec.convert([given] if isinstance(given, Mapping) else given, list[Acknowledgement])
    except msgspec.ValidationError as error:
        raise Refused(
            f"`{ATTRIBUTE}` of {item['name']} cannot be read: {error}; correct it with `padlock sites import`"
        ) from error


def silences(item: Mapping[str, Any], now: datetime) -> tuple[Silence, ...]:
    """Return what an item silences now; nothing of what cannot be read."""
    try:
        known = entries(item)
    except Refused:
        return ()
    ends = [(entry, _end(entry, item)) for entry in known]
    return tuple(
        Silence(code=entry.code, subject=_meant(entry.subject), until=end, note=entry.note)
        for entry, end in ends
        if end and end > now
    )


def stored(acknowledged: Iterable[Acknowledgement]) -> list[Any]:
    """Return acknowledgements as an item has them."""
    built: list[Any] = msgspec.to_builtins(acknowledged)
    return built


def is_over(entry: Acknowledgement, item: Mapping[str, Any], now: datetime) -> bool:
    """Return whether an acknowledgement has expired; one whose time cannot be read has not."""
    end = _end(entry, item)
    return end is not None and end <= now


def normal(subject: str) -> str:
    """Return a subject as findings name it: a host in its normal form, anything else as it is."""
    try:
        return host_name(subject)
    except ValueError:
        return subject


def _meant(subject: str) -> str:
    return "" if subject == "*" else normal(subject)


def _end(entry: Acknowledgement, item: Mapping[str, Any]) -> datetime | None:
    try:
        return moment(entry.until, ZoneInfo(str(item.get("timezone", "UTC"))))
    except (ValueError, ZoneInfoNotFoundError, OSError):
        return None
