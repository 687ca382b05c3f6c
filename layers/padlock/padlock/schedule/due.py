"""When a site is due, and at which tick.

A site of interval I has a phase, a stable hash of its name, and is due at phase, phase + I, phase + 2 I... A tick
covers the time since the last tick that was dispatched in full, so that a missed tick's sites run with the next one.
"""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from padlock.site import Site, interval_seconds
from padlock.storage import MARK, stamp

AHEAD = timedelta(hours=1)
"""A tick further in the future is a mistake: the ticks until then would be taken for late ones."""
DEFAULT_INTERVAL = interval_seconds(Site(name="").interval)


class Tick(msgspec.Struct, frozen=True):
    """One tick and the time that it covers."""

    at: datetime
    """UTC, whole seconds; the slot of its runs."""
    since: datetime | None
    """The tick before it; None: every site is due."""


def read_time(event: Mapping[str, Any], key: str, now: datetime) -> datetime:
    """Return the time of an event, now where it has none; ValueError where that is no time, or far ahead."""
    text = event.get(key)
    if text is None:
        return now.replace(microsecond=0)
    try:
        at = datetime.fromisoformat(text)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{key} is no time such as 2026-11-20T17:05:00Z: {text!r}") from error
    if at.tzinfo is None:
        raise ValueError(f"{key} has no time zone: {text!r}")
    if at > now + AHEAD:
        raise ValueError(f"{key} is in the future: {text!r}; now is {stamp(now)}")
    return at.astimezone(UTC).replace(microsecond=0)


def is_due(name: str, interval: int, current: Tick) -> bool:
    """Return whether one of the site's times lies within the time that the tick covers."""
    if current.since is None:
        return True
    phase = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8]) % interval
    before, after = int(current.since.timestamp()), int(current.at.timestamp())
    return (after - phase) // interval > (before - phase) // interval


def is_new(row: Any) -> bool:
    """Return whether a site of the table has never been checked and would wait for long; one such is due at once."""
    return isinstance(row, Mapping) and MARK not in row and interval_of(row) > DEFAULT_INTERVAL


def interval_of(declaration: Any) -> int:
    """Return a declaration's interval in seconds; the default where it declares none, or a wrong one."""
    text = declaration.get("interval") if isinstance(declaration, Mapping) else None
    try:
        return interval_seconds(text) if isinstance(text, str) else DEFAULT_INTERVAL
    except ValueError:
        return DEFAULT_INTERVAL
